"""The docs page: the OpenAPI document as one page of HTML. It loads nothing from anywhere and needs no script."""

import json
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.responses import HTMLResponse

Shape = Mapping[str, Any]
STYLE = """\
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 20%, transparent) }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
code, pre { font: .875em/1.5 ui-monospace, monospace }
pre { overflow: auto; padding: .75rem; border: 1px solid var(--line); border-radius: .5rem }
details { border: 1px solid var(--line); border-radius: .5rem; margin: .5rem 0; padding: .5rem .75rem }
summary { cursor: pointer } summary b { display: inline-block; min-width: 3.5rem }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 } caption { text-align: left; font-weight: 600 }
td, th { text-align: left; vertical-align: top; border-top: 1px solid var(--line); padding: .25rem .75rem .25rem 0 }
"""
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


def docs_routes(app: FastAPI) -> APIRouter:
    routes = APIRouter()

    @routes.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(page(app.openapi()), headers={"Content-Security-Policy": POLICY})

    return routes


def page(document: Shape) -> str:
    info = document["info"]
    operations = "".join(section(document, tag) for tag in tags_of(document))
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(info["title"])} API</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head><body>'
        f"<h1>{escape(info['title'])} API {escape(info['version'])}</h1><p>{prose(info['description'])}</p>"
        '<p>The same for programs: <a href="/openapi.json">/openapi.json</a> (OpenAPI 3.1).</p>'
        f"<main>{operations}<h2>Shapes</h2>{shapes(document)}</main></body></html>"
    )


def tags_of(document: Shape) -> list[str]:
    return list(dict.fromkeys(tag for *_, one in operations_of(document) for tag in one.get("tags", ["other"])))


def operations_of(document: Shape) -> Iterator[tuple[str, str, Shape]]:
    """(method, path, operation)"""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def section(document: Shape, tag: str) -> str:
    of_tag = [one for one in operations_of(document) if tag in one[2].get("tags", ["other"])]
    return f"<h2>{escape(tag.capitalize())}</h2>" + "".join(operation(*one) for one in of_tag)


def operation(method: str, path: str, told: Shape) -> str:
    about = f"<p>{prose(told['description'])}</p>" if "description" in told else ""
    return (
        f"<details><summary><b>{method}</b> <code>{escape(path)}</code> {escape(told.get('summary', ''))}</summary>"
        f"{about}{parameters(told)}{body(told)}{answers(told)}</details>"
    )


def parameters(told: Shape) -> str:
    rows = [
        (code(one["name"]), one["in"], type_of(one["schema"]), prose(one.get("description", "")))
        for one in told.get("parameters", [])
    ]
    return table("Parameters", rows)


def body(told: Shape) -> str:
    given = told.get("requestBody", {}).get("content", {})
    found = [
        f"<p>Body: {code(kind)} {type_of(one.get('schema', {}))}</p>" + examples(one) for kind, one in given.items()
    ]
    return "".join(found)


def examples(content: Shape) -> str:
    return "".join(
        f"<p>{escape(name.capitalize())}</p><pre>{escape(shown(one['value']))}</pre>"
        for name, one in content.get("examples", {}).items()
    )


def shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, indent=2)


def answers(told: Shape) -> str:
    rows = [
        (code(status), prose(one.get("description", "")), ", ".join(contents(one.get("content", {}))))
        for status, one in told["responses"].items()
    ]
    return table("Answers", rows)


def contents(content: Shape) -> Iterator[str]:
    for kind, one in content.items():
        yield f"{code(kind)} {type_of(one.get('schema', {}))}"


def shapes(document: Shape) -> str:
    found = document["components"]["schemas"]
    return "".join(shape(name, found[name]) for name in sorted(found))


def shape(name: str, schema: Shape) -> str:
    needed = schema.get("required", [])
    rows = [
        (code(field), type_of(one) + ("" if field in needed else ", optional"), prose(one.get("description", "")))
        for field, one in schema.get("properties", {}).items()
    ]
    about = prose(schema.get("description", ""))
    head = f'<details id="{escape(name)}"><summary>{code(name)}</summary><p>{about}</p>'
    return f"{head}{table('Fields', rows)}</details>"


def type_of(schema: Shape) -> str:
    """A few words, or a link to the shape."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rsplit("/", 1)[-1])
        return f'<a href="#{name}">{name}</a>'
    if "enum" in schema or "const" in schema:
        return " | ".join(code(str(one)) for one in schema.get("enum", [schema.get("const")]))
    if "anyOf" in schema:
        return " or ".join(type_of(one) for one in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {type_of(schema.get('items', {}))}"
    return escape(schema.get("format") or schema.get("type") or "anything")


def table(caption: str, rows: Sequence[tuple[str, ...]]) -> str:
    if not rows:
        return ""
    lines = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><caption>{caption}</caption>{lines}</table>"


def code(text: str) -> str:
    return f"<code>{escape(text)}</code>"


def prose(text: str) -> str:
    """Text with `code` in it, paragraphs kept."""
    parts = escape(text.strip()).split("`")
    marked = "".join(f"<code>{part}</code>" if place % 2 else part for place, part in enumerate(parts))
    return marked.replace("\n\n", "</p><p>")
