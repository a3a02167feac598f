"""A binding's webhook: made, tested, changed without new credentials, inherited, and gone with its last binding."""

import json
from dataclasses import replace
from typing import Any

import pytest

from lambdas.aws.dynamodb.webhooks.webhook_states import KEPT_FOR
from lambdas.domain.tenants.instance import OperationState, Phase
from lambdas.domain.webhooks.signature import WebhookSecret
from lambdas.domain.webhooks.webhook import EventKind, NotificationFormat, Scope
from tests.broker.world import WEBHOOK, World

HOOKED = {"notification_webhook": WEBHOOK}


@pytest.fixture
def world() -> World:
    """A broker with an instance that is ready."""
    world = World()
    world.ready()
    return world


def webhook(world: World, number: int = 0) -> Any:
    """The webhook kept, of those that are no digests."""
    kept = [k for k in world.webhooks.webhooks.values() if k.settings.format is not NotificationFormat.EMAIL]
    return kept[number]


def test_the_webhook_is_kept_as_asked_for(world: World) -> None:
    """Its secret is in the credentials, encrypted for delivery, and nowhere else."""
    answer = world.bind(
        parameters={
            "notification_webhook": "https://user:pw@app.example.gov/hook",
            "notification_events": ["reject", "bounce"],
            "notification_format": "cloudevents",
            "notification_scope": "binding",
        }
    )
    credentials = answer.body["credentials"]
    [((instance, webhook_id), kept)] = world.webhooks.webhooks.items()
    assert (instance, kept.bindings) == ("i1", ("b1",))
    assert kept.settings.url == credentials["notification_webhook"] == WEBHOOK
    assert kept.settings.events == (EventKind.BOUNCE, EventKind.REJECT)
    assert (kept.settings.format, kept.settings.scope) == (NotificationFormat.CLOUDEVENTS, Scope.BINDING)
    assert world.encrypt_webhook_secret.ciphertext == [(webhook_id, credentials["webhook_secret"], "user:pw")]
    assert credentials["webhook_secret"] not in repr(world.table)
    assert "pw" not in repr(world.table)


def test_a_test_is_queued_once(world: World) -> None:
    """Nothing is contacted by the broker itself; a repeated bind queues no other."""
    for _ in range(2):
        world.bind(parameters=HOOKED)
    [batch] = world.deliveries.batches
    [delivery] = batch.deliveries
    body = json.loads(delivery.body)
    assert body["type"] == "webhook.test"
    assert (body["data"]["instance_id"], body["data"]["binding_id"]) == ("i1", "b1")


def test_how_the_test_went_stands_in_the_binding(world: World) -> None:
    """Once delivery has written it."""
    first = world.bind(parameters=HOOKED)
    again = "A webhook.test event is on its way; fetch the binding to see how it went."
    assert again in first.body["credentials"]["instructions"]
    [(key, kept)] = world.webhooks.webhooks.items()
    world.webhooks.webhooks[key] = replace(kept, test_status="delivered", test_at="2026-11-21T05:00:01+00:00")
    instructions = world.fetch("i1/service_bindings/b1").body["credentials"]["instructions"]
    assert "2026-11-21T05:00:01+00:00: delivered" in instructions


def test_instructions_say_that_notifications_are_off(world: World) -> None:
    """A webhook alone is not enough; nobody should have to find that out."""
    assert "enable_feedback_notifications" in world.bind(parameters=HOOKED).body["credentials"]["instructions"]


def test_digests_have_a_topic_of_their_own(world: World) -> None:
    """Kept as a webhook of format email; of bounces and complaints unless the bind says otherwise."""
    credentials = world.bind(parameters={"notification_email": "digests@agency.gov"}).body["credentials"]
    assert credentials["notification_email"] == "digests@agency.gov"
    assert credentials["webhook_secret"] is None
    [((_, webhook_id), kept)] = world.webhooks.webhooks.items()
    assert webhook_id == "email-b1"
    assert kept.settings.url == "arn:aws:sns:us-east-1:123456789012:ses-feedback-b1-notifications"
    assert world.topics.topics[kept.settings.url] == {"digests@agency.gov"}
    assert kept.settings.events == (EventKind.BOUNCE, EventKind.COMPLAINT)
    world.unbind()
    assert list(world.topics.topics) == ["arn:aws:sns:us-east-1:123456789012:ses-feedback-i1-alerts"]


