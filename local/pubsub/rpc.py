"""What both gRPC services share: a handler per method, rule breaks as statuses, pages of a list."""

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import grpc
from google.protobuf import empty_pb2
from google.protobuf.message import DecodeError

from local.pubsub.names import Refused, invalid

# Method name -> (proto-plus request type, what answers: a function of the request, or of request and context)
Methods = Mapping[str, tuple[Any, Callable[..., Any]]]
MAX_PAGE = 1000


def unary(methods: Methods) -> dict[str, grpc.RpcMethodHandler]:
    """Return gRPC handlers. None becomes Empty, Refused its status."""
    return {
        name: grpc.unary_unary_rpc_method_handler(_answering(kind.pb(), method), response_serializer=serialized)
        for name, (kind, method) in methods.items()
    }


def _answering(kind: Any, method: Callable[..., Any]) -> Callable[[bytes, Any], Awaitable[Any]]:
    async def answer(body: bytes, context: Any) -> Any:
        try:
            request = _parsed(kind, body)
            if inspect.iscoroutinefunction(method):
                return await method(request, context)
            return method(request) or empty_pb2.Empty()
        except Refused as refused:
            await context.abort(refused.code, str(refused))

    return answer


def _parsed(kind: Any, body: bytes) -> Any:
    try:
        return kind.FromString(body)
    except DecodeError as error:
        raise invalid(f"The request is not a {kind.DESCRIPTOR.name}.") from error


def serialized(message: Any) -> bytes:
    body: bytes = message.SerializeToString()
    return body


def page(found: Sequence[Any], request: Any) -> tuple[Sequence[Any], str]:
    """Return one page and the token of the next; the token is an offset."""
    if request.page_token and not (request.page_token.isdecimal() and len(request.page_token) <= 18):
        raise invalid("You have passed an invalid page token to the service.")
    start = int(request.page_token or 0)
    end = start + (min(max(request.page_size, 0), MAX_PAGE) or MAX_PAGE)
    return found[start:end], str(end) if end < len(found) else ""
