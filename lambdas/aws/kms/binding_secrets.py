"""A binding's secrets at rest, as KMS ciphertext."""

from typing import TYPE_CHECKING

import msgspec

from lambdas.aws.kms.encryption import decrypt_json, encrypt_json
from lambdas.domain.tenants.instance import BindingSecret

if TYPE_CHECKING:
    from types_boto3_kms import KMSClient

PURPOSE = "binding-credentials"
_decoder = msgspec.json.Decoder(BindingSecret)


def encryption_context(binding_id: str) -> dict[str, str]:
    """The encryption context of a binding's secrets."""
    return {"purpose": PURPOSE, "binding_id": binding_id}


class BindingSecretEncryption:
    """Encrypts and decrypts bindings' secrets with the stack's key."""

    def __init__(self, client: "KMSClient", key_arn: str) -> None:
        self._client = client
        self._key_arn = key_arn

    def encrypt(self, binding_id: str, secret: BindingSecret) -> bytes:
        """The ciphertext of *secret*. Each call returns a different one."""
        return encrypt_json(self._client, self._key_arn, encryption_context(binding_id), secret)

    def decrypt(self, binding_id: str, ciphertext: bytes) -> BindingSecret:
        """Decrypt what was encrypted for this binding. Raises DecryptionFailed for any other ciphertext."""
        return decrypt_json(self._client, encryption_context(binding_id), ciphertext, _decoder)
