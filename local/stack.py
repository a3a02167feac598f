"""The stack on the embedded AWS: up, down, and its addresses (`stack.json`)."""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from local import process
from local.clients import REGION, Clients
from local.deploy import STACK, ZONE, Deployer, Watch
from local.emulator.server import HOST
from local.process import ROOT, Server
from local.recorder import recorded_calls

FOLDER = ROOT / ".local"


class NotRunning(Exception):
    """There is no stack; the message says what to do."""


class LocalStack:
    """A stack with its folder, which holds ids, logs and the CDK's output."""

    def __init__(self, folder: Path = FOLDER, *, outlives: bool = False) -> None:
        """*outlives*: the embedded AWS keeps running when the process that started it has ended."""
        self.folder = folder
        self._outlives = outlives

    def up(
        self,
        watch: Watch,
        *,
        strict: bool = False,
        context: Mapping[str, str] | None = None,
        environment: Mapping[str, str] = os.environ,
    ) -> dict[str, Any]:
        """Start the embedded AWS unless it runs, deploy, and write `stack.json`; its contents.

        Repeatable: what runs is kept, and what changed is deployed. Raises NotStarted, NotDeployed.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._alone():
            server = self.server() or self._start(watch, environment)
            process.await_health(server)
            deployer = Deployer(
                url=server.url, portal_url=server.portal_url, folder=self.folder, strict=strict, context=context
            )
            facts = facts_of(server, deployer.deploy(watch), strict=strict)
            _write(self._facts, facts)
            release_at_once(server, facts)
        return facts

    def down(self) -> bool:
        """Stop the embedded AWS and its child processes. False if nothing ran."""
        server = self.server()
        if server:
            process.stop(server.pid)
        for path in (self._facts, self._server):
            path.unlink(missing_ok=True)
        return server is not None

    def server(self) -> Server | None:
        """The running embedded AWS; None if there is none."""
        try:
            written = json.loads(self._server.read_text())
        except (OSError, ValueError):
            return None
        server = Server(**{**written, "log": Path(written["log"])})
        return server if process.is_ours(server.pid, self.folder) else None

    def facts(self) -> dict[str, Any]:
        """The contents of `stack.json`. Raises NotRunning."""
        if self.server() is None or not self._facts.exists():
            raise NotRunning("There is no stack running here. Say `make up` first.")
        facts: dict[str, Any] = json.loads(self._facts.read_text())
        return facts

    def _start(self, watch: Watch, environment: Mapping[str, str]) -> Server:
        watch("starting the embedded AWS", 0.0)
        ports = {
            "port": _port(environment, "SES_FEEDBACK_PORT"),
            "smtp_port": _port(environment, "SES_FEEDBACK_SMTP_PORT"),
            "portal_port": _port(environment, "SES_FEEDBACK_PORTAL_PORT"),
        }
        calls = environment.get(recorded_calls.FILE, "")
        return process.start(self.folder, **ports, calls=calls, progress=self._remember, outlives=self._outlives)

    def _remember(self, server: Server) -> None:
        _write(self._server, {**asdict(server), "log": str(server.log)})

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One `up` at a time in one folder; the lock goes with the process that holds it."""
        with (self.folder / "up.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    @property
    def _facts(self) -> Path:
        return self.folder / "stack.json"

    @property
    def _server(self) -> Path:
        return self.folder / "server.json"


def facts_of(
    server: Server, outputs: Mapping[str, Any], *, strict: bool, stack_name: str = STACK, region: str = REGION
) -> dict[str, Any]:
    """The content of `stack.json` for a deployed stack."""
    secrets = Clients(server.url, region).client("secretsmanager")
    secret = secrets.get_secret_value(SecretId=outputs["BrokerCredentialsSecretArn"])
    credentials = json.loads(secret["SecretString"])
    return {
        "stack_name": stack_name,
        "aws_endpoint_url": server.url,
        "region": region,
        "smtp_host": HOST,
        "smtp_port": server.smtp_port,
        "smtp_authority": str(server.log.parent / "smtp.pem"),
        "broker_url": f"{server.url}/_aws/execute-api/{outputs['BrokerApiId']}/$default",
        "portal_url": outputs.get("PortalUrl", ""),
        "broker_username": credentials["username"],
        "broker_password": credentials["password"],
        "event_topic_arn": outputs["EventTopicArn"],
        "operator_topic_arn": outputs["OperatorTopicArn"],
        "key_arn": outputs["KeyArn"],
        "zone_name": ZONE,
        "strict": strict,
        "tables": json.loads(outputs["Tables"]),
        "queues": json.loads(outputs["Queues"]),
        "functions": json.loads(outputs["Functions"]),
    }


def _port(environment: Mapping[str, str], variable: str) -> int:
    value = environment.get(variable, "")
    if value and not (value.isdecimal() and 0 < int(value) < 65_536):
        raise process.NotStarted(f"{variable} is {value!r}; it must be a port, 1 to 65535.")
    return int(value) if value else 0


def release_at_once(server: Server, facts: Mapping[str, Any]) -> None:
    """Start releases now; the schedule would start them a minute after the deployment."""
    functions = Clients(server.url).client("lambda")
    functions.invoke(FunctionName=facts["functions"]["release"], InvocationType="Event")


def _write(path: Path, value: object) -> None:
    """Replace a file atomically, readable by its owner only."""
    temporary = path.with_suffix(".new")
    temporary.touch(mode=0o600)
    temporary.write_text(json.dumps(value, indent=2) + "\n")
    temporary.replace(path)
