"""The proof of control, as DNS gives it: TXT values, whole, or none."""

from typing import Any

import dns.exception
import dns.resolver
import dns.rrset
import pytest

from lambdas.broker.dns_lookup import MAX_VALUES, MAX_WAIT, txt_values


def test_each_value_is_put_together_from_its_strings(monkeypatch: pytest.MonkeyPatch) -> None:
    """A string holds 255 bytes; the name is absolute, and the wait bounded."""
    asked: list[Any] = []

    def resolve(*args: Any, **kwargs: Any) -> Any:
        asked.append((args, kwargs))
        return dns.rrset.from_text("a.gov.", 60, "IN", "TXT", '"one " "value"', '"\\255"', '"two"')

    monkeypatch.setattr(dns.resolver, "resolve", resolve)
    assert txt_values("a.gov") == {"one value", "\ufffd", "two"}
    assert asked == [(("a.gov.", "TXT"), {"lifetime": MAX_WAIT})]


def test_more_values_than_anybody_has_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name is a stranger's."""
    many = [f'"{number}"' for number in range(MAX_VALUES + 1)]
    found = dns.rrset.from_text("a.gov.", 60, "IN", "TXT", *many)
    monkeypatch.setattr(dns.resolver, "resolve", lambda *_, **__: found)
    assert len(txt_values("a.gov")) == MAX_VALUES


@pytest.mark.parametrize(
    "error",
    [
        dns.resolver.NXDOMAIN(),  # type: ignore[no-untyped-call]
        dns.resolver.NoNameservers(),  # type: ignore[no-untyped-call]
        dns.exception.Timeout(),  # type: ignore[no-untyped-call]
        OSError("no network"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_without_an_answer_there_is_no_value(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Whatever the reason: the claimant tries again."""

    def resolve(*_: Any, **__: Any) -> Any:
        raise error

    monkeypatch.setattr(dns.resolver, "resolve", resolve)
    assert txt_values("a.gov") == frozenset()
