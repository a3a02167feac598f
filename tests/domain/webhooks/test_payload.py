"""What a receiver reads."""

import json
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
from lambdas.domain.webhooks.delivery import Delivery, delivery_id
from lambdas.domain.webhooks.event_data import bare
from lambdas.domain.webhooks.payload import NOTIFIED, Notice, render_event, render_notice, test_notice
from lambdas.domain.webhooks.webhook import EventKind, NotificationFormat, Webhook, WebhookId
from lambdas.domain.webhooks.webhook_body import DATA
from tests.events import TOPIC_ARN

NOW = datetime(2026, 11, 21, 5, tzinfo=UTC)
HAPPENED = datetime(2026, 11, 21, 4, 0, 0, 123_000, tzinfo=UTC)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=2_000)


def event(**changes: Any) -> FeedbackEvent:
    """A bounce of a mail to Joe."""
    facts: dict[str, Any] = {
        "id": "e1",
        "type": EventType.BOUNCE,
        "timestamp": HAPPENED,
        "mail": Mail(
            message_id="m-1",
            sent_at=HAPPENED,
            sender="shop@tenant.example",
            destination=("joe@shop.example",),
            subject="Your order",
            tags={"campaign": ("autumn",)},
        ),
        "recipients": (Recipient(email="joe@shop.example", status="5.1.1", diagnostic="smtp; 550"),),
        "detail": Bounce(
            bounce_class=BounceClass.PERMANENT, subtype="NoEmail", feedback_id="f", counts=True, counted=1
        ),
        "configuration_set": "ses-feedback-i1",
        "instance_id": "i1",
        "binding_id": "b1",
        "source": '{"eventType":"Bounce"}',
    }
    return FeedbackEvent(**{**facts, **changes})


def rendered(told: FeedbackEvent, format_: NotificationFormat = NotificationFormat.STANDARD_WEBHOOKS) -> Delivery:
    """*told* for a webhook of *format_*."""
    webhook = Webhook(id=WebhookId("w1"), instance_id="i1", format=format_)
    return render_event(told, webhook, topic_arn=TOPIC_ARN, now=NOW)


def test_a_bounce_reads_as_the_contract_says() -> None:
    """To the field."""
    delivery = rendered(event())
    assert json.loads(delivery.body) == {
        "type": "email.bounced",
        "timestamp": "2026-11-21T04:00:00.123Z",
        "data": {
            "instance_id": "i1",
            "binding_id": "b1",
            "message_id": "m-1",
            "mail": {
                "sent_at": "2026-11-21T04:00:00.123Z",
                "from": "shop@tenant.example",
                "to": ["joe@shop.example"],
                "subject": "Your order",
                "tags": {"campaign": ["autumn"]},
            },
            "recipients": [{"email": "joe@shop.example", "status": "5.1.1", "diagnostic": "smtp; 550"}],
            "bounce": {"class": "permanent", "subtype": "NoEmail", "counts": True},
        },
    }
    assert delivery.headers == {"content-type": "application/json"}
    assert (delivery.type, delivery.timestamp, delivery.created_at) == ("email.bounced", HAPPENED, NOW)


@pytest.mark.parametrize(
    ("event_type", "detail", "section"),
    [
        (
            EventType.DELIVERY,
            Receipt(smtp_response="250 OK", processing_ms=546, counted=1),
            {"delivery": {"smtp_response": "250 OK", "processing_ms": 546}},
        ),
        (EventType.REJECT, Problem(reason="Bad content"), {"reject": {"reason": "Bad content"}}),
        (EventType.DELIVERY_DELAY, Problem(reason="MailboxFull"), {"delay": {"type": "MailboxFull"}}),
        (EventType.RENDERING_FAILURE, Problem(reason="no name"), {"rendering_failure": {"error": "no name"}}),
    ],
)
def test_each_kind_has_its_own_section(event_type: EventType, detail: Any, section: dict[str, Any]) -> None:
    """Beside what all of them share."""
    data = json.loads(rendered(event(type=event_type, detail=detail)).body)["data"]
    assert section.items() <= data.items()


