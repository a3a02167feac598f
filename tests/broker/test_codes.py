"""Which answer each call gets: OSB 2.17's MUSTs, a row a case."""

import base64
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from unittest.mock import ANY

import pytest

from lambdas.broker.bindings.maker import WORKING
from lambdas.broker.osb.api import Call
from lambdas.broker.osb.catalog import SES_PLAN, SES_SERVICE
from lambdas.broker.osb.parameters import BindParameters
from lambdas.broker.osb.requests import Body, Request, Response
from lambdas.domain.errors import Throttled, VersionConflict
from lambdas.domain.tenants import aws_names as aws_names
from lambdas.domain.tenants.iam_user import AccessKey
from lambdas.domain.tenants.instance import BindingState, BindRequest, WebhookSettings
from lambdas.domain.webhooks.webhook import NotificationFormat, Scope
from tests.broker.fakes import FakeSes
from tests.broker.world import LINK, WEBHOOK, World, provision_body, settings

BINDING = "/v2/service_instances/i1/service_bindings/b1"
NAMES = {"service_id": SES_SERVICE, "plan_id": SES_PLAN}


@pytest.fixture
def world() -> World:
    """A fresh broker."""
    return World()


def refused(answer: Response, status: int, *words: str) -> None:
    """The answer is a refusal in OSB's form that says *words*."""
    assert answer.status == status, answer.body
    assert set(answer.body) == {"error", "description"}
    assert isinstance(answer.body["error"], str)
    for word in words:
        assert word in answer.body["description"] or word == answer.body["error"], answer.body


# -- who asks, and in which version --------------------------------------------------------------------------------

PATHS = ["/v2/catalog", "/v2/service_instances/i1", "/v2/service_instances/i1/last_operation", BINDING]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("version", ["", "1.0", "3.0", "2", "2.x", "two", "2.17; drop", " 2.17", "2.17.1"])
def test_a_version_that_is_missing_or_strange_is_412(world: World, path: str, version: str) -> None:
    """Whatever the path."""
    refused(world.call("GET", path, headers={"x-broker-api-version": version}), 412)


@pytest.mark.parametrize("version", ["2.13", "2.14", "2.17", "2.18"])
def test_minor_versions_are_additive(world: World, version: str) -> None:
    """Older and newer ones of the same major are served."""
    assert world.call("GET", "/v2/catalog", headers={"x-broker-api-version": version}).status == 200


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Basic",
        "Basic !!!",
        "Basic " + base64.b64encode(b"broker:secret").decode().replace("Y", "!Y", 1),
        "Basic \xe4",
        "Bearer abc",
        "Basic " + base64.b64encode(b"broker:wrong").decode(),
        "Basic " + base64.b64encode(b"broker").decode(),
        "Basic " + base64.b64encode(b"\xff\xfe:secret").decode(),
    ],
)
def test_wrong_credentials_are_401_before_anything_else(world: World, header: str) -> None:
    """Also without a version, and for a path that is none."""
    for path in ("/v2/catalog", "/nothing"):
        answer = world.call("GET", path, headers={"authorization": header, "x-broker-api-version": ""})
        refused(answer, 401)
        assert answer.headers["WWW-Authenticate"].startswith("Basic")


def test_while_aws_takes_no_more_calls_the_platform_is_told_when_to_come_back(world: World) -> None:
    """It repeats the request; the operator sees what was slow."""
    world.gate.failing["FakeTable.instance"] = slow = Throttled(3.0)
    answer = world.fetch()
    refused(answer, 503, "Busy", "AWS takes no more calls at the moment; try again")
    assert answer.headers == {"Retry-After": "10"}
    [(_, _, error)] = world.told
    assert error is slow


def test_the_request_identity_comes_back(world: World) -> None:
    """On good answers and on refusals."""
    for path in ("/v2/catalog", "/nothing"):
        answer = world.call("GET", path, headers={"x-broker-api-request-identity": "abc-1"})
        assert answer.headers["X-Broker-API-Request-Identity"] == "abc-1"


def test_an_unknown_path_is_404_and_a_wrong_method_405(world: World) -> None:
    """With the methods that are right."""
    refused(world.call("GET", "/v2/nothing"), 404)
    answer = world.call("POST", "/v2/service_instances/i1")
    refused(answer, 405)
    assert answer.headers["Allow"] == "DELETE, GET, PATCH, PUT"


