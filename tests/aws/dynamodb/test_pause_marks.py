"""Marks in DynamoDB: written with the pause, found from below, lifted with the resume."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from lambdas.aws.dynamodb.reputation.pause_marks import PauseMarks
from lambdas.aws.dynamodb.reputation.sending_status_table import SendingStatusTable
from lambdas.domain.reputation.evaluation import Reason, Reputation, SendingState
from lambdas.domain.reputation.sending_status import (
    MARK_KEPT,
    Cause,
    Mark,
    SendingStatus,
    Transition,
    mark_of,
    resumption,
    transition_of,
)
from tests.aws.tables import dynamodb_with

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

NOW = datetime(2026, 11, 21, 5, 30, tzinfo=UTC)
COUNTS = Reputation(bounces=40, complaints=0, deliveries=960, since="2026-11-21T04")


@pytest.fixture
def dynamodb() -> Iterator["DynamoDBClient"]:
    """An empty reputation table."""
    with dynamodb_with("reputation") as client:
        yield client


@pytest.fixture
def marks(dynamodb: "DynamoDBClient") -> PauseMarks:
    """The adapter."""
    return PauseMarks(dynamodb, "reputation")


@pytest.fixture
def sending_statuses(dynamodb: "DynamoDBClient") -> SendingStatusTable:
    """What writes marks, too."""
    return SendingStatusTable(dynamodb, "reputation")


def pause(domain: str = "agency.gov", sending_status: SendingStatus | None = None, **changes: Any) -> Transition:
    """A pause for bounces."""
    sending_status = sending_status or SendingStatus(instance_id="i1")
    paused = transition_of(sending_status, SendingState.PAUSED, COUNTS, cause=Cause.RATES, now=NOW, domain=domain)
    return replace(paused, reasons=(Reason.BOUNCES,), **changes)


def claimed(sending_statuses: SendingStatusTable, transition: Transition) -> None:
    """Claim *transition* of i1."""
    sending_status = sending_statuses.load("i1")
    assert sending_statuses.claim(sending_status, transition, claimer="record-1", baseline=None, now=NOW)


def test_a_pause_is_marked_in_the_transaction_that_claims_it(
    sending_statuses: SendingStatusTable, marks: PauseMarks
) -> None:
    """With its evidence, for 90 days; one that is lost leaves no mark."""
    claimed(sending_statuses, pause())
    mark = Mark(domain="agency.gov", transition=pause(), until=NOW + MARK_KEPT)
    assert marks.on("agency.gov", now=NOW) == mark
    assert list(marks.every_mark(now=NOW)) == [mark]
    lost = pause("other.gov", SendingStatus(instance_id="i1"))
    assert not sending_statuses.claim(SendingStatus(instance_id="i1"), lost, claimer="x", baseline=None, now=NOW)
    assert marks.on("other.gov", now=NOW) is None


@pytest.mark.parametrize(
    "unmarked",
    [
        pause(""),
        pause(until=NOW + timedelta(hours=1)),
        pause(after=SendingState.WARNED),
    ],
)
def test_what_leaves_no_mark(sending_statuses: SendingStatusTable, marks: PauseMarks, unmarked: Transition) -> None:
    """An unknown domain, a pause that ends by itself, a warning."""
    claimed(sending_statuses, unmarked)
    assert list(marks.every_mark(now=NOW)) == []


def test_a_resume_lifts_the_mark_and_the_end_of_a_days_cap_does_not(
    sending_statuses: SendingStatusTable, marks: PauseMarks
) -> None:
    """What the mark stands for is forgiven by people alone."""
    claimed(sending_statuses, pause())
    over = transition_of(
        sending_statuses.load("i1"), SendingState.HEALTHY, COUNTS, cause=Cause.DAILY_CAP, now=NOW, domain="agency.gov"
    )
    claimed(sending_statuses, over)
    assert marks.on("agency.gov", now=NOW) is not None
    claimed(sending_statuses, pause(sending_status=sending_statuses.load("i1")))
    resumed = resumption(
        sending_statuses.load("i1"), COUNTS, cause=Cause.OPERATOR, by="arn", why="cleaned", now=NOW, domain="agency.gov"
    )
    claimed(sending_statuses, resumed)
    assert marks.on("agency.gov", now=NOW) is None


@pytest.mark.parametrize("domain", ["agency.gov", "mail.agency.gov", "a.b.agency.gov"])
def test_a_mark_is_found_from_its_domain_and_from_below(marks: PauseMarks, domain: str) -> None:
    """The nearest of several."""
    marks.keep(mark_of(pause(), since=NOW))
    found = marks.over(domain, now=NOW)
    assert found is not None
    assert found.domain == "agency.gov"
    marks.keep(mark_of(pause(domain), since=NOW))
    nearest = marks.over(domain, now=NOW)
    assert nearest is not None
    assert nearest.domain == domain


@pytest.mark.parametrize("domain", ["other.gov", "notagency.gov", "agency.gov.example"])
def test_a_mark_is_not_found_from_elsewhere(marks: PauseMarks, domain: str) -> None:
    """Nor from above."""
    marks.keep(mark_of(pause("mail.agency.gov"), since=NOW))
    marks.keep(mark_of(pause("agency.gov"), since=NOW))
    assert marks.over(domain, now=NOW) is None


def test_a_mark_that_is_over_is_gone_before_dynamodb_removes_it(marks: PauseMarks, dynamodb: "DynamoDBClient") -> None:
    """Which it does within days."""
    marks.keep(mark_of(pause(), since=NOW))
    [item] = dynamodb.scan(TableName="reputation")["Items"]
    end = NOW + MARK_KEPT
    assert item["expires_at"] == {"N": str(int(end.timestamp()))}
    for moment, there in ((end - timedelta(seconds=1), True), (end, False)):
        assert (marks.on("agency.gov", now=moment) is not None) is there
        assert (marks.over("agency.gov", now=moment) is not None) is there
        assert len(list(marks.every_mark(now=moment))) == there


def test_a_lifted_mark_is_gone(marks: PauseMarks) -> None:
    """Lifting twice is fine."""
    marks.keep(mark_of(pause(), since=NOW))
    for _ in range(2):
        marks.lift("agency.gov")
    assert marks.over("agency.gov", now=NOW) is None
