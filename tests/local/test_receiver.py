"""The demo tenant's receiver: keeps what arrives, verifies it, and misbehaves when asked to."""

from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest
from standardwebhooks import Webhook

from local.tenant.receiver import Received, Receiver

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = '{"type": "email.bounced"}'


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver that listens."""
    with Receiver() as listening:
        yield listening


def post(receiver: Receiver, *, message_id: str = "msg_1", path: str = "/webhook") -> int:
    """Post a signed event; the status it is answered with."""
    now = datetime.now(UTC)
    headers = {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(SECRET).sign(message_id, now, BODY),
    }
    return httpx.post(receiver.url(path), content=BODY, headers=headers).status_code


def test_what_arrives_is_kept_and_verified(receiver: Receiver) -> None:
    """By the library every tenant may use."""
    assert post(receiver) == 204
    [item] = receiver.wait_for(kind="email.bounced")
    assert (item.id, item.type, item.path, item.status) == ("msg_1", "email.bounced", "/webhook", 204)
    assert item.is_signed_with(SECRET)
    assert not item.is_signed_with("whsec_" + "QUFB" * 8)


def test_failures_are_kept_apart(receiver: Receiver) -> None:
    """What was answered with a failure was not received."""
    receiver.answer(503, headers={"Retry-After": "7"})
    assert post(receiver) == 503
    assert receiver.received() == []
    [refused] = receiver.received(ok=False)
    assert refused.status == 503
    receiver.answer(204)
    post(receiver)
    assert [item.id for item in receiver.received()] == ["msg_1"]


def test_a_function_decides_each_answer(receiver: Receiver) -> None:
    """For instance by the path, or by the id."""

    def odd(item: Received) -> int:
        return 204 if item.id.endswith("1") else 404

    receiver.answer(odd, path="/odd")
    assert [post(receiver, message_id=f"msg_{number}", path="/odd") for number in (1, 2)] == [204, 404]
    assert post(receiver, message_id="msg_2") == 204
    assert [item.id for item in receiver.received("/odd")] == ["msg_1"]


def test_waiting_counts_ids_not_posts(receiver: Receiver) -> None:
    """A retry is no second event."""
    post(receiver)
    post(receiver)
    assert len(receiver.wait_for(count=2, timeout=0.01)) == 2
    post(receiver, message_id="msg_2")
    assert len(receiver.wait_for(count=2)) == 3


def test_a_stopped_receiver_refuses_and_cuts_what_was_kept_alive(receiver: Receiver) -> None:
    """And comes back on the same port."""
    url = receiver.url()
    with httpx.Client() as client:
        assert client.post(url, content=BODY).status_code == 204
        receiver.stop()
        with pytest.raises(httpx.TransportError):
            client.post(url, content=BODY)
        receiver.start()
        assert receiver.url() == url
        assert client.post(url, content=BODY).status_code == 204