def test_a_body_beyond_all_sense_is_413(world: World) -> None:
    """Before it is parsed."""
    refused(world.call("PUT", "/v2/service_instances/i1", b"{" + b" " * 70_000), 413)


# -- provision -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"text"',
        b"null",
        b'{"a": NaN}',
        b"\xff\xfe",
        b'{"a": "\xff"}',
        b"[" * 50_000,
    ],
)
def test_a_body_that_is_no_json_object_is_400(world: World, body: bytes) -> None:
    """For every call that takes one."""
    refused(world.call("PUT", "/v2/service_instances/i1", body, query={"accepts_incomplete": "true"}), 400)
    refused(world.call("PATCH", "/v2/service_instances/i1", body, query={"accepts_incomplete": "true"}), 400)
    refused(world.call("PUT", BINDING, body), 400)


@pytest.mark.parametrize("field", ["service_id", "plan_id", "organization_guid", "space_guid"])
@pytest.mark.parametrize("value", [None, "", 5, ["x"], {}])
def test_required_fields_are_strings_that_are_not_empty(world: World, field: str, value: Any) -> None:
    """None stands for a missing one here; the error names the field, and nothing is made."""
    refused(world.provision(**{field: value}), 400, field)
    assert world.left() == {}


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"service_id": "other"}, "service_id"),
        ({"plan_id": "other"}, "plan_id"),
        ({"parameters": []}, "parameters"),
        ({"parameters": "text"}, "parameters"),
        ({"context": "text"}, "context"),
        ({"maintenance_info": "1.0"}, "maintenance_info"),
    ],
)
def test_malformed_provisions_are_400(world: World, changes: dict[str, Any], word: str) -> None:
    """Named."""
    refused(world.provision(**changes), 400, word)


def test_unknown_fields_of_the_protocol_are_ignored(world: World) -> None:
    """Senders may add fields; receivers must not stumble."""
    answer = world.provision(novelty={"a": 1}, context={"platform": "x", "more": [1]}, maintenance_info={})
    assert answer.status == 202


def test_provision_is_accepted_and_polled_to_its_end(world: World) -> None:
    """202 with an operation, last_operation in progress with Retry-After, then succeeded with the records to make."""
    answer = world.provision()
    assert answer.status == 202
    operation = answer.body["operation"]
    polled = world.poll(operation=operation, **NAMES)
    assert polled.body["state"] == "in progress"
    assert polled.headers["Retry-After"]
    refused(world.fetch(), 404)
    world.work()
    polled = world.poll(operation=operation)
    assert polled.body["state"] == "succeeded"
    assert "t1._domainkey.agency.gov. 600 IN CNAME t1.dkim.amazonses.com." in polled.body["description"]


def test_asynchronous_work_needs_accepts_incomplete(world: World) -> None:
    """Whatever exists, and before parameters are looked at."""
    refused(world.provision(incomplete=False, parameters={}), 422, "AsyncRequired")
    refused(world.call("DELETE", "/v2/service_instances/i9", query=NAMES), 422, "AsyncRequired")
    refused(world.call("PATCH", "/v2/service_instances/i9", NAMES), 422, "AsyncRequired")


@pytest.mark.parametrize("value", ["yes", "", "True", "1", "true,true"])
def test_accepts_incomplete_is_true_or_false(world: World, value: str) -> None:
    """Anything else is a mistake."""
    path = "/v2/service_instances/i1"
    refused(world.call("PUT", path, provision_body(), query={"accepts_incomplete": value}), 400, "accepts_incomplete")


def test_a_maintenance_version_is_none_of_the_catalogs(world: World) -> None:
    """The plan names none, so none can be asked for."""
    refused(world.provision(maintenance_info={"version": "1.0.0"}), 422, "MaintenanceInfoConflict")
    world.ready()
    refused(world.update(maintenance_info={"version": "1.0.0"}), 422, "MaintenanceInfoConflict")


def test_the_same_provision_again(world: World) -> None:
    """202 with the same operation while it is under way, then 200."""
    first = world.provision()
    again = world.provision(context={"platform": "other"})
    assert (again.status, again.body) == (202, first.body)
    world.work()
    assert world.provision().status == 200
    assert world.provision(parameters={"admin_email": "admin@agency.gov", "domain": "AGENCY.gov."}).status == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"organization_guid": "org-2"},
        {"space_guid": "space-2"},
        {"parameters": {"admin_email": "other@agency.gov", "domain": "agency.gov"}},
        {"parameters": {"admin_email": "admin@agency.gov", "domain": "other.gov"}},
    ],
)
def test_another_provision_of_the_same_id_is_409(world: World, changes: dict[str, Any]) -> None:
    """While it is under way and afterwards."""
    world.provision()
    refused(world.provision(**changes), 409)
    world.work()
    refused(world.provision(**changes), 409)


