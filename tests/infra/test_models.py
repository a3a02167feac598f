"""botocore's models, slimmed."""

import gzip
import json
import shutil
from pathlib import Path

import botocore
from botocore.loaders import Loader
from botocore.session import Session

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


def test_slimmed_models_still_know_the_fips_endpoints(tmp_path: Path) -> None:
    """The hosts come from each service's endpoint rules, and the partitions' file."""
    whole = Path(botocore.__file__).parent / "data"
    for service in ("sqs", "kms", "sesv2"):
        shutil.copytree(whole / service, tmp_path / service)
    for name in ("endpoints.json", "partitions.json", "_retry.json", "sdk-default-configuration.json"):
        shutil.copyfile(whole / name, tmp_path / name)
    slim(tmp_path, ["sqs", "kms", "sesv2"])
    session = Session()
    session.register_component("data_loader", Loader([str(tmp_path)], include_default_search_paths=False))
    session.set_config_variable("use_fips_endpoint", True)

    def hosts(region: str) -> list[str]:
        return [
            session.create_client(
                service, region_name=region, aws_access_key_id="x", aws_secret_access_key="x"
            ).meta.endpoint_url
            for service in ("sqs", "kms", "sesv2")
        ]

    assert hosts("us-east-1") == [
        "https://sqs-fips.us-east-1.amazonaws.com",
        "https://kms-fips.us-east-1.amazonaws.com",
        "https://email-fips.us-east-1.amazonaws.com",
    ]
    assert hosts("us-gov-west-1") == [
        "https://sqs.us-gov-west-1.amazonaws.com",
        "https://kms-fips.us-gov-west-1.amazonaws.com",
        "https://email-fips.us-gov-west-1.amazonaws.com",
    ]
