"""How many attempts run at once: of a webhook, of a service instance, and in all.

Every webhook of an invocation has its first slots from the start, so that a neighbour's receivers cannot keep it
waiting. A webhook gets more only while it answers quickly, and those come from a part of the slots that is kept apart.
It gets many only if more at once do not make its answers slower: else they wait for each other at the receiver.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable

FIRST = 4  # attempts of a webhook at once before anything is known of it
SOME = 16  # attempts of a webhook at once that quick answers alone earn: 160 a second at 100 ms
MOST = 40  # attempts of a webhook at once: 400 a second at 100 ms
SLOWER = 2.0  # times the quickest answer: one that took longer earns nothing beyond SOME
QUICK = 1.0  # s: an answer that took longer earns no further slot
PER_INSTANCE = 64  # attempts of a service instance's webhooks at once
FIRST_SLOTS = 500  # of all webhooks
EXTRA_SLOTS = 200  # beyond the first ones; Lambda allows 1,024 open files, look-ups and our own calls among them
CONNECTIONS = FIRST_SLOTS + EXTRA_SLOTS


class ConcurrencyLimit:
    """How many attempts of one webhook may run at once; *first* to begin with."""

    def __init__(self, first: int) -> None:
        self.first = first
        self.current = first
        self._quickest = QUICK

    def answered(self, seconds: float) -> None:
        """Take note of an answer after *seconds*: a quick one allows one attempt more, a slow one the first again."""
        self._quickest = min(self._quickest, seconds)
        if seconds > QUICK:
            self.current = self.first
        elif self.current < SOME or seconds <= SLOWER * self._quickest:
            self.current = min(MOST, self.current + 1)


class ConnectionSlots:
    """The slots of one invocation, whose webhooks belong to *instances* (one entry a webhook)."""

    def __init__(self, instances: Iterable[str], *, first: int = FIRST_SLOTS, extra: int = EXTRA_SLOTS) -> None:
        self._webhooks = Counter(instances)
        self._first_slots = first
        self.first = asyncio.Semaphore(first)
        self._extra = extra
        self._of_instance: Counter[str] = Counter()

    def first_limit(self, instance_id: str) -> int:
        """How many attempts a webhook of the instance begins with: the more webhooks there are, the fewer each."""
        fair = min(self._first_slots // self._webhooks.total(), PER_INSTANCE // self._webhooks[instance_id])
        return max(1, min(FIRST, fair))

    def take_extra(self, instance_id: str) -> bool:
        """Take a slot beyond a webhook's first ones; False if all, or the instance's, are taken."""
        own = self._webhooks[instance_id] * self.first_limit(instance_id) + self._of_instance[instance_id]
        if not self._extra or own >= PER_INSTANCE:
            return False
        self._extra -= 1
        self._of_instance[instance_id] += 1
        return True

    def give_back_extra(self, instance_id: str) -> None:
        """Give a slot of `take_extra` back."""
        self._extra += 1
        self._of_instance[instance_id] -= 1
