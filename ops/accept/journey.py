"""The acceptance journey: what a platform, a tenant and an operator do, on a deployed stack, step by step.

Every step raises StepFailed with what was seen instead. What the journey made is removed at the end, whatever happened,
and what an earlier run left is removed at the beginning: its instances are remembered in a file.
"""

import json
import smtplib
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from lambdas.domain.tenants.aws_names import configuration_set
from ops.accept.mail import SmtpServer, by_api, by_smtp
from ops.accept.receiver import Arrived, Receiver
from ops.deployment.osb import Broker, BrokerRefused, OperationFailed
from ops.deployment.tools import Tools
from ops.doctor.account import Account
from ops.reputation.sending_status import ActionRefused, Operator
from ops.webhooks.replay import send_again

T = TypeVar("T")
SIMULATOR = "simulator.amazonses.com"
ADMIN = f"success@{SIMULATOR}"  # never bounces, and its mail counts in no rate
NOT_YET = ("InvalidClientTokenId", "SignatureDoesNotMatch", "AccessDenied", "AccessDeniedException")
PATIENCE = 120.0  # s: SES's simulator answers within seconds; IAM's keys take up to a minute
POLL = 1.0
HOUR = timedelta(hours=1)


class StepFailed(Exception):
    """A step did not do what it must; the message says what was seen."""


