"""What each result and each request changes of a webhook's health record, and what it leaves as it is."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lambdas.domain.webhooks.attempt import Attempt, AttemptOutcome, Delivered, Failed, ReceiverGone
from lambdas.domain.webhooks.delivery import Delivery
from lambdas.domain.webhooks.health import (
    LONGEST_WAITING,
    PROBE_LEASE,
    RECENT,
    SLOW_FOR,
    FailedAttempt,
    Health,
    HealthRules,
    HealthState,
    after,
    claim_probe,
    current,
    disabled_by_operator,
    enabled,
    next_drain,
    slow,
)
from lambdas.domain.webhooks.webhook import NotificationFormat

NOW = datetime(2026, 11, 21, 4, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
RULES = HealthRules()
OK, NO, GONE = Delivered(status=204), Failed(reason="503", excerpt="busy"), ReceiverGone(reason="410", excerpt="bye")
DELIVERY = Delivery(
    id="msg_1",
    type="email.bounced",
    timestamp=NOW,
    created_at=NOW,
    format=NotificationFormat.STANDARD_WEBHOOKS,
    body="{}",
    headers={},
)
OLD = FailedAttempt(delivery="msg_0", type="email.delivered", at=NOW - SECOND, reason="500", excerpt="e" * 200)
EVERYTHING = Health(  # no field has its default
    state=HealthState.FAILING,
    since=NOW - timedelta(hours=1),
    failures=7,
    first_failure=NOW - timedelta(hours=2),
    last_failure=NOW - timedelta(minutes=1),
    last_reason="500",
    probes=4,
    probe_at=NOW - SECOND,
    drain=8,
    unnotified=False,
    by_operator=False,
    slow_until=NOW + timedelta(minutes=1),
    webhook_version=3,
    record=9,
    attempts=(OLD,),
)
HEALTHY = replace(EVERYTHING, state=HealthState.HEALTHY)
DISABLED = replace(EVERYTHING, state=HealthState.DISABLED)
SEEN = FailedAttempt(delivery="msg_1", type="email.bounced", at=NOW + SECOND, reason="503", excerpt="busy")
NOTED: dict[str, Any] = {
    "failures": 8,
    "last_failure": NOW + SECOND,
    "last_reason": "503",
    "attempts": (SEEN, replace(OLD, excerpt="e" * 120)),
}


def result(outcome: AttemptOutcome, health: Health, *, jitter: float = 0.0) -> Health:
    """Health after an attempt that began now and took a second."""
    attempt = Attempt(delivery=DELIVERY, began=NOW, ended=NOW + SECOND, outcome=outcome)
    return after(health, [attempt], RULES, jitter=jitter)


def test_a_webhook_that_never_failed_has_the_record_that_none_has() -> None:
    """Nothing is stored for it."""
    assert Health() == Health(
        state=HealthState.HEALTHY,
        since=None,
        failures=0,
        first_failure=None,
        last_failure=None,
        last_reason="",
        probes=0,
        probe_at=None,
        drain=0,
        unnotified=False,
        by_operator=False,
        slow_until=None,
        webhook_version=0,
        record=0,
        attempts=(),
    )


def test_the_periods_are_those_of_the_documentation() -> None:
    """docs/webhooks.md."""
    assert HealthRules() == HealthRules(
        failing_after=timedelta(seconds=30), disabled_after=timedelta(days=5), probes=(5, 30, 300, 900)
    )
    assert (timedelta(seconds=30), timedelta(minutes=10)) == (PROBE_LEASE, SLOW_FOR)
    assert (LONGEST_WAITING, RECENT) == (15.0, 10)


def test_the_first_failure_begins_a_row() -> None:
    """Noted with the attempt's beginning and end, and what the receiver said."""
    assert result(NO, Health()) == Health(
        failures=1, first_failure=NOW, last_failure=NOW + SECOND, last_reason="503", attempts=(SEEN,)
    )


def test_a_failure_of_a_failing_webhook_puts_off_its_probe() -> None:
    """By the wait that follows the probes so far: 15 minutes after the fourth."""
    assert result(NO, EVERYTHING) == replace(EVERYTHING, **NOTED, probe_at=NOW + SECOND + timedelta(minutes=15))
    fewer = replace(EVERYTHING, probes=1)
    assert result(NO, fewer, jitter=1).probe_at == NOW + SECOND + timedelta(seconds=36)


