"""The same, in small and in any shape: random events, batches and deaths, on a table in moto."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lambdas.aws.dynamodb.attribute_values import from_item
from lambdas.aws.dynamodb.reputation.ledger import Ledger
from lambdas.domain.events.feedback_event import FeedbackEvent
from lambdas.domain.webhooks.audience import Audience
from lambdas.domain.webhooks.webhook import Webhook, WebhookId
from lambdas.feedback.parse_message import parse_message
from lambdas.feedback.record import Recorder
from tests.aws.tables import create, dynamodb_with
from tests.events import TOPIC_ARN, bounce, complaint, text
from tests.feedback.fakes import FakeAudiences, FakeDeliveryQueue, Fate, Killed

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
Told = tuple[str, int, int]  # kind, number (the feedbackId), hour
TOLD = st.tuples(st.sampled_from(["bounce", "complaint"]), st.integers(0, 9), st.integers(3, 5))


class Mortal:
    """A client whose transactions may be the last thing the process does, before or after they are committed."""

    def __init__(self, client: "DynamoDBClient", fate: Fate) -> None:
        self._client = client
        self._fate = fate

    def transact_write_items(self, **call: object) -> object:
        """Commit, if it comes to that."""
        self._fate.strike()
        answer = self._client.transact_write_items(**call)  # type: ignore[arg-type]
        self._fate.strike()
        return answer


@pytest.fixture(scope="module")
def dynamodb() -> Iterator["DynamoDBClient"]:
    """AWS in memory, without tables."""
    with dynamodb_with() as client:
        yield client


def event_of(told: Told) -> FeedbackEvent:
    """The event as the parser reads it; its hour follows from its number, as every telling of it says the same."""
    kind, number, hour = told
    make = bounce if kind == "bounce" else complaint
    (event,) = parse_message(text(make(feedback_id=f"f{number}", timestamp=f"2026-11-21T0{hour}:00:00Z")))
    assert isinstance(event, FeedbackEvent)
    return event


@given(
    tellings=st.lists(st.lists(TOLD, max_size=8), max_size=5),
    deaths=st.lists(st.integers(0, 8), max_size=5),
)
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_however_told_and_wherever_killed_each_counts_once(
    dynamodb: "DynamoDBClient", tellings: list[list[Told]], deaths: list[int]
) -> None:
    """Batches are repeated until they are through; the first hour that an event was told with is its hour."""
    table = f"t{Counter(dynamodb.list_tables()['TableNames']).total()}"
    create(dynamodb, table)
    audience = Audience(instance_id="i1", webhooks=(Webhook(id=WebhookId("w"), instance_id="i1"),), baseline=None)
    delivery_queue = FakeDeliveryQueue()
    for batch, death in zip(tellings, [*deaths, *[-1] * len(tellings)], strict=False):
        fate = Fate(at=death)
        recorder = Recorder(
            audiences=FakeAudiences(known={"i1": audience}),
            ledger=Ledger(Mortal(dynamodb, fate), table, pause=lambda _: None),  # type: ignore[arg-type]
            delivery_queue=delivery_queue,
            topic_arn=TOPIC_ARN,
        )
        for _ in range(2):
            try:
                recorded_events = recorder.record(audience, [event_of(told) for told in batch], now=NOW)
                recorder.delivery_queue.send_later(recorded_events.fan_out)
                break
            except Killed:
                continue
    items = [from_item(item) for item in dynamodb.scan(TableName=table)["Items"]]
    unique = {(kind, number) for batch in tellings for kind, number, _ in batch}
    counters = [item for item in items if item["item"].startswith("feedback#")]
    assert sum(item["bounces"] for item in counters) == sum(kind == "bounce" for kind, _ in unique)
    assert sum(item["complaints"] for item in counters) == sum(kind == "complaint" for kind, _ in unique)
    assert len({delivery.id for delivery in delivery_queue.deliveries}) == len(unique)
