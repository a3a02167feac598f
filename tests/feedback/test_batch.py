"""A batch: what fails, fails alone."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from lambdas.domain.events.feedback_event import FeedbackEvent
from lambdas.domain.webhooks.audience import Audience
from lambdas.domain.webhooks.webhook import Webhook, WebhookId
from lambdas.feedback.batch import InstanceGone, QueueMessage, RecordingFailed, RecordingOutcome, process
from lambdas.feedback.parse_message import NotAnEvent, NotAnEventKind
from lambdas.feedback.record import Recorded, Recorder
from tests.events import INSTANCE, TOPIC_ARN, bounce, delivery, in_sns, text
from tests.feedback.fakes import FakeAudiences, FakeDeliveryQueue, FakeLedger, Fate

NOW = datetime(2026, 11, 21, 5, tzinfo=UTC)


class Heard:
    """A report that remembers."""

    def __init__(self) -> None:
        self.not_events: list[NotAnEvent] = []
        self.nobodys: list[FeedbackEvent] = []
        self.outcomes: dict[str, RecordingOutcome] = {}

    def not_an_event(self, message_id: str, reading: NotAnEvent) -> None:
        """Remember it."""
        self.not_events.append(reading)

    def unattributed(self, event: FeedbackEvent) -> None:
        """Remember it."""
        self.nobodys.append(event)

    def outcome(self, instance_id: str, events: Sequence[FeedbackEvent], outcome: RecordingOutcome) -> None:
        """Remember it."""
        self.outcomes[instance_id] = outcome


def audience(instance_id: str) -> Audience:
    """An instance with one webhook."""
    webhook = Webhook(id=WebhookId(f"w-{instance_id}"), instance_id=instance_id)
    return Audience(instance_id=instance_id, webhooks=(webhook,), baseline=None)


class Pipeline:
    """Instances i1 and i2, a table and a queue in memory."""

    def __init__(self, *, broken: set[str] = frozenset(), fate: Fate | None = None) -> None:  # type: ignore[assignment]
        self.heard = Heard()
        self.ledger = FakeLedger(fate=fate or Fate())
        self.delivery_queue = FakeDeliveryQueue()
        known = {name: audience(name) for name in (INSTANCE, "i1", "i2")}
        self.recorder = Recorder(
            audiences=FakeAudiences(known=known, broken=broken),
            ledger=self.ledger,
            delivery_queue=self.delivery_queue,
            topic_arn=TOPIC_ARN,
        )

    def process(self, *bodies: str) -> list[str]:
        """Process messages with these bodies, named by their number."""
        messages = [QueueMessage(id=str(number), body=body) for number, body in enumerate(bodies)]
        return process(messages, self.recorder, self.heard, now=NOW)


def of(instance_id: str, event: Any = bounce, **about: Any) -> str:
    """A message body with an event of an instance."""
    return text(event(instance=instance_id, **about))


def test_what_is_no_event_is_told_and_done() -> None:
    """A validation text, rubbish and an unknown type never come again."""
    pipeline = Pipeline()
    failed = pipeline.process(
        in_sns("Successfully validated SNS topic for Amazon SES event publishing."), "rubbish", '{"eventType":"New"}'
    )
    assert failed == []
    assert [reading.kind for reading in pipeline.heard.not_events] == [
        NotAnEventKind.CONTROL,
        NotAnEventKind.INVALID,
        NotAnEventKind.UNKNOWN,
    ]


def test_an_event_of_nobody_is_told_and_done() -> None:
    """No configuration set, or a foreign one."""
    pipeline = Pipeline()
    failed = pipeline.process(text(bounce(instance=None)), text(bounce(tags={"ses:configuration-set": ["marketing"]})))
    assert failed == []
    assert len(pipeline.heard.nobodys) == 2


def test_an_event_of_nobody_does_not_hold_back_those_behind_it_in_its_message() -> None:
    """A message of several records: each stands for itself."""
    pipeline = Pipeline()
    nobodys, ours = text(bounce(instance=None)), text(bounce())
    assert (
        pipeline.process(json.dumps({"Records": [{"Sns": json.loads(in_sns(one))} for one in (nobodys, ours)]})) == []
    )
    assert len(pipeline.heard.nobodys) == 1
    assert list(pipeline.heard.outcomes) == [INSTANCE]


def test_an_event_of_an_instance_that_is_gone_is_told_and_done() -> None:
    """Its neighbours are fed."""
    pipeline = Pipeline()
    assert pipeline.process(of("deleted"), of("i1")) == []
    assert pipeline.heard.outcomes["deleted"] == InstanceGone()
    assert isinstance(pipeline.heard.outcomes["i1"], Recorded)


def test_the_fault_of_one_instance_fails_its_messages_alone() -> None:
    """Poison, another tenant's mail and its own in one batch."""
    pipeline = Pipeline(broken={"i1"})
    failed = pipeline.process(of("i1"), "poison", of("i2"), of("i1", delivery))
    assert failed == ["0", "3"]
    assert isinstance(pipeline.heard.outcomes["i1"], RecordingFailed)
    assert {batch.instance_id for batch in pipeline.delivery_queue.batches} == {"i2"}


