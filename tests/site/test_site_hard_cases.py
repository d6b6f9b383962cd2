"""The pages that are no articles, and the servers that mean harm."""

import json
import socket
import zlib

import httpx
import pytest
import trafilatura


@pytest.mark.parametrize(
    ("url", "mark"),
    [
        ("http://ledger.test/2026/tin-exchange", "Subscribe to continue reading"),
        ("http://post.test/plus/container-berth", "To read the full story, subscribe"),
        ("http://consent.test/coast/erosion-map", "Accept all and continue"),
        ("http://guarded.test/report/tram-tender", "Verify you are human"),
        ("http://shell.test/story/8812", "You need to enable JavaScript"),
        ("http://empty.test/live/by-election", '<div class="posts" data-source='),
        ("http://soft.test/2024/mill-fire", "Page not found"),
        ("http://refresh.test/go/harbour-bridge", 'http-equiv="refresh"'),
    ],
)
def test_a_page_without_an_article_says_200_and_little_else(web, url, mark):
    page = web.get(url)

    assert page.status_code == 200
    assert mark in page.text
    assert len((trafilatura.extract(page.content) or "").split()) < 100


def test_the_metered_page_tells_machines_that_it_is_not_free(web):
    page = web.get("http://ledger.test/2026/tin-exchange").text

    thing = json.loads(page.partition('ld+json">')[2].partition("</script>")[0])

    assert thing["isAccessibleForFree"] is False


def test_the_section_front_is_links(web):
    page = web.get("http://front.test/news").text

    assert page.count("<li ") == page.count("<time ") == 27


def test_the_paper_is_a_pdf(web):
    page = web.get("http://papers.test/minutes/2026-06.pdf")

    assert page.headers["content-type"] == "application/pdf"
    assert page.content.startswith(b"%PDF-1.4")
    assert page.content.endswith(b"%%EOF\n")


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://gone.test/2014/closed-story", 404),
        ("http://gone.test/2014/withdrawn-story", 410),
        ("http://down.test/news/always", 500),
        ("http://blocked.test/robot", 403),
        ("http://limited.test/forever", 429),
        ("http://members.test/only", 401),
        ("http://paying.test/only", 402),
        ("http://legal.test/withheld", 451),
        ("http://daily.test/no/such/page", 404),
        ("http://nobody.test/", 404),
    ],
)
def test_a_status_is_the_same_each_time(web, url, code):
    codes = [web.get(url).status_code for _ in range(3)]

    assert codes == [code] * 3


def test_a_moved_page_leads_to_an_article_on_another_host(web):
    page = web.get("http://moved.test/2019/old-lighthouse", follow_redirects=True)

    assert [step.status_code for step in page.history] == [301]
    assert str(page.url).endswith("/heritage/lighthouse-lens")
    assert page.status_code == 200


def test_the_loop_has_no_end(web):
    with pytest.raises(httpx.TooManyRedirects):
        web.get("http://loop.test/a", follow_redirects=True)


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("router", "http://10.0.0.1/"),
        ("metadata", "http://169.254.169.254/latest/meta-data/"),
        ("passwd", "file:///etc/passwd"),
    ],
)
def test_a_redirect_points_inside(web, path, target):
    answer = web.get(f"http://inside.test/{path}")

    assert (answer.status_code, answer.headers["location"]) == (302, target)


def test_the_bomb_is_a_thousand_times_larger_than_its_wire(web):
    unpack, wire, unpacked = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16), 0, 0

    with web.stream("GET", "http://bomb.test/archive") as answer:
        for chunk in answer.iter_raw():
            wire += len(chunk)
            unpacked += len(unpack.decompress(chunk))
            if unpacked > 100_000_000:
                break

    assert answer.headers["content-encoding"] == "gzip"
    assert unpacked > 500 * wire


def test_the_endless_page_goes_on(web):
    received = 0

    with web.stream("GET", "http://endless.test/feed") as answer:
        for chunk in answer.iter_raw():
            received += len(chunk)
            if received > 20_000_000:
                break

    assert received > 20_000_000
    assert "content-length" not in answer.headers


def test_the_giant_declares_two_gigabytes(web):
    with web.stream("GET", "http://giant.test/database") as answer:
        start = next(answer.iter_raw())

    assert answer.headers["content-length"] == str(2 * 1024**3)
    assert start.startswith(b"<!DOCTYPE html>")


def test_the_slow_page_comes_byte_by_byte(web):
    with web.stream("GET", "http://slow.test/news/one-byte-a-second") as answer:
        first = next(answer.iter_raw())

    assert first == b"<"


def test_a_cut_connection_is_reset_and_not_closed(port):
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(b"GET /news/cut-off HTTP/1.1\r\nHost: reset.test\r\n\r\n")

        with pytest.raises(ConnectionResetError):
            connection.recv(1000)


def test_the_busy_server_says_429_twice_and_then_answers(web):
    answers = [web.get("http://busy.test/weather/hailstorm") for _ in range(4)]

    assert [answer.status_code for answer in answers] == [429, 429, 200, 200]
    assert [answer.headers.get("retry-after") for answer in answers] == ["3", "3", None, None]


def test_the_flaky_server_says_500_twice_and_then_answers(web):
    codes = [web.get("http://flaky.test/transport/night-ferry").status_code for _ in range(3)]

    assert codes == [500, 500, 200]


def test_after_a_reset_the_busy_server_is_busy_again(web):
    for _ in range(3):
        web.get("http://busy.test/weather/hailstorm")

    web.post("http://any.test/control/reset")

    assert web.get("http://busy.test/weather/hailstorm").status_code == 429
