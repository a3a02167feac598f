"""Clients that are created when they are first used."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from lambdas.aws import clients
from lambdas.aws.clients import Clients, InteractiveClients, LazyClients


class Made:
    """A session that counts the clients it creates."""

    def __init__(self) -> None:
        self.services: list[str] = []

    def create_client(self, service: str, **_: Any) -> object:
        """A client that knows its service."""
        self.services.append(service)
        return type("Client", (), {"service": service})()


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Made:
    """The process's session."""
    session = Made()
    monkeypatch.setattr(clients, "session", lambda: session)
    return session


def test_a_lazy_client_is_created_when_it_is_first_used(made: Made) -> None:
    """A catalog request needs none of the clients that an operation needs."""
    lazy: Any = LazyClients(Clients()).client("iam")
    assert made.services == []
    assert (lazy.service, lazy.service) == ("iam", "iam")
    assert made.services == ["iam"]


def test_interactive_clients_are_made_once_beside_the_patient_ones(made: Made) -> None:
    """A process may have both, each with its own timeouts."""
    process = Clients()
    interactive = InteractiveClients(process)
    page: Any = interactive.client("dynamodb")
    patient: Any = process.client("dynamodb")
    assert page is not patient
    assert InteractiveClients(process).client("dynamodb") is page
    assert made.services == ["dynamodb", "dynamodb"]


def test_lazy_clients_are_those_of_the_process(made: Made) -> None:
    """Each service has one, whoever uses it."""
    process = Clients()
    first, second = (LazyClients(process).client("sqs") for _ in range(2))
    assert first.service == second.service == process.client("sqs").service  # type: ignore[attr-defined]
    assert made.services == ["sqs"]


def test_threads_that_need_a_client_at_once_get_one(made: Made) -> None:
    """botocore's sessions must not create clients concurrently."""
    lazy: Any = LazyClients(Clients()).client("kms")
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda _: lazy.service, range(32))) == ["kms"] * 32
    assert made.services == ["kms"]


def test_a_stand_in_is_used_as_it_is() -> None:
    """As tests pass them."""
    fake = type("Fake", (), {"service": "fake"})()
    assert LazyClients(Clients(iam=fake)).client("iam").service == "fake"  # type: ignore[attr-defined]
