"""One invocation of the delivery function, from a batch of queue messages to deliveries that are made or rescheduled.

    batch -> by webhook -> attempts -> health -> reschedule -> archive

What is left of a webhook's messages goes to the queue or the backlog as new messages, and the originals are
acknowledged: by then nothing depends on them. A message comes back whole only for a fault of our own (KMS, DynamoDB or
SQS did not answer); receivers know deliveries that repeat by their ids.
"""

from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from lambdas.delivery.attempts import AttemptRunner, AttemptSeries, Client
from lambdas.delivery.gathering import gathered
from lambdas.delivery.health_transitions import HealthTransitions
from lambdas.delivery.observability import DeliveryLog, excerpt_of, status_of
from lambdas.delivery.ports import (
    Archive,
    Backlog,
    Clock,
    Decrypt,
    DeliveryRules,
    Jitter,
    Key,
    Queues,
    Tests,
    WebhookHealthStore,
)
from lambdas.delivery.reschedule import after_attempts, await_probe, park_all, put_off
from lambdas.delivery.webhook_deliveries import (
    Credentials,
    WebhookDeliveries,
    by_webhook,
    goes_through_slow_queue,
    is_parked,
    series_of,
    series_of_tests,
)
from lambdas.domain.webhooks.address_rules import basic_auth
from lambdas.domain.webhooks.attempt import Delivered
from lambdas.domain.webhooks.delivery import DeliveryBatch, batched
from lambdas.domain.webhooks.health import Health, HealthState, after, after_test, claim_probe, current, slow
from lambdas.domain.webhooks.signature import signing_key
from lambdas.domain.webhooks.target import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What an invocation may take: the time in which attempts begin, and `attempt_seconds` for each.

    The invocations of the deliveries queue are *prompt*: whatever the receivers do, they end within seconds, so that
    the next messages find a free one. What takes longer goes to the slow queue, whose invocations have a concurrency
    of their own. docs/decisions/0405-slow-webhooks.md has the figures.
    """

    beginning: timedelta
    attempt_seconds: float
    prompt: bool


PROMPT = Limits(beginning=timedelta(seconds=3), attempt_seconds=2, prompt=True)
SLOW_BEGINNING = timedelta(seconds=30)  # in which attempts begin: a crash repeats no more than that


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatcher:
    """Delivers what a batch of queue messages holds."""

    queues: Queues
    states: WebhookHealthStore
    tests: Tests
    backlog: Backlog
    archive: Archive
    transitions: HealthTransitions
    decrypt: Decrypt
    client: Client
    rules: DeliveryRules
    clock: Clock
    jitter: Jitter
    log: DeliveryLog

    async def deliver(
        self,
        batches: Mapping[str, DeliveryBatch],
        *,
        deadline: datetime,
        prompt: bool,
        seen: Container[str] = (),
    ) -> list[str]:
        """Deliver *batches*, by message id; no attempt begins after *deadline*. The ids of messages to come back.

        *prompt*: the messages came through the deliveries queue, else through the slow queue. Those in *seen* were
        received before.
        """
        limits = self._limits(prompt=prompt)
        began = self.clock()
        webhooks = self._load(batches, seen, now=began)
        self._decrypt_ahead(webhooks, limits, now=began)
        for one in webhooks:
            with self._own_fault(one):
                self._prepare(one, limits)
        await self._attempt(webhooks, limits, begin_before=min(began + limits.beginning, deadline))
        for one in webhooks:
            if not one.fault:
                with self._own_fault(one):
                    self._conclude(one, limits)
        self._reschedule(webhooks)
        self._keep_for_replay(webhooks)
        self.log.succeeded(webhooks)
        self.log.service_level(webhooks)
        return [message for one in webhooks if one.fault for message in one.messages]

    def _limits(self, *, prompt: bool) -> Limits:
        seconds = self.rules.attempt_seconds
        if prompt:
            return replace(PROMPT, attempt_seconds=min(PROMPT.attempt_seconds, seconds))
        return Limits(beginning=SLOW_BEGINNING, attempt_seconds=seconds, prompt=False)

    # 1. what is there

    def _load(
        self, batches: Mapping[str, DeliveryBatch], seen: Container[str], *, now: datetime
    ) -> list[WebhookDeliveries]:
        """The deliveries by webhook. Those of a webhook that went with its last binding are acknowledged."""
        keys: dict[Key, None] = {(batch.instance_id, batch.webhook_id): None for batch in batches.values()}
        targets = self.states.load(keys, now=now)
        for batch in batches.values():
            if (batch.instance_id, batch.webhook_id) not in targets:
                self.log.webhook_gone(batch)
        return by_webhook(batches, targets, seen)

    def _decrypt_ahead(self, webhooks: Sequence[WebhookDeliveries], limits: Limits, *, now: datetime) -> None:
        """Decrypt together what will be attempted; a webhook whose attempts are in doubt asks when it needs to."""
        targets = [one.target for one in webhooks if limits.prompt and not one.target.health.is_in_doubt(now=now)]
        self.decrypt.ahead(
            (target.webhook_id, ciphertext)
            for target in targets
            if not is_parked(target, now=now)
            for ciphertext in target.ciphertexts(now=now)
        )

    # 2. what is attempted

    def _prepare(self, one: WebhookDeliveries, limits: Limits) -> None:
        """Decide by the webhook's health what is attempted here; the rest is rescheduled."""
        now = self.clock()
        target = replace(one.target, health=current(one.target.health, one.target.version, now=now))
        self.transitions.notify_again(target, now=now)
        one.reschedule.slow = target.health.is_in_doubt(now=now)
        if limits.prompt and goes_through_slow_queue(target, now=now):
            self._pass_on(one, target, now)
            return
        if one.tests:
            one.test_attempts = series_of_tests(target, self._credentials(target, now), one.tests)
        if one.pending:
            self._prepare_attempts(one, target, now)

    def _pass_on(self, one: WebhookDeliveries, target: Target, now: datetime) -> None:
        """Send a webhook's messages to the slow queue, at once unless they would only wait for a probe there."""
        one.reschedule.slow = True
        one.reschedule.add(put_off(target, one.tests, delay=0))
        if target.health.is_probed and not target.health.may_probe(now=now):
            one.reschedule.add(await_probe(target, one.pending, rules=self.rules, jitter=self.jitter))
        else:
            one.reschedule.add(put_off(target, one.pending, delay=0))

    def _prepare_attempts(self, one: WebhookDeliveries, target: Target, now: datetime) -> None:
        if is_parked(target, now=now):
            one.reschedule.add(park_all(target, one.pending))
            return
        if target.health.is_probed:
            claimed = self._claim_probe(target)
            if claimed is None:
                one.reschedule.add(await_probe(target, one.pending, rules=self.rules, jitter=self.jitter))
                return
            one.target = target = claimed
        ready, larger = gathered(target, one.pending)
        one.reschedule.add(put_off(target, larger, delay=0))
        one.attempts = series_of(target, self._credentials(target, now), ready)

    def _claim_probe(self, target: Target) -> Target | None:
        """The webhook with its probe claimed; None if none is due, or another invocation has it."""
        now = self.clock()

        def claim(health: Health) -> Health:
            present = current(health, target.version, now=now)
            return claim_probe(present, now=now) if present.may_probe(now=now) else health

        changed = self.states.change(target, claim)
        if changed is None or changed[0] == changed[1]:
            return None
        return replace(target, health=changed[1])

    def _credentials(self, target: Target, now: datetime) -> Credentials:
        """The keys that sign, the current one first, and the Authorization header that the URL's userinfo asks for."""
        secrets = [self.decrypt(target.webhook_id, ciphertext) for ciphertext in target.ciphertexts(now=now)]
        userinfo = secrets[0].userinfo
        headers = {"authorization": basic_auth(userinfo)} if userinfo else {}
        return tuple(signing_key(secret.secret) for secret in secrets), headers

    async def _attempt(self, webhooks: Sequence[WebhookDeliveries], limits: Limits, *, begin_before: datetime) -> None:
        runner = AttemptRunner(
            client=self.client,
            clock=self.clock,
            begin_before=begin_before,
            deadline=limits.attempt_seconds,
            final=not limits.prompt,
        )
        await runner.run([series for one in webhooks for series in one.series])

    # 3. what follows from the outcomes

    def _conclude(self, one: WebhookDeliveries, limits: Limits) -> None:
        for series in one.series:
            if series.error:
                raise series.error
        if one.test_attempts:
            self._conclude_tests(one, one.test_attempts)
        if one.attempts:
            self._conclude_attempts(one, one.attempts)
        if limits.prompt and any(
            series.pending and (series.given_up or series.below_failure_limit) for series in one.series
        ):
            one.reschedule.slow = True  # what needs more time than there was

    def _conclude_tests(self, one: WebhookDeliveries, series: AttemptSeries) -> None:
        """A test is attempted once and does not touch health, but its success has a failing webhook probed."""
        for pending, attempt in series.made:
            self.tests.note_test(
                one.target,
                status=status_of(attempt),
                now=attempt.ended,
                delivery=attempt.delivery.id,
                answer=excerpt_of(attempt),
            )
            self.log.tested(one, pending, attempt)
        if any(isinstance(attempt.outcome, Delivered) for _, attempt in series.made):
            self._enable(one.target)
        one.reschedule.add(put_off(one.target, series.pending, delay=0))

    def _enable(self, target: Target) -> None:
        now = self.clock()
        changed = self.states.change(
            target, lambda health: after_test(current(health, target.version, now=now), now=now)
        )
        if changed and changed[1].state is HealthState.FAILING:
            self.backlog.wake(target.instance_id, target.webhook_id, now=now)

    def _conclude_attempts(self, one: WebhookDeliveries, series: AttemptSeries) -> None:
        """Record what the attempts say of health, then reschedule what is left as that health wants it."""
        health = self._record_health(one.target, series)
        one.reschedule.slow |= health.is_in_doubt(now=self.clock())
        one.reschedule.add(
            after_attempts(
                replace(series.target, health=health),
                [(pending, made) for pending, made in series.made if not isinstance(made.outcome, Delivered)],
                list(series.pending),
                rules=self.rules,
                jitter=self.jitter,
                below_failure_limit=series.below_failure_limit,
                now=self.clock(),
            )
        )
        self.log.attempted(one)

    def _record_health(self, target: Target, series: AttemptSeries) -> Health:
        """The webhook's health after its attempts, written if they change it; acts on a transition."""
        if not series.made and not series.slow:
            return series.target.health
        now, jitter = self.clock(), self.jitter()
        attempts = [attempt for _, attempt in series.made]

        def change(health: Health) -> Health:
            present = current(health, target.version, now=now)
            result = after(present, attempts, self.rules.health, jitter=jitter)
            if series.slow:
                result = slow(result, now=now)
            return health if result == present else result

        changed = self.states.change(target, change)
        if changed is None:
            return target.health
        before, health = changed
        if health.since != before.since:
            self.transitions.made(replace(target, health=health), now=now)
        return current(health, target.version, now=now)

    # 4. where the rest goes, and what is kept

    def _reschedule(self, webhooks: Sequence[WebhookDeliveries]) -> None:
        """Send to the queue and park what is left of each webhook whose outcomes were recorded."""
        for queue, slow_ones in ((self.queues.prompt, False), (self.queues.slow, True)):
            going = [one for one in webhooks if one.reschedule.later and one.reschedule.slow is slow_ones]
            going = [one for one in going if not one.fault]
            if going:
                with self._own_fault(*going):
                    queue.send_later([entry for one in going for entry in one.reschedule.later])
        for one in webhooks:
            if one.fault:
                continue
            with self._own_fault(one):
                if one.reschedule.parked:
                    self.backlog.park(one.reschedule.parked, now=self.clock())
                self.log.rescheduled(one)

    def _keep_for_replay(self, webhooks: Sequence[WebhookDeliveries]) -> None:
        """Deliveries are made by now: one that cannot be kept for replay is counted, and no reason to repeat it."""
        made = (batch for one in webhooks if one.attempts for batch in _delivered(one.attempts))
        try:
            lost = self.archive.keep(made, now=self.clock())
        except Exception:
            self.log.logger.exception("deliveries not kept for replay")
            lost = 1
        if lost:
            self.log.not_archived(lost)

    @contextmanager
    def _own_fault(self, *webhooks: WebhookDeliveries) -> Iterator[None]:
        """Whatever goes wrong in here is our fault: the messages of *webhooks* come back, no other webhook suffers."""
        try:
            yield
        except Exception:  # noqa: BLE001  # logged below, once a webhook
            for one in webhooks:
                one.fault = True
                self.log.faulted(one)


def _delivered(series: AttemptSeries) -> Iterator[DeliveryBatch]:
    made = (
        delivery
        for pending, attempt in series.made
        if isinstance(attempt.outcome, Delivered)
        for delivery in pending.deliveries
    )
    for deliveries in batched(made):
        yield DeliveryBatch(
            instance_id=series.target.instance_id,
            webhook_id=series.target.webhook_id,
            attempt=1,
            deliveries=deliveries,
        )
