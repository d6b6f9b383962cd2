"""python -m local.site --port 8605 --samples samples"""

import argparse
import os
import signal
import sys
from pathlib import Path

from local.site.app import make_app
from local.site.server import listen, make_server


def main() -> None:
    arguments = read_arguments()
    # uvicorn raises the signal again once it has stopped: end with 0 then, and also before it starts.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    try:
        door = listen(arguments.port)
    except OSError as error:
        sys.exit(f"site: cannot listen on port {arguments.port}: {os.strerror(error.errno or 0)}")
    server = make_server(make_app(arguments.samples))
    print(f"site: http://127.0.0.1:{door.getsockname()[1]}/", flush=True)
    server.run([door])


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.site", description="Serve the sample web.")
    parser.add_argument("--port", type=int, default=8605)
    parser.add_argument("--samples", type=Path, default=Path("samples"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