@pytest.mark.parametrize("id_", ["A.b_c~", "~" * 50, "Z" * 50, "ABC", "a", "."])
def test_every_id_of_unreserved_characters_lives_a_whole_life(world: World, id_: str) -> None:
    """Its names in AWS lead back to it, and nothing is left of it at the end."""
    world.ready(id_)
    answer = world.bind(id_, id_, parameters={"notification_webhook": WEBHOOK, "notification_email": "d@agency.gov"})
    assert answer.status == 201, answer.body
    assert aws_names.instance_of(answer.body["credentials"]["configuration_set"]) == id_
    assert [aws_names.binding_of(user) for user in world.users.users] == [id_]
    assert world.fetch(f"{id_}/service_bindings/{id_}").status == 200
    assert world.unbind(id_, id_).status == 200
    assert world.deprovision(id_).status == 202
    world.work()
    assert world.left() == {}


def test_an_id_may_come_percent_encoded(world: World) -> None:
    """Some HTTP libraries encode the tilde."""
    world.ready("a~b")
    assert world.fetch("a%7Eb").status == 200


@pytest.mark.parametrize("bad", ["x" * 51, "a%20b", "ä", "a b", "a%2Fb", "a+b"])
def test_ids_are_unreserved_characters(world: World, bad: str) -> None:
    """Where something is to be made or removed 400; what cannot exist is not found."""
    refused(world.provision(bad), 400)
    refused(world.deprovision(bad), 400)
    refused(world.bind(bad), 400)
    refused(world.bind("b1", bad), 400)
    refused(world.unbind(bad), 400)
    refused(world.poll(bad), 404)
    refused(world.fetch(bad), 404)
    refused(world.fetch(f"i1/service_bindings/{bad}"), 404)


# -- fetch and last_operation ------------------------------------------------------------------------------------


def test_fetch_tells_the_parameters_in_force(world: World) -> None:
    """Normalised, with the domain in use."""
    world.ready()
    answer = world.fetch()
    assert answer.status == 200
    assert (answer.body["service_id"], answer.body["plan_id"]) == (SES_SERVICE, SES_PLAN)
    assert answer.body["parameters"]["domain"] == "agency.gov"
    assert answer.body["parameters"]["enable_feedback_notifications"] is False


def test_what_was_never_seen(world: World) -> None:
    """404 for reading, 410 for deleting, 400 for what needs it."""
    refused(world.poll(), 404)
    refused(world.fetch(), 404)
    refused(world.fetch("i1/service_bindings/b1"), 404)
    refused(world.fetch("i1/service_bindings/b1/last_operation"), 404)
    refused(world.deprovision(), 410)
    refused(world.unbind(), 410)
    refused(world.update(), 400)
    refused(world.bind(), 400)


def test_a_tombstone_answers_late_polls(world: World) -> None:
    """410 once it is gone; the id can be used anew."""
    world.ready()
    world.bind()
    world.unbind()
    operation = world.deprovision().body["operation"]
    world.work()
    refused(world.poll(operation=operation), 410)
    refused(world.fetch("i1/service_bindings/b1/last_operation"), 410)
    refused(world.fetch(), 404)
    refused(world.deprovision(), 410)
    refused(world.unbind(), 410)
    world.ready()
    assert world.bind().status == 201


def test_a_poll_for_an_operation_that_is_none_is_400(world: World) -> None:
    """But an earlier one's end can still be asked for."""
    first = world.provision().body["operation"]
    world.work()
    world.update(parameters={"admin_email": "other@agency.gov"})
    assert world.poll(operation=first).body["state"] == "succeeded"
    assert world.poll().body["state"] == "in progress"
    refused(world.poll(operation="other"), 400)


# -- update --------------------------------------------------------------------------------------------------------


