"""Stopping and resuming an instance's sending: the operator's way, and a tenant's guarded one.

The portal only writes the decision. The reputation function acts on it (SES, notifications) within seconds, because the
claim is handed over; so the portal needs no permission to change anything in SES.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice

from lambdas.domain.portal import Action
from lambdas.domain.reputation.evaluation import (
    Reputation,
    ReputationRules,
    SendingState,
    measure,
    window_begin,
)
from lambdas.domain.reputation.ledger import LedgerEntry
from lambdas.domain.reputation.sending_status import (
    HANDED_OVER,
    Cause,
    SendingStatus,
    Transition,
    next_id,
    resumption,
    transition_of,
    why_not_by_tenant,
)
from lambdas.domain.tenants.instance import Instance
from lambdas.portal.errors import Conflict, Refusal
from lambdas.portal.http import Response, see_other
from lambdas.portal.pages.webhooks import reason
from lambdas.portal.ports import Actions, Baselines, Ledger, Resumes, SendingStatuses
from lambdas.portal.rendering import Renderer, duration, moment
from lambdas.portal.routing import Call

LOOKED_AT = 2_000  # of the latest ledger entries: what the evidence by cause is made of
SHOWN = 10  # of each kind of cause
SHORTEST_STATEMENT = 40  # characters: "fixed" is no answer to what was changed
_SEEN_FOR = timedelta(hours=1)  # how long a page with the evidence may be open before its form is sent
_SALT = "evidence"


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfResume:
    """The operator's rules for tenants: off, or not before `hours` after a pause and once in `days`."""

    enabled: bool
    hours: int
    days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Causes:
    """The evidence by cause: how often each recipient domain, hour, and reason occurs, most often first."""

    domains: Sequence[tuple[str, int]]
    hours: Sequence[tuple[str, int]]
    reasons: Sequence[tuple[str, int]]
    looked_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SendingPages:
    """Shows why an instance is paused and what can be done, and does it."""

    renderer: Renderer
    statuses: SendingStatuses
    ledger: Ledger
    baselines: Baselines
    resumes: Resumes
    actions: Actions
    rules: ReputationRules
    self_resume: SelfResume
    instance: Callable[[str], Instance]

    def show(self, call: Call) -> Response:
        """The evidence by cause, and the form, or why there is none."""
        instance = self.instance(call.instance)
        status = self.statuses.load(call.instance)
        return self.renderer.page(
            call,
            "sending.html",
            instance=instance,
            sending=status,
            causes=causes_of(islice(self.ledger.entries(call.instance), LOOKED_AT)),
            refusal=self._why_not(call, instance, status),
            seen=self.renderer.sessions.sign([call.instance, status.version], salt=_SALT, now=call.now),
            shortest=SHORTEST_STATEMENT,
            days=self.self_resume.days,
        )

    def resume_self(self, call: Call) -> Response:
        """A tenant's own resume, on probation."""
        instance = self.instance(call.instance)
        status = self.statuses.load(call.instance)
        if refusal := self._why_not(call, instance, status):
            raise Conflict(refusal)
        statement = self._statement(call, status)
        transition = resumption(
            status,
            self._measured(status, call.now),
            cause=Cause.TENANT,
            by=call.signed_in.who,
            why=statement,
            now=call.now,
            domain=instance.domain,
            probation=True,
        )
        next_at = self.resumes.take_resume(
            instance.organization_guid,
            instance.domain,
            transition_id=transition.id,
            again_after=call.now + timedelta(days=self.self_resume.days),
            now=call.now,
        )
        if next_at is not None:  # taken by another request since the form was checked
            raise Conflict(_resumed_already(instance, next_at, self.self_resume, now=call.now))
        return self._moved(call, status, transition, what="resume by the tenant")

    def resume(self, call: Call) -> Response:
        """The operator's resume: rates start again from zero."""
        instance = self.instance(call.instance)
        status = self.statuses.load(call.instance)
        if status.state is not SendingState.PAUSED:
            raise Conflict(f"The instance is not paused but {status.state.value}.")
        if status.pending and call.now < status.pending.claimed_until:
            raise Conflict("The pause is still being carried out; try again in a few minutes.")
        transition = self._of_operator(call, instance, status, SendingState.HEALTHY)
        return self._moved(call, status, transition, what="resume")

    def pause(self, call: Call) -> Response:
        """The operator's pause."""
        instance = self.instance(call.instance)
        status = self.statuses.load(call.instance)
        if status.state is SendingState.PAUSED and status.until is None:
            raise Conflict("The instance is paused already.")
        return self._moved(call, status, self._of_operator(call, instance, status, SendingState.PAUSED), what="pause")

    def _why_not(self, call: Call, instance: Instance, status: SendingStatus) -> str:
        """Why the tenant may not resume the instance now, and from when it may; empty when it may."""
        if refusal := why_not(status, self.self_resume, now=call.now):
            return refusal
        possible_at = self.resumes.resume_possible_at(
            instance.organization_guid, instance.domain, transition_id=next_id(status), now=call.now
        )
        earliest = _earliest(status, self.self_resume)
        if possible_at is not None and possible_at > earliest:
            return _resumed_already(instance, possible_at, self.self_resume, now=call.now)
        if earliest > call.now:
            return (
                f"You can resume {self.self_resume.hours} hours after the pause: from {moment(earliest)}, in "
                f"{duration(earliest - call.now)}. Use the time to find the cause."
            )
        return ""

    def _of_operator(self, call: Call, instance: Instance, status: SendingStatus, after: SendingState) -> Transition:
        transition = transition_of(
            status,
            after,
            self._measured(status, call.now),
            cause=Cause.OPERATOR,
            now=call.now,
            domain=instance.domain,
        )
        return replace(transition, by=call.signed_in.who, why=reason(call), probation_until=None)

    def _moved(self, call: Call, status: SendingStatus, transition: Transition, *, what: str) -> Response:
        """Write the decision. The baseline comes first: a crash in between is completed by doing it again."""
        baseline = status.baseline
        if transition.after is not SendingState.PAUSED:
            baseline = call.now.replace(microsecond=0)
            if not self.baselines.set(call.instance, baseline):
                raise Conflict("The service instance no longer exists.")
        if not self.statuses.claim(status, transition, claimer=HANDED_OVER, baseline=baseline, now=call.now):
            raise Conflict("The status was changed at the same moment. Reload the page and try again.")
        self.actions.record(
            Action(instance_id=call.instance, at=call.now, who=call.signed_in.who, what=what, why=transition.why or "")
        )
        return see_other(f"{call.request.root}instances/{call.instance}")

    def _statement(self, call: Call, status: SendingStatus) -> str:
        """What was changed, by somebody who has seen the evidence. Raises Refusal."""
        seen = self.renderer.sessions.verified(call.form.get("seen", ""), salt=_SALT, age=_SEEN_FOR, now=call.now)
        if seen != [call.instance, status.version] or call.form.get("looked") != "yes":
            raise Refusal("Open the page with the evidence, look at it, and tick the box.")
        statement = reason(call)
        if len(statement) < SHORTEST_STATEMENT:
            raise Refusal(f"The field reason must say what was changed, in {SHORTEST_STATEMENT} characters or more.")
        return statement

    def _measured(self, status: SendingStatus, now: datetime) -> Reputation:
        since = window_begin(self.rules, baseline=status.baseline, now=now)
        return measure(self.ledger.hours(status.instance_id, since=since), self.rules)


