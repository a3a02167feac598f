"""The reputation table: the ledger, rates, sending statuses, marks, organizations; and the rate limiter."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import msgspec

from lambdas.aws.dynamodb.attribute_values import new_item, to_item
from lambdas.aws.dynamodb.rate_limiter import RateLimiter
from lambdas.aws.dynamodb.reputation import ledger as ledger_module
from lambdas.aws.dynamodb.reputation.ledger import Ledger
from lambdas.aws.dynamodb.reputation.organization_table import OrganizationTable
from lambdas.aws.dynamodb.reputation.pause_marks import PauseMarks
from lambdas.aws.dynamodb.reputation.reputation_table import ReputationTable
from lambdas.aws.dynamodb.reputation.sending_status_table import SendingStatusTable
from lambdas.domain.reputation.evaluation import Reputation, SendingState
from lambdas.domain.reputation.ledger import LedgerEntry, LedgerKind
from lambdas.domain.reputation.sending_status import (
    HANDED_OVER,
    Cause,
    Mark,
    Pending,
    SendingStatus,
    Transition,
    TransitionStep,
)
from tests.aws.transcript import Refused, Transcript

NOW = datetime(2026, 11, 21, 4, 30, tzinfo=UTC)
EPOCH = int(NOW.timestamp())
BOUNCE = LedgerEntry(
    key="0100#1",
    kind=LedgerKind.BOUNCE,
    bucket="2026-11-21T04",
    timestamp=NOW,
    counted=2,
    message_id="m1",
    reason="NoEmail",
    recipients=("a@x.net", "b@x.net"),
    sent_at=NOW - timedelta(minutes=1),
)
COMPLAINT = replace(BOUNCE, key="0100#2", kind=LedgerKind.COMPLAINT, counted=1, message_id=None, sent_at=None)
PAUSE = Transition(
    id="i1:3",
    instance_id="i1",
    before=SendingState.WARNED,
    after=SendingState.PAUSED,
    at=NOW,
    cause=Cause.RATES,
    reputation=Reputation(bounces=5, complaints=1, deliveries=100, since=None),
    domain="agency.gov",
)
RESUME = replace(PAUSE, before=SendingState.PAUSED, after=SendingState.HEALTHY, cause=Cause.OPERATOR)
STATUS = SendingStatus(instance_id="i1", state=SendingState.WARNED, version=2)
PENDING = Pending(transition=PAUSE, done=frozenset(), claimed_by="a", claimed_until=NOW + timedelta(seconds=5))
CONDITION = Refused("ConditionalCheckFailedException")


def cancelled(*reasons: str) -> Refused:
    """A transaction that was cancelled for these reasons, one an action."""
    return Refused("TransactionCanceledException", reasons=reasons)


def encoded(transition: Transition) -> str:
    """A transition as it is stored."""
    return msgspec.json.encode(transition).decode()


def ledger_of_feedback(transcript: Transcript) -> None:
    """Bounces and complaints, exactly once."""

    def table() -> Ledger:
        return Ledger(transcript.dynamodb, "reputation", pause=transcript.sleep, chance=lambda: 0.5)

    def add() -> object:
        return table().add("i1", [BOUNCE, COMPLAINT, BOUNCE])

    there, fine, conflict = "ConditionalCheckFailed", "None", "TransactionConflict"
    other = replace(BOUNCE, key="0100#3", bucket="2026-11-21T05")
    transcript.call("counts what is new", add)
    transcript.call("counts each counter's in a transaction", lambda: table().add("i1", [BOUNCE, other]))
    with patch.object(ledger_module, "_ENTRIES", 1):
        transcript.call("counts as many as a transaction takes", lambda: table().add("i1", [BOUNCE, COMPLAINT]))
    transcript.call("leaves out what was counted", add, TransactWriteItems=[cancelled(there, fine, fine), {}])
    transcript.call("counts nothing twice", add, TransactWriteItems=cancelled(there, there, fine))
    for reason in (conflict, "ThrottlingError", "ProvisionedThroughputExceeded"):
        transcript.call(f"waits after {reason}", add, TransactWriteItems=[cancelled(fine, fine, reason), {}])
    transcript.call("gives up after the last wait", add, TransactWriteItems=cancelled(fine, fine, conflict))
    transcript.call("raises what else cancels", add, TransactWriteItems=cancelled(fine, fine, "ValidationError"))
    both = cancelled("ValidationError", fine, conflict)
    transcript.call("waits for what may pass", add, TransactWriteItems=[both, {}])
    transcript.call("raises a cancellation without reasons", add, TransactWriteItems=cancelled())


def ledger_of_deliveries(transcript: Transcript) -> None:
    """Deliveries, about."""

    def known() -> Ledger:
        table = Ledger(transcript.dynamodb, "reputation", pause=transcript.sleep, chance=lambda: 0.5)
        table._existing |= {("i1", "2026-11-21T04"), ("i2", "2026-11-21T04")}
        return table

    two = {"i1": {"2026-11-21T04": 5}, "i2": {"2026-11-21T04": 6}}
    new = {"i3": {"2026-11-21T04": 7, "2026-11-21T05": 8}}
    errors = {"Responses": [{"Error": {"Code": "ConditionalCheckFailed"}}, {}]}
    fine: Any = {"Responses": [{}, {}]}
    transcript.call("adds to an instance's counters", lambda: known().add_deliveries("i1", {"2026-11-21T04": 5}))
    transcript.call(
        "adds to known counters in one call", lambda: known().add_all_deliveries(two), BatchExecuteStatement=fine
    )
    transcript.call(
        "adds to new counters alone", lambda: known().add_all_deliveries(two | new), BatchExecuteStatement=fine
    )
    transcript.call("adds to one known counter alone", lambda: known().add_all_deliveries({"i1": {"2026-11-21T04": 5}}))
    transcript.call(
        "adds alone what was refused together", lambda: known().add_all_deliveries(two), BatchExecuteStatement=errors
    )
    transcript.call(
        "tells which instances were not counted", lambda: known().add_all_deliveries(new), UpdateItem=[CONDITION, {}]
    )

    def twice() -> object:
        table = known()
        table.add_all_deliveries(new)
        return table.add_all_deliveries(new)

    transcript.call("knows the counters that it made", twice, BatchExecuteStatement=fine)

    def after_a_refusal() -> object:
        table = known()
        table.add_all_deliveries(two)
        return sorted(table._existing)

    transcript.call("knows again what it added alone", after_a_refusal, BatchExecuteStatement=errors)
    transcript.call(
        "forgets what was refused and not added",
        after_a_refusal,
        BatchExecuteStatement=errors,
        UpdateItem=CONDITION,
    )
    with patch.object(ledger_module, "_REMEMBERED", 1):
        transcript.call("forgets when it knows too many", lambda: known().add_all_deliveries(two))
    with patch.object(ledger_module, "_REMEMBERED", 2):
        transcript.call(
            "remembers as many as it may", lambda: known().add_all_deliveries(two), BatchExecuteStatement=fine
        )


def rates(transcript: Transcript) -> None:
    """Counters and evidence."""

    def table(**how: Any) -> ReputationTable:
        return ReputationTable(transcript.dynamodb, "reputation", **how)

    def counter(item: str, **counts: int) -> Any:
        return to_item({"instance_id": "i1", "item": item, **counts})

    feedback = [
        counter("feedback#2026-11-21T04", bounces=1, complaints=2),
        counter("feedback#2026-11-21T02", bounces=3),
    ]
    deliveries = [counter("deliveries#2026-11-21T04", deliveries=9), counter("deliveries#2026-11-21T03", deliveries=8)]
    more = {"LastEvaluatedKey": {"item": {"S": "x"}}}
    transcript.call(
        "adds up each hour",
        lambda: table().hours("i1", since="2026-11-20T04"),
        Query=[{"Items": feedback}, {"Items": deliveries[:1], **more}, {"Items": deliveries[1:]}],
    )
    entries = [
        to_item({"instance_id": "i1", **values, "timestamp": NOW.isoformat(), "bucket": "2026-11-21T04", "counted": 1})
        for values in (
            {
                "item": "ledger#3",
                "kind": "bounce",
                "message_id": "m",
                "reason": "r",
                "recipients": ["a"],
                "sent_at": NOW.isoformat(),
            },
            {"item": "ledger#2", "kind": "complaint", "recipients": []},
            {"item": "ledger#1", "kind": "complaint", "recipients": []},
        )
    ]
    transcript.call("shows the latest", lambda: table().latest("i1", limit=2), Query={"Items": entries})
    transcript.call("shows a page", lambda: table().page("i1", after="", limit=2), Query={"Items": entries})
    transcript.call("shows the last page", lambda: table().page("i1", after="3", limit=2), Query={"Items": entries})
    transcript.call(
        "shows the whole ledger", lambda: table().entries("i1"), Query=[{"Items": entries[:1], **more}, {"Items": []}]
    )
    transcript.call(
        "shows what is older", lambda: table(consistent=False).older("i1", after="3"), Query={"Items": entries}
    )


def sending_status(transcript: Transcript) -> None:
    """Statuses and transitions."""

    def table() -> SendingStatusTable:
        return SendingStatusTable(transcript.dynamodb, "reputation")

    whole = {
        "state": "paused",
        "since": NOW.isoformat(),
        "version": 3,
        "baseline": NOW.isoformat(),
        "cause": "rates",
        "until": NOW.isoformat(),
        "probation_until": NOW.isoformat(),
        "pending": encoded(PAUSE),
        "pending_id": "i1:3",
        "done": ["pause_sending"],
        "claimed_by": "a",
        "claimed_until": EPOCH,
    }
    transcript.call("reads a status", lambda: table().load("i1"), GetItem={"Item": new_item(whole)})
    transcript.call("reads none: healthy", lambda: table().load("i1"))
    transcript.call(
        "reads one of which little is known", lambda: table().load("i1"), GetItem={"Item": to_item({"version": 1})}
    )

    def claim(transition: Transition = PAUSE, status: SendingStatus = STATUS, claimer: str = "a", **how: Any) -> bool:
        return table().claim(status, transition, claimer=claimer, baseline=how.get("baseline"), now=NOW)

    lasting = replace(PAUSE, until=NOW + timedelta(hours=1), probation_until=NOW + timedelta(days=7))
    transcript.call("claims a pause, and marks its domain", claim)
    transcript.call("claims a pause that ends by itself", lambda: claim(lasting, baseline=NOW))
    transcript.call("claims a first transition", lambda: claim(status=SendingStatus(instance_id="i1")))
    transcript.call("claims a resume, and lifts the mark", lambda: claim(RESUME))
    transcript.call("claims for the reputation function", lambda: claim(claimer=HANDED_OVER))
    transcript.call(
        "claims nothing that another claimed", claim, TransactWriteItems=cancelled("ConditionalCheckFailed")
    )
    transcript.call("claims nothing beside another", claim, TransactWriteItems=cancelled("None", "TransactionConflict"))
    transcript.call("raises what else cancels a claim", claim, TransactWriteItems=cancelled("ValidationError"))
    transcript.call("raises a cancelled claim without reasons", claim, TransactWriteItems=cancelled())
    transcript.call("takes over", lambda: table().take_over(PENDING, claimer="b", now=NOW))
    transcript.call(
        "takes over nothing twice", lambda: table().take_over(PENDING, claimer="b", now=NOW), UpdateItem=CONDITION
    )
    step = TransitionStep.PAUSE_SENDING
    transcript.call("records a step", lambda: table().step_done(PENDING, step))
    transcript.call(
        "records no step of what is superseded", lambda: table().step_done(PENDING, step), UpdateItem=CONDITION
    )
    transcript.call("releases a claim", lambda: table().release(PENDING, now=NOW))
    healthy = replace(PENDING, transition=RESUME)
    transcript.call("finishes a pause", lambda: table().finish(PENDING))
    transcript.call("finishes a resume", lambda: table().finish(healthy))
    lost = cancelled("ConditionalCheckFailed")
    transcript.call("finishes nothing that is superseded", lambda: table().finish(healthy), TransactWriteItems=lost)
    other = cancelled("ValidationError")
    transcript.call("raises what else cancels the end", lambda: table().finish(healthy), TransactWriteItems=other)


def watched_and_history(transcript: Transcript) -> None:
    """Whom reconciliation looks at, and what happened before."""

    def table() -> SendingStatusTable:
        return SendingStatusTable(transcript.dynamodb, "reputation")

    transcript.call("watches", lambda: table().watch("i1"))
    transcript.call("watches already", lambda: table().watch("i1"), PutItem=CONDITION)
    transcript.call("unwatches", lambda: table().unwatch("i1"))
    transcript.call("unwatches nothing that moved", lambda: table().unwatch("i1"), DeleteItem=CONDITION)
    items = [new_item({"instance_id": "#watch", "item": name}) for name in ("i2", "i1")]
    more = {"LastEvaluatedKey": {"item": {"S": "x"}}}
    transcript.call(
        "lists who is watched", lambda: table().watched(), Query=[{"Items": items[:1], **more}, {"Items": items[1:]}]
    )
    moves = [new_item({"instance_id": "i1", "item": "history#1", "transition": encoded(PAUSE)})]
    transcript.call("lists the history", lambda: table().history("i1"), Query={"Items": moves})
    transcript.call("forgets an instance", lambda: table().forget("i1"))


def marks_and_organizations(transcript: Transcript) -> None:
    """Pauses that outlive their instances, and members with recent feedback."""

    def marks() -> PauseMarks:
        return PauseMarks(transcript.dynamodb, "reputation")

    mark = Mark(domain="agency.gov", transition=PAUSE, until=NOW + timedelta(days=1))

    def item(until: datetime) -> Any:
        return new_item(
            {"instance_id": "#marks", "item": "agency.gov", "transition": encoded(PAUSE), "until": until.isoformat()}
        )

    valid, past = item(mark.until), item(NOW)
    transcript.call("reads a mark", lambda: marks().on("agency.gov", now=NOW), GetItem={"Item": valid})
    transcript.call("reads none that expired", lambda: marks().on("agency.gov", now=NOW), GetItem={"Item": past})
    transcript.call(
        "reads the nearest mark",
        lambda: getattr(marks().over("a.mail.agency.gov", now=NOW), "domain", None),
        GetItem=[{}, {"Item": past}, {"Item": valid}],
    )
    transcript.call("reads no mark over a domain", lambda: marks().over("mail.agency.gov", now=NOW))
    transcript.call("keeps a mark", lambda: marks().keep(mark))
    transcript.call("lifts a mark", lambda: marks().lift("agency.gov"))
    more = {"LastEvaluatedKey": {"item": {"S": "x"}}}
    transcript.call(
        "lists marks",
        lambda: [one.domain for one in marks().every_mark(now=NOW)],
        Query=[{"Items": [valid, past], **more}, {"Items": [valid]}],
    )

    def organizations() -> OrganizationTable:
        return OrganizationTable(transcript.dynamodb, "reputation")

    members = [
        new_item({"instance_id": "x", "item": name, "expires_at": EPOCH + left})
        for name, left in (("i1", 1), ("i2", 0))
    ]
    transcript.call("joins an organization", lambda: organizations().join("o1", "i1", now=NOW))
    transcript.call(
        "lists an organization's members",
        lambda: organizations().members("o1", now=NOW),
        Query=[{"Items": members, **more}, {"Items": members}],
    )


def rate_limiter(transcript: Transcript) -> None:
    """The account's calls to SES's control plane."""

    def limiter(**how: Any) -> RateLimiter:
        return RateLimiter(transcript.dynamodb, "rate_limiter", **{"rate": 2.0, "burst": 3, **how})

    def at(seconds: float) -> Any:
        return {"Item": {"bucket": {"S": "ses"}, "tat": {"N": f"{EPOCH + seconds:.6f}"}}}

    def acquire(**how: Any) -> float:
        return limiter().acquire(now=NOW, **how)

    transcript.call("grants the first call", acquire)
    transcript.call("grants a call after an idle time", acquire, GetItem=at(-60))
    transcript.call("grants the last of a burst", acquire, GetItem=at(1))
    transcript.call("says how long to wait", acquire, GetItem=at(1.25))
    transcript.call("grants a pause at once, and moves the others", lambda: acquire(priority=True), GetItem=at(30))
    transcript.call("asks again where another was first", acquire, UpdateItem=[CONDITION, {}])
    transcript.call("says to wait where others always are first", acquire, UpdateItem=CONDITION)
    transcript.call("lets a pause through all the same", lambda: acquire(priority=True), UpdateItem=CONDITION)
    transcript.call(
        "allows one call a second by default",
        lambda: RateLimiter(transcript.dynamodb, "rate_limiter").acquire(now=NOW),
        GetItem=at(0.5),
    )
    transcript.call(
        "uses a bucket of another name",
        lambda: RateLimiter(transcript.dynamodb, "rate_limiter", bucket="iam").acquire(now=NOW),
        GetItem=at(0),
    )


WALKS = (
    ledger_of_feedback,
    ledger_of_deliveries,
    rates,
    sending_status,
    watched_and_history,
    marks_and_organizations,
    rate_limiter,
)