def test_an_update_is_accepted_and_in_force_at_its_end(world: World) -> None:
    """Fetch says ConcurrencyError meanwhile; the same again is 202 with the same operation, another 422."""
    world.ready()
    parameters = {"admin_email": "other@agency.gov", "enable_feedback_notifications": "true"}
    first = world.update(parameters=parameters)
    assert first.status == 202
    assert world.update(parameters=parameters).body == first.body
    refused(world.update(parameters={"admin_email": "third@agency.gov"}), 422, "ConcurrencyError")
    refused(world.fetch(), 422, "ConcurrencyError")
    refused(world.bind(), 422, "ConcurrencyError")
    refused(world.deprovision(), 422, "ConcurrencyError")
    world.work()
    assert world.poll().body["state"] == "succeeded"
    assert world.fetch().body["parameters"]["admin_email"] == "other@agency.gov"
    assert world.webhooks.instances == {"i1": True}
    assert list(world.topics.topics.values()) == [{"other@agency.gov"}]
    assert world.update(parameters=parameters).status == 200
    assert world.provision().status == 200  # the original request is still what created it


@pytest.mark.parametrize(
    ("changes", "status", "word"),
    [
        ({"plan_id": "other"}, 422, "plan_id"),
        ({"service_id": "other"}, 400, "service_id"),
        ({"service_id": ""}, 400, "service_id"),
        ({"parameters": {"domain": "other.gov"}}, 422, "domain"),
        ({"parameters": {"novelty": 1}}, 400, "novelty"),
        ({"parameters": {"bindings": {"b9": {"notification_webhook": WEBHOOK}}}}, 400, "bindings.b9"),
        ({"parameters": {"bindings": []}}, 400, "bindings"),
        ({"parameters": {"bindings": {"b1": {}}}}, 400, "bindings.b1"),
        ({"previous_values": []}, 400, "previous_values"),
        ({"previous_values": {"plan_id": 5}}, 400, "previous_values.plan_id"),
    ],
)
def test_updates_that_will_not_do(world: World, changes: dict[str, Any], status: int, word: str) -> None:
    """With the reason, and nothing changed."""
    world.ready()
    before = world.table.instance("i1")
    parameters = changes.pop("parameters", {})
    refused(world.update(parameters=parameters, **changes), status, word)
    assert world.table.instance("i1") == before


def test_an_update_without_changes_is_200(world: World) -> None:
    """Also one that names the same domain, or only a new context."""
    world.ready()
    assert world.update().status == 200
    assert world.update(parameters={"domain": "Agency.GOV"}).status == 200
    assert world.update(context={"platform": "cloudfoundry", "space_name": "prod"}).status == 200
    instance = world.table.instance("i1")
    assert instance is not None
    assert instance.tags["ses-feedback:space-name"] == "prod"


# -- deprovision ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query",
    [{}, {"service_id": SES_SERVICE}, {"plan_id": SES_PLAN}, {"service_id": "", "plan_id": SES_PLAN}],
)
def test_deletes_need_service_and_plan(world: World, query: dict[str, str]) -> None:
    """Whether the thing exists or not."""
    query |= {"accepts_incomplete": "true"}
    refused(world.call("DELETE", "/v2/service_instances/i1", query=query), 400)
    refused(world.call("DELETE", BINDING, query=query), 400)


def test_deletes_with_another_service_or_plan_are_400(world: World) -> None:
    """They are not what the instance is of."""
    world.ready()
    world.bind()
    refused(world.deprovision(plan="other"), 400)
    refused(world.deprovision(service="other"), 400)
    refused(world.unbind(plan_id="other"), 400)


def test_deprovision_is_accepted_and_repeated(world: World) -> None:
    """202 with the same operation until it is gone."""
    world.ready()
    first = world.deprovision()
    assert first.status == 202
    assert world.deprovision().body == first.body
    refused(world.provision(), 422, "ConcurrencyError")
    refused(world.bind(), 422, "ConcurrencyError")
    world.work()
    assert world.left() == {}
    refused(world.deprovision(), 410)


def test_an_instance_with_bindings_is_not_deleted(world: World) -> None:
    """The platform has to unbind first."""
    world.ready()
    world.bind()
    refused(world.deprovision(), 422, "unbind")
    world.unbind()
    assert world.deprovision().status == 202


def test_deleting_halts_a_provision(world: World) -> None:
    """Its own operation failed, and nothing is left of it."""
    world.ses.verifies = False
    provision = world.provision(parameters={"admin_email": "admin@agency.gov"}).body["operation"]
    message, _ = world.tasks.messages.pop()
    world.engine.run_step(message, owner="w")
    assert world.ses.identities
    deprovision = world.deprovision().body["operation"]
    assert deprovision != provision
    polled = world.poll(operation=provision).body
    assert (polled["state"], "Halted" in polled["description"]) == ("failed", True)
    world.work()
    assert world.left() == {}
    refused(world.poll(operation=deprovision), 410)


