"""SES v1's calls that send, with SES v2's configuration sets: the embedded AWS keeps two separate stores."""

import base64
import binascii

from httpx import Response

from local.emulator.http_message import Request, query_error, xml_response
from local.emulator.mime import Submission, composed, recipients, submitted
from local.emulator.sending import NotSent, NotTaken, RefusalReason, Sender, Sent

_ERRORS = {
    RefusalReason.UNKNOWN_SET: ("ConfigurationSetDoesNotExist", 400),
    RefusalReason.PAUSED_SET: ("ConfigurationSetSendingPausedException", 400),
    RefusalReason.PAUSED_ACCOUNT: ("AccountSendingPausedException", 400),
    RefusalReason.UNKNOWN_KEY: ("InvalidClientTokenId", 403),
}


class SesV1:
    """Answers SendEmail and SendRawEmail of SES's query protocol."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    async def answer(self, request: Request) -> Response | None:
        """The answer to a call that sends; None for every other call."""
        action = request.form.get("Action")
        if action not in {"SendEmail", "SendRawEmail"} or request.caller.service not in {"ses", "email"}:
            return None
        try:
            mail = _raw(request) if action == "SendRawEmail" else _simple(request)
        except binascii.Error:
            return query_error("InvalidParameterValue", "RawMessage.Data is not base64.")
        match await self._sender.send(mail, request.with_form(request.form.remove("ConfigurationSetName"))):
            case Sent(message_id=message_id):
                result = f"<{action}Result><MessageId>{message_id}</MessageId></{action}Result>"
                namespace = "http://ses.amazonaws.com/doc/2010-12-01/"
                return xml_response(f'<{action}Response xmlns="{namespace}">{result}</{action}Response>')
            case NotTaken(response=response):
                return response
            case NotSent(reason=reason, message=message):
                code, status = _ERRORS[reason]
                return query_error(code, message, status=status)


def _raw(request: Request) -> Submission:
    return submitted(
        base64.b64decode(request.form.get("RawMessage.Data", ""), validate=True),
        operation="SendRawEmail",
        source=request.form.get("Source", ""),
        destination=request.members("Destinations"),
        configuration_set=request.form.get("ConfigurationSetName"),
        tags=_tags(request),
    )


def _simple(request: Request) -> Submission:
    kinds = ("ToAddresses", "CcAddresses", "BccAddresses")
    destination = {kind: request.members(f"Destination.{kind}") for kind in kinds}
    source = request.form.get("Source", "")
    mail = composed(
        source, destination, request.form.get("Message.Subject.Data", ""), request.members("ReplyToAddresses")
    )
    return submitted(
        mail + request.form.get("Message.Body.Text.Data", "").encode(),
        operation="SendEmail",
        source=source,
        destination=recipients(destination),
        configuration_set=request.form.get("ConfigurationSetName"),
        tags=_tags(request),
    )


def _tags(request: Request) -> dict[str, str]:
    form = request.form
    names = (name for name in form if name.startswith("Tags.member.") and name.endswith(".Name"))
    return {form[name]: form.get(name.removesuffix("Name") + "Value", "") for name in names}