# -- changed without new credentials -----------------------------------------------------------------------------


def test_an_update_changes_a_webhook_and_leaves_the_credentials(world: World) -> None:
    """Also its userinfo, which goes to delivery alone."""
    before = world.bind(parameters=HOOKED).body["credentials"]
    changes = {"notification_webhook": "https://u:p@other.example.gov/", "notification_events": ["complaint"]}
    assert world.update(parameters={"bindings": {"b1": changes}}).status == 202
    world.work()
    assert world.poll().body["state"] == "succeeded"
    after = world.fetch("i1/service_bindings/b1").body
    assert after["credentials"]["notification_webhook"] == "https://other.example.gov/"
    assert after["parameters"]["notification_events"] == ["complaint"]
    for name in ("aws_access_key_id", "smtp_password", "webhook_secret"):
        assert after["credentials"][name] == before[name]
    assert world.encrypt_webhook_secret.ciphertext[-1][1:] == (before["webhook_secret"], "u:p")
    assert len({batch.deliveries[0].id for batch in world.deliveries.batches}) == 2  # the new URL is tested too
    assert KEPT_FOR.total_seconds() < world.deliveries.delays[-1] < 15  # s: delivery may know the old one until then
    assert world.bind(parameters=HOOKED).status == 200  # what was asked for at the bind is still what it was


def test_batches_are_asked_for_at_bind_and_changed_by_an_update(world: World) -> None:
    """Kept for fan-out and delivery, and shown with the binding; a successor takes them over."""
    asked = {"notification_batch": 10, "notification_batch_seconds": 5}
    first = world.bind(parameters={**HOOKED, **asked}).body
    assert "Every request is a batch of 1 to 10 events." in first["credentials"]["instructions"]
    assert (webhook(world).settings.batch, webhook(world).settings.batch_seconds) == (10, 5)

    assert world.update(parameters={"bindings": {"b1": {"notification_batch": 100}}}).status == 202
    world.work()

    shown = world.fetch("i1/service_bindings/b1").body["parameters"]
    assert (shown["notification_batch"], shown["notification_batch_seconds"]) == (100, 5)
    assert world.bind("b2", predecessor_binding_id="b1", parameters={"notification_batch": 10}).status == 400
    assert world.bind("b2", predecessor_binding_id="b1", parameters={"notification_batch": 100}).status == 201


def test_a_webhook_with_batches_cannot_be_given_a_format_without_them(world: World) -> None:
    """The field that was given is named."""
    world.bind(parameters={**HOOKED, "notification_batch": 10})
    answer = world.update(parameters={"bindings": {"b1": {"notification_format": "sns"}}})
    assert answer.status == 400
    assert answer.body["description"].startswith("bindings.b1.notification_format: cannot be sns with a")
    both = {"notification_format": "sns", "notification_batch": 1}
    assert world.update(parameters={"bindings": {"b1": both}}).status == 202


def test_an_update_that_changes_nothing_of_a_webhook_is_200(world: World) -> None:
    """The same events again."""
    world.bind(parameters={**HOOKED, "notification_events": ["bounce"]})
    assert world.update(parameters={"bindings": {"b1": {"notification_events": ["bounce"]}}}).status == 200


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"notification_webhook": "http://x.example.gov/"}, 400),
        ({"notification_events": []}, 400),
        ({"notification_batch": 101}, 400),
        ({"notification_batch_seconds": "5"}, 400),
        ({"novelty": 1}, 400),
        ({"source_ips": ["198.51.100.7"]}, 422),
        ({"notification_email": "x@agency.gov"}, 422),
    ],
)
def test_changes_of_a_webhook_that_will_not_do(world: World, changes: dict[str, Any], status: int) -> None:
    """They name the binding and the field."""
    world.bind(parameters=HOOKED)
    answer = world.update(parameters={"bindings": {"b1": changes}})
    assert answer.status == status
    assert answer.body["description"].startswith(f"bindings.b1.{next(iter(changes))}")


