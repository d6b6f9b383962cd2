"""The probe's handler in this process, with settings, a manifest or a version of one's own."""

import json
from dataclasses import fields, replace
from typing import Any
from uuid import UUID

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from infra.manifests import load
from local.oidc import Issuer
from shared.handler import answer
from shared.manifest import Manifest, Manifests
from shared.services import Engine, Services
from shared.settings import Settings
from tests.engine.probe.main import DEEDS, ProbeItem, ProbeRow
from tests.engine.project import Project


def manifests_of(project: Project) -> Manifests:
    return Manifests.of(load(project.root))


def settings_of(environment: dict[str, str], **differs: Any) -> Settings:
    """The settings that this environment makes, but for what differs."""
    given = {name.lower(): value for name, value in environment.items()}
    return Settings(**{**given, "function_urls": json.loads(environment["FUNCTION_URLS"]), **differs})


class Here:
    """One engine. `text` stands in for the item's: it may hold what no database does."""

    def __init__(
        self,
        environment: dict[str, str],
        manifest: Manifest,
        issuer: Issuer,
        *,
        text: str | None = None,
        version: str = "probe-1",
        **differs: Any,
    ) -> None:
        known = {field.name for field in fields(Manifest)}
        settings = settings_of(environment, **{key: value for key, value in differs.items() if key not in known})
        manifest = replace(manifest, **{key: value for key, value in differs.items() if key in known})
        self.engine = Engine(settings, manifest, version)
        self._text = text
        self._token = issuer.token(settings.tasks_service_account, settings.function_urls[manifest.name])
        app = Starlette(routes=[Route("/", self._handle, methods=["POST"])])
        self._client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here")

    async def deliver(self, item_id: UUID) -> httpx.Response:
        return await self.post(json.dumps({"item_id": str(item_id)}).encode())

    async def post(self, body: bytes, headers: dict[str, str] | None = None) -> httpx.Response:
        sent = {"Authorization": f"Bearer {self._token}", "X-CloudTasks-QueueName": "probe", **(headers or {})}
        return await self._client.post("/", content=body, headers=sent)

    async def aclose(self) -> None:
        await self.engine.store.aclose()
        await self.engine.fetcher.aclose()

    async def _handle(self, request: Request) -> Response:
        return await answer(request, self.engine, ProbeItem, self._work)

    async def _work(self, item: ProbeItem, services: Services) -> ProbeRow:
        if self._text is not None:
            item = item.model_copy(update={"text": self._text})
        return await DEEDS[item.do](item, services)
