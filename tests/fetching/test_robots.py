"""robots.txt is obeyed: asked for once a day, read as RFC 9309 says, and never at the expense of anybody's item."""

import asyncio
import gzip
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from protego import Protego

from shared.errors import Deferred, DomainFailed, Rejected, Skipped
from shared.fetching import Fetcher
from shared.robots import MOST_BYTES, MOST_CHARACTERS, Robots, folded, product_of
from shared.turns import standing_still
from shared.urls import parse
from tests.fetching.conftest import PUBLIC, Names, http

NOW = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)
PAGE = http(b"<p>news</p>")
SITE = "http://daily.example"


class Clock:
    def __init__(self):
        self.now = NOW

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
async def polite(site, dial, clock):
    """A fetcher that obeys, and a site with pages at /a and /private/a."""
    site.answers |= {"/a": PAGE, "/private/a": PAGE}
    fetcher = Fetcher("TestBot/1.0", obey_robots=True, resolve=Names([PUBLIC]), dial=dial, now=clock)
    yield fetcher
    await fetcher.aclose()


def rules(text, **headers):
    return http(text if isinstance(text, bytes) else text.encode(), content_type="text/plain", **headers)


def paths(site):
    return [request.split(" ")[1] for request in site.asked]


async def may_read(polite, path):
    (end,) = await asyncio.gather(polite.fetch(SITE + path), return_exceptions=True)
    if isinstance(end, Skipped) and end.reason == "robots":
        return False
    assert end.status == 200
    return True


async def test_a_page_that_robots_txt_forbids_is_skipped_and_never_asked_for(site, polite):
    site.answers["/robots.txt"] = rules("User-agent: *\nDisallow: /private/\n")

    with pytest.raises(Skipped) as skipped:
        await polite.fetch(f"{SITE}/private/a")

    assert skipped.value.reason == "robots"
    assert f"{SITE}/robots.txt asks TestBot not to read {SITE}/private/a" in skipped.value.detail
    assert "robots: false" in skipped.value.detail
    assert paths(site) == ["/robots.txt"]


async def test_robots_txt_is_asked_for_once_a_day_by_all_items_together(site, polite, clock):
    site.answers["/robots.txt"] = rules("User-agent: *\nDisallow: /private/\n")

    await asyncio.gather(*(polite.fetch(f"{SITE}/a") for _ in range(20)))
    clock.now += timedelta(hours=23, minutes=59)
    await polite.fetch(f"{SITE}/a")
    asked_in_a_day = paths(site).count("/robots.txt")
    clock.now += timedelta(minutes=2)
    await polite.fetch(f"{SITE}/a")

    assert asked_in_a_day == 1
    assert paths(site).count("/robots.txt") == 2


async def test_the_switch_asks_for_no_robots_txt(site, fetcher):
    site.answers |= {"/private/a": PAGE, "/robots.txt": rules("User-agent: *\nDisallow: /\n")}

    await fetcher.fetch(f"{SITE}/private/a")

    assert paths(site) == ["/private/a"]


@pytest.mark.parametrize(
    ("text", "reads_a", "reads_private"),
    [
        ("User-agent: testbot\nDisallow: /private", True, False),
        ("User-agent: TestBot/2.0\nDisallow: /private", True, False),
        # The group of our name, and no other.
        ("User-agent: *\nDisallow: /\n\nUser-agent: TestBot\nDisallow: /private", True, False),
        ("User-agent: Test\nDisallow: /", True, True),
        ("User-agent: TestBotNews\nDisallow: /", True, True),
        ("User-agent: Other\nUser-agent: TestBot\nDisallow: /private", True, False),
        # Groups of one name are one.
        ("User-agent: TestBot\nDisallow: /a\n\nUser-agent: x\nDisallow: /\n\nUser-agent: TestBot\nDisallow: /private",
         False, False),
        # The longest match, and of equals the one that allows.
        ("User-agent: *\nDisallow: /\nAllow: /private/a", False, True),
        ("User-agent: *\nDisallow: /private/a\nAllow: /private/a", True, True),
        ("User-agent: *\nDisallow: /*/a$", True, False),
        ("User-agent: *\nDisallow: /p*$", True, False),
        ("User-agent: *\nDisallow:", True, True),
        ("\ufeffUser-agent: *\nDisallow: /private", True, False),
        (b"User-agent: *\r\nDisallow: /caf\xe9\r\nDisallow: /private\r\n", True, False),
        ("<html><body>Not found</body></html>", True, True),
        (b"\x89PNG\x00\xff" * 50, True, True),
        ("", True, True),
    ],
)  # fmt: skip
async def test_rules_are_read_as_rfc_9309_says(site, polite, text, reads_a, reads_private):
    site.answers["/robots.txt"] = rules(text)

    assert (await may_read(polite, "/a"), await may_read(polite, "/private/a")) == (reads_a, reads_private)


