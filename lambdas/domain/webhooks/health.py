"""A webhook's health: what every invocation reads before an attempt, and how results change it.

    healthy --3 failures in a row over 30 s--> failing --five days, or a 410--> disabled
       ^------------- one success ------------'   ^---- enabled, tested with success, or a new URL ----'

After three failures in a row one probe runs at a time: when it is due, the first invocation that claims it attempts one
delivery. The others wait in the slow queue, and once the webhook is failing, in the backlog. Only conditional writes
change health, and a result counts only if its attempt began after the last transition: an attempt that was in flight
during the transition says nothing about the new state.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from lambdas.domain.webhooks.attempt import Attempt, Delivered, Failed, ReceiverGone
from lambdas.domain.webhooks.retry_schedule import JITTER

FAILURES = 3  # in a row before a webhook may become failing: one or two are a restart
RECENT = 10  # failed attempts that are kept for the tenant and the operator to see
EXCERPT_OF_OLDER = 120  # characters: only the latest failed attempt keeps its whole excerpt
PROBE_LEASE = timedelta(seconds=30)  # a probe ends within 15 s; one without a result after twice that is lost
SLOW_FOR = timedelta(minutes=10)  # after the last slow answer: a receiver that is only sometimes slow changes seldom
LONGEST_WAITING = 15.0  # s: by how much later than a restart's end its events may arrive
MAX_DRAIN = 200  # messages of up to 50 deliveries that one release run sends to one webhook


class HealthState(StrEnum):
    """What may be sent: everything, one probe at a time, or nothing."""

    HEALTHY = "healthy"
    FAILING = "failing"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedAttempt:
    """A failed attempt as a tenant may see it."""

    delivery: str
    type: str
    at: datetime
    reason: str
    excerpt: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """A webhook's health record. A webhook that never failed has no record and equals `Health()`.

    `since` is the last transition. `failures` counts failures in a row, from `first_failure` on. `probe_at` is when
    the next probe is due, after `probes` probes. `drain` is how many parked messages the next
    release run may send; 0: only those that are due. `unnotified`: no notification of the last transition was sent
    yet. Until `slow_until`, attempts go through the slow queue, whatever the state. `by_operator`: an operator
    disabled it, so only an operator enables it. `webhook_version` is the version of the URL and secret that the
    record is about; `record` counts its changes.
    """

    state: HealthState = HealthState.HEALTHY
    since: datetime | None = None
    failures: int = 0
    first_failure: datetime | None = None
    last_failure: datetime | None = None
    last_reason: str = ""
    probes: int = 0
    probe_at: datetime | None = None
    drain: int = 0
    unnotified: bool = False
    by_operator: bool = False
    slow_until: datetime | None = None
    webhook_version: int = 0
    record: int = 0
    attempts: tuple[FailedAttempt, ...] = ()

    def is_slow(self, *, now: datetime) -> bool:
        """Whether the receiver recently answered so slowly that its attempts must not delay others."""
        return self.slow_until is not None and now < self.slow_until

    def is_in_doubt(self, *, now: datetime) -> bool:
        """Whether attempts must run where they delay no others: the receiver is slow, or failed repeatedly."""
        return self.is_slow(now=now) or self.is_probed

    @property
    def is_probed(self) -> bool:
        """Whether one probe runs at a time: after repeated failures, and while the webhook is failing."""
        return self.state is HealthState.FAILING or (self.state is HealthState.HEALTHY and self.failures >= FAILURES)

    def may_probe(self, *, now: datetime) -> bool:
        """Whether a probe is due."""
        return self.is_probed and (self.probe_at is None or self.probe_at <= now)

    def until_probe(self, *, now: datetime) -> float:
        """Seconds until the next probe is due; 0 if it is."""
        return max(0.0, (self.probe_at - now).total_seconds()) if self.probe_at else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthRules:
    """When health changes; shorter in tests. `probes` are the waits before each probe; the last one repeats."""

    failing_after: timedelta = timedelta(seconds=30)
    disabled_after: timedelta = timedelta(days=5)
    probes: tuple[float, ...] = (5, 30, 300, 900)  # s

    def probe_wait(self, probes: int, jitter: float = 0.0) -> timedelta:
        """The wait before the next probe, after *probes* of them. *jitter*, -1 to 1, places it in its jitter."""
        return timedelta(seconds=self.probes[min(probes, len(self.probes) - 1)] * (1 + JITTER * jitter))

    @property
    def waiting(self) -> float:
        """Seconds for which deliveries wait behind the probes of a webhook that is not failing yet.

        They wait once or twice until the webhook has recovered or is failing. If they came back for each probe, every
        event would cost several queue messages.
        """
        return max(self.probes[0], min(LONGEST_WAITING, self.failing_after.total_seconds() / 2))


def current(health: Health, webhook_version: int, *, now: datetime) -> Health:
    """*health* for the webhook's present version: after a new URL or secret a probe is due at once."""
    if health.webhook_version == webhook_version:
        return health
    fresh = replace(health, webhook_version=webhook_version, failures=0, first_failure=None, probes=0, probe_at=None)
    if health.state is HealthState.HEALTHY or health.by_operator:
        return fresh
    return replace(fresh, state=HealthState.FAILING, probe_at=now)