def test_a_failure_of_a_webhook_that_goes_on_failing_makes_it_failing() -> None:
    """With a probe in five seconds; what was drained of its backlog is not any more."""
    assert result(NO, HEALTHY) == replace(
        HEALTHY,
        **NOTED,
        state=HealthState.FAILING,
        since=NOW + SECOND,
        unnotified=True,
        drain=0,
        probes=0,
        probe_at=NOW + 6 * SECOND,
    )


def test_failures_within_thirty_seconds_leave_a_probe_in_five() -> None:
    """From the third on."""
    lately = replace(HEALTHY, first_failure=NOW - 28 * SECOND)
    assert result(NO, lately) == replace(lately, **NOTED, probe_at=NOW + 6 * SECOND)
    third = replace(lately, failures=2)
    assert result(NO, third).probe_at == NOW + 6 * SECOND
    second = replace(lately, failures=1)
    assert result(NO, second) == replace(second, **NOTED | {"failures": 2})


@pytest.mark.parametrize(("began", "state"), [(29 * SECOND, HealthState.FAILING), (28.9 * SECOND, HealthState.HEALTHY)])
def test_thirty_seconds_of_failures_are_counted_to_the_end_of_the_last(began: timedelta, state: HealthState) -> None:
    """It took a second."""
    assert result(NO, replace(HEALTHY, failures=2, first_failure=NOW - began)).state is state


def test_five_days_of_failing_disable() -> None:
    """No probe, no drain; the admin is to be told."""
    failing = replace(EVERYTHING, since=NOW + SECOND - timedelta(days=5))
    assert result(NO, failing) == replace(
        failing,
        **NOTED,
        state=HealthState.DISABLED,
        since=NOW + SECOND,
        unnotified=True,
        drain=0,
        probe_at=None,
    )


@pytest.mark.parametrize("health", [EVERYTHING, HEALTHY])
def test_a_410_disables_and_is_noted(health: Health) -> None:
    """As the receiver asked."""
    bye = replace(SEEN, reason="410", excerpt="bye")
    assert result(GONE, health) == replace(
        health,
        **NOTED | {"last_reason": "410", "attempts": (bye, NOTED["attempts"][1])},
        state=HealthState.DISABLED,
        since=NOW + SECOND,
        unnotified=True,
        drain=0,
        probe_at=None,
    )


@pytest.mark.parametrize("outcome", [NO, GONE])
def test_what_fails_at_a_disabled_webhook_is_noted_and_changes_nothing(outcome: Failed | ReceiverGone) -> None:
    """Its state, since when, and who was told stay."""
    noted = replace(SEEN, reason=outcome.reason, excerpt=outcome.excerpt)
    facts = NOTED | {"last_reason": outcome.reason, "attempts": (noted, NOTED["attempts"][1])}
    assert result(outcome, DISABLED) == replace(DISABLED, **facts)


def test_a_success_of_a_failing_webhook_forgets_the_row_and_begins_to_drain() -> None:
    """What failed last stays for people to see."""
    assert result(OK, EVERYTHING) == replace(
        EVERYTHING,
        state=HealthState.HEALTHY,
        since=NOW + SECOND,
        failures=0,
        first_failure=None,
        probes=0,
        probe_at=None,
        drain=1,
        unnotified=True,
    )


def test_a_success_of_a_webhook_that_was_not_failing_yet_is_no_transition() -> None:
    """Its backlog is drained as before."""
    assert result(OK, HEALTHY) == replace(HEALTHY, failures=0, first_failure=None, probes=0, probe_at=None)
    well = replace(HEALTHY, failures=0)
    assert result(OK, well) is well
    assert result(OK, DISABLED) is DISABLED


@pytest.mark.parametrize(("began", "counts"), [(SECOND, True), (timedelta(0), False)])
def test_an_attempt_that_began_with_the_transition_says_nothing_of_the_new_state(
    began: timedelta, counts: bool
) -> None:
    """It was claimed under the old one."""
    attempt = Attempt(delivery=DELIVERY, began=NOW + began, ended=NOW + 2 * SECOND, outcome=NO)
    assert (after(replace(HEALTHY, since=NOW), [attempt], RULES).failures == 8) is counts


def test_a_new_url_or_secret_begins_a_new_row() -> None:
    """A failing or disabled webhook is failing, and probed at once; one that an operator disabled stays so."""
    row: dict[str, Any] = {"failures": 0, "first_failure": None, "probes": 0}
    assert current(EVERYTHING, 3, now=NOW) is EVERYTHING
    assert current(HEALTHY, 4, now=NOW) == replace(HEALTHY, **row, webhook_version=4, probe_at=None)
    for health in (EVERYTHING, DISABLED):
        assert current(health, 4, now=NOW) == replace(
            health, **row, webhook_version=4, state=HealthState.FAILING, probe_at=NOW
        )
    by_operator = replace(DISABLED, by_operator=True)
    assert current(by_operator, 4, now=NOW) == replace(by_operator, **row, webhook_version=4, probe_at=None)


