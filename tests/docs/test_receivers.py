"""Each receiver in docs/examples is built as its documentation says and gets events from the real renderer."""

import base64
import json
import re
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from lambdas.domain.events.feedback_event import FeedbackEvent
from lambdas.domain.webhooks.batch import render_batch
from lambdas.domain.webhooks.delivery import Delivery
from lambdas.domain.webhooks.payload import render_event
from lambdas.domain.webhooks.signature import new_secret, signed_headers, signing_key
from lambdas.domain.webhooks.webhook import NotificationFormat, Webhook, WebhookId
from lambdas.feedback.parse_message import parse_message
from tests.docs.examples import DJANGO, RECEIVERS, Example, built, missing, running
from tests.events import TOPIC_ARN, bounce, complaint, text

pytestmark = pytest.mark.examples

SECRET = new_secret()
VCAP_SERVICES = json.dumps({"aws-ses": [{"name": "my-mail", "credentials": {"webhook_secret": SECRET}}]})
GUIDE = Path(__file__).parents[2] / "docs" / "tenants.md"


def event(raw: dict[str, object], format_: NotificationFormat = NotificationFormat.STANDARD_WEBHOOKS) -> Delivery:
    """An SES event as a webhook gets it."""
    (parsed,) = parse_message(text(raw))
    assert isinstance(parsed, FeedbackEvent)
    webhook = Webhook(id=WebhookId("w1"), instance_id="i1", format=format_)
    return render_event(parsed, webhook, topic_arn=TOPIC_ARN, now=datetime.now(UTC))


def signed(message_id: str, body: str, secret: str = SECRET) -> dict[str, str]:
    """The headers of an attempt made now."""
    headers = signed_headers([signing_key(secret)], message_id=message_id, body=body.encode(), now=datetime.now(UTC))
    return {"content-type": "application/json", **headers}


def mounted(credentials: dict[str, str], node: Path) -> dict[str, str]:
    """The environment of a pod as the tenants' guide has it; the secret as a kubelet mounts it below *node*.

    Each key is a link through `..data`, which a kubelet replaces at once when the secret changes.
    """
    [pod] = re.findall(r"```yaml\n(spec:.*?)```", GUIDE.read_text(), re.DOTALL)
    spec = yaml.safe_load(pod)["spec"]
    [container], [volume] = spec["containers"], spec["volumes"]
    [mount], [root] = container["volumeMounts"], container["env"]
    assert (mount["name"], "secretName" in volume["secret"]) == (volume["name"], True)
    folder = node / mount["mountPath"].lstrip("/")
    version = folder / "..2026_11_21_10_00_00.123456789"
    version.mkdir(parents=True)
    (folder / "..data").symlink_to(version.name)
    for key, value in credentials.items():
        (version / key).write_text(value)
        (folder / key).symlink_to(f"..data/{key}")
    return {root["name"]: str(node) + root["value"]}


@pytest.fixture(scope="module", params=RECEIVERS, ids=lambda example: example.name)
def receiver(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Example, Path]:
    """A built receiver."""
    example: Example = request.param
    if lacking := missing(example):
        pytest.skip(f"{example.name} needs {', '.join(lacking)}")
    return example, built(example, tmp_path_factory.mktemp("receiver"))


def test_a_receiver_handles_each_event_once_and_refuses_what_is_not_signed(receiver: tuple[Example, Path]) -> None:
    """Also after a restart, on Cloud Foundry and on Kubernetes, and whether an event comes alone or in a batch."""
    example, folder = receiver
    first, second = event(bounce()), event(complaint(recipients=("ann@shop.example",)))
    with running(example, folder, {"VCAP_SERVICES": VCAP_SERVICES}) as app:
        assert app.post(first.body, signed(first.id, first.body)) == 204
        assert app.post(first.body, signed(first.id, first.body)) == 204
        assert app.post(first.body, {"content-type": "application/json"}) == 401
        assert app.post(first.body, signed(first.id, first.body, new_secret())) == 401
        assert app.post(first.body.replace("joe", "ann"), signed(first.id, first.body)) == 401
        together = render_batch([first, second])
        assert app.post(together.body, signed(together.id, together.body)) == 204
    pod = mounted({"webhook_secret": SECRET, "smtp_server": "email-smtp.us-east-1.amazonaws.com"}, folder / "node")
    with running(example, folder, pod) as app:
        assert app.post(second.body, signed(second.id, second.body)) == 204
    log = app.log.read_text()
    counts = [line.partition("events: ")[2].strip() for line in log.splitlines() if "events: " in line]
    assert counts == ["1 received, 1 new", "1 received, 0 new", "2 received, 1 new", "1 received, 0 new"]
    assert "shop.example" not in log


def test_a_receiver_suppresses_addresses_that_bounced_or_complained(receiver: tuple[Example, Path]) -> None:
    """Read from the SQLite file where a receiver has one; the others bring a test of their own, run by the build."""
    example, folder = receiver
    if example.name in ("go", "java-spring"):
        return
    transient = event(bounce(bounce_type="Transient", feedback_id="f3", recipients=("tom@shop.example",)))
    permanent = event(bounce(feedback_id="f4", recipients=("Jim@shop.example",)))
    with running(example, folder, {"WEBHOOK_SECRET": SECRET}) as app:
        for delivery in (transient, permanent):
            assert app.post(delivery.body, signed(delivery.id, delivery.body)) == 204
    found = suppressed(folder / example.database)
    assert found["jim@shop.example"] == "bounced"
    assert "tom@shop.example" not in found


def test_anymail_in_django_takes_the_sns_format(tmp_path: Path) -> None:
    """With the password of the webhook's URL; a wrong one is refused."""
    folder = built(DJANGO, tmp_path)
    delivery = event(bounce(), NotificationFormat.SNS)
    authorized = {**delivery.headers, "authorization": f"Basic {base64.b64encode(b'joe:secret').decode()}"}
    with running(DJANGO, folder, {"ANYMAIL_WEBHOOK_SECRET": "joe:secret"}) as app:
        assert app.post(delivery.body, authorized) == 200
        assert app.post(delivery.body, authorized) == 200
        assert app.post(delivery.body, delivery.headers) == 401
    assert app.log.read_text().count("1 new") == 1
    assert suppressed(folder / DJANGO.database) == {"joe@shop.example": "bounced"}


def suppressed(database: Path) -> dict[str, str]:
    """The suppression list of a receiver that keeps it in SQLite."""
    with closing(sqlite3.connect(database)) as connection:
        return dict(connection.execute("SELECT email, reason FROM suppressed"))