def slow(health: Health, *, now: datetime) -> Health:
    """*health* after a slow attempt. It is written again only after half of the time has passed."""
    if health.slow_until and health.slow_until - now > SLOW_FOR / 2:
        return health
    return replace(health, slow_until=now + SLOW_FOR)


def claim_probe(health: Health, *, now: datetime) -> Health:
    """*health* while a probe is in flight: the next one is due only when this one must be lost."""
    return replace(health, probes=health.probes + 1, probe_at=now + PROBE_LEASE)


def after(health: Health, attempts: Iterable[Attempt], rules: HealthRules, *, jitter: float = 0.0) -> Health:
    """*health* after *attempts*, in the order they ended; equal to *health* if they change nothing.

    *jitter*, -1 to 1, places the next probe in its jitter: webhooks that failed together are not probed together.
    """
    for attempt in sorted(attempts, key=lambda attempt: attempt.ended):
        if health.since is None or attempt.began > health.since:
            health = _after_one(health, attempt, rules, jitter)
    return health


def enabled(health: Health, *, now: datetime) -> Health:
    """Health after an operator enabled the webhook or a test succeeded: failing, with a probe due at once."""
    if health.state is HealthState.HEALTHY:
        return health
    since = now if health.state is HealthState.DISABLED else health.since
    return replace(health, state=HealthState.FAILING, since=since, probes=0, probe_at=now, by_operator=False)


def after_test(health: Health, *, now: datetime) -> Health:
    """Health after a test succeeded. A webhook that an operator disabled stays disabled."""
    return health if health.by_operator else enabled(health, now=now)


def disabled_by_operator(health: Health, *, now: datetime) -> Health:
    """Health after an operator disabled the webhook; its events are parked. No notification is sent."""
    return replace(
        health,
        state=HealthState.DISABLED,
        since=now,
        probe_at=None,
        drain=0,
        unnotified=False,
        by_operator=True,
        last_reason="disabled by the operator",
    )


def next_drain(health: Health, *, left: bool) -> Health:
    """Health after a release run. `drain` doubles while the receiver keeps up and shrinks when attempts fail."""
    if not left:
        return replace(health, drain=0)
    return replace(health, drain=max(1, health.drain // 4) if health.failures else min(MAX_DRAIN, health.drain * 2))


def _after_one(health: Health, attempt: Attempt, rules: HealthRules, jitter: float) -> Health:
    match attempt.outcome:
        case Delivered():
            return _succeeded(health, attempt)
        case Failed(reason=reason, excerpt=excerpt):
            return _failed(_noted(health, attempt, reason, excerpt), attempt, rules, jitter)
        case ReceiverGone(reason=reason, excerpt=excerpt):
            noted = _noted(health, attempt, reason, excerpt)
            return (
                noted
                if health.state is HealthState.DISABLED
                else _transition(noted, HealthState.DISABLED, attempt.ended)
            )


def _succeeded(health: Health, attempt: Attempt) -> Health:
    """Health after a success. It changes only if failures are recorded, and does not enable a disabled webhook."""
    if health.state is HealthState.DISABLED or (health.state is HealthState.HEALTHY and not health.failures):
        return health
    fresh = replace(health, failures=0, first_failure=None, probes=0, probe_at=None)
    if health.state is HealthState.HEALTHY:
        return fresh
    return replace(_transition(fresh, HealthState.HEALTHY, attempt.ended), drain=1)


def _failed(health: Health, attempt: Attempt, rules: HealthRules, jitter: float) -> Health:
    first = health.first_failure or attempt.began
    next_probe = attempt.ended + rules.probe_wait(0, jitter)
    match health.state:
        case HealthState.HEALTHY if health.failures >= FAILURES and attempt.ended - first >= rules.failing_after:
            failing = _transition(health, HealthState.FAILING, attempt.ended)
            return replace(failing, probes=0, probe_at=next_probe)
        case HealthState.HEALTHY if health.is_probed:
            return replace(health, probe_at=next_probe)
        case HealthState.FAILING if health.since and attempt.ended - health.since >= rules.disabled_after:
            return _transition(health, HealthState.DISABLED, attempt.ended)
        case HealthState.FAILING:
            return replace(health, probe_at=attempt.ended + rules.probe_wait(health.probes, jitter))
    return health


def _noted(health: Health, attempt: Attempt, reason: str, excerpt: str) -> Health:
    seen = FailedAttempt(
        delivery=attempt.delivery.id, type=attempt.delivery.type, at=attempt.ended, reason=reason, excerpt=excerpt
    )
    older = (replace(past, excerpt=past.excerpt[:EXCERPT_OF_OLDER]) for past in health.attempts[: RECENT - 1])
    return replace(
        health,
        failures=health.failures + 1,
        first_failure=health.first_failure or attempt.began,
        last_failure=attempt.ended,
        last_reason=reason,
        attempts=(seen, *older),
    )


def _transition(health: Health, state: HealthState, when: datetime) -> Health:
    return replace(
        health,
        state=state,
        since=when,
        unnotified=True,
        drain=0,
        probe_at=health.probe_at if state is HealthState.FAILING else None,
    )
