"""functions: a copy of the project whose functions are made for a trial; the engine below them is the real one.

ask, twin   one question to the model each: two functions that share one quota
read        pretends to fetch for a while, then asks; or finds that there is nothing to ask about
visit       pretends to fetch: its domain fails for as long as a file is there; no model; "poison" makes a bad row
visit_bulk  the same from a backlog
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
QUOTA = "gemini-text"
KEPT_FUNCTIONS = ("api", "fanout")
ASK = """\
import os

from pydantic import BaseModel

from shared.handler import item_handler
from shared.services import Services


class Question(BaseModel):
    text: str


class Said(BaseModel):
    said: str


class Row(BaseModel):
    said: str
    instance: str


@item_handler(Question, version="1")
async def handle(item: Question, services: Services) -> Row:
    await services.gemini.ask("Say it again.", item.text, into=Said)
    return Row(said=item.text[:60], instance=os.environ["PORT"])
"""
READ = """\
import asyncio
import os

from pydantic import BaseModel

from shared.errors import Skipped
from shared.handler import item_handler
from shared.services import Services


class Page(BaseModel):
    text: str
    seconds: float = 0.0
    paywall: bool = False


class Said(BaseModel):
    said: str


class Row(BaseModel):
    said: str
    instance: str


@item_handler(Page, version="1")
async def handle(item: Page, services: Services) -> Row:
    await asyncio.sleep(item.seconds)
    if item.paywall:
        raise Skipped("paywall", "There is a paywall.")
    await services.gemini.ask("Say it again.", item.text, into=Said)
    return Row(said=item.text[:60], instance=os.environ["PORT"])
"""
VISIT = """\
import asyncio
import os
from pathlib import Path

from pydantic import BaseModel

from shared.errors import DomainFailed
from shared.handler import item_handler
from shared.services import Services


class Visit(BaseModel):
    url: str
    seconds: float = 0.0
    sick_while: str = "/nonexistent"


class Row(BaseModel):
    said: str | None
    instance: str


@item_handler(Visit, version="1")
async def handle(item: Visit, services: Services) -> Row:
    await asyncio.sleep(item.seconds)
    if Path(item.sick_while).exists():
        raise DomainFailed("domain_silent", "nobody answered")
    services.fetched = True
    return Row(said=None if item.url == "poison" else item.url, instance=os.environ["PORT"])
"""
MAINS = {"ask": ASK, "twin": ASK, "read": READ, "visit": VISIT, "visit_bulk": VISIT}
MIGRATION = """\
create table public.trial_rows (
  item_id uuid primary key,
  said text not null,
  instance text not null,
  created_at timestamptz not null default now()
);
create table public.trial_urls (id bigint generated always as identity primary key, url text not null unique);
create view public.trial_backlog with (security_invoker = true) as
select u.id as source_id, 'trial_urls:' || u.id as source_key, jsonb_build_object('url', u.url) as input
from public.trial_urls u
where not exists (
  select from public.items i
  where i.function = 'visit_bulk' and i.source_key = 'trial_urls:' || u.id and i.state <> 'cancelled'
);
grant select, insert, update, delete on public.trial_rows, public.trial_urls, public.trial_backlog to service_role;
"""


def project(folder: Path, functions: Mapping[str, Mapping[str, Any]]) -> Path:
    """A copy of the project in `folder` with these functions; their values stand in their manifests."""
    for name in ("shared", "infra", "local", "locks", "standins", "samples", "supabase"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "functions", folder / "functions", ignore=lambda at, names: left_out(Path(at), names))
    (folder / "node_modules").symlink_to(ROOT / "node_modules")
    (folder / "supabase" / "migrations" / "29991231000000_trial.sql").write_text(MIGRATION)
    for name, manifest in functions.items():
        add(folder, name, manifest)
    return folder


def left_out(at: Path, names: list[str]) -> list[str]:
    """Neither what Python compiled nor the functions that are not tried."""
    top = at == ROOT / "functions"
    return [
        name for name in names if name == "__pycache__" or (top and (at / name).is_dir() and name not in KEPT_FUNCTIONS)
    ]


def add(folder: Path, name: str, manifest: Mapping[str, Any]) -> None:
    target = folder / "functions" / name
    target.mkdir()
    (target / "__init__.py").touch()
    (target / "main.py").write_text(MAINS[name])
    made = {"quota": QUOTA, "table": "trial_rows", "url_field": None, "model": "gemini-3.5-flash-lite"}
    if name == "visit_bulk":
        made |= {"backlog": "trial_backlog"}
    (target / "function.yaml").write_text(yaml.safe_dump({**made, **manifest}))
    lock = "article" if "gemini" in MAINS[name] else "fanout"
    shutil.copy(folder / "locks" / f"{lock}.txt", folder / "locks" / f"{name}.txt")
