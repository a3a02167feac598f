"""The broker's records: service instances, their operations and their bindings. Terms are OSB's."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from lambdas.domain.webhooks.webhook import EventKind, NotificationFormat, Scope


class OperationKind(StrEnum):
    """What an operation does to its instance."""

    PROVISION = "provision"
    UPDATE = "update"
    DEPROVISION = "deprovision"
    RELEASE = "release"  # of the domain, by the broker or an operator: the instance stays, and can no longer send


class OperationState(StrEnum):
    """OSB's states of a last operation."""

    IN_PROGRESS = "in progress"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class Phase(StrEnum):
    """Whether an operation runs its steps forward or rolls them back."""

    APPLY = "apply"
    UNDO = "undo"


class InstanceState(StrEnum):
    """Whether the platform sees the instance. GONE is a tombstone."""

    NEW = "new"
    READY = "ready"
    GONE = "gone"


class BindingState(StrEnum):
    """INTENT: bind has begun and may have crashed; READY; LEAVING: unbind has begun; GONE: a tombstone."""

    INTENT = "intent"
    READY = "ready"
    LEAVING = "leaving"
    GONE = "gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class SesParameters:
    """The requested parameters of an `aws-ses` instance, normalised. An empty `domain` asks for a generated one."""

    admin_email: str
    domain: str = ""
    mail_from_subdomain: str = ""
    dmarc_report_aggregate_recipients: tuple[str, ...] = ()
    dmarc_report_failure_recipients: tuple[str, ...] = ()
    enable_feedback_notifications: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivateLinkParameters:
    """The requested parameters of a `privatelink` instance."""

    service_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSettings:
    """The requested settings of a webhook. `ciphertext` is the KMS ciphertext of its secret and userinfo; `url` has no
    userinfo.
    """

    url: str
    events: tuple[EventKind, ...]
    format: NotificationFormat
    scope: Scope
    ciphertext: bytes = field(repr=False)
    batch: int = 1
    batch_seconds: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookChange:
    """A webhook that an update changes: its previous settings, for a rollback, and its new ones.

    `mark` distinguishes two changes that differ only in their userinfo, without revealing it.
    """

    binding_id: str
    webhook_id: str
    before: WebhookSettings
    after: WebhookSettings
    mark: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """An asynchronous operation. `step` names the next step of its phase (empty: the first); `failures` counts failed
    runs.

    `ses` and `webhooks` are the target of an update. `changes_mail_from` says whether the update changes SES's MAIL
    FROM. `reason` is why the operation is rolled back, or why a domain is released; `reserved_for` is the organization
    that alone may claim a released domain next (empty: anybody).
    """

    id: str
    kind: OperationKind
    started_at: datetime
    touched_at: datetime
    state: OperationState = OperationState.IN_PROGRESS
    description: str = ""
    phase: Phase = Phase.APPLY
    step: str = ""
    failures: int = 0
    reason: str | None = None
    ses: SesParameters | None = None
    webhooks: tuple[WebhookChange, ...] = ()
    changes_mail_from: bool = False
    reserved_for: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfinished:
    """An operation that has not ended. `touched_at` is when a step of it was recorded last."""

    instance_id: str
    started_at: datetime
    touched_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """The result of an earlier operation, for polls that arrive late."""

    id: str
    state: OperationState
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """Results of the steps that cannot be derived from names.

    `paused` tells the tenant why the instance started paused; empty if it did not.
    """

    dkim_tokens: tuple[str, ...] = ()
    dkim_zone: str = ""
    alert_topic_arn: str = ""
    alert_email: str = ""
    confirmation_withheld: bool = False  # alert_email had its confirmation mails for that day
    endpoint_id: str = ""
    security_group_id: str = ""
    hostname: str = ""
    paused: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """A service instance.

    `domain` is the one in use, requested or generated; `claimed` while the instance holds the claim on it.
    `bindings` holds the ids of all bindings that are not GONE, `referrers` the ids of other instances' bindings that
    use this instance. `dirty`: a failed operation left resources behind. `version` counts writes: each write
    requires the version that was read. `lease_until` keeps a second worker away.
    """

    id: str
    service_id: str
    plan_id: str
    organization_guid: str
    space_guid: str
    state: InstanceState
    operation: Operation
    tags: dict[str, str] = field(default_factory=dict)
    ses: SesParameters | None = None
    requested_ses: SesParameters | None = None
    privatelink: PrivateLinkParameters | None = None
    domain: str = ""
    generated: bool = False
    claimed: bool = False
    made: Made = Made()
    bindings: tuple[str, ...] = ()
    referrers: tuple[str, ...] = ()
    dirty: bool = False
    past: tuple[Past, ...] = ()
    lease_owner: str = ""
    lease_until: datetime | None = None
    version: int = 0

    @property
    def lost_domain(self) -> bool:
        """Whether the instance's domain was released: it may be another's by now, so nothing of it is touched."""
        return bool(self.domain) and not self.claimed

    @property
    def busy(self) -> bool:
        """Whether an operation is under way."""
        return self.operation.state is OperationState.IN_PROGRESS


@dataclass(frozen=True, slots=True, kw_only=True)
class BindRequest:
    """The normalised content of a bind request, without secrets: two equal requests are the same bind."""

    service_id: str
    plan_id: str
    notification_webhook: str = ""
    notification_email: str = ""
    notification_events: tuple[EventKind, ...] = ()
    notification_format: NotificationFormat = NotificationFormat.STANDARD_WEBHOOKS
    notification_scope: Scope = Scope.INSTANCE
    notification_batch: int = 1
    notification_batch_seconds: int = 0
    source_ips: tuple[str, ...] = ()
    privatelink_instance_id: str = ""
    predecessor_binding_id: str = ""
    rotate_secret: bool = False
    app_guid: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """A service binding.

    `request` is what was asked for, `effective` what applies after inheritance. `ciphertext` is KMS ciphertext
    (`BindingSecret`), present from state INTENT on. `busy_until` keeps a second bind or unbind of the same id away
    while one is in progress.
    """

    id: str
    instance_id: str
    state: BindingState
    request: BindRequest
    effective: BindRequest
    created_at: datetime
    webhook_id: str = ""
    email_webhook_id: str = ""
    shares_webhook: bool = False
    shares_email: bool = False
    ciphertext: bytes = field(default=b"", repr=False)
    busy_until: datetime | None = None
    version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BindingSecret:
    """The secret part of a binding.

    `asked_userinfo` ("user:password" or None) is what the bind request contained. `webhook_secret` and
    `webhook_userinfo` are what a bind under way gives its webhook, so that its repetition gives the same; once it is
    done, the webhook's own ciphertext alone says what signs. (Bindings of release 1.0.0 keep a copy that nothing
    reads.)
    """

    access_key_id: str = ""
    secret_access_key: str = field(default="", repr=False)
    webhook_secret: str = field(default="", repr=False)
    webhook_userinfo: str | None = field(default=None, repr=False)
    asked_userinfo: str | None = field(default=None, repr=False)
