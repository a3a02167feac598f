"""What an answer means."""

from datetime import UTC, datetime

import pytest

from lambdas.domain.webhooks.attempt import (
    BODY_KEPT,
    BODY_READ,
    Delivered,
    Failed,
    NoResponse,
    ReceiverGone,
    Response,
    classify,
    excerpt,
)

NOW = datetime(2026, 11, 21, 4, 0, tzinfo=UTC)


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_2xx_is_success_whatever_the_body_says(status: int) -> None:
    """`{"error": ...}` with a 200 is a 200."""
    assert classify(Response(status=status, body=b'{"error": "no"}'), now=NOW) == Delivered(status=status)


@pytest.mark.parametrize("status", [100, 199, 300, 301, 307, 400, 401, 404, 409, 422, 500, 502])
def test_anything_else_is_worth_another_try(status: int) -> None:
    """404 too: a stopped Cloud Foundry application answers so. A redirect is not followed."""
    assert classify(Response(status=status, body=b"why"), now=NOW) == Failed(reason=str(status), excerpt="why")


def test_410_means_never_again() -> None:
    """Standard Webhooks: disable."""
    assert classify(Response(status=410), now=NOW) == ReceiverGone(reason="410")


@pytest.mark.parametrize(("status", "wait"), [(429, 7.0), (503, 7.0), (500, None), (404, None)])
def test_retry_after_is_heard_where_it_has_a_meaning(status: int, wait: float | None) -> None:
    """429 and 503."""
    outcome = classify(Response(status=status, retry_after="7"), now=NOW)

    assert isinstance(outcome, Failed)
    assert outcome.wait == wait


def test_no_answer_is_a_failure_with_its_reason() -> None:
    """Which a tenant reads."""
    assert classify(NoResponse(reason="timeout"), now=NOW) == Failed(reason="timeout")


def test_an_excerpt_is_short_printable_text() -> None:
    """It ends up on terminals and in e-mails."""
    shown = excerpt(b"\x1b[31mred\x00\n\xff" + b"x" * 5000)

    assert shown.startswith("�[31mred�\n�x")
    assert len(shown) == BODY_KEPT


def test_answers_have_defaults_that_mean_nothing_was_said() -> None:
    """No Retry-After, no body, no excerpt; of a body at most so much is read and shown."""
    assert Response(status=204) == Response(status=204, retry_after=None, body=b"")
    assert Failed(reason="x") == Failed(reason="x", excerpt="", wait=None)
    assert ReceiverGone(reason="x") == ReceiverGone(reason="x", excerpt="")
    assert (BODY_READ, BODY_KEPT) == (16_384, 1_024)


def test_what_the_receiver_said_with_a_410_is_kept() -> None:
    """It may say where to go."""
    assert classify(Response(status=410, body=b"moved"), now=NOW) == ReceiverGone(reason="410", excerpt="moved")


def test_tabs_and_line_breaks_stay_in_an_excerpt() -> None:
    """They are how a body is laid out."""
    assert excerpt(b"a\tb\nc\r") == "a\tb\nc\N{REPLACEMENT CHARACTER}"
