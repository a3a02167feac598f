"""What an adapter asks of AWS, call by call, and what it makes of the answers: written down, to be reviewed.

A walk (tests/aws/transcripts/) makes calls of an adapter, each under a sentence, and gives AWS's answers. Nothing
answers but these: moto is kinder than AWS, and takes many a request that lacks a condition, an index or a
consistent read. `python -m tests.aws.transcripts` writes the texts anew; tests/aws/test_transcripts.py compares.

Each call is made again for each operation that it makes, with that operation refused for a reason that no adapter
knows: what does not end in that error stands under `goes on after a foreign error of`.
"""

import dataclasses
import json
import secrets
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Any, cast
from unittest.mock import patch

import msgspec
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.session import Session

from lambdas.aws.dynamodb.attribute_values import from_attribute
from lambdas.domain.webhooks.delivery import DeliveryBatch
from tests.snapshots import as_yaml

FOLDER = Path(__file__).with_name("transcripts")
COMMAND = "python -m tests.aws.transcripts"
FOREIGN = "SomethingElse"
_EMPTY: dict[str, dict[str, Any]] = {
    "Query": {"Items": []},
    "Scan": {"Items": []},
    "BatchGetItem": {"Responses": {}},
    "GetMetricData": {"MetricDataResults": []},
}
_KINDS = {"S", "N", "B", "BOOL", "NULL", "M", "L", "SS", "NS", "BS"}
_LONG = 200  # characters of a request that is not written twice
_MOST = 60  # requests of one call: a change that never ends is noticed at once
_SESSION = Session()


@dataclasses.dataclass(frozen=True)
class Refused:
    """An answer that refuses: AWS's error code, why a transaction was cancelled, the item that a condition saw."""

    code: str
    reasons: tuple[str, ...] = ()
    item: Mapping[str, Any] | None = None


