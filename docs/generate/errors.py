"""docs/errors.md: every error that the broker answers, read from its code, with bodies that the broker itself wrote."""

import ast
import inspect
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from lambdas.broker.osb import errors
from lambdas.broker.osb.errors import BrokerError
from lambdas.broker.osb.requests import Response
from lambdas.domain.errors import Throttled
from tests.broker.world import World, settings

BROKER = Path(inspect.getfile(errors)).parents[1]
KINDS: dict[str, type[BrokerError]] = {
    name: value
    for name, value in vars(errors).items()
    if isinstance(value, type) and issubclass(value, BrokerError) and name != "Unprocessable"  # never raised itself
}


def error_reference() -> str:
    """The page, in Markdown."""
    found = descriptions()
    parts = [_HEAD, _table()]
    parts += [_section(name, kind, found.get(name, [])) for name, kind in _ordered()]
    return "\n".join(parts)


def descriptions() -> dict[str, list[str]]:
    """Each class's descriptions as the code writes them; `<name>` stands for what is filled in."""
    found: dict[str, list[str]] = {}
    trees = [ast.parse(path.read_text()) for path in sorted(BROKER.rglob("*.py"))]
    shared = {name: node for tree in trees for name, node in _constants(tree).items() if name.isupper()}
    for tree in trees:
        for name, text in _raised(tree, _Texts(shared | _constants(tree))):
            if text not in found.setdefault(name, []):
                found[name].append(text)
    return found


def example(name: str) -> Response:
    """An answer of the error *name*, from the whole broker on fakes."""
    world = World(settings=settings(instances_per_organization=1))
    return _EXAMPLES[name](world)


def _raised(tree: ast.AST, texts: "_Texts") -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in KINDS and node.args:
            yield node.func.id, ": ".join(map(texts.of, node.args))


def _constants(tree: ast.AST) -> dict[str, ast.expr]:
    """What a module assigns to a name once, if it is a text or a number."""
    found: dict[str, list[ast.expr]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found.setdefault(node.targets[0].id, []).append(node.value)
    return {name: values[0] for name, values in found.items() if len(values) == 1 and _is_text(values[0])}


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str | int))


@dataclass(frozen=True, slots=True)
class _Texts:
    """Messages' source as text: literals as they are, anything else as `<name>`."""

    constants: Mapping[str, ast.expr]

    def of(self, node: ast.expr) -> str:
        match node:
            case ast.Constant(value=str(text)):
                return re.sub(r"\{(\w+)\}", r"<\1>", text)  # what str.format will fill in
            case ast.Constant(value=int(number)):
                return str(number)
            case ast.Name(id=name) if name in self.constants:
                return self.of(self.constants[name])
            case ast.JoinedStr(values=values):
                return "".join(map(self.of, values))
            case ast.FormattedValue(value=value) | ast.Call(func=ast.Attribute(value=value, attr="format")):
                return self.of(value)
            case ast.Call(func=ast.Attribute(attr="name"), args=[ast.Constant(value=str(field))]):
                return field  # fields.name("notification_batch")
            case ast.Call(args=[first, *_]):
                return f"<{_name(first)}>"
            case _:
                return f"<{_name(node)}>"


def _name(node: ast.expr) -> str:
    """The last name in an expression: `known.operation.kind` is `kind`."""
    names = [part.attr if isinstance(part, ast.Attribute) else part.id for part in _names(node)]
    return names[0].strip("_").lower() if names else "value"


def _names(node: ast.expr) -> list[ast.Attribute | ast.Name]:
    return [part for part in ast.walk(node) if isinstance(part, ast.Attribute | ast.Name)]


def _ordered() -> list[tuple[str, type[BrokerError]]]:
    return sorted(KINDS.items(), key=lambda item: (item[1].status, item[1].code, item[0]))


def _title(name: str, kind: type[BrokerError]) -> str:
    return f"{kind.status} {kind.code}" + (" (no such path)" if name == "NoSuchRoute" else "")


