"""The portal's own table: links, sessions, what callers may still ask, what was done, and replays.

    pk                  | sk          |
    --------------------+-------------+--------------------------------------------------------------------------------
    link#<hash>         | link        | record (JSON of `Link`), expires_at: one that was not used yet
    session#<id>        | session     | record (JSON of `Session`), instances, expires_at
    calls#<who>#<from>  | calls       | count, expires_at: requests of one caller in one window
    actions#<instance>  | <when>#<id> | record (JSON of `Action`), expires_at: kept 400 days
    resumed#<org>#      | resumed     | transition (its id), expires_at: a tenant resumed this domain by itself, and may
    <domain>            |             | not again before then
    replay#<instance>#  | replay      | record (JSON of `Replay`), replay (its id), version, expires_at: a webhook's
    <webhook>           |             | last one; a second begins when it has ended

A link is stored by the hash of its token: who reads the table cannot sign in with it. Expiry is checked on each read,
because DynamoDB removes expired items only within days.
"""

import hashlib
import secrets
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from lambdas.aws.dynamodb.attribute_values import from_item, new_item, to_item
from lambdas.domain.portal import LINK_VALID, Action, Link, Replay, Session

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

_ACTIONS_KEPT = timedelta(days=400)  # as long as the history of sending statuses
_REPLAYS_KEPT = timedelta(days=14)  # as long as what they replay
_TOKEN_BYTES = 32  # of a link
_SHOWN = 50  # actions of an instance that are shown


