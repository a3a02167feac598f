"""Notifications through SNS e-mail: they arrive while SES sending is paused, and cause no SES feedback."""

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from lambdas.aws.errors import code

if TYPE_CHECKING:
    from types_boto3_sns import SNSClient

_MAX_SUBJECT = 99  # characters; SNS takes fewer than 100, ASCII, on one line
_GONE = frozenset({"NotFound", "NotFoundException"})


class Notifier:
    """Publishes to SNS topics of this account and region."""

    def __init__(self, client: "SNSClient", *, partition: str, region: str, account: str) -> None:
        self._client = client
        self._prefix = f"arn:{partition}:sns:{region}:{account}:"

    def notify(self, topic: str, *, subject: str, text: str) -> bool:
        """Publish to *topic*, a name or an ARN. Returns False if the topic does not exist."""
        arn = topic if topic.startswith("arn:") else self._prefix + topic
        try:
            self._client.publish(TopicArn=arn, Subject=_line(subject), Message=text)
        except ClientError as error:
            if code(error) not in _GONE:
                raise
            return False
        return True

    def has_confirmed_subscription(self, topic_arn: str) -> bool:
        """Whether the topic has a confirmed subscription. SNS drops messages to a topic without one."""
        try:
            attributes = self._client.get_topic_attributes(TopicArn=topic_arn)["Attributes"]
        except ClientError as error:
            if code(error) not in _GONE:
                raise
            return False
        return int(attributes.get("SubscriptionsConfirmed", "0")) > 0


def _line(subject: str) -> str:
    """*subject* in SNS's form: printable ASCII on one line, cut with an ellipsis."""
    plain = "".join(character if " " <= character <= "~" else "?" for character in " ".join(subject.split()))
    return plain if len(plain) <= _MAX_SUBJECT else plain[: _MAX_SUBJECT - 3] + "..."
