"""The broker's object graph: adapters to AWS, and what is built on them."""

import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING

from lambdas.aws.clients import Clients
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
from lambdas.aws.sns.notifier import Notifier
from lambdas.aws.sns.topics import Topics
from lambdas.aws.sqs.delivery_queue import DeliveryQueue
from lambdas.aws.sqs.operations_queue import OperationsQueue
from lambdas.broker.bindings.binding import Binder, BindingQueries
from lambdas.broker.bindings.maker import Maker
from lambdas.broker.bindings.secret_rotation import SecretRotation
from lambdas.broker.bindings.ses_bindings import SesBindings
from lambdas.broker.bindings.unbinding import Unbinding
from lambdas.broker.bindings.webhook_test import SendTest
from lambdas.broker.dns_lookup import txt_values
from lambdas.broker.instances.deprovisioning import Deprovisioning
from lambdas.broker.instances.domain_claims import DomainClaims
from lambdas.broker.instances.domain_release import DomainRelease
from lambdas.broker.instances.domain_takeover import DomainTakeover, ReadTxt
from lambdas.broker.instances.earlier_pauses import EarlierPauses
from lambdas.broker.instances.operator_dns import OperatorDns
from lambdas.broker.instances.privatelink import PrivateLinkBindings, PrivateLinkSteps
from lambdas.broker.instances.provisioning import Provisioning
from lambdas.broker.instances.queries import InstanceQueries
from lambdas.broker.instances.ses_steps import SesSteps
from lambdas.broker.instances.updating import Updating
from lambdas.broker.instances.webhook_changes import WebhookChanges
from lambdas.broker.limits import Limits
from lambdas.broker.operations.cleanup import Cleanup, LogCleanup
from lambdas.broker.operations.engine import Engine, OperationStep
from lambdas.broker.operations.requests import Operations
from lambdas.broker.osb.api import Api, LogAnswer
from lambdas.broker.osb.catalog import PRIVATELINK_SERVICE, SES_SERVICE, catalog
from lambdas.broker.osb.parameters import WebhookRules
from lambdas.broker.osb.rendering import Renderer
from lambdas.broker.ports import LogStep
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
    """The current time, UTC."""
    return datetime.now(UTC)


def new_id() -> str:
    """A unique id."""
    return uuid.uuid4().hex


