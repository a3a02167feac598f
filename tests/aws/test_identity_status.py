"""What the portal shows of a domain in SES, within the account's rate limit."""

from typing import Any
from unittest.mock import Mock

import pytest
from botocore.exceptions import ClientError

from lambdas.aws.ses.identity_status import IdentityStatuses
from lambdas.domain.errors import Throttled

VERIFIED = {"VerifiedForSendingStatus": True, "DkimAttributes": {"Status": "SUCCESS"}}
MAIL_FROM = {"MailFromDomain": "bounce.agency.gov", "MailFromDomainStatus": "PENDING"}


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "as AWS says it"}}, "GetEmailIdentity")


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (VERIFIED, (True, "SUCCESS", "")),
        ({**VERIFIED, "MailFromAttributes": MAIL_FROM}, (True, "SUCCESS", "PENDING")),
        ({**VERIFIED, "MailFromAttributes": {"MailFromDomainStatus": "FAILED"}}, (True, "SUCCESS", "")),
        ({**VERIFIED, "MailFromAttributes": {"MailFromDomain": "bounce.agency.gov"}}, (True, "SUCCESS", "")),
        ({}, (False, "", "")),
    ],
)
def test_the_status_is_ses_s(answer: dict[str, Any], status: tuple[bool, str, str]) -> None:
    """A MAIL FROM status counts only with a domain: without one, SES uses its own."""
    ses = Mock(get_email_identity=Mock(return_value=answer))
    assert IdentityStatuses(ses, lambda: None).of("agency.gov") == status
    ses.get_email_identity.assert_called_once_with(EmailIdentity="agency.gov")


@pytest.mark.parametrize("code", ["NotFoundException", "TooManyRequestsException"])
def test_an_unknown_domain_and_a_throttled_call_show_nothing(code: str) -> None:
    """The page is shown without it."""
    ses = Mock(get_email_identity=Mock(side_effect=refusal(code)))
    assert IdentityStatuses(ses, lambda: None).of("agency.gov") is None


def test_other_refusals_are_errors() -> None:
    """A missing permission must not look like a domain that SES does not know."""
    ses = Mock(get_email_identity=Mock(side_effect=refusal("AccessDeniedException")))
    with pytest.raises(ClientError, match="AccessDenied"):
        IdentityStatuses(ses, lambda: None).of("agency.gov")


def test_ses_is_not_called_beyond_the_rate_limit() -> None:
    """A person who reloads the page must not slow down the broker."""
    ses = Mock()
    assert IdentityStatuses(ses, Mock(side_effect=Throttled(3.0))).of("agency.gov") is None
    ses.get_email_identity.assert_not_called()
