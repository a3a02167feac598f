"""Webhook secrets at rest."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from lambdas.aws.kms.encryption import DecryptionFailed
from lambdas.aws.kms.webhook_secrets import SecretDecrypter, decrypt, encrypt, encryption_context
from lambdas.domain.webhooks.signature import WebhookSecret, new_secret
from lambdas.domain.webhooks.webhook import WebhookId

if TYPE_CHECKING:
    from types_boto3_kms import KMSClient

WEBHOOK = WebhookId("w1")
SECRET = WebhookSecret(secret=new_secret(), userinfo="joe:pass:word")


@pytest.fixture
def kms() -> Iterator["KMSClient"]:
    """A KMS that answers in memory."""
    with mock_aws():
        yield boto3.client("kms", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")


@pytest.fixture
def key_id(kms: "KMSClient") -> str:
    """The stack's key."""
    return kms.create_key()["KeyMetadata"]["KeyId"]


def test_a_encrypted_secret_comes_back_whole(kms: "KMSClient", key_id: str) -> None:
    """Userinfo may hold colons, or be missing."""
    assert decrypt(kms, WEBHOOK, encrypt(kms, key_id, WEBHOOK, SECRET)) == SECRET


def test_a_ciphertext_copied_to_another_webhook_is_not_read(kms: "KMSClient", key_id: str) -> None:
    """The encryption context binds it."""
    ciphertext = encrypt(kms, key_id, WEBHOOK, SECRET)

    with pytest.raises(DecryptionFailed):
        decrypt(kms, WebhookId("w2"), ciphertext)


def test_a_plaintext_of_another_form_cannot_be_decrypted(kms: "KMSClient", key_id: str) -> None:
    """Not a crash that would block its neighbours, and the error does not contain the plaintext."""
    ciphertext = kms.encrypt(KeyId=key_id, Plaintext=b"hello", EncryptionContext=encryption_context(WEBHOOK))

    with pytest.raises(DecryptionFailed) as broken:
        decrypt(kms, WEBHOOK, ciphertext["CiphertextBlob"])
    assert "hello" not in str(broken.value)


def test_kms_is_asked_once_for_a_ciphertext(kms: "KMSClient", key_id: str) -> None:
    """Once per process and secret: after the key is gone the secret is still known."""
    ciphertext = encrypt(kms, key_id, WEBHOOK, SECRET)
    decrypter = SecretDecrypter(kms)
    decrypter(WEBHOOK, ciphertext)
    kms.disable_key(KeyId=key_id)

    assert decrypter(WEBHOOK, ciphertext) == SECRET


def test_the_cache_is_bounded_and_forgets_the_least_used(kms: "KMSClient", key_id: str) -> None:
    """A process that meets every tenant must not grow with them."""
    first, second, third = (encrypt(kms, key_id, WEBHOOK, SECRET) for _ in range(3))
    decrypter = SecretDecrypter(kms, size=2)
    for ciphertext in (first, second, first, third):
        decrypter(WEBHOOK, ciphertext)

    assert {ciphertext for _, ciphertext in decrypter._cache} == {first, third}


def test_many_secrets_are_decrypted_together_before_they_are_needed(kms: "KMSClient", key_id: str) -> None:
    """Each once; those that are known already are not asked for again."""
    together: list[int] = []

    def run(function: Any, values: Any) -> Any:
        together.append(len(values))
        return map(function, values)

    secrets = [(WebhookId(f"w{number}"), encrypt(kms, key_id, WebhookId(f"w{number}"), SECRET)) for number in range(3)]
    decrypter = SecretDecrypter(kms, run=run)
    decrypter.ahead(secrets[:2])
    decrypter.ahead([*secrets, *secrets])
    kms.disable_key(KeyId=key_id)

    assert together == [2, 1]
    assert [decrypter(*one) for one in secrets] == [SECRET] * 3


def test_a_secret_that_cannot_be_decrypted_ahead_is_the_fault_of_its_webhook_alone(
    kms: "KMSClient", key_id: str
) -> None:
    """Its own deliveries fail when they ask; the others' secrets are there."""
    good, bad = (WEBHOOK, encrypt(kms, key_id, WEBHOOK, SECRET)), (WebhookId("w2"), b"no ciphertext")
    decrypter = SecretDecrypter(kms)
    decrypter.ahead([bad, good])
    kms.disable_key(KeyId=key_id)

    assert decrypter(*good) == SECRET
    with pytest.raises((DecryptionFailed, ClientError)):
        decrypter(*bad)
