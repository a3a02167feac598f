"""What AWS GovCloud (US) lacks, held against the template: a deployment there must not fail where others succeed."""

import inspect
from collections.abc import Mapping
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.session import Session

from infra.bundle import ROOT
from infra.sources import services
from lambdas.aws import clients
from tests.infra.synthesis import REGIONS, Synthesis, synthesise

pytestmark = pytest.mark.xdist_group("infra")

_LAMBDA = "https://docs.aws.amazon.com/govcloud-us/latest/UserGuide/govcloud-lambda.html"
_MISSING_TYPES = {
    "AWS::Lambda::Url": _LAMBDA,
    "AWS::Lambda::CodeSigningConfig": _LAMBDA,
    "AWS::Route53::HostedZone": "private zones only",
    "AWS::CloudFront::Distribution": "https://docs.aws.amazon.com/govcloud-us/latest/UserGuide/using-services.html",
    "AWS::SES::MailManagerIngressPoint": "https://docs.aws.amazon.com/govcloud-us/latest/UserGuide/govcloud-ses.html",
}
_MISSING_PROPERTIES = {
    "AWS::Lambda::Function": {
        "LoggingConfig.LogFormat": _LAMBDA,
        "LoggingConfig.ApplicationLogLevel": "belongs to the JSON format",
        "LoggingConfig.SystemLogLevel": "belongs to the JSON format",
        "SnapStart": _LAMBDA,
        "Code.SourceKMSKeyArn": _LAMBDA,
        "RecursiveLoop": "not documented for GovCloud; lambdas/aws/clients.py needs none",
    },
    "AWS::Lambda::EventSourceMapping": {"Tags": _LAMBDA},
    "AWS::Logs::LogGroup": {"LogGroupClass": "https://github.com/hashicorp/terraform-provider-aws/issues/34810"},
}


@pytest.fixture(
    scope="module", params=[{}, {"delivery_subnet_ids": "subnet-0123456a", "privatelink_vpc_id": "vpc-0123456a"}]
)
def template(request: pytest.FixtureRequest) -> Synthesis:
    """The template with and without its optional parts."""
    keys = dict(request.param)
    if "delivery_subnet_ids" in keys:
        keys["delivery_security_group_ids"] = "sg-0123456a"
    return synthesise("us-gov-west-1", **keys)


def test_the_template_has_no_resource_that_govcloud_does_not_know(template: Synthesis) -> None:
    """Each type with where AWS says so."""
    used = {resource["Type"] for resource in template.template["Resources"].values()}
    assert used & set(_MISSING_TYPES) == set()


def test_the_template_sets_no_property_that_govcloud_refuses(template: Synthesis) -> None:
    """JSON log format above all: CloudFormation fails the function, and with it the stack."""
    found = [
        (name, path)
        for kind, paths in _MISSING_PROPERTIES.items()
        for name, resource in template.resources(kind).items()
        for path in paths
        if _at(resource["Properties"], path) is not None
    ]
    assert found == []


def _at(properties: Mapping[str, Any], path: str) -> Any:
    value: Any = properties
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def test_our_calls_go_to_fips_endpoints_in_govcloud(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every service that a function calls, in both regions, by hosts that botocore knows as FIPS endpoints."""
    for region in ("us-gov-west-1", "us-gov-east-1"):
        hosts = _hosts(monkeypatch, region, "auto")
        assert hosts["kms"] == f"https://kms-fips.{region}.amazonaws.com"
        assert hosts["secretsmanager"] == f"https://secretsmanager-fips.{region}.amazonaws.com"
        assert hosts["sesv2"] == f"https://email-fips.{region}.amazonaws.com"
        assert hosts["sqs"] == f"https://sqs.{region}.amazonaws.com", "FIPS in itself"
        assert all(".amazonaws.com" in host and "us-gov" in host for host in hosts.values())


@pytest.mark.parametrize(
    ("region", "choice", "host"),
    [
        ("us-east-1", "auto", "sqs.us-east-1"),
        ("us-east-1", "on", "sqs-fips.us-east-1"),
        ("us-gov-west-1", "off", "sqs.us-gov-west-1"),
        ("eu-central-1", "on", "sqs.eu-central-1"),  # there is no such host there
    ],
)
def test_the_choice_and_the_region_decide_at_run_time(
    monkeypatch: pytest.MonkeyPatch, region: str, choice: str, host: str
) -> None:
    """One template for all; `on` means where there is one."""
    assert _hosts(monkeypatch, region, choice)["sqs"] == f"https://{host}.amazonaws.com"


def test_a_process_that_was_told_nothing_leaves_it_to_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Operators' commands: AWS_USE_FIPS_ENDPOINT works as for any AWS tool."""
    monkeypatch.setenv("AWS_USE_FIPS_ENDPOINT", "true")
    assert _hosts(monkeypatch, "us-east-1", None)["sqs"] == "https://sqs-fips.us-east-1.amazonaws.com"


def _hosts(monkeypatch: pytest.MonkeyPatch, region: str, choice: str | None) -> dict[str, str]:
    """The endpoint of each service that any function calls, as a function in *region* would make its clients."""
    for name, value in {"AWS_REGION": region, "AWS_DEFAULT_REGION": region, "FIPS": choice}.items():
        monkeypatch.setenv(name, value) if value is not None else monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    made: Session = inspect.unwrap(clients.session)()
    called = services({str(path): path for path in sorted((ROOT / "lambdas").rglob("*.py"))})
    return {
        name: made.create_client(name, aws_access_key_id="x", aws_secret_access_key="x").meta.endpoint_url
        for name in sorted(called)
    }


def test_lambda_does_not_count_our_retries_as_a_runaway_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """The trace header that botocore passes on would have Lambda stop a chain of retries at the 16th invocation."""
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "delivery")
    monkeypatch.setenv("_X_AMZN_TRACE_ID", "Root=1-5759e988-bd862e3fe1be46a994272793;Lineage=a:1|b:15")
    made: Session = inspect.unwrap(clients.session)()
    sqs: Any = made.create_client("sqs", region_name=REGIONS[0], aws_access_key_id="x", aws_secret_access_key="x")
    sent: list[Mapping[str, Any]] = []

    def answer(params: Mapping[str, Any], **_: object) -> tuple[AWSResponse, dict[str, Any]]:
        sent.append(params)
        return AWSResponse("", 200, HTTPHeaders(), None), {}

    sqs.meta.events.register_last("before-call", answer)
    sqs.list_queues()
    (request,) = sent
    assert "X-Amzn-Trace-Id" not in request["headers"]
