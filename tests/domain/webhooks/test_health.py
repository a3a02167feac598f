"""How results change a webhook's health."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.domain.webhooks.attempt import Attempt, AttemptOutcome, Delivered, Failed, ReceiverGone
from lambdas.domain.webhooks.delivery import Delivery
from lambdas.domain.webhooks.health import (
    EXCERPT_OF_OLDER,
    MAX_DRAIN,
    PROBE_LEASE,
    RECENT,
    Health,
    HealthRules,
    HealthState,
    after,
    after_test,
    claim_probe,
    current,
    disabled_by_operator,
    enabled,
    next_drain,
)
from lambdas.domain.webhooks.webhook import NotificationFormat

NOW = datetime(2026, 11, 21, 4, 0, tzinfo=UTC)
RULES = HealthRules()
OK, NO, GONE = Delivered(status=204), Failed(reason="503"), ReceiverGone(reason="410")
DELIVERY = Delivery(
    id="msg_1",
    type="email.bounced",
    timestamp=NOW,
    created_at=NOW,
    format=NotificationFormat.STANDARD_WEBHOOKS,
    body="{}",
    headers={},
)
FAILING = Health(
    state=HealthState.FAILING,
    since=NOW,
    failures=3,
    first_failure=NOW - timedelta(seconds=60),
    probe_at=NOW,
    unnotified=True,
)


def at(seconds: float, outcome: AttemptOutcome, *, took: float = 0.1) -> Attempt:
    """An attempt that ended *seconds* after NOW."""
    ended = NOW + timedelta(seconds=seconds)
    return Attempt(delivery=DELIVERY, began=ended - timedelta(seconds=took), ended=ended, outcome=outcome)


def health_after(*attempts: Attempt, health: Health | None = None) -> Health:
    """Health after *attempts*."""
    return after(health or Health(), attempts, RULES)


def test_a_success_of_a_healthy_webhook_changes_nothing() -> None:
    """So nothing is written for the many that succeed."""
    assert health_after(at(1, OK), at(2, OK)) == Health()


def test_three_failures_in_a_row_over_thirty_seconds_make_it_failing() -> None:
    """With a probe in five seconds; and it is not yet told."""
    health = health_after(at(1, NO), at(6, NO), at(32, NO))

    assert (health.state, health.since, health.unnotified) == (HealthState.FAILING, NOW + timedelta(seconds=32), True)
    assert health.probe_at == NOW + timedelta(seconds=37)


def test_many_failures_at_once_are_a_restart() -> None:
    """A hundred deliveries of one batch fail within a second: nothing is known of the next minute."""
    health = health_after(*(at(number / 100, NO) for number in range(100)))

    assert (health.state, health.failures) == (HealthState.HEALTHY, 100)


def test_two_failures_far_apart_are_not_enough() -> None:
    """A webhook that gets one event an hour."""
    assert health_after(at(0, NO), at(3600, NO)).state is HealthState.HEALTHY


def test_a_success_in_between_starts_the_count_anew() -> None:
    """In a row means in a row."""
    health = health_after(at(0, NO), at(20, NO), at(21, OK), at(40, NO))

    assert (health.state, health.failures) == (HealthState.HEALTHY, 1)
    assert health.first_failure is not None
    assert health.first_failure > NOW + timedelta(seconds=39)


def test_results_are_taken_in_the_order_they_ended() -> None:
    """Whatever order they are reported in."""
    attempts = [at(40, OK), at(0, NO), at(20, NO), at(35, NO)]

    assert after(Health(), attempts, RULES) == after(Health(), attempts[::-1], RULES)
    assert after(Health(), attempts, RULES).state is HealthState.HEALTHY


def test_one_success_makes_a_failing_webhook_healthy_and_drains_its_backlog() -> None:
    """Gently at first."""
    health = health_after(at(10, OK), health=FAILING)

    assert (health.state, health.failures, health.probe_at, health.drain) == (HealthState.HEALTHY, 0, None, 1)
    assert (health.since, health.unnotified) == (NOW + timedelta(seconds=10), True)


def test_a_result_counts_only_if_its_attempt_began_after_the_last_transition() -> None:
    """An answer under way when the state changed says nothing of the new state: neither good nor bad."""
    recovered = health_after(at(10, OK), health=FAILING)

    assert health_after(at(12, NO, took=5), health=recovered) == recovered
    assert health_after(at(5, OK, took=10), health=FAILING) == FAILING


def test_a_failed_probe_puts_the_next_one_off_further_each_time() -> None:
    """5 s, 30 s, 5 min, then every 15 min."""
    health, waits = replace(FAILING, probe_at=NOW + timedelta(seconds=5)), []
    for _ in range(6):
        assert health.probe_at is not None
        moment = health.probe_at
        health = claim_probe(health, now=moment)
        health = after(health, [replace(at(0, NO), began=moment, ended=moment + timedelta(seconds=1))], RULES)
        assert health.probe_at is not None
        waits.append((health.probe_at - moment).total_seconds() - 1)

    assert waits == [30, 300, 900, 900, 900, 900]


def test_a_claimed_probe_keeps_others_away_until_it_must_be_lost() -> None:
    """One at a time; but a probe whose process died must not be the last."""
    claimed = claim_probe(FAILING, now=NOW)

    assert not claimed.may_probe(now=NOW + timedelta(seconds=20))
    assert claimed.may_probe(now=NOW + PROBE_LEASE)


def test_three_failures_in_a_row_leave_one_probe_every_five_seconds_until_the_first_success() -> None:
    """Whether it is a restart or an outage is not known yet."""
    doubted = health_after(at(1, NO), at(2, NO), at(3, NO))
    assert (doubted.state, doubted.is_probed, doubted.probe_at) == (
        HealthState.HEALTHY,
        True,
        NOW + timedelta(seconds=8),
    )
    assert (doubted.until_probe(now=NOW), doubted.until_probe(now=NOW + timedelta(seconds=9))) == (8, 0)

    assert health_after(at(9, NO), health=doubted).probe_at == NOW + timedelta(seconds=14)
    trusted = health_after(at(9, OK), health=doubted)
    assert (trusted.is_probed, trusted.may_probe(now=NOW), trusted.until_probe(now=NOW)) == (False, False, 0)
    assert not health_after(at(1, NO), at(2, NO)).is_probed


def test_webhooks_that_failed_together_are_not_probed_together() -> None:
    """A router in front of all of them was down."""
    failures = [at(1, NO), at(2, NO), at(3, NO)]
    waits = [after(Health(), failures, RULES, jitter=jitter).until_probe(now=NOW) for jitter in (-1, 0, 1)]
    assert waits == [7, 8, 9]

    probed = [after(claim_probe(FAILING, now=NOW), [at(1, NO)], RULES, jitter=jitter) for jitter in (-1, 1)]
    assert [health.until_probe(now=NOW) for health in probed] == [25, 37]


@pytest.mark.parametrize(("failing", "probe", "seconds"), [(30, 5, 15), (3600, 5, 15), (8, 5, 5), (2, 1, 1), (0, 1, 1)])
def test_deliveries_wait_for_half_of_the_time_until_a_webhook_is_failing(
    failing: int, probe: float, seconds: float
) -> None:
    """Whatever the operator chose: never less than until the next probe, nor so long that a restart is felt."""
    rules = HealthRules(failing_after=timedelta(seconds=failing), probes=(probe, 30))
    assert rules.waiting == seconds


def test_a_record_of_repeated_failures_from_before_probes_has_one_due() -> None:
    """Version 1.0.0 wrote no probe for a webhook that was not failing yet."""
    assert Health(failures=3, first_failure=NOW, last_failure=NOW).may_probe(now=NOW)


def test_a_new_url_is_attempted_without_a_probe() -> None:
    """What the old one failed says nothing of it."""
    doubted = health_after(at(1, NO), at(2, NO), at(3, NO))

    assert current(doubted, 2, now=NOW).probe_at is None
    assert not current(doubted, 2, now=NOW).is_probed


def test_after_five_days_of_failing_it_is_disabled() -> None:
    """By the next failure."""
    day = 86_400
    assert health_after(at(5 * day - 1, NO), health=FAILING).state is HealthState.FAILING
    assert health_after(at(5 * day, NO), health=FAILING).state is HealthState.DISABLED


@pytest.mark.parametrize("health", [Health(), FAILING], ids=["healthy", "failing"])
def test_a_410_disables_at_once(health: Health) -> None:
    """It takes no second one."""
    assert health_after(at(1, GONE), health=health).state is HealthState.DISABLED


def test_a_stray_success_does_not_enable_what_is_disabled() -> None:
    """A stale view may have sent it; the receiver said 410 or was away for five days."""
    disabled = health_after(at(1, GONE))

    assert health_after(at(5, OK), health=disabled) == disabled


def test_a_test_that_got_through_has_it_probed_at_once_but_not_against_the_operator() -> None:
    """What an operator disabled, an operator enables."""
    disabled = health_after(at(1, GONE))
    by_operator = disabled_by_operator(Health(), now=NOW)

    assert after_test(disabled, now=NOW).may_probe(now=NOW)
    assert after_test(by_operator, now=NOW) == by_operator
    assert enabled(by_operator, now=NOW).may_probe(now=NOW)
    assert enabled(Health(), now=NOW) == Health()


def test_a_new_url_deserves_a_try_at_once_whatever_the_old_one_did() -> None:
    """The record is of another version of the webhook."""
    disabled = replace(health_after(at(1, GONE)), webhook_version=1)

    assert current(disabled, 1, now=NOW) == disabled
    assert current(disabled, 2, now=NOW).may_probe(now=NOW)
    assert current(Health(failures=7, webhook_version=1), 2, now=NOW) == Health(webhook_version=2)


def test_a_new_url_does_not_undo_what_an_operator_did() -> None:
    """Disabled is disabled."""
    assert current(disabled_by_operator(Health(), now=NOW), 9, now=NOW).state is HealthState.DISABLED


def test_the_latest_failed_attempts_are_kept_short() -> None:
    """The item is read with every batch."""
    health = Health()
    for number in range(RECENT + 5):
        health = after(health, [at(number, Failed(reason=f"{number}", excerpt="x" * 1024))], RULES)

    assert [attempt.reason for attempt in health.attempts] == [str(number) for number in range(14, 4, -1)]
    assert [len(attempt.excerpt) for attempt in health.attempts] == [1024] + [EXCERPT_OF_OLDER] * 9


def test_draining_speeds_up_while_the_receiver_keeps_up_and_slows_down_when_it_stumbles() -> None:
    """Bounded both ways; over when nothing is left."""
    health, pace = Health(drain=1), []
    for _ in range(10):
        pace.append(health.drain)
        health = next_drain(health, left=True)

    assert pace == [1, 2, 4, 8, 16, 32, 64, 128, MAX_DRAIN, MAX_DRAIN]
    assert next_drain(replace(health, failures=1), left=True).drain == MAX_DRAIN // 4
    assert next_drain(Health(drain=1, failures=1), left=True).drain == 1
    assert next_drain(health, left=False).drain == 0


@given(st.lists(st.tuples(st.floats(0, 1e6), st.sampled_from([OK, NO])), max_size=30))
def test_whatever_happens_the_record_makes_sense(results: Sequence[tuple[float, AttemptOutcome]]) -> None:
    """A webhook that is probed has a probe to come, any other has none; a transition needs its reason."""
    health = health_after(*(at(seconds, outcome) for seconds, outcome in results))

    assert (health.probe_at is not None) == health.is_probed
    assert (health.failures == 0) == (health.first_failure is None)
    assert health.state is not HealthState.FAILING or health.failures >= 3


def test_a_failed_attempt_is_noted_with_when_and_why() -> None:
    """What operators and tenants see of a webhook that does not answer."""
    health = health_after(at(1, NO), at(3, Failed(reason="no answer")))
    assert (health.first_failure, health.last_failure) == (NOW + timedelta(seconds=0.9), NOW + timedelta(seconds=3))
    assert (health.failures, health.last_reason) == (2, "no answer")


def test_a_success_forgets_what_failed_before_it() -> None:
    """Count, first failure and probes: the next failure begins a new row."""
    recovered = health_after(at(1, OK), health=replace(FAILING, probes=4))
    assert (recovered.state, recovered.failures, recovered.first_failure) == (HealthState.HEALTHY, 0, None)
    assert (recovered.probes, recovered.probe_at, recovered.unnotified) == (0, None, True)
    stumbled = health_after(at(1, NO), at(2, OK))
    assert (stumbled.failures, stumbled.first_failure, stumbled.probes) == (0, None, 0)


def test_a_webhook_that_begins_to_fail_is_no_longer_drained() -> None:
    """Its first probe comes after five seconds, whatever happened before."""
    draining = Health(drain=32, probes=3)
    failing = health_after(at(1, NO), at(6, NO), at(32, NO), health=draining)
    assert (failing.drain, failing.probes) == (0, 0)
    assert health_after(at(1, GONE), health=replace(draining, probe_at=NOW)).probe_at is None


def test_an_enabled_webhook_is_due_at_once_from_then_on() -> None:
    """Its time as failing begins anew if it had been disabled, and goes on if it had not."""
    disabled = disabled_by_operator(FAILING, now=NOW + timedelta(hours=1))
    again = enabled(replace(disabled, probes=5), now=NOW + timedelta(hours=2))
    assert (again.state, again.by_operator, again.probes) == (HealthState.FAILING, False, 0)
    assert again.since == again.probe_at == NOW + timedelta(hours=2)
    still = enabled(replace(FAILING, probe_at=NOW + timedelta(hours=9)), now=NOW + timedelta(hours=2))
    assert (still.since, still.probe_at) == (NOW, NOW + timedelta(hours=2))
    assert enabled(Health(), now=NOW) == Health()
