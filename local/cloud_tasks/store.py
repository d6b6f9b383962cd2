"""Keeps queues, tasks and reserved names in SQLite, so that they survive a kill; or nowhere.

Changes made during one turn of the event loop share one transaction: `committed` returns once it is written.
The log is not synced on each commit: a killed process loses nothing, a power cut perhaps the last moment.
"""

import asyncio
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from local.cloud_tasks.messages import Message, Queue, Task
from local.cloud_tasks.progress import Progress
from local.cloud_tasks.queue_state import LiveTask

_SCHEMA = """
create table if not exists queues (name text primary key, settings blob not null) without rowid;
create table if not exists tasks (
    seq integer primary key, definition blob not null, created real not null, named integer not null,
    eta real, dispatched integer, responded integer, executions integer, previous integer,
    first_sent real, last_eta real, last_sent real, last_answered real
);
create table if not exists reserved_names (name text primary key, until real not null) without rowid;
"""
_PROGRESS = Progress._fields
_INSERT = f"insert into tasks values ({', '.join('?' * (4 + len(_PROGRESS)))})"
_UPDATE = f"update tasks set {', '.join(f'{field} = ?' for field in _PROGRESS)} where seq = ?"


class StoreFailed(Exception):
    """The data file cannot be used, or did not take a change."""


class Store(Protocol):
    """Where changes go. They are written in the order they are made."""

    def keep_queue(self, settings: Message) -> None: ...
    def drop_queue(self, name: str) -> None: ...
    def add(self, task: LiveTask) -> None: ...
    def update(self, task: LiveTask) -> None: ...
    def remove(self, task: LiveTask) -> None: ...
    def reserve(self, name: str, until: float) -> None: ...
    def release(self, until: float) -> None:
        """Forget the reserved names whose time was up at `until`."""

    async def committed(self) -> None:
        """Return once every change made so far is durable. Raises StoreFailed."""

    def queues(self) -> Iterator[Message]: ...
    def tasks(self) -> Iterator[LiveTask]: ...
    def reserved(self) -> Iterator[tuple[str, float]]: ...
    def close(self) -> None: ...


class NoStore:
    """Keeps nothing: what is in memory is all there is."""

    def keep_queue(self, settings: Message) -> None: ...
    def drop_queue(self, name: str) -> None: ...
    def add(self, task: LiveTask) -> None: ...
    def update(self, task: LiveTask) -> None: ...
    def remove(self, task: LiveTask) -> None: ...
    def reserve(self, name: str, until: float) -> None: ...
    def release(self, until: float) -> None: ...
    async def committed(self) -> None: ...

    def queues(self) -> Iterator[Message]:
        return iter(())

    def tasks(self) -> Iterator[LiveTask]:
        return iter(())

    def reserved(self) -> Iterator[tuple[str, float]]:
        return iter(())

    def close(self) -> None: ...


class SqliteStore:
    """Keeps everything in one SQLite file, opened for itself alone."""

    def __init__(self, file: Path) -> None:
        """Raises StoreFailed when the file is in use, is no database, or cannot be made."""
        self._changes: list[tuple[str, Sequence[Any]]] = []
        self._commit: asyncio.Future[None] | None = None
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(file, isolation_level=None, timeout=1.0)
            self._database.execute("pragma locking_mode = exclusive")
            self._database.execute("pragma journal_mode = wal")
            self._database.execute("pragma synchronous = normal")
            self._database.executescript(_SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise StoreFailed(f"{file}: {error}") from error

    def keep_queue(self, settings: Message) -> None:
        self._change("insert or replace into queues values (?, ?)", (settings.name, settings.SerializeToString()))

    def drop_queue(self, name: str) -> None:
        self._change("delete from queues where name = ?", (name,))

    def add(self, task: LiveTask) -> None:
        definition = task.definition.SerializeToString()
        self._change(_INSERT, (task.seq, definition, task.created, task.named, *task.progress))

    def update(self, task: LiveTask) -> None:
        self._change(_UPDATE, (*task.progress, task.seq))

    def remove(self, task: LiveTask) -> None:
        self._change("delete from tasks where seq = ?", (task.seq,))

    def reserve(self, name: str, until: float) -> None:
        self._change("insert or replace into reserved_names values (?, ?)", (name, until))

    def release(self, until: float) -> None:
        self._change("delete from reserved_names where until <= ?", (until,))

    async def committed(self) -> None:
        if self._commit is not None:
            await asyncio.shield(self._commit)

    def queues(self) -> Iterator[Message]:
        for (settings,) in self._database.execute("select settings from queues"):
            yield Queue.FromString(settings)

    def tasks(self) -> Iterator[LiveTask]:
        for seq, definition, created, named, *progress in self._database.execute("select * from tasks order by seq"):
            yield LiveTask(seq, Task.FromString(definition), created, Progress(*progress), named=bool(named))

    def reserved(self) -> Iterator[tuple[str, float]]:
        yield from self._database.execute("select name, until from reserved_names order by until")

    def close(self) -> None:
        """Write what waits, then let go of the file."""
        self._write()
        self._database.close()

    def _change(self, sql: str, values: Sequence[Any]) -> None:
        self._changes.append((sql, values))
        if self._commit is None:
            loop = asyncio.get_running_loop()
            self._commit = loop.create_future()
            loop.call_soon(self._write)

    def _write(self) -> None:
        changes, self._changes = self._changes, []
        commit, self._commit = self._commit, None
        try:
            self._transact(changes)
        except sqlite3.Error as error:
            self._fail(commit, StoreFailed(f"the data file did not take the change: {error}"))
        else:
            if commit is not None and not commit.done():
                commit.set_result(None)

    def _transact(self, changes: list[tuple[str, Sequence[Any]]]) -> None:
        if not changes:
            return
        self._database.execute("begin immediate")
        try:
            for sql, values in changes:
                self._database.execute(sql, values)
            self._database.execute("commit")
        except sqlite3.Error:
            if self._database.in_transaction:
                self._database.execute("rollback")
            raise

    @staticmethod
    def _fail(commit: asyncio.Future[None] | None, error: StoreFailed) -> None:
        print(f"cloud tasks: {error}")
        if commit is not None and not commit.done():
            commit.set_exception(error)
            commit.exception()  # seen: not every change has somebody waiting for it
