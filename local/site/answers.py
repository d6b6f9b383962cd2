"""Answers of ordinary servers: a page, a status, a redirect, a server that needs a moment."""

import mimetypes
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from local.site.articles import Article
from local.site.layouts import render
from local.site.pages import Page

Answer = Callable[[Request], Awaitable[Response]]


def article_page(article: Article, site: str, layouts: Path) -> Answer:
    """Rendered once: a benchmark should measure its reader, not this server."""
    content = render(article, site, layouts).encode(article.encoding)
    charset = f"; charset={article.header_charset}" if article.header_charset else ""
    page = Page(content, f"text/html{charset}", article.published)

    async def answer(request: Request) -> Response:
        return page.answer(request)

    return answer


def file(path: Path, code: int = 200, media_type: str | None = None) -> Answer:
    """`media_type`: what it is called, whatever it is."""
    content = path.read_bytes()
    called = media_type or mimetypes.guess_type(path.name)[0]

    async def answer(_request: Request) -> Response:
        return Response(content, code, media_type=called)

    return answer


def plain(content: str) -> Answer:
    async def answer(_request: Request) -> Response:
        return PlainTextResponse(content)

    return answer


def status(code: int, retry_after: int | None = None) -> Answer:
    async def answer(_request: Request) -> Response:
        phrase = HTTPStatus(code).phrase
        page = f"<html><head><title>{code} {phrase}</title></head><body><h1>{phrase}</h1></body></html>"
        headers = {"Retry-After": str(retry_after)} if retry_after is not None else {}
        return HTMLResponse(page, code, headers)

    return answer


def redirect(to: str, code: int = 301) -> Answer:
    async def answer(_request: Request) -> Response:
        return Response(status_code=code, headers={"Location": to})

    return answer


def hesitate(then: Answer, times: int, code: int, retry_after: int | None = None) -> Answer:
    """Fail the first `times` visits since the last POST /control/reset, then give the real answer."""
    refuse = status(code, retry_after)

    async def answer(request: Request) -> Response:
        visit = request.app.state.visits[request.state.address]
        return await (refuse if visit <= times else then)(request)

    return answer
