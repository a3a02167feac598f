"""Whole pages, held against transcripts: every word, every link, every field of every form.

The other tests say what matters and why.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import urlencode

import boto3
import pytest

from lambdas.aws.dynamodb.attribute_values import to_item
from lambdas.aws.dynamodb.reputation.sending_status_table import SendingStatusTable
from lambdas.domain.portal import OPERATOR, Action, Replay, Right
from lambdas.domain.reputation.evaluation import SendingState
from lambdas.domain.reputation.sending_status import Cause, SendingStatus
from lambdas.domain.tenants.dns_records import DnsRecord
from lambdas.domain.tenants.instance import Operation, OperationKind
from lambdas.domain.webhooks.health import FailedAttempt, Health, HealthState
from lambdas.domain.webhooks.webhook import NotificationFormat
from lambdas.portal import handler
from lambdas.portal.http import Response, request_of
from lambdas.portal.pages.setup import LookedUp, RecordState
from tests.portal.reading import read
from tests.portal.world import World, delivery, event_of, running
from tests.snapshots import hold

NOW = datetime(2026, 11, 21, 5, 0, tzinfo=UTC)
EXPECTED = Path(__file__).parent / "pages"
_EXAMPLES = "What a request looks like"
HOOK = "/instances/i1/webhooks/w1"
ATTEMPT = FailedAttempt(
    at=NOW - timedelta(minutes=7),
    delivery="msg_1",
    type="email.bounced",
    reason="status 503",
    excerpt="<b>busy</b>",
)


@dataclass
class Visitor:
    """A browser at a fixed time."""

    cookie: str = ""
    told: list[str] = field(default_factory=list)
    now: datetime = NOW

    def ask(self, method: str, path: str, form: Mapping[str, str] | None = None, **headers: str) -> Response:
        token = {"form_token": self._token()} if self.cookie and method == "POST" else {}
        body = urlencode({**token, **(form or {})}).encode()
        event = event_of(method, path, headers, body if method == "POST" else b"", cookie=self.cookie)
        return handler._portal().answer(request_of(event, public_url="https://portal.agency.gov"), now=self.now)

    def get(self, path: str, *, until: str = "") -> None:
        """Look at a page; at what stands before the words *until*, if they are given."""
        self._tell("GET", path, {}, self.ask("GET", path), until)

    def post(self, path: str, **form: str) -> None:
        self._tell("POST", path, form, self.ask("POST", path, form), _EXAMPLES)

    def _tell(self, method: str, path: str, form: Mapping[str, str], answer: Response, until: str) -> None:
        self.told.append(f"== {method} {path} {dict(form) or ''}".strip())
        headers = {name: value for name, value in answer.headers.items() if name in ("location", "retry-after")}
        self.told.append(" ".join([str(answer.status), *(f"{name}: {value}" for name, value in headers.items())]))
        text = read(str(answer.body))
        self.told.append(text.partition(f"\n{until}\n")[0] if until else text)

    def _token(self) -> str:
        sessions = handler._portal().sessions
        session = sessions.of(request_of(event_of("GET", "/", {}, b"", cookie=self.cookie)), now=self.now)
        return sessions.form_token(session, now=self.now) if session else ""


def visitor(world: World, instance: str = "i1", right: Right = Right.MANAGE) -> Visitor:
    """Somebody who is signed in."""
    found = Visitor()
    token = world.link(instance, right=right).rpartition("/")[2]
    answer = found.ask("POST", "/link", {"token": token})
    found.cookie = answer.cookies[0].partition(";")[0]
    return found


def hooked(world: World) -> None:
    """Webhooks in every state."""
    world.tenant("i1", domain="agency.gov", alert_topic_arn="arn:aws:sns:us-east-1:123456789012:none")
    version = Health(webhook_version=1)
    failing = Health(
        state=HealthState.FAILING,
        since=NOW - timedelta(hours=2),
        failures=9,
        last_reason="status 503",
        probe_at=NOW + timedelta(minutes=3),
        attempts=(ATTEMPT,),
        webhook_version=1,
    )
    world.webhook("i1", "w1", batch=20, batch_seconds=5, health=failing)
    world.webhook("i1", "w2", host="a.example.gov", health=replace(version, failures=2, last_reason="timed out"))
    world.webhook(
        "i1",
        "w3",
        host="b.example.gov",
        health=replace(version, state=HealthState.DISABLED, last_reason="gone", since=NOW),
    )
    by_operator = replace(version, state=HealthState.DISABLED, by_operator=True, since=NOW - timedelta(days=3))
    world.webhook("i1", "w4", host="c.example.gov", health=by_operator)
    world.webhook("i1", "w5", host="d.example.gov")
    topic = "arn:aws:sns:us-east-1:123456789012:ses-feedback-b1-notifications"
    digests(world, topic)
    late = delivery("msg_2", to="bob@example.net", at=NOW - timedelta(hours=1))
    world.parked("i1", "w1", delivery("msg_1", to="ann@example.net", at=NOW - timedelta(minutes=50)), late)
    world.archived("i1", "w1", delivery("msg_0", to="ann@example.net", at=NOW - timedelta(hours=3)))


def digests(world: World, topic: str) -> None:
    """A webhook of format `email`, as the broker keeps notification_email."""
    world.webhook("i1", "email-b1", url=topic)
    key = to_item({"instance_id": "i1", "item": "webhook#email-b1"})
    world.dynamodb.update_item(
        TableName="webhooks",
        Key=key,
        UpdateExpression="SET #f = :f",
        ExpressionAttributeNames={"#f": "format"},
        ExpressionAttributeValues={":f": {"S": NotificationFormat.EMAIL.value}},
    )


def webhooks(world: World) -> list[str]:
    """The list, and each of them, as the tenant, who may only look, and the operator see it."""
    hooked(world)
    tenant, reader, operator = visitor(world), visitor(world, right=Right.READ), visitor(world, OPERATOR)
    tenant.get("/instances/i1/webhooks")
    tenant.get(HOOK)
    for number in (2, 3, 4):
        tenant.get(f"/instances/i1/webhooks/w{number}", until=_EXAMPLES)
    tenant.get("/instances/i1/webhooks/w5")
    tenant.get("/instances/i1/webhooks/email-b1")
    tenant.get("/instances/i1/webhooks/none")
    tenant.get(f"{HOOK}?done=enabled", until="Replay")
    tenant.get(f"{HOOK}?done=other&tested={int(NOW.timestamp()) - 30}", until="Replay")
    for tested in ("x", "9" * 13, str(int(NOW.timestamp()) - 120), str(int(NOW.timestamp()) + 1)):
        tenant.get(f"{HOOK}?tested={tested}", until="Replay")
    operator.get("/instances/i1/webhooks/w4", until=_EXAMPLES)
    operator.get("/instances/i1/webhooks/w5", until=_EXAMPLES)
    reader.get(HOOK, until=_EXAMPLES)
    return [*tenant.told, *operator.told, *reader.told]


def acting_on_webhooks(world: World) -> list[str]:
    """Each action with what it answers, records and queues."""
    hooked(world)
    tenant, operator = visitor(world), visitor(world, OPERATOR)
    tenant.post(f"{HOOK}/test")
    tenant.post(f"{HOOK}/enable")
    tenant.post("/instances/i1/webhooks/w4/enable")
    operator.post("/instances/i1/webhooks/w4/enable")
    operator.post(f"{HOOK}/disable")
    operator.post(f"{HOOK}/disable", reason="x" * 1001)
    operator.post(f"{HOOK}/disable", reason="  spam \n traps ")
    tenant.post("/instances/i1/webhooks/w2/secret")
    tenant.post("/instances/i1/webhooks/w2/secret", sure="yes")
    tenant.post("/instances/i1/webhooks/w2/secret", sure="yes")
    tenant.post("/instances/i1/webhooks/none/test")
    done = [f"{one.who} {one.what} {one.subject} {one.why}".strip() for one in world.table.actions("i1")]
    queued = [_told(message) for message in world.queued()]
    health = [f"{name} {world.health('i1', name).state.value}" for name in ("w1", "w4")]
    return [*tenant.told, *operator.told, "== recorded", *sorted(done), "== queued", *queued, *health]


def _told(message: Any) -> str:
    text = str(message)
    return text[: text.index("msg_") + 4] + "..." if "msg_" in text else text


def replays(world: World) -> list[str]:
    """Asking for one, one at a time, and how far it is."""
    hooked(world)
    tenant, reader = visitor(world), visitor(world, right=Right.READ)
    tenant.get(f"{HOOK}/replay")
    for form in ({"hours": "0"}, {"hours": "337"}, {"hours": "x"}, {"hours": "12345"}, {"hours": "\u0663"}, {}):
        tenant.post(f"{HOOK}/replay", **form)
    tenant.post(f"{HOOK}/replay", delivery="x" * 101)
    tenant.post(f"{HOOK}/replay", delivery="a\tb")
    tenant.post("/instances/i1/webhooks/w2/replay", hours="336", delivery=" msg_0 ")
    tenant.post(f"{HOOK}/replay", hours="336")
    tenant.post(f"{HOOK}/replay", hours="1")
    tenant.get(f"{HOOK}/replay")
    begun = world.table.replay("i1", "w1")
    assert begun is not None
    one = world.table.replay("i1", "w2")
    assert one is not None
    lines = [_of(begun), _of(one), str(len(world.queued("replays")))]
    tenant.now = NOW + timedelta(minutes=2)
    tenant.get(f"{HOOK}/replay")
    lines.append(str(len(world.queued("replays"))))
    tenant.now = NOW + timedelta(minutes=2, seconds=1)
    tenant.get(f"{HOOK}/replay")
    lines.append(str(len(world.queued("replays"))))
    assert world.table.save_replay(_later(begun))
    reader.get(f"{HOOK}/replay")
    done = [f"{each.what} {each.subject}" for each in world.table.actions("i1")]
    return [*tenant.told, *reader.told, "== begun and queued", *lines, *sorted(done)]


def _of(replay: Replay) -> str:
    times = f"since {replay.since} of {replay.began_at}"
    return f"{replay.webhook_id} {times} by {replay.who} {replay.delivery_id} {len(replay.id)}"


def _later(replay: Replay) -> Replay:
    return replace(replay, partition=5, sent=1234, touched_at=NOW + timedelta(minutes=1))


def signing(world: World) -> list[str]:
    """Links, the help page, wrong addresses and methods, and signing out."""
    world.tenant("i1", domain="agency.gov")
    world.tenant("i2", domain="two.agency.gov")
    nobody, tenant = Visitor(), visitor(world)
    token = world.link("i1").rpartition("/")[2]
    for path in ("/", "/instances/i1", "/instances/i1/webhooks?x=1", "/nothing", "/signed-out", "/link/used"):
        nobody.get(path)
    nobody.get(f"/link/{token}")
    nobody.post("/instances/i1/webhooks")
    nobody.post("/link", token="x")
    nobody.post("/link", token=token)
    tenant.get("/")
    tenant.get("/nothing")
    tenant.get("/instances/i2")
    tenant.post("/instances/i1")
    tenant.get("/sign-out")
    tenant.post("/sign-out")
    text = "\n".join([*nobody.told, *tenant.told])
    return [text.replace(token, "TOKEN")]


def setup(world: World) -> list[str]:
    """The records as DNS has them, SES's words, and the confirmation of alarms."""
    topic = boto3.client("sns").create_topic(Name="ses-feedback-i1-alerts")["TopicArn"]
    world.tenant("i1", domain="agency.gov", alert_topic_arn=topic, claimed=True)
    world.tenant("i2", domain="two.agency.gov")
    tenant, reader, other = visitor(world), visitor(world, right=Right.READ), visitor(world, "i2")
    tenant.get("/instances/i1/setup")
    boto3.client("sesv2").create_email_identity(EmailIdentity="agency.gov")
    tenant.get("/instances/i1/setup?done=sent", until="DNS records")
    tenant.get("/instances/i1/setup?done=other", until="DNS records")
    reader.get("/instances/i1/setup")
    other.get("/instances/i2/setup")
    other.post("/instances/i2/setup/confirmation")
    with patch(
        "lambdas.aws.sns.topics.Topics._subscriptions", lambda *_: [("admin@agency.gov", "PendingConfirmation")]
    ):
        for _ in range(4):
            tenant.post("/instances/i1/setup/confirmation")
    boto3.client("sns").subscribe(TopicArn=topic, Protocol="email", Endpoint="admin@agency.gov")
    tenant.get("/instances/i1/setup", until="DNS records")
    tenant.post("/instances/i1/setup/confirmation")
    return [*tenant.told, *reader.told, *other.told]


