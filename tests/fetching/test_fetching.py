import asyncio
import socket
import threading
import tracemalloc
import zlib
from datetime import UTC, datetime, timedelta

import pytest

from shared.dialling import SystemResolver
from shared.errors import Deferred, DomainFailed, Rejected, Skipped
from shared.fetching import Fetcher

from .conftest import PUBLIC, Names, Rerouted, Site, http

URL = "http://daily.example/"
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def gzipped(data, members=1):
    packer = zlib.compressobj(wbits=31)
    return (packer.compress(data) + packer.flush()) * members


async def reason_of(fetching, kind):
    with pytest.raises(kind) as ended:
        await fetching
    return ended.value.reason


async def test_a_page_comes_with_what_is_needed_to_ask_again(site, dial):
    site.answers["/"] = http(
        b"<p>caf\xe9", content_type="Text/HTML; Charset=ISO-8859-1", etag='"v1"', last_modified="yesterday"
    )
    fetcher = Fetcher("TestBot/1.0", resolve=Names([PUBLIC]), dial=dial, now=lambda: NOW)

    page = await fetcher.fetch(URL + "#comments")

    assert page.url == URL + "#comments"
    assert page.final_url == URL
    assert (page.status, page.content_type, page.charset) == (200, "text/html", "iso-8859-1")
    assert (page.body, page.etag, page.last_modified) == (b"<p>caf\xe9", '"v1"', "yesterday")
    assert (page.fetched_at, page.not_modified) == (NOW, False)
    await fetcher.aclose()


async def test_it_says_who_asks_and_keeps_no_cookie(site, fetcher):
    site.answers["/"] = http(b"<p>", set_cookie="who=42; Path=/")

    await fetcher.fetch(URL)
    await fetcher.fetch(URL)

    assert "User-Agent: TestBot/1.0\r\n" in site.asked[0]
    assert "Accept-Encoding: gzip, deflate\r\n" in site.asked[0]
    assert "cookie" not in site.asked[1].lower()
    assert site.connections == 1


async def test_an_unchanged_page_is_not_read_again(site, fetcher):
    site.answers["/"] = http(status="304 Not Modified", content_length=None, etag='"v1"')

    page = await fetcher.fetch(URL, etag='"v1"', last_modified="yesterday")

    assert page.not_modified
    assert page.body == b""
    assert 'If-None-Match: "v1"\r\n' in site.asked[0]
    assert "If-Modified-Since: yesterday\r\n" in site.asked[0]


async def test_a_page_that_was_never_read_cannot_be_unchanged(site, fetcher):
    site.answers["/"] = http(status="304 Not Modified", content_length=None)

    assert await reason_of(fetcher.fetch(URL), DomainFailed) == "bad_response"


async def test_a_validator_that_no_header_may_hold_is_left_out(site, fetcher):
    site.answers["/"] = http(b"<p>")

    await fetcher.fetch(URL, etag='"caf\xe9"', last_modified="x\r\nCookie: a=b")

    assert "If-" not in site.asked[0]
    assert "Cookie" not in site.asked[0]


@pytest.mark.parametrize("host", ["xn--zzzz9999.example", "xn--i-7iq.example", "bücher.example", "a_b.example"])
async def test_odd_names_are_names(site, fetcher, host):
    site.answers["/"] = http(b"<p>")

    assert (await fetcher.fetch(f"http://{host}/")).status == 200


async def test_redirects_are_followed_to_the_page(site, fetcher):
    site.answers["/"] = http(status="301 Moved", location="/a b")
    site.answers["/a%20b"] = http(status="307 Again", location="http://other.example:8080/c?x=1#top")
    site.answers["/c?x=1"] = http(b"<p>here")

    page = await fetcher.fetch(URL)

    assert page.body == b"<p>here"
    assert page.url == URL
    assert page.final_url == "http://other.example:8080/c?x=1"


