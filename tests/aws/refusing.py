"""DynamoDB clients that refuse, and that remember what they were asked."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

import boto3
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

THROTTLED = "ProvisionedThroughputExceededException"


WRITES = ("PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems")


def refusing(code: str, *, reasons: Iterable[str] = (), calls: Iterable[str] = ("*",)) -> "DynamoDBClient":
    """A client whose *calls* end in the error *code*, a transaction's with these cancellation reasons."""
    made: Any = boto3.client("dynamodb", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    response: Any = {"Error": {"Code": code, "Message": "no"}}
    if reasons:
        response["CancellationReasons"] = [{"Code": reason} for reason in reasons]
    error = made.exceptions.from_code(code)(response, "operation")

    def refuse(**_: object) -> None:
        raise error

    for call in calls:
        made.meta.events.register(f"before-call.dynamodb.{call}", refuse)
    assert isinstance(error, ClientError)
    return cast("DynamoDBClient", made)


def asked(client: "DynamoDBClient") -> list[tuple[str, dict[str, Any]]]:
    """A list that grows by each call of *client* from now on: the operation and its parameters."""
    calls: list[tuple[str, dict[str, Any]]] = []

    def note(params: dict[str, Any], model: Any, **_: object) -> None:
        calls.append((model.name, dict(params)))

    client.meta.events.register("provide-client-params.dynamodb", note)
    return calls
