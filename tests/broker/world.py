"""The broker on fakes, a platform that calls it, and a clock: `World` is what the broker's tests play with."""

import base64
import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from types import SimpleNamespace
from typing import Any

from lambdas.broker.composition import Composition
from lambdas.broker.osb.catalog import PRIVATELINK_PLAN, PRIVATELINK_SERVICE, SES_PLAN, SES_SERVICE
from lambdas.broker.osb.requests import Request, Response
from lambdas.broker.settings import BrokerSettings
from lambdas.domain.portal import OAuthClient
from tests.broker.fakes import (
    AnyCredentials,
    Died,
    FakeDeliveries,
    FakeDns,
    FakeEndpoints,
    FakeNotifier,
    FakePauses,
    FakeSecretEncryption,
    FakeSes,
    FakeTable,
    FakeTaskQueue,
    FakeTopics,
    FakeUsers,
    FakeWebhooks,
    FakeWebhookSecretEncryption,
    FakeZone,
    Gate,
    Gated,
)

START = datetime(2026, 11, 21, 5, 0, tzinfo=UTC)
ORGANIZATION, SPACE = "org-1", "space-1"
WEBHOOK = "https://app.example.gov/hook"
PREFIX = "arn:aws:sns:us-east-1:123456789012:"


def settings(**changes: Any) -> BrokerSettings:
    """Settings of a broker in us-east-1 with a zone for generated domains."""
    known: dict[str, Any] = {
        "broker_table": "broker",
        "webhooks_table": "webhooks",
        "rate_limiter_table": "rate_limiter",
        "reputation_table": "reputation",
        "operations_queue_url": "https://sqs/operations",
        "deliveries_queue_url": "https://sqs/deliveries",
        "event_topic_arn": PREFIX + "events",
        "key_arn": "arn:aws:kms:us-east-1:123456789012:key/k",
        "credentials_secret_arn": "credentials",
        "permissions_boundary_arn": "arn:aws:iam::123456789012:policy/boundary",
        "partition": "aws",
        "region": "us-east-1",
        "account": "123456789012",
        "display_name": "Amazon SES",
        "provider_name": "Example",
        "documentation_url": "https://example.gov/docs",
        "support_url": "https://example.gov/help",
        "operator_zone": "mail.example.net",
        "operator_zone_id": "Z123",
        "zone_credentials_secret_arn": "",
        "dmarc_policy": "reject",
        "dmarc_aggregate_recipients": "dmarc@operator.example",
        "fips": "auto",
        "allowed_cidrs": "",
        "allow_http": False,
        "ses_calls_per_second": 1.0,
        "webhooks_per_instance": 20,
        "bindings_per_instance": 40,
        "instances_per_organization": 100,
        "confirmation_mails_per_day": 10,
        "allowed_public_suffixes": "",
        "suppression": "account",
        "privatelink_vpc_id": "",
        "privatelink_subnet_ids": "",
        "privatelink_cidrs": "",
    }
    return BrokerSettings(**(known | changes))