@pytest.mark.parametrize(
    ("location", "kind", "reason"),
    [
        ("/", Rejected, "redirect_loop"),
        ("file:///etc/passwd", Rejected, "bad_redirect"),
        ("http://user:pw@daily.example/", Rejected, "bad_redirect"),
        ("http://[bad", Rejected, "bad_redirect"),
        ("http:////[x]", Rejected, "bad_redirect"),
        ("http://daily.example:22/", Rejected, "blocked_address"),
        ("", DomainFailed, "bad_response"),
        (None, DomainFailed, "bad_response"),
    ],
)
async def test_a_redirect_to_nowhere_has_its_reason(site, fetcher, location, kind, reason):
    site.answers["/"] = http(status="302 Found", location=location)

    assert await reason_of(fetcher.fetch(URL), kind) == reason


@pytest.mark.parametrize(("hops", "arrives"), [(5, True), (6, False)])
async def test_five_redirects_are_followed_and_no_more(site, fetcher, hops, arrives):
    for hop in range(hops):
        site.answers[f"/{hop}"] = http(status="302 Found", location=f"/{hop + 1}")
    site.answers[f"/{hops}"] = http(b"<p>here")

    fetching = fetcher.fetch(URL + "0")

    if arrives:
        assert (await fetching).body == b"<p>here"
    else:
        assert await reason_of(fetching, Rejected) == "redirect_loop"


@pytest.mark.parametrize(
    ("status", "kind", "reason"),
    [
        (204, Skipped, "no_content"),
        (400, Skipped, "refused"),
        (401, Skipped, "paywall"),
        (402, Skipped, "paywall"),
        (403, Skipped, "forbidden"),
        (404, Skipped, "gone"),
        (406, Skipped, "not_html"),
        (408, DomainFailed, "http_408"),
        (410, Skipped, "gone"),
        (451, Skipped, "legal_block"),
        (500, DomainFailed, "http_500"),
        (503, DomainFailed, "http_503"),
        (599, DomainFailed, "http_599"),
    ],
)
async def test_each_status_has_its_outcome(site, fetcher, status, kind, reason):
    site.answers["/"] = http(status=f"{status} Words", content_length=None if status == 204 else "0")

    assert await reason_of(fetcher.fetch(URL), kind) == reason


@pytest.mark.parametrize(
    ("status", "retry_after", "rest"),
    [
        (429, "120", 120),
        (503, "30", 30),
        (429, None, 60),
        (429, "soon", 60),
        (429, "0", 1),
        (503, "999999999999999999999", 3600),
        (429, "Sun, 22 Nov 2026 12:10:00 GMT", 600),
        (503, "Sun, 22 Nov 2026 11:00:00 GMT", 1),
        (503, "Sun, 22 Nov 2099 11:00:00 GMT", 3600),
    ],
)
async def test_a_busy_site_rests_for_as_long_as_it_asks(site, dial, status, retry_after, rest):
    site.answers["/"] = http(status=f"{status} Busy", retry_after=retry_after)
    fetcher = Fetcher("TestBot/1.0", resolve=Names([PUBLIC]), dial=dial, now=lambda: NOW)

    with pytest.raises(Deferred) as ended:
        await fetcher.fetch(URL)

    assert ended.value.reason == "domain_rests"
    assert ended.value.until == NOW + timedelta(seconds=rest)
    await fetcher.aclose()


async def test_a_503_that_names_no_usable_time_is_a_failure(site, fetcher):
    site.answers["/"] = http(status="503 Busy", retry_after="soon")

    assert await reason_of(fetcher.fetch(URL), DomainFailed) == "http_503"


async def test_a_challenge_for_humans_is_known_by_its_header(site, fetcher):
    site.answers["/"] = http(b"<p>", "403 Forbidden", cf_mitigated="challenge")

    assert await reason_of(fetcher.fetch(URL), Skipped) == "captcha"


@pytest.mark.parametrize("content_type", ["application/pdf", "image/png", "text/plain", "application/octet-stream"])
async def test_another_kind_of_file_is_skipped_unread(site, fetcher, content_type):
    site.answers["/"] = http(content_type=content_type, content_length="99")

    assert await reason_of(fetcher.fetch(URL), Skipped) == "not_html"