def counted(world: World) -> None:
    """Mail of two days, a warning, a pause and what led to it, in an organization of two instances."""
    world.tenant("i1", domain="agency.gov", organization="org-1", tags={"ses-feedback:space-name": "Dev"})
    world.tenant("i2", domain="two.agency.gov", organization="org-2")
    for number, days in enumerate((0, 0.1, 2, 9)):
        at = NOW - timedelta(days=days)
        world.delivered("i1", 900 + number, at=at)
        world.bounced("i1", 12 + number, at=at, reason=None if number == 3 else "NoEmail")
    world.delivered("i2", 100, at=NOW - timedelta(days=1))


def status(world: World) -> list[str]:
    """Healthy, warned, paused and on probation; by day, by hour; older evidence; the download."""
    counted(world)
    tenant, operator, other = visitor(world), visitor(world, OPERATOR), visitor(world, "i2")
    tenant.get("/instances/i1")
    world.moved("i1", SendingState.WARNED, at=NOW - timedelta(days=3))
    tenant.get("/instances/i1?by=hour")
    world.moved("i1", SendingState.PAUSED, at=NOW - timedelta(days=2), why="<b>spam</b>", by="ops")
    tenant.get("/instances/i1?by=year", until="Rates")
    operator.get("/instances/i1", until="Rates")
    world.moved("i1", SendingState.HEALTHY, cause=Cause.TENANT, at=NOW, probation_until=NOW + timedelta(days=7))
    tenant.get("/instances/i1", until="Rates")
    answer = tenant.ask("GET", "/instances/i1?after=0000")
    tenant.told.append(read(str(answer.body)).partition("\nEvidence\n")[2])
    for after in ("x" * 401, "%09"):
        tenant.get(f"/instances/i1?after={after}", until="Signed in")
    other.get("/instances/i2")
    answer = tenant.ask("GET", "/instances/i1/evidence.csv")
    head = f"{answer.status} {answer.content_type} {answer.headers}"
    lines = str(answer.body).splitlines()
    return [*tenant.told, *operator.told, *other.told, head, *lines[:2], *lines[-2:], str(len(lines))]


