"""An organization's rates: its instances' counters together, so that a pause is not shed by many small instances.

Platforms without organizations are evaluated by instance alone. The sum is kept for a short while: a flood of events
of one organization must not read all its counters for each of them.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from heapq import merge
from itertools import groupby

from lambdas.domain.ports import HourlyCounters
from lambdas.domain.reputation.evaluation import (
    Decision,
    HourCounts,
    ReputationRules,
    SendingState,
    evaluate_windows,
    measure_windows,
    window_begin,
)
from lambdas.domain.reputation.sending_status import SendingStatus
from lambdas.reputation.ports import OrganizationMembers, SendingStatuses

KEPT_FOR = timedelta(seconds=15)  # a sum; of what a pause may be late by, a minute, a quarter
_KEPT_AT_MOST = 1_000  # organizations and memberships in a process


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganizationRates:
    """The decisions that follow from an organization's rates at one time.

    `everyone` is over all its instances, paused and deleted ones too: the low floors follow from it. `sending` is over
    those that are not paused: what a paused instance did is no reason to pause another one that is only warned.
    """

    at: datetime
    everyone: Decision
    sending: Decision


@dataclass(frozen=True, slots=True, kw_only=True)
class Organizations:
    """Sums organizations' counters by *rules*."""

    table: OrganizationMembers
    counters: HourlyCounters
    statuses: SendingStatuses
    rules: ReputationRules
    sums: dict[str, OrganizationRates] = field(default_factory=dict)
    joined: dict[tuple[str, str, str], None] = field(default_factory=dict)

    def join(self, organization: str, instance_id: str, *, now: datetime) -> None:
        """Have the instance count for *organization*; written once a day and process."""
        key = (organization, instance_id, now.date().isoformat())
        if key not in self.joined:
            self.table.join(organization, instance_id, now=now)
            _bound(self.joined)
            self.joined[key] = None

    def rates(self, organization: str, *, now: datetime) -> "OrganizationRates":
        """The decisions that follow from the summed rates; cached for KEPT_FOR.

        Once an organization is over a pause threshold, all its instances are watched: reconciliation evaluates those
        without further events.
        """
        known = self.sums.get(organization)
        if known is not None and now - known.at < KEPT_FOR:
            return known
        members = [self.statuses.load(member) for member in self.table.members(organization, now=now)]
        everyone = sending = self._decision(members, now)
        if everyone.state is SendingState.PAUSED:
            sending = self._decision([one for one in members if one.state is not SendingState.PAUSED], now)
            for member in members:
                self.statuses.watch(member.instance_id)
        _bound(self.sums)
        self.sums[organization] = found = OrganizationRates(at=now, everyone=everyone, sending=sending)
        return found

    def _decision(self, members: Iterable[SendingStatus], now: datetime) -> Decision:
        hours = (self._hours(member, now) for member in members)
        newest_first = merge(*hours, key=_bucket, reverse=True)
        windows = measure_windows(map(_sum, groupby(newest_first, key=_bucket)), self.rules)
        return evaluate_windows(windows, self.rules, SendingState.HEALTHY)

    def _hours(self, member: SendingStatus, now: datetime) -> Iterator[HourCounts]:
        """Counts since the last resumption of each instance: forgiven feedback does not count against the others
        either."""
        return self.counters.hours(
            member.instance_id, since=window_begin(self.rules, baseline=member.baseline, now=now)
        )


def _bucket(hour: HourCounts) -> str:
    return hour.bucket


def _sum(group: tuple[str, Iterable[HourCounts]]) -> HourCounts:
    bucket, hours = group
    parts = list(hours)
    return HourCounts(
        bucket=bucket,
        bounces=sum(part.bounces for part in parts),
        complaints=sum(part.complaints for part in parts),
        deliveries=sum(part.deliveries for part in parts),
    )


def _bound(kept: "dict[str, OrganizationRates] | dict[tuple[str, str, str], None]") -> None:
    if len(kept) >= _KEPT_AT_MOST:
        kept.clear()
