"""Posting to receivers that misbehave, over real sockets. Deadlines are arguments, so that nobody waits for long."""

import asyncio
import ssl
import warnings
from collections.abc import Awaitable, Callable
from pathlib import Path

import certifi
import pytest
import trustme

from lambdas.delivery import certificates
from lambdas.delivery.endpoint import Endpoint
from lambdas.delivery.name_resolver import NameResolver
from lambdas.delivery.webhook_client import WebhookClient
from lambdas.domain.webhooks.address_rules import AddressRules
from lambdas.domain.webhooks.attempt import BODY_READ, NoResponse, Response
from tests.delivery.receivers import LOCAL, NAME, OK, Names, Poster, Receiver, authority, poster, receiver, server_tls

HEADERS = {"content-type": "application/json", "webhook-id": "msg_1"}


async def post(by: Poster, to: Receiver, host: str = NAME, scheme: str = "https") -> Response | NoResponse:
    """Post a small body."""
    return await by.post(to.url(host, scheme=scheme), HEADERS, b"{}")


async def hang(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    """Never answer."""
    await reader.read()


def drip(*, head: bytes, tail: bytes) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    """Send *head*, then *tail* again and again, a byte at a time, for ever."""

    async def behave(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while True:
            for byte in tail:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(0.005)

    return behave


async def flood(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer 100 MB."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n")
    for _number in range(1_000):
        writer.write(b"x" * 100_000)
        await writer.drain()


async def break_off(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Close in the middle of the headers."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-le")
    await writer.drain()


async def break_off_body(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Close in the middle of the body."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nhalf")
    await writer.drain()


def test_a_post_carries_body_and_headers_over_tls_and_adds_none_of_its_own() -> None:
    """No Accept, no cookie: what is not asked for is not sent."""

    async def go() -> None:
        async with receiver(tls=server_tls()) as to, poster() as by:
            answer = await by.post(to.url(path="/hook?x=1"), HEADERS, b'{"a": 1}')
            head, _, body = to.requests[0].partition(b"\r\n\r\n")
            names = [line.partition(b":")[0].lower() for line in head.split(b"\r\n")[1:]]
            assert answer == Response(status=200, body=b"ok")
            assert head.startswith(b"POST /hook?x=1 HTTP/1.1\r\n")
            assert body == b'{"a": 1}'
            assert sorted(names) == [b"content-length", b"content-type", b"host", b"webhook-id"]

    asyncio.run(go())


def test_a_connection_serves_one_delivery_after_another() -> None:
    """TLS is paid for once."""

    async def go() -> None:
        async with receiver(tls=server_tls()) as to, poster() as by:
            for _ in range(3):
                await post(by, to)
            assert to.connections == 1

    asyncio.run(go())


@pytest.mark.parametrize(
    "behaviour",
    [
        hang,
        drip(head=b"", tail=b"HTTP/1.1 200 OK\r\nx: y\r\n" + b"a: b\r\n" * 1000),
        drip(head=b"HTTP/1.1 200 OK\r\nx: ", tail=b"y"),
    ],
    ids=["hangs", "drips its status line", "drips a header"],
)
def test_a_receiver_that_never_gets_to_the_point_is_given_up_at_the_deadline(behaviour: object) -> None:
    """A time-out between bytes would not stop one that drips; the total deadline does."""

    async def go() -> None:
        async with receiver(behaviour, tls=server_tls()) as to, poster(deadline=0.2) as by:  # type: ignore[arg-type]
            assert await post(by, to) == NoResponse(reason="timeout")

    asyncio.run(go())


def test_a_receiver_that_does_not_even_shake_hands_is_given_up_at_the_deadline() -> None:
    """It accepts the connection and says nothing to our TLS."""

    async def go() -> None:
        async with receiver(hang) as to, poster(deadline=0.2) as by:
            assert await post(by, to) == NoResponse(reason="timeout")

    asyncio.run(go())


def test_a_body_that_drips_does_not_change_the_status() -> None:
    """The receiver said 200 and means it; its body is given up before the deadline."""

    async def go() -> None:
        dripping = drip(head=b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n", tail=b"x")
        async with receiver(dripping, tls=server_tls()) as to, poster(body_deadline=0.05) as by:
            answer = await post(by, to)
            assert isinstance(answer, Response)
            assert answer.status == 200

    asyncio.run(go())


def test_of_a_hundred_megabytes_only_the_first_kilobytes_are_read() -> None:
    """Neither memory nor time is spent on the rest."""

    async def go() -> None:
        async with receiver(flood, tls=server_tls()) as to, poster() as by:
            answer = await post(by, to)
            assert isinstance(answer, Response)
            assert (answer.status, len(answer.body)) == (200, BODY_READ)

    asyncio.run(go())


def test_a_receiver_that_closes_midway_is_a_failure_with_a_reason() -> None:
    """Nothing was said yet, so nothing was taken."""

    async def go() -> None:
        async with receiver(break_off, tls=server_tls()) as to, poster() as by:
            assert await post(by, to) == NoResponse(reason="connection closed without an answer")

    asyncio.run(go())


def test_a_body_that_breaks_off_leaves_the_status_as_it_was() -> None:
    """The status decides, as for any body."""

    async def go() -> None:
        async with receiver(break_off_body, tls=server_tls()) as to, poster() as by:
            assert await post(by, to) == Response(status=200, body=b"half")

    asyncio.run(go())


def test_a_redirect_is_not_followed() -> None:
    """It could lead inside: the second receiver is never asked."""

    async def go() -> None:
        async with receiver() as inside, poster() as by:
            redirect = f"HTTP/1.1 307 No\r\nlocation: http://{LOCAL}:{inside.port}/\r\ncontent-length: 0\r\n\r\n"
            async with receiver(redirect.encode(), tls=server_tls()) as to:
                assert await post(by, to) == Response(status=307)
                assert inside.connections == 0

    asyncio.run(go())


@pytest.mark.parametrize(
    ("names", "ca"), [(("other.example",), None), ((NAME,), trustme.CA())], ids=["another name", "an unknown authority"]
)
def test_a_wrong_certificate_is_refused_before_anything_is_sent(names: tuple[str, ...], ca: trustme.CA | None) -> None:
    """The secret in the URL's userinfo must not reach whoever holds the address."""

    async def go() -> None:
        async with receiver(tls=server_tls(*names, ca=ca)) as to, poster() as by:
            answer = await post(by, to)
            assert isinstance(answer, NoResponse)
            assert answer.reason.startswith("certificate not accepted")
            assert to.requests == []

    asyncio.run(go())


def test_a_name_that_changes_its_answer_after_the_check_changes_nothing() -> None:
    """The socket goes to the address that was checked: the name is asked once."""

    async def go() -> None:
        rules = AddressRules.parse("127.0.0.1/32", allow_http=True)
        names = Names([LOCAL], ["127.0.0.2"])
        async with receiver(tls=server_tls()) as to, poster(rules=rules, names=names) as by:
            assert await post(by, to) == Response(status=200, body=b"ok")
            assert names.asked == [NAME]

    asyncio.run(go())


@pytest.mark.parametrize("answer", [("127.0.0.2",), (LOCAL, "127.0.0.2"), ("169.254.169.254",), ("::1",)])
def test_a_name_with_any_address_that_is_not_allowed_is_not_connected_to(answer: tuple[str, ...]) -> None:
    """One allowed answer beside a forbidden one is a way in: which one is tried is chance."""

    async def go() -> None:
        rules = AddressRules.parse("127.0.0.1/32", allow_http=True)
        async with receiver(tls=server_tls()) as to, poster(rules=rules, names=Names(answer)) as by:
            assert await post(by, to) == NoResponse(reason="address not allowed")
            assert to.connections == 0

    asyncio.run(go())


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        (LOCAL, "the URL's address is not public"),
        ("[::1]", "the URL's address is not public"),
        ("[::ffff:127.0.0.1]", "the URL's address is not public"),
        ("2130706433", "address not allowed"),
        ("127.1", "address not allowed"),
    ],
)
def test_a_url_that_names_an_address_is_not_connected_to(host: str, reason: str) -> None:
    """In whatever spelling. What counts is that no TCP connection is made, not that no TLS handshake ends."""

    async def go() -> None:
        async with receiver(tls=server_tls()) as to, poster(rules=AddressRules()) as by:
            assert await post(by, to, host) == NoResponse(reason=reason)
            assert to.connections == 0

    asyncio.run(go())


@pytest.mark.parametrize("host", [LOCAL, NAME])
def test_the_socket_checks_the_address_even_if_nothing_before_it_did(host: str) -> None:
    """The last line: an endpoint with forbidden addresses, as if look-up and URL rules had let them pass."""

    async def go() -> None:
        async with receiver(tls=server_tls()) as to, poster(rules=AddressRules()) as by:
            endpoint = Endpoint(url=to.url(host), host=host, port=to.port, addresses=(LOCAL,))
            answer = await by.client.post(endpoint, HEADERS, b"{}", deadline=5)
            assert answer == NoResponse(reason="address not allowed")
            assert to.connections == 0

    asyncio.run(go())


def test_a_url_that_libcurl_reads_otherwise_than_we_do_is_not_connected_to() -> None:
    """Its host has no pinned address, and libcurl may not look any up."""

    async def go() -> None:
        async with receiver(tls=server_tls()) as to, poster() as by:
            endpoint = Endpoint(url=to.url("localhost"), host="elsewhere.example", port=to.port, addresses=(LOCAL,))
            assert isinstance(await by.client.post(endpoint, HEADERS, b"{}", deadline=5), NoResponse)
            number = Endpoint(url=to.url("127.1"), host="127.1", port=to.port, addresses=(LOCAL,))
            assert isinstance(await by.client.post(number, HEADERS, b"{}", deadline=5), NoResponse)
            unknown = Endpoint(url=to.url("hooks.invalid"), host="elsewhere.example", port=to.port, addresses=(LOCAL,))
            answer = await by.client.post(unknown, HEADERS, b"{}", deadline=5)
            assert answer == NoResponse(reason="the URL cannot be read")
            assert to.connections == 0

    asyncio.run(go())


def test_a_host_with_a_dot_at_its_end_is_the_same_host() -> None:
    """As DNS has it; its certificate names it without."""

    async def go() -> None:
        async with receiver(tls=server_tls()) as to, poster() as by:
            assert await post(by, to, NAME + ".") == Response(status=200, body=b"ok")

    asyncio.run(go())


def test_the_second_address_is_tried_when_nobody_listens_at_the_first() -> None:
    """A host with several addresses is reached at any of them."""

    async def go() -> None:
        rules = AddressRules.parse("127.0.0.0/8", allow_http=True)
        names = Names(("127.0.0.3", LOCAL))
        async with receiver(tls=server_tls()) as to, poster(rules=rules, names=names) as by:
            assert await post(by, to) == Response(status=200, body=b"ok")

    asyncio.run(go())


@pytest.mark.parametrize(
    "url",
    [
        "https://[v1.fe80]/",
        "https://[fe80::1%25eth0]/",
        "https://hooks.example:99999/",
        "https://a b.example/",
        "ftp://hooks.example/",
        "file:///etc/passwd",
        "https:///path",
        "https://",
        "",
        f"https://{'a' * 300}.example/",
    ],
)
def test_a_url_that_cannot_be_read_is_a_failure_with_a_reason(url: str) -> None:
    """It may have been stored before the bind's rules were as they are: nothing raises."""

    async def go() -> None:
        async with poster(names=Names(("127.0.0.1",))) as by:
            answer = await by.post(url, HEADERS, b"{}")
            assert isinstance(answer, NoResponse)
            assert answer.reason

    asyncio.run(go())


def test_plain_http_is_posted_only_where_the_operator_allows_it() -> None:
    """For local use."""

    async def go() -> None:
        async with receiver() as to:
            async with poster() as by:
                assert await post(by, to, scheme="http") == Response(status=200, body=b"ok")
            async with poster(rules=AddressRules.parse("127.0.0.1/32", allow_http=False)) as by:
                answer = await post(by, to, scheme="http")
                assert answer == NoResponse(reason="the URL must begin with https://")
            assert to.connections == 1

    asyncio.run(go())


def test_a_proxy_of_the_environment_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would resolve names for us, and reach what we must not."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")

    async def go() -> None:
        async with receiver(tls=server_tls()) as to, poster() as by:
            assert await post(by, to) == Response(status=200, body=b"ok")

    asyncio.run(go())


