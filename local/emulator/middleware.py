"""The ASGI application around the embedded AWS. It adds behaviour of SES, IAM and EC2 that the embedded AWS lacks."""

from collections.abc import Awaitable, Callable

from httpx import Response

from local.emulator.access_keys import AccessKeys
from local.emulator.embedded import EmbeddedAws
from local.emulator.http_message import Application, Receive, Request, Scope, Send, call, read, write
from local.emulator.identities import Identities
from local.emulator.sending import Sender
from local.emulator.ses_v1 import SesV1
from local.emulator.ses_v2 import SesV2
from local.emulator.vpc_endpoints import VpcEndpoints

Answer = Callable[[Request], Awaitable[Response | None]]
_QUERY_SERVICES = (b"/ses/", b"/email/", b"/iam/", b"/ec2/")  # in a credential's scope


class Middleware:
    """Answers some calls itself; the embedded AWS answers all others unchanged."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self.aws = EmbeddedAws(application)
        self.keys = AccessKeys(self.aws)
        self.identities = Identities(self.aws)
        self.sender = Sender(self.aws, self.identities)
        self.ses = SesV2(self.aws, self.sender)
        rooms = (self.ses, SesV1(self.sender), self.identities, self.keys, VpcEndpoints(self.aws))
        self._answers: tuple[Answer, ...] = tuple(room.answer for room in rooms)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI's entry point."""
        if scope["type"] != "http" or not _concerns_us(scope):
            await self._application(scope, receive, send)
            return
        await write(await self.respond(await read(scope, receive)), send)

    async def respond(self, request: Request) -> Response:
        """The answer to a request: the first of ours, otherwise the embedded AWS's."""
        for answer in self._answers:
            response = await answer(request)
            if response is not None:
                return response
        return await call(self._application, request.http)


def _concerns_us(scope: Scope) -> bool:
    if scope["path"].startswith(("/v2/email", "/v1/email")):
        return True
    authorization = next((value for name, value in scope["headers"] if name.lower() == b"authorization"), b"")
    return scope["path"] == "/" and any(service in authorization for service in _QUERY_SERVICES)
