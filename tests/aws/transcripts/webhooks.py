"""The webhooks table: audiences, webhooks' items, their health, their secrets."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

from lambdas.aws.dynamodb.attribute_values import new_item, to_item
from lambdas.aws.dynamodb.webhooks import audiences as audiences_module
from lambdas.aws.dynamodb.webhooks import webhook_states as states_module
from lambdas.aws.dynamodb.webhooks.audiences import Audiences
from lambdas.aws.dynamodb.webhooks.baseline import Baselines
from lambdas.aws.dynamodb.webhooks.instance_list import InstanceList
from lambdas.aws.dynamodb.webhooks.webhook_items import WebhookItems
from lambdas.aws.dynamodb.webhooks.webhook_rotation import WebhookRotation
from lambdas.aws.dynamodb.webhooks.webhook_states import WebhookStates
from lambdas.aws.dynamodb.webhooks.webhook_table import WebhookTable
from lambdas.domain.tenants.instance import WebhookSettings
from lambdas.domain.webhooks.health import Health
from lambdas.domain.webhooks.target import Target
from lambdas.domain.webhooks.webhook import EventKind, NotificationFormat, Scope, WebhookId
from tests.aws.transcript import Refused, Transcript

NOW = datetime(2026, 11, 21, 4, 0, tzinfo=UTC)
W1 = WebhookId("w1")
SETTINGS = WebhookSettings(
    url="https://app.example.gov/",
    events=(EventKind.BOUNCE, EventKind.COMPLAINT),
    format=NotificationFormat.SNS,
    scope=Scope.BINDING,
    ciphertext=b"c",
    batch=5,
    batch_seconds=6,
)
INSTANCE = new_item({"instance_id": "i1", "item": "instance", "notifications": True, "generation": "g1"})
KNOWN = {"baseline": NOW.isoformat(), "domain": "agency.gov", "organization": "o1", "created_at": NOW.isoformat()}
WHOLE = new_item(
    {
        "instance_id": "i1",
        "item": "webhook#w1",
        "url": "https://app.example.gov/",
        "events": ["bounce"],
        "format": "sns",
        "scope": "binding",
        "batch": 5,
        "batch_seconds": 6,
        "senders": ["b1"],
        "bindings": ["b1", "b2"],
        "ciphertext": b"c",
        "version": 7,
        "previous_ciphertext": b"p",
        "previous_expires_at": NOW.isoformat(),
        "health": {"failures": 2, "record": 3},
        "test_result": {"status": "204", "at": "then"},
    }
)
BARE = to_item(
    {
        "instance_id": "i1",
        "item": "webhook#w2",
        "url": "arn:aws:sns:x",
        "events": [],
        "format": "email",
        "scope": "instance",
        "senders": [],
        "bindings": ["b1"],
    }
)
MORE: Any = {"LastEvaluatedKey": {"item": {"S": "x"}}}
CONDITION = Refused("ConditionalCheckFailedException")


def responses(*items: Any, unread: str = "") -> Any:
    """An answer of BatchGetItem, which may leave an instance unread."""
    left = {"webhooks": {"Keys": [to_item({"instance_id": unread, "item": "instance"})], "ConsistentRead": True}}
    return {"Responses": {"webhooks": list(items)}, **({"UnprocessedKeys": left} if unread else {})}


def audiences(transcript: Transcript) -> None:
    """Who gets an instance's events."""

    def of(*names: str) -> object:
        found = Audiences(transcript.dynamodb, "webhooks").of(names)
        return [found(name) for name in names]

    quiet = new_item({"instance_id": "i2", "item": "instance", "notifications": False, **KNOWN})
    webhooks = {"Items": [INSTANCE, WHOLE]}
    transcript.call(
        "reads those of a batch", lambda: of("i1", "i2", "i3"), BatchGetItem=responses(INSTANCE, quiet), Query=webhooks
    )
    transcript.call(
        "reads again what was left unread",
        lambda: of("i1", "i2"),
        BatchGetItem=[responses(quiet, unread="i1"), responses(INSTANCE)],
        Query=webhooks,
    )
    transcript.call("gives up", lambda: of("i1", "i2"), BatchGetItem=responses(quiet, unread="i1"))
    with patch.object(audiences_module, "_KEYS", 2):
        transcript.call("reads as many keys as a call takes", lambda: of("i1", "i2", "i3"))
    other = {**INSTANCE, "generation": {"S": "g2"}}

    def in_turn(*batches: list[str]) -> object:
        table = Audiences(transcript.dynamodb, "webhooks")
        return [[len(found.webhooks) for name in names if (found := table.of(names)(name))] for names in batches]

    same = ["i1"], ["i1"]
    transcript.call(
        "keeps webhooks of one generation", lambda: in_turn(*same), BatchGetItem=responses(INSTANCE), Query=webhooks
    )
    transcript.call(
        "reads webhooks of a new generation",
        lambda: in_turn(*same),
        BatchGetItem=[responses(INSTANCE), responses(other)],
        Query=webhooks,
    )
    transcript.call(
        "knows an instance that is gone when it is read", lambda: of("i1"), BatchGetItem=responses(INSTANCE)
    )
    second = {**INSTANCE, "instance_id": {"S": "i2"}}
    with patch.object(audiences_module, "KEPT_AT_MOST", 1):
        transcript.call(
            "forgets who was used longest ago",
            lambda: in_turn(["i1"], ["i2"], ["i2"], ["i1"]),
            BatchGetItem=[responses(INSTANCE), responses(second), responses(second), responses(INSTANCE)],
            Query=webhooks,
        )

    def audience() -> object:
        return WebhookTable(transcript.dynamodb, "webhooks").audience("i1")

    known = new_item({"instance_id": "i1", "item": "instance", "notifications": True, **KNOWN})
    deleted = {**known, "notifications": {"BOOL": False}, "deleted_at": {"S": NOW.isoformat()}}
    transcript.call("reads one audience", audience, Query=[{"Items": [known, WHOLE], **MORE}, {"Items": [BARE]}])
    transcript.call("reads one of 1.0.0", audience, Query={"Items": [INSTANCE]})
    transcript.call("reads one that is deleted", audience, Query={"Items": [deleted, WHOLE]})
    transcript.call("reads none", audience, Query={"Items": [WHOLE]})


