"""One invocation of the delivery function: from queue messages to settled deliveries.

Messages of one webhook are worked on together. Whatever is left of them goes to the queue or the backlog as new
messages, and the originals are acknowledged: by then nothing depends on them. A message comes back whole only for a
fault of our own (KMS, DynamoDB or SQS did not answer); receivers know deliveries that repeat by their ids.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from aws_lambda_powertools import Logger

from lambdas.delivery import plan as plans
from lambdas.delivery.plan import Plan
from lambdas.delivery.ports import Archive, Backlog, Clock, Count, Key, Queue, Rules, Spread, States, Tests, Unseal
from lambdas.delivery.round import Job, Post, Share, run
from lambdas.delivery.transitions import Transitions
from lambdas.delivery.work import Work, by_webhook, is_parked, is_suspect, share_of, share_of_tests
from lambdas.domain.address import basic_auth
from lambdas.domain.attempt import Attempt, Delivered, Failed, Refused
from lambdas.domain.delivery import DeliveryBatch, batched
from lambdas.domain.health import Health, State, after, after_test, claim_probe, current
from lambdas.domain.signature import signing_key
from lambdas.domain.target import Target

MAX_BEGINNING = timedelta(seconds=30)  # of an invocation in which attempts begin: a crash repeats no more than that


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliverer:
    """Delivers what a batch of queue messages holds."""

    queue: Queue
    states: States
    tests: Tests
    backlog: Backlog
    archive: Archive
    transitions: Transitions
    unseal: Unseal
    post: Post
    rules: Rules
    clock: Clock
    spread: Spread
    logger: Logger
    count: Count

    async def deliver(self, batches: Mapping[str, DeliveryBatch], *, deadline: datetime) -> list[str]:
        """Deliver *batches*, by message id; no attempt begins after *deadline*. The ids of messages to come back."""
        began = self.clock()
        keys = {(batch.instance_id, batch.webhook_id): None for batch in batches.values()}
        targets = self.states.load(keys, now=began)
        self._note_gone(batches, targets)
        works = by_webhook(batches, targets)
        for work in works:
            with self._own_fault(work):
                self._begin(work)
        shares = [share for work in works for share in (work.share, work.test_share) if share and not work.fault]
        await run(shares, self.post, clock=self.clock, begin_before=min(began + MAX_BEGINNING, deadline))
        for work in works:
            with self._own_fault(work):
                self._conclude(work)
        self._hand_over([work for work in works if not work.fault])
        return [message for work in works if work.fault for message in work.messages]

    # before the round

    def _note_gone(self, batches: Mapping[str, DeliveryBatch], targets: Mapping[Key, Target]) -> None:
        """A webhook that went with its last binding wants nothing any more: its messages are acknowledged."""
        for batch in batches.values():
            if (batch.instance_id, batch.webhook_id) not in targets:
                ids = {"instance_id": batch.instance_id, "webhook_id": batch.webhook_id}
                self.logger.info("webhook gone", extra={**ids, "deliveries": [one.id for one in batch.deliveries]})
                self.count("DeliveriesWebhookGone", len(batch.deliveries))

    def _begin(self, work: Work) -> None:
        """Decide by the webhook's health what is tried; the rest is planned at once."""
        now = self.clock()
        target = replace(work.target, health=current(work.target.health, work.target.version, now=now))
        self.transitions.tell_again(target, now=now)
        if work.tests:
            work.test_share = share_of_tests(target, *self._credentials(target, now), work.tests)
        if not work.jobs:
            return
        if is_parked(target, now=now) or (target.health.state is State.FAILING and not self._claim(target)):
            work.plan = plans.park_all(target, work.jobs)
        elif is_suspect(target.health, now=now):
            work.plan = plans.put_off(target, work.jobs, delay=plans.PAUSE, spread=self.spread)
        else:
            work.share = share_of(target, *self._credentials(target, now), work.jobs)

    def _claim(self, target: Target) -> bool:
        """Claim the turn to try a failing webhook; False when another invocation has it."""
        now = self.clock()
        claimed = False

        def claim(health: Health) -> Health:
            nonlocal claimed
            present = current(health, target.version, now=now)
            claimed = present.may_probe(now=now)
            return claim_probe(present, now=now) if claimed else health

        return self.states.change(target, claim) is not None and claimed

    def _credentials(self, target: Target, now: datetime) -> tuple[tuple[bytes, ...], dict[str, str]]:
        """The keys that sign, the current one first, and the Authorization header that the URL's userinfo asks for."""
        secrets = [self.unseal(target.webhook_id, sealed) for sealed in target.seals(now=now)]
        userinfo = secrets[0].userinfo
        headers = {"authorization": basic_auth(userinfo)} if userinfo else {}
        return tuple(signing_key(secret.secret) for secret in secrets), headers

    # after the round

    def _conclude(self, work: Work) -> None:
        if work.test_share:
            self._conclude_tests(work, work.test_share)
        if work.share:
            self._conclude_share(work, work.share)

    def _conclude_tests(self, work: Work, share: Share) -> None:
        """A test is tried once and touches no health, but one that gets through has a failing webhook probed."""
        now = self.clock()
        for job, attempt in share.tried:
            self.tests.note_test(
                work.target,
                status=_status(attempt),
                now=attempt.ended,
                delivery=job.delivery.id,
                answer=_excerpt(attempt),
            )
            self.logger.info("webhook tested", extra={**work.ids, **_attempt_facts(job, attempt)})
        if any(isinstance(attempt.outcome, Delivered) for _, attempt in share.tried):
            version = work.target.version
            changed = self.states.change(
                work.target, lambda health: after_test(current(health, version, now=now), now=now)
            )
            if changed and changed[1].state is State.FAILING:
                self.backlog.wake(work.target.instance_id, work.target.webhook_id, now=now)
        work.plan.later += plans.put_off(work.target, share.jobs, delay=0, spread=self.spread).later

    def _conclude_share(self, work: Work, share: Share) -> None:
        """Record what the attempts say of health, then send what is left where that health wants it."""
        attempts = [attempt for _, attempt in share.tried]
        health = self._record(work, attempts) if attempts else share.target.health
        failed = [(job, attempt) for job, attempt in share.tried if not isinstance(attempt.outcome, Delivered)]
        settled = plans.settle(
            replace(share.target, health=health),
            failed,
            share.jobs,
            ladder=self.rules.ladder,
            spread=self.spread,
            release_every=self.rules.release_every,
            patient=share.patient,
            now=self.clock(),
        )
        work.plan.later += settled.later
        work.plan.parked += settled.parked
        work.plan.exhausted += settled.exhausted
        self._log(work, share.tried)

    def _record(self, work: Work, attempts: Sequence[Attempt]) -> Health:
        """The webhook's health after *attempts*, written if they change it; tells of a transition."""
        now = self.clock()
        version = work.target.version

        def change(health: Health) -> Health:
            present = current(health, version, now=now)
            result = after(present, attempts, self.rules.health)
            return health if result == present else result

        changed = self.states.change(work.target, change)
        if changed is None:
            return work.target.health
        before, health = changed
        if health.since != before.since:
            self.transitions.made(replace(work.target, health=health), now=now)
        return current(health, version, now=now)

    def _hand_over(self, works: Sequence[Work]) -> None:
        """Send and park what is left, and keep for replay what was delivered."""
        later = [entry for work in works for entry in work.plan.later]
        if later:
            with self._own_faults([work for work in works if work.plan.later]):
                self.queue.send_later(later)
        for work in works:
            if work.plan.parked and not work.fault:
                with self._own_fault(work):
                    self.backlog.park(work.plan.parked, now=self.clock())
            if not work.fault:
                self._log_plan(work, work.plan)
        self._keep(works)

    def _keep(self, works: Sequence[Work]) -> None:
        """Deliveries are made by now: one that cannot be kept for replay is counted, and no reason to repeat it."""
        try:
            lost = self.archive.keep(
                (batch for work in works if work.share for batch in _delivered(work.share)), now=self.clock()
            )
        except Exception:
            self.logger.exception("deliveries not kept for replay")
            lost = 1
        if lost:
            self.count("DeliveriesNotKept", lost)

    # what is told

    def _log(self, work: Work, tried: Sequence[tuple[Job, Attempt]]) -> None:
        """One line per attempt, with the ids that `ops trace` follows: the mail's, the delivery's, the instance's."""
        made = 0
        for job, attempt in tried:
            facts = {**work.ids, **_attempt_facts(job, attempt)}
            if isinstance(attempt.outcome, Delivered):
                made += 1
                self.logger.info("attempt succeeded", extra=facts)
            else:
                self.logger.warning("attempt failed", extra=facts)
        for name, number in (("DeliveriesMade", made), ("DeliveriesFailed", len(tried) - made)):
            if number:
                self.count(name, number)

    def _log_plan(self, work: Work, plan: Plan) -> None:
        if plan.parked:
            parked = sum(len(batch.deliveries) for batch, _ in plan.parked)
            self.logger.info("deliveries parked", extra={**work.ids, "count": parked, "messages": len(plan.parked)})
            self.count("DeliveriesParked", parked)
        if plan.exhausted:
            self.logger.warning("ladder ended", extra={**work.ids, "count": plan.exhausted})
            self.count("DeliveriesExhausted", plan.exhausted)

    @contextmanager
    def _own_fault(self, work: Work) -> Iterator[None]:
        with self._own_faults([work]):
            yield

    @contextmanager
    def _own_faults(self, works: Sequence[Work]) -> Iterator[None]:
        """Whatever goes wrong in here is ours: the messages of *works* come back, the others are none the worse."""
        try:
            yield
        except Exception:
            for work in works:
                work.fault = True
                self.logger.exception("deliveries not settled", extra={**work.ids, "messages": work.messages})
            self.count("DeliveryFaults", len(works))


def _delivered(share: Share) -> Iterator[DeliveryBatch]:
    made = (job.delivery for job, attempt in share.tried if isinstance(attempt.outcome, Delivered))
    for deliveries in batched(made):
        yield DeliveryBatch(
            instance_id=share.target.instance_id, webhook_id=share.target.webhook_id, attempt=1, deliveries=deliveries
        )


def _attempt_facts(job: Job, attempt: Attempt) -> dict[str, object]:
    return {
        "message_id": job.delivery.message_id,
        "delivery_id": job.delivery.id,
        "type": job.delivery.type,
        "attempt": job.attempt,
        "status": _status(attempt),
        "ms": round((attempt.ended - attempt.began).total_seconds() * 1000),
    }


def _excerpt(attempt: Attempt) -> str:
    """What the receiver answered to an attempt that failed."""
    return "" if isinstance(attempt.outcome, Delivered) else attempt.outcome.excerpt


def _status(attempt: Attempt) -> str:
    match attempt.outcome:
        case Delivered(status=status):
            return str(status)
        case Failed(reason=reason) | Refused(reason=reason):
            return reason
