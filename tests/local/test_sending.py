"""A mail through a configuration set: refused as SES refuses it, or told of as SES tells it."""

import re
from collections.abc import Callable
from email.message import EmailMessage
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.local.conftest import Tenant, new_name

SES_ID = re.compile(r"0100[0-9a-f]{12}-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}-000000")
STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def kinds(events: list[Any]) -> list[str]:
    """The kinds of *events*, in order."""
    return [event["eventType"] for event in events]


def test_a_delivered_mail_is_told_of_with_everything_ses_says(tenant: Tenant) -> None:
    """Send, then Delivery, with ids, headers and the tags that name the sender."""
    message_id = tenant.send("Ann <ann@shop.example>", EmailTags=[{"Name": "campaign", "Value": "spring"}])

    sent, delivered = tenant.heard(2)

    assert SES_ID.fullmatch(message_id)
    assert kinds([sent, delivered]) == ["Send", "Delivery"]
    mail = delivered["mail"]
    assert mail["messageId"] == message_id
    assert STAMP.fullmatch(mail["timestamp"])
    assert mail["source"] == tenant.sender
    assert mail["sourceArn"] == f"arn:aws:ses:us-east-1:000000000000:identity/{tenant.domain}"
    assert mail["destination"] == ["ann@shop.example"]
    assert mail["headersTruncated"] is False
    assert mail["commonHeaders"]["from"] == [tenant.sender]
    assert mail["commonHeaders"]["to"] == ["Ann <ann@shop.example>"]
    assert mail["commonHeaders"]["subject"] == "Hello"
    assert mail["tags"] == {
        "ses:operation": ["SendEmail"],
        "ses:configuration-set": [tenant.configuration_set],
        "ses:source-ip": ["127.0.0.1"],
        "ses:from-domain": [tenant.domain],
        "ses:caller-identity": [tenant.user],
        "ses:outgoing-ip": ["192.0.2.10"],
        "campaign": ["spring"],
    }
    assert delivered["delivery"]["recipients"] == ["ann@shop.example"]
    assert delivered["delivery"]["timestamp"] > mail["timestamp"]


def test_a_hard_bounce_names_its_recipients_and_has_an_id(tenant: Tenant) -> None:
    """Permanent, General, one event for the recipients of one domain."""
    tenant.send("bounce@shop.example", "bounce+2@shop.example")

    _, bounced = tenant.heard(2)

    bounce = bounced["bounce"]
    assert (bounce["bounceType"], bounce["bounceSubType"]) == ("Permanent", "General")
    assert [item["emailAddress"] for item in bounce["bouncedRecipients"]] == [
        "bounce@shop.example",
        "bounce+2@shop.example",
    ]
    assert bounce["bouncedRecipients"][0]["status"] == "5.1.1"
    assert SES_ID.fullmatch(bounce["feedbackId"])


@pytest.mark.parametrize(
    ("recipient", "expected"),
    [
        ("success@simulator.amazonses.com", ["Send", "Delivery"]),
        ("complaint@simulator.amazonses.com", ["Send", "Delivery", "Complaint"]),
        ("ooto+1@simulator.amazonses.com", ["Send", "Delivery", "Bounce"]),
        ("suppressionlist@simulator.amazonses.com", ["Send", "Bounce"]),
        ("softbounce@shop.example", ["Send", "Bounce"]),
        ("delay@shop.example", ["Send", "DeliveryDelay", "Delivery"]),
    ],
)
def test_each_simulated_mailbox_brings_its_events(tenant: Tenant, recipient: str, expected: list[str]) -> None:
    """In the order SES would publish them."""
    tenant.send(recipient)

    assert kinds(tenant.heard(len(expected))) == expected


def test_only_the_event_types_that_are_asked_for_are_published(new_tenant: Callable[..., Tenant]) -> None:
    """An event destination matches event types."""
    tenant = new_tenant("BOUNCE")
    tenant.send("ann@shop.example")
    tenant.send("bounce@shop.example")

    assert kinds(tenant.heard(1)) == ["Bounce"]


def test_a_paused_set_refuses_mail_in_both_apis(tenant: Tenant) -> None:
    """SES's own errors, and nothing is sent."""
    tenant.aws.client("sesv2").put_configuration_set_sending_options(
        ConfigurationSetName=tenant.configuration_set, SendingEnabled=False
    )
    with pytest.raises(ClientError) as refused:
        tenant.send("ann@shop.example")
    assert refused.value.response["Error"]["Code"] == "SendingPausedException"
    with pytest.raises(ClientError) as refused:
        send_v1(tenant, "ann@shop.example")
    assert refused.value.response["Error"]["Code"] == "ConfigurationSetSendingPausedException"

    tenant.aws.client("sesv2").put_configuration_set_sending_options(
        ConfigurationSetName=tenant.configuration_set, SendingEnabled=True
    )
    tenant.send("ann@shop.example")
    assert kinds(tenant.heard(2)) == ["Send", "Delivery"]


def test_a_paused_account_refuses_mail_in_both_apis(tenant: Tenant) -> None:
    """Whatever set it goes through; GetAccount says so."""
    ses = tenant.aws.client("sesv2")
    assert ses.get_account()["SendingEnabled"] is True
    ses.put_account_sending_attributes(SendingEnabled=False)
    try:
        assert ses.get_account()["SendingEnabled"] is False
        with pytest.raises(ClientError) as refused:
            tenant.send("ann@shop.example")
        assert refused.value.response["Error"]["Code"] == "SendingPausedException"
        with pytest.raises(ClientError) as refused:
            send_v1(tenant, "ann@shop.example")
        assert refused.value.response["Error"]["Code"] == "AccountSendingPausedException"
    finally:
        ses.put_account_sending_attributes(SendingEnabled=True)
    tenant.send("ann@shop.example")
    assert kinds(tenant.heard(2)) == ["Send", "Delivery"]


