"""A batch of the table's stream -> the instances to evaluate, and the records that Lambda must retry."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A changed counter. `event_id` identifies the record and is stable over retries; `sequence` is its position."""

    event_id: str
    sequence: str
    instance_id: str


def evaluate_all(
    changes: Sequence[Change],
    evaluate: Callable[[str, frozenset[str]], None],
    failed: Callable[[str, Exception], None],
) -> list[str]:
    """Evaluate each instance once, under the ids of all its records. Returns the sequence numbers to retry.

    An instance that fails does not prevent the others from being evaluated. Lambda resumes the stream at the lowest
    number and halves the batch, so a record that never succeeds ends in the failure queue alone.
    """
    by_instance: dict[str, list[Change]] = {}
    for change in changes:
        by_instance.setdefault(change.instance_id, []).append(change)
    again: list[str] = []
    for instance_id, records in by_instance.items():
        try:
            evaluate(instance_id, frozenset(record.event_id for record in records))
        except Exception as error:  # noqa: BLE001  # one instance's fault, whatever it is, is not its neighbours'
            failed(instance_id, error)
            again += [record.sequence for record in records]
    return again