# -- bind and unbind -------------------------------------------------------------------------------------------------


def test_a_bind_is_201_then_200_and_409_with_other_parameters(world: World) -> None:
    """The credentials are the same each time, to the word; a fetch's instructions say how things stand by then."""
    world.ready()
    parameters = {"notification_webhook": "https://user:pw@app.example.gov/hook"}
    first = world.bind(parameters=parameters)
    assert first.status == 201
    again = world.bind(parameters=parameters)
    assert again.status == 200
    assert again.body["credentials"] == first.body["credentials"]
    refused(world.bind(), 409)
    refused(world.bind(parameters={"notification_webhook": "https://user:other@app.example.gov/hook"}), 409)
    fetched = world.fetch("i1/service_bindings/b1")
    assert fetched.body["credentials"] == first.body["credentials"] | {"instructions": ANY}
    assert fetched.body["credentials"]["instructions"].startswith("agency.gov is verified and can send.")
    assert fetched.body["parameters"]["notification_webhook"] == "https://app.example.gov/hook"
    assert world.fetch("i1/service_bindings/b1/last_operation").body["state"] == "succeeded"


def test_a_bind_needs_an_instance_that_is_ready(world: World) -> None:
    """Not one under way, and not one that failed."""
    world.provision()
    refused(world.bind(), 422, "ConcurrencyError")
    world.ses.identities["agency.gov"] = _foreign(world.ses)
    world.work()
    assert world.poll().body["state"] == "failed"
    refused(world.bind(), 400)


def test_a_binding_belongs_to_one_instance(world: World) -> None:
    """Asked for under another it does not exist, and its id is taken."""
    world.ready()
    world.ready("i2", parameters={"admin_email": "admin@agency.gov", "domain": "other.gov"})
    world.bind("b1", "i1")
    refused(world.fetch("i2/service_bindings/b1"), 404)
    refused(world.unbind("b1", "i2"), 410)
    refused(world.bind("b1", "i2"), 409)
    assert world.fetch("i1/service_bindings/b1").status == 200


def test_a_service_key_is_a_binding_without_an_application(world: World) -> None:
    """And with one it is the same; bind_resource and app_guid are for the platform."""
    world.ready()
    assert world.bind("key").status == 201
    assert world.bind("app", bind_resource={"app_guid": "a-1"}, app_guid="a-1").status == 201
    assert world.bind("app", bind_resource={"app_guid": "a-1"}).status == 200
    assert world.bind("app", app_guid="a-1").status == 200
    assert world.bind("app", bind_resource={"app_guid": "a-1"}, app_guid="a-2").status == 200
    refused(world.bind("app", bind_resource={"app_guid": "a-2"}), 409)
    refused(world.bind("app"), 409)
    refused(world.bind("b3", bind_resource={"app_guid": 5}), 400, "bind_resource.app_guid")
    refused(world.bind("b3", app_guid=""), 400, "app_guid")


def test_a_bind_beyond_iams_quota_is_refused(world: World) -> None:
    """With the figures, and nothing made."""
    world.ready()
    world.users.limit = 0
    refused(world.bind(), 422, "QuotaExceeded", "IAM users")
    assert "users" not in world.left()
    assert "binding claims" not in world.left()


@pytest.mark.parametrize(
    "call", ["FakeUsers.replace_key", "FakeWebhooks.put", "FakeDeliveries.send", "FakeSecretEncryption.encrypt"]
)
def test_a_bind_that_fails_leaves_nothing(world: World, call: str) -> None:
    """500 without details; the platform may try again."""
    world.ready()
    world.gate.failing[call] = RuntimeError("secret detail")
    answer = world.bind(parameters={"notification_webhook": WEBHOOK})
    refused(answer, 500)
    assert "secret detail" not in answer.body["description"]
    world.gate.failing.clear()
    assert "users" not in world.left()
    assert "webhooks" not in world.left()
    assert world.bind(parameters={"notification_webhook": WEBHOOK}).status == 201


