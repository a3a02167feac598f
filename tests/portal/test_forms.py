"""What forms and addresses of pages may hold, field by field."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lambdas.domain.reputation.evaluation import HourCounts, Reason, Reputation, SendingState
from lambdas.domain.reputation.ledger import LedgerEntry, LedgerKind
from lambdas.domain.reputation.sending_status import Cause, SendingStatus, Transition
from lambdas.domain.tenants.instance import Instance, InstanceState, Made, Operation, OperationKind
from lambdas.domain.webhooks.target import Target
from lambdas.domain.webhooks.webhook import NotificationFormat, WebhookId
from lambdas.portal.charts import Point
from lambdas.portal.errors import NotFound, Refusal
from lambdas.portal.finding import FIRST_SLICE, SHORTEST_SLICE
from lambdas.portal.http import Request
from lambdas.portal.pages import mail, operators, replays, sending, status, webhooks
from lambdas.portal.routing import Call

NOW = datetime(2026, 11, 21, 5, 30, tzinfo=UTC)
DAY = timedelta(days=1)


def call(query: dict[str, str] | None = None, **form: str) -> Call:
    return Call(request=Request(method="POST", path="/", query=query or {}), session=None, now=NOW, form=form)


def refuses(action: Callable[[], Any], *words: str) -> None:
    with pytest.raises(Refusal) as raised:
        action()
    assert raised.value.status == 400
    assert all(word in str(raised.value) for word in words)


@pytest.mark.parametrize("needle", ["abc", "x" * 320, " abc ", "\u00e4b c"])
def test_a_needle_is_an_address_or_an_id(needle: str) -> None:
    """Without blanks around it."""
    assert mail.needle_of(call(needle=needle)) == needle.strip()


@pytest.mark.parametrize("needle", ["", "ab", " ab ", "x" * 321, "a\tbc", "a\x00bc"])
def test_what_is_no_needle_is_refused(needle: str) -> None:
    """Too short, too long, or nothing that is written in an address."""
    refuses(lambda: mail.needle_of(call(needle=needle)), "needle", "3 to 320")
    refuses(lambda: mail.needle_of(call()), "needle")


@pytest.mark.parametrize(
    ("text", "width"),
    [
        ("", FIRST_SLICE),
        ("x", FIRST_SLICE),
        ("\u0663", FIRST_SLICE),
        ("-5", FIRST_SLICE),
        ("12345", FIRST_SLICE),
        ("9999", min(FIRST_SLICE, timedelta(seconds=9999))),
        ("0", SHORTEST_SLICE),
        (str(int(SHORTEST_SLICE.total_seconds()) + 1), SHORTEST_SLICE + timedelta(seconds=1)),
    ],
)
def test_a_width_is_between_the_shortest_and_the_first(text: str, width: timedelta) -> None:
    """The form's own field, which somebody may have changed."""
    assert mail._width(text) == width


@pytest.mark.parametrize(
    ("text", "until"),
    [
        ("", NOW),
        ("2026-11-21T04:00:00+00:00", NOW.replace(hour=4, minute=0)),
        ("2026-11-21T04:00:00", NOW.replace(hour=4, minute=0)),
        ("2026-11-21T04:00:00-01:00", NOW.replace(hour=5, minute=0)),
        ("2027-01-01T00:00:00", NOW),
    ],
)
def test_a_search_goes_on_from_a_moment_that_is_past(text: str, until: datetime) -> None:
    """In UTC unless it says otherwise."""
    assert mail._until(text, NOW) == until


def test_a_moment_that_is_none_is_refused() -> None:
    """With what would be right."""
    refuses(lambda: mail._until("yesterday", NOW), "until", "2026-11-21T04:00:00+00:00")


@pytest.mark.parametrize(
    ("format_", "url", "host"),
    [
        (NotificationFormat.SNS, "https://user@Hooks.example.gov:8443/x", "hooks.example.gov"),
        (NotificationFormat.EMAIL, "arn:aws:sns:x", "e-mail digests"),
        (NotificationFormat.SNS, "arn:aws:sns:x", ""),
    ],
)
def test_a_webhook_is_named_by_its_host(format_: NotificationFormat, url: str, host: str) -> None:
    """Never by its path, which may hold a secret."""
    target = Target(instance_id="i1", webhook_id=WebhookId("w1"), url=url, format=format_, ciphertext=b"", version=1)
    assert mail.host_of(target) == host