def _table() -> str:
    rows = ["| status | `error` | cause |", "|---|---|---|"]
    rows += [f"| {kind.status} | `{kind.code}` | {_cause(kind)} |" for _, kind in _ordered()]
    return "\n".join(rows) + "\n"


def _cause(kind: type[BrokerError]) -> str:
    return inspect.cleandoc(kind.__doc__ or "").split("\n\n")[0].replace("\n", " ")


def _section(name: str, kind: type[BrokerError], texts: list[str]) -> str:
    shown = "\n".join(f"- `{text}`" for text in sorted(texts))
    listed = f"\nDescriptions (`<...>` is filled in):\n\n{shown}\n" if len(texts) > 1 else ""
    return (
        f"## {_title(name, kind)}\n\n{_cause(kind)}\n\n**What to do**: {kind.remedy}\n\n"
        f"```http\n{_rendered(example(name))}\n```\n{listed}"
    )


def _rendered(answer: Response) -> str:
    headers = "".join(f"{name}: {value}\n" for name, value in answer.headers.items())
    return f"HTTP/1.1 {answer.status}\n{headers}\n{json.dumps(answer.body, indent=2, ensure_ascii=False)}"


def _after(*steps: Callable[[World], object], then: Callable[[World], Response]) -> Callable[[World], Response]:
    def play(world: World) -> Response:
        for step in steps:
            step(world)
        return then(world)

    return play


def _failing(call: str, fault: Exception, then: Callable[[World], Response]) -> Callable[[World], Response]:
    return _after(lambda world: world.gate.failing.update({call: fault}), then=then)


def _parameters(**given: object) -> dict[str, object]:
    return {"admin_email": "admin@agency.gov", "domain": "agency.gov", **given}


_EXAMPLES: dict[str, Callable[[World], Response]] = {
    "BrokerError": _failing("FakeTable.instance", RuntimeError("a fault"), lambda world: world.poll()),
    "Busy": _failing("FakeTable.instance", Throttled(1.0), lambda world: world.poll()),
    "Unauthorized": lambda world: world.call("GET", "/v2/catalog", headers={"authorization": ""}),
    "VersionUnsupported": lambda world: world.call("GET", "/v2/catalog", headers={"x-broker-api-version": ""}),
    "NoSuchRoute": lambda world: world.call("GET", "/v2/other"),
    "MethodNotAllowed": lambda world: world.call("POST", "/v2/catalog"),
    "TooLarge": lambda world: world.call("PUT", "/v2/service_instances/i1", b" " * 2_000_000),
    "BadRequest": lambda world: world.provision(service_id="other"),
    "BadParameter": lambda world: world.provision(parameters=_parameters(admin_email="nobody")),
    "NotFound": lambda world: world.fetch("never-seen"),
    "Gone": lambda world: world.deprovision("never-seen"),
    "Conflict": _after(World.ready, then=lambda world: world.provision(parameters=_parameters(domain="other.gov"))),
    "DomainConflict": _after(World.ready, then=lambda world: world.provision("i2", organization_guid="org-2")),
    "ChangeUnsupported": _after(World.ready, then=lambda world: world.update(parameters={"domain": "other.gov"})),
    "InUse": _after(World.ready, World.bind, then=lambda world: world.deprovision()),
    "QuotaExceeded": _after(
        World.ready, then=lambda world: world.provision("i2", parameters=_parameters(domain="other.gov"))
    ),
    "AsyncRequired": lambda world: world.provision(incomplete=False),
    "ConcurrencyError": _after(World.provision, then=lambda world: world.bind()),
    "MaintenanceInfoConflict": lambda world: world.provision(maintenance_info={"version": "9.9.9"}),
}

_HEAD = """# Errors of the broker

Each refusal is JSON with two fields: `error`, which is stable, for programs, and `description`, for people, which names
the field and what is right. Platforms show the description: `cf` prints it after "Service broker error". Failures of an
operation that was accepted (202) are in `last_operation`, and in `cf service`.

`python -m docs.generate` writes this page from the broker's code; the bodies are answers of the broker.
"""
