"""A task of the operations queue."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationTask:
    """Asks a worker to continue an instance's operation."""

    instance_id: str
    operation_id: str
