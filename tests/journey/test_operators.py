"""Operators' commands on the stack as it is deployed, typed as a person types them."""

import os
import pty
import re
import struct
import subprocess
import sys
from collections.abc import Mapping
from fcntl import ioctl
from pathlib import Path
from termios import TIOCSWINSZ

import httpx
import pytest

from lambdas.domain.tenants.aws_names import alert_topic, configuration_set, iam_user
from local.tenant.receiver import Receiver
from ops.deployment.osb import Broker, BrokerRefused, instance_name
from tests.iam.operators import recording
from tests.infra.test_alarm_advice import advice
from tests.journey.conftest import Ops, Stack, typed_here

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("journey")]
ROOT = Path(__file__).resolve().parents[2]


def environment(stack: Stack) -> Mapping[str, str]:
    """An operator's, for the embedded AWS."""
    return {
        **os.environ,
        "AWS_ENDPOINT_URL": stack.facts["aws_endpoint_url"],
        "AWS_REGION": stack.facts["region"],
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }


def typed(stack: Stack, *words: str) -> subprocess.CompletedProcess[str]:
    """`python -m ops WORDS | cat`, in a process of its own."""
    command = [sys.executable, "-m", "ops", *words]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**environment(stack), **recording(stack.facts.get("calls", ""), words)},
        check=False,
        timeout=120,
    )


