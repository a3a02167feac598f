"""Attempts of one invocation: all webhooks side by side, none able to hold up the others.

Each webhook has a concurrency limit and a patience (failures in a row) after which no further attempt of it begins. No
attempt begins that could not end in time. An attempt's time begins when it has its slot and, if it has to connect, its
turn: waiting for one of them, or for a name look-up, is no failure.
"""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol

from lambdas.delivery.concurrency import QUICK, ConcurrencyLimit, ConnectionSlots
from lambdas.delivery.endpoint import Endpoint
from lambdas.delivery.name_resolver import Unreachable
from lambdas.delivery.ports import Clock
from lambdas.domain.webhooks.attempt import TIMED_OUT, Attempt, Delivered, Failed, NoResponse, Response, classify
from lambdas.domain.webhooks.batch import render_batch
from lambdas.domain.webhooks.delivery import Delivery
from lambdas.domain.webhooks.signature import signed_headers
from lambdas.domain.webhooks.target import Target

PATIENCE = 4  # failures in a row before no more begin: the first concurrency limit, gone
USER_AGENT = "ses-feedback"


class Client(Protocol):
    """Posts to webhooks: a WebhookClient."""

    async def locate(self, instance_id: str, url: str) -> Endpoint:
        """Read *url* and look its host up. Raises Unreachable."""
        ...

    def turn(self, endpoint: Endpoint) -> AbstractAsyncContextManager[None]:
        """Wait until an attempt may begin, in case it has to connect first."""
        ...

    async def post(
        self, endpoint: Endpoint, headers: Mapping[str, str], body: bytes, *, deadline: float
    ) -> Response | NoResponse:
        """Post *body* within *deadline*, s; never raises for what the receiver does."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingAttempt:
    """What one POST carries, and the number that the attempt has.

    `batch`: it is posted as a batch, even if it is one delivery, else `deliveries` holds one. `fixed`: it may have been
    posted so before, so it stays together. `refused`: see DeliveryBatch.
    """

    deliveries: tuple[Delivery, ...]
    number: int
    batch: bool = False
    fixed: bool = False
    refused: int = 0

    def content(self) -> Delivery:
        """What is posted. The same deliveries are always written to the same bytes, under the same id."""
        return render_batch(self.deliveries) if self.batch else self.deliveries[0]


@dataclass(slots=True, kw_only=True)
class AttemptSeries:
    """Attempts of one webhook in an invocation.

    `pending` are those not begun; after the run, those to put off. `made` holds each attempt with what was pending.
    `most` bounds how many run at once to begin with; `keys` sign, the current one first.
    """

    target: Target
    keys: tuple[bytes, ...] = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    pending: deque[PendingAttempt]
    most: int
    failure_limit: int = PATIENCE
    made: list[tuple[PendingAttempt, Attempt]] = field(default_factory=list)
    failures: int = 0
    under_way: int = 0
    given_up: bool = False  # an attempt was, because it took longer than this invocation may wait
    slow: bool = False  # an attempt took long, or was given up for that
    error: Exception | None = None  # of our own: what was attempted is not known

    @property
    def below_failure_limit(self) -> bool:
        """Whether the webhook did not fail too often in a row."""
        return self.failures < self.failure_limit

    def next(self) -> PendingAttempt | None:
        """The next that may begin. After a failure, what is under way counts as if it had failed too."""
        doubtful = self.failures + self.under_way if self.failures else 0
        if not self.pending or doubtful >= self.failure_limit or self.given_up:
            return None
        self.under_way += 1
        return self.pending.popleft()

    def note(self, pending: PendingAttempt, attempt: Attempt) -> None:
        """Take an attempt into account: a success restores patience, failures use it up.

        A time-out uses it up at once, because everything else in the invocation would wait for a second one; so does a
        receiver that asks to wait.
        """
        self.under_way -= 1
        self.made.append((pending, attempt))
        self.slow = self.slow or attempt.ended - attempt.began > timedelta(seconds=QUICK)
        match attempt.outcome:
            case Delivered():
                self.failures, self.failure_limit = 0, PATIENCE
            case Failed(reason=reason, wait=wait) if reason == TIMED_OUT or wait:
                self.failures = self.failure_limit
            case _:
                self.failures += 1

    def give_up(self, pending: PendingAttempt) -> None:
        """Take an attempt as not made: it took longer than this invocation may wait, which is no failure yet."""
        self.under_way -= 1
        self.pending.appendleft(replace(pending, fixed=pending.batch))
        self.slow = self.given_up = True


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRunner:
    """Makes the attempts of one invocation; none begins at *begin_before* or later. `deadline` is an attempt's, s.

    *final*: an attempt that takes longer than its deadline has failed; else it was given up, to be made elsewhere.
    """

    client: Client
    clock: Clock
    begin_before: datetime
    deadline: float
    final: bool = True

    async def run(self, all_series: Sequence[AttemptSeries]) -> None:
        """Make the attempts of *all_series* until nothing is pending that may begin."""
        slots = ConnectionSlots(series.target.instance_id for series in all_series)
        async with asyncio.TaskGroup() as group:
            for series in all_series:
                group.create_task(self._run_apart(series, slots))

    async def _run_apart(self, series: AttemptSeries, slots: ConnectionSlots) -> None:
        """Keep an error of our own from ending the other webhooks' attempts."""
        try:
            await self._run_series(series, slots)
        except Exception as error:  # noqa: BLE001  # raised again where the webhook's outcomes are looked at
            series.error = error

    async def _run_series(self, series: AttemptSeries, slots: ConnectionSlots) -> None:
        try:
            async with asyncio.timeout(max(0.0, (self.begin_before - self.clock()).total_seconds())):
                endpoint = await self.client.locate(series.target.instance_id, series.target.url)
        except TimeoutError:
            return  # other look-ups of the instance hang: nothing was begun
        except Unreachable as refusal:
            self._fail(series, str(refusal))
            return
        limit = ConcurrencyLimit(min(series.most, slots.first_limit(series.target.instance_id)))
        async with asyncio.TaskGroup() as group:
            _Workers(self, series, endpoint, limit, slots, group).staff()

    def _fail(self, series: AttemptSeries, reason: str) -> None:
        """What would run at once fails, and the rest is put off: the webhook has a whole host name in common."""
        for _ in range(min(series.most, len(series.pending))):
            if pending := series.next():
                now = self.clock()
                failed = classify(NoResponse(reason=reason), now=now)
                series.note(pending, Attempt(delivery=pending.content(), began=now, ended=now, outcome=failed))

    async def attempt(self, series: AttemptSeries, endpoint: Endpoint, pending: PendingAttempt) -> Attempt:
        """Sign and post a delivery, or several as a batch."""
        began = self.clock()
        delivery = pending.content()
        body = delivery.body.encode()
        headers = {
            "content-type": "application/json",
            **delivery.headers,
            **series.headers,
            "user-agent": USER_AGENT,
            **signed_headers(series.keys, message_id=delivery.id, body=body, now=began),
        }
        answer = await self.client.post(endpoint, headers, body, deadline=self.deadline)
        ended = self.clock()
        return Attempt(delivery=delivery, began=began, ended=ended, outcome=classify(answer, now=ended))


