"""SES's SMTP interface: STARTTLS and the derived password; then a mail takes the same path as one sent by API.

Answers: "SMTP response codes returned by Amazon SES" in the SES developer guide.
"""

import base64
import logging
import ssl
from collections.abc import Callable
from hmac import compare_digest
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from lambdas.domain.tenants.smtp import smtp_password
from local.emulator.access_keys import AccessKeys
from local.emulator.http_message import Caller, Request, aws_request
from local.emulator.mime import submitted
from local.emulator.sending import NotSent, NotTaken, RefusalReason, Sender, Sent

logger = logging.getLogger(__name__)

MAX_MAIL = 40 * 1024 * 1024  # bytes: SES's limit over SMTP
MAX_RECIPIENTS = 50  # SES's limit for one mail
_CREDENTIALS_INVALID = "535 Authentication Credentials Invalid"
_REFUSED = {
    RefusalReason.UNKNOWN_SET: "554 Message rejected: {message}",
    RefusalReason.PAUSED_SET: "554 Message rejected: {message}",
    RefusalReason.PAUSED_ACCOUNT: "554 Message rejected: {message}",
    RefusalReason.UNKNOWN_KEY: _CREDENTIALS_INVALID,
}


class SmtpInterface:
    """aiosmtpd's handler and authenticator: a session's login names the key that sends."""

    def __init__(self, keys: AccessKeys, sender: Sender, *, region: str) -> None:
        self._keys = keys
        self._sender = sender
        self._region = region

    def authenticate(self, _server: SMTP, _session: Session, _envelope: Envelope, _how: str, login: Any) -> AuthResult:
        """Whether a login is a live key and the password derived from its secret for this region."""
        if not isinstance(login, LoginPassword):
            return _refused()
        access_key_id, password = login.login.decode(errors="replace"), login.password
        secret = self._keys.secret_of(access_key_id)
        if secret is None or not compare_digest(password, smtp_password(secret, self._region).encode()):
            return _refused()
        return AuthResult(success=True, auth_data=access_key_id)

    async def handle_RCPT(  # noqa: N802  aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Take up to fifty recipients."""
        if len(envelope.rcpt_tos) == MAX_RECIPIENTS:
            return "452 Too many recipients"
        envelope.rcpt_tos.append(address)
        return "250 Ok"

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Send the mail as SES would: 250 with its message id, or 554 with the reason."""
        raw = envelope.content if isinstance(envelope.content, bytes) else str(envelope.content).encode()
        source, destination = envelope.mail_from or "", tuple(envelope.rcpt_tos)
        mail = submitted(raw, operation="SendSmtpEmail", source=source, destination=destination)
        caller = Caller(access_key_id=str(session.auth_data), region=self._region, service="ses")
        request = _request(caller, source, destination, raw, client=session.peer[0] if session.peer else "127.0.0.1")
        match await self._sender.send(mail, request):
            case Sent(message_id=message_id):
                return f"250 Ok {message_id}"
            case NotSent(reason=reason, message=message):
                return _REFUSED[reason].format(message=message)
            case NotTaken(response=response):
                return f"554 Message rejected: {response.json().get('message', '')}"


def protocol(interface: SmtpInterface, context: ssl.SSLContext) -> Callable[[], SMTP]:
    """Factory of a protocol for each connection: no mail without STARTTLS and login."""
    return lambda: SMTP(
        interface,
        hostname="email-smtp.amazonaws.com",
        ident="ESMTP SimpleEmailService",
        data_size_limit=MAX_MAIL,
        tls_context=context,
        require_starttls=True,
        auth_required=True,
        auth_require_tls=True,
        authenticator=interface.authenticate,
        auth_exclude_mechanism=[],
    )


def _refused() -> AuthResult:
    return AuthResult(success=False, handled=False, message=_CREDENTIALS_INVALID)


def _request(caller: Caller, source: str, destination: tuple[str, ...], raw: bytes, *, client: str) -> Request:
    call = {
        "FromEmailAddress": source,
        "Destination": {"ToAddresses": list(destination)},
        "Content": {"Raw": {"Data": base64.b64encode(raw).decode()}},
    }
    http = aws_request(caller, "POST", "/v2/email/outbound-emails", json=call)
    return Request(http=http, client=client)