@pytest.mark.parametrize(
    ("form", "found"),
    [
        ({"hours": "1"}, ("", NOW - timedelta(hours=1), "1 hours")),
        ({"hours": "336"}, ("", NOW - 14 * DAY, "336 hours")),
        ({"hours": "1", "delivery": " msg_1 "}, ("msg_1", NOW - 14 * DAY, "msg_1")),
        ({"delivery": "x" * 100}, ("x" * 100, NOW - 14 * DAY, "x" * 100)),
        (
            {"hours": "1", "since": " 2026-11-21T05:29 "},
            ("", NOW - timedelta(minutes=1), "all since 21 Nov 2026 05:29 UTC"),
        ),
        ({"since": "2026-11-21 04:00"}, ("", NOW.replace(hour=4, minute=0), "all since 21 Nov 2026 04:00 UTC")),
        ({"since": "2026-11-07T05:29"}, ("", NOW - 14 * DAY - timedelta(minutes=1), "all since 07 Nov 2026 05:29 UTC")),
    ],
)
def test_a_replay_is_of_hours_of_all_since_a_time_or_of_one(form: dict[str, str], found: Any) -> None:
    """What is filled in counts before the list."""
    assert replays.asked_for(form, now=NOW) == found


@pytest.mark.parametrize(
    ("form", "word"),
    [
        ({}, "hours"),
        *(({"hours": hours}, "hours") for hours in ("0", "337", "12345", "x", "-1", "\u0663")),
        ({"delivery": "x" * 101}, "delivery"),
        ({"delivery": "a\tb"}, "delivery"),
        ({"delivery": "m", "since": "2026-11-21T04:00"}, "not both"),
        ({"since": "yesterday"}, "since"),
        ({"since": "2026-11-31T04:00"}, "since"),
        ({"since": "2026-11-21T05:30"}, "future"),
        ({"since": "2026-11-07T05:28"}, "too long ago"),
    ],
)
def test_a_replay_of_anything_else_is_refused(form: dict[str, str], word: str) -> None:
    """With the field's name."""
    refuses(lambda: replays.asked_for(form, now=NOW), word)


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        (str(int(NOW.timestamp())), NOW),
        (str(int(NOW.timestamp()) - 119), NOW - timedelta(seconds=119)),
        (str(int(NOW.timestamp()) - 120), None),
        (str(int(NOW.timestamp()) + 1), None),
        ("0", None),
        *((text, None) for text in ("", "x", "\u0663", "9" * 13, "-1")),
    ],
)
def test_a_test_s_result_is_awaited_for_two_minutes(text: str, sent: datetime | None) -> None:
    """The address says when it was sent."""
    assert webhooks._since(text, NOW) == sent


def test_a_reason_is_one_line_and_not_too_long() -> None:
    """It goes into mails and lists."""
    assert webhooks.reason(call(reason=" a \n b\tc ")) == "a b c"
    assert webhooks.reason(call(reason="x" * 1_000)) == "x" * 1_000
    refuses(lambda: webhooks.reason(call(reason="x" * 1_001)), "reason", "1000")
    for empty in (call(reason=" \n "), call()):
        refuses(lambda form=empty: webhooks.reason(form), "reason")  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "page"), [("", 0), ("0", 0), ("7", 7), ("9999", 9999), ("10000", 0), ("x", 0), ("\u0663", 0)]
)
def test_a_page_is_a_number(text: str, page: int) -> None:
    """Anything else is the first."""
    assert operators._page(text) == page


@pytest.mark.parametrize(
    ("needle", "found"),
    [
        ("", True),
        ("i-1", True),
        ("AGENCY", True),
        ("org-1", True),
        ("space-1", True),
        ("Dev", True),
        ("boss@ops.example", True),
        ("anybody@agency.gov", True),
        ("agency.govx", False),
    ],
)
def test_an_operator_finds_an_instance_by_whatever_it_is_known_by(needle: str, found: bool) -> None:
    """In any case; of an address, the domain counts."""
    operation = Operation(id="o", kind=OperationKind.PROVISION, started_at=NOW, touched_at=NOW)
    instance = Instance(
        id="i-1",
        service_id="s",
        plan_id="p",
        organization_guid="Org-1",
        space_guid="Space-1",
        state=InstanceState.READY,
        operation=operation,
        domain="agency.gov",
        tags={"ses-feedback:space-name": "dev"},
        made=Made(alert_email="boss@ops.example"),
    )
    assert operators.is_about(instance, needle) is found


@pytest.mark.parametrize("after", ["", "0100019a#1", "x" * 400])
def test_the_evidence_goes_on_behind_a_key(after: str) -> None:
    """As the link of the page before says."""
    assert status.cursor(call({"after": after})) == after


@pytest.mark.parametrize("after", ["x" * 401, "a\nb"])
def test_a_key_that_is_none_is_refused(after: str) -> None:
    """No page of ours links it."""
    refuses(lambda: status.cursor(call({"after": after})))


def test_an_instance_that_is_gone_is_not_found() -> None:
    """Whatever page."""
    with pytest.raises(NotFound):
        status.known(lambda _: None)("i1")


