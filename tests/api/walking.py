"""The walk: every request that an OpenAPI document lets a caller make, filled in from a table of what he may say.

document -> requests_of(document, said) -> Request -> sent(caller, request) -> Heard

A parameter or a body that the table does not know stops the walk: whoever adds an endpoint says what is sent to it.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import pytest

# A stream that has no end is read so far.
MOST_BYTES = 4_000_000
Row = dict[str, Any]


@dataclass(frozen=True)
class Said:
    """What a caller may say: values by parameter name, bodies by path."""

    parameters: Mapping[str, Sequence[str]]
    bodies: Mapping[str, Sequence[Any]]


@dataclass(frozen=True)
class Request:
    method: str
    template: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    body: Any = None

    def __str__(self) -> str:
        query = "&".join(f"{name}={value}" for name, value in self.query)
        return f"{self.method} {self.template}" + (f"?{query}" if query else "")

    def words(self) -> str:
        """All that was said with it: an answer may repeat that."""
        return json.dumps([self.path, self.query, self.headers, self.body])


@dataclass(frozen=True)
class Heard:
    """An answer: its status, and all of its text, headers too."""

    status: int
    body: str
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        return self.body + json.dumps(dict(self.headers))


def requests_of(document: Row, said: Said) -> Iterator[Request]:
    """Each operation plain, and once more for every value of every parameter; what changes nothing comes first."""
    operations = [
        (method.upper(), template, operation)
        for template, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    for method, template, operation in sorted(operations, key=lambda one: one[0] != "GET"):
        yield from requests_to(method, template, operation, said)


def requests_to(method: str, template: str, operation: Row, said: Said) -> Iterator[Request]:
    known = [
        (one["in"], one["name"], values_of(one["name"], template, said)) for one in operation.get("parameters", ())
    ]
    in_path = [(name, values) for place, name, values in known if place == "path"]
    for chosen in product(*(values for _, values in in_path)):
        path = template
        for (name, _), value in zip(in_path, chosen, strict=True):
            path = path.replace(f"{{{name}}}", value)
        for body in bodies_of(template, operation, said):
            yield Request(method, template, path, body=body)
            for place, name, values in known:
                for value in values if place in {"query", "header"} else ():
                    more = {"query" if place == "query" else "headers": ((name, value),)}
                    yield Request(method, template, path, body=body, **more)


def values_of(name: str, template: str, said: Said) -> Sequence[str]:
    if name.lower() not in said.parameters:
        pytest.fail(f"{template} has a parameter {name!r} that the walk does not know: teach it what to say there")
    return said.parameters[name.lower()]


def bodies_of(template: str, operation: Row, said: Said) -> Sequence[Any]:
    if "requestBody" not in operation:
        return [None]
    if template not in said.bodies:
        pytest.fail(f"{template} takes a body that the walk does not know: teach it what to send there")
    return said.bodies[template]


def sent(caller: Any, request: Request) -> Heard:
    """As the caller sends it, with his key."""
    headers = {**caller._headers(), **dict(request.headers)}
    given = {} if request.body is None else {"json": request.body}
    url = f"{caller.function.url}{request.path}"
    with caller.function.client.stream(
        request.method, url, params=list(request.query), headers=headers, **given
    ) as answer:
        body = b""
        for piece in answer.iter_bytes():
            body += piece
            if len(body) > MOST_BYTES:
                break
        told = {name: value for name, value in answer.headers.items() if name not in {"date", "server"}}
        return Heard(answer.status_code, body.decode("utf-8", "replace"), told)
