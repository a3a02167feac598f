"""Delivery's surroundings in memory: queue, webhooks, backlog, archive, topics and receivers, all under one clock."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count

from aws_lambda_powertools import Logger

from lambdas.delivery.digests import Digests
from lambdas.delivery.dispatch import Dispatcher
from lambdas.delivery.endpoint import Endpoint
from lambdas.delivery.health_transitions import HealthTransitions
from lambdas.delivery.name_resolver import Unreachable
from lambdas.delivery.observability import DeliveryLog
from lambdas.delivery.ports import DeliveryRules, Key, Queues
from lambdas.delivery.release import Releaser
from lambdas.domain.webhooks.attempt import NoResponse, Response
from lambdas.domain.webhooks.backlog import Parked, Partition
from lambdas.domain.webhooks.delivery import Delivery, DeliveryBatch
from lambdas.domain.webhooks.health import Health, HealthRules
from lambdas.domain.webhooks.retry_schedule import RetrySchedule
from lambdas.domain.webhooks.signature import WebhookSecret, new_secret
from lambdas.domain.webhooks.target import Target
from lambdas.domain.webhooks.webhook import NotificationFormat, WebhookId

START = datetime(2026, 11, 21, 4, 0, tzinfo=UTC)
OK = Response(status=204)
SECRET = new_secret()
Behaviour = Callable[[], Response | NoResponse]
Reader = Callable[[bytes], Response | NoResponse]


class Broken(Exception):
    """A fault of our own."""


def delivery(
    id_: str = "msg_1", type_: str = "email.bounced", *, created_at: datetime = START, body: str = '{"type":"x"}'
) -> Delivery:
    """A delivery."""
    return Delivery(
        id=id_,
        type=type_,
        timestamp=created_at,
        created_at=created_at,
        format=NotificationFormat.STANDARD_WEBHOOKS,
        body=body,
        headers={"content-type": "application/json"},
    )


def batch(webhook: str = "w1", *ids: str, attempt: int = 1, created_at: datetime = START) -> DeliveryBatch:
    """A batch of deliveries for *webhook*."""
    deliveries = tuple(delivery(id_, created_at=created_at) for id_ in ids or ("msg_1",))
    return DeliveryBatch(instance_id="i1", webhook_id=WebhookId(webhook), attempt=attempt, deliveries=deliveries)


@dataclass
class FakeQueue:
    """A queue whose messages stay in a list."""

    world: "World"
    messages: list[tuple[DeliveryBatch, float]]

    def send_later(self, delayed: Iterable[tuple[DeliveryBatch, float]]) -> None:
        """Keep them."""
        self.world.send_later(delayed, self.messages)


@dataclass
class World:
    """Everything around delivery. `behaviours` says how a webhook answers, `readers` by
    what is posted; `broken` names the ports that fail now."""

    now: datetime = START
    targets: dict[Key, Target] = field(default_factory=dict)
    behaviours: dict[str, Behaviour] = field(default_factory=dict)
    readers: dict[str, Reader] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    posted: list[tuple[str, str]] = field(default_factory=list)
    decrypted_ahead: list[str] = field(default_factory=list)
    located: list[tuple[str, str]] = field(default_factory=list)
    unreachable: dict[str, str] = field(default_factory=dict)
    deadlines: list[float] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    running: dict[str, int] = field(default_factory=dict)
    most_running: dict[str, int] = field(default_factory=dict)
    later: list[tuple[DeliveryBatch, float]] = field(default_factory=list)
    slow: list[tuple[DeliveryBatch, float]] = field(default_factory=list)
    parked: dict[tuple[str, str], Parked] = field(default_factory=dict)
    resting: dict[str, datetime] = field(default_factory=dict)
    marks: dict[str, str] = field(default_factory=dict)  # a partition's `seq`, new with each item that is parked
    cached: dict[Key, Target] = field(default_factory=dict)  # webhooks as they are known where they need not be fresh
    aside: list[Parked] = field(default_factory=list)
    kept: list[DeliveryBatch] = field(default_factory=list)
    notified: list[tuple[str, str, str]] = field(default_factory=list)
    tests: list[tuple[str, str]] = field(default_factory=list)
    noted: list[tuple[datetime, str, str]] = field(default_factory=list)  # of tests: when, which, and the answer
    counted: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, list[float]] = field(default_factory=dict)
    writes: int = 0
    heard: bool = True
    not_kept: int = 0  # items that the archive does not take
    attempt_seconds: float = 15
    shards: int = 1  # over which a webhook's parked deliveries are spread in turn
    tokens: Iterator[int] = field(default_factory=count)

    def webhook(self, id_: str = "w1", *, health: Health | None = None, **more: object) -> Target:
        """Add a webhook."""
        target = Target(
            instance_id="i1",
            webhook_id=WebhookId(id_),
            url=f"https://{id_}.example/hook",
            format=NotificationFormat.STANDARD_WEBHOOKS,
            ciphertext=b"ciphertext",
            health=health or Health(),
        )
        self.targets["i1", target.webhook_id] = replace(target, **more)  # type: ignore[arg-type]
        return target

    def health(self, id_: str = "w1") -> Health:
        """A webhook's health as recorded."""
        return self.targets["i1", WebhookId(id_)].health

    def set_health(self, id_: str = "w1", **changes: object) -> None:
        """Change a webhook's health behind everyone's back."""
        key = ("i1", WebhookId(id_))
        target = self.targets[key]
        self.targets[key] = replace(target, health=replace(target.health, **changes))  # type: ignore[arg-type]

    def deliver(
        self, *batches: DeliveryBatch, seconds: float = 60, prompt: bool = True, seen: bool = False
    ) -> list[str]:
        """One invocation with so many seconds in which attempts may begin; the ids of messages that come back.

        *seen*: SQS delivers the messages for the second time.
        """
        messages = {str(number): one for number, one in enumerate(batches)}
        deadline = self.now + timedelta(seconds=seconds)
        again = messages.keys() if seen else ()
        return asyncio.run(self._deliverer().deliver(messages, deadline=deadline, prompt=prompt, seen=again))

    def release(self, *, seconds: float = 60) -> None:
        """One round of release, which has so many seconds."""
        transitions = self._transitions()
        digests = Digests(topics=self, states=self, logger=Logger(), count=self.count)
        Releaser(
            queues=Queues(prompt=FakeQueue(self, self.later), slow=FakeQueue(self, self.slow)),
            states=self,
            partitions=self,
            digests=digests,
            transitions=transitions,
            clock=self.clock,
            logger=Logger(),
            count=self.count,
        ).release(deadline=self.now + timedelta(seconds=seconds))

    def queued(self) -> list[DeliveryBatch]:
        """Take what is in both queues."""
        batches = [one for one, _ in self.later + self.slow]
        self.later.clear()
        self.slow.clear()
        return batches

    def _deliverer(self) -> Dispatcher:
        return Dispatcher(
            queues=Queues(prompt=FakeQueue(self, self.later), slow=FakeQueue(self, self.slow)),
            states=self,
            tests=self,
            backlog=self,
            archive=self,
            transitions=self._transitions(),
            decrypt=self,
            client=self,
            rules=DeliveryRules(
                retry_schedule=RetrySchedule(),
                health=HealthRules(),
                release_every=60,
                attempt_seconds=self.attempt_seconds,
            ),
            clock=self.clock,
            jitter=lambda: 0.0,
            log=DeliveryLog(logger=Logger(), count=self.count, seconds=self.record_seconds),
        )

    def _transitions(self) -> HealthTransitions:
        return HealthTransitions(states=self, backlog=self, notifier=self, logger=Logger(), count=self.count)

    # the ports

    def clock(self) -> datetime:
        return self.now

    def count(self, name: str, value: int) -> None:
        self.counted[name] = self.counted.get(name, 0) + value

    def record_seconds(self, name: str, values: Sequence[float]) -> None:
        self.seconds.setdefault(name, []).extend(values)

    def ahead(self, secrets: Iterable[tuple[WebhookId, bytes]]) -> None:
        self.decrypted_ahead += [webhook_id for webhook_id, _ in secrets]

    def __call__(self, webhook_id: WebhookId, ciphertext: bytes) -> WebhookSecret:
        self._strike(f"kms {webhook_id}")
        return WebhookSecret(secret=SECRET, userinfo="joe:pw" if webhook_id == "w-auth" else None)

    async def locate(self, instance_id: str, url: str) -> Endpoint:
        self.located.append((instance_id, url))
        webhook = url.removeprefix("https://").removesuffix(".example/hook")
        if webhook in self.unreachable:
            raise Unreachable(self.unreachable[webhook])
        return Endpoint(url=url, host=webhook, port=443)

    def turn(self, endpoint: Endpoint) -> AbstractAsyncContextManager[None]:
        """At once."""
        return nullcontext()

    async def post(
        self, endpoint: Endpoint, headers: Mapping[str, str], body: bytes, *, deadline: float
    ) -> Response | NoResponse:
        webhook = endpoint.host
        self.deadlines.append(deadline)
        self.running[webhook] = self.running.get(webhook, 0) + 1
        self.most_running[webhook] = max(self.most_running.get(webhook, 0), self.running[webhook])
        self.posted.append((webhook, headers["webhook-id"]))
        self.headers.append(headers)
        self.bodies.append(body)
        await asyncio.sleep(0)
        self.running[webhook] -= 1
        if webhook in self.readers:
            return self.readers[webhook](body)
        return self.behaviours.get(webhook, lambda: OK)()

    def send_later(
        self, delayed: Iterable[tuple[DeliveryBatch, float]], queue: list[tuple[DeliveryBatch, float]]
    ) -> None:
        self._strike("queue")
        queue += delayed

    def load(self, keys: Iterable[Key], *, now: datetime, fresh: bool = False) -> dict[Key, Target]:
        self._strike("states")
        known = self.targets if fresh else self.targets | self.cached
        return {key: known[key] for key in keys if key in known}

    def change(self, target: Target, change: Callable[[Health], Health]) -> tuple[Health, Health] | None:
        self._strike("health")
        key = (target.instance_id, target.webhook_id)
        if key not in self.targets:
            return None
        before = self.targets[key].health
        wanted = change(before)
        if wanted != before:
            self.writes += 1
            wanted = replace(wanted, record=before.record + 1)
            self.targets[key] = replace(self.targets[key], health=wanted)
        return before, wanted

    def note_test(self, target: Target, *, status: str, now: datetime, delivery: str = "", answer: str = "") -> None:
        self.tests.append((target.webhook_id, status))
        self.noted.append((now, delivery, answer))

    def park(self, entries: Iterable[tuple[DeliveryBatch, datetime]], *, now: datetime) -> None:
        for one, due in entries:
            self._strike(f"backlog {one.webhook_id}")
            partition = self._lane(one.webhook_id, len(self.parked) % self.shards)
            sk = f"{due.isoformat()}#{one.attempt}#{'/'.join(each.id for each in one.deliveries)}"
            self.parked[partition.pk, sk] = Parked(
                partition=partition,
                sk=sk,
                token=str(next(self.tokens)),
                due=due,
                parked_at=now,
                count=len(one.deliveries),
                batch=one,
            )
            self.resting[partition.pk] = min(due, self.resting.get(partition.pk, due))
            self.marks[partition.pk] = str(next(self.tokens))

    def waiting(self, instance_id: str, webhook_id: WebhookId) -> int:
        return sum(one.count for one in self.parked.values() if one.partition.webhook_id == webhook_id)

    def wake(self, instance_id: str, webhook_id: WebhookId, *, now: datetime) -> None:
        for shard in range(self.shards):
            pk = self._lane(webhook_id, shard).pk
            if pk in self.resting:
                self.resting[pk], self.marks[pk] = now, str(next(self.tokens))

    def marked(self) -> Iterator[tuple[Partition, datetime]]:
        for pk, due in self.resting.items():
            yield self._marked(pk), due

    def due(self, *, now: datetime) -> Iterator[Partition]:
        for pk, due in list(self.resting.items()):
            if due <= now:
                yield self._marked(pk)

    def _marked(self, pk: str) -> Partition:
        _, webhook_id, shard = pk.split("#")
        waiting = sum(one.count for (key, _), one in self.parked.items() if key == pk)
        return replace(self._lane(WebhookId(webhook_id), int(shard)), seq=self.marks.get(pk, ""), waiting=waiting)

    def read(
        self, partition: Partition, *, until: datetime | None = None, after: str = "", limit: int = 1000
    ) -> list[Parked]:
        found = [one for (pk, sk), one in sorted(self.parked.items()) if pk == partition.pk and sk > after]
        return [one for one in found if until is None or one.due <= until][:limit]

    def remove(self, parked: Iterable[Parked]) -> None:
        for one in parked:
            if self.parked.get((one.partition.pk, one.sk)) == one:
                del self.parked[one.partition.pk, one.sk]

    def quarantine(self, parked: Parked) -> None:
        self.aside.append(self.parked.pop((parked.partition.pk, parked.sk)))

    def rest(self, partition: Partition, *, until: datetime | None) -> bool:
        if self.marks.get(partition.pk, "") != partition.seq:
            return False
        if until is None:
            self.resting.pop(partition.pk, None)
        else:
            self.resting[partition.pk] = until
        return True

    def keep(self, batches: Iterable[DeliveryBatch], *, now: datetime) -> int:
        self._strike("archive")
        self.kept += batches
        return self.not_kept

    def notify(self, topic: str, *, subject: str, text: str) -> bool:
        self._strike("sns")
        self.notified.append((topic, subject, text))
        return True

    def has_confirmed_subscription(self, topic_arn: str) -> bool:
        return self.heard

    def _strike(self, port: str) -> None:
        if port in self.broken:
            raise Broken(port)

    @staticmethod
    def _lane(webhook_id: WebhookId, shard: int = 0) -> Partition:
        return Partition(instance_id="i1", webhook_id=webhook_id, shard=shard, seq="", waiting=0)
