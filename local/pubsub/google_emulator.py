"""Google's own Pub/Sub emulator, where the Cloud SDK has it: a Java server that keeps messages in memory."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from pathlib import Path

import grpc

START_SECONDS = 20.0
_JARS = "platform/pubsub-emulator/lib/cloud-pubsub-emulator-*.jar"


class NotStarted(Exception):
    """Why Google's emulator does not run here, for one line of print."""


def find_command(host: str, port: int) -> list[str]:
    """Return what starts the emulator, without gcloud's own Python in between. Raises NotStarted."""
    java = _java()
    gcloud = shutil.which("gcloud")
    if not gcloud:
        raise NotStarted("gcloud is not on the PATH")
    jars = sorted(Path(gcloud).resolve().parent.parent.glob(_JARS))
    if not jars:
        raise NotStarted("gcloud has no component pubsub-emulator")
    # Java would outlive a killed parent and keep the port.
    leash = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
    return [*leash, java, "-jar", str(jars[-1]), f"--host={host}", f"--port={port}"]


def _java() -> str:
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=f"{home}/bin") if home else shutil.which("java")
    if not java:
        raise NotStarted("there is no Java")
    return java


@asynccontextmanager
async def google_emulator(
    host: str, port: int, *, start_seconds: float = START_SECONDS
) -> AsyncIterator[Awaitable[int]]:
    """Run the emulator and yield its end, to wait on. Raises NotStarted, also when it is slower than that."""
    command = find_command(host, port)
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*command, stdin=quiet, stdout=quiet, stderr=quiet)
    try:
        await _ready(process, f"{host}:{port}", start_seconds)
        yield process.wait()
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _ready(process: asyncio.subprocess.Process, target: str, seconds: float) -> None:
    async with grpc.aio.insecure_channel(target) as channel:
        answers = asyncio.ensure_future(channel.channel_ready())
        ended = asyncio.ensure_future(process.wait())
        try:
            done, _ = await asyncio.wait({answers, ended}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            answers.cancel()
            ended.cancel()
    if ended in done:
        raise NotStarted(f"it ended at once with exit code {process.returncode}")
    if not done:
        raise NotStarted(f"it was not ready after {seconds:g} s")