@pytest.mark.parametrize("format_", NotificationFormat)
def test_a_second_run_makes_the_same_id_and_the_same_bytes(format_: NotificationFormat) -> None:
    """Whenever it runs: duplicates must look like duplicates."""
    webhook = Webhook(id=WebhookId("w1"), instance_id="i1", format=format_)
    first = rendered(event(), format_)
    second = render_event(event(), webhook, topic_arn=TOPIC_ARN, now=NOW.replace(hour=9))
    assert (first.id, first.body, first.headers) == (second.id, second.body, second.headers)


def test_the_sns_format_holds_what_ses_wrote() -> None:
    """Message is a string; headers repeat type and id; MessageId is a UUID."""
    delivery = rendered(event(), NotificationFormat.SNS)
    body = json.loads(delivery.body)
    assert body["Message"] == '{"eventType":"Bounce"}'
    assert body["TopicArn"] == delivery.headers["x-amz-sns-topic-arn"] == TOPIC_ARN
    assert body["MessageId"] == delivery.headers["x-amz-sns-message-id"]
    assert body["Type"] == delivery.headers["x-amz-sns-message-type"] == "Notification"
    assert body["Timestamp"] == "2026-11-21T04:00:00.123Z"
    assert [len(part) for part in body["MessageId"].split("-")] == [8, 4, 4, 4, 12]


def test_a_structured_cloud_event_wraps_the_same_data() -> None:
    """CloudEvents 1.0's required attributes, and whose event it is as source."""
    delivery = rendered(event(), NotificationFormat.CLOUDEVENTS)
    body = json.loads(delivery.body)
    assert delivery.headers == {"content-type": "application/cloudevents+json"}
    assert body.pop("data") == json.loads(rendered(event()).body)["data"]
    assert body == {
        "specversion": "1.0",
        "id": delivery.id,
        "source": "/ses-feedback/instances/i1",
        "type": "email.bounced",
        "time": "2026-11-21T04:00:00.123Z",
        "subject": "m-1",
        "datacontenttype": "application/json",
    }


def test_a_binary_cloud_event_has_its_attributes_in_headers() -> None:
    """Written so that no value can break out of its header."""
    told = event()
    mail = Mail(**{name: getattr(told.mail, name) for name in Mail.__slots__} | {"message_id": 'a "b"\r\nc%é'})
    delivery = rendered(event(mail=mail), NotificationFormat.CLOUDEVENTS_BINARY)
    assert delivery.headers["ce-subject"] == "a%20%22b%22%0D%0Ac%25%C3%A9"
    assert delivery.headers["ce-type"] == "email.bounced"
    assert json.loads(delivery.body) == json.loads(rendered(event(mail=mail)).body)["data"]


def test_an_email_is_read_by_a_person() -> None:
    """Line by line; what a server answered cannot add lines of its own."""
    recipients = (Recipient(email="joe@shop.example", status="5.1.1", diagnostic="smtp; 550 no\r\n\r\nsuch user"),)
    assert rendered(event(recipients=recipients), NotificationFormat.EMAIL).body.splitlines() == [
        "Bounced (permanent, NoEmail, counts) at 2026-11-21T04:00:00.123Z",
        "  joe@shop.example: 5.1.1 smtp; 550 no such user",
        "  mail m-1 from shop@tenant.example, subject: Your order",
    ]


def test_an_event_without_a_time_is_told_with_the_time_of_the_telling() -> None:
    """Every format needs one."""
    assert json.loads(rendered(event(timestamp=None)).body)["timestamp"] == "2026-11-21T05:00:00.000Z"


@pytest.mark.parametrize(
    ("address", "email"),
    [
        ('"Name" <a@b.example>', "a@b.example"),
        (" Tr <a@b.example> ", "a@b.example"),
        ("a@b.example", "a@b.example"),
        (" a@b.example>", "a@b.example>"),
        ("Tr <a@b.example", "Tr <a@b.example"),
    ],
)
def test_a_recipient_is_told_by_its_bare_address(address: str, email: str) -> None:
    """An application looks it up in its own list."""
    assert bare(address) == email


def test_a_long_body_loses_its_diagnostics_first_and_its_tags_last() -> None:
    """Fifty recipients with long answers: all of them and the tags are still there."""
    recipients = tuple(Recipient(email=f"{n}@shop.example", status="5.1.1", diagnostic="x" * 900) for n in range(50))
    data = json.loads(rendered(event(recipients=recipients)).body)["data"]
    assert len(data["recipients"]) == 50
    assert data["recipients"][0]["diagnostic"] == "x" * 200
    assert data["mail"]["tags"] == {"campaign": ["autumn"]}
    assert data["truncated"] is True


