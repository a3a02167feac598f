"""How the acceptance journey's results are printed: step by step, the first failure last."""

from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import CliRunner

from ops.__main__ import app
from ops.accept import receiver
from ops.accept.command import _results, _show
from ops.accept.journey import StepFailed
from tests.ops.doctor.fakes import refused


class Steps:
    """A journey of given steps."""

    def __init__(self, **steps: Callable[[], object]) -> None:
        self._steps = steps

    def steps(self) -> list[tuple[str, Callable[[], object]]]:
        return list(self._steps.items())


def failing(error: Exception) -> Callable[[], object]:
    """A step that raises."""

    def step() -> None:
        raise error

    return step


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (StepFailed("no email.bounced arrived within 120 s"), "no email.bounced arrived within 120 s"),
        (refused("AccessDenied", "SendEmail"), "SendEmail: AccessDenied: AccessDenied message"),
    ],
)
def test_the_first_step_that_fails_is_the_last_and_says_why(error: Exception, problem: str) -> None:
    """Of a call that AWS refused, the operation and its answer."""
    journey: Any = Steps(first=lambda: None, second=failing(error), third=lambda: None)
    call = {"function": "worker", "action": "ses:CreateConfigurationSet", "resource": "arn:x", "code": "AccessDenied"}
    results = list(_results(journey, lambda _: [call]))
    assert [(result["step"], result["ok"], result["problem"], result["refused"]) for result in results] == [
        ("first", True, "", []),
        ("second", False, problem, [call]),
    ]


def test_a_refused_call_is_shown_with_function_action_and_resource(capsys: pytest.CaptureFixture[str]) -> None:
    """What an operator needs to allow it."""
    call = {"function": "worker", "action": "ses:CreateConfigurationSet", "resource": "arn:x", "code": "AccessDenied"}
    _show({"step": "provisions", "ok": False, "seconds": 1.0, "problem": "failed", "refused": [call]})
    assert "AWS refused function worker ses:CreateConfigurationSet on arn:x (AccessDenied)" in capsys.readouterr().out


def test_on_an_embedded_aws_the_smtp_listener_must_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """SES's own host would be asked otherwise."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    result = CliRunner().invoke(app, ["accept"])
    assert result.exit_code == 1
    assert "--smtp HOST:PORT" in result.stderr


def test_a_listener_without_a_port_is_a_usage_error() -> None:
    """Exit status 2."""
    result = CliRunner().invoke(app, ["accept", "--smtp", "127.0.0.1"])
    assert result.exit_code == 2
    assert "give HOST:PORT" in result.stderr


def test_the_receiver_may_only_write_its_own_table_and_has_no_function_url() -> None:
    """GovCloud has no function URLs."""
    resources = receiver.TEMPLATE["Resources"]
    assert not [one for one in resources.values() if one["Type"] == "AWS::Lambda::Url"]
    (policy,) = resources["Role"]["Properties"]["Policies"]
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert statement["Action"] == "dynamodb:PutItem"
    assert statement["Resource"] == {"Fn::GetAtt": ["Table", "Arn"]}
