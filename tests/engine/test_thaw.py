"""An instance has no CPU between two requests: what died meanwhile must not cost the first request after it."""

from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest

from shared.channels import IDLE_SECONDS
from shared.queue import Delivery, Queue
from tests.engine.here import manifests_of, settings_of
from tests.engine.line import line_to
from tests.engine.test_clock import Hands


@pytest.fixture(scope="module")
def lines(environment):
    """Lines to everything that a function keeps connections to."""
    with ExitStack() as running:
        yield {
            name: running.enter_context(line_to(urlsplit(f"//{environment[name].split('://')[-1]}").netloc))
            for name in ("SUPABASE_URL", "TASKS_ENDPOINT", "GEMINI_BASE_URL", "SAMPLE_SITE")
        }


@pytest.fixture
def frozen(deployer, deployed, lines):
    """A probe whose connections all go through lines."""
    urls = {name: f"http://{line.address}" for name, (line, _) in lines.items()}
    return deployer.another("probe", "probe-frozen", **urls | {"SAMPLE_SITE": lines["SAMPLE_SITE"][0].address})


@pytest.mark.parametrize("do", ["done", "fetch", "defer"])
def test_servers_that_closed_their_connections_cost_the_first_request_nothing(
    frozen, lines, enlist, item_of, gemini, queue, sample_visits, do
):
    warm = enlist(do=do, seconds=60, text="before")
    assert frozen.deliver(warm).status_code == 200
    asked = gemini.stats.report()["requests"]
    item = enlist(do=do, seconds=60, text="after")

    frozen.freeze()
    for line, there in lines.values():
        there(line.cut)
    answer = frozen.deliver_frozen(item)

    assert answer == (200, "deferred" if do == "defer" else "done")
    assert item_of(item).attempts == (0 if do == "defer" else 1)
    assert gemini.stats.report()["requests"] - asked == (1 if do == "fetch" else 0)
    assert {one.item_id for one in queue.waiting()} == ({warm, item} if do == "defer" else set())
    assert [line for line in frozen.lines(item) if line["message"] != "item"] == []


async def test_a_connection_that_was_lost_without_a_word_is_not_used_again(environment, project, lines, queue, enlist):
    line, there = lines["TASKS_ENDPOINT"]
    hands = Hands()
    tasks = Queue(settings_of(environment, tasks_endpoint=f"http://{line.address}"), hands)
    probe = manifests_of(project).functions["probe"]
    before, after = enlist(do="done"), enlist(do="done", n=1)
    await tasks.put(Delivery(before, probe))

    there(line.forget)
    hands.at += IDLE_SECONDS + 1
    await tasks.put(Delivery(after, probe))

    assert {one.item_id for one in queue.waiting()} == {before, after}


async def test_a_connection_in_use_is_kept(environment, project, lines, queue, enlist):
    line, _ = lines["TASKS_ENDPOINT"]
    hands = Hands()
    tasks = Queue(settings_of(environment, tasks_endpoint=f"http://{line.address}"), hands)
    probe = manifests_of(project).functions["probe"]
    await tasks.put(Delivery(enlist(do="done"), probe))
    opened = line.connections

    for _ in range(3):
        hands.at += IDLE_SECONDS - 1
        await tasks.put(Delivery(enlist(do="done", n=1), probe))

    assert line.connections == opened
