"""Puts the broker together from settings and clients; handler picks the part it needs."""

import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, cached_property
from typing import TYPE_CHECKING

from lambdas.aws.clients import client
from lambdas.aws.confirmation_mails import ConfirmationMails
from lambdas.aws.dynamodb.broker.broker_table import BrokerTable
from lambdas.aws.dynamodb.rate_limiter import RateLimiter
from lambdas.aws.dynamodb.reputation.pause_marks import PauseMarks
from lambdas.aws.dynamodb.reputation.sending_status_table import SendingStatusTable
from lambdas.aws.dynamodb.webhooks.webhook_items import WebhookItems
from lambdas.aws.ec2.vpc_endpoints import Endpoints
from lambdas.aws.iam.users import IamUsers
from lambdas.aws.kms import webhook_secrets
from lambdas.aws.kms.binding_secrets import BindingSecretEncryption
from lambdas.aws.route53.hosted_zone import HostedZone
from lambdas.aws.route53.zone_client import zone_client
from lambdas.aws.secrets_manager.broker_credentials import Credentials
from lambdas.aws.ses.control_plane import Ses
from lambdas.aws.ses.rate_limit import RateLimit
from lambdas.aws.sns.topics import Topics
from lambdas.aws.sqs.delivery_queue import DeliveryQueue
from lambdas.aws.sqs.operations_queue import OperationsQueue
from lambdas.broker.bindings.binding import Binder, BindingQueries
from lambdas.broker.bindings.ports import Maker
from lambdas.broker.bindings.secret_rotation import SecretRotation
from lambdas.broker.bindings.ses_bindings import SesBindings
from lambdas.broker.bindings.unbinding import Unbinding
from lambdas.broker.bindings.webhook_test import SendTest
from lambdas.broker.instances.deprovisioning import Deprovisioning
from lambdas.broker.instances.domain_claims import DomainClaims
from lambdas.broker.instances.earlier_pauses import EarlierPauses
from lambdas.broker.instances.operator_dns import OperatorDns
from lambdas.broker.instances.privatelink import PrivateLinkBindings, PrivateLinkSteps
from lambdas.broker.instances.provisioning import Provisioning
from lambdas.broker.instances.queries import InstanceQueries
from lambdas.broker.instances.ses_steps import SesSteps
from lambdas.broker.instances.updating import Updating
from lambdas.broker.instances.webhook_changes import WebhookChanges
from lambdas.broker.limits import Limits
from lambdas.broker.operations.engine import Engine, LogStep, OperationStep
from lambdas.broker.operations.requests import Operations
from lambdas.broker.osb.api import Api, LogAnswer
from lambdas.broker.osb.catalog import PRIVATELINK_SERVICE, SES_SERVICE, catalog
from lambdas.broker.osb.parameters import WebhookRules
from lambdas.broker.osb.rendering import Renderer
from lambdas.broker.settings import BrokerSettings
from lambdas.domain.tenants.instance import Instance
from lambdas.domain.webhooks.address_rules import AddressRules
from lambdas.domain.webhooks.signature import WebhookSecret, new_secret
from lambdas.domain.webhooks.webhook import WebhookId

if TYPE_CHECKING:
    from types_boto3_route53 import Route53Client

WORKER_MAX_WAIT = 10.0  # s: a turn lasts 45 s, so waiting in it is cheaper than another
API_MAX_WAIT = 1.5  # s: a bind is to be done in 5
NO_WAIT = 0.0  # s: what is only nice to know


