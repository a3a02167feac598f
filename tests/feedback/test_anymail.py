"""The `sns` format, taken by django-anymail's tracking view as it is, with nothing in between."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import django
import pytest
from django.conf import settings

if not settings.configured:
    settings.configure(
        ANYMAIL={"WEBHOOK_SECRET": "joe:secret"}, DEFAULT_CHARSET="utf-8", ALLOWED_HOSTS=["*"], SECRET_KEY="x"
    )
    django.setup()

from anymail.signals import AnymailTrackingEvent, tracking
from anymail.webhooks.amazon_ses import AmazonSESTrackingWebhookView
from django.test import RequestFactory

from lambdas.domain.events.feedback_event import FeedbackEvent
from lambdas.domain.webhooks.delivery import Delivery
from lambdas.domain.webhooks.payload import Notice, render_event, render_notice, test_notice
from lambdas.domain.webhooks.webhook import NotificationFormat, Webhook, WebhookId
from lambdas.feedback.parse_message import parse_message
from tests.domain.webhooks.test_payload import NOW
from tests.events import TOPIC_ARN, bounce, complaint, delivery, other, text

WEBHOOK = Webhook(id=WebhookId("w1"), instance_id="i1", format=NotificationFormat.SNS)
AUTHORIZATION = "Basic " + base64.b64encode(b"joe:secret").decode()


def rendered(event: dict[str, Any]) -> Delivery:
    """An event as it is delivered."""
    (reading,) = parse_message(text(event))
    assert isinstance(reading, FeedbackEvent)
    return render_event(reading, WEBHOOK, topic_arn=TOPIC_ARN, now=NOW)


@contextmanager
def tracked() -> Iterator[list[AnymailTrackingEvent]]:
    """What an application's receiver of anymail's signal gets."""
    heard: list[AnymailTrackingEvent] = []

    def hear(sender: Any, event: AnymailTrackingEvent, **_: Any) -> None:
        heard.append(event)

    tracking.connect(hear)
    try:
        yield heard
    finally:
        tracking.disconnect(hear)


def post(sent: Delivery) -> list[AnymailTrackingEvent]:
    """Deliver it to the view; what the application hears."""
    content_type = sent.headers["content-type"]
    headers = {name: value for name, value in sent.headers.items() if name != "content-type"}
    request = RequestFactory().post(
        "/anymail/amazon_ses/tracking/",
        data=sent.body.encode(),
        content_type=content_type,
        headers={**headers, "authorization": AUTHORIZATION},
    )
    with tracked() as heard:
        response = AmazonSESTrackingWebhookView.as_view()(request)
    assert response.status_code == 200
    return heard


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        (bounce(), "bounced"),
        (complaint(), "complained"),
        (delivery(), "delivered"),
        (other("Reject", "reject", {"reason": "Bad content"}), "rejected"),
        (other("Rendering Failure", "failure", {"errorMessage": "no name"}), "failed"),
    ],
)
def test_anymail_takes_every_kind_it_knows(event: dict[str, Any], kind: str) -> None:
    """With recipient, mail and the application's own tags."""
    (heard,) = post(rendered(event))
    assert (heard.event_type, heard.recipient, heard.message_id) == (kind, "joe@shop.example", "m-1")
    assert heard.tags == ["order"]


def test_anymail_names_a_repetition_by_the_same_id() -> None:
    """A receiver can drop it."""
    first, second = post(rendered(bounce())), post(rendered(bounce()))
    assert first[0].event_id == second[0].event_id


def test_anymail_takes_what_had_to_be_shortened() -> None:
    """Fifty recipients with long answers and long headers."""
    event = bounce(recipients=tuple(f"{number}@shop.example" for number in range(50)))
    for recipient in event["bounce"]["bouncedRecipients"]:
        recipient["diagnosticCode"] = "smtp; 550 " + "x" * 900
    event["mail"]["headers"].append({"name": "X-Long", "value": "x" * 10_000})
    heard = post(rendered(event))
    assert {tracking_event.recipient for tracking_event in heard} == {f"{n}@shop.example" for n in range(50)}
    assert heard[0].tags == ["order"]


@pytest.mark.parametrize(
    "notice",
    [
        test_notice(test_id="t", instance_id="i1", binding_id="b1", now=NOW),
        Notice(id="p", type="reputation.paused", timestamp=NOW, data={"instance_id": "i1"}),
    ],
)
def test_anymail_takes_our_own_notices_and_makes_nothing_of_them(notice: Notice) -> None:
    """It answers 200: the webhook is well."""
    assert post(render_notice(notice, WEBHOOK, topic_arn=TOPIC_ARN, now=NOW)) == []


def test_without_its_password_anymail_takes_nothing() -> None:
    """The credentials come from the webhook's userinfo."""
    sent = rendered(bounce())
    request = RequestFactory().post("/", data=json.loads(sent.body), content_type="application/json")
    assert AmazonSESTrackingWebhookView.as_view()(request).status_code == 401
