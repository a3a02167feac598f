"""The types of a webhook's body: the contract with applications.

The schemas in docs/schemas, the event catalogue and the type definitions for applications are generated from these
classes (`python -m docs.generate`). The text behind a field's type is its description there. Fields may be added, so
receivers ignore what they do not know; a field is removed or changes its meaning only with a new major version.
"""

from typing import Annotated, Any, Literal, NewType, NotRequired, TypedDict

Timestamp = NewType("Timestamp", str)  # RFC 3339, UTC, milliseconds: 2026-11-21T04:00:00.123Z

MailData = TypedDict(
    "MailData",
    {
        "sent_at": Annotated[Timestamp | None, "When the application handed the mail to SES."],
        "from": Annotated[str | None, "The envelope's sender, as the application gave it."],
        "to": Annotated[list[str], "All recipients of the mail. Empty if the body was truncated."],
        "subject": Annotated[str | None, "The subject."],
        "tags": Annotated[
            dict[str, list[str]],
            "The application's own tags (X-SES-MESSAGE-TAGS or EmailTags) and those of SES, which begin with `ses:`.",
        ],
    },
)


class RecipientData(TypedDict):
    """A recipient that the event is about."""

    email: Annotated[str, "The address alone, without a display name."]
    status: Annotated[str | None, "The enhanced status code of the receiving server, such as 5.1.1."]
    diagnostic: Annotated[str | None, "What the receiving server said. Null if it said nothing or was truncated."]


BounceData = TypedDict(
    "BounceData",
    {
        "class": Annotated[
            Literal["permanent", "transient", "undetermined"],
            "`permanent`: do not write to the recipients again. `transient`: SES gave up for now; a later mail may "
            "arrive. `undetermined`: SES could not read the answer.",
        ],
        "subtype": Annotated[str | None, "SES's bounceSubType, such as General, NoEmail, Suppressed, MailboxFull."],
        "counts": Annotated[bool, "Whether it counts in the bounce rate for which sending can be paused."],
    },
)


class ComplaintData(TypedDict):
    """What a recipient complained of."""

    feedback_type: Annotated[
        str | None, "abuse, auth-failure, fraud, not-spam, other or virus. Null if the mailbox provider gave none."
    ]
    counts: Annotated[bool, "Whether it counts in the complaint rate for which sending can be paused."]


class DeliveryData(TypedDict):
    """How a mail was delivered."""

    smtp_response: Annotated[str | None, "The answer of the receiving server."]
    processing_ms: Annotated[int | None, "Milliseconds between SES's acceptance of the mail and its delivery."]


class RejectData(TypedDict):
    """Why SES did not send a mail that it had accepted."""

    reason: Annotated[str | None, "SES's reason, such as Bad content: the mail held a virus."]


class DelayData(TypedDict):
    """Why a mail is delayed."""

    type: Annotated[str | None, "SES's delayType, such as MailboxFull, SpamDetected, RecipientServerError."]


class RenderingFailureData(TypedDict):
    """Why a template could not be rendered."""

    error: Annotated[str | None, "SES's message, which names what the template lacked."]


class EventData(TypedDict):
    """What every event of a mail has."""

    instance_id: Annotated[str, "The service instance."]
    binding_id: Annotated[str | None, "The binding whose credentials sent the mail. Null if it is not known."]
    message_id: Annotated[str | None, "SES's id of the mail: the answer of SendEmail, or of the SMTP server after 250."]
    mail: Annotated[MailData, "The mail."]
    recipients: Annotated[list[RecipientData], "The recipients that the event is about, not all of the mail's."]
    truncated: NotRequired[Annotated[Literal[True], "Present if the body was shortened to stay under 20 KB."]]


class BouncedData(EventData):
    """A bounce."""

    bounce: Annotated[BounceData, "The bounce."]


class ComplainedData(EventData):
    """A complaint. The recipients are candidates: any one of them may have complained."""

    complaint: Annotated[ComplaintData, "The complaint."]


class DeliveredData(EventData):
    """A delivery."""

    delivery: Annotated[DeliveryData, "The delivery."]


class RejectedData(EventData):
    """A rejection."""

    reject: Annotated[RejectData, "The rejection."]


class DelayedData(EventData):
    """A delay."""

    delay: Annotated[DelayData, "The delay."]


class RenderingFailedData(EventData):
    """A failed rendering."""

    rendering_failure: Annotated[RenderingFailureData, "The failure."]


class TestData(TypedDict):
    """A test. No mail was sent."""

    instance_id: Annotated[str, "The service instance."]
    binding_id: Annotated[str | None, "The binding whose webhook is tested."]
    message: Annotated[str, "A sentence for people."]


class WindowData(TypedDict):
    """What the rates were computed over."""

    since: Annotated[str, "The first hour of the window, UTC, as 2026-11-21T04."]
    outcomes: Annotated[int, "Deliveries and counting bounces in the window."]


class ReputationPausedData(TypedDict):
    """A pause of the instance's sending."""

    instance_id: Annotated[str, "The service instance."]
    cause: Annotated[str, "Who or what paused sending."]
    reasons: Annotated[list[str], "The limits that were reached."]
    message: Annotated[str, "A sentence for people."]
    window: Annotated[WindowData, "What the rates were computed over."]
    bounces: Annotated[int, "Bounces that count."]
    complaints: Annotated[int, "Complaints that count."]
    deliveries: Annotated[int, "Deliveries."]
    bounce_rate: Annotated[float, "A fraction: 0.04 is 4 %."]
    complaint_rate: Annotated[float, "A fraction: 0.0008 is 0.08 %."]
    paused_at: Annotated[Timestamp, "When sending was paused."]
    paused_until: Annotated[Timestamp | None, "When the pause ends by itself. Null if somebody has to resume sending."]
    truncated: NotRequired[Annotated[Literal[True], "Present if the body was shortened to stay under 20 KB."]]


DATA: dict[str, Any] = {  # the type of `data` by the body's `type`
    "email.bounced": BouncedData,
    "email.complained": ComplainedData,
    "email.delivered": DeliveredData,
    "email.rejected": RejectedData,
    "email.delayed": DelayedData,
    "email.rendering_failed": RenderingFailedData,
    "webhook.test": TestData,
    "reputation.paused": ReputationPausedData,
}
