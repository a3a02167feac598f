"""SES's own rates of configuration sets, from CloudWatch: the rates by which AWS evaluates the account."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING

from lambdas.domain.reputation.ses_rates import SesRates
from lambdas.domain.tenants.aws_names import configuration_set

if TYPE_CHECKING:
    from types_boto3_cloudwatch import CloudWatchClient
    from types_boto3_cloudwatch.type_defs import MetricDataQueryTypeDef, MetricStatTypeDef, MetricTypeDef

_NAMES = ("Reputation.BounceRate", "Reputation.ComplaintRate")
_INSTANCES = 250  # a call: two metrics each, of the 500 that GetMetricData takes
_LOOK_BACK = timedelta(days=1)
_PERIOD = 3600  # s: SES publishes them about hourly


class SesRateMetrics:
    """Reads the latest rates."""

    def __init__(self, client: "CloudWatchClient") -> None:
        self._client = client

    def latest(self, instance_ids: Iterable[str], *, now: datetime) -> dict[str, SesRates]:
        """The latest rates by instance."""
        remaining = iter(instance_ids)
        rates: dict[str, SesRates] = {}
        while chunk := list(islice(remaining, _INSTANCES)):
            rates |= self._read(chunk, now)
        return rates

    def _read(self, instance_ids: Sequence[str], now: datetime) -> dict[str, SesRates]:
        pages = self._client.get_paginator("get_metric_data").paginate(
            MetricDataQueries=list(_queries(instance_ids)),
            StartTime=now - _LOOK_BACK,
            EndTime=now,
            ScanBy="TimestampDescending",
        )
        found: dict[str, float] = {}
        for page in pages:
            for result in page["MetricDataResults"]:
                for value in result["Values"][:1]:
                    found.setdefault(result["Id"], value)
        return {
            instance_id: SesRates(bounce_rate=found.get(f"m{number}_0"), complaint_rate=found.get(f"m{number}_1"))
            for number, instance_id in enumerate(instance_ids)
        }


def _queries(instance_ids: Sequence[str]) -> "Iterator[MetricDataQueryTypeDef]":
    for number, instance_id in enumerate(instance_ids):
        for kind, name in enumerate(_NAMES):
            metric: MetricTypeDef = {
                "Namespace": "AWS/SES",
                "MetricName": name,
                "Dimensions": [{"Name": "ses:configuration-set", "Value": configuration_set(instance_id)}],
            }
            statistic: MetricStatTypeDef = {"Metric": metric, "Period": _PERIOD, "Stat": "Maximum"}
            yield {"Id": f"m{number}_{kind}", "MetricStat": statistic}
