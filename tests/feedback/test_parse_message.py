"""Any message body has a reading."""

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.aws.sqs.delivery_queue import encode
from lambdas.domain.events.feedback_event import (
    Bounce,
    BounceClass,
    Complaint,
    EventType,
    FeedbackEvent,
    Problem,
    Receipt,
)
from lambdas.domain.webhooks.delivery import DeliveryBatch
from lambdas.domain.webhooks.payload import render_event
from lambdas.domain.webhooks.webhook import EventKind, NotificationFormat, Scope, Webhook, WebhookId
from lambdas.feedback.parse_message import NotAnEvent, NotAnEventKind, ParsedMessage, parse_message
from lambdas.feedback.ses_event import moment
from tests import events
from tests.events import bounce, complaint, delivery, in_sns, other, text

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
EVENTS = [bounce(), complaint(), delivery(), other("Reject", "reject", {"reason": "Bad content"})]


def read_one(body: str) -> ParsedMessage:
    """The only reading of *body*."""
    (reading,) = parse_message(body)
    return reading


def read_event(event: dict[str, Any]) -> FeedbackEvent:
    """The event in a raw body."""
    reading = read_one(text(event))
    assert isinstance(reading, FeedbackEvent)
    return reading


def test_a_bounce_is_read_whole() -> None:
    """The configuration set names the instance, the calling user the binding."""
    event = read_event(bounce(recipients=("joe@shop.example", "ann@shop.example")))
    assert event.type is EventType.BOUNCE
    assert event.timestamp == datetime(2026, 11, 21, 4, 0, 5, 250_000, tzinfo=UTC)
    assert (event.instance_id, event.binding_id) == (events.INSTANCE, events.BINDING)
    assert [recipient.email for recipient in event.recipients] == ["joe@shop.example", "ann@shop.example"]
    assert event.detail == Bounce(
        bounce_class=BounceClass.PERMANENT,
        subtype="General",
        feedback_id="0100000000000001-aaaa-000000",
        counts=True,
        counted=2,
    )


def test_a_complaint_is_read_whole() -> None:
    """One complaint, however many candidates."""
    event = read_event(complaint(recipients=("joe@shop.example", "ann@shop.example")))
    assert isinstance(event.detail, Complaint)
    assert event.detail.counts
    assert event.detail.feedback_type == "abuse"


def test_a_delivery_is_read_whole() -> None:
    """Simulator recipients weigh nothing."""
    event = read_event(delivery(recipients=("joe@shop.example", "success@simulator.amazonses.com")))
    assert event.detail == Receipt(smtp_response="250 2.0.0 OK", processing_ms=546, counted=1)


def test_a_delivery_counts_those_it_reached_and_not_all_that_the_mail_was_for() -> None:
    """One mail to two receivers makes two deliveries: each counts its own, a delivery that names nobody counts all."""
    both = ("joe@shop.example", "ann@shop.example")
    event = delivery(recipients=both[:1], destination=both)
    assert [recipient.email for recipient in read_event(event).recipients] == ["joe@shop.example"]
    assert read_event(event).detail == Receipt(smtp_response="250 2.0.0 OK", processing_ms=546, counted=1)
    del event["delivery"]["recipients"]
    assert read_event(event).detail == Receipt(smtp_response="250 2.0.0 OK", processing_ms=546, counted=2)


@pytest.mark.parametrize(
    ("event", "event_type", "reason"),
    [
        (other("Reject", "reject", {"reason": "Bad content"}), EventType.REJECT, "Bad content"),
        (
            other("Rendering Failure", "failure", {"errorMessage": "no name", "templateName": "t"}),
            EventType.RENDERING_FAILURE,
            "no name",
        ),
        (
            other("DeliveryDelay", "deliveryDelay", {"delayType": "MailboxFull", "delayedRecipients": []}),
            EventType.DELIVERY_DELAY,
            "MailboxFull",
        ),
    ],
)
def test_a_problem_is_read_with_its_reason(event: dict[str, Any], event_type: EventType, reason: str) -> None:
    """Each kind keeps it elsewhere."""
    reading = read_event(event)
    assert reading.type is event_type
    assert reading.detail == Problem(reason=reason)


