"""Resource names, and the one error the rules of Pub/Sub are told with."""

import re

import grpc

_ID = r"(?!goog)[A-Za-z][A-Za-z0-9\-_.~+%]{2,254}"
_PROJECT = r"[a-z0-9][a-z0-9\-:.]*"


class Refused(Exception):
    """A call that breaks a rule; becomes the gRPC status `code` with its message."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code


def invalid(message: str) -> Refused:
    return Refused(grpc.StatusCode.INVALID_ARGUMENT, message)


def missing(name: str) -> Refused:
    return Refused(grpc.StatusCode.NOT_FOUND, f"Resource not found (resource={name}).")


def exists(name: str) -> Refused:
    return Refused(grpc.StatusCode.ALREADY_EXISTS, f"Resource already exists in the project (resource={name}).")


def unsupported(what: str) -> Refused:
    return Refused(grpc.StatusCode.UNIMPLEMENTED, f"{what} is not supported by this local Pub/Sub.")


def check_name(name: str, kind: str) -> str:
    """Return `name` when it is projects/P/`kind`/ID with a lawful ID, else raise Refused."""
    if not re.fullmatch(f"projects/{_PROJECT}/{kind}/{_ID}", name):
        raise invalid(f"Invalid [{kind}] name: (name={name}). It must look like projects/PROJECT/{kind}/ID.")
    return name


def check_project(name: str) -> str:
    if not re.fullmatch(f"projects/{_PROJECT}", name):
        raise invalid(f"Invalid project name: (name={name}). It must look like projects/PROJECT.")
    return name