@pytest.mark.parametrize("content_type", ["application/xhtml+xml", "TEXT/html;charset=utf-8;x", "", "nonsense", None])
async def test_html_and_an_unknown_type_are_read(site, fetcher, content_type):
    site.answers["/"] = http(b"<p>", content_type=content_type)

    assert (await fetcher.fetch(URL)).body == b"<p>"


async def test_other_kinds_can_be_asked_for(site, fetcher):
    site.answers["/"] = http(b"PNG", content_type="image/png")

    assert (await fetcher.fetch(URL, accept="image/*")).body == b"PNG"
    assert await reason_of(fetcher.fetch(URL, accept="image/jpeg"), Skipped) == "wrong_type"


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("gzip", gzipped(b"<p>hello")),
        ("X-GZIP", gzipped(b"<p>hello")),
        ("deflate", zlib.compress(b"<p>hello")),
        ("deflate", zlib.compress(b"<p>hello")[2:-4]),
        ("identity", b"<p>hello"),
        ("gzip", gzipped(b"<p>he") + gzipped(b"llo") + b"\0\0padding"),
    ],
)
async def test_packed_pages_are_unpacked(site, fetcher, encoding, packed):
    site.answers["/"] = http(packed, content_encoding=encoding)

    assert (await fetcher.fetch(URL)).body == b"<p>hello"


@pytest.mark.parametrize(
    ("encoding", "packed", "ends"),
    [
        ("br", b"x", (Rejected, "bad_encoding")),
        ("gzip, gzip", b"x", (Rejected, "bad_encoding")),
        ("gzip", b"not gzip at all", (DomainFailed, "bad_response")),
        ("gzip", gzipped(b"<p>hello")[:-9], (DomainFailed, "bad_response")),
    ],
)
async def test_what_does_not_unpack_has_its_reason(site, fetcher, encoding, packed, ends):
    site.answers["/"] = http(packed, content_encoding=encoding)

    assert await reason_of(fetcher.fetch(URL), ends[0]) == ends[1]