def test_a_connection_that_the_receiver_closed_while_we_slept_costs_no_attempt() -> None:
    """Between invocations nobody hears of it: the request goes again over a new connection, at once."""

    async def answer_and_close(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await writer.drain()

    async def go() -> None:
        async with receiver(OK, answer_and_close, OK, tls=server_tls()) as to, poster() as by:
            assert await post(by, to) == Response(status=200, body=b"ok")
            assert await post(by, to) == Response(status=200, body=b"ok")
            assert to.connections == 2

    asyncio.run(go())


@pytest.mark.parametrize(
    "rubbish", [b"SSH-2.0-OpenSSH_9.6\r\n", b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.1 200 OK\r\nbad header\r\n\r\n"]
)
def test_rubbish_instead_of_http_is_a_failure_with_a_reason(rubbish: bytes) -> None:
    """Nothing that a receiver says may raise."""

    async def speak(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(rubbish)
        await writer.drain()

    async def go() -> None:
        async with receiver(speak, tls=server_tls()) as to, poster() as by:
            assert isinstance(await post(by, to), NoResponse)

    asyncio.run(go())


def test_a_200_with_rubbish_for_a_body_is_a_200() -> None:
    """The body means nothing to us."""

    async def go() -> None:
        rubbish = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 6\r\n\r\n\xff\x00\xfe\x01\x02\x03"
        async with receiver(rubbish, tls=server_tls()) as to, poster() as by:
            assert await post(by, to) == Response(status=200, body=b"\xff\x00\xfe\x01\x02\x03")

    asyncio.run(go())


def test_a_204_with_a_body_is_a_204_and_so_is_the_next() -> None:
    """HTTP forbids the body, some receivers send one: the status counts, and what follows it spoils nothing."""

    async def go() -> None:
        forbidden = b"HTTP/1.1 204 No Content\r\ncontent-length: 2\r\n\r\nok"
        async with receiver(forbidden, tls=server_tls()) as to, poster() as by:
            responses = [await post(by, to) for _ in range(3)]
            assert [getattr(response, "status", response) for response in responses] == [204, 204, 204]

    asyncio.run(go())


def test_nobody_listening_is_a_refusal() -> None:
    """The commonest failure has a plain name."""

    async def go() -> None:
        async with receiver(tls=server_tls()) as to:
            pass
        async with poster() as by:
            assert await post(by, to) == NoResponse(reason="connection refused")

    asyncio.run(go())


def test_tls_below_1_2_is_not_spoken() -> None:
    """A server that knows nothing later, and that an older client would reach, gets no request."""

    def old() -> ssl.SSLContext:
        context = server_tls()
        context.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        return context

    async def go() -> None:
        async with receiver(tls=old()) as to, poster() as by:
            assert await post(by, to) == NoResponse(reason="TLS failed")
            assert (to.connections, to.requests) == (1, [])

    asyncio.run(go())


def test_the_operators_authorities_are_trusted_beside_the_public_ones(tmp_path: Path) -> None:
    """As the function makes its file of them; without it, the same receiver is not."""
    private = tmp_path / "private.pem"
    private.write_bytes(authority().cert_pem.bytes())
    combined = Path(certificates.ca_file(str(private))).read_text()
    assert private.read_text() in combined
    assert Path(certifi.where()).read_text() in combined
    assert certificates.ca_file() == certifi.where()

    async def go(ca: str) -> Response | NoResponse:
        async with receiver(tls=server_tls()) as to, poster(ca=ca) as by:
            return await post(by, to)

    assert asyncio.run(go(certificates.ca_file(str(private)))) == Response(status=200, body=b"ok")
    refused = asyncio.run(go(certificates.ca_file()))
    assert isinstance(refused, NoResponse)
    assert refused.reason.startswith("certificate not accepted")


def test_the_environment_changes_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither its authorities nor a .netrc."""
    monkeypatch.setenv("SSL_CERT_FILE", "/dev/null")
    monkeypatch.setenv("CURL_CA_BUNDLE", "/dev/null")
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".netrc").write_text(f"machine {NAME} login joe password secret\n")

    async def go() -> None:
        async with receiver(tls=server_tls()) as to, poster() as by:
            assert await post(by, to) == Response(status=200, body=b"ok")
            assert b"authorization" not in to.requests[0].lower()

    asyncio.run(go())


def test_a_cookie_is_not_sent_back() -> None:
    """Each delivery stands alone."""
    answer = b"HTTP/1.1 200 OK\r\nset-cookie: a=b\r\ncontent-length: 0\r\n\r\n"

    async def go() -> None:
        async with receiver(answer, tls=server_tls()) as to, poster() as by:
            for _ in range(2):
                await post(by, to)
            assert b"cookie" not in to.requests[1].lower()

    asyncio.run(go())


def test_retry_after_and_an_informational_answer_before_it_are_read() -> None:
    """What counts is the final answer's."""
    early = b"HTTP/1.1 103 Early Hints\r\nretry-after: 1\r\n\r\n"
    final = b"HTTP/1.1 429 Slow Down\r\nRetry-After:  7 \r\ncontent-length: 0\r\n\r\n"

    async def go() -> None:
        async with receiver(early + final, tls=server_tls()) as to, poster() as by:
            assert await post(by, to) == Response(status=429, retry_after="7")

    asyncio.run(go())


@pytest.mark.parametrize("header", ["a\r\nx: y", "a\nb", "a\0b"])
def test_a_header_with_a_line_break_is_an_error_of_ours(header: str) -> None:
    """It would be another header, or another request."""

    async def go() -> None:
        async with receiver() as to, poster() as by:
            endpoint = await by.client.locate("i1", to.url(scheme="http"))
            with pytest.raises(ValueError, match="line break"):
                await by.client.post(endpoint, {"x": header}, b"{}")
            assert to.connections == 0

    asyncio.run(go())


def test_a_header_without_a_value_is_sent() -> None:
    """libcurl takes an ordinary empty header for one to leave out."""

    async def go() -> None:
        async with receiver() as to, poster() as by:
            await by.post(to.url(scheme="http"), {"ce-subject": ""}, b"{}")
            assert b"ce-subject:" in to.requests[0]

    asyncio.run(go())


def test_attempts_that_were_cut_off_leave_the_client_as_good_as_new() -> None:
    """Bodies that drip, cancelled attempts and time-outs, with good attempts between and after them."""
    dripping = drip(head=b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n", tail=b"x")

    async def go() -> None:
        async with (
            receiver(dripping, tls=server_tls()) as drips,
            receiver(hang, tls=server_tls()) as hangs,
            receiver(tls=server_tls()) as good,
            poster(body_deadline=0.02, deadline=2.0) as by,
        ):
            for _ in range(5):
                slow = asyncio.create_task(post(by, hangs))
                answers = await asyncio.gather(*(post(by, to) for to in (drips, good, drips, good)))
                slow.cancel()
                assert [answer.status for answer in answers if isinstance(answer, Response)] == [200] * 4
                with pytest.raises(asyncio.CancelledError):
                    await slow
            assert await post(by, good) == Response(status=200, body=b"ok")

    asyncio.run(go())


def test_a_path_and_query_are_sent_as_they_are_written() -> None:
    """Nothing is encoded twice."""

    async def go() -> None:
        async with receiver() as to, poster() as by:
            await by.post(to.url(scheme="http", path="/caf%C3%A9/%20a;b?q=%C3%BC&b=%41"), HEADERS, b"{}")
            assert to.requests[0].startswith(b"POST /caf%C3%A9/%20a;b?q=%C3%BC&b=%41 HTTP/1.1\r\n")

    asyncio.run(go())


def test_a_client_that_is_closed_keeps_no_connection_and_looks_nothing_up() -> None:
    """An idle one would hold a receiver's slot until it gives up."""

    async def go() -> None:
        rules = AddressRules.parse("127.0.0.1/32", allow_http=True)
        resolver = NameResolver(rules, Names())
        client = WebhookClient(rules, resolver, certificates.ca_file(), connections=10)
        async with receiver() as to:
            endpoint = await client.locate("i1", to.url(LOCAL, scheme="http"))
            assert await client.post(endpoint, HEADERS, b"{}") == Response(status=200, body=b"ok")
            assert (to.connections, to.closed) == (1, 0)
            await client.aclose()
            for _ in range(100):
                if to.closed:
                    break
                await asyncio.sleep(0.01)
            assert to.closed == 1
        with pytest.raises(RuntimeError):
            resolver._threads.submit(print)

    asyncio.run(go())
