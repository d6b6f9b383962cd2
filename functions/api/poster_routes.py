"""What is asked of posters over HTTP."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field

from functions.api.conditional import ASK_AGAIN, unless_known
from functions.api.keys import Operator, Owner
from functions.api.overlay import overlay_svg, security_policy
from functions.api.posters import CURSOR, ID_PATTERN, MOST_POSTERS, Posters, read_posters
from functions.api.problems import Problem, documented
from shared.manifest import Manifests
from shared.store import Store

PAGE, MOST_PAGE = 50, 200
JSON, LINES, SVG = "application/json", "application/x-ndjson", "image/svg+xml"
ContentId = Annotated[str, Path(pattern=ID_PATTERN, description="Whose poster it is", examples=["title-1"])]
ScoreCursor = Annotated[str | None, Query(pattern=f"^{CURSOR.pattern}$", description="next_cursor of the page before")]
ListCursor = Annotated[str | None, Query(pattern="^[0-9]{1,18}$", description="next_cursor of the page before")]
# Each poster is looked at by itself, so that a bad one does not sink the others.
BODY = {
    "requestBody": {
        "required": True,
        "content": {
            JSON: {
                "schema": {
                    "type": "object",
                    "required": ["posters"],
                    "properties": {
                        "posters": {
                            "type": "array",
                            "minItems": 1,
                            "maxItems": MOST_POSTERS,
                            "items": {
                                "description": "content_id and url, also title, active, language, kind; "
                                "what is no such object is told of in bad",
                            },
                        }
                    },
                },
                "example": {
                    "posters": [{"content_id": "t1", "title": "Tin", "url": "https://example.com/tin.jpg"}],
                },
            },
            LINES: {"schema": {"type": "string", "description": "One such poster a line"}},
        },
    }
}


class BadPoster(BaseModel):
    index: int = Field(description="Its place in what was sent, from 0")
    reason: str


class Imported(BaseModel):
    added: int
    changed: int
    unchanged: int
    bad: list[BadPoster]


class Poster(BaseModel):
    """A poster, how its newest item stands, and its newest analysis."""

    content_id: str
    title: str | None
    url: str | None
    active: bool | None
    state: str | None
    reason: str | None
    error: str | None
    score: float | None = Field(description="Mean score of its zones")
    analysis: dict[str, Any] | None = Field(description="Its row of poster_analyses; see docs/posters.md")


class PosterPage(BaseModel):
    posters: list[dict[str, Any]]
    next_cursor: str | None


def poster_routes(store: Store, known: Manifests) -> APIRouter:
    routes, posters = APIRouter(tags=["posters"]), Posters(store, known)
    add_keeping(routes, posters)
    add_pages(routes, posters)
    # A content_id may hold slashes, so the longer path comes first.
    add_overlay(routes, posters)
    add_one(routes, posters)
    return routes


def add_keeping(routes: APIRouter, posters: Posters) -> None:
    @routes.post(
        "/v3/posters",
        summary="Keep posters (operators)",
        response_model=Imported,
        responses=documented(403, 413, 415),
        openapi_extra=BODY,
    )
    async def keep(_owner: Operator, request: Request) -> Response:
        """By content_id. Good ones are kept, bad ones told of; sent again, nothing changes."""
        kind = request.headers.get("content-type", JSON).partition(";")[0].strip().lower()
        if kind not in {JSON, LINES}:
            raise Problem(415, f"Send {JSON}, or one poster a line as {LINES}.")
        return JSONResponse(await posters.keep(read_posters(await request.body(), lines=kind == LINES)))


def add_pages(routes: APIRouter, posters: Posters) -> None:
    @routes.get(
        "/v3/posters",
        summary="Analysed posters, a page at a time",
        response_model=PosterPage,
        responses=documented(),
    )
    async def page(
        owner: Owner,
        limit: Annotated[int, Query(ge=1, le=MOST_PAGE)] = PAGE,
        cursor: ScoreCursor = None,
        sort: Annotated[Literal["newest", "score", "-score"], Query(description="score: the best first")] = "newest",
    ) -> Response:
        return JSONResponse(await posters.analysed(owner, sort, limit, cursor))

    @routes.get(
        "/v3/poster-list",
        summary="Rows of the table posters, in the order they came (operators)",
        response_model=PosterPage,
        responses=documented(403),
    )
    async def listed(
        _owner: Operator,
        limit: Annotated[int, Query(ge=1, le=MOST_PAGE)] = PAGE,
        cursor: ListCursor = None,
        inactive: Annotated[bool, Query(description="Inactive ones too")] = False,
        unseen: Annotated[bool, Query(description="Only those not submitted since they have this url")] = False,
    ) -> Response:
        return JSONResponse(await posters.listed(limit, cursor, inactive=inactive, unseen=unseen))


def add_overlay(routes: APIRouter, posters: Posters) -> None:
    @routes.get(
        "/v3/posters/{content_id:path}/overlay.svg",
        summary="Its zones as a picture",
        response_class=Response,
        responses={
            200: {"content": {SVG: {"schema": {"type": "string"}}}},
            304: {"description": "As it was"},
            **documented(404, 409),
        },
    )
    async def overlay(
        request: Request,
        owner: Owner,
        content_id: ContentId,
        image: Annotated[Literal["thumbnail", "url"], Query(description="The image below the zones")] = "thumbnail",
    ) -> Response:
        """Green is safe, red is not; hovering tells why. 409 says why there is none."""
        known, from_url = await posters.drawable(owner, content_id), image == "url"
        headers = {
            **ASK_AGAIN,
            "Content-Security-Policy": security_policy(known, from_url=from_url),
            "X-Content-Type-Options": "nosniff",
        }
        return unless_known(request, overlay_svg(known, from_url=from_url).encode(), headers, SVG)


def add_one(routes: APIRouter, posters: Posters) -> None:
    @routes.get(
        "/v3/posters/{content_id:path}",
        summary="One poster: how it stands, and its newest analysis",
        response_model=Poster,
        responses=documented(404),
    )
    async def one(owner: Owner, content_id: ContentId) -> Response:
        return JSONResponse(await posters.one(owner, content_id))
