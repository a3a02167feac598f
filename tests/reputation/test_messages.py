"""The notifications of a transition: what happened, why, with what evidence, and what to do."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lambdas.domain.reputation.evaluation import Reason, Reputation, SendingState
from lambdas.domain.reputation.ledger import LedgerEntry, LedgerKind
from lambdas.domain.reputation.sending_status import Cause, SendingStatus, Transition, transition_of
from lambdas.reputation.messages import Message, to_admin, to_operator
from tests.reputation.fakes import RULES

NOW = datetime(2026, 11, 21, 5, tzinfo=UTC)


@pytest.mark.parametrize("write", [to_admin, to_operator])
def test_a_message_ends_with_the_portal_s_page_where_there_is_a_portal(write: Callable[..., Message]) -> None:
    """For the admin and for the operator."""
    status = SendingStatus(instance_id="i1")
    reputation = Reputation(bounces=60, complaints=0, deliveries=940, since="2026-11-21T04", hours=1)
    transition = transition_of(status, SendingState.PAUSED, reputation, cause=Cause.RATES, now=NOW, domain="a.gov")
    link = "https://portal.example/instances/i1"
    with_portal = write(transition, [], RULES, portal_url="https://portal.example")
    assert with_portal.text.endswith(f"All of this in the portal: {link}\n")
    without = write(transition, [], RULES)
    assert "portal" not in without.text


COUNTS = Reputation(bounces=1_060, complaints=2, deliveries=18_940, since="2026-11-21T04", hours=3)


def moved(before: SendingState, after: SendingState, cause: Cause = Cause.RATES, **facts: Any) -> Transition:
    """A transition of i1."""
    return Transition(
        id="i1:1", instance_id="i1", before=before, after=after, at=NOW, cause=cause, reputation=COUNTS, **facts
    )


def bounce(*recipients: str, reason: str | None = "NoEmail") -> LedgerEntry:
    """An entry of the ledger."""
    return LedgerEntry(
        key="f1",
        kind=LedgerKind.BOUNCE,
        bucket="2026-11-21T04",
        timestamp=NOW.replace(microsecond=120_000),
        counted=len(recipients),
        message_id="m-1",
        reason=reason,
        recipients=recipients,
        sent_at=None,
    )


HEALTHY, WARNED, PAUSED = SendingState.HEALTHY, SendingState.WARNED, SendingState.PAUSED
FIGURES = """\
Over the most recent 20,000 outcomes, since 2026-11-21T04 (UTC):
  bounces        1,060   bounce rate     5.30%
  complaints         2   complaint rate  0.011%
  deliveries    18,940
Warning at 2 % bounces or 0.04 % complaints; paused at 4 % bounces or 0.08 % complaints.
"""


def test_the_admin_reads_what_happened_the_evidence_and_what_to_do() -> None:
    """To the letter: it is the only word that a tenant without a webhook gets."""
    pause = moved(WARNED, PAUSED, reasons=(Reason.BOUNCES, Reason.COMPLAINTS))
    evidence = [bounce("a@x.example"), bounce(*(f"{number}@x.example" for number in range(7)), reason=None), bounce()]
    message = to_admin(pause, evidence, RULES)
    assert message.subject == "Sending is paused: i1"
    assert (
        message.text
        == f"""\
Sending is paused: i1

The bounce rate and the complaint rate crossed the limit at 2026-11-21T05:00:00Z.

{FIGURES}
The latest that counted:
  2026-11-21T05:00:00+00:00 bounce (NoEmail) a@x.example, mail m-1
  2026-11-21T05:00:00+00:00 bounce (no reason given) 0@x.example, 1@x.example, 2@x.example, 3@x.example, 4@x.example\
 and 2 more, mail m-1
  2026-11-21T05:00:00+00:00 bounce (NoEmail) recipient unknown, mail m-1

What to do:
  - Stop sending to addresses that bounced, and to people who complained: the webhooks name each.
  - Bounces come from lists that are old, bought or unconfirmed; complaints from mail that nobody asked for.
  - Mail sent now is refused by SES with an error; it is not queued. Keep it to send it later.
  - When the cause is gone, ask the operator of this service to resume, and say what you changed.
    Nothing resumes by itself. Feedback on mail sent before the resume will not count again.
"""
    )


def test_five_recipients_of_an_entry_are_all_named() -> None:
    """There are no more."""
    text = to_admin(moved(HEALTHY, PAUSED), [bounce(*"abcde")], RULES).text
    assert "(NoEmail) a, b, c, d, e, mail m-1\n" in text


def test_the_operator_reads_the_same_with_the_commands() -> None:
    """To look, and to resume."""
    pause = moved(WARNED, PAUSED, reasons=(Reason.BOUNCES,))
    assert (
        to_operator(pause, [], RULES).text
        == f"""\
Sending is paused: i1

The bounce rate crossed the limit at 2026-11-21T05:00:00Z.

{FIGURES}
Look into it, and resume when the tenant has mended the cause:
  python -m ops reputation i1
  python -m ops resume i1 --reason '...'
