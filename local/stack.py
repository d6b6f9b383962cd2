"""stack: the whole of Piecework on one machine, every part over the protocol it has in the cloud.

postgres -> migrations -> supabase | oidc, cloud_tasks, pubsub, gemini, site | cloud_run, before the functions' bundles
"""

import asyncio
import hashlib
import json
import os
import secrets
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
import yaml

from infra.manifests import load
from local import front_door, supabase_lite
from local.processes import NotStarted, Processes, Program, check_free

PROJECT, LOCATION, TOPIC = "piecework-local", "local", "fanout"
WAREHOUSE, WAREHOUSE_TOKEN = "local", "dapi-local"
ACCOUNT = "{}@" + PROJECT + ".iam.gserviceaccount.com"
PORTS = {
    "supabase": 0, "cloud_tasks": 1, "oidc": 2, "pubsub": 3, "gemini": 4, "site": 5, "scheduler": 6, "databricks": 7,
    "cloud_run": 8,
}  # fmt: skip
FIRST_FUNCTION_PORT = 10
# An instance has ten seconds from SIGTERM to its end.
INSTANCES_STOP_SECONDS = 15.0


@dataclass(frozen=True)
class Stack:
    """One stack: where its data lives, and where its ports begin."""

    root: Path
    data: Path
    first_port: int = 8600
    # Rates other than functions/quotas.yaml's, for drills: a file of the same form.
    quotas: Path | None = None
    gemini_options: tuple[str, ...] = ()
    tasks_options: tuple[str, ...] = ()

    @cached_property
    def manifests(self) -> dict[str, Any]:
        return load(self.root)

    @cached_property
    def keys(self) -> dict[str, str]:
        return supabase_lite.prepare(
            self.data / "supabase", self.root / "supabase" / "migrations", port=self.port("supabase")
        )

    def port(self, part: str) -> int:
        if part in PORTS:
            return self.first_port + PORTS[part]
        return self.first_port + FIRST_FUNCTION_PORT + list(self.manifests["functions"]).index(part)

    def url(self, part: str) -> str:
        return f"http://127.0.0.1:{self.port(part)}"

    def api_key(self) -> str:
        return (self.data / "key").read_text().strip()

    def python(self, *words: str) -> list[str]:
        return [sys.executable, "-m", *words]

    def postgres(self) -> Program:
        data = self.data / "postgres"
        return Program(
            "postgres",
            self.python("local.postgres", "--data", str(data)),
            folder=self.root,
            ready_file=data.with_suffix(".socket"),
        )

    def socket_folder(self) -> str:
        return (self.data / "postgres.socket").read_text()

    def supabase(self) -> Program:
        return Program(
            "supabase",
            supabase_lite.command(self.root, "start", "--no-admin"),
            supabase_lite.environment(self.socket_folder(), self.keys),
            self.data / "supabase",
            self.port("supabase"),
        )

    def cloud(self) -> list[Program]:
        """The stand-ins for Google's services and the outside world."""
        key = ("--key", str(self.data / "oidc.pem"))
        signing = ("--oidc-key", str(self.data / "oidc.pem"), "--oidc-url", self.url("oidc"))
        words: dict[str, tuple[str, ...]] = {
            "oidc": key,
            "cloud_tasks": (
                "--queues", str(self.quotas or self.root / "functions" / "quotas.yaml"),
                "--data", str(self.data / "tasks.db"), *signing, *self.tasks_options,
            ),
            "pubsub": (
                *self.pushes(), "--service-account", ACCOUNT.format("pubsub"),
                "--data", str(self.data / "pubsub.db"), *signing,
            ),
            "gemini": (
                "--site", f"127.0.0.1:{self.port('site')}", "--cache", str(self.data / "models"), *self.gemini_options,
            ),
            "scheduler": ("--jobs", str(self.write_jobs()), "--pubsub", f"127.0.0.1:{self.port('pubsub')}"),
            "site": ("--samples", str(self.root / "samples")),
            "databricks": (
                "--samples", str(self.root / "samples" / "catalog"), "--warehouse", WAREHOUSE,
                "--token", WAREHOUSE_TOKEN,
            ),
        }  # fmt: skip
        return [
            Program(
                name,
                self.python(f"local.{name}", "--port", str(self.port(name)), *more),
                folder=self.root,
                port=self.port(name),
            )
            for name, more in words.items()
        ]

    def pushes(self) -> list[str]:
        """Each push function hears its topic; a token's audience is the URL as it is pushed to."""
        functions = self.manifests["functions"].items()
        pushed = [f"{one['topic']}={self.url(name)}" for name, one in functions if one["kind"] == "push"]
        return [word for push in pushed for word in ("--push", push)]

    def write_jobs(self) -> Path:
        """The scheduler's jobs, as the manifests have them: a run over each backlog, and the sweep."""
        jobs = [
            {
                "name": f"{name}-schedule",
                "schedule": one["schedule"],
                "topic": one["topic"] or TOPIC,
                "data": order_of(one),
            }
            for name, one in self.manifests["functions"].items()
            if one["schedule"]
        ]
        file = self.data / "jobs.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(yaml.safe_dump(jobs))
        return file

    def cloud_run(self) -> Program:
        """The front door of all functions; it starts and stops their instances. Its port is that of its statistics."""
        services = [
            front_door.service(
                manifest,
                self.function(name),
                url=self.url(name),
                account=ACCOUNT,
                log=self.data / "logs" / f"{name}.log",
            )
            for name, manifest in self.manifests["functions"].items()
        ]
        file = front_door.write(self.data / "services.json", services, self.url("oidc"))
        admin = self.port("cloud_run")
        command = self.python("standins.cloud_run", "--services", str(file), "--admin-port", str(admin))
        return Program("cloud_run", command, folder=self.root, port=admin, stop_seconds=INSTANCES_STOP_SECONDS)

    def function(self, name: str, *, port: int | None = None) -> Program:
        """One instance of a function, without the front door: its bundle under Functions Framework."""
        port = port or self.port(name)
        return Program(
            name,
            [
                str(Path(sys.executable).parent / "functions-framework"),
                "--target",
                "handle",
                "--host",
                "127.0.0.1",
            ],
            {**self.settings(), "FUNCTION_USE_ASGI": "True", "PORT": str(port)},
            self.root / "build" / name,
            port,
        )

    def settings(self) -> dict[str, str]:
        """The environment of every function here. With GEMINI_API_KEY set, the real Gemini is asked."""
        settings = {
            "SUPABASE_URL": self.url("supabase"),
            "SUPABASE_SECRET_KEY": self.keys["SUPABASE_SECRET_KEY"],
            "PROJECT_ID": PROJECT,
            "LOCATION": LOCATION,
            "TASKS_ENDPOINT": self.url("cloud_tasks"),
            "PUBSUB_ENDPOINT": self.url("pubsub"),
            "FUNCTION_URLS": json.dumps({name: self.url(name) for name in self.manifests["functions"]}),
            "TASKS_SERVICE_ACCOUNT": ACCOUNT.format("tasks"),
            "PUBSUB_SERVICE_ACCOUNT": ACCOUNT.format("pubsub"),
            "OIDC_ISSUER": self.url("oidc"),
            "SAMPLE_SITE": f"127.0.0.1:{self.port('site')}",
            "DATABRICKS_HOST": self.url("databricks"),
            "DATABRICKS_WAREHOUSE_ID": WAREHOUSE,
            "DATABRICKS_TOKEN": WAREHOUSE_TOKEN,
        }
        if not os.environ.get("GEMINI_API_KEY"):
            settings |= {"GEMINI_API_KEY": "offline", "GEMINI_BASE_URL": self.url("gemini")}
        return settings


