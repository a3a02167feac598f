"""Operations engine: runs an instance's steps, forwards or in reverse; each is recorded before it runs.

Each step is repeatable: if a worker crashes, another one runs the recorded step again. A lease keeps a second worker
away from the instance. The resources of a failed operation are removed before it is reported as failed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from lambdas.broker.ports import InstanceStore, LogStep, TaskQueue
from lambdas.domain.errors import Declined, Throttled, VersionConflict
from lambdas.domain.tenants.instance import Instance, InstanceState, OperationKind, OperationState, Past, Phase
from lambdas.domain.tenants.operation_task import OperationTask

LEASE = timedelta(seconds=180)  # longer than the worker's timeout of 120 s: when it ends, its holder has ended
STEP_RUN = timedelta(seconds=45)  # of work in one invocation, then another is queued: the timeout is never reached
DEADLINE = timedelta(hours=3)  # for the steps to finish: below the catalog's maximum_polling_duration
MAX_FAILURES = 6  # of one step, about two minutes with the waits: AWS's short failures are over by then
LEASE_CHECK = 15.0  # s between checks of a lease that another worker holds
AGAIN = 2.0  # s until the next try when others write the same items at the same moment
RELEASE_TRIES = 5  # tries to free a lease while others write the instance; then it expires
KEPT_PAST = 5  # ended operations that a late poll can still ask for
AFTER_RELEASE = "This service instance can no longer send: delete it, and create one with a domain of your own"
CROWDED = "Waiting for Amazon SES, which takes about one call a second"


@dataclass(frozen=True, slots=True)
class StepDone:
    """The step is done; `made` are the fields of `Made` that it determined."""

    made: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StepWaiting:
    """The step must run again in `seconds`. `why` is shown to the tenant."""

    seconds: float
    why: str


@dataclass(frozen=True, slots=True)
class StepRefused:
    """The step cannot succeed. `reason` is shown to the tenant, and the resources are removed."""

    reason: str


StepOutcome = StepDone | StepWaiting | StepRefused


def _nothing(_: Instance) -> StepOutcome:
    return StepDone()


@dataclass(frozen=True, slots=True)
class OperationStep:
    """One resource of an instance. Both methods are idempotent, and handle a resource that is partly there.

    `ensure` creates or changes it as the instance's parameters ask. `remove` removes it, and nothing that is not the
    instance's; by default another step removes it. `doing` is shown to the tenant meanwhile.
    """

    name: str
    doing: str
    ensure: Callable[[Instance], StepOutcome]
    remove: Callable[[Instance], StepOutcome] = _nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """Runs operations.

    *steps_of* gives an instance's steps, *succeeded* the description of a finished provision, *updated* that of an
    update, from the instance before and after it.
    """

    instances: InstanceStore
    tasks: TaskQueue
    steps_of: Callable[[Instance], Sequence[OperationStep]]
    succeeded: Callable[[Instance], str]
    updated: Callable[[Instance, Instance], str]
    clock: Callable[[], datetime]
    log_step: LogStep

    def run_step(self, message: OperationTask, *, owner: str) -> None:
        """Continue the operation for at most TURN. An operation that has ended or was replaced is not changed."""
        instance = self.instances.instance(message.instance_id)
        if instance is None or not _current(instance, message):
            return
        now = self.clock()
        if instance.lease_until and instance.lease_until > now and instance.lease_owner != owner:
            left = (instance.lease_until - now).total_seconds() + 1
            self.tasks.send(message, delay=min(left, LEASE_CHECK))
            return
        try:
            self._work(self._save(instance, lease_owner=owner, lease_until=now + LEASE), message)
        except VersionConflict:
            self._release_lease(message, owner)

    def _work(self, instance: Instance, message: OperationTask) -> None:
        until = self.clock() + STEP_RUN
        while instance.busy:
            if self.clock() >= until:
                self._pause(instance, StepWaiting(0, instance.operation.description), message)
                return
            step = self._next(instance)
            if step is None:
                instance = self._end(instance)
                continue
            instance, outcome = self._run(self._log(instance, step), step)
            if isinstance(outcome, StepWaiting):
                self._pause(instance, outcome, message)
                return
            instance = self._record(instance, step, outcome)

    def _run(self, instance: Instance, step: OperationStep) -> tuple[Instance, StepOutcome]:
        """Run *step*. Returns the instance, with a failure counted if the step failed."""
        operation = instance.operation
        late = self.clock() - operation.started_at > DEADLINE
        if late and operation.phase is Phase.APPLY and not _removing(instance):
            return instance, StepRefused(f"it took too long: {operation.description}")
        try:
            run = step.remove if _removing(instance) else step.ensure
            return instance, run(_target(instance))
        except Throttled as slow:
            return instance, StepWaiting(slow.wait, CROWDED)
        except Declined as reason:
            return instance, StepRefused(str(reason))
        except Exception as error:  # noqa: BLE001  # AWS's faults and our own: tried again, then undone, never lost
            self.log_step(f"{step.name} failed", instance, error)
            return self._failed(instance, error)

    def _failed(self, instance: Instance, error: Exception) -> tuple[Instance, StepOutcome]:
        failures = instance.operation.failures + 1
        instance = replace(instance, operation=replace(instance.operation, failures=failures))
        if failures < MAX_FAILURES:
            return instance, StepWaiting(2.0**failures, f"{instance.operation.description}: AWS failed, trying again")
        return instance, StepRefused(f"AWS kept failing ({_named(error)}); ask the operator, then try again")

    def _record(self, instance: Instance, step: OperationStep, outcome: StepDone | StepRefused) -> Instance:
        if isinstance(outcome, StepRefused):
            return self._roll_back(instance, outcome.reason)
        operation = replace(instance.operation, step=self._after(instance, step), failures=0)
        return self._save(instance, made=replace(instance.made, **outcome.made), operation=operation)

    def _roll_back(self, instance: Instance, reason: str) -> Instance:
        """Begin to undo. If undoing fails too, the operation ends, and a deprovision has to remove the rest."""
        operation = instance.operation
        self.log_step("operation refused", instance)
        if operation.kind is OperationKind.RELEASE:
            words = f"The domain was not released: {reason}"
            return self._finish(instance, OperationState.FAILED, words, dirty=instance.dirty)
        if operation.phase is Phase.UNDO or operation.kind is OperationKind.DEPROVISION:
            words = f"{operation.reason or 'Not everything could be removed'}: {reason}"
            return self._finish(instance, OperationState.FAILED, words, dirty=True)
        return self._save(instance, operation=replace(operation, phase=Phase.UNDO, step="", failures=0, reason=reason))

    def _end(self, instance: Instance) -> Instance:
        """Continue after the last step of a phase."""
        operation = instance.operation
        match operation.kind, operation.phase:
            case OperationKind.PROVISION, Phase.APPLY:
                ready = replace(instance, state=InstanceState.READY)
                return self._finish(ready, OperationState.SUCCEEDED, self.succeeded(ready))
            case OperationKind.PROVISION, Phase.UNDO:
                words = f"Could not be created: {operation.reason}"
                return self._finish(instance, OperationState.FAILED, words, release=True)
            case OperationKind.RELEASE, _:
                words = f"The domain {instance.domain} was released: {operation.reason}. {AFTER_RELEASE}"
                return self._finish(instance, OperationState.SUCCEEDED, words, released=True, dirty=instance.dirty)
            case OperationKind.UPDATE, Phase.APPLY:
                updated = replace(instance, ses=operation.ses or instance.ses)
                return self._finish(updated, OperationState.SUCCEEDED, self.updated(instance, updated))
            case OperationKind.UPDATE, Phase.UNDO:
                words = f"Could not be updated and is as it was: {operation.reason}"
                return self._finish(instance, OperationState.FAILED, words)
        gone = replace(instance, state=InstanceState.GONE)
        return self._finish(gone, OperationState.SUCCEEDED, "Deleted", release=True)

    def _finish(
        self,
        instance: Instance,
        state: OperationState,
        words: str,
        *,
        release: bool = False,
        released: bool = False,
        dirty: bool = False,
    ) -> Instance:
        """End the operation. *release*: the instance is gone; *released*: only its domain is."""
        operation = replace(instance.operation, state=state, description=words, touched_at=self.clock())
        ended = replace(
            instance,
            operation=operation,
            dirty=dirty,
            lease_owner="",
            lease_until=None,
            past=past_operations(instance, operation),
        )
        if release or released:
            domain = ended.domain if ended.claimed else ""
            ended = self.instances.save_instance(
                replace(ended, claimed=False), release=domain, leave=release, reserve=operation.reserved_for
            )
        else:
            ended = self.instances.save_instance(ended)
        self.log_step(f"{operation.kind} {state}", ended)
        return ended

    def _pause(self, instance: Instance, wait: StepWaiting, message: OperationTask) -> None:
        operation = replace(instance.operation, description=wait.why)
        self._save(instance, operation=operation, lease_owner="", lease_until=None)
        self.tasks.send(message, delay=wait.seconds)

    def _log(self, instance: Instance, step: OperationStep) -> Instance:
        """Record what is being done, in the same write as the lease where possible."""
        words = f"Removing: {step.doing}" if _removing(instance) else step.doing
        return replace(instance, operation=replace(instance.operation, description=words))

    def _save(self, instance: Instance, **changes: Any) -> Instance:
        changed = replace(instance, **changes)
        touched = replace(changed.operation, touched_at=self.clock())
        return self.instances.save_instance(replace(changed, operation=touched))

    def _release_lease(self, message: OperationTask, owner: str) -> None:
        """After a conflicting write: free the lease, then queue the operation that is current now.

        That is this message's operation, or the one that replaced it (a deletion that halts a provision). Without this
        message, the new operation would wait for its next check of the lease.
        """
        for _ in range(RELEASE_TRIES):
            instance = self.instances.instance(message.instance_id)
            if instance is None:
                return
            try:
                if instance.lease_owner == owner:
                    instance = self.instances.save_instance(replace(instance, lease_owner="", lease_until=None))
            except VersionConflict:
                continue
            if instance.busy:
                current = OperationTask(instance_id=instance.id, operation_id=instance.operation.id)
                self.tasks.send(current, delay=AGAIN if _current(instance, message) else 0)
            return

    def _order(self, instance: Instance) -> list[OperationStep]:
        steps = list(self.steps_of(instance))
        return steps[::-1] if _removing(instance) else steps

    def _next(self, instance: Instance) -> OperationStep | None:
        steps = self._order(instance)
        if instance.operation.step == _END:
            return None
        names = [step.name for step in steps]
        at = names.index(instance.operation.step) if instance.operation.step in names else 0
        return steps[at] if steps else None

    def _after(self, instance: Instance, step: OperationStep) -> str:
        names = [other.name for other in self._order(instance)]
        following = names.index(step.name) + 1
        return names[following] if following < len(names) else _END


_END = "end"


def past_operations(instance: Instance, operation: Any) -> tuple[Past, ...]:
    """The instance's ended operations with *operation* added, at most KEPT_PAST."""
    entry = Past(id=operation.id, state=operation.state, description=operation.description)
    return (*(known for known in instance.past if known.id != entry.id), entry)[-KEPT_PAST:]


def _named(error: Exception) -> str:
    """AWS's error code if the error carries AWS's response, else the name of its class."""
    response: dict[str, dict[str, str]] = getattr(error, "response", {})
    return response.get("Error", {}).get("Code") or type(error).__name__


def _current(instance: Instance, message: OperationTask) -> bool:
    return instance.busy and instance.operation.id == message.operation_id


def _removing(instance: Instance) -> bool:
    operation = instance.operation
    if operation.kind is OperationKind.PROVISION:
        return operation.phase is Phase.UNDO
    return operation.kind is OperationKind.DEPROVISION


def _target(instance: Instance) -> Instance:
    """The instance with the parameters that the phase works towards."""
    operation = instance.operation
    if operation.kind is OperationKind.UPDATE and operation.phase is Phase.APPLY:
        return replace(instance, ses=operation.ses or instance.ses)
    return instance
