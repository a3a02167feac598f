"""An instance's sending status and its transitions. A write claims a transition; its steps can be repeated."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from lambdas.domain.reputation.evaluation import PROBATION, Reason, Reputation, SendingState

LEASE = timedelta(seconds=150)  # the time a claimer has to enforce it: more than its function's timeout
STATUS_ITEM = "sending_status"  # its item in the reputation table, whose changes wake the reputation function
HANDED_OVER = "handed-over"  # a claimer that leaves the steps to the reputation function at once
MARK_KEPT = timedelta(days=90)  # how long a pause outlives its instance


class Cause(StrEnum):
    """What caused a transition."""

    RATES = "rates"  # our own rates
    SES_RATES = "ses_rates"  # SES's own rates, where they are above ours
    OUTSIDE = "outside"  # sending was found disabled in SES, not by ses-feedback
    OPERATOR = "operator"
    TENANT = "tenant"  # the tenant resumed itself
    ORGANIZATION = "organization"  # its rates exceed the warning threshold, its organization's the pause threshold
    EARLIER_PAUSE = "earlier_pause"  # of an instance that had the same domain, or a parent of it
    DAILY_CAP = "daily_cap"  # the operator's daily mail limit; until midnight UTC


class TransitionStep(StrEnum):
    """The steps of a transition. Each is idempotent."""

    PAUSE_SENDING = "pause_sending"
    RESUME_SENDING = "resume_sending"
    NOTIFY_WEBHOOKS = "notify_webhooks"
    NOTIFY_ADMIN = "notify_admin"
    NOTIFY_OPERATOR = "notify_operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One transition of an instance, with its evidence. `id` is unique; `by` and `why` say who resumed or paused it,
    and why.

    `domain` is the instance's domain, empty if unknown: a pause marks it. `deleted_at` is set if the instance had been
    deleted before: events in flight caused the pause. A pause with `until` ends by itself at that moment and leaves no
    mark. `probation_until` is when a probation ends that is under way, or begins with this
    transition.
    """

    id: str
    instance_id: str
    before: SendingState
    after: SendingState
    at: datetime
    cause: Cause
    reasons: tuple[Reason, ...] = ()
    reputation: Reputation
    by: str | None = None
    why: str | None = None
    domain: str = ""
    until: datetime | None = None
    probation_until: datetime | None = None
    deleted_at: datetime | None = None

    @property
    def marks(self) -> bool:
        """Whether the pause outlives its instance."""
        return self.after is SendingState.PAUSED and self.until is None and bool(self.domain)

    @property
    def lifts_mark(self) -> bool:
        """Whether the mark is removed: somebody resumed the instance. The end of a pause that had an `until` changes no
        mark.
        """
        resumed = self.before is SendingState.PAUSED and self.after is not SendingState.PAUSED
        return resumed and self.cause in {Cause.OPERATOR, Cause.TENANT} and bool(self.domain)

    @property
    def steps(self) -> tuple[TransitionStep, ...]:
        """The steps in order: first what protects, then the notifications."""
        notify = (TransitionStep.NOTIFY_ADMIN, TransitionStep.NOTIFY_OPERATOR)
        if self.after is SendingState.PAUSED:
            return (TransitionStep.PAUSE_SENDING, TransitionStep.NOTIFY_WEBHOOKS, *notify)
        return (TransitionStep.RESUME_SENDING, *notify) if self.before is SendingState.PAUSED else notify


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A claimed transition that is not complete: which steps are done, who enforces it, and until when."""

    transition: Transition
    done: frozenset[TransitionStep]
    claimed_by: str
    claimed_until: datetime

    @property
    def left(self) -> tuple[TransitionStep, ...]:
        """The steps still to be done."""
        return tuple(step for step in self.transition.steps if step not in self.done)

    def may_be_taken(self, claimers: frozenset[str], *, now: datetime) -> bool:
        """Whether one of *claimers* may enforce it: it holds the claim already (a retry), or the claim has expired."""
        return self.claimed_by in claimers or now >= self.claimed_until


@dataclass(frozen=True, slots=True, kw_only=True)
class SendingStatus:
    """An instance's sending status. `version` counts transitions: a claim requires the version that the decision was
    based on.

    `baseline` is when an operator last resumed it: rates look no further back. `cause` is that of its last
    transition; `until` is when a pause ends by itself; `probation_until` is when the low floors end.
    """

    instance_id: str
    state: SendingState = SendingState.HEALTHY
    since: datetime | None = None
    version: int = 0
    baseline: datetime | None = None
    pending: Pending | None = None
    cause: Cause | None = None
    until: datetime | None = None
    probation_until: datetime | None = None

    def is_on_probation(self, *, now: datetime) -> bool:
        """Whether the low floors apply."""
        return self.probation_until is not None and now < self.probation_until

    def is_over(self, *, now: datetime) -> bool:
        """Whether a pause has reached its `until`."""
        return self.state is SendingState.PAUSED and self.until is not None and now >= self.until


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A pause that outlives its instance: new instances on `domain` and below it start paused until `until`."""

    domain: str
    transition: Transition
    until: datetime


