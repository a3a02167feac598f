"""Every command: its help, its example, its JSON, its exit status."""

import io
import itertools
import json
import re
import shlex
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lambdas.aws import clients
from lambdas.aws.dynamodb.broker.broker_table import BrokerTable
from lambdas.domain.tenants.instance import Operation, OperationKind
from ops.__main__ import app
from ops.command_line.console import progress
from ops.command_line.version import version
from tests.ops.typing_in import commands, parsed
from tests.ops.world import Ops

_EXAMPLE = re.compile(r"^ +python -m ops (.*)$", re.M)


@pytest.mark.parametrize("words", list(commands()), ids=" ".join)
def test_every_command_has_a_help_with_examples_that_can_be_typed(words: tuple[str, ...]) -> None:
    """And says in a first line what it does."""
    said = CliRunner(env={"COLUMNS": "80"}).invoke(app, [*words, "--help"])
    assert said.exit_code == 0
    found = _EXAMPLE.findall(said.stdout)
    assert found
    for line in found:
        assert shlex.split(line)[: len(words)] == list(words)
        parsed(shlex.split(line))


@pytest.mark.parametrize("words", [words for words in commands() if words != ("completion",)], ids=" ".join)
def test_every_command_can_write_json(words: tuple[str, ...]) -> None:
    """For programs."""
    assert "--json" in CliRunner().invoke(app, [*words, "--help"]).stdout


def test_a_wrongly_typed_command_ends_with_2_and_one_that_did_nothing_with_1(ops: Ops) -> None:
    """As `--help` says."""
    assert CliRunner().invoke(app, ["webhooks", "list", "--nope"]).exit_code == 2
    assert "there is no instance nope" in ops.say("instances", "show", "nope", status=1)


def test_the_version_is_pyprojects() -> None:
    """Through the command as it is typed."""
    said = subprocess.run(
        [sys.executable, "-m", "ops", "--version"], check=True, capture_output=True, text=True, cwd=_root()
    )
    assert said.stdout == f"ses-feedback {version()}\n"
    assert re.fullmatch(r"\d+\.\d+\.\d+", version())


def test_bash_completes_commands_and_options() -> None:
    """With the function that `completion bash` defines, from any folder."""
    script = CliRunner().invoke(app, ["completion", "bash"]).stdout
    for typed, wanted in (
        (("ses-feedback", "web"), "webhooks"),
        (("ses-feedback", "webhooks", "ro"), "rotate"),
        (("ses-feedback", "broker", "rotate", "--n"), "--now"),
    ):
        words = " ".join(map(shlex.quote, typed))
        test = f'COMP_WORDS=({words}); COMP_CWORD={len(typed) - 1}; _ses_feedback; printf "%s\\n" "${{COMPREPLY[@]}}"'
        done = subprocess.run(["bash", "-c", f"{script}\n{test}"], check=True, capture_output=True, text=True, cwd="/")
        assert done.stdout.split() == [wanted]
    assert "bashcompinit" in CliRunner().invoke(app, ["completion", "zsh"]).stdout
    assert "no completion for tcsh" in CliRunner().invoke(app, ["completion", "tcsh"]).stderr


def test_instances_are_shown_by_the_names_that_the_platform_gave(ops: Ops) -> None:
    """And found by them, in every command that takes an instance."""
    ops.put_instance("i2", name="other", domain="other.agency.gov", notifications=False)

    rows = {row["instance"]: row for row in ops.run("instances", "list")}
    assert rows["i2"] == {
        "instance": "i2",
        "name": "other",
        "organization": "agency",
        "space": "prod",
        "domain": "other.agency.gov",
        "admin_email": "admin@other.agency.gov",
        "notifications": False,
    }
    for text in ("i1", "my-mail", "agency/prod/my-mail", "mail.agency.gov", "MAIL.agency.gov"):
        assert ops.run("instances", "show", text)["instance"] == "i1"
        assert [row["webhook"] for row in ops.run("webhooks", "list", "--instance", text)] == ["w1"]
    shown = ops.run("instances", "show", "i1")
    assert [binding["binding"] for binding in shown["bindings"]] == ["b1"]
    assert "b1  webhook w1" in ops.say("instances", "show", "i1")


def test_without_operations_it_says_so(ops: Ops) -> None:
    """In words for people, as an empty list for programs."""
    assert ops.say("operations").strip() == "No operation is under way."
    assert ops.run("operations") == []


