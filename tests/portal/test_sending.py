"""Pausing and resuming through the portal: the operator's way and a tenant's guarded one."""

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest

from lambdas.aws.dynamodb.reputation.sending_status_table import SendingStatusTable
from lambdas.aws.dynamodb.webhooks.webhook_table import WebhookTable
from lambdas.domain.reputation.evaluation import PROBATION, SendingState
from lambdas.domain.reputation.sending_status import HANDED_OVER, Cause, SendingStatus
from tests.portal.world import Answer, Caller, World, running

STATEMENT = "We removed the list that we imported on Monday and confirmed all others."
TWO_DAYS = timedelta(days=2)


@pytest.fixture
def paused(world: World) -> World:
    """A tenant that its own rates paused two days ago."""
    world.tenant("i1", domain="mail.agency.gov")
    world.bounced("i1", 60, at=world.now - TWO_DAYS)
    world.moved("i1", SendingState.PAUSED, at=world.now - TWO_DAYS)
    return world


def status(world: World, instance: str = "i1") -> SendingStatus:
    """How the instance stands."""
    return SendingStatusTable(world.dynamodb, "reputation").load(instance)


def resume(caller: Caller, instance: str = "i1", **form: str) -> Answer:
    """Open the page and send its form, as a person does."""
    page = caller.get(f"/instances/{instance}/sending").text
    seen = re.search(r'name="seen" value="([^"]*)"', page)
    values = {"seen": seen[1] if seen else "", "looked": "yes", "reason": STATEMENT, **form}
    return caller.post(f"/instances/{instance}/sending", values)


def test_a_paused_tenant_resumes_itself_on_probation(paused: World) -> None:
    """What it changed is kept in the history; rates begin anew; the reputation function acts on it."""
    answer = resume(paused.caller("i1"))
    assert (answer.status, answer.headers["location"]) == (303, "../../instances/i1")
    now = status(paused)
    assert (now.state, now.cause) == (SendingState.HEALTHY, Cause.TENANT)
    assert now.probation_until is not None
    assert abs(now.probation_until - paused.now - PROBATION) < timedelta(minutes=5)
    assert now.pending is not None
    assert now.pending.claimed_by == HANDED_OVER
    assert (now.pending.transition.why, now.pending.transition.by) == (STATEMENT, "tester")
    audience = WebhookTable(paused.dynamodb, "webhooks").audience("i1")
    assert audience is not None
    assert audience.baseline == now.baseline
    (action,) = paused.table.actions("i1")
    assert (action.who, action.what, action.why) == ("tester", "resume by the tenant", STATEMENT)


def test_a_tenant_sees_the_evidence_by_cause_before_it_resumes(paused: World) -> None:
    """Which domains, which hours, which reasons."""
    page = paused.caller("i1").get("/instances/i1/sending").text
    assert "example.net: 60" in page
    assert "bounce: NoEmail: 60" in page
    assert "Resume on probation" in page


@pytest.mark.parametrize(
    "form",
    [{"seen": ""}, {"seen": "made-up"}, {"looked": ""}, {"reason": ""}, {"reason": "fixed"}, {"reason": "x" * 1_001}],
    ids=str,
)
def test_who_has_not_looked_or_says_nothing_is_refused(paused: World, form: dict[str, str]) -> None:
    """And stays paused."""
    assert resume(paused.caller("i1"), **form).status == 400
    assert status(paused).state is SendingState.PAUSED


@pytest.mark.parametrize("cause", [cause for cause in Cause if cause not in (Cause.RATES, Cause.SES_RATES)])
def test_only_a_pause_by_its_own_rates_is_the_tenant_s_to_lift(world: World, cause: Cause) -> None:
    """Not an operator's, an organization's or AWS's."""
    world.tenant("i1")
    world.moved("i1", SendingState.PAUSED, cause=cause, at=world.now - TWO_DAYS)
    caller = world.caller("i1")
    assert "Resume on probation" not in caller.get("/instances/i1/sending").text
    assert resume(caller).status == 409


def test_a_tenant_waits_a_day_after_the_pause(world: World) -> None:
    """Time to find the cause."""
    world.tenant("i1")
    world.moved("i1", SendingState.PAUSED, at=world.now - timedelta(hours=23))
    page = world.caller("i1").get("/instances/i1/sending").text
    possible = world.now + timedelta(hours=1)
    assert f"You can resume 24 hours after the pause: from {possible:%d %b %Y %H:%M} UTC" in page
    assert "What did you change?" not in page
    assert resume(world.caller("i1")).status == 409


def test_a_second_pause_on_probation_is_the_operator_s(paused: World) -> None:
    """Within seven days of a resume."""
    assert resume(paused.caller("i1")).status == 303
    _acted(paused)
    paused.moved("i1", SendingState.PAUSED, at=paused.now - timedelta(days=1), probation_until=paused.now + PROBATION)
    assert resume(paused.caller("i1")).status == 409


