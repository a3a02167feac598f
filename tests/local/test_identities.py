"""Identities, configuration sets and keys answer as AWS does where the embedded AWS alone would not."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.clients import Clients
from tests.local.conftest import Tenant, new_name


def code_of(call: Callable[[], Any]) -> str:
    """The code of the error that *call* is answered with."""
    with pytest.raises(ClientError) as refused:
        call()
    code: str = refused.value.response["Error"]["Code"]
    return code


@pytest.fixture
def domain(aws: Clients) -> str:
    """An identity, just made, whose parent domain has a hosted zone."""
    zone = f"{new_name('zone')}.example.org"
    aws.client("route53").create_hosted_zone(Name=zone, CallerReference=zone)
    aws.client("sesv2").create_email_identity(EmailIdentity=f"mail.{zone}", Tags=[{"Key": "instance", "Value": "1"}])
    return f"mail.{zone}"


def make_records(aws: Clients, domain: str, tokens: list[str]) -> None:
    """The DKIM records of *domain*, in its parent's zone."""
    route53 = aws.client("route53")
    parent = domain.partition(".")[2]
    zone = next(zone for zone in route53.list_hosted_zones()["HostedZones"] if zone["Name"] == parent + ".")
    records = [
        {
            "Name": f"{token}._domainkey.{domain}",
            "Type": "CNAME",
            "TTL": 300,
            "ResourceRecords": [{"Value": f"{token}.dkim.amazonses.com"}],
        }
        for token in tokens
    ]
    changes = [{"Action": "UPSERT", "ResourceRecordSet": record} for record in records]
    route53.change_resource_record_sets(HostedZoneId=zone["Id"], ChangeBatch={"Changes": changes})


def test_dkim_is_pending_until_all_its_records_exist(aws: Clients, domain: str) -> None:
    """Easy DKIM: three tokens and the zone they point to; verified once all three are in a hosted zone."""
    ses = aws.client("sesv2")
    pending = ses.get_email_identity(EmailIdentity=domain)
    dkim = pending["DkimAttributes"]
    assert (dkim["Status"], dkim["SigningEnabled"], dkim["SigningAttributesOrigin"]) == ("PENDING", True, "AWS_SES")
    assert dkim["SigningHostedZone"] == "dkim.amazonses.com"
    assert len(dkim["Tokens"]) == 3
    assert (pending["VerifiedForSendingStatus"], pending["VerificationStatus"]) == (False, "PENDING")

    make_records(aws, domain, dkim["Tokens"][:2])
    assert ses.get_email_identity(EmailIdentity=domain)["DkimAttributes"]["Status"] == "PENDING"

    make_records(aws, domain, dkim["Tokens"])
    verified = ses.get_email_identity(EmailIdentity=domain)
    assert verified["DkimAttributes"]["Status"] == "SUCCESS"
    assert (verified["VerifiedForSendingStatus"], verified["VerificationStatus"]) == (True, "SUCCESS")


def test_an_identity_remembers_its_mail_from_and_its_set(aws: Clients, domain: str) -> None:
    """And forgets them when told to."""
    ses, name = aws.client("sesv2"), new_name("set")
    ses.create_configuration_set(ConfigurationSetName=name)
    ses.put_email_identity_configuration_set_attributes(EmailIdentity=domain, ConfigurationSetName=name)
    ses.put_email_identity_mail_from_attributes(
        EmailIdentity=domain, MailFromDomain=f"bounce.{domain}", BehaviorOnMxFailure="USE_DEFAULT_VALUE"
    )

    described = ses.get_email_identity(EmailIdentity=domain)

    assert described["ConfigurationSetName"] == name
    assert described["MailFromAttributes"] == {
        "MailFromDomain": f"bounce.{domain}",
        "MailFromDomainStatus": "PENDING",
        "BehaviorOnMxFailure": "USE_DEFAULT_VALUE",
    }
    ses.put_email_identity_mail_from_attributes(EmailIdentity=domain)
    ses.put_email_identity_configuration_set_attributes(EmailIdentity=domain)
    described = ses.get_email_identity(EmailIdentity=domain)
    assert "ConfigurationSetName" not in described
    assert described["MailFromAttributes"] == {"BehaviorOnMxFailure": "USE_DEFAULT_VALUE"}


