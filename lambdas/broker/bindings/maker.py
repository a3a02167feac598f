"""Who makes what a binding consists of, and the rules that all kinds of bindings share."""

from datetime import datetime, timedelta
from typing import Any, Protocol

from lambdas.broker.ports import BindingStore
from lambdas.domain.tenants.instance import Binding, Instance

WORKING = timedelta(seconds=35)  # longer than the API function's timeout of 30 s


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


def link_of(binding: Binding, store: BindingStore) -> Instance | None:
    """The privatelink instance that the binding goes through."""
    link_id = binding.effective.privatelink_instance_id
    return store.instance(link_id) if link_id else None
