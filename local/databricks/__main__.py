"""python -m local.databricks --port 8607 --samples samples/catalog"""

import argparse
import os
import signal
import socket
import sys
from pathlib import Path

import uvicorn

from local.databricks.app import Service
from local.databricks.statements import Pace
from local.databricks.warehouse import Warehouse, read_tables


def main() -> None:
    options = read_options()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    try:
        tables = read_tables(options.samples)
        door = socket.create_server(("127.0.0.1", options.port))
    except (OSError, ValueError) as error:
        sys.exit(f"databricks: {os.strerror(error.errno or 0) if isinstance(error, OSError) else error}")
    pace = Pace(options.wake_seconds, options.run_seconds, options.chunk_rows)
    service = Service(Warehouse(tables), warehouse_id=options.warehouse, token=options.token, pace=pace)
    print(f"databricks: http://127.0.0.1:{door.getsockname()[1]}/, tables {', '.join(tables) or 'none'}", flush=True)
    uvicorn.Server(uvicorn.Config(service.app(), log_level="warning", lifespan="off")).run([door])


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.databricks", description="A Databricks SQL warehouse.")
    add = parser.add_argument
    add("--port", type=int, default=8607)
    add("--samples", type=Path, default=Path("samples/catalog"), help="a folder of TABLE.jsonl and TABLE.csv")
    add("--warehouse", default="local", help="its id")
    add("--token", default="dapi-local", help="the one that is let in")
    add("--wake-seconds", type=float, default=0.0, help="how long every statement is PENDING")
    add("--run-seconds", type=float, default=0.05, help="how long it is RUNNING then")
    add("--chunk-rows", type=int, default=1000)
    return parser.parse_args()


if __name__ == "__main__":
    main()
