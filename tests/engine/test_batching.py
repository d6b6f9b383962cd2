"""Group commit: many callers, few commits."""

import asyncio

import pytest

from shared.batching import GroupCommit, commit_apart


class Commits:
    """Remembers each group; holds the first one until it is let go."""

    def __init__(self, answer=str):
        self.groups = []
        self.go = asyncio.Event()
        self._answer = answer

    async def __call__(self, entries):
        self.groups.append(list(entries))
        await self.go.wait()
        return [self._answer(entry) for entry in entries]


class Refused(Exception):
    pass


async def submit_all(group, entries):
    return [asyncio.create_task(group.submit(entry)) for entry in entries]


async def settled(commits, count):
    """Let the loop turn until so many commits are under way."""
    for _ in range(100):
        if len(commits.groups) < count:
            await asyncio.sleep(0)
    assert len(commits.groups) >= count


async def test_who_comes_during_a_commit_goes_along_with_the_next():
    commits = Commits()
    group = GroupCommit(commits, parallel=1)
    (first,) = await submit_all(group, [0])
    await settled(commits, 1)
    rest = await submit_all(group, range(1, 40))
    await asyncio.sleep(0)

    commits.go.set()

    assert await asyncio.gather(first, *rest) == [str(n) for n in range(40)]
    assert [len(one) for one in commits.groups] == [1, 39]


async def test_a_group_is_no_larger_than_allowed():
    commits = Commits()
    commits.go.set()

    answers = await asyncio.gather(*await submit_all(GroupCommit(commits, most=10, parallel=1), range(25)))

    assert answers == [str(n) for n in range(25)]
    assert [len(one) for one in commits.groups] == [10, 10, 5]


async def test_a_few_commits_are_under_way_at_once_and_no_more():
    commits = Commits()
    group = GroupCommit(commits, most=1, parallel=2)
    waiting = await submit_all(group, range(5))
    await settled(commits, 2)
    for _ in range(10):
        await asyncio.sleep(0)
    begun = len(commits.groups)

    commits.go.set()

    assert begun == 2
    assert await asyncio.gather(*waiting) == [str(n) for n in range(5)]


async def test_who_comes_just_as_the_last_commit_ends_is_not_forgotten():
    commits = Commits()
    group = GroupCommit(commits, most=1, parallel=2)
    first = await submit_all(group, range(2))
    await settled(commits, 2)

    async def late():
        await commits.go.wait()
        return await group.submit(2)

    latecomer = asyncio.create_task(late())
    await asyncio.sleep(0)
    commits.go.set()

    assert await asyncio.wait_for(asyncio.gather(*first, latecomer), timeout=10) == ["0", "1", "2"]


async def test_when_a_commit_fails_each_of_its_callers_is_told_and_the_next_group_goes_on():
    failing = [True]

    async def commit(entries):
        if failing.pop() if failing else False:
            raise OSError("no connection")
        return entries

    group = GroupCommit(commit)
    answers = await asyncio.gather(*await submit_all(group, range(3)), return_exceptions=True)

    assert [type(answer) for answer in answers] == [OSError] * 3
    assert await group.submit(7) == 7


async def test_a_caller_that_gave_up_does_not_disturb_the_others():
    commits = Commits()
    group = GroupCommit(commits)
    leaves, stays = await submit_all(group, [1, 2])
    await settled(commits, 1)
    leaves.cancel()

    commits.go.set()

    assert await stays == "2"
    assert leaves.cancelled() or leaves.cancelling()


async def test_a_commit_that_answers_too_little_leaves_nobody_waiting():
    async def commit(entries):
        return list(entries)[1:]

    group = GroupCommit(commit)
    answers = await asyncio.wait_for(
        asyncio.gather(*await submit_all(group, range(3)), return_exceptions=True), timeout=10
    )

    assert all(isinstance(answer, ValueError) for answer in answers)


@pytest.mark.parametrize("bad", [{0}, {7}, {3, 4}, set(range(8))])
async def test_a_refused_entry_stands_alone_in_the_end(bad):
    async def commit(entries):
        if bad & set(entries):
            raise Refused
        return [f"kept {entry}" for entry in entries]

    async def refused(entry, error):
        return f"refused {entry}"

    answers = await commit_apart(commit, range(8), Refused, refused)

    assert answers == [f"{'refused' if entry in bad else 'kept'} {entry}" for entry in range(8)]