def test_operations_that_have_not_ended_are_shown_with_their_step_the_oldest_first(ops: Ops) -> None:
    """And none that ended."""
    began = datetime.now(UTC) - timedelta(hours=5)
    for instance_id, start in (("i3", began + timedelta(hours=4)), ("i4", began)):
        ops.put_instance(instance_id, name=instance_id, domain=f"{instance_id}.agency.gov")
        operation = Operation(
            id="op", kind=OperationKind.PROVISION, started_at=start, touched_at=start, step="identity", failures=2
        )
        table = BrokerTable(clients.client("dynamodb"), "broker")
        instance = table.instance(instance_id)
        assert instance is not None
        table.save_instance(replace(instance, operation=operation))
    oldest, newer = ops.run("operations")
    assert (oldest["instance"], oldest["name"], oldest["step"], oldest["failures"]) == ("i4", "i4", "identity", 2)
    assert (oldest["operation"], oldest["minutes"]) == ("provision", 300)
    assert newer["instance"] == "i3"


def test_a_name_that_two_instances_have_is_refused_with_both(ops: Ops) -> None:
    """A command must not act on the wrong tenant."""
    ops.put_instance("i2", name="my-mail", domain="other.agency.gov", space="dev")

    said = ops.say("webhooks", "list", "--instance", "my-mail", status=1)

    assert "more than one instance is called my-mail" in said
    assert "i1 (agency/prod/my-mail, mail.agency.gov)" in said
    assert "i2 (agency/dev/my-mail, other.agency.gov)" in said
    assert ops.run("instances", "show", "agency/dev/my-mail")["instance"] == "i2"


def test_a_domain_names_the_instance_that_holds_it(ops: Ops) -> None:
    """Not the one it was released from; the command says which one it took."""
    ops.put_instance("i2", name="their-mail", domain="mail.agency.gov", space="dev", claimed=False)
    done = CliRunner().invoke(app, ["instances", "show", "mail.agency.gov", "--json"])
    assert json.loads(done.stdout)["instance"] == "i1"
    assert "mail.agency.gov is i1, which holds the domain; i2 had it before" in done.stderr
    rows = {row["instance"]: row["domain"] for row in ops.run("instances", "list")}
    assert rows == {"i1": "mail.agency.gov", "i2": "mail.agency.gov (not held)"}


def test_a_domain_that_nobody_holds_any_more_names_the_only_instance_that_had_it(ops: Ops) -> None:
    """It can still be looked at and removed; of two, neither is taken."""
    ops.put_instance("i2", name="their-mail", domain="their.agency.gov", space="dev", claimed=False)
    assert ops.run("instances", "show", "their.agency.gov")["instance"] == "i2"
    ops.put_instance("i3", name="new-mail", domain="their.agency.gov", space="dev", claimed=False)
    assert "more than one instance" in ops.say("instances", "show", "their.agency.gov", status=1)


def test_what_is_piped_holds_no_colours_and_a_row_a_line(ops: Ops) -> None:
    """`ops ... | grep ID` finds the row."""
    piped = subprocess_like(ops.say("instances", "list"))
    assert [line.split()[0] for line in piped] == ["INSTANCE", "i1"]
    assert json.loads(CliRunner().invoke(app, ["instances", "list", "--json"]).stdout)


def subprocess_like(text: str) -> list[str]:
    """The lines of what was piped, which hold nothing for terminals."""
    assert not re.search(r"[\x1b─-╿]", text)
    return text.splitlines()


def _root() -> str:
    return str(Path(__file__).resolve().parents[2])


class Terminal(io.StringIO):
    """Standard error as a person has it."""

    def isatty(self) -> bool:
        return True


def test_long_work_is_counted_on_a_terminal_and_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once a second; the line is wiped at the end. Short work shows nothing."""
    seconds = itertools.count()
    monkeypatch.setattr("ops.command_line.console.time.monotonic", lambda: next(seconds))
    for stream, shown in ((Terminal(), "\r1 mails\r2 mails"), (io.StringIO(), "")):
        monkeypatch.setattr("sys.stderr", stream)
        assert list(progress("ab", "mails")) == ["a", "b"]
        assert stream.getvalue().startswith(shown)
        assert "\n" not in stream.getvalue()
        assert bool(stream.getvalue()) is bool(shown)
    monkeypatch.setattr("ops.command_line.console.time.monotonic", lambda: 0.0)
    monkeypatch.setattr("sys.stderr", stream := Terminal())
    assert list(progress("ab", "mails")) == ["a", "b"]
    assert stream.getvalue() == ""
