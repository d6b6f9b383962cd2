"""SIGTERM: an instance finishes what it can in its last ten seconds, and gives back what it cannot."""

import asyncio
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.stopping import GRACE_SECONDS, InstanceStopped, Stopping

# The platform's own patience, after which comes SIGKILL.
LAST_SECONDS = 10.0


@pytest.fixture
def stopped_meanwhile(deployer, deployed):
    """stopped_meanwhile("label", item, began): its answer, though the instance is told to stop once `began` returns."""

    def stopped_meanwhile(label, item, began, then=lambda: None):
        function = deployer.another("probe", label)
        with ThreadPoolExecutor(1) as threads:
            answer = threads.submit(function.deliver, item)
            began()
            # The first process alone, as the platform tells it: it tells its worker.
            function.process.send_signal(signal.SIGTERM)
            then()
            ended = function.process.wait(LAST_SECONDS)
            return answer.result(), ended, function

    return stopped_meanwhile


def test_a_request_in_flight_is_finished(stopped_meanwhile, door, enlist, item_of):
    """Its result was paid for already."""
    keeping, item = door.hold("keep_v1"), enlist(do="done")

    answer, ended, _ = stopped_meanwhile("probe-stopped", item, keeping.wait_for_somebody, keeping.open.set)

    assert (answer.status_code, answer.text, ended) == (200, "done", 0)
    assert item_of(item).state == "done"


def test_work_that_would_take_too_long_gives_its_item_back(
    stopped_meanwhile, enlist, item_of, attempts_of, wait_until, queue
):
    item = enlist(do="slow", seconds=19)

    answer, ended, function = stopped_meanwhile(
        "probe-stopped-at-work", item, lambda: wait_until(lambda: item_of(item).state == "running")
    )

    assert (answer.status_code, answer.text, ended) == (200, "deferred", 0)
    assert (item_of(item).state, item_of(item).attempts, item_of(item).deferrals) == ("waiting", 0, 0)
    assert [one.item_id for one in queue.waiting()] == [item]
    assert [one.reason for one in attempts_of(item)] == ["instance_stopped"]
    assert function.lines(item)[-1]["reason"] == "instance_stopped"


async def test_without_a_signal_work_has_its_own_time():
    with pytest.raises(TimeoutError):
        async with Stopping().limit(0.01):
            await asyncio.sleep(60)


async def test_work_that_begins_after_the_signal_has_the_grace_at_most():
    stopping = Stopping()
    stopping.told()

    async with stopping.limit(60):
        left = min(limit.when() for limit in stopping._limits) - asyncio.get_running_loop().time()

    assert left <= GRACE_SECONDS


async def test_a_time_out_of_the_works_own_stays_one_after_the_signal():
    stopping = Stopping()
    stopping.told()

    with pytest.raises(TimeoutError):
        async with stopping.limit(0.01):
            await asyncio.sleep(60)


async def test_work_in_flight_is_ended_when_the_grace_is_over(monkeypatch):
    monkeypatch.setattr("shared.stopping.GRACE_SECONDS", 0.0)
    stopping = Stopping()
    asyncio.get_running_loop().call_soon(stopping.told)

    with pytest.raises(InstanceStopped):
        async with stopping.limit(60):
            await asyncio.sleep(60)
