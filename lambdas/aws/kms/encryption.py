"""Encrypts values with KMS. The encryption context binds a ciphertext to its purpose and its owner.

Because of the purpose, a key policy can allow a function the secrets of one purpose only. A ciphertext that is
copied to another item cannot be decrypted there. The context is not secret: CloudTrail records it.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeVar

import msgspec
from botocore.exceptions import ClientError

from lambdas.aws.errors import code

if TYPE_CHECKING:
    from types_boto3_kms import KMSClient

T = TypeVar("T")
_UNREADABLE = frozenset({"InvalidCiphertextException", "IncorrectKeyException"})


class DecryptionFailed(Exception):
    """The ciphertext belongs to another context, or holds something else. A retry cannot succeed."""


def encrypt_json(client: "KMSClient", key_arn: str, context: Mapping[str, str], value: object) -> bytes:
    """The ciphertext of *value* as JSON. Each call returns a different one. Raises ClientError."""
    answer = client.encrypt(KeyId=key_arn, Plaintext=msgspec.json.encode(value), EncryptionContext=context)
    return answer["CiphertextBlob"]


def decrypt_json(
    client: "KMSClient", context: Mapping[str, str], ciphertext: bytes, decoder: "msgspec.json.Decoder[T]"
) -> T:
    """What `encrypt_json` was given in this context. Raises DecryptionFailed, or ClientError if KMS is unavailable."""
    try:
        return decoder.decode(client.decrypt(CiphertextBlob=ciphertext, EncryptionContext=context)["Plaintext"])
    except msgspec.DecodeError:
        raise DecryptionFailed(f"{_named(context)} does not hold what it should") from None
    except ClientError as error:
        if code(error) in _UNREADABLE:
            raise DecryptionFailed(f"{_named(context)} cannot be decrypted") from None
        raise


def _named(context: Mapping[str, str]) -> str:
    return "the ciphertext of " + ", ".join(f"{name} {value}" for name, value in context.items())
