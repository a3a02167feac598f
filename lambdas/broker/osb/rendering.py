"""What tenants see: effective parameters, credentials, and instructions on what is still to be done."""

from dataclasses import asdict, dataclass, field
from typing import Any

from lambdas.broker.instances.operator_dns import OperatorDns
from lambdas.broker.settings import BrokerSettings
from lambdas.domain import fips
from lambdas.domain.tenants import aws_names
from lambdas.domain.tenants.dns_records import as_json, as_line
from lambdas.domain.tenants.instance import BindingSecret, BindRequest, Instance
from lambdas.domain.tenants.smtp import SMTP_PORT, smtp_host, smtp_password
from lambdas.domain.webhooks.stored_webhook import StoredWebhook
from lambdas.domain.webhooks.webhook import NotificationFormat

PRIVATE_PORT = 2587  # STARTTLS; the port that SAP's sample uses
KEY_DELAY = "New credentials may be refused for up to a minute, until AWS knows them everywhere: try again."


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityStatus:
    """The present state. None: it could not be determined now."""

    verified: bool | None
    alerts_confirmed: bool | None


UNKNOWN = IdentityStatus(verified=None, alerts_confirmed=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected:
    """The input of a binding's credentials."""

    instance: Instance
    request: BindRequest
    user: str
    secret: BindingSecret
    webhook: StoredWebhook | None
    webhook_secret: str = field(default="", repr=False)  # that signs now; empty without a webhook
    hostname: str = ""  # of a privatelink instance


def instance_parameters(instance: Instance) -> dict[str, Any]:
    """The instance's effective parameters."""
    if instance.privatelink is not None:
        return {"serviceName": instance.privatelink.service_name}
    return _plain(asdict(instance.ses)) | {"domain": instance.domain} if instance.ses else {}


def binding_parameters(request: BindRequest, webhook: StoredWebhook | None) -> dict[str, Any]:
    """A binding's effective parameters, without secrets."""
    found: dict[str, Any] = {}
    if webhook is not None:
        settings = webhook.settings
        found |= {
            "notification_webhook": settings.url,
            "notification_events": [event.value for event in settings.events],
            "notification_format": settings.format.value,
            "notification_scope": settings.scope.value,
            "notification_batch": settings.batch,
            "notification_batch_seconds": settings.batch_seconds,
        }
    for name in ("notification_email", "privatelink_instance_id"):
        if value := getattr(request, name):
            found[name] = value
    return found | ({"source_ips": list(request.source_ips)} if request.source_ips else {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Renderer:
    """Renders credentials and instructions."""

    settings: BrokerSettings
    dns: OperatorDns

    def identity_arn(self, instance: Instance) -> str:
        """The ARN of the instance's identity."""
        return self._ses_arn(f"identity/{instance.domain}")

    def configuration_set_arn(self, instance: Instance) -> str:
        """The ARN of the instance's configuration set."""
        return self._ses_arn(f"configuration-set/{aws_names.configuration_set(instance.id)}")

    def credentials(self, connected: Connected, identity_status: IdentityStatus) -> dict[str, Any]:
        """The contract's credentials."""
        instance, secret, region = connected.instance, connected.secret, self.settings.region
        webhook = connected.webhook
        private = bool(connected.hostname)
        return {
            "smtp_server": connected.hostname or smtp_host(region, fips=fips.wanted(self.settings.fips, region)),
            "smtp_port": PRIVATE_PORT if private else SMTP_PORT,
            "smtp_user": secret.access_key_id,
            "smtp_password": smtp_password(secret.secret_access_key, region),
            "aws_access_key_id": secret.access_key_id,
            "aws_secret_access_key": secret.secret_access_key,
            "region": region,
            "domain": instance.domain,
            "identity_arn": self.identity_arn(instance),
            "domain_arn": self.identity_arn(instance),
            "configuration_set": aws_names.configuration_set(instance.id),
            "notification_webhook": webhook.settings.url if webhook else None,
            "notification_email": connected.request.notification_email or None,
            "webhook_secret": connected.webhook_secret or None,
            "required_records": self.required_records(instance),
            "instructions": self.instructions(connected, identity_status),
        }

    def required_records(self, instance: Instance) -> list[dict[str, str | int]]:
        """The DNS records that the tenant has to create; empty for a generated domain."""
        return (
            []
            if instance.generated or instance.lost_domain
            else [as_json(record) for record in self.dns.records(instance)]
        )

    def succeeded(self, instance: Instance) -> str:
        """The description of a successful provision: what the tenant has to do next."""
        if instance.privatelink is not None:
            return f"The endpoint is available as {instance.made.hostname}"
        paused = f"{instance.made.paused}\n" if instance.made.paused else ""
        if instance.generated:
            ready = "is verified" if paused else "is ready to send"
            return f"{paused}{instance.domain} {ready}. {self._confirm(instance)}"
        lines = "\n".join(as_line(record) for record in self.dns.records(instance))
        return (
            f"{paused}Created. Make these DNS records so that {instance.domain} can send (bindings hold them too):\n"
            f"{lines}\n"
            f"{self._confirm(instance)}"
        )

    def updated(self, before: Instance, after: Instance) -> str:
        """An update's description at its end: the DNS records and the confirmation that are due now."""
        parts = ["Updated.", self._changed_records(before, after)]
        if (
            before.ses
            and after.ses
            and (before.ses.admin_email != after.ses.admin_email or after.made.confirmation_withheld)
        ):
            parts.append(self._confirm(after))
        return " ".join(part for part in parts if part)

    def _changed_records(self, before: Instance, after: Instance) -> str:
        """What changes in the tenant's DNS; empty for a generated domain, whose records are changed already."""
        known, wanted = self.dns.records(before), self.dns.records(after)
        due = [record for record in wanted if record not in known]
        if after.generated or not due:
            return ""
        names = {(record.name, record.type) for record in due}
        stale = [record for record in known if record not in wanted and (record.name, record.type) not in names]
        lines = [f"Make or replace these DNS records of {after.domain}:", *map(as_line, due)]
        lines += ["These DNS records are no longer needed:", *map(as_line, stale)] if stale else []
        return "\n" + "\n".join(lines) + "\n"

    def instructions(self, connected: Connected, identity_status: IdentityStatus) -> str:
        """The instructions: what is still to be done."""
        parts = [
            self._records(connected.instance, identity_status),
            "" if identity_status.alerts_confirmed else self._confirm(connected.instance),
            self._webhook(connected),
            self._email(connected.request),
            KEY_DELAY,
        ]
        return " ".join(part for part in parts if part)

    def _records(self, instance: Instance, identity_status: IdentityStatus) -> str:
        if instance.lost_domain:
            return f"The domain {instance.domain} was released from this service instance: delete the instance."
        if identity_status.verified:
            return f"{instance.domain} is verified and can send."
        if instance.generated:
            return f"The DNS records of {instance.domain} are made for you; there is nothing to do in DNS."
        return (
            f"{instance.domain} needs the DNS records listed in required_records; make them where it is managed. "
            "Amazon SES looks for them by itself, mostly within minutes, at most for 72 hours; until it has seen the "
            "DKIM records, sending is refused."
        )

    def _confirm(self, instance: Instance) -> str:
        if instance.made.confirmation_withheld:
            return (
                f"{instance.made.alert_email} was not sent a confirmation mail: no more could be sent to it that day. "
                "Update the service instance with the same admin_email after midnight UTC, or ask the operator; until "
                "then alarms reach nobody."
            )
        return (
            f"{instance.made.alert_email} gets a mail from AWS Notifications whose link has to be opened, or alarms "
            "reach nobody."
        )

    def _webhook(self, connected: Connected) -> str:
        webhook = connected.webhook
        if webhook is None:
            return ""
        parts = []
        if connected.instance.ses and not connected.instance.ses.enable_feedback_notifications:
            parts.append(
                "Notifications are off: update the service instance with enable_feedback_notifications set to true to "
                "have events sent to the webhook."
            )
        if webhook.settings.batch > 1:
            parts.append(f"Every request is a batch of 1 to {webhook.settings.batch} events.")
        if webhook.settings.format is not NotificationFormat.SNS:
            parts.append("Verify each request's signature with webhook_secret (https://www.standardwebhooks.com).")
        if webhook.test_status is None:
            parts.append("A webhook.test event is on its way; fetch the binding to see how it went.")
        else:
            parts.append(f"The webhook's last test, at {webhook.test_at}: {webhook.test_status}.")
        return " ".join(parts)

    def _email(self, request: BindRequest) -> str:
        if not request.notification_email:
            return ""
        return f"{request.notification_email} gets a confirmation mail too, for the digests of notification_email."

    def _ses_arn(self, resource: str) -> str:
        return f"arn:{self.settings.partition}:ses:{self.settings.region}:{self.settings.account}:{resource}"


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
