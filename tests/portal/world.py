"""The portal's own handler on moto, with tenants to look at: no stack, no container."""

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import boto3
from moto import mock_aws

from infra.bundle import PORTAL_STYLE
from lambdas.aws import clients
from lambdas.aws.dynamodb.attribute_values import to_item
from lambdas.aws.dynamodb.backlog.archive import Archive
from lambdas.aws.dynamodb.backlog.backlog import Backlog
from lambdas.aws.dynamodb.broker.broker_table import BrokerTable
from lambdas.aws.dynamodb.portal_table import PortalTable
from lambdas.aws.dynamodb.reputation.ledger import Ledger
from lambdas.aws.dynamodb.reputation.sending_status_table import SendingStatusTable
from lambdas.aws.dynamodb.webhooks.webhook_items import WebhookItems
from lambdas.aws.dynamodb.webhooks.webhook_states import WebhookStates
from lambdas.aws.kms.webhook_secrets import encrypt
from lambdas.domain.portal import OPERATOR, Link, Right
from lambdas.domain.reputation.evaluation import Reason, Reputation, SendingState
from lambdas.domain.reputation.ledger import LedgerEntry, LedgerKind, bucket_of
from lambdas.domain.reputation.sending_status import Cause, Transition
from lambdas.domain.tenants.instance import (
    Instance,
    InstanceState,
    Made,
    Operation,
    OperationKind,
    OperationState,
    SesParameters,
    WebhookSettings,
)
from lambdas.domain.webhooks.delivery import Delivery, DeliveryBatch
from lambdas.domain.webhooks.health import Health
from lambdas.domain.webhooks.signature import WebhookSecret, new_secret
from lambdas.domain.webhooks.webhook import DEFAULT_EVENTS, NotificationFormat, Scope, WebhookId
from lambdas.portal import handler, rendering
from tests.aws.tables import create, create_backlog

ORIGIN = "https://portal.agency.gov"
NEVER_SHOWN = "user:hunter2"  # userinfo of every webhook
HOST = "hooks.example.gov"


@dataclass(frozen=True)
class Answer:
    """What the handler answered."""

    raw: Mapping[str, Any]

    @property
    def status(self) -> int:
        """The HTTP status."""
        return int(self.raw["statusCode"])

    @property
    def text(self) -> str:
        """The body."""
        return str(self.raw["body"])

    @property
    def headers(self) -> Mapping[str, str]:
        """By name, in lower case."""
        return dict(self.raw["headers"])

    @property
    def cookie(self) -> str:
        """The first Set-Cookie value."""
        return str(self.raw.get("cookies", [""])[0])


