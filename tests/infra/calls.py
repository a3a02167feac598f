"""Which AWS calls each function's entry point can reach, read from the source.

Names alone are followed: a function that mentions `send` reaches every `send` in its bundle. So this may find too
much, never too little; the client's service is the one whose types the adapter's module imports.
"""

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from botocore import xform_name
from botocore.session import Session

from infra.sources import sources

_CLIENT_NAMES = ("_client", "client", "_kms", "_sns", "_sqs", "_dynamodb")
_WRITES = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem"}
_ENTRY = "<entry>"  # not by its name: other functions are called `release` too
_LOADER = Session()


@dataclass(slots=True)
class _Definition:
    mentions: set[str] = field(default_factory=set)
    calls: set[tuple[str, str]] = field(default_factory=set)


def reachable_calls(root: Path, folder: str, entry: str) -> set[tuple[str, str]]:
    """(service, operation) pairs, such as ("sesv2", "CreateEmailIdentity"), that the entry point can come to."""
    definitions = _definitions(sources(root, folder), f"lambdas/{folder}/handler.py", entry)
    seen: set[str] = set()
    waiting = [_ENTRY]
    calls: set[tuple[str, str]] = set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        for definition in definitions.get(name, ()):
            calls |= definition.calls
            waiting += definition.mentions - seen
    return calls


def _definitions(files: Mapping[str, Path], handler: str, entry: str) -> dict[str, list[_Definition]]:
    found: dict[str, list[_Definition]] = defaultdict(list)
    for name, path in files.items():
        if path.suffix != ".py":
            continue
        tree = ast.parse(path.read_text())
        service = _service(tree)
        for defined, node in _named(tree):
            start = name == handler and defined == entry
            found[_ENTRY if start else defined].append(_read(node, service))
    return found


def _service(tree: ast.Module) -> str | None:
    """The one service whose client the module is written for; None when it is for none or several."""
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
    services = {module.split(".")[0].removeprefix("types_boto3_") for module in modules if "types_boto3_" in module}
    return services.pop() if len(services) == 1 else None


def _named(tree: ast.Module) -> Iterator[tuple[str, ast.AST]]:
    """Functions and methods by name, a class by its construction, a module's variables by what they are made of."""
    for node in tree.body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name, node
            case ast.ClassDef(name=name):
                yield from _members(name, node)
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                yield name, node


def _members(name: str, node: ast.ClassDef) -> Iterator[tuple[str, ast.AST]]:
    for base in node.bases:
        yield name, base
    for member in node.body:
        if isinstance(member, ast.FunctionDef | ast.AsyncFunctionDef):
            construction = member.name.startswith("__")
            yield (name if construction else member.name), member


def _read(node: ast.AST, service: str | None) -> _Definition:
    read = _Definition()
    for inner in ast.walk(node):
        match inner:
            case ast.Call(func=ast.Attribute(value=owner, attr=operation), args=arguments) if service and _is_client(
                owner
            ):
                if operation == "get_paginator":
                    operation = _constant(arguments[0])
                if named := _operations(service).get(operation):
                    read.calls.add((service, named))
            case ast.Dict(keys=keys) if service == "dynamodb":
                read.calls |= {("dynamodb", written) for key in keys if (written := _WRITES.get(_constant(key)))}
            case ast.Name(id=name) | ast.Attribute(attr=name):
                read.mentions.add(name)
    return read


def _constant(node: ast.expr | None) -> str:
    return str(node.value) if isinstance(node, ast.Constant) else ""


def _is_client(owner: ast.expr) -> bool:
    match owner:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name in _CLIENT_NAMES
        case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name)):
            return name in _CLIENT_NAMES
    return False


@cache
def _operations(service: str) -> dict[str, str]:
    return {xform_name(name): name for name in _LOADER.get_service_model(service).operation_names}
