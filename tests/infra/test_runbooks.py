"""Alarms, runbooks and the dashboard belong together: every alarm has a page, every command of a page can be typed."""

import ast
import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from infra.bundle import ROOT
from tests.infra.synthesis import synthesise
from tests.ops.typing_in import parsed

RUNBOOKS = ROOT / "docs" / "runbooks"
SECTIONS = ["What it means", "How to see it", "What to do", "How to know it is over"]
PAGES = sorted(path for path in RUNBOOKS.glob("*.md") if path.name != "index.md")


def commands(page: Path) -> list[list[str]]:
    """The operator's commands in a page's code blocks, as words; placeholders in capitals are left as they are."""
    blocks = re.findall(r"```sh\n(.*?)```", page.read_text(), flags=re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    return [shlex.split(line)[3:] for line in lines if line.startswith("python -m ops ")]


def test_every_alarm_names_a_runbook_that_exists() -> None:
    """By its path in the repository, where no site is configured."""
    for alarm in synthesise("us-east-1").properties("AWS::CloudWatch::Alarm"):
        (path,) = re.findall(r"Runbook: (docs/runbooks/[a-z-]+\.md)$", alarm["AlarmDescription"])
        assert (ROOT / path).exists(), alarm["AlarmDescription"]


def test_the_operators_guide_and_the_runbooks_name_alarms_that_exist() -> None:
    """By their ids in the stack; an ellipsis stands for what comes before."""
    alarms = [name[:-8] for name in synthesise("us-east-1").resources("AWS::CloudWatch::Alarm")]  # less CDK's hash
    table = (ROOT / "docs" / "operators.md").read_text().partition("| alarm | meaning |")[2].partition("\n\n")[0]
    first = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]
    index = (RUNBOOKS / "index.md").read_text()
    named = re.findall(r"`(?:\.\.\.)?([A-Z]\w+)`", "\n".join([*first, *re.findall(r"the alarms? .*", index)]))
    assert len(named) > 10
    assert [name for name in named if not any(alarm.endswith(name) for alarm in alarms)] == []


def test_with_a_runbook_url_alarms_link_to_the_site() -> None:
    """As the site is built: one HTML file a page."""
    stack = synthesise("us-east-1", runbook_url="https://docs.agency.gov/mailbox/")
    descriptions = [alarm["AlarmDescription"] for alarm in stack.properties("AWS::CloudWatch::Alarm")]
    assert all("Runbook: https://docs.agency.gov/mailbox/" in description for description in descriptions)
    assert all(description.endswith(".html") for description in descriptions)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_runbook_says_what_to_see_to_do_and_when_it_is_over(page: Path) -> None:
    """With commands that exist and take these words."""
    assert re.findall(r"^## (.*)$", page.read_text(), flags=re.MULTILINE) == SECTIONS
    for words in commands(page):
        parsed(words)


def test_the_index_lists_every_runbook() -> None:
    """Once each."""
    linked = re.findall(r"\]\(([a-z-]+\.md)\)", (RUNBOOKS / "index.md").read_text())
    assert sorted(linked) == [page.name for page in PAGES]


INCIDENTS = {  # what happens to an operator without an alarm of ours, or behind several
    "account-paused",
    "bad-deployment",
    "broker-credentials-leaked",
    "configuration-set-deleted",
    "dynamodb-throttled",
    "iam-users-full",
    "key-disabled",
    "paused-wrongly",
    "region-down",
    "webhook-down",
    "webhook-secret-leaked",
    "zone-lost",
}

RECOVERY = {"table-damaged"}  # a person's mistake; tests/ops/test_restore.py tries what the page does


def test_every_incident_has_a_page_and_a_test_that_rehearses_it() -> None:
    """Marked with the page's name; a page that is no alarm's is an incident's."""
    marked = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r'^@pytest\.mark\.incident\("([a-z-]+)"\)$', path.read_text(), flags=re.MULTILINE)
    }
    assert marked == INCIDENTS
    alarms = synthesise("us-east-1").properties("AWS::CloudWatch::Alarm")
    of_alarms = {name for one in alarms for name in re.findall(r"runbooks/([a-z-]+)\.md", one["AlarmDescription"])}
    assert {page.stem for page in PAGES} == INCIDENTS | RECOVERY | of_alarms
    assert not INCIDENTS & of_alarms


def constants() -> set[str]:
    """Every string constant in the functions' code."""
    trees = [ast.parse(path.read_text()) for path in (ROOT / "lambdas").rglob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    return {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def test_the_dashboard_shows_metrics_that_the_functions_record() -> None:
    """All of ours by name; families such as OperationsFailed by their prefix."""
    (dashboard,) = synthesise("us-east-1").properties("AWS::CloudWatch::Dashboard")
    text = _text(dashboard["DashboardBody"])
    names = set(re.findall(r'"SesFeedback","(\w+)"', text))
    known = constants()
    assert {"EventsRecorded", "DeliveriesMade", "EventToWebhookSeconds", "BrokerAnswers"} <= names
    assert {"BacklogWaiting", "BacklogOldestSeconds", "BacklogWebhooksFailing", "BacklogWebhooksDisabled"} <= names
    assert {"InstancesWarned", "InstancesPaused", "OperationsWaiting", "OperationSeconds"} <= names
    assert {name for name in names if name not in known and not name.startswith(("Operations", "Webhooks"))} == set()


def test_the_dashboard_is_json_with_every_queue_and_function() -> None:
    """References replaced by a word."""
    (dashboard,) = synthesise("us-east-1").properties("AWS::CloudWatch::Dashboard")
    body = json.loads(_text(dashboard["DashboardBody"]))
    titles = {widget["properties"]["title"] for widget in body["widgets"]}
    assert {"Events in", "Deliveries out", "Event to webhook, seconds", "Dead letters"} <= titles


def _text(value: Any) -> str:
    return "".join(part if isinstance(part, str) else "X" for part in value["Fn::Join"][1])
