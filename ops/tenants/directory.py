"""Instances by the names that people know: the platform's name, the domain, or the id."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from lambdas.domain.tenants.instance import Instance, InstanceState

_NAME, _ORGANIZATION, _SPACE = (
    f"ses-feedback:{name}" for name in ("instance-name", "organization-name", "space-name")
)  # tags that the broker makes of the platform's context


class UnknownInstance(Exception):
    """No instance, or more than one, has that id, name or domain; the message says what to type instead."""


class Instances(Protocol):
    """The broker's records; lambdas.aws.dynamodb.broker.broker_table keeps them."""

    def instance(self, instance_id: str) -> Instance | None:
        """The instance of that id, tombstones included."""
        ...

    def instances(self) -> Iterator[Instance]:
        """All instances without tombstones."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """An instance as people know it. A fact that the platform did not give is empty, or the guid it gave instead.

    With `lost_domain` it does not hold its domain any more: the domain was released, and another may have it.
    """

    id: str
    name: str = ""
    organization: str = ""
    space: str = ""
    domain: str = ""
    admin_email: str = ""
    lost_domain: bool = False

    @property
    def path(self) -> str:
        """`organization/space/name`, which is unique on a platform."""
        return "/".join((self.organization, self.space, self.name))

    @property
    def domain_shown(self) -> str:
        """The domain, and whether the instance does not hold it."""
        return f"{self.domain} (not held)" if self.lost_domain else self.domain

    def columns(self) -> dict[str, str]:
        """What a table of instances begins with."""
        return {
            "instance": self.id,
            "name": self.name,
            "organization": self.organization,
            "space": self.space,
            "domain": self.domain_shown,
        }

    def __str__(self) -> str:
        """The id, and the name and domain where there are any."""
        known = ", ".join(filter(None, (self.path if self.name else "", self.domain_shown)))
        return f"{self.id} ({known})" if known else self.id


def named(instance: Instance) -> Named:
    """What the broker knows of an instance's names."""
    return Named(
        id=instance.id,
        name=instance.tags.get(_NAME, ""),
        organization=instance.tags.get(_ORGANIZATION, instance.organization_guid),
        space=instance.tags.get(_SPACE, instance.space_guid),
        domain=instance.domain,
        admin_email=instance.ses.admin_email if instance.ses else "",
        lost_domain=instance.lost_domain,
    )


@dataclass(frozen=True)
class Directory:
    """Finds instances. Lists read the broker's table once; one id is one read. *say* reports how a choice was made."""

    records: Instances
    say: Callable[[str], None] = lambda _: None

    def find(self, text: str) -> Named:
        """The instance whose id, domain, name or `organization/space/name` is *text*. Raises UnknownInstance.

        Of several with a domain, it is the one that holds it.
        """
        known = self.records.instance(text)
        if known is not None and known.state is not InstanceState.GONE:
            return named(known)
        found = [one for one in self._all.values() if text in (one.name, one.path) or text.lower() == one.domain]
        holding = [one for one in found if text in (one.name, one.path) or not one.lost_domain]
        if len(found) > len(holding) == 1:
            others = ", ".join(sorted(one.id for one in found if one not in holding))
            self.say(f"{text} is {holding[0].id}, which holds the domain; {others} had it before")
        if len(found) == 1 or len(holding) == 1:
            return (holding or found)[0]
        raise UnknownInstance(_ambiguous(text, found) if found else _unknown(text))

    def of(self, instance_id: str) -> Named:
        """The names of an instance that may be unknown to the broker, as a drill's is: then only its id."""
        return self._all.get(instance_id, Named(id=instance_id))

    def every(self) -> list[Named]:
        """All instances, by organization, space and name."""
        return sorted(self._all.values(), key=lambda one: (one.path, one.id))

    @cached_property
    def _all(self) -> dict[str, Named]:
        return {instance.id: named(instance) for instance in self.records.instances()}


def _ambiguous(text: str, found: Iterable[Named]) -> str:
    lines = "\n".join(f"  {one}" for one in sorted(found, key=lambda one: (one.path, one.id)))
    return f"more than one instance is called {text}; give the id of one of them:\n{lines}"


def _unknown(text: str) -> str:
    return (
        f"there is no instance {text}: give an id, a domain, a name or organization/space/name; "
        "`python -m ops instances list` shows them"
    )
