"""A fresh portal for each test."""

from collections.abc import Iterator

import pytest

from tests.portal.world import World, running


@pytest.fixture
def world() -> Iterator[World]:
    """A portal that signs in by links."""
    with running() as made:
        yield made
