"""What the broker needs from outside, one interface per adapter; `composition.py` connects them.

The adapters' docstrings say what each call promises: lambdas/aws. Where a module only reads, it asks for the part of
the interface that reads (`BindingReader`, `WebhookReader`, `Identities`).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from lambdas.domain.ports import SendingStatusClaims
from lambdas.domain.reputation.sending_status import Mark, Transition
from lambdas.domain.tenants.dns_records import Dkim, DnsRecord
from lambdas.domain.tenants.domain_claim import Claim
from lambdas.domain.tenants.iam_user import AccessKey, Quota
from lambdas.domain.tenants.identity import Identity
from lambdas.domain.tenants.instance import Binding, BindingSecret, Instance, Unfinished, WebhookSettings
from lambdas.domain.tenants.operation_task import OperationTask
from lambdas.domain.tenants.vpc_endpoint import Endpoint
from lambdas.domain.webhooks.signature import WebhookSecret
from lambdas.domain.webhooks.stored_webhook import StoredWebhook


class InstanceStore(Protocol):
    """Service instances: lambdas.aws.dynamodb.broker.broker_table."""

    def instance(self, instance_id: str) -> Instance | None: ...
    def save_instance(
        self,
        instance: Instance,
        *,
        claim: str = "",
        release: str = "",
        room: int = 0,
        leave: bool = False,
        reserve: str = "",
    ) -> Instance:
        """Write the instance. Raises VersionConflict if another request wrote it since it was read."""


class BindingReader(Protocol):
    """Bindings: lambdas.aws.dynamodb.broker.broker_table."""

    def binding(self, instance_id: str, binding_id: str) -> Binding | None: ...


class BindingStore(BindingReader, Protocol):
    """Bindings with their instances: lambdas.aws.dynamodb.broker.broker_table."""

    def instance(self, instance_id: str) -> Instance | None: ...
    def instance_of_binding(self, binding_id: str) -> str | None: ...
    def save_binding(self, binding: Binding, *, instances: tuple[Instance, ...] = ()) -> Binding: ...


class ClaimStore(Protocol):
    """Which instance holds which domain: lambdas.aws.dynamodb.broker.broker_table."""

    def claims_related(self, domain: str) -> tuple[Claim, ...]: ...
    def note_claim(self, claim: Claim, *, verified: bool, at: datetime) -> None: ...


class UnfinishedWork(Protocol):
    """Interrupted binds and operations: lambdas.aws.dynamodb.broker.broker_table."""

    def stale_intents(self, *, before: datetime) -> tuple[tuple[str, str], ...]: ...
    def unfinished(self) -> tuple[Unfinished, ...]: ...


class TaskQueue(Protocol):
    """The worker's queue: lambdas.aws.sqs.operations_queue."""

    def send(self, message: OperationTask, *, delay: float = 0) -> None:
        """Queue a step run in *delay* seconds."""


class WebhookReader(Protocol):
    """Webhooks: lambdas.aws.dynamodb.webhooks.webhook_items."""

    def get(self, instance_id: str, webhook_id: str) -> StoredWebhook | None: ...


class WebhookSecretStore(WebhookReader, Protocol):
    """Webhooks' signing secrets: lambdas.aws.dynamodb.webhooks.webhook_items."""

    def replace_secret(
        self, instance_id: str, webhook_id: str, *, before: bytes, after: bytes, until: datetime, now: datetime
    ) -> bool: ...


class BindingWebhooks(WebhookReader, Protocol):
    """Webhooks and the bindings that share them: lambdas.aws.dynamodb.webhooks.webhook_items."""

    def put(self, instance_id: str, webhook_id: str, settings: WebhookSettings, *, binding_id: str) -> None: ...
    def join(self, instance_id: str, webhook_id: str, binding_id: str) -> bool: ...
    def leave(self, instance_id: str, webhook_id: str, binding_id: str) -> bool: ...


class InstanceWebhooks(Protocol):
    """An instance's notifications and webhooks: lambdas.aws.dynamodb.webhooks.webhook_items."""

    def set_notifications(
        self, instance_id: str, *, enabled: bool, domain: str, organization: str, created_at: datetime | None = None
    ) -> None: ...
    def retire_instance(self, instance_id: str, *, domain: str, organization: str, now: datetime) -> None: ...


class WebhookSettingsStore(WebhookReader, Protocol):
    """Webhooks' settings: lambdas.aws.dynamodb.webhooks.webhook_items."""

    def change(self, instance_id: str, webhook_id: str, settings: WebhookSettings, *, before: bytes) -> None:
        """Raises VersionConflict if the webhook's ciphertext is not *before* any more."""


