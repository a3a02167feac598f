"""The portal's object graph: which page reads which table, by which rules, and how people sign in."""

from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from lambdas.portal import rendering
from lambdas.portal.composition import compose, compose_replayer
from lambdas.portal.settings import PortalSettings
from tests.graph import Clients, graph
from tests.portal.world import _settings
from tests.snapshots import hold

EXPECTED = Path(__file__).with_name("graph.yaml")
QUEUES = {"deliveries": "https://sqs/deliveries", "replays": "https://sqs/replays"}


def log(*_: Any, **__: Any) -> None:
    """In place of the handler's."""


def settings(**changes: str) -> PortalSettings:
    values = _settings(QUEUES, "key-secret", "arn:aws:kms:us-east-1:123456789012:key/k", changes)
    return PortalSettings.from_environment({name.upper(): value for name, value in values.items()})


def composed(**changes: str) -> str:
    """The graph of a portal with these settings changed."""
    clients: Any = Clients()
    known = settings(**changes)
    with patch.object(rendering, "FOLDERS", (rendering.FOLDER / "static",)):
        return graph(portal=compose(known, clients, log=log), replayer=compose_replayer(known, clients))


def test_everything_is_connected_as_the_transcript_says() -> None:
    """Down to the names of tables and the limits."""
    hold(EXPECTED, composed(), "python -m tests.portal.test_composition")


@pytest.mark.parametrize(
    ("sign_in", "shown", "hidden"),
    [
        ("links", ["_unchanged"], ["OpenIdPages", "CloudFoundryRights"]),
        ("oidc", ["_unchanged", "operators_with", "claim: groups", "value: mail-operators", "keeps_tokens: false"], []),
        (
            "cloud-foundry",
            ["CloudFoundryRights", "api: https://cc.agency.gov", "grants: no_grants", "keeps_tokens: true"],
            ["operators_with"],
        ),
    ],
)
def test_people_sign_in_as_the_operator_chose(sign_in: str, shown: list[str], hidden: list[str]) -> None:
    """By links alone, at a provider of the operators, or at Cloud Foundry's."""
    text = composed(sign_in=sign_in, cloud_controller_url="https://cc.agency.gov")
    assert all(word in text for word in shown)
    assert not any(word in text for word in hidden)


if __name__ == "__main__":
    EXPECTED.write_text(composed())
