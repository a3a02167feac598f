"""Sending through a configuration set as SES does it: refused, or accepted with events published.

One path for SES v1, SES v2 and SMTP; each renders the outcome in its own way.
"""

import asyncio
import json
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, auto

from httpx import Response

from local.emulator import ses_events
from local.emulator.embedded import AwsRefused, EmbeddedAws
from local.emulator.http_message import Caller, Request
from local.emulator.identities import Identities
from local.emulator.mime import Submission
from local.emulator.simulator import Fate, address, fate_of

logger = logging.getLogger(__name__)

SUBJECT = "Amazon SES Email Event Notification"  # of SES's SNS messages
VALIDATION = (
    "Successfully validated SNS topic for Amazon SES event publishing."  # what SES publishes to a new destination
)
_MATCHING = {
    "Send": "SEND",
    "Delivery": "DELIVERY",
    "Bounce": "BOUNCE",
    "Complaint": "COMPLAINT",
    "Reject": "REJECT",
    "DeliveryDelay": "DELIVERY_DELAY",
    "Rendering Failure": "RENDERING_FAILURE",
}


class RefusalReason(Enum):
    """Why SES refuses a mail."""

    UNKNOWN_SET = auto()
    PAUSED_SET = auto()
    PAUSED_ACCOUNT = auto()
    UNKNOWN_KEY = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """The mail was accepted."""

    message_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NotSent:
    """The mail was refused by a rule that the embedded SES lacks."""

    reason: RefusalReason
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NotTaken:
    """The mail was refused by the embedded SES; holds its answer."""

    response: Response


class Sender:
    """Sends mail: checks the caller and the set, passes the mail to the embedded SES, then publishes the events."""

    def __init__(
        self, aws: EmbeddedAws, identities: Identities, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._aws = aws
        self._identities = identities
        self._clock = clock
        self.enabled = True  # for the whole account: PutAccountSendingAttributes, or AWS's own enforcement
        self._publishing: set[asyncio.Task[None]] = set()

    async def send(self, mail: Submission, request: Request) -> Sent | NotSent | NotTaken:
        """Send *mail*. *request* names caller and region, and is passed to the embedded SES."""
        caller = request.caller
        user = await self._aws.user_of(caller)
        if user is None and caller.access_key_id.startswith("AKIA"):
            return NotSent(
                reason=RefusalReason.UNKNOWN_KEY, message="The security token included in the request is invalid."
            )
        if not self.enabled:
            return NotSent(reason=RefusalReason.PAUSED_ACCOUNT, message="Sending paused for this account.")
        name = mail.configuration_set or await self._identities.default_set(caller, address(mail.source))
        if name and (refusal := await self._refusal(caller, name)):
            return refusal
        response = await self._aws.forward(request)
        if not response.is_success:
            return NotTaken(response=response)
        accepted = self._accepted(mail, request, name, user or "root")
        if name:
            self._publish_later(caller, name, self._events_of(mail, accepted))
        return Sent(message_id=accepted.message_id)

    async def told_everything(self) -> None:
        """Wait until the events of every accepted mail are published."""
        while self._publishing:
            await asyncio.gather(*self._publishing)

    async def _refusal(self, caller: Caller, name: str) -> NotSent | None:
        found = await self._aws.configuration_set(caller, name)
        if found is None:
            return NotSent(reason=RefusalReason.UNKNOWN_SET, message=f"Configuration set <{name}> does not exist.")
        if not found.get("SendingOptions", {}).get("SendingEnabled", True):
            return NotSent(reason=RefusalReason.PAUSED_SET, message=f"Sending paused for configuration set <{name}>.")
        return None

    def _accepted(self, mail: Submission, request: Request, name: str | None, user: str) -> ses_events.SentMail:
        caller, now = request.caller, self._clock()
        domain = address(mail.source).rpartition("@")[2]
        tags = {
            "ses:operation": [mail.operation],
            "ses:configuration-set": [name or ""],
            "ses:source-ip": [request.client],
            "ses:from-domain": [domain],
            "ses:caller-identity": [user],
        }
        return ses_events.SentMail(
            message_id=ses_events.ses_id(now, caller.region),
            sent_at=now,
            source=mail.source,
            source_arn=f"arn:aws:ses:{caller.region}:{caller.account}:identity/{domain}",
            account=caller.account,
            region=caller.region,
            destination=mail.destination,
            headers=mail.headers,
            tags={**tags, **mail.tags},
        )

    @staticmethod
    def _events_of(mail: Submission, accepted: ses_events.SentMail) -> list[ses_events.Event]:
        if mail.infected:
            return [ses_events.send(accepted), ses_events.reject(accepted, "Bad content")]
        groups: dict[tuple[Fate, str], list[str]] = defaultdict(list)
        for recipient in mail.destination:
            groups[fate_of(recipient), address(recipient).lower().rpartition("@")[2]].append(recipient)
        events = [ses_events.after_send(accepted, fate, recipients) for (fate, _), recipients in groups.items()]
        return [ses_events.send(accepted), *(event for some in events for event in some)]

    def _publish_later(self, caller: Caller, name: str, events: Iterable[ses_events.Event]) -> None:
        task = asyncio.create_task(self._publish(caller, name, events))
        self._publishing.add(task)
        task.add_done_callback(self._publishing.discard)

    async def _publish(self, caller: Caller, name: str, events: Iterable[ses_events.Event]) -> None:
        destinations = await self._aws.event_destinations(caller, name)
        for event in events:
            for topic in topics_for(event, destinations):
                try:
                    await self._aws.publish(caller, topic, json.dumps(event) + "\n", subject=SUBJECT)
                except AwsRefused:
                    logger.exception("event not published")


def topics_for(event: ses_events.Event, destinations: Iterable[dict[str, object]]) -> list[str]:
    """The SNS topics of the enabled event destinations that ask for this kind of event."""
    topics = []
    for destination in destinations:
        sns = destination.get("SnsDestination")
        types = destination.get("MatchingEventTypes")
        wanted = isinstance(types, list) and _MATCHING[event["eventType"]] in types
        if destination.get("Enabled") and wanted and isinstance(sns, dict):
            topics.append(str(sns["TopicArn"]))
    return topics
