"""What 1.0.0 stored is read by today's code: every kind of item and queue message, with the same values."""

import json
from typing import Any

import pytest

from lambdas.aws.kms import binding_secrets, webhook_secrets
from lambdas.domain.webhooks.webhook import WebhookId
from tests.upgrade.reading import DECODERS, FOLDER, TABLES, lacking, loaded, read_all


def saved(name: str) -> Any:
    """A file of the release."""
    return json.loads((FOLDER / name).read_text())


def test_every_item_of_the_release_is_read_as_it_was() -> None:
    """Instances, bindings, claims, webhooks, health, parked and archived deliveries, counters, ledger, statuses."""
    expected = saved("expected.json")
    with loaded(saved("items.json")) as client:
        actual = read_all(client, {table: table for table in TABLES})
    assert lacking(expected, actual) == []


def test_the_release_s_items_hold_something_of_each_kind() -> None:
    """So that the test above can fail."""
    expected = saved("expected.json")
    for kind in ("instances", "bindings", "claims", "targets", "audiences", "statuses", "hours", "ledgers"):
        assert expected[kind], kind
    for kind in ("parked", "archived", "histories"):
        assert any(expected[kind].values()), kind
    assert "paused" in {status["state"] for status in expected["statuses"].values()}


@pytest.mark.parametrize("queue", sorted(DECODERS))
def test_a_message_that_waits_in_a_queue_during_a_deployment_is_read(queue: str) -> None:
    """Both releases run for some seconds."""
    message = saved("messages.json")[queue]
    assert DECODERS[queue](message)


def test_secrets_are_decrypted_in_the_context_in_which_they_were_encrypted() -> None:
    """Another context makes every ciphertext unreadable."""
    assert webhook_secrets.encryption_context(WebhookId("w1")) == {"purpose": "webhook-secret", "webhook_id": "w1"}
    assert binding_secrets.PURPOSE == "binding-credentials"