def instances(transcript: Transcript) -> None:
    """All instances, and baselines."""

    def table() -> InstanceList:
        return InstanceList(transcript.dynamodb, "webhooks")

    quiet = new_item({"instance_id": "i2", "item": "instance", "notifications": False})
    pages = [{"Items": [INSTANCE], **MORE}, {"Items": [quiet]}]
    transcript.call("lists a slice", lambda: table().part(1, of=4), Scan=pages)
    transcript.call("lists who is notified", lambda: table().notifications(), Scan=pages)
    transcript.call("knows whether one is notified", lambda: table().notifications("i1"), GetItem={"Item": INSTANCE})
    transcript.call("knows no such instance", lambda: table().notifications("i1"))
    baselines = Baselines(transcript.dynamodb, "webhooks")
    transcript.call("sets a baseline", lambda: baselines.set("i1", NOW))
    transcript.call("sets no baseline of what is gone", lambda: baselines.set("i1", NOW), UpdateItem=CONDITION)


def webhook_items(transcript: Transcript) -> None:
    """The broker's side."""

    def table() -> WebhookItems:
        return WebhookItems(transcript.dynamodb, "webhooks")

    newer = {"Item": {**WHOLE, "schema": {"N": "99"}}}

    def notifications(**how: Any) -> None:
        table().set_notifications("i1", enabled=True, domain="agency.gov", organization="o1", **how)

    transcript.call("sets notifications", notifications)
    transcript.call("sets notifications of a new instance", lambda: notifications(created_at=NOW))
    transcript.call("leaves an instance that changed meanwhile", notifications, UpdateItem=CONDITION)
    transcript.call("refuses a later release's instance", notifications, UpdateItem=CONDITION, GetItem=newer)
    keys = [to_item({"instance_id": "i1", "item": f"webhook#{name}"}) for name in ("w1", "w2")]
    transcript.call(
        "retires an instance",
        lambda: table().retire_instance("i1", domain="agency.gov", organization="o1", now=NOW),
        Query=[{"Items": keys[:1], **MORE}, {"Items": keys[1:]}],
    )
    transcript.call("reads a webhook", lambda: table().get("i1", "w1"), GetItem={"Item": WHOLE})
    transcript.call("reads a webhook without all fields", lambda: table().get("i1", "w2"), GetItem={"Item": BARE})
    transcript.call("reads none", lambda: table().get("i1", "w1"))

    def put(settings: WebhookSettings = SETTINGS) -> None:
        table().put("i1", "w1", settings, binding_id="b1")

    transcript.call("puts a webhook", put)
    transcript.call("puts an e-mail webhook", lambda: put(replace(SETTINGS, ciphertext=b"")))
    transcript.call("refuses to replace a later release's", put, PutItem=CONDITION, GetItem=newer)
    transcript.call("has no generation of what is gone", put, UpdateItem=CONDITION)

    def join() -> bool:
        return table().join("i1", "w1", "b2")

    transcript.call("joins", join)
    transcript.call("joined before", join, UpdateItem=[CONDITION, {}], GetItem={"Item": WHOLE})
    transcript.call("joins nothing that is gone", join, UpdateItem=[CONDITION, {}])

    def replace_secret() -> bool:
        until = NOW + timedelta(days=1)
        return table().replace_secret("i1", "w1", before=b"c", after=b"d", until=until, now=NOW)

    transcript.call("replaces a secret", replace_secret)
    transcript.call("replaces none that changed", replace_secret, UpdateItem=CONDITION)

    def leave(binding_id: str) -> bool:
        return table().leave("i1", "w1", binding_id)

    alone = {**WHOLE, "bindings": {"L": [{"S": "b1"}]}}
    transcript.call("leaves", lambda: leave("b1"), GetItem={"Item": WHOLE})
    transcript.call("leaves as the last", lambda: leave("b1"), GetItem={"Item": alone})
    transcript.call("left before", lambda: leave("b1"))
    transcript.call(
        "leaves after another changed it",
        lambda: leave("b1"),
        GetItem=[{"Item": WHOLE}, {"Item": alone}],
        UpdateItem=[CONDITION, {}],
    )
    transcript.call(
        "leaves as the last, at the second try",
        lambda: leave("b1"),
        GetItem={"Item": alone},
        DeleteItem=[CONDITION, {}],
    )
    transcript.call("gives up leaving", lambda: leave("b1"), GetItem={"Item": WHOLE}, UpdateItem=CONDITION)

    def change(settings: WebhookSettings = SETTINGS) -> None:
        table().change("i1", "w1", settings, before=b"b")

    transcript.call("changes a webhook", change)
    transcript.call("changes one without a secret", lambda: change(replace(SETTINGS, ciphertext=b"")))
    transcript.call("changes none that is gone", change, UpdateItem=[CONDITION, {}])
    transcript.call("changes none whose secret changed", change, UpdateItem=[CONDITION, {}], GetItem={"Item": WHOLE})