@dataclass(frozen=True)
class Adapters:
    """The broker's adapters to AWS, made when they are first asked for. Tests replace them by fakes."""

    settings: BrokerSettings
    clients: Clients
    clock: Callable[[], datetime]

    @cached_property
    def credentials(self) -> Credentials:
        """The platform's credentials for the broker."""
        return Credentials(self.clients.client("secretsmanager"), self.settings.credentials_secret_arn)

    @cached_property
    def table(self) -> BrokerTable:
        """Instances, bindings and domain claims."""
        return BrokerTable(self.clients.client("dynamodb"), self.settings.broker_table)

    @cached_property
    def tasks(self) -> OperationsQueue:
        """The worker's queue."""
        return OperationsQueue(self.clients.client("sqs"), self.settings.operations_queue_url)

    @cached_property
    def users(self) -> IamUsers:
        """The IAM users of bindings."""
        return IamUsers(self.clients.client("iam"), boundary_arn=self.settings.permissions_boundary_arn)

    @cached_property
    def endpoints(self) -> Endpoints:
        """Interface VPC endpoints."""
        return Endpoints(self.clients.client("ec2"), vpc_id=self.settings.privatelink_vpc_id)

    @cached_property
    def zone(self) -> HostedZone | None:
        """The operator's hosted zone, if there is one."""
        zone_id = self.settings.operator_zone_id
        return HostedZone(self._zone_client, zone_id=zone_id) if zone_id else None

    @cached_property
    def pause_marks(self) -> PauseMarks:
        """Marks of domains whose instance was paused when it was deleted."""
        return PauseMarks(self.clients.client("dynamodb"), self.settings.reputation_table)

    @cached_property
    def sending_statuses(self) -> SendingStatusTable:
        """Sending statuses of instances."""
        return SendingStatusTable(self.clients.client("dynamodb"), self.settings.reputation_table)

    @cached_property
    def deliveries(self) -> DeliveryQueue:
        """The deliveries queue."""
        return DeliveryQueue(self.clients.client("sqs"), self.settings.deliveries_queue_url)

    @cached_property
    def webhooks(self) -> WebhookItems:
        """Webhooks of bindings."""
        return WebhookItems(self.clients.client("dynamodb"), self.settings.webhooks_table)

    @cached_property
    def topics(self) -> Topics:
        """SNS topics of instances and bindings."""
        settings = self.settings
        mails = ConfirmationMails(
            self.clients.client("dynamodb"),
            settings.broker_table,
            limit=settings.confirmation_mails_per_day,
            clock=self.clock,
        )
        prefix = topic_arn_prefix(settings)
        return Topics(self.clients.client("sns"), key_arn=settings.key_arn, arn_prefix=prefix, may_mail=mails.take)

    @cached_property
    def notifier(self) -> Notifier:
        """Mail to an instance's admin address."""
        settings = self.settings
        return Notifier(
            self.clients.client("sns"), partition=settings.partition, region=settings.region, account=settings.account
        )

    @property
    def txt(self) -> ReadTxt:
        """What DNS says under a name."""
        return txt_values

    @cached_property
    def secret_encryption(self) -> BindingSecretEncryption:
        """KMS encryption of what a binding keeps secret."""
        return BindingSecretEncryption(self.clients.client("kms"), self.settings.key_arn)

    def ses(self, max_wait: float) -> Ses:
        """SES's control plane, for a caller that waits at most *max_wait* seconds for the rate limiter."""
        settings = self.settings
        rate_limiter = RateLimiter(
            self.clients.client("dynamodb"), settings.rate_limiter_table, rate=settings.ses_calls_per_second
        )
        rate_limit = RateLimit(rate_limiter, max_wait=max_wait, clock=self.clock, sleep=time.sleep)
        return Ses(self.clients.client("sesv2"), rate_limit, suppress=settings.suppression == "account")

    def encrypt_webhook_secret(self, webhook_id: str, secret: str, userinfo: str | None) -> bytes:
        """The ciphertext of a webhook's secret and userinfo."""
        plain = WebhookSecret(secret=secret, userinfo=userinfo)
        return webhook_secrets.encrypt(self.clients.client("kms"), self.settings.key_arn, WebhookId(webhook_id), plain)

    def decrypt_webhook_secret(self, webhook_id: str, ciphertext: bytes) -> WebhookSecret:
        """A webhook's secret and userinfo."""
        return webhook_secrets.decrypt(self.clients.client("kms"), WebhookId(webhook_id), ciphertext)

    def _zone_client(self) -> "Route53Client":
        return self._made_zone_client

    @cached_property
    def _made_zone_client(self) -> "Route53Client":
        return zone_client(self.clients.client("secretsmanager"), self.settings.zone_credentials_secret_arn)


