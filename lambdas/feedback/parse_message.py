"""A message body of the events queue -> its feedback events, or the reason why it holds none.

Accepts any text and never raises. Messages come raw, in an SNS envelope, as a Lambda function's SNS event, or from
EventBridge; in the format of event publishing (`eventType`) or of the older notifications (`notificationType`).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from lambdas.domain.events.feedback_event import FeedbackEvent
from lambdas.feedback import lenient_json
from lambdas.feedback.ses_event import EVENT_TYPES, feedback_event

_DEPTH = 4  # wrappers within wrappers: SES in SNS in a Lambda event is the deepest there is
_VALIDATED = "Successfully validated SNS topic"  # what SES publishes when an event destination is made
_UNSAFE = re.compile(r"[^A-Za-z0-9 _.-]+")


class NotAnEventKind(StrEnum):
    """Why a message is no feedback event."""

    CONTROL = "control"  # SNS or SES speaks of the topic itself
    TENANT_CONTROL = "tenant_control"  # SES speaks of a tenant's sending status, by EventBridge
    UNKNOWN = "unknown"  # well-formed, of a type we do not know
    INVALID = "invalid"  # not readable at all


@dataclass(frozen=True, slots=True, kw_only=True)
class NotAnEvent:
    """A message that is not about a mail. `reason` and `facts` are safe to log."""

    kind: NotAnEventKind
    reason: str
    facts: Mapping[str, str] = field(default_factory=dict)


ParsedMessage = FeedbackEvent | NotAnEvent


def parse_message(body: str) -> tuple[ParsedMessage, ...]:
    """Parse *body*: one result, or several in order if it is a Lambda event of several records."""
    return tuple(_read_text(body, _DEPTH))


def _read_text(text: str, depth: int) -> Iterator[ParsedMessage]:
    if text.startswith(_VALIDATED):
        yield NotAnEvent(kind=NotAnEventKind.CONTROL, reason="sns_topic_validated_text")
        return
    try:
        text, value = lenient_json.parsed(text)
    except lenient_json.NotJSON:
        yield _invalid("not json")
        return
    yield from _read_value(value, text, depth)


def _read_value(value: object, text: str, depth: int) -> Iterator[ParsedMessage]:
    if not isinstance(value, dict):
        yield _invalid("not an object")
    elif not depth:
        yield _invalid("wrapped too deeply")
    elif records := lenient_json.entries(value, "Records"):
        for record in records:
            yield from _read_sns(lenient_json.section(record, "Sns"), depth - 1)
    elif "Type" in value and "Message" in value:
        yield from _read_sns(value, depth - 1)
    elif "detail-type" in value:
        yield from _read_eventbridge(value, depth - 1)
    else:
        yield _read_ses(value, text)


def _read_sns(envelope: dict[str, object], depth: int) -> Iterator[ParsedMessage]:
    message = lenient_json.text(envelope, "Message")
    if (kind := lenient_json.text(envelope, "Type")) != "Notification":
        if kind is None:
            yield _invalid("not an SNS notification")
        else:
            yield NotAnEvent(kind=NotAnEventKind.CONTROL, reason=_safe(kind))
    elif message is None:
        yield _invalid("an SNS notification without a message")
    else:
        yield from _read_text(message, depth)


def _read_eventbridge(event: dict[str, object], depth: int) -> Iterator[ParsedMessage]:
    detail = lenient_json.section(event, "detail")
    if "eventType" in detail or "notificationType" in detail:
        yield from _read_value(detail, lenient_json.encoded(detail), depth)
    else:
        yield _tenant_control(event, detail)


def _tenant_control(event: dict[str, object], detail: dict[str, object]) -> NotAnEvent:
    """SES's message about a tenant: a recommendation, or its sending status (`record.status` is authoritative)."""
    data, metadata = lenient_json.section(detail, "data"), lenient_json.section(detail, "metadata")
    facts = {
        "tenant": next(map(_tenant, lenient_json.texts(event, "resources")), None),
        "sending_status": lenient_json.text(lenient_json.section(data, "record"), "status"),
        "origin": lenient_json.text(data, "origin"),
        "impact": lenient_json.text(metadata, "impact"),
        "finding_type": lenient_json.text(metadata, "type"),
    }
    return NotAnEvent(
        kind=NotAnEventKind.TENANT_CONTROL,
        reason=_safe(lenient_json.text(event, "detail-type") or ""),
        facts={name: _safe(fact) for name, fact in facts.items() if fact is not None},
    )


def _tenant(arn: str) -> str | None:
    kind, _, path = arn.rpartition(":")[2].partition("/")
    return path.partition("/")[0] if kind == "tenant" else None


def _read_ses(value: dict[str, object], text: str) -> ParsedMessage:
    name = lenient_json.text(value, "eventType") or lenient_json.text(value, "notificationType")
    if name is None:
        return _invalid("no event type")
    if name == "AmazonSnsSubscriptionSucceeded":
        return NotAnEvent(kind=NotAnEventKind.CONTROL, reason=name)
    event_type = EVENT_TYPES.get(name)
    if event_type is None:
        return NotAnEvent(kind=NotAnEventKind.UNKNOWN, reason=_safe(name))
    return feedback_event(event_type, value, text)


def _invalid(reason: str) -> NotAnEvent:
    return NotAnEvent(kind=NotAnEventKind.INVALID, reason=reason)


def _safe(text: str) -> str:
    """The text as it may be logged: short, without addresses and without markup."""
    return _UNSAFE.sub("?", text)[:80]