def test_an_organization_resumes_a_domain_once_in_ninety_days(paused: World) -> None:
    """Also by another instance of the same domain."""
    assert resume(paused.caller("i1")).status == 303
    paused.tenant("i2", domain="mail.agency.gov")
    paused.moved("i2", SendingState.PAUSED, at=paused.now - TWO_DAYS)
    answer = resume(paused.caller("i2"), "i2")
    assert answer.status == 409
    assert "in 89 days" in answer.text or "in 90 days" in answer.text
    _says_from_when(paused, paused.caller("i2").get("/instances/i2/sending").text)
    paused.tenant("i3", domain="mail.agency.gov", organization="another")
    paused.moved("i3", SendingState.PAUSED, at=paused.now - TWO_DAYS)
    assert resume(paused.caller("i3"), "i3").status == 303


def _says_from_when(world: World, page: str) -> None:
    """The page says it before anybody fills in a form, with the day."""
    assert f"from {world.now + timedelta(days=90):%d %b %Y}" in page
    assert "A tenant can do so once in 90 days" in page
    assert "What did you change?" not in page


def test_of_two_refusals_in_time_the_later_one_is_shown(paused: World) -> None:
    """A pause an hour ago, and a resume four days ago: nobody fills in the form tomorrow to be refused."""
    paused.table.take_resume(
        "org",
        "mail.agency.gov",
        transition_id="i0:2",
        again_after=paused.now + timedelta(days=86),
        now=paused.now - timedelta(days=4),
    )
    paused.tenant("i2", domain="mail.agency.gov")
    paused.moved("i2", SendingState.PAUSED, at=paused.now - timedelta(hours=1))
    page = paused.caller("i2").get("/instances/i2/sending").text
    assert f"from {paused.now + timedelta(days=86):%d %b %Y}" in page
    assert "24 hours" not in page


def test_two_resumes_at_once_take_one_slot(paused: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page of the second was opened before the first had taken the slot: the write decides."""
    from lambdas.aws.dynamodb.portal_table import PortalTable

    paused.tenant("i2", domain="mail.agency.gov")
    paused.moved("i2", SendingState.PAUSED, at=paused.now - TWO_DAYS)
    assert resume(paused.caller("i1")).status == 303
    monkeypatch.setattr(PortalTable, "resume_possible_at", lambda *_, **__: None)
    assert resume(paused.caller("i2"), "i2").status == 409
    assert status(paused, "i2").state is SendingState.PAUSED


def test_a_resume_that_crashed_is_completed_by_its_repetition(paused: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The slot of ninety days was taken, the status was not moved: the same resume may come again."""

    def crash(*_: object, **__: object) -> bool:
        raise RuntimeError

    caller = paused.caller("i1")
    with monkeypatch.context() as patched:
        patched.setattr(SendingStatusTable, "claim", crash)
        assert resume(caller).status == 500
    assert status(paused).state is SendingState.PAUSED
    assert resume(caller).status == 303


def test_a_read_only_session_cannot_resume(paused: World) -> None:
    """Nor does it see the form."""
    from lambdas.domain.portal import Right

    caller = paused.caller("i1", right=Right.READ)
    page = caller.get("/instances/i1/sending").text
    assert "Resume on probation" not in page
    assert "Somebody with the right to manage it can resume it here" in page
    assert resume(caller).status == 404


def test_an_operator_pauses_and_resumes_with_a_reason(world: World) -> None:
    """The claim is handed over; nothing in SES is the portal's to change."""
    world.tenant("i1")
    operator = world.caller()
    assert operator.post("/instances/i1/operator/pause", {"reason": ""}).status == 400
    assert operator.post("/instances/i1/operator/pause", {"reason": "phishing"}).status == 303
    assert status(world).state is SendingState.PAUSED
    _acted(world)
    assert operator.post("/instances/i1/operator/pause", {"reason": "again"}).status == 409
    assert operator.post("/instances/i1/operator/resume", {"reason": "cleaned"}).status == 303
    now = status(world)
    assert (now.state, now.cause, now.probation_until) == (SendingState.HEALTHY, Cause.OPERATOR, None)
    assert "cleaned" in operator.get("/instances/i1").text


@pytest.fixture
def off() -> Iterator[World]:
    """A portal whose operator lets no tenant resume."""
    with running(self_resume="false") as made:
        yield made


def test_without_the_operator_s_leave_no_tenant_resumes(off: World) -> None:
    """`portal_self_resume` is off by default."""
    off.tenant("i1")
    off.moved("i1", SendingState.PAUSED, at=off.now - TWO_DAYS)
    assert "Only the operator can resume" in off.caller("i1").get("/instances/i1/sending").text
    assert resume(off.caller("i1")).status == 409


def _acted(world: World) -> None:
    """The reputation function has done its steps."""
    statuses = SendingStatusTable(world.dynamodb, "reputation")
    pending = statuses.load("i1").pending
    assert pending is not None
    statuses.finish(pending)
