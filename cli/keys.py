"""API keys, made where they are kept: in the table api_keys, over Supabase's REST. Only a key's SHA-256 is stored."""

import hashlib
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx

from cli.problems import BadInput, KeyRefused, Unreachable
from cli.settings import checkout

NAMES = ("SUPABASE_URL", "SUPABASE_SECRET_KEY")


@dataclass(frozen=True)
class Revoked:
    """Whose key it was, how many batches it had unfinished, and how many of their items waited or were at work."""

    name: str
    batches: int
    waiting: int
    at_work: int


class Keys:
    """The keys of one deployment."""

    def __init__(self, url: str, secret_key: str) -> None:
        headers = {"apikey": secret_key}
        if secret_key.startswith("eyJ"):  # a legacy service_role JWT is wanted as a bearer token too
            headers["Authorization"] = f"Bearer {secret_key}"
        self._http = httpx.Client(base_url=f"{url.rstrip('/')}/rest/v1", headers=headers, timeout=20)

    @staticmethod
    def from_environment() -> "Keys":
        """From SUPABASE_URL and SUPABASE_SECRET_KEY, else the local stack of this checkout. Raises BadInput."""
        given = {name: os.environ.get(name, "") for name in NAMES}
        if not any(given.values()):
            given = _local()
        missing = [name for name, value in given.items() if not value]
        if missing:
            raise BadInput(
                f"{' and '.join(missing)} not set: keys are kept in Supabase, so its URL and secret key are needed."
            )
        return Keys(*given.values())

    def make(self, name: str, *, tier: str = "default", operator: bool = False) -> str:
        """Return a new key. Raises BadInput for a tier that is not there."""
        if not name.strip():
            raise BadInput("A key needs a name; say whose it is.")
        key = f"pw_{secrets.token_urlsafe(32)}"
        self._check_tier(tier)
        digest = hashlib.sha256(key.encode()).hexdigest()
        row = {"name": name, "key_hash": digest, "tier": tier, "operator": operator}
        self._send("POST", "/api_keys", json=row, headers={"Prefer": "return=minimal"})
        return key

    def all(self) -> list[dict[str, Any]]:
        columns = "id,name,tier,operator,created_at,revoked_at"
        return self._rows("GET", "/api_keys", params={"select": columns, "order": "created_at"})

    def revoke(self, key_id: str, *, let_finish: bool = False) -> Revoked:
        """Its unfinished batches are cancelled; with `let_finish` they go on. Raises BadInput: there is no such key."""
        first = latest = self._revoke(key_id, let_finish)
        items = latest["items"]
        while latest["goes_on"]:
            latest = self._revoke(key_id, let_finish)
            items += latest["items"]
        return Revoked(first["name"], first["batches"], items, latest["at_work"])

    def _revoke(self, key_id: str, let_finish: bool) -> dict[str, Any]:
        try:
            asked = {"key_id": str(UUID(key_id)), "let_finish": let_finish}
        except ValueError:
            raise BadInput(f"{key_id} is not the id of a key; piecework keys list shows them.") from None
        rows = self._rows("POST", "/rpc/revoke_key_v1", json=asked)
        if not rows:
            raise BadInput(f"There is no key {key_id}; piecework keys list shows them.")
        return rows[0]

    def _check_tier(self, tier: str) -> None:
        known = [row["name"] for row in self._rows("GET", "/tiers", params={"select": "name", "order": "name"})]
        if tier not in known:
            raise BadInput(f"There is no tier {tier!r}; there is: {', '.join(known)}.")

    def _rows(self, method: str, path: str, **more: Any) -> list[dict[str, Any]]:
        try:
            rows = self._send(method, path, **more).json()
        except ValueError:
            rows = None
        if not isinstance(rows, list):
            raise Unreachable(f"{self._http.base_url} does not answer as Supabase does; check SUPABASE_URL.")
        return rows

    def _send(self, method: str, path: str, **more: Any) -> httpx.Response:
        try:
            answer = self._http.request(method, path, **more)
        except httpx.HTTPError as error:
            raise Unreachable(
                f"Supabase does not answer at {self._http.base_url}: {error}; check SUPABASE_URL."
            ) from error
        if answer.status_code in {401, 403}:
            raise KeyRefused("Supabase refused the key; check SUPABASE_SECRET_KEY.")
        if answer.is_error:
            raise BadInput(f"Supabase did not take this ({answer.status_code}): {answer.text[:200]}")
        return answer


def _local() -> dict[str, str]:
    """What the running local stack of this checkout uses, or nothing."""
    root = checkout()
    file = (root / ".local" / "supabase" / ".env") if root else Path()
    if not file.is_file():
        return dict.fromkeys(NAMES, "")
    lines = dict(line.split("=", 1) for line in file.read_text().splitlines() if "=" in line)
    first_port = int(os.environ.get("PIECEWORK_PORT", "8600"))
    return {"SUPABASE_URL": f"http://127.0.0.1:{first_port}", "SUPABASE_SECRET_KEY": lines["SUPABASE_SECRET_KEY"]}