class Transcript:
    """Clients that answer as they are told, and the text of what they were asked."""

    def __init__(self) -> None:
        self.calls: dict[str, dict[str, Any]] = {}
        self._clients: dict[str, Any] = {}
        self._sent: list[dict[str, Any]] = []
        self._answers: dict[str, list[Any]] = {}
        self._refusing = ""
        self._first: dict[str, str] = {}

    def __getattr__(self, service: str) -> Any:
        """The client of a service, such as `transcript.dynamodb`."""
        if service not in self._clients:
            made: Any = _SESSION.create_client(
                service, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
            )
            made.meta.events.register("provide-client-params", self._ask)
            made.meta.events.register("before-call", self._answer)
            self._clients[service] = made
        return self._clients[service]

    def sleep(self, seconds: float) -> None:
        """For adapters that wait."""
        self._sent.append({"waits": round(seconds, 6)})

    def note(self, text: str) -> None:
        """What else is asked, of others than AWS."""
        self._sent.append({"asks besides": text})

    def call(
        self, sentence: str, what: Callable[[], object], *, unordered: bool = False, again: bool = True, **answers: Any
    ) -> None:
        """Write down what *what* asks, and how it ends, with these *answers* by operation: one, or a list in order.

        *unordered*: its requests are made concurrently. *again*: it can be called again, to see it refused.
        """
        assert sentence not in self.calls, sentence
        outcome = self._outcome(what, answers, unordered)
        swallowed = [name for name in _operations(outcome["asks"]) if again and self._goes_on(what, answers, name)]
        if swallowed:
            outcome["goes on after a foreign error of"] = swallowed
        outcome["asks"] = list(self._shortened(sentence, outcome["asks"]))
        self.calls[sentence] = outcome

    def _goes_on(self, what: Callable[[], object], answers: Mapping[str, Any], operation: str) -> bool:
        self._refusing = operation
        try:
            return FOREIGN not in str(self._outcome(what, answers, unordered=False).get("raises"))
        finally:
            self._refusing = ""

    def _outcome(self, what: Callable[[], object], answers: Mapping[str, Any], unordered: bool) -> dict[str, Any]:
        self._sent = []
        self._answers = {name: list(one) if isinstance(one, list) else [one] for name, one in answers.items()}
        with (
            patch.object(secrets, "token_hex", lambda size: f"<{size} random bytes>"),
            patch.object(secrets, "token_urlsafe", lambda size: f"<{size}-random-bytes>"),
            patch.object(secrets, "token_bytes", lambda size: b"r" * size),
            patch.object(secrets, "randbelow", lambda limit: limit // 2),
        ):
            try:
                ends = {"answers": readable(what())}
            except Exception as error:  # noqa: BLE001  # whatever it raises is what a reader wants to see
                ends = {"raises": f"{type(error).__name__}: {error}"}
        asks = sorted(self._sent, key=str) if unordered else self._sent
        return {"asks": asks, **(ends if ends != {"answers": None} else {})}

    def _shortened(self, sentence: str, asks: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """A long request that was made before goes by the sentence and number under which it stands whole."""
        for number, one in enumerate(asks, 1):
            text = json.dumps(one)
            first = self._first.setdefault(text, f"{sentence}, {number}")
            yield one if len(text) < _LONG or first == f"{sentence}, {number}" else {"as in": first}

    def _ask(self, params: Mapping[str, Any], model: Any, **_: object) -> None:
        assert len(self._sent) < _MOST, "the call does not end"
        self._sent.append({model.name: readable(params)})

    def _answer(self, model: Any, **_: object) -> tuple[AWSResponse, dict[str, Any]]:
        given = self._answers.get(model.name, [])
        answer = given.pop(0) if len(given) > 1 else (given[0] if given else _EMPTY.get(model.name, {}))
        if model.name == self._refusing:
            answer = Refused(FOREIGN)
        if not isinstance(answer, Refused):
            return AWSResponse("", 200, HTTPHeaders(), None), dict(answer)
        error: dict[str, Any] = {"Error": {"Code": answer.code, "Message": "no"}}
        if answer.reasons:
            error["CancellationReasons"] = [{"Code": reason} for reason in answer.reasons]
        if answer.item is not None:
            error["Item"] = answer.item
        return AWSResponse("", 400, HTTPHeaders(), None), error


def readable(value: Any) -> Any:
    """*value* as YAML can show it: DynamoDB's attributes as plain values, compressed bytes as what they say."""
    match value:
        case None | bool() | int() | float():
            return value
        case Enum():
            return value.value
        case str():
            return _filled(json.loads(value)) if value.startswith('{"') else value
        case bytes():
            return _text(value)
        case datetime() | timedelta():
            return str(value)
        case Mapping():
            if len(value) == 1 and next(iter(value)) in _KINDS:
                return readable(from_attribute(cast(Any, value)))
            return {str(readable(key)): readable(one) for key, one in value.items()}
        case set() | frozenset():
            return {"set": sorted(map(readable, value))}
        case list():
            return [readable(one) for one in value]
        case tuple():
            return [readable(one) for one in value]
        case DeliveryBatch():
            return _batch(msgspec.to_builtins(value))
        case Exception():
            return f"{type(value).__name__}: {value}"
        case Iterator():
            return [readable(one) for one in value]
    return _fields(value)


def _text(value: bytes) -> Any:
    try:
        return {"compressed": _batch(json.loads(zlib.decompress(value)))}
    except zlib.error:
        return {"bytes": value.decode()}


def _batch(batch: dict[str, Any]) -> dict[str, Any]:
    """A batch with its deliveries' ids: what is in them is another test's."""
    return {**batch, "deliveries": ", ".join(delivery["id"] for delivery in batch["deliveries"])}


def _fields(value: Any) -> Any:
    """A dataclass or Struct by its name and fields, without those that have their defaults."""
    if isinstance(value, msgspec.Struct):
        names: Iterable[str] = value.__struct_fields__
    elif dataclasses.is_dataclass(value):
        names = [one.name for one in dataclasses.fields(value) if not _is_default(one, getattr(value, one.name))]
    else:
        return str(value)
    return {type(value).__name__: {name: readable(getattr(value, name)) for name in names}}


def _is_default(field: "dataclasses.Field[Any]", value: object) -> bool:
    made = field.default_factory() if callable(field.default_factory) else field.default
    return made is not dataclasses.MISSING and bool(made == value)


def _filled(record: Any) -> Any:
    """A stored record without what is empty in it."""
    if isinstance(record, dict):
        return {name: _filled(one) for name, one in record.items() if one not in (None, "", [], {})}
    return [_filled(one) for one in record] if isinstance(record, list) else record


def _operations(asks: Iterable[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(name for one in asks for name in one if name[0].isupper()))


def written(walk: Callable[[Transcript], None]) -> str:
    """The text of a walk."""
    transcript = Transcript()
    walk(transcript)
    return "\n".join(as_yaml({sentence: outcome}) for sentence, outcome in transcript.calls.items())
