"""IAM's access keys: at most two a user; secrets are kept, because SMTP passwords are derived from them."""

import re

from httpx import Response

from local.emulator.embedded import EmbeddedAws
from local.emulator.http_message import Request, query_error

KEYS_PER_USER = 2  # IAM's quota
_KEY = re.compile(r"<AccessKeyId>([^<]+)</AccessKeyId>.*<SecretAccessKey>([^<]+)</SecretAccessKey>", re.DOTALL)


class AccessKeys:
    """Observes creation and deletion of keys. Secrets are kept in memory only, as long as their keys exist."""

    def __init__(self, aws: EmbeddedAws) -> None:
        self._aws = aws
        self._secrets: dict[str, str] = {}

    async def answer(self, request: Request) -> Response | None:
        """The answer to a call that creates or deletes a key; None for every other call."""
        if request.caller.service != "iam":
            return None
        match request.form.get("Action"):
            case "CreateAccessKey":
                return await self._create(request)
            case "DeleteAccessKey":
                self._secrets.pop(request.form.get("AccessKeyId", ""), None)
            case "UpdateAccessKey" if request.form.get("Status") == "Inactive":
                self._secrets.pop(request.form.get("AccessKeyId", ""), None)
        return None

    def secret_of(self, access_key_id: str) -> str | None:
        """The secret of an active key; None if there is no such key or it is inactive."""
        return self._secrets.get(access_key_id)

    async def _create(self, request: Request) -> Response:
        user = request.form.get("UserName", "")
        if user and await self._aws.access_keys(request.caller, user) >= KEYS_PER_USER:
            message = f"Cannot exceed quota for AccessKeysPerUser: {KEYS_PER_USER}"
            return query_error("LimitExceeded", message, status=409)
        response = await self._aws.forward(request)
        if response.is_success and (made := _KEY.search(response.text)):
            self._secrets[made[1]] = made[2]
        return response
