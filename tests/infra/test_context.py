"""The operator's settings: what is wrong is named, with what would be right."""

import re
from dataclasses import fields

import pytest

from infra.bundle import ROOT
from infra.context import Context, table
from infra.rules import RETENTIONS, ContextError

SECRET = "arn:aws:secretsmanager:us-east-1:111122223333:secret:zone-AbCdEf"
CERTIFICATE = "arn:aws:acm:us-east-1:111122223333:certificate/0123"
ISSUER = {"portal_issuer": "https://id.example.gov"}
CLIENT = {**ISSUER, "portal_client_secret_arn": SECRET}


def test_the_defaults_are_right_by_themselves() -> None:
    """An operator who sets nothing gets a production stack."""
    assert Context.read({}).production is True


def test_values_are_read_alike_from_the_command_line_and_from_cdk_json() -> None:
    """On the command line everything is text."""
    typed = {
        "production": False,
        "retry_seconds": [1, 2],
        "allowed_cidrs": ["10.0.0.0/8"],
        "pause_bounce_rate": 0.05,
        "feedback_batch_size": 50,
    }
    texts = {
        "production": "false",
        "retry_seconds": "1, 2",
        "allowed_cidrs": "10.0.0.0/8,",
        "pause_bounce_rate": "0.05",
        "feedback_batch_size": "50",
    }
    assert Context.read(texts) == Context.read(typed)


def test_the_cdk_s_own_keys_are_passed_over() -> None:
    """Feature flags and look-ups stand in the same place."""
    theirs = {"@aws-cdk/core:checkSecretUsage": True, "aws:cdk:enable-path-metadata": True, "cli-telemetry": False}
    assert Context.read(theirs) == Context()


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"dmarc_polcy": "reject"}, "dmarc_polcy is unknown; did you mean dmarc_policy"),
        ({"colour": "red"}, "colour is unknown; the keys are stack_name, production"),
        ({"dmarc_policy": "rejct"}, "dmarc_policy is 'rejct'; it must be one of none, quarantine, reject"),
        ({"production": "yes"}, "production is 'yes'; it must be true or false"),
        ({"feedback_batch_size": "many"}, "feedback_batch_size is 'many'; it must be a whole number"),
        ({"feedback_batch_size": "1.5"}, "feedback_batch_size is '1.5'; it must be a whole number"),
        ({"feedback_batch_size": True}, "feedback_batch_size is True; it must be a whole number"),
        ({"worker_concurrency": "1"}, "worker_concurrency is '1'; it must be a number from 2 to 1000"),
        ({"stack_name": 7}, "stack_name is 7; it must be text"),
        ({"allowed_cidrs": "10.0.0.1/8"}, "allowed_cidrs is '10.0.0.1/8'; it must be networks such as"),
        ({"retry_seconds": "5,soon"}, "retry_seconds is '5,soon'; it must be whole numbers, comma-separated"),
        ({"retry_seconds": ""}, "retry_seconds is ''; it must be positive numbers"),
        ({"release_seconds": "90"}, "release_seconds is '90'; it must be 1 to 59, or whole minutes"),
        ({"operator_email": "ops"}, "operator_email is 'ops'; it must be an e-mail address"),
        ({"log_retention_days": "91"}, "log_retention_days is '91'; it must be one of 1, 3, 5"),
        (
            {"private_ca_bundle": "/no/such.pem"},
            "private_ca_bundle is '/no/such.pem'; it must be the path of a PEM file",
        ),
        ({"zone_name": "mail.example.gov"}, "zone_id is missing; zone_name needs it"),
        ({"zone_id": "Z0123456789ABC"}, "zone_name is missing; zone_id needs it"),
        ({"delivery_subnet_ids": "subnet-0123456a"}, "delivery_security_group_ids is missing"),
        ({"privatelink_cidrs": "10.0.0.0/8"}, "privatelink_vpc_id is missing; privatelink_cidrs needs it"),
        ({"warn_bounce_rate": "0.05"}, "warn_bounce_rate is 0.05; it must be below pause_bounce_rate"),
        ({"feedback_batch_window_seconds": "0"}, "feedback_batch_window_seconds is 0; Lambda wants at least 1"),
        (
            {"delivery_batch_size": "11", "delivery_batch_window_seconds": "0"},
            "delivery_batch_window_seconds is 0; Lambda wants at least 1 for batches over 10",
        ),
        ({"warn_complaint_rate": "0.0008"}, "warn_complaint_rate is 0.0008; it must be below pause_complaint_rate"),
        ({"warn_bounce_rate": "0"}, "warn_bounce_rate is '0.0'; it must be a fraction between 0 and 1"),
        ({"pause_bounce_rate": "1"}, "pause_bounce_rate is '1.0'; it must be a fraction between 0 and 1"),
        ({"retry_seconds": "5,0"}, "retry_seconds is '5,0'; it must be positive numbers"),
        ({"ses_calls_per_second": "fast"}, "ses_calls_per_second is 'fast'; it must be a number"),
        ({"allowed_cidrs": 7}, "allowed_cidrs is 7; it must be a comma-separated list"),
        ({"dmarc_aggregate_recipients": "a@x.gov,b"}, "'a@x.gov,b'; it must be e-mail addresses, comma-separated"),
        ({"delivery_security_group_ids": "sg-0123456a"}, "delivery_subnet_ids is missing"),
        ({"privatelink_subnet_ids": "subnet-0123456a"}, "privatelink_vpc_id is missing; privatelink_subnet_ids"),
        ({"portal_domain_name": "mail.x.gov"}, "portal_certificate_arn is missing; portal_domain_name needs it"),
        ({"portal_certificate_arn": CERTIFICATE}, "portal_domain_name is missing; portal_certificate_arn needs it"),
        ({"zone_credentials_secret_arn": SECRET}, "zone_name is missing; zone_credentials_secret_arn needs it"),
        ({"portal": "oidc"}, "portal_issuer is missing; portal=oidc needs it"),
        ({"portal": "cloud-foundry"}, "portal_issuer is missing; portal=cloud-foundry needs it"),
        ({"portal": "oidc", **ISSUER}, "portal_client_secret_arn is missing; portal=oidc needs it"),
        ({"portal": "oidc", **CLIENT}, "portal_operator_value is missing; portal=oidc needs it"),
        ({"portal": "cloud-foundry", **ISSUER}, "portal_client_secret_arn is missing; portal=cloud-foundry needs it"),
        ({"portal": "cloud-foundry", **CLIENT}, "portal_cloud_controller_url is missing; portal=cloud-foundry needs"),
    ],
)
def test_a_wrong_key_is_named_with_what_would_be_right(keys: dict[str, object], message: str) -> None:
    """An operator reads one line and knows what to type."""
    with pytest.raises(ContextError, match=re.escape(message)):
        Context.read(keys)


