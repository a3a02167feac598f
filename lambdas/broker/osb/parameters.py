"""The parameters of DESIGN's contract, from untrusted JSON to values: each error names its field and the remedy."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import idna

from lambdas.broker.osb.errors import BadParameter, ChangeUnsupported
from lambdas.broker.osb.json_fields import Fields
from lambdas.domain.tenants.domain_names import MAX_LENGTH, is_domain, is_label
from lambdas.domain.tenants.instance import BindRequest, PrivateLinkParameters, SesParameters
from lambdas.domain.webhooks.address_rules import AddressRules, BadUrl
from lambdas.domain.webhooks.batch import MAX_BATCH, MAX_GATHERING
from lambdas.domain.webhooks.webhook import WEBHOOK_FORMATS, EventKind, NotificationFormat, Scope
from lambdas.domain.webhooks.webhook_url import MAX_URL, checked_url

WEBHOOK_FIELDS = (
    "notification_webhook",
    "notification_events",
    "notification_format",
    "notification_scope",
    "notification_batch",
    "notification_batch_seconds",
)
UPDATE_FIELDS = (
    "admin_email",
    "mail_from_subdomain",
    "dmarc_report_aggregate_recipients",
    "dmarc_report_failure_recipients",
    "enable_feedback_notifications",
)
BIND_FIELDS = (
    *WEBHOOK_FIELDS,
    "notification_email",
    "notification_rotate_secret",
    "source_ips",
    "privatelink_instance_id",
    "predecessor_binding_id",
)
_WITHOUT_BATCHES = {  # why a format carries one event a request
    NotificationFormat.SNS: "an SNS envelope holds one message",
    NotificationFormat.CLOUDEVENTS_BINARY: "CloudEvents over HTTP has batches in its structured form only",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookRules:
    """Which webhooks this operator lets tenants name."""

    addresses: AddressRules
    private_names: bool

    def checked(self, url: str) -> tuple[str, str | None]:
        """The URL without its userinfo, and the userinfo. Raises BadUrl."""
        return checked_url(url, self.addresses, private_names=self.private_names)


@dataclass(frozen=True, slots=True, kw_only=True)
class BindParameters:
    """A bind's parameters. `given` names the fields that were there; `userinfo` is the webhook's, and secret."""

    request: BindRequest
    given: frozenset[str] = frozenset()
    userinfo: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateParameters:
    """What an update changes: an instance's parameters as they are to be, and bindings' webhooks by binding id."""

    ses: SesParameters
    bindings: Mapping[str, Fields]


def provision_ses(values: Mapping[str, Any]) -> SesParameters:
    """The parameters of a new `aws-ses` instance. Raises BadParameter."""
    fields = Fields(values)
    fields.only((*UPDATE_FIELDS, "domain"))
    if not fields.has("admin_email"):
        raise BadParameter("admin_email", "is required: the address that is told of bounces and complaints")
    known = SesParameters(admin_email=fields.email("admin_email"))
    if fields.has("domain"):
        known = replace(known, domain=_domain(fields))
    return _changed(known, fields)


def update_ses(values: Mapping[str, Any], *, current: SesParameters, domain: str) -> UpdateParameters:
    """The parameters of an instance, changed. *domain* is the one in use. Raises BadParameter, ChangeUnsupported."""
    fields = Fields(values)
    fields.only((*UPDATE_FIELDS, "domain", "bindings"))
    if fields.has("domain") and _domain(fields) not in (current.domain, domain):
        raise ChangeUnsupported("domain: cannot be changed; create a service instance for the other domain")
    return UpdateParameters(ses=_changed(current, fields), bindings=_bindings(fields))


def provision_privatelink(values: Mapping[str, Any], *, offered: str) -> PrivateLinkParameters:
    """The parameters of a new `privatelink` instance, of the region's one service. Raises BadParameter."""
    fields = Fields(values)
    fields.only(("serviceName",))
    remedy = f"must be {offered}, the only one this platform reaches"
    if not fields.has("serviceName"):
        raise BadParameter("serviceName", f"is required and {remedy}")
    if fields.values["serviceName"] != offered:
        raise BadParameter("serviceName", remedy)
    return PrivateLinkParameters(service_name=offered)


def bind_ses(values: Mapping[str, Any], base: BindRequest, *, rules: WebhookRules) -> BindParameters:
    """The parameters of a bind over *base* (ids, or what a predecessor had). Raises BadParameter."""
    fields = Fields(values)
    fields.only(BIND_FIELDS)
    request, userinfo = _webhook(fields, base, rules)
    if fields.has("notification_email"):
        request = replace(request, notification_email=fields.email("notification_email"))
    if fields.has("notification_rotate_secret"):
        request = replace(request, rotate_secret=fields.truth("notification_rotate_secret"))
    if fields.has("predecessor_binding_id"):
        request = replace(request, predecessor_binding_id=_predecessor(fields, base))
    if fields.has("source_ips"):
        request = replace(request, source_ips=fields.networks("source_ips"))
    if fields.has("privatelink_instance_id"):
        link = fields.text("privatelink_instance_id", what="the guid of a privatelink service instance", longest=50)
        request = replace(request, privatelink_instance_id=link)
    if request.source_ips and request.privatelink_instance_id:
        raise BadParameter(
            "source_ips", "cannot go with privatelink_instance_id: through an endpoint IAM sees no public address"
        )
    return BindParameters(request=request, given=frozenset(values), userinfo=userinfo)