"""
    )
    warning = to_operator(moved(HEALTHY, WARNED, reasons=(Reason.BOUNCES,)), [], RULES).text
    assert warning.endswith("\n\nLook into it:\n  python -m ops reputation i1\n")
    resumed = to_operator(moved(PAUSED, HEALTHY, Cause.OPERATOR, by="arn:ann", why="seen"), [], RULES).text
    assert resumed.endswith("\n\nDone by arn:ann. Recorded in the instance's history:\n  python -m ops reputation i1\n")


@pytest.mark.parametrize(
    ("transition", "subject", "cause"),
    [
        (
            moved(HEALTHY, WARNED, reasons=(Reason.COMPLAINTS,)),
            "Sending reputation warning: i1",
            "The complaint rate crossed the warning level at 2026-11-21T05:00:00Z.",
        ),
        (
            moved(WARNED, HEALTHY),
            "Sending reputation recovered: i1",
            "The rates fell below the warning level (2 % bounces or 0.04 % complaints) at 2026-11-21T05:00:00Z.",
        ),
        (
            moved(PAUSED, HEALTHY, Cause.DAILY_CAP),
            "Sending is allowed again: i1",
            "The pause ended by itself at 2026-11-21T05:00:00Z, as announced.",
        ),
        (
            moved(PAUSED, HEALTHY, Cause.EARLIER_PAUSE),
            "Sending is allowed again: i1",
            "The pause ended by itself at 2026-11-21T05:00:00Z, as announced.",
        ),
        (
            moved(HEALTHY, PAUSED, Cause.DAILY_CAP, why="1,000 of 1,000."),
            "Sending is paused: i1",
            "The operator's cap on a day's mail is reached. 1,000 of 1,000.",
        ),
        (
            moved(HEALTHY, PAUSED, Cause.EARLIER_PAUSE),
            "Sending is paused: i1",
            "An earlier service instance of this domain was paused, on the evidence below, and not resumed.",
        ),
        (
            moved(WARNED, PAUSED, Cause.ORGANIZATION, reasons=(Reason.BOUNCES,), why="All of them."),
            "Sending is paused: i1",
            "The bounce rate of the whole organization is over the limit, and this instance's own rates are above the "
            "warning level. All of them.",
        ),
        (
            moved(PAUSED, HEALTHY, Cause.TENANT, by="ann@agency.gov", why="The list was cleaned."),
            "Sending is allowed again: i1",
            "The tenant resumed it: ann@agency.gov. What was changed: The list was cleaned.",
        ),
        (
            moved(HEALTHY, PAUSED, Cause.OPERATOR, by="arn", why="Abuse."),
            "Sending is paused: i1",
            "An operator did this. Reason given: Abuse.",
        ),
        (
            moved(HEALTHY, PAUSED, Cause.OUTSIDE),
            "Sending is paused: i1",
            "Sending was found disabled in Amazon SES, by Amazon or by someone with access to the account.",
        ),
        (
            moved(HEALTHY, PAUSED, Cause.SES_RATES, reasons=(Reason.BOUNCES,), why="6 %."),
            "Sending is paused: i1",
            "Amazon SES itself reports a bounce rate above the limit. 6 %.",
        ),
    ],
)
def test_each_cause_is_told_in_a_sentence(transition: Transition, subject: str, cause: str) -> None:
    """Between the headline and the figures."""
    message = to_operator(transition, [bounce("a")], RULES)
    assert message.subject == subject
    assert message.text.split("\n\n")[:3] == [subject, cause, FIGURES.strip()]
    assert ("The latest that counted" in message.text) is (transition.after is not HEALTHY)


def test_without_evidence_there_is_no_list_of_it() -> None:
    """A pause by an operator has none."""
    assert "The latest that counted" not in to_admin(moved(HEALTHY, PAUSED, Cause.OPERATOR), [], RULES).text


@pytest.mark.parametrize(
    ("transition", "advice"),
    [
        (moved(WARNED, HEALTHY), "Nothing is to be done."),
        (
            moved(PAUSED, HEALTHY, Cause.TENANT, probation_until=NOW + timedelta(days=7)),
            "Until 2026-11-28T05:00:00Z the rates are looked at from 100 outcomes on, and another pause can be lifted "
            "by an operator alone.",
        ),
        (
            moved(HEALTHY, PAUSED, Cause.DAILY_CAP, until=NOW + timedelta(hours=19)),
            """\
What to do:
  - Mail sent now is refused by SES with an error; it is not queued. Keep it to send it later.
  - Sending is allowed again at 2026-11-22T00:00:00Z.
  - Ask the operator of this service if you need to send more in a day.""",
        ),
        (
            moved(HEALTHY, PAUSED, Cause.EARLIER_PAUSE, until=NOW + timedelta(hours=19)),
            """\
What to do:
  - Stop sending to addresses that bounced, and to people who complained: the webhooks name each.
  - Bounces come from lists that are old, bought or unconfirmed; complaints from mail that nobody asked for.
  - Mail sent now is refused by SES with an error; it is not queued. Keep it to send it later.
  - Sending is allowed again at 2026-11-22T00:00:00Z, or when the operator resumes it.""",
        ),
        (
            moved(HEALTHY, WARNED, reasons=(Reason.BOUNCES,)),
            """\
What to do:
  - Stop sending to addresses that bounced, and to people who complained: the webhooks name each.
  - Bounces come from lists that are old, bought or unconfirmed; complaints from mail that nobody asked for.
  - If the rates go on rising, sending is paused. If they fall, you are told once.""",
        ),
    ],
)
def test_the_tenant_is_told_what_to_do(transition: Transition, advice: str) -> None:
    """After the figures; of a daily cap, nothing of lists and complaints."""
    assert to_admin(transition, [], RULES).text.split("\n\n", 3)[3] == advice + "\n"


def test_where_nothing_was_counted_the_figures_begin_at_the_beginning() -> None:
    """An operator may pause an instance that never sent."""
    never = replace(moved(HEALTHY, PAUSED, Cause.OPERATOR), reputation=replace(COUNTS, since=None))
    assert "since the beginning (UTC)" in to_admin(never, [], RULES).text


def test_a_moment_is_told_to_the_second() -> None:
    """In UTC."""
    recovered = replace(moved(WARNED, HEALTHY), at=NOW.replace(microsecond=120_000))
    assert "complaints) at 2026-11-21T05:00:00Z." in to_admin(recovered, [], RULES).text
