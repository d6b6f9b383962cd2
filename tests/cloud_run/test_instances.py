"""When instances start, stop, have the CPU, and refuse."""

import asyncio
import json
import os
import signal

import httpx
import psutil

from standins.cloud_run import pool as pools
from standins.cloud_run.instance import REUSE_SECONDS
from tests.cloud_run.conftest import Front, is_frozen, until


async def test_the_first_request_starts_an_instance(front: Front):
    async with front() as running:
        before = list(running.pool.instances)

        answer = await running.http.get("/echo")

        assert before == []
        assert answer.status_code == 200
        assert answer.json()["pid"] == running.instance.pid
        assert [line for line in running.lines if "instance started" in line]


async def test_the_minimum_is_started_before_any_request_and_frozen(front: Front):
    async with front(min_instances=2) as running:
        await until(lambda: [one.state for one in running.pool.instances] == ["frozen", "frozen"])

        await until(lambda: all(is_frozen(one.pid) for one in running.pool.instances))


async def test_an_instance_has_no_cpu_between_requests(front: Front):
    async with front() as running:
        first = await running.http.get("/echo")
        await until(lambda: is_frozen(running.instance.pid))

        second = await running.http.get("/echo")

        assert first.json()["pid"] == second.json()["pid"]


async def test_an_open_event_stream_keeps_the_cpu_on(front: Front):
    async with front() as running, running.http.stream("GET", "/events") as answer:
        events = answer.aiter_text()
        first = await anext(events)
        frozen = is_frozen(running.instance.pid)
        running.let_go()

        assert first == "data: 1\n\n"
        assert not frozen
        assert await anext(events) == "data: 2\n\n"


async def test_an_instance_at_its_concurrency_has_another_started(front: Front):
    async with front(concurrency=2) as running:
        held = [asyncio.create_task(running.http.get("/hold")) for _ in range(3)]
        await running.in_flight(3)

        assert sorted(one.in_flight for one in running.pool.instances) == [1, 2]
        running.let_go()
        assert [answer.status_code for answer in await asyncio.gather(*held)] == [200] * 3


async def test_past_the_most_instances_the_answer_is_429(front: Front, monkeypatch):
    monkeypatch.setattr(pools, "PENDING_SECONDS", 0.2)
    monkeypatch.setattr(pools, "STARTUPS_PENDING", 0)
    async with front(concurrency=1, max_instances=1) as running:
        held = asyncio.create_task(running.http.get("/hold"))
        await running.in_flight(1)

        refused = await running.http.get("/echo")

        running.let_go()
        assert (refused.status_code, refused.text) == (429, "Rate exceeded.")
        assert "no available instance" in running.lines[-1]
        assert (await held).status_code == 200


async def test_a_request_that_waits_gets_the_place_of_one_that_ends(front: Front):
    async with front(concurrency=1, max_instances=1) as running:
        held = asyncio.create_task(running.http.get("/hold"))
        await running.in_flight(1)
        waiting = asyncio.create_task(running.http.get("/echo"))
        await until(lambda: running.pool.requests == 2)

        running.let_go()

        assert (await waiting).status_code == 200
        assert (await held).status_code == 200


async def test_an_idle_instance_is_told_to_end(front: Front):
    async with front(idle_seconds=0.1) as running:
        pid = (await running.http.get("/echo")).json()["pid"]

        await until(lambda: not running.pool.instances)

        assert not psutil.pid_exists(pid)
        assert running.lines[-1].endswith("instance stopped")


async def test_an_instance_that_ignores_sigterm_is_killed_after_the_grace(front: Front):
    async with front() as running:
        pid = (await running.http.get("/ignore-term")).json()["pid"]

        await running.instance.stop(0.3)

        assert (running.folder / "terms").read_text() == "x"
        assert not psutil.pid_exists(pid)


