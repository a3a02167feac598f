"""E-mail to people by SNS: what is published, and what became of a topic that is gone."""

from collections.abc import Callable
from typing import Any
from unittest.mock import Mock

import boto3
import pytest
from botocore.exceptions import ClientError

from lambdas.aws.sns.notifier import Notifier

ARN = "arn:aws-us-gov:sns:us-gov-west-1:123456789012:topic"


def client(*, error: str = "", confirmed: str | None = "1") -> Any:
    """SNS that answers so, or refuses with the error code."""
    sns: Any = boto3.client("sns", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    made: Any = Mock(exceptions=sns.exceptions)
    attributes = {} if confirmed is None else {"SubscriptionsConfirmed": confirmed}
    made.get_topic_attributes.return_value = {"Attributes": attributes}
    if error:
        refusal = made.exceptions.from_code(error)({"Error": {"Code": error, "Message": "no"}}, "Publish")
        made.publish.side_effect = made.get_topic_attributes.side_effect = refusal
    return made


def notifier(sns: Any) -> Notifier:
    """For GovCloud."""
    return Notifier(sns, partition="aws-us-gov", region="us-gov-west-1", account="123456789012")


@pytest.mark.parametrize("topic", ["topic", ARN])
def test_a_topic_is_named_or_given_by_its_arn(topic: str) -> None:
    """Of this partition, region and account."""
    sns = client()
    assert notifier(sns).notify(topic, subject="Paused", text="i1 is paused")
    sns.publish.assert_called_once_with(TopicArn=ARN, Subject="Paused", Message="i1 is paused")


def test_a_topic_that_is_gone_is_not_published_to() -> None:
    """Its instance is gone too: nobody is to be told."""
    assert not notifier(client(error="NotFound")).notify("topic", subject="s", text="t")
    assert not notifier(client(error="NotFound")).has_confirmed_subscription(ARN)


@pytest.mark.parametrize("error", ["Throttled", "AuthorizationError", "KMSAccessDenied"])
def test_every_other_refusal_is_told(error: str) -> None:
    """The notification is tried again, or the operator hears of it."""
    calls: tuple[Callable[[Any], object], ...] = (
        lambda sns: notifier(sns).notify("topic", subject="s", text="t"),
        lambda sns: notifier(sns).has_confirmed_subscription(ARN),
    )
    for call in calls:
        with pytest.raises(ClientError):
            call(client(error=error))


@pytest.mark.parametrize(("confirmed", "heard"), [("1", True), ("0", False), (None, False)])
def test_a_topic_is_heard_once_somebody_confirmed(confirmed: str | None, heard: bool) -> None:
    """Until then SNS drops what is published."""
    assert notifier(client(confirmed=confirmed)).has_confirmed_subscription(ARN) is heard


@pytest.mark.parametrize(
    ("subject", "sent"),
    [
        ("a" * 99, "a" * 99),
        ("a" * 100, "a" * 96 + "..."),
        ("Pausiert: Bürger\n~ ", "Pausiert: B?rger ~"),
        ("ü" + "a" * 200, "?" + "a" * 95 + "..."),
        ("é" * 3, "???"),
    ],
)
def test_a_subject_is_what_sns_takes(subject: str, sent: str) -> None:
    """Fewer than 100 characters of ASCII on one line; SNS refuses the mail otherwise."""
    sns = client()
    notifier(sns).notify("topic", subject=subject, text="t")
    assert sns.publish.call_args.kwargs["Subject"] == sent
