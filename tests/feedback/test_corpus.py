"""Every event of a public corpus is read as its index says. Set SES_EVENT_CORPUS to its folder; it is not ours to ship.

The index lists files and the expected reading of each record in them.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from lambdas.domain.events.feedback_event import Bounce, Complaint, FeedbackEvent, Problem
from lambdas.feedback.parse_message import NotAnEvent, NotAnEventKind, ParsedMessage, parse_message
from lambdas.feedback.ses_event import moment

CORPUS = os.environ.get("SES_EVENT_CORPUS")
INDEX = json.loads((Path(CORPUS) / "index.json").read_text()) if CORPUS else []

pytestmark = pytest.mark.skipif(not CORPUS, reason="SES_EVENT_CORPUS is not set")


def bodies(entry: dict[str, Any]) -> list[str]:
    """The message bodies that the events queue would hold for a file of the corpus."""
    content = (Path(str(CORPUS)) / entry["file"]).read_text()
    if "sqs" in entry["wrappers"]:
        return [record["body"] for record in json.loads(content)["Records"]]
    return [content]


def expectations(entry: dict[str, Any]) -> list[dict[str, Any]]:
    """The expected readings of a file, in order."""
    expected = entry["expected"]
    return expected if isinstance(expected, list) else [expected]


def as_indexed(reading: ParsedMessage, expected: dict[str, Any]) -> dict[str, Any]:
    """*reading* in the words of the index."""
    if isinstance(reading, NotAnEvent):
        reason = {
            NotAnEventKind.CONTROL: "control",
            NotAnEventKind.TENANT_CONTROL: "control",
            NotAnEventKind.UNKNOWN: "raw_type",
            NotAnEventKind.INVALID: "reason",
        }[reading.kind]
        return {"event_type": reading.kind.value, reason: reading.reason, **reading.facts}
    return event_as_indexed(reading, expected)


def event_as_indexed(event: FeedbackEvent, expected: dict[str, Any]) -> dict[str, Any]:
    """An event in the words of the index. The timestamp as written is one that reads as ours, and is in the source."""
    bounce = event.detail if isinstance(event.detail, Bounce) else None
    complaint = event.detail if isinstance(event.detail, Complaint) else None
    problem = event.detail if isinstance(event.detail, Problem) else None
    utc = event.timestamp.isoformat(timespec="milliseconds").replace("+00:00", "Z") if event.timestamp else None
    written = expected["timestamp"]
    indexed = {
        "event_type": event.type.value,
        "bounce_class": bounce.bounce_class.value if bounce else None,
        "subtype": bounce.subtype if bounce else complaint.subtype if complaint else None,
        "feedback_type": complaint.feedback_type if complaint else None,
        "recipients": [recipient.email for recipient in event.recipients],
        "message_id": event.mail.message_id,
        "config_set": event.configuration_set,
        "tenant_name": next(iter(event.mail.tags.get("ses:tenant-name", ())), None),
        "feedback_id": bounce.feedback_id if bounce else complaint.feedback_id if complaint else None,
        "timestamp": written if (written or "") in event.source and moment(written) == event.timestamp else utc,
        "timestamp_utc": utc,
        "counts_toward_bounce_rate": bounce.counts if bounce else False,
        "counts_toward_complaint_rate": complaint.counts if complaint else False,
    }
    if problem and event.type.value in {"reject", "delivery_delay"}:
        indexed["subtype"] = problem.reason
    if bounce:
        indexed["bounce_recipients_counted"] = bounce.counted
    return indexed


@pytest.mark.parametrize("entry", INDEX, ids=lambda entry: entry["file"])
def test_a_published_event_is_read_as_its_index_says(entry: dict[str, Any]) -> None:
    """Field by field, no more and no less."""
    expected = expectations(entry)
    readings = [reading for body in bodies(entry) for reading in parse_message(body)]
    assert [as_indexed(*pair) for pair in zip(readings, expected, strict=True)] == expected


def test_the_corpus_is_whole() -> None:
    """An index that lost its entries must not look like a success."""
    assert len(INDEX) == 142
