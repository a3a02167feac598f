"""What a failing webhook costs the parts that all share: attempts, queue messages, writes. No time is measured."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from lambdas.domain.webhooks.attempt import NoResponse
from lambdas.domain.webhooks.delivery import DeliveryBatch
from lambdas.domain.webhooks.health import HealthState
from tests.delivery.world import OK, START, World, batch

REFUSED = NoResponse(reason="connection refused")


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What was spent so far: attempts, changes of the health record, messages sent to the queues, items parked."""

    attempts: int
    writes: int
    messages: int
    parked: int


@dataclass
class Pipeline:
    """A webhook with an event a second, and both queues with their delays; an invocation gets *at_once* messages."""

    at_once: int = 10
    world: World = field(default_factory=World)
    waiting: list[tuple[datetime, bool, DeliveryBatch]] = field(default_factory=list)  # due, prompt, message
    messages: int = 0

    def run(self, seconds: range) -> Spent:
        """Let time pass; what was spent since the beginning."""
        for second in seconds:
            self.world.now = START + timedelta(seconds=second)
            self.send(batch("w1", f"msg_{second}", created_at=self.world.now), prompt=True)
            if second % 60 == 59:
                self.world.release()
                self.collect()
            self.deliver_due()
        world = self.world
        return Spent(attempts=len(world.posted), writes=world.writes, messages=self.messages, parked=len(world.parked))

    def deliver_due(self) -> None:
        """Deliver all that is due, and what is due at once after that."""
        while due := [one for one in self.waiting if one[0] <= self.world.now]:
            self.waiting = [one for one in self.waiting if one not in due]
            for prompt in (True, False):
                messages = [message for _, is_prompt, message in due if is_prompt is prompt]
                for start in range(0, len(messages), self.at_once):
                    assert self.world.deliver(*messages[start : start + self.at_once], prompt=prompt) == []
                    self.collect()

    def collect(self) -> None:
        """Take what was sent to the queues."""
        for prompt, queue in ((True, self.world.later), (False, self.world.slow)):
            for message, delay in queue:
                self.send(message, prompt=prompt, delay=delay)
            queue.clear()

    def send(self, message: DeliveryBatch, *, prompt: bool, delay: float = 0) -> None:
        """Put a message into a queue."""
        self.messages += 1
        self.waiting.append((self.world.now + timedelta(seconds=delay), prompt, message))


@pytest.mark.parametrize("at_once", [1, 10])
def test_a_webhook_that_refuses_costs_an_attempt_every_five_seconds_until_it_is_failing(at_once: int) -> None:
    """Its events wait in one or two further messages until it is failing, and in the backlog after that."""
    pipeline = Pipeline(at_once=at_once)
    pipeline.world.webhook()
    pipeline.world.behaviours["w1"] = lambda: REFUSED

    doubted = pipeline.run(range(31))
    assert pipeline.world.health().state is HealthState.HEALTHY
    assert doubted.attempts <= 3 + 27 // 5
    assert doubted.writes <= 3 + 2 * (27 // 5)  # a claim and a result each
    assert doubted.messages <= 31 * 2.8
    assert doubted.parked == 0

    failing = pipeline.run(range(31, 120))
    assert pipeline.world.health().state is HealthState.FAILING
    assert failing.attempts - doubted.attempts <= 3  # the one that made it failing, and probes after 5 and 30 s
    assert failing.writes - doubted.writes <= 7
    assert failing.messages - doubted.messages <= 89 + 10  # one an event
    assert failing.parked <= 120


@pytest.mark.parametrize("outage", [2, 4, 12, 28])
def test_what_waited_for_a_probe_arrives_seconds_after_the_recovery(outage: int) -> None:
    """All but the few that were attempted and failed: those follow the retry schedule."""
    pipeline = _recovering_after(outage)
    seconds = outage + 6 + 15  # the next probe, and what waited through it

    spent = pipeline.run(range(seconds))

    delivered = _delivered(pipeline.world)
    attempted_in_vain = spent.attempts - len(delivered)
    assert len(delivered) >= seconds - attempted_in_vain
    assert attempted_in_vain <= 3 + outage // 5
    assert len(pipeline.world.parked) == 0


@pytest.mark.parametrize("outage", [2, 4, 12, 28, 45])
def test_nothing_is_lost_or_delivered_twice_however_long_the_outage(outage: int) -> None:
    """In doubt, or failing with a backlog that drains."""
    pipeline = _recovering_after(outage)
    seconds = outage + 720  # the second wait of the retry schedule, and a drain once a minute

    pipeline.run(range(seconds))

    assert sorted(_delivered(pipeline.world)) == sorted(f"msg_{second}" for second in range(seconds))
    assert pipeline.world.health().state is HealthState.HEALTHY


def _recovering_after(outage: int) -> Pipeline:
    pipeline = Pipeline()
    world = pipeline.world
    world.webhook()
    world.behaviours["w1"] = lambda: REFUSED if world.now < START + timedelta(seconds=outage) else OK
    return pipeline


def _delivered(world: World) -> list[str]:
    return [delivery.id for kept in world.kept for delivery in kept.deliveries]