@dataclass
class World:
    """The tables, and callers of the portal."""

    dynamodb: Any
    sqs: Any
    kms_key: str
    queues: Mapping[str, str]
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def table(self) -> PortalTable:
        """The portal's own."""
        return PortalTable(self.dynamodb, "portal")

    # -- tenants

    def tenant(self, instance_id: str, *, domain: str = "", organization: str = "org", **more: Any) -> str:
        """A service instance with its domain; its id."""
        operation = Operation(
            id="op",
            kind=OperationKind.PROVISION,
            started_at=self.now,
            touched_at=self.now,
            state=OperationState.SUCCEEDED,
        )
        instance = Instance(
            id=instance_id,
            service_id="aws-ses",
            plan_id="domain",
            organization_guid=organization,
            space_guid="space",
            state=InstanceState.READY,
            operation=more.pop("operation", operation),
            ses=SesParameters(admin_email="admin@agency.gov", domain=domain, enable_feedback_notifications=True),
            domain=domain or f"{instance_id}.agency.gov",
            made=Made(
                dkim_tokens=("aaa", "bbb", "ccc"),
                dkim_zone="dkim.amazonses.com",
                alert_email="admin@agency.gov",
                alert_topic_arn=more.pop("alert_topic_arn", ""),
            ),
            **more,
        )
        BrokerTable(self.dynamodb, "broker").save_instance(instance)
        self.webhook_items.set_notifications(
            instance_id, enabled=True, domain=instance.domain, organization=organization
        )
        return instance_id

    def webhook(self, instance_id: str, webhook_id: str, *, host: str = HOST, **changes: Any) -> str:
        """A webhook of the instance; its id."""
        secret = WebhookSecret(secret=new_secret(), userinfo=NEVER_SHOWN)
        kms = clients.CLIENTS.client("kms")
        settings = WebhookSettings(
            url=changes.pop("url", f"https://{host}/secret-path?token=never"),
            events=DEFAULT_EVENTS,
            format=NotificationFormat.STANDARD_WEBHOOKS,
            scope=Scope.INSTANCE,
            ciphertext=encrypt(kms, self.kms_key, WebhookId(webhook_id), secret),
            batch=changes.pop("batch", 1),
            batch_seconds=changes.pop("batch_seconds", 0),
        )
        self.webhook_items.put(instance_id, webhook_id, settings, binding_id=f"{webhook_id}-binding")
        if health := changes.pop("health", None):
            states = WebhookStates(self.dynamodb, "webhooks")
            target = next(one for one, _ in states.every(instance_id) if one.webhook_id == webhook_id)
            states.change(target, lambda _: health)
        return webhook_id

    @property
    def webhook_items(self) -> WebhookItems:
        """The broker's writer of webhooks."""
        return WebhookItems(self.dynamodb, "webhooks")

    def health(self, instance_id: str, webhook_id: str) -> Health:
        """A webhook's health as it is stored."""
        states = WebhookStates(self.dynamodb, "webhooks")
        return next(one.health for one, _ in states.every(instance_id) if one.webhook_id == webhook_id)

    def bounced(self, instance_id: str, number: int, *, to: str = "", at: datetime | None = None, **facts: Any) -> None:
        """*number* bounces that count."""
        when = at or self.now
        entries = [
            LedgerEntry(
                key=f"0100{int(when.timestamp() * 1000):012x}-{index:04d}#{index:016x}",
                kind=LedgerKind.BOUNCE,
                bucket=bucket_of(when),
                timestamp=when,
                counted=1,
                message_id=facts.get("message_id", f"mail-{index}"),
                reason=facts.get("reason", "NoEmail"),
                recipients=(to or f"user{index}@example.net",),
                sent_at=when,
            )
            for index in range(number)
        ]
        Ledger(self.dynamodb, "reputation").add(instance_id, entries)

    def delivered(self, instance_id: str, number: int, *, at: datetime | None = None) -> None:
        """*number* recipients were delivered to."""
        Ledger(self.dynamodb, "reputation").add_deliveries(instance_id, {bucket_of(at or self.now): number})

    def moved(self, instance_id: str, after: SendingState, *, cause: Cause = Cause.RATES, **facts: Any) -> None:
        """The instance is moved to another sending status."""
        statuses = SendingStatusTable(self.dynamodb, "reputation")
        status = statuses.load(instance_id)
        transition = Transition(
            id=f"{instance_id}:{status.version + 1}",
            instance_id=instance_id,
            before=status.state,
            after=after,
            at=facts.pop("at", self.now),
            cause=cause,
            reasons=(Reason.BOUNCES,),
            reputation=Reputation(bounces=60, complaints=0, deliveries=940, since=None),
            **facts,
        )
        assert statuses.claim(status, transition, claimer="test", baseline=None, now=self.now)
        pending = statuses.load(instance_id).pending
        assert pending is not None
        statuses.finish(pending)

    def archived(self, instance_id: str, webhook_id: str, *deliveries: Delivery, at: datetime | None = None) -> None:
        """Deliveries that were made."""
        Archive(self.dynamodb, "backlog").keep(
            [_batch(instance_id, webhook_id, deliveries)], now=at or self.now - timedelta(minutes=5)
        )

    def parked(self, instance_id: str, webhook_id: str, *deliveries: Delivery, due: datetime | None = None) -> None:
        """Deliveries that wait."""
        batch = _batch(instance_id, webhook_id, deliveries)
        Backlog(self.dynamodb, "backlog").park([(batch, due or self.now)], now=self.now)

    def queued(self, queue: str = "deliveries") -> list[dict[str, Any]]:
        """The messages of a queue, taken out."""
        found: list[dict[str, Any]] = []
        while True:
            answer = self.sqs.receive_message(QueueUrl=self.queues[queue], MaxNumberOfMessages=10)
            if not answer.get("Messages"):
                return found
            for message in answer["Messages"]:
                found.append(json.loads(message["Body"]))
                self.sqs.delete_message(QueueUrl=self.queues[queue], ReceiptHandle=message["ReceiptHandle"])

    # -- callers

    def link(self, instance_id: str = OPERATOR, *, right: Right = Right.MANAGE, now: datetime | None = None) -> str:
        """The path of a one-time link."""
        link = Link(instance_id=instance_id, right=right, who="tester", session_seconds=8 * 3600)
        return self.table.new_link(link, url=ORIGIN, now=now or self.now).removeprefix(ORIGIN)

    def caller(self, instance_id: str = OPERATOR, *, right: Right = Right.MANAGE) -> "Caller":
        """Somebody who is signed in."""
        caller = Caller()
        token = self.link(instance_id, right=right).rpartition("/")[2]
        answer = caller.post("/link", {"token": token}, form_token=False)
        assert answer.status == 303, answer.text
        caller.cookie = answer.cookie.partition(";")[0]
        return caller