def test_an_unbind_that_fails_can_be_repeated_at_once(world: World) -> None:
    """Or is finished by the sweep."""
    world.ready()
    world.bind(parameters={"notification_webhook": WEBHOOK})
    world.gate.failing["FakeWebhooks.leave"] = RuntimeError("AWS has a bad day")
    refused(world.unbind(), 500)
    refused(world.fetch("i1/service_bindings/b1"), 404)
    refused(world.bind(parameters={"notification_webhook": WEBHOOK}), 422, "ConcurrencyError")
    world.gate.failing.clear()
    assert world.unbind().status == 200
    refused(world.unbind(), 410)


def test_two_binds_at_once(world: World) -> None:
    """One wins; the other is told to come back."""
    world.ready()
    answers: list[Response] = []

    def meanwhile(*_: Any, **__: Any) -> Any:
        answers.append(world.bind())
        answers.append(world.unbind())
        return original()

    original = world.users.quota
    ensure: Callable[..., None] = world.users.ensure_user
    world.users.ensure_user = lambda *a, **k: (meanwhile(), ensure(*a, **k))[1]  # type: ignore[method-assign,func-returns-value]
    assert world.bind().status == 201
    for answer in answers:
        refused(answer, 422, "ConcurrencyError")


def test_originating_identity_is_told_and_a_strange_one_does_no_harm(world: World) -> None:
    """It is logged, never needed."""
    for header in ("cloudfoundry eyJ1c2VyX2lkIjogInUxIn0=", "x", "cloudfoundry !!!", "a b c"):
        assert world.call("GET", "/v2/catalog", headers={"x-broker-api-originating-identity": header}).status == 200


def _foreign(ses: FakeSes) -> Any:
    ses.ensure_configuration_set("x", {})
    ses.ensure_identity("foreign.gov", "x", {"ses-feedback:instance-id": "somebody else"})
    return ses.identities.pop("foreign.gov")


def test_two_provisions_at_once_are_one(world: World) -> None:
    """The second read before the first wrote: it gets the first's operation."""
    read = world.table.instance
    answers: list[Response] = []

    def raced(instance_id: str) -> Any:
        found = read(instance_id)
        world.table.instance = read  # type: ignore[method-assign]
        if not answers:
            answers.append(world.provision())
        return found

    world.table.instance = raced  # type: ignore[method-assign]
    second = world.provision()
    assert (second.status, second.body) == (202, answers[0].body)
    refused(world.provision(space_guid="other"), 409)


def test_a_bind_and_a_deletion_at_once_do_not_both_win(world: World) -> None:
    """The bind read an instance that is being deleted by the time it writes."""
    world.ready()
    quota = world.users.quota

    def meanwhile() -> Any:
        world.users.quota = quota  # type: ignore[method-assign]
        assert world.deprovision().status == 202
        return quota()

    world.users.quota = meanwhile  # type: ignore[method-assign]
    refused(world.bind(), 422, "ConcurrencyError")
    world.work()
    assert world.left() == {}


def test_a_turn_that_loses_a_race_comes_again(world: World) -> None:
    """Others may write the same items in the same moment; the operation is still the worker's."""
    world.provision()
    save = world.table.save_instance
    calls: list[int] = []

    def contended(*args: Any, **kwargs: Any) -> Any:
        calls.append(1)
        if len(calls) == 3:
            raise VersionConflict
        return save(*args, **kwargs)

    world.table.save_instance = contended  # type: ignore[method-assign]
    world.work()
    assert world.poll().body["state"] == "succeeded"


def test_an_update_says_which_records_and_which_confirmation_are_due(world: World) -> None:
    """`cf service` shows this; without it, the change has no effect and nobody knows why."""
    world.ready()
    world.update(parameters={"mail_from_subdomain": "bounce", "admin_email": "other@agency.gov"})
    world.work()
    words = world.poll().body["description"]
    assert "bounce.agency.gov. 600 IN MX 10 feedback-smtp.us-east-1.amazonses.com." in words
    assert 'bounce.agency.gov. 600 IN TXT "v=spf1 include:amazonses.com ~all"' in words
    assert "no longer needed:\nagency.gov. 600 IN TXT" in words
    assert "other@agency.gov gets a mail" in words
    assert "_domainkey" not in words


