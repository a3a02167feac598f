"""One invocation's deliveries: all webhooks side by side, none able to hold up the others.

Each webhook has a share of the invocation with a width (attempts at a time) that begins small and grows with the first
success, and a patience (failures in a row) after which nothing more of it is begun. Nothing is begun at all that could
not end before the invocation must.
"""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import httpx

from lambdas.delivery.ports import Clock
from lambdas.domain.attempt import TIMED_OUT, Answer, Attempt, Delivered, Failed, NoAnswer, judge
from lambdas.domain.delivery import Delivery
from lambdas.domain.signature import signed_headers
from lambdas.domain.target import Target

FIRST_WIDTH = 4  # attempts at a time before anything is known: a hanging webhook holds no more of the connections
WIDTH = 16  # attempts at a time once one got through: 320 a second at 50 ms
BEGINNERS = 400  # attempts at a time of all shares of which nothing is known: half of all connections
PATIENCE = 4  # failures in a row before the rest is put off: the first width, gone
USER_AGENT = "ses-feedback"


class Post(Protocol):
    """Posts one body; a Courier's `post`."""

    async def __call__(self, url: httpx.URL, headers: Mapping[str, str], body: bytes) -> Answer | NoAnswer:
        """Post *body*; never raises for what the receiver does."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A delivery to try, and the number of the attempt it would be."""

    delivery: Delivery
    attempt: int


@dataclass(slots=True, kw_only=True)
class Share:
    """One webhook's share of an invocation: what waits, what was tried, and how much may run at a time.

    `jobs` are those not begun; after the round, those that were put off. `tried` holds each attempt with its job.
    """

    target: Target
    keys: tuple[bytes, ...] = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    jobs: deque[Job]
    width: int = FIRST_WIDTH
    patience: int = PATIENCE
    tried: list[tuple[Job, Attempt]] = field(default_factory=list)
    failures: int = 0
    workers: int = 0
    under_way: int = 0
    url: httpx.URL = field(init=False)

    def __post_init__(self) -> None:
        """Read the URL here: one that cannot be read must not break the round for all."""
        self.url = httpx.URL(self.target.url)

    @property
    def patient(self) -> bool:
        """Whether the webhook did not fail too often in a row."""
        return self.failures < self.patience

    def next(self) -> Job | None:
        """The next job that may begin. After a failure, what is under way counts as if it had failed too."""
        doubtful = self.failures + self.under_way if self.failures else 0
        if not self.jobs or doubtful >= self.patience:
            return None
        self.under_way += 1
        return self.jobs.popleft()

    def note(self, job: Job, attempt: Attempt) -> None:
        """Take an attempt into account: a success widens, failures close.

        One that hung closes at once, for everything else in the invocation would wait for a second try to hang as
        long; and so does a receiver that asks to wait.
        """
        self.under_way -= 1
        self.tried.append((job, attempt))
        match attempt.outcome:
            case Delivered():
                self.failures, self.width, self.patience = 0, WIDTH, PATIENCE
            case Failed(reason=reason, wait=wait) if reason == TIMED_OUT or wait:
                self.failures = self.patience
            case _:
                self.failures += 1


async def run(shares: Sequence[Share], post: Post, *, clock: Clock, begin_before: datetime) -> None:
    """Try the jobs of all *shares* until none is left that may begin; none begins at *begin_before* or later.

    The more webhooks there are, the narrower each begins: if many of them hang, there are connections left for others.
    """
    fair = max(1, BEGINNERS // max(1, len(shares)))
    for share in shares:
        share.width = min(share.width, fair)
    async with asyncio.TaskGroup() as group:
        for share in shares:
            _staff(share, group, post, clock, begin_before)


def _staff(share: Share, group: asyncio.TaskGroup, post: Post, clock: Clock, begin_before: datetime) -> None:
    """Put as many workers on a share as its width and its jobs ask for."""
    for _ in range(min(share.width - share.workers, len(share.jobs))):
        share.workers += 1
        group.create_task(_work(share, group, post, clock, begin_before))


async def _work(share: Share, group: asyncio.TaskGroup, post: Post, clock: Clock, begin_before: datetime) -> None:
    """Try one job after another. A success calls for more workers, those that doubt sent home among them."""
    while clock() < begin_before and (job := share.next()):
        share.note(job, await _attempt(share, job, post, clock))
        if not share.failures and share.workers < share.width:
            _staff(share, group, post, clock, begin_before)
    share.workers -= 1


async def _attempt(share: Share, job: Job, post: Post, clock: Clock) -> Attempt:
    began = clock()
    body = job.delivery.body.encode()
    headers = {
        "content-type": "application/json",
        **job.delivery.headers,
        **share.headers,
        "user-agent": USER_AGENT,
        **signed_headers(share.keys, message_id=job.delivery.id, body=body, now=began),
    }
    answer = await post(share.url, headers, body)
    ended = clock()
    return Attempt(delivery=job.delivery, began=began, ended=ended, outcome=judge(answer, now=ended))
