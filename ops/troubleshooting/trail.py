"""What became of a mail: gathered from the functions' logs, the ledger, the backlog and the archive.

The logs have every event and every attempt by their ids, for as long as logs are kept. The tables have what is still
known without them: bounces and complaints with their recipients (30 days), deliveries with their bodies (14 days).
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from lambdas.aws.clients import client
from lambdas.aws.dynamodb.backlog.kept_deliveries import KeptDeliveries, KeptDelivery
from lambdas.aws.dynamodb.reputation.reputation_table import ReputationTable
from lambdas.domain.reputation.ledger import LedgerEntry
from lambdas.domain.webhooks.delivery import Delivery
from lambdas.domain.webhooks.payload import NOTIFIED
from lambdas.domain.webhooks.webhook import WebhookId
from ops.deployment.tools import Tools
from ops.troubleshooting.function_logs import AT, FunctionLogs, Line

LATE = timedelta(days=4)  # retries of three days, and the time an event may take
EARLY = timedelta(minutes=5)  # clocks differ
_SES_ID = re.compile(
    r"01[0-9a-f]{2}([0-9a-f]{12})-"
)  # SES's ids begin with a region and Unix time in ms, seen not told
EVENT_FACTS: tuple[str, ...] = ("message_id", "type", "delivery_ids")  # of an event in a line about many
ATTEMPT_FACTS: tuple[str, ...] = ("delivery_id", "attempt", "status", "ms")  # of an attempt in a line about many
_OWNER = ("instance_id", "webhook_id")  # of the events or attempts in a line about many; events have no webhook
_TYPES = {kind.value: name for kind, (_, name) in NOTIFIED.items()}  # an attempt's by its event's
MAX_SHOWN = 10  # events of a batch that are named
MAX_DELIVERIES = 50  # of a mail, whose attempts are looked up in the logs one by one
MAX_MAILS = 20  # of a recipient, the latest, whose attempts are looked up in the logs one by one


class Kind(StrEnum):
    """What was asked for."""

    MESSAGE_ID = "message id"
    WEBHOOK_ID = "webhook-id"
    RECIPIENT = "recipient"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Something that happened to a mail, and where that is known from."""

    at: datetime
    what: str
    source: str
    instance_id: str = ""
    webhook_id: str = ""
    message_id: str = ""
    delivery_id: str = ""
    type: str = ""
    details: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is looked for between *since* and *until*; of all instances if `instance_id` is None."""

    text: str
    kind: Kind
    since: datetime
    until: datetime
    instance_id: str | None


def kind_of(text: str) -> Kind:
    """An address has an @, a webhook-id begins with msg_; all else is an id of SES's."""
    if "@" in text:
        return Kind.RECIPIENT
    return Kind.WEBHOOK_ID if text.startswith("msg_") else Kind.MESSAGE_ID


def sent_at(message_id: str, *, now: datetime) -> datetime | None:
    """When SES accepted the mail, by its id; None if that is nothing plausible. A hint: SES does not document it."""
    found = _SES_ID.match(message_id)
    if not found:
        return None
    milliseconds = int(found[1], 16)
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC) if milliseconds < 2**42 else None
    return moment if moment and now - timedelta(days=400) < moment <= now + EARLY else None


def window(id_: str, *, since: datetime, until: datetime) -> tuple[datetime, datetime]:
    """When to look for an id in the logs: around the time that it names, if it does, else all the time given."""
    sent = sent_at(id_, now=until)
    return (max(since, sent - EARLY), min(until, sent + LATE)) if sent else (since, until)


