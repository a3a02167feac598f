"""The webhooks pages: where events go, how each webhook does, what waits, and what can be done about it."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from lambdas.domain.errors import VersionConflict
from lambdas.domain.portal import Action
from lambdas.domain.ports import DeliverySender
from lambdas.domain.tenants.instance import Instance
from lambdas.domain.webhooks.delivery import KEPT_FOR, DeliveryBatch, created_at
from lambdas.domain.webhooks.health import FailedAttempt, Health, HealthState, current, disabled_by_operator, enabled
from lambdas.domain.webhooks.payload import render_notice, test_notice
from lambdas.domain.webhooks.target import Target
from lambdas.domain.webhooks.webhook import EventKind, NotificationFormat, Scope, Webhook
from lambdas.portal.errors import Conflict, NotFound, Refusal
from lambdas.portal.http import Response, see_other
from lambdas.portal.ports import Actions, Backlog, Webhooks, WebhookSecrets
from lambdas.portal.preview import Preview, previews
from lambdas.portal.rendering import Renderer, moment
from lambdas.portal.routing import Call

OVERLAP = timedelta(hours=24)  # in which both secrets sign
MAX_REASON = 1_000  # characters of what somebody gives as a reason
_TEST_PENDING = timedelta(minutes=2)  # after which a test without a result is no longer waited for
EMAIL_HOST = "e-mail digests"


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookView:
    """A webhook as its pages show it: never its secret, its userinfo, or more of its URL than the host."""

    id: str
    host: str
    format: str
    events: tuple[str, ...]
    scope: str
    batch: int
    batch_seconds: int
    bindings: tuple[str, ...]
    state: HealthState
    words: str
    since: datetime | None
    waiting: int
    oldest: datetime | None
    attempts: tuple[FailedAttempt, ...]
    test_status: str
    test_answer: str
    test_at: datetime | None
    by_operator: bool
    is_email: bool

    @property
    def can_be_enabled(self) -> bool:
        """Whether a tenant may have it tried again at once."""
        return self.state is not HealthState.HEALTHY and not self.by_operator


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookPages:
    """Lists and shows webhooks, and acts on them."""

    renderer: Renderer
    webhooks: Webhooks
    backlog: Backlog
    queue: DeliverySender
    secrets: WebhookSecrets
    actions: Actions
    instance: Callable[[str], Instance]
    event_topic_arn: str

    def list(self, call: Call) -> Response:
        """All webhooks of the instance."""
        instance = self.instance(call.instance)
        views = [self._view(target, item, call.now) for target, item in self.webhooks.every(call.instance)]
        views.sort(key=lambda view: (view.is_email, view.host, view.id))
        return self.renderer.page(call, "webhooks.html", instance=instance, webhooks=views)

    def show(self, call: Call) -> Response:
        """One webhook, with what can be done."""
        target, item = self.find(call)
        return self.page(call, target, item)

    def page(self, call: Call, target: Target, item: Mapping[str, Any], **more: Any) -> Response:
        """The page of a webhook, with *more* for its template."""
        view = self._view(target, item, call.now)
        tested = _since(call.request.query.get("tested", ""), call.now)
        return self.renderer.page(
            call,
            "webhook.html",
            **{"secret": "", "notice": _NOTICES.get(call.request.query.get("done", ""), ""), **more},
            instance=self.instance(call.instance),
            view=view,
            awaiting=tested is not None and (view.test_at is None or view.test_at < tested),
            tested=tested,
            previews=self.previews(target, item, call.now),
            oldest=call.now - KEPT_FOR + timedelta(minutes=1),
        )

    def test(self, call: Call) -> Response:
        """Send a test; the page then shows its result as soon as it is known."""
        target, item = self.find(call)
        notice = test_notice(test_id=secrets.token_hex(8), instance_id=call.instance, binding_id=None, now=call.now)
        delivery = render_notice(notice, _webhook(target, item), topic_arn=self.event_topic_arn, now=call.now)
        batch = DeliveryBatch(
            instance_id=call.instance, webhook_id=target.webhook_id, attempt=1, deliveries=(delivery,)
        )
        self.queue.send([batch])
        self.record(call, "test")
        return see_other(f"../{call.webhook}?tested={int(call.now.timestamp())}")

    def enable(self, call: Call) -> Response:
        """Have a failing or disabled webhook tried at once. What the operator disabled, the operator enables."""
        target, _ = self.find(call)
        if _health(target, call.now).by_operator and not call.signed_in.may_operate:
            raise Conflict("The operator disabled this webhook; ask the operator to enable it.")
        self._change(target, lambda health: enabled(current(health, target.version, now=call.now), now=call.now))
        self.backlog.wake(call.instance, target.webhook_id, now=call.now)
        self.record(call, "enable")
        return see_other(f"../{call.webhook}?done=enabled")

    def disable(self, call: Call) -> Response:
        """The operator's: send nothing more; events are kept for 14 days."""
        target, _ = self.find(call)
        why = reason(call)
        self._change(
            target, lambda health: disabled_by_operator(current(health, target.version, now=call.now), now=call.now)
        )
        self.record(call, "disable", why=why)
        return see_other(f"../{call.webhook}?done=disabled")

    def rotate(self, call: Call) -> Response:
        """Make a new secret and show it, this once."""
        target, item = self.find(call)
        if not target.ciphertext:
            raise Conflict("This webhook has no secret: it sends digests by e-mail.")
        if len(target.ciphertexts(now=call.now)) > 1:
            end = moment(target.previous_expires_at)
            raise Conflict(f"The secret was replaced recently. The one before it signs until {end}; wait until then.")
        if call.form.get("sure") != "yes":
            raise Refusal("Tick the box: the application needs the new secret within 24 hours.")
        until = call.now + OVERLAP
        try:
            fresh = self.secrets.replace(target, until=until)
        except VersionConflict:
            raise Conflict("The webhook was changed at the same moment. Reload the page and try again.") from None
        self.record(call, "new secret")
        return self.page(call, target, item, secret=fresh.secret, secret_until=until)

    def find(self, call: Call) -> tuple[Target, dict[str, Any]]:
        """The webhook of the call's path, if it is the instance's. Raises NotFound."""
        self.instance(call.instance)
        for target, item in self.webhooks.every(call.instance):
            if target.webhook_id == call.webhook:
                return target, item
        raise NotFound("There is no such webhook.")

    def record(self, call: Call, what: str, *, why: str = "") -> None:
        """Keep that the caller did *what* to the webhook."""
        action = Action(
            instance_id=call.instance,
            at=call.now,
            who=call.signed_in.who,
            what=f"webhook {what}",
            subject=call.webhook,
            why=why,
        )
        self.actions.record(action)

    def previews(self, target: Target, item: Mapping[str, Any], now: datetime) -> tuple[Preview, ...]:
        """What the receiver gets, in each format."""
        return previews(_webhook(target, item), topic_arn=self.event_topic_arn, now=now)

    def _change(self, target: Target, change: Callable[[Health], Health]) -> None:
        if self.webhooks.change(target, change) is None:
            raise NotFound("The webhook is gone.")

    def _view(self, target: Target, item: Mapping[str, Any], now: datetime) -> WebhookView:
        partitions = self.backlog.partitions(target.instance_id, target.webhook_id)
        first = [
            batch
            for partition in partitions
            for parked in self.backlog.read(partition, limit=1)
            if (batch := parked.batch)
        ]
        return webhook_view(
            target,
            item,
            waiting=sum(partition.waiting for partition in partitions),
            oldest=min(map(created_at, first), default=None),
            now=now,
        )


