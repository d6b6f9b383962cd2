"""Who calls: OIDC bearer tokens of Cloud Tasks and Pub/Sub, checked against the issuer's published keys."""

import asyncio
import time
from typing import Any

import httpx
import jwt

from shared.tls import context

CLOCK_SKEW_SECONDS = 30
CHECKED_MOST = 1000
# What an issuer that is down, or that publishes something else than keys, makes of reading them.
UNREADABLE = (httpx.HTTPError, httpx.InvalidURL, KeyError, ValueError, TypeError, AttributeError)


class Unauthorized(Exception):
    """No valid token (401), or a valid one of somebody who may not call this (403)."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Callers:
    """Checks bearer tokens of one issuer. Its keys are fetched once, and again when a token names an unknown one."""

    def __init__(self, issuer: str) -> None:
        self._issuer = issuer.rstrip("/")
        self._keys: dict[str, jwt.PyJWK] = {}
        self._checked: dict[tuple[str, str], dict[str, Any]] = {}
        self._fetching = asyncio.Lock()

    async def check(self, authorization: str | None, *, audience: str, email: str) -> None:
        """Raises Unauthorized unless the header carries a token of `email` for `audience`."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthorized(401, "No bearer token: call this through Cloud Tasks or Pub/Sub.")
        try:
            claims = await self._claims(token, audience)
        except jwt.PyJWTError as error:
            raise Unauthorized(401, f"The token is not valid: {error}") from error
        if claims.get("email") != email or claims.get("email_verified") is not True:
            raise Unauthorized(403, f"The token's account {claims.get('email')!r} may not call this function.")

    async def _claims(self, token: str, audience: str) -> dict[str, Any]:
        """The token's claims. One that was checked already is good until it expires: a queue sends it many times."""
        known = self._checked.get((token, audience))
        if known is not None and known["exp"] > time.time():
            return known
        claims = await self._decoded(token, audience)
        if len(self._checked) >= CHECKED_MOST:
            self._checked.clear()
        self._checked[token, audience] = claims
        return claims

    async def _decoded(self, token: str, audience: str) -> dict[str, Any]:
        key = await self._key(jwt.get_unverified_header(token).get("kid", ""))
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=["RS256"],
            audience=audience,
            issuer=self._issuer,
            leeway=CLOCK_SKEW_SECONDS,
            options={"require": ["exp", "iat", "aud", "iss"]},
        )
        return claims

    async def _key(self, key_id: str) -> jwt.PyJWK:
        if key_id not in self._keys:
            async with self._fetching:
                if key_id not in self._keys:
                    self._keys = await self._fetch()
        try:
            return self._keys[key_id]
        except KeyError:
            raise jwt.InvalidKeyError(f"{self._issuer} publishes no key {key_id!r}") from None

    async def _fetch(self) -> dict[str, jwt.PyJWK]:
        try:
            async with httpx.AsyncClient(timeout=10, verify=context()) as client:
                document = (await client.get(f"{self._issuer}/.well-known/openid-configuration")).raise_for_status()
                keys = (await client.get(document.json()["jwks_uri"])).raise_for_status()
                published = jwt.PyJWKSet.from_dict(keys.json()).keys
        except (*UNREADABLE, jwt.PyJWTError) as error:
            raise Unauthorized(503, f"The keys of {self._issuer} could not be read: {error!r}") from error
        return {key.key_id: key for key in published if key.key_id}
