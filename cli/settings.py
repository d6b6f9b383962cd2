"""Which API, and with which key: flag, then environment, then the checkout around the working folder."""

import os
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from cli.problems import BadInput

DEFAULT_URL = "http://127.0.0.1:8610"
_LOCAL_HOSTS = {"127.0.0.1", "localhost", "::1"}


@dataclass(frozen=True)
class Settings:
    url: str
    key: str = field(repr=False)


def read_settings(url: str | None, key: str | None) -> Settings:
    """Return the settings. Raises BadInput for a URL or key that cannot be one."""
    address = _checked_url(url or os.environ.get("PIECEWORK_URL") or DEFAULT_URL)
    secret = (key or os.environ.get("PIECEWORK_KEY") or _local_key(address)).strip()
    if not (secret.isascii() and secret.isprintable()):
        raise BadInput("The key holds characters no key has; set PIECEWORK_KEY to the pw_... you were given.")
    return Settings(address, secret)


def is_local(url: str) -> bool:
    return httpx.URL(url).host in _LOCAL_HOSTS


def checkout() -> Path | None:
    """Return the checkout around the working folder, else the one this command lies in, else None."""
    here = Path.cwd()
    own = Path(__file__).resolve().parent.parent
    return next((folder for folder in (here, *here.parents, own) if _is_checkout(folder)), None)


def _is_checkout(folder: Path) -> bool:
    return (folder / "local" / "__main__.py").is_file() and (folder / "functions" / "quotas.yaml").is_file()


def _checked_url(url: str) -> str:
    try:
        parts = httpx.URL(url)
        lawful = parts.scheme in {"http", "https"} and bool(parts.host) and not parts.userinfo
        lawful = lawful and (parts.port or 1) <= 65535
    except httpx.InvalidURL:
        lawful = False
    if not lawful:
        raise BadInput(f"{url!r} is no API address; give one like {DEFAULT_URL} with --url or PIECEWORK_URL.")
    return url.rstrip("/")


def _local_key(url: str) -> str:
    root = checkout()
    if root is None or not is_local(url):
        return ""
    try:
        return (root / ".local" / "key").read_text()
    except (OSError, UnicodeDecodeError):
        return ""
