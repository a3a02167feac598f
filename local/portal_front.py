"""The portal at its own port, so that its URLs do not contain the API's path in the embedded AWS."""

from collections.abc import Mapping
from typing import Any

from httpx import Response

from local.emulator.http_message import Application, Caller, Receive, Scope, Send, aws_request, call, write

DESCRIPTION = ": portal"  # what the description of the portal's API ends in; see infra/portal.py


class PortalFront:
    """Routes requests at *port* to the portal's API, all others to *application*."""

    def __init__(self, application: Application, port: int) -> None:
        self._application = application
        self._port = port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI's entry point."""
        if scope["type"] != "http" or scope["server"][1] != self._port:
            await self._application(scope, receive, send)
            return
        api_id = await self._api_id()
        if api_id is None:
            await write(Response(503, text="The stack has no portal."), send)
            return
        prefix = f"/_aws/execute-api/{api_id}/$default"
        raw = scope.get("raw_path") or scope["path"].encode()
        await self._application(
            {**scope, "path": prefix + scope["path"], "raw_path": prefix.encode() + raw}, receive, send
        )

    async def _api_id(self) -> str | None:
        """The id of the portal's API, looked up each time because a deployment may replace it."""
        answer = await call(self._application, aws_request(Caller(service="apigateway"), "GET", "/v2/apis"))
        apis: list[Mapping[str, Any]] = answer.json().get("items", []) if answer.is_success else []
        return next((api["apiId"] for api in apis if str(api.get("description", "")).endswith(DESCRIPTION)), None)
