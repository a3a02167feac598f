"""Limits of one service instance, so that one tenant does not use up shared quotas."""

from collections.abc import Iterable
from dataclasses import dataclass

from lambdas.broker.osb.errors import QuotaExceeded
from lambdas.broker.ports import BindingReader
from lambdas.broker.settings import BrokerSettings
from lambdas.domain.tenants.instance import Binding, BindingState, Instance

ROTATING = 2  # times the limit: during a rotation each binding may have a successor


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Checks what a bind would add. Concurrent binds are serialised by the instance's version."""

    bindings: BindingReader
    per_instance: int
    webhooks: int

    @classmethod
    def of(cls, settings: BrokerSettings, bindings: BindingReader) -> "Limits":
        """From the settings."""
        return cls(
            bindings=bindings, per_instance=settings.bindings_per_instance, webhooks=settings.webhooks_per_instance
        )

    def check(self, instance: Instance, wanted: Binding) -> None:
        """Raise QuotaExceeded if *wanted*, an intent not yet recorded, is one binding or one webhook too many."""
        others = [binding_id for binding_id in instance.bindings if binding_id != wanted.id]
        rotating = bool(wanted.request.predecessor_binding_id)
        if len(others) >= self.per_instance * (ROTATING if rotating else 1):
            raise QuotaExceeded(
                f"the service instance has {len(others)} bindings, and may have {self.per_instance}; delete bindings "
                "that are no longer used, or ask the operator"
            )
        if 2 * (len(others) + 1) > self.webhooks:  # a binding has at most a webhook and an address
            self._check_webhooks(instance, others, wanted)

    def _check_webhooks(self, instance: Instance, others: Iterable[str], wanted: Binding) -> None:
        found = (self.bindings.binding(instance.id, binding_id) for binding_id in others)
        known = {id_ for binding in found if binding is not None for id_ in _webhooks(binding)}
        new = _webhooks(wanted) - known
        if new and len(known | new) > self.webhooks:
            raise QuotaExceeded(
                f"the service instance has {len(known)} webhooks and notification_email addresses, and may have "
                f"{self.webhooks}; delete bindings that are no longer used, or bind without them"
            )


def _webhooks(binding: Binding) -> set[str]:
    if binding.state is BindingState.GONE:
        return set()
    return {id_ for id_ in (binding.webhook_id, binding.email_webhook_id) if id_}
