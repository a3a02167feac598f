"""The operator's cap on an instance's mail a day, so that no tenant uses up the account's daily quota. Off by default.

Counted are the outcomes that the ledger counts anyway (deliveries and bounces, by recipient), in the hours since
midnight UTC. A mail whose outcome is not known yet is not counted yet.

The cap only claims the pause and hands it over: the reputation function enforces it, as any other transition.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from lambdas.domain.ports import HourlyCounters
from lambdas.domain.reputation.evaluation import Reputation, SendingState
from lambdas.domain.reputation.ledger import bucket_of
from lambdas.domain.reputation.sending_status import HANDED_OVER, Cause, SendingStatus, midnight_after, transition_of
from lambdas.domain.webhooks.audience import Audience
from lambdas.reputation.ports import SendingStatuses


@dataclass(frozen=True, slots=True, kw_only=True)
class DailyCap:
    """Pauses instances that reached *cap* outcomes today, until midnight UTC."""

    cap: int
    counters: HourlyCounters
    statuses: SendingStatuses
    audience: Callable[[str], Audience | None]

    def enforce(self, instance_id: str, *, now: datetime) -> bool:
        """Returns whether the instance was paused.

        False also if another transition was claimed at this moment: the instance's next outcome tries again.
        """
        today = self._today(instance_id, now)
        if today.outcomes < self.cap:
            return False
        status, audience = self.statuses.load(instance_id), self.audience(instance_id)
        if audience is None or audience.deleted:
            return False
        if status.state is SendingState.PAUSED or _was_allowed_more(status, now):
            return False
        capped = transition_of(
            status, SendingState.PAUSED, today, cause=Cause.DAILY_CAP, now=now, domain=audience.domain
        )
        why = f"{today.outcomes:,} mails had an outcome since midnight UTC; the cap is {self.cap:,} a day."
        capped = replace(capped, until=midnight_after(now), why=why)
        return self.statuses.claim(status, capped, claimer=HANDED_OVER, baseline=status.baseline, now=now)

    def _today(self, instance_id: str, now: datetime) -> Reputation:
        """Counts since midnight UTC, regardless of the baseline: a resumption does not restart the day."""
        hours = list(self.counters.hours(instance_id, since=bucket_of(_midnight(now))))
        return Reputation(
            bounces=sum(hour.bounces for hour in hours),
            complaints=sum(hour.complaints for hour in hours),
            deliveries=sum(hour.deliveries for hour in hours),
            since=hours[-1].bucket if hours else None,
            hours=len(hours),
        )


def _was_allowed_more(status: SendingStatus, now: datetime) -> bool:
    """Whether an operator resumed the instance today: then the cap does not pause it again."""
    since = status.since
    return status.cause is Cause.OPERATOR and since is not None and since >= _midnight(now)


def _midnight(now: datetime) -> datetime:
    return midnight_after(now) - timedelta(days=1)
