"""The portal on the deployed stack: an operator's link, a test to a real receiver, a replay by the real worker."""

import html
import re
import uuid
from typing import Self

import httpx
import pytest

from lambdas.domain.tenants.aws_names import alert_topic
from local.tenant.receiver import Receiver
from tests.journey.conftest import Ops, Stack

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("journey")]


class Visitor:
    """A browser without a screen, signed in by a link. Secure cookies are sent by hand: the stack is plain HTTP."""

    def __init__(self, url: str) -> None:
        base, _, token = url.partition("/link/")
        self._http = httpx.Client(base_url=base, timeout=30)
        assert self._http.get(f"/link/{token}").status_code == 200
        signed_in = self._http.post("/link", data={"token": token})
        assert signed_in.status_code == 303
        self._http.headers["cookie"] = signed_in.headers["set-cookie"].partition(";")[0]
        self._token = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def see(self, path: str) -> str:
        """A page."""
        page = self._http.get(path)
        assert page.status_code == 200, page.text
        if token := re.search(r'name="form_token" value="([^"]+)"', page.text):
            self._token = token[1]
        return page.text

    def do(self, path: str, **form: str) -> httpx.Response:
        """An action, or a search."""
        return self._http.post(path, data={"form_token": self._token, **form})


def test_a_tenant_tests_its_webhook_finds_a_mail_and_replays_it(stack: Stack, ops: Ops, receiver: Receiver) -> None:
    """What delivery recorded is what the pages show."""
    tenant = stack.tenant(receiver.url())
    receiver.wait_for(kind="webhook.test")
    tenant.mailbox.send("bounce@shop.example")
    (bounced,) = receiver.wait_for(kind="email.bounced")
    with Visitor(ops("portal", tenant.instance_id)["url"]) as visitor:
        home = f"/instances/{tenant.instance_id}"
        assert stack.broker.instance(tenant.instance_id)["dashboard_url"] == stack.facts["portal_url"] + home
        webhooks = re.findall(rf'href="[^"]*({home}/webhooks/[^"]+)"', visitor.see(f"{home}/webhooks"))
        (webhook,) = webhooks
        visitor.see(webhook)
        assert visitor.do(f"{webhook}/test").status_code == 303
        assert len(receiver.wait_for(kind="webhook.test", count=2)) == 2
        stack.eventually(lambda: visitor.see(webhook), lambda page: "<strong>204</strong>" in page)
        found = visitor.do(f"{home}/mail", needle="bounce@shop.example").text
        assert "counts in the rates" in found
        assert "delivered at" in found
        assert visitor.do(f"{webhook}/replay", delivery=bounced.id).status_code == 303
        stack.eventually(lambda: visitor.see(f"{webhook}/replay"), lambda page: "Done: 1 sent again" in page)
        stack.eventually(
            lambda: [item.id for item in receiver.received() if item.type == "email.bounced"],
            lambda ids: ids == [bounced.id, bounced.id],
        )


def test_a_secret_made_in_the_portal_signs_and_stands_in_the_binding(
    stack: Stack, ops: Ops, receiver: Receiver
) -> None:
    """Beside the old one; an update that the worker carries out later changes the URL and leaves the secret."""
    tenant = stack.tenant(receiver.url())
    receiver.wait_for(kind="webhook.test")
    with Visitor(ops("portal", tenant.instance_id)["url"]) as visitor:
        home = f"/instances/{tenant.instance_id}"
        (webhook,) = re.findall(rf'href="[^"]*({home}/webhooks/[^"]+)"', visitor.see(f"{home}/webhooks"))
        visitor.see(webhook)
        shown = re.search(r"whsec_[A-Za-z0-9+/=]+", html.unescape(visitor.do(f"{webhook}/secret", sure="yes").text))
        assert shown
        assert stack.broker.binding(tenant.instance_id, tenant.binding_id)["credentials"]["webhook_secret"] == shown[0]

        authorized = receiver.url().replace("://", "://user:pw@")
        changes = {"notification_webhook": authorized, "notification_batch": 10, "notification_batch_seconds": 1}
        stack.broker.update(tenant.instance_id, {"bindings": {tenant.binding_id: changes}})
        assert stack.broker.binding(tenant.instance_id, tenant.binding_id)["credentials"]["webhook_secret"] == shown[0]
        assert "<dd>1 to 10, gathered for up to 1 s</dd>" in visitor.see(webhook)

        (batch,) = receiver.wait_for(kind="batch")  # the changed webhook's test: by now delivery knows the change
        assert batch.is_signed_with(shown[0])
        assert batch.is_signed_with(tenant.secret)
        assert batch.headers["authorization"] == httpx.BasicAuth("user", "pw")._auth_header


def test_a_tenant_has_the_confirmation_sent_again(stack: Stack, ops: Ops, receiver: Receiver) -> None:
    """The embedded AWS confirms an address at once, so its subscription is removed first."""
    email = f"{uuid.uuid4().hex}@shop.example"  # the limit on mails to an address spans all tenants
    tenant = stack.tenant(receiver.url(), provision={"admin_email": email})
    sns = stack.client("sns")
    topic = stack.facts["event_topic_arn"].rpartition(":")[0] + f":{alert_topic(tenant.instance_id)}"
    [subscription] = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])
    with Visitor(ops("portal", tenant.instance_id)["url"]) as visitor:
        setup = f"/instances/{tenant.instance_id}/setup"
        assert "Not confirmed" in visitor.see(setup)
        assert visitor.do(f"{setup}/confirmation").status_code == 303
    [again] = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert again["Endpoint"] == email


def test_an_operator_pauses_and_resumes_in_the_portal(stack: Stack, ops: Ops, receiver: Receiver) -> None:
    """The reputation function carries out what the portal wrote."""
    tenant = stack.tenant(receiver.url())
    with Visitor(ops("portal", "--operator")["url"]) as visitor:
        home = f"/instances/{tenant.instance_id}"
        visitor.see(home)
        assert visitor.do(f"{home}/operator/pause", reason="drill").status_code == 303
        (notice,) = receiver.wait_for(kind="reputation.paused")
        assert notice.event["data"]["cause"] == "operator"
        stack.eventually(
            lambda: visitor.do(f"{home}/operator/resume", reason="over").status_code, lambda status: status == 303
        )
        assert "healthy" in visitor.see("/")
