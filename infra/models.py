"""botocore's models in a bundle: only services that the function calls, without documentation.

A cold start reads them all. Most of a service's model is documentation, and most of `endpoints.json` is about other
services: without both, delivery's first event takes 70 ms of CPU less (docs/decisions/0801).
"""

import gzip
import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

_MODEL = "service-2.json"
_EXAMPLES = "examples-1.json"
_ENDPOINTS = "endpoints.json"


def slim(data: Path, services: Iterable[str]) -> None:
    """Keep in botocore's folder *data* only what clients of *services* read. Does nothing without such a folder."""
    if not data.is_dir():
        return
    wanted = set(services)
    for path in list(data.iterdir()):
        if path.is_dir() and path.name not in wanted:
            shutil.rmtree(path)
    for path in list(data.glob(f"*/*/{_EXAMPLES}")):
        path.unlink()
    prefixes = {_without_manual(path) for path in sorted(data.glob(f"*/*/{_MODEL}.gz"))}
    if prefixes:
        _keep_endpoints(data / _ENDPOINTS, prefixes)


def _without_manual(path: Path) -> str:
    """Rewrite a service's model, unpacked and without documentation. Returns the service's name in `endpoints.json`."""
    model = json.loads(gzip.decompress(path.read_bytes()))
    path.with_suffix("").write_text(_compact(_undocumented(model)))
    path.unlink()
    return str(model["metadata"]["endpointPrefix"])


def _undocumented(value: Any) -> Any:
    """*value* without texts named `documentation`; a member of that name, a shape, stays."""
    if isinstance(value, dict):
        return {
            name: _undocumented(inner)
            for name, inner in value.items()
            if not (name == "documentation" and isinstance(inner, str))
        }
    return [_undocumented(inner) for inner in value] if isinstance(value, list) else value


def _keep_endpoints(path: Path, prefixes: set[str]) -> None:
    endpoints = json.loads(path.read_text())
    for partition in endpoints["partitions"]:
        partition["services"] = {name: known for name, known in partition["services"].items() if name in prefixes}
    path.unlink()  # a hard link into uv's cache: writing in place would change every environment on the machine
    path.write_text(_compact(endpoints))


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))
