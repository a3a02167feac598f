"""`ops dlq`: messages that our own faults kept from being processed, and their way back."""

from dataclasses import dataclass
from typing import Annotated, Any

import typer

from lambdas.aws.clients import client
from ops.console import STACK, Json, Shown, StackName, fail, say, show, told
from ops.tools import Tools, tools

app = typer.Typer(no_args_is_help=True, help="Dead-letter queues: list, redrive.")

HOME = {  # where a dead letter belongs
    "events_dlq": "events",
    "subscription_dlq": "events",
    "deliveries_dlq": "deliveries",
    "operations_dlq": "operations",
}
_VISIBILITY = 60  # s that a message is out of sight while it is moved
_AT_ONCE = 10  # messages that SQS gives and takes in a call


@app.command("list")
def list_(stack: StackName = STACK, as_json: Json = False) -> None:
    """Show how many messages each dead-letter queue holds."""
    with told():
        found = tools(stack)
        rows = [_row(found, name) for name in HOME if name in found.stack.queues]
    show(rows, title="Dead-letter queues", empty="No dead-letter queues.", as_json=as_json)


@app.command()
def redrive(
    name: Annotated[str, typer.Argument(metavar="QUEUE", help=f"One of {', '.join(HOME)}.")],
    limit: Annotated[int, typer.Option("--max", help="Move so many at most.")] = 10_000,
    stack: StackName = STACK,
    as_json: Json = False,
) -> None:
    """Send a dead-letter queue's messages back to where they failed; mend what made them fail first."""
    if name not in HOME:
        fail(f"there is no dead-letter queue {name}; they are {', '.join(HOME)}")
    with told():
        found = tools(stack)
        moved = Redrive(found.stack.queues[name], found.stack.queues[HOME[name]]).run(limit)
    row = {"queue": name, "to": HOME[name], "moved": moved}
    say(f"{moved} messages moved from {name} to {HOME[name]}.", row, as_json=as_json)


@dataclass(frozen=True)
class Redrive:
    """Moves messages, each sent before it is deleted: dying in between repeats it and loses none."""

    source: str
    home: str

    def run(self, limit: int) -> int:
        """Move up to *limit* messages; how many were."""
        moved = 0
        while moved < limit and (messages := self._receive(min(_AT_ONCE, limit - moved))):
            for message in messages:
                self._move(message)
                moved += 1
        return moved

    def _receive(self, count: int) -> list[Any]:
        answer: dict[str, Any] = client("sqs").receive_message(  # type: ignore[assignment]
            QueueUrl=self.source,
            MaxNumberOfMessages=count,
            VisibilityTimeout=_VISIBILITY,
            WaitTimeSeconds=1,
            MessageSystemAttributeNames=["MessageGroupId"],
        )
        return list(answer.get("Messages", []))

    def _move(self, message: Any) -> None:
        group = message.get("Attributes", {}).get("MessageGroupId")
        client("sqs").send_message(
            QueueUrl=self.home, MessageBody=message["Body"], **({"MessageGroupId": group} if group else {})
        )
        client("sqs").delete_message(QueueUrl=self.source, ReceiptHandle=message["ReceiptHandle"])


def _row(found: Tools, name: str) -> dict[str, Any]:
    answer = client("sqs").get_queue_attributes(
        QueueUrl=found.stack.queues[name],
        AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
    )["Attributes"]
    count = int(answer["ApproximateNumberOfMessages"])
    return {
        "queue": name,
        "messages": Shown(count, "red" if count else "green"),
        "in_flight": int(answer["ApproximateNumberOfMessagesNotVisible"]),
        "goes_back_to": HOME[name],
    }