def test_a_binding_without_a_webhook_has_none_to_change(world: World) -> None:
    """It is told to rebind."""
    world.bind()
    answer = world.update(parameters={"bindings": {"b1": HOOKED}})
    assert (answer.status, "rebind" in answer.body["description"]) == (400, True)


# -- rotation ----------------------------------------------------------------------------------------------------


def test_a_successor_shares_the_webhook(world: World) -> None:
    """Same secret, same id, one POST an event: and new keys."""
    first = world.bind(parameters={**HOOKED, "notification_email": "d@agency.gov", "source_ips": ["198.51.100.7"]})
    second = world.bind("b2", predecessor_binding_id="b1")
    assert second.status == 201
    old, new = first.body["credentials"], second.body["credentials"]
    assert new["webhook_secret"] == old["webhook_secret"]
    assert new["notification_email"] == "d@agency.gov"
    assert new["aws_access_key_id"] != old["aws_access_key_id"]
    assert {kept.bindings for kept in world.webhooks.webhooks.values()} == {("b1", "b2")}
    assert len(world.webhooks.webhooks) == 2
    policies = [user["policy"]["Statement"][0]["Condition"] for user in world.users.users.values()]
    assert policies[0] == policies[1]
    assert world.unbind("b1").status == 200
    assert webhook(world).bindings == ("b2",)
    assert len(world.topics.topics) == 2
    assert world.bind("b2", predecessor_binding_id="b1").status == 200
    assert world.unbind("b2").status == 200
    assert world.webhooks.webhooks == {}
    assert len(world.topics.topics) == 1


def test_a_successor_takes_over_what_an_update_made_of_the_webhook(world: World) -> None:
    """The webhook is as it is now, not as it was bound."""
    world.bind(parameters=HOOKED)
    world.update(parameters={"bindings": {"b1": {"notification_webhook": "https://other.example.gov/"}}})
    world.work()
    credentials = world.bind("b2", predecessor_binding_id="b1").body["credentials"]
    assert credentials["notification_webhook"] == "https://other.example.gov/"


def test_a_successor_may_name_another_webhook(world: World) -> None:
    """It is a new one then, with a secret of its own."""
    first = world.bind(parameters=HOOKED)
    second = world.bind(
        "b2", predecessor_binding_id="b1", parameters={"notification_webhook": "https://b.example.gov/"}
    )
    assert second.body["credentials"]["webhook_secret"] != first.body["credentials"]["webhook_secret"]
    assert [kept.bindings for kept in world.webhooks.webhooks.values()] == [("b1",), ("b2",)]


def test_a_successor_cannot_change_the_shared_webhook(world: World) -> None:
    """It would change for the predecessor too: that is what the update is for."""
    world.bind(parameters=HOOKED)
    answer = world.bind("b2", predecessor_binding_id="b1", parameters={"notification_events": ["reject"]})
    assert (answer.status, "shared" in answer.body["description"]) == (400, True)
    same = {"notification_events": ["bounce", "complaint", "delivery"], **HOOKED}
    assert world.bind("b2", predecessor_binding_id="b1", parameters=same).status == 201


@pytest.mark.parametrize("predecessor", ["b9", "b1x", "b1", "../b1", 5, ""])
def test_a_predecessor_that_is_none_is_400(world: World, predecessor: Any) -> None:
    """Never seen, itself, unbound, of another instance, or no id at all."""
    answer = world.bind("b1", predecessor_binding_id=predecessor)
    assert answer.status == 400
    assert answer.body["description"].startswith("predecessor_binding_id")


