"""The event catalogue: docs/events.md, with an example of each body in each format, rendered by the code itself."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from docs.generate.json_schema import Schema
from lambdas.domain.events.feedback_event import FeedbackEvent
from lambdas.domain.webhooks.delivery import Delivery
from lambdas.domain.webhooks.payload import render_event, render_notice, test_notice
from lambdas.domain.webhooks.webhook import WEBHOOK_FORMATS, NotificationFormat, Webhook, WebhookId
from lambdas.feedback.parse_message import parse_message

SES_EVENTS = Path(__file__).parent / "ses_events"
INSTANCE = "0b6f3c52-8d3e-4a51-9a44-2f7d1c9e5b10"
BINDING = "7c1de0a4-53c1-4f0e-9b57-6a0b8f2d4e31"
TOPIC = "arn:aws:sns:us-east-1:111122223333:ses-feedback-events"
NOW = datetime(2026, 11, 21, 4, 13, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What the catalogue says of a type. `source` is the SES event in ses_events of which its example is made."""

    type: str
    source: str
    asked_for: str
    meaning: str
    action: str
    counts: str


ENTRIES = (
    Entry(
        type="email.bounced",
        source="bounce",
        asked_for="`bounce`, by default",
        meaning="A receiving server refused the mail for good, or SES gave up after retries, or SES did not send it "
        "because the address is on a suppression list. An automatic reply (out of office) comes as a transient bounce.",
        action="`permanent`: do not write to these recipients again. `transient`: nothing now; look at the address if "
        "it goes on for weeks. `undetermined`: read `diagnostic`.",
        counts="`bounce.counts` says so. Permanent bounces count in the bounce rate, one for each recipient; those "
        "because of the account's suppression list, transient and undetermined ones do not.",
    ),
    Entry(
        type="email.complained",
        source="complaint",
        asked_for="`complaint`, by default",
        meaning="A recipient marked the mail as spam and the mailbox provider reported it. The report may name several "
        "candidates. Gmail reports none.",
        action="Write to none of the recipients again, except for `not-spam`. Find out which mails cause complaints.",
        counts="`complaint.counts` says so. One complaint a report in the complaint rate, except `not-spam` and those "
        "because of the account's suppression list.",
    ),
    Entry(
        type="email.delivered",
        source="delivery",
        asked_for="`delivery`, by default",
        meaning="The receiving server accepted the mail. A bounce can follow, and events come in no promised order.",
        action="Record it if you show a delivery status.",
        counts="Each recipient counts in the denominator of both rates.",
    ),
    Entry(
        type="email.rejected",
        source="reject",
        asked_for="`reject`",
        meaning="SES accepted the mail, then found a virus in it and did not send it.",
        action="Find out where the attachment came from. Do not send the mail again as it is.",
        counts="Does not count.",
    ),
    Entry(
        type="email.delayed",
        source="delivery_delay",
        asked_for="`delivery_delay`",
        meaning="The receiving server cannot take the mail now. SES goes on trying.",
        action="Nothing; a delivery or a bounce follows.",
        counts="Does not count.",
    ),
    Entry(
        type="email.rendering_failed",
        source="rendering_failure",
        asked_for="`rendering_failure`",
        meaning="A mail with an SES template was not sent because the template data lacks something.",
        action="Correct the data or the template, and send the mail again.",
        counts="Does not count.",
    ),
)


def catalogue(schemas: dict[str, Schema]) -> str:
    """The page, in Markdown. *schemas* is what `docs.generate.bodies.schemas` gives."""
    parts = [_HEAD]
    for entry in ENTRIES:
        parts.append(_entry(entry, schemas[f"{entry.type}.schema.json"]))
    parts.append(_notice("webhook.test", _TEST_TEXT, schemas["webhook.test.schema.json"], _example_test()))
    parts.append(_notice("reputation.paused", _PAUSED_TEXT, schemas["reputation.paused.schema.json"], None))
    return "\n".join(parts)


def examples(source: str) -> dict[NotificationFormat, Delivery]:
    """The SES event *source*, one of ses_events, as a webhook of each format gets it."""
    text = json.dumps(json.loads((SES_EVENTS / f"{source}.json").read_text()))  # SES writes no indentation
    (event,) = parse_message(text)
    if not isinstance(event, FeedbackEvent):
        raise TypeError(f"{source}.json is not an SES event: {event}")
    return {
        format_: render_event(event, _webhook(format_), topic_arn=TOPIC, now=NOW)
        for format_ in WEBHOOK_FORMATS
    }  # fmt: skip


