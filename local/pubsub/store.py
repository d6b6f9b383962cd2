"""What must survive a kill, in one SQLite file: topics, subscriptions, messages and who waits for them."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SCHEMA = """
CREATE TABLE IF NOT EXISTS topics (name TEXT PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS subscriptions (name TEXT PRIMARY KEY, topic TEXT NOT NULL, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT, body BLOB NOT NULL, published_at REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS deliveries (
    subscription TEXT NOT NULL, message_id INTEGER NOT NULL, ordering_key TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0, due_at REAL NOT NULL,
    PRIMARY KEY (subscription, message_id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS messages_age ON messages (published_at);
CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (subscription, due_at, message_id);
CREATE INDEX IF NOT EXISTS deliveries_message ON deliveries (message_id);
CREATE TRIGGER IF NOT EXISTS last_delivery AFTER DELETE ON deliveries
WHEN NOT EXISTS (SELECT 1 FROM deliveries WHERE message_id = OLD.message_id)
BEGIN DELETE FROM messages WHERE id = OLD.message_id; END;
"""

# With ordering on, a message waits for the earlier ones of its key, leased or not.
_DUE = """
SELECT d.message_id FROM deliveries d WHERE d.subscription = ? AND d.due_at <= ?
AND (? = 0 OR d.ordering_key = '' OR NOT EXISTS (
    SELECT 1 FROM deliveries earlier WHERE earlier.subscription = d.subscription
    AND earlier.ordering_key = d.ordering_key AND earlier.message_id < d.message_id))
ORDER BY d.due_at, d.message_id LIMIT ?
"""


@dataclass(frozen=True)
class Delivery:
    """One message on its way to one subscription; `attempts` counts this one."""

    subscription: str
    message_id: int
    attempts: int
    body: bytes

    @property
    def ack_id(self) -> str:
        return f"{self.message_id}-{self.attempts}"


class Store:
    """Every method is one transaction, committed when it returns."""

    def __init__(self, file: Path | None) -> None:
        """Open `file`, or keep everything in memory. Raises sqlite3.Error when it holds something else."""
        if file:
            file.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(file or ":memory:", isolation_level=None)
        # NORMAL survives the death of the process, not of the machine: enough for a stand-in.
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.executescript(SCHEMA)

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield self._db
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def put_topic(self, name: str, body: bytes) -> None:
        self._db.execute("INSERT OR REPLACE INTO topics VALUES (?, ?)", (name, body))

    def topics(self) -> dict[str, bytes]:
        return dict(self._db.execute("SELECT name, body FROM topics ORDER BY name").fetchall())

    def delete_topic(self, name: str) -> None:
        self._db.execute("DELETE FROM topics WHERE name = ?", (name,))

    def put_subscription(self, name: str, topic: str, body: bytes) -> None:
        self._db.execute("INSERT OR REPLACE INTO subscriptions VALUES (?, ?, ?)", (name, topic, body))

    def subscriptions(self) -> dict[str, bytes]:
        return dict(self._db.execute("SELECT name, body FROM subscriptions ORDER BY name").fetchall())

    def delete_subscription(self, name: str) -> None:
        with self._transaction() as db:
            db.execute("DELETE FROM deliveries WHERE subscription = ?", (name,))
            db.execute("DELETE FROM subscriptions WHERE name = ?", (name,))

    def publish(self, subscriptions: Sequence[str], messages: Sequence[tuple[bytes, str]], now: float) -> list[int]:
        """Keep (body, ordering key) pairs for each subscription; return the ids once they are durable."""
        with self._transaction() as db:
            return [self._keep(db, subscriptions, body, key, now) for body, key in messages]

    @staticmethod
    def _keep(db: sqlite3.Connection, subscriptions: Sequence[str], body: bytes, key: str, now: float) -> int:
        message = db.execute("INSERT INTO messages (body, published_at) VALUES (?, ?)", (body, now)).lastrowid
        if message is None:  # pragma: no cover - sqlite gives a row id to every insert
            raise sqlite3.DatabaseError("no row id")
        db.executemany(
            "INSERT INTO deliveries (subscription, message_id, ordering_key, due_at) VALUES (?, ?, ?, ?)",
            [(name, message, key, now) for name in subscriptions],
        )
        if not subscriptions:
            db.execute("DELETE FROM messages WHERE id = ?", (message,))
        return message

    def claim(
        self, subscription: str, now: float, leased_until: float, limit: int, *, ordered: bool = False
    ) -> list[Delivery]:
        """Lease up to `limit` due deliveries and count the attempt."""
        with self._transaction() as db:
            due = db.execute(_DUE, (subscription, now, int(ordered), limit)).fetchall()
            return [self._lease(db, subscription, message, leased_until) for (message,) in due]

    @staticmethod
    def _lease(db: sqlite3.Connection, subscription: str, message: int, leased_until: float) -> Delivery:
        key = (subscription, message)
        db.execute(
            "UPDATE deliveries SET attempts = attempts + 1, due_at = ? WHERE subscription = ? AND message_id = ?",
            (leased_until, *key),
        )
        row = db.execute(
            "SELECT d.attempts, m.body FROM deliveries d JOIN messages m ON m.id = d.message_id"
            " WHERE d.subscription = ? AND d.message_id = ?",
            key,
        ).fetchone()
        return Delivery(subscription, message, *row)

    def acknowledge(self, subscription: str, leases: Sequence[tuple[int, int]]) -> None:
        """Forget deliveries given as (message id, attempt); one that was delivered again since stays."""
        with self._transaction() as db:
            db.executemany(
                "DELETE FROM deliveries WHERE subscription = ? AND message_id = ? AND attempts = ?",
                [(subscription, *lease) for lease in leases],
            )

    def move(self, subscription: str, lease: tuple[int, int], due_at: float) -> None:
        """Make a leased delivery due at `due_at`: a longer lease, or a nack."""
        self._db.execute(
            "UPDATE deliveries SET due_at = ? WHERE subscription = ? AND message_id = ? AND attempts = ?",
            (due_at, subscription, *lease),
        )

    def outstanding(self, subscription: str, lease: tuple[int, int], now: float) -> bool:
        row = self._db.execute(
            "SELECT 1 FROM deliveries WHERE subscription = ? AND message_id = ? AND attempts = ? AND due_at > ?",
            (subscription, *lease, now),
        ).fetchone()
        return row is not None

    def next_due(self, subscription: str, now: float) -> float | None:
        """Return when the next lease or backoff ends."""
        due: float | None = self._db.execute(
            "SELECT min(due_at) FROM deliveries WHERE subscription = ? AND due_at > ?", (subscription, now)
        ).fetchone()[0]
        return due

    def backlog(self, subscription: str) -> int:
        """Return how many messages the subscription has still to acknowledge."""
        count: int = self._db.execute(
            "SELECT count(*) FROM deliveries WHERE subscription = ?", (subscription,)
        ).fetchone()[0]
        return count

    def expire(self, subscription: str, published_before: float) -> None:
        self._db.execute(
            "DELETE FROM deliveries WHERE subscription = ? AND message_id IN"
            " (SELECT id FROM messages WHERE published_at < ?)",
            (subscription, published_before),
        )

    def release(self, subscription: str, now: float) -> None:
        """End every lease: the process that held them is gone."""
        self._db.execute(
            "UPDATE deliveries SET due_at = ? WHERE subscription = ? AND due_at > ?", (now, subscription, now)
        )
