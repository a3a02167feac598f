"""A webhook that hangs costs an invocation one timeout, whatever else it was to be sent."""

import asyncio
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from lambdas.delivery.round import FIRST_WIDTH, Job, Share, run
from lambdas.domain.attempt import TIMED_OUT, Answer, NoAnswer
from lambdas.domain.delivery import Delivery
from lambdas.domain.target import Target
from lambdas.domain.webhook import NotificationFormat, WebhookId

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def share_of(jobs: int) -> Share:
    target = Target(
        instance_id="instance",
        webhook_id=WebhookId("webhook"),
        url="https://app.example/",
        format=NotificationFormat.STANDARD_WEBHOOKS,
        version=1,
        sealed=b"",
    )
    deliveries = (
        Delivery(
            id=f"msg_{number}",
            type="email.delivered",
            timestamp=NOW,
            created_at=NOW,
            format=NotificationFormat.STANDARD_WEBHOOKS,
            body="{}",
            headers={},
        )
        for number in range(jobs)
    )
    return Share(
        target=target, keys=(b"0" * 24,), jobs=deque(Job(delivery=delivery, attempt=1) for delivery in deliveries)
    )


@pytest.mark.parametrize(("reason", "begun"), [(TIMED_OUT, 1), ("connection refused", 4)])
def test_one_timeout_closes_a_webhooks_share_where_it_takes_several_failures(reason: str, begun: int) -> None:
    """The first to time out is the last to begin; a refusal costs nothing, so there patience lasts longer."""
    share = share_of(10)
    share.width = 1

    async def post(url: httpx.URL, headers: Mapping[str, str], body: bytes) -> Answer | NoAnswer:
        return NoAnswer(reason=reason)

    asyncio.run(run([share], post, clock=lambda: NOW, begin_before=NOW + timedelta(seconds=30)))

    assert begun == len(share.tried)
    assert 10 - begun == len(share.jobs)


def test_what_ran_beside_the_first_timeout_is_heard_out() -> None:
    """Attempts under way are not cut off: they count, and what was not begun is put off."""
    share = share_of(10)

    async def post(url: httpx.URL, headers: Mapping[str, str], body: bytes) -> Answer | NoAnswer:
        await asyncio.sleep(0)
        return NoAnswer(reason=TIMED_OUT)

    asyncio.run(run([share], post, clock=lambda: NOW, begin_before=NOW + timedelta(seconds=30)))

    assert len(share.tried) == FIRST_WIDTH