def test_a_long_sns_message_loses_its_headers_first() -> None:
    """But those in which django-anymail keeps an application's tags."""
    headers = [{"name": "X-Long", "value": "x" * 30_000}, {"name": "X-Tag", "value": "order"}]
    source = json.dumps({"eventType": "Bounce", "mail": {"headers": headers}, "bounce": {"bouncedRecipients": []}})
    message = json.loads(json.loads(rendered(event(source=source), NotificationFormat.SNS).body)["Message"])
    assert message["mail"] == {"headers": [{"name": "X-Tag", "value": "order"}], "headersTruncated": True}
    assert message["bounce"] == {"bouncedRecipients": []}


@st.composite
def large_events(draw: st.DrawFn) -> FeedbackEvent:
    """Events of any size, of any characters."""
    recipient = st.builds(Recipient, email=TEXT, status=TEXT, diagnostic=TEXT)
    recipients = draw(st.lists(recipient, max_size=3)) * draw(st.sampled_from([0, 1, 40]))
    mail = Mail(
        message_id=draw(TEXT),
        sent_at=HAPPENED,
        sender=draw(TEXT),
        destination=tuple(recipient.email for recipient in recipients),
        subject=draw(TEXT) * draw(st.sampled_from([1, 40])),
        tags=draw(st.dictionaries(TEXT, st.tuples(TEXT), max_size=3)),
    )
    listed = [{"emailAddress": r.email, "diagnosticCode": r.diagnostic} for r in recipients]
    source = {
        "eventType": "Bounce",
        "mail": {"destination": mail.destination, "tags": mail.tags, "headers": [{"name": mail.subject}]},
        "bounce": {"bouncedRecipients": listed, "more": draw(TEXT) * draw(st.sampled_from([1, 40]))},
    }
    return event(mail=mail, recipients=tuple(recipients), source=json.dumps(source))


@pytest.mark.parametrize("format_", NotificationFormat)
@given(told=large_events())
@settings(max_examples=25)
def test_no_body_is_over_the_limit(format_: NotificationFormat, told: FeedbackEvent) -> None:
    """However long what a server answered, and always JSON."""
    delivery = rendered(told, format_)
    assert len(delivery.body.encode()) <= 20_000
    assert format_ is NotificationFormat.EMAIL or json.loads(delivery.body)
    assert all(value.isascii() and value.isprintable() for value in delivery.headers.values())


@pytest.mark.parametrize("format_", NotificationFormat)
def test_a_notice_is_written_in_every_format(format_: NotificationFormat) -> None:
    """With an id of its own for each webhook."""
    webhook = Webhook(id=WebhookId("w1"), instance_id="i1", format=format_)
    notice = test_notice(test_id="t1", instance_id="i1", binding_id="b1", now=NOW)
    delivery = render_notice(notice, webhook, topic_arn=TOPIC_ARN, now=NOW)
    assert delivery.type == "webhook.test"
    assert "This is a test" in delivery.body
    other = render_notice(test_notice(test_id="t2", instance_id="i1", binding_id="b1", now=NOW), webhook,
                          topic_arn=TOPIC_ARN, now=NOW)  # fmt: skip
    assert other.id != delivery.id


def test_a_notice_in_sns_names_no_recipient() -> None:
    """So that a tracking view takes it without making an event for anyone."""
    webhook = Webhook(id=WebhookId("w1"), instance_id="i1", format=NotificationFormat.SNS)
    notice = Notice(id="n", type="reputation.paused", timestamp=NOW, data={"instance_id": "i1"})
    body = json.loads(render_notice(notice, webhook, topic_arn=TOPIC_ARN, now=NOW).body)
    message = json.loads(body["Message"])
    assert message["eventType"] == "reputation.paused"
    assert message["mail"] == {"destination": []}


def test_opens_clicks_and_sends_are_not_fanned_out() -> None:
    """A binding cannot ask for them."""
    assert not {EventType.OPEN, EventType.CLICK, EventType.SEND, EventType.SUBSCRIPTION} & set(NOTIFIED)


