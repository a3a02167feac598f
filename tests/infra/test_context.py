"""The operator's settings: what is wrong is named, with what would be right."""

import re

import pytest

from infra.bundle import ROOT
from infra.context import Context, table
from infra.rules import ContextError


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
    ],
)
def test_a_wrong_key_is_named_with_what_would_be_right(keys: dict[str, object], message: str) -> None:
    """An operator reads one line and knows what to type."""
    with pytest.raises(ContextError, match=re.escape(message)):
        Context.read(keys)


def test_the_operators_documentation_lists_every_key() -> None:
    """`python -m infra.context` renders the table."""
    assert table() in (ROOT / "docs" / "operators.md").read_text()


def test_the_table_of_keys_tells_each_with_its_default() -> None:
    """It is rendered into the operators' documentation."""
    rows = table().splitlines()
    assert len(rows) == 2 + len(Context.__dataclass_fields__)
    assert "| `dmarc_policy` | `none` | policy in the DMARC records" in table()