def order_of(manifest: dict[str, Any]) -> dict[str, Any]:
    """What the scheduler's message says: a push function's own order, else a run over the backlog."""
    if manifest["kind"] == "push":
        order: dict[str, Any] = manifest["order"]
        return order
    return {"function": manifest["name"], "limit": manifest["schedule_limit"]}


async def start(stack: Stack, processes: Processes) -> None:
    """Bring up every part in its order. Raises NotStarted with what to do."""
    others = ("supabase", "cloud_run", *stack.manifests["functions"])
    check_free([*stack.cloud(), *(Program(name, (), port=stack.port(name)) for name in others)])
    run(stack, "bundling", stack.python("infra.bundle"))
    await processes.start(stack.postgres(), *stack.cloud())
    migrate(stack)
    await processes.start(stack.supabase())
    await processes.start(stack.cloud_run())
    await make_key(stack)
    await forget_breakers(stack)


def migrate(stack: Stack) -> None:
    command = supabase_lite.command(stack.root, "migration", "up")
    environment = supabase_lite.environment(stack.socket_folder(), stack.keys)
    run(stack, "migrating", command, folder=stack.data / "supabase", environment=environment)


def run(
    stack: Stack,
    what: str,
    command: list[str],
    *,
    folder: Path | None = None,
    environment: dict[str, str] | None = None,
) -> None:
    """Run a step to its end. Raises NotStarted with its last line."""
    done = subprocess.run(
        command,
        cwd=folder or stack.root,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        lines = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()
        raise NotStarted(f"{what} failed: {lines[-1]}")


async def make_key(stack: Stack) -> None:
    """An API key for the command line, in DATA/key; the database keeps only its hash."""
    file = stack.data / "key"
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(f"pw_{secrets.token_urlsafe(32)}")
    digest = hashlib.sha256(file.read_bytes().strip()).hexdigest()
    row = {"name": "local", "key_hash": digest, "tier": "enterprise", "operator": True}
    async with httpx.AsyncClient(base_url=stack.url("supabase"), timeout=10) as client:
        answer = await client.post(
            "/rest/v1/api_keys",
            params={"on_conflict": "key_hash"},
            headers={"apikey": stack.keys["SUPABASE_SECRET_KEY"], "Prefer": "resolution=merge-duplicates"},
            json=row,
        )
    if answer.is_error:
        raise NotStarted(f"the local API key could not be stored: {answer.text}")


async def forget_breakers(stack: Stack) -> None:
    """The upstreams here are ours and were started anew: that they failed before says nothing."""
    headers = {"apikey": stack.keys["SUPABASE_SECRET_KEY"]}
    async with httpx.AsyncClient(base_url=stack.url("supabase"), timeout=10, headers=headers) as client:
        answer = await client.delete("/rest/v1/breakers", params={"name": "not.is.null"})
    if answer.is_error:
        raise NotStarted(f"old breakers could not be forgotten: {answer.text}")


async def wait_ready(stack: Stack) -> None:
    """Until the API says that it can work. Raises NotStarted with what it says otherwise."""
    said = "nothing"
    async with httpx.AsyncClient(timeout=10) as client:
        for _ in range(100):
            try:
                answer = await client.get(f"{stack.url('api')}/ready")
                if answer.status_code == 200:
                    return
                said = answer.text
            except httpx.HTTPError as error:
                said = repr(error)
            await asyncio.sleep(0.1)
    raise NotStarted(f"the API is not ready: {said}")