COMPLAINED = Complaint(feedback_id="f", feedback_type="abuse", subtype=None, counts=False)


@pytest.mark.parametrize(
    ("event_type", "detail", "facts"),
    [
        (EventType.COMPLAINT, COMPLAINED, "abuse, does not count"),
        (EventType.REJECT, Problem(reason="Bad content"), "Bad content"),
        (EventType.DELIVERY_DELAY, Problem(reason="MailboxFull"), "MailboxFull"),
        (EventType.RENDERING_FAILURE, Problem(reason="no name"), "no name"),
        (EventType.DELIVERY, Receipt(smtp_response="250 OK", processing_ms=9, counted=1), "250 OK"),
    ],
)  # fmt: skip
def test_an_email_tells_each_kind_with_its_reason(event_type: EventType, detail: Any, facts: str) -> None:
    """In the first line, in brackets."""
    body = rendered(event(type=event_type, detail=detail), NotificationFormat.EMAIL).body
    assert f"({facts}) at 2026-11-21T04:00:00.123Z" in body.splitlines()[0]


def test_a_binary_cloud_event_says_that_its_body_is_json() -> None:
    """The data alone is the body."""
    assert rendered(event(), NotificationFormat.CLOUDEVENTS_BINARY).headers["content-type"] == "application/json"


LONG = [{"emailAddress": f"{number}@shop.example", "diagnosticCode": "5" * 900} for number in range(60)]


@pytest.mark.parametrize(
    ("section", "recipients"),
    [
        ("bounce", "bouncedRecipients"),
        ("complaint", "complainedRecipients"),
        ("deliveryDelay", "delayedRecipients"),
        ("delivery", "recipients"),
    ],
)
def test_a_long_sns_message_keeps_as_many_recipients_as_fit(section: str, recipients: str) -> None:
    """Of each kind; with its diagnostics cut."""
    source = json.dumps({"eventType": "X", section: {recipients: LONG}, "mail": {"destination": ["a" * 9_000] * 3}})
    told = rendered(event(source=source), NotificationFormat.SNS)
    message = json.loads(json.loads(told.body)["Message"])
    kept = message[section][recipients]
    assert kept[0]["emailAddress"] == "0@shop.example"
    assert 0 < len(kept) <= 60
    assert {len(recipient["diagnosticCode"]) for recipient in kept} == {200}


@pytest.mark.parametrize("name", ["eventType", "notificationType"])
def test_an_sns_message_that_cannot_be_made_to_fit_still_says_its_kind(name: str) -> None:
    """In either format of SES."""
    source = json.dumps({name: "Bounce", "huge": "x" * 50_000})
    told = rendered(event(source=source), NotificationFormat.SNS)
    assert json.loads(json.loads(told.body)["Message"])["eventType"] == "Bounce"


@pytest.mark.parametrize(
    ("event_type", "detail", "name", "section"),
    [
        (
            EventType.BOUNCE,
            Bounce(bounce_class=BounceClass.TRANSIENT, subtype=None, feedback_id=None, counts=False, counted=0),
            "email.bounced",
            {"bounce": {"class": "transient", "subtype": None, "counts": False}},
        ),
        (
            EventType.COMPLAINT,
            COMPLAINED,
            "email.complained",
            {"complaint": {"feedback_type": "abuse", "counts": False}},
        ),
        (
            EventType.DELIVERY,
            Receipt(smtp_response="250 OK", processing_ms=546, counted=1),
            "email.delivered",
            {"delivery": {"smtp_response": "250 OK", "processing_ms": 546}},
        ),
        (EventType.REJECT, Problem(reason="Bad content"), "email.rejected", {"reject": {"reason": "Bad content"}}),
        (EventType.DELIVERY_DELAY, Problem(reason="MailboxFull"), "email.delayed", {"delay": {"type": "MailboxFull"}}),
        (
            EventType.RENDERING_FAILURE,
            Problem(reason="no name"),
            "email.rendering_failed",
            {"rendering_failure": {"error": "no name"}},
        ),
        (EventType.BOUNCE, None, "email.bounced", {}),
    ],
)
def test_a_body_of_each_kind_to_the_field(
    event_type: EventType, detail: Any, name: str, section: dict[str, Any]
) -> None:
    """What was not known of the mail is null, empty, or not there."""
    mail = Mail(message_id=None, sent_at=None, sender=None, destination=(), subject=None, tags={})
    delivery = rendered(event(type=event_type, detail=detail, mail=mail, recipients=(), binding_id=None))
    assert json.loads(delivery.body) == {
        "type": name,
        "timestamp": "2026-11-21T04:00:00.123Z",
        "data": {
            "instance_id": "i1",
            "binding_id": None,
            "message_id": None,
            "mail": {"sent_at": None, "from": None, "to": [], "subject": None, "tags": {}},
            "recipients": [],
            **section,
        },
    }
    assert (delivery.type, delivery.message_id) == (name, None)


