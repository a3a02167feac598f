"""The three functions as Lambda calls them: events in, answers out, nothing secret in the logs."""

import base64
import io
import json
from collections.abc import Iterator
from typing import Any

import pytest

from lambdas.broker import handler
from tests.broker.test_on_moto import BINDING, NAMES, Context, Platform, bind, platform, provision


@pytest.fixture
def world() -> Iterator[Platform]:
    """An account with the stack's parts."""
    with platform() as found:
        yield found


def event(method: str = "GET", path: str = "/v2/catalog", **changes: Any) -> dict[str, Any]:
    """An event of the HTTP API, payload 2.0."""
    headers = {
        "authorization": "Basic " + base64.b64encode(b"broker:secret").decode(),
        "x-broker-api-version": "2.17",
    }
    known = {
        "rawPath": path,
        "headers": headers,
        "requestContext": {"http": {"method": method}, "stage": "$default"},
        "isBase64Encoded": False,
    }
    return known | changes


@pytest.mark.usefixtures("world")
def test_an_answer_is_json_that_nobody_caches() -> None:
    """It may hold credentials."""
    answer = handler.handler(event(), Context())
    assert answer["statusCode"] == 200
    assert answer["headers"]["Content-Type"] == "application/json"
    assert answer["headers"]["Cache-Control"] == "no-store"
    assert [service["name"] for service in json.loads(answer["body"])["services"]] == ["aws-ses"]


@pytest.mark.usefixtures("world")
def test_a_stages_prefix_is_taken_off() -> None:
    """Of a stage with a name."""
    found = event(path="/prod/v2/catalog")
    found["requestContext"]["stage"] = "prod"
    assert handler.handler(found, Context())["statusCode"] == 200


@pytest.mark.usefixtures("world")
def test_a_rest_apis_event_is_answered_too() -> None:
    """Payload 1.0: the URL for named networks is a REST API's."""
    found = event()
    del found["rawPath"]
    found |= {
        "httpMethod": "GET",
        "path": "/v2/catalog",
        "queryStringParameters": None,
        "requestContext": {"stage": "broker", "path": "/broker/v2/catalog"},
    }
    answer = handler.handler(found, Context())
    assert answer["statusCode"] == 200
    assert json.loads(answer["body"])["services"]


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize("text", ['{"service_id": 1}', "{", "\ud800", ""])
@pytest.mark.parametrize("encoded", [False, True])
def test_a_body_comes_plain_or_encoded(text: str, encoded: bool) -> None:
    """And whatever is in it, the answer is a clean 400."""
    raw = text.encode("utf-8", "surrogatepass")
    body = base64.b64encode(raw).decode() if encoded else text
    query = {"accepts_incomplete": "true"}
    found = event("PUT", "/v2/service_instances/i1", body=body, isBase64Encoded=encoded, queryStringParameters=query)
    assert handler.handler(found, Context())["statusCode"] == 400


@pytest.mark.usefixtures("world")
def test_a_malformed_turn_is_dropped_and_a_failing_one_comes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """One does not keep the others."""

    class Failing:
        def run_step(self, message: Any, *, owner: str) -> None:
            if message.instance_id == "bad":
                raise RuntimeError

    monkeypatch.setattr(handler, "_engine", Failing)
    bodies = ["no JSON", '{"instance_id": 5}', '{"instance_id": "bad", "operation_id": "o"}']
    bodies.append('{"instance_id": "good", "operation_id": "o"}')
    records = [{"messageId": str(number), "body": body} for number, body in enumerate(bodies)]
    assert handler.worker({"Records": records}, Context()) == {"batchItemFailures": [{"itemIdentifier": "2"}]}


@pytest.mark.usefixtures("world")
def test_a_task_of_a_later_release_comes_again() -> None:
    """A malformed one is dropped; this one is kept for the release that wrote it."""
    record = {"messageId": "0", "body": '{"schema":99,"task":{"instance_id":"i1"}}'}
    assert handler.worker({"Records": [record]}, Context()) == {"batchItemFailures": [{"itemIdentifier": "0"}]}


def test_no_secret_and_no_address_is_logged(world: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """From provision to bind, a refusal included."""
    lines = io.StringIO()
    monkeypatch.setattr(handler.logger.registered_handler, "stream", lines)
    handler.logger.setLevel("DEBUG")
    provision(world)
    bind(world)
    credentials = world.call("GET", BINDING)[1]["credentials"]
    world.call("PUT", "/service_instances/i2", {**NAMES, "organization_guid": "o", "space_guid": "s"})
    text = lines.getvalue()
    assert '"instance_id":"i1"' in text
    for name in ("aws_secret_access_key", "smtp_password", "webhook_secret"):
        assert credentials[name] not in text
    for word in ("user:pw", "admin@agency.gov", "digests@agency.gov", "broker:secret", "hook"):
        assert word not in text
