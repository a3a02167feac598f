"""Signing in by Cloud Foundry's UAA; what a user may do is what the Cloud Controller says, asked every ten minutes."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import boto3
import httpx
import pytest

from lambdas.aws.secrets_manager.oauth_client import OAuthClientSecret
from lambdas.broker.osb.catalog import catalog
from lambdas.portal import handler
from lambdas.portal.http import Response, request_of
from lambdas.portal.pages.openid import CHECKED_FOR, COOKIE
from local.cloud_foundry import CloudFoundry
from tests.broker.world import settings
from tests.portal.browser import chromium, needs_chromium
from tests.portal.serving import served
from tests.portal.world import ORIGIN, Caller, World, event_of, running

READ, MANAGE, NOTHING = ({"read": r, "manage": m} for r, m in ((True, False), (True, True), (False, False)))


@pytest.fixture
def platform() -> Iterator[CloudFoundry]:
    """A UAA and a Cloud Controller."""
    with CloudFoundry(redirect_uri=f"{ORIGIN}/sign-in/callback") as running_platform:
        yield running_platform


def portal_on(platform: CloudFoundry, **settings: str) -> "Iterator[World]":
    """A portal that signs in there."""
    known = {"issuer": platform.url, "cloud_controller_url": platform.url, "sign_in": "cloud-foundry"}
    with running(client_secret_arn="client", **{**known, **settings}) as world:
        secret = {"client_id": platform.client_id, "client_secret": platform.client_secret}
        boto3.client("secretsmanager").create_secret(Name="client", SecretString=json.dumps(secret))
        world.tenant("i1", domain="one.agency.gov")
        world.webhook("i1", "w1")
        world.tenant("i2", domain="two.agency.gov")
        yield world


@pytest.fixture
def world(platform: CloudFoundry) -> Iterator[World]:
    """A portal of Cloud Foundry's."""
    yield from portal_on(platform)


def callback(platform: CloudFoundry, caller: Caller, to: str = "instances/i1") -> str:
    """Begin a sign-in, allow it at the UAA, and return the path that the browser comes back to."""
    begun = caller.get(f"/sign-in?to={to}")
    assert begun.status == 303
    caller.cookie = begun.cookie.partition(";")[0]
    query = {name: values[0] for name, values in parse_qs(urlsplit(begun.headers["location"]).query).items()}
    assert httpx.get(begun.headers["location"]).status_code == 200
    return platform.allow(query).removeprefix(ORIGIN)


def sign_in(platform: CloudFoundry, to: str = "instances/i1") -> Caller:
    """Somebody whom the platform knows."""
    caller = Caller()
    answer = caller.get(callback(platform, caller, to))
    assert answer.status == 303, answer.text
    assert answer.headers["location"] == f"../{to}"
    caller.cookie = answer.cookie.partition(";")[0]
    return caller


def test_the_help_page_leads_to_the_sign_in_and_back(world: World, platform: CloudFoundry) -> None:
    """To the page that was asked for."""
    page = Caller().get("/instances/i1")
    assert page.status == 401
    assert 'href="../sign-in?to=instances/i1"' in page.text
    assert sign_in(platform).cookie


@pytest.mark.parametrize(
    ("rights", "sees", "acts"), [(READ, 200, 404), (MANAGE, 200, 303), (NOTHING, 404, 404), (None, 404, 404)]
)
def test_read_sees_and_manage_acts(
    world: World, platform: CloudFoundry, rights: dict[str, bool] | None, sees: int, acts: int
) -> None:
    """And who has neither gets the page of an instance that is not there."""
    if rights is not None:
        platform.rights["i1"] = rights
    caller = sign_in(platform)
    assert caller.get("/instances/i1").status == sees
    assert caller.post("/instances/i1/webhooks/w1/test").status == acts
    assert caller.get("/instances/i2").status == 404


def test_rights_are_asked_for_again_after_ten_minutes(world: World, platform: CloudFoundry) -> None:
    """Whoever leaves the space is out by then, and an expired token is renewed."""
    platform.rights["i1"] = MANAGE
    caller = sign_in(platform)
    now = world.now
    assert at(caller, now) == at(caller, now + CHECKED_FOR - timedelta(seconds=5)) == 200
    assert platform.asked == ["i1"]
    platform.expire_tokens()
    assert at(caller, now + CHECKED_FOR + timedelta(seconds=5)) == 200
    platform.rights.clear()
    assert at(caller, now + 2 * CHECKED_FOR + timedelta(seconds=10)) == 404


def test_the_client_that_the_catalog_asks_for_signs_people_in(world: World, platform: CloudFoundry) -> None:
    """The broker's catalog and the portal read the same secret. The Cloud Controller's client renews no token."""
    secrets = boto3.client("secretsmanager")
    secrets.put_secret_value(
        SecretId="client", SecretString=json.dumps({"client_id": "mail-portal", "client_secret": "by the catalog"})
    )
    client = OAuthClientSecret(secrets, "client").read()
    platform.register(catalog(settings(portal_url=ORIGIN), client))
    platform.rights["i1"] = MANAGE
    caller = sign_in(platform)
    assert caller.get("/instances/i1").status == 200
    platform.expire_tokens()
    assert at(caller, world.now + CHECKED_FOR + timedelta(seconds=5)) == 401
    assert 'href="../sign-in?to=instances/i1"' in page_at(caller, world.now + CHECKED_FOR + timedelta(seconds=5))


