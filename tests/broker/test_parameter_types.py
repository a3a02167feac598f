"""Every parameter: what its check accepts, its schema in the catalog accepts, too."""

from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdas.broker.osb.errors import BadParameter
from lambdas.broker.osb.parameter_tables import BINDING, PROVISION, privatelink
from lambdas.broker.osb.parameter_types import Boolean, ParameterType, text
from lambdas.domain.webhooks.webhook import EventKind, NotificationFormat, Scope

SERVICE = "com.amazonaws.us-east-1.email-smtp"
EVERY = {**PROVISION, **BINDING, **privatelink(SERVICE)}
WORDS = (
    *(str(word) for kind in (EventKind, NotificationFormat, Scope) for word in kind),
    *("", "true", "false", "a@b.cc", "mailto:a@b.cc", "a@b.cc,d@b.cc", "agency.gov", "bounce", "203.0.113.0/24"),
    *("https://app.example.gov/", SERVICE),
)
TEXTS = st.sampled_from(WORDS) | st.text(max_size=300)
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 102),
    st.floats(allow_nan=False, allow_infinity=False),
    TEXTS,
    st.lists(TEXTS, max_size=22),
    st.dictionaries(TEXTS, TEXTS, max_size=2),
)


@pytest.mark.parametrize("name", EVERY)
@settings(max_examples=60)
@given(value=VALUES)
def test_what_a_check_accepts_its_schema_accepts(name: str, value: Any) -> None:
    """So a form that a platform draws from the schema refuses nothing that the broker takes."""
    kind = EVERY[name]
    if _accepts(kind, value) and not _is_lenient(kind, value):
        assert jsonschema_rs.is_valid(kind.schema(), value)


@pytest.mark.parametrize("value", ["x" * 50, "a\xa0b", "\u00e4", " a "])
def test_text_may_be_anything_that_can_be_seen(value: str) -> None:
    """Up to the most characters, unchanged."""
    assert text(value, "field", what="a name", longest=50) == value


@pytest.mark.parametrize("value", ["x" * 51, "", " \t", "a\x1fb", "a\x7fb", "a\x9fb", "\n", 5, None])
def test_text_is_not_empty_and_holds_no_control_characters(value: Any) -> None:
    """C1's included."""
    with pytest.raises(BadParameter, match=r"^field: must "):
        text(value, "field", what="a name", longest=50)


def _is_lenient(kind: ParameterType, value: Any) -> bool:
    """Booleans may be written as " True "; the schema names the plain forms only."""
    return isinstance(kind, Boolean) and isinstance(value, str)


def _accepts(kind: ParameterType, value: Any) -> bool:
    try:
        kind.read(value, "field")
    except BadParameter:
        return False
    return True
