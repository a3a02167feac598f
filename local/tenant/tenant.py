"""A tenant of the stack: an instance, a binding, and mail sent with the binding's credentials."""

import smtplib
import ssl
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any

import httpx

from local.clients import Clients
from ops.deployment.osb import Broker, BrokerRefused


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailbox:
    """Sends mail as a bound application does. `facts` is `stack.json`; `credentials` are the binding's."""

    facts: Mapping[str, Any]
    credentials: Mapping[str, Any]

    @property
    def sender(self) -> str:
        """An address of the bound domain."""
        return f"app@{self.credentials['domain']}"

    def send(self, *recipients: str, subject: str = "Hello", sender: str | None = None) -> str:
        """Send by SES v2's API with the bound key; SES's message id."""
        credentials = self.credentials
        clients = Clients(self.facts["aws_endpoint_url"], credentials["region"])
        ses = clients.client("sesv2", key=credentials["aws_access_key_id"], secret=credentials["aws_secret_access_key"])
        answer = ses.send_email(
            FromEmailAddress=sender or self.sender,
            Destination={"ToAddresses": list(recipients)},
            Content={"Simple": {"Subject": {"Data": subject}, "Body": {"Text": {"Data": "Sent by the API."}}}},
            ConfigurationSetName=credentials["configuration_set"],
        )
        return str(answer["MessageId"])

    def send_by_smtp(self, *recipients: str, subject: str = "Hello") -> str:
        """Send by SMTP with the bound user and password; SES's message id.

        The bound host is AWS's, so the connection goes to the listener here instead. The mail names no configuration
        set: its identity's default is used.
        """
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = self.sender, ", ".join(recipients), subject
        mail.set_content("Sent by SMTP.")
        with smtplib.SMTP(self.facts["smtp_host"], self.facts["smtp_port"], timeout=30) as smtp:
            smtp.starttls(context=_trusting())
            smtp.login(self.credentials["smtp_user"], self.credentials["smtp_password"])
            smtp.mail(self.sender)
            for recipient in recipients:
                smtp.rcpt(recipient)
            code, answer = smtp.data(mail.as_bytes())
        if code != 250:
            raise smtplib.SMTPDataError(code, answer)
        return answer.decode().removeprefix("Ok ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """An instance of `aws-ses` with one binding."""

    broker: Broker
    instance_id: str
    binding_id: str
    mailbox: Mailbox

    @property
    def credentials(self) -> Mapping[str, Any]:
        """The binding's credentials."""
        return self.mailbox.credentials

    @property
    def secret(self) -> str:
        """The webhook's secret."""
        return str(self.credentials["webhook_secret"])

    def leave(self) -> None:
        """Unbind and deprovision."""
        self.broker.unbind(self.instance_id, self.binding_id)
        self.broker.deprovision(self.instance_id)

    def leave_if_there(self) -> None:
        """Unbind and deprovision, unless already done."""
        for step in (
            lambda: self.broker.unbind(self.instance_id, self.binding_id),
            lambda: self.broker.deprovision(self.instance_id),
        ):
            try:
                step()
            except BrokerRefused as refused:
                if refused.status != httpx.codes.GONE:
                    raise


def new_tenant(
    facts: Mapping[str, Any],
    broker: Broker,
    webhook: str,
    *,
    events: Sequence[str] = (),
    provision: Mapping[str, Any] | None = None,
    bind: Mapping[str, Any] | None = None,
) -> Tenant:
    """Provision an instance in the operator's zone and bind it to *webhook*; more parameters as given."""
    instance_id, binding_id = str(uuid.uuid4()), str(uuid.uuid4())
    parameters = {"admin_email": "admin@shop.example", "enable_feedback_notifications": True}
    broker.provision(instance_id, parameters | dict(provision or {}))
    wanted: dict[str, Any] = {"notification_webhook": webhook} | (
        {"notification_events": list(events)} if events else {}
    )
    credentials = broker.bind(instance_id, binding_id, wanted | dict(bind or {}))
    mailbox = Mailbox(facts=facts, credentials=credentials)
    return Tenant(broker=broker, instance_id=instance_id, binding_id=binding_id, mailbox=mailbox)


def _trusting() -> ssl.SSLContext:
    """TLS to the listener on this machine, whose certificate is self-made."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