def clock() -> datetime:
    """Now."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Composition:
    """Every part of the broker, made when it is first asked for."""

    settings: BrokerSettings

    @cached_property
    def table(self) -> BrokerTable:
        """The broker's memory."""
        return BrokerTable(client("dynamodb"), self.settings.broker_table)

    @cached_property
    def tasks(self) -> OperationsQueue:
        """Where the worker's turns are asked for."""
        return OperationsQueue(client("sqs"), self.settings.operations_queue_url)

    def api(self, log_answer: LogAnswer) -> Api:
        """What answers the platform."""
        settings = self.settings
        return Api(
            accept=Credentials(client("secretsmanager"), settings.credentials_secret_arn),
            provisioning=Provisioning(
                store=self.table,
                operations=self._operations,
                identities=self._ses(API_MAX_WAIT),
                claims=DomainClaims(claims=self.table, identities=self._ses(API_MAX_WAIT)),
                settings=settings,
            ),
            updating=Updating(
                store=self.table, operations=self._operations, webhooks=self._webhook_changes, settings=settings
            ),
            deprovisioning=Deprovisioning(store=self.table, operations=self._operations, settings=settings),
            instance_queries=self.instance_queries,
            binder=self._binder,
            unbinding=self.unbinding,
            binding_queries=BindingQueries(store=self.table, makers=self._makers),
            catalog=catalog(settings),
            log_answer=log_answer,
        )

    def engine(self, log_step: LogStep) -> Engine:
        """What works operations off."""
        return Engine(
            instances=self.table,
            tasks=self.tasks,
            steps_of=self._steps_of,
            succeeded=self._renderer.succeeded,
            updated=self._renderer.updated,
            clock=clock,
            log_step=log_step,
        )

    @cached_property
    def instance_queries(self) -> InstanceQueries:
        """What answers fetches and polls of instances."""
        return InstanceQueries(store=self.table, operations=self._operations, portal_url=self.settings.portal_url)

    @cached_property
    def unbinding(self) -> Unbinding:
        """What removes bindings."""
        return Unbinding(store=self.table, makers=self._makers, settings=self.settings)

    @cached_property
    def _binder(self) -> Binder:
        return Binder(
            store=self.table,
            secret_encryption=self._secret_encryption,
            webhooks=self._webhooks,
            makers=self._makers,
            unbinding=self.unbinding,
            settings=self.settings,
            rules=self._rules,
            limits=Limits.of(self.settings, self.table),
            new_id=_new_id,
            new_secret=new_secret,
        )

    @cached_property
    def _makers(self) -> dict[str, Maker]:
        return {SES_SERVICE: self._ses_bindings, PRIVATELINK_SERVICE: PrivateLinkBindings()}

    @cached_property
    def _operations(self) -> Operations:
        return Operations(tasks=self.tasks, new_id=_new_id)

    @cached_property
    def _webhook_changes(self) -> WebhookChanges:
        return WebhookChanges(
            store=self.table,
            webhooks=self._webhooks,
            secret_encryption=self._secret_encryption,
            encrypt_webhook_secret=self._encrypt_webhook_secret,
            rules=self._rules,
        )

    @cached_property
    def _ses_bindings(self) -> SesBindings:
        settings = self.settings
        return SesBindings(
            users=IamUsers(client("iam"), boundary_arn=settings.permissions_boundary_arn),
            webhooks=self._webhooks,
            topics=self._topics,
            secret_encryption=self._secret_encryption,
            encrypt_webhook_secret=self._encrypt_webhook_secret,
            rotation=SecretRotation(
                webhooks=self._webhooks, decrypt=self._decrypt_webhook_secret, encrypt=self._encrypt_webhook_secret
            ),
            test=self._send_test,
            identities=self._ses(NO_WAIT),
            renderer=self._renderer,
            topic_arn_prefix=self._topic_arn_prefix,
        )

    def _steps_of(self, instance: Instance) -> Sequence[OperationStep]:
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
            claims=DomainClaims(claims=self.table, identities=self._ses(WORKER_MAX_WAIT)),
            pauses=self._earlier_pauses,
            ses=self._ses(WORKER_MAX_WAIT),
            topics=self._topics,
            zone=HostedZone(self._zone_client, zone_id=zone_id) if zone_id else None,
            webhooks=self._webhooks,
            test=self._send_test,
            dns=self._dns,
            event_topic_arn=self.settings.event_topic_arn,
            topic_arn_prefix=self._topic_arn_prefix,
            clock=clock,
        )

    @cached_property
    def _earlier_pauses(self) -> EarlierPauses:
        dynamodb, table = client("dynamodb"), self.settings.reputation_table
        return EarlierPauses(
            marks=PauseMarks(dynamodb, table), sending_statuses=SendingStatusTable(dynamodb, table), clock=clock
        )

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
        settings = self.settings
        mails = ConfirmationMails(
            client("dynamodb"), settings.broker_table, limit=settings.confirmation_mails_per_day, clock=clock
        )
        return Topics(client("sns"), key_arn=settings.key_arn, arn_prefix=self._topic_arn_prefix, may_mail=mails.take)

    @cached_property
    def _secret_encryption(self) -> BindingSecretEncryption:
        return BindingSecretEncryption(client("kms"), self.settings.key_arn)

    @cached_property
    def _dns(self) -> OperatorDns:
        return OperatorDns.of(self.settings)

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

    def _ses(self, max_wait: float) -> Ses:
        settings = self.settings
        rate_limiter = RateLimiter(client("dynamodb"), settings.rate_limiter_table, rate=settings.ses_calls_per_second)
        rate_limit = RateLimit(rate_limiter, max_wait=max_wait, clock=clock, sleep=time.sleep)
        return Ses(client("sesv2"), rate_limit, suppress=settings.suppression == "account")

    def _decrypt_webhook_secret(self, webhook_id: str, ciphertext: bytes) -> WebhookSecret:
        return webhook_secrets.decrypt(client("kms"), WebhookId(webhook_id), ciphertext)

    def _encrypt_webhook_secret(self, webhook_id: str, secret: str, userinfo: str | None) -> bytes:
        ciphertext = WebhookSecret(secret=secret, userinfo=userinfo)
        return webhook_secrets.encrypt(client("kms"), self.settings.key_arn, WebhookId(webhook_id), ciphertext)

    @cache  # noqa: B019  # there is one Composition a process
    def _zone_client(self) -> "Route53Client":
        return zone_client(client("secretsmanager"), self.settings.zone_credentials_secret_arn)


def _listed(text: str) -> tuple[str, ...]:
    return tuple(entry.strip() for entry in text.split(",") if entry.strip())


def _new_id() -> str:
    return uuid.uuid4().hex
