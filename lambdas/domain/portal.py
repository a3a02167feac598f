"""Portal sessions and rights: who is signed in, and what they may see and do."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

LONGEST = timedelta(hours=8)  # of a session
LINK_VALID = timedelta(minutes=15)  # of an unused one-time link
REPLAY_STALLED = timedelta(hours=1)  # SQS has redelivered a failed step several times by then
OPERATOR = "*"  # in place of an instance's id: all instances, and the operator's actions


class Right(StrEnum):
    """What a caller may do with an instance."""

    READ = "read"
    MANAGE = "manage"


class Needs(StrEnum):
    """The right that a route requires."""

    NOTHING = "nothing"
    SIGN_IN = "sign-in"
    READ = "read"
    MANAGE = "manage"
    OPERATOR = "operator"  # an operator, read-only operators included
    OPERATE = "operate"


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuthClient:
    """The portal's client at its OpenID provider. Cloud Foundry registers it from the broker's catalog."""

    id: str
    secret: str = field(repr=False)


SIGN_IN_CALLBACK = "/sign-in/callback"  # the path of that client's redirect URI


def page_of(portal_url: str, instance_id: str, path: str = "") -> str:
    """The address of an instance's page, for links from elsewhere; empty where there is no portal."""
    return f"{portal_url}/instances/{instance_id}{path}" if portal_url else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A right to one instance, or to all (OPERATOR). `checked_at`: when the platform last confirmed it."""

    right: Right
    checked_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A signed-in caller. `who` is recorded with every action. `tokens` are the platform's tokens, to confirm rights
    again.
    """

    id: str = field(repr=False)
    who: str
    created_at: datetime
    expires_at: datetime
    grants: Mapping[str, Grant] = field(default_factory=dict)
    tokens: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def is_operator(self) -> bool:
        """Whether the caller may see all instances."""
        return OPERATOR in self.grants

    def may_read(self, instance_id: str) -> bool:
        """Whether the caller may see the instance."""
        return instance_id in self.grants or self.is_operator

    def may_manage(self, instance_id: str) -> bool:
        """Whether the caller may act as the instance's tenant."""
        return any(grant.right is Right.MANAGE for grant in self._grants(instance_id))

    @property
    def may_operate(self) -> bool:
        """Whether the caller may use the operator's actions."""
        return OPERATOR in self.grants and self.grants[OPERATOR].right is Right.MANAGE

    @property
    def instances(self) -> tuple[str, ...]:
        """The instances that the session is for; empty for an operator's."""
        return tuple(sorted(set(self.grants) - {OPERATOR}))

    def meets(self, needs: Needs, instance_id: str) -> bool:
        """Whether the caller may use a route that *needs* this right for the instance."""
        match needs:
            case Needs.NOTHING | Needs.SIGN_IN:
                return True
            case Needs.READ:
                return self.may_read(instance_id)
            case Needs.MANAGE:
                return self.may_manage(instance_id)
            case Needs.OPERATOR:
                return self.is_operator
            case Needs.OPERATE:
                return self.may_operate

    def _grants(self, instance_id: str) -> list[Grant]:
        return [self.grants[name] for name in (instance_id, OPERATOR) if name in self.grants]


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """What a one-time link allows its first user to do, and for how long."""

    instance_id: str  # or OPERATOR
    right: Right
    who: str
    session_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """An action in the portal: who did it, on which object, why, and with what result."""

    instance_id: str
    at: datetime
    who: str
    what: str
    subject: str = ""  # for example the webhook
    why: str = ""


class ReplayState(StrEnum):
    """The progress of a replay."""

    RUNNING = "running"
    DONE = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """A replay: a webhook's archived and parked deliveries since a time, or the one with `delivery_id`, sent again.

    Deliveries created after `began_at` are left out, which excludes the deliveries that the replay itself creates.
    The archive's partitions come before the backlog's. `partition` and `after` say where the next step continues;
    `version` counts the steps.
    """

    id: str
    instance_id: str
    webhook_id: str
    since: datetime
    began_at: datetime
    who: str
    delivery_id: str = ""
    state: ReplayState = ReplayState.RUNNING
    partition: int = 0
    after: str = ""
    sent: int = 0
    touched_at: datetime | None = None
    version: int = 0

    def is_running(self, *, now: datetime) -> bool:
        """Whether the replay may still make progress. It counts as given up after REPLAY_STALLED without a step."""
        return self.state is ReplayState.RUNNING and now - (self.touched_at or self.began_at) < REPLAY_STALLED
