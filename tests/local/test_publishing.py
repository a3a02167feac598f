"""A raw event published for one instance."""

import json
from datetime import UTC, datetime

from local.emulator.publishing import as_new, told_of

NOW = datetime(2026, 11, 21, 4, 0, 0, 123000, tzinfo=UTC)
EVENT = {
    "eventType": "Bounce",
    "bounce": {"feedbackId": "old", "timestamp": "2017-08-05T00:41:02.669Z", "bounceType": "Permanent"},
    "mail": {"messageId": "old", "timestamp": "2017-08-05T00:40:02.012Z", "tags": {"a": ["1"]}},
}


def test_an_event_is_told_of_the_instance() -> None:
    """Its configuration set is the instance's, its other tags stay."""
    event = json.loads(told_of(json.dumps(EVENT), "i-1"))
    assert event["mail"]["tags"] == {"a": ["1"], "ses:configuration-set": ["ses-feedback-i-1"]}
    assert event["bounce"] == EVENT["bounce"]


def test_an_envelope_is_taken_off() -> None:
    """SNS puts its own around it."""
    envelope = json.dumps({"Type": "Notification", "Message": json.dumps(EVENT)})
    assert json.loads(told_of(envelope, "i-1"))["mail"]["tags"]["ses:configuration-set"] == ["ses-feedback-i-1"]


def test_an_event_without_tags_gets_them() -> None:
    """As the older notifications have none."""
    event = json.loads(told_of('{"notificationType": "Bounce", "mail": {}}', "i-1"))
    assert event["mail"] == {"tags": {"ses:configuration-set": ["ses-feedback-i-1"]}}


def test_what_is_no_event_stays_as_it_is() -> None:
    """Byte by byte."""
    for text in ("hello\n", '{"mail": ', "[1]", '{"mail": "x"}', '{"Message": "hello"}'):
        assert told_of(text, "i-1") == text
        assert as_new(text, now=NOW, region="us-east-1") == text


def test_a_new_event_has_ids_and_times_of_its_own() -> None:
    """So that it is not taken for the one in the file."""
    event = json.loads(as_new(json.dumps(EVENT), now=NOW, region="us-east-1"))
    stamp = "2026-11-21T04:00:00.123Z"
    assert (event["mail"]["timestamp"], event["bounce"]["timestamp"]) == (stamp, stamp)
    prefix = f"0100{int(NOW.timestamp() * 1000):012x}-"
    assert event["mail"]["messageId"].startswith(prefix)
    assert event["bounce"]["feedbackId"].startswith(prefix)
    assert event["mail"]["messageId"] != event["bounce"]["feedbackId"]
