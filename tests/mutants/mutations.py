"""Small changes to a source file that its tests should notice: a condition negated, a call or an argument left out."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REMOVE = "(removed)"
_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Add,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}
_TYPES = ("Callable", "Mapping", "tuple", "dict")  # of which a type with a name is made: only mypy reads it
_LOGGING = ("debug", "info", "warning", "error", "exception")


@dataclass(frozen=True, slots=True, order=True)
class Mutant:
    """One change to one file.

    `number` is its place among the file's changes, `before` and `after` are source text, `where` is the function and
    the first line of the statement that it stands in. `called` says whether it runs in calls, or when it is imported.
    """

    path: str
    line: int
    number: int
    before: str
    after: str
    where: str
    called: bool

    @property
    def key(self) -> tuple[str, str, str, str]:
        """Stays the same while file, function, statement and change do, wherever they move to in the file."""
        return self.path, self.where, self.before, self.after


@dataclass(frozen=True, slots=True)
class _Site:
    """A place in a tree: `node` stands in *parent*'s *field*, at *index* if that is a list, and may become *after*."""

    parent: ast.AST
    field: str
    index: int | None
    node: ast.AST
    after: ast.AST | None
    where: str
    called: bool

    def apply(self) -> None:
        if self.index is None:
            setattr(self.parent, self.field, self.after)
            return
        entries: list[ast.AST] = getattr(self.parent, self.field)
        entries[self.index : self.index + 1] = [] if self.after is None else [self.after]
        if self.after is None and isinstance(self.parent, ast.Dict):
            del self.parent.keys[self.index]


def mutants(root: Path, path: str) -> list[Mutant]:
    """Every mutant of the file *path* under *root*, in the order of the text."""
    tree = ast.parse((root / path).read_text())
    return [
        Mutant(
            path, getattr(site.node, "lineno", 0), number, _text(site.node), _text(site.after), site.where, site.called
        )
        for number, site in enumerate(_sites(tree))
    ]


def mutated(source: str, number: int) -> ast.Module:
    """The tree of *source* with the change of that number made."""
    tree = ast.parse(source)
    next(site for count, site in enumerate(_sites(tree)) if count == number).apply()
    return ast.fix_missing_locations(tree)


def _text(node: ast.AST | None) -> str:
    return REMOVE if node is None else ast.unparse(node)


def _sites(node: ast.AST, where: str = "", function: str = "", *, called: bool = False) -> Iterator[_Site]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        function = f"{function}.{node.name}"
    if isinstance(node, ast.stmt):
        where = f"{function}: {ast.unparse(node).partition(chr(10))[0]}"
    for field, value in ast.iter_fields(node):
        if _is_no_behaviour(node, field):
            continue
        for index, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if isinstance(child, ast.AST) and not _is_passed_over(child):
                inside = called or (field == "body" and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
                for after in _variants(node, field, child):
                    yield _Site(node, field, index, child, after, where, inside)
                yield from _sites(child, where, function, called=inside)


def _is_no_behaviour(node: ast.AST, field: str) -> bool:
    """Types, decorators and slots of keys: nothing a test could notice, or nothing that would still be Python."""
    return field in ("annotation", "returns", "decorator_list", "bases", "ctx", "format_spec", "type_params") or (
        isinstance(node, ast.Dict) and field == "keys"
    )


def _is_passed_over(node: ast.AST) -> bool:
    match node:
        case ast.Import() | ast.ImportFrom() | ast.Assert() | ast.Global():
            return True
        case ast.Expr(value=ast.Constant()):  # a docstring, or `...`
            return True
        case ast.If(test=ast.Name(id="TYPE_CHECKING")) | ast.If(test=ast.Compare(left=ast.Name(id="__name__"))):
            return True
        case ast.ClassDef(bases=[ast.Name(id="Protocol"), *_]):
            return True
        case ast.FunctionDef(decorator_list=[*_, ast.Name(id="overload")]):
            return True
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr=name))) if name in _LOGGING:
            return True
        case ast.Assign(targets=[ast.Name(id=name)], value=value) if name.isupper() and _is_literal(value):
            return True  # a value with a name: tests use the name
        case ast.Assign(value=ast.Call(func=ast.Name(id="TypedDict" | "NewType" | "TypeVar"))):
            return True  # types, and what the documentation says of them
        case ast.Assign(value=ast.Subscript(value=ast.Name(id=name))) if name in _TYPES:
            return True
    return False


def _is_literal(value: ast.expr) -> bool:
    """A constant, or arithmetic of constants."""
    return all(isinstance(node, ast.Constant | ast.BinOp | ast.operator) for node in ast.walk(value))


def _variants(parent: ast.AST, field: str, node: ast.AST) -> Iterator[ast.AST | None]:
    match node:
        case ast.Compare(ops=[operator], left=left, comparators=comparators) if type(operator) in _COMPARISONS:
            yield ast.Compare(left=left, ops=[_COMPARISONS[type(operator)]()], comparators=comparators)
        case ast.BoolOp(op=operator, values=values):
            yield ast.BoolOp(op=ast.Or() if isinstance(operator, ast.And) else ast.And(), values=values)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield operand
        case ast.BinOp(left=left, op=operator, right=right) if type(operator) in _OPERATORS:
            yield ast.BinOp(left=left, op=_OPERATORS[type(operator)](), right=right)
        case ast.Constant(value=value):
            yield from _other_constants(parent, value)
        case ast.Continue():
            yield ast.Break()
        case ast.Break():
            yield ast.Continue()
        case ast.Return(value=ast.expr() as value) if not isinstance(value, ast.Constant):
            yield ast.Return(value=ast.Constant(value=None))
        case ast.Expr(value=ast.Call() | ast.Await()):
            yield ast.Pass()
        case ast.keyword(arg=str()) if isinstance(parent, ast.Call):
            yield None
    if (
        isinstance(node, ast.expr)
        and field in ("test", "ifs")
        and isinstance(node, ast.Name | ast.Call | ast.Attribute)
    ):
        yield ast.UnaryOp(op=ast.Not(), operand=node)
    if field == "elts" and isinstance(parent, ast.Tuple | ast.List | ast.Set) and _is_display(parent):
        yield None
    if field == "values" and isinstance(parent, ast.Dict):
        yield None


def _is_display(parent: Any) -> bool:
    return len(parent.elts) > 1 and isinstance(parent.ctx if hasattr(parent, "ctx") else ast.Load(), ast.Load)


def _other_constants(parent: ast.AST, value: object) -> Iterator[ast.AST]:
    match value:
        case bool():
            yield ast.Constant(value=not value)
        case int() | float():
            yield ast.Constant(value=value + 1)
        case str() if value and not _is_prose(value) and not isinstance(parent, ast.JoinedStr):
            yield ast.Constant(value=f"{value}x")


def _is_prose(text: str) -> bool:
    return " " in text and "=" not in text
