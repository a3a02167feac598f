"""Attributes of identities that the embedded SES lacks: configuration set, MAIL FROM and DKIM status."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from httpx import Response

from local.emulator.embedded import EmbeddedAws
from local.emulator.http_message import Caller, Request, json_error, json_response

DKIM_ZONE = "dkim.amazonses.com"
_USE_DEFAULT = "USE_DEFAULT_VALUE"


class Identities:
    """Answers calls about identities: the embedded SES's answer with the attributes kept here."""

    def __init__(self, aws: EmbeddedAws) -> None:
        self._aws = aws
        self._remembered: dict[tuple[str, str, str], dict[str, Any]] = defaultdict(dict)

    async def answer(self, request: Request) -> Response | None:
        """The answer to a call about identities; None for every other call."""
        path = request.path
        for prefix in ("/v2/email/identities", "/v1/email/identities"):
            if path == prefix and request.method == "POST":
                return await self._create(request)
            if path.startswith(prefix + "/"):
                name, _, attribute = path.removeprefix(prefix + "/").partition("/")
                return await self._about(request, name, attribute)
        return None

    async def default_set(self, caller: Caller, sender: str) -> str | None:
        """The default configuration set of a mail: of the sender's address, its domain or a parent domain."""
        for identity in _identities_of(sender):
            name = self._remembered.get((caller.account, caller.region, identity), {}).get("ConfigurationSetName")
            if name:
                return str(name)
        return None

    async def _create(self, request: Request) -> Response:
        name = request.json.get("EmailIdentity", "")
        if await self._aws.identity(request.caller, name):
            return json_error("AlreadyExistsException", f"Email identity {name} already exist.")
        configuration_set = request.json.get("ConfigurationSetName")
        if configuration_set and await self._aws.configuration_set(request.caller, configuration_set) is None:
            return _no_set(configuration_set)
        response = await self._aws.forward(request)
        if not response.is_success:
            return response
        self._remembered[self._key(request, name)] = {"ConfigurationSetName": configuration_set}
        described = await self._described(request, name)
        wanted = ("IdentityType", "VerifiedForSendingStatus", "DkimAttributes")
        return json_response({key: described[key] for key in wanted})

    async def _about(self, request: Request, name: str, attribute: str) -> Response | None:
        if await self._aws.identity(request.caller, name) is None:
            return json_error("NotFoundException", f"Email identity {name} does not exist.", status=404)
        match request.method, attribute:
            case "GET", "":
                return json_response(await self._described(request, name))
            case "DELETE", "":
                self._remembered.pop(self._key(request, name), None)
                return None
            case "PUT", "configuration-set":
                return await self._put_set(request, name)
            case "PUT", "mail-from" | "feedback" | "dkim" | "dkim/signing":
                self._remembered[self._key(request, name)] |= {attribute: request.json}
                return json_response({})
            case _:
                return await self._policies(request, name, attribute)

    async def _put_set(self, request: Request, name: str) -> Response:
        wanted = request.json.get("ConfigurationSetName")
        if wanted and await self._aws.configuration_set(request.caller, wanted) is None:
            return _no_set(wanted)
        self._remembered[self._key(request, name)] |= {"ConfigurationSetName": wanted}
        return json_response({})

    async def _policies(self, request: Request, name: str, attribute: str) -> Response | None:
        kind, _, policy = attribute.partition("/")
        if kind != "policies":
            return None
        policies = self._remembered[self._key(request, name)].setdefault("Policies", {})
        match request.method:
            case "GET":
                return json_response({"Policies": policies})
            case "DELETE":
                policies.pop(policy, None)
            case _:
                policies[policy] = request.json.get("Policy", "")
        return json_response({})

    async def _described(self, request: Request, name: str) -> dict[str, Any]:
        caller = request.caller
        identity = await self._aws.identity(caller, name) or {}
        remembered = self._remembered[self._key(request, name)]
        dkim = await self._dkim(caller, name, identity, remembered)
        verified = dkim["Status"] == "SUCCESS" or identity.get("IdentityType") != "DOMAIN"
        described = {
            **identity,
            "VerifiedForSendingStatus": verified,
            "VerificationStatus": "SUCCESS" if verified else "PENDING",
            "FeedbackForwardingStatus": remembered.get("feedback", {}).get("EmailForwardingEnabled", True),
            "DkimAttributes": dkim,
            "MailFromAttributes": _mail_from(remembered.get("mail-from", {}), verified=verified),
            "Policies": remembered.get("Policies", {}),
            "Tags": await self._aws.tags(caller, f"arn:aws:ses:{caller.region}:{caller.account}:identity/{name}"),
        }
        if configuration_set := remembered.get("ConfigurationSetName"):
            described["ConfigurationSetName"] = configuration_set
        return described

    async def _dkim(
        self, caller: Caller, name: str, identity: dict[str, Any], remembered: dict[str, Any]
    ) -> dict[str, Any]:
        dkim = dict(identity.get("DkimAttributes", {}))
        tokens = dkim.get("Tokens") or []
        if not tokens:
            return dkim
        records = [await self._aws.cname_exists(caller, f"{token}._domainkey.{name}") for token in tokens]
        enabled = remembered.get("dkim", {}).get("SigningEnabled", True)
        status = "SUCCESS" if all(records) else "PENDING"
        length = {"NextSigningKeyLength": "RSA_2048_BIT", "CurrentSigningKeyLength": "RSA_2048_BIT"}
        return {**dkim, **length, "SigningEnabled": enabled, "Status": status, "SigningHostedZone": DKIM_ZONE}

    @staticmethod
    def _key(request: Request, name: str) -> tuple[str, str, str]:
        return request.caller.account, request.caller.region, name


def _mail_from(attributes: dict[str, Any], *, verified: bool) -> dict[str, Any]:
    behaviour = {"BehaviorOnMxFailure": attributes.get("BehaviorOnMxFailure") or _USE_DEFAULT}
    domain = attributes.get("MailFromDomain")
    if not domain:
        return behaviour
    return {**behaviour, "MailFromDomain": domain, "MailFromDomainStatus": "SUCCESS" if verified else "PENDING"}


def _no_set(name: str) -> Response:
    return json_error("NotFoundException", f"Configuration set <{name}> does not exist.", status=404)


def _identities_of(sender: str) -> Iterator[str]:
    yield sender
    labels = sender.rpartition("@")[2].split(".")
    for start in range(len(labels) - 1):
        yield ".".join(labels[start:])
