"""A web server on a free loopback port that sends exactly the bytes a test wants, and a way to reach it."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import httpcore
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from shared.fetching import Fetcher

PUBLIC = "93.184.215.14"

Answer = bytes | Callable[[asyncio.StreamWriter], Awaitable[None]]


def http(body=b"", status="200 OK", **headers):
    """A whole response as bytes: `content_type="text/plain"` becomes a Content-Type header."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    defaults = {"content-type": "text/html; charset=utf-8", "content-length": str(len(body))}
    lines = [f"{name}: {value}" for name, value in (defaults | given).items() if value is not None]
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode("latin-1") + body


@dataclass
class Site:
    """Answers each path with its bytes, or lets a function write; keeps what it was asked."""

    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    connections: int = 0
    port: int = 0

    async def serve(self, reader, writer):
        self.connections += 1
        try:
            while request := (await reader.readuntil(b"\r\n\r\n")).decode("latin-1"):
                self.asked.append(request)
                answer = self.answers.get(request.split(" ")[1], http(b"?", "404 Not Found"))
                if callable(answer):
                    await answer(writer)
                    return
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            pass
        finally:
            writer.close()


class Rerouted(httpcore.AsyncNetworkBackend):
    """Notes which address was dialled, and connects to the test's server instead of the Internet."""

    def __init__(self, port, refuse=()):
        self.port = port
        self.refuse = list(refuse)
        self.dialled = []

    async def connect_tcp(self, host, port, timeout=None, local_address=None, socket_options=None):  # noqa: ASYNC109 - httpcore's
        self.dialled.append((host, port))
        if self.refuse and self.refuse.pop(0):
            raise httpcore.ConnectError("refused by the test")
        return await httpcore.AnyIOBackend().connect_tcp("127.0.0.1", self.port, timeout)


class Names:
    """A resolver that answers from a list, one entry for each time it is asked."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []

    async def __call__(self, host):
        self.asked.append(host)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


async def _serving(site, **kwargs):
    server = await asyncio.start_server(site.serve, "127.0.0.1", 0, **kwargs)
    site.port = server.sockets[0].getsockname()[1]
    return server


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    site = Site()
    server = await _serving(site)
    yield site
    server.close()


@pytest.fixture
def serving():
    return _serving


@pytest.fixture
def dial(site):
    return Rerouted(site.port)


@pytest.fixture
async def fetcher(dial):
    """Believes that every name is public, and reaches the site through `dial`."""
    fetcher = Fetcher("TestBot/1.0", resolve=Names([PUBLIC]), dial=dial)
    yield fetcher
    await fetcher.aclose()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """The file of a certificate for daily.example that no authority signed, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "daily.example")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("daily.example")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "both.pem"
    pem.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + certificate.public_bytes(Encoding.PEM)
    )
    return pem


@pytest.fixture(scope="session")
def self_signed(certificate):
    """A server context with this certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.fixture
def trusted(certificate, monkeypatch):
    """Every fetcher takes this certificate for an authority's."""
    context = ssl.create_default_context(cafile=certificate)
    monkeypatch.setattr("shared.dialling.context", lambda: context)
