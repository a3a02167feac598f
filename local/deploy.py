"""`cdk deploy` of the operator's stack to the embedded AWS."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local import process
from local.clients import REGION, Clients
from local.emulator.http_message import ACCOUNT
from local.process import ROOT, tail

STACK = "ses-feedback"
ZONE = "apps.example.net"  # the operator's zone: tenants without a domain get a subdomain of it
CDK = ROOT / "node_modules" / ".bin" / "cdk"
_LOOPBACK = "127.0.0.0/8,::1/128"
_STEP = re.compile(rf"^{STACK} \| +(\d+)/(\d+) \|.*\| (AWS::\S+)")

PERIODS = {  # retry schedule and probes in seconds instead of hours, so that a person can watch
    "retry_seconds": "1,2,4,8,15,30,60,120,300",
    "probe_seconds": "1,2,4,8",
    "failing_seconds": "2",
    "release_seconds": "2",
    "ses_calls_per_second": "50",
}

Watch = Callable[[str, float], None]  # called with the current step and the progress, 0 to 1


class NotDeployed(Exception):
    """The deployment failed; the message has the end of its log and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployer:
    """Deploys the checkout `source` to the embedded AWS at `url`; writes files to `folder` only."""

    url: str
    folder: Path
    source: Path = ROOT
    portal_url: str = ""
    strict: bool = False
    context: Mapping[str, str] | None = None
    region: str = REGION

    def deploy(self, watch: Watch) -> dict[str, Any]:
        """Bootstrap, synthesise and deploy. Returns the stack's outputs. Raises NotDeployed."""
        self.synthesise(watch)
        return self.deploy_assembly(watch)

    def synthesise(self, watch: Watch) -> None:
        """Bootstrap, and synthesise to the folder, with the functions' bundles. Raises NotDeployed."""
        if not CDK.exists():
            raise NotDeployed(f"The CDK CLI is missing ({CDK.relative_to(ROOT)}): run `make setup`.")
        watch("bootstrapping and synthesising", 0.0)
        context = self._context()
        with ThreadPoolExecutor() as pool:
            bootstrapped = pool.submit(self._bootstrap)
            self._run(
                "synth", ["synth", "--quiet", *context], on_line=lambda _: None, hint="The stack does not synthesise."
            )
            bootstrapped.result()

    def deploy_assembly(self, watch: Watch) -> dict[str, Any]:
        """Deploy what was synthesised; the stack's outputs. Raises NotDeployed."""
        watch("deploying", 0.0)
        outputs = self.folder / "outputs.json"
        arguments = ["--require-approval", "never", "--progress", "events", "--outputs-file", str(outputs)]
        self._run(
            "deploy",
            ["deploy", "--app", str(self._assembly), *arguments],
            on_line=lambda line: _watch(line, watch),
            hint="The embedded AWS refused the stack.",
        )
        written: dict[str, dict[str, Any]] = json.loads(outputs.read_text())
        return written[(self.context or {}).get("stack_name", STACK)]

    @property
    def _assembly(self) -> Path:
        return self.folder / "cdk.out"

    def _context(self) -> list[str]:
        clients = Clients(self.url, self.region)
        settings = {
            "production": "false",
            "bundle_platform": "host",
            "zone_name": ZONE,
            "zone_id": _zone(clients),
            "privatelink_vpc_id": _default_vpc(clients),
            **({"portal": "links", "portal_url": self.portal_url} if self.portal_url else {}),
            **PERIODS,
            **({} if self.strict else {"allow_http": "true", "allowed_cidrs": _LOOPBACK}),
            **(self.context or {}),
        }
        return [argument for name, value in settings.items() for argument in ("--context", f"{name}={value}")]

    def _bootstrap(self) -> None:
        """Runs in the folder, which has no cdk.json; otherwise the CDK would synthesise the app first."""
        arguments = ["bootstrap", f"aws://{ACCOUNT}/{self.region}"]
        self._run("bootstrap", arguments, on_line=lambda _: None, hint="The CDK cannot prepare it.", cwd=self.folder)

    def _run(
        self, name: str, arguments: list[str], *, on_line: Callable[[str], None], hint: str, cwd: Path | None = None
    ) -> None:
        log = self.folder / f"{name}.log"
        output = [] if "--app" in arguments or name == "bootstrap" else ["--output", str(self._assembly)]
        command = [str(CDK), *arguments, *output]
        with (
            log.open("w") as written,
            subprocess.Popen(
                command,
                cwd=cwd or self.source,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            ) as running,
        ):
            try:
                for line in running.stdout or ():
                    written.write(line)
                    on_line(line)
            except BaseException:  # also when interrupted: child processes must end
                os.killpg(running.pid, signal.SIGTERM)
                raise
        if running.returncode:
            raise NotDeployed(f"`cdk {name}` failed. {hint} The end of its log, {log}:\n{tail(log)}")

    def _environment(self) -> dict[str, str]:
        return process.environment() | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": self.region,
            "AWS_EC2_METADATA_DISABLED": "true",
            "CDK_DEFAULT_ACCOUNT": ACCOUNT,
            "CDK_DEFAULT_REGION": self.region,
            "CDK_HOME": str(self.folder / "cdk"),
            "CDK_DISABLE_CLI_TELEMETRY": "true",
            "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "1",
        }


def _watch(line: str, watch: Watch) -> None:
    if step := _STEP.match(line):
        watch(f"deploying {step[3]}", int(step[1]) / int(step[2]))


def _zone(clients: Clients) -> str:
    """The id of the operator's hosted zone, created if it is missing."""
    route53 = clients.client("route53")
    zones = route53.list_hosted_zones()["HostedZones"]
    found = next((zone["Id"] for zone in zones if zone["Name"] == ZONE + "."), None)
    made = found or route53.create_hosted_zone(Name=ZONE, CallerReference=ZONE)["HostedZone"]["Id"]
    return str(made).rpartition("/")[2]


def _default_vpc(clients: Clients) -> str:
    vpcs = clients.client("ec2").describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
    return str(vpcs[0]["VpcId"])
