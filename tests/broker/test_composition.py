"""The broker's object graph: which adapter has which table, queue, key and limit, and who shares what."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import Mock

from lambdas.aws.clients import Clients as RealClients
from lambdas.broker.adapters import Adapters
from lambdas.broker.composition import clock, compose, new_id
from lambdas.domain.portal import OAuthClient
from lambdas.domain.tenants.instance import (
    Instance,
    InstanceState,
    Operation,
    OperationKind,
    PrivateLinkParameters,
    SesParameters,
)
from tests.broker.world import START, settings
from tests.graph import Clients, graph
from tests.snapshots import hold

EXPECTED = Path(__file__).with_name("graph.yaml")
SETTINGS = settings(
    privatelink_vpc_id="vpc-1",
    privatelink_subnet_ids="s-1, s-2,",
    privatelink_cidrs="10.0.0.0/8",
    allowed_cidrs="10.0.0.0/8",
    portal_url="https://portal.agency.gov",
    ses_calls_per_second=2.0,
    zone_credentials_secret_arn="zone",
    dashboard_client_secret_arn="client",
)
INSTANCE = Instance(
    id="i1",
    service_id="s",
    plan_id="p",
    organization_guid="o",
    space_guid="s",
    state=InstanceState.NEW,
    operation=Operation(id="1", kind=OperationKind.PROVISION, started_at=START, touched_at=START),
    ses=SesParameters(admin_email="a@b.cc"),
)


def log(*_: Any, **__: Any) -> None:
    """In place of the handler's."""


def composed(**changes: Any) -> str:
    """The graph of a broker with these settings changed."""
    made = compose(settings(**changes) if changes else SETTINGS, Clients())  # type: ignore[arg-type]
    engine = made.engine(log)
    link = Instance(
        **{name: getattr(INSTANCE, name) for name in _NAMES}, privatelink=PrivateLinkParameters(service_name="x")
    )
    return graph(
        api=made.api(log),
        engine=engine,
        cleanup=made.cleanup(log, log),
        ses_steps=engine.steps_of(INSTANCE)[:4],
        privatelink_steps=engine.steps_of(link)[:1],
    )


_NAMES = ("id", "service_id", "plan_id", "organization_guid", "space_guid", "state", "operation")


def test_everything_is_connected_as_the_transcript_says() -> None:
    """Down to the names of tables and the limits."""
    hold(EXPECTED, composed(), "python -m tests.broker.test_composition")


def test_without_a_zone_a_secret_or_networks_there_is_none() -> None:
    """What is empty in the settings is left out; suppression may be off, plain HTTP allowed."""
    text = composed(operator_zone_id="", suppression="off", allow_http=True)
    assert "zone: null" in text
    assert "_suppressed: []" in text
    assert "private_names: false" in text
    assert "- http\n" in text
    assert "HostedZone" not in text


def test_the_dashboard_s_client_is_read_from_its_secret() -> None:
    """If there is one."""
    secrets = Mock()
    secrets.get_secret_value.return_value = {"SecretString": json.dumps({"client_id": "c", "client_secret": "s"})}
    clients = Mock()
    clients.client.return_value = secrets
    adapters = Adapters(SETTINGS, clients, clock)
    assert adapters.dashboard_client() == OAuthClient(id="c", secret="s")
    clients.client.assert_called_once_with("secretsmanager")
    assert Adapters(settings(), clients, clock).dashboard_client() is None


def test_a_webhook_s_secret_goes_to_kms_and_back_with_its_userinfo() -> None:
    """Under the stack's key, for that webhook alone."""
    kms: Any = Mock()
    kms.encrypt.side_effect = lambda **call: {"CiphertextBlob": call["Plaintext"]}
    kms.decrypt.side_effect = lambda **call: {"Plaintext": call["CiphertextBlob"]}
    adapters = Adapters(SETTINGS, RealClients(kms=kms), clock)
    ciphertext = adapters.encrypt_webhook_secret("wh-1", "whsec_1", "user:pw")
    found = adapters.decrypt_webhook_secret("wh-1", ciphertext)
    assert (found.secret, found.userinfo) == ("whsec_1", "user:pw")
    assert kms.encrypt.call_args.kwargs["KeyId"] == SETTINGS.key_arn
    contexts = [call.call_args.kwargs["EncryptionContext"] for call in (kms.encrypt, kms.decrypt)]
    assert contexts[0] == contexts[1]
    assert "wh-1" in contexts[0].values()


def test_the_clock_is_in_utc_and_ids_are_unique() -> None:
    """What production uses."""
    assert abs(clock() - datetime.now(UTC)).total_seconds() < 60
    assert clock().tzinfo is UTC
    assert len({new_id() for _ in range(10)}) == 10
    assert len(new_id()) == 32


if __name__ == "__main__":
    EXPECTED.write_text(composed())
