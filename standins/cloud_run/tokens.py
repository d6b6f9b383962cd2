"""Who calls: the ID token of a request to a service that is not public, checked as IAM checks it.

Its signature is verified once; after that a token is known until it expires.
"""

import asyncio
import json
import time
import urllib.request
from collections.abc import Callable
from typing import Any

import jwt

from standins.cloud_run.headers import Request
from standins.cloud_run.refusals import bad_token, no_invoker, no_token
from standins.cloud_run.services import Service

SKEW_SECONDS = 30
MOST_KNOWN = 10_000
FETCH_SECONDS = 10


class Tokens:
    """Checks tokens of one issuer, whose keys are read from its discovery document when they are first needed."""

    def __init__(self, issuer: str, *, clock: Callable[[], float] = time.time) -> None:
        self._issuer = issuer.rstrip("/")
        self._clock = clock
        self._keys: dict[str, jwt.PyJWK] = {}
        self._known: dict[str, dict[str, Any]] = {}
        self._fetching = asyncio.Lock()

    async def admit(self, service: Service, request: Request) -> bytes | None:
        """The header that carries the caller's token, None for a public service. Raises Refused."""
        if service.public:
            return None
        # The second header is for callers whose Authorization is meant for the application; only it is checked then.
        serverless = request.get(b"x-serverless-authorization")
        name = b"authorization" if serverless is None else b"x-serverless-authorization"
        scheme, _, token = (request.get(name) or b"").decode("latin-1").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise no_token(request.path)
        try:
            claims = self._known.get(token) or await self._verified(token)
            self._check(claims, service)
        except jwt.PyJWTError as error:
            raise bad_token(request.path, str(error)) from error
        email = claims.get("email")
        if email not in service.invokers or claims.get("email_verified") is not True:
            raise no_invoker(request.path, str(email))
        return name

    def _check(self, claims: dict[str, Any], service: Service) -> None:
        if claims["exp"] + SKEW_SECONDS <= self._clock():
            raise jwt.ExpiredSignatureError("it has expired")
        if claims["aud"] not in service.audiences:
            raise jwt.InvalidAudienceError(f"its audience {claims['aud']!r} is not this service")

    async def _verified(self, token: str) -> dict[str, Any]:
        key = await self._key(str(jwt.get_unverified_header(token).get("kid", "")))
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=["RS256"],
            issuer=self._issuer,
            # Both depend on the service and the moment: they are checked at each request.
            options={
                "require": ["exp", "iat", "aud", "iss"],
                "verify_aud": False,
                "verify_exp": False,
                "verify_iat": False,
            },
        )
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        self._known[token] = claims
        return claims

    async def _key(self, key_id: str) -> jwt.PyJWK:
        async with self._fetching:
            if key_id not in self._keys:
                self._keys = await asyncio.to_thread(fetch_keys, self._issuer)
        try:
            return self._keys[key_id]
        except KeyError:
            raise jwt.InvalidKeyError(f"{self._issuer} publishes no key {key_id!r}") from None


def fetch_keys(issuer: str) -> dict[str, jwt.PyJWK]:
    """The keys of the issuer by their ids. Raises InvalidKeyError when they cannot be read."""
    try:
        document = fetch_json(f"{issuer}/.well-known/openid-configuration")
        published = jwt.PyJWKSet.from_dict(fetch_json(document["jwks_uri"])).keys
    except (OSError, ValueError, KeyError, TypeError, jwt.PyJWTError) as error:
        raise jwt.InvalidKeyError(f"the keys of {issuer} cannot be read: {error}") from error
    return {key.key_id: key for key in published if key.key_id}


def fetch_json(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(url, timeout=FETCH_SECONDS) as answer:
        document: dict[str, Any] = json.load(answer)
    return document