def webhook_states(transcript: Transcript) -> None:
    """Delivery's side."""

    def table() -> WebhookStates:
        return WebhookStates(transcript.dynamodb, "webhooks")

    both = [("i1", W1), ("i1", WebhookId("w2"))]
    transcript.call("loads", lambda: table().load([*both, both[0]], now=NOW), BatchGetItem=responses(WHOLE, BARE))
    transcript.call(
        "loads afresh", lambda: table().load(both, now=NOW, fresh=True), BatchGetItem=responses(WHOLE, BARE)
    )
    transcript.call(
        "looks twice for what is missing", lambda: sorted(table().load(both, now=NOW)), BatchGetItem=responses(WHOLE)
    )
    transcript.call(
        "loads what was left unread",
        lambda: sorted(table().load(both, now=NOW)),
        BatchGetItem=[responses(WHOLE, unread="i1"), responses(BARE)],
    )
    transcript.call("gives up", lambda: table().load(both, now=NOW), BatchGetItem=responses(WHOLE, unread="i1"))
    with patch.object(states_module, "_PAGE", 1):
        transcript.call(
            "loads as many as a call takes",
            lambda: sorted(table().load(both, now=NOW)),
            BatchGetItem=[responses(WHOLE), responses(BARE)],
        )

    def in_turn(*seconds: float, fresh: bool = False) -> object:
        kept = table()
        return [len(kept.load(both[:1], now=NOW + timedelta(seconds=one), fresh=fresh)) for one in seconds]

    transcript.call("keeps for two seconds", lambda: in_turn(0, 1.9, 2.0), BatchGetItem=responses(WHOLE))
    transcript.call(
        "keeps nothing where it must be fresh", lambda: in_turn(0, 1, fresh=True), BatchGetItem=responses(WHOLE)
    )
    pages = [{"Items": [INSTANCE, WHOLE], **MORE}, {"Items": [BARE]}]
    transcript.call("lists all", lambda: table().every(), Scan=pages)
    transcript.call("lists an instance's", lambda: [one.webhook_id for one, _ in table().every("i1")], Query=pages)
    target = Target(
        instance_id="i1",
        webhook_id=W1,
        url="https://app.example.gov/",
        format=NotificationFormat.SNS,
        health=Health(failures=1, record=3),
    )

    def change(
        how: Callable[[Health], Health] = lambda health: replace(health, failures=health.failures + 1),
    ) -> object:
        return table().change(target, how)

    transcript.call("changes health", change)
    transcript.call("changes nothing", lambda: change(lambda health: health))
    transcript.call("changes health to nothing", lambda: change(lambda health: Health(record=health.record)))
    transcript.call(
        "changes what another changed",
        change,
        UpdateItem=[Refused("ConditionalCheckFailedException", item=WHOLE), {}],
    )
    transcript.call("changes nothing that is gone", change, UpdateItem=CONDITION)
    contended = Refused("ConditionalCheckFailedException", item=WHOLE)
    transcript.call("gives up changing", change, UpdateItem=contended)

    def change_after_loading(**how: Any) -> object:
        kept = table()
        loaded = kept.load(both[:1], now=NOW, **how)[both[0]]
        kept.change(loaded, lambda health: replace(health, failures=9))
        return [one.health.failures for one in kept.load(both[:1], now=NOW).values()]

    one = responses(WHOLE)
    transcript.call("remembers the health that it wrote", change_after_loading, BatchGetItem=one)
    transcript.call("forgets what is gone", change_after_loading, BatchGetItem=[one, responses()], UpdateItem=CONDITION)

    def note(**how: str) -> None:
        table().note_test(target, status="204", now=NOW, **how)

    transcript.call("notes a test", note)
    transcript.call("notes a test that was refused", lambda: note(delivery="msg_1", answer="no"))
    transcript.call("notes no test of what is gone", note, UpdateItem=CONDITION)


def webhook_rotation(transcript: Transcript) -> None:
    """Replacing a webhook's secret."""
    target = Target(
        instance_id="i1",
        webhook_id=W1,
        url="https://app.example.gov/",
        format=NotificationFormat.SNS,
        ciphertext=b"c",
    )
    opened: Any = {"Plaintext": b'{"secret": "whsec_old", "userinfo": "joe:pw"}'}

    def rotation() -> WebhookRotation:
        return WebhookRotation(transcript.dynamodb, transcript.kms, table="webhooks", key_arn="arn:key")

    def rotate(until: datetime | None) -> object:
        made = rotation().replace(target, until=until)
        return made.userinfo, made.secret[:6], made.secret != "whsec_old"

    answers: Any = {"Decrypt": opened, "Encrypt": {"CiphertextBlob": b"new"}}
    transcript.call("reads the secret", lambda: rotation().current(target).secret, Decrypt=opened)
    transcript.call("lets both sign for a while", lambda: rotate(NOW), **answers)
    transcript.call("lets the new one sign alone", lambda: rotate(None), **answers)
    transcript.call("replaces none that changed", lambda: rotate(NOW), **answers, UpdateItem=CONDITION)


WALKS = (audiences, instances, webhook_items, webhook_states, webhook_rotation)
