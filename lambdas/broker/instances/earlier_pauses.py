"""A pause outlives its instance: a new one on the same domain, or below it, starts paused until an operator resumes it.

`begin` is a step of a provision, before the configuration set is created: it claims the new instance's pause, which the
reputation function enforces, and the set is created with sending disabled, so that no mail is sent. `keep` is
a step of a deprovision. The mark was written with the pause; `keep` renews it, so that it lasts from the deletion on.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from lambdas.broker.operations.engine import StepDone, StepOutcome, StepWaiting
from lambdas.broker.ports import PauseMarks, SendingStatuses
from lambdas.domain.reputation.evaluation import Reason, SendingState
from lambdas.domain.reputation.sending_status import (
    HANDED_OVER,
    Cause,
    Mark,
    SendingStatus,
    Transition,
    mark_of,
    transition_of,
)
from lambdas.domain.tenants.instance import Instance

_AGAIN = 1.0  # s until the next try, if another writer changed the instance at the same moment
_NAMES = {Reason.BOUNCES: "bounce rate", Reason.COMPLAINTS: "complaint rate"}


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierPauses:
    """The two steps. Each can be repeated."""

    marks: PauseMarks
    sending_statuses: SendingStatuses
    clock: Callable[[], datetime]

    def begin(self, instance: Instance) -> StepOutcome:
        """Pause the new instance if its domain, or one above it, is marked."""
        now = self.clock()
        mark = self.marks.over(instance.domain, now=now)
        if mark is None:
            return StepDone({"paused": ""})
        sending_status = self.sending_statuses.load(instance.id)
        if sending_status.state is not SendingState.PAUSED:
            paused = _paused(sending_status, mark, instance.domain, now)
            if not self.sending_statuses.claim(
                sending_status, paused, claimer=HANDED_OVER, baseline=sending_status.baseline, now=now
            ):
                return StepWaiting(_AGAIN, "Looking for an earlier pause of the domain")
        return StepDone({"paused": words(mark)})

    def keep(self, instance: Instance) -> StepOutcome:
        """Renew the mark of an instance that is being deleted, so that it lasts for its full time from now on.

        Not for a domain that the instance lost, because another organization may have it now.
        """
        if instance.lost_domain:
            return StepDone()
        sending_status = self.sending_statuses.load(instance.id)
        if sending_status.state is SendingState.PAUSED and sending_status.until is None:
            pause = next(
                move for move in self.sending_statuses.history(instance.id) if move.after is SendingState.PAUSED
            )
            self.marks.keep(mark_of(replace(pause, domain=instance.domain), since=self.clock()))
        return StepDone()


def words(mark: Mark) -> str:
    """Text for the tenant: why the new instance starts paused, on what evidence, and what to do."""
    return (
        f"Sending is paused: an earlier service instance of {mark.domain} was paused on "
        f"{mark.transition.at:%Y-%m-%d}{_evidence(mark.transition)}. Say to the operator what you changed and ask for "
        f"a resume; else the pause ends on {mark.until:%Y-%m-%d}."
    )


def _evidence(pause: Transition) -> str:
    """Rates only: what an operator wrote about one tenant must not be shown to another."""
    counts = pause.reputation
    if not pause.reasons:
        return " by an operator" if pause.cause is Cause.OPERATOR else ""
    rates = {Reason.BOUNCES: f"{counts.bounce_rate:.2%}", Reason.COMPLAINTS: f"{counts.complaint_rate:.3%}"}
    causes = " and ".join(f"{_NAMES[reason]} of {rates[reason]}" for reason in pause.reasons)
    return f" for a {causes}: {counts.bounces} bounces and {counts.complaints} complaints in {counts.outcomes} outcomes"


def _paused(sending_status: SendingStatus, mark: Mark, domain: str, now: datetime) -> Transition:
    """The pause of the new instance: the earlier one's evidence, until the mark's end."""
    earlier = mark.transition
    paused = transition_of(
        sending_status, SendingState.PAUSED, earlier.reputation, cause=Cause.EARLIER_PAUSE, now=now, domain=domain
    )
    return replace(paused, reasons=earlier.reasons, why=words(mark), until=mark.until)
