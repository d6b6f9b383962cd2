"""TLS: one context for every client of a process. Reading the authorities' certificates takes 20 ms each time."""

import ssl
from functools import cache

import httpx


@cache
def context() -> ssl.SSLContext:
    return httpx.create_ssl_context()
