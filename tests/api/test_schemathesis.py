"""The API against its own OpenAPI document, by schemathesis with all of its checks.

SCHEMATHESIS_EXAMPLES asks more of each operation than a usual run of the tests does.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ST = Path(sys.executable).parent / "st"
EXAMPLES = os.environ.get("SCHEMATHESIS_EXAMPLES", "3")
SECONDS = 900
ONE_WORKER = "1"  # Python before 3.11.9 counts the depth of all threads' ast.parse together: python/cpython#106905


@pytest.fixture
def schemathesis(caller_of, work_off, tmp_path):
    """Run it with the key of an operator whose limits are far away; what it printed, and its exit code."""
    caller = caller_of(operator=True)
    caller.submit({"do": "done", "n": 1}, {"do": "reject", "n": 2}, {"do": "skip", "n": 3})
    work_off()
    (dead,) = caller.get("/v3/dead-letters").json()["dead_letters"]
    config = tmp_path / "schemathesis.toml"
    config.write_text((HERE / "schemathesis.toml").read_text().replace("DEAD_ITEM", dead["item_id"]))

    def run():
        command = [
            ST, "run", f"{caller.function.url}/openapi.json", "--checks", "all", "--max-examples", EXAMPLES,
            "--generation-deterministic", "--workers", ONE_WORKER, "--request-timeout", "30", "--no-color",
        ]  # fmt: skip
        environment = {
            **os.environ,
            "PIECEWORK_KEY": caller.key,
            "SCHEMATHESIS_HOOKS": "tests.api.schemathesis_hooks",
            "PYTHONPATH": str(HERE.parents[1]),
        }
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=SECONDS
        )

    return run


@pytest.mark.timeout(SECONDS)
def test_every_answer_is_one_that_the_document_tells_of(schemathesis):
    ran = schemathesis()

    assert ran.returncode == 0, ran.stdout[-20_000:] + ran.stderr[-2000:]
    assert all(f"✅  {phase}" in ran.stdout for phase in ("Examples", "Coverage", "Fuzzing", "Stateful"))
