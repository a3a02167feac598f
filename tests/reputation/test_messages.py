"""The notifications of a transition lead to the instance's page in the portal, where there is one."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from lambdas.domain.reputation.evaluation import Reputation, SendingState
from lambdas.domain.reputation.sending_status import Cause, SendingStatus, transition_of
from lambdas.reputation.messages import Message, to_admin, to_operator
from tests.reputation.fakes import RULES

NOW = datetime(2026, 11, 21, 5, tzinfo=UTC)


@pytest.mark.parametrize("write", [to_admin, to_operator])
def test_a_message_ends_with_the_portal_s_page_where_there_is_a_portal(write: Callable[..., Message]) -> None:
    """For the admin and for the operator."""
    status = SendingStatus(instance_id="i1")
    reputation = Reputation(bounces=60, complaints=0, deliveries=940, since="2026-11-21T04", hours=1)
    transition = transition_of(status, SendingState.PAUSED, reputation, cause=Cause.RATES, now=NOW, domain="a.gov")
    link = "https://portal.example/instances/i1"
    with_portal = write(transition, [], RULES, portal_url="https://portal.example")
    assert with_portal.text.endswith(f"All of this in the portal: {link}\n")
    without = write(transition, [], RULES)
    assert "portal" not in without.text
