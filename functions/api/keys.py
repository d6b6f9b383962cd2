"""Keys: who calls, and whether they may call now. Only a key's SHA-256 is kept, so a stolen table opens nothing.

key, endpoint, address -> admit_v1 (grouped: concurrent requests share one call) -> Admitted | Problem 401, 429
"""

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from functions.api.problems import Problem
from shared.batching import GroupCommit
from shared.store import Store

Endpoint = Literal["submit", "status", "results", "other"]
# Unknown keys that were turned away are remembered here until then, so that they cost no call again.
REMEMBER_MOST = 10_000
bearer = HTTPBearer(auto_error=False, scheme_name="key", description="An API key: pw_...")


@dataclass(frozen=True)
class KeyHolder:
    """On whose behalf a request runs. An operator sees and does all; anybody else only their own."""

    id: UUID
    name: str
    tier: str
    operator: bool

    @property
    def scope(self) -> str | None:
        """As SQL functions take it: null for an operator."""
        return None if self.operator else str(self.id)


@dataclass(frozen=True)
class Ask:
    """One request that wants in."""

    key_hash: str
    endpoint: Endpoint
    address: str | None


@dataclass(frozen=True)
class Admitted:
    """Who it is, and what is left of their bucket."""

    owner: KeyHolder
    bucket: str
    per_minute: int
    remaining: int
    reset_seconds: float

    def headers(self) -> dict[str, str]:
        return rate_headers(self.bucket, self.per_minute, self.remaining, self.reset_seconds)


class Keys:
    """The door: a key and a token of its bucket, checked in one call for all requests that arrive together."""

    def __init__(self, store: Store) -> None:
        self._store = store
        # By address and hash of the key. Not by address alone: a known key may come from there.
        self._turned_away: dict[tuple[str | None, str], float] = {}
        self._asks: GroupCommit[Ask, dict[str, Any]] = GroupCommit(self._admit, parallel=2)

    async def admit(self, key: str, endpoint: Endpoint, address: str | None) -> Admitted:
        """Raises Problem 401 for an unknown key, 429 for an empty bucket, or for one unknown key of too many."""
        digest = hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()
        blocked = self._turned_away.get((address, digest), 0.0) - time.monotonic()
        if blocked > 0:
            raise turned_away(blocked)
        row = await self._asks.submit(Ask(digest, endpoint, address))
        match row["verdict"]:
            case "unknown":
                raise Problem(401, "This API key is not known, or it was revoked.")
            case "blocked":
                self._remember(address, digest, row["retry_seconds"])
                raise turned_away(row["retry_seconds"])
            case "refused":
                raise too_many(row)
        owner = KeyHolder(UUID(row["key_id"]), row["key_name"], row["tier"], row["operator"])
        return Admitted(owner, row["bucket"], row["per_minute"], row["remaining"], row["reset_seconds"])

    async def _admit(self, asks: Sequence[Ask]) -> Sequence[dict[str, Any]]:
        given = [
            {"place": place, "key_hash": ask.key_hash, "endpoint": ask.endpoint, "address": ask.address}
            for place, ask in enumerate(asks)
        ]
        rows = await self._store.answers("admit_v1", "asks", given, ("place",))
        return [dict(rows[place,]) for place in range(len(asks))]

    def _remember(self, address: str | None, digest: str, seconds: float) -> None:
        if len(self._turned_away) >= REMEMBER_MOST:
            self._turned_away.clear()
        self._turned_away[address, digest] = time.monotonic() + seconds


def turned_away(seconds: float) -> Problem:
    return Problem(
        429,
        "This API key is not known, and too many unknown ones came from your address to look each up. "
        "Check your key: a known one is let in at once.",
        headers={"Retry-After": str(whole(seconds))},
    )


def too_many(row: dict[str, Any]) -> Problem:
    """RFC 9457, with the type that the RateLimit draft registers for it."""
    wait = whole(row["retry_seconds"])
    return Problem(
        429,
        f"Your tier ({row['tier']}) allows {row['per_minute']} requests a minute here ({row['bucket']}). "
        f"Wait {wait} s; GET /v3/rate-limit/status shows all your limits.",
        headers={
            "Retry-After": str(wait),
            **rate_headers(row["bucket"], row["per_minute"], 0, row["reset_seconds"]),
        },
        type="https://iana.org/assignments/http-problem-types#quota-exceeded",
        **{"violated-policies": [row["bucket"]]},
    )


def rate_headers(bucket: str, per_minute: int, remaining: int, reset_seconds: float) -> dict[str, str]:
    """As draft-ietf-httpapi-ratelimit-headers-10 writes them: q allowed in w seconds; r left, full in t seconds."""
    return {
        "RateLimit-Policy": f'"{bucket}";q={per_minute};w=60',
        "RateLimit": f'"{bucket}";r={max(0, remaining)};t={whole(reset_seconds)}',
    }


def whole(seconds: float) -> int:
    """Rounded up: who waits for so long is not early."""
    return max(1, int(-(-seconds // 1)))


async def caller(
    request: Request, _given: Annotated[HTTPAuthorizationCredentials | None, Security(bearer)]
) -> KeyHolder:
    """The owner whom the door has let in, before the body was read."""
    owner: KeyHolder = request.state.owner
    return owner


async def operator(owner: Annotated[KeyHolder, Depends(caller)]) -> KeyHolder:
    """Raises Problem 403 for anybody but an operator."""
    if not owner.operator:
        raise Problem(403, "This is for operators: ask whoever runs Piecework for a key with --operator.")
    return owner


# What a route says to know its caller, and to be for operators alone.
Owner = Annotated[KeyHolder, Depends(caller)]
Operator = Annotated[KeyHolder, Depends(operator)]