def test_every_kind_that_a_binding_may_ask_for_has_its_name() -> None:
    """The kinds are the parameter's, the names the body's."""
    assert {kind.value: (asked.value, name) for kind, (asked, name) in NOTIFIED.items()} == {
        "bounce": ("bounce", "email.bounced"),
        "complaint": ("complaint", "email.complained"),
        "delivery": ("delivery", "email.delivered"),
        "reject": ("reject", "email.rejected"),
        "delivery_delay": ("delivery_delay", "email.delayed"),
        "rendering_failure": ("rendering_failure", "email.rendering_failed"),
    }
    assert set(NOTIFIED.values()) == {(kind, NOTIFIED[EventType(kind.value)][1]) for kind in EventKind}
    assert {name for _, name in NOTIFIED.values()} | {"webhook.test", "reputation.paused"} == set(DATA)


def test_no_text_is_longer_than_an_honest_one() -> None:
    """The last character says that something was cut."""
    mail = Mail(
        message_id="m" * 300,
        sent_at=None,
        sender="s" * 400,
        destination=("d" * 400, "d" * 320),
        subject="u" * 1_200,
        tags={},
    )
    recipient = Recipient(email="r" * 400, status="5" * 300, diagnostic="x" * 1_200)
    complained = Complaint(feedback_id=None, feedback_type="f" * 300, subtype=None, counts=True)
    data = json.loads(
        rendered(event(type=EventType.COMPLAINT, mail=mail, recipients=(recipient,), detail=complained)).body
    )["data"]
    assert data["message_id"] == "m" * 199 + "…"
    assert (data["mail"]["from"], data["mail"]["subject"]) == ("s" * 319 + "…", "u" * 997 + "…")
    assert data["mail"]["to"] == ["d" * 319 + "…", "d" * 320]
    assert data["recipients"] == [{"email": "r" * 319 + "…", "status": "5" * 199 + "…", "diagnostic": "x" * 999 + "…"}]
    assert data["complaint"]["feedback_type"] == "f" * 199 + "…"


@pytest.mark.parametrize(
    ("event_type", "detail", "section", "field", "length"),
    [
        (
            EventType.BOUNCE,
            Bounce(bounce_class=BounceClass.PERMANENT, subtype="s" * 2_000, feedback_id=None, counts=True, counted=1),
            "bounce",
            "subtype",
            200,
        ),
        (
            EventType.DELIVERY,
            Receipt(smtp_response="2" * 2_000, processing_ms=1, counted=1),
            "delivery",
            "smtp_response",
            1_000,
        ),
        (EventType.REJECT, Problem(reason="r" * 2_000), "reject", "reason", 1_000),
    ],
)
def test_a_kinds_own_texts_are_cut_too(
    event_type: EventType, detail: Any, section: str, field: str, length: int
) -> None:
    """Reasons and answers as a server's, names as SES's."""
    data = json.loads(rendered(event(type=event_type, detail=detail)).body)["data"]
    assert len(data[section][field]) == length


def test_a_log_line_has_ses_s_id_of_the_mail_and_not_more() -> None:
    """A forged event must not make it longer."""
    told = event()
    assert rendered(told).message_id == "m-1"
    mail = Mail(**{name: getattr(told.mail, name) for name in Mail.__slots__} | {"message_id": "m" * 300})
    assert rendered(event(mail=mail)).message_id == "m" * 200