def test_an_unbound_predecessor_and_anothers_are_none(world: World) -> None:
    """What they had is gone, or not this tenant's."""
    world.bind(parameters=HOOKED)
    world.ready("i2", parameters={"admin_email": "a@b.cc", "domain": "other.gov"})
    assert world.bind("b2", "i2", predecessor_binding_id="b1").status == 400
    world.unbind()
    assert world.bind("b3", predecessor_binding_id="b1").status == 400


ROTATE = {"notification_rotate_secret": True}


def test_a_successor_can_give_the_shared_webhook_a_new_secret(world: World) -> None:
    """Once, however often the bind is repeated; both bindings show it, and the userinfo stays."""
    before = world.bind(parameters={"notification_webhook": "https://u:p@app.example.gov/hook"}).body["credentials"]
    answers = [world.bind("b2", parameters=ROTATE, predecessor_binding_id="b1") for _ in range(2)]
    assert [answer.status for answer in answers] == [201, 200]
    new = answers[0].body["credentials"]["webhook_secret"]
    assert new != before["webhook_secret"]
    assert answers[1].body["credentials"]["webhook_secret"] == new
    assert world.fetch("i1/service_bindings/b1").body["credentials"]["webhook_secret"] == new
    assert world.encrypt_webhook_secret.decrypt(
        next(iter(world.webhooks.overlaps)), webhook(world).settings.ciphertext
    ) == WebhookSecret(secret=new, userinfo="u:p")
    assert webhook(world).bindings == ("b1", "b2")
    world.unbind("b1")
    third = world.bind("b3", predecessor_binding_id="b2").body["credentials"]
    assert third["webhook_secret"] == new


def test_a_predecessor_may_be_named_as_a_parameter(world: World) -> None:
    """Cloud Foundry does not send OSB's own field."""
    before = world.bind(parameters=HOOKED).body["credentials"]["webhook_secret"]
    answer = world.bind("b2", parameters={"predecessor_binding_id": "b1"})
    assert answer.body["credentials"]["webhook_secret"] == before
    assert webhook(world).bindings == ("b1", "b2")
    assert world.bind("b3", parameters={"predecessor_binding_id": "b1", **ROTATE}).status == 201
    assert world.bind("b4", parameters={"predecessor_binding_id": "b1"}, predecessor_binding_id="b2").status == 400


def test_a_second_rotation_waits_until_the_former_secret_ended(world: World) -> None:
    """Else a secret that an application still uses would end at once."""
    world.bind(parameters=HOOKED)
    assert world.bind("b2", parameters=ROTATE, predecessor_binding_id="b1").status == 201
    answer = world.bind("b3", parameters=ROTATE, predecessor_binding_id="b2")
    assert (answer.status, "24 hours" in answer.body["description"]) == (400, True)
    assert "ses-feedback-b3" not in world.users.users
    assert webhook(world).bindings == ("b1", "b2")
    world.later(hours=25)
    assert world.bind("b3", parameters=ROTATE, predecessor_binding_id="b2").status == 201


@pytest.mark.parametrize("parameters", [ROTATE, {**ROTATE, **HOOKED}])
def test_a_rotation_needs_a_predecessors_webhook(world: World, parameters: Any) -> None:
    """A webhook of its own gets a new secret anyway."""
    world.bind("b0")
    for predecessor in ({}, {"predecessor_binding_id": "b0"}):
        answer = world.bind("b1", parameters=parameters, **predecessor)
        assert (answer.status, answer.body["description"].split(":")[0]) == (400, "notification_rotate_secret")


