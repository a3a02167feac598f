"""What one tenant may use of what all share; a rotation works at each limit."""

from typing import Any

import pytest

from lambdas.broker.osb.requests import Response
from lambdas.domain.errors import AccountFull
from tests.broker.world import LINK, WEBHOOK, World, settings

ADMIN = {"admin_email": "admin@agency.gov"}
HOOKED = {"notification_webhook": WEBHOOK}


def world(**changes: Any) -> World:
    """A broker with an instance, under these limits."""
    made = World(settings=settings(privatelink_vpc_id="vpc-1", **changes))
    made.ready()
    return made


def refused(answer: Response, *words: str) -> None:
    """422 QuotaExceeded, in these words."""
    assert (answer.status, answer.body["error"]) == (422, "QuotaExceeded"), answer.body
    assert all(word in answer.body["description"] for word in words)


def test_bindings_of_an_instance_are_bounded_and_can_be_rotated_at_the_limit() -> None:
    """Each predecessor can have its successor beside it; then there is an end to that too."""
    broker = world(bindings_per_instance=2)
    for number in range(2):
        assert broker.bind(f"b{number}").status == 201
    refused(broker.bind("b2"), "2 bindings")
    for number in range(2):
        answer = broker.bind(f"c{number}", predecessor_binding_id=f"b{number}")
        assert answer.status == 201, answer.body
    refused(broker.bind("d0", predecessor_binding_id="b0"), "4 bindings")
    assert len(broker.users.users) == 4
    for number in range(2):
        broker.unbind(f"b{number}")
        assert broker.bind(f"c{number}", predecessor_binding_id=f"b{number}").status == 200
    refused(broker.bind("b2"))
    broker.unbind("c0")
    assert broker.bind("b2").status == 201


def test_webhooks_of_an_instance_are_bounded() -> None:
    """Addresses for digests among them: the fan-out writes a body for each."""
    broker = world(webhooks_per_instance=3)
    both = {**HOOKED, "notification_email": "digests@agency.gov"}
    assert broker.bind("b0", parameters=both).status == 201
    assert broker.bind("b1", parameters=HOOKED).status == 201
    refused(broker.bind("b2", parameters=HOOKED), "3 webhooks")
    assert broker.bind("b2").status == 201
    assert broker.users.users.keys() == {f"ses-feedback-b{number}" for number in range(3)}
    assert broker.bind("c0", predecessor_binding_id="b0").status == 201  # shares both
    other = {"notification_webhook": "https://other.example.gov/"}
    refused(broker.bind("c1", parameters=other, predecessor_binding_id="b1"))
    broker.unbind("b1")
    assert broker.bind("c1", parameters=other).status == 201


def test_the_last_place_goes_to_one_of_two_binds_at_once() -> None:
    """The instance's record is written on condition of what was read."""
    broker = world(webhooks_per_instance=1)
    save = broker.table.save_binding

    def meanwhile(*args: Any, **kwargs: Any) -> Any:
        broker.table.save_binding = save  # type: ignore[method-assign]
        assert broker.bind("b1", parameters=HOOKED).status == 201
        return save(*args, **kwargs)

    broker.table.save_binding = meanwhile  # type: ignore[method-assign]
    refused(broker.bind("b0", parameters=HOOKED))
    assert len(broker.webhooks.webhooks) == 1


def test_the_account_s_last_user_goes_to_one_of_two_binds_at_once() -> None:
    """IAM counts itself, whatever its summary said a moment ago; nothing is left of the refused bind."""
    broker = world()
    broker.gate.failing["FakeUsers.ensure_user"] = AccountFull()
    refused(broker.bind("b0", parameters=HOOKED), "no IAM user left")
    assert (broker.users.users, broker.webhooks.webhooks, broker.table.binding_claims) == ({}, {}, {})
    broker.gate.failing.clear()
    assert broker.bind("b0", parameters=HOOKED).status == 201


