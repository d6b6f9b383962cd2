"""The API describes itself: in whole, truly, and with examples that run."""

import json
import re

import pytest

OPEN = {"/live", "/ready", "/health"}


@pytest.fixture
def document(api):
    return api.get("/openapi.json").json()


def operations(document):
    for path, methods in document["paths"].items():
        for method, told in methods.items():
            yield f"{method} {path}", path, told


def test_it_is_openapi_3_1_with_the_key_it_wants(document):
    assert document["openapi"].startswith("3.1")
    assert document["components"]["securitySchemes"] == {
        "key": {"type": "http", "scheme": "bearer", "description": "An API key: pw_..."}
    }


def test_every_operation_below_v3_wants_a_key_and_tells_how_it_fails(document):
    for name, path, told in operations(document):
        if path in OPEN:
            continue
        assert told["security"] == [{"key": []}], name
        for status in ("400", "401", "422", "429", "503"):
            assert "application/problem+json" in told["responses"][status]["content"], (name, status)
        assert "Retry-After" in told["responses"]["429"]["headers"], name


def test_every_problem_is_one_shape(document):
    for name, _, told in operations(document):
        for status, response in told["responses"].items():
            if int(status) >= 400 and "content" in response and "application/problem+json" in response["content"]:
                schema = response["content"]["application/problem+json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/ProblemDetails"}, (name, status)


def test_every_reference_leads_somewhere(document):
    for name in set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document))):
        assert name in document["components"]["schemas"], name


def test_every_operation_says_what_it_is_for(document):
    assert all(told.get("summary") and told["tags"] for _, _, told in operations(document))


def test_every_example_runs(api, document, database):
    """Examples name the function article; the tests' own stands in for it where something is enlisted."""
    for name, path, told in operations(document):
        for kind, content in told.get("requestBody", {}).get("content", {}).items():
            given = [one["value"] for one in content.get("examples", {}).values()]
            given += resolved(document, content.get("schema", {})).get("examples", [])
            for example in given:
                sent = example if isinstance(example, str) else json.dumps(example)
                query = "?function=article" if kind.endswith("ndjson") and path == "/v3/batches" else ""

                answer = api.function.client.post(
                    f"{api.function.url}{path}{query}",
                    content=sent.encode(),
                    headers={"Authorization": f"Bearer {api.key}", "Content-Type": kind},
                )

                assert answer.status_code in {200, 202, 403}, (name, kind, answer.text)


def resolved(document, schema):
    name = schema.get("$ref", "").rsplit("/", 1)[-1]
    return document["components"]["schemas"].get(name, schema)


def test_the_docs_page_shows_all_of_it_and_loads_nothing(api, document):
    answer = api.get("/docs")

    assert answer.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert all(f"<code>{path}</code>" in answer.text for path in document["paths"])
    assert not re.search(r'(?:src|href)="(?!#|/openapi\.json)', answer.text)
    assert not re.search(r"<script|@import|url\(", answer.text)


def test_the_docs_page_links_only_to_what_is_on_it(api):
    text = api.get("/docs").text

    for name in set(re.findall(r'href="#([^"]+)"', text)):
        assert f'id="{name}"' in text, name
