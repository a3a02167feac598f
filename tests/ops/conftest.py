"""The operator's stack, for every test of the commands."""

from collections.abc import Iterator

import pytest

from tests.ops.world import Ops, stack_in_moto


@pytest.fixture
def ops(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ops]:
    """A stack with one healthy webhook of one binding of instance i1, `my-mail`, of mail.agency.gov."""
    with stack_in_moto(monkeypatch) as stack:
        yield stack
