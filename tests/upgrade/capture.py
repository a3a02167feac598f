"""`python -m tests.upgrade.capture`: keep what this checkout deploys and stores, once for a release.

Deploys the stack to an embedded AWS, takes tenants through their lives, and writes to tests/upgrade/<version>: the
sources of the commit, the template, every kind of item, queue messages, and what this code reads from them. Later
releases must read the same.
"""

import json
import lzma
import subprocess
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lambdas.aws.sqs import delivery_queue
from local.process import ROOT
from local.stack import LocalStack
from local.tenant.receiver import Receiver
from tests.infra.synthesis import synthesise
from tests.journey.conftest import Stack
from tests.journey.looking import publish_history
from tests.upgrade.previous import SOURCE
from tests.upgrade.reading import FOLDER, TABLES, loaded, plain, read_all

PATIENCE = 60.0  # s
MOST = 3  # items of one kind that are kept
DEPLOYED = ("app.py", "cdk.json", "infra", "lambdas")  # what a deployment needs of the repository


def main() -> None:
    """Write the folder."""
    FOLDER.mkdir(exist_ok=True)
    SOURCE.write_bytes(lzma.compress(_sources(), preset=9 | lzma.PRESET_EXTREME))
    template = synthesise("us-east-1", portal="links").template
    _write("template.json", template)
    with tempfile.TemporaryDirectory() as folder:
        local = LocalStack(Path(folder))
        try:
            stack = Stack(facts=local.up(lambda *_: None))
            _capture(stack)
        finally:
            local.down()


def _sources() -> bytes:
    """A tar archive of what the commit deploys."""
    command = ["git", "archive", "--format=tar", "HEAD", *DEPLOYED]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout


def _capture(stack: Stack) -> None:
    with Receiver() as receiver:
        healthy = stack.tenant(receiver.url())
        receiver.wait_for(kind="webhook.test")
        healthy.mailbox.send("bounce@shop.example", "joe@shop.example")
        receiver.wait_for(kind="email.bounced")
        stack.broker.bind(healthy.instance_id, "successor", {"notification_email": "ops@shop.example"},
                          predecessor=healthy.binding_id)  # fmt: skip
        paused = stack.tenant(receiver.url("/paused"))
        publish_history(stack, paused, deliveries=600, bounces=40)
        receiver.wait_for(kind="reputation.paused")
        with Receiver() as stopped:
            down = stack.tenant(stopped.url())
        for _ in range(5):
            down.mailbox.send("joe@shop.example")
        _until(lambda: _count(stack, "backlog", "parked#") > 0)
        time.sleep(2)  # s: until what is under way is written
        items = {table: _kinds(stack.client("dynamodb"), stack.facts["tables"][table]) for table in TABLES}
        _write("items.json", items)
        _write("messages.json", _messages(stack))
    _write_expected(items)


def _write_expected(items: dict[str, list[Any]]) -> None:
    with loaded(items) as client:
        _write("expected.json", read_all(client, {table: table for table in TABLES}))


def _messages(stack: Stack) -> dict[str, str]:
    found = read_all(stack.client("dynamodb"), stack.facts["tables"])
    batches = [batch for parked in found["parked"].values() for batch in parked]
    return {
        "deliveries": delivery_queue.encode(delivery_queue.decode(json.dumps(batches[0]))),
        "operations": json.dumps({"instance_id": "i1", "operation_id": "provision-1"}),
        "replays": json.dumps({"instance_id": "i1", "webhook_id": "w1", "replay_id": "r1"}),
    }


def _kinds(client: Any, table: str) -> list[Any]:
    """Up to MOST items of each kind; the sort key's beginning and the attributes decide the kind."""
    kept: dict[object, list[Any]] = {}
    for page in client.get_paginator("scan").paginate(TableName=table):
        for item in page["Items"]:
            sort = item.get("item", item.get("sk", {"S": ""}))["S"].partition("#")[0]
            kind = (item.get("instance_id", item.get("pk"))["S"].partition("#")[0][:4], sort, tuple(sorted(item)))
            kept.setdefault(kind, []).append(item)
    return [plain(item) for items in kept.values() for item in items[:MOST]]


def _count(stack: Stack, table: str, prefix: str) -> int:
    items = stack.client("dynamodb").scan(TableName=stack.facts["tables"][table])["Items"]
    return sum(1 for item in items if item["sk"]["S"].startswith(prefix))


def _until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError("the stack did not store what was expected")
        time.sleep(0.5)


def _write(name: str, value: object) -> None:
    (FOLDER / name).write_text(json.dumps(value, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    began = datetime.now(UTC)
    main()
    print(f"written to {FOLDER} in {(datetime.now(UTC) - began).seconds} s")  # noqa: T201
