"""Parameters of instances and bindings, from untrusted JSON to values. Each error names its field and the remedy."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from lambdas.broker.osb.errors import BadParameter, ChangeUnsupported
from lambdas.broker.osb.fields import Fields
from lambdas.broker.osb.parameter_tables import BINDING, PROVISION, UPDATE, WEBHOOK, privatelink
from lambdas.domain.tenants.domain_names import is_domain
from lambdas.domain.tenants.instance import BindRequest, PrivateLinkParameters, SesParameters
from lambdas.domain.webhooks.address_rules import AddressRules, BadUrl
from lambdas.domain.webhooks.webhook import NotificationFormat
from lambdas.domain.webhooks.webhook_url import checked_url

_WITHOUT_BATCHES = {  # why a format has no batches
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
    """What an update changes: the instance's new parameters, and webhooks by binding id."""

    ses: SesParameters
    bindings: Mapping[str, Fields]


def provision_ses(values: Mapping[str, Any]) -> SesParameters:
    """The parameters of a new `aws-ses` instance. Raises BadParameter."""
    fields = Fields(values)
    fields.only(PROVISION)
    if not fields.has("admin_email"):
        raise BadParameter("admin_email", "is required: the address that is notified when a rate is too high")
    return SesParameters(**fields.read(PROVISION))


def update_ses(values: Mapping[str, Any], *, current: SesParameters, domain: str) -> UpdateParameters:
    """The parameters of an instance, changed. *domain* is the one in use. Raises BadParameter, ChangeUnsupported."""
    fields = Fields(values)
    fields.only(UPDATE)
    changes = fields.read(UPDATE)
    bindings = changes.pop("bindings", {})
    if changes.pop("domain", domain) not in (current.domain, domain):
        raise ChangeUnsupported("domain: cannot be changed; create a service instance for the other domain")
    return UpdateParameters(ses=replace(current, **changes), bindings=bindings)


def provision_privatelink(values: Mapping[str, Any], *, offered: str) -> PrivateLinkParameters:
    """The parameters of a new `privatelink` instance, of the region's one service. Raises BadParameter."""
    fields, known = Fields(values), privatelink(offered)
    fields.only(known)
    if not fields.has("serviceName"):
        raise BadParameter("serviceName", f"is required and must be {offered}, the only one this platform reaches")
    return PrivateLinkParameters(service_name=fields.read(known)["serviceName"])


def bind_ses(values: Mapping[str, Any], base: BindRequest, *, rules: WebhookRules) -> BindParameters:
    """The parameters of a bind over *base* (ids, or what a predecessor had). Raises BadParameter."""
    fields = Fields(values)
    fields.only(BINDING)
    changes = fields.read(BINDING)
    if "notification_rotate_secret" in changes:
        changes["rotate_secret"] = changes.pop("notification_rotate_secret")
    _check_predecessor(changes, base)
    request, userinfo = _changed(fields, changes, base, rules)
    if request.source_ips and request.privatelink_instance_id:
        raise BadParameter(
            "source_ips", "cannot go with privatelink_instance_id: through an endpoint IAM sees no public address"
        )
    return BindParameters(request=request, given=frozenset(values), userinfo=userinfo)


def _check_predecessor(changes: Mapping[str, Any], base: BindRequest) -> None:
    """The binding to succeed: Cloud Foundry does not send OSB's own field, so it may be a parameter."""
    found = changes.get("predecessor_binding_id", base.predecessor_binding_id)
    if base.predecessor_binding_id not in ("", found):
        raise BadParameter("predecessor_binding_id", "differs from the request's own predecessor_binding_id")


def change_webhook(fields: Fields, base: BindRequest, *, rules: WebhookRules) -> BindParameters:
    """A webhook's parameters, changed by `bindings.<id>` of an update. Raises BadParameter, ChangeUnsupported."""
    if fields.has("source_ips"):
        raise ChangeUnsupported(f"{fields.name('source_ips')}: belongs to the credentials; rebind to change it")
    if fields.has("notification_email"):
        raise ChangeUnsupported(f"{fields.name('notification_email')}: cannot be changed; rebind to change it")
    fields.only(WEBHOOK)
    request, userinfo = _changed(fields, fields.read(WEBHOOK), base, rules)
    return BindParameters(request=request, given=frozenset(fields.values), userinfo=userinfo)


def _changed(
    fields: Fields, changes: dict[str, Any], base: BindRequest, rules: WebhookRules
) -> tuple[BindRequest, str | None]:
    """The request with its *changes*, and the userinfo of the webhook's URL."""
    userinfo = None
    if "notification_webhook" in changes:
        try:
            changes["notification_webhook"], userinfo = rules.checked(changes["notification_webhook"])
        except BadUrl as problem:
            raise BadParameter(fields.name("notification_webhook"), str(problem)) from None
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
    """Raise BadParameter for notification settings without a webhook or address. *request* includes inherited parts."""
    if request.notification_webhook:
        return
    for name in ("notification_format", "notification_scope", "notification_batch", "notification_batch_seconds"):
        if name in given:
            raise BadParameter(name, "needs a notification_webhook beside it")
    if "notification_events" in given and not request.notification_email:
        raise BadParameter("notification_events", "needs a notification_webhook or a notification_email beside it")


def check_mail_from(ses: SesParameters, domain: str) -> None:
    """Raise BadParameter if the whole MAIL FROM domain is not a valid domain."""
    if ses.mail_from_subdomain and not is_domain(f"{ses.mail_from_subdomain}.{domain}"):
        raise BadParameter("mail_from_subdomain", "is too long for the domain")