@pytest.mark.parametrize("format_", [NotificationFormat.CLOUDEVENTS, NotificationFormat.CLOUDEVENTS_BINARY])
def test_a_cloud_event_names_its_mail_if_it_is_about_one(format_: NotificationFormat) -> None:
    """At most 200 characters of it."""
    told = event()

    def subject(message_id: str | None) -> str | None:
        mail = Mail(**{name: getattr(told.mail, name) for name in Mail.__slots__} | {"message_id": message_id})
        delivery = rendered(event(mail=mail), format_)
        if format_ is NotificationFormat.CLOUDEVENTS_BINARY:
            return delivery.headers.get("ce-subject")
        found = json.loads(delivery.body).get("subject")
        return None if found is None else str(found)

    assert [subject(None), subject("m-1"), subject("m" * 300)] == [None, "m-1", "m" * 200]


def test_a_binary_cloud_event_has_all_attributes() -> None:
    """Characters that HTTP carries stay as they are."""
    assert rendered(event(), NotificationFormat.CLOUDEVENTS_BINARY).headers == {
        "content-type": "application/json",
        "ce-specversion": "1.0",
        "ce-id": rendered(event()).id,
        "ce-source": "/ses-feedback/instances/i1",
        "ce-type": "email.bounced",
        "ce-time": "2026-11-21T04:00:00.123Z",
        "ce-subject": "m-1",
    }
    told = event()
    odd = "!#$&'()*+,-./:;<=>?@[]^_`{|}~\\"
    mail = Mail(**{name: getattr(told.mail, name) for name in Mail.__slots__} | {"message_id": odd + " \x7f"})
    assert rendered(event(mail=mail), NotificationFormat.CLOUDEVENTS_BINARY).headers["ce-subject"] == odd + "%20%7F"


def test_the_sns_format_to_the_field() -> None:
    """The envelope's id is the webhook-id as a UUID, so that a receiver that drops duplicates sees it again."""
    delivery = rendered(event(), NotificationFormat.SNS)
    assert json.loads(delivery.body) == {
        "Type": "Notification",
        "MessageId": str(uuid.UUID(hex=delivery.id.removeprefix("msg_"))),
        "TopicArn": TOPIC_ARN,
        "Message": '{"eventType":"Bounce"}',
        "Timestamp": "2026-11-21T04:00:00.123Z",
    }
    assert delivery.headers == {
        "content-type": "text/plain; charset=UTF-8",
        "x-amz-sns-message-type": "Notification",
        "x-amz-sns-message-id": json.loads(delivery.body)["MessageId"],
        "x-amz-sns-topic-arn": TOPIC_ARN,
    }


def test_a_test_to_the_field() -> None:
    """In the webhook's format; about no mail."""
    webhook = Webhook(id=WebhookId("w1"), instance_id="i1")
    notice = test_notice(test_id="t1", instance_id="i1", binding_id="b1", now=HAPPENED)
    assert notice.id == "test\nt1"
    delivery = render_notice(notice, webhook, topic_arn=TOPIC_ARN, now=NOW)
    assert json.loads(delivery.body) == {
        "type": "webhook.test",
        "timestamp": "2026-11-21T04:00:00.123Z",
        "data": {"instance_id": "i1", "binding_id": "b1", "message": "This is a test. No mail was sent."},
    }
    assert (delivery.timestamp, delivery.created_at, delivery.message_id) == (HAPPENED, NOW, None)
    assert delivery.id == delivery_id(webhook.id, notice.id)
    in_sns = Webhook(id=WebhookId("w1"), instance_id="i1", format=NotificationFormat.SNS)
    envelope = json.loads(render_notice(notice, in_sns, topic_arn=TOPIC_ARN, now=NOW).body)
    assert json.loads(envelope["Message"]) == {
        "eventType": "webhook.test",
        "mail": {"destination": []},
        "data": {"instance_id": "i1", "binding_id": "b1", "message": "This is a test. No mail was sent."},
    }


def test_an_email_is_plain_text_in_utf_8() -> None:
    """It goes into a digest."""
    assert rendered(event(), NotificationFormat.EMAIL).headers == {"content-type": "text/plain; charset=UTF-8"}


def test_bodies_are_written_without_blanks_and_escapes() -> None:
    """Bytes cost money, and the limit is in bytes."""
    told = rendered(event(recipients=(Recipient(email="jö@shop.example"),)))
    assert '"recipients":[{"email":"jö@shop.example","status":null' in told.body