def mark_of(transition: Transition, *, since: datetime) -> Mark:
    """The mark that a pause leaves. It lasts MARK_KEPT from *since*: the moment of the pause, or of the instance's
    deletion.
    """
    return Mark(domain=transition.domain, transition=transition, until=since + MARK_KEPT)


def next_id(status: SendingStatus) -> str:
    """The id of the instance's next transition. It contains the version, so two evaluations make the same one."""
    return f"{status.instance_id}:{status.version + 1}"


def transition_of(
    status: SendingStatus, after: SendingState, reputation: Reputation, *, cause: Cause, now: datetime, domain: str = ""
) -> Transition:
    """A transition from the instance's current status."""
    return Transition(
        id=next_id(status),
        instance_id=status.instance_id,
        before=status.state,
        after=after,
        at=now,
        cause=cause,
        reputation=reputation,
        domain=domain,
        probation_until=status.probation_until if status.is_on_probation(now=now) else None,
    )


def resumption(
    status: SendingStatus,
    reputation: Reputation,
    *,
    cause: Cause,
    by: str,
    why: str,
    now: datetime,
    domain: str = "",
    probation: bool = False,
) -> Transition:
    """Somebody lets a paused instance send again. *why* is their statement of what was changed; it is kept.

    With *probation* the low floors hold for PROBATION, and the next pause in it is an operator's to lift.
    """
    resumed = transition_of(status, SendingState.HEALTHY, reputation, cause=cause, now=now, domain=domain)
    until = now + PROBATION if probation else None
    return replace(resumed, by=by, why=why, probation_until=until)


def why_not_by_tenant(status: SendingStatus, *, now: datetime) -> str | None:
    """Why a tenant may not resume its instance by itself, in words for the tenant; None when it may."""
    if status.state is not SendingState.PAUSED:
        return "The instance is not paused."
    if status.cause not in {Cause.RATES, Cause.SES_RATES}:
        return _NOT_BY_TENANT.get(status.cause, "Only an operator can resume this pause.")
    if status.is_on_probation(now=now):
        return "This is the second pause within seven days of a resume: only an operator can lift it."
    if status.pending is not None and now < status.pending.claimed_until:
        return "The pause is still being carried out; try again in a few minutes."
    return None


_NOT_BY_TENANT: dict[Cause | None, str] = {
    Cause.OPERATOR: "An operator paused the instance; only an operator can resume it.",
    Cause.OUTSIDE: "Sending was disabled in Amazon SES; only an operator can resume it.",
    Cause.ORGANIZATION: "The organization's rates are over the limit; only an operator can resume the instance.",
    Cause.EARLIER_PAUSE: "An earlier instance of this domain was paused; only an operator can resume it.",
    Cause.DAILY_CAP: "The day's mail is used up; sending resumes by itself at midnight UTC.",
}


def midnight_after(now: datetime) -> datetime:
    """The next midnight in UTC, when the daily mail limit resets."""
    return datetime.combine(now.astimezone(UTC).date() + timedelta(days=1), datetime.min.time(), tzinfo=UTC)
