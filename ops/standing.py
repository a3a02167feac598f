"""What an operator does to an instance's standing: pause and resume, recorded with who, when and why."""

from dataclasses import replace
from datetime import datetime

from lambdas.aws.baseline import Baselines
from lambdas.aws.clients import client
from lambdas.domain.reputation import State
from lambdas.domain.standing import Cause, Standing, Transition
from lambdas.reputation.handler import Parts, compose
from lambdas.reputation.judging import transition_of
from lambdas.reputation.settings import ReputationSettings
from ops.stack import Stack

_CLAIMER = "ops"


class Refused(Exception):
    """It cannot be done as things stand; the message says why."""


class Operator:
    """Pauses and resumes instances of a stack, in the name of *by*."""

    def __init__(self, parts: Parts, baselines: Baselines, *, by: str) -> None:
        self._parts = parts
        self._baselines = baselines
        self._by = by

    def pause(self, instance_id: str, *, why: str, now: datetime) -> Transition:
        """Stop the instance's sending and tell its people, as the verdict would. Raises Refused."""
        standing = self._standing(instance_id)
        if standing.state is State.PAUSED:
            raise Refused(f"{instance_id} is paused already")
        return self._move(standing, State.PAUSED, why=why, baseline=standing.baseline, now=now)

    def resume(self, instance_id: str, *, why: str, now: datetime) -> Transition:
        """Let the instance send again and forget what its mail did before *now*. Raises Refused.

        The baseline is set first: whoever dies here has changed nothing that a second run does not mend.
        """
        standing = self._standing(instance_id)
        if standing.state is not State.PAUSED:
            raise Refused(f"{instance_id} is not paused but {standing.state.value}")
        if standing.pending and now < standing.pending.claimed_until:
            raise Refused(f"the pause of {instance_id} is being acted on; try again in a few minutes")
        baseline = now.replace(microsecond=0)
        if not self._baselines.set(instance_id, baseline):
            raise Refused(f"there is no instance {instance_id}")
        return self._move(standing, State.HEALTHY, why=why, baseline=baseline, now=now)

    def _standing(self, instance_id: str) -> Standing:
        if self._parts.webhooks.audience(instance_id) is None:
            raise Refused(f"there is no instance {instance_id}")
        return self._parts.standings.load(instance_id)

    def _move(
        self, standing: Standing, after: State, *, why: str, baseline: datetime | None, now: datetime
    ) -> Transition:
        reputation = self._parts.judge.measure(standing, now=now)
        transition = replace(
            transition_of(standing, after, reputation, cause=Cause.OPERATOR, now=now), by=self._by, why=why
        )
        if not self._parts.judge.move(standing, transition, claimer=_CLAIMER, baseline=baseline, now=now):
            raise Refused(f"{standing.instance_id} was moved by somebody else at this moment; look again")
        return transition


def reputation_parts(stack: Stack) -> tuple[Parts, ReputationSettings]:
    """The reputation function's own parts, with the settings it was deployed with."""
    answer = client("lambda").get_function_configuration(FunctionName=stack.functions["reputation"])
    settings = ReputationSettings.from_environment(answer["Environment"]["Variables"])
    return compose(settings), settings


def operator_of(stack: Stack) -> Operator:
    """An operator with the credentials at hand, known by their ARN."""
    parts, settings = reputation_parts(stack)
    by = client("sts").get_caller_identity()["Arn"]
    return Operator(parts, Baselines(client("dynamodb"), settings.webhooks_table), by=by)
