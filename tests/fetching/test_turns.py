"""At most a few requests to one host at once, and no other host waits for it."""

import asyncio
from collections import Counter, defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import HeldBack
from shared.fetching import Fetcher
from shared.turns import Turns
from tests.fetching.conftest import PUBLIC, Names, Rerouted, http

PAGE = http(b"<p>news</p>")


class Holding:
    """Answers when it is let go, and knows how many requests of a host were open at once."""

    def __init__(self):
        self.open, self.most, self.served = Counter(), Counter(), Counter()
        self.arrived, self.let_go = asyncio.Event(), asyncio.Event()

    async def serve(self, reader, writer):
        while head := await reader.readuntil(b"\r\n\r\n"):
            host = head.decode().partition("Host: ")[2].partition("\r\n")[0]
            self.open[host] += 1
            self.most[host] = max(self.most[host], self.open[host])
            self.arrived.set()
            await self.let_go.wait()
            self.open[host] -= 1
            self.served[host] += 1
            writer.write(PAGE)


@pytest.fixture
async def holding():
    holding = Holding()

    async def serve(reader, writer):
        try:
            await holding.serve(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    holding.port = server.sockets[0].getsockname()[1]
    yield holding
    server.close()


@pytest.fixture
async def fetcher(holding):
    fetcher = Fetcher("TestBot/1.0", resolve=Names([PUBLIC]), dial=Rerouted(holding.port))
    yield fetcher
    await fetcher.aclose()


async def until(holds):
    while not holds():
        await asyncio.sleep(0)


async def test_forty_items_of_one_host_never_have_more_than_four_requests_open(holding, fetcher):
    crowd = [asyncio.create_task(fetcher.fetch(f"http://daily.example/{n}")) for n in range(40)]
    await until(lambda: holding.open["daily.example"] == 4)
    others = [asyncio.create_task(fetcher.fetch(f"http://other{n}.example/")) for n in range(10)]

    await until(lambda: all(holding.open[f"other{n}.example"] for n in range(10)))
    holding.let_go.set()
    await asyncio.gather(*crowd, *others)

    assert holding.most["daily.example"] == 4
    assert holding.served["daily.example"] == 40
    assert len(fetcher._lines) == 0


async def test_a_host_counts_as_one_by_whatever_port_spelling_and_www(holding, fetcher):
    urls = ["http://daily.example/", "http://DAILY.example/", "http://www.daily.example/", "http://daily.example:8080/"]
    crowd = [asyncio.create_task(fetcher.fetch(url)) for url in urls * 5]

    await until(lambda: holding.open.total() == 4)
    holding.let_go.set()
    await asyncio.gather(*crowd)

    assert len(fetcher._lines) == 0
    assert holding.served.total() == 20


async def test_who_waits_too_long_in_line_is_deferred_and_the_host_is_not_blamed(holding, fetcher, monkeypatch):
    monkeypatch.setattr("shared.fetching.LINE_SECONDS", 0)
    crowd = [asyncio.create_task(fetcher.fetch(f"http://daily.example/{n}")) for n in range(4)]
    await until(lambda: holding.open.total() == 4)

    with pytest.raises(HeldBack) as deferred:
        await fetcher.fetch("http://daily.example/5")

    assert deferred.value.reason == "host_busy"
    holding.let_go.set()
    await asyncio.gather(*crowd)


async def test_webhooks_wait_in_line_too(holding, fetcher):
    crowd = [asyncio.create_task(fetcher.post("http://daily.example/", b"", {})) for _ in range(10)]

    await until(lambda: holding.open.total() == 4)
    holding.let_go.set()
    await asyncio.gather(*crowd)

    assert holding.most["daily.example"] == 4


async def test_places_go_in_the_order_of_coming():
    turns, order = Turns(1), []

    async def work(n):
        async with turns.take("host"):
            order.append(n)
            await asyncio.sleep(0)

    await asyncio.gather(*(work(n) for n in range(20)))

    assert order == list(range(20))


@settings(deadline=None, max_examples=60)
@given(
    workers=st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 4)), max_size=40),
    cancelled=st.lists(st.tuples(st.integers(0, 39), st.integers(0, 30)), max_size=15),
    most=st.integers(1, 4),
)
def test_whoever_gives_up_leaves_no_hole(workers, cancelled, most):
    """Workers come, work for some rounds of the loop, and some are cancelled in some round, waiting or at work."""

    async def play():
        turns, at_work, highest = Turns(most), Counter(), Counter()

        async def work(key, rounds):
            async with turns.take(key):
                at_work[key] += 1
                highest[key] = max(highest[key], at_work[key])
                try:
                    for _ in range(rounds):
                        await asyncio.sleep(0)
                finally:
                    at_work[key] -= 1

        tasks = [asyncio.create_task(work(*worker)) for worker in workers]
        at = defaultdict(list)
        for number, moment in cancelled:
            at[moment].append(number)
        for moment in range(31):
            for number in at[moment]:
                if number < len(tasks):
                    tasks[number].cancel()
            await asyncio.sleep(0)
        await asyncio.gather(*tasks, return_exceptions=True)
        again = [asyncio.create_task(work(key, 1)) for key in "abc" for _ in range(most)]
        await asyncio.gather(*again)
        return turns, highest

    turns, highest = asyncio.run(play())

    assert len(turns) == 0
    assert all(count <= most for count in highest.values())
    assert all(highest[key] == most for key in "abc")
