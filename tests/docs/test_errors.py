"""docs/errors.md: that it is current is tested by test_schemas.py; here, that it says what the broker does."""

import pytest

from docs.generate.errors import KINDS, descriptions, example


@pytest.mark.parametrize("name", KINDS)
def test_each_error_has_a_remedy_and_an_example_that_the_broker_answered(name: str) -> None:
    """Status and code of the answer are those of the class, so the body stands under the right heading."""
    kind = KINDS[name]
    answer = example(name)
    assert kind.remedy
    assert (kind.status, kind.code) == (answer.status, answer.body["error"])


def test_each_error_with_a_message_of_its_own_is_listed() -> None:
    """Except MethodNotAllowed, which makes its message from the methods."""
    assert set(KINDS) - {"MethodNotAllowed"} <= set(descriptions())


def test_the_texts_of_a_message_are_read_from_literals_formats_and_constants() -> None:
    """Each kind of source that the broker uses."""
    found = descriptions()
    assert "domain: cannot be changed; create a service instance for the other domain" in found["ChangeUnsupported"]
    assert "the instance has <bindings> binding(s); unbind first" in found["InUse"]
    assert "<field>: must hold at most 20 entries" in found["BadParameter"]
    assert (
        "<domain> cannot be used: another organization has verified a domain above or below it"
        in found["DomainConflict"]
    )
