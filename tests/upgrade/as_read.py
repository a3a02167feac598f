"""`python -m tests.upgrade.as_read`: what the release on the path makes of items and messages (standard input).

Run with the previous release's `lambdas` first on the path, it says what that release reads of what this one writes.
"""

import json
import sys
from typing import Any

import msgspec

from lambdas.domain.portal import Action, Link, Replay, Session
from lambdas.domain.reputation.sending_status import Transition
from lambdas.domain.tenants.instance import Binding, BindingSecret, Instance
from lambdas.domain.tenants.operation_task import OperationTask
from lambdas.domain.webhooks.delivery import DeliveryBatch
from lambdas.domain.webhooks.health import Health
from tests.upgrade.reading import DECODERS, TABLES, loaded, read_all

STORED = (Action, Binding, BindingSecret, DeliveryBatch, Health, Instance, Link, OperationTask, Replay, Session)


def main() -> None:
    """Read standard input, write standard output."""
    given = json.load(sys.stdin)
    with loaded(given["items"]) as client:
        found = read_all(client, {table: table for table in TABLES})
    messages = {queue: DECODERS[queue](body) for queue, body in given["messages"].items()}
    said = {"found": found, "messages": messages, "shapes": shapes()}
    sys.stdout.write(msgspec.json.encode(said, order="deterministic").decode())


def shapes() -> dict[str, Any]:
    """JSON Schemas of everything that is stored as JSON, by the name of the type."""
    _, definitions = msgspec.json.schema_components([*STORED, Transition])
    plain: dict[str, Any] = json.loads(msgspec.json.encode(definitions))
    return plain


if __name__ == "__main__":
    main()
