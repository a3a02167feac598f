"""Values of JSON that may be missing or of another type than documented."""

from typing import Any

import pytest

from lambdas.feedback import lenient_json

VALUE: dict[str, Any] = {
    "text": "a",
    "number": 7,
    "part": 7.9,
    "true": True,
    "null": None,
    "object": {"a": 1},
    "list": ["a", 1, None, "b"],
}


@pytest.mark.parametrize(
    ("read", "found", "nothing"),
    [
        (lenient_json.text, {"text": "a"}, None),
        (lenient_json.number, {"number": 7, "part": 7, "true": 1}, None),
        (lenient_json.section, {"object": {"a": 1}}, {}),
        (lenient_json.entries, {"list": ["a", 1, None, "b"]}, []),
        (lenient_json.texts, {"list": ("a", "b")}, ()),
    ],
)
def test_a_value_of_another_type_reads_as_missing(read: Any, found: dict[str, Any], nothing: Any) -> None:
    """Whatever else is there, and wherever it is looked for."""
    for name in (*VALUE, "not there"):
        assert read(VALUE, name) == found.get(name, nothing)
    for value in (None, 7, "text", ["text"]):
        assert read(value, "text") == nothing


@pytest.mark.parametrize(
    ("number", "read_as"), [(2**53 - 1, 2**53 - 1), (2**53, None), (-(2**53), None), (1e300, None), (-1.5, -1)]
)
def test_a_number_beyond_what_json_carries_exactly_is_no_number(number: float, read_as: int | None) -> None:
    """And would not fit the table."""
    assert lenient_json.number({"n": number}, "n") == read_as


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a":"b"}', {"a": "b"}),
        ('{"a":"\\u0001\\b\\f"}', {"a": "\ufffd\ufffd\ufffd"}),
        ('{"a":"\\uFFFE\\uffff\ufffe\uffff"}', {"a": "\ufffd" * 4}),
        ('{"\\u0000":["\\ud83d",{"b":"\\udc00"}]}', {"\ufffd": ["\ufffd", {"b": "\ufffd"}]}),
        ('{"a":"line\nline\tend"}', {"a": "line\nline\tend"}),
        ('{"a":"\\ud83d\\ude00 \\u000a\\t"}', {"a": "\U0001f600 \n\t"}),
    ],
)
def test_what_sqs_refuses_is_replaced_and_all_else_stays(text: str, value: object) -> None:
    """The text that is passed on says the same as the value; raw line ends in a string are taken, too."""
    repaired, found = lenient_json.parsed(text)
    assert found == value
    assert lenient_json.parsed(repaired) == (repaired, value)


def test_a_text_that_needs_no_repair_is_passed_on_as_it_is() -> None:
    """To the blank."""
    assert lenient_json.parsed(' { "a" : 1 } ') == (' { "a" : 1 } ', {"a": 1})


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, '{"a":\\u0001}', "nonsense"], ids=["", "{", "deep", "u", "x"])
def test_what_is_no_json_says_so(text: str) -> None:
    """Repaired or not."""
    with pytest.raises(lenient_json.NotJSON):
        lenient_json.parsed(text)


def test_a_value_is_written_again_as_json() -> None:
    """Of an event in another service's wrapper."""
    assert lenient_json.encoded({"a": ["é", None]}) == '{"a":["é",null]}'
