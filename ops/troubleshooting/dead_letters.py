"""`ops dlq`: messages that faults of ours kept from being processed: what they are, and how they go back."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from lambdas.aws.clients import client
from ops.command_line.console import STACK, Json, Shown, StackName, clear_errors, examples, fail, progress, say, show
from ops.deployment.tools import Tools, tools
from ops.reputation.reevaluation import reevaluate
from ops.troubleshooting.contents import contents

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Dead-letter queues: list, redrive.")

REPUTATION = "reputation_dlq"
HOME = {  # where a dead letter goes back to
    "events_dlq": "events",
    "subscription_dlq": "events",
    "deliveries_dlq": "deliveries",
    "slow_deliveries_dlq": "slow_deliveries",
    "operations_dlq": "operations",
    "replays_dlq": "replays",  # of stacks with a portal
    REPUTATION: "reputation",  # the function, not a queue: it evaluates the instances again
}
_VISIBILITY = 60  # s that a message is hidden while it is moved
_PEEK = 10  # s that a message is hidden while it is looked at; it is made visible again at once
_AT_ONCE = 10  # messages that SQS gives and takes in a call
_EMPTY_ANSWERS = 2  # in a row until a queue is taken for empty: a short poll asks a part of SQS's servers only


@app.command("list", epilog=examples("dlq list", "dlq list events_dlq --max 20 --json"))
def list_(
    name: Annotated[str | None, typer.Argument(metavar="[QUEUE]", help="Only this queue.")] = None,
    limit: Annotated[int, typer.Option("--max", help="Show at most this many messages of a queue.", min=0)] = 5,
    stack: StackName = STACK,
    as_json: Json = False,
) -> None:
    """Show what each dead-letter queue holds: how many messages, and what the first of them are.

    As JSON, each queue has its `contents`.
    """
    if name is not None:
        _check(name)
    with clear_errors():
        found = tools(stack)
        rows = [_row(found, queue, limit) for queue in _there(found) if name in (None, queue)]
    counts = [{key: value for key, value in row.items() if key != "contents"} for row in rows]
    show(rows if as_json else counts, title="Dead-letter queues", empty="No dead-letter queues.", as_json=as_json)
    held = [{"queue": row["queue"], **message} for row in rows for message in row["contents"]]
    if held and not as_json:
        typer.echo("")
        show(held, title="Messages", empty="", as_json=False)


@app.command(epilog=examples("dlq redrive events_dlq", "dlq redrive deliveries_dlq --max 100"))
def redrive(
    name: Annotated[str, typer.Argument(metavar="QUEUE", help=f"One of {', '.join(HOME)}.")],
    limit: Annotated[int, typer.Option("--max", help="Move at most this many.", min=1)] = 10_000,
    stack: StackName = STACK,
    as_json: Json = False,
) -> None:
    """Send a dead-letter queue's messages back to where they failed. Repair what made them fail first.

    A message of reputation_dlq only says which part of a stream failed. So every instance is evaluated again instead,
    and then the messages are deleted.
    """
    _check(name)
    with clear_errors():
        found = tools(stack)
        if name not in _there(found):
            fail(f"this stack has no {name}")
        source = found.stack.queues[name]
        if name == REPUTATION:
            moved = _reevaluated(found, source, limit)
        else:
            moved = Redrive(source, found.stack.queues[HOME[name]]).run(limit)
    row = {"queue": name, "to": HOME[name], "moved": moved}
    say(f"{moved} messages went back from {name} to {HOME[name]}.", row, as_json=as_json)


@dataclass(frozen=True)
class DeadLetters:
    """The messages of one dead-letter queue."""

    url: str
    seen: set[str] = field(default_factory=set)

    def take(self, limit: int, *, hidden: int) -> Iterator[Any]:
        """Up to *limit* messages, each once, hidden from others for *hidden* seconds."""
        empty = 0
        while len(self.seen) < limit and empty < _EMPTY_ANSWERS:
            fresh = [one for one in self._receive(limit - len(self.seen), hidden) if one["MessageId"] not in self.seen]
            empty = 0 if fresh else empty + 1
            for message in fresh:
                self.seen.add(message["MessageId"])
                yield message

    def delete(self, message: Any) -> None:
        """Remove a message that was taken."""
        client("sqs").delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])

    def peek(self, limit: int) -> list[Any]:
        """Up to *limit* messages, left where they are."""
        messages = list(self.take(limit, hidden=_PEEK))
        for message in messages:
            client("sqs").change_message_visibility(
                QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
            )
        return messages

    def _receive(self, count: int, hidden: int) -> list[Any]:
        answer: dict[str, Any] = client("sqs").receive_message(  # type: ignore[assignment]
            QueueUrl=self.url,
            MaxNumberOfMessages=min(_AT_ONCE, count),
            VisibilityTimeout=hidden,
            WaitTimeSeconds=1,
            MessageSystemAttributeNames=["MessageGroupId", "SentTimestamp"],
        )
        return list(answer.get("Messages", []))


@dataclass(frozen=True)
class Redrive:
    """Moves messages, each sent before it is deleted: a crash in between repeats it and loses none."""

    source: str
    home: str

    def run(self, limit: int) -> int:
        """Move up to *limit* messages; how many were."""
        notifications = DeadLetters(self.source)
        moved = 0
        for message in progress(notifications.take(limit, hidden=_VISIBILITY), "messages"):
            group = message.get("Attributes", {}).get("MessageGroupId")
            client("sqs").send_message(
                QueueUrl=self.home, MessageBody=message["Body"], **({"MessageGroupId": group} if group else {})
            )
            notifications.delete(message)
            moved += 1
        return moved


def _reevaluated(found: Tools, source: str, limit: int) -> int:
    """Evaluate every instance, then delete the messages that were there before: a crash in between loses none."""
    notifications = DeadLetters(source)
    messages = list(notifications.take(limit, hidden=_VISIBILITY))
    if messages:
        failed = reevaluate(found, found.instances.part(0, of=1))
        if failed:
            fail(f"these instances could not be evaluated: {', '.join(failed)}; the messages are kept")
    for message in messages:
        notifications.delete(message)
    return len(messages)


def _there(found: Tools) -> list[str]:
    """The dead-letter queues that this stack has."""
    return [name for name in HOME if name in found.stack.queues]


def _check(name: str) -> None:
    if name not in HOME:
        fail(f"there is no dead-letter queue {name}; they are {', '.join(HOME)}")


def _row(found: Tools, name: str, limit: int) -> dict[str, Any]:
    url = found.stack.queues[name]
    answer = client("sqs").get_queue_attributes(
        QueueUrl=url,
        AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
    )["Attributes"]
    count = int(answer["ApproximateNumberOfMessages"])
    return {
        "queue": name,
        "messages": Shown(count, "red" if count else "green"),
        "in_flight": int(answer["ApproximateNumberOfMessagesNotVisible"]),
        "goes_back_to": HOME[name],
        "contents": list(_contents(name, DeadLetters(url).peek(min(limit, count)) if count else [])),
    }


def _contents(name: str, messages: Iterable[Any]) -> Iterator[dict[str, Any]]:
    for message in messages:
        sent = int(message.get("Attributes", {}).get("SentTimestamp", 0)) / 1000
        yield {
            "message": message["MessageId"],
            "sent": datetime.fromtimestamp(sent, UTC) if sent else None,
            **contents(name, message["Body"]),
        }
