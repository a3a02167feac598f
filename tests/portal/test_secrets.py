"""A webhook's new secret in the portal: shown once, beside the old one for a day, and in the webhook alone."""

import html
import re

import pytest

from lambdas.aws.clients import CLIENTS
from lambdas.aws.dynamodb.webhooks.webhook_rotation import WebhookRotation
from lambdas.aws.dynamodb.webhooks.webhook_states import WebhookStates
from lambdas.aws.kms.webhook_secrets import decrypt
from lambdas.domain.errors import VersionConflict
from lambdas.domain.webhooks.target import Target
from tests.portal.world import NEVER_SHOWN, World

PATH = "/instances/i1/webhooks/w1/secret"


@pytest.fixture
def bound(world: World) -> World:
    """A tenant with a webhook."""
    world.tenant("i1")
    world.webhook("i1", "w1")
    return world


def target(world: World) -> Target:
    """The webhook as it is stored."""
    return next(one for one, _ in WebhookStates(world.dynamodb, "webhooks").every("i1"))


def test_the_secret_that_is_shown_is_the_one_that_signs(bound: World) -> None:
    """The webhook's ciphertext is where delivery and the broker read it; the URL's userinfo stays."""
    page = html.unescape(bound.caller("i1").post(PATH, {"sure": "yes"}).text)
    shown = re.search(r"whsec_[A-Za-z0-9+/=]+", page)
    assert shown
    stored = target(bound)
    current, previous = (
        decrypt(CLIENTS.client("kms"), stored.webhook_id, one) for one in stored.ciphertexts(now=bound.now)
    )
    assert (current.secret, current.userinfo) == (shown[0], NEVER_SHOWN)
    assert previous.secret != current.secret


def test_a_second_one_waits_until_the_first_old_one_has_ended(bound: World) -> None:
    """Also a reload of the page, which posts the form again."""
    caller = bound.caller("i1")
    assert caller.post(PATH, {"sure": "yes"}).status == 200
    answer = caller.post(PATH, {"sure": "yes"})
    assert answer.status == 409
    assert "wait until then" in answer.text


def test_who_does_not_tick_the_box_gets_none(bound: World) -> None:
    """And nothing changes."""
    before = target(bound)
    assert bound.caller("i1").post(PATH).status == 400
    assert target(bound) == before


def test_of_two_at_the_same_moment_one_is_told_so(bound: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its secret was never stored, so it must not be shown."""

    def lost(*_: object, **__: object) -> None:
        raise VersionConflict

    monkeypatch.setattr(WebhookRotation, "replace", lost)
    answer = bound.caller("i1").post(PATH, {"sure": "yes"})
    assert answer.status == 409
    assert "changed at the same moment" in answer.text
    assert "whsec_" not in answer.text