@dataclass(frozen=True)
class Trail:
    """Follows a mail over one stack."""

    found: Tools

    def steps(self, question: Question) -> list[Step]:
        """What is known, in order."""
        logged = [] if question.kind is Kind.RECIPIENT else list(self._logged([question.text], question))
        instances = self._instances(question, logged)
        found = [*self._kept(question, instances), *self._counted(question, instances)]
        if question.kind is Kind.RECIPIENT:
            latest = sorted(found, key=lambda step: step.at, reverse=True)
            mails = dict.fromkeys(step.message_id or step.delivery_id for step in latest)
            logged += self._logged(list(mails)[:MAX_MAILS], question)
        return sorted({*logged, *found}, key=lambda step: (step.at, step.what))

    def _instances(self, question: Question, logged: Iterable[Step]) -> Mapping[str, None] | None:
        """The instances to look at; None: all of them."""
        if question.instance_id is not None:
            return {question.instance_id: None}
        return dict.fromkeys(step.instance_id for step in logged if step.instance_id) or None

    def _logged(self, ids: Iterable[str], question: Question) -> Iterator[Step]:
        """What the feedback and the delivery function logged of each id, and of the deliveries that were made of it.

        Feedback's log has SES's message ids with the deliveries' ids, delivery's the attempts by the deliveries' ids.
        """
        for id_ in ids:
            recorded = self._lines("feedback", [id_], question)
            events = {made: line for line in recorded for made in line.get("delivery_ids", ()) if _leads_to(id_, made)}
            attempts = self._lines("delivery", dict.fromkeys([id_, *list(events)[:MAX_DELIVERIES]]), question)
            yield from filter(None, (_of_line("feedback", line) for line in recorded))
            yield from filter(None, (_of_line("delivery", _with_mail(line, events)) for line in attempts))

    def _lines(self, function: str, ids: Iterable[str], question: Question) -> list[Line]:
        """A function's lines about each of *ids*."""
        logs = FunctionLogs(self.found.stack, function)
        first, *_ = ids
        since, until = window(first, since=question.since, until=question.until)
        return [
            one
            for id_ in ids
            for line in logs.lines(containing=id_, since=since, until=until)
            for one in _each(line, id_)
        ]

    def _kept(self, question: Question, instances: Iterable[str] | None) -> Iterator[Step]:
        deliveries = KeptDeliveries(client("dynamodb"), self.found.stack.tables["backlog"])
        if instances is None:
            candidates: Iterable[KeptDelivery] = deliveries.everywhere(since=question.since)
        else:
            webhooks = [target for one in instances for target, _ in self.found.states.every(one)]
            candidates = (
                kept
                for target in webhooks
                for kept in deliveries.of_webhook(
                    target.instance_id, WebhookId(target.webhook_id), since=question.since
                )
            )
        return (_of_kept(kept) for kept in candidates if is_about(kept.delivery, question.text, question.kind))

    def _counted(self, question: Question, instances: Iterable[str] | None) -> Iterator[Step]:
        """Bounces and complaints, with their recipients. All instances' ledgers only for an address or a message."""
        if question.kind is Kind.WEBHOOK_ID:
            return
        table = ReputationTable(client("dynamodb"), self.found.stack.tables["reputation"])
        for instance_id in self.found.instances.part(0, of=1) if instances is None else instances:
            for entry in table.entries(instance_id):
                if entry.timestamp >= question.since and _is_of(entry, question):
                    yield _of_entry(instance_id, entry)


def is_about(delivery: Delivery, text: str, kind: Kind) -> bool:
    """Whether a delivery is the one, is of the mail, or names the address; an address is whole, in any case."""
    match kind:
        case Kind.WEBHOOK_ID:
            return delivery.id == text
        case Kind.MESSAGE_ID:
            return delivery.message_id == text or text in delivery.body
        case Kind.RECIPIENT:
            return text.lower() in delivery.body.lower() and _address(text).search(delivery.body) is not None


def _address(text: str) -> re.Pattern[str]:
    """*text* as a whole address: not the end or the beginning of another one."""
    return re.compile(rf"(?<![\w.+-]){re.escape(text)}(?![\w-]|\.\w)", re.IGNORECASE)