def webhook_view(
    target: Target, item: Mapping[str, Any], *, waiting: int, oldest: datetime | None, now: datetime
) -> WebhookView:
    """What the pages say of a webhook."""
    health = _health(target, now)
    test = item.get("test_result") or {}
    is_email = target.format is NotificationFormat.EMAIL
    return WebhookView(
        id=target.webhook_id,
        host=EMAIL_HOST if is_email else urlsplit(target.url).hostname or "",
        format=target.format.value,
        events=tuple(sorted(item.get("events", ()))),
        scope=str(item.get("scope", Scope.INSTANCE.value)),
        batch=target.batch,
        batch_seconds=target.batch_seconds,
        bindings=tuple(item.get("bindings", ())),
        state=health.state,
        words=in_words(health, is_email=is_email),
        since=health.since,
        waiting=waiting,
        oldest=oldest,
        attempts=health.attempts,
        test_status=str(test.get("status", "")),
        test_answer=str(test.get("answer", "")),
        test_at=datetime.fromisoformat(test["at"]) if test.get("at") else None,
        by_operator=health.by_operator,
        is_email=is_email,
    )


def in_words(health: Health, *, is_email: bool = False) -> str:
    """A webhook's health for its tenant."""
    if is_email:
        return "Events are gathered and sent as a digest every few minutes."
    match health.state:
        case HealthState.HEALTHY if health.failures:
            return f"The last {health.failures} attempts failed ({health.last_reason}); each is tried again."
        case HealthState.HEALTHY:
            return "Deliveries succeed."
        case HealthState.FAILING:
            probe = f" The next attempt is at {moment(health.probe_at)}." if health.probe_at else ""
            return (
                f"Attempts fail ({health.last_reason}). One delivery at a time is tried; the others wait and follow "
                f"as soon as one succeeds.{probe}"
            )
        case HealthState.DISABLED if health.by_operator:
            return "The operator disabled it. Events are kept for 14 days."
        case HealthState.DISABLED:
            return (
                f"It is no longer tried ({health.last_reason}). Events are kept for 14 days; enable it to receive them."
            )


def reason(call: Call) -> str:
    """The form's reason. Raises Refusal when there is none, or one that is too long."""
    why = " ".join(call.form.get("reason", "").split())
    if not why:
        raise Refusal("The field reason is empty. Give a reason; it is recorded.")
    if len(why) > MAX_REASON:
        raise Refusal(f"The field reason is longer than {MAX_REASON} characters.")
    return why


_NOTICES = {
    "enabled": "The webhook is tried with the next delivery, within a minute.",
    "disabled": "The webhook is disabled.",
}


def _health(target: Target, now: datetime) -> Health:
    return current(target.health, target.version, now=now)


def _webhook(target: Target, item: Mapping[str, Any]) -> Webhook:
    return Webhook(
        id=target.webhook_id,
        instance_id=target.instance_id,
        events=frozenset(map(EventKind, item.get("events", ()))),
        format=target.format,
        scope=Scope(item.get("scope", Scope.INSTANCE)),
        batch=target.batch,
        batch_seconds=target.batch_seconds,
        senders=frozenset(item.get("senders", ())),
    )


def _since(text: str, now: datetime) -> datetime | None:
    """When a test was sent, as the page's address says; None when that is too long ago to wait on."""
    if not text.isascii() or not text.isdigit() or len(text) > 12:
        return None
    sent = datetime.fromtimestamp(int(text), tz=now.tzinfo)
    return sent if timedelta(0) <= now - sent < _TEST_PENDING else None