@dataclass
class Caller:
    """A browser without a screen: a cookie, and the token of the last page's forms."""

    cookie: str = ""
    token: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        """GET *path*, with its query."""
        return self._call("GET", path, b"", headers or {})

    def post(
        self,
        path: str,
        form: Mapping[str, str] | None = None,
        *,
        form_token: bool = True,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """POST a form."""
        token = {"form_token": self.token or self._new_token()} if form_token else {}
        return self._call("POST", path, urlencode({**token, **(form or {})}).encode(), headers or {})

    def _new_token(self) -> str:
        page = self.get("/signed-out").text
        match = re.search(r'name="form_token" value="([^"]*)"', page)
        self.token = match[1] if match else ""
        return self.token

    def _call(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        event = event_of(method, path, {**self.headers, **headers}, body, cookie=self.cookie)
        return Answer(handler.handler(event, Context()))


class Context:
    """What Lambda tells a function of its invocation."""

    function_name = "portal"
    memory_limit_in_mb = 1024
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:portal"
    aws_request_id = "request"

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        """Enough."""
        return 60_000


def event_of(method: str, path: str, headers: Mapping[str, str], body: bytes, *, cookie: str = "") -> dict[str, Any]:
    """A request as an HTTP API hands it over (payload version 2.0)."""
    plain, _, query = path.partition("?")
    pairs = [pair.partition("=") for pair in query.split("&") if pair]
    return {
        "version": "2.0",
        "rawPath": plain,
        "rawQueryString": query,
        "queryStringParameters": {name: value for name, _, value in pairs},
        "cookies": [cookie] if cookie else [],
        "headers": dict(headers),
        "requestContext": {
            "stage": "$default",
            "domainName": "api.execute-api.us-east-1.amazonaws.com",
            "http": {"method": method, "path": plain, "sourceIp": "192.0.2.1"},
        },
        "body": body.decode(),
        "isBase64Encoded": False,
    }


def delivery(id_: str, *, to: str, message_id: str = "mail-1", at: datetime, type_: str = "email.bounced") -> Delivery:
    """A delivery of one event."""
    data = {
        "message_id": message_id,
        "mail": {"to": [to], "subject": "Your order"},
        "recipients": [{"email": to, "status": "5.1.1", "diagnostic": "user unknown"}],
    }
    return Delivery(
        id=id_,
        type=type_,
        timestamp=at,
        created_at=at,
        format=NotificationFormat.STANDARD_WEBHOOKS,
        body=json.dumps({"type": type_, "timestamp": at.isoformat(), "data": data}),
        headers={"content-type": "application/json"},
    )


def _batch(instance_id: str, webhook_id: str, deliveries: tuple[Delivery, ...]) -> DeliveryBatch:
    return DeliveryBatch(instance_id=instance_id, webhook_id=WebhookId(webhook_id), attempt=1, deliveries=deliveries)


@contextmanager
def running(**settings: str) -> Iterator[World]:
    """A world on moto; *settings* are environment variables of the portal, in lower case."""
    kept = dict(os.environ)
    try:
        os.environ["AWS_DEFAULT_REGION"] = "us-east-1"
        with mock_aws():
            _forget()
            yield _made(settings)
    finally:
        os.environ.clear()
        os.environ.update(kept)
        _forget()


def _made(settings: Mapping[str, str]) -> World:
    dynamodb = boto3.client("dynamodb")
    for name, keys in (
        ("portal", ("pk", "sk")),
        ("broker", ("pk", "sk")),
        ("webhooks", ("instance_id", "item")),
        ("reputation", ("instance_id", "item")),
        ("rate_limiter", ("bucket",)),
    ):
        create(dynamodb, name, keys)
    create_backlog(dynamodb, "backlog")
    dynamodb.put_item(TableName="rate_limiter", Item=to_item({"bucket": "unused"}))
    sqs = boto3.client("sqs")
    queues = {name: sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("deliveries", "replays")}
    secret = boto3.client("secretsmanager").create_secret(Name="key", SecretString=json.dumps({"key": "k" * 64}))
    key = boto3.client("kms").create_key()["KeyMetadata"]["Arn"]
    os.environ |= {name.upper(): value for name, value in _settings(queues, secret["ARN"], key, settings).items()}
    rendering.FOLDERS = (rendering.FOLDER / "static", next(iter(PORTAL_STYLE.values())).parent)
    return World(dynamodb=dynamodb, sqs=sqs, kms_key=key, queues=queues)


def _settings(queues: Mapping[str, str], secret: str, key: str, more: Mapping[str, str]) -> dict[str, str]:
    return {
        "sign_in": "links",
        "public_url": ORIGIN,
        "issuer": "",
        "client_secret_arn": "",
        "cloud_controller_url": "",
        "operator_claim": "groups",
        "operator_value": "mail-operators",
        **{f"{name}_table": name for name in ("portal", "broker", "webhooks", "backlog", "reputation")},
        "rate_limiter_table": "rate_limiter",
        "deliveries_queue_url": queues["deliveries"],
        "replays_queue_url": queues["replays"],
        "signing_secret_arn": secret,
        "event_topic_arn": "arn:aws:sns:us-east-1:123456789012:events",
        "key_arn": key,
        "partition": "aws",
        "region": "us-east-1",
        "account": "123456789012",
        "operator_name": "The Mail Team",
        "support_url": "https://help.agency.gov",
        "confirmation_mails_per_day": "2",
        "self_resume": "true",
        "self_resume_hours": "24",
        "self_resume_days": "90",
        "dmarc_policy": "none",
        "dmarc_aggregate_recipients": "",
        "ses_calls_per_second": "50",
        "window_outcomes": "10000",
        "window_days": "30",
        "minimum_outcomes": "500",
        "minimum_bounces": "5",
        "minimum_complaints": "13",
        "minimum_warning_complaints": "4",
        "bounce_warning": "0.02",
        "bounce_pause": "0.04",
        "complaint_warning": "0.0004",
        "complaint_pause": "0.0008",
        **more,
    }


def _forget() -> None:
    """Drop what the process keeps between invocations."""
    clients.CLIENTS.forget()
    clients.session.cache_clear()
    for cached in (handler._settings, handler._portal, handler._replayer):
        cached.cache_clear()
