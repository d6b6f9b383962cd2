"""The real parts of the engine for a session of tests: database, REST, queue, topic, issuer, model, site, functions.

A plugin rather than a conftest, so that tests/api and tests/fanout share one set of them (see engine/conftest.py).
"""

import json
import sys
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from psycopg.rows import dict_row
from starlette.applications import Starlette

from infra import bundle
from infra.manifests import load
from local import supabase_lite
from local.gemini.app import build_app
from local.gemini.service import Options, Service
from local.oidc import Issuer
from local.site.app import make_app
from local.site.server import listen, make_server
from tests.engine.deployed import ACCOUNT, Deployed, Deployer
from tests.engine.door import Door
from tests.engine.google import LOCATION, PROJECT, Tasks, Topic
from tests.engine.project import PROBE, ROOT, Project, with_probes
from tests.engine.running import free_port, program, served

pytest_plugins = ["tests.engine.items"]

DATABASE = "engine"
KEPT_TABLES = (
    "api_keys, batches, quotas, breakers, items, attempts, news_urls, article_summaries, posters, poster_analyses, "
    "audit, rate_buckets, address_misses, webhook_deliveries, probe_rows"
)
MODEL_KEY = "model-key-5d1f3b7a"


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return with_probes(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="session")
def bundles(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("bundles")
    bundle.build(project.root, out)
    return out


@pytest.fixture(scope="session")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("logs")


@pytest.fixture(scope="session")
def connection(postgres: str, template: str) -> Iterator[psycopg.Connection]:
    """The engine's own database, with the probes' tables."""
    with psycopg.connect(host=postgres, user="postgres", dbname="postgres", autocommit=True) as admin:
        admin.execute(f"create database {DATABASE} template {template}")
    with psycopg.connect(
        host=postgres, user="postgres", dbname=DATABASE, autocommit=True, row_factory=dict_row
    ) as connection:
        connection.execute((PROBE / "probe.sql").read_text())
        connection.execute("grant all on probe_rows, probe_backlog to service_role")
        yield connection


@pytest.fixture(scope="session")
def supabase_keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int, dict[str, str]]:
    folder, port = tmp_path_factory.mktemp("supabase"), free_port()
    keys = supabase_lite.prepare(folder, ROOT / "supabase" / "migrations", port=port)
    config = folder / "supabase" / "config.toml"
    config.write_text(config.read_text().replace("postgres:///postgres", f"postgres:///{DATABASE}"))
    return folder, port, keys


@pytest.fixture(scope="session")
def supabase(
    postgres: str, connection: psycopg.Connection, supabase_keys: tuple[Path, int, dict[str, str]], logs: Path
) -> Iterator[str]:
    """Supabase's REST; its URL."""
    folder, port, keys = supabase_keys
    command = supabase_lite.command(ROOT, "start", "--no-admin")
    environment = supabase_lite.environment(postgres, keys)
    with program(command, port=port, log=logs / "supabase.log", folder=folder, environment=environment):
        url = f"http://127.0.0.1:{port}"
        # At its first requests it arranges itself in the database, and is not ready for two at once.
        httpx.post(
            f"{url}/rest/v1/rpc/mark_queued_v1", headers={"apikey": keys["SUPABASE_SECRET_KEY"]}, json={"item_ids": []}
        ).raise_for_status()
        yield url


@pytest.fixture(scope="session")
def open_door(supabase: str, connection: psycopg.Connection) -> Iterator[tuple[Door, str]]:
    functions = connection.execute(
        "select proname from pg_proc where proretset and pronamespace = 'public'::regnamespace"
    )
    door = Door(supabase, {row["proname"] for row in functions})
    with served(door.app) as url:
        yield door, url


@pytest.fixture
def door(open_door: tuple[Door, str]) -> Iterator[Door]:
    open_door[0].clear()
    yield open_door[0]
    open_door[0].clear()


@pytest.fixture(scope="session")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Issuer]:
    issuer = Issuer(tmp_path_factory.mktemp("oidc") / "key.pem", "http://not-yet")
    with served(issuer.app()) as url:
        issuer.url = url
        yield issuer


@pytest.fixture(scope="session")
def cloud_tasks(
    project: Project, issuer: Issuer, tmp_path_factory: pytest.TempPathFactory, logs: Path
) -> Iterator[Tasks]:
    port = free_port()
    key = tmp_path_factory.getbasetemp() / "oidc0" / "key.pem"
    command = [
        sys.executable, "-m", "local.cloud_tasks", "--port", str(port),
        "--queues", str(project.root / "functions" / "quotas.yaml"), "--min-backoff", "0.1",
        "--oidc-key", str(key), "--oidc-url", issuer.url,
    ]  # fmt: skip
    with program(command, port=port, log=logs / "cloud_tasks.log", folder=ROOT):
        yield Tasks(port)