class SecretEncryption(Protocol):
    """KMS encryption of bindings' secrets: lambdas.aws.kms.binding_secrets."""

    def encrypt(self, binding_id: str, secret: BindingSecret) -> bytes: ...
    def decrypt(self, binding_id: str, ciphertext: bytes) -> BindingSecret: ...


class EncryptWebhookSecret(Protocol):
    """KMS encryption of what the delivery function may decrypt: lambdas.aws.kms.webhook_secrets."""

    def __call__(self, webhook_id: str, secret: str, userinfo: str | None) -> bytes: ...


class DecryptWebhookSecret(Protocol):
    """A webhook's secret and userinfo. Its ciphertext is the only place that says what signs now."""

    def __call__(self, webhook_id: str, ciphertext: bytes) -> WebhookSecret: ...


class Identities(Protocol):
    """Domains that SES knows: lambdas.aws.ses.control_plane."""

    def identity(self, domain: str) -> Identity | None: ...


class ControlPlane(Identities, Protocol):
    """SES's control plane: lambdas.aws.ses.control_plane."""

    def ensure_configuration_set(self, name: str, tags: Mapping[str, str], *, sending: bool = True) -> None: ...
    def ensure_event_destination(self, name: str, topic_arn: str) -> None: ...
    def remove_configuration_set(self, name: str, owner: str) -> None: ...
    def ensure_identity(self, domain: str, configuration_set: str, tags: Mapping[str, str]) -> Dkim: ...
    def set_mail_from(self, domain: str, mail_from: str) -> None: ...
    def remove_identity(self, domain: str, owner: str) -> None: ...


class Users(Protocol):
    """IAM users: lambdas.aws.iam.users."""

    def quota(self) -> Quota: ...
    def ensure_user(self, name: str, policy: Mapping[str, object], tags: Mapping[str, str]) -> None: ...
    def replace_key(self, name: str) -> AccessKey: ...
    def revoke_sending(self, name: str) -> None: ...
    def remove_user(self, name: str, owner: str) -> None: ...


class Topics(Protocol):
    """SNS topics that people subscribe to: lambdas.aws.sns.topics."""

    def ensure(self, name: str, tags: Mapping[str, str]) -> str: ...
    def subscribe(self, topic_arn: str, email: str, *, organization: str) -> bool: ...
    def confirmed(self, topic_arn: str, email: str) -> bool: ...
    def remove(self, topic_arn: str, owner: str) -> None: ...


class Zone(Protocol):
    """The operator's DNS zone: lambdas.aws.route53.hosted_zone."""

    def upsert(self, records: Sequence[DnsRecord]) -> None: ...
    def remove(self, domain: str, *, keep: Sequence[DnsRecord] = ()) -> None: ...


class VpcEndpoints(Protocol):
    """Interface endpoints: lambdas.aws.ec2.vpc_endpoints."""

    def subnets(self, service_name: str, wanted: Sequence[str]) -> tuple[str, ...]: ...
    def cidrs(self) -> tuple[str, ...]: ...
    def ensure_group(self, name: str, cidrs: Sequence[str], tags: Mapping[str, str]) -> str: ...
    def ensure_endpoint(
        self, service_name: str, *, subnets: Sequence[str], group_id: str, token: str, tags: Mapping[str, str]
    ) -> str: ...
    def endpoint(self, instance_id: str) -> Endpoint | None: ...
    def remove_endpoint(self, instance_id: str) -> bool: ...
    def remove_group(self, instance_id: str) -> bool: ...


class PauseMarks(Protocol):
    """Pauses that outlive their instance: lambdas.aws.dynamodb.reputation.pause_marks."""

    def on(self, domain: str, *, now: datetime) -> Mark | None: ...
    def over(self, domain: str, *, now: datetime) -> Mark | None: ...
    def keep(self, mark: Mark) -> None: ...


class SendingStatuses(SendingStatusClaims, Protocol):
    """Sending statuses: lambdas.aws.dynamodb.reputation.sending_status_table."""

    def history(self, instance_id: str) -> Sequence[Transition]: ...


class Credentials(Protocol):
    """The platform's credentials for the broker: lambdas.aws.secrets_manager.broker_credentials."""

    def accept(self, username: str, password: str, *, now: datetime) -> bool: ...


class LogStep(Protocol):
    """Logs what happened to an instance's operation."""

    def __call__(self, what: str, instance: Instance, error: Exception | None = None) -> None: ...
