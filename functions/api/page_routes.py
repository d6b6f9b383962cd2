"""The dashboard's files: the page at /, and what it loads.

GET /                    the page; asked for anew each time, by its ETag
GET /page/DIGEST/NAME    script, style, icon; DIGEST is of them all, so a browser may keep them for ever
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from functions.api.batches import takes_items
from functions.api.conditional import unless_known
from shared.manifest import Manifests

FOLDER = Path(__file__).parent / "page"
INDEX = "index.html"
KINDS = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
FOR_EVER = "public, max-age=31536000, immutable"
ASK_AGAIN = "no-cache"
HEADERS = {
    # Own files alone; blob: is what the page itself has fetched with the key. Nothing turns a text into a script.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


@dataclass(frozen=True)
class Page:
    """The files of the dashboard, read once."""

    files: dict[str, bytes]
    functions: tuple[str, ...]

    @cached_property
    def digest(self) -> str:
        """Changes with any of the files."""
        whole = hashlib.sha256()
        for name, content in sorted(self.files.items()):
            whole.update(f"{name}\0{len(content)}\0".encode() + content)
        return whole.hexdigest()[:16]

    @cached_property
    def html(self) -> bytes:
        assets = f"/page/{self.digest}"
        # All at once: else a browser learns of each module from the one that imports it, a round trip at a time.
        modules = [
            f'<link rel="modulepreload" href="{assets}/{name}">' for name in sorted(self.files) if is_module(name)
        ]
        options = [f"<option>{escape(name)}</option>" for name in self.functions]
        text = self.files[INDEX].decode().replace("{{assets}}", assets)
        return text.replace("{{modules}}", "\n".join(modules)).replace("{{functions}}", "".join(options)).encode()


def is_module(name: str) -> bool:
    return name.endswith(".js") and not name.endswith("/theme.js")


def read_page(functions: Iterable[str]) -> Page:
    files = {file.relative_to(FOLDER).as_posix(): file.read_bytes() for file in FOLDER.rglob("*") if file.is_file()}
    return Page({name: content for name, content in files.items() if Path(name).suffix in KINDS}, tuple(functions))


def page_routes(known: Manifests) -> APIRouter:
    routes = APIRouter(include_in_schema=False)
    page = read_page(sorted(one.name for one in known.functions.values() if takes_items(one)))

    @routes.get("/")
    async def dashboard(request: Request) -> Response:
        return answer(request, INDEX, page.html, ASK_AGAIN)

    @routes.get("/page/{digest}/{name:path}")
    async def asset(request: Request, digest: str, name: str) -> Response:
        content = page.files.get(name)
        if content is None or name == INDEX:
            raise HTTPException(404)
        # Another digest: the page came from an instance of another version. What is here will do, for now.
        return answer(request, name, content, FOR_EVER if digest == page.digest else ASK_AGAIN)

    return routes


def answer(request: Request, name: str, content: bytes, caching: str) -> Response:
    """The file, or 304 for whoever has it already."""
    return unless_known(request, content, {**HEADERS, "Cache-Control": caching}, KINDS[Path(name).suffix])
