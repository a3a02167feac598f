"""What the operators' pages know of all instances and webhooks: read from two tables, which grow with the service.

The list reads them afresh. Its further pages and searches use what the same process read at most KEPT_FOR ago, so that
paging and searching do not read both tables again for each click.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from lambdas.domain.tenants.instance import Instance
from lambdas.domain.webhooks.health import HealthState, current
from lambdas.domain.webhooks.target import Target
from lambdas.portal.ports import InstanceRegistry, Webhooks

KEPT_FOR = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """All instances, and the webhooks that were not healthy, as of `at`."""

    at: datetime
    instances: tuple[Instance, ...]
    unwell: tuple[Target, ...]


@dataclass(slots=True, kw_only=True)
class Overviews:
    """Reads the overview, and keeps the last one."""

    registry: InstanceRegistry
    webhooks: Webhooks
    _kept: Overview | None = field(default=None, init=False)

    def fresh(self, now: datetime) -> Overview:
        """As of now. Reads both tables."""
        unwell = (
            target
            for target, _ in self.webhooks.every()
            if current(target.health, target.version, now=now).state is not HealthState.HEALTHY
        )
        self._kept = Overview(at=now, instances=tuple(self.registry.instances()), unwell=tuple(unwell))
        return self._kept

    def recent(self, now: datetime) -> Overview:
        """At most KEPT_FOR old."""
        if self._kept is None or not timedelta(0) <= now - self._kept.at < KEPT_FOR:
            return self.fresh(now)
        return self._kept
