"""`ops accept` on the embedded AWS: every step passes and nothing is left."""

from pathlib import Path

import pytest

from ops.accept.receiver import STACK as RECEIVER
from tests.journey.conftest import Ops, Stack

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("journey")]


def test_the_acceptance_journey_passes_and_leaves_nothing(
    stack: Stack, ops: Ops, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Provision, bind, mail by SMTP and API, update, rotate, replay, pause, resume, remove."""
    monkeypatch.setattr("ops.accept.command.REMEMBERED", tmp_path / "accept.json")
    smtp = f"{stack.facts['smtp_host']}:{stack.facts['smtp_port']}"
    results = ops("accept", "--smtp", smtp, "--smtp-authority", stack.facts["smtp_authority"])
    assert [result for result in results if not result["ok"]] == []
    assert "a replay sends the same webhook-id again" in [result["step"] for result in results]
    assert (tmp_path / "accept.json").read_text() == "[]"
    stacks = stack.client("cloudformation").list_stacks()["StackSummaries"]
    assert RECEIVER not in {one["StackName"] for one in stacks if one["StackStatus"] != "DELETE_COMPLETE"}