@dataclass(frozen=True)
class Composition:
    """The broker's object graph, made when it is first asked for."""

    settings: BrokerSettings
    adapters: Adapters
    clock: Callable[[], datetime] = clock
    new_id: Callable[[], str] = new_id
    new_secret: Callable[[], str] = new_secret

    def api(self, log_answer: LogAnswer) -> Api:
        """What answers the platform."""
        settings = self.settings
        return Api(
            accept=self.adapters.credentials,
            provisioning=Provisioning(
                store=self.adapters.table,
                operations=self._operations,
                identities=self.adapters.ses(API_MAX_WAIT),
                claims=self._claims(API_MAX_WAIT),
                takeover=DomainTakeover(
                    store=self.adapters.table,
                    operations=self._operations,
                    claims=self._claims(API_MAX_WAIT),
                    txt=self.adapters.txt,
                ),
                settings=settings,
            ),
            updating=Updating(
                store=self.adapters.table,
                operations=self._operations,
                webhooks=self._webhook_changes,
                settings=settings,
            ),
            deprovisioning=Deprovisioning(store=self.adapters.table, operations=self._operations, settings=settings),
            instance_queries=self.instance_queries,
            binder=self._binder,
            unbinding=self.unbinding,
            binding_queries=BindingQueries(store=self.adapters.table, makers=self._makers),
            catalog=catalog(settings),
            log_answer=log_answer,
        )

    def engine(self, log_step: LogStep) -> Engine:
        """What works operations off."""
        return Engine(
            instances=self.adapters.table,
            tasks=self.adapters.tasks,
            steps_of=self._steps_of,
            succeeded=self._renderer.succeeded,
            updated=self._renderer.updated,
            clock=self.clock,
            log_step=log_step,
        )

    def cleanup(self, log: LogCleanup) -> Cleanup:
        """Removes leftovers of binds and resumes stalled operations."""
        return Cleanup(
            store=self.adapters.table,
            instances=self.instance_queries,
            bindings=self.unbinding,
            log=log,
        )

    @cached_property
    def instance_queries(self) -> InstanceQueries:
        """What answers fetches and polls of instances."""
        return InstanceQueries(
            store=self.adapters.table, operations=self._operations, portal_url=self.settings.portal_url
        )

    @cached_property
    def unbinding(self) -> Unbinding:
        """What removes bindings."""
        return Unbinding(store=self.adapters.table, makers=self._makers, settings=self.settings)

    @cached_property
    def _binder(self) -> Binder:
        return Binder(
            store=self.adapters.table,
            secret_encryption=self.adapters.secret_encryption,
            webhooks=self.adapters.webhooks,
            makers=self._makers,
            unbinding=self.unbinding,
            settings=self.settings,
            rules=self._rules,
            limits=Limits.of(self.settings, self.adapters.table),
            new_id=self.new_id,
            new_secret=self.new_secret,
        )

    @cached_property
    def _makers(self) -> dict[str, Maker]:
        return {SES_SERVICE: self._ses_bindings, PRIVATELINK_SERVICE: PrivateLinkBindings()}

    @cached_property
    def _operations(self) -> Operations:
        return Operations(tasks=self.adapters.tasks, new_id=self.new_id)

    @cached_property
    def _webhook_changes(self) -> WebhookChanges:
        return WebhookChanges(
            store=self.adapters.table,
            webhooks=self.adapters.webhooks,
            secret_encryption=self.adapters.secret_encryption,
            encrypt_webhook_secret=self.adapters.encrypt_webhook_secret,
            rules=self._rules,
        )

    @cached_property
    def _ses_bindings(self) -> SesBindings:
        return SesBindings(
            users=self.adapters.users,
            webhooks=self.adapters.webhooks,
            topics=self.adapters.topics,
            secret_encryption=self.adapters.secret_encryption,
            encrypt_webhook_secret=self.adapters.encrypt_webhook_secret,
            rotation=SecretRotation(
                webhooks=self.adapters.webhooks,
                decrypt=self.adapters.decrypt_webhook_secret,
                encrypt=self.adapters.encrypt_webhook_secret,
            ),
            test=self._send_test,
            identities=self.adapters.ses(NO_WAIT),
            renderer=self._renderer,
            topic_arn_prefix=topic_arn_prefix(self.settings),
        )

    def _steps_of(self, instance: Instance) -> Sequence[OperationStep]:
        return self._privatelink_steps(instance) if instance.privatelink else self._ses_steps(instance)

    @cached_property
    def _privatelink_steps(self) -> PrivateLinkSteps:
        settings = self.settings
        return PrivateLinkSteps(
            endpoints=self.adapters.endpoints,
            subnet_ids=_listed(settings.privatelink_subnet_ids),
            cidrs=_listed(settings.privatelink_cidrs),
        )

    @cached_property
    def _ses_steps(self) -> SesSteps:
        return SesSteps(
            claims=self._claims(WORKER_MAX_WAIT),
            release=DomainRelease(
                ses=self.adapters.ses(WORKER_MAX_WAIT),
                users=self.adapters.users,
                bindings=self.adapters.table,
                notifier=self.adapters.notifier,
            ),
            pauses=self._earlier_pauses,
            ses=self.adapters.ses(WORKER_MAX_WAIT),
            topics=self.adapters.topics,
            zone=self.adapters.zone,
            webhooks=self.adapters.webhooks,
            test=self._send_test,
            dns=self._dns,
            event_topic_arn=self.settings.event_topic_arn,
            topic_arn_prefix=topic_arn_prefix(self.settings),
            clock=self.clock,
        )

    def _claims(self, max_wait: float) -> DomainClaims:
        return DomainClaims(claims=self.adapters.table, identities=self.adapters.ses(max_wait))

    @cached_property
    def _earlier_pauses(self) -> EarlierPauses:
        adapters = self.adapters
        return EarlierPauses(marks=adapters.pause_marks, sending_statuses=adapters.sending_statuses, clock=self.clock)

    @cached_property
    def _send_test(self) -> SendTest:
        return SendTest(deliveries=self.adapters.deliveries, topic_arn=self.settings.event_topic_arn)

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


def compose(settings: BrokerSettings, clients: Clients, *, clock: Callable[[], datetime] = clock) -> Composition:
    """The broker, from its settings."""
    return Composition(settings, Adapters(settings, clients, clock), clock)


def topic_arn_prefix(settings: BrokerSettings) -> str:
    """What the ARN of every topic of the account and region begins with."""
    return f"arn:{settings.partition}:sns:{settings.region}:{settings.account}:"


def _listed(text: str) -> tuple[str, ...]:
    return tuple(entry.strip() for entry in text.split(",") if entry.strip())
