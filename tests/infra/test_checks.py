"""cdk-nag and cfn-lint over the template, for a commercial region and for GovCloud."""

from pathlib import Path

import pytest

from tests.infra.snapshots import VARIANTS
from tests.infra.synthesis import REGIONS, synthesise

pytestmark = pytest.mark.xdist_group("infra")

_NOT_OURS = {"W3005"}  # the CDK writes DependsOn for a role beside the reference to it


@pytest.mark.parametrize("region", REGIONS)
def test_cdk_nag_finds_nothing_that_is_not_accepted_with_a_reason(region: str) -> None:
    """AwsSolutions, Serverless and NIST 800-53 rev 5; a reason is a sentence, not a word."""
    packs = {pack["pluginName"]: pack for pack in synthesise(region).report["pluginReports"]}
    assert set(packs) >= {"AwsSolutions", "Serverless", "NIST.800.53.R5"}
    for pack in packs.values():
        open_findings = [(found["ruleName"], found["violatingConstructs"]) for found in pack.get("violations", [])]
        assert open_findings == []
        for accepted in pack.get("suppressedViolations", []):
            assert len(accepted["reason"]) > 20, accepted["ruleName"]


@pytest.mark.parametrize("region", REGIONS)
def test_every_optional_capability_passes_the_checks_too(region: str) -> None:
    """A VPC for delivery, endpoints for privatelink and a zone widen the roles: their wildcards are accepted too."""
    synthesis = synthesise(region, **VARIANTS["zone-and-private-networks"].keys)
    findings = [found["ruleName"] for pack in synthesis.report["pluginReports"] for found in pack.get("violations", [])]
    assert findings == []


@pytest.mark.parametrize("region", REGIONS)
def test_cfn_lint_finds_nothing(region: str) -> None:
    """Resource types, properties and their values as the region knows them."""
    from cfnlint.api import lint_file  # here: a second that collecting tests need not wait for
    from cfnlint.config import ManualArgs

    path: Path = synthesise(region).path
    matches = lint_file(path, config=ManualArgs(regions=[region], ignore_checks=[]))
    assert [str(match) for match in matches if match.rule.id not in _NOT_OURS] == []
