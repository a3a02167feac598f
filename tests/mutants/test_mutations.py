"""What is changed, and what is let alone, by `make mutants`."""

import ast
from pathlib import Path
from unittest.mock import Mock

import pytest

from tests.mutants.__main__ import EQUIVALENT, ROOT, files
from tests.mutants.mutations import REMOVE, mutants, mutated
from tests.mutants.recording import without_group

SOURCE = '''
"""A docstring stays."""
from x import y

LIMIT = 5  # a number with a name stays


def put(table: "str", items: list[int], *, limit: int = 3) -> bool:
    """This too."""
    if not items:
        return check(items)
    logger.info("items were put", extra={"items": 1})
    table.put_item(Item=items, ConsistentRead=True)
    return len(items) < limit and "pk" in items[0]
'''


def changes(tmp_path: Path, source: str = SOURCE) -> dict[str, str]:
    """What each changed expression becomes; the last, where there are several."""
    (tmp_path / "a.py").write_text(source)
    return {one.before: one.after for one in mutants(tmp_path, "a.py")}


def test_conditions_calls_arguments_and_constants_are_changed(tmp_path: Path) -> None:
    """What a test of behaviour notices."""
    found = changes(tmp_path)
    assert found["not items"] == "items"
    assert found["return check(items)"] == "return None"
    assert found["table.put_item(Item=items, ConsistentRead=True)"] == "pass"
    assert found["ConsistentRead=True"] == REMOVE
    assert found["len(items) < limit"] == "len(items) <= limit"
    assert found["len(items) < limit and 'pk' in items[0]"] == "len(items) < limit or 'pk' in items[0]"
    assert found["'pk'"] == "'pkx'"
    assert found["3"] == "4"


def test_a_change_knows_whether_it_runs_in_calls_or_at_import(tmp_path: Path) -> None:
    """What runs at import is noticed by any test of the file: which test imported it first says nothing."""
    (tmp_path / "a.py").write_text(SOURCE)
    called = {one.before: one.called for one in mutants(tmp_path, "a.py")}
    assert called["not items"]
    assert called["return len(items) < limit and 'pk' in items[0]"]
    assert not called["3"]


def test_docstrings_types_imports_logging_and_named_numbers_are_let_alone(tmp_path: Path) -> None:
    """A test of those would repeat them."""
    text = " ".join(changes(tmp_path))
    for quiet in ("docstring", "'str'", "items were put", "import", "LIMIT", "extra"):
        assert quiet not in text


def test_a_type_with_a_name_is_let_alone(tmp_path: Path) -> None:
    """Only mypy reads it. A tuple or a table of values is no type."""
    types = 'Clock = Callable[[], "datetime"]\nKey = tuple[str, "Id"]\nId = NewType("Id", str)\n'
    assert changes(tmp_path, types) == {}
    assert changes(tmp_path, "PAIRS = TABLE['a', 'b']\n")


def test_each_mutant_is_one_change_and_is_python(tmp_path: Path) -> None:
    """A change that does not compile would be noticed by any test."""
    (tmp_path / "a.py").write_text(SOURCE)
    original = ast.unparse(ast.parse(SOURCE))
    trees = [ast.unparse(mutated(SOURCE, one.number)) for one in mutants(tmp_path, "a.py")]
    assert len(trees) == len(set(trees)) > 10
    for tree in trees:
        compile(tree, "a.py", "exec")
        assert tree != original


def test_a_changed_value_of_a_dictionary_keeps_its_key() -> None:
    """Else the change would be no Python, which every test notices. A value that is left out takes its key along."""
    source = 'NAMES = {"a": 1, "b": x == y}\n'
    changed = {ast.unparse(mutated(source, number)) for number in range(4)}
    assert changed == {
        "NAMES = {'a': 2, 'b': x == y}",
        "NAMES = {'b': x == y}",
        "NAMES = {'a': 1, 'b': x != y}",
        "NAMES = {'a': 1}",
    }


def test_a_mutant_keeps_its_key_when_it_moves(tmp_path: Path) -> None:
    """So that what was found to be equivalent stays so."""
    (tmp_path / "a.py").write_text(SOURCE)
    before = {one.key for one in mutants(tmp_path, "a.py")}
    assert len(before) == len(mutants(tmp_path, "a.py"))
    (tmp_path / "a.py").write_text("import os\n\n" + SOURCE)
    assert {one.key for one in mutants(tmp_path, "a.py")} == before


def test_a_test_that_xdist_keeps_in_a_group_is_found_again_by_its_id() -> None:
    """Under a name with the group's, pytest finds no test, and its error looks like a test that noticed."""
    grouped = Mock(nodeid="test_a.py::test_b[x]@infra", iter_markers=lambda _: [pytest.mark.xdist_group("infra").mark])
    alone = Mock(nodeid="test_a.py::test_b[x@y]", iter_markers=lambda _: [])
    assert without_group(grouped) == "test_a.py::test_b[x]"
    assert without_group(alone) == "test_a.py::test_b[x@y]"


def test_what_is_called_equivalent_is_there_and_has_a_reason() -> None:
    """An entry whose code is gone is removed with it."""
    for entry in EQUIVALENT:
        assert entry["path"] in files(ROOT)
        assert (entry["path"], entry["where"], entry["before"], entry["after"]) in {
            one.key for one in mutants(ROOT, entry["path"])
        }, entry
        assert len(entry["reason"]) > 10


def test_what_runs_in_lambda_and_what_makes_the_template_is_tried() -> None:
    """Found by folder: adapters, rules, functions, roles. What builds bundles is not."""
    found = files(ROOT)
    assert {path.split("/")[0] for path in found} == {"lambdas", "infra"}
    assert any("aws" in path for path in found)
    assert any("roles" in path for path in found)
    assert any("portal" in path for path in found)
    assert "infra/bundle.py" not in found
    assert len(found) > 100
