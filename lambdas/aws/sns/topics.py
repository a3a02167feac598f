"""SNS topics for e-mail notifications: an instance's alerts, a binding's digests. Encrypted with the stack's key."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from lambdas.aws.errors import code, ignoring
from lambdas.aws.tags import owner_in, owner_of
from lambdas.domain.errors import NotOurs

if TYPE_CHECKING:
    from types_boto3_sns import SNSClient
    from types_boto3_sns.type_defs import TagTypeDef

FOREIGN_TOPIC = (
    "an SNS topic named {name} exists in this account and does not belong to this service instance; ask the operator "
    "to delete it"
)
PENDING = "PendingConfirmation"
DELETED = "Deleted"  # SNS lists a subscription so for three days after it was removed
_GONE = ("NotFound", "NotFoundException", "ResourceNotFound", "ResourceNotFoundException")


class Topics:
    """Creates, subscribes and removes topics. *arn_prefix* is a topic's ARN without its name.

    *may_mail* says whether an address may get another confirmation mail from an organization, and counts it.
    """

    def __init__(
        self, client: "SNSClient", *, key_arn: str, arn_prefix: str, may_mail: Callable[[str, str], bool]
    ) -> None:
        self._client = client
        self._may_mail = may_mail
        self._key_arn = key_arn
        self._arn_prefix = arn_prefix

    def ensure(self, name: str, tags: Mapping[str, str]) -> str:
        """The ARN of topic *name*, created if it does not exist. Raises NotOurs.

        An existing topic is looked up first: SNS refuses to create a topic that exists with other tags, and a
        platform renames organizations.
        """
        arn = self._arn_prefix + name
        if (found := self._tags(arn)) is not None:
            if owner_in(found) != owner_of(tags):
                raise NotOurs(FOREIGN_TOPIC.format(name=name))
            return arn
        answer = self._client.create_topic(
            Name=name,
            Attributes={"KmsMasterKeyId": self._key_arn},
            Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
        )
        return answer["TopicArn"]

    def subscribe(self, topic_arn: str, email: str, *, organization: str) -> bool:
        """Subscribe *email* and no other; False if it or *organization* reached its limit of confirmation mails today:
        then nothing changes.

        The recipient confirms by a link; SNS sends a new one with each request.
        """
        subscriptions = self._subscriptions(topic_arn)
        wanted = any(endpoint == email and arn != DELETED for endpoint, arn in subscriptions)
        if not wanted and not self._may_mail(email, organization):
            return False
        for endpoint, arn in subscriptions:
            if endpoint != email and arn.startswith("arn:"):  # an unconfirmed one cannot be removed; it ends after 48 h
                with ignoring(*_GONE):
                    self._client.unsubscribe(SubscriptionArn=arn)
        if not wanted:
            self._client.subscribe(TopicArn=topic_arn, Protocol="email", Endpoint=email, ReturnSubscriptionArn=True)
        return True

    def ask_again(self, topic_arn: str, email: str) -> bool:
        """Have SNS send *email* another confirmation link, whether the last one has expired or not; False if the
        address reached its limit of confirmation mails today.

        SNS's Subscribe sends a link while a subscription is pending, too: it is what the console's "Request
        confirmation" calls. A confirmed address gets none, but it would count.
        """
        if not self._may_mail(email, ""):
            return False
        self._client.subscribe(TopicArn=topic_arn, Protocol="email", Endpoint=email, ReturnSubscriptionArn=True)
        return True

    def confirmed(self, topic_arn: str, email: str) -> bool:
        """Whether *email* has confirmed its subscription."""
        return any(endpoint == email and arn.startswith("arn:") for endpoint, arn in self._subscriptions(topic_arn))

    def remove(self, topic_arn: str, owner: str) -> None:
        """Delete the topic, if it is instance *owner*'s, and its subscriptions. Idempotent."""
        if owner_in(self._tags(topic_arn) or []) == owner:
            with ignoring(*_GONE):
                self._client.delete_topic(TopicArn=topic_arn)

    def _tags(self, arn: str) -> "list[TagTypeDef] | None":
        """The topic's tags; None if it does not exist."""
        try:
            return self._client.list_tags_for_resource(ResourceArn=arn)["Tags"]
        except ClientError as error:
            if code(error) not in _GONE:
                raise
            return None

    def _subscriptions(self, topic_arn: str) -> list[tuple[str, str]]:
        pages = self._client.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic_arn)
        return [(entry["Endpoint"], entry["SubscriptionArn"]) for page in pages for entry in page["Subscriptions"]]
