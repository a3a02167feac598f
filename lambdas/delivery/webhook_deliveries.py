"""One webhook's deliveries in one invocation, and how its health decides what is attempted."""

from collections import deque
from collections.abc import Container, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from lambdas.delivery.attempts import PATIENCE, AttemptSeries, PendingAttempt
from lambdas.delivery.concurrency import FIRST
from lambdas.delivery.gathering import pending_of
from lambdas.delivery.ports import Key
from lambdas.delivery.reschedule import Reschedule
from lambdas.domain.webhooks.delivery import Delivery, DeliveryBatch
from lambdas.domain.webhooks.health import HealthState
from lambdas.domain.webhooks.target import Target
from lambdas.domain.webhooks.webhook import NotificationFormat

TEST = "webhook.test"  # the type of a delivery that never touches health

Credentials = tuple[tuple[bytes, ...], dict[str, str]]  # the keys that sign, the current one first; headers


@dataclass(slots=True, kw_only=True)
class WebhookDeliveries:
    """One webhook's deliveries in this invocation, the queue messages they came in, and where they go.

    `attempts` and `test_attempts` are what is attempted, `reschedule` where the rest goes. `fault` marks a fault of our
    own: the messages come back.
    """

    target: Target
    messages: list[str] = field(default_factory=list)
    pending: list[PendingAttempt] = field(default_factory=list)
    tests: list[PendingAttempt] = field(default_factory=list)
    attempts: AttemptSeries | None = None
    test_attempts: AttemptSeries | None = None
    reschedule: Reschedule = field(default_factory=Reschedule)
    fault: bool = False

    @property
    def ids(self) -> dict[str, str]:
        """The ids that every log line of it carries."""
        return {"instance_id": self.target.instance_id, "webhook_id": self.target.webhook_id}

    @property
    def series(self) -> list[AttemptSeries]:
        """All that is attempted."""
        return [series for series in (self.attempts, self.test_attempts) if series and not self.fault]


def by_webhook(
    batches: Mapping[str, DeliveryBatch], targets: Mapping[Key, Target], seen: Container[str] = ()
) -> list[WebhookDeliveries]:
    """The deliveries of each webhook that still exists, from *batches* by message id.

    Messages in *seen* were received before: they may have been posted, so what they hold stays together. The test of a
    notification_email is an ordinary delivery: it is read in the digest.
    """
    found: dict[Key, WebhookDeliveries] = {}
    for message_id, batch in batches.items():
        key = (batch.instance_id, batch.webhook_id)
        if key not in targets:
            continue
        one = found.setdefault(key, WebhookDeliveries(target=targets[key]))
        one.messages.append(message_id)
        tests = [delivery for delivery in batch.deliveries if _is_test(delivery, one.target)]
        one.tests += [
            pending for test in tests for pending in pending_of(one.target, replace(batch, deliveries=(test,)))
        ]
        one.pending += pending_of(
            one.target,
            replace(
                batch,
                deliveries=tuple(delivery for delivery in batch.deliveries if not _is_test(delivery, one.target)),
                fixed=batch.fixed or message_id in seen,
            ),
        )
    return list(found.values())


def _is_test(delivery: Delivery, target: Target) -> bool:
    return delivery.type == TEST and target.format is not NotificationFormat.EMAIL


def is_parked(target: Target, *, now: datetime) -> bool:
    """Whether a webhook's deliveries are parked without an attempt. Digests gather in the backlog, too."""
    if target.format is NotificationFormat.EMAIL or target.health.state is HealthState.DISABLED:
        return True
    return target.health.state is HealthState.FAILING and not target.health.may_probe(now=now)


def goes_through_slow_queue(target: Target, *, now: datetime) -> bool:
    """Whether a webhook must be attempted where it holds up no others."""
    return not is_parked(target, now=now) and target.health.is_in_doubt(now=now)


def series_of(target: Target, credentials: Credentials, pending: list[PendingAttempt]) -> AttemptSeries:
    """What an invocation attempts of a webhook: one attempt if it is a probe, one at a time if it failed lately."""
    most, failure_limit = FIRST, PATIENCE
    if target.health.is_probed:
        most, failure_limit = 1, 1
    elif target.health.failures:
        most, failure_limit = 1, 2
    keys, headers = credentials
    return AttemptSeries(
        target=target, keys=keys, headers=headers, pending=deque(pending), most=most, failure_limit=failure_limit
    )


def series_of_tests(target: Target, credentials: Credentials, tests: list[PendingAttempt]) -> AttemptSeries:
    """Tests are attempted whatever the health, and all of them."""
    keys, headers = credentials
    return AttemptSeries(
        target=target, keys=keys, headers=headers, pending=deque(tests), most=1, failure_limit=len(tests) + 1
    )