@pytest.mark.parametrize("status", ["404 Not Found", "401 Unauthorized", "403 Forbidden", "410 Gone", "204 No Content"])
async def test_a_host_without_robots_txt_allows_everything(site, polite, status):
    site.answers["/robots.txt"] = http(b"", status, content_length=None if status[:3] == "204" else "0")

    assert await may_read(polite, "/a")


@pytest.mark.parametrize("status", ["500 Internal Server Error", "503 Service Unavailable"])
async def test_a_robots_txt_that_cannot_be_read_forbids_for_now_and_fails_as_its_domain(site, polite, clock, status):
    site.answers["/robots.txt"] = http(b"", status)

    with pytest.raises(DomainFailed) as failed:
        await polite.fetch(f"{SITE}/a")

    assert failed.value.reason == "robots_unreachable"
    assert f"{SITE}/robots.txt answered {status[:3]}" in failed.value.detail
    assert paths(site) == ["/robots.txt"]
    site.answers["/robots.txt"] = rules("")
    clock.now += timedelta(seconds=2)
    assert await may_read(polite, "/a")


async def test_items_that_come_together_share_one_failure(site, polite):
    site.answers["/robots.txt"] = http(b"", "500 Internal Server Error")

    ends = await asyncio.gather(*(polite.fetch(f"{SITE}/a") for _ in range(20)), return_exceptions=True)

    assert {end.reason for end in ends} == {"robots_unreachable"}
    assert paths(site) == ["/robots.txt"]


async def test_a_host_that_wants_to_be_left_alone_defers(site, polite):
    site.answers["/robots.txt"] = http(b"", "429 Too Many Requests", retry_after="120")

    with pytest.raises(Deferred) as deferred:
        await polite.fetch(f"{SITE}/a")

    assert (deferred.value.reason, deferred.value.until) == ("domain_rests", NOW + timedelta(seconds=120))


async def test_rules_of_yesterday_hold_while_they_cannot_be_read_anew(site, polite, clock):
    site.answers["/robots.txt"] = rules("User-agent: *\nDisallow: /private")
    await may_read(polite, "/a")
    clock.now += timedelta(days=1)
    site.answers["/robots.txt"] = http(b"", "500 Internal Server Error")

    assert (await may_read(polite, "/a"), await may_read(polite, "/private/a")) == (True, False)


