"""Deployed functions: their bundles under Functions Framework, called as Cloud Tasks and Pub/Sub call them."""

import http.client
import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import httpx

from local.oidc import Issuer
from tests.engine.running import free_port, program

ACCOUNT = "{}@piecework-local.iam.gserviceaccount.com"
FRAMEWORK = str(Path(sys.executable).parent / "functions-framework")


@dataclass
class Deployed:
    """One instance of a function."""

    name: str
    url: str
    audience: str
    issuer: Issuer
    log: Path
    process: subprocess.Popen[bytes]
    client: httpx.Client = field(
        default_factory=lambda: httpx.Client(timeout=60, limits=httpx.Limits(max_connections=100))
    )
    _read: int = 0

    def deliver(self, item_id: UUID | str, *, retry: int = 0, **more: Any) -> httpx.Response:
        """As Cloud Tasks does."""
        return self.post({"item_id": str(item_id)}, retry=retry, **more)

    def post(
        self, body: Any, *, retry: int = 0, token: str | None = None, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        sent = {**self.headers(token), "X-CloudTasks-TaskRetryCount": str(retry), **(headers or {})}
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.client.post(self.url, content=content, headers=sent)

    def headers(self, token: str | None = None) -> dict[str, str]:
        return {
            "Authorization": f"Bearer {self.token() if token is None else token}",
            "Content-Type": "application/json",
            "X-CloudTasks-QueueName": "probe",
        }

    def freeze(self) -> None:
        """As Cloud Run does after an answer: no CPU, not even to see that a connection was closed."""
        os.killpg(self.process.pid, signal.SIGSTOP)

    def deliver_frozen(self, item_id: UUID) -> tuple[int, str]:
        """The request is there before the CPU is; status and text of the answer."""
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=60)
        connection.request("POST", "/", json.dumps({"item_id": str(item_id)}), self.headers())
        os.killpg(self.process.pid, signal.SIGCONT)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()

    def deliver_all(self, item_ids: list[UUID]) -> list[httpx.Response]:
        """All at once."""
        with ThreadPoolExecutor(len(item_ids)) as threads:
            return list(threads.map(self.deliver, item_ids))

    def token(self, account: str = "tasks") -> str:
        return self.issuer.token(ACCOUNT.format(account), self.audience)

    def lines(self, item_id: UUID | None = None) -> list[dict[str, Any]]:
        """The JSON lines it has logged, about one item or all."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if item_id is None or line.get("item_id") == str(item_id)]


class Deployer:
    """Starts bundles, each once; `another` is one more instance, with settings of its own."""

    def __init__(
        self, bundles: Path, environment: dict[str, str], issuer: Issuer, logs: Path, running: ExitStack
    ) -> None:
        self._bundles = bundles
        self._environment = environment
        self._issuer = issuer
        self._logs = logs
        self._running = running
        self._urls: dict[str, str] = json.loads(environment["FUNCTION_URLS"])
        self._deployed: dict[str, Deployed] = {}

    def deployed(self, name: str) -> Deployed:
        if name not in self._deployed:
            self._deployed[name] = self._start(name, int(self._urls[name].rsplit(":", 1)[1]), name, {})
        return self._deployed[name]

    def another(self, name: str, label: str, **settings: str) -> Deployed:
        if label not in self._deployed:
            self._deployed[label] = self._start(name, free_port(), label, settings)
        return self._deployed[label]

    def _start(self, name: str, port: int, label: str, settings: dict[str, str]) -> Deployed:
        log = self._logs / f"{label}.log"
        environment = {**self._environment, **settings, "FUNCTION_USE_ASGI": "True", "PORT": str(port)}
        command = [FRAMEWORK, "--target", "handle", "--host", "127.0.0.1"]
        process = self._running.enter_context(
            program(command, port=port, log=log, folder=self._bundles / name, environment=environment)
        )
        return Deployed(label, f"http://127.0.0.1:{port}", self._urls[name], self._issuer, log, process)
