"""Transitions: what each brings with it, what it marks, and who may resume."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from lambdas.domain.reputation.evaluation import PROBATION, Reputation, SendingState
from lambdas.domain.reputation.sending_status import (
    Cause,
    Pending,
    SendingStatus,
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