def test_tags_are_an_identitys_however_they_came(aws: Clients, domain: str) -> None:
    """With its creation, or later."""
    ses = aws.client("sesv2")
    arn = f"arn:aws:ses:us-east-1:000000000000:identity/{domain}"
    ses.tag_resource(ResourceArn=arn, Tags=[{"Key": "space", "Value": "dev"}])

    expected = [{"Key": "instance", "Value": "1"}, {"Key": "space", "Value": "dev"}]
    assert ses.get_email_identity(EmailIdentity=domain)["Tags"] == expected
    assert ses.list_tags_for_resource(ResourceArn=arn)["Tags"] == expected


def test_an_identity_is_made_once_and_deleted_once(aws: Clients, domain: str) -> None:
    """The errors that tell a broker whose it is."""
    ses = aws.client("sesv2")
    assert code_of(lambda: ses.create_email_identity(EmailIdentity=domain)) == "AlreadyExistsException"
    ses.delete_email_identity(EmailIdentity=domain)
    assert code_of(lambda: ses.get_email_identity(EmailIdentity=domain)) == "NotFoundException"
    assert code_of(lambda: ses.delete_email_identity(EmailIdentity=domain)) == "NotFoundException"
    ses.create_email_identity(EmailIdentity=domain)
    assert ses.get_email_identity(EmailIdentity=domain)["Tags"] == []


def test_an_identity_takes_no_set_that_does_not_exist(aws: Clients, domain: str) -> None:
    """At its creation and later."""
    ses, other = aws.client("sesv2"), f"{new_name('other')}.example.org"
    assert (
        code_of(lambda: ses.create_email_identity(EmailIdentity=other, ConfigurationSetName="nobody"))
        == "NotFoundException"
    )
    assert (
        code_of(
            lambda: ses.put_email_identity_configuration_set_attributes(
                EmailIdentity=domain, ConfigurationSetName="nobody"
            )
        )
        == "NotFoundException"
    )


def test_a_configuration_set_is_deleted_once(aws: Clients) -> None:
    """The second time it is not found."""
    ses, name = aws.client("sesv2"), new_name("set")
    ses.create_configuration_set(
        ConfigurationSetName=name,
        DeliveryOptions={"TlsPolicy": "REQUIRE"},
        ReputationOptions={"ReputationMetricsEnabled": True},
        SuppressionOptions={"SuppressedReasons": ["BOUNCE", "COMPLAINT"]},
        Tags=[{"Key": "instance", "Value": "1"}],
    )
    described = ses.get_configuration_set(ConfigurationSetName=name)
    assert described["DeliveryOptions"]["TlsPolicy"] == "REQUIRE"
    assert described["SuppressionOptions"]["SuppressedReasons"] == ["BOUNCE", "COMPLAINT"]
    assert described["Tags"] == [{"Key": "instance", "Value": "1"}]
    ses.delete_configuration_set(ConfigurationSetName=name)
    assert code_of(lambda: ses.delete_configuration_set(ConfigurationSetName=name)) == "NotFoundException"


def test_an_event_destinations_topic_must_exist(tenant: Tenant) -> None:
    """SES tries it at once, and nothing is left behind."""
    ses = tenant.aws.client("sesv2")
    definition = {
        "Enabled": True,
        "MatchingEventTypes": ["BOUNCE"],
        "SnsDestination": {"TopicArn": "arn:aws:sns:us-east-1:000000000000:nobody"},
    }
    assert (
        code_of(
            lambda: ses.create_configuration_set_event_destination(
                ConfigurationSetName=tenant.configuration_set,
                EventDestinationName="second",
                EventDestination=definition,
            )
        )
        == "BadRequestException"
    )
    listed = ses.get_configuration_set_event_destinations(ConfigurationSetName=tenant.configuration_set)
    assert [found["Name"] for found in listed["EventDestinations"]] == ["all"]


def test_a_third_key_is_refused(tenant: Tenant) -> None:
    """IAM's quota of two keys a user."""
    iam = tenant.aws.client("iam")
    second = iam.create_access_key(UserName=tenant.user)["AccessKey"]["AccessKeyId"]
    assert code_of(lambda: iam.create_access_key(UserName=tenant.user)) == "LimitExceeded"
    iam.delete_access_key(UserName=tenant.user, AccessKeyId=second)
    iam.create_access_key(UserName=tenant.user)
