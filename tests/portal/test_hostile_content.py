"""Pages stay small and quick whatever others wrote, however many webhooks there are, and however slow AWS is."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from lambdas.domain.portal import Replay
from lambdas.domain.webhooks.delivery import Delivery
from lambdas.portal import handler
from lambdas.portal.finding import MAX_FOUND, foremost
from lambdas.portal.rendering import addresses, short
from tests.portal.world import World, delivery

LAMBDA_ANSWERS = 6_000_000  # bytes of a response, by AWS
LONG = "<" * 20_000  # as long as a body may be; each becomes four characters of HTML


def hostile(number: int, world: World) -> Delivery:
    """A delivery with a huge subject, diagnostic and list of recipients."""
    data = {
        "message_id": f"m-{number}" + LONG,
        "mail": {"to": [f"{number}-{index}@x.example" + LONG[:400] for index in range(50)], "subject": LONG},
        "recipients": [{"email": "ann@x.example", "status": LONG, "diagnostic": LONG}],
    }
    one = delivery(f"msg_{number}", to="ann@x.example", at=world.now - timedelta(seconds=number))
    return replace(one, body=json.dumps({"type": LONG, "data": data}))


def test_a_page_of_hostile_mails_is_smaller_than_lambda_may_answer(world: World) -> None:
    """As many as a page shows, each with 20 KB of subject, diagnostic and message id; the address asked for is seen."""
    world.tenant("i1")
    world.webhook("i1", "w1")
    for number in range(0, MAX_FOUND, 5):
        at = world.now - timedelta(minutes=1 + number)
        world.archived("i1", "w1", *(hostile(number + index, world) for index in range(5)), at=at)
    answer = world.caller("i1").post("/instances/i1/mail", {"needle": "ann@x.example"})
    assert answer.status == 200
    assert f"{MAX_FOUND} found" in answer.text
    assert answer.text.count("ann@x.example") >= MAX_FOUND
    assert len(json.dumps(answer.raw)) < LAMBDA_ANSWERS


def test_a_status_page_of_hostile_entries_is_small(world: World) -> None:
    """The ledger bounds what it keeps of an event; the page bounds what it shows of an entry."""
    world.tenant("i1")
    world.bounced("i1", 25, to="ann@x.example" + LONG[:300], reason=LONG[:200], message_id=LONG[:200])
    assert len(world.caller("i1").get("/instances/i1").text) < 200_000


def test_the_address_that_was_asked_for_is_the_first_that_is_shown() -> None:
    """Of fifty recipients a table shows five."""
    recipients = [f"user{number}@x.example" for number in range(50)]
    assert addresses(foremost(recipients, "user49@")) == (
        "user49@x.example, user0@x.example, user1@x.example, user2@x.example, user3@x.example and 45 more"
    )
    assert addresses(recipients[:5]).endswith("user4@x.example")
    assert addresses(("a" * 321,)) == "a" * 319 + "…"


@pytest.mark.parametrize(("text", "shown"), [("", ""), ("12345", "12345"), ("123456", "1234…")])
def test_a_long_text_is_cut_and_says_so(text: str, shown: str) -> None:
    """By an ellipsis, which counts."""
    assert short(text, 5) == shown


def test_many_webhooks_and_bindings_fit_a_page(world: World) -> None:
    """Twenty webhooks that wait, one of them with a hundred bindings, in the order of their hosts."""
    world.tenant("i1")
    for number in range(20):
        world.webhook("i1", f"w{number:02}", host=f"h{number:02}.example.gov")
        world.parked("i1", f"w{number:02}", delivery(f"msg_{number}", to="a@x.example", at=world.now))
    bindings = [f"binding-{number:03}" for number in range(100)]
    world.dynamodb.update_item(
        TableName="webhooks",
        Key={"instance_id": {"S": "i1"}, "item": {"S": "webhook#w07"}},
        UpdateExpression="SET bindings = :all",
        ExpressionAttributeValues={":all": {"L": [{"S": name} for name in bindings]}},
    )
    caller = world.caller("i1")
    page = caller.get("/instances/i1/webhooks").text
    places = [page.index(f"h{number:02}.example.gov") for number in range(20)]
    assert places == sorted(places)
    assert len(page) < 100_000
    assert "binding-099" in caller.get("/instances/i1/webhooks/w07").text


def test_pages_wait_briefly_for_aws_and_replays_patiently(world: World) -> None:
    """An HTTP API gives up after 30 s: two attempts of a call that hangs must end well before."""
    page = handler._portal().counter._client.meta.config  # type: ignore[attr-defined]
    attempts = page.retries["total_max_attempts"]
    assert attempts * (page.connect_timeout + page.read_timeout) <= 10
    replay = Replay(
        id="r1", instance_id="i1", webhook_id="w1", since=world.now, began_at=world.now, who="tester", delivery_id="x"
    )
    world.table.begin_replay(replay)
    patient = handler._replayer().store._client.meta.config  # type: ignore[attr-defined]
    assert patient.read_timeout > page.read_timeout