def sending(world: World) -> list[str]:
    """Why an instance is paused, and resuming it: each refusal, and what is recorded."""
    counted(world)
    tenant, reader, operator = visitor(world), visitor(world, right=Right.READ), visitor(world, OPERATOR)
    path = "/instances/i1/sending"
    tenant.get(path)
    tenant.post(path, reason="x" * 40)
    operator.post("/instances/i1/operator/resume", reason="x")
    world.moved("i1", SendingState.PAUSED, at=NOW - timedelta(hours=23, minutes=59))
    tenant.get(path)
    tenant.post(path, reason="x" * 40)
    tenant.now = NOW + timedelta(minutes=1)
    tenant.get(path)
    reader.get(path)
    operator.get(path)
    operator.post("/instances/i1/operator/pause", reason="again")
    seen = _seen(tenant, path)
    tenant.post(path, reason="x" * 40, looked="yes", seen="x")
    tenant.post(path, reason="x" * 40, seen=seen)
    tenant.post(path, reason="x" * 39, looked="yes", seen=seen)
    tenant.now += timedelta(hours=1, seconds=1)
    tenant.post(path, reason="x" * 40, looked="yes", seen=seen)
    tenant.post(path, reason="x" * 40, looked="yes", seen=_seen(tenant, path))
    tenant.get(path)
    operator.now = NOW + timedelta(hours=2)
    operator.post("/instances/i1/operator/pause")
    operator.post("/instances/i1/operator/pause", reason="spam traps")
    operator.post("/instances/i1/operator/resume", reason="talked to them")
    operator.post("/instances/i2/operator/pause", reason="because")
    recorded = [
        f"{one.who} {one.what} {one.why}" for name in ("i1", "i2") for one in sorted(world.table.actions(name), key=_at)
    ]
    return [*tenant.told, *reader.told, *operator.told, "== recorded", *recorded, *map(_status, _statuses(world))]


