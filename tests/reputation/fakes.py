"""Statuses, SES and notifications in memory; any call may be the process's last."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from lambdas.domain.reputation.evaluation import HourCounts, Reputation, ReputationRules, SendingState
from lambdas.domain.reputation.ledger import LedgerEntry
from lambdas.domain.reputation.sending_status import (
    HANDED_OVER,
    LEASE,
    Mark,
    Pending,
    SendingStatus,
    Transition,
    TransitionStep,
)
from lambdas.domain.reputation.ses_rates import SesRates
from lambdas.domain.webhooks.audience import Audience
from lambdas.domain.webhooks.delivery import Delivery, DeliveryBatch
from lambdas.domain.webhooks.webhook import Webhook, WebhookId
from lambdas.reputation.enforce import Enforcer
from lambdas.reputation.evaluate import Evaluation, Evaluator
from lambdas.reputation.organizations import Organizations
from lambdas.reputation.reconcile import Reconciler
from tests.feedback.fakes import Fate

RULES = ReputationRules(
    window_outcomes=10_000,
    window_days=30,
    minimum_outcomes=500,
    minimum_bounces=5,
    minimum_complaints=13,
    minimum_warning_complaints=4,
    bounce_warning=0.02,
    bounce_pause=0.04,
    complaint_warning=0.0004,
    complaint_pause=0.0008,
)
OPERATOR_TOPIC = "arn:aws:sns:us-east-1:1:operator"
ADMIN_TOPIC = "arn:aws:sns:us-east-1:1:ses-feedback-i1-alerts"


@dataclass
class FakeSendingStatuses:
    """Statuses with conditional claims."""

    fate: Fate = field(default_factory=Fate)
    kept: dict[str, SendingStatus] = field(default_factory=dict)
    claims: list[Transition] = field(default_factory=list)
    undecided: set[str] = field(default_factory=set)
    rivals: list[SendingStatus] = field(default_factory=list)  # what others write just before the next claims
    finished: list[Pending] = field(default_factory=list)

    def load(self, instance_id: str) -> SendingStatus:
        """As the table does."""
        return self.kept.get(instance_id, SendingStatus(instance_id=instance_id))

    def claim(
        self, status: SendingStatus, transition: Transition, *, claimer: str, baseline: datetime | None, now: datetime
    ) -> bool:
        """As the table does."""
        self.fate.strike()
        if self.rivals:
            rival = self.rivals.pop(0)
            self.kept[rival.instance_id] = rival
        if self.load(status.instance_id).version != status.version:
            return False
        until = now if claimer == HANDED_OVER else now + LEASE
        pending = Pending(transition=transition, done=frozenset(), claimed_by=claimer, claimed_until=until)
        self.kept[status.instance_id] = SendingStatus(
            instance_id=status.instance_id,
            state=transition.after,
            since=transition.at,
            version=status.version + 1,
            baseline=baseline,
            pending=pending,
            cause=transition.cause,
            until=transition.until,
            probation_until=transition.probation_until,
        )
        self.claims.append(transition)
        self.fate.strike()
        return True

    def take_over(self, pending: Pending, *, claimer: str, now: datetime) -> bool:
        """As the table does."""
        return self._change(pending, claimed_by=claimer, claimed_until=now + LEASE)

    def step_done(self, pending: Pending, step: TransitionStep) -> bool:
        """As the table does."""
        self.fate.strike()
        current = self.load(pending.transition.instance_id).pending
        done = (current.done if current else frozenset()) | {step}
        return self._change(pending, done=done)

    def release(self, pending: Pending, *, now: datetime) -> None:
        """As the table does."""
        self._change(pending, claimed_until=now)

    def finish(self, pending: Pending) -> None:
        """As the table does."""
        self.fate.strike()
        self.finished.append(pending)
        status = self.load(pending.transition.instance_id)
        if status.pending and status.pending.transition.id == pending.transition.id:
            self.kept[status.instance_id] = replace(status, pending=None)

    def watched(self) -> Sequence[str]:
        """As the table does."""
        moved = {name for name, kept in self.kept.items() if kept.pending or kept.state is not SendingState.HEALTHY}
        return sorted(moved | self.undecided)

    def watch(self, instance_id: str) -> None:
        """As the table does."""
        self.undecided.add(instance_id)

    def unwatch(self, instance_id: str) -> None:
        """As the table does."""
        self.undecided.discard(instance_id)

    def forget(self, instance_id: str) -> None:
        """As the table does."""
        self.kept.pop(instance_id, None)

    def _change(self, pending: Pending, **changes: object) -> bool:
        status = self.load(pending.transition.instance_id)
        if status.pending is None or status.pending.transition.id != pending.transition.id:
            return False
        pending = replace(status.pending, **changes)  # type: ignore[arg-type]
        self.kept[status.instance_id] = replace(status, pending=pending)
        return True


@dataclass
class World:
    """One instance, i1, with a webhook; all that is done to it."""

    fate: Fate = field(default_factory=Fate)
    counted: dict[str, HourCounts] = field(default_factory=dict)
    sends: dict[str, bool] = field(default_factory=lambda: {"i1": True})
    notifications: list[tuple[str, str, str]] = field(default_factory=list)
    batches: list[DeliveryBatch] = field(default_factory=list)
    switched: list[tuple[str, bool]] = field(default_factory=list)
    ledger: list[LedgerEntry] = field(default_factory=list)
    ses_rates: dict[str, SesRates] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    healings: list[tuple[str, str]] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)
    failures: list[tuple[str, Exception]] = field(default_factory=list)
    leaves: int = 1_000
    gone: set[str] = field(default_factory=set)
    statuses: FakeSendingStatuses = field(default_factory=FakeSendingStatuses)
    of_others: dict[str, dict[str, HourCounts]] = field(default_factory=dict)  # counters of instances but i1
    facts: dict[str, Any] = field(default_factory=dict)  # of every audience: domain, organization, deleted
    marks: dict[str, Mark] = field(default_factory=dict)
    joined: dict[str, list[str]] = field(default_factory=dict)
    acquired: list[datetime] = field(default_factory=list)  # leave for a call to SES
    evaluations: list[Evaluation] = field(default_factory=list)
    portal_url: str = ""

    def __post_init__(self) -> None:
        """One fate for all."""
        self.statuses.fate = self.fate
        self.organizations = Organizations(table=self, counters=self, statuses=self.statuses, rules=RULES)

    def on(self, domain: str, *, now: datetime) -> Mark | None:
        """The mark on a domain."""
        return self.marks.get(domain)

    def join(self, organization: str, instance_id: str, *, now: datetime) -> None:
        """Members of organizations."""
        members = self.joined.setdefault(organization, [])
        if instance_id not in members:
            members.append(instance_id)

    def members(self, organization: str, *, now: datetime) -> Iterator[str]:
        """Members of organizations."""
        return iter(self.joined.get(organization, []))

    @property
    def evaluator(self) -> Evaluator:
        """A judge in this world."""
        enforcer = Enforcer(
            sending=self,
            rate_limiter=self,
            notifier=self,
            delivery_queue=self,
            evidence=self,
            statuses=self.statuses,
            audience=self.audience,
            rules=RULES,
            alert_topic_prefix="arn:aws:sns:us-east-1:1:",
            operator_topic_arn=OPERATOR_TOPIC,
            event_topic_arn="arn:aws:sns:us-east-1:1:events",
            portal_url=self.portal_url,
        )
        return Evaluator(
            counters=self,
            statuses=self.statuses,
            marks=self,
            organizations=self.organizations,
            enforcer=enforcer,
            rules=RULES,
            audience=self.audience,
        )

    @property
    def reconciler(self) -> Reconciler:
        """The reconciliation in this world."""
        return Reconciler(
            evaluator=self.evaluator,
            statuses=self.statuses,
            counters=self,
            sending=self,
            rates=self,
            instances=self,
            observer=self,
            may_call_ses=self.may_call_ses,
        )

    @property
    def deliveries(self) -> list[Delivery]:
        """What was sent to webhooks."""
        return [delivery for batch in self.batches for delivery in batch.deliveries]

    def count(
        self, *, bucket: str = "2026-11-21T05", bounces: int = 0, complaints: int = 0, deliveries: int = 0
    ) -> None:
        """Set a bucket's counts."""
        self.counted[bucket] = HourCounts(bucket=bucket, bounces=bounces, complaints=complaints, deliveries=deliveries)

    def hours(self, instance_id: str, *, since: str) -> Iterator[HourCounts]:
        """The counters."""
        counted = self.of_others.get(instance_id, self.counted)
        return iter([counted[bucket] for bucket in sorted(counted, reverse=True) if bucket >= since])

    def audience(self, instance_id: str) -> Audience | None:
        """The webhook; None when it was deprovisioned."""
        if instance_id in self.gone:
            return None
        webhook = Webhook(id=WebhookId("w1"), instance_id=instance_id)
        return Audience(instance_id=instance_id, webhooks=(webhook,), baseline=None, **self.facts)

    def set(self, instance_id: str, *, enabled: bool) -> bool:
        """The switch in SES."""
        self._try("ses")
        if instance_id not in self.sends:
            return False
        self.sends[instance_id] = enabled
        self.switched.append((instance_id, enabled))
        self.fate.strike()
        return True

    def enabled(self, instance_id: str) -> bool | None:
        """The switch in SES."""
        self._try("ses")
        return self.sends.get(instance_id)

    def acquire(self, *, now: datetime, priority: bool = False) -> float:
        """Leave, at once."""
        assert priority
        self.acquired.append(now)
        return 0.0

    def notify(self, topic: str, *, subject: str, text: str) -> bool:
        """A letter."""
        self._try("sns")
        self.notifications.append((topic, subject, text))
        self.fate.strike()
        return True

    def send(self, batches: Iterable[DeliveryBatch], *, delay: int = 0) -> None:
        """Deliveries."""
        self._try("sqs")
        self.batches += batches
        self.fate.strike()

    def latest(self, instance_id: str | Iterable[str], *, limit: int = 0, now: datetime | None = None):  # type: ignore[no-untyped-def]
        """The ledger (with a limit), or SES's rates (with a time)."""
        if limit:
            return self.ledger[:limit]
        nothing = SesRates(bounce_rate=None, complaint_rate=None)
        return {name: self.ses_rates.get(name, nothing) for name in instance_id}

    def part(self, number: int, *, of: int) -> Iterator[str]:
        """All instances, in the first slice."""
        return iter(self.sends if number == 0 else [])

    def may_call_ses(self) -> bool:
        """Leave to ask SES, a number of times."""
        self.leaves -= 1
        return self.leaves >= 0

    def evaluated(self, evaluation: Evaluation) -> None:
        """Remember it."""
        self.evaluations.append(evaluation)

    def failed(self, instance_id: str, error: Exception) -> None:
        """Remember it."""
        self.failures.append((instance_id, error))

    def healed(self, instance_id: str, what: str) -> None:
        """Remember it."""
        self.healings.append((instance_id, what))

    def differs(self, instance_id: str, ours: Reputation, theirs: SesRates) -> None:
        """Remember it."""
        self.differences.append(instance_id)

    def _try(self, service: str) -> None:
        self.fate.strike()
        if service in self.broken:
            raise TimeoutError(service)


def rates(**values: float | None) -> Mapping[str, SesRates]:
    """SES's rates of i1."""
    return {"i1": SesRates(**{"bounce_rate": None, "complaint_rate": None, **values})}
