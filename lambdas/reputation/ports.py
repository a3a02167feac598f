"""What the reputation function needs from outside, one interface per adapter; `composition.py` connects them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from lambdas.domain.ports import SendingStatusClaims
from lambdas.domain.reputation.ledger import LedgerEntry
from lambdas.domain.reputation.sending_status import Mark, Pending, TransitionStep
from lambdas.domain.reputation.ses_rates import SesRates


class SendingStatuses(SendingStatusClaims, Protocol):
    """Sending statuses, their transitions, and which instances reconciliation looks at."""

    def take_over(self, pending: Pending, *, claimer: str, now: datetime) -> bool:
        """Returns False if another invocation took it over first."""

    def watch(self, instance_id: str) -> None:
        """Have reconciliation evaluate the instance too."""

    def unwatch(self, instance_id: str) -> None:
        """Stop watching the instance."""

    def watched(self) -> Sequence[str]:
        """The instances that are not healthy, undecided, or have something pending."""

    def forget(self, instance_id: str) -> None:
        """Remove the status of a deleted instance."""


class TransitionProgress(Protocol):
    """Records which steps of a claimed transition are done."""

    def step_done(self, pending: Pending, step: TransitionStep) -> bool:
        """Returns False if the transition was superseded."""

    def finish(self, pending: Pending) -> None:
        """Every step is done."""

    def release(self, pending: Pending, *, now: datetime) -> None:
        """Allow another invocation to take it over at once."""


class PauseMarks(Protocol):
    """Pauses that outlive their instances."""

    def on(self, domain: str, *, now: datetime) -> Mark | None:
        """The mark on the domain itself."""


class OrganizationMembers(Protocol):
    """Which instances belong to an organization."""

    def join(self, organization: str, instance_id: str, *, now: datetime) -> None:
        """Idempotent."""

    def members(self, organization: str, *, now: datetime) -> Iterator[str]:
        """Instances with recent feedback, including deleted ones."""


class Evidence(Protocol):
    """The ledger."""

    def latest(self, instance_id: str, *, limit: int) -> Sequence[LedgerEntry]:
        """The latest entries, newest first."""


class SendingOptions(Protocol):
    """Sending options of configuration sets in SES."""

    def set(self, instance_id: str, *, enabled: bool) -> bool:
        """Returns False if the configuration set no longer exists."""

    def enabled(self, instance_id: str) -> bool | None:
        """Returns None if the configuration set no longer exists."""


class SesRateMetrics(Protocol):
    """The rates that SES publishes to CloudWatch."""

    def latest(self, instance_ids: Iterable[str], *, now: datetime) -> Mapping[str, SesRates]:
        """The latest rates by instance."""


class InstanceList(Protocol):
    """All instances."""

    def part(self, number: int, *, of: int) -> Iterator[str]:
        """The ids of one slice."""