@pytest.mark.parametrize("members", [1, 1000])
async def test_a_bomb_is_never_inflated_beyond_the_limit(site, fetcher, members):
    bomb = gzipped(bytes(200_000_000 // members), members)
    site.answers["/"] = http(bomb, content_encoding="gzip")
    tracemalloc.start()

    reason = await reason_of(fetcher.fetch(URL, max_bytes=1_000_000), Rejected)

    assert reason == "too_large"
    assert tracemalloc.get_traced_memory()[1] < 8_000_000
    tracemalloc.stop()


async def test_a_page_as_large_as_allowed_is_read_and_one_byte_more_is_not(site, fetcher):
    site.answers["/"] = http(gzipped(bytes(50_000)), content_encoding="gzip")

    assert len((await fetcher.fetch(URL, max_bytes=50_000)).body) == 50_000
    assert await reason_of(fetcher.fetch(URL, max_bytes=49_999), Rejected) == "too_large"


async def test_a_declared_length_over_the_limit_ends_it_before_the_body(site, fetcher):
    async def declare(writer):
        writer.write(http(content_length="6000000"))
        await writer.drain()
        await asyncio.Event().wait()

    site.answers["/"] = declare

    assert await reason_of(fetcher.fetch(URL), Rejected) == "too_large"


async def test_an_endless_body_ends_at_the_byte_limit(site, fetcher):
    async def pour(writer):
        writer.write(http(content_length=None, transfer_encoding="chunked"))
        while True:
            writer.write(b"1000\r\n" + b"a" * 4096 + b"\r\n")
            await writer.drain()

    site.answers["/"] = pour

    assert await reason_of(fetcher.fetch(URL, max_bytes=300_000), Rejected) == "too_large"


async def test_a_body_of_empty_packing_ends_at_the_byte_limit_of_the_wire(site, fetcher):
    async def pour(writer):
        writer.write(http(content_length=None, content_encoding="deflate"))
        while True:
            writer.write(b"\0\0\0\xff\xff" * 1000)
            await writer.drain()

    site.answers["/"] = pour

    assert await reason_of(fetcher.fetch(URL, max_bytes=300_000), Rejected) == "too_large"


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\n", http(b"<p>", content_length="900")])
async def test_a_site_that_trickles_is_left_in_time(site, fetcher, start):
    async def trickle(writer):
        writer.write(start)
        await writer.drain()
        await asyncio.Event().wait()

    site.answers["/"] = trickle

    assert await reason_of(fetcher.fetch(URL, seconds=0.2), DomainFailed) == "timeout"


@pytest.mark.parametrize(
    "garbage",
    [
        b"220 mail.example ESMTP\r\n",
        b"HTTP/1.1 200 OK\r\nX-Big: " + b"a" * 200_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        http(b"<p>", content_length="99"),
        b"",
    ],
)
async def test_a_broken_answer_counts_against_the_domain(site, fetcher, garbage):
    async def send(writer):
        writer.write(garbage)
        await writer.drain()

    site.answers["/"] = send

    assert await reason_of(fetcher.fetch(URL), DomainFailed) == "bad_response"


@pytest.mark.parametrize(
    ("error", "kind", "reason"),
    [
        (socket.gaierror(socket.EAI_NONAME, "no such name"), DomainFailed, "dns"),
        (socket.gaierror(socket.EAI_AGAIN, "later"), DomainFailed, "dns_down"),
        (UnicodeError("label too long"), Rejected, "bad_input"),
        ([], DomainFailed, "dns"),
    ],
)
async def test_a_name_without_an_address_has_its_reason(site, dial, error, kind, reason):
    fetcher = Fetcher("TestBot/1.0", resolve=Names(error), dial=dial)

    assert await reason_of(fetcher.fetch(URL), kind) == reason


class Hanging:
    """The system's resolver: names under hang.example hang, all others are public."""

    def __init__(self):
        self.over = threading.Event()

    def __call__(self, host, *_, **__):
        if host.endswith("hang.example"):
            self.over.wait(60)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (PUBLIC, 0))]


@pytest.fixture
def hanging(monkeypatch):
    system = Hanging()
    monkeypatch.setattr(socket, "getaddrinfo", system)
    yield system
    system.over.set()


def looked_up(resolver, count):
    return [asyncio.create_task(resolver(f"n{n}.hang.example")) for n in range(count)]


async def test_names_that_hang_hold_up_no_other(hanging):
    resolver = SystemResolver(lambda: NOW)
    lookups = looked_up(resolver, 120)
    await asyncio.sleep(0)

    async with asyncio.timeout(20):
        found = await resolver("daily.example")

    assert found == [PUBLIC]
    hanging.over.set()
    await asyncio.wait(lookups)


async def test_where_names_hang_in_every_thread_others_come_later_and_nobody_is_blamed(hanging, site, dial):
    site.answers["/"] = http(b"<p>")
    resolver = SystemResolver(lambda: NOW, threads=2)
    fetcher = Fetcher("TestBot/1.0", resolve=resolver, dial=dial)
    lookups = looked_up(resolver, 2)
    await asyncio.sleep(0)

    with pytest.raises(Deferred, match="dns_busy") as later:
        await fetcher.fetch(URL)
    hanging.over.set()
    await asyncio.gather(*lookups)
    page = await fetcher.fetch(URL)

    assert later.value.until == NOW + timedelta(seconds=10)
    assert page.status == 200
    await fetcher.aclose()


async def test_connecting_is_tried_a_second_time(site):
    site.answers["/"] = http(b"<p>")
    dial = Rerouted(site.port, refuse=[True, False])
    fetcher = Fetcher("TestBot/1.0", resolve=Names([PUBLIC]), dial=dial)

    page = await fetcher.fetch(URL)

    assert page.status == 200
    assert len(dial.dialled) == 2
    await fetcher.aclose()


