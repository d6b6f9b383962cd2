"""Faults on purpose, throttling and slow start: off by default, and doing what they say."""

import pytest

from local.cloud_tasks import Faults, Throttle


class TestEverythingTwice:
    @pytest.fixture
    def options(self, clock):
        return {"clock": clock, "faults": Faults(duplicate=1.0)}

    async def test_a_duplicate_is_the_same_request_again(self, queue, create, sink, emulator):
        await create(queue, http={"body": b"x"})
        await sink.received(2)
        await emulator.settled()

        first, second = sink.requests
        assert first == second
        assert emulator.counts()[queue] == (0, 0)

    @pytest.mark.parametrize("concurrent", [1, 3])
    async def test_duplicates_stay_within_the_concurrency(self, make_queue, create, sink, emulator, concurrent):
        queue = await make_queue(rate_limits={"max_concurrent_dispatches": concurrent})
        await sink_holds(sink, create, queue, concurrent)

        sink.release.set()
        await sink.received(20)
        await emulator.settled()

        assert sink.most["/"] == concurrent


async def sink_holds(sink, create, queue, concurrent):
    """Create ten tasks, and return when as many requests wait for their answers as may."""
    sink.held = {"/"}
    for _ in range(10):
        await create(queue)
    await sink.busy("/", concurrent)


class TestEveryAnswerLost:
    @pytest.fixture
    def options(self, clock):
        return {"clock": clock, "faults": Faults(lose_answers=1.0)}

    async def test_a_lost_answer_is_no_answer(self, make_queue, create, sink, pass_time, emulator):
        queue = await make_queue(retry_config={"max_attempts": 3})

        await create(queue)
        for _ in range(4):
            await pass_time(3600)

        assert sink.seen("TaskRetryCount") == ["0", "1", "2"]
        assert sink.seen("TaskExecutionCount") == ["0", "0", "0"]


def test_the_same_seed_gives_the_same_faults_in_about_the_share_asked_for():
    def drawn():
        faults = Faults(duplicate=0.02, seed=5)
        return [faults.delivers_twice() for _ in range(10_000)]

    assert drawn() == drawn()
    assert 150 < sum(drawn()) < 250


def test_no_fault_happens_by_itself():
    faults = Faults()

    assert not any(faults.delivers_twice() or faults.loses_answer() for _ in range(1000))


def test_without_its_flags_a_queue_is_never_throttled():
    throttle = Throttle()

    for second in range(100):
        throttle.saw(503, second)

    assert throttle.factor(100) == 1.0


def test_overload_slows_a_queue_down_and_good_answers_bring_it_back():
    throttle = Throttle(on_overload=True)

    for second in range(10):
        throttle.saw(429, second)
    slowed = throttle.factor(10)
    for second in range(10, 60):
        throttle.saw(200, second)

    assert 0.05 <= slowed < 0.5
    assert throttle.factor(60) == 1.0


def seen(throttle, statuses, *, since=0.0, every=0.1):
    """Show the throttle these answers, evenly in time; what it said, and its share in the end."""
    said, now = [], since
    for status in statuses:
        said.append(throttle.saw(status, now))
        now += every
    return [line for line in said if line], throttle.factor(now)


def test_a_high_rate_of_any_failure_slows_a_queue_down():
    said, share = seen(Throttle(on_overload=True), [500, 200] * 50)

    assert share < 0.4
    assert said == ["throttled: half of its attempts fail; it slows down to 5% of its rate while that goes on"]


@pytest.mark.parametrize("failure", [0, 400, 404, 500, 504])
def test_a_low_rate_of_failures_changes_nothing(failure):
    assert seen(Throttle(on_overload=True), [200, 200, failure] * 50) == ([], 1.0)


def test_one_task_that_fails_again_and_again_does_not_slow_its_queue_down():
    assert seen(Throttle(on_overload=True), [500] * 100, every=10) == ([], 1.0)


def test_failures_of_long_ago_do_not_count():
    throttle = Throttle(on_overload=True)
    seen(throttle, [500] * 19)

    assert seen(throttle, [500], since=100) == ([], 1.0)


def test_a_throttled_queue_is_never_stopped_and_recovers_by_and_by():
    throttle = Throttle(on_overload=True)
    said, slowest = seen(throttle, [503] * 500)
    _, after_ten = seen(throttle, [200] * 10, since=50)
    recovered, whole = seen(throttle, [200] * 40, since=51)

    assert said == ["throttled: answer 503; it slows down to 5% of its rate while that goes on"]
    assert (slowest, whole) == (0.05, 1.0)
    assert slowest < after_ten < 0.3
    assert recovered == ["throttled no more"]


def test_a_queue_that_rested_for_long_is_as_good_as_new():
    throttle = Throttle(on_overload=True)
    seen(throttle, [503] * 50)

    assert throttle.factor(3600) == 1.0


def test_a_slow_start_speeds_up_and_starts_over_after_idling():
    throttle = Throttle(slow_start=True)
    throttle.factor(0)

    factors = []
    for second in range(0, 60, 10):
        throttle.saw(200, second)
        factors.append(throttle.factor(second))

    assert factors == sorted(factors)
    assert (factors[0], factors[-1]) == (1 / 16, 1.0)
    assert throttle.factor(200) == 1 / 16


class TestThrottled:
    @pytest.fixture
    def options(self, clock, notices):
        return {"clock": clock, "throttle": lambda: Throttle(on_overload=True), "notice": notices.append}

    @pytest.fixture
    def notices(self):
        return []

    async def test_a_throttled_queue_keeps_its_settings(
        self, make_queue, create, client, emulator, sink, pass_time, notices
    ):
        queue = await make_queue(
            rate_limits={"max_dispatches_per_second": 10}, retry_config={"min_backoff": {"seconds": 3600}}
        )
        sink.answers["/"] = [503]
        for _ in range(60):
            await create(queue)
        await pass_time(0)

        sent = [len(sink.requests)]
        for _ in range(3):
            await pass_time(1)
            sent.append(len(sink.requests))

        assert sent[0] == 10
        assert sent[-1] - sent[-2] < 10
        assert (await client.get_queue(name=queue)).rate_limits.max_dispatches_per_second == 10
        assert emulator.shares()[queue] < 0.5
        assert notices == ["made: throttled: answer 503; it slows down to 5% of its rate while that goes on"]
