"""Portal sessions: who may see and do what, and for how long."""

from datetime import UTC, datetime, timedelta

import pytest

from lambdas.domain import portal
from lambdas.domain.portal import (
    OPERATOR,
    Action,
    Grant,
    Needs,
    OAuthClient,
    Replay,
    ReplayState,
    Right,
    Session,
    page_of,
)

NOW = datetime(2026, 11, 21, tzinfo=UTC)
READER, MANAGER = Grant(right=Right.READ), Grant(right=Right.MANAGE)


def session(**grants: Grant) -> Session:
    """A session with *grants*; `all` stands for all instances."""
    given = {OPERATOR if name == "all" else name: grant for name, grant in grants.items()}
    return Session(id="s", who="ann", created_at=NOW, expires_at=NOW, grants=given)


@pytest.mark.parametrize(
    ("of", "met"),
    [
        (session(), {Needs.NOTHING, Needs.SIGN_IN}),
        (session(i1=READER), {Needs.NOTHING, Needs.SIGN_IN, Needs.READ}),
        (session(i1=MANAGER), {Needs.NOTHING, Needs.SIGN_IN, Needs.READ, Needs.MANAGE}),
        (session(i2=MANAGER), {Needs.NOTHING, Needs.SIGN_IN}),
        (session(all=READER), {Needs.NOTHING, Needs.SIGN_IN, Needs.READ, Needs.OPERATOR}),
        (session(all=MANAGER), set(Needs)),
        (session(i1=MANAGER, all=READER), set(Needs) - {Needs.OPERATE}),
    ],
)
def test_a_grant_meets_what_a_route_of_i1_needs(of: Session, met: set[Needs]) -> None:
    """An operator's is for all instances; a read-only one changes nothing."""
    assert {needs for needs in Needs if of.meets(needs, "i1")} == met


def test_a_session_lists_the_instances_that_it_is_for() -> None:
    """In order; an operator's none."""
    assert session(i2=READER, i1=MANAGER).instances == ("i1", "i2")
    assert session(all=MANAGER).instances == ()
    bare = Session(id="s", who="ann", created_at=NOW, expires_at=NOW)
    assert (bare.grants, bare.tokens) == ({}, {})


def test_an_instances_page_is_under_the_portals_address() -> None:
    """Without a portal there is none."""
    assert page_of("https://portal.gov", "i1") == "https://portal.gov/instances/i1"
    assert page_of("https://portal.gov", "i1", "/webhooks/w1") == "https://portal.gov/instances/i1/webhooks/w1"
    assert page_of("", "i1", "/webhooks/w1") == ""


def test_the_periods_of_sessions_and_links_are_those_of_the_documentation() -> None:
    """docs/portal.md."""
    assert (timedelta(hours=8), timedelta(minutes=15)) == (portal.LONGEST, portal.LINK_VALID)
    assert timedelta(hours=1) == portal.REPLAY_STALLED


def replay(**changes: object) -> Replay:
    """A replay that began now."""
    facts = {"id": "r", "instance_id": "i1", "webhook_id": "w1", "since": NOW, "began_at": NOW, "who": "ann"}
    return Replay(**facts | changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "running"),
    [
        ({}, True),
        ({"began_at": NOW - timedelta(hours=1)}, False),
        ({"began_at": NOW - timedelta(hours=9), "touched_at": NOW - timedelta(minutes=59)}, True),
        ({"touched_at": NOW - timedelta(hours=1)}, False),
        ({"state": ReplayState.DONE}, False),
    ],
)
def test_a_replay_counts_as_given_up_an_hour_after_its_last_step(changes: dict[str, object], running: bool) -> None:
    """Or after its beginning, if it never made one."""
    assert replay(**changes).is_running(now=NOW) is running


def test_a_replay_begins_with_the_archive_and_an_action_needs_no_reason() -> None:
    """What earlier releases did not store has the value that it meant."""
    assert replay() == replay(
        delivery_id="", state=ReplayState.RUNNING, partition=0, after="", sent=0, touched_at=None, version=0
    )
    action = Action(instance_id="i1", at=NOW, who="ann", what="enabled")
    assert (action.subject, action.why) == ("", "")
    assert Grant(right=Right.READ).checked_at is None
    assert repr(OAuthClient(id="portal", secret="hidden")) == "OAuthClient(id='portal')"