def _predecessor(fields: Fields, base: BindRequest) -> str:
    """The binding to succeed: Cloud Foundry does not send OSB's own field, so it may be a parameter."""
    found = fields.text("predecessor_binding_id", what="the guid of a binding of this service instance", longest=50)
    if base.predecessor_binding_id not in ("", found):
        raise BadParameter("predecessor_binding_id", "differs from the request's own predecessor_binding_id")
    return found


def change_webhook(fields: Fields, base: BindRequest, *, rules: WebhookRules) -> BindParameters:
    """A webhook's parameters, changed by `bindings.<id>` of an update. Raises BadParameter, ChangeUnsupported."""
    if fields.has("source_ips"):
        raise ChangeUnsupported(f"{fields.name('source_ips')}: belongs to the credentials; rebind to change it")
    if fields.has("notification_email"):
        raise ChangeUnsupported(f"{fields.name('notification_email')}: cannot be changed; rebind to change it")
    fields.only(WEBHOOK_FIELDS)
    request, userinfo = _webhook(fields, base, rules)
    return BindParameters(request=request, given=frozenset(fields.values), userinfo=userinfo)


def _changed(known: SesParameters, fields: Fields) -> SesParameters:
    changes: dict[str, Any] = {}
    if fields.has("admin_email"):
        changes["admin_email"] = fields.email("admin_email")
    if fields.has("mail_from_subdomain"):
        changes["mail_from_subdomain"] = _subdomain(fields)
    for name in ("dmarc_report_aggregate_recipients", "dmarc_report_failure_recipients"):
        if fields.has(name):
            changes[name] = fields.emails(name)
    if fields.has("enable_feedback_notifications"):
        changes["enable_feedback_notifications"] = fields.truth("enable_feedback_notifications")
    return replace(known, **changes)


def _domain(fields: Fields) -> str:
    if fields.values["domain"] == "":
        return ""
    text = fields.text("domain", what="a domain", longest=MAX_LENGTH + 1).strip().removesuffix(".")
    try:
        name = idna.encode(text, uts46=True).decode().lower()
    except idna.IDNAError:
        name = ""
    if not is_domain(name):
        raise BadParameter("domain", "must be a domain that you hold, such as agency.gov, or empty to get one made")
    return name


def _subdomain(fields: Fields) -> str:
    if fields.values["mail_from_subdomain"] == "":
        return ""
    text = fields.text("mail_from_subdomain", what="a name", longest=MAX_LENGTH).strip().lower()
    if not all(map(is_label, text.split("."))):
        raise BadParameter("mail_from_subdomain", "must be what stands before the domain, such as bounce, or empty")
    return text


def _webhook(fields: Fields, base: BindRequest, rules: WebhookRules) -> tuple[BindRequest, str | None]:
    changes: dict[str, Any] = {}
    userinfo = None
    if fields.has("notification_webhook"):
        url = fields.text("notification_webhook", what="an https URL", longest=MAX_URL)
        try:
            changes["notification_webhook"], userinfo = rules.checked(url)
        except BadUrl as problem:
            raise BadParameter(fields.name("notification_webhook"), str(problem)) from None
    if fields.has("notification_events"):
        changes["notification_events"] = fields.choices("notification_events", EventKind)
    if fields.has("notification_format"):
        changes["notification_format"] = fields.choice("notification_format", WEBHOOK_FORMATS)
    if fields.has("notification_scope"):
        changes["notification_scope"] = fields.choice("notification_scope", Scope)
    if fields.has("notification_batch"):
        changes["notification_batch"] = fields.whole_number("notification_batch", least=1, most=MAX_BATCH)
    if fields.has("notification_batch_seconds"):
        changes["notification_batch_seconds"] = fields.whole_number(
            "notification_batch_seconds", least=0, most=MAX_GATHERING
        )
    request = replace(base, **changes)
    _check_batch(fields, request)
    return request, userinfo


def _check_batch(fields: Fields, request: BindRequest) -> None:
    """Refuse batches in a format that has none; the field that is refused is the one that was given."""
    name, reason = request.notification_format.value, _WITHOUT_BATCHES.get(request.notification_format)
    if request.notification_batch == 1 or reason is None:
        return
    if fields.has("notification_batch"):
        raise BadParameter(fields.name("notification_batch"), f"must be 1 with notification_format {name}: {reason}")
    raise BadParameter(
        fields.name("notification_format"), f"cannot be {name} with a notification_batch above 1: {reason}"
    )


def check_needed(given: frozenset[str], request: BindRequest) -> None:
    """Refuse what says how to notify where nobody is notified. *request* is in force: inherited parts included."""
    if request.notification_webhook:
        return
    for name in ("notification_format", "notification_scope", "notification_batch", "notification_batch_seconds"):
        if name in given:
            raise BadParameter(name, "needs a notification_webhook beside it")
    if "notification_events" in given and not request.notification_email:
        raise BadParameter("notification_events", "needs a notification_webhook or a notification_email beside it")


def check_mail_from(ses: SesParameters, domain: str) -> None:
    """Refuse a MAIL FROM domain that is none, taken as a whole."""
    if ses.mail_from_subdomain and not is_domain(f"{ses.mail_from_subdomain}.{domain}"):
        raise BadParameter("mail_from_subdomain", "is too long for the domain")


def _bindings(fields: Fields) -> dict[str, Fields]:
    if not fields.has("bindings"):
        return {}
    value = fields.values["bindings"]
    if not isinstance(value, dict):
        raise BadParameter("bindings", "must be an object of binding ids, each with the parameters to change")
    for binding_id, changes in value.items():
        if not isinstance(changes, dict) or not changes:
            raise BadParameter(f"bindings.{binding_id[:50]}", "must be an object of the parameters to change")
    return {binding_id: Fields(changes, f"bindings.{binding_id[:50]}.") for binding_id, changes in value.items()}
