"""Transitions: what each brings with it, what it marks, and who may resume."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from lambdas.domain.reputation.evaluation import PROBATION, Reputation, SendingState
from lambdas.domain.reputation.sending_status import (
    MARK_KEPT,
    Cause,
    Mark,
    Pending,
    SendingStatus,
    Transition,
    TransitionStep,
    mark_of,
    midnight_after,
    resumption,
    transition_of,
    why_not_by_tenant,
)

NOW = datetime(2026, 11, 21, 5, 30, tzinfo=UTC)
COUNTS = Reputation(bounces=40, complaints=0, deliveries=960, since="2026-11-21T04")
PAUSED = SendingStatus(instance_id="i1", state=SendingState.PAUSED, version=3, cause=Cause.RATES, since=NOW)


def test_a_resume_records_who_why_and_what_follows() -> None:
    """A tenant's begins a probation of seven days; an operator's ends one."""
    by_tenant = resumption(
        PAUSED, COUNTS, cause=Cause.TENANT, by="ann@agency.gov", why="The list was cleaned.", now=NOW, probation=True
    )
    assert (by_tenant.id, by_tenant.before, by_tenant.after) == ("i1:4", SendingState.PAUSED, SendingState.HEALTHY)
    assert (by_tenant.cause, by_tenant.by, by_tenant.why) == (Cause.TENANT, "ann@agency.gov", "The list was cleaned.")
    assert by_tenant.probation_until == NOW + PROBATION == NOW + timedelta(days=7)
    on_probation = replace(PAUSED, probation_until=NOW + timedelta(days=3))
    by_operator = resumption(on_probation, COUNTS, cause=Cause.OPERATOR, by="arn", why="seen", now=NOW)
    assert by_operator.probation_until is None


def test_a_probation_goes_on_whatever_moves_the_instance_and_ends_in_time() -> None:
    """A warning or a pause in it does not end it."""
    on_probation = replace(PAUSED, state=SendingState.HEALTHY, probation_until=NOW)
    warned = transition_of(on_probation, SendingState.WARNED, COUNTS, cause=Cause.RATES, now=NOW - timedelta(seconds=1))
    assert warned.probation_until == NOW
    assert transition_of(on_probation, SendingState.WARNED, COUNTS, cause=Cause.RATES, now=NOW).probation_until is None


@pytest.mark.parametrize("cause", [Cause.RATES, Cause.SES_RATES])
def test_a_tenant_may_resume_a_first_pause_for_its_rates(cause: Cause) -> None:
    """Once it was carried out."""
    assert why_not_by_tenant(replace(PAUSED, cause=cause), now=NOW) is None


@pytest.mark.parametrize(
    ("status", "why"),
    [
        (replace(PAUSED, state=SendingState.HEALTHY), "not paused"),
        (replace(PAUSED, cause=Cause.OPERATOR), "An operator paused"),
        (replace(PAUSED, cause=Cause.OUTSIDE), "disabled in Amazon SES"),
        (replace(PAUSED, cause=Cause.ORGANIZATION), "organization"),
        (replace(PAUSED, cause=Cause.EARLIER_PAUSE), "earlier instance"),
        (replace(PAUSED, cause=Cause.DAILY_CAP), "midnight UTC"),
        (replace(PAUSED, cause=None), "Only an operator"),
        (replace(PAUSED, probation_until=NOW + timedelta(seconds=1)), "second pause within seven days"),
        (
            replace(
                PAUSED,
                pending=Pending(
                    transition=transition_of(PAUSED, SendingState.PAUSED, COUNTS, cause=Cause.RATES, now=NOW),
                    done=frozenset(),
                    claimed_by="record-1",
                    claimed_until=NOW + timedelta(seconds=1),
                ),
            ),
            "still being carried out",
        ),
    ],
)
def test_every_other_pause_is_an_operators_to_lift(status: SendingStatus, why: str) -> None:
    """The tenant is told why."""
    told = why_not_by_tenant(status, now=NOW)
    assert told is not None
    assert why in told


def test_the_end_of_a_probation_is_the_end() -> None:
    """A pause a week later may be resumed by the tenant again."""
    assert why_not_by_tenant(replace(PAUSED, probation_until=NOW), now=NOW) is None


HEALTHY, WARNED = SendingState.HEALTHY, SendingState.WARNED
STEP = TransitionStep
TOLD = (STEP.NOTIFY_ADMIN, STEP.NOTIFY_OPERATOR)


def transition(before: SendingState, after: SendingState, **facts: Any) -> Transition:
    """A transition of i1, for its rates unless *facts* say otherwise."""
    given: dict[str, Any] = {
        "id": "i1:4",
        "instance_id": "i1",
        "at": NOW,
        "cause": Cause.RATES,
        "reputation": COUNTS,
    } | facts
    return Transition(before=before, after=after, **given)


def test_a_transition_follows_from_the_status_that_it_was_decided_on() -> None:
    """Two evaluations of one status make the same one."""
    made = transition_of(PAUSED, HEALTHY, COUNTS, cause=Cause.OPERATOR, now=NOW, domain="agency.gov")
    assert made == Transition(
        id="i1:4",
        instance_id="i1",
        before=SendingState.PAUSED,
        after=HEALTHY,
        at=NOW,
        cause=Cause.OPERATOR,
        reasons=(),
        reputation=COUNTS,
        by=None,
        why=None,
        domain="agency.gov",
        until=None,
        probation_until=None,
        deleted_at=None,
    )
    assert transition_of(PAUSED, HEALTHY, COUNTS, cause=Cause.OPERATOR, now=NOW).domain == ""
    resumed = resumption(PAUSED, COUNTS, cause=Cause.OPERATOR, by="arn", why="seen", now=NOW, domain="agency.gov")
    assert resumed == replace(made, by="arn", why="seen")
    assert resumption(PAUSED, COUNTS, cause=Cause.OPERATOR, by="arn", why="seen", now=NOW).domain == ""


def test_an_instance_of_which_nothing_was_recorded_is_healthy() -> None:
    """Version 0: the first claim expects it."""
    assert SendingStatus(instance_id="i1") == SendingStatus(
        instance_id="i1",
        state=HEALTHY,
        since=None,
        version=0,
        baseline=None,
        pending=None,
        cause=None,
        until=None,
        probation_until=None,
    )


@pytest.mark.parametrize(
    ("before", "after", "steps"),
    [
        (HEALTHY, SendingState.PAUSED, (STEP.PAUSE_SENDING, STEP.NOTIFY_WEBHOOKS, *TOLD)),
        (SendingState.PAUSED, SendingState.PAUSED, (STEP.PAUSE_SENDING, STEP.NOTIFY_WEBHOOKS, *TOLD)),
        (SendingState.PAUSED, HEALTHY, (STEP.RESUME_SENDING, *TOLD)),
        (SendingState.PAUSED, WARNED, (STEP.RESUME_SENDING, *TOLD)),
        (HEALTHY, WARNED, TOLD),
        (WARNED, HEALTHY, TOLD),
    ],
)
def test_what_protects_comes_before_the_notifications(
    before: SendingState, after: SendingState, steps: tuple[TransitionStep, ...]
) -> None:
    """The switch in SES first; the webhooks hear of a pause alone."""
    assert transition(before, after).steps == steps


@pytest.mark.parametrize(
    ("after", "domain", "until", "marks"),
    [
        (SendingState.PAUSED, "agency.gov", None, True),
        (SendingState.PAUSED, "agency.gov", NOW, False),
        (SendingState.PAUSED, "", None, False),
        (WARNED, "agency.gov", None, False),
    ],
)
def test_a_pause_without_an_end_marks_its_domain(
    after: SendingState, domain: str, until: datetime | None, marks: bool
) -> None:
    """One that ends by itself is no reason to pause the next instance."""
    assert transition(HEALTHY, after, domain=domain, until=until).marks is marks


@pytest.mark.parametrize(
    ("before", "after", "cause", "domain", "lifts"),
    [
        (SendingState.PAUSED, HEALTHY, Cause.OPERATOR, "agency.gov", True),
        (SendingState.PAUSED, HEALTHY, Cause.TENANT, "agency.gov", True),
        (SendingState.PAUSED, HEALTHY, Cause.DAILY_CAP, "agency.gov", False),
        (SendingState.PAUSED, HEALTHY, Cause.OPERATOR, "", False),
        (SendingState.PAUSED, SendingState.PAUSED, Cause.OPERATOR, "agency.gov", False),
        (WARNED, HEALTHY, Cause.OPERATOR, "agency.gov", False),
    ],
)
def test_whoever_resumes_an_instance_lifts_its_mark(
    before: SendingState, after: SendingState, cause: Cause, domain: str, lifts: bool
) -> None:
    """The end of a pause by itself lifts none."""
    assert transition(before, after, cause=cause, domain=domain).lifts_mark is lifts


def test_a_mark_lasts_for_90_days() -> None:
    """From the pause, or from the instance's deletion."""
    pause = transition(HEALTHY, SendingState.PAUSED, domain="agency.gov")
    assert mark_of(pause, since=NOW) == Mark(domain="agency.gov", transition=pause, until=NOW + MARK_KEPT)
    assert timedelta(days=90) == MARK_KEPT


