"""Errors that carry what a caller needs to go on."""

import pytest

from lambdas.domain import schema
from lambdas.domain.errors import Throttled
from lambdas.domain.schema import NewerSchema


def test_a_throttled_call_says_how_long_to_wait() -> None:
    """In seconds, with AWS's words if there are any."""
    assert (Throttled(1.5).wait, str(Throttled(1.5))) == (1.5, "throttled")
    assert str(Throttled(0.0, "Rate exceeded")) == "Rate exceeded"


def test_a_newer_form_is_refused_with_its_number_and_the_remedy() -> None:
    """The newest that is known is read."""
    schema.check(schema.READS)
    with pytest.raises(NewerSchema, match=f"version {schema.READS + 1} is newer than {schema.READS}") as refusal:
        schema.check(schema.READS + 1)
    assert refusal.value.version == schema.READS + 1
    assert schema.ATTRIBUTE == "schema"
