"""Smoke: one item through a deployment, from the API over the queue and the function to its row.

python -m infra.smoke               asks the API at PIECEWORK_URL with PIECEWORK_KEY, else the local stack
python -m infra.smoke --page URL    with another page than the usual one

Without PIECEWORK_KEY but with SUPABASE_DB_URL it makes a key for this run and revokes it at the end.
A private API has an audience, PIECEWORK_AUDIENCE: it is asked with PIECEWORK_ID_TOKEN, or with a token made here.
"""

import argparse
import hashlib
import json
import os
import secrets
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, LiteralString

import httpx

from infra.id_token import NoToken, own_token
from infra.migrate import SETTING, Refused, connect

ROOT = Path(__file__).parent.parent
# The local stack serves the API ten ports above its first one.
LOCAL_URL = f"http://127.0.0.1:{int(os.environ.get('PIECEWORK_PORT', '8600')) + 10}"
FUNCTION = "article"
LOCAL_PAGE = "http://daily.test/economy/harbour-bridge"
PAGE = "https://en.wikipedia.org/wiki/Cloud_computing"
KEY_NAME = "smoke test of the pipeline"
PATIENCE_SECONDS = 300.0
POLL_SECONDS = 2.0
TAKE_KEY: LiteralString = """
update api_keys set key_hash = %s, revoked_at = null where id = (
  select id from api_keys where name = %s and revoked_at is not null limit 1 for update skip locked
) returning id
"""
# A new revision may still be coming up.
NOT_YET = frozenset({429, 500, 502, 503, 504})


class Failed(Exception):
    """The deployment does not work. The message says what was tried, what came, and where to look."""


