"""SES v2's calls that send, and behaviour of configuration sets that the embedded SES lacks."""

import base64
import binascii

from httpx import Response

from local.emulator.embedded import EmbeddedAws
from local.emulator.http_message import Request, json_error, json_response
from local.emulator.mime import Submission, composed, recipients, submitted
from local.emulator.sending import VALIDATION, NotSent, NotTaken, RefusalReason, Sender, Sent

PREFIX = "/v2/email"
_SETS = PREFIX + "/configuration-sets/"
_ACCOUNT = PREFIX + "/account"
_ERRORS = {
    RefusalReason.UNKNOWN_SET: ("NotFoundException", 404),
    RefusalReason.PAUSED_SET: ("SendingPausedException", 400),
    RefusalReason.PAUSED_ACCOUNT: ("SendingPausedException", 400),
    RefusalReason.UNKNOWN_KEY: ("UnrecognizedClientException", 403),
}


class SesV2:
    """Answers SendEmail, and calls about the account, configuration sets and their event destinations."""

    def __init__(self, aws: EmbeddedAws, sender: Sender) -> None:
        self._aws = aws
        self._sender = sender

    async def answer(self, request: Request) -> Response | None:
        """The answer to a call of SES v2; None if the embedded SES answers it correctly."""
        path = request.path
        if (request.method, path) == ("POST", PREFIX + "/outbound-emails"):
            return await self._send(request)
        if path in (_ACCOUNT, _ACCOUNT + "/sending"):
            return await self._account(request)
        if not path.startswith(_SETS):
            return None
        name, _, rest = path.removeprefix(_SETS).partition("/")
        if request.method == "DELETE" and not rest:
            return await self._delete_set(request, name)
        if rest.startswith("event-destinations") and request.method in {"POST", "PUT"}:
            return await self._put_destination(request)
        return None

    async def _send(self, request: Request) -> Response:
        try:
            mail = submission(request)
        except binascii.Error:
            return json_error("BadRequestException", "Content.Raw.Data is not base64.")
        match await self._sender.send(mail, request):
            case Sent(message_id=message_id):
                return json_response({"MessageId": message_id})
            case NotTaken(response=response):
                return response
            case NotSent(reason=reason, message=message):
                error, status = _ERRORS[reason]
                return json_error(error, message, status=status)

    async def _account(self, request: Request) -> Response:
        """Pause and resume the whole account, and say whether it sends."""
        if request.method == "PUT":
            self._sender.enabled = bool(request.json.get("SendingEnabled", False))
            return json_response({})
        response = await self._aws.forward(request)
        return (
            json_response({**response.json(), "SendingEnabled": self._sender.enabled})
            if response.is_success
            else response
        )

    async def _delete_set(self, request: Request, name: str) -> Response | None:
        if await self._aws.configuration_set(request.caller, name) is None:
            return json_error("NotFoundException", f"Configuration set <{name}> does not exist.", status=404)
        return None

    async def _put_destination(self, request: Request) -> Response:
        """SES publishes a line of text to a new event destination's topic, and refuses the destination if it cannot."""
        topic = request.json.get("EventDestination", {}).get("SnsDestination", {}).get("TopicArn")
        if topic and not await self._aws.topic_exists(request.caller, topic):
            return json_error("BadRequestException", f"Could not publish to SNS topic <{topic}>.")
        response = await self._aws.forward(request)
        if topic and response.is_success:
            await self._aws.publish(request.caller, topic, VALIDATION)
        return response


def submission(request: Request) -> Submission:
    """The mail in a SendEmail call. Raises binascii.Error when a raw mail is not base64."""
    call, content = request.json, request.json.get("Content", {})
    destination = call.get("Destination") or {}
    if raw := content.get("Raw"):
        mail = base64.b64decode(raw.get("Data", ""), validate=True)
    else:
        subject = content.get("Simple", {}).get("Subject", {}).get("Data", "")
        mail = composed(call.get("FromEmailAddress", ""), destination, subject, call.get("ReplyToAddresses") or ())
        mail += str(content.get("Simple", {}).get("Body", {})).encode()
    return submitted(
        mail,
        operation="SendEmail",
        source=call.get("FromEmailAddress", ""),
        destination=recipients(destination),
        configuration_set=call.get("ConfigurationSetName"),
        tags={tag["Name"]: tag["Value"] for tag in call.get("EmailTags") or ()},
    )
