"""Effects of a change of a webhook's health: its backlog is released, and admin_email is notified once."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from aws_lambda_powertools import Logger

from lambdas.delivery.health_message import message
from lambdas.delivery.ports import Backlog, Count, WebhookHealthStore
from lambdas.domain.portal import page_of
from lambdas.domain.ports import Notifier
from lambdas.domain.tenants.aws_names import alert_topic
from lambdas.domain.webhooks.health import Health, HealthState
from lambdas.domain.webhooks.target import Target

# how long a notification may take: if it is still unsent after that, an earlier invocation crashed before sending it
NOTIFICATION_LEASE = timedelta(minutes=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthTransitions:
    """Acts on transitions. The write that made one marks it as not notified, so a crash is made good later."""

    states: WebhookHealthStore
    backlog: Backlog
    notifier: Notifier
    logger: Logger
    count: Count
    portal_url: str = ""  # empty: there is none

    def made(self, target: Target, *, now: datetime) -> None:
        """Act on the transition that *target*'s health has just made."""
        health = target.health
        ids = {"instance_id": target.instance_id, "webhook_id": target.webhook_id}
        self.logger.warning(f"webhook {health.state}", extra={**ids, "reason": health.last_reason})
        self.count(f"Webhooks{health.state.capitalize()}", 1)
        if health.state is HealthState.HEALTHY:
            self.backlog.wake(target.instance_id, target.webhook_id, now=now)
        self._notify(target)

    def notify_again(self, target: Target, *, now: datetime) -> None:
        """Notify of a transition whose invocation crashed before it sent the notification."""
        health = target.health
        if health.unnotified and health.since and now - health.since > NOTIFICATION_LEASE:
            self._notify(target)

    def _notify(self, target: Target) -> None:
        """A topic that does not answer must not delay deliveries: the mark stays, and a later invocation notifies."""
        since = target.health.since
        try:
            waiting = self.backlog.waiting(target.instance_id, target.webhook_id)
            page = page_of(self.portal_url, target.instance_id, f"/webhooks/{target.webhook_id}")
            subject, text = message(target, target.health, waiting=waiting, page=page)
            self.notifier.notify(alert_topic(target.instance_id), subject=subject, text=text)
            self.states.change(target, lambda health: _told(health, since))
        except Exception:
            self.logger.exception("health notification failed", extra={"webhook_id": target.webhook_id})


def _told(health: Health, since: datetime | None) -> Health:
    return replace(health, unnotified=False) if health.since == since else health