def test_the_steps_left_are_those_not_done_and_belong_to_the_claimer_while_its_claim_lasts() -> None:
    """A retry of the claimer goes on at once."""
    pending = Pending(
        transition=transition(HEALTHY, SendingState.PAUSED),
        done=frozenset({STEP.PAUSE_SENDING, STEP.NOTIFY_ADMIN}),
        claimed_by="record-1",
        claimed_until=NOW,
    )
    assert pending.left == (STEP.NOTIFY_WEBHOOKS, STEP.NOTIFY_OPERATOR)
    before = NOW - timedelta(seconds=1)
    assert pending.may_be_taken(frozenset({"record-1", "record-2"}), now=before)
    assert not pending.may_be_taken(frozenset({"record-2"}), now=before)
    assert pending.may_be_taken(frozenset({"record-2"}), now=NOW)


@pytest.mark.parametrize(
    ("status", "over"),
    [
        (replace(PAUSED, until=NOW), True),
        (replace(PAUSED, until=NOW + timedelta(seconds=1)), False),
        (PAUSED, False),
        (replace(PAUSED, until=NOW, state=HEALTHY), False),
    ],
)
def test_a_pause_is_over_at_its_end(status: SendingStatus, over: bool) -> None:
    """If it has one."""
    assert status.is_over(now=NOW) is over


@pytest.mark.parametrize(
    ("now", "midnight"),
    [
        (datetime(2026, 11, 21, 23, 59, tzinfo=UTC), datetime(2026, 11, 22, tzinfo=UTC)),
        (datetime(2026, 11, 21, 0, 0, tzinfo=UTC), datetime(2026, 11, 22, tzinfo=UTC)),
        (datetime(2026, 11, 21, 20, 0, tzinfo=timezone(timedelta(hours=-7))), datetime(2026, 11, 23, tzinfo=UTC)),
    ],
)
def test_the_day_ends_at_midnight_utc(now: datetime, midnight: datetime) -> None:
    """Wherever the clock stands."""
    assert midnight_after(now) == midnight
