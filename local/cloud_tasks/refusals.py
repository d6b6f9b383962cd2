"""What the service says when it does not do what was asked.

Refused(code, message)
├── invalid(...)          INVALID_ARGUMENT      the request itself is wrong
├── not_found(...)        NOT_FOUND             no such queue or task, or no longer
├── already_exists(...)   ALREADY_EXISTS        a live one, or one too recent, has this name
└── too_recent(...)       FAILED_PRECONDITION   the queue was deleted a short while ago
"""

import grpc


class Refused(Exception):
    """A gRPC status other than OK."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def invalid(message: str) -> Refused:
    return Refused(grpc.StatusCode.INVALID_ARGUMENT, message)


def not_found(message: str) -> Refused:
    return Refused(grpc.StatusCode.NOT_FOUND, message)


def already_exists(message: str) -> Refused:
    return Refused(grpc.StatusCode.ALREADY_EXISTS, message)


def too_recent(message: str) -> Refused:
    return Refused(grpc.StatusCode.FAILED_PRECONDITION, message)
