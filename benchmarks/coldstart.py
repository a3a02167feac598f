"""Cold starts: CPU and wall from a bare interpreter to the first handled event, for every function and bundle."""

import base64
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from benchmarks import workload
from benchmarks.aws_stub import PASSWORD, USERNAME
from benchmarks.invoke import sqs_event
from benchmarks.pipeline import delivery_settings, feed, feedback_settings, seed
from benchmarks.report import Figure, Report, Table, lower, number
from benchmarks.world import ROOT, World
from infra import bytecode
from infra.bundle import Bundler
from infra.bytecode import uv
from infra.dependencies import host
from lambdas.broker.settings import BrokerSettings
from lambdas.domain.settings import Settings
from lambdas.portal.settings import PortalSettings
from lambdas.reputation.settings import ReputationSettings

RUNS = 7  # of each, in turn; medians are printed
CHILD = Path(__file__).with_name("first_event.py")
USUAL = ("aws-lambda-powertools[tracer,parser]==3.37.0", "boto3==1.43.106")
TARGET_MS = {"feedback": 230.0, "delivery": 300.0, "broker": 300.0}  # CPU over the bare interpreter
TARGET_MB = {  # unpacked; delivery carries libcurl and what that links to, the portal cryptography for OpenID
    "feedback": 20.0,
    "delivery": 30.0,
    "broker": 20.0,
    "reputation": 20.0,
    "portal": 45.0,
}
_FOLDERS = ("feedback", "delivery", "broker", "reputation", "portal")

