"""The template as text that people read: a whole one, and what each way to deploy changes in it.

`python -m tests.infra.snapshots` writes tests/infra/snapshots/ anew; tests/infra/test_snapshots.py compares.
"""

import difflib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.infra.synthesis import Synthesis, synthesise, text
from tests.snapshots import as_yaml

FOLDER = Path(__file__).with_name("snapshots")
COMMAND = "python -m tests.infra.snapshots"
_SECTIONS = ("Parameters", "Mappings", "Conditions", "Resources", "Outputs")
_OF_THE_CDK = ("BootstrapVersion",)  # stands in every template
_CLIENT_SECRET = "arn:aws:secretsmanager:us-east-1:111122223333:secret:client-AbCdEf"
_ZONE_SECRET = "arn:aws-us-gov:secretsmanager:us-gov-west-1:111122223333:secret:zone-AbCdEf"
_ZONE = {"zone_name": "mail.example.gov", "zone_id": "Z0123456789ABC"}
_SIGN_IN = {"portal_issuer": "https://id.example.gov", "portal_client_secret_arn": _CLIENT_SECRET}

EVERY_SETTING: dict[str, object] = {  # what adds and removes no resource, set to what is no default
    "stack_name": "Mail-alerts",
    "operator_email": "mail@agency.example",
    "dmarc_policy": "reject",
    "dmarc_aggregate_recipients": "dmarc@agency.example",
    "fips": "on",
    "allowed_cidrs": "10.0.0.0/8,192.168.0.0/16",
    "allow_http": "true",
    "private_ca_bundle": __file__,  # any file
    "attempt_seconds": 16,
    "retry_seconds": "1,2,3",
    "probe_seconds": "4,5",
    "failing_seconds": 31,
    "disabled_seconds": 3_600,
    "release_seconds": 45,
    "warn_bounce_rate": 0.021,
    "pause_bounce_rate": 0.041,
    "warn_complaint_rate": 0.00041,
    "pause_complaint_rate": 0.00081,
    "reputation_outcomes": 10_001,
    "reputation_days": 29,
    "reputation_floor_outcomes": 501,
    "reputation_floor_bounces": 6,
    "reputation_floor_complaints": 12,
    "reputation_floor_warning_complaints": 3,
    "cell": "east",
    "catalog_display_name": "Mail",
    "catalog_provider": "The agency",
    "catalog_documentation_url": "https://docs.agency.gov/mail",
    "catalog_support_url": "https://help.agency.gov/mail",
    "portal_url": "https://mail.agency.gov",
    "portal_self_resume": "true",
    "portal_self_resume_hours": 25,
    "portal_self_resume_days": 91,
    "portal_requests_per_second": 21,
    "portal_burst": 61,
    "webhooks_per_instance": 22,
    "bindings_per_instance": 42,
    "instances_per_organization": 101,
    "confirmation_mails_per_day": 11,
    "allowed_public_suffixes": "gov.uk",
    "suppression": "off",
    "broker_requests_per_second": 23,
    "broker_burst": 43,
    "ses_calls_per_second": 1.5,
    "feedback_batch_size": 1_001,
    "feedback_batch_window_seconds": 2,
    "feedback_concurrency": 12,
    "delivery_batch_size": 1_002,
    "delivery_batch_window_seconds": 3,
    "delivery_concurrency": 24,
    "slow_delivery_concurrency": 13,
    "worker_concurrency": 5,
    "log_retention_days": 7,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A way to deploy: its context keys, and the variant that it is compared with."""

    keys: Mapping[str, object]
    base: str = "standard"


VARIANTS = {  # where another test needs a template, it uses the same keys: a synthesis takes a second
    "standard": Variant(keys={}, base=""),
    "protected": Variant(keys={"protect": "true"}),
    "trial": Variant(keys={"production": "false"}),
    "zone-and-private-networks": Variant(
        keys={
            "delivery_subnet_ids": "subnet-0123456a,subnet-0123456b",
            "delivery_security_group_ids": "sg-0123456a",
            "privatelink_vpc_id": "vpc-0123456a",
            "privatelink_subnet_ids": "subnet-0123456a",
            "privatelink_cidrs": "10.0.0.0/8",
            **_ZONE,
        }
    ),
    "zone-elsewhere": Variant(
        keys={
            **_ZONE,
            "zone_credentials_secret_arn": _ZONE_SECRET,
        }
    ),
    "daily-cap": Variant(keys={"mails_per_instance_and_day": 50_000}),
    "restricted-url": Variant(keys={"broker_allowed_cidrs": "203.0.113.0/24,198.51.100.7/32"}),
    "restricted-url-alone": Variant(
        keys={"broker_allowed_cidrs": "203.0.113.0/24,198.51.100.7/32", "broker_http_api": "false"},
        base="restricted-url",
    ),
    "portal": Variant(keys={"portal": "links"}),
    "portal-on-cloud-foundry": Variant(
        keys={"portal": "cloud-foundry", "portal_cloud_controller_url": "https://api.example.gov", **_SIGN_IN},
        base="portal",
    ),
    "portal-on-its-own-domain": Variant(
        keys={
            "portal": "oidc",
            "portal_operator_claim": "roles",
            "portal_operator_value": "operators",
            "portal_domain_name": "mail.example.gov",
            "portal_certificate_arn": "arn:aws:acm:us-east-1:111122223333:certificate/0123",
            **_SIGN_IN,
        },
        base="portal",
    ),
    "every-setting": Variant(base="portal", keys={"portal": "links", **EVERY_SETTING}),
}


def written(name: str) -> str:
    """The text of a variant's file: the whole template, or what it changes in its base's."""
    variant = VARIANTS[name]
    own = parts(synthesise(**variant.keys))
    return (
        difference(parts(synthesise(**VARIANTS[variant.base].keys)), own) if variant.base else "\n".join(own.values())
    )


def path_of(name: str) -> Path:
    """Where a variant's text is kept."""
    return FOLDER / (f"{name}.diff" if VARIANTS[name].base else f"{name}.yaml")


def parts(synthesis: Synthesis) -> dict[str, str]:
    """The stack's own settings, and each resource and output of its template, as YAML by its path in the template."""
    found: dict[str, Any] = {
        "Stack": {
            "Description": synthesis.template["Description"],
            "TerminationProtection": synthesis.terminates_protected,
            "Notes": synthesis.notes,
        }
    }
    for section in _SECTIONS:
        for name, value in synthesis.template.get(section, {}).items():
            if name not in _OF_THE_CDK:
                found[f"{section}/{name}"] = {key: one for key, one in value.items() if key != "Metadata"}
    return {path: as_yaml({path: _readable(value)}) for path, value in found.items()}


def difference(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    """What was added, removed and changed, each under the path of its resource."""
    changed = [path for path in {**before, **after} if before.get(path) != after.get(path)]
    return "\n".join(line for path in changed for line in _changes(path, before.get(path, ""), after.get(path, "")))


def _changes(path: str, before: str, after: str) -> Iterator[str]:
    if not after:
        yield from (f"- {path}", "")
        return
    if not before:
        yield from (f"+{line}" for line in after.splitlines())
        yield ""
        return
    yield path
    for line in list(difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=2))[2:]:
        if line.strip() != f"{path}:":
            yield "  ..." if line.startswith("@@") else line
    yield ""


def _readable(value: Any) -> Any:
    """References written as ${Name}, and JSON in a text as what it says."""
    match value:
        case {"Ref": _} | {"Fn::GetAtt": _} | {"Fn::Join": _}:
            return _unpacked(text(value))
        case dict():
            return {key: _readable(one) for key, one in value.items()}
        case list():
            return [_readable(one) for one in value]
        case _:
            return value


def _unpacked(value: str) -> Any:
    try:
        return {"JSON": json.loads(value)} if value.startswith("{") else value
    except json.JSONDecodeError:
        return value


def main() -> None:
    """Write every file anew, and remove those of variants that are gone."""
    FOLDER.mkdir(exist_ok=True)
    for path in {*FOLDER.iterdir()} - {path_of(name) for name in VARIANTS}:
        path.unlink()
    for name in VARIANTS:
        path_of(name).write_text(written(name))


if __name__ == "__main__":
    main()
