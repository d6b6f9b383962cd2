"""Rate limits as callers and operators see them, and the audit of what was done to items."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse, Response

from functions.api.batch_routes import Cursor
from functions.api.keys import Operator, Owner
from functions.api.problems import documented
from functions.api.progress import as_iso
from functions.api.shapes import Audit, BlockedAddresses, RateLimits
from shared.store import Store


def rate_limit_routes(store: Store) -> APIRouter:
    routes = APIRouter(tags=["limits"])

    @routes.get(
        "/v3/rate-limit/status",
        summary="Your limits, and what is left of them",
        response_model=RateLimits,
        responses=documented(),
    )
    async def status(owner: Owner) -> Response:
        limits = await store.call("rate_status_v1", key_id=str(owner.id))
        return JSONResponse({"tier": owner.tier, "limits": limits})

    @routes.get(
        "/v3/rate-limit/blocked",
        summary="Addresses whose unknown keys are turned away (operators)",
        response_model=BlockedAddresses,
        responses=documented(403),
    )
    async def blocked(_: Operator) -> Response:
        return JSONResponse({"blocked": await store.call("blocked_addresses_v1")})

    return routes


def audit_routes(store: Store) -> APIRouter:
    routes = APIRouter(tags=["audit"])

    @routes.get(
        "/v3/audit",
        summary="Who cancelled, retried, replayed, discarded or revoked what; the newest first",
        response_model=Audit,
        responses=documented(),
    )
    async def deeds(owner: Owner, cursor: Cursor = None, limit: Annotated[int, Query(ge=1, le=500)] = 100) -> Response:
        mine = {} if owner.scope is None else {"key_id": owner.scope}
        rows = await store.newest("audit", "id,at,key_id,action,target,affected", limit, cursor, **mine)
        deeds = [{**row, "at": as_iso(row["at"])} for row in rows]
        return JSONResponse({"deeds": deeds, "next_cursor": rows[-1]["id"] if len(rows) == limit else None})

    return routes
