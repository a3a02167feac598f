"""An organization's rates: its instances' hours together, summed seldom and kept for few."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from lambdas.domain.reputation.evaluation import HourCounts, Reason, Reputation, SendingState
from lambdas.reputation import organizations
from lambdas.reputation.organizations import KEPT_FOR, Organizations
from tests.reputation.fakes import RULES, World

NOW = datetime(2026, 11, 21, 5, 30, tzinfo=UTC)


def hour(bucket: str, **counts: int) -> dict[str, HourCounts]:
    """An hour of an instance."""
    return {bucket: HourCounts(bucket=bucket, **counts)}


def of(*instances: dict[str, HourCounts]) -> World:
    """An organization of so many instances."""
    world = World()
    for number, hours in enumerate(instances):
        world.of_others[f"s{number}"] = hours
        world.join("org-1", f"s{number}", now=NOW)
    return world


def test_hours_of_all_instances_are_added_up_by_their_time() -> None:
    """Bounces, complaints and deliveries; an hour in which two sent is one."""
    world = of(
        hour("2026-11-21T05", bounces=300, complaints=20, deliveries=1_000) | hour("2026-11-21T03", deliveries=700),
        hour("2026-11-21T05", bounces=100, complaints=40, deliveries=2_000),
    )
    everyone = world.organizations.rates("org-1", now=NOW).everyone
    assert (everyone.state, everyone.reasons) == (SendingState.PAUSED, (Reason.BOUNCES, Reason.COMPLAINTS))
    assert everyone.evidence == Reputation(bounces=400, complaints=60, deliveries=3_700, since="2026-11-21T03", hours=2)


def test_the_newest_hours_of_all_instances_fill_the_window() -> None:
    """What one of them did before the others' last 10,000 mails weighs no more."""
    world = of(
        hour("2026-11-21T05", deliveries=6_000) | hour("2026-11-21T01", deliveries=6_000),
        hour("2026-11-21T04", deliveries=5_000) | hour("2026-11-21T02", bounces=800, deliveries=4_700),
    )
    assert world.organizations.rates("org-1", now=NOW).everyone.state is SendingState.HEALTHY


def test_a_sum_is_kept_for_a_quarter_of_a_minute() -> None:
    """A pause may be late by a minute, of which this is a part."""
    assert timedelta(seconds=15) == KEPT_FOR


@dataclass
class Members:
    """The table of members, and what was written to it."""

    joined: list[tuple[str, str, str]] = field(default_factory=list)

    def join(self, organization: str, instance_id: str, *, now: datetime) -> None:
        """Remember it."""
        self.joined.append((organization, instance_id, now.date().isoformat()))

    def members(self, organization: str, *, now: datetime) -> list[str]:
        """Nobody."""
        return []


def summed(members: Members) -> Organizations:
    """Organizations with *members*."""
    world = World()
    return Organizations(table=members, counters=world, statuses=world.statuses, rules=RULES)  # type: ignore[arg-type]


def test_a_membership_is_written_once_a_day() -> None:
    """Of each instance in each organization."""
    members = Members()
    joining = summed(members)
    for organization, instance_id, now in (
        ("org-1", "i1", NOW),
        ("org-1", "i1", NOW + timedelta(hours=1)),
        ("org-1", "i2", NOW),
        ("org-2", "i1", NOW),
        ("org-1", "i1", NOW + timedelta(days=1)),
    ):
        joining.join(organization, instance_id, now=now)
    assert members.joined == [
        ("org-1", "i1", "2026-11-21"),
        ("org-1", "i2", "2026-11-21"),
        ("org-2", "i1", "2026-11-21"),
        ("org-1", "i1", "2026-11-22"),
    ]


def test_a_process_keeps_a_bounded_number_of_sums_and_memberships(monkeypatch: pytest.MonkeyPatch) -> None:
    """It lives for hours, and sees every organization of the platform."""
    monkeypatch.setattr(organizations, "_KEPT_AT_MOST", 2)
    kept = summed(Members())
    for number in range(3):
        kept.join("org-1", f"i{number}", now=NOW)
        kept.rates(f"org-{number}", now=NOW)
        assert len(kept.sums) == len(kept.joined) == (1 if number == 2 else number + 1)
