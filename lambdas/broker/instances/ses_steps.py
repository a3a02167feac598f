"""The steps that create and remove the resources of an `aws-ses` instance."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from lambdas.broker.instances.domain_claims import DomainClaims
from lambdas.broker.instances.domain_release import DomainRelease
from lambdas.broker.instances.earlier_pauses import EarlierPauses
from lambdas.broker.instances.operator_dns import OperatorDns
from lambdas.broker.instances.webhook_update import WebhookUpdate
from lambdas.broker.operations.engine import OperationStep, StepDone, StepOutcome, StepRefused, StepWaiting
from lambdas.broker.ports import ControlPlane, InstanceWebhooks, Topics, Zone
from lambdas.domain.tenants import aws_names
from lambdas.domain.tenants.aws_names import INSTANCE_TAG
from lambdas.domain.tenants.domain_names import is_under
from lambdas.domain.tenants.instance import Instance, OperationKind, SesParameters

VERIFY_EVERY = 15.0  # s: SES checks DKIM records every few minutes, and polling uses the rate of one call a second
LOOK_AGAIN = 5.0  # s between batches of checks of related domains
RELATED = "{domain} cannot be used: another organization has verified a domain above or below it"
VERIFYING = "Waiting for Amazon SES to verify the domain"


@dataclass(frozen=True, slots=True, kw_only=True)
class SesSteps:
    """Gives an instance's steps, wired to what they work on. *topic_arn_prefix*: a topic's ARN without its name."""

    claims: DomainClaims
    release: DomainRelease
    pauses: EarlierPauses
    ses: ControlPlane
    topics: Topics
    zone: Zone | None
    webhooks: InstanceWebhooks
    webhook_update: WebhookUpdate
    dns: OperatorDns
    event_topic_arn: str
    topic_arn_prefix: str
    clock: Callable[[], datetime]

    def __call__(self, instance: Instance) -> Sequence[OperationStep]:
        """The steps, in the order in which they are made; an update's are those that can change."""
        if instance.operation.kind is OperationKind.RELEASE:
            return self.release.steps()
        notifications = OperationStep(
            "notifications", "Setting up notifications", self._ensure_notifications, self._remove_notifications
        )
        mail_from = OperationStep("mail from", "Setting the MAIL FROM domain", self._ensure_mail_from)
        alerts = OperationStep("alerts", "Setting up the alerts", self._ensure_alerts, self._remove_alerts)
        records = OperationStep("records", "Creating the DNS records", self._ensure_records, self._remove_records)
        generated = instance.generated and self.zone is not None
        if instance.operation.kind is OperationKind.UPDATE:
            webhooks = OperationStep("webhooks", "Changing the webhooks", self.webhook_update.run)
            return (notifications, mail_from, alerts, *([records] if generated else []), webhooks)
        return (
            OperationStep("domain claim", "Claiming the domain", self._ensure_claim),
            notifications,
            OperationStep(
                "earlier pause", "Looking for an earlier pause of the domain", self.pauses.begin, self.pauses.keep
            ),
            OperationStep("configuration set", "Creating the configuration set", self._ensure_set, self._remove_set),
            OperationStep("event destination", "Connecting the feedback events", self._ensure_destination),
            OperationStep("identity", "Creating the domain's identity", self._ensure_identity, self._remove_identity),
            mail_from,
            alerts,
            *([records, OperationStep("verification", VERIFYING, self._ensure_verification)] if generated else []),
        )

    def _ensure_claim(self, instance: Instance) -> StepOutcome:
        """The claim itself is written with the instance; here those above and below it are looked at in full."""
        found = self.claims.related(instance, now=self.clock())
        if found.blocked:
            return StepRefused(RELATED.format(domain=instance.domain))
        return StepWaiting(LOOK_AGAIN, "Checking related domains") if found.unknown else StepDone()

    def _ensure_notifications(self, instance: Instance) -> StepOutcome:
        operation = instance.operation
        self.webhooks.set_notifications(
            instance.id,
            enabled=_ses(instance).enable_feedback_notifications,
            domain=instance.domain,
            organization=instance.organization_guid,
            created_at=operation.started_at if operation.kind is OperationKind.PROVISION else None,
        )
        return StepDone()

    def _remove_notifications(self, instance: Instance) -> StepOutcome:
        self.webhooks.retire_instance(
            instance.id,
            domain=instance.domain,
            organization=instance.organization_guid,
            now=instance.operation.started_at,
        )
        return StepDone()

    def _ensure_set(self, instance: Instance) -> StepOutcome:
        name, sending = aws_names.configuration_set(instance.id), not instance.made.paused
        self.ses.ensure_configuration_set(name, tags(instance), sending=sending)
        return StepDone()

    def _remove_set(self, instance: Instance) -> StepOutcome:
        self.ses.remove_configuration_set(aws_names.configuration_set(instance.id), instance.id)
        return StepDone()

    def _ensure_destination(self, instance: Instance) -> StepOutcome:
        """Always exists, even without webhooks: reputation depends on it. It is deleted with its configuration set."""
        self.ses.ensure_event_destination(aws_names.configuration_set(instance.id), self.event_topic_arn)
        return StepDone()

    def _ensure_identity(self, instance: Instance) -> StepOutcome:
        dkim = self.ses.ensure_identity(instance.domain, aws_names.configuration_set(instance.id), tags(instance))
        if not dkim.tokens:
            return StepWaiting(VERIFY_EVERY, "Waiting for Amazon SES to make the DKIM tokens")
        return StepDone({"dkim_tokens": tuple(dkim.tokens), "dkim_zone": dkim.zone})

    def _remove_identity(self, instance: Instance) -> StepOutcome:
        self.ses.remove_identity(instance.domain, instance.id)
        return StepDone()

    def _ensure_mail_from(self, instance: Instance) -> StepOutcome:
        """It goes with its identity. A new identity has none, and an update may leave it as it is."""
        provision = instance.operation.kind is OperationKind.PROVISION
        if mail_from(instance) if provision else instance.operation.changes_mail_from:
            self.ses.set_mail_from(instance.domain, mail_from(instance))
        return StepDone()

    def _ensure_alerts(self, instance: Instance) -> StepOutcome:
        email = _ses(instance).admin_email
        arn = self.topics.ensure(aws_names.alert_topic(instance.id), tags(instance))
        asked = self.topics.subscribe(arn, email, organization=instance.organization_guid)
        return StepDone({"alert_topic_arn": arn, "alert_email": email, "confirmation_withheld": not asked})

    def _remove_alerts(self, instance: Instance) -> StepOutcome:
        self.topics.remove(self.topic_arn_prefix + aws_names.alert_topic(instance.id), instance.id)
        return StepDone()

    def _ensure_records(self, instance: Instance) -> StepOutcome:
        zone = _zone(self.zone)
        wanted = self.dns.records(instance)
        zone.upsert(wanted)
        if instance.operation.kind is OperationKind.UPDATE:
            zone.remove(instance.domain, keep=wanted)
        return StepDone()

    def _remove_records(self, instance: Instance) -> StepOutcome:
        _zone(self.zone).remove(instance.domain)
        return StepDone()

    def _ensure_verification(self, instance: Instance) -> StepOutcome:
        identity = self.ses.identity(instance.domain)
        if identity is None or identity.failed:
            return StepRefused("Amazon SES could not verify the generated domain; ask the operator to look at the zone")
        return StepDone() if identity.verified else StepWaiting(VERIFY_EVERY, VERIFYING)


def in_operators_zone(domain: str, zone: str) -> bool:
    """Whether *domain* is, is in, or is above the operator's own zone."""
    return bool(zone) and (is_under(domain, zone) or is_under(zone, domain))


def tags(instance: Instance) -> dict[str, str]:
    """The tags of all that is made for the instance: whose it is, and what the platform said of it."""
    return {INSTANCE_TAG: aws_names.tag_value(instance.id), **instance.tags}


def mail_from(instance: Instance) -> str:
    """The full MAIL FROM domain, or empty."""
    subdomain = _ses(instance).mail_from_subdomain
    return f"{subdomain}.{instance.domain}" if subdomain else ""


def _ses(instance: Instance) -> SesParameters:
    if instance.ses is None:
        raise TypeError(f"instance {instance.id} is none of aws-ses")
    return instance.ses


def _zone(zone: Zone | None) -> Zone:
    if zone is None:
        raise TypeError("no zone is configured")
    return zone
