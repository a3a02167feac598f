"""The published schemas hold for every body that the renderer writes, and are as the code says."""

import json
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from jsonschema.validators import validator_for
from openapi_spec_validator import OpenAPIV31SpecValidator

from docs.generate.__main__ import DOCS, stale
from docs.generate.catalogue import ENTRIES, examples
from lambdas.domain.events.feedback_event import FeedbackEvent
from lambdas.domain.webhooks.batch import BATCHED_FORMATS, MAX_BODY, in_batches, render_batch
from lambdas.domain.webhooks.delivery import Delivery
from lambdas.domain.webhooks.payload import render_event, render_notice, test_notice
from lambdas.domain.webhooks.webhook import NotificationFormat, Webhook, WebhookId
from tests.domain.webhooks.test_payload import large_events
from tests.events import TOPIC_ARN

NOW = datetime(2026, 11, 21, 5, tzinfo=UTC)
FOLDERS = {
    NotificationFormat.STANDARD_WEBHOOKS: "",
    NotificationFormat.CLOUDEVENTS: "cloudevents/",
    NotificationFormat.CLOUDEVENTS_BINARY: "cloudevents-binary/",
}


def schema(name: str) -> Any:
    """A schema of docs/schemas."""
    return json.loads((DOCS / "schemas" / name).read_text())


def strict(value: Any) -> Any:
    """*value*, a schema, in which an object has no field that the schema does not name."""
    if isinstance(value, list):
        return [strict(one) for one in value]
    if not isinstance(value, dict):
        return value
    closed = {"additionalProperties": False} if "properties" in value and value.get("type") == "object" else {}
    return {**closed, **{name: strict(one) for name, one in value.items()}}


def check(delivery: Delivery) -> None:
    """Fail if a body has a field that its schema lacks, lacks one that it requires, or has one of another type."""
    name = FOLDERS[delivery.format] + delivery.type if delivery.format in FOLDERS else "sns/notification"
    published = strict(schema(f"{name}.schema.json"))
    validator = Draft202012Validator(published, format_checker=Draft202012Validator.FORMAT_CHECKER)
    assert [error.message for error in validator.iter_errors(json.loads(delivery.body))] == []


@pytest.mark.parametrize("format_", [*FOLDERS, NotificationFormat.SNS])
@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.type)
def test_each_kind_is_as_its_schema_says_in_each_format(entry: Any, format_: NotificationFormat) -> None:
    """From an SES event of that kind."""
    delivery = examples(entry.source)[format_]
    assert delivery.type == entry.type
    check(delivery)


@pytest.mark.parametrize("format_", BATCHED_FORMATS)
def test_a_batch_of_every_kind_is_as_its_schema_says(format_: NotificationFormat) -> None:
    """As the renderer writes it, of one event or of all kinds together."""
    events = [examples(entry.source)[format_] for entry in ENTRIES]
    for batch in (events, *([event] for event in events)):
        check(render_batch(batch))


@pytest.mark.parametrize("format_", BATCHED_FORMATS)
@given(events=st.lists(large_events(), min_size=1, max_size=12))
@settings(max_examples=15)
def test_a_batch_of_truncated_events_is_as_its_schema_says(
    format_: NotificationFormat, events: list[FeedbackEvent]
) -> None:
    """And no larger than promised: 256 KB."""
    webhook = Webhook(id=WebhookId("w1"), instance_id="i1", format=format_)
    deliveries = [render_event(event, webhook, topic_arn=TOPIC_ARN, now=NOW) for event in events]
    for together in in_batches(deliveries, 100):
        batch = render_batch(together)
        check(batch)
        assert len(batch.body.encode()) <= MAX_BODY


@pytest.mark.parametrize("format_", BATCHED_FORMATS)
def test_the_schema_of_a_batch_refuses_what_is_none(format_: NotificationFormat) -> None:
    """So that the tests above can fail: a single event, one without its id, and one of another type."""
    event = examples("bounce")[format_]
    batch = json.loads(render_batch([event]).body)
    without_id = json.loads(render_batch([event]).body)
    del (without_id["data"] if isinstance(without_id, dict) else without_id)[0]["id"]
    validator = Draft202012Validator(schema(f"{FOLDERS[format_]}batch.schema.json"))
    assert validator.is_valid(batch)
    assert not validator.is_valid(json.loads(event.body))
    assert not validator.is_valid(without_id)


@pytest.mark.parametrize("format_", FOLDERS)
@given(event=large_events())
@settings(max_examples=25)
def test_a_truncated_body_is_as_its_schema_says(format_: NotificationFormat, event: FeedbackEvent) -> None:
    """However much was cut."""
    webhook = Webhook(id=WebhookId("w1"), instance_id="i1", format=format_)
    check(render_event(event, webhook, topic_arn=TOPIC_ARN, now=NOW))


@pytest.mark.parametrize("format_", [*FOLDERS, NotificationFormat.SNS])
def test_a_test_is_as_its_schema_says(format_: NotificationFormat) -> None:
    """In each format."""
    notice = test_notice(test_id="t1", instance_id="i1", binding_id=None, now=NOW)
    webhook = Webhook(id=WebhookId("w1"), instance_id="i1", format=format_)
    check(render_notice(notice, webhook, topic_arn=TOPIC_ARN, now=NOW))


def test_a_schema_refuses_a_body_of_another_type() -> None:
    """So that the tests above can fail."""
    delivery = examples("bounce")[NotificationFormat.STANDARD_WEBHOOKS]
    body = json.loads(delivery.body)
    wrong = deepcopy(body)
    wrong["data"]["bounce"]["class"] = "hard"
    validator = Draft202012Validator(schema("email.bounced.schema.json"))
    assert validator.is_valid(body)
    assert not validator.is_valid(wrong)
    assert not Draft202012Validator(schema("email.complained.schema.json")).is_valid(body)


def test_every_schema_is_a_schema() -> None:
    """JSON Schema 2020-12 for bodies; the catalog's parameters have the draft that OSB names."""
    for path in (DOCS / "schemas").rglob("*.schema.json"):
        found = json.loads(path.read_text())
        validator_for(found).check_schema(found)


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("aws-ses.provision", {"admin_email": "team@agency.gov"}, {"domain": "mail.agency.gov"}),
        ("aws-ses.update", {"enable_feedback_notifications": True}, {"enable_feedback_notifications": "perhaps"}),
        ("aws-ses.bind", {"notification_webhook": "https://a.gov/ses", "notification_batch": 10}, {"colour": "red"}),
        ("privatelink.provision", {"serviceName": "com.amazonaws.us-east-1.email-smtp"}, {}),
    ],
)
def test_the_schema_of_parameters_takes_what_the_broker_takes(name: str, good: Any, bad: Any) -> None:
    """And refuses what it refuses."""
    validator = validator_for(found := schema(f"parameters/{name}.schema.json"))(found)
    assert validator.is_valid(good)
    assert not validator.is_valid(bad)


def test_the_openapi_document_is_valid() -> None:
    """OpenAPI 3.1, with a webhook for each type and for batches."""
    document = schema("webhooks.openapi.json")
    OpenAPIV31SpecValidator(document).validate()
    assert set(document["webhooks"]) >= {"email.bounced", "webhook.test", "reputation.paused", "batch"}


def test_what_docs_holds_of_the_code_is_as_the_code_says() -> None:
    """If not, run `python -m docs.generate`."""
    assert stale() == []
