"""Plain values survive the way into DynamoDB and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.aws.dynamodb.attribute_values import from_attribute, from_item, to_attribute, to_item

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
