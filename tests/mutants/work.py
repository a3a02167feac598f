"""What `make mutants` tries: a mutant and the tests that may notice it."""

from dataclasses import dataclass
from enum import StrEnum

from tests.mutants.mutations import Mutant

AT_LEAST, TIMES = 60.0, 5  # s, and times what the tests took when they were recorded: what takes longer was noticed


class ControlFailed(Exception):
    """The tests do not pass without a mutant either, or do not run at all: nothing would be learnt."""


class Fate(StrEnum):
    """What became of a mutant."""

    KILLED = "killed"
    LATE = "noticed by its time only"
    SURVIVED = "survived"
    UNTESTED = "untested"

    @property
    def noticed(self) -> bool:
        """Whether a test failed, or never ended."""
        return self in (Fate.KILLED, Fate.LATE)


@dataclass(frozen=True, slots=True)
class Work:
    """A mutant, or none as a control, with the tests that may notice it; *seconds* is what they took."""

    mutant: Mutant | None
    tests: tuple[str, ...]
    seconds: float = 0.0

    @property
    def longest(self) -> float:
        """How long its process may take, s."""
        return AT_LEAST + TIMES * self.seconds
