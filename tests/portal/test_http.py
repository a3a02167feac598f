"""Events of the HTTP API to requests, responses back to it, and forms: each field."""

import base64
from typing import Any

import pytest

from lambdas.portal.http import MAX_BODY, BadForm, Request, Response, request_of, see_other, written

EVENT: dict[str, Any] = {
    "rawPath": "/instances/i1",
    "requestContext": {
        "stage": "$default",
        "domainName": "api.example",
        "http": {"method": "POST", "sourceIp": "192.0.2.1"},
    },
    "queryStringParameters": {"a": "1"},
    "headers": {"Accept-Encoding": "gzip"},
    "cookies": ["a=1", " b=2=3 ", "a=4", "none"],
    "body": "x=\u00e4",
    "isBase64Encoded": False,
}
HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "strict-transport-security": "max-age=63072000; includeSubDomains",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "referrer-policy": "same-origin",
}


def test_an_event_is_read_in_full() -> None:
    """Header names in lower case, the first of each cookie, the body as bytes."""
    assert request_of(EVENT) == Request(
        method="POST",
        path="/instances/i1",
        query={"a": "1"},
        headers={"accept-encoding": "gzip"},
        cookies={"a": "1", "b": "2=3"},
        body="x=\u00e4".encode(),
        source_ip="192.0.2.1",
        origin="https://api.example",
    )


def test_an_event_may_leave_out_what_is_empty() -> None:
    """As API Gateway does."""
    context = {"stage": "$default", "domainName": "api.example", "http": {"method": "GET"}}
    expected = Request(method="GET", path="/", origin="https://api.example")
    assert request_of({"rawPath": "/", "requestContext": context}) == expected
    empty = {"queryStringParameters": None, "headers": None, "body": None, "cookies": None}
    assert request_of({"rawPath": "/", "requestContext": context, **empty}) == expected


@pytest.mark.parametrize(
    ("stage", "path", "expected"),
    [("$default", "/prod/x", "/prod/x"), ("prod", "/prod/x", "/x"), ("prod", "/x", "/x")],
)
def test_a_stage_s_name_is_no_part_of_the_path(stage: str, path: str, expected: str) -> None:
    """The default stage has none in it."""
    context = {**EVENT["requestContext"], "stage": stage}
    assert request_of({**EVENT, "rawPath": path, "requestContext": context}).path == expected


def test_the_portal_s_own_address_is_its_origin() -> None:
    """Where the operator gave it a name."""
    assert request_of(EVENT, public_url="https://portal.agency.gov").origin == "https://portal.agency.gov"


def test_cookies_may_be_left_in_their_header() -> None:
    """The embedded AWS leaves them there."""
    event = {**EVENT, "cookies": [], "headers": {"Cookie": "a=1; b=2;c"}}
    assert request_of(event).cookies == {"a": "1", "b": "2"}


@pytest.mark.parametrize("raw", [b"\xff\x00", b""])
def test_a_body_may_come_encoded(raw: bytes) -> None:
    """API Gateway encodes what is no text; a lone surrogate of a plain one is kept as it is."""
    event = {**EVENT, "body": base64.b64encode(raw).decode(), "isBase64Encoded": True}
    assert request_of(event).body == raw
    assert request_of({**EVENT, "body": "\ud800"}).body == b"\xed\xa0\x80"


def test_secrets_of_a_request_are_not_shown() -> None:
    """In a log or a traceback."""
    request = Request(method="GET", path="/", cookies={"a": "canary"}, body=b"canary")
    assert "canary" not in repr((request, Response(body="canary", cookies=("canary",))))


def test_a_page_is_written_with_the_headers_of_every_page() -> None:
    """Nobody keeps it, frames it, or runs a script of others in it."""
    assert written(Response(body="<p>")) == {
        "statusCode": 200,
        "headers": {**HEADERS, "content-type": "text/html; charset=utf-8", "cache-control": "no-store"},
        "body": "<p>",
    }


def test_what_never_changes_is_kept_and_bytes_are_encoded() -> None:
    """A response's own headers come last."""
    answer = written(
        Response(
            status=206,
            body=b"\xff",
            content_type="image/x",
            headers={"vary": "x", "x-frame-options": "Y"},
            cacheable=True,
        )
    )
    assert answer == {
        "statusCode": 206,
        "headers": {
            **HEADERS,
            "content-type": "image/x",
            "cache-control": "public, max-age=31536000, immutable",
            "vary": "x",
            "x-frame-options": "Y",
        },
        "body": "/w==",
        "isBase64Encoded": True,
    }


def test_an_action_ends_with_a_page_to_get() -> None:
    """A reload does not repeat it."""
    assert see_other("../x", cookies=("a=1",)) == Response(status=303, headers={"location": "../x"}, cookies=("a=1",))
    assert written(see_other("x", cookies=("a=1", "b=2")))["cookies"] == ["a=1", "b=2"]
    assert see_other("x").cookies == ()


@pytest.mark.parametrize(
    ("path", "root"),
    [("/", "./"), ("/link", "./"), ("/instances/i1", "../"), ("/instances/i1/webhooks/w1/test", "../../../../")],
)
def test_links_lead_back_to_the_root_from_anywhere(path: str, root: str) -> None:
    """Under any base path."""
    assert Request(method="GET", path=path).root == root


def form(body: bytes) -> dict[str, str]:
    return Request(method="POST", path="/", body=body).form()


def test_a_form_is_read_with_its_empty_fields() -> None:
    """The last of two with the same name."""
    assert form(b"a=1&b=&c=%C3%A4+x&a=2") == {"a": "2", "b": "", "c": "\u00e4 x"}
    assert len(form(b"&".join(b"f%d=" % number for number in range(20)))) == 20
    assert form(b"a=" + b"x" * (MAX_BODY - 2)) == {"a": "x" * (MAX_BODY - 2)}


@pytest.mark.parametrize("body", [b"\xff=1", b"a", b"a=1&&b=2", b"&".join(b"f%d=" % number for number in range(21))])
def test_a_form_that_no_page_of_ours_sends_is_refused(body: bytes) -> None:
    """With the reason."""
    with pytest.raises(BadForm, match=r"^the form cannot be read; it must be application/x-www-form-urlencoded$"):
        form(body)


def test_a_form_beyond_all_sense_is_not_read() -> None:
    """One byte more than the most."""
    with pytest.raises(BadForm, match=r"^the form is larger than 16384 bytes$"):
        form(b"a=" + b"x" * (MAX_BODY - 1))
