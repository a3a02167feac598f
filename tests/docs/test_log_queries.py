"""The queries for CloudWatch Logs Insights in docs/hardening.md, whose fields the functions log."""

import io
import json
import re

from aws_lambda_powertools import Logger

from tests.docs.blocks import ROOT

_WORDS = {"fields", "filter", "like", "sort", "desc", "limit", "stats", "count", "by", "as"}


def test_every_field_of_a_query_is_one_that_the_functions_log() -> None:
    """Logged by the functions' own words, or by Powertools with each line."""
    [queries] = re.findall(r"```text\n(fields .*?)```", (ROOT / "docs" / "hardening.md").read_text(), re.DOTALL)
    without_texts = re.sub(r'"[^"]*"', "", queries)
    fields = set(re.findall(r"(?<!@)\b[a-z_]+\b", without_texts)) - _WORDS
    assert fields - logged_by_powertools() - logged_by_us() == set()
    assert "instance_id" in fields


def logged_by_powertools() -> set[str]:
    """The fields of a line with an exception."""
    stream = io.StringIO()
    logger = Logger(service="test", stream=stream)
    try:
        int("no number")
    except ValueError:
        logger.exception("failed")
    return set(json.loads(stream.getvalue()))


def logged_by_us() -> set[str]:
    """The keys of `extra` in every function."""
    code = "\n".join(path.read_text() for path in (ROOT / "lambdas").rglob("*.py"))
    return set(re.findall(r'"(\w+)":', " ".join(re.findall(r"extra=\{(.*?)\}", code, re.DOTALL))))
