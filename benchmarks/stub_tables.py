"""DynamoDB for the AWS stub: items are kept and read back, conditions taken as met, and units counted as AWS bills.

Of an update, plain assignments (`SET health = :health`) are carried out: a webhook's health can be learned. An
addition is answered as the first of its counter. The rest is billed only; who needs the truth measures on the embedded
AWS.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

WRITE_UNIT = 1024  # bytes
READ_UNIT = 4096  # bytes; half a unit where the read may be stale
_KEYS = ("instance_id", "item", "pk", "sk", "bucket")  # every attribute that is part of some table's key

_NAMED = re.compile(r'UPDATE "([^"]+)"')
_ADDED = re.compile(r"ADD (#?\w+) (:\w+)")
_ASSIGNED = re.compile(r"(\w+) = (:\w+)(?=,|$| )")

Item = dict[str, Any]


class Tables:
    """Items by table, partition and sort key; what is billed goes to *counts*, in halves of a unit."""

    def __init__(self, counts: "Counter[str]") -> None:
        self._counts = counts
        self._tables: dict[str, dict[str, dict[str, Item]]] = defaultdict(lambda: defaultdict(dict))
        self.operations = {
            "GetItem": self._get,
            "BatchGetItem": self._batch_get,
            "Query": self._query,
            "PutItem": self._put,
            "UpdateItem": self._update,
            "DeleteItem": self._delete,
            "TransactWriteItems": self._transact,
            "BatchWriteItem": self._batch_write,
            "BatchExecuteStatement": self._execute,
        }

    def seed(self, table: str, items: Iterable[Item]) -> None:
        """Put *items*, unbilled."""
        for item in items:
            partition, sort = _place(item)
            self._tables[table][partition][sort] = item

    def _get(self, call: Item) -> Item:
        item = self._read(call["TableName"], call["Key"])
        self._bill_read(call, [item])
        return {"Item": item} if item else {}

    def _batch_get(self, call: Item) -> Item:
        found = {}
        for table, asked in call["RequestItems"].items():
            items = [self._read(table, key) for key in asked["Keys"]]
            for item in items:
                self._bill_read(asked, [item])
            found[table] = [item for item in items if item]
        return {"Responses": found, "UnprocessedKeys": {}}

    def _query(self, call: Item) -> Item:
        values = {_text(value) for value in call.get("ExpressionAttributeValues", {}).values()}
        table = self._tables[call["TableName"]]
        items = [item for partition in values & table.keys() for item in table[partition].values()]
        self._bill_read(call, items)
        return {"Items": items, "Count": len(items)}

    def _put(self, call: Item, factor: int = 1) -> Item:
        self.seed(call["TableName"], [call["Item"]])
        self._bill_write(call, call["Item"], factor)
        return {}

    def _update(self, call: Item, factor: int = 1) -> Item:
        values = call.get("ExpressionAttributeValues", {})
        self._bill_write(call, {**call["Key"], **values}, factor)
        item = self._read(call["TableName"], call["Key"])
        if item:
            item.update({name: values[value] for name, value in _ASSIGNED.findall(call.get("UpdateExpression", ""))})
        names = call.get("ExpressionAttributeNames", {})
        added = _ADDED.findall(call.get("UpdateExpression", ""))
        sums = {names.get(name, name): values[value] for name, value in added}
        return {"Attributes": {**sums, **item}} if "ReturnValues" in call else {}

    def _delete(self, call: Item, factor: int = 1) -> Item:
        partition, sort = _place(call["Key"])
        self._tables[call["TableName"]][partition].pop(sort, None)
        self._bill_write(call, call["Key"], factor)
        return {}

    def _transact(self, call: Item) -> Item:
        writers = {"Put": self._put, "Update": self._update, "Delete": self._delete}
        for action in call["TransactItems"]:
            for kind, inner in action.items():
                if kind in writers:
                    writers[kind](inner, 2)  # a transaction costs twice
        return {}

    def _batch_write(self, call: Item) -> Item:
        for table, actions in call["RequestItems"].items():
            for action in actions:
                if "PutRequest" in action:
                    self._put({"TableName": table, **action["PutRequest"]})
                else:
                    self._delete({"TableName": table, **action["DeleteRequest"]})
        return {"UnprocessedItems": {}}

    def _execute(self, call: Item) -> Item:
        """Statements are updates of small items: a write unit each."""
        for statement in call["Statements"]:
            table = _NAMED.findall(statement["Statement"])[0]
            self._counts[f"dynamodb.write_units.{table}"] += 1
        return {"Responses": [{} for _ in call["Statements"]]}

    def _read(self, table: str, key: Item) -> Item:
        partition, sort = _place(key)
        return self._tables[table][partition].get(sort, {})

    def _bill_write(self, call: Item, item: Item, factor: int) -> None:
        self._counts[f"dynamodb.write_units.{call['TableName']}"] += factor * blocks(size_of(item), WRITE_UNIT)

    def _bill_read(self, call: Item, items: Iterable[Item]) -> None:
        halves = 2 if call.get("ConsistentRead") else 1
        self._counts["dynamodb.half_read_units"] += halves * blocks(sum(map(size_of, items)), READ_UNIT)


def blocks(size: int, block: int) -> int:
    """How many blocks are billed for *size* bytes: one at least."""
    return max(1, -(-size // block))


def _place(item: Item) -> tuple[str, str]:
    partition, *sort = [_text(item[name]) for name in _KEYS if name in item]
    return partition, sort[0] if sort else ""


def _text(attribute: Item) -> str:
    return str(next(iter(attribute.values())))


def size_of(item: Item) -> int:
    """An item's bytes as DynamoDB counts them, nearly: names and values, without the types."""
    return sum(len(name) + _value_size(value) for name, value in item.items())


def _value_size(attribute: Item) -> int:
    ((kind, value),) = attribute.items()
    match kind:
        case "S":
            return len(value.encode())
        case "B":
            return len(value) * 3 // 4
        case "N":
            return len(value) // 2 + 1
        case "M":
            return 3 + size_of(value)
        case "L":
            return 3 + sum(1 + _value_size(entry) for entry in value)
        case "SS" | "NS" | "BS":
            return sum(map(len, value))
    return 1
