"""What a dead letter is: whose, and what it is about. Ids and kinds only, never an address."""

import json
from collections.abc import Callable, Mapping

import msgspec

from lambdas.aws.sqs import delivery_queue, operations_queue
from lambdas.domain.events.feedback_event import FeedbackEvent
from lambdas.domain.schema import NewerSchema
from lambdas.feedback.parse_message import parse_message

Contents = Mapping[str, str]


def contents(queue: str, body: str) -> dict[str, str]:
    """`about`, the `instance` (empty if unknown) and the `details` of a message of dead-letter queue *queue*."""
    try:
        found = _READERS.get(queue, _event)(body)
    except NewerSchema as error:
        found = {"about": "written by a later release", "details": str(error)}
    except (msgspec.DecodeError, ValueError, KeyError, TypeError, AttributeError) as error:
        found = {"about": "unreadable", "details": f"{type(error).__name__}, {len(body)} characters"}
    return {"about": "", "instance": "", "details": "", **found}


def _event(body: str) -> Contents:
    readings = parse_message(body)
    events = [one for one in readings if isinstance(one, FeedbackEvent)]
    if not events:
        reasons = ", ".join(getattr(one, "reason", "") for one in readings)
        return {"about": "no event", "details": reasons}
    return {
        "about": ", ".join(f"{event.type.value} event" for event in events),
        "instance": ", ".join(dict.fromkeys(event.instance_id or "" for event in events)),
        "details": ", ".join(f"mail {event.mail.message_id}" for event in events),
    }


def _deliveries(body: str) -> Contents:
    batch = delivery_queue.decode(body)
    kinds = ", ".join(dict.fromkeys(delivery.type for delivery in batch.deliveries))
    return {
        "about": f"{len(batch.deliveries)} deliveries ({kinds}), attempt {batch.attempt}",
        "instance": batch.instance_id,
        "details": f"webhook {batch.webhook_id}: {', '.join(delivery.id for delivery in batch.deliveries)}",
    }


def _operation(body: str) -> Contents:
    message = operations_queue.decode(body)
    return {
        "about": "broker operation",
        "instance": message.instance_id,
        "details": f"operation {message.operation_id}",
    }


def _stream(body: str) -> Contents:
    """What Lambda writes of a stream's batch that failed: where it is, not what it holds."""
    failure = json.loads(body)
    batch, context = failure["DDBStreamBatchInfo"], failure.get("requestContext", {})
    return {
        "about": f"{batch.get('batchSize', '?')} changes of counters",
        "details": f"{context.get('condition', 'failed')}, since {batch.get('approximateArrivalOfFirstRecord', '?')}",
    }


def _replay(body: str) -> Contents:
    """A replay that a tenant asked the portal for: its ids."""
    value = json.loads(body)
    ids = [f"{name} {text}" for name, text in value.items() if name.endswith("id") and name != "instance_id"]
    return {"about": "replay", "instance": str(value.get("instance_id", "")), "details": ", ".join(ids)}


_READERS: dict[str, Callable[[str], Contents]] = {
    "deliveries_dlq": _deliveries,
    "slow_deliveries_dlq": _deliveries,
    "operations_dlq": _operation,
    "replays_dlq": _replay,
    "reputation_dlq": _stream,
}
