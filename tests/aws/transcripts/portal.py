"""The portal's table: links, sessions, rate limits, actions, resumes, replays."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from lambdas.aws.dynamodb.attribute_values import new_item, to_item
from lambdas.aws.dynamodb.portal_table import PortalTable
from lambdas.domain.portal import Action, Grant, Link, Replay, ReplayState, Right, Session
from tests.aws.transcript import Refused, Transcript

NOW = datetime(2026, 11, 21, 4, 0, tzinfo=UTC)
EPOCH = int(NOW.timestamp())
LINK = Link(instance_id="i1", right=Right.MANAGE, who="ops", session_seconds=3_600)
SESSION = Session(
    id="s1",
    who="joe",
    created_at=NOW,
    expires_at=NOW + timedelta(hours=1),
    grants={"i1": Grant(right=Right.MANAGE, checked_at=NOW)},
)
REPLAY = Replay(id="r1", instance_id="i1", webhook_id="w1", since=NOW - timedelta(days=1), began_at=NOW, who="joe")
CONDITION = Refused("ConditionalCheckFailedException")


def item(record: Any, **values: Any) -> Any:
    """The item of a record."""
    return new_item({"pk": "x", "sk": "y", "record": msgspec.json.encode(record).decode(), **values})


def portal_sign_in(transcript: Transcript) -> None:
    """Links and sessions."""

    def table() -> PortalTable:
        return PortalTable(transcript.dynamodb, "portal")

    valid, past = item(LINK, expires_at=EPOCH + 1), item(LINK, expires_at=EPOCH)
    transcript.call("knows a link", lambda: table().has_link("token", now=NOW), GetItem={"Item": valid})
    transcript.call("knows that a link expired", lambda: table().has_link("token", now=NOW), GetItem={"Item": past})
    transcript.call("knows no such link", lambda: table().has_link("token", now=NOW))
    transcript.call("takes a link", lambda: table().take_link("token", now=NOW), DeleteItem={"Attributes": valid})
    transcript.call("takes no link twice", lambda: table().take_link("token", now=NOW), DeleteItem=CONDITION)
    transcript.call("makes a link", lambda: table().new_link(LINK, url="https://portal.example/", now=NOW))
    transcript.call("saves a session", lambda: table().save_session(SESSION))
    transcript.call("updates a session", lambda: table().update_session(SESSION))
    transcript.call("revives no session", lambda: table().update_session(SESSION), UpdateItem=CONDITION)
    valid, past = item(SESSION, expires_at=EPOCH + 1), item(SESSION, expires_at=EPOCH)
    transcript.call("reads a session", lambda: table().session("s1", now=NOW), GetItem={"Item": valid})
    transcript.call("reads no session that expired", lambda: table().session("s1", now=NOW), GetItem={"Item": past})
    transcript.call("reads no session that is gone", lambda: table().session("s1", now=NOW))
    transcript.call("signs out", lambda: table().end_session("s1"))
    found = [
        {**item(LINK), "pk": {"S": "link#1"}, "sk": {"S": "link"}},
        {**item(replace(LINK, instance_id="i2")), "pk": {"S": "link#2"}, "sk": {"S": "link"}},
        {**item(SESSION, instances=["i0", "i1"]), "pk": {"S": "session#1"}, "sk": {"S": "session"}},
        {**item(SESSION, instances=["i2"]), "pk": {"S": "session#2"}, "sk": {"S": "session"}},
        {**item(SESSION), "pk": {"S": "session#3"}, "sk": {"S": "session"}},
    ]
    transcript.call(
        "ends an instance's sessions and links",
        lambda: table().end_sessions("i1"),
        Scan=[{"Items": found[:2], "LastEvaluatedKey": {"pk": {"S": "x"}}}, {"Items": found[2:]}],
    )


def portal_actions(transcript: Transcript) -> None:
    """Limits, actions, resumes."""

    def table() -> PortalTable:
        return PortalTable(transcript.dynamodb, "portal")

    minute = timedelta(minutes=1)
    transcript.call(
        "counts a request in its window",
        lambda: table().count_call("joe", window=minute, now=NOW + timedelta(seconds=59)),
        UpdateItem={"Attributes": to_item({"count": 3})},
    )
    action = Action(instance_id="i1", at=NOW, who="joe", what="test", subject="w1")
    transcript.call("records an action", lambda: table().record(action))
    transcript.call("shows actions", lambda: table().actions("i1"), Query={"Items": [item(action)]})
    transcript.call("shows some actions", lambda: table().actions("i1", limit=2))

    def possible() -> object:
        return table().resume_possible_at("o1", "agency.gov", transition_id="i1:2", now=NOW)

    def taken(id_: str, expires_at: int) -> Any:
        return {"Item": new_item({"pk": "x", "sk": "resumed", "transition": id_, "expires_at": expires_at})}

    transcript.call("may resume for the first time", possible)
    transcript.call("may resume again later", possible, GetItem=taken("i1:1", EPOCH + 1))
    transcript.call("may resume again now", possible, GetItem=taken("i1:1", EPOCH))
    transcript.call("may repeat the same resume", possible, GetItem=taken("i1:2", EPOCH + 1))

    def take() -> object:
        again = NOW + timedelta(days=90)
        return table().take_resume("o1", "agency.gov", transition_id="i1:2", again_after=again, now=NOW)

    transcript.call("resumes", take)
    transcript.call("resumes not twice", take, PutItem=CONDITION, GetItem=taken("i1:1", EPOCH + 1))
    transcript.call("asks again when the other is gone", take, PutItem=CONDITION)


def portal_replays(transcript: Transcript) -> None:
    """Replays: one a webhook."""

    def table() -> PortalTable:
        return PortalTable(transcript.dynamodb, "portal")

    new = replace(REPLAY, id="r2", began_at=NOW + timedelta(minutes=1))
    done = item(replace(REPLAY, state=ReplayState.DONE))
    transcript.call("begins a first replay", lambda: table().begin_replay(REPLAY))
    transcript.call("begins another", lambda: table().begin_replay(new), GetItem={"Item": done})
    transcript.call("begins none while one runs", lambda: table().begin_replay(new), GetItem={"Item": item(REPLAY)})
    transcript.call("begins none that another began", lambda: table().begin_replay(REPLAY), PutItem=CONDITION)
    transcript.call("reads a replay", lambda: table().replay("i1", "w1"), GetItem={"Item": done})
    transcript.call("reads none", lambda: table().replay("i1", "w1"))
    transcript.call("saves progress", lambda: table().save_replay(replace(REPLAY, version=4)))
    transcript.call("saves no step twice", lambda: table().save_replay(REPLAY), PutItem=CONDITION)


WALKS = (portal_sign_in, portal_actions, portal_replays)