@pytest.mark.parametrize("event", EVENTS)
def test_the_same_event_has_one_id_in_every_wrapper(event: dict[str, Any]) -> None:
    """Raw, in SNS, as a Lambda event, from EventBridge: two destinations may tell the same."""
    raw = text(event)
    bodies = [
        raw,
        in_sns(raw),
        json.dumps({"Records": [{"Sns": json.loads(in_sns(raw))}]}),
        json.dumps({"detail-type": "Email", "source": "aws.ses", "detail": event}),
    ]
    readings = [read_one(body) for body in bodies]
    assert len({reading.id for reading in readings if isinstance(reading, FeedbackEvent)}) == 1
    assert all(isinstance(reading, FeedbackEvent) for reading in readings)


def test_the_older_format_reads_like_the_newer_and_has_the_same_id() -> None:
    """Identity notifications call the type otherwise."""
    event = bounce()
    older = {"notificationType": event["eventType"], **{name: event[name] for name in ("bounce", "mail")}}
    assert read_event(older).id == read_event(event).id


def test_different_events_have_different_ids() -> None:
    """Deliveries of one mail to two receivers, or the same feedbackId for a bounce and a complaint."""
    ids = [
        read_event(event).id
        for event in [
            delivery(),
            delivery(recipients=("ann@shop.example",)),
            delivery(message_id="m-2"),
            delivery(timestamp="2026-11-21T04:00:06Z"),
            bounce(feedback_id="f"),
            complaint(feedback_id="f"),
            bounce(feedback_id="g"),
            bounce(feedback_id="00000000-0000-0000-0000-000000000000"),
            bounce(feedback_id="00000000-0000-0000-0000-000000000000", message_id="m-2"),
        ]
    ]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("make", [delivery, bounce])
def test_the_order_of_recipients_does_not_change_an_events_id(make: Any) -> None:
    """SES promises no order; a second telling must be the same event."""
    first, second = make(recipients=("a@x.example", "b@x.example")), make(recipients=("b@x.example", "a@x.example"))
    for event in (first, second):
        event.get("bounce", {}).pop("feedbackId", None)
    assert read_event(first).id == read_event(second).id


def test_events_without_any_identity_are_told_apart_by_their_text() -> None:
    """And stay one when told twice."""
    first, second = {"eventType": "Open", "open": {"n": 1}}, {"eventType": "Open", "open": {"n": 2}}
    assert read_event(first).id != read_event(second).id
    assert read_event(first).id == read_event(first).id


def test_a_configuration_set_is_believed_from_tags_alone() -> None:
    """A header of that name is whatever the sender wrote: another tenant's set, to get it paused."""
    headers = [{"name": "X-SES-CONFIGURATION-SET", "value": "ses-feedback-victim"}]
    assert read_event(bounce(instance=None, headers=headers)).instance_id is None


@pytest.mark.parametrize("user", ["root", "someone", "ses-feedback-"])
def test_a_foreign_sender_is_no_binding(user: str) -> None:
    """The event still belongs to its instance."""
    tags = {"ses:configuration-set": ["ses-feedback-i"], "ses:caller-identity": [user]}
    event = read_event(bounce(tags=tags))
    assert (event.instance_id, event.binding_id) == ("i", None)


@pytest.mark.parametrize(
    "name", ["ConfigSet", "ses-feedback-", "", "ses-feedback-a#b", "ses-feedback-" + "x" * 51, "ses-feedback-a\n"]
)
def test_a_foreign_configuration_set_is_no_instance(name: str) -> None:
    """Not ours, or nobody's."""
    assert read_event(bounce(tags={"ses:configuration-set": [name]})).instance_id is None


