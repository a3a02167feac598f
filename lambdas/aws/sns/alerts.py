"""Alerts by SNS e-mail: they arrive when SES is paused, too."""

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from lambdas.aws.errors import code

if TYPE_CHECKING:
    from types_boto3_sns import SNSClient

_SUBJECT = 99  # characters: SNS takes fewer than 100, of ASCII
_GONE = frozenset({"NotFound", "NotFoundException"})


class Alerts:
    """Publishes to topics that people are subscribed to."""

    def __init__(self, client: "SNSClient") -> None:
        self._client = client

    def publish(self, topic_arn: str, *, subject: str, text: str) -> bool:
        """Tell who is subscribed; False when the topic is gone."""
        try:
            self._client.publish(
                TopicArn=topic_arn, Subject=subject.encode("ascii", "replace").decode()[:_SUBJECT], Message=text
            )
        except ClientError as error:
            if code(error) not in _GONE:
                raise
            return False
        return True