async def test_a_new_deployment_lets_the_old_instances_finish(front: Front):
    async with front() as running:
        held = asyncio.create_task(running.http.get("/hold"))
        await running.in_flight(1)
        old = running.instance.pid

        running.pool.replace(running.pool.service)
        new = (await running.http.get("/echo")).json()["pid"]
        running.let_go()

        assert (await held).json()["pid"] == old != new
        await until(lambda: [one.pid for one in running.pool.instances] == [new])


async def test_what_a_killed_instance_was_doing_gets_a_503_and_the_next_starts_another(front: Front):
    async with front() as running:
        held = asyncio.create_task(running.http.get("/hold"))
        await running.in_flight(1)
        old = running.instance.pid

        os.killpg(old, signal.SIGKILL)

        assert (await held).status_code == 503
        assert (await running.http.get("/echo")).json()["pid"] != old
        assert any("killed (-9)" in line for line in running.lines)


async def test_a_frozen_instance_that_was_killed_costs_no_request(front: Front):
    async with front() as running:
        await running.http.get("/echo")
        frozen = psutil.Process(running.instance.pid)
        await until(lambda: is_frozen(frozen.pid))

        os.killpg(frozen.pid, signal.SIGKILL)
        await until(lambda: not frozen.is_running() or frozen.status() == psutil.STATUS_ZOMBIE)

        assert (await running.http.get("/echo")).status_code == 200


async def test_an_answer_that_is_no_http_is_a_503(front: Front):
    async with front() as running:
        assert (await running.http.get("/garbage")).status_code == 503


async def test_an_instance_that_cannot_start_is_a_503_each_time(front: Front):
    async with front() as running:
        (running.folder / "no-start").touch()

        answers = [await running.http.get("/echo") for _ in range(2)]

        # It may be seen to listen for a moment before it ends.
        assert [answer.status_code for answer in answers] == [503, 503]


async def test_a_command_that_does_not_exist_is_named_in_the_log(front: Front):
    async with front(command=("/does/not/exist",)) as running:
        answer = await running.http.get("/echo")

        assert answer.status_code == 503
        assert any("/does/not/exist" in line for line in running.lines)


async def test_the_time_a_request_may_take_ends_in_504(front: Front):
    async with front(timeout_seconds=0.5) as running:
        late = await running.http.get("/hold")

        assert (late.status_code, late.text) == (504, "upstream request timeout")
        await running.in_flight(0)


async def test_a_stream_that_takes_too_long_is_cut(front: Front):
    async with front(timeout_seconds=1) as running:
        try:
            await running.http.get("/events")
        except httpx.RemoteProtocolError:
            cut = True

        assert cut


async def test_a_caller_that_goes_away_frees_its_place(front: Front):
    async with front() as running:
        held = asyncio.create_task(running.http.get("/hold"))
        await running.in_flight(1)

        held.cancel()

        await running.in_flight(0)
        assert running.instance.state == "frozen"


async def test_stopping_leaves_no_frozen_process_behind(front: Front):
    async with front(min_instances=1) as running:
        pid = (await running.http.get("/echo")).json()["pid"]
        await until(lambda: running.instance.state == "frozen")

        await running.front_door.stop()

        assert not psutil.pid_exists(pid)


async def test_an_instance_knows_its_service_and_its_timeout(front: Front):
    async with front(timeout_seconds=42, environment={"COLOUR": "red"}) as running:
        await running.http.get("/echo")

        environment = json.loads((running.folder / "environment.json").read_text())
        assert environment["K_SERVICE"] == "service"
        assert environment["CLOUD_RUN_TIMEOUT_SECONDS"] == "42"
        assert environment["COLOUR"] == "red"


async def test_a_connection_is_used_again_but_not_after_a_pause_in_which_gunicorn_may_have_closed_it(front: Front):
    async with front(min_instances=1) as running:
        moment = [100.0]
        await until(lambda: [one.state for one in running.pool.instances] == ["frozen"])
        running.instance._clock = lambda: moment[0]
        connections = []
        for seconds in (0, REUSE_SECONDS / 2, REUSE_SECONDS):
            moment[0] += seconds
            connections.append((await running.http.get("/echo")).json()["connection"])

    first, after_half, after_all = connections
    assert first == after_half != after_all