def _webhook(format_: NotificationFormat) -> Webhook:
    return Webhook(id=WebhookId("example"), instance_id=INSTANCE, format=format_)


def _example_test() -> Delivery:
    notice = test_notice(test_id="example", instance_id=INSTANCE, binding_id=BINDING, now=NOW)
    return render_notice(notice, _webhook(NotificationFormat.STANDARD_WEBHOOKS), topic_arn=TOPIC, now=NOW)


def _entry(entry: Entry, schema: Schema) -> str:
    rendered = examples(entry.source)
    shown = "\n".join(_example(format_, delivery) for format_, delivery in rendered.items())
    return (
        f"## {entry.type}\n\n{entry.meaning}\n\n"
        f"- **Asked for by** `notification_events`: {entry.asked_for}.\n"
        f"- **What to do**: {entry.action}\n"
        f"- **How it counts**: {entry.counts}\n"
        f"- **Schema**: [{entry.type}.schema.json](schemas/{entry.type}.schema.json)\n\n"
        f"{_fields(schema)}\n{shown}"
    )


def _notice(type_: str, text: str, schema: Schema, example: Delivery | None) -> str:
    shown = _example(NotificationFormat.STANDARD_WEBHOOKS, example) if example else ""
    link = f"[{type_}.schema.json](schemas/{type_}.schema.json)"
    return f"## {type_}\n\n{text}\n\n- **Schema**: {link}\n\n{_fields(schema)}\n{shown}"


def _example(format_: NotificationFormat, delivery: Delivery) -> str:
    headers = "".join(f"{name}: {value}\n" for name, value in delivery.headers.items())
    body = json.dumps(json.loads(delivery.body), indent=2, ensure_ascii=False)
    text = f"webhook-id: {delivery.id}\n{headers}\n{body}"
    return f'??? example "`{format_.value}`"\n\n' + _indented(f"```http\n{text}\n```") + "\n"


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" if line else "" for line in text.splitlines()) + "\n"


def _fields(schema: Schema) -> str:
    rows = ["| field | type | meaning |", "|---|---|---|"]
    rows += [f"| `{path}` | {kind} | {text} |" for path, kind, text in _flat(schema["properties"]["data"], "data")]
    return "\n".join(rows) + "\n"


def _flat(schema: Schema, path: str) -> list[tuple[str, str, str]]:
    rows = []
    for name, field in schema["properties"].items():
        here, inner = f"{path}.{name}", field.get("items", field)
        rows.append((here + ("[]" if "items" in field else ""), _type_of(field), field.get("description", "")))
        if "properties" in inner:
            rows += _flat(inner, here + ("[]" if "items" in field else ""))
    return rows


def _type_of(field: Schema) -> str:
    if "const" in field:
        return f"`{json.dumps(field['const'])}`"
    if "enum" in field:
        return "one of " + ", ".join(f"`{value}`" for value in field["enum"])
    kinds: Any = field["type"] if isinstance(field["type"], list) else [field["type"]]
    names = ["time" if field.get("format") == "date-time" and kind == "string" else kind for kind in kinds]
    return " or ".join(names)


_HEAD = """# Event catalogue

Every body that a webhook gets: what it means, when it comes, what to do, and how it counts in the bounce and complaint
rates. `python -m docs.generate` writes this page from the code; the examples are made by the code from SES events.
Ignore fields that you do not know: fields may be added.

A `standard-webhooks` body has three fields: `type`, `timestamp` (when SES says it happened, UTC) and `data`. With
`notification_batch` above 1 the body is `{"type": "batch", "timestamp": ..., "data": [...]}`, where each entry is a
whole body with its own `id`.
"""

_TEST_TEXT = """Comes after each bind that names a webhook, and when somebody asks for a test. No mail was sent. Answer
it as any event: it shows that your signature check works."""

_PAUSED_TEXT = """The instance's mail is refused from now on, because its bounce or complaint rate reached the limit, or
because an operator paused it. Stop sending: SES refuses each mail with an error. [Reputation](reputation.md) says what
to do."""