def test_who_cannot_be_renewed_signs_in_again(world: World, platform: CloudFoundry) -> None:
    """The account was locked, or its tokens were revoked."""
    platform.rights["i1"] = MANAGE
    caller = sign_in(platform)
    platform.revoke()
    assert at(caller, world.now + CHECKED_FOR + timedelta(seconds=5)) == 401
    assert at(sign_in(platform), world.now + CHECKED_FOR + timedelta(seconds=5)) == 200


def test_a_client_s_new_secret_counts_at_once(world: World, platform: CloudFoundry) -> None:
    """The operator changed it, and updated the broker: no function has to be started anew."""
    platform.rights["i1"] = READ
    assert sign_in(platform).get("/instances/i1").status == 200
    platform.client_secret = "replaced"
    caller = Caller()
    assert caller.get(callback(platform, caller)).status == 403
    secret = json.dumps({"client_id": platform.client_id, "client_secret": "replaced"})
    boto3.client("secretsmanager").put_secret_value(SecretId="client", SecretString=secret)
    assert sign_in(platform).get("/instances/i1").status == 200


def test_a_platform_that_does_not_answer_grants_nothing(platform: CloudFoundry) -> None:
    """The page says so, and nothing of the instance."""
    for world in portal_on(platform, cloud_controller_url="http://127.0.0.1:9"):
        answer = sign_in(platform).get("/instances/i1")
        assert answer.status == 503
        assert "one.agency.gov" not in answer.text
        assert world.queued() == []


def test_actions_name_the_user(world: World, platform: CloudFoundry) -> None:
    """As Cloud Foundry does."""
    platform.rights["i1"] = MANAGE
    sign_in(platform).post("/instances/i1/webhooks/w1/test")
    assert [action.who for action in world.table.actions("i1")] == ["dana@agency.gov"]


@pytest.mark.parametrize("changed", ["state", "code", "cookie", "twice"])
def test_a_callback_that_was_tampered_with_opens_nothing(world: World, platform: CloudFoundry, changed: str) -> None:
    """A foreign state or code, another browser's, or the same one again."""
    caller = Caller()
    path = callback(platform, caller)
    match changed:
        case "state":
            path = path.replace("state=", "state=x")
        case "code":
            path = path.replace("code=", "code=x")
        case "cookie":
            caller.cookie = f"{COOKIE}=forged"
        case "twice":
            assert caller.get(path).status == 303
    answer = caller.get(path)
    assert answer.status in (400, 403)
    assert not answer.cookie


@pytest.mark.parametrize(
    "claims", [{"nonce": "x"}, {"aud": ["other"]}, {"iss": "https://evil.example"}, {"exp": 1}], ids=str
)
def test_a_token_for_somebody_else_opens_nothing(
    world: World, platform: CloudFoundry, claims: dict[str, object]
) -> None:
    """Another nonce, audience or issuer, or one that has expired."""
    platform.claims.update(claims)
    caller = Caller()
    assert caller.get(callback(platform, caller)).status == 403


@pytest.mark.parametrize("to", ["https://evil.example", "//evil.example", "instances/../x", "instances/i1/../../x"])
def test_a_sign_in_leads_nowhere_else(world: World, platform: CloudFoundry, to: str) -> None:
    """What is no page of an instance is the root."""
    caller = Caller()
    assert caller.get(callback(platform, caller, to)).headers["location"] == "../."


def test_oidc_lets_operators_in_by_a_claim(platform: CloudFoundry) -> None:
    """And nobody else; tenants come by links."""
    for world in portal_on(platform, sign_in="oidc"):
        caller = Caller()
        assert caller.get(callback(platform, caller, "")).status == 403
        platform.claims["groups"] = ["staff", "mail-operators"]
        operator = Caller()
        answer = operator.get(callback(platform, operator, ""))
        operator.cookie = answer.cookie.partition(";")[0]
        assert "one.agency.gov" in operator.get("/").text
        assert world.caller("i1").get("/instances/i1").status == 200


@needs_chromium
@pytest.mark.xdist_group("chromium")
def test_a_person_signs_in_with_cloud_foundry_in_a_browser(platform: CloudFoundry) -> None:
    """From the dashboard's link over the UAA's page to the instance."""
    with served() as url:
        platform.redirect_uri = f"{url}/sign-in/callback"
        platform.rights["i1"] = READ
        for _ in portal_on(platform, public_url=url):
            with chromium() as browser:
                page = browser.new_page()
                page.goto(f"{url}/instances/i1")
                page.get_by_role("link", name="Sign in").click()
                page.get_by_role("button", name="Authorize").click()
                page.get_by_role("heading", name="one.agency.gov").wait_for()
                assert page.url == f"{url}/instances/i1"
                assert "dana@agency.gov" in page.inner_text("footer")


def at(caller: Caller, now: datetime) -> int:
    """The status of the instance's page at *now*."""
    return answer_at(caller, now).status


def page_at(caller: Caller, now: datetime) -> str:
    """The instance's page at *now*."""
    return str(answer_at(caller, now).body)


def answer_at(caller: Caller, now: datetime) -> Response:
    """What the portal answers at *now*."""
    request = request_of(event_of("GET", "/instances/i1", {}, b"", cookie=caller.cookie))
    return handler._portal().answer(request, now=now)