def _seen(caller: Visitor, path: str) -> str:
    found = re.search(r'name="seen" value="([^"]*)"', str(caller.ask("GET", path).body))
    return found[1] if found else ""


def _at(action: Action) -> tuple[datetime, str]:
    return action.at, action.what


def _statuses(world: World) -> list[SendingStatus]:
    table = SendingStatusTable(world.dynamodb, "reputation")
    return [table.load(name) for name in ("i1", "i2")]


def _status(one: SendingStatus) -> str:
    pending = one.pending
    assert pending is not None
    made = pending.transition
    facts = f"{made.before.value} to {made.after.value} at {made.at} by {made.by} for {made.cause.value}, {made.why}"
    more = f"{made.domain} {made.reputation} until {made.until}, probation {made.probation_until}"
    return f"{one.instance_id} {facts}; {more}; baseline {one.baseline}, {pending.claimed_by}"


def mail(world: World) -> list[str]:
    """Finding a mail by its recipient or its id, and what cannot be looked for."""
    hooked(world)
    world.bounced("i1", 1, to="ann@example.net", at=NOW - timedelta(minutes=51))
    tenant = visitor(world)
    path = "/instances/i1/mail"
    tenant.get(path)
    for needle in ("", "ab", "x" * 321, "ann\tb"):
        tenant.post(path, needle=needle)
    tenant.post(path, needle=" ann@example.net ")
    tenant.post(path, needle="mail-1", until="2026-11-21T04:30:00", width="7200")
    tenant.post(path, needle="ann@example.net", until="yesterday")
    return tenant.told


