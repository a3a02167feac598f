"""The operator's stack, for every test of the commands."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.iam.operators import unlisted
from tests.ops.world import Ops, stack_in_moto


@pytest.fixture
def ops(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Ops]:
    """A stack with one healthy webhook of one binding of instance i1, `my-mail`, of mail.agency.gov.

    A call to AWS that a command makes and ops/deployment/rights.json does not list fails the test.
    """
    with stack_in_moto(monkeypatch) as stack:
        stack.calls = tmp_path / "calls.jsonl"
        yield stack
    assert unlisted(tmp_path / "calls.jsonl") == {}
