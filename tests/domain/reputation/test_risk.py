"""How near an instance is to a pause: the operator's list is sorted by it."""

from dataclasses import replace

import pytest

from lambdas.domain.reputation.evaluation import Reputation, SendingState
from lambdas.domain.reputation.risk import risk
from tests.reputation.fakes import RULES


def counts(*, bounces: int = 0, complaints: int = 0, deliveries: int = 0) -> Reputation:
    """A window's counts."""
    return Reputation(bounces=bounces, complaints=complaints, deliveries=deliveries, since=None)


@pytest.mark.parametrize(
    ("reputation", "expected"),
    [
        (counts(), 0.0),
        (counts(bounces=40, deliveries=960), 1.0),  # at 4 %
        (counts(bounces=20, deliveries=980), 0.5),
        (counts(bounces=20, complaints=12, deliveries=15_000), 0.923),  # complaints are nearer: 12 of 13
        (counts(complaints=13, deliveries=16_250), 1.0),  # at 0.08 %
        (counts(complaints=13, deliveries=32_500), 0.5),
        (counts(complaints=6, deliveries=1_000), 0.462),  # far above the rate, with six of thirteen complaints
        (counts(bounces=4, deliveries=6), 0.02),  # far above everything, with ten of 500 outcomes
        (counts(bounces=900, deliveries=100), 2.0),
        (counts(bounces=9_000, deliveries=1_000), 9.9),
    ],
)
def test_the_risk_is_one_where_a_rate_is_at_its_pause_and_all_floors_are_reached(
    reputation: Reputation, expected: float
) -> None:
    """The nearer of the two rates, as far as there is enough to judge by; 9.9 at most."""
    assert risk(reputation, RULES, SendingState.HEALTHY) == risk(reputation, RULES, SendingState.WARNED) == expected


def test_few_bounces_are_less_of_a_risk_whatever_their_rate() -> None:
    """20 of the 25 that a pause would take."""
    assert risk(counts(bounces=20, deliveries=480), replace(RULES, minimum_bounces=25), SendingState.HEALTHY) == 0.8


def test_the_paused_come_first() -> None:
    """Whatever their rates are now."""
    assert risk(counts(), RULES, SendingState.PAUSED) == 10.0
