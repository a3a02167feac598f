"""Events published without a pause, and an independent count of them."""

import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any, Self

from botocore.exceptions import BotoCoreError, ClientError

from local.tenant.receiver import Received
from tests.events import bounce, complaint, delivery, text

PERIOD = 0.25  # s between events
KINDS = ("bounces", "complaints", "deliveries")


@dataclass(kw_only=True)
class Traffic:
    """Publishes one event after another, in turn for each of *instances*, in a thread of its own.

    *publish* takes a message and the id of the instance it is about. `counted` is what was published, by instance and
    kind, `mails` the ids of the mails, by instance.
    """

    publish: Callable[..., None]
    instances: list[str]
    counted: dict[str, Counter[str]] = field(default_factory=dict)
    mails: dict[str, set[str]] = field(default_factory=dict)
    _ended: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def total(self) -> int:
        """How many events were published."""
        return sum(counts.total() for counts in list(self.counted.values()))

    def _run(self) -> None:
        for number in count():
            for instance in list(self.instances):
                if self._ended.wait(PERIOD):
                    return
                kind, mail = KINDS[number % len(KINDS)], f"{instance[:8]}-{number}"
                self._publish(text(_event(kind, mail)), instance)
                self.counted.setdefault(instance, Counter())[kind] += 1
                self.mails.setdefault(instance, set()).add(mail)

    def _publish(self, message: str, instance: str) -> None:
        """Until it was taken, as SES does."""
        while True:
            try:
                self.publish(message, instance_id=instance)
            except (BotoCoreError, ClientError):
                continue
            return


def _event(kind: str, mail: str) -> dict[str, Any]:
    now = datetime.now(UTC).isoformat()
    about: dict[str, Any] = {"message_id": mail, "sent_at": now, "timestamp": now}
    match kind:
        case "bounces":
            return bounce(feedback_id=mail, **about)
        case "complaints":
            return complaint(feedback_id=mail, **about)
    return delivery(**about)


def mails_of(received: Iterable[Received]) -> set[str]:
    """The ids of the mails that requests told of, one by one or in batches."""
    events = [one for got in received for one in (got.event["data"] if got.type == "batch" else [got.event])]
    return {str(one["data"]["message_id"]) for one in events if "message_id" in one["data"]}
