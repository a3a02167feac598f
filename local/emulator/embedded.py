"""Public calls to the embedded AWS inside its own process: no sockets, no threads, no use of its internals."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree

from local.emulator.http_message import Application, Caller, Request, Response, call

_JSON = {"content-type": "application/json"}
_FORM = {"content-type": "application/x-www-form-urlencoded"}


class AwsRefused(Exception):
    """The embedded AWS answered a call of ours with an error."""


class EmbeddedAws:
    """The calls that sending and identities need, on behalf of a caller (account and region)."""

    def __init__(self, application: Application) -> None:
        self._application = application

    async def forward(self, request: Request) -> Response:
        """Let the embedded AWS answer a caller's request."""
        return await call(self._application, request)

    async def configuration_set(self, caller: Caller, name: str) -> dict[str, Any] | None:
        """A configuration set as SES v2 describes it; None if there is none."""
        return await self._ses(caller, f"/configuration-sets/{name}")

    async def event_destinations(self, caller: Caller, name: str) -> list[dict[str, Any]]:
        """The event destinations of a configuration set."""
        answer = await self._ses(caller, f"/configuration-sets/{name}/event-destinations")
        destinations: list[dict[str, Any]] = (answer or {}).get("EventDestinations", [])
        return destinations

    async def identity(self, caller: Caller, name: str) -> dict[str, Any] | None:
        """An identity as the embedded SES has it; None if there is none."""
        return await self._ses(caller, f"/identities/{name}")

    async def tags(self, caller: Caller, arn: str) -> list[dict[str, str]]:
        """The tags of an SES resource."""
        answer = await self._ses(caller, "/tags", query=urlencode({"ResourceArn": arn}))
        tags: list[dict[str, str]] = (answer or {}).get("Tags", [])
        return tags

    async def user_of(self, caller: Caller) -> str | None:
        """The IAM user that the caller's key belongs to; None if IAM does not know the key."""
        answer = await self._query(caller, "iam", "GetAccessKeyLastUsed", {"AccessKeyId": caller.access_key_id})
        return _text(answer, "UserName") if answer.ok else None

    async def access_keys(self, caller: Caller, user: str) -> int:
        """How many access keys an IAM user has."""
        answer = await self._query(caller, "iam", "ListAccessKeys", {"UserName": user})
        return answer.text.count("<AccessKeyId>") if answer.ok else 0

    async def topic_exists(self, caller: Caller, topic_arn: str) -> bool:
        """Whether there is an SNS topic of that name."""
        return (await self._query(caller, "sns", "GetTopicAttributes", {"TopicArn": topic_arn})).ok

    async def publish(self, caller: Caller, topic_arn: str, message: str, *, subject: str | None = None) -> None:
        """Publish to an SNS topic. Raises Refused, for example if the topic does not exist."""
        parameters = {"TopicArn": topic_arn, "Message": message} | ({"Subject": subject} if subject else {})
        answer = await self._query(caller, "sns", "Publish", parameters)
        if not answer.ok:
            raise AwsRefused(f"{topic_arn}: {answer.text}")

    async def cname_exists(self, caller: Caller, name: str) -> bool:
        """Whether any hosted zone holds a CNAME of that name."""
        zones = await self._rest(caller, "route53", "/2013-04-01/hostedzone")
        for zone in _texts(zones, "HostedZone"):
            if name.endswith("." + zone["Name"].rstrip(".")) and await self._has_cname(caller, zone["Id"], name):
                return True
        return False

    async def _has_cname(self, caller: Caller, zone_id: str, name: str) -> bool:
        query = urlencode({"name": name, "type": "CNAME", "maxitems": "1"})
        records = await self._rest(caller, "route53", f"/2013-04-01{zone_id}/rrset", query=query)
        found = _texts(records, "ResourceRecordSet")
        return any(record["Name"].rstrip(".") == name and record["Type"] == "CNAME" for record in found)

    async def _ses(self, caller: Caller, path: str, *, query: str = "") -> dict[str, Any] | None:
        answer = await self._rest(caller, "ses", "/v2/email" + path, query=query)
        return answer.json() if answer.ok else None

    async def _rest(self, caller: Caller, service: str, path: str, *, query: str = "") -> Response:
        headers = _JSON | {"authorization": _signed(caller, service)}
        return await self.forward(Request(method="GET", path=path, query=query, headers=headers))

    async def _query(self, caller: Caller, service: str, action: str, parameters: Mapping[str, str]) -> Response:
        body = urlencode({"Action": action, **parameters}).encode()
        headers = {"authorization": _signed(caller, service), "content-length": str(len(body))} | _FORM
        return await self.forward(Request(method="POST", path="/", body=body, headers=headers))


def _signed(caller: Caller, service: str) -> str:
    return Caller(access_key_id=caller.access_key_id, region=caller.region, service=service).authorization


def _text(answer: Response, name: str) -> str | None:
    root = ElementTree.fromstring(answer.text)  # noqa: S314  the embedded AWS's own answer
    return next((element.text for element in root.iter() if _local(element.tag) == name), None)


def _texts(answer: Response, name: str) -> list[dict[str, str]]:
    root = ElementTree.fromstring(answer.text)  # noqa: S314  the embedded AWS's own answer
    return [
        {_local(child.tag): child.text or "" for child in element}
        for element in root.iter()
        if _local(element.tag) == name
    ]


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]
