"""The world around a function under measurement: the AWS stub, the receivers and their certificate."""

import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec
import trustme

from benchmarks.invoke import Run

HOST = "127.0.0.1"
ROOT = Path(__file__).parent.parent


@contextmanager
def process(module: str, *arguments: str) -> Iterator[dict[str, Any]]:
    """A module in a process of its own until the block ends: the JSON of its first line. It ends with its stdin."""
    command = [sys.executable, "-m", module, *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            yield json.loads(child.stdout.readline())
        finally:
            child.stdin.close()


class World:
    """Stub and receivers, from entering to leaving."""

    def __init__(self, webhooks: int) -> None:
        self.webhooks = webhooks
        self._exits = ExitStack()

    def __enter__(self) -> Self:
        self.folder = Path(self._exits.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        authority = trustme.CA()
        self.authority = self.folder / "ca.pem"
        authority.cert_pem.write_to_path(str(self.authority))
        certificate = self.folder / "certificate.pem"
        authority.issue_cert(HOST, "localhost").private_key_and_cert_chain_pem.write_to_path(str(certificate))
        stub = self._exits.enter_context(process("benchmarks.aws_stub"))
        arguments = ("--webhooks", str(self.webhooks), "--certificate", str(certificate))
        receiver = self._exits.enter_context(process("benchmarks.receiver", *arguments))
        self.endpoint = f"http://{HOST}:{stub['port']}"
        self.urls = [f"https://{HOST}:{port}/feedback" for port in receiver["ports"]]
        self._control = f"http://{HOST}:{receiver['control']}/"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exits.close()

    def environment(self, settings: Mapping[str, str]) -> dict[str, str]:
        """A function's environment: its settings, and an AWS that is the stub."""
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_LAMBDA_FUNCTION_NAME": "benchmark",
            "POWERTOOLS_SERVICE_NAME": "benchmark",
            "POWERTOOLS_METRICS_NAMESPACE": "SesFeedback",
            "BENCHMARK_AUTHORITY": str(self.authority),
            "REQUESTS_CA_BUNDLE": str(self.authority),
            **settings,
        }

    def behave(self, *, latency: float, hanging: int = 0) -> dict[str, Any]:
        """Set how the receivers answer and begin to count anew; what they had counted so far."""
        return self._ask(self._control, {"latency": latency, "hanging": hanging})

    def received(self) -> dict[str, Any]:
        """What the receivers have counted: received, distinct ids, cpu_s."""
        return self._ask(self._control)

    def stub(self, verb: str, **asked: object) -> dict[str, Any]:
        """Ask the stub: counts, reset, fill(queue, bodies), receive(queue, limit)."""
        return self._ask(f"{self.endpoint}/_stub/{verb}", asked)

    def drain(self, queue: str) -> list[str]:
        """Take everything off the stub's *queue*."""
        bodies = self._ask(f"{self.endpoint}/_stub/receive", {"queue": queue, "limit": 10**9})
        return list(bodies)

    def run(
        self,
        handler: str,
        queues: Sequence[str],
        *,
        batch: int,
        settings: Mapping[str, str],
        seconds: float = 60,
        warming: int = 0,
        patient: bool = False,
    ) -> "Done":
        """Work the stub's *queues* off by *handler*, in a fresh process; the first *warming* batches do not count."""
        costs, log = self.folder / "costs.json", self.folder / "log"
        command = [sys.executable, "-m", "benchmarks.invoke", handler, "--batch", str(batch)]
        command += [word for queue in queues for word in ("--queue", queue)]
        command += ["--seconds", str(seconds), "--warming", str(warming), "--costs", str(costs)]
        command += ["--patient"] if patient else []
        with log.open("wb") as output:
            subprocess.run(command, cwd=ROOT, env=self.environment(settings), stdout=output, check=True)
        run = msgspec.json.decode(costs.read_bytes(), type=Run)
        return Done(run=run, log_bytes=log.stat().st_size - run.warming_log_bytes)

    def _ask(self, url: str, asked: Mapping[str, object] | None = None) -> dict[str, Any]:
        data = None if asked is None else json.dumps(asked).encode()
        with urllib.request.urlopen(urllib.request.Request(url, data=data)) as response:
            answer: dict[str, Any] = json.load(response)
            return answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A run and the bytes it logged."""

    run: Run
    log_bytes: int
