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
