from dataclasses import dataclass

import pytest

from lambdas.domain.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Example(Settings):
    table: str
    limit: int
    share: float
    strict: bool


@pytest.mark.parametrize("strict", [True, False])
def test_settings_come_back_from_the_environment_as_they_were_written(strict: bool) -> None:
    example = Example(table="webhooks", limit=50, share=0.02, strict=strict)

    assert Example.from_environment(example.to_environment()) == example


def test_a_forgotten_variable_is_named() -> None:
    with pytest.raises(KeyError, match="LIMIT"):
        Example.from_environment({"TABLE": "webhooks"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Newer(Example):
    cell: str = "none"


def test_a_setting_with_a_default_may_be_missing() -> None:
    """A function's code is updated before its environment; operators' commands are newer than a deployment."""
    older = Example(table="webhooks", limit=50, share=0.02, strict=True).to_environment()

    assert Newer.from_environment(older).cell == "none"
    assert Newer.from_environment({**older, "CELL": "west"}).cell == "west"