# -- numbers of the status page


def counts(moment: datetime, deliveries: int, bounces: int, complaints: int) -> HourCounts:
    return HourCounts(
        bucket=moment.strftime("%Y-%m-%dT%H"), deliveries=deliveries, bounces=bounces, complaints=complaints
    )


HOURS = [
    counts(NOW, 1_000, 2, 3),
    counts(NOW - timedelta(hours=5), 10, 20, 30),
    counts(NOW - timedelta(hours=6), 100, 200, 300),
    counts(NOW - timedelta(hours=71), 1, 1, 1),
    counts(NOW - 29 * DAY, 7, 8, 9),
    counts(NOW - 30 * DAY, 5, 5, 5),
]


def test_days_are_summed_in_utc_oldest_first() -> None:
    """Thirty of them; what is older is left out."""
    points = list(status.by_day(HOURS, NOW))
    assert [point.label for point in points[:2] + points[-2:]] == ["23 Oct", "24 Oct", "20 Nov", "21 Nov"]
    assert len(points) == 30
    today = Point(
        label="21 Nov",
        title="21 Nov: 1,010 delivered, 22 bounced, 33 complaints",
        deliveries=1_010,
        bounces=22,
        complaints=33,
    )
    assert points[-1] == today
    assert (points[-2].deliveries, points[-2].bounces, points[-2].complaints) == (100, 200, 300)
    assert (points[0].deliveries, points[0].bounces, points[0].complaints) == (7, 8, 9)
    assert sum(point.outcomes for point in points) == 1_010 + 22 + 300 + 15 + 2


def test_hours_are_those_of_three_days() -> None:
    """With the day in their label."""
    points = list(status._by_hour(HOURS, NOW))
    assert len(points) == 72
    assert [points[0].label, points[-1].label] == ["18 Nov 06:00", "21 Nov 05:00"]
    assert points[-1].title == "21 Nov 05:00: 1,000 delivered, 2 bounced, 3 complaints"
    assert [number for number, point in enumerate(points) if point.outcomes] == [0, 65, 66, 71]


def entry(
    at: datetime, *recipients: str, reason: str | None = "NoEmail", kind: LedgerKind = LedgerKind.BOUNCE
) -> LedgerEntry:
    return LedgerEntry(
        key="k",
        kind=kind,
        bucket="b",
        timestamp=at,
        counted=1,
        message_id=None,
        reason=reason,
        recipients=recipients,
        sent_at=None,
    )


def test_evidence_has_its_causes_most_often_first() -> None:
    """A domain counts once for each entry; ten of each kind are shown."""
    found = sending.causes_of(
        [
            entry(NOW, "a@X.example", "b@x.example", "c@y.example"),
            entry(NOW, "A <d@x.example>", reason=None, kind=LedgerKind.COMPLAINT),
            entry(NOW - timedelta(hours=1), "e@z.example"),
        ]
    )
    assert found.domains == (("x.example", 2), ("y.example", 1), ("z.example", 1))
    assert found.hours == (("21 Nov 05:00", 2), ("21 Nov 04:00", 1))
    assert found.reasons == (("bounce: NoEmail", 2), ("complaint: unknown", 1))
    assert found.looked_at == 3
    many = sending.causes_of(entry(NOW, f"a@{number}.example") for number in range(11))
    assert (len(many.domains), many.looked_at) == (10, 11)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "5 % of mails bounced; decided by the rates of this instance"),
        (
            {"reasons": (Reason.BOUNCES, Reason.COMPLAINTS)},
            "5 % of mails bounced, 0.105 % of mails drew a complaint; decided by the rates of this instance",
        ),
        ({"reasons": (), "cause": Cause.OPERATOR, "why": "spam"}, "decided by the operator; spam"),
        ({"reasons": (), "cause": Cause.DAILY_CAP}, "decided by the operator's cap on a day's mail"),
    ],
)
def test_a_transition_s_reason_is_in_words(changes: dict[str, Any], words: str) -> None:
    """The rates, who decided, and what they said."""
    made = Transition(
        id="i1:1",
        instance_id="i1",
        before=SendingState.HEALTHY,
        after=SendingState.PAUSED,
        at=NOW,
        cause=Cause.RATES,
        reasons=(Reason.BOUNCES,),
        reputation=Reputation(bounces=50, complaints=1, deliveries=950, since=None),
    )
    assert status.reason_of(replace(made, **changes)) == words


def test_a_tenant_may_not_resume_where_the_operator_keeps_that() -> None:
    """Whatever the pause."""
    rules = sending.SelfResume(enabled=False, hours=24, days=90)
    assert sending.why_not(SendingStatus(instance_id="i1"), rules, now=NOW)