def test_an_update_of_dmarc_recipients_names_the_record_to_replace(world: World) -> None:
    """One name has one DMARC record: it is replaced, not removed as well."""
    world.ready()
    world.update(parameters={"dmarc_report_aggregate_recipients": "dmarc@agency.gov"})
    world.work()
    words = world.poll().body["description"]
    assert words.count("_dmarc.agency.gov") == 1
    assert "mailto:dmarc@agency.gov" in words
    assert "no longer needed" not in words
    assert "gets a mail" not in words


def test_an_update_that_leaves_nothing_to_do_says_so(world: World) -> None:
    """The records of a generated domain are changed by the broker itself."""
    world.ready(parameters={"admin_email": "admin@agency.gov"})
    world.update(parameters={"mail_from_subdomain": "bounce"})
    world.work()
    assert world.poll().body["description"] == "Updated."


@pytest.mark.parametrize("value", ["x", 5, [], [{}], {"b1": None}, {"b1": {}}, {"b1": []}, {"b1": "x"}, None])
def test_malformed_bindings_in_an_update_are_400(world: World, value: Any) -> None:
    """An object of binding ids, each with an object of parameters; nothing is started otherwise."""
    world.ready()
    world.bind(parameters={"notification_webhook": WEBHOOK})
    answer = world.update(parameters={"bindings": value})
    assert answer.status == 400, answer.body
    assert answer.body["description"].startswith("bindings")
    assert not world.tasks.messages


def test_a_repeated_bind_holds_the_binding_as_long_as_the_first(world: World) -> None:
    """While a repetition is at work, a third request must neither bind nor unbind."""
    world.ready()
    calls = world.gate.calls
    world.bind("probe")
    world.gate.die_at = world.gate.calls + world.gate.names[calls:].index("FakeUsers.ensure_user")
    assert not world.surviving(world.bind)
    world.gate.die_at = None
    world.later(seconds=WORKING.total_seconds() + 1)
    answers = []
    ensure = world.users.ensure_user

    def meanwhile(name: str, policy: Any, tags: Any) -> None:
        world.users.ensure_user = ensure  # type: ignore[method-assign]
        answers.extend([world.bind().status, world.unbind().status])
        ensure(name, policy, tags)

    world.users.ensure_user = meanwhile  # type: ignore[method-assign]
    assert world.bind().status == 201
    assert answers == [422, 422]


def test_a_bind_whose_time_is_over_may_be_repeated_at_that_moment(world: World) -> None:
    """And not a moment before."""
    world.ready()
    world.bind()
    held = replace(world.table.bindings["i1", "b1"], state=BindingState.INTENT, busy_until=world.now)
    world.table.bindings["i1", "b1"] = held
    world.later(microseconds=-1)
    refused(world.bind(), 422, "the binding is being created")
    refused(world.unbind(), 422, "the binding is being created or deleted")
    world.later(microseconds=1)
    assert world.bind().status == 201


def test_a_binding_that_is_written_between_two_reads_of_it_is_that_bind_s(world: World) -> None:
    """The first read found none, the second its claim: the request is looked at again, and is a repetition."""
    world.ready()
    first = world.bind()
    read = world.table.binding

    def before(instance_id: str, binding_id: str) -> Any:
        world.table.binding = read  # type: ignore[method-assign]

    world.table.binding = before  # type: ignore[method-assign]
    again = world.bind()
    assert (again.status, again.body) == (200, first.body)


def test_a_binding_that_is_being_removed_says_so(world: World) -> None:
    """A platform that polls waits."""
    world.ready()
    world.bind(parameters={"notification_webhook": WEBHOOK})
    world.gate.failing["FakeWebhooks.leave"] = RuntimeError("AWS has a bad day")
    world.unbind()
    polled = world.fetch("i1/service_bindings/b1/last_operation")
    assert (polled.status, polled.body) == (200, {"state": "in progress", "description": "Unbinding"})
    assert polled.headers == {"Retry-After": "10"}


@pytest.mark.parametrize(
    "path",
    [
        "i1/service_bindings/" + "x" * 1100,
        "x" * 1100 + "/service_bindings/b1",
        "x" * 1100 + "/last_operation",
        "x" * 1100,
    ],
)
def test_what_cannot_be_an_id_is_not_looked_for(world: World, path: str) -> None:
    """DynamoDB would refuse such a key, which would look like a fault."""
    refused(world.fetch(path), 404)
    refused(world.fetch(f"{path}/last_operation"), 404)


