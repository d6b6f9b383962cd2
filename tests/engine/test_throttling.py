"""A function on an instance that has no CPU between its requests."""

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
MAIN = """
import functions_framework.aio
from shared.setup import needs_settings

@functions_framework.aio.http
@needs_settings("fanout")
async def handle(request):
    return "done"
"""


async def test_gunicorn_has_no_timeout_that_a_pause_could_exceed(tmp_path: Path):
    (tmp_path / "main.py").write_text(MAIN)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    framework = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("functions-framework"), "--target", "handle", "--host", "127.0.0.1",
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "PORT": str(port),
            "FUNCTION_USE_ASGI": "True",
            "CLOUD_RUN_TIMEOUT_SECONDS": "60",
            "GUNICORN_LOG_LEVEL": "debug",
        },
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip

    configuration = (await framework.stderr.readuntil(b"Booting worker")).decode()

    os.killpg(framework.pid, signal.SIGKILL)
    await framework.wait()
    assert "  timeout: 0\n" in configuration
