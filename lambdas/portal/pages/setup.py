"""The set-up page: the DNS records with their state, what SES says, and whether alarms reach anybody."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from lambdas.domain.portal import Action
from lambdas.domain.reputation.sending_status import midnight_after
from lambdas.domain.tenants.confirmation_mail import refusal
from lambdas.domain.tenants.dns_records import DnsRecord
from lambdas.domain.tenants.instance import Instance
from lambdas.portal.errors import Conflict, TooManyRequests
from lambdas.portal.http import Response, see_other
from lambdas.portal.ports import Actions, CallCounter, Topics
from lambdas.portal.rendering import Renderer
from lambdas.portal.routing import Call

_DAY = timedelta(days=1)
_A_DAY = 3  # confirmation mails that an instance's tenant may have sent: the address may be a stranger's


class RecordState(StrEnum):
    """What DNS says of a record."""

    FOUND = "found"
    MISSING = "missing"
    DIFFERENT = "different"
    UNKNOWN = "could not be looked up now"


@dataclass(frozen=True, slots=True, kw_only=True)
class LookedUp:
    """A record with what DNS holds in its place."""

    record: DnsRecord
    state: RecordState
    present: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityStatus:
    """What SES says of a domain, in its own words such as SUCCESS, PENDING, FAILED."""

    dkim: str
    mail_from: str
    verified: bool


LookUp = Callable[[Sequence[DnsRecord]], Sequence[LookedUp]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupPages:
    """Shows the set-up and sends the confirmation of alarms again."""

    renderer: Renderer
    instance: Callable[[str], Instance]
    records: Callable[[Instance], Sequence[DnsRecord]]
    look_up: LookUp
    identity: Callable[[str], IdentityStatus | None]
    topics: Topics
    counter: CallCounter
    actions: Actions

    def show(self, call: Call) -> Response:
        """The page."""
        instance = self.instance(call.instance)
        return self.renderer.page(
            call,
            "setup.html",
            instance=instance,
            records=self.look_up(self.records(instance)) if instance.claimed else (),
            identity=self.identity(instance.domain) if instance.claimed else None,
            confirmed=self._confirmed(instance),
            notice=_NOTICES.get(call.request.query.get("done", ""), ""),
        )

    def resend(self, call: Call) -> Response:
        """Send the confirmation of alarms again."""
        instance = self.instance(call.instance)
        made = instance.made
        if not made.alert_topic_arn or not made.alert_email:
            raise Conflict("This instance has no address for alarms yet; it is still being set up.")
        if self.topics.confirmed(made.alert_topic_arn, made.alert_email):
            raise Conflict("The address has confirmed already.")
        seconds = int((midnight_after(call.now) - call.now).total_seconds()) + 1
        if self.counter.count_call(f"confirmation-{call.instance}", window=_DAY, now=call.now) > _A_DAY:
            raise TooManyRequests(
                f"The confirmation was sent {_A_DAY} times today. Look for it in the spam folder. It can be sent again "
                "after midnight UTC.",
                seconds=seconds,
            )
        if not self.topics.ask_again(made.alert_topic_arn, made.alert_email):
            raise TooManyRequests(refusal(call.now), seconds=seconds)
        self.actions.record(
            Action(instance_id=call.instance, at=call.now, who=call.signed_in.who, what="resend confirmation")
        )
        return see_other("../setup?done=sent")

    def _confirmed(self, instance: Instance) -> bool:
        made = instance.made
        return bool(made.alert_topic_arn) and self.topics.confirmed(made.alert_topic_arn, made.alert_email)


_NOTICES = {"sent": "AWS Notifications sends the confirmation again. Open its link within two days."}
