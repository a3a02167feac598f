"""SES's event to the field: which section holds what, for every kind."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from lambdas.domain.events.feedback_event import (
    Bounce,
    BounceClass,
    Complaint,
    EventType,
    FeedbackEvent,
    Mail,
    Problem,
    Receipt,
    Recipient,
)
from lambdas.feedback.parse_message import NotAnEvent, parse_message
from tests.events import BINDING, INSTANCE, bounce, complaint, delivery, other, text

SENT = datetime(2026, 11, 21, 4, tzinfo=UTC)
HAPPENED = datetime(2026, 11, 21, 4, 0, 5, 250_000, tzinfo=UTC)
OWN = {"timestamp": "2026-11-21T04:00:05.250Z"}


def read(event: dict[str, Any]) -> FeedbackEvent:
    """The event in a message of its own."""
    [reading] = parse_message(text(event))
    assert isinstance(reading, FeedbackEvent)
    return reading


MAIL = Mail(
    message_id="m-1",
    sent_at=SENT,
    sender="shop@tenant.example",
    destination=("joe@shop.example",),
    subject="Your order",
    tags={
        "campaign": ("autumn",),
        "ses:source-ip": ("192.0.2.1",),
        "ses:configuration-set": (f"ses-feedback-{INSTANCE}",),
        "ses:caller-identity": (f"ses-feedback-{BINDING}",),
    },
)
BOUNCED = FeedbackEvent(
    id="8370eaf6776323119829ebb5a3f823eed11e3ed0afd53da80a5fa5de1b8c617b",
    type=EventType.BOUNCE,
    timestamp=HAPPENED,
    mail=MAIL,
    recipients=(Recipient(email="joe@shop.example", status="5.1.1", diagnostic="smtp; 550 no user"),),
    detail=Bounce(
        bounce_class=BounceClass.PERMANENT,
        subtype="General",
        feedback_id="0100000000000001-aaaa-000000",
        counts=True,
        counted=1,
    ),
    configuration_set=f"ses-feedback-{INSTANCE}",
    instance_id=INSTANCE,
    binding_id=BINDING,
    source=text(bounce()).strip(),
)


def test_a_bounce_is_read_to_the_field() -> None:
    """Its id is the same in every release: a duplicate after an upgrade must look like one."""
    assert read(bounce()) == BOUNCED


def test_a_complaint_and_a_delivery_are_read_to_the_field() -> None:
    """A delivery without a feedbackId has its id from mail, moment and recipients."""
    event = complaint()
    event["complaint"]["complaintSubType"] = "OnAccountSuppressionList"
    assert read(event).detail == Complaint(
        feedback_id="0100000000000002-bbbb-000000",
        feedback_type="abuse",
        subtype="OnAccountSuppressionList",
        counts=False,
    )
    assert read(delivery()) == replace(
        BOUNCED,
        id="106e76b9f967288bdc63477054159ce217097e9416d207cc4b03c3a81b32a092",
        type=EventType.DELIVERY,
        recipients=(Recipient(email="joe@shop.example"),),
        detail=Receipt(smtp_response="250 2.0.0 OK", processing_ms=546, counted=1),
        source=text(delivery()).strip(),
    )


def test_an_event_without_any_identity_has_its_id_from_its_text() -> None:
    """The same in every release."""
    event = read({"eventType": "Open", "open": {"n": 1}})
    assert event.id == "0aeac13dbd499746f950dc53b9c242d55f08a5b0df725cd43ab7b0befb613b38"
    assert (event.timestamp, event.configuration_set, event.instance_id, event.binding_id) == (None, None, None, None)
    assert event.mail == Mail(message_id=None, sent_at=None, sender=None, destination=(), subject=None, tags={})


@pytest.mark.parametrize(
    ("name", "section", "event_type", "recipients", "detail"),
    [
        ("Send", "send", EventType.SEND, None, None),
        ("Delivery", "delivery", EventType.DELIVERY, "recipients", Receipt),
        ("Bounce", "bounce", EventType.BOUNCE, "bouncedRecipients", Bounce),
        ("Complaint", "complaint", EventType.COMPLAINT, "complainedRecipients", Complaint),
        ("Reject", "reject", EventType.REJECT, None, Problem),
        ("Open", "open", EventType.OPEN, None, None),
        ("Click", "click", EventType.CLICK, None, None),
        ("Rendering Failure", "failure", EventType.RENDERING_FAILURE, None, Problem),
        ("RenderingFailure", "failure", EventType.RENDERING_FAILURE, None, Problem),
        ("DeliveryDelay", "deliveryDelay", EventType.DELIVERY_DELAY, "delayedRecipients", Problem),
        ("Subscription", "subscription", EventType.SUBSCRIPTION, None, None),
    ],
)
def test_each_kind_has_a_section_of_its_own_with_its_time_and_recipients(
    name: str, section: str, event_type: EventType, recipients: str | None, detail: type | None
) -> None:
    """What names no recipients speaks of the whole mail."""
    listed: dict[str, Any] = {}
    if recipients == "recipients":
        listed = {recipients: ["a@x.example"]}
    elif recipients:
        listed = {recipients: [{"emailAddress": "a@x.example"}, {"emailAddress": 7}, {}]}
    event = read(other(name, section, {**OWN, **listed}))
    assert (event.type, event.timestamp) == (event_type, HAPPENED)
    assert event.recipients == (Recipient(email="a@x.example" if recipients else "joe@shop.example"),)
    assert type(event.detail) is (detail or type(None))
    assert read(other(name, section, listed)).timestamp == SENT


@pytest.mark.parametrize(
    ("written", "bounce_class", "counts"),
    [
        ("Permanent", BounceClass.PERMANENT, True),
        ("Transient", BounceClass.TRANSIENT, False),
        ("Undetermined", BounceClass.UNDETERMINED, False),
        ("Novel", BounceClass.UNDETERMINED, False),
        (None, BounceClass.UNDETERMINED, False),
    ],
)
def test_a_bounce_has_one_of_three_classes(written: str | None, bounce_class: BounceClass, counts: bool) -> None:
    """What SES may add later is undetermined; only a permanent one counts."""
    event = bounce()
    event["bounce"]["bounceType"] = written
    detail = read(event).detail
    assert isinstance(detail, Bounce)
    assert (detail.bounce_class, detail.counts, detail.counted) == (bounce_class, counts, int(counts))


def test_an_empty_diagnostic_or_feedback_id_is_none() -> None:
    """SES writes both where it knows nothing."""
    event = bounce(feedback_id="")
    event["bounce"]["bouncedRecipients"] = [{"emailAddress": "a@x.example", "diagnosticCode": "", "status": ""}]
    reading = read(event)
    assert reading.recipients == (Recipient(email="a@x.example", status="", diagnostic=None),)
    assert isinstance(reading.detail, Bounce)
    assert reading.detail.feedback_id is None


@pytest.mark.parametrize("feedback_id", ["", "00000000-0000-0000-0000-000000000000"])
def test_a_bounce_whose_feedback_id_names_nothing_is_told_apart_by_its_mail(feedback_id: str) -> None:
    """A placeholder would make all of them one."""
    one = read(bounce(feedback_id=feedback_id))
    assert one.id == read(bounce(feedback_id=feedback_id, subtype="NoEmail")).id
    assert one.id != read(bounce(feedback_id=feedback_id, message_id="m-2")).id
    assert one.id != read(bounce(feedback_id=feedback_id, timestamp="2026-11-21T04:00:06Z")).id
    assert one.id != read(bounce(feedback_id=feedback_id, recipients=("ann@shop.example",))).id


def test_a_feedback_id_tells_bounces_and_complaints_apart_and_nothing_else() -> None:
    """The same feedback has one id, whatever its moment; a delivery has no such id."""
    assert read(bounce(timestamp="2026-11-21T05:00:00Z", message_id="m-2")).id == read(bounce()).id
    one, two = delivery(), delivery(message_id="m-2")
    for event in (one, two):
        event["delivery"]["feedbackId"] = "f"
    assert read(one).id != read(two).id


@pytest.mark.parametrize(
    ("message", "read_as"),
    [
        ("Received", "Received"),
        ("x" * 100, "x" * 80),
        ("a@b <script>", "a?b ?script?"),
    ],
)
def test_a_reason_is_short_and_safe_to_log(message: str, read_as: str) -> None:
    """Without addresses and markup."""
    [reading] = parse_message(text({"eventType": message}))
    assert isinstance(reading, NotAnEvent)
    assert (reading.reason, reading.facts) == (read_as, {})


def test_a_message_about_a_tenants_reputation_is_read_to_the_field() -> None:
    """From EventBridge; the first tenant among the resources."""
    body = {
        "detail-type": "Advisor Recommendation Status Open",
        "resources": [
            "arn:aws:ses:us-east-1:111122223333:tenant/acme@x/tn-1",
            "arn:aws:ses:us-east-1:111122223333:tenant/other/tn-2",
        ],
        "detail": {
            "data": {"origin": "AWS_MANAGED", "record": {"status": "DISABLED"}},
            "metadata": {"impact": "HIGH", "type": "COMPLAINT"},
        },
    }
    [reading] = parse_message(text(body))
    assert isinstance(reading, NotAnEvent)
    assert (reading.kind.value, reading.reason) == ("tenant_control", "Advisor Recommendation Status Open")
    assert reading.facts == {
        "tenant": "acme?x",
        "sending_status": "DISABLED",
        "origin": "AWS_MANAGED",
        "impact": "HIGH",
        "finding_type": "COMPLAINT",
    }
    identity = {**body, "resources": ["arn:aws:ses:us-east-1:111122223333:identity/a.gov"], "detail": {}}
    [reading] = parse_message(text(identity))
    assert isinstance(reading, NotAnEvent)
    assert reading.facts == {}


def test_an_older_notification_from_eventbridge_is_an_event() -> None:
    """Under either name of its type."""
    older = {"notificationType": "Bounce", **{name: bounce()[name] for name in ("bounce", "mail")}}
    for detail in (bounce(), older):
        [reading] = parse_message(text({"detail-type": "Email Bounced", "detail": detail}))
        assert isinstance(reading, FeedbackEvent)
        assert reading.id == BOUNCED.id