def test_instances_of_an_organization_are_bounded() -> None:
    """Other organizations are not concerned; a deleted instance makes room, and so does one that failed."""
    broker = world(instances_per_organization=2)
    assert broker.provision("i2", parameters={**ADMIN, "domain": "b.gov"}).status == 202
    refused(broker.provision("i3", parameters={**ADMIN, "domain": "c.gov"}), "2 service instances")
    refused(broker.provision("i3", **LINK))
    assert broker.table.instance("i3") is None
    assert "c.gov" not in broker.table.domains
    elsewhere: dict[str, Any] = {"parameters": {**ADMIN, "domain": "c.gov"}, "organization_guid": "org-2"}
    assert broker.provision("i4", **elsewhere).status == 202
    assert broker.provision("i2", parameters={**ADMIN, "domain": "b.gov"}).status == 202  # the same again
    broker.gate.failing["FakeSes.ensure_identity"] = RuntimeError("AWS has a bad day")
    broker.work(tasks=200)
    broker.gate.failing.clear()
    assert broker.poll("i2").body["state"] == "failed"
    assert broker.provision("i3", **LINK).status == 202
    broker.work()
    refused(broker.provision("i5", parameters={**ADMIN, "domain": "e.gov"}))
    broker.deprovision("i1")
    broker.work()
    assert broker.provision("i5", parameters={**ADMIN, "domain": "e.gov"}).status == 202


def test_a_bind_whose_address_had_its_mails_today_is_refused() -> None:
    """Nothing is left of it."""
    broker = world()
    broker.topics.may_mail = False
    refused(
        broker.bind(parameters={"notification_email": "victim@agency.gov"}),
        "notification_email",
        "bind again from 2026-11-22 00:00 UTC",
    )
    assert broker.users.users == {}
    assert broker.webhooks.webhooks == {}
    assert broker.table.binding_claims == {}


def test_confirmation_mails_are_counted_for_the_organization_that_names_the_address() -> None:
    """Of an instance and of a binding."""
    broker = world()
    assert broker.bind(parameters={"notification_email": "digests@agency.gov"}).status == 201
    instance = broker.table.instances["i1"]
    assert broker.topics.asked == [
        ("admin@agency.gov", instance.organization_guid),
        ("digests@agency.gov", instance.organization_guid),
    ]


def test_an_instance_whose_admin_email_had_its_mails_today_comes_without_and_says_so() -> None:
    """An honest team may make many instances with one mailbox; the update of the next day asks it again."""
    broker = World()
    broker.topics.may_mail = False
    broker.ready()
    assert "not sent a confirmation mail" in broker.poll().body["description"]
    assert "not sent a confirmation mail" in broker.bind().body["credentials"]["instructions"]
    assert broker.update(parameters={"enable_feedback_notifications": False}).status == 200
    broker.topics.may_mail = True
    assert broker.update(parameters={"admin_email": "admin@agency.gov"}).status == 202
    broker.work()
    assert list(broker.topics.topics.values()) == [{"admin@agency.gov"}]
    assert "not sent" not in broker.bind().body["credentials"]["instructions"]
    assert broker.update(parameters={"admin_email": "admin@agency.gov"}).status == 200


@pytest.mark.parametrize("call", ["FakeTopics.subscribe", "FakeTable.save_binding"])
def test_a_bind_that_dies_keeps_no_place(call: str) -> None:
    """The sweep gives it back."""
    broker = world(bindings_per_instance=1)
    at = broker.gate.calls
    broker.bind("probe", parameters={"notification_email": "d@agency.gov"})
    broker.unbind("probe")
    broker.gate.die_at = broker.gate.calls + broker.gate.names[at:].index(call)
    broker.gate.after = True
    assert not broker.surviving(lambda: broker.bind("b0", parameters={"notification_email": "d@agency.gov"}))
    broker.gate.die_at = None
    broker.later(minutes=11)
    broker.sweep.run(now=broker.now)
    assert broker.bind("b1").status == 201
