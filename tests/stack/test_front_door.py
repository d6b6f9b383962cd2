"""What the front door is told of each function."""

import json
from pathlib import Path

from local.stack import ACCOUNT, Stack

ROOT = Path(__file__).parents[2]


def services(tmp_path: Path) -> dict[str, dict]:
    Stack(ROOT, tmp_path).cloud_run()
    written = json.loads((tmp_path / "services.json").read_text())
    return {service["name"]: service for service in written["services"]}


def test_a_function_that_is_not_public_has_its_callers_as_invokers_and_is_told_that_they_are_checked(tmp_path: Path):
    served = services(tmp_path)

    assert served["article"]["invokers"] == [ACCOUNT.format("tasks")]
    assert served["fanout"]["invokers"] == [ACCOUNT.format("pubsub")]
    assert served["article"]["environment"]["PLATFORM_CHECKS_CALLERS"] == "true"


def test_a_public_function_is_told_nothing_of_the_kind(tmp_path: Path):
    api = services(tmp_path)["api"]

    assert api["invokers"] == []
    assert "PLATFORM_CHECKS_CALLERS" not in api["environment"]


def test_instances_and_times_are_those_of_the_manifest(tmp_path: Path):
    stack = Stack(ROOT, tmp_path)

    for name, service in services(tmp_path).items():
        manifest = stack.manifests["functions"][name]
        for key in ("concurrency", "min_instances", "max_instances", "timeout_seconds"):
            assert service[key] == manifest[key]
        assert service["audiences"] == [stack.url(name)]


def test_nobody_else_may_read_the_functions_secrets(tmp_path: Path):
    services(tmp_path)

    assert (tmp_path / "services.json").stat().st_mode & 0o077 == 0