def why_not(status: SendingStatus, rules: SelfResume, *, now: datetime) -> str:
    """Why this pause is not the tenant's to lift, whenever it asks; empty when it is."""
    if not rules.enabled:
        return "Only the operator can resume the instance. Tell the operator what you changed, and ask for it."
    return why_not_by_tenant(status, now=now) or ""


def _earliest(status: SendingStatus, rules: SelfResume) -> datetime:
    """When a tenant may lift the pause, as far as its age goes."""
    since = status.since or datetime.min.replace(tzinfo=UTC)
    return since + timedelta(hours=rules.hours)


def _resumed_already(instance: Instance, possible_at: datetime, rules: SelfResume, *, now: datetime) -> str:
    return (
        f"{instance.domain} was resumed by its tenant already. A tenant can do so once in {rules.days} days: the next "
        f"time is in {duration(possible_at - now)}, from {moment(possible_at)}. Until then, ask the operator."
    )


def causes_of(entries: Iterable[LedgerEntry]) -> Causes:
    """What the ledger's entries have in common."""
    domains, hours, reasons = Counter[str](), Counter[str](), Counter[str]()
    number = 0
    for entry in entries:
        number += 1
        domains.update({address.rpartition("@")[2].rstrip(">").lower() for address in entry.recipients})
        hours[f"{entry.timestamp:%d %b %H:00}"] += 1
        reasons[f"{entry.kind.value}: {entry.reason or 'unknown'}"] += 1
    most = (tuple(counted.most_common(SHOWN)) for counted in (domains, hours, reasons))
    by_domain, by_hour, by_reason = most
    return Causes(domains=by_domain, hours=by_hour, reasons=by_reason, looked_at=number)
