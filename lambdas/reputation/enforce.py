"""Enforces a claimed transition: first the protection, then the notifications. A step may repeat; none is skipped."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lambdas.domain.ports import DeliverySender, Notifier, RateLimiter
from lambdas.domain.reputation.evaluation import ReputationRules
from lambdas.domain.reputation.ledger import LedgerEntry
from lambdas.domain.reputation.sending_status import Pending, Transition, TransitionStep
from lambdas.domain.tenants import aws_names
from lambdas.domain.webhooks.audience import Audience
from lambdas.domain.webhooks.delivery import DeliveryBatch
from lambdas.domain.webhooks.event_data import iso
from lambdas.domain.webhooks.payload import Notice, render_notice
from lambdas.reputation.messages import EVIDENCE, Message, to_admin, to_operator
from lambdas.reputation.ports import Evidence, SendingOptions, TransitionProgress


@dataclass(frozen=True, slots=True, kw_only=True)
class Enforcer:
    """Performs the steps of a transition."""

    sending: SendingOptions
    rate_limiter: RateLimiter
    notifier: Notifier
    delivery_queue: DeliverySender
    evidence: Evidence
    statuses: TransitionProgress
    audience: Callable[[str], Audience | None]
    rules: ReputationRules
    alert_topic_prefix: str  # arn:<partition>:sns:<region>:<account>:
    operator_topic_arn: str
    event_topic_arn: str
    portal_url: str = ""  # where the portal is, for the messages; empty: there is none

    def enforce(self, pending: Pending, *, now: datetime) -> None:
        """Perform the remaining steps and record each. If one fails, release the claim and raise."""
        try:
            for step in pending.left:
                self._do(step, pending.transition, now)
                if not self.statuses.step_done(pending, step):
                    return
        except Exception:
            self.statuses.release(pending, now=now)
            raise
        self.statuses.finish(pending)

    def _do(self, step: TransitionStep, transition: Transition, now: datetime) -> None:
        match step:
            case TransitionStep.PAUSE_SENDING | TransitionStep.RESUME_SENDING:
                self.rate_limiter.acquire(now=now, priority=True)
                self.sending.set(transition.instance_id, enabled=step is TransitionStep.RESUME_SENDING)
            case TransitionStep.NOTIFY_WEBHOOKS:
                self.delivery_queue.send(self._notices(transition, now))
            case TransitionStep.NOTIFY_ADMIN:
                topic = self.alert_topic_prefix + aws_names.alert_topic(transition.instance_id)
                evidence = self._evidence(transition)
                self._tell(topic, to_admin(transition, evidence, self.rules, portal_url=self.portal_url))
            case TransitionStep.NOTIFY_OPERATOR:
                evidence = self._evidence(transition)
                message = to_operator(transition, evidence, self.rules, portal_url=self.portal_url)
                self._tell(self.operator_topic_arn, message)

    def _tell(self, topic_arn: str, message: Message) -> None:
        self.notifier.notify(topic_arn, subject=message.subject, text=message.text)

    def _evidence(self, transition: Transition) -> Sequence[LedgerEntry]:
        return self.evidence.latest(transition.instance_id, limit=EVIDENCE)

    def _notices(self, transition: Transition, now: datetime) -> Iterable[DeliveryBatch]:
        audience = self.audience(transition.instance_id)
        notice = paused_notice(transition)
        for webhook in audience.webhooks if audience else ():
            delivery = render_notice(notice, webhook, topic_arn=self.event_topic_arn, now=now)
            yield DeliveryBatch(
                instance_id=transition.instance_id, webhook_id=webhook.id, attempt=1, deliveries=(delivery,)
            )


def paused_notice(transition: Transition) -> Notice:
    """A `reputation.paused` notice: SES refuses the application's mail from now on. Its id is the transition's."""
    counts = transition.reputation
    data: dict[str, Any] = {
        "instance_id": transition.instance_id,
        "cause": transition.cause.value,
        "reasons": [reason.value for reason in transition.reasons],
        "message": f"Sending is paused. Mail is refused by SES until {_end(transition)}.",
        "window": {"since": counts.since, "outcomes": counts.outcomes},
        "bounces": counts.bounces,
        "complaints": counts.complaints,
        "deliveries": counts.deliveries,
        "bounce_rate": round(counts.bounce_rate, 6),
        "complaint_rate": round(counts.complaint_rate, 6),
        "paused_at": iso(transition.at),
        "paused_until": iso(transition.until) if transition.until else None,
    }
    return Notice(id=f"paused\n{transition.id}", type="reputation.paused", timestamp=transition.at, data=data)


def _end(transition: Transition) -> str:
    return iso(transition.until) if transition.until else "an operator resumes it"
