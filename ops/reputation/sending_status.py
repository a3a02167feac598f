"""An operator's actions on an instance's sending status: pause and resume, recorded with who, when and why."""

from dataclasses import replace
from datetime import datetime

from lambdas.aws.clients import CLIENTS, client
from lambdas.aws.dynamodb.webhooks.baseline import Baselines
from lambdas.domain.reputation.evaluation import SendingState
from lambdas.domain.reputation.sending_status import Cause, Mark, SendingStatus, Transition, transition_of
from lambdas.reputation.composition import Composition, compose
from lambdas.reputation.settings import ReputationSettings
from ops.deployment.stack import Stack

_CLAIMER = "ops"


class ActionRefused(Exception):
    """The instance's state does not allow the action; the message says why."""


class Operator:
    """Pauses and resumes instances of a stack, in the name of *by*."""

    def __init__(self, composition: Composition, baselines: Baselines, *, by: str) -> None:
        self._parts = composition
        self._baselines = baselines
        self._by = by

    def pause(self, instance_id: str, *, why: str, now: datetime) -> Transition:
        """Stop the instance's sending and notify its people, as an automatic pause does. Raises ActionRefused."""
        status = self._status(instance_id)
        if status.state is SendingState.PAUSED and status.until is None:
            raise ActionRefused(f"{instance_id} is paused already")
        return self._move(status, SendingState.PAUSED, why=why, baseline=status.baseline, now=now)

    def resume(self, instance_id: str, *, why: str, now: datetime) -> Transition:
        """Allow the instance to send again; feedback on mail sent before *now* no longer counts. Raises ActionRefused.

        The baseline is set first: after a crash here, a second run completes the resumption.
        """
        status = self._status(instance_id)
        if status.state is not SendingState.PAUSED:
            raise ActionRefused(f"{instance_id} is not paused but {status.state.value}")
        if status.pending and now < status.pending.claimed_until:
            raise ActionRefused(f"the pause of {instance_id} is being acted on; try again in a few minutes")
        baseline = now.replace(microsecond=0)
        if not self._baselines.set(instance_id, baseline):
            raise ActionRefused(f"there is no instance {instance_id}")
        return self._move(status, SendingState.HEALTHY, why=why, baseline=baseline, now=now)

    def lift(self, domain: str, *, why: str, now: datetime) -> Mark:
        """Let new instances on *domain* start healthy: resume the deleted instance that left the mark. Raises Refused.

        An instance that is there is resumed by itself, which lifts its mark.
        """
        mark = self._parts.marks.on(domain, now=now)
        if mark is None:
            raise ActionRefused(f"there is no mark on {domain}")
        instance_id = mark.transition.instance_id
        audience = self._parts.webhooks.audience(instance_id)
        if audience is not None and not audience.deleted:
            raise ActionRefused(f"{instance_id}, which is paused, still exists: resume it")
        if audience is not None and self._parts.statuses.load(instance_id).state is SendingState.PAUSED:
            self.resume(instance_id, why=why, now=now)
        self._parts.marks.lift(domain)
        return mark

    def _status(self, instance_id: str) -> SendingStatus:
        if self._parts.webhooks.audience(instance_id) is None:
            raise ActionRefused(f"there is no instance {instance_id}")
        return self._parts.statuses.load(instance_id)

    def _move(
        self, status: SendingStatus, after: SendingState, *, why: str, baseline: datetime | None, now: datetime
    ) -> Transition:
        reputation = self._parts.evaluator.measure(status, now=now)
        audience = self._parts.webhooks.audience(status.instance_id)
        domain = audience.domain if audience else ""
        transition = transition_of(status, after, reputation, cause=Cause.OPERATOR, now=now, domain=domain)
        transition = replace(transition, by=self._by, why=why, probation_until=None)
        if not self._parts.evaluator.move(status, transition, claimer=_CLAIMER, baseline=baseline, now=now):
            raise ActionRefused(f"{status.instance_id} was moved by somebody else at this moment; look again")
        return transition


def reputation_composition(stack: Stack) -> tuple[Composition, ReputationSettings]:
    """The reputation function's own parts, with the settings it was deployed with."""
    answer = client("lambda").get_function_configuration(FunctionName=stack.functions["reputation"])
    settings = ReputationSettings.from_environment(answer["Environment"]["Variables"])
    return compose(settings, CLIENTS), settings


def operator_of(stack: Stack) -> Operator:
    """An operator with the credentials at hand, known by their ARN."""
    composition, settings = reputation_composition(stack)
    by = client("sts").get_caller_identity()["Arn"]
    return Operator(composition, Baselines(client("dynamodb"), settings.webhooks_table), by=by)