def test_an_unknown_set_refuses_mail_in_both_apis(tenant: Tenant) -> None:
    """SES's own errors."""
    with pytest.raises(ClientError) as refused:
        tenant.send("ann@shop.example", ConfigurationSetName="nobody")
    assert refused.value.response["Error"]["Code"] == "NotFoundException"
    with pytest.raises(ClientError) as refused:
        send_v1(tenant, "ann@shop.example", ConfigurationSetName="nobody")
    assert refused.value.response["Error"]["Code"] == "ConfigurationSetDoesNotExist"


def test_an_identitys_own_set_is_used_when_a_mail_names_none(tenant: Tenant) -> None:
    """The set is the identity's default; taken away, nothing is published."""
    ses = tenant.aws.client("sesv2")
    ses.put_email_identity_configuration_set_attributes(
        EmailIdentity=tenant.domain, ConfigurationSetName=tenant.configuration_set
    )
    tenant.send("bounce@shop.example", ConfigurationSetName=None)
    assert kinds(tenant.heard(2)) == ["Send", "Bounce"]

    ses.put_email_identity_configuration_set_attributes(EmailIdentity=tenant.domain)
    tenant.send("bounce@shop.example", ConfigurationSetName=None)
    tenant.send("ann@shop.example")
    assert kinds(tenant.heard(2)) == ["Send", "Delivery"]


def test_a_raw_mail_says_in_its_headers_what_the_call_does_not(tenant: Tenant) -> None:
    """Configuration set, tags and recipients."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Cc"] = tenant.sender, "bounce@shop.example", "Ann <ann@shop.example>"
    mail["Subject"] = "Grüße"
    mail["X-SES-CONFIGURATION-SET"] = tenant.configuration_set
    mail["X-SES-MESSAGE-TAGS"] = "a=1, b=2"
    client = tenant.aws.client("ses", key=tenant.key, secret=tenant.secret)
    client.send_raw_email(RawMessage={"Data": mail.as_bytes()})

    sent, bounced, delivered = tenant.heard(3)

    assert kinds([sent, bounced, delivered]) == ["Send", "Bounce", "Delivery"]
    assert sent["mail"]["destination"] == ["bounce@shop.example", "ann@shop.example"]
    assert sent["mail"]["commonHeaders"]["subject"] == "Grüße"
    assert sent["mail"]["tags"]["ses:operation"] == ["SendRawEmail"]
    assert (sent["mail"]["tags"]["a"], sent["mail"]["tags"]["b"]) == (["1"], ["2"])
    assert delivered["delivery"]["recipients"] == ["ann@shop.example"]


def test_a_plain_mail_by_the_older_api_is_told_of_too(tenant: Tenant) -> None:
    """Both APIs know the same configuration sets."""
    message_id = send_v1(tenant, "complaint@shop.example", Tags=[{"Name": "campaign", "Value": "spring"}])

    events = tenant.heard(3)

    assert kinds(events) == ["Send", "Delivery", "Complaint"]
    assert events[2]["mail"]["messageId"] == message_id
    assert events[2]["mail"]["tags"]["campaign"] == ["spring"]
    assert events[2]["complaint"]["complainedRecipients"] == [{"emailAddress": "complaint@shop.example"}]


def test_long_headers_are_cut_as_ses_cuts_them(tenant: Tenant) -> None:
    """At 10 KB, and the event says so."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["X-Long"] = tenant.sender, "ann@shop.example", "x" * 10_240
    content = {"Raw": {"Data": mail.as_bytes()}}
    tenant.send("ann@shop.example", Content=content)

    sent, _ = tenant.heard(2)

    assert sent["mail"]["headersTruncated"] is True
    assert [header["name"] for header in sent["mail"]["headers"]] == ["From", "To"]


def test_a_virus_is_rejected_after_it_was_accepted(tenant: Tenant) -> None:
    """SES takes the mail, then tells of a Reject."""
    mail = EmailMessage()
    mail["From"], mail["To"] = tenant.sender, "ann@shop.example"
    mail.set_content(r"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*")
    tenant.send("ann@shop.example", Content={"Raw": {"Data": mail.as_bytes()}})

    _, rejected = tenant.heard(2)

    assert rejected["reject"] == {"reason": "Bad content"}


def test_a_deleted_key_sends_no_more(tenant: Tenant) -> None:
    """As on AWS, where it may take a minute."""
    tenant.aws.client("iam").delete_access_key(UserName=tenant.user, AccessKeyId=tenant.key)
    with pytest.raises(ClientError) as refused:
        tenant.send("ann@shop.example")
    assert refused.value.response["Error"]["Code"] == "UnrecognizedClientException"


def test_a_sender_that_is_nobodys_identity_is_refused(tenant: Tenant) -> None:
    """The embedded SES's own answer comes through."""
    with pytest.raises(ClientError) as refused:
        tenant.send("ann@shop.example", FromEmailAddress=f"app@{new_name('other')}.example.org")
    assert refused.value.response["Error"]["Code"] == "MessageRejected"


def send_v1(tenant: Tenant, recipient: str, **more: Any) -> str:
    """Send a plain mail by SES v1; its message id."""
    call = {
        "Source": tenant.sender,
        "Destination": {"ToAddresses": [recipient]},
        "Message": {"Subject": {"Data": "Hello"}, "Body": {"Text": {"Data": "Hi."}}},
        "ConfigurationSetName": tenant.configuration_set,
    } | more
    client = tenant.aws.client("ses", key=tenant.key, secret=tenant.secret)
    message_id: str = client.send_email(**call)["MessageId"]
    return message_id
