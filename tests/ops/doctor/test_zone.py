"""What the doctor says of the operator's DNS zone: rights on it, and whether the world finds it."""

from typing import Any

import dns.resolver
import pytest

from ops.doctor import zone
from ops.doctor.findings import Level, run
from tests.ops.doctor.fakes import Client, FakeAccount, refused


class Answer:
    """A name server of an NS record."""

    def __init__(self, target: str) -> None:
        self.target = target


@pytest.mark.parametrize(
    ("world", "level"),
    [
        (["ns-1.awsdns.example."], Level.OK),
        (["ns.elsewhere.example."], Level.PROBLEM),
        (dns.resolver.NXDOMAIN, Level.PROBLEM),
        (dns.resolver.NoNameservers, Level.WARNING),
    ],
)
def test_a_zone_that_the_world_does_not_find_is_a_problem(
    world: Any, level: Level, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The delegation is compared with the zone's own name servers."""

    def resolve(_name: str, _type: str, **_: Any) -> list[Answer]:
        if isinstance(world, type):
            raise world
        return [Answer(target) for target in world]

    monkeypatch.setattr("dns.resolver.resolve", resolve)
    hosted = {
        "HostedZone": {"Name": "apps.agency.gov."},
        "DelegationSet": {"NameServers": ["ns-1.awsdns.example"]},
    }
    variables = {"OPERATOR_ZONE": "apps.agency.gov", "OPERATOR_ZONE_ID": "Z1"}
    account = FakeAccount(answers={"route53": {"get_hosted_zone": hosted}}, variables=variables)
    (read, delegation) = run(zone.zone, account)
    assert read.level is Level.OK
    assert delegation.level is level


def test_a_zone_under_another_name_or_without_rights_is_a_problem() -> None:
    """Before anything is looked up."""
    variables = {"OPERATOR_ZONE": "apps.agency.gov", "OPERATOR_ZONE_ID": "Z1"}
    other = {"HostedZone": {"Name": "other.gov."}}
    for answer, level in (
        (other, Level.PROBLEM),
        (refused("NoSuchHostedZone"), Level.PROBLEM),
        (refused("AccessDenied"), Level.WARNING),
    ):
        account = FakeAccount(answers={"route53": {"get_hosted_zone": answer}}, variables=variables)
        assert [finding.level for finding in run(zone.zone, account)] == [level]


ZONE_SECRET = {
    "OPERATOR_ZONE": "apps.agency.gov",
    "OPERATOR_ZONE_ID": "Z1",
    "ZONE_CREDENTIALS_SECRET_ARN": "arn:secret",
}


@pytest.mark.parametrize(
    ("answer", "level"),
    [("InvalidChangeBatch", Level.OK), ("AccessDenied", Level.PROBLEM), ("InvalidClientTokenId", Level.PROBLEM)],
)
def test_the_credentials_of_a_zone_elsewhere_are_tried_with_a_change_that_route_53_refuses(
    answer: str, level: Level, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They need not be allowed to read the zone; then its delegation is not compared."""
    route53 = {
        "get_hosted_zone": refused("AccessDenied"),
        "change_resource_record_sets": refused(answer, "ChangeResourceRecordSets"),
    }
    monkeypatch.setattr("ops.doctor.zone.zone_client", lambda _secrets, _arn: Client(route53))
    account = FakeAccount(answers={"secretsmanager": {}}, variables=ZONE_SECRET)
    (read, rights) = run(zone.zone, account)
    assert (read.level, read.remedy) == (Level.WARNING, "allow route53:GetHostedZone on it")
    assert (rights.check, rights.level) == ("zone rights", level)


def test_a_secret_with_other_content_than_the_zones_credentials_is_a_problem() -> None:
    """Its content is named, never shown."""
    account = FakeAccount(
        answers={"secretsmanager": {"get_secret_value": {"SecretString": '{"user": "hidden"}'}}}, variables=ZONE_SECRET
    )
    (finding,) = run(zone.zone, account)
    assert finding.level is Level.PROBLEM
    assert "aws_access_key_id" in finding.text
    assert "hidden" not in finding.text
