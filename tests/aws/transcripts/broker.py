"""The broker's table: records, claims on domains, organizations, and counts of confirmation mails."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from lambdas.aws.dynamodb.attribute_values import new_item, to_item
from lambdas.aws.dynamodb.broker.broker_table import BrokerTable
from lambdas.aws.dynamodb.confirmation_mails import ConfirmationMails
from lambdas.domain.tenants.domain_claim import Claim
from lambdas.domain.tenants.instance import (
    Binding,
    BindingState,
    BindRequest,
    Instance,
    InstanceState,
    Operation,
    OperationKind,
    OperationState,
)
from tests.aws.transcript import Refused, Transcript

NOW = datetime(2026, 11, 21, 4, 0, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)
OPERATION = Operation(id="provision-1", kind=OperationKind.PROVISION, started_at=NOW, touched_at=LATER)
I1 = Instance(
    id="i1",
    service_id="s",
    plan_id="p",
    organization_guid="o1",
    space_guid="sp",
    state=InstanceState.NEW,
    operation=OPERATION,
)
ENDED = replace(I1, version=4, state=InstanceState.READY, operation=replace(OPERATION, state=OperationState.SUCCEEDED))
GONE = replace(ENDED, state=InstanceState.GONE)
RELEASING = replace(I1, operation=replace(OPERATION, id="release-1", kind=OperationKind.RELEASE))
REQUEST = BindRequest(service_id="s", plan_id="p")
B1 = Binding(id="b1", instance_id="i1", state=BindingState.INTENT, request=REQUEST, effective=REQUEST, created_at=NOW)
DOMAIN = "mail.agency.gov"
CONDITION = Refused("ConditionalCheckFailedException")


def cancelled(*reasons: str) -> Refused:
    """A transaction that was cancelled for these reasons, one an action."""
    return Refused("TransactionCanceledException", reasons=reasons)


def stored(record: Instance | Binding, **values: Any) -> Any:
    """The item of a record."""
    return new_item({"pk": "x", "sk": "y", "record": msgspec.json.encode(record).decode(), **values})


def claim(**values: Any) -> Any:
    """The item of a claim."""
    held = {"pk": "domains", "sk": "gov.agency.mail", "instance_id": "i1", "organization_guid": "o1"}
    return new_item(held | values)


def broker_records(transcript: Transcript) -> None:
    """Instances and bindings."""

    def table() -> BrokerTable:
        return BrokerTable(transcript.dynamodb, "broker")

    transcript.call("reads an instance", lambda: table().instance("i1"), GetItem={"Item": stored(I1)})
    transcript.call("finds no instance", lambda: table().instance("i1"))
    as_update = replace(RELEASING, operation=replace(RELEASING.operation, kind=OperationKind.UPDATE))
    transcript.call(
        "reads a release of a domain, which stands as an update",
        lambda: getattr(table().instance("i1"), "operation", None),
        GetItem={"Item": stored(as_update)},
    )
    transcript.call(
        "lists instances without tombstones",
        lambda: [one.id for one in table().instances()],
        Scan=[
            {"Items": [stored(I1), stored(GONE)], "LastEvaluatedKey": {"pk": {"S": "x"}}},
            {"Items": [stored(replace(I1, id="i2"))]},
        ],
    )
    transcript.call("saves a new instance that is busy", lambda: table().save_instance(I1))
    transcript.call("saves an instance that is not busy", lambda: table().save_instance(ENDED).version)
    transcript.call("saves a tombstone", lambda: table().save_instance(GONE, leave=True).version)
    transcript.call("saves a release as an update", lambda: table().save_instance(RELEASING).version)
    transcript.call("takes a place in the organization", lambda: table().save_instance(I1, room=3).version)
    transcript.call("reads a binding", lambda: table().binding("i1", "b1"), GetItem={"Item": stored(B1)})
    transcript.call("finds no binding", lambda: table().binding("i1", "b1"))
    transcript.call(
        "knows whose a binding is",
        lambda: table().instance_of_binding("b1"),
        GetItem={"Item": new_item({"pk": "binding#b1", "sk": "claim", "instance_id": "i1"})},
    )
    transcript.call("knows a free binding id", lambda: table().instance_of_binding("b1"))
    transcript.call("saves a bind that begins", lambda: table().save_binding(B1))
    ready = replace(B1, state=BindingState.READY, version=1)
    transcript.call("saves a binding with its instance", lambda: table().save_binding(ready, instances=[ENDED]).version)
    leaving = replace(ready, state=BindingState.LEAVING, busy_until=LATER)
    transcript.call("saves an unbind that begins", lambda: table().save_binding(leaving).version)
    gone = replace(leaving, state=BindingState.GONE)
    transcript.call("saves a binding's tombstone", lambda: table().save_binding(gone).version)
    transcript.call(
        "saves the tombstone of a binding that nobody held",
        lambda: table().save_binding(replace(gone, busy_until=None)).version,
    )
    intents = [
        new_item({"pk": "intents", "sk": id_, "instance_id": "i1", "created_at": at.isoformat()})
        for id_, at in (("b1", NOW), ("b2", LATER), ("b3", LATER + timedelta(minutes=1)))
    ]
    transcript.call(
        "lists binds that began before a time",
        lambda: table().stale_intents(before=LATER),
        Query=[{"Items": intents[:1], "LastEvaluatedKey": {"pk": {"S": "x"}}}, {"Items": intents[1:]}],
    )
    begun = {"pk": "operations", "sk": "i1", "touched_at": LATER.isoformat()}
    transcript.call(
        "lists operations, those of 1.0.0 without their start",
        lambda: table().unfinished(),
        Query={"Items": [new_item(begun), new_item({**begun, "sk": "i2", "started_at": NOW.isoformat()})]},
    )
    members = {"pk": "organizations", "sk": "o1", "members": {"i2", "i1"}}
    transcript.call("lists members", lambda: table().members("o1"), GetItem={"Item": to_item(members)})
    transcript.call("knows an organization without members", lambda: table().members("o1"))
    del members["members"]
    transcript.call("knows one that all left", lambda: table().members("o1"), GetItem={"Item": to_item(members)})


def broker_refusals(transcript: Transcript) -> None:
    """What a cancelled transaction means."""

    def table() -> BrokerTable:
        return BrokerTable(transcript.dynamodb, "broker")

    failed, fine = "ConditionalCheckFailed", "None"
    for sentence, reasons in (
        ("the record was written meanwhile", (failed, fine, fine, fine)),
        ("the organization is full", (fine, fine, failed, fine)),
        ("the domain is taken", (fine, fine, fine, failed)),
        ("the domain is taken, and the record was written", (failed, fine, failed, failed)),
        ("others write the same items", ("TransactionConflict", fine, fine, fine)),
    ):
        transcript.call(
            sentence,
            lambda: table().save_instance(I1, room=3, claim="agency.gov"),
            TransactWriteItems=cancelled(*reasons),
        )
    transcript.call(
        "a binding was written meanwhile", lambda: table().save_binding(B1), TransactWriteItems=cancelled(failed)
    )
    transcript.call(
        "a list that cannot fail has failed",
        lambda: table().save_instance(I1),
        TransactWriteItems=cancelled(fine, failed),
    )


def broker_domains(transcript: Transcript) -> None:
    """Claims on domains."""

    def table() -> BrokerTable:
        return BrokerTable(transcript.dynamodb, "broker")

    def take() -> int:
        return table().save_instance(I1, claim=DOMAIN).version

    def release(reserve: str = "") -> int:
        return table().save_instance(ENDED, release=DOMAIN, reserve=reserve).version

    former = {"pk": "former#gov.agency.mail", "sk": "o1", "claimed_at": "2026-11-01T00:00:00+00:00"}
    transcript.call("claims a domain", take)
    transcript.call(
        "claims one that the organization claimed before",
        take,
        GetItem={"Item": to_item({**former, "expires_at": int(NOW.timestamp()) + 1})},
    )
    transcript.call(
        "claims one that is remembered no longer",
        take,
        GetItem={"Item": to_item({**former, "expires_at": int(NOW.timestamp())})},
    )
    transcript.call("releases an unclaimed domain", release)
    unverified = claim(claimed_at=NOW.isoformat())
    transcript.call("releases and remembers an unverified domain", release, GetItem={"Item": unverified})
    verified = claim(claimed_at=NOW.isoformat(), verified_at=NOW.isoformat())
    transcript.call("forgets a verified domain", release, GetItem={"Item": verified})
    transcript.call("forgets a claim without a time", release, GetItem={"Item": claim()})
    transcript.call("reserves a domain", lambda: release("o2"))
    full = claim(claimed_at=NOW.isoformat(), verified_at=NOW.isoformat(), checked_at=LATER.isoformat())
    reserved = new_item({"pk": "domains", "sk": "gov.agency", "organization_guid": "o2", "expires_at": 1796443200})
    transcript.call(
        "finds the claims on a domain, below it and above it",
        lambda: table().claims_related(DOMAIN),
        Query=[{"Items": [full], "LastEvaluatedKey": {"pk": {"S": "x"}}}, {"Items": [claim()]}],
        GetItem={"Item": reserved},
    )
    transcript.call("finds none above", lambda: table().claims_related(DOMAIN))
    transcript.call("lists all claims", lambda: table().claims(), Query={"Items": [full, reserved]})
    held = Claim(domain=DOMAIN, instance_id="i1", organization_guid="o1")
    transcript.call("notes a verified domain", lambda: table().note_claim(held, verified=True, at=NOW))
    transcript.call("notes an unverified domain", lambda: table().note_claim(held, verified=False, at=NOW))
    transcript.call(
        "notes nothing of another's", lambda: table().note_claim(held, verified=True, at=NOW), UpdateItem=CONDITION
    )


def confirmation_mails(transcript: Transcript) -> None:
    """Counting confirmation mails."""

    def mails() -> ConfirmationMails:
        return ConfirmationMails(transcript.dynamodb, "broker", limit=10, clock=lambda: NOW, per_organization=50)

    transcript.call("counts an address", lambda: mails().take("Joe@example.net"))
    transcript.call("counts an address and who asks", lambda: mails().take("joe@example.net", "o1"))
    transcript.call("counts no more of an organization", lambda: mails().take("joe@x.net", "o1"), UpdateItem=CONDITION)
    transcript.call("counts no more of an address", lambda: mails().take("joe@x.net", "o1"), UpdateItem=[{}, CONDITION])


WALKS = (broker_records, broker_refusals, broker_domains, confirmation_mails)