@pytest.mark.parametrize("after", [False, True])
def test_a_rotation_that_dies_anywhere_is_completed_by_the_same_bind(after: bool) -> None:
    """One new secret: in the webhook and in all its bindings."""
    for at in range(60):
        world = World()
        world.ready()
        world.bind(parameters=HOOKED)
        world.gate.die_at, world.gate.after = world.gate.calls + at, after
        alive = world.surviving(lambda: world.bind("b2", parameters=ROTATE, predecessor_binding_id="b1"))  # noqa: B023
        world.gate.die_at = None
        world.later(minutes=1)
        answer = world.bind("b2", parameters=ROTATE, predecessor_binding_id="b1")
        assert answer.status in (200, 201), answer.body
        secret = answer.body["credentials"]["webhook_secret"]
        assert world.fetch("i1/service_bindings/b1").body["credentials"]["webhook_secret"] == secret
        [((_, webhook_id), kept)] = world.webhooks.webhooks.items()
        assert world.encrypt_webhook_secret.decrypt(webhook_id, kept.settings.ciphertext).secret == secret
        if alive:
            return
    raise AssertionError("it never survived")


# -- a secret that was replaced elsewhere: in the portal, or by the operator -------------------------------------


def rotated(world: World) -> str:
    """The webhook's new secret, as the portal and `ops webhooks rotate` write it."""
    [(key, kept)] = world.webhooks.webhooks.items()
    present = world.encrypt_webhook_secret.decrypt(key[1], kept.settings.ciphertext)
    ciphertext = world.encrypt_webhook_secret(key[1], "whsec_rotated", present.userinfo)
    world.webhooks.webhooks[key] = replace(kept, settings=replace(kept.settings, ciphertext=ciphertext))
    return "whsec_rotated"


def signing(world: World) -> WebhookSecret:
    """What signs the webhook's requests, and authorizes them."""
    [((_, webhook_id), kept)] = world.webhooks.webhooks.items()
    return world.encrypt_webhook_secret.decrypt(webhook_id, kept.settings.ciphertext)


def test_every_binding_shows_a_secret_that_was_replaced_elsewhere(world: World) -> None:
    """Fetched, bound again by a repetition, or succeeded: the secret is read from the webhook."""
    world.bind(parameters=HOOKED)
    world.bind("b2", predecessor_binding_id="b1")
    new = rotated(world)
    for binding in ("b1", "b2"):
        assert world.fetch(f"i1/service_bindings/{binding}").body["credentials"]["webhook_secret"] == new
    assert world.bind(parameters=HOOKED).body["credentials"]["webhook_secret"] == new
    assert world.bind("b3", predecessor_binding_id="b1").body["credentials"]["webhook_secret"] == new


def test_a_binding_keeps_no_copy_of_its_webhook_s_secret(world: World) -> None:
    """A copy would go stale, and would still be there after the secret leaked and was replaced."""
    bound = world.bind(parameters={"notification_webhook": "https://u:p@app.example.gov/hook"}).body["credentials"]
    binding = world.table.binding("i1", "b1")
    assert binding is not None
    kept = world.secret_encryption.decrypt("b1", binding.ciphertext)
    assert (kept.access_key_id, kept.webhook_secret, kept.webhook_userinfo) == (bound["smtp_user"], "", None)


def test_a_binding_of_1_0_0_shows_its_webhook_s_secret_not_its_copy(world: World) -> None:
    """Bindings made by that release hold a copy, which a rotation leaves as it was."""
    world.bind(parameters=HOOKED)
    binding = world.table.binding("i1", "b1")
    assert binding is not None
    copy = replace(world.secret_encryption.decrypt("b1", binding.ciphertext), webhook_secret="whsec_stale")
    world.table.save_binding(replace(binding, ciphertext=world.secret_encryption.encrypt("b1", copy)))
    new = rotated(world)
    assert world.fetch("i1/service_bindings/b1").body["credentials"]["webhook_secret"] == new


