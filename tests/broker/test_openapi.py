"""schemathesis over OSB's official OpenAPI file: every answer is one that the file allows.

The file is not ours to commit: OSB_OPENAPI says where it is, and without it these tests are skipped. It says itself
that the specification's text rules where the two differ, so it is completed by what only the text says (401 and 412 on
every call, 422 for an instance that is being updated), and by ids that exist here, to get beyond refusals.
"""

import json
import os
import subprocess
import sys
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from lambdas.broker.osb.catalog import SES_PLAN, SES_SERVICE
from tests.broker.serving import serving
from tests.broker.world import World

OPENAPI = os.environ.get("OSB_OPENAPI", "")
CONFIG = """
[checks.missing_required_header]
expected-statuses = [400, 412]

[checks.negative_data_rejection]
expected-statuses = [400, 401, 404, 405, 409, 410, 412, 422]

[checks.positive_data_acceptance]
expected-statuses = ["2xx", 400, 404, 409, 410, 422]
"""  # 400: a schema cannot say that a service is in the catalog

pytestmark = pytest.mark.skipif(not OPENAPI, reason="OSB_OPENAPI names no file")


def official() -> dict[str, Any]:
    """The file, with the answers that the specification's text demands beside it."""
    document: dict[str, Any] = yaml.safe_load(Path(OPENAPI).read_text())
    error = {"description": "as spec.md says", "content": {"application/json": {"schema": {"type": "object"}}}}
    for path in document["paths"].values():
        for method, operation in path.items():
            for status in ("401", "412", *(["422"] if method == "get" else [])):
                operation["responses"].setdefault(status, error)
    return document


def with_real_ids(document: dict[str, Any]) -> dict[str, Any]:
    """The file with ids that mean something here."""
    document = deepcopy(document)
    ids = {"instance_id": ["i1", "i2"], "binding_id": ["b1", "b2"]}
    ids |= {"service_id": [SES_SERVICE], "plan_id": [SES_PLAN]}
    for path in document["paths"].values():
        for operation in path.values():
            for parameter in operation["parameters"]:
                if parameter.get("name") in ids:
                    parameter["schema"]["enum"] = ids[parameter["name"]]
                if parameter.get("name") == "accepts_incomplete":
                    parameter["schema"]["enum"] = [True]
    for name, schema in document["components"]["schemas"].items():
        if "Request" in name:
            for field in ("service_id", "plan_id"):
                schema["properties"][field]["enum"] = ids[field]
            good = {"admin_email": "admin@agency.gov"} if "Instance" in name else {}
            schema["properties"]["parameters"] = {"type": "object", "enum": [good, {}]}
    return document


@pytest.mark.parametrize("complete", [lambda document: document, with_real_ids], ids=["as it is", "with real ids"])
def test_schemathesis_finds_nothing(complete: Any, tmp_path: Path) -> None:
    """Generated calls, right and wrong ones, in order and out of it."""
    (tmp_path / "openapi.json").write_text(json.dumps(complete(official())))
    (tmp_path / "schemathesis.toml").write_text(CONFIG)
    with serving(World()) as url:
        run = subprocess.run(
            [
                *(str(Path(sys.executable).with_name("schemathesis")), "--config-file", "schemathesis.toml"),
                *("run", "openapi.json", "--url", url, "--auth", "broker:secret", "--seed", "1"),
                *("--header", "X-Broker-API-Version: 2.17", "--max-examples", "12", "--continue-on-failure"),
                *("--checks", "all", "--warnings", "off", "--no-color", "--no-shrink"),
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )
    assert run.returncode == 0, run.stdout[-6000:] + run.stderr[-1000:]