class PortalTable:
    """Reads and writes the portal's records; reads are consistent."""

    def __init__(self, client: "DynamoDBClient", table_name: str) -> None:
        self._client = client
        self._table_name = table_name

    # links

    def has_link(self, token: str, *, now: datetime) -> bool:
        """Whether *token* can still be used."""
        item = self._get(_link_key(token))
        return item is not None and item["expires_at"] > _epoch(now)

    def take_link(self, token: str, *, now: datetime) -> Link | None:
        """Use *token* up. None if it was used, has expired or never existed. Only one of two concurrent callers gets
        the link.
        """
        try:
            answer = self._client.delete_item(
                TableName=self._table_name,
                Key=to_item(_link_key(token)),
                ConditionExpression="expires_at > :now",
                ExpressionAttributeValues=to_item({":now": _epoch(now)}),
                ReturnValues="ALL_OLD",
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return None
        return msgspec.json.decode(from_item(answer["Attributes"])["record"], type=Link)

    def new_link(self, link: Link, *, url: str, now: datetime) -> str:
        """The URL, below the portal's *url*, that signs in as *link* says, once and while it is valid."""
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        self._put(_link_key(token), {"record": _encode(link), "expires_at": _epoch(now + LINK_VALID)})
        return f"{url.rstrip('/')}/link/{token}"

    # sessions

    def save_session(self, session: Session) -> None:
        """Store *session*, or a newer version of it."""
        values = {
            "record": _encode(session),
            "instances": list(session.grants),
            "expires_at": _epoch(session.expires_at),
        }
        self._put(_session_key(session.id), values)

    def update_session(self, session: Session) -> None:
        """Store the newer version of *session*, unless the session was ended meanwhile."""
        try:
            self._client.update_item(
                TableName=self._table_name,
                Key=to_item(_session_key(session.id)),
                UpdateExpression="SET #record = :record, instances = :instances",
                ConditionExpression="attribute_exists(pk)",
                ExpressionAttributeNames={"#record": "record"},
                ExpressionAttributeValues=to_item({":record": _encode(session), ":instances": list(session.grants)}),
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return

    def session(self, session_id: str, *, now: datetime) -> Session | None:
        """The session; None if it was ended, has expired or never existed."""
        item = self._get(_session_key(session_id))
        if item is None or item["expires_at"] <= _epoch(now):
            return None
        return msgspec.json.decode(item["record"], type=Session)

    def end_session(self, session_id: str) -> None:
        """Sign out. Idempotent."""
        self._client.delete_item(TableName=self._table_name, Key=to_item(_session_key(session_id)))

    def end_sessions(self, instance_id: str) -> int:
        """End every session and unused link of *instance_id*; returns how many. Scans the table."""
        pages = self._client.get_paginator("scan").paginate(
            TableName=self._table_name,
            FilterExpression="begins_with(pk, :sessions) OR begins_with(pk, :links)",
            ExpressionAttributeValues=to_item({":sessions": "session#", ":links": "link#"}),
            ConsistentRead=True,
        )
        ended = 0
        for item in (from_item(item) for page in pages for item in page["Items"]):
            link = item["sk"] == "link" and msgspec.json.decode(item["record"], type=Link).instance_id == instance_id
            if link or instance_id in item.get("instances", ()):
                key = to_item({"pk": item["pk"], "sk": item["sk"]})
                self._client.delete_item(TableName=self._table_name, Key=key)
                ended += 1
        return ended

    # rate limits

    def count_call(self, who: str, *, window: timedelta, now: datetime) -> int:
        """How many requests *who* made in the current window, including this one."""
        began = _epoch(now) // int(window.total_seconds())
        answer = self._client.update_item(
            TableName=self._table_name,
            Key=to_item({"pk": f"calls#{who}#{began}", "sk": "calls"}),
            UpdateExpression="ADD #count :one SET expires_at = :expires_at",
            ExpressionAttributeNames={"#count": "count"},
            ExpressionAttributeValues=to_item({":one": 1, ":expires_at": _epoch(now + 2 * window)}),
            ReturnValues="UPDATED_NEW",
        )
        return int(from_item(answer["Attributes"])["count"])

    # actions

    def record(self, action: Action) -> None:
        """Store an action."""
        key = {"pk": f"actions#{action.instance_id}", "sk": f"{action.at.isoformat()}#{secrets.token_hex(4)}"}
        self._put(key, {"record": _encode(action), "expires_at": _epoch(action.at + _ACTIONS_KEPT)})

    def actions(self, instance_id: str, *, limit: int = _SHOWN) -> list[Action]:
        """The actions on an instance, newest first."""
        answer = self._client.query(
            TableName=self._table_name,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues=to_item({":pk": f"actions#{instance_id}"}),
            ScanIndexForward=False,
            Limit=limit,
        )
        return [msgspec.json.decode(from_item(item)["record"], type=Action) for item in answer["Items"]]

    # resumes by tenants

    def resume_possible_at(
        self, organization: str, domain: str, *, transition_id: str, now: datetime
    ) -> datetime | None:
        """The time from which `take_resume` allows *transition_id*; None if it does now."""
        item = self._get(_resume_key(organization, domain))
        if item is None or item["transition"] == transition_id or item["expires_at"] <= _epoch(now):
            return None
        return datetime.fromtimestamp(item["expires_at"], tz=now.tzinfo)

    def take_resume(
        self, organization: str, domain: str, *, transition_id: str, again_after: datetime, now: datetime
    ) -> datetime | None:
        """Record that a tenant resumes by *transition_id*. None if it may, else the time from which it may again.

        The same transition may be recorded twice: a retry completes a request that crashed.
        """
        key = _resume_key(organization, domain)
        values = {":id": transition_id, ":now": _epoch(now)}
        try:
            self._client.put_item(
                TableName=self._table_name,
                Item=new_item({**key, "transition": transition_id, "expires_at": _epoch(again_after)}),
                ConditionExpression="attribute_not_exists(pk) OR expires_at <= :now OR #transition = :id",
                ExpressionAttributeNames={"#transition": "transition"},
                ExpressionAttributeValues=to_item(values),
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            item = self._get(key)
            return datetime.fromtimestamp(item["expires_at"], tz=now.tzinfo) if item else now
        return None

    # replays

    def begin_replay(self, replay: Replay) -> bool:
        """Store a new replay in place of the webhook's last one; False while that one runs."""
        last = self.replay(replay.instance_id, replay.webhook_id)
        if last is not None and last.is_running(now=replay.began_at):
            return False
        return self._put_replay(replay, last.id if last else None)

    def replay(self, instance_id: str, webhook_id: str) -> Replay | None:
        """The webhook's last replay; None if there was none."""
        item = self._get(_replay_key(instance_id, webhook_id))
        return None if item is None else msgspec.json.decode(item["record"], type=Replay)

    def save_replay(self, replay: Replay) -> bool:
        """Store the progress of *replay*; False if another step was stored first. That step continues the replay."""
        return self._put_replay(replace(replay, version=replay.version + 1), replay.id, replay.version)

    def _put_replay(self, replay: Replay, was: str | None, version: int | None = None) -> bool:
        """Write *replay* if the stored one is *was* (None: there is none), at *version* if that is given."""
        values = {
            "record": _encode(replay),
            "replay": replay.id,
            "version": replay.version,
            "expires_at": _epoch(replay.began_at + _REPLAYS_KEPT),
        }
        condition = "attribute_not_exists(pk)"
        given: dict[str, object] = {}
        if was is not None:
            condition = "replay = :was"
            given[":was"] = was
        if version is not None:
            condition += " AND #version = :version"
            given[":version"] = version
        put: Any = {
            "TableName": self._table_name,
            "Item": new_item({**_replay_key(replay.instance_id, replay.webhook_id), **values}),
            "ConditionExpression": condition,
        }
        if given:
            put["ExpressionAttributeValues"] = to_item(given)
        if version is not None:
            put["ExpressionAttributeNames"] = {"#version": "version"}
        try:
            self._client.put_item(**put)
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def _get(self, key: dict[str, str]) -> dict[str, Any] | None:
        answer = self._client.get_item(TableName=self._table_name, Key=to_item(key), ConsistentRead=True)
        return from_item(answer["Item"]) if "Item" in answer else None

    def _put(self, key: dict[str, str], values: dict[str, Any]) -> None:
        self._client.put_item(TableName=self._table_name, Item=new_item({**key, **values}))


def _link_key(token: str) -> dict[str, str]:
    return {"pk": f"link#{hashlib.sha256(token.encode()).hexdigest()}", "sk": "link"}


def _session_key(session_id: str) -> dict[str, str]:
    return {"pk": f"session#{session_id}", "sk": "session"}


def _resume_key(organization: str, domain: str) -> dict[str, str]:
    return {"pk": f"resumed#{organization}#{domain}", "sk": "resumed"}


def _replay_key(instance_id: str, webhook_id: str) -> dict[str, str]:
    return {"pk": f"replay#{instance_id}#{webhook_id}", "sk": "replay"}


def _encode(record: Action | Link | Replay | Session) -> str:
    return msgspec.json.encode(record).decode()


def _epoch(moment: datetime) -> int:
    return int(moment.timestamp())
