"""The queue of the portal's replays: one message per step."""

from typing import TYPE_CHECKING

import msgspec

from lambdas.aws.sqs.versioned_json import VersionedJson

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient


class ReplayStep(msgspec.Struct, frozen=True, kw_only=True):
    """The replay to continue. `replay_id` distinguishes it from a later one of the same webhook."""

    instance_id: str
    webhook_id: str
    replay_id: str


_messages = VersionedJson(ReplayStep)


class ReplayQueue:
    """Sends steps."""

    def __init__(self, client: "SQSClient", url: str) -> None:
        self._client = client
        self._url = url

    def send(self, instance_id: str, webhook_id: str, replay_id: str) -> None:
        """Queue the next step of a replay."""
        step = ReplayStep(instance_id=instance_id, webhook_id=webhook_id, replay_id=replay_id)
        self._client.send_message(QueueUrl=self._url, MessageBody=_messages.encode(step))


def decode(body: str) -> ReplayStep:
    """The step in a message body. Raises NewerSchema, and msgspec.DecodeError if it is malformed."""
    return _messages.decode(body)
