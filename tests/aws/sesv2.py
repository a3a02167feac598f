"""SES v2's control plane in memory, at the API's level: moto has no event destinations, MAIL FROM or DKIM states."""

from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError


class FakeSesV2:
    """A client of sesv2 with AWS's errors. *crossing* is called before (False) and after (True) each call."""

    def __init__(self, crossing: Callable[[bool], None] = lambda after: None) -> None:
        self.sets: dict[str, dict[str, Any]] = {}
        self.identities: dict[str, dict[str, Any]] = {}
        self.throttles = 0
        self._crossing = crossing

    def __getattr__(self, name: str) -> Any:
        found = getattr(type(self), f"_{name}", None)
        if found is None:
            raise AttributeError(name)

        def call(**request: Any) -> Any:
            self._crossing(False)
            if self.throttles:
                self.throttles -= 1
                raise _error("TooManyRequestsException", name)
            answer = found(self, **request)
            self._crossing(True)
            return answer

        return call

    def _create_configuration_set(self, ConfigurationSetName: str, **request: Any) -> dict[str, Any]:  # noqa: N803
        if ConfigurationSetName in self.sets:
            raise _error("AlreadyExistsException")
        self.sets[ConfigurationSetName] = {**request, "destinations": {}}
        return {}

    def _get_configuration_set(self, ConfigurationSetName: str) -> dict[str, Any]:  # noqa: N803
        return self._set(ConfigurationSetName)

    def _create_configuration_set_event_destination(
        self,
        ConfigurationSetName: str,  # noqa: N803
        EventDestinationName: str,  # noqa: N803
        EventDestination: dict[str, Any],  # noqa: N803
    ) -> dict[str, Any]:
        destinations = self._set(ConfigurationSetName)["destinations"]
        if EventDestinationName in destinations:
            raise _error("AlreadyExistsException")
        destinations[EventDestinationName] = EventDestination
        return {}

    def _update_configuration_set_event_destination(
        self,
        ConfigurationSetName: str,  # noqa: N803
        EventDestinationName: str,  # noqa: N803
        EventDestination: dict[str, Any],  # noqa: N803
    ) -> dict[str, Any]:
        destinations = self._set(ConfigurationSetName)["destinations"]
        if EventDestinationName not in destinations:
            raise _error("NotFoundException")
        destinations[EventDestinationName] = EventDestination
        return {}

    def _delete_configuration_set(self, ConfigurationSetName: str) -> dict[str, Any]:  # noqa: N803
        self._set(ConfigurationSetName)
        del self.sets[ConfigurationSetName]
        return {}

    def _create_email_identity(
        self,
        EmailIdentity: str,  # noqa: N803
        ConfigurationSetName: str,  # noqa: N803
        Tags: list[dict[str, str]],  # noqa: N803
    ) -> dict[str, Any]:
        if EmailIdentity in self.identities:
            raise _error("AlreadyExistsException")
        self._set(ConfigurationSetName)
        self.identities[EmailIdentity] = {
            "Tags": Tags,
            "ConfigurationSetName": ConfigurationSetName,
            "DkimAttributes": {
                "Status": "PENDING",
                "Tokens": ["t1", "t2", "t3"],
                "SigningHostedZone": "dkim.amazonses.com",
            },
            "MailFromAttributes": {"BehaviorOnMxFailure": "USE_DEFAULT_VALUE"},
        }
        return {"DkimAttributes": self.identities[EmailIdentity]["DkimAttributes"]}

    def _get_email_identity(self, EmailIdentity: str) -> dict[str, Any]:  # noqa: N803
        return self._identity(EmailIdentity)

    def _delete_email_identity(self, EmailIdentity: str) -> dict[str, Any]:  # noqa: N803
        self._identity(EmailIdentity)
        del self.identities[EmailIdentity]
        return {}

    def _put_email_identity_mail_from_attributes(
        self,
        EmailIdentity: str,  # noqa: N803
        **request: Any,
    ) -> dict[str, Any]:
        if request.get("MailFromDomain") == "":
            raise _error("BadRequestException")  # no domain is no MailFromDomain
        self._identity(EmailIdentity)["MailFromAttributes"] = request
        return {}

    def _put_email_identity_configuration_set_attributes(
        self,
        EmailIdentity: str,  # noqa: N803
        ConfigurationSetName: str,  # noqa: N803
    ) -> dict[str, Any]:
        self._identity(EmailIdentity)["ConfigurationSetName"] = ConfigurationSetName
        return {}

    def _set(self, name: str) -> dict[str, Any]:
        if name not in self.sets:
            raise _error("NotFoundException")
        return self.sets[name]

    def _identity(self, name: str) -> dict[str, Any]:
        if name not in self.identities:
            raise _error("NotFoundException")
        return self.identities[name]


def _error(code: str, operation: str = "operation") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "as AWS says it"}}, operation)
