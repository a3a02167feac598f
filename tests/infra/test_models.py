"""botocore's models, slimmed."""

import gzip
import json
from pathlib import Path

from infra.models import slim


def a_botocore(folder: Path) -> Path:
    for service, prefix in {"sqs": "sqs", "sesv2": "email", "s3": "s3"}.items():
        path = folder / service / "2020-01-01"
        path.mkdir(parents=True)
        shape = {"type": "structure", "documentation": "<p>Long.</p>"}
        members = {"documentation": {"shape": "Text"}}
        model = {
            "metadata": {"endpointPrefix": prefix},
            "documentation": "<p>Longer.</p>",
            "shapes": {"Help": {**shape, "members": members}},
        }
        (path / "service-2.json.gz").write_bytes(gzip.compress(json.dumps(model).encode()))
        (path / "examples-1.json").write_text("{}")
    services = {"sqs": {"a": 1}, "email": {"b": 2}, "s3": {"c": 3}}
    (folder / "endpoints.json").write_text(json.dumps({"partitions": [{"partition": "aws", "services": services}]}))
    return folder


def test_models_of_other_services_examples_and_manuals_go(tmp_path: Path) -> None:
    """A member that happens to be named documentation is no manual."""
    data = a_botocore(tmp_path)

    slim(data, ["sqs", "sesv2"])

    assert {path.name for path in data.iterdir()} == {"sqs", "sesv2", "endpoints.json"}
    assert [path.name for path in (data / "sqs" / "2020-01-01").iterdir()] == ["service-2.json"]
    model = json.loads((data / "sqs" / "2020-01-01" / "service-2.json").read_text())
    assert "documentation" not in model
    assert model["shapes"]["Help"] == {"type": "structure", "members": {"documentation": {"shape": "Text"}}}


def test_endpoints_are_kept_by_the_name_that_botocore_looks_them_up_by(tmp_path: Path) -> None:
    """SES's API v2 is `email` there."""
    data = a_botocore(tmp_path)

    slim(data, ["sesv2"])

    (partition,) = json.loads((data / "endpoints.json").read_text())["partitions"]
    assert partition["services"] == {"email": {"b": 2}}
