"""The doctor as a person types it, on the embedded AWS without a stack."""

import json

import pytest
from typer.testing import CliRunner

from local.process import Server
from ops.__main__ import app
from ops.doctor.account import Account
from ops.doctor.findings import Level
from ops.doctor.zone import _changeable
from tests.local.conftest import REGION, server

__all__ = ["server"]  # a fixture


@pytest.fixture
def environment(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials, region and endpoint of the embedded AWS."""
    variables = {
        "AWS_ENDPOINT_URL": server.url,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("environment")
def test_before_a_deployment_it_says_what_is_missing_and_ends_with_1() -> None:
    """The embedded AWS is not bootstrapped here."""
    result = CliRunner().invoke(app, ["doctor", "--before-deploy", "-c", "zone_name=", "-c", "zone_id="])
    lines = result.stdout.splitlines()
    assert result.exit_code == 1
    assert "problem  bootstrap: the CDK has not prepared this account and region" in lines
    assert "         -> run `cdk bootstrap`" in lines
    assert "ok       zone: no zone: tenants bring their own domains" in lines
    assert lines[-1].startswith("1 problem(s), ")


@pytest.mark.usefixtures("environment")
def test_as_json_every_finding_has_the_same_four_fields() -> None:
    """For scripts."""
    result = CliRunner().invoke(app, ["doctor", "--before-deploy", "--json"])
    findings = json.loads(result.stdout)
    assert result.exit_code == 1
    assert {tuple(finding) for finding in findings} == {("check", "level", "text", "remedy")}
    assert {finding["level"] for finding in findings} <= {"ok", "warning", "problem"}


@pytest.mark.usefixtures("environment")
def test_without_a_stack_it_says_so() -> None:
    """And how to name one, by the error of CloudFormation."""
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 1
    assert "stack ses-feedback in us-east-1" in result.stderr


def test_a_context_key_without_a_value_is_a_usage_error() -> None:
    """Exit status 2."""
    result = CliRunner().invoke(app, ["doctor", "--before-deploy", "-c", "zone_name"])
    assert result.exit_code == 2
    assert "give a context key as key=value" in result.stderr


@pytest.mark.usefixtures("environment")
def test_the_change_that_tests_a_zones_credentials_changes_nothing() -> None:
    """Route 53 itself refuses to delete what is not there."""
    route53 = Account().client("route53")
    zone_id = route53.create_hosted_zone(Name="apps.agency.gov", CallerReference="c")["HostedZone"]["Id"]
    before = route53.list_resource_record_sets(HostedZoneId=zone_id)["ResourceRecordSets"]
    assert _changeable(route53, "apps.agency.gov", zone_id).level is Level.OK
    assert route53.list_resource_record_sets(HostedZoneId=zone_id)["ResourceRecordSets"] == before
    route53.delete_hosted_zone(Id=zone_id)
