"""A batch of the table's stream -> the instances to judge, and the records that must come again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A changed counter. `event_id` names the record, the same when it comes again; `sequence` its place."""

    event_id: str
    sequence: str
    instance_id: str


def evaluate_all(
    changes: Sequence[Change],
    evaluate: Callable[[str, frozenset[str]], None],
    failed: Callable[[str, Exception], None],
) -> list[str]:
    """Judge each instance once, under the names of all its records; the sequence numbers that must come again.

    An instance that fails keeps none of the others from being judged. Lambda takes the stream up again at the lowest
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
