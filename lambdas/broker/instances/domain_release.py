"""The steps of a domain release: the instance loses its domain and the means to send from it.

Each step is repeatable. The claim is released last, with the operation's end; until then the name stays claimed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from lambdas.broker.operations.engine import (
    AFTER_RELEASE,
    OperationStep,
    StepDone,
    StepOutcome,
    StepRefused,
    StepWaiting,
)
from lambdas.broker.ports import BindingReader, ControlPlane, Users
from lambdas.domain.portal import page_of
from lambdas.domain.ports import Notifier
from lambdas.domain.tenants import aws_names
from lambdas.domain.tenants.instance import BindingState, Instance

BINDING_WAIT = 15.0  # s until the next check of a bind in progress; cleanup removes an interrupted one


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainRelease:
    """Gives the steps."""

    ses: ControlPlane
    users: Users
    bindings: BindingReader
    notifier: Notifier
    portal_url: str = ""  # empty: there is none

    def steps(self) -> Sequence[OperationStep]:
        """In the order in which they are run."""
        return (
            OperationStep("identity", "Removing the domain's identity", self._remove_identity),
            OperationStep("sending rights", "Removing the right to send", self._revoke_sending),
            OperationStep("notice", "Notifying the admin address", self._notify),
        )

    def _remove_identity(self, instance: Instance) -> StepOutcome:
        """Refused if SES verified the domain since the release began: a verified claim never yields."""
        identity = self.ses.identity(instance.domain)
        if identity is None or identity.owner != instance.id:
            return StepDone()
        if identity.verified:
            return StepRefused("Amazon SES has verified the domain for this instance")
        self.ses.remove_identity(instance.domain, instance.id)
        return StepDone()

    def _revoke_sending(self, instance: Instance) -> StepOutcome:
        """Remove the users' policies: they name the domain, and would allow sending once the next owner verifies it.

        A bind in progress may still write its policy, so the step waits for it. No bind can begin during an operation.
        """
        found = [self.bindings.binding(instance.id, binding_id) for binding_id in instance.bindings]
        if any(binding is not None and binding.state is BindingState.INTENT for binding in found):
            return StepWaiting(BINDING_WAIT, "Waiting for a bind to end")
        for binding_id in instance.bindings:
            self.users.revoke_sending(aws_names.iam_user(binding_id))
        return StepDone()

    def _notify(self, instance: Instance) -> StepOutcome:
        if instance.made.alert_topic_arn:
            page = page_of(self.portal_url, instance.id)
            self.notifier.notify(
                instance.made.alert_topic_arn,
                subject=f"{instance.domain} was released from its service instance",
                text=f"The domain {instance.domain} was released from service instance {instance.id}: "
                f"{instance.operation.reason}. {AFTER_RELEASE}." + (f"\n\nIn the portal: {page}" if page else ""),
            )
        return StepDone()
