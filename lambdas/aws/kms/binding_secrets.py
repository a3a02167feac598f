"""What a binding keeps secret, at rest: KMS ciphertext, bound to the binding and its purpose."""

from typing import TYPE_CHECKING

import msgspec

from lambdas.domain.tenants.instance import BindingSecret

if TYPE_CHECKING:
    from types_boto3_kms import KMSClient

PURPOSE = "binding-credentials"
_decoder = msgspec.json.Decoder(BindingSecret)


def encryption_context(binding_id: str) -> dict[str, str]:
    """The encryption context of a binding's secrets: key policies go by the purpose."""
    return {"purpose": PURPOSE, "binding_id": binding_id}


class BindingSecretEncryption:
    """Seals and opens bindings' secrets with the stack's key."""

    def __init__(self, client: "KMSClient", key_arn: str) -> None:
        self._client = client
        self._key_arn = key_arn

    def encrypt(self, binding_id: str, secret: BindingSecret) -> bytes:
        """The ciphertext of *secret*; another one each time."""
        answer = self._client.encrypt(
            KeyId=self._key_arn,
            Plaintext=msgspec.json.encode(secret),
            EncryptionContext=encryption_context(binding_id),
        )
        return answer["CiphertextBlob"]

    def decrypt(self, binding_id: str, ciphertext: bytes) -> BindingSecret:
        """What `seal` was given for this binding. Raises ClientError for any other ciphertext."""
        answer = self._client.decrypt(
            CiphertextBlob=ciphertext, KeyId=self._key_arn, EncryptionContext=encryption_context(binding_id)
        )
        return _decoder.decode(answer["Plaintext"])