async def test_connecting_goes_on_to_a_names_next_address(site):
    site.answers["/"] = http(b"<p>")
    dial = Rerouted(site.port, refuse=[True, False])
    fetcher = Fetcher("TestBot/1.0", resolve=Names(["1.1.1.1", "8.8.8.8"]), dial=dial)

    await fetcher.fetch(URL)

    assert dial.dialled == [("1.1.1.1", 80), ("8.8.8.8", 80)]
    await fetcher.aclose()


async def test_a_host_that_stays_shut_is_dialled_twice_and_counts_against_the_domain(site):
    dial = Rerouted(site.port, refuse=[True] * 9)
    fetcher = Fetcher("TestBot/1.0", resolve=Names([PUBLIC]), dial=dial)

    assert await reason_of(fetcher.fetch(URL), DomainFailed) == "connection"
    assert len(dial.dialled) == 2


async def test_a_request_that_was_sent_is_not_sent_again(site, fetcher):
    async def hang_up(writer):
        writer.transport.abort()

    site.answers["/"] = hang_up

    assert await reason_of(fetcher.fetch(URL), DomainFailed) in {"connection", "bad_response"}
    assert len(site.asked) == 1


async def test_a_certificate_nobody_vouches_for_is_a_tls_failure(serving, self_signed):
    site = Site({"/": http(b"<p>")})
    server = await serving(site, ssl=self_signed)
    dial = Rerouted(site.port)
    fetcher = Fetcher("TestBot/1.0", resolve=Names([PUBLIC]), dial=dial)

    assert await reason_of(fetcher.fetch("https://daily.example/"), DomainFailed) == "tls"
    assert dial.dialled == [(PUBLIC, 443)]
    assert not site.asked
    server.close()


async def test_plain_text_where_tls_is_expected_counts_against_the_domain():
    async def greet(reader, writer):
        writer.write(http(b"<p>"))

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    fetcher = Fetcher("TestBot/1.0", resolve=Names([PUBLIC]), dial=Rerouted(server.sockets[0].getsockname()[1]))

    assert await reason_of(fetcher.fetch("https://daily.example/"), DomainFailed) == "tls"
    server.close()


@pytest.mark.parametrize("start", [b"", http(b"<p>", content_length="900")])
@pytest.mark.usefixtures("trusted")
async def test_a_record_that_does_not_decrypt_counts_against_the_domain(serving, self_signed, start):
    async def break_off(writer):
        writer.write(start)
        await writer.drain()
        with writer.get_extra_info("socket").dup() as plain:
            plain.send(b"\x17\x03\x03\x00\x40" + b"x" * 64)

    site = Site({"/": break_off})
    server = await serving(site, ssl=self_signed)
    fetcher = Fetcher("TestBot/1.0", resolve=Names([PUBLIC]), dial=Rerouted(site.port))

    assert await reason_of(fetcher.fetch("https://daily.example/"), DomainFailed) == "tls"
    server.close()


@pytest.mark.usefixtures("trusted")
async def test_a_host_with_a_final_dot_can_prove_who_it_is(serving, self_signed):
    site = Site({"/": http(b"<p>", connection="close")})
    server = await serving(site, ssl=self_signed)
    fetcher = Fetcher("TestBot/1.0", resolve=Names([PUBLIC]), dial=Rerouted(site.port))

    page = await fetcher.fetch("https://daily.example./")

    assert page.final_url == "https://daily.example/"
    await fetcher.aclose()
    server.close()


async def test_a_closed_fetcher_opens_anew(site, fetcher):
    site.answers["/"] = http(b"<p>")
    await fetcher.fetch(URL)
    await fetcher.aclose()

    page = await fetcher.fetch(URL)

    assert page.status == 200
    assert site.connections == 2


async def test_many_pages_are_fetched_side_by_side(site, fetcher):
    everyone = asyncio.Barrier(20)

    async def together(writer):
        await everyone.wait()
        writer.write(http(b"<p>", connection="close"))
        await writer.drain()

    site.answers["/"] = together

    pages = await asyncio.gather(*(fetcher.fetch(f"http://host{n}.example/") for n in range(20)))

    assert [page.status for page in pages] == [200] * 20
