"""Puts the broker together from settings and clients; handler picks the part it needs."""

import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, cached_property
from typing import TYPE_CHECKING

from lambdas.aws import seal
from lambdas.aws.binding_seal import BindingVault
from lambdas.aws.broker_table import BrokerTable
from lambdas.aws.clients import client
from lambdas.aws.credentials import Credentials
from lambdas.aws.delivery_queue import DeliveryQueue
from lambdas.aws.iam import Iam
from lambdas.aws.operations_queue import OperationsQueue
from lambdas.aws.pace import Pace
from lambdas.aws.pacer import Pacer
from lambdas.aws.pause_marks import PauseMarks
from lambdas.aws.ses import Ses
from lambdas.aws.standing_table import StandingTable
from lambdas.aws.topics import Topics
from lambdas.aws.vpc_endpoint import Endpoints
from lambdas.aws.webhook_items import WebhookItems
from lambdas.aws.zone import Zone
from lambdas.aws.zone_credentials import zone_client
from lambdas.broker.api import Api, Tell
from lambdas.broker.binding import Binder, BindingReading
from lambdas.broker.bound import Maker
from lambdas.broker.catalog import PRIVATELINK_SERVICE, SES_SERVICE, catalog
from lambdas.broker.deprovisioning import Deprovisioning
from lambdas.broker.dns import Dns
from lambdas.broker.earlier_pauses import EarlierPauses
from lambdas.broker.operations import Engine, Report, Step
from lambdas.broker.outbox import SendTest
from lambdas.broker.parameters import WebhookRules
from lambdas.broker.privatelink import PrivateLinkBindings, PrivateLinkSteps
from lambdas.broker.provisioning import Provisioning
from lambdas.broker.reading import Reading
from lambdas.broker.rendering import Renderer
from lambdas.broker.ses_bindings import SesBindings
from lambdas.broker.ses_steps import SesSteps
from lambdas.broker.settings import BrokerSettings
from lambdas.broker.starting import Operations
from lambdas.broker.unbinding import Unbinding
from lambdas.broker.updating import Updating
from lambdas.broker.webhook_changes import WebhookChanges
from lambdas.domain.address import AddressRules
from lambdas.domain.instance import Instance
from lambdas.domain.signature import WebhookSecret, new_secret
from lambdas.domain.webhook import WebhookId

if TYPE_CHECKING:
    from types_boto3_route53 import Route53Client

WORKERS_PATIENCE = 10.0  # s: a turn lasts 45 s, so waiting in it is cheaper than another
APIS_PATIENCE = 1.5  # s: a bind is to be done in 5
NO_PATIENCE = 0.0  # s: what is only nice to know


