"""HTTP between ASGI and httpx: the embedded AWS sees what arrives, and the caller gets what it answers."""

import asyncio
import gzip
from typing import Any

from httpx import QueryParams

from local.emulator.http_message import Caller, Message, Receive, Request, Scope, Send, aws_request, call, read, write

SIGNED = Caller(access_key_id="AKIA1", region="eu-west-1", service="ses").authorization.encode()


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with what it was asked, compressed."""
    request = await read(scope, receive)
    seen = f"{scope['raw_path'].decode()}?{scope['query_string'].decode()} {request.http.content.decode()}"
    headers = [(b"content-encoding", b"gzip"), (b"x-one", b"1"), (b"x-one", b"2")]
    await send({"type": "http.response.start", "status": 201, "headers": headers})
    await send({"type": "http.response.body", "body": gzip.compress(seen.encode())})


def arrived(*chunks: bytes, path: bytes = b"/", query: bytes = b"", headers: Any = ()) -> Request:
    """The request that reaches the middleware."""
    messages = [
        {"type": "http.request", "body": chunk, "more_body": number < len(chunks)}
        for number, chunk in enumerate(chunks, start=1)
    ]

    async def receive() -> Message:
        return messages.pop(0)

    scope = {"type": "http", "method": "POST", "path": "/", "raw_path": path, "query_string": query}
    return asyncio.run(read({**scope, "headers": headers, "client": ("192.0.2.7", 1)}, receive))


def test_an_encoded_path_and_a_body_in_parts_reach_the_application_as_they_came() -> None:
    """A name with a slash or a colon stays one segment."""
    request = arrived(b"a", b"b", path=b"/v2/email/identities/a%2Fb%3Ac/", query=b"ResourceArn=arn%3Aaws")
    answer = asyncio.run(call(echo, request.http))
    assert (answer.status_code, answer.text) == (201, "/v2/email/identities/a%2Fb%3Ac/?ResourceArn=arn%3Aaws ab")
    assert request.path == "/v2/email/identities/a/b:c"
    assert request.client == "192.0.2.7"


def test_an_answer_is_written_with_its_headers_and_the_length_of_its_body() -> None:
    """Compressed answers are passed on as text."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def play() -> None:
        await write(await call(echo, aws_request(Caller(), "GET", "/x?y=1")), send)

    asyncio.run(play())
    assert sent[0]["headers"] == [(b"x-one", b"1"), (b"x-one", b"2"), (b"content-length", b"7")]
    assert sent[1]["body"] == b"/x?y=1 "


def test_a_form_gives_its_parameters_and_its_lists_in_order() -> None:
    """As the query protocols number them; a parameter can be left out."""
    headers = [(b"content-type", b"application/x-www-form-urlencoded"), (b"authorization", SIGNED)]
    body = b"Action=SendRawEmail&Destinations.member.2=b&Destinations.member.10=c&Destinations.member.1=a%40b.cc&Empty="
    request = arrived(body, headers=headers)
    assert (request.form["Action"], request.form["Empty"]) == ("SendRawEmail", "")
    assert request.members("Destinations") == ["a@b.cc", "b", "c"]
    assert request.caller == Caller(access_key_id="AKIA1", region="eu-west-1", service="ses")
    less = request.with_form(request.form.remove("Action"))
    assert "Action" not in QueryParams(less.http.content.decode())
    assert int(less.http.headers["content-length"]) == len(less.http.content)
    assert less.caller == request.caller


def test_a_body_that_is_no_json_object_reads_as_empty() -> None:
    """The embedded AWS refuses it in its own words."""
    assert arrived(b"[1]").json == {}
    assert arrived(b"{").json == {}
    assert arrived(b"").json == {}