AnySettings = TypeVar("AnySettings", bound=Settings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A function to start: where its code is, its environment, its first event."""

    name: str
    folder: Path
    handler: str
    event: Mapping[str, Any]
    environment: Mapping[str, str]

    @property
    def command(self) -> list[str]:
        """The command that starts it, blind to all but the bundle and the standard library."""
        return [sys.executable, "-I", "-S", str(CHILD), str(self.folder), self.handler, json.dumps(self.event)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Took:
    """What one start took, s. `importing` is the CPU when the handler was imported; 0: not measured."""

    cpu: float
    wall: float
    importing: float = 0.0


def measure() -> Report:
    """Start everything several times, in turn, so that a busy moment meets all alike."""
    with World(1) as world:
        seed(world, 1)
        starts = [*_ours(world), *_usual(world)]
        took: dict[str, list[Took]] = {start.name: [] for start in starts}
        bare: list[Took] = []
        for _ in range(RUNS):
            bare.append(_timed([sys.executable, "-I", "-S", "-c", "pass"], {}))
            for start in starts:
                took[start.name].append(_timed(start.command, start.environment))
    medians = {name: _median(runs) for name, runs in took.items()}
    sizes = {start.name: _megabytes(start.folder) for start in starts}
    return Report(
        name="coldstart",
        tables=(_table(_median(bare), medians, sizes),),
        figures=tuple(_figures(_median(bare), medians, sizes)),
    )


def _ours(world: World) -> list[Start]:
    bundler = Bundler(target=host(platform.machine()))
    folders = {name: bundler.bundle(name).folder for name in _FOLDERS}
    event = next(iter(workload.events_in_turn(1)))
    delivery = delivery_settings(world)
    message = feed(world, [event]).messages[0]
    secret = "arn:aws:secretsmanager:us-east-1:000000000000:secret:broker"
    tables = {"broker_table": "broker", "webhooks_table": "webhooks", "reputation_table": "reputation"}
    broker = _sample(BrokerSettings, credentials_secret_arn=secret, region="us-east-1", **tables)
    reputation = _sample(ReputationSettings, reputation_table="reputation", webhooks_table="webhooks")

    portal = _sample(PortalSettings, sign_in="links", portal_table="portal", region="us-east-1")

    def start(name: str, entry: str, event: Mapping[str, Any], settings: Settings) -> Start:
        return Start(
            name=name,
            folder=folders[entry.split(".")[0]],
            handler=f"lambdas.{entry}",
            event=event,
            environment=world.environment(settings.to_environment()),
        )

    return [
        start("feedback", "feedback.handler.handler", sqs_event([event]), feedback_settings(world)),
        start("delivery", "delivery.handler.handler", sqs_event([message]), delivery),
        start("release", "delivery.handler.release", {}, delivery),
        start("broker", "broker.handler.handler", _catalog_request(), broker),
        start("reputation", "reputation.handler.handler", _changed_counter(), reputation),
        start("portal", "portal.handler.handler", _portal_page(), portal),
    ]


def _usual(world: World) -> list[Start]:
    """The function many would write, with its own bundle; none where its dependencies cannot be installed."""
    folder = ROOT / ".build" / "benchmarks" / "usual"
    if not folder.is_dir():
        command = [str(uv()), "pip", "install", "--quiet", "--target", str(folder), *USUAL]
        if subprocess.run(command, check=False).returncode:
            return []
    handler = Path(__file__).with_name("usual_handler.py")
    (folder / handler.name).write_bytes(handler.read_bytes())
    bytecode.compile_tree(folder, sys.executable)
    event = sqs_event(list(workload.events_in_turn(1)))
    environment = world.environment(feedback_settings(world).to_environment())
    return [Start(name="usual", folder=folder, handler="usual_handler.handler", event=event, environment=environment)]


def _sample(kind: type[AnySettings], **given: str) -> AnySettings:
    """Settings with the given values, and for the rest what does least."""
    blank: dict[type, object] = {str: "", int: 60, float: 1.0, bool: False}
    types = get_type_hints(kind)
    return kind(**{field.name: given.get(field.name, blank[types[field.name]]) for field in fields(kind)})


def _catalog_request() -> dict[str, Any]:
    credentials = base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()
    return {
        "version": "2.0",
        "rawPath": "/v2/catalog",
        "headers": {"authorization": f"Basic {credentials}", "x-broker-api-version": "2.17"},
        "requestContext": {"http": {"method": "GET", "path": "/v2/catalog"}, "stage": "$default"},
        "isBase64Encoded": False,
    }


def _portal_page() -> dict[str, Any]:
    """A page from a template, for somebody without a session."""
    return {
        "version": "2.0",
        "rawPath": "/signed-out",
        "headers": {},
        "requestContext": {
            "http": {"method": "GET", "path": "/signed-out", "sourceIp": "192.0.2.1"},
            "stage": "$default",
            "domainName": "portal.example",
        },
        "isBase64Encoded": False,
    }


def _changed_counter() -> dict[str, Any]:
    keys = {"instance_id": {"S": workload.tenant(0)}, "item": {"S": "feedback#2026-11-20T12"}}
    record = {"Keys": keys, "SequenceNumber": "1", "NewImage": {**keys, "bounces": {"N": "1"}}}
    return {"Records": [{"eventID": "1", "eventName": "MODIFY", "dynamodb": record}]}


def _timed(command: Sequence[str], environment: Mapping[str, str]) -> Took:
    began = time.perf_counter()
    with subprocess.Popen(command, env=dict(environment), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as child:
        assert child.stderr is not None
        output = child.stderr.read()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise RuntimeError(output.decode())
    wall = time.perf_counter() - began
    importing = float(output.split()[-1]) if output else 0.0
    return Took(cpu=usage.ru_utime + usage.ru_stime, wall=wall, importing=importing)


def _median(runs: Iterable[Took]) -> Took:
    kept = list(runs)
    return Took(
        cpu=statistics.median(run.cpu for run in kept),
        wall=statistics.median(run.wall for run in kept),
        importing=statistics.median(run.importing for run in kept),
    )


def _megabytes(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def _figures(bare: Took, medians: Mapping[str, Took], sizes: Mapping[str, float]) -> Iterable[Figure]:
    for name, took in medians.items():
        if name != "usual":
            over = 1000 * (took.cpu - bare.cpu)
            yield lower(f"cold start, {name}: CPU over a bare interpreter", over, "ms", TARGET_MS.get(name))
    for name in _FOLDERS:
        yield lower(f"bundle, {name}: unpacked", sizes[name], "MB", TARGET_MB[name])


def _table(bare: Took, medians: Mapping[str, Took], sizes: Mapping[str, float]) -> Table:
    def row(name: str, took: Took) -> tuple[str, ...]:
        return (
            name,
            number(1000 * took.importing),
            number(1000 * took.cpu),
            number(1000 * (took.cpu - bare.cpu)),
            number(1000 * took.wall),
            number(sizes[name]) if name in sizes else "",
        )

    rows = [row("a bare interpreter", bare)]
    rows += [row(name, took) for name, took in medians.items()]
    return Table(
        title=f"From nothing to the first handled event, medians of {RUNS} fresh processes",
        columns=("function", "CPU when imported, ms", "CPU, ms", "over bare, ms", "wall, ms", "bundle, MB"),
        rows=tuple(rows),
        note=(
            "Each process sees its bundle and the standard library alone. AWS is a stub, the receiver one of ours over "
            "TLS. `usual` is the function many would write: Powertools with tracer and parser, boto3."
        ),
    )
