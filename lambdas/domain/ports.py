"""What several functions need from outside. Adapters in lambdas/aws implement these interfaces, and fakes in tests do;
each function's `composition.py` connects them. What only one function needs is in its own `ports.py`."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:  # no function pays at its start for what only others need
    from lambdas.domain.reputation.evaluation import HourCounts
    from lambdas.domain.reputation.sending_status import SendingStatus, Transition
    from lambdas.domain.webhooks.delivery import DeliveryBatch

_Given = TypeVar("_Given")
_Got = TypeVar("_Got")


class DeliverySender(Protocol):
    """The deliveries queue."""

    def send(self, batches: "Iterable[DeliveryBatch]", *, delay: int = 0) -> None:
        """Send all batches, each hidden for *delay* seconds, or raise."""


class DelayedSender(Protocol):
    """The deliveries queue, for deliveries that wait."""

    def send_later(self, delayed: "Iterable[tuple[DeliveryBatch, float]]") -> None:
        """Send all batches, each hidden for its own delay, s, or raise."""


class Notifier(Protocol):
    """Notifications through SNS e-mail."""

    def notify(self, topic: str, *, subject: str, text: str) -> bool:
        """Publish to a topic, given by name or ARN. Returns False if the topic does not exist."""


class RateLimiter(Protocol):
    """The account's limit of calls to SES's control plane."""

    def acquire(self, *, now: datetime, priority: bool = False) -> float:
        """Returns 0.0 if a call may start now, else the seconds to wait before asking again."""


class HourlyCounters(Protocol):
    """The counters of bounces, complaints and deliveries."""

    def hours(self, instance_id: str, *, since: str) -> "Iterator[HourCounts]":
        """An instance's counters by hour, newest first."""


class SendingStatusReader(Protocol):
    """Sending statuses of instances."""

    def load(self, instance_id: str) -> "SendingStatus":
        """Defaults to healthy if no status was ever recorded."""


class SendingStatusClaims(SendingStatusReader, Protocol):
    """Sending statuses and their transitions."""

    def claim(
        self,
        status: "SendingStatus",
        transition: "Transition",
        *,
        claimer: str,
        baseline: datetime | None,
        now: datetime,
    ) -> bool:
        """Claim *transition* for *claimer* to enforce. Returns False if the status was changed since it was read."""


class Runner(Protocol):
    """`map`, or what has its signature: results come in the order of the values."""

    def __call__(self, function: Callable[[_Given], _Got], values: Iterable[_Given], /) -> Iterable[_Got]:
        """The function's results."""
