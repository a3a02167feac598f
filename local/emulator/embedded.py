"""Public calls to the embedded AWS inside its own process: no sockets, no threads, no use of its internals."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

from httpx import QueryParams, Response

from local.emulator.http_message import Application, Caller, Request, aws_request, call


class AwsRefused(Exception):
    """The embedded AWS answered a call of ours with an error."""


class EmbeddedAws:
    """The calls that sending and identities need, on behalf of a caller (account and region)."""

    def __init__(self, application: Application) -> None:
        self._application = application

    async def forward(self, request: Request) -> Response:
        """Let the embedded AWS answer a caller's request."""
        return await call(self._application, request.http)

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
        answer = await self._ses(caller, "/tags", query=QueryParams({"ResourceArn": arn}))
        tags: list[dict[str, str]] = (answer or {}).get("Tags", [])
        return tags

    async def user_of(self, caller: Caller) -> str | None:
        """The IAM user that the caller's key belongs to; None if IAM does not know the key."""
        answer = await self._query(caller, "iam", "GetAccessKeyLastUsed", {"AccessKeyId": caller.access_key_id})
        return _text(answer, "UserName") if answer.is_success else None

    async def access_keys(self, caller: Caller, user: str) -> int:
        """How many access keys an IAM user has."""
        answer = await self._query(caller, "iam", "ListAccessKeys", {"UserName": user})
        return answer.text.count("<AccessKeyId>") if answer.is_success else 0

    async def topic_exists(self, caller: Caller, topic_arn: str) -> bool:
        """Whether there is an SNS topic of that name."""
        return (await self._query(caller, "sns", "GetTopicAttributes", {"TopicArn": topic_arn})).is_success

    async def publish(self, caller: Caller, topic_arn: str, message: str, *, subject: str | None = None) -> None:
        """Publish to an SNS topic. Raises Refused, for example if the topic does not exist."""
        parameters = {"TopicArn": topic_arn, "Message": message} | ({"Subject": subject} if subject else {})
        answer = await self._query(caller, "sns", "Publish", parameters)
        if not answer.is_success:
            raise AwsRefused(f"{topic_arn}: {answer.text}")

    async def cname_exists(self, caller: Caller, name: str) -> bool:
        """Whether any hosted zone holds a CNAME of that name."""
        zones = await self._rest(caller, "route53", "/2013-04-01/hostedzone")
        for zone in _texts(zones, "HostedZone"):
            if name.endswith("." + zone["Name"].rstrip(".")) and await self._has_cname(caller, zone["Id"], name):
                return True
        return False

    async def _has_cname(self, caller: Caller, zone_id: str, name: str) -> bool:
        query = QueryParams({"name": name, "type": "CNAME", "maxitems": "1"})
        records = await self._rest(caller, "route53", f"/2013-04-01{zone_id}/rrset", query=query)
        found = _texts(records, "ResourceRecordSet")
        return any(record["Name"].rstrip(".") == name and record["Type"] == "CNAME" for record in found)

    async def _ses(self, caller: Caller, path: str, *, query: QueryParams | None = None) -> dict[str, Any] | None:
        answer = await self._rest(caller, "ses", "/v2/email" + path, query=query)
        return answer.json() if answer.is_success else None

    async def _rest(self, caller: Caller, service: str, path: str, *, query: QueryParams | None = None) -> Response:
        target = f"{path}?{query}" if query else path
        return await call(self._application, aws_request(replace(caller, service=service), "GET", target))

    async def _query(self, caller: Caller, service: str, action: str, parameters: Mapping[str, str]) -> Response:
        form = QueryParams({"Action": action, **parameters})
        return await call(self._application, aws_request(replace(caller, service=service), "POST", "/", form=form))


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