def operators(world: World) -> list[str]:
    """The list by risk, what is unwell and stuck, quotas, and the search."""
    counted(world)
    world.moved("i2", SendingState.PAUSED, at=NOW - timedelta(days=1))
    failing = Health(
        state=HealthState.FAILING, since=NOW - timedelta(hours=2), last_reason="status 503", webhook_version=1
    )
    world.webhook("i1", "w1", health=failing)
    late = delivery("msg_2", to="bob@example.net", at=NOW - timedelta(hours=1))
    world.parked("i1", "w1", late)
    for minutes in (14, 15):
        touched = NOW - timedelta(minutes=minutes)
        busy = Operation(id="op", kind=OperationKind.UPDATE, started_at=touched, touched_at=touched, step="alerts")
        world.tenant(f"busy-{minutes}", domain=f"b{minutes}.gov", organization="org-3", operation=busy)
    operator, tenant = visitor(world, OPERATOR), visitor(world)
    operator.get("/")
    for needle in ("ORG-1", "dev", "x@two.agency.gov", "nothing"):
        answer = operator.ask("POST", "/search", {"needle": f" {needle} "})
        found = re.findall(r"/instances/([^/\"]+)\"", str(answer.body))
        operator.told.append(f"search {needle}: {answer.status} {list(dict.fromkeys(found))}")
    operator.post("/search", needle="", page="1")
    tenant.get("/")
    return [*operator.told, *tenant.told]


def _answered(records: Any, _: Any = None) -> list[LookedUp]:
    """DNS as it may be: one of each state."""
    states = [RecordState.FOUND, RecordState.MISSING, RecordState.UNKNOWN, RecordState.DIFFERENT]
    return [_looked_up(record, states[min(number, 3)]) for number, record in enumerate(records)]


def _looked_up(record: DnsRecord, state: RecordState) -> LookedUp:
    return LookedUp(
        record=record, state=state, present=("v=DMARC1; p=none <b>",) if state is RecordState.DIFFERENT else ()
    )


PAGES: dict[str, Callable[[World], list[str]]] = {
    page.__name__: page
    for page in (webhooks, acting_on_webhooks, replays, signing, setup, status, sending, mail, operators)
}


def made(name: str) -> Iterator[str]:
    """The transcript of that name."""
    with running() as world, patch("lambdas.portal.dns_lookup.look_up", _answered):
        world.now = NOW
        yield "\n".join(PAGES[name](world)) + "\n"


@pytest.mark.parametrize("name", PAGES)
def test_pages_are_as_their_transcript_says(name: str) -> None:
    """Each word, link and field."""
    for text in made(name):
        hold(EXPECTED / f"{name}.txt", text, "python -m tests.portal.test_pages")


if __name__ == "__main__":
    os.environ |= {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}
    EXPECTED.mkdir(exist_ok=True)
    for one in PAGES:
        for transcript in made(one):
            (EXPECTED / f"{one}.txt").write_text(transcript)