@pytest.fixture
def queue(cloud_tasks: Tasks) -> Iterator[Tasks]:
    """Cloud Tasks with every queue empty and paused: what is put stays to be looked at, until `deliver`."""
    cloud_tasks.clear()
    yield cloud_tasks
    cloud_tasks.clear()


@pytest.fixture(scope="session")
def pubsub(logs: Path) -> Iterator[Topic]:
    port = free_port()
    command = [sys.executable, "-m", "local.pubsub", "--port", str(port), "--google", "never"]
    with program(command, port=port, log=logs / "pubsub.log", folder=ROOT):
        yield Topic(port)


@pytest.fixture
def topic(pubsub: Topic) -> Topic:
    """Pub/Sub with nothing in the topic "fanout"."""
    pubsub.messages()
    return pubsub


@pytest.fixture(scope="session")
def sample_app() -> Starlette:
    return make_app(ROOT / "samples")


@pytest.fixture(scope="session")
def sample_site(sample_app: Starlette) -> Iterator[str]:
    """The sample web; its host:port."""
    listener = listen(0)
    server = make_server(sample_app)
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    yield f"127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join(10)


@pytest.fixture
def sample_visits(sample_app: Starlette) -> Collection[dict[str, Any]]:
    """Its log of this test: pages that fail their first visitors begin anew."""
    sample_app.state.visits.clear()
    sample_app.state.log.clear()
    return sample_app.state.log


@pytest.fixture(scope="session")
def gemini_server(sample_site: str) -> Iterator[tuple[Service, str]]:
    app = build_app(Options(cache=ROOT / ".local" / "models", site=sample_site))
    with served(app) as url:
        yield app.state.service, url


@pytest.fixture
def gemini(gemini_server: tuple[Service, str]) -> Iterator[Service]:
    """The model server, with `faults.add({"fault": ...})` and `stats.report()`."""
    service = gemini_server[0]
    for part in (service.faults, service.stats, service.limiter):
        part.clear()
    yield service
    service.faults.clear()


@pytest.fixture(scope="session")
def environment(
    project: Project,
    open_door: tuple[Door, str],
    supabase_keys: tuple[Path, int, dict[str, str]],
    issuer: Issuer,
    cloud_tasks: Tasks,
    pubsub: Topic,
    sample_site: str,
    gemini_server: tuple[Service, str],
) -> dict[str, str]:
    """The settings of every deployed function. Their URLs are known before they run."""
    urls = {name: f"http://127.0.0.1:{free_port()}" for name in load(project.root)["functions"]}
    return {
        "SUPABASE_URL": open_door[1],
        "SUPABASE_SECRET_KEY": supabase_keys[2]["SUPABASE_SECRET_KEY"],
        "PROJECT_ID": PROJECT,
        "LOCATION": LOCATION,
        "TASKS_ENDPOINT": f"http://127.0.0.1:{cloud_tasks.port}",
        "PUBSUB_ENDPOINT": f"http://127.0.0.1:{pubsub.port}",
        "FUNCTION_URLS": json.dumps(urls),
        "TASKS_SERVICE_ACCOUNT": ACCOUNT.format("tasks"),
        "PUBSUB_SERVICE_ACCOUNT": ACCOUNT.format("pubsub"),
        "OIDC_ISSUER": issuer.url,
        "SAMPLE_SITE": sample_site,
        "GEMINI_API_KEY": MODEL_KEY,
        "GEMINI_BASE_URL": gemini_server[1],
    }


@pytest.fixture(scope="session")
def deployer(bundles: Path, environment: dict[str, str], issuer: Issuer, logs: Path) -> Iterator[Deployer]:
    with ExitStack() as running:
        yield Deployer(bundles, environment, issuer, logs, running)
    secrets = (environment["SUPABASE_SECRET_KEY"], environment["GEMINI_API_KEY"], "Bearer eyJ")
    written = {log.name: log.read_text() for log in logs.glob("*.log") if log.name != "supabase.log"}
    leaks = [name for name, text in written.items() if any(secret in text for secret in secrets)]
    assert not leaks, "a key or a token stands in these logs"


@pytest.fixture
def deployed(deployer: Deployer, database: psycopg.Connection, queue: Tasks) -> Callable[[str], Deployed]:
    """deployed("probe"): the function's bundle under Functions Framework, started once a session."""
    return deployer.deployed


@pytest.fixture
def database(connection: psycopg.Connection, project: Project, door: Door) -> psycopg.Connection:
    """The engine's database, empty but for the quotas."""
    connection.execute(f"truncate {KEPT_TABLES} restart identity cascade")
    quotas = load(project.root)["quotas"]
    rows = [json.dumps({"name": name, **limits}) for name, limits in quotas.items()]
    connection.execute("select sync_quotas_v1(%s::jsonb[])", [rows])
    return connection
