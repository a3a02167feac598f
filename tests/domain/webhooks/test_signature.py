"""Signatures as any Standard Webhooks library checks them."""

import base64
import json
from datetime import UTC, datetime

import pytest
from standardwebhooks.webhooks import Webhook

from lambdas.domain.webhooks.signature import (
    BadSecret,
    WebhookSecret,
    new_secret,
    signature,
    signed_headers,
    signing_key,
)


def test_a_library_of_the_standard_verifies_what_we_sign() -> None:
    """Ours against the reference implementation; its clock is the real one, so ours must be too."""
    secret = new_secret()
    body = json.dumps({"type": "email.bounced"}).encode()

    headers = signed_headers([signing_key(secret)], message_id="msg_1", body=body, now=datetime.now(UTC))

    assert Webhook(secret).verify(body, headers) == {"type": "email.bounced"}


@pytest.mark.parametrize("which", ["new", "old"])
def test_during_a_rotation_the_old_and_the_new_secret_both_verify(which: str) -> None:
    """A receiver that has not yet taken the new secret must not lose a message."""
    secrets = {"new": new_secret(), "old": new_secret()}

    headers = signed_headers(
        [signing_key(secrets["new"]), signing_key(secrets["old"])],
        message_id="msg_1",
        body=b"{}",
        now=datetime.now(UTC),
    )

    assert Webhook(secrets[which]).verify(b"{}", headers) == {}


def test_the_signature_is_the_specifications_own_example() -> None:
    """The vector that the specification's libraries share."""
    key = signing_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")

    assert (
        signature(key, webhook_id="msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp=1614265330, body=b'{"test": 2432232314}')
        == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    )


def test_a_secret_is_32_random_bytes_in_padded_base64_behind_its_prefix() -> None:
    """Padded: several libraries refuse anything else."""
    first, second = new_secret(), new_secret()

    assert first.startswith("whsec_")
    assert len(signing_key(first)) == 32
    assert first != second


@pytest.mark.parametrize("secret", ["whsec_", "whsec_c2hvcnQ=", "not base64!", "whsec_é", "whsec_" + "A" * 100])
def test_what_is_no_secret_is_refused_without_being_told(secret: str) -> None:
    """Too short, too long, not base64, not ASCII."""
    with pytest.raises(BadSecret) as refusal:
        signing_key(secret)
    assert secret == "whsec_" or secret not in str(refusal.value)


def test_a_secret_never_shows_in_a_repr() -> None:
    """A repr ends up in logs and tracebacks."""
    shown = repr(WebhookSecret(secret="whsec_x", userinfo="joe:pw"))

    assert "whsec_x" not in shown
    assert "joe" not in shown


@pytest.mark.parametrize(("length", "allowed"), [(23, False), (24, True), (64, True), (65, False)])
def test_a_secret_has_24_to_64_bytes(length: int, allowed: bool) -> None:
    """As the specification says; with its prefix or without."""
    written = base64.b64encode(b"k" * length).decode()
    for secret in (written, "whsec_" + written):
        if allowed:
            assert signing_key(secret) == b"k" * length
        else:
            with pytest.raises(BadSecret, match="24 to 64 bytes"):
                signing_key(secret)


def test_a_character_that_is_not_base64_is_not_skipped() -> None:
    """Libraries differ on what they would make of it."""
    with pytest.raises(BadSecret, match="base64"):
        signing_key("whsec_" + "A" * 31 + "\n" + "A" * 9)
