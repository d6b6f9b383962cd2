"""gRPC transports of Google's clients for an endpoint: https with the machine's credentials, http without either."""

from typing import Any
from urllib.parse import urlsplit


def channel(endpoint: str, transport: type[Any]) -> Any:
    """A transport of class `transport` to `endpoint`, e.g. https://cloudtasks.googleapis.com."""
    parts = urlsplit(endpoint)
    if parts.scheme == "http":
        import grpc.aio  # noqa: PLC0415 - heavy, and rarely needed

        return transport(channel=grpc.aio.insecure_channel(parts.netloc))
    return transport(host=parts.netloc)