def test_a_number_s_bounds_are_those_that_its_message_names() -> None:
    """Both included."""
    bounded = 0
    for field in fields(Context):
        rule = field.metadata["rule"]
        if rule and (bounds := re.fullmatch(r"a number from (\S+) to (\S+)", rule.right)):
            low, high = map(float, bounds.groups())
            bounded += 1
            assert rule.holds(low)
            assert rule.holds(high)
            assert not rule.holds(low - 0.01)
            assert not rule.holds(high + 0.01)
    assert bounded > 20


@pytest.mark.parametrize(
    "keys",
    [
        {"feedback_batch_size": "10", "feedback_batch_window_seconds": "0"},
        {"release_seconds": "1"},
        {"release_seconds": "59"},
        {"release_seconds": "120"},
        {"release_seconds": "900"},
        {"stack_name": "a"},
        {"operator_email": " ops@agency.example "},
    ],
)
def test_what_is_just_right_is_taken(keys: dict[str, object]) -> None:
    """A message that refuses it would send its reader in circles."""
    read = Context.read(keys)
    assert {name: str(getattr(read, name)) for name in keys} == {
        name: str(value).strip() for name, value in keys.items()
    }


@pytest.mark.parametrize("seconds", ["0", "61", "90", "960"])
def test_parked_deliveries_are_released_by_whole_minutes_or_several_times_in_one(seconds: str) -> None:
    """EventBridge's schedules know minutes; a run lasts a quarter of an hour at most."""
    with pytest.raises(ContextError, match=f"release_seconds is '{seconds}'; it must be 1 to 59, or whole minutes"):
        Context.read({"release_seconds": seconds})


def test_days_that_logs_are_kept_are_those_that_cloudwatch_knows() -> None:
    """As the reference of AWS::Logs::LogGroup lists them: CloudFormation would refuse any other."""
    assert (
        *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731),
        *(1096, 1827, 2192, 2557, 2922, 3288, 3653),
    ) == RETENTIONS


def test_the_operators_documentation_lists_every_key() -> None:
    """`python -m infra.context` renders the table."""
    assert table() in (ROOT / "docs" / "operators.md").read_text()


def test_the_table_of_keys_tells_each_with_its_default() -> None:
    """It is rendered into the operators' documentation."""
    rows = table().splitlines()
    assert len(rows) == 2 + len(Context.__dataclass_fields__)
    assert "| `dmarc_policy` | `none` | policy in the DMARC records" in table()