@dataclass(slots=True)
class _Workers:
    """The workers of one series; each makes one attempt after another."""

    runner: AttemptRunner
    series: AttemptSeries
    endpoint: Endpoint
    limit: ConcurrencyLimit
    slots: ConnectionSlots
    group: asyncio.TaskGroup
    first: int = 0
    extra: int = 0

    def staff(self) -> None:
        """Start as many workers as the limit allows and as have something to do."""
        wanted = min(self.limit.current - self.first - self.extra, len(self.series.pending))
        for _ in range(wanted):
            if self.first < self.limit.first:
                self.first += 1
                self.group.create_task(self._work_in_first_slot())
            elif self.slots.take_extra(self.series.target.instance_id):
                self.extra += 1
                self.group.create_task(self._work_in_extra_slot())
            else:
                return

    async def _work_in_first_slot(self) -> None:
        async with self.slots.first:
            while await self._attempt_next():
                pass
            self.first -= 1

    async def _work_in_extra_slot(self) -> None:
        while self.first + self.extra <= self.limit.current and await self._attempt_next():
            pass
        self.extra -= 1
        self.slots.give_back_extra(self.series.target.instance_id)

    async def _attempt_next(self) -> bool:
        """Make the next attempt; False if none may begin."""
        async with self.runner.client.turn(self.endpoint):
            return await self._attempt_now()

    async def _attempt_now(self) -> bool:
        if self.runner.clock() >= self.runner.begin_before or (pending := self.series.next()) is None:
            return False
        attempt = await self.runner.attempt(self.series, self.endpoint, pending)
        if not self.runner.final and _timed_out(attempt):
            self.series.give_up(pending)
        else:
            self._note(pending, attempt)
        return True

    def _note(self, pending: PendingAttempt, attempt: Attempt) -> None:
        self.series.note(pending, attempt)
        if isinstance(attempt.outcome, Delivered):
            self.limit.answered((attempt.ended - attempt.began).total_seconds())
        if not self.series.failures:
            self.staff()


def _timed_out(attempt: Attempt) -> bool:
    return isinstance(attempt.outcome, Failed) and attempt.outcome.reason == TIMED_OUT