@pytest.mark.parametrize(
    ("body", "kind", "reason"),
    [
        (
            "Successfully validated SNS topic for Amazon SES event publishing.",
            NotAnEventKind.CONTROL,
            "sns_topic_validated_text",
        ),
        (in_sns("confirm", "SubscriptionConfirmation"), NotAnEventKind.CONTROL, "SubscriptionConfirmation"),
        ('{"notificationType":"AmazonSnsSubscriptionSucceeded"}', NotAnEventKind.CONTROL, None),
        ('{"notificationType":"Received"}', NotAnEventKind.UNKNOWN, "Received"),
        ('{"eventType":"x@y.example <b>"}', NotAnEventKind.UNKNOWN, "x?y.example ?b?"),
        ("Hello", NotAnEventKind.INVALID, "not json"),
        ("", NotAnEventKind.INVALID, "not json"),
        ('{"a":"\ud800"}', NotAnEventKind.INVALID, "no event type"),
        ("[" * 100_000, NotAnEventKind.INVALID, "not json"),
        ("[1]", NotAnEventKind.INVALID, "not an object"),
        ("{}", NotAnEventKind.INVALID, "no event type"),
        ('{"eventType":7}', NotAnEventKind.INVALID, "no event type"),
        ('{"Type":"Notification","Message":7}', NotAnEventKind.INVALID, "an SNS notification without a message"),
        ('{"Type":null,"Message":"x"}', NotAnEventKind.INVALID, "not an SNS notification"),
        ('{"Records":[7]}', NotAnEventKind.INVALID, "not an SNS notification"),
        (in_sns(in_sns(in_sns(in_sns(in_sns("{}"))))), NotAnEventKind.INVALID, "wrapped too deeply"),
        (in_sns("Successfully validated SNS topic for ..."), NotAnEventKind.CONTROL, "sns_topic_validated_text"),
    ],
)
def test_what_is_no_event_says_why(body: str, kind: NotAnEventKind, reason: str | None) -> None:
    """The reason is safe to log."""
    reading = read_one(body)
    assert isinstance(reading, NotAnEvent)
    assert reading.kind is kind
    assert reason in {None, reading.reason}


def test_half_a_surrogate_pair_is_no_reason_to_lose_a_bounce() -> None:
    """A diagnostic cut in the middle of a character; what is passed on can be encoded."""
    reading = read_one(text(bounce()).replace("no user", "no \\ud83d"))
    assert isinstance(reading, FeedbackEvent)
    assert reading.recipients[0].diagnostic == "smtp; 550 no \ufffd"
    assert reading.source.encode()


def test_word_on_a_tenants_sending_status_is_named() -> None:
    """Not an event of a mail, but worth a line."""
    body = {
        "detail-type": "Sending Status Enabled",
        "resources": ["arn:aws:ses:us-east-1:111122223333:tenant/acme/tn-1"],
        "detail": {"data": {"origin": "AWS_MANAGED", "record": {"status": "REINSTATED"}}},
    }
    assert read_one(json.dumps(body)) == NotAnEvent(
        kind=NotAnEventKind.TENANT_CONTROL,
        reason="Sending Status Enabled",
        facts={"tenant": "acme", "sending_status": "REINSTATED", "origin": "AWS_MANAGED"},
    )


@pytest.mark.parametrize(
    ("written", "read_as"),
    [
        ("2026-11-21T04:00:00.123Z", datetime(2026, 11, 21, 4, 0, 0, 123_000, tzinfo=UTC)),
        ("2026-11-21T04:00:00Z", datetime(2026, 11, 21, 4, tzinfo=UTC)),
        ("2026-11-20T21:00:00.000-07:00", datetime(2026, 11, 21, 4, tzinfo=UTC)),
        ("2026-11-21T04:00:00 +0000", datetime(2026, 11, 21, 4, tzinfo=UTC)),
        ("2026-11-21T04:00:00", datetime(2026, 11, 21, 4, tzinfo=UTC)),
        ("0001-01-01T00:00:00+14:00", None),
        ("yesterday", None),
        (None, None),
    ],
)
def test_a_moment_is_read_however_it_is_written(written: str | None, read_as: datetime | None) -> None:
    """With milliseconds or without, with offsets, or not at all."""
    assert moment(written) == read_as


@given(st.text())
def test_no_text_breaks_the_reader(body: str) -> None:
    """Nothing raises: a poison message must not go round."""
    assert parse_message(body)