async def test_a_robots_txt_that_drips_has_a_time_out_of_its_own(site, polite, monkeypatch):
    monkeypatch.setattr("shared.robots.SECONDS", 0.05)

    async def drip(writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nU")
        await writer.drain()
        await asyncio.Event().wait()

    site.answers["/robots.txt"] = drip

    with pytest.raises(DomainFailed, match=r"robots\.txt took longer than 0\.05 seconds"):
        await polite.fetch(f"{SITE}/a", seconds=20)


async def test_the_time_for_a_page_does_not_run_while_its_robots_txt_is_read(monkeypatch):
    loop = asyncio.get_running_loop()
    limit = asyncio.timeout(5)
    async with limit:
        due, later = limit.when(), loop.time() + 100
        with standing_still(limit):
            during = limit.when()
            monkeypatch.setattr(loop, "time", lambda: later)
        after = limit.when()

    assert during is None
    assert due + 90 < after <= due + 100


async def test_each_hop_of_a_redirect_is_checked(site, polite):
    site.answers |= {
        "/robots.txt": rules("User-agent: *\nDisallow: /private"),
        "/moved": http(b"", "302 Found", location="/private/a"),
    }

    assert not await may_read(polite, "/moved")
    assert "/private/a" not in paths(site)


async def test_robots_txt_itself_may_stand_elsewhere(site, polite):
    site.answers |= {
        "/robots.txt": http(b"", "301 Moved", location="/real"),
        "/real": rules("User-agent: *\nDisallow: /private"),
    }

    assert (await may_read(polite, "/a"), await may_read(polite, "/private/a")) == (True, False)


@pytest.mark.parametrize("target", ["/robots.txt", "http://10.0.0.1/robots.txt", "file:///etc/passwd"])
async def test_a_robots_txt_that_redirects_to_nowhere_is_none_and_the_guard_holds(site, polite, dial, target):
    site.answers["/robots.txt"] = http(b"", "302 Found", location=target)

    assert await may_read(polite, "/a")
    assert {host for host, _ in dial.dialled} == {PUBLIC}


async def test_a_host_that_may_not_be_dialled_is_not_asked_for_its_robots_txt(dial):
    fetcher = Fetcher("TestBot/1.0", obey_robots=True, resolve=Names(["127.0.0.1"]), dial=dial)

    with pytest.raises(Rejected) as rejected:
        await fetcher.fetch(f"{SITE}/a")

    assert rejected.value.reason == "blocked_address"
    assert dial.dialled == []


async def test_only_the_first_500_kib_count_and_no_half_line(site, polite):
    filler = b"# filler\n" * (MOST_BYTES // 9)
    cut = b"Disallow: /" + b"x" * 50
    site.answers["/robots.txt"] = rules(b"User-agent: *\nDisallow: /private\n" + filler + cut + filler)

    assert (await may_read(polite, "/a"), await may_read(polite, "/private/a")) == (True, False)


async def test_a_robots_txt_that_unpacks_to_too_much_is_cut_too(site, polite):
    bomb = gzip.compress(b"User-agent: *\nDisallow: /private\n" + b"#" * 50_000_000)
    site.answers["/robots.txt"] = rules(bomb, content_encoding="gzip")

    assert (await may_read(polite, "/a"), await may_read(polite, "/private/a")) == (True, False)


async def test_a_page_that_a_model_reads_by_itself_is_checked_alike(site, polite):
    site.answers["/robots.txt"] = rules("User-agent: *\nDisallow: /private")

    await polite.check_robots(f"{SITE}/a")
    with pytest.raises(Skipped, match="robots"):
        await polite.check_robots(f"{SITE}/private/a")

    assert paths(site) == ["/robots.txt"]


async def test_what_is_remembered_is_bounded_by_number_and_by_size(clock):
    texts = {"/large": b"User-agent: *\n" + b"Disallow: /x\n" * 30_000}

    async def read(file):
        return texts["/large"] if "large" in file.host else b"User-agent: *\nDisallow: /p"

    robots = Robots("TestBot", read, clock)
    for n in range(1200):
        await robots.check(parse(f"http://small{n}.example/"))
    small = len(robots._known)
    for n in range(5):
        await robots.check(parse(f"http://large{n}.example/"))

    assert small == 1000
    assert robots._characters <= MOST_CHARACTERS
    assert robots._characters == sum(known.size for known in robots._known.values())
    assert len(robots._look_ups) == 0


def test_many_agents_with_many_rules_take_no_memory_to_speak_of():
    """Protego would keep a copy of each rule for each agent: here 100 million."""
    agents = "".join(f"User-agent: bot{n}\n" for n in range(10_000))
    rules = "".join(f"Disallow: /{n}\n" for n in range(10_000))

    parsed = Protego.parse(folded(agents + "User-agent: TestBot\n" + rules, "TestBot"))

    assert len(parsed._user_agents) == 2
    assert not parsed.can_fetch("http://daily.example/77", "TestBot")


@settings(deadline=None)
@given(st.text(alphabet=st.sampled_from("User-agent:usr *#/\n\r\x0b\x85\u2028 \ttestbotDisallow: $%é"), max_size=300))
def test_no_line_of_another_agent_gets_past_the_folding(text):
    parsed = Protego.parse(folded(text, "TestBot"))

    assert set(parsed._user_agents) <= {"testbot", "*", "0"}


@pytest.mark.parametrize(
    ("user_agent", "product"),
    [
        ("Piecework/1.0", "Piecework"),
        ("Piecework/1.0 (+https://news.example/bot)", "Piecework"),
        ("Mozilla/5.0 (compatible; NewsReader/2.1; +https://news.example)", "NewsReader"),
        ("007", "*"),
    ],
)
def test_our_name_is_the_product_of_the_user_agent(user_agent, product):
    assert product_of(user_agent) == product
