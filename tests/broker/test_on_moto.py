"""The broker's functions as Lambda calls them, on moto: the adapters really are what the fakes promise.

The process dies before and after each single call of AWS, of which an adapter's method makes several.
"""

import base64
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import boto3
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from moto import mock_aws
from moto.sqs.models import sqs_backends

from lambdas.aws import clients
from lambdas.aws.dynamodb.broker.actions import ORGANIZATIONS
from lambdas.broker import handler
from lambdas.broker.osb.catalog import SES_PLAN, SES_SERVICE
from tests.aws.sesv2 import FakeSesV2
from tests.aws.tables import create
from tests.broker.fakes import Died
from tests.broker.world import settings

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")  # of a function that was killed
REGION = "us-east-1"
_SLEEP = time.sleep
SERVICES = ("dynamodb", "sqs", "sns", "kms", "iam", "route53", "secretsmanager")
NAMES = {"service_id": SES_SERVICE, "plan_id": SES_PLAN}


@dataclass
class Context:
    """What the functions read of Lambda's context."""

    function_name: str = "broker"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:123456789012:function:broker"
    aws_request_id: str = "request"


class Platform:
    """An account with the stack's parts in it, a platform, and a clock."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 21, 5, 0, tzinfo=UTC)
        self._thread = threading.get_ident()
        self.calls = 0
        self.die_at: int | None = None
        self.after = False
        self.runs = 0
        self.ses = FakeSesV2(lambda after: self._cross(after=after))
        environment = settings(**self._make_stack()).to_environment()
        made = clients.Clients(sesv2=self.ses)
        self._patches: list[Any] = [
            patch.object(handler, "CLIENTS", made),
            patch.dict(os.environ, environment),
            patch.object(handler, "clock", lambda: self.now),
            patch.object(time, "sleep", self._sleep),
        ]
        for each in self._patches:
            each.start()
        for service in SERVICES:
            events = made.client(service).meta.events  # type: ignore[call-overload]
            events.register("before-call", lambda **_: self._cross(after=False))
            events.register("after-call", lambda **_: self._cross(after=True))
        self.calls = 0

    def close(self) -> None:
        for each in reversed(self._patches):
            each.stop()

    def _make_stack(self) -> dict[str, Any]:
        dynamodb, sqs = self.client("dynamodb"), self.client("sqs")
        for table, keys in (("broker", ("pk", "sk")), ("rate_limiter", ("bucket",))):
            dynamodb.create_table(
                TableName=table,
                BillingMode="PAY_PER_REQUEST",
                KeySchema=[
                    {"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)
                ],
                AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
            )
        create(dynamodb, "webhooks")
        create(dynamodb, "reputation")
        secret = self.client("secretsmanager").create_secret(
            Name="credentials", SecretString=json.dumps({"username": "broker", "password": "secret"})
        )
        zone = self.client("route53").create_hosted_zone(Name="mail.example.net", CallerReference="x")
        boundary = self.client("iam").create_policy(
            PolicyName="boundary",
            PolicyDocument=json.dumps(
                {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ses:*", "Resource": "*"}]}
            ),
        )
        return {
            "operations_queue_url": sqs.create_queue(QueueName="operations")["QueueUrl"],
            "deliveries_queue_url": sqs.create_queue(QueueName="deliveries")["QueueUrl"],
            "event_topic_arn": self.client("sns").create_topic(Name="events")["TopicArn"],
            "key_arn": self.client("kms").create_key()["KeyMetadata"]["Arn"],
            "credentials_secret_arn": secret["ARN"],
            "operator_zone_id": zone["HostedZone"]["Id"].removeprefix("/hostedzone/"),
            "permissions_boundary_arn": boundary["Policy"]["Arn"],
            "ses_calls_per_second": 1000.0,
        }

    @staticmethod
    def client(service: str) -> Any:
        """A client of the test's own: its calls are not counted."""
        return boto3.client(service, region_name=REGION)  # type: ignore[call-overload]

    def _sleep(self, seconds: float) -> None:
        """Moves the clock, for this thread alone: one that another test left behind sleeps as ever."""
        if threading.get_ident() == self._thread:
            self.now += timedelta(seconds=seconds)
        else:
            _SLEEP(seconds)

    def _cross(self, *, after: bool) -> None:
        if self.die_at == self.calls and self.after is after:
            raise Died
        self.calls += after

    def call(self, method: str, path: str, body: Any = None, **query: str) -> tuple[int, Any]:
        """One request by way of the HTTP API."""
        event = {
            "version": "2.0",
            "rawPath": f"/v2{path}",
            "queryStringParameters": query or None,
            "headers": {
                "Authorization": "Basic " + base64.b64encode(b"broker:secret").decode(),
                "X-Broker-Api-Version": "2.17",
            },
            "requestContext": {"http": {"method": method}, "stage": "$default"},
            "body": None if body is None else json.dumps(body),
            "isBase64Encoded": False,
        }
        answer = handler.handler(event, Context())
        return answer["statusCode"], json.loads(answer["body"])

    def work(self) -> None:
        """Give the worker all its turns; a message whose turn died comes again."""
        sqs, url = self.client("sqs"), os.environ["OPERATIONS_QUEUE_URL"]
        for _ in range(30):
            sqs_messages = self._received(sqs, url)
            if not sqs_messages:
                return
            for message in sqs_messages:
                self.runs += 1
                record = {"messageId": message["MessageId"], "body": message["Body"]}
                context = Context(aws_request_id=str(self.runs))
                assert handler.worker({"Records": [record]}, context) == {"batchItemFailures": []}
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        raise AssertionError("still working")

    @staticmethod
    def _received(sqs: Any, url: str) -> list[Any]:
        """Everything in the queue, delayed or in flight: time is ours."""
        queue = sqs_backends["123456789012"][REGION].queues["operations"]
        for message in queue._messages:
            message.delayed_until = 0
            message.visible_at = 0
        return list(sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=1).get("Messages", []))

    def sweep(self) -> None:
        """The schedule strikes."""
        handler.cleanup({}, Context())

    def left(self) -> dict[str, Any]:
        """All that is in the account beside the stack, tombstones aside."""
        iam, sns, dynamodb = (self.client(name) for name in ("iam", "sns", "dynamodb"))
        zone = self.client("route53")
        records = zone.list_resource_record_sets(HostedZoneId=os.environ["OPERATOR_ZONE_ID"])["ResourceRecordSets"]
        items = dynamodb.scan(TableName="broker")["Items"]
        found = {
            "sets": self.ses.sets,
            "identities": self.ses.identities,
            "users": [user["UserName"] for user in iam.list_users()["Users"]],
            "topics": [topic["TopicArn"] for topic in sns.list_topics()["Topics"]][1:],
            "records": [(record["Name"], record["Type"]) for record in records if record["Type"] not in ("NS", "SOA")],
            "webhooks": [
                item["item"]["S"] for item in dynamodb.scan(TableName="webhooks")["Items"] if "deleted_at" not in item
            ],
            "items": [
                (item["pk"]["S"], item["sk"]["S"])
                for item in items
                if "expires_at" not in item and (item["pk"]["S"] != ORGANIZATIONS or "members" in item)
            ],
        }
        return {name: values for name, values in found.items() if values}


