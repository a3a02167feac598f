"""What a binding's life needs of others: where it is remembered, and who makes what it consists of."""

from datetime import datetime, timedelta
from typing import Any, Protocol

from lambdas.domain.tenants.instance import Binding, Instance

WORKING = timedelta(seconds=35)  # beyond the API function's timeout of 30 s: past it, nobody is at it any more


class Store(Protocol):
    """The broker's memory; the promises are those of lambdas.aws.dynamodb.broker.broker_table."""

    def instance(self, instance_id: str) -> Instance | None: ...
    def binding(self, instance_id: str, binding_id: str) -> Binding | None: ...
    def instance_of_binding(self, binding_id: str) -> str | None: ...
    def save_binding(self, binding: Binding, *, instances: tuple[Instance, ...] = ()) -> Binding: ...


class Maker(Protocol):
    """Makes, shows and removes what a binding consists of; see ses_bindings and privatelink."""

    def check_room(self) -> None:
        """Raise QuotaExceeded if nothing more can be made."""

    def make(self, binding: Binding, instance: Instance, *, now: datetime) -> Binding:
        """Make all of it, including what an interrupted bind left. Returns the binding with its encrypted secrets."""

    def remove(self, binding: Binding, *, now: datetime) -> None:
        """Remove all of it; what is gone is fine."""

    def show(self, binding: Binding, instance: Instance, link: Instance | None, *, current: bool) -> dict[str, Any]:
        """Its `credentials` and `parameters`; with *current*, the instructions say how things stand by now."""


def link_of(binding: Binding, store: Store) -> Instance | None:
    """The privatelink instance that the binding goes through."""
    link_id = binding.effective.privatelink_instance_id
    return store.instance(link_id) if link_id else None
