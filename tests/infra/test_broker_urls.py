"""Where the platform calls the broker: from everywhere by default, from named networks if the operator says so."""

import pytest

from infra.context import Context
from infra.rules import ContextError
from tests.infra.synthesis import REGIONS, synthesise

pytestmark = pytest.mark.xdist_group("infra")
PLATFORM = "203.0.113.0/24,198.51.100.7/32"


def test_without_networks_there_is_the_first_url_alone() -> None:
    """What was registered before stays as it was."""
    stack = synthesise()
    assert stack.resources("AWS::ApiGateway::RestApi") == {}
    assert stack.output("BrokerUrl") == stack.output("BrokerHttpUrl")


@pytest.mark.parametrize("region", REGIONS)
def test_named_networks_get_an_url_that_refuses_all_others_and_the_first_stays_valid(region: str) -> None:
    """A resource policy is evaluated before the throttle of the stage and before the function."""
    stack = synthesise(region, broker_allowed_cidrs=PLATFORM)
    [api] = stack.properties("AWS::ApiGateway::RestApi")
    [statement] = api["Policy"]["Statement"]
    assert statement["Effect"] == "Allow"
    assert statement["Action"] == "execute-api:Invoke"
    assert statement["Condition"] == {"IpAddress": {"aws:SourceIp": PLATFORM.split(",")}}
    assert stack.resources("AWS::ApiGateway::Account") == {}  # one for the whole account: not ours to set
    assert len(stack.resources("AWS::ApiGatewayV2::Api")) == len(synthesise(region).resources("AWS::ApiGatewayV2::Api"))
    assert stack.output("BrokerHttpUrl") == synthesise(region).output("BrokerHttpUrl")
    assert stack.output("BrokerUrl") != stack.output("BrokerHttpUrl")
    findings = [found["ruleName"] for pack in stack.report["pluginReports"] for found in pack.get("violations", [])]
    assert [rule for rule in findings if "APIG" in rule or "COG4" in rule] == []


def test_the_first_url_can_be_retired_once_the_platform_moved() -> None:
    """Never before: a stack without any URL would lock the platform out."""
    stack = synthesise(broker_allowed_cidrs=PLATFORM, broker_http_api="false")
    assert len(stack.resources("AWS::ApiGatewayV2::Api")) < len(synthesise().resources("AWS::ApiGatewayV2::Api"))
    assert len(stack.resources("AWS::ApiGateway::RestApi")) == 1
    with pytest.raises(ContextError, match="broker_allowed_cidrs"):
        Context.read({"broker_http_api": "false"})
