"""A small part of `make fuzz`: enough to notice a target that has come apart."""

import random

import pytest

from tests.fuzz.checks import CHECKS
from tests.fuzz.fuzz import by_hypothesis, by_mutation
from tests.fuzz.inputs import MAKERS, strategies

FAR = float("inf")  # no clock: the number of cases bounds it


@pytest.mark.parametrize("target", CHECKS)
def test_what_reads_foreign_input_holds_for_mutated_input(target: str) -> None:
    """Seeded: the same cases on every run."""
    _, broken = by_mutation(target, FAR, 300, seed=7)

    assert broken is None


@pytest.mark.parametrize("target", CHECKS)
def test_what_reads_foreign_input_holds_for_input_made_from_nothing(target: str) -> None:
    """As hypothesis makes it up, without a database."""
    _, broken = by_hypothesis(target, FAR, 1)

    assert broken is None


def test_every_target_is_fuzzed_both_ways() -> None:
    """A check without inputs would never run."""
    assert set(CHECKS) == set(MAKERS) == set(strategies())


def test_the_same_seed_makes_the_same_input() -> None:
    """So that what broke can be made again."""
    for make in MAKERS.values():
        assert make(random.Random(3)) == make(random.Random(3))


def test_what_breaks_is_told_with_its_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """And ends the target's fuzzing."""

    def refuse(_: object) -> None:
        raise ValueError("broken")

    monkeypatch.setitem(CHECKS, "parser", refuse)

    tried, broken = by_mutation("parser", FAR, 10, seed=7)

    assert tried == 1
    assert broken
    assert "ValueError: broken" in broken.trace