def test_what_a_request_names_that_cannot_be_an_id_is_not_looked_for(world: World) -> None:
    """A predecessor, a binding to change, an endpoint's instance."""
    world.ready()
    long = "x" * 1100
    refused(
        world.bind(predecessor_binding_id=long), 400, "predecessor_binding_id: is no binding of this service instance"
    )
    changes = {"bindings": {long: {"notification_batch": 2}}}
    refused(world.update(parameters=changes), 400, f"bindings.{'x' * 50}: is no binding of this service instance")


def test_a_failing_step_waits_longer_each_time(world: World) -> None:
    """2, 4, 8, ... seconds: AWS's bad moments pass, and the tenant's operation with them."""
    world.gate.failing["FakeTopics.ensure"] = RuntimeError("AWS has a bad day")
    world.provision()
    waits = []
    while world.tasks.messages:
        [(message, delay)] = world.tasks.messages
        world.tasks.messages.clear()
        waits.append(delay)
        world.later(seconds=delay)
        world.engine.run_step(message, owner="worker")
    assert waits == [0, 2, 4, 8, 16, 32]


def test_no_secret_is_shown_by_repr(world: World) -> None:
    """Whatever object ends up in a log line or a traceback."""
    world.ready()
    answer = world.bind(parameters={"notification_webhook": "https://user:pw-canary@app.example.gov/"})
    secrets = ("pw-canary", answer.body["credentials"]["webhook_secret"], "secret1")
    [(_, secret)] = [entry for entry in world.secret_encryption.ciphertext if entry[1].secret_access_key]
    shown = [secret, answer, world.table, world.webhooks, AccessKey(id="a", secret="secret1")]
    call = Call(body=b"pw-canary", query={}, now=world.now)
    request = Request(method="PUT", path="/", query={}, headers={"authorization": "pw-canary"}, body=b"pw-canary")
    body = Body(values={"x": "pw-canary"})
    asked = BindParameters(request=BindRequest(service_id="s", plan_id="p"), userinfo="pw-canary")
    settings = WebhookSettings(
        url="u", events=(), format=NotificationFormat.SNS, scope=Scope.INSTANCE, ciphertext=b"pw-canary"
    )
    for value in (*shown, call, request, body, asked, settings):
        assert not any(word in repr(value) for word in secrets), type(value)


def test_every_answer_about_an_instance_leads_to_its_page_in_the_portal() -> None:
    """OSB's dashboard_url: in provision, update and fetch answers, accepted or done."""
    world = World(settings=settings(portal_url="https://portal.agency.gov"))
    page = {"dashboard_url": "https://portal.agency.gov/instances/i1"}
    accepted = world.provision()
    assert accepted.status == 202
    assert accepted.body.items() >= page.items()
    world.work()
    assert world.provision().body == page
    assert world.fetch().body.items() >= page.items()
    assert world.update(parameters={}).body == page
    assert world.update(parameters={"admin_email": "new@agency.gov"}).body.items() >= page.items()


def test_without_a_portal_no_answer_names_a_page(world: World) -> None:
    """A dead link would be worse than none."""
    assert "dashboard_url" not in world.provision().body
    world.work()
    assert "dashboard_url" not in world.fetch().body


def test_a_provision_of_another_service_under_the_same_id_is_409() -> None:
    """Whatever else is equal."""
    world = World(settings=settings(privatelink_vpc_id="vpc-1"))
    world.ready()
    refused(world.provision(**LINK), 409)
    world.ready("p1", **LINK)
    refused(world.provision("p1"), 409)
    assert world.provision("p1", **LINK).status == 200
    for changes in ({"service_id": "x"}, {"plan_id": "x"}, {"privatelink": None}):
        world.table.instances["p1"] = replace(world.table.instances["p1"], **changes)
        refused(world.provision("p1", **LINK), 409)


def test_a_stalled_operation_is_woken_and_nothing_else_is(world: World) -> None:
    """By a sweep that found it."""
    world.provision()
    [queued] = world.tasks.messages
    world.sweep.instances.resume("i1")
    assert world.tasks.messages == [queued, queued]
    world.work()
    for instance in ("i1", "i9"):
        world.sweep.instances.resume(instance)
    assert world.tasks.messages == []


def test_an_earlier_operation_s_end_is_answered_in_full(world: World) -> None:
    """As it was told at its time."""
    world.provision()
    world.work()
    first = world.poll()
    world.update(parameters={"enable_feedback_notifications": True})
    again = world.poll(operation="provision-1")
    assert (again.status, again.body, again.headers) == (200, first.body, {})