@pytest.mark.parametrize(
    "changes", [{"notification_batch": 10}, {"notification_webhook": "https://u:p@b.example.gov/"}]
)
@pytest.mark.parametrize("when", ["before the update", "before its work"])
def test_an_update_keeps_a_secret_that_was_replaced_meanwhile(world: World, changes: Any, when: str) -> None:
    """The worker changes the webhook minutes after the update was asked for."""
    world.bind(parameters={"notification_webhook": "https://old:pw@app.example.gov/hook"})
    if when == "before the update":
        rotated(world)
    assert world.update(parameters={"bindings": {"b1": changes}}).status == 202
    if when == "before its work":
        rotated(world)
    world.work()
    assert world.poll().body["state"] == "succeeded"
    userinfo = "u:p" if "notification_webhook" in changes else "old:pw"
    assert signing(world) == WebhookSecret(secret="whsec_rotated", userinfo=userinfo)


def test_an_update_reads_a_webhook_again_whose_secret_is_replaced_as_it_writes(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between its read and its write."""
    world.bind(parameters=HOOKED)
    world.update(parameters={"bindings": {"b1": {"notification_webhook": "https://u:p@b.example.gov/"}}})
    read, reads = world.webhooks.get, []

    def raced(instance_id: str, webhook_id: str) -> Any:
        found = read(instance_id, webhook_id)
        reads.append(found)
        if len(reads) == 1:
            rotated(world)
        return found

    monkeypatch.setattr(world.webhooks, "get", raced)
    world.work()
    assert len(reads) == 2
    assert signing(world) == WebhookSecret(secret="whsec_rotated", userinfo="u:p")


def test_an_update_that_is_rolled_back_keeps_a_secret_that_was_replaced_meanwhile(world: World) -> None:
    """Its URL and userinfo become what they were."""
    world.bind(parameters={"notification_webhook": "https://old:pw@app.example.gov/hook"})
    world.update(parameters={"bindings": {"b1": {"notification_webhook": "https://u:p@b.example.gov/"}}})
    world.work()
    rotated(world)
    instance = world.table.instance("i1")
    assert instance is not None
    undone = replace(instance.operation, phase=Phase.UNDO, state=OperationState.IN_PROGRESS)
    [step] = [step for step in world.engine.steps_of(replace(instance, operation=undone)) if step.name == "webhooks"]
    for _ in range(2):
        step.ensure(replace(instance, operation=undone))
    assert webhook(world).settings.url == WEBHOOK
    assert signing(world) == WebhookSecret(secret="whsec_rotated", userinfo="old:pw")


def test_a_successor_that_names_the_url_with_its_new_userinfo_shares_the_webhook(world: World) -> None:
    """It is compared with the webhook as it is, not as it was bound."""
    world.bind(parameters={"notification_webhook": "https://old:pw@app.example.gov/hook"})
    new = {"notification_webhook": "https://u:p@app.example.gov/hook"}
    world.update(parameters={"bindings": {"b1": new}})
    world.work()
    assert world.bind("b2", predecessor_binding_id="b1", parameters=new).status == 201
    assert webhook(world).bindings == ("b1", "b2")


@pytest.mark.parametrize(
    "other",
    [
        {"notification_batch": 3},
        {"notification_batch": 2, "notification_batch_seconds": 9},
        {"notification_batch": 2, "notification_scope": "binding"},
        {"notification_batch": 2, "notification_events": ["bounce"]},
        {"notification_batch": 2, "notification_format": "cloudevents"},
        {"notification_batch": 2, "notification_webhook": "https://b.example.gov/"},
        {"notification_batch": 2, "notification_webhook": "https://u:p@app.example.gov/hook"},
    ],
)
def test_an_update_that_asks_for_something_else_of_a_webhook_meanwhile_is_another(world: World, other: Any) -> None:
    """It must wait: an answer of 202 would say that it is under way."""
    world.bind(parameters=HOOKED)
    first = world.update(parameters={"bindings": {"b1": {"notification_batch": 2}}})
    refused = world.update(parameters={"bindings": {"b1": other}})
    assert (refused.status, refused.body["error"]) == (422, "ConcurrencyError")
    again = world.update(parameters={"bindings": {"b1": {"notification_batch": 2}}})
    assert (again.status, again.body) == (202, first.body)