def clock() -> datetime:
    """Now."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Wiring:
    """Every part of the broker, made when it is first asked for."""

    settings: BrokerSettings

    @cached_property
    def table(self) -> BrokerTable:
        """The broker's memory."""
        return BrokerTable(client("dynamodb"), self.settings.broker_table)

    @cached_property
    def turns(self) -> OperationsQueue:
        """Where the worker's turns are asked for."""
        return OperationsQueue(client("sqs"), self.settings.operations_queue_url)

    def api(self, tell: Tell) -> Api:
        """What answers the platform."""
        settings = self.settings
        return Api(
            accept=Credentials(client("secretsmanager"), settings.credentials_secret_arn),
            provisioning=Provisioning(
                store=self.table,
                operations=self._operations,
                identities=self._ses(APIS_PATIENCE),
                settings=settings,
            ),
            updating=Updating(
                store=self.table, operations=self._operations, webhooks=self._webhook_changes, settings=settings
            ),
            deprovisioning=Deprovisioning(store=self.table, operations=self._operations, settings=settings),
            reading=self.reading,
            binder=self._binder,
            unbinding=self.unbinding,
            binding_reading=BindingReading(store=self.table, makers=self._makers),
            catalog=catalog(settings),
            tell=tell,
        )

    def engine(self, report: Report) -> Engine:
        """What works operations off."""
        return Engine(
            instances=self.table,
            turns=self.turns,
            steps_of=self._steps_of,
            succeeded=self._renderer.succeeded,
            updated=self._renderer.updated,
            clock=clock,
            report=report,
        )

    @cached_property
    def reading(self) -> Reading:
        """What answers fetches and polls of instances."""
        return Reading(store=self.table, operations=self._operations, portal_url=self.settings.portal_url)

    @cached_property
    def unbinding(self) -> Unbinding:
        """What removes bindings."""
        return Unbinding(store=self.table, makers=self._makers, settings=self.settings)

    @cached_property
    def _binder(self) -> Binder:
        return Binder(
            store=self.table,
            vault=self._vault,
            webhooks=self._webhooks,
            makers=self._makers,
            unbinding=self.unbinding,
            settings=self.settings,
            rules=self._rules,
            new_id=_new_id,
            new_secret=new_secret,
        )

    @cached_property
    def _makers(self) -> dict[str, Maker]:
        return {SES_SERVICE: self._ses_bindings, PRIVATELINK_SERVICE: PrivateLinkBindings()}

    @cached_property
    def _operations(self) -> Operations:
        return Operations(turns=self.turns, new_id=_new_id)

    @cached_property
    def _webhook_changes(self) -> WebhookChanges:
        return WebhookChanges(
            store=self.table, webhooks=self._webhooks, vault=self._vault, seal=self._seal, rules=self._rules
        )

    @cached_property
    def _ses_bindings(self) -> SesBindings:
        settings = self.settings
        return SesBindings(
            users=Iam(client("iam"), boundary_arn=settings.permissions_boundary_arn),
            webhooks=self._webhooks,
            topics=self._topics,
            vault=self._vault,
            seal=self._seal,
            test=self._send_test,
            identities=self._ses(NO_PATIENCE),
            renderer=self._renderer,
            topic_arn_prefix=self._topic_arn_prefix,
        )

    def _steps_of(self, instance: Instance) -> Sequence[Step]:
        return self._privatelink_steps(instance) if instance.privatelink else self._ses_steps(instance)

    @cached_property
    def _privatelink_steps(self) -> PrivateLinkSteps:
        settings = self.settings
        return PrivateLinkSteps(
            endpoints=Endpoints(client("ec2"), vpc_id=settings.privatelink_vpc_id),
            subnet_ids=_listed(settings.privatelink_subnet_ids),
            cidrs=_listed(settings.privatelink_cidrs),
        )

    @cached_property
    def _ses_steps(self) -> SesSteps:
        zone_id = self.settings.operator_zone_id
        return SesSteps(
            claims=self.table,
            pauses=self._earlier_pauses,
            ses=self._ses(WORKERS_PATIENCE),
            topics=self._topics,
            zone=Zone(self._zone_client, zone_id=zone_id) if zone_id else None,
            webhooks=self._webhooks,
            test=self._send_test,
            dns=self._dns,
            event_topic_arn=self.settings.event_topic_arn,
            topic_arn_prefix=self._topic_arn_prefix,
        )

    @cached_property
    def _earlier_pauses(self) -> EarlierPauses:
        dynamodb, table = client("dynamodb"), self.settings.reputation_table
        return EarlierPauses(marks=PauseMarks(dynamodb, table), standings=StandingTable(dynamodb, table), clock=clock)

    @cached_property
    def _send_test(self) -> SendTest:
        settings = self.settings
        deliveries = DeliveryQueue(client("sqs"), settings.deliveries_queue_url)
        return SendTest(deliveries=deliveries, topic_arn=settings.event_topic_arn)

    @cached_property
    def _webhooks(self) -> WebhookItems:
        return WebhookItems(client("dynamodb"), self.settings.webhooks_table)

    @cached_property
    def _topics(self) -> Topics:
        return Topics(client("sns"), key_arn=self.settings.key_arn, arn_prefix=self._topic_arn_prefix)

    @cached_property
    def _vault(self) -> BindingVault:
        return BindingVault(client("kms"), self.settings.key_arn)

    @cached_property
    def _dns(self) -> Dns:
        return Dns.of(self.settings)

    @cached_property
    def _renderer(self) -> Renderer:
        return Renderer(settings=self.settings, dns=self._dns)

    @cached_property
    def _rules(self) -> WebhookRules:
        settings = self.settings
        addresses = AddressRules.parse(settings.allowed_cidrs, allow_http=settings.allow_http)
        return WebhookRules(addresses=addresses, private_names=bool(settings.allowed_cidrs))

    @property
    def _topic_arn_prefix(self) -> str:
        return f"arn:{self.settings.partition}:sns:{self.settings.region}:{self.settings.account}:"

    def _ses(self, patience: float) -> Ses:
        settings = self.settings
        pacer = Pacer(client("dynamodb"), settings.pacer_table, rate=settings.ses_calls_per_second)
        return Ses(client("sesv2"), Pace(pacer, patience=patience, clock=clock, sleep=time.sleep))

    def _seal(self, webhook_id: str, secret: str, userinfo: str | None) -> bytes:
        sealed = WebhookSecret(secret=secret, userinfo=userinfo)
        return seal.seal(client("kms"), self.settings.key_arn, WebhookId(webhook_id), sealed)

    @cache  # noqa: B019  # there is one Wiring a process
    def _zone_client(self) -> "Route53Client":
        return zone_client(client("secretsmanager"), self.settings.zone_credentials_secret_arn)


def _listed(text: str) -> tuple[str, ...]:
    return tuple(entry.strip() for entry in text.split(",") if entry.strip())


def _new_id() -> str:
    return uuid.uuid4().hex