@given(JSON)
def test_no_json_breaks_the_reader(value: Any) -> None:
    """Bare, and as what an event keeps in its parts."""
    assert parse_message(json.dumps(value))
    for event in EVENTS:
        name = event["eventType"].lower()
        assert isinstance(read_one(json.dumps({**event, name: value})), FeedbackEvent)
        assert isinstance(read_one(json.dumps({**event, "mail": value})), FeedbackEvent)


def paths(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The path to every part of *value*."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for name, part in parts for found in paths(part, (*path, name)))]


def replaced(value: Any, path: tuple[str | int, ...], part: Any) -> Any:
    """A copy of *value* with *part* at *path*."""
    if not path:
        return part
    copy: Any = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(value[path[0]], path[1:], part)
    return copy


@given(st.data())
def test_one_field_that_does_not_fit_costs_only_itself(data: st.DataObject) -> None:
    """Any part but the type replaced by anything: still an event of that type."""
    event = data.draw(st.sampled_from(EVENTS))
    path = data.draw(st.sampled_from([path for path in paths(event) if path and path != ("eventType",)]))
    reading = read_one(text(replaced(event, path, data.draw(JSON))))
    assert isinstance(reading, FeedbackEvent)
    assert reading.type.value == event["eventType"].lower()


SQS_TAKES = re.compile("[\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]*")
AWKWARD = st.text(
    st.characters(blacklist_categories=[]) | st.sampled_from("\x00\x08\x0b\x0c\x1f\ud800\udfff\ufffe\uffff")
)


@given(subject=AWKWARD, tag=AWKWARD, diagnostic=AWKWARD, escaped=st.booleans(), wrapped=st.booleans())
def test_no_character_that_sqs_refuses_gets_into_a_delivery(
    subject: str, tag: str, diagnostic: str, escaped: bool, wrapped: bool
) -> None:
    """One would fail its instance's whole share of a batch, again and again; a sender chooses the subject."""
    event = bounce()
    event["mail"]["commonHeaders"] = {"subject": subject}
    event["mail"]["tags"][tag or "tag"] = [tag]
    event["bounce"]["bouncedRecipients"][0]["diagnosticCode"] = diagnostic
    written = json.dumps(event, ensure_ascii=escaped)
    reading = read_one(json.dumps({"Type": "Notification", "Message": written}) if wrapped else written)
    assert isinstance(reading, FeedbackEvent)
    assert (reading.instance_id, len(reading.recipients)) == (events.INSTANCE, 1)
    for notification_format in NotificationFormat:
        webhook = Webhook(
            id=WebhookId("w"),
            instance_id=events.INSTANCE,
            events=frozenset(EventKind),
            format=notification_format,
            scope=Scope.INSTANCE,
            senders=frozenset(),
        )
        delivery = render_event(reading, webhook, topic_arn="arn", now=datetime(2026, 11, 21, tzinfo=UTC))
        batch = DeliveryBatch(instance_id="i", webhook_id=webhook.id, attempt=1, deliveries=(delivery,))
        assert SQS_TAKES.fullmatch(encode(batch))
        assert SQS_TAKES.fullmatch(delivery.body), "an e-mail digest's goes to SNS, which refuses the same"


def test_what_sqs_takes_stays_as_it_is() -> None:
    """Tabs, line ends, accents and emoji; a backslash before a b is no control character."""
    subject = "tab\t line\r\n é 🎉 C:\\b \\ufffe \ufffd"
    event = bounce()
    event["mail"]["commonHeaders"] = {"subject": subject}
    assert read_event(event).mail.subject == subject


def test_an_event_is_read_from_three_wrappers_and_not_from_four() -> None:
    """SES in SNS in a Lambda event is the deepest there is."""
    body = text(bounce())
    assert isinstance(read_one(in_sns(in_sns(in_sns(body)))), FeedbackEvent)
    assert read_one(in_sns(in_sns(in_sns(in_sns(body))))) == NotAnEvent(
        kind=NotAnEventKind.INVALID, reason="wrapped too deeply"
    )


def test_word_that_a_topic_was_subscribed_is_control() -> None:
    """SES's, in the older format."""
    assert read_one('{"notificationType":"AmazonSnsSubscriptionSucceeded"}') == NotAnEvent(
        kind=NotAnEventKind.CONTROL, reason="AmazonSnsSubscriptionSucceeded"
    )
