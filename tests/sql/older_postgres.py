"""Debian's Postgres 15: the oldest that Supabase runs. It has no uuidv7(), and no infinite intervals."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

BINARIES = Path("/usr/lib/postgresql/15/bin")
# Nothing here has to survive a power cut; nobody comes over the network.
SETTINGS = "-F -c listen_addresses= -c synchronous_commit=off -c full_page_writes=off"


@contextmanager
def postgres_15() -> Iterator[str]:
    """A server of its own; the folder of its socket. Skips where it is not installed."""
    if not (BINARIES / "initdb").exists():
        pytest.skip("Postgres 15 is not installed (Debian: apt-get install postgresql-15)")
    folder = Path(tempfile.mkdtemp(prefix="piecework-15-"))
    # Postgres refuses to run as root; the package has made a user for it.
    user = "postgres" if os.getuid() == 0 else None
    if user:
        shutil.chown(folder, user)
    data = str(folder / "data")

    def run(program: str, *words: str) -> None:
        # Its output goes to a file: the server keeps a pipe open for as long as it runs.
        with (folder / "log").open("a") as log:
            subprocess.run(
                [BINARIES / program, "-D", data, *words], user=user, cwd=folder, stdout=log, stderr=log, check=True
            )

    try:
        run("initdb", "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale", "C.UTF-8")
        run("pg_ctl", "start", "--wait", "-o", f"{SETTINGS} -c unix_socket_directories={folder}")
        yield str(folder)
    finally:
        if (Path(data) / "postmaster.pid").exists():
            run("pg_ctl", "stop", "--mode", "immediate")
        shutil.rmtree(folder)
