"""What a successor binding takes over: all that it does not give itself, and the webhook if it names no other."""

from dataclasses import replace
from typing import Any

import pytest

from lambdas.broker.bindings.predecessor import FromPredecessor, take_over
from lambdas.broker.osb.errors import BadParameter
from lambdas.broker.osb.parameters import BindParameters
from lambdas.domain.tenants.instance import Binding, BindingState, BindRequest, WebhookSettings
from lambdas.domain.webhooks.signature import WebhookSecret
from lambdas.domain.webhooks.stored_webhook import StoredWebhook
from lambdas.domain.webhooks.webhook import EventKind, NotificationFormat, Scope
from tests.broker.world import START

URL = "https://app.example.gov/hook"
BARE = BindRequest(service_id="s", plan_id="p", predecessor_binding_id="b1", app_guid="new")
SHARED: dict[str, Any] = {
    "notification_events": (EventKind.BOUNCE, EventKind.REJECT),
    "notification_format": NotificationFormat.CLOUDEVENTS,
    "notification_scope": Scope.BINDING,
    "notification_batch": 5,
    "notification_batch_seconds": 7,
}
HAD = BindRequest(
    service_id="s",
    plan_id="p",
    notification_webhook="https://as-it-was-bound.example.gov/",
    notification_email="digests@agency.gov",
    source_ips=("198.51.100.7/32",),
    app_guid="old",
)
PREDECESSOR = Binding(
    id="b1",
    instance_id="i1",
    state=BindingState.READY,
    request=HAD,
    effective=HAD,
    created_at=START,
    webhook_id="wh-1",
    email_webhook_id="email-b1",
)
KEPT = StoredWebhook(
    settings=WebhookSettings(
        url=URL,
        events=SHARED["notification_events"],
        format=NotificationFormat.CLOUDEVENTS,
        scope=Scope.BINDING,
        ciphertext=b"c",
        batch=5,
        batch_seconds=7,
    ),
    bindings=("b1",),
    test_status=None,
    test_at=None,
)
SECRET = WebhookSecret(secret="whsec_1", userinfo="user:pw")


def taken(userinfo: str | None = None, predecessor: Binding = PREDECESSOR, **given: Any) -> FromPredecessor:
    """What a successor gets that gives these parameters."""
    asked = BindParameters(request=replace(BARE, **given), given=frozenset(given), userinfo=userinfo)
    return take_over(asked, predecessor, KEPT, SECRET)


ALL = replace(
    BARE, notification_webhook=URL, **SHARED, notification_email="digests@agency.gov", source_ips=("198.51.100.7/32",)
)


def test_a_successor_that_gives_nothing_takes_over_everything() -> None:
    """The webhook as it is now, which an update may have changed since its bind."""
    assert taken() == FromPredecessor(request=ALL, webhook_id="wh-1", email_webhook_id="email-b1")


@pytest.mark.parametrize("userinfo", [None, "user:pw"])
def test_a_successor_that_names_the_same_url_shares_the_webhook(userinfo: str | None) -> None:
    """With the same userinfo, or without any."""
    found = taken(userinfo, notification_webhook=URL, notification_batch=5, notification_scope=Scope.BINDING)
    assert (found.request, found.webhook_id) == (ALL, "wh-1")


@pytest.mark.parametrize(
    ("userinfo", "url"), [(None, "https://other.example.gov/"), ("user:other", URL), ("user:pw", f"{URL}/2")]
)
def test_a_successor_that_names_another_url_gets_a_webhook_of_its_own(userinfo: str | None, url: str) -> None:
    """With the parameters that it gives, and the rest of the predecessor."""
    found = taken(userinfo, notification_webhook=url, notification_batch=2)
    own = replace(BARE, notification_webhook=url, notification_batch=2)
    kept = {"notification_email": HAD.notification_email, "source_ips": HAD.source_ips}
    assert found == FromPredecessor(request=replace(own, **kept), email_webhook_id="email-b1")  # type: ignore[arg-type]


def test_a_predecessor_whose_webhook_is_gone_gives_the_rest() -> None:
    """It had none, or it was removed meanwhile."""
    asked = BindParameters(request=BARE)
    rest = replace(BARE, notification_email=HAD.notification_email, source_ips=HAD.source_ips)
    for kept, secret in ((None, None), (KEPT, None), (None, SECRET)):
        found = take_over(asked, PREDECESSOR, kept, secret)
        assert found == FromPredecessor(request=rest, email_webhook_id="email-b1")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("notification_events", (EventKind.BOUNCE,)),
        ("notification_format", NotificationFormat.SNS),
        ("notification_scope", Scope.INSTANCE),
        ("notification_batch", 6),
        ("notification_batch_seconds", 8),
    ],
)
def test_what_is_the_shared_webhook_s_cannot_be_changed_by_a_successor(name: str, value: Any) -> None:
    """It would change for the predecessor, too."""
    words = f"{name}: belongs to the webhook shared with the predecessor; change it by updating the instance"
    with pytest.raises(BadParameter, match=f"^{words}$"):
        taken(**{name: value})


@pytest.mark.parametrize(
    ("email", "shared"), [("", "email-b1"), ("digests@agency.gov", "email-b1"), ("other@agency.gov", "")]
)
def test_digests_go_to_the_predecessor_s_address_unless_another_is_named(email: str, shared: str) -> None:
    """The same address shares its topic: nobody has to confirm it again."""
    found = taken(notification_email=email) if email else taken()
    assert (found.request.notification_email, found.email_webhook_id) == (email or "digests@agency.gov", shared)


@pytest.mark.parametrize(
    ("had", "given", "expected"),
    [
        ({"source_ips": ("1/32",)}, {}, {"source_ips": ("1/32",)}),
        ({"source_ips": ("1/32",)}, {"source_ips": ("2/32",)}, {"source_ips": ("2/32",)}),
        ({"source_ips": ("1/32",)}, {"privatelink_instance_id": "p1"}, {"privatelink_instance_id": "p1"}),
        ({"privatelink_instance_id": "p1"}, {}, {"privatelink_instance_id": "p1"}),
        ({"privatelink_instance_id": "p1"}, {"privatelink_instance_id": "p2"}, {"privatelink_instance_id": "p2"}),
        ({"privatelink_instance_id": "p1"}, {"source_ips": ("2/32",)}, {"source_ips": ("2/32",)}),
    ],
)
def test_source_ips_and_an_endpoint_exclude_each_other(
    had: dict[str, Any], given: dict[str, Any], expected: dict[str, Any]
) -> None:
    """A successor that gives one of them has none of the other."""
    nothing = {"source_ips": (), "privatelink_instance_id": ""}
    effective = replace(HAD, **{**nothing, **had})
    request = taken(predecessor=replace(PREDECESSOR, effective=effective), **given).request
    found = {"source_ips": request.source_ips, "privatelink_instance_id": request.privatelink_instance_id}
    assert found == {**nothing, **expected}
