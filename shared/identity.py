"""Who calls: OIDC bearer tokens of Cloud Tasks and Pub/Sub.

signed token ------------------------> signature by the issuer's published keys, then claims
signature removed by the platform ---> claims, and only where PLATFORM_CHECKS_CALLERS says that the platform checks

Cloud Run checks the token of who calls a service that is not public, signature and audience included, and hands it
on with the signature replaced. Anybody can write such a token: where nothing stands in front it is worth nothing.
"""

import asyncio
import time
from typing import Any

import httpx
import jwt

from shared.manifest import Manifest
from shared.settings import Settings
from shared.setup import refuse_unchecked_callers
from shared.tls import context

CLOCK_SKEW_SECONDS = 30
CHECKED_MOST = 1000
ALGORITHM = "RS256"
# What Cloud Run writes in the place of a signature that it has checked.
REMOVED_SIGNATURE = "SIGNATURE_REMOVED_BY_GOOGLE"
# Google's tokens name their issuer in either way.
GOOGLE_ISSUERS = ("https://accounts.google.com", "accounts.google.com")
# What PyJWT makes of a token that is not right: its own errors, and these for claims of a type it does not expect.
INVALID = (jwt.PyJWTError, TypeError, OverflowError, RecursionError)
# What an issuer that is down, or that publishes something else than keys, makes of reading them.
UNREADABLE = (httpx.HTTPError, httpx.InvalidURL, KeyError, ValueError, TypeError, AttributeError)


class Unauthorized(Exception):
    """No valid token (401), a valid one of somebody who may not call this (403), or no keys to check it with (500).

    Never 503: Cloud Tasks would slow the whole queue down because one instance could not read the keys.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Callers:
    """Checks bearer tokens of one issuer. Its keys are fetched once, and again when a token names an unknown one.

    `platform_checks`: the platform has verified every caller, so a token whose signature it removed is taken.
    """

    def __init__(self, issuer: str, *, platform_checks: bool = False) -> None:
        self._issuer = issuer.rstrip("/")
        self._issuers = GOOGLE_ISSUERS if self._issuer in GOOGLE_ISSUERS else (self._issuer,)
        self._platform_checks = platform_checks
        self._keys: dict[str, jwt.PyJWK] = {}
        self._checked: dict[tuple[str, str], dict[str, Any]] = {}
        self._fetching = asyncio.Lock()

    @staticmethod
    def of(settings: Settings, manifest: Manifest) -> "Callers":
        """The callers of this function. Raises BadSettings where it is public and relies on the platform's check."""
        refuse_unchecked_callers(settings, manifest)
        return Callers(settings.oidc_issuer, platform_checks=settings.platform_checks_callers)

    async def check(self, authorization: str | None, *, audience: str, email: str) -> None:
        """Raises Unauthorized unless the header carries a token of `email` for `audience`."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthorized(401, "No bearer token: call this through Cloud Tasks or Pub/Sub.")
        try:
            claims = await self._claims(token, audience)
        except INVALID as error:
            raise Unauthorized(401, f"The token is not valid: {error}") from error
        if claims.get("email") != email or claims.get("email_verified") is not True:
            raise Unauthorized(403, f"The token's account {claims.get('email')!r} may not call this function.")

    async def _claims(self, token: str, audience: str) -> dict[str, Any]:
        """The token's claims. One that was checked already is good until it expires: a queue sends it many times."""
        known = self._checked.get((token, audience))
        if known is not None and float(known["exp"]) > time.time():
            return known
        claims = await self._decoded(token, audience)
        if len(self._checked) >= CHECKED_MOST:
            self._checked.clear()
        self._checked[token, audience] = claims
        return claims

    async def _decoded(self, token: str, audience: str) -> dict[str, Any]:
        header = jwt.get_unverified_header(token)
        if token.endswith(f".{REMOVED_SIGNATURE}"):
            return self._checked_by_platform(token, header, audience)
        return self._claims_of(token, audience, await self._key(header.get("kid", "")))

    def _checked_by_platform(self, token: str, header: dict[str, Any], audience: str) -> dict[str, Any]:
        if not self._platform_checks:
            raise Unauthorized(
                401,
                "The platform removed the token's signature, but PLATFORM_CHECKS_CALLERS is not set: "
                "set it to true where the platform admits nobody without a valid token.",
            )
        if header.get("alg") != ALGORITHM:
            raise jwt.InvalidAlgorithmError(f"alg must be {ALGORITHM}, not {header.get('alg')!r}")
        return self._claims_of(token, audience, None)

    def _claims_of(self, token: str, audience: str, key: jwt.PyJWK | None) -> dict[str, Any]:
        """The token's claims, each of them checked. Without a key the signature is not."""
        claims: dict[str, Any] = jwt.decode(
            token,
            key or "",
            algorithms=[ALGORITHM],
            audience=audience,
            issuer=self._issuers,
            leeway=CLOCK_SKEW_SECONDS,
            # Without a signature PyJWT checks only the claims that are named here.
            options={
                "verify_signature": key is not None,
                "verify_exp": True,
                "verify_iat": True,
                "verify_nbf": True,
                "verify_aud": True,
                "verify_iss": True,
                "strict_aud": True,
                "require": ["exp", "iat", "aud", "iss"],
            },
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
            raise Unauthorized(500, f"The keys of {self._issuer} could not be read: {error!r}") from error
        return {key.key_id: key for key in published if key.key_id}
