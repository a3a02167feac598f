"""Tells people by SNS e-mail, never by SES: it must arrive when SES is paused, and not bounce into another report."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types_boto3_sns import SNSClient

_MAX_SUBJECT = 99  # characters; SNS wants fewer than 100, ASCII, on one line


class Notifier:
    """Publishes to topics of this account and region."""

    def __init__(self, client: "SNSClient", *, partition: str, region: str, account: str) -> None:
        self._client = client
        self._prefix = f"arn:{partition}:sns:{region}:{account}:"

    def notify(self, topic: str, *, subject: str, text: str) -> bool:
        """Publish to *topic*, a name or an ARN; False when there is no such topic (any more)."""
        arn = topic if topic.startswith("arn:") else self._prefix + topic
        try:
            self._client.publish(TopicArn=arn, Subject=_line(subject), Message=text)
        except self._client.exceptions.NotFoundException:
            return False
        return True

    def has_confirmed_subscription(self, topic_arn: str) -> bool:
        """Whether anyone confirmed a subscription: until then SNS would drop what is published."""
        try:
            attributes = self._client.get_topic_attributes(TopicArn=topic_arn)["Attributes"]
        except self._client.exceptions.NotFoundException:
            return False
        return int(attributes.get("SubscriptionsConfirmed", "0")) > 0


def _line(subject: str) -> str:
    plain = "".join(character for character in subject if " " <= character <= "~")
    return plain if len(plain) <= _MAX_SUBJECT else plain[: _MAX_SUBJECT - 3] + "..."
