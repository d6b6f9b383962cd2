"""The application: its clients, its routes, and the way of a request through them.

request -> Traced -> CORS -> Admission (who? too often?) -> AtMost (too large?) -> route -> its service -> SQL functions
"""

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

from functions.api import problems
from functions.api.admission import Admission
from functions.api.batch_routes import batch_routes
from functions.api.batches import Batches
from functions.api.caching import Cache
from functions.api.dead_letters import DeadLetters, dead_letter_routes
from functions.api.docs_page import docs_routes
from functions.api.items import Items, item_routes
from functions.api.keys import Keys
from functions.api.limits import AtMost
from functions.api.monitoring import Monitoring
from functions.api.openapi import describe_in_whole
from functions.api.page_routes import page_routes
from functions.api.poster_routes import poster_routes
from functions.api.probes import probe_routes
from functions.api.rate_limits import audit_routes, rate_limit_routes
from functions.api.redis_cache import redis_of
from functions.api.remembered import Remembered
from functions.api.traced import Traced
from functions.api.watching import Watching
from shared.manifest import manifests
from shared.messages import Messages
from shared.queue import Queue
from shared.settings import settings
from shared.store import Store

ABOUT = """\
Batches of items, worked off as fast as the APIs behind them allow and never faster.

Send your key with every request below `/v3`: `Authorization: Bearer pw_...`. What it may ask in a minute is told in the
`RateLimit` header of every answer. Whatever goes wrong is told as `application/problem+json` with what to do.
"""
CORS_SECONDS = 3600
SEEN_ACROSS_ORIGINS = ["ETag", "Location", "RateLimit", "RateLimit-Policy", "Retry-After"]


def make_app() -> FastAPI:
    """The API with its clients. Made at the first request."""
    app = FastAPI(
        title="Piecework", version="3.0", summary="Backlogs into rows", description=ABOUT, docs_url=None, redoc_url=None
    )
    store, messages, known = Store.of(settings()), Messages(settings()), manifests()
    redis = redis_of(settings())
    cache = Cache(redis)
    batches, items = Batches(store, messages, known, cache), Items(store, known)
    problems.install(app)
    for routes in (
        batch_routes(batches, Remembered(batches, cache), store),
        item_routes(items),
        dead_letter_routes(DeadLetters(store, items, batches)),
        poster_routes(store, known),
        rate_limit_routes(store),
        audit_routes(store),
        probe_routes(
            Monitoring(store, Queue(settings()), messages, known, redis), Watching(store, batches, cache), cache
        ),
        docs_routes(app),
        page_routes(known),
    ):
        app.include_router(routes)
    add_middleware(app, Keys(store))
    describe_in_whole(app, batches.functions())
    return app


def add_middleware(app: FastAPI, keys: Keys) -> None:
    """The last that is added is met first."""
    app.add_middleware(AtMost)
    app.add_middleware(Admission, keys=keys, hops=settings().trusted_hops)
    if origins := settings().cors_origins.split():
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "If-None-Match"],
            expose_headers=SEEN_ACROSS_ORIGINS,
            max_age=CORS_SECONDS,
        )
    app.add_middleware(Traced, settings=settings())
