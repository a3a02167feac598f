"""SES's control plane: configuration sets, event destinations and identities. Every call passes the rate limiter.

Everything created here has the instance's tag. `Throttled` means retry later; `NotOurs` means that the resource
exists without the instance's tag.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from lambdas.aws.errors import code, ignoring, throttling
from lambdas.aws.tags import owner_in, owner_of
from lambdas.domain.errors import NotOurs
from lambdas.domain.tenants.aws_names import EVENT_DESTINATION
from lambdas.domain.tenants.dns_records import Dkim
from lambdas.domain.tenants.identity import Identity

if TYPE_CHECKING:
    from types_boto3_sesv2 import SESV2Client
    from types_boto3_sesv2.literals import EventTypeType, SuppressionListReasonType
    from types_boto3_sesv2.type_defs import DkimAttributesTypeDef, TagTypeDef

EVENTS: "tuple[EventTypeType, ...]" = (
    "BOUNCE",
    "COMPLAINT",
    "DELIVERY",
    "REJECT",
    "DELIVERY_DELAY",
    "RENDERING_FAILURE",
)
SUPPRESSED: "tuple[SuppressionListReasonType, ...]" = ("BOUNCE", "COMPLAINT")
FOREIGN_SET = (
    "a configuration set named {name} exists in this account's SES and does not belong to this service instance; "
    "ask the operator to rename or delete it"
)
DEFAULT_DKIM_ZONE = "dkim.amazonses.com"  # only for an endpoint that names none: SES itself always does


class Ses:
    """The broker's calls to SES. *pace* is called before each call and may raise Throttled.

    *suppress*: whether new configuration sets use the account's suppression list, which all tenants share.
    """

    def __init__(self, client: "SESV2Client", rate_limit: Callable[[], None], *, suppress: bool = True) -> None:
        self._client = client
        self._rate_limit = rate_limit
        self._suppressed = SUPPRESSED if suppress else ()

    def ensure_configuration_set(self, name: str, tags: Mapping[str, str], *, sending: bool = True) -> None:
        """Create the set: TLS required, reputation metrics, suppression as the operator chose; paused without
        *sending*.

        An existing set is not changed. Raises NotOurs.
        """
        self._rate_limit()
        try:
            with throttling():
                self._client.create_configuration_set(
                    ConfigurationSetName=name,
                    DeliveryOptions={"TlsPolicy": "REQUIRE"},
                    ReputationOptions={"ReputationMetricsEnabled": True},
                    SendingOptions={"SendingEnabled": sending},
                    SuppressionOptions={"SuppressedReasons": list(self._suppressed)},
                    Tags=_tags(tags),
                )
        except ClientError as error:
            if code(error) != "AlreadyExistsException":
                raise
            if self._owner_of_set(name) != owner_of(tags):
                raise NotOurs(FOREIGN_SET.format(name=name)) from None

    def ensure_event_destination(self, name: str, topic_arn: str) -> None:
        """Publish the set's events to *topic_arn*.

        The set is the instance's, so an event destination of our name is ours, whatever it was changed to: it is put
        right. Others in the set are left alone.
        """
        destination: Any = {
            "ConfigurationSetName": name,
            "EventDestinationName": EVENT_DESTINATION,
            "EventDestination": {
                "Enabled": True,
                "MatchingEventTypes": list(EVENTS),
                "SnsDestination": {"TopicArn": topic_arn},
            },
        }
        self._rate_limit()
        try:
            with throttling():
                self._client.create_configuration_set_event_destination(**destination)
        except ClientError as error:
            if code(error) != "AlreadyExistsException":
                raise
            self._rate_limit()
            with throttling():
                self._client.update_configuration_set_event_destination(**destination)

    def remove_configuration_set(self, name: str, owner: str) -> None:
        """Delete the set, if it is instance *owner*'s, and with it its event destination. Idempotent."""
        with ignoring("NotFoundException"):
            if self._owner_of_set(name) != owner:
                return
            self._rate_limit()
            with throttling():
                self._client.delete_configuration_set(ConfigurationSetName=name)

    def _owner_of_set(self, name: str) -> str | None:
        self._rate_limit()
        with throttling():
            return owner_in(self._client.get_configuration_set(ConfigurationSetName=name).get("Tags", []))

    def ensure_identity(self, domain: str, configuration_set: str, tags: Mapping[str, str]) -> Dkim:
        """Create the domain's identity with Easy DKIM and *configuration_set* as its default. Raises NotOurs."""
        self._rate_limit()
        try:
            with throttling():
                answer = self._client.create_email_identity(
                    EmailIdentity=domain, ConfigurationSetName=configuration_set, Tags=_tags(tags)
                )
        except ClientError as error:
            if code(error) != "AlreadyExistsException":
                raise
            return self._adopt(domain, configuration_set, tags)
        return _dkim(answer["DkimAttributes"])

    def _adopt(self, domain: str, configuration_set: str, tags: Mapping[str, str]) -> Dkim:
        found = self.identity(domain)
        if found is None or found.owner != owner_of(tags):
            raise NotOurs(f"{domain} is already set up in this account's SES, and not by this service instance")
        if found.configuration_set != configuration_set:  # without one its mail would cause no events
            self._rate_limit()
            with throttling():
                self._client.put_email_identity_configuration_set_attributes(
                    EmailIdentity=domain, ConfigurationSetName=configuration_set
                )
        return found.dkim

    def identity(self, domain: str) -> Identity | None:
        """The domain's identity; None if it does not exist."""
        self._rate_limit()
        try:
            with throttling():
                answer = self._client.get_email_identity(EmailIdentity=domain)
        except ClientError as error:
            if code(error) != "NotFoundException":
                raise
            return None
        dkim = answer.get("DkimAttributes", {})
        return Identity(
            owner=owner_in(answer.get("Tags", [])),
            dkim=_dkim(dkim),
            verified=dkim.get("Status") == "SUCCESS",
            failed=dkim.get("Status") == "FAILED",
            mail_from=answer.get("MailFromAttributes", {}).get("MailFromDomain", ""),
            configuration_set=answer.get("ConfigurationSetName", ""),
        )

    def set_mail_from(self, domain: str, mail_from: str) -> None:
        """Set *mail_from* (a full domain; empty: SES's own) as the domain of the envelope sender."""
        self._rate_limit()
        named: Any = {"MailFromDomain": mail_from} if mail_from else {}  # omitting the field removes it
        with throttling():
            self._client.put_email_identity_mail_from_attributes(
                EmailIdentity=domain, BehaviorOnMxFailure="USE_DEFAULT_VALUE", **named
            )

    def remove_identity(self, domain: str, owner: str) -> None:
        """Delete the domain's identity if it is instance *owner*'s. Idempotent; another instance's identity is kept."""
        found = self.identity(domain)
        if found is None or found.owner != owner:
            return
        self._rate_limit()
        with throttling(), ignoring("NotFoundException"):
            self._client.delete_email_identity(EmailIdentity=domain)


def _dkim(attributes: "DkimAttributesTypeDef") -> Dkim:
    return Dkim(
        tokens=tuple(attributes.get("Tokens", ())), zone=attributes.get("SigningHostedZone") or DEFAULT_DKIM_ZONE
    )


def _tags(tags: Mapping[str, str]) -> "list[TagTypeDef]":
    return [{"Key": key, "Value": value} for key, value in tags.items()]