@contextmanager
def platform() -> Iterator[Platform]:
    """An empty account."""
    keys = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": REGION}
    with patch.dict(os.environ, keys), mock_aws():
        _forget()
        handler.logger.setLevel("CRITICAL")
        found = Platform()
        try:
            yield found
        finally:
            found.close()
            _forget()


def _forget() -> None:
    clients.CLIENTS.forget()
    for cached in (handler._composition, handler._observability, handler._api, handler._engine, handler._cleanup):
        cached.cache_clear()


def provision(world: Platform, domain: str = "agency.gov") -> None:
    parameters = {"admin_email": "admin@agency.gov", "domain": domain, "mail_from_subdomain": "bounce"}
    body = {**NAMES, "organization_guid": "o", "space_guid": "s", "parameters": parameters}
    status, answer = world.call("PUT", "/service_instances/i1", body, accepts_incomplete="true")
    assert status in (200, 202), answer
    world.work()


def update(world: Platform) -> None:
    parameters = {
        "admin_email": "other@agency.gov",
        "mail_from_subdomain": "",
        "bindings": {"b1": {"notification_events": ["bounce"]}},
    }
    world.call("PATCH", "/service_instances/i1", {**NAMES, "parameters": parameters}, accepts_incomplete="true")
    world.work()


def bind(world: Platform) -> None:
    parameters = {
        "notification_webhook": "https://user:pw@app.example.gov/hook",
        "notification_email": "digests@agency.gov",
    }
    status, answer = world.call("PUT", BINDING, {**NAMES, "parameters": parameters})
    assert status in (200, 201), answer


def rotate(world: Platform) -> None:
    successor = BINDING.replace("b1", "b2")
    status, answer = world.call("PUT", successor, {**NAMES, "predecessor_binding_id": "b1"})
    assert status in (200, 201), answer


def unbind(world: Platform, binding: str = "b1") -> None:
    status, answer = world.call("DELETE", BINDING.replace("b1", binding), **NAMES)
    assert status in (200, 410), answer


def deprovision(world: Platform) -> None:
    status, answer = world.call("DELETE", "/service_instances/i1", accepts_incomplete="true", **NAMES)
    assert status in (202, 410), answer
    world.work()


BINDING = "/service_instances/i1/service_bindings/b1"
LIFE: tuple[Callable[[Platform], None], ...] = (provision, bind, update, rotate, unbind)


