"""What the portal's functions ask IAM for: their handlers, walked on moto.

The journeys walk a part of the portal only; what they record is in requests.txt.
"""

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import cache
from pathlib import Path

import boto3
import pytest

from lambdas.aws import clients
from lambdas.aws.dynamodb.broker.broker_table import BrokerTable
from lambdas.aws.dynamodb.reputation.sending_status_table import SendingStatusTable
from lambdas.domain.reputation.evaluation import SendingState
from lambdas.domain.tenants.aws_names import alert_topic
from lambdas.domain.webhooks.health import Health, HealthState
from lambdas.portal import handler as portal_handler
from local.recorder import recorded_calls as recorder
from tests.iam.requests import Asked, asked_in
from tests.portal import scenes
from tests.portal.test_sending import resume
from tests.portal.world import Context, World, delivery, running

_TABLES = ("portal", "broker", "webhooks", "backlog", "reputation", "rate_limiter")
_QUEUES = ("deliveries", "replays")
_AWAY = timedelta(days=2)
_TENANTS = ("", "/evidence.csv", "/mail", "/webhooks", "/webhooks/w1", "/sending", "/setup")


class NoTime(Context):
    """An invocation that has no time for another step."""

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        """None."""
        return 0


@cache
def portal() -> frozenset[Asked]:
    """Every route, and the steps of a replay."""
    with running() as world, scenes.dns():
        _populate(world)
        names = _names(key=world.kms_key, secret=os.environ["SIGNING_SECRET_ARN"])
        with _recording("portal", names) as of_pages:
            _walk_pages(world)
        [step] = world.queued("replays")
        event = {"Records": [{"messageId": "m", "body": json.dumps(step)}]}
        with _recording("replay", names) as of_replays:
            for context in (NoTime(), Context()):
                assert portal_handler.replay(event, context) == {"batchItemFailures": []}
        return frozenset(of_pages | of_replays)


def _populate(world: World) -> None:
    """A tenant that its rates paused, with a webhook that failed, and mail in all its states."""
    world.tenant("i1", domain="mail.agency.gov")
    table = BrokerTable(world.dynamodb, "broker")
    instance = table.instance("i1")
    assert instance is not None
    topic = boto3.client("sns").create_topic(Name=alert_topic("i1"))["TopicArn"]
    table.save_instance(replace(instance, claimed=True, made=replace(instance.made, alert_topic_arn=topic)))
    world.webhook("i1", "w1", health=Health(state=HealthState.DISABLED, since=world.now, failures=9))
    world.delivered("i1", 500, at=world.now - _AWAY)
    world.bounced("i1", 60, to="joe@example.net", at=world.now - _AWAY)
    world.moved("i1", SendingState.PAUSED, at=world.now - _AWAY)
    for keep, id_ in ((world.archived, "msg_1"), (world.parked, "msg_2")):
        keep("i1", "w1", delivery(id_, to="joe@example.net", at=world.now))


def _walk_pages(world: World) -> None:
    tenant, operator = world.caller("i1"), world.caller()
    pages = [tenant.get(f"/instances/i1{path}") for path in _TENANTS]
    answers = [*pages, tenant.post("/instances/i1/mail", {"needle": "joe@example.net"})]
    actions = ("webhooks/w1/test", "webhooks/w1/secret", "webhooks/w1/enable", "setup/confirmation")
    answers += [tenant.post(f"/instances/i1/{action}", {"sure": "yes"}) for action in actions]
    answers += [tenant.post("/instances/i1/webhooks/w1/replay", {"hours": "24"}), resume(tenant), operator.get("/")]
    answers += [tenant.get("/instances/i1/webhooks/w1/replay")]
    answers += [operator.post("/search", {"needle": "agency.gov"})]
    answers += [operator.post("/instances/i1/webhooks/w1/disable", {"reason": "drill"})]
    for action in ("pause", "resume"):
        _enforced(world)
        answers.append(operator.post(f"/instances/i1/operator/{action}", {"reason": "drill"}))
    answers.append(operator.post("/sign-out"))
    assert {answer.status for answer in answers} == {200, 303}, [answer.status for answer in answers]


def _enforced(world: World) -> None:
    """The reputation function has enforced what the portal claimed."""
    statuses = SendingStatusTable(world.dynamodb, "reputation")
    pending = statuses.load("i1").pending
    assert pending is not None
    statuses.finish(pending)


def _names(*, key: str = "", secret: str = "") -> dict[str, str]:
    """How requests.txt names what the handlers use, by the names on moto."""
    return {
        **{name: f"table/{name}" for name in _TABLES},
        **{name: f"queue/{name}" for name in _QUEUES},
        key.rpartition("/")[2]: "key",
        secret.rpartition(":")[2]: "secret/portal",
    }


@contextmanager
def _recording(function: str, names: Mapping[str, str]) -> Iterator[set[Asked]]:
    """Record the calls of clients that are made from now on: what was asked by them, once the walk is done."""
    asked: set[Asked] = set()
    with tempfile.NamedTemporaryFile(suffix=".jsonl") as calls, pytest.MonkeyPatch.context() as patched:
        for name, value in recorder.plugin(calls.name).items():
            patched.setenv(name, value)
        patched.setenv("AWS_LAMBDA_FUNCTION_NAME", function)
        recorder._seen.clear()
        clients.CLIENTS.forget()
        portal_handler._portal.cache_clear()
        portal_handler._replayer.cache_clear()
        yield asked
        asked |= asked_in(Path(calls.name), names, {function: function})
