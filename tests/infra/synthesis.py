"""The stack as CloudFormation sees it, synthesised once for each set of context keys, with stubs for bundles."""

import hashlib
import json
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from infra.build_cache import once
from infra.bundle import ROOT
from infra.context import Context
from infra.dependencies import LAMBDA
from tests.infra.kept import KEPT_IN

REGIONS = ("us-east-1", "us-gov-west-1")  # one template fits all


@dataclass(frozen=True, slots=True, kw_only=True)
class Synthesis:
    """A template, what the checks reported, where the template lies, and the region it is to be checked for."""

    region: str
    template: Mapping[str, Any]
    report: Mapping[str, Any]
    path: Path
    manifest: Mapping[str, Any]

    @property
    def terminates_protected(self) -> bool:
        """Whether the CDK CLI sets termination protection on the stack."""
        return bool(self.manifest["properties"].get("terminationProtection"))

    @property
    def notes(self) -> list[str]:
        """What the CDK CLI prints about the stack at each synthesis and deployment."""
        metadata = json.loads((self.path.parent / self.manifest["additionalMetadataFile"]).read_text())
        return [entry["data"] for entries in metadata.values() for entry in entries if entry["type"] == "aws:cdk:info"]

    def resources(self, kind: str) -> dict[str, dict[str, Any]]:
        """The resources of a type, such as AWS::SQS::Queue, by logical id."""
        return {name: found for name, found in self.template["Resources"].items() if found["Type"] == kind}

    def properties(self, kind: str) -> list[dict[str, Any]]:
        """The properties of every resource of a type."""
        return [found["Properties"] for found in self.resources(kind).values()]

    def output(self, name: str) -> Any:
        """An output's value, references as they stand in the template."""
        return self.template["Outputs"][name]["Value"]


@cache
def synthesise(region: str = REGIONS[0], **keys: object) -> Synthesis:
    """Synthesise with the context *keys*, to be checked for *region*; the functions' code is a stub.

    Kept in .build/ for the other processes of a test run, and until something changes that goes in; or in the folder
    that KEPT_IN names, for a process that runs other code than the files hold: a mutant's.
    """
    lines = [*(f"{key}={value!r}" for key, value in sorted(keys.items())), *_sources()]
    name = hashlib.sha256("\n".join(lines).encode()).hexdigest()[:24]
    kept = Path(os.environ.get(KEPT_IN, ROOT / ".build" / "synthesis"))
    folder = once(kept / name, lambda made: _synthesise(made, keys))
    artifacts = json.loads((folder / "manifest.json").read_text())["artifacts"]
    [manifest] = [found for found in artifacts.values() if found["type"] == "aws:cloudformation:stack"]
    path = folder / manifest["properties"]["templateFile"]
    return Synthesis(
        region=region,
        template=json.loads(path.read_text()),
        report=json.loads((folder / "validation-report.json").read_text()),
        path=path,
        manifest=manifest,
    )


@cache
def _sources() -> tuple[str, ...]:
    """What a template is made from: the checkout's code and settings, and the libraries' versions."""
    files = [ROOT / "cdk.json", ROOT / "requirements.txt", Path(__file__)]
    files += [path for part in ("infra", "lambdas") for path in sorted((ROOT / part).rglob("*.py"))]
    return (sys.version, *(f"{path} {hashlib.sha256(path.read_bytes()).hexdigest()}" for path in files))


def _synthesise(folder: Path, keys: Mapping[str, object]) -> None:
    os.environ.setdefault("JSII_NODE", str(Path(sys.executable).with_name("node")))  # needs no node on the path
    from aws_cdk import App, Validations  # here: it takes seconds and starts Node
    from aws_cdk import aws_lambda as lambda_
    from cdk_nag import AwsSolutionsChecks, NIST80053R5Checks, ServerlessChecks

    from infra.stack import SesFeedbackStack

    flags = json.loads((ROOT / "cdk.json").read_text())["context"]
    app = App(context=flags, outdir=str(folder), analytics_reporting=False)
    SesFeedbackStack(
        app,
        context=Context.read({"operator_email": "ops@agency.example", **keys}),
        target=LAMBDA,
        code=lambda _folder: lambda_.Code.from_inline("pass"),
    )
    Validations.of(app).add_plugins(AwsSolutionsChecks(app), ServerlessChecks(app), NIST80053R5Checks(app))
    try:
        app.synth()
    except RuntimeError as error:
        if "ValidationFailed" not in str(error):
            raise  # what the checks found stands in the report


def text(value: Any) -> str:
    """A value with its references written as ${Name}, so that ARNs can be read and compared."""
    match value:
        case {"Ref": str(name)}:
            return f"${{{name}}}"
        case {"Fn::GetAtt": [str(resource), str(attribute)]}:
            return f"${{{resource}.{attribute}}}"
        case {"Fn::Join": [str(separator), list(parts)]}:
            return separator.join(map(text, parts))
        case _:
            return str(value)


def as_list(value: Any) -> list[Any]:
    """IAM writes a single value without its list."""
    return value if isinstance(value, list) else [value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One statement of a policy, its references written out."""

    effect: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    condition: Mapping[str, Mapping[str, Any]]
    principals: tuple[str, ...] = ()

    def context(self, operator: str, key: str) -> list[str]:
        """The values of one condition; empty when it is not there."""
        return [text(value) for value in as_list(self.condition.get(operator, {}).get(key, []))]


def statements(document: Mapping[str, Any]) -> Iterator[Statement]:
    """The statements of a policy document."""
    for found in document["Statement"]:
        principal = found.get("Principal", {})
        services = (
            [principal] if isinstance(principal, str) else [one for kind in principal.values() for one in as_list(kind)]
        )
        yield Statement(
            effect=found["Effect"],
            actions=tuple(as_list(found["Action"])),
            resources=tuple(text(one) for one in as_list(found.get("Resource", "*"))),
            condition=found.get("Condition", {}),
            principals=tuple(map(text, services)),
        )


def roles(synthesis: Synthesis) -> dict[str, list[Statement]]:
    """What each function may do, by its name in the `Functions` output."""
    functions = synthesis.resources("AWS::Lambda::Function")
    found: dict[str, list[Statement]] = {}
    for name, logical_id in logical_ids(synthesis, "Functions").items():
        role = functions[logical_id]["Properties"]["Role"]["Fn::GetAtt"][0]
        policies = [one for one in synthesis.properties("AWS::IAM::Policy") if {"Ref": role} in one["Roles"]]
        found[name] = [statement for one in policies for statement in statements(one["PolicyDocument"])]
    return found


def logical_ids(synthesis: Synthesis, output: str) -> dict[str, str]:
    """The logical ids that an output's map names: of tables, queues or functions."""
    parts = synthesis.output(output)["Fn::Join"][1]
    described = "".join(part if isinstance(part, str) else next(iter(part.values())) for part in parts)
    loaded: dict[str, str] = json.loads(described)
    return loaded
