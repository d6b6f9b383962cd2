"""oidc: the identity provider of the local stack, in the place of accounts.google.com.

key file -> Issuer.token(email, audience) -> "Authorization: Bearer ..." on a push or a dispatch
            Issuer.app()                  -> GET /.well-known/openid-configuration, GET /certs

`python -m local.oidc --port 8602 --key .local/oidc.pem` serves it.
"""

import argparse
import hashlib
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import uvicorn
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from jwt.algorithms import RSAAlgorithm
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

REMOVED_SIGNATURE = "SIGNATURE_REMOVED_BY_GOOGLE"


class Issuer:
    """Signs ID tokens as `url` would. Processes that name the same key file share one key."""

    def __init__(self, key_file: Path, url: str, *, clock: Callable[[], float] = time.time) -> None:
        """Load the key, or make it (mode 0600). Raises ValueError when the file holds no RSA key."""
        self.url = url.rstrip("/")
        self._key = load_or_create_key(key_file)
        self._clock = clock
        self.key_id = _key_id(self._key)

    def token(self, email: str, audience: str, lifetime: int = 3600) -> str:
        """Return an ID token (RS256) of the account `email` for `audience`, good for `lifetime` seconds."""
        now = int(self._clock())
        claims = {
            "iss": self.url,
            "sub": _subject(email),
            "azp": _subject(email),
            "aud": audience,
            "email": email,
            "email_verified": True,
            "iat": now,
            "exp": now + lifetime,
        }
        return jwt.encode(claims, self._key, algorithm="RS256", headers={"kid": self.key_id})

    def discovery(self) -> dict[str, Any]:
        """Return the discovery document, which says where the keys are."""
        return {
            "issuer": self.url,
            "jwks_uri": f"{self.url}/certs",
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "claims_supported": ["aud", "azp", "email", "email_verified", "exp", "iat", "iss", "sub"],
        }

    def jwks(self) -> dict[str, Any]:
        """Return the public key as a JSON Web Key Set."""
        public = RSAAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        numbers = {name: public[name] for name in ("kty", "n", "e")}
        return {"keys": [{**numbers, "use": "sig", "alg": "RS256", "kid": self.key_id}]}

    def app(self) -> Starlette:
        """Return an ASGI app that serves the discovery document and the keys."""
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._serve(self.discovery)),
                Route("/certs", self._serve(self.jwks)),
            ]
        )

    @staticmethod
    def _serve(document: Callable[[], dict[str, Any]]) -> Callable[[Request], JSONResponse]:
        # As the real one does, so that a verifier caches the keys but meets a new one within the hour.
        headers = {"Cache-Control": "public, max-age=3600"}
        return lambda _: JSONResponse(document(), headers=headers)


def without_signature(token: str) -> str:
    """Return the token as Cloud Run hands it to a service that is not public, after it has checked it."""
    return f"{token.rpartition('.')[0]}.{REMOVED_SIGNATURE}"


def load_or_create_key(key_file: Path) -> RSAPrivateKey:
    """Return the key of `key_file`; of several that create it at once, one wins and all return its key."""
    if not key_file.exists():
        _create_key(key_file)
    try:
        key = serialization.load_pem_private_key(key_file.read_bytes(), password=None)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{key_file} holds no unencrypted private key in PEM form") from error
    if not isinstance(key, RSAPrivateKey):
        raise ValueError(f"{key_file} holds a key that is not RSA")  # noqa: TRY004 - the file's content is wrong
    return key


def _create_key(key_file: Path) -> None:
    key_file.parent.mkdir(parents=True, exist_ok=True)
    pem = generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    # mkstemp makes it 0600. A link appears whole or not at all, and never replaces a key that is in use.
    descriptor, draft = tempfile.mkstemp(dir=key_file.parent, prefix=".oidc-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
        os.link(draft, key_file)
    except FileExistsError:
        return
    finally:
        Path(draft).unlink()


def _key_id(key: RSAPrivateKey) -> str:
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(public).hexdigest()[:40]


def _subject(email: str) -> str:
    """Return a number of 21 digits, the same for the same account, as Google's subjects are."""
    return str(10**20 + int(hashlib.sha256(email.encode()).hexdigest(), 16) % (9 * 10**20))


def main(argv: list[str] | None = None) -> int:
    """Serve the issuer until SIGTERM. Returns 2 with one line on stderr when it cannot start."""
    parser = argparse.ArgumentParser(prog="python -m local.oidc", description=__doc__.splitlines()[0])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8602)
    parser.add_argument("--key", type=Path, default=Path(".local/oidc.pem"), help="made when missing")
    parser.add_argument("--url", help="the issuer's URL, default http://HOST:PORT")
    options = parser.parse_args(argv)
    try:
        listener = socket.create_server((options.host, options.port), backlog=100)
        url = options.url or f"http://{options.host}:{listener.getsockname()[1]}"
        issuer = Issuer(options.key, url)
    except (OSError, OverflowError, ValueError) as error:
        print(f"oidc: cannot serve {options.key} on {options.host}:{options.port}: {error}", file=sys.stderr)
        return 2
    print(f"oidc: {issuer.url}", flush=True)
    _serve_until_told_to_stop(issuer.app(), listener)
    return 0


def _serve_until_told_to_stop(app: Starlette, listener: socket.socket) -> None:
    # uvicorn stops cleanly, then raises the signal again for whoever had it before: here that is nobody.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off")).run(sockets=[listener])


if __name__ == "__main__":
    sys.exit(main())