@dataclass
class World:
    """One broker and its AWS. Time moves only when it is told to."""

    settings: BrokerSettings = field(default_factory=settings)
    gate: Gate = field(default_factory=Gate)
    now: datetime = START
    table: FakeTable = field(default_factory=FakeTable)
    ses: FakeSes = field(default_factory=FakeSes)
    users: FakeUsers = field(default_factory=FakeUsers)
    topics: FakeTopics = field(default_factory=FakeTopics)
    notifier: FakeNotifier = field(default_factory=FakeNotifier)
    dns: FakeDns = field(default_factory=FakeDns)
    endpoints: FakeEndpoints = field(default_factory=FakeEndpoints)
    zone: FakeZone = field(default_factory=FakeZone)
    webhooks: FakeWebhooks = field(default_factory=FakeWebhooks)
    pauses: FakePauses = field(default_factory=FakePauses)
    secret_encryption: FakeSecretEncryption = field(default_factory=FakeSecretEncryption)
    encrypt_webhook_secret: FakeWebhookSecretEncryption = field(default_factory=FakeWebhookSecretEncryption)
    tasks: FakeTaskQueue = field(default_factory=FakeTaskQueue)
    dashboard_client: OAuthClient | None = None
    deliveries: FakeDeliveries = field(default_factory=FakeDeliveries)
    told: list[tuple[Any, ...]] = field(default_factory=list)
    waiting: list[tuple[int, float]] = field(default_factory=list)  # operations, and the oldest one's age: each sweep

    def __post_init__(self) -> None:
        self._ids = map(str, itertools.count(1))
        self._owners = map(str, itertools.count(1))
        self.api = self._broker.api(lambda *what: self.told.append(what))
        self.engine = self._broker.engine(lambda *what: self.told.append(what))
        self.sweep = self._broker.cleanup(lambda *what: self.told.append(what), lambda *what: self.waiting.append(what))

    @cached_property
    def _broker(self) -> Composition:
        """The broker as composed in production, over fakes that can fail at any call."""
        gated = self._gated
        adapters: Any = SimpleNamespace(
            credentials=AnyCredentials(),
            table=gated(self.table),
            tasks=gated(self.tasks),
            users=gated(self.users),
            endpoints=gated(self.endpoints),
            zone=gated(self.zone),
            pause_marks=gated(self.pauses),
            sending_statuses=gated(self.pauses),
            deliveries=gated(self.deliveries),
            webhooks=gated(self.webhooks),
            topics=gated(self.topics),
            notifier=gated(self.notifier),
            txt=gated(self.dns),
            secret_encryption=gated(self.secret_encryption),
            ses=lambda _max_wait: gated(self.ses),
            encrypt_webhook_secret=gated(self.encrypt_webhook_secret),
            dashboard_client=lambda: self.dashboard_client,
            decrypt_webhook_secret=self.encrypt_webhook_secret.decrypt,
        )
        return Composition(
            self.settings,
            adapters,
            clock=lambda: self.now,
            new_id=lambda: next(self._ids),
            new_secret=lambda: f"whsec_{next(self._ids)}",
        )

    def _gated(self, target: Any) -> Any:
        return Gated(target, self.gate)

    # -- the platform --------------------------------------------------------------------------------------------

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """One request, with credentials and version unless *headers* say otherwise (an empty one is left out)."""
        basic = base64.b64encode(b"broker:secret").decode()
        known = {"authorization": f"Basic {basic}", "x-broker-api-version": "2.17", **(headers or {})}
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        return self.api.answer(
            Request(
                method=method,
                path=path,
                query=query or {},
                headers={name: value for name, value in known.items() if value},
                body=raw,
            ),
            now=self.now,
        )

    def provision(self, instance_id: str = "i1", *, incomplete: bool = True, **changes: Any) -> Response:
        """PUT of an instance; *changes* are fields of the body, `parameters` those given."""
        path = f"/v2/service_instances/{instance_id}"
        return self.call("PUT", path, provision_body(**changes), query=_incomplete(incomplete))

    def update(self, instance_id: str = "i1", parameters: Any = None, **changes: Any) -> Response:
        """PATCH of an instance."""
        body = {"service_id": SES_SERVICE, "plan_id": SES_PLAN, "parameters": parameters or {}, **changes}
        return self.call("PATCH", f"/v2/service_instances/{instance_id}", body, query=_incomplete(True))

    def deprovision(self, instance_id: str = "i1", *, service: str = SES_SERVICE, plan: str = SES_PLAN) -> Response:
        """DELETE of an instance."""
        query = {"service_id": service, "plan_id": plan, **_incomplete(True)}
        return self.call("DELETE", f"/v2/service_instances/{instance_id}", query=query)

    def bind(self, binding_id: str = "b1", instance_id: str = "i1", parameters: Any = None, **changes: Any) -> Response:
        """PUT of a binding."""
        body = {"service_id": SES_SERVICE, "plan_id": SES_PLAN, "parameters": parameters or {}, **changes}
        return self.call("PUT", f"/v2/service_instances/{instance_id}/service_bindings/{binding_id}", body)

    def unbind(self, binding_id: str = "b1", instance_id: str = "i1", **query: str) -> Response:
        """DELETE of a binding."""
        path = f"/v2/service_instances/{instance_id}/service_bindings/{binding_id}"
        return self.call("DELETE", path, query={"service_id": SES_SERVICE, "plan_id": SES_PLAN, **query})

    def fetch(self, path: str = "i1", **query: str) -> Response:
        """GET below /v2/service_instances."""
        return self.call("GET", f"/v2/service_instances/{path}", query=query)

    def poll(self, instance_id: str = "i1", **query: str) -> Response:
        """GET of an instance's last operation."""
        return self.fetch(f"{instance_id}/last_operation", **query)

    # -- time and the worker -------------------------------------------------------------------------------------

    def later(self, **delta: float) -> None:
        """Let time pass."""
        self.now += timedelta(**delta)

    def work(self, *, tasks: int = 60) -> None:
        """Give the worker its turns until the queue is empty; each waits for its delay. A turn that dies stays."""
        for _ in range(tasks):
            if not self.tasks.messages:
                return
            message, delay = self.tasks.messages[0]
            self.later(seconds=delay)
            self.engine.run_step(message, owner=next(self._owners))
            self.tasks.messages.remove((message, delay))
        raise AssertionError(f"still working after {tasks} turns: {self.tasks.messages}")

    def surviving(self, action: Any) -> bool:
        """Run *action*; whether it lived."""
        try:
            action()
        except Died:
            return False
        return True

    def ready(self, instance_id: str = "i1", **changes: Any) -> None:
        """Provision and work until it is there."""
        answer = self.provision(instance_id, **changes)
        assert answer.status == 202, answer.body
        self.work()
        assert self.poll(instance_id).body["state"] == "succeeded", self.poll(instance_id).body

    def left(self) -> dict[str, Any]:
        """All there is in AWS and in the tables: empty when nothing is orphaned.

        Without tombstones and reserved names, which expire.
        """
        found: dict[str, Any] = {
            "sets": self.ses.sets,
            "destinations": self.ses.destinations,
            "identities": self.ses.identities,
            "users": self.users.users,
            "topics": self.topics.topics,
            "endpoints": self.endpoints.endpoints,
            "groups": self.endpoints.groups,
            "records": self.zone.records,
            "notifications": self.webhooks.instances,
            "webhooks": self.webhooks.webhooks,
            "domains": {name: kept for name, kept in self.table.domains.items() if not kept.reserved_until},
            "binding claims": self.table.binding_claims,
            "referrers": {i.id: i.referrers for i in self.table.instances.values() if i.referrers},
            "members": {guid: ids for guid, ids in self.table.organizations.items() if ids},
            "bindings": {i.id: i.bindings for i in self.table.instances.values() if i.bindings},
        }
        return {name: dict(values) for name, values in found.items() if values}


def provision_body(**changes: Any) -> dict[str, Any]:
    """A good provision's body, changed; a field that is None is left out."""
    body = {
        "service_id": SES_SERVICE,
        "plan_id": SES_PLAN,
        "organization_guid": ORGANIZATION,
        "space_guid": SPACE,
        "parameters": {"admin_email": "admin@agency.gov", "domain": "agency.gov"},
        "context": {"platform": "cloudfoundry", "organization_name": "Org, one", "space_name": "dev"},
    }
    return {name: value for name, value in (body | changes).items() if value is not None}


def _incomplete(incomplete: bool) -> dict[str, str]:
    return {"accepts_incomplete": "true"} if incomplete else {}


LINK: dict[str, Any] = {
    "service_id": PRIVATELINK_SERVICE,
    "plan_id": PRIVATELINK_PLAN,
    "parameters": {"serviceName": "com.amazonaws.us-east-1.email-smtp"},
}
