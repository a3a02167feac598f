"""`python -m local publish`: the sample events are read as what they are called, told of the instance asked for."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from lambdas.domain.event import FeedbackEvent
from lambdas.feedback.reading import read
from local.publishing import as_new, told_of

SAMPLES = Path(__file__).parent.parent / "events"
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def only(text: str) -> FeedbackEvent:
    (reading,) = read(text)
    assert isinstance(reading, FeedbackEvent)
    return reading


@pytest.mark.parametrize("kind", ["bounce", "complaint", "delivery"])
def test_a_sample_is_told_of_the_instance_asked_for(kind: str) -> None:
    event = only(told_of((SAMPLES / f"{kind}.json").read_text(), "my-mail"))

    assert (kind, "my-mail") == (event.type, event.instance_id)


@pytest.mark.parametrize("kind", ["bounce", "complaint", "delivery"])
def test_a_new_one_is_no_duplicate_of_the_file(kind: str) -> None:
    text = (SAMPLES / f"{kind}.json").read_text()
    event = only(as_new(text, now=NOON, region="us-east-1"))

    assert event.id != only(text).id
    assert event.timestamp == NOON


def test_what_is_no_event_stays_as_it_is() -> None:
    assert told_of("Successfully validated SNS topic", "my-mail") == "Successfully validated SNS topic"