def test_a_whole_life_on_moto() -> None:
    """Everything is made, shown, changed, and gone without a trace."""
    with platform() as world:
        provision(world)
        status, answer = world.call("GET", "/service_instances/i1/last_operation")
        assert (status, answer["state"]) == (200, "succeeded"), answer
        assert {"Key": "ses-feedback:instance-id", "Value": "i1"} in world.ses.identities["agency.gov"]["Tags"]
        bind(world)
        status, answer = world.call("GET", BINDING)
        credentials = answer["credentials"]
        [user] = world.client("iam").list_users(PathPrefix="/cf/")["Users"]
        assert user["UserName"] == "ses-feedback-b1"
        policy = world.client("iam").get_user_policy(UserName=user["UserName"], PolicyName="send")["PolicyDocument"]
        assert policy["Statement"][0]["Resource"] == [
            "arn:aws:ses:us-east-1:123456789012:identity/agency.gov",
            "arn:aws:ses:us-east-1:123456789012:configuration-set/ses-feedback-i1",
        ]
        assert credentials["smtp_user"] == credentials["aws_access_key_id"]
        assert len(world.left()["webhooks"]) == 3
        assert len(world._received(world.client("sqs"), os.environ["OPERATIONS_QUEUE_URL"])) == 0
        update(world)
        rotate(world)
        assert world.call("DELETE", "/service_instances/i1", accepts_incomplete="true", **NAMES)[0] == 422
        for binding in ("b1", "b2"):
            unbind(world, binding)
        deprovision(world)
        assert world.left() == {}
        assert world.call("GET", "/service_instances/i1/last_operation")[0] == 410


def test_secrets_are_nowhere_in_plain() -> None:
    """Not in the tables, not in the queue's messages."""
    with platform() as world:
        provision(world)
        bind(world)
        credentials = world.call("GET", BINDING)[1]["credentials"]
        stored = json.dumps(
            [world.client("dynamodb").scan(TableName=table)["Items"] for table in ("broker", "webhooks")], default=repr
        )
        for secret in ("aws_secret_access_key", "webhook_secret", "smtp_password"):
            assert credentials[secret] not in stored
        assert "user:pw" not in stored


@pytest.mark.parametrize("step", LIFE, ids=lambda step: step.__name__)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_dying_at_any_single_call_of_aws_orphans_nothing(step: Callable[[Platform], None], after: bool) -> None:
    """The platform repeats what it got no answer to, then removes everything."""
    at = 0
    while True:
        with platform() as world:
            for earlier in LIFE[: LIFE.index(step)]:
                earlier(world)
            world.die_at, world.after = world.calls + at, after
            died = False
            try:
                step(world)
            except Died:
                died = True
            world.die_at = None
            world.now += timedelta(minutes=6)
            world.sweep()
            world.work()
            step(world)
            for binding in ("b1", "b2"):
                unbind(world, binding)
            deprovision(world)
            assert world.left() == {}, (at, after)
        if not died:
            return
        at += STRIDE


CALLS = st.lists(
    st.tuples(
        st.sampled_from(["provision", "update", "bind", "rotate", "unbind", "deprovision", "work", "wait"]),
        st.none() | st.integers(0, 60),
        st.booleans(),
    ),
    min_size=3,
    max_size=12,
)


@hypothesis_settings(max_examples=8, suppress_health_check=list(HealthCheck))
@given(calls=CALLS)
def test_calls_and_deaths_in_any_order_orphan_nothing(calls: list[tuple[str, int | None, bool]]) -> None:
    """The platform does not wait for anything, and tidies up in the end. The fakes are driven so for longer."""
    with platform() as world:
        for name, death, after in calls:
            world.die_at, world.after = (None if death is None else world.calls + death), after
            with suppress(Died):
                haste(world, name)
            world.die_at = None
        for _ in range(2):
            world.now += timedelta(minutes=20)
            world.sweep()
            world.work()
        for binding in ("b1", "b2"):
            unbind(world, binding)
        deprovision(world)
        assert world.left() == {}


def haste(world: Platform, name: str) -> None:
    """One call, whatever comes of it: never a fault."""
    parameters = {"admin_email": "admin@agency.gov", "domain": "agency.gov"}
    guids, path = {"organization_guid": "o", "space_guid": "s"}, "/service_instances/i1"
    successor = BINDING.replace("b1", "b2")
    requests: dict[str, Any] = {
        "provision": ("PUT", path, {**NAMES, **guids, "parameters": parameters}),
        "update": ("PATCH", path, {**NAMES, "parameters": {"mail_from_subdomain": "bounce"}}),
        "deprovision": ("DELETE", path, None),
        "bind": ("PUT", BINDING, {**NAMES, "parameters": {"notification_webhook": "https://app.example.gov/"}}),
        "rotate": ("PUT", successor, {**NAMES, "predecessor_binding_id": "b1"}),
        "unbind": ("DELETE", BINDING, None),
    }
    if name == "work":
        world.work()
    elif name == "wait":
        world.now += timedelta(minutes=4)
    else:
        method, where, body = requests[name]
        status, answer = world.call(method, where, body, accepts_incomplete="true", **NAMES)
        assert status < 500, answer


STRIDE = int(os.environ.get("SES_FEEDBACK_GAP_STRIDE", "19"))  # every call takes minutes; the fakes try every gap
