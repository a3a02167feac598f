"""SES's status of a domain, read through the account's rate limiter like every call of SES's control plane."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from lambdas.aws.errors import code, throttling
from lambdas.domain.errors import Throttled

if TYPE_CHECKING:
    from types_boto3_sesv2 import SESV2Client


class IdentityStatuses:
    """Reads (verified, DKIM status, MAIL FROM status). *pace* waits for the rate limiter, or raises Throttled."""

    def __init__(self, client: "SESV2Client", pace: Callable[[], None]) -> None:
        self._client = client
        self._pace = pace

    def of(self, domain: str) -> tuple[bool, str, str] | None:
        """None if SES does not know the domain, or cannot be called now. An empty MAIL FROM status: SES's own."""
        try:
            self._pace()
            with throttling():
                answer = self._client.get_email_identity(EmailIdentity=domain)
        except Throttled:
            return None
        except ClientError as error:
            if code(error) != "NotFoundException":
                raise
            return None
        mail_from = answer.get("MailFromAttributes", {})
        status = mail_from.get("MailFromDomainStatus", "") if mail_from.get("MailFromDomain") else ""
        return answer.get("VerifiedForSendingStatus", False), answer.get("DkimAttributes", {}).get("Status", ""), status
