"""What a successor binding takes over from its predecessor (`predecessor_binding_id`): parameters and the webhook."""

from dataclasses import dataclass, replace

from lambdas.broker.osb.errors import BadParameter
from lambdas.broker.osb.parameters import BindParameters
from lambdas.domain.tenants.instance import Binding, BindRequest
from lambdas.domain.webhooks.signature import WebhookSecret
from lambdas.domain.webhooks.stored_webhook import StoredWebhook

_OF_THE_WEBHOOK = (
    "notification_events",
    "notification_format",
    "notification_scope",
    "notification_batch",
    "notification_batch_seconds",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FromPredecessor:
    """A bind's effective parameters. The ids are those of shared webhooks, empty if none is shared."""

    request: BindRequest
    webhook_id: str = ""
    email_webhook_id: str = ""


def take_over(
    asked: BindParameters, predecessor: Binding, kept: StoredWebhook | None, secret: WebhookSecret | None
) -> FromPredecessor:
    """The parameters of *predecessor* that the bind takes over: all that it does not give itself.

    *kept* is the predecessor's webhook as it is now, *secret* its secret and userinfo. It is shared unless the bind
    names another URL. Raises BadParameter for changes that would change it for the predecessor too.
    """
    found = _with_webhook(asked, predecessor, kept, secret)
    email = asked.request.notification_email
    if not email or email == predecessor.effective.notification_email:
        found = replace(
            found,
            request=replace(found.request, notification_email=predecessor.effective.notification_email),
            email_webhook_id=predecessor.email_webhook_id,
        )
    request = found.request
    if "source_ips" not in asked.given and not request.privatelink_instance_id:
        request = replace(request, source_ips=predecessor.effective.source_ips)
    if "privatelink_instance_id" not in asked.given and not request.source_ips:
        request = replace(request, privatelink_instance_id=predecessor.effective.privatelink_instance_id)
    return replace(found, request=request)


def _with_webhook(
    asked: BindParameters, predecessor: Binding, kept: StoredWebhook | None, secret: WebhookSecret | None
) -> FromPredecessor:
    if kept is None or secret is None or _names_another(asked, kept, secret):
        return FromPredecessor(request=asked.request)
    settings = kept.settings
    shared = {
        "notification_events": settings.events,
        "notification_format": settings.format,
        "notification_scope": settings.scope,
        "notification_batch": settings.batch,
        "notification_batch_seconds": settings.batch_seconds,
    }
    for name in _OF_THE_WEBHOOK:
        if name in asked.given and getattr(asked.request, name) != shared[name]:
            raise BadParameter(
                name, "belongs to the webhook shared with the predecessor; change it by updating the instance"
            )
    return FromPredecessor(
        request=replace(asked.request, notification_webhook=settings.url, **shared),  # type: ignore[arg-type]
        webhook_id=predecessor.webhook_id,
    )


def _names_another(asked: BindParameters, kept: StoredWebhook, secret: WebhookSecret) -> bool:
    url = asked.request.notification_webhook
    if not url:
        return False
    return url != kept.settings.url or asked.userinfo not in (None, secret.userinfo)
