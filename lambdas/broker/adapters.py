"""The broker's adapters to AWS: tables, queues, SES, IAM, KMS, SNS, EC2 and Route 53."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from lambdas.aws.clients import Clients
from lambdas.aws.dynamodb.broker.broker_table import BrokerTable
from lambdas.aws.dynamodb.confirmation_mails import ConfirmationMails
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
from lambdas.aws.secrets_manager.oauth_client import OAuthClientSecret
from lambdas.aws.ses.control_plane import Ses
from lambdas.aws.ses.rate_limit import RateLimit
from lambdas.aws.sns.notifier import Notifier
from lambdas.aws.sns.topics import Topics
from lambdas.aws.sqs.delivery_queue import DeliveryQueue
from lambdas.aws.sqs.operations_queue import OperationsQueue
from lambdas.broker.dns_lookup import txt_values
from lambdas.broker.instances.domain_takeover import ReadTxt
from lambdas.broker.settings import BrokerSettings
from lambdas.domain.portal import OAuthClient
from lambdas.domain.tenants.confirmation_mail import PER_INSTANCE
from lambdas.domain.webhooks.signature import WebhookSecret
from lambdas.domain.webhooks.webhook import WebhookId

if TYPE_CHECKING:
    from types_boto3_route53 import Route53Client


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
            per_organization=settings.instances_per_organization * PER_INSTANCE,
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

    def dashboard_client(self) -> OAuthClient | None:
        """The portal's client at Cloud Foundry's UAA, as its secret has it now."""
        arn = self.settings.dashboard_client_secret_arn
        return OAuthClientSecret(self.clients.client("secretsmanager"), arn).read() if arn else None

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


def topic_arn_prefix(settings: BrokerSettings) -> str:
    """What the ARN of every topic of the account and region begins with."""
    return f"arn:{settings.partition}:sns:{settings.region}:{settings.account}:"