def test_a_claimed_probe_is_counted_and_lasts_for_its_lease() -> None:
    """Nothing else changes."""
    assert claim_probe(EVERYTHING, now=NOW) == replace(EVERYTHING, probes=5, probe_at=NOW + PROBE_LEASE)


@pytest.mark.parametrize(
    ("until", "written"),
    [(None, True), (NOW, True), (NOW + timedelta(minutes=5), True), (NOW + timedelta(minutes=5, seconds=1), False)],
)
def test_slowness_is_written_again_after_half_of_its_time(until: datetime | None, written: bool) -> None:
    """Not with every slow answer."""
    health = replace(EVERYTHING, slow_until=until)
    assert slow(health, now=NOW) == (replace(health, slow_until=NOW + SLOW_FOR) if written else health)


@pytest.mark.parametrize(
    ("health", "is_slow", "is_probed"),
    [
        (Health(slow_until=NOW + SECOND), True, False),
        (Health(slow_until=NOW), False, False),
        (Health(failures=3), False, True),
        (Health(failures=2), False, False),
        (Health(state=HealthState.FAILING), False, True),
        (Health(state=HealthState.DISABLED, failures=9), False, False),
    ],
)
def test_what_is_slow_or_probed_is_in_doubt(health: Health, is_slow: bool, is_probed: bool) -> None:
    """Its attempts run where they delay no others."""
    assert (health.is_slow(now=NOW), health.is_probed) == (is_slow, is_probed)
    assert health.is_in_doubt(now=NOW) is (is_slow or is_probed)


def test_a_probe_is_due_at_its_moment() -> None:
    """And counted down to it."""
    assert replace(EVERYTHING, probe_at=NOW).may_probe(now=NOW)
    assert not replace(EVERYTHING, probe_at=NOW).may_probe(now=NOW - SECOND)
    assert not replace(DISABLED, probe_at=NOW).may_probe(now=NOW)
    assert replace(EVERYTHING, probe_at=NOW + 2 * SECOND).until_probe(now=NOW) == 2.0
    assert replace(EVERYTHING, probe_at=NOW - SECOND).until_probe(now=NOW) == 0.0
    assert replace(EVERYTHING, probe_at=None).until_probe(now=NOW) == 0.0


def test_an_operator_disables_and_enables() -> None:
    """Disabled: no probe, no drain, nobody is told. Enabled: failing, with a probe due at once."""
    told = replace(EVERYTHING, unnotified=True)
    disabled = disabled_by_operator(told, now=NOW)
    assert disabled == replace(
        told,
        state=HealthState.DISABLED,
        since=NOW,
        probe_at=None,
        drain=0,
        unnotified=False,
        by_operator=True,
        last_reason="disabled by the operator",
    )
    later = NOW + timedelta(hours=1)
    assert enabled(disabled, now=later) == replace(
        disabled, state=HealthState.FAILING, since=later, probes=0, probe_at=later, by_operator=False
    )
    assert enabled(EVERYTHING, now=later) == replace(EVERYTHING, probes=0, probe_at=later)
    assert enabled(HEALTHY, now=later) is HEALTHY


@pytest.mark.parametrize(
    ("drain", "failures", "left", "following"),
    [(8, 0, True, 16), (8, 1, True, 2), (3, 1, True, 1), (150, 0, True, 200), (8, 0, False, 0), (8, 1, False, 0)],
)
def test_a_drain_doubles_or_falls_to_a_quarter(drain: int, failures: int, left: bool, following: int) -> None:
    """Between one and 200; nothing else changes."""
    health = replace(HEALTHY, drain=drain, failures=failures)
    assert next_drain(health, left=left) == replace(health, drain=following)


@pytest.mark.parametrize(
    ("probes", "jitter", "seconds"), [(0, 0, 5), (1, 0, 30), (2, 0, 300), (3, 0, 900), (4, 0, 900), (1, -1, 24)]
)
def test_probes_are_ever_further_apart(probes: int, jitter: float, seconds: float) -> None:
    """The last wait repeats."""
    assert RULES.probe_wait(probes, jitter) == timedelta(seconds=seconds)
    assert RULES.probe_wait(1) == timedelta(seconds=30)
