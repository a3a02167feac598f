"""The `privatelink` service: an interface endpoint for SES's SMTP interface, step by step, and its bindings."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lambdas.broker.instances.ses_steps import tags
from lambdas.broker.operations.engine import OperationStep, StepDone, StepOutcome, StepRefused, StepWaiting
from lambdas.broker.osb.rendering import PRIVATE_PORT
from lambdas.broker.ports import VpcEndpoints
from lambdas.domain.tenants.aws_names import PREFIX, tag_value
from lambdas.domain.tenants.instance import Binding, Instance

LOOK_EVERY = 5.0  # s: an endpoint takes a minute or two to be created or deleted, and EC2 allows many calls
_AVAILABLE = "available"
_LOST = frozenset({"rejected", "failed", "expired", "partial"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivateLinkSteps:
    """Gives an instance's steps. *subnet_ids* and *cidrs* are the operator's; empty ones mean the VPC's own."""

    endpoints: VpcEndpoints
    subnet_ids: tuple[str, ...]
    cidrs: tuple[str, ...]

    def __call__(self, instance: Instance) -> Sequence[OperationStep]:  # noqa: ARG002  # the same for every instance
        """The steps, in the order in which they are made."""
        return (
            OperationStep("security group", "Creating the security group", self._ensure_group, self._remove_group),
            OperationStep("endpoint", "Creating the endpoint", self._ensure_endpoint, self._remove_endpoint),
            OperationStep("availability", "Waiting for the endpoint to be available", self._ensure_available),
        )

    def _ensure_group(self, instance: Instance) -> StepOutcome:
        cidrs = self.cidrs or self.endpoints.cidrs()
        return StepDone(
            {"security_group_id": self.endpoints.ensure_group(PREFIX + tag_value(instance.id), cidrs, tags(instance))}
        )

    def _remove_group(self, instance: Instance) -> StepOutcome:
        if self.endpoints.remove_group(instance.id):
            return StepDone()
        return StepWaiting(LOOK_EVERY, "Waiting for the security group to be free")

    def _ensure_endpoint(self, instance: Instance) -> StepOutcome:
        if instance.privatelink is None:
            raise TypeError(f"instance {instance.id} is none of privatelink")
        service_name = instance.privatelink.service_name
        endpoint_id = self.endpoints.ensure_endpoint(
            service_name,
            subnets=self.endpoints.subnets(service_name, self.subnet_ids),
            group_id=instance.made.security_group_id,
            token=instance.operation.id[:64],  # EC2's maximum length: one endpoint an operation
            tags=tags(instance),
        )
        return StepDone({"endpoint_id": endpoint_id})

    def _remove_endpoint(self, instance: Instance) -> StepOutcome:
        if self.endpoints.remove_endpoint(instance.id):
            return StepDone()
        return StepWaiting(LOOK_EVERY, "Waiting for the endpoint to be gone")

    def _ensure_available(self, instance: Instance) -> StepOutcome:
        found = self.endpoints.endpoint(instance.id)
        if found is None:
            return StepWaiting(LOOK_EVERY, "Waiting for the endpoint to appear")
        if found.state in _LOST:
            return StepRefused(f"AWS says the endpoint is {found.state}: {found.error or 'no reason given'}")
        if found.state != _AVAILABLE or not found.hostname:
            return StepWaiting(LOOK_EVERY, f"Waiting for the endpoint, which is {found.state}")
        return StepDone({"hostname": found.hostname})


class PrivateLinkBindings:
    """Bindings share the instance's endpoint, so a binding has no resources."""

    def check_room(self) -> None:
        """There is always room."""

    def make(self, binding: Binding, instance: Instance, *, now: datetime) -> Binding:  # noqa: ARG002  # the port's
        """Nothing of its own."""
        return binding

    def remove(self, binding: Binding, *, now: datetime) -> None:
        """The endpoint stays."""

    def show(
        self,
        binding: Binding,  # noqa: ARG002  # the port's, as are the next
        instance: Instance,
        link: Instance | None,  # noqa: ARG002
        *,
        current: bool,  # noqa: ARG002
    ) -> dict[str, Any]:
        """Credentials: host and port of SMTP with STARTTLS."""
        return {"credentials": {"hostname": instance.made.hostname, "port": PRIVATE_PORT}, "parameters": {}}