def test_a_table_that_does_not_answer_at_all_fails_every_event_and_no_rubbish() -> None:
    """There is nothing to be done without it."""
    pipeline = Pipeline(broken={"*"})
    assert pipeline.process(of("i1"), "poison", of("i2")) == ["0", "2"]
    assert not pipeline.delivery_queue.batches


def test_a_message_of_several_records_fails_when_one_of_them_does() -> None:
    """Once, though two of its events failed."""
    records = ",".join(f'{{"Sns":{in_sns(of(name, feedback_id=str(n)))}}}' for n, name in enumerate(["i1", "i1", "i2"]))
    pipeline = Pipeline(broken={"i1"})
    assert pipeline.process(f'{{"Records":[{records}]}}') == ["0"]
    assert {batch.instance_id for batch in pipeline.delivery_queue.batches} == {"i2"}


def test_what_failed_and_came_again_counts_once() -> None:
    """The table answered too late: the transaction had been committed."""
    pipeline = Pipeline(fate=Fate(at=3, error=TimeoutError))
    assert pipeline.process(of("i1")) == ["0"]
    assert pipeline.process(of("i1")) == []
    assert pipeline.ledger.bounces == {("i1", "2026-11-21T04"): 1}
    assert len(pipeline.delivery_queue.deliveries) == 1


def test_instances_leave_together() -> None:
    """A queue's call takes ten messages, whoever's they are."""
    pipeline = Pipeline()
    pipeline.process(of("i1"), of("i2"))
    assert pipeline.delivery_queue.calls == [2]


def test_the_smallest_instance_is_fanned_out_first() -> None:
    """A neighbour's flood comes after it."""
    pipeline = Pipeline()
    flood = [of("i1", delivery, message_id=str(number)) for number in range(60)]
    assert pipeline.process(*flood, of("i2")) == []
    assert [batch.instance_id for batch in pipeline.delivery_queue.batches] == ["i2", "i1", "i1"]


def test_a_queue_that_refuses_one_webhook_fails_its_instance_alone() -> None:
    """What the others had sent already is sent again: the ids are the same."""
    pipeline = Pipeline()
    pipeline.delivery_queue.refused = {"w-i2"}
    assert pipeline.process(of("i1"), of("i2")) == ["1"]
    assert isinstance(pipeline.heard.outcomes["i2"], RecordingFailed)
    assert {batch.instance_id for batch in pipeline.delivery_queue.batches} == {"i1"}
    assert len({delivery.id for delivery in pipeline.delivery_queue.deliveries}) == 1


def test_an_empty_batch_is_nothing() -> None:
    """Lambda sends none, but a filter might."""
    assert Pipeline().process() == []
