"""SES's SMTP interface: an application's bound credentials work as they are, and nothing else does."""

import smtplib
import ssl
from collections.abc import Callable
from contextlib import contextmanager
from email.message import EmailMessage
from typing import TYPE_CHECKING

import pytest

from lambdas.domain.tenants.smtp import smtp_password
from local.process import Server
from tests.local.conftest import REGION, Tenant

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def session(server: Server) -> "Iterator[smtplib.SMTP]":
    """A connection after STARTTLS, its certificate checked against the one kept in the server's folder."""
    trust = ssl.create_default_context(cafile=str(server.log.parent / "smtp.pem"))
    with smtplib.SMTP("127.0.0.1", server.smtp_port, timeout=10) as connection:
        connection.starttls(context=trust)
        yield connection


def mail_of(tenant: Tenant, recipient: str) -> EmailMessage:
    """A plain mail of the tenant's."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = tenant.sender, recipient, "Hello"
    mail["X-SES-CONFIGURATION-SET"] = tenant.configuration_set
    mail.set_content("Hi.")
    return mail


@pytest.mark.parametrize("mechanism", ["auth_plain", "auth_login"])
def test_a_mail_goes_out_with_the_derived_password(server: Server, tenant: Tenant, mechanism: str) -> None:
    """PLAIN and LOGIN; the events name the user whose key logged in."""
    with session(server) as smtp:
        smtp.user, smtp.password = tenant.key, smtp_password(tenant.secret, REGION)
        smtp.ehlo()
        code, answer = smtp.auth(mechanism.removeprefix("auth_").upper(), getattr(smtp, mechanism))
        assert (code, answer) == (235, b"2.7.0 Authentication successful")
        smtp.send_message(mail_of(tenant, "bounce@shop.example"))

    sent, bounced = tenant.heard(2)

    assert sent["mail"]["tags"]["ses:operation"] == ["SendSmtpEmail"]
    assert sent["mail"]["tags"]["ses:caller-identity"] == [tenant.user]
    assert bounced["bounce"]["bouncedRecipients"][0]["emailAddress"] == "bounce@shop.example"


def test_the_accepted_mails_answer_is_its_message_id(server: Server, tenant: Tenant) -> None:
    """`250 Ok <message id>`, the id that the events carry."""
    with session(server) as smtp:
        smtp.login(tenant.key, smtp_password(tenant.secret, REGION))
        smtp.mail(tenant.sender)
        smtp.rcpt("ann@shop.example")
        code, answer = smtp.data(mail_of(tenant, "ann@shop.example").as_bytes())

    sent, _ = tenant.heard(2)

    assert (code, answer.decode()) == (250, f"Ok {sent['mail']['messageId']}")


def test_a_blind_copys_recipient_is_in_the_envelope_only(server: Server, tenant: Tenant) -> None:
    """The envelope decides who gets the mail."""
    with session(server) as smtp:
        smtp.login(tenant.key, smtp_password(tenant.secret, REGION))
        smtp.send_message(mail_of(tenant, "ann@shop.example"), to_addrs=["bounce@other.example"])

    _, bounced = tenant.heard(2)

    assert bounced["mail"]["destination"] == ["bounce@other.example"]
    assert bounced["mail"]["commonHeaders"]["to"] == ["ann@shop.example"]


@pytest.mark.parametrize(
    ("user", "password"),
    [
        (lambda tenant: tenant.key, lambda tenant: tenant.secret),
        (lambda tenant: tenant.key, lambda tenant: smtp_password(tenant.secret, "eu-central-1")),
        (lambda tenant: "AKIAUNKNOWN", lambda tenant: smtp_password(tenant.secret, REGION)),
        (lambda tenant: "", lambda tenant: ""),
    ],
    ids=["the secret itself", "another region's", "an unknown key", "nothing"],
)
def test_a_wrong_login_is_refused(
    server: Server, tenant: Tenant, user: Callable[[Tenant], str], password: Callable[[Tenant], str]
) -> None:
    """535, in SES's words."""
    with session(server) as smtp, pytest.raises(smtplib.SMTPAuthenticationError) as refused:
        smtp.login(user(tenant), password(tenant))
    assert refused.value.smtp_code == 535
    assert refused.value.smtp_error == b"Authentication Credentials Invalid"


def test_a_deleted_key_logs_in_no_more(server: Server, tenant: Tenant) -> None:
    """Unbind takes the key away."""
    tenant.aws.client("iam").delete_access_key(UserName=tenant.user, AccessKeyId=tenant.key)
    with session(server) as smtp, pytest.raises(smtplib.SMTPAuthenticationError):
        smtp.login(tenant.key, smtp_password(tenant.secret, REGION))


def test_nothing_is_taken_without_tls(server: Server, tenant: Tenant) -> None:
    """530 before STARTTLS, and no login is offered."""
    with smtplib.SMTP("127.0.0.1", server.smtp_port, timeout=10) as smtp:
        smtp.ehlo()
        assert not smtp.has_extn("auth")
        assert smtp.mail(tenant.sender)[0] == 530


def test_nothing_is_taken_without_a_login(server: Server, tenant: Tenant) -> None:
    """530 before AUTH."""
    with session(server) as smtp:
        smtp.ehlo()
        assert smtp.mail(tenant.sender)[0] == 530


def test_a_paused_set_refuses_mail_by_smtp_too(server: Server, tenant: Tenant) -> None:
    """554 with the reason."""
    tenant.aws.client("sesv2").put_configuration_set_sending_options(
        ConfigurationSetName=tenant.configuration_set, SendingEnabled=False
    )
    with session(server) as smtp:
        smtp.login(tenant.key, smtp_password(tenant.secret, REGION))
        with pytest.raises(smtplib.SMTPDataError) as refused:
            smtp.send_message(mail_of(tenant, "ann@shop.example"))
    assert refused.value.smtp_code == 554
    assert b"Sending paused" in refused.value.smtp_error


def test_a_sender_that_is_nobodys_identity_is_refused_by_smtp_too(server: Server, tenant: Tenant) -> None:
    """554, Email address is not verified."""
    mail = mail_of(tenant, "ann@shop.example")
    with session(server) as smtp:
        smtp.login(tenant.key, smtp_password(tenant.secret, REGION))
        with pytest.raises(smtplib.SMTPDataError) as refused:
            smtp.send_message(mail, from_addr="app@nobody.example.org")
    assert refused.value.smtp_code == 554
    assert b"Email address is not verified" in refused.value.smtp_error


@pytest.mark.parametrize(
    ("region", "password"),
    [
        ("us-west-1", "BH+jbMzper5WwlwUar9E1ySBqHa9whi0GPo+sJ0mVYJj"),
        ("eu-central-1", "BMXhUYlu5Z3gSXVQORxlVa7XPaz91aGWdfHxvkOZdWZ2"),
    ],
)
def test_the_password_is_the_one_aws_derives(region: str, password: str) -> None:
    """The published vectors."""
    assert smtp_password("some+secret+key", region) == password
