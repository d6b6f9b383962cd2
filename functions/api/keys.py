"""Keys: who calls. Only a key's SHA-256 is kept, so a stolen table opens nothing."""

import hashlib
import time
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from functions.api.problems import Problem
from shared.store import Store

REMEMBER_SECONDS = 30.0
REMEMBER_MOST = 10_000
bearer = HTTPBearer(auto_error=False, description="An API key: pw_...")


class Keys:
    """Looks keys up; a known one is remembered for half a minute, so a revoked one works for that long at most."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, tuple[UUID, float]] = {}

    async def owner(self, key: str) -> UUID:
        """The id of the key's row. Raises Problem 401."""
        digest = hashlib.sha256(key.encode()).hexdigest()
        owner, until = self._known.get(digest, (None, 0.0))
        if owner is None or until < time.monotonic():
            rows = await self._store.select("api_keys", "id", key_hash=digest, revoked_at=None)
            if not rows:
                raise Problem(401, "This API key is not known, or it was revoked.")
            owner = UUID(rows[0]["id"])
            if len(self._known) >= REMEMBER_MOST:
                self._known.clear()
            self._known[digest] = (owner, time.monotonic() + REMEMBER_SECONDS)
        return owner


async def caller(request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]) -> UUID:
    """The owner on whose behalf a request runs."""
    if given is None:
        raise Problem(401, "Send your API key: Authorization: Bearer pw_...")
    keys: Keys = request.app.state.keys
    return await keys.owner(given.credentials)


Owner = Annotated[UUID, Depends(caller)]