def on_a_terminal(stack: Stack, columns: int, *words: str) -> list[str]:
    """The lines that `python -m ops WORDS` writes to a terminal so wide, without colours."""
    ours, theirs = pty.openpty()
    ioctl(theirs, TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    shown = {name: value for name, value in environment(stack).items() if name not in ("COLUMNS", "LINES")}
    with subprocess.Popen(
        [sys.executable, "-m", "ops", *words], stdin=theirs, stdout=theirs, stderr=theirs, cwd=ROOT, env=shown
    ) as process:
        os.close(theirs)
        text = b""
        try:
            while chunk := os.read(ours, 65_536):
                text += chunk
        except OSError:  # a terminal that nobody writes to any more
            pass
    os.close(ours)
    assert process.returncode == 0, text
    return re.sub(r"\x1b\[[0-9;]*m", "", text.decode()).splitlines()


def test_ids_stay_whole_and_tenants_have_their_names_on_terminals_and_in_pipes(
    stack: Stack, receiver: Receiver
) -> None:
    """At 80 and at 120 columns, and in a pipe, where a row is a line."""
    tenant = stack.tenant(receiver.url())
    for columns in (80, 120):
        lines = on_a_terminal(stack, columns, "webhooks", "list", "--instance", tenant.instance_id)
        assert max(map(len, lines)) <= columns
        assert sum(tenant.instance_id in line for line in lines) == 1
        assert any(instance_name(tenant.instance_id) in line for line in lines)
    piped = typed(stack, "webhooks", "list", "--instance", tenant.credentials["domain"])
    (row,) = [line for line in piped.stdout.splitlines() if tenant.instance_id in line]
    assert {instance_name(tenant.instance_id), "demo", "dev", tenant.credentials["domain"]} <= set(row.split())
    assert "\x1b" not in piped.stdout


@pytest.mark.usefixtures("ops")
def test_what_every_alarm_advises_can_be_done(stack: Stack) -> None:
    """Each command that an alarm of the deployed stack names runs, and says nothing of a queue that is not there."""
    alarms = stack.client("cloudwatch").describe_alarms()["MetricAlarms"]
    commands = {tuple(words) for alarm in alarms for words in advice(alarm.get("AlarmDescription", ""))}
    assert len(commands) > 10
    for words in sorted(commands):
        done = typed_here(stack, words)
        allowed = {0, 1} if words[0] == "doctor" else {0}  # it ends with 1 when it finds a problem
        assert done.exit_code in allowed, (words, done.output)


def test_lost_changes_of_counters_have_the_deployed_function_evaluate_again(
    stack: Stack, ops: Ops, receiver: Receiver
) -> None:
    """A message in its failure queue goes when every instance was evaluated."""
    stack.tenant(receiver.url())
    queue = stack.facts["queues"]["reputation_dlq"]
    stack.client("sqs").send_message(QueueUrl=queue, MessageBody='{"DDBStreamBatchInfo": {"batchSize": 1}}')
    (row,) = stack.eventually(
        lambda: ops("dlq", "list", "reputation_dlq"), lambda rows: rows[0]["contents"] and rows[0]["messages"]
    )
    assert row["contents"][0]["about"] == "1 changes of counters"
    assert ops("dlq", "redrive", "reputation_dlq")["moved"] == 1


@pytest.mark.incident("broker-credentials-leaked")
def test_the_brokers_password_rotates_as_the_broker_itself_confirms(stack: Stack, ops: Ops, new_id: str) -> None:
    """Refused twice in a row, ended by retire, replaced at once by --now, after which a thief gets 401.

    What the thief made is in the list of instances and removed. The stack's own password is put back.
    """
    secrets, stack_json = stack.client("secretsmanager"), stack.facts
    arn = ops_secret(stack)
    before = secrets.get_secret_value(SecretId=arn)["SecretString"]
    stack.broker.provision(new_id, {"admin_email": "thief@shop.example"})
    try:
        assert ops("broker", "rotate") == {"rotating": True, "checked": True}
        ops("broker", "rotate", status=1)
        assert ops("broker", "rotate", "--now") == {"rotating": False, "checked": True}
        assert ops("broker", "retire") == {"rotating": False, "retired": False}
        shown = ops("broker", "show", "--password")
        assert shown["url"] == stack_json["broker_url"]
        assert shown["password"] != stack_json["broker_password"]
        with pytest.raises(BrokerRefused) as refused:
            stack.broker.deprovision(new_id)
        assert refused.value.status == httpx.codes.UNAUTHORIZED
        assert new_id in {row["instance"] for row in ops("instances", "list")}
        with Broker(shown["url"], shown["username"], shown["password"]) as platform:
            platform.deprovision(new_id)
        assert new_id not in {row["instance"] for row in ops("instances", "list")}
    finally:
        secrets.put_secret_value(SecretId=arn, SecretString=before)


def ops_secret(stack: Stack) -> str:
    """The secret with the broker's credentials."""
    outputs = stack.client("cloudformation").describe_stacks(StackName="ses-feedback")["Stacks"][0]["Outputs"]
    return next(str(one["OutputValue"]) for one in outputs if one["OutputKey"] == "BrokerCredentialsSecretArn")


def test_what_happened_to_a_mail_is_found_by_its_id_its_recipient_and_its_webhook_id(
    stack: Stack, ops: Ops, receiver: Receiver
) -> None:
    """A delivered one and one that bounced, through the deployed functions' logs and tables."""
    tenant = stack.tenant(receiver.url())
    receiver.wait_for(kind="webhook.test")
    who = f"{tenant.instance_id[:8]}@shop.example"
    delivered, bounced = tenant.mailbox.send(who), tenant.mailbox.send("bounce@shop.example")
    [got] = receiver.wait_for(kind="email.delivered")
    receiver.wait_for(kind="email.bounced")

    def steps(*words: str) -> set[str]:
        return {step["what"] for step in ops("trace", *words)["steps"]}

    whole = {"event recorded", "attempt 1 succeeded", "delivered, can be replayed"}
    stack.eventually(lambda: steps(delivered), lambda found: found >= whole)
    assert steps(bounced) >= whole | {"bounce counted"}
    assert steps(got.id) >= whole
    assert steps(who) >= whole
    assert steps(who, "--instance", instance_name(tenant.instance_id)) >= whole
    piped = typed(stack, "trace", delivered, "--since", "1h")
    assert sum(delivered in line and got.id in line for line in piped.stdout.splitlines()) >= 3
    ops("trace", "nobody@shop.example", status=1)


@pytest.fixture
def folder(running_stack: object, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the running stack keeps its files."""
    if given := os.environ.get("SES_FEEDBACK_STACK"):
        return Path(given).resolve()
    return next(path.parent for path in tmp_path_factory.getbasetemp().glob("*/stack.json"))


def test_the_local_commands_say_when_an_instance_is_not_there(stack: Stack, receiver: Receiver, folder: Path) -> None:
    """They would publish and count nothing; and `env` leads every tool to the embedded AWS."""
    tenant = stack.tenant(receiver.url())

    def local(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "local", "--folder", str(folder), *words]
        return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False, timeout=60)

    event = str(ROOT / "tests" / "events" / "bounce.json")
    for words in (
        ("count", "-i", "nobody"),
        ("publish", event, "-i", "nobody"),
        ("send", "-i", "nobody", "--to", "a@b.example"),
    ):
        done = local(*words)
        assert done.returncode == 1
        assert "There is no instance nobody here" in done.stderr
    assert local("count", "-i", tenant.instance_id).returncode == 0
    exports = local("env").stdout
    shown = subprocess.run(
        ["bash", "-c", f'eval "$1"; exec {sys.executable} -m ops instances list --json', "_", exports],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
        timeout=60,
    )
    assert tenant.instance_id in shown.stdout


def test_a_domain_that_was_never_verified_is_released(stack: Stack, ops: Ops, new_id: str) -> None:
    """Its instance says why and keeps no right to send; the name is free for the organization it is reserved for."""
    domain = f"{new_id[:8]}.example"
    bindings = (new_id, f"{new_id}~2")  # IAM takes no tilde: the second's user has a mapped name
    stack.broker.provision(new_id, {"admin_email": "admin@agency.gov", "domain": domain})
    for binding in bindings:
        stack.broker.bind(new_id, binding)
    assert ops("domain", "release", domain, "--reason", "claimed by mistake")["instance"] == new_id
    shown = stack.eventually(lambda: ops("instances", "show", new_id), lambda it: "succeeded" in it["last_operation"])
    assert "claimed by mistake" in shown["description"]
    assert not [
        kept
        for kept in stack.client("sesv2").list_email_identities()["EmailIdentities"]
        if kept["IdentityName"] == domain
    ]
    ops("domain", "release", domain, "--reason", "again", status=1)
    for binding in bindings:
        stack.broker.unbind(new_id, binding)
    stack.broker.deprovision(new_id)


def test_what_a_destroy_would_leave_behind_is_named_by_destroy_check(
    stack: Stack, ops: Ops, receiver: Receiver
) -> None:
    """Everything that the broker made for a tenant, and the boundary that its IAM user keeps from being deleted."""
    tenant = stack.tenant(receiver.url())
    rows = {row["what"]: row for row in ops("destroy-check", status=1)}
    assert tenant.instance_id in rows["service instances"]["names"]
    assert iam_user(tenant.binding_id) in rows["IAM users"]["names"]
    assert configuration_set(tenant.instance_id) in rows["configuration sets"]["names"]
    assert alert_topic(tenant.instance_id) in rows["SNS topics"]["names"]
    domain = tenant.credentials["domain"]
    assert domain in rows["SES identities"]["names"]
    assert any(domain in record for record in rows["DNS records"]["names"])
    assert rows["permissions boundary in use"]["effect"] == "blocks"