class Smoke:
    """One API, asked patiently: until `patience` seconds are over. The clock and its sleep come from outside."""

    def __init__(
        self,
        http: httpx.Client,
        *,
        patience: float = PATIENCE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._http = http
        self._clock = clock
        self._sleep = sleep
        self._until = clock() + patience

    def run(self, page: str) -> dict[str, Any]:
        """The row that was made. Raises Failed."""
        self._ask("GET", "/ready")
        say(f"{self._http.base_url} is ready")
        order = {"function": FUNCTION, "items": [{"url": page}], "options": {"fresh": True}}
        batch = self._ask("POST", "/v3/batches", json=order, headers={"Idempotency-Key": str(uuid.uuid4())})
        say(f"batch {batch['id']}: one item for {FUNCTION}, {page}")
        batch = self._until_ended(batch["id"])
        (item,) = self._ask("GET", f"/v3/batches/{batch['id']}/results")["results"]
        return row_of(item)

    def _until_ended(self, batch_id: str) -> dict[str, Any]:
        while True:
            batch = self._ask("GET", f"/v3/batches/{batch_id}")
            if batch["finished_at"]:
                return batch
            self._wait(
                f"the item has not ended: {batch['counts']}. Is its queue paused, does its function start? {LOOK}"
            )

    def _ask(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        while True:
            try:
                answer = self._http.request(method, path, **request)
            except httpx.TransportError as error:
                self._wait(f"no answer from {self._http.base_url} ({error}): is PIECEWORK_URL right?")
                continue
            if answer.status_code not in NOT_YET:
                return content(answer)
            self._wait(f"{method} {path} still answers {answer.status_code}: {answer.text[:300]}. {LOOK}")

    def _wait(self, why: str) -> None:
        if self._clock() + POLL_SECONDS > self._until:
            raise Failed(why)
        self._sleep(POLL_SECONDS)


PROBLEM = "application/problem+json"
LOOK = "`bin/piecework health` and the dashboard show what stands; docs/operate.md says what to do."


def content(answer: httpx.Response) -> dict[str, Any]:
    """What the API answered. Raises Failed for a refusal, and for what is no Piecework API."""
    if answer.status_code in {401, 403} and PROBLEM not in answer.headers.get("content-type", ""):
        raise Failed(
            f"{answer.url.host} refused you before the API was asked ({answer.status_code}): with public_api = false "
            'be one of api_callers, and set PIECEWORK_ID_TOKEN (docs/deploy.md, "Keep the API private").'
        )
    if answer.status_code in {401, 403}:
        raise Failed(f"the API refused the key ({answer.status_code}): make one with `bin/piecework keys make smoke`.")
    try:
        body = answer.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise Failed(f"{answer.url} is no Piecework API (it answered {answer.status_code}): check PIECEWORK_URL.")
    if answer.is_error:
        raise Failed(f"{answer.request.method} {answer.url.path}: {answer.status_code} {body.get('detail', body)}")
    return body


def row_of(item: Mapping[str, Any]) -> dict[str, Any]:
    """The item's row. Raises Failed when it ended without one."""
    ended = item["state"]
    if ended != "done":
        why = ": ".join(str(part).rstrip(".") for part in (item["reason"], item["error"]) if part)
        raise Failed(f"the item ended {ended} ({why}): try another page with --page. {LOOK}")
    row = item["result"]
    if not row:
        raise Failed(f"the item is done, but has no row: are the migrations applied (`make migrate`)? {LOOK}")
    return dict(row)


@contextmanager
def key_for_this_run(database_url: str) -> Iterator[str]:
    """A key that works as long as the `with`. A run takes a row of api_keys that no other is using. Raises Refused."""
    key = f"pw_{secrets.token_urlsafe(32)}"
    digest = hashlib.sha256(key.encode()).hexdigest()
    with connect(database_url) as database:
        if not database.execute(TAKE_KEY, [digest, KEY_NAME]).fetchone():
            database.execute("insert into api_keys (name, key_hash) values (%s, %s)", [KEY_NAME, digest])
        try:
            yield key
        finally:
            database.execute("update api_keys set revoked_at = public.moment() where key_hash = %s", [digest])


@contextmanager
def given_key(environment: Mapping[str, str]) -> Iterator[str]:
    """PIECEWORK_KEY, or one made for this run, or the local stack's. Raises Failed when there is none."""
    if key := environment.get("PIECEWORK_KEY", "").strip():
        yield key
    elif url := environment.get(SETTING):
        with key_for_this_run(url) as made:
            yield made
    else:
        yield local_key(environment)


def local_key(environment: Mapping[str, str]) -> str:
    file = Path(environment.get("PIECEWORK_DATA") or ROOT / ".local") / "key"
    if environment.get("PIECEWORK_URL") or not file.exists():
        raise Failed(f"set PIECEWORK_KEY, or {SETTING} to make a key for this run; or start the local stack: make up.")
    return file.read_text().strip()


def headers(key: str, environment: Mapping[str, str]) -> dict[str, str]:
    """The API's key, and what Google lets callers of a private API through for. Raises NoToken."""
    token = environment.get("PIECEWORK_ID_TOKEN", "").strip()
    if not token and (audience := environment.get("PIECEWORK_AUDIENCE", "").strip()):
        token = own_token(audience)
    private = {"X-Serverless-Authorization": f"Bearer {token}"} if token else {}
    return {"Authorization": f"Bearer {key}", **private}


def say(text: str) -> None:
    print(f"smoke: {text}", flush=True)


def main() -> None:
    """Exit 1 with one line that says what to do."""
    parser = argparse.ArgumentParser(prog="python -m infra.smoke", description=__doc__.splitlines()[0])
    parser.add_argument("--page", help=f"the item's url; {PAGE}, or locally {LOCAL_PAGE}")
    words = parser.parse_args()
    url = os.environ.get("PIECEWORK_URL", "")
    page = words.page or (PAGE if url else LOCAL_PAGE)
    try:
        with (
            given_key(os.environ) as key,
            httpx.Client(base_url=url or LOCAL_URL, headers=headers(key, os.environ), timeout=60) as http,
        ):
            row = Smoke(http).run(page)
    except (Failed, NoToken, Refused) as error:
        sys.exit(f"smoke: {error}")
    say(f"done, and this is the row:\n{json.dumps(row, indent=1, ensure_ascii=False)}")


if __name__ == "__main__":
    main()