@dataclass(kw_only=True)
class Journey:
    """One run. `remembered` is a file with instances not removed yet; `enforces`: this AWS enforces IAM policies."""

    account: Account
    broker: Broker
    receiver: Receiver
    operator: Operator
    remembered: Path
    smtp: SmtpServer | None
    domain: str
    enforces: bool
    patience: float = PATIENCE
    instance: str = field(default_factory=lambda: str(uuid.uuid4()))
    bindings: list[str] = field(default_factory=list)
    credentials: dict[str, Any] = field(default_factory=dict)

    def steps(self) -> Iterator[tuple[str, Callable[[], object]]]:
        """The steps, in order, each with its name."""
        yield "the broker offers aws-ses", self._catalog
        yield "an instance is provisioned", self._provision
        yield "a binding is made", self._bind
        yield "the webhook's test arrives, signed", lambda: self._await("webhook.test")
        yield "SMTP mail to success@ is delivered", self._smtp
        yield "API mail to bounce@ bounces", lambda: self._api("bounce", "email.bounced")
        yield "API mail to complaint@ is complained of", lambda: self._api("complaint", "email.complained")
        yield "the webhook and admin_email are updated", self._update
        yield "credentials rotate with a predecessor", self._rotate
        yield "a replay sends the same webhook-id again", self._replay
        yield "a pause stops mail", self._pause
        yield "a resumption allows mail", self._resume
        if self.enforces:
            yield "a key is refused from another network", self._source_ips
            yield "another domain's From is refused, by API and by SMTP", self._foreign_sender
        if self._offers("privatelink"):
            yield "a private endpoint is made and removed", self._privatelink
        yield "the instance is unbound and deprovisioned", self._leave
        yield "nothing is left in SES and IAM", self._nothing_left

    # the platform

    def _catalog(self) -> None:
        if not self._offers("aws-ses"):
            raise StepFailed("the catalog has no service aws-ses")

    def _offers(self, service: str) -> bool:
        return any(f"{one['name']}-".startswith(f"{service}-") for one in self.broker.catalog["services"])

    def _provision(self) -> None:
        self._remember(self.instance)
        domain = {"domain": self.domain} if self.domain else {}
        self.broker.provision(self.instance, {"admin_email": ADMIN, "enable_feedback_notifications": True, **domain})

    def _bind(self) -> None:
        self.credentials = self._new_binding({"notification_webhook": self.receiver.url})

    def _new_binding(self, parameters: Mapping[str, Any], predecessor: str | None = None) -> dict[str, Any]:
        binding = str(uuid.uuid4())
        self.bindings.append(binding)
        return self.broker.bind(self.instance, binding, dict(parameters), predecessor=predecessor)

    def _update(self) -> None:
        events = ["bounce", "complaint", "delivery", "reject"]
        self.broker.update(
            self.instance,
            {"admin_email": f"success+2@{SIMULATOR}", "bindings": {self.bindings[0]: {"notification_events": events}}},
        )
        found = self.broker.binding(self.instance, self.bindings[0])
        if (actual := found["parameters"].get("notification_events")) != events:
            raise StepFailed(f"the binding has notification_events {actual}")

    def _rotate(self) -> None:
        credentials = self._new_binding({}, predecessor=self.bindings[0])
        if credentials["webhook_secret"] != self.credentials["webhook_secret"]:
            raise StepFailed("the successor has another webhook secret")
        self.broker.unbind(self.instance, self.bindings.pop(0))
        self.credentials = credentials
        self._api("success", "email.delivered")

    # the tenant

    def _smtp(self) -> None:
        self._until_known(lambda: by_smtp(self.credentials, f"success@{SIMULATOR}", server=self.smtp))
        self._await("email.delivered")

    def _api(self, mailbox: str, wanted: str) -> None:
        message_id = self._until_known(lambda: by_api(self.credentials, f"{mailbox}@{SIMULATOR}"))
        self._await(wanted, message_id)

    def _source_ips(self) -> None:
        credentials = self._new_binding({"source_ips": ["192.0.2.1"]})
        time.sleep(15)  # s: until the key is known everywhere, so that the policy refuses it and nothing else
        self._refused(lambda: by_api(credentials, f"success@{SIMULATOR}"), "a key bound to 192.0.2.1 sent from here")
        self.broker.unbind(self.instance, self.bindings.pop())

    def _foreign_sender(self) -> None:
        sender = f"accept@{_other(self.credentials['domain'])}"
        envelope = f"accept@{self.credentials['domain']}"
        to = f"success@{SIMULATOR}"
        self._refused(lambda: by_api(self.credentials, to, sender=sender), f"the API sent as {sender}")
        self._refused(lambda: by_smtp(self.credentials, to, server=self.smtp, sender=sender), f"SMTP sent as {sender}")
        self._refused(
            lambda: by_smtp(self.credentials, to, server=self.smtp, sender=sender, envelope=envelope),
            f"SMTP sent with From {sender}",
        )

    def _privatelink(self) -> None:
        link = str(uuid.uuid4())
        self._remember(link)
        service = f"com.amazonaws.{self.account.region}.email-smtp"
        self.broker.provision(link, {"serviceName": service}, service="privatelink")
        self.broker.deprovision(link, service="privatelink")
        self._forget(link)

    # the operator

    def _replay(self) -> None:
        sent = [one.id for one in self._arrived() if one.body and one.body["type"] == "email.bounced"]
        now = datetime.now(UTC)
        _, chosen = send_again(Tools(self.account.deployed), self.bindings[0], since=now - HOUR, id_=sent[0], now=now)
        if not chosen:
            raise StepFailed(f"{sent[0]} is not kept for replay")
        self._eventually(lambda: [one.id for one in self._arrived()].count(sent[0]) > 1, "it did not arrive again")

    def _pause(self) -> None:
        self._act(self.operator.pause)
        self._eventually(lambda: self._paused(), "mail is still accepted")

    def _resume(self) -> None:
        self._eventually(lambda: self._acted(self.operator.resume), "the pause could not be ended")
        self._until_known(lambda: by_api(self.credentials, f"success@{SIMULATOR}"), also=("paused", "Paused"))

    def _act(self, action: Callable[..., object]) -> None:
        action(self.instance, why="acceptance test", now=datetime.now(UTC))

    def _acted(self, action: Callable[..., object]) -> bool:
        with suppress(ActionRefused):
            self._act(action)
            return True
        return False

    def _paused(self) -> bool:
        try:
            by_api(self.credentials, f"success@{SIMULATOR}")
        except ClientError as error:
            return "paused" in str(error).lower()
        return False

    # the end

    def _leave(self) -> None:
        while self.bindings:
            self.broker.unbind(self.instance, self.bindings.pop())
        self.broker.deprovision(self.instance)
        self._forget(self.instance)

    def _nothing_left(self) -> None:
        ses, iam = self.account.client("sesv2"), self.account.client("iam")
        user = self.credentials["smtp_user"]
        with _gone("the configuration set"):
            ses.get_configuration_set(ConfigurationSetName=configuration_set(self.instance))
        with _gone("the identity"):
            ses.get_email_identity(EmailIdentity=self.credentials["domain"])
        keys = [key for one in _users(iam) for key in iam.list_access_keys(UserName=one)["AccessKeyMetadata"]]
        if any(key["AccessKeyId"] == user for key in keys):
            raise StepFailed("the binding's key still exists")

    def clean_up(self) -> list[str]:
        """Remove what this run or an earlier one left; the ids of what could not be removed."""
        left = []
        for instance in self._known():
            try:
                self._remove(instance)
                self._forget(instance)
            except (BrokerRefused, OperationFailed):
                left.append(instance)
        return left

    def _remove(self, instance: str) -> None:
        for binding in self.bindings if instance == self.instance else ():
            with suppress(BrokerRefused):
                self.broker.unbind(instance, binding)
        for service in ("aws-ses", "privatelink"):
            with suppress(StopIteration):
                try:
                    self.broker.deprovision(instance, service=service)
                except BrokerRefused as refused:
                    if refused.status not in (400, 410):  # of the other service, or gone
                        raise

    def _known(self) -> list[str]:
        found: list[str] = json.loads(self.remembered.read_text()) if self.remembered.exists() else []
        return found

    def _remember(self, instance: str) -> None:
        self.remembered.parent.mkdir(parents=True, exist_ok=True)
        self.remembered.write_text(json.dumps([*self._known(), instance]))

    def _forget(self, instance: str) -> None:
        self.remembered.write_text(json.dumps([one for one in self._known() if one != instance]))

    # waiting

    def _await(self, type_: str, message_id: str = "") -> None:
        self._eventually(lambda: any(_is(one, type_, message_id) for one in self._arrived()), f"no {type_} arrived")

    def _arrived(self) -> list[Arrived]:
        return self.receiver.arrived(self.credentials["webhook_secret"])

    def _until_known(self, send: Callable[[], T], *, also: tuple[str, ...] = ()) -> T:
        """Send again while IAM does not know a new key everywhere, or while an answer holds one of *also*."""
        end = time.monotonic() + self.patience
        while True:
            try:
                return send()
            except (ClientError, smtplib.SMTPException) as error:
                temporary = isinstance(error, smtplib.SMTPAuthenticationError) or _code(error) in NOT_YET
                if time.monotonic() > end or not (temporary or any(word in str(error) for word in also)):
                    raise StepFailed(f"{type(error).__name__}: {error}") from error
                time.sleep(POLL)

    def _refused(self, send: Callable[[], object], otherwise: str) -> None:
        try:
            send()
        except (ClientError, smtplib.SMTPException):
            return
        raise StepFailed(otherwise)

    def _eventually(self, holds: Callable[[], bool], otherwise: str) -> None:
        end = time.monotonic() + self.patience
        while not holds():
            if time.monotonic() > end:
                raise StepFailed(f"{otherwise} within {self.patience:.0f} s")
            time.sleep(POLL)


def _is(arrived: Arrived, type_: str, message_id: str) -> bool:
    body = arrived.body or {}
    return body.get("type") == type_ and (not message_id or body["data"]["message_id"] == message_id)


def _code(error: Exception) -> str:
    return str(error.response["Error"]["Code"]) if isinstance(error, ClientError) else ""


def _other(domain: str) -> str:
    """A sibling of a generated domain, and for any other a domain that nobody verified here."""
    return f"not-{domain}"


def _users(iam: Any) -> Iterator[str]:
    for page in iam.get_paginator("list_users").paginate(PathPrefix="/cf/"):
        yield from (user["UserName"] for user in page["Users"])


@contextmanager
def _gone(what: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if _code(error) != "NotFoundException":
            raise
        return
    raise StepFailed(f"{what} still exists")
