"""Plain values survive the way into DynamoDB and back."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.aws.dynamodb.attribute_values import from_attribute, from_item, to_attribute, to_item
from lambdas.domain import schema

_SCALARS = st.none() | st.booleans() | st.integers() | st.text() | st.binary() | st.floats(-1e30, 1e30)
_VALUES = st.recursive(_SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=10)


@given(_VALUES)
def test_a_value_comes_back_as_it_went(value: object) -> None:
    assert value == from_attribute(to_attribute(value))


@pytest.mark.parametrize("values", [frozenset({"a", "b"}), frozenset({1, 2}), frozenset({b"x"})])
def test_a_set_stays_a_set(values: frozenset[object]) -> None:
    assert values == from_attribute(to_attribute(values))


def test_an_attribute_that_is_none_is_not_written() -> None:
    assert to_item({"a": 1, "b": None}) == {"a": {"N": "1"}}
    assert from_item({"a": {"N": "1"}}) == {"a": 1}


@pytest.mark.parametrize("value", [object(), frozenset()])
def test_what_dynamodb_has_no_type_for_is_refused(value: object) -> None:
    with pytest.raises(TypeError):
        to_attribute(value)


@pytest.mark.parametrize(
    ("value", "attribute"),
    [
        (None, {"NULL": True}),
        (False, {"BOOL": False}),
        ("a", {"S": "a"}),
        (-3, {"N": "-3"}),
        (0.1, {"N": "0.1"}),
        (1e22, {"N": "1e+22"}),
        (b"x", {"B": b"x"}),
        ({"a": [1, None]}, {"M": {"a": {"L": [{"N": "1"}, {"NULL": True}]}}}),
        (frozenset({"b", "a"}), {"SS": ["a", "b"]}),
        (frozenset({10, 9}), {"NS": ["9", "10"]}),
        (frozenset({b"y", b"x"}), {"BS": [b"x", b"y"]}),
    ],
)
def test_each_type_is_written_as_dynamodb_names_it_and_comes_back_as_itself(value: object, attribute: Any) -> None:
    """A whole number comes back whole: it is a count, or a time in seconds."""
    assert to_attribute(value) == attribute
    back = from_attribute(attribute)
    assert back == value
    assert type(back) is type(value)


def test_what_a_later_release_wrote_is_refused() -> None:
    """Every item is read here."""
    with pytest.raises(schema.NewerSchema):
        from_item({schema.ATTRIBUTE: {"N": str(schema.READS + 1)}})
