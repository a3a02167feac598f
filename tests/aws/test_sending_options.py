"""SES's switch and rates, and mail by SNS."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import ANY, Stubber
from moto import mock_aws

from lambdas.aws.ses.reputation_metrics import SesRateMetrics
from lambdas.aws.ses.sending_options import SendingOptions
from lambdas.aws.sns.notifier import Notifier
from lambdas.domain.reputation.ses_rates import SesRates
from lambdas.domain.tenants.aws_names import configuration_set

NOW = datetime(2026, 11, 21, 5, 30, tzinfo=UTC)
KEYS = {"region_name": "us-east-1", "aws_access_key_id": "x", "aws_secret_access_key": "x"}


@pytest.fixture
def aws() -> Iterator[None]:
    """AWS in memory."""
    with mock_aws():
        yield


def sending(method: str, *, error: str | None = None, answer: dict[str, object] | None = None) -> SendingOptions:
    """A switch whose one call is answered so."""
    client = boto3.client("sesv2", **KEYS)  # type: ignore[call-overload]
    stubber = Stubber(client)
    if error:
        stubber.add_client_error(method, error)
    else:
        stubber.add_response(method, answer or {}, None)
    stubber.activate()
    return SendingOptions(client)


def test_the_switch_is_the_sending_option_of_the_instances_set() -> None:
    """Nothing else is touched."""
    client = boto3.client("sesv2", **KEYS)  # type: ignore[call-overload]
    with Stubber(client) as stubber:
        stubber.add_response(
            "put_configuration_set_sending_options",
            {},
            {"ConfigurationSetName": "ses-feedback-i1", "SendingEnabled": False},
        )
        assert SendingOptions(client).set("i1", enabled=False)


@pytest.mark.parametrize(
    ("answer", "enabled"),
    [
        ({"SendingOptions": {"SendingEnabled": False}}, False),
        ({"SendingOptions": {"SendingEnabled": True}}, True),
        ({}, True),
    ],
)
def test_the_switch_can_be_read(answer: dict[str, object], enabled: bool) -> None:
    """SES sends unless the options say otherwise."""
    assert sending("get_configuration_set", answer=answer).enabled("i1") is enabled


def test_a_set_that_is_gone_has_no_switch() -> None:
    """Its instance was deprovisioned."""
    assert not sending("put_configuration_set_sending_options", error="NotFoundException").set("i1", enabled=False)
    assert sending("get_configuration_set", error="NotFoundException").enabled("i1") is None


def test_another_fault_of_ses_is_raised() -> None:
    """It is tried again."""
    with pytest.raises(ClientError):
        sending("put_configuration_set_sending_options", error="BadRequestException").set("i1", enabled=False)
    with pytest.raises(ClientError):
        sending("get_configuration_set", error="BadRequestException").enabled("i1")


@pytest.mark.usefixtures("aws")
def test_rates_are_the_latest_of_each_set() -> None:
    """Hours old ones do not count, nor do other sets'."""
    cloudwatch = boto3.client("cloudwatch", **KEYS)  # type: ignore[call-overload]
    for name, value, age in [("BounceRate", 0.09, 5), ("BounceRate", 0.03, 1), ("ComplaintRate", 0.001, 30)]:
        cloudwatch.put_metric_data(
            Namespace="AWS/SES",
            MetricData=[
                {
                    "MetricName": f"Reputation.{name}",
                    "Dimensions": [{"Name": "ses:configuration-set", "Value": configuration_set("i1")}],
                    "Timestamp": NOW - timedelta(hours=age),
                    "Value": value,
                }
            ],
        )
    assert SesRateMetrics(cloudwatch).latest(["i1", "i2"], now=NOW) == {
        "i1": SesRates(bounce_rate=0.03, complaint_rate=None),
        "i2": SesRates(bounce_rate=None, complaint_rate=None),
    }


@pytest.mark.usefixtures("aws")
def test_an_alert_goes_to_its_topic() -> None:
    """Its subject in ASCII and short, as SNS wants it."""
    sns = boto3.client("sns", **KEYS)  # type: ignore[call-overload]
    topic = sns.create_topic(Name="t")["TopicArn"]
    assert _notifier(sns).notify(topic, subject="é" * 200, text="x")
    assert not _notifier(sns).notify(topic + "-gone", subject="s", text="x")


def test_another_fault_of_sns_is_raised() -> None:
    """It is tried again."""
    client = boto3.client("sns", **KEYS)  # type: ignore[call-overload]
    with Stubber(client) as stubber:
        stubber.add_client_error(
            "publish", "InternalError", expected_params={"TopicArn": ANY, "Subject": ANY, "Message": ANY}
        )
        with pytest.raises(ClientError):
            _notifier(client).notify("arn:aws:sns:us-east-1:111122223333:t", subject="s", text="x")


def _notifier(client: Any) -> Notifier:
    return Notifier(client, partition="aws", region="us-east-1", account="123456789012")