def _is_of(entry: LedgerEntry, question: Question) -> bool:
    if question.kind is Kind.RECIPIENT:
        return any(_address(question.text).search(recipient) for recipient in entry.recipients)
    return entry.message_id == question.text


def _of_entry(instance_id: str, entry: LedgerEntry) -> Step:
    return Step(
        at=entry.timestamp,
        what=f"{entry.kind.value} counted",
        source="ledger",
        instance_id=instance_id,
        message_id=entry.message_id or "",
        type=entry.kind.value,
        details=", ".join(filter(None, (entry.reason, *entry.recipients))),
    )


def _of_kept(kept: KeptDelivery) -> Step:
    return Step(
        at=kept.at,
        what="delivered, can be replayed" if kept.delivered else f"waits for attempt {kept.attempt}",
        source="archive" if kept.delivered else "backlog",
        instance_id=kept.instance_id,
        webhook_id=kept.webhook_id,
        message_id=kept.delivery.message_id or "",
        delivery_id=kept.delivery.id,
        type=kept.delivery.type,
        details=f"the event happened at {kept.delivery.timestamp.isoformat()}",
    )


def _each(line: Line, id_: str) -> Iterator[Line]:
    """A line about one event or attempt each, of a line about many: those about *id_*."""
    match line:
        case {"message": "events recorded", "instances": list(groups)}:
            names, each = EVENT_FACTS, "event recorded"
        case {"message": "attempts succeeded", "webhooks": list(groups)}:
            names, each = ATTEMPT_FACTS, "attempt succeeded"
        case _:
            yield line
            return
    for *owner, rows in groups:
        for row in rows:
            one = dict(zip(names, row, strict=False))
            if id_ in {one.get("message_id"), one.get("delivery_id"), *one.get("delivery_ids", ())}:
                yield {**line, **dict(zip(_OWNER, owner, strict=False)), **one, "message": each}


def _leads_to(asked: str, delivery_id: str) -> bool:
    """Whether a delivery of an event is looked for: a webhook-id asks for itself only."""
    return kind_of(asked) is not Kind.WEBHOOK_ID or asked == delivery_id


def _with_mail(line: Line, events: Mapping[str, Line]) -> Line:
    """An attempt's line with the message id and the type of its event, where it has none of its own."""
    event = events.get(line.get("delivery_id", ""))
    if event is None or "message_id" in line:
        return line
    return {**line, "message_id": event["message_id"], "type": _TYPES.get(event["type"], "")}


def _of_line(function: str, line: Line) -> Step | None:
    """A log line that is about an event or an attempt; None for all others."""
    common: dict[str, Any] = {
        "at": line[AT],
        "source": f"log of {function}",
        "instance_id": line.get("instance_id", ""),
        "message_id": line.get("message_id") or "",
        "type": line.get("type", ""),
    }
    match line.get("message"):
        case "event recorded":
            return Step(what="event recorded", details=_deliveries(line.get("delivery_ids", [])), **common)
        case "attempt succeeded" | "attempt failed" | "webhook tested" as what:
            return Step(
                what=f"attempt {line.get('attempt', '?')} {what.rpartition(' ')[2]}",
                webhook_id=line.get("webhook_id", ""),
                delivery_id=line.get("delivery_id", ""),
                details=f"{line.get('status', '')}, {line.get('ms', '?')} ms{_batch(line.get('deliveries', []))}",
                **common,
            )
        case "event has no instance" as what:
            return Step(what=what, details=str(line.get("reason", "")), **common)
    return None


def _batch(ids: list[str]) -> str:
    """The events that one request carried, the first of many."""
    if not ids:
        return ""
    more = f" and {len(ids) - MAX_SHOWN} more" if len(ids) > MAX_SHOWN else ""
    return f", a batch of {len(ids)}: {', '.join(ids[:MAX_SHOWN])}{more}"


def _deliveries(ids: list[str]) -> str:
    return f"webhook-id {', '.join(ids)}" if ids else "no webhook asked for it"
