"""Group commit: concurrent callers share round trips.

One commit is under way; whoever arrives meanwhile goes along with the next. No timer and no background flush, because
a function's CPU stops with its last answer: every commit runs while somebody waits for it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar

Entry = TypeVar("Entry")
Answer = TypeVar("Answer")
Commit = Callable[[Sequence[Entry]], Awaitable[Sequence[Answer]]]


class GroupCommit(Generic[Entry, Answer]):
    """Turns many `submit` calls into few `commit` calls of at most `most` entries, answered in the same order.

    At most `parallel` commits are under way at once. One is best where it was measured: more of them means smaller
    groups, and a call costs more than what is in it.
    """

    def __init__(self, commit: Commit[Entry, Answer], *, most: int = 100, parallel: int = 1) -> None:
        self._commit = commit
        self._most = most
        self._parallel = parallel
        self._waiting: list[tuple[Entry, asyncio.Future[Answer]]] = []
        self._running: set[asyncio.Task[Any] | None] = set()

    async def submit(self, entry: Entry) -> Answer:
        """Return the commit's answer for this entry, or raise what the commit raised."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((entry, answer))
        if len(self._running) < self._parallel:
            self._running.add(asyncio.create_task(self._run()))
        return await answer

    async def _run(self) -> None:
        try:
            while self._waiting:
                group, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
                await self._answer(group)
        finally:
            # Here, not in a callback: who submits between the last look and the callback would wait for ever.
            self._running.discard(asyncio.current_task())

    async def _answer(self, group: list[tuple[Entry, asyncio.Future[Answer]]]) -> None:
        try:
            answers = await self._commit([entry for entry, _ in group])
            answered = list(zip(group, answers, strict=True))
        except Exception as error:  # noqa: BLE001 - whatever it is, each waiting caller is told
            for _, waiting in group:
                if not waiting.done():
                    waiting.set_exception(error)
            return
        for (_, waiting), answer in answered:
            if not waiting.done():
                waiting.set_result(answer)


async def commit_apart(
    commit: Commit[Entry, Answer],
    entries: Sequence[Entry],
    refusal: type[Exception],
    refused: Callable[[Entry, Exception], Awaitable[Answer]],
) -> list[Answer]:
    """Commit; where `refusal` is raised, halve until the bad entry stands alone, and let `refused` answer for it."""
    try:
        return list(await commit(entries))
    except refusal as error:
        if len(entries) == 1:
            return [await refused(entries[0], error)]
    middle = len(entries) // 2
    return [
        *await commit_apart(commit, entries[:middle], refusal, refused),
        *await commit_apart(commit, entries[middle:], refusal, refused),
    ]
