"""The command: `python -m standins.cloud_run --target 'functions-framework --target handle' --port 8080`."""

import argparse
import asyncio
import resource
import shlex
import signal
import sys
from pathlib import Path

import uvloop

from standins.cloud_run import admin
from standins.cloud_run.front_door import FrontDoor
from standins.cloud_run.services import BadServices, Services, read, service_of


def main(argv: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT. Returns 2, with one line on stderr, when it cannot start."""
    flags = parser().parse_args(argv)
    allow_many_connections()
    try:
        uvloop.run(run(flags))
    except (BadServices, OSError) as error:
        print(f"cloud run: {error}", file=sys.stderr)
        return 2
    return 0


async def run(flags: argparse.Namespace) -> None:
    instances_file = flags.services and flags.services.with_suffix(".instances")
    front_door = FrontDoor(services_of(flags), host=flags.host, log=say, instances_file=instances_file)
    await front_door.start()
    if flags.admin_port:
        await admin.serve(front_door, "127.0.0.1", flags.admin_port)
    stop = stop_signal()
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, redeploy, front_door, flags)
    say(", ".join(f"{name} on {flags.host}:{front_door.port(name)}" for name in front_door.pools))
    await stop.wait()
    await front_door.stop()


def services_of(flags: argparse.Namespace) -> Services:
    if flags.services:
        return read(flags.services)
    words = {
        "name": flags.name,
        "port": flags.port,
        "command": shlex.split(flags.target),
        "folder": flags.folder,
        "environment": dict(flags.env),
        "concurrency": flags.concurrency,
        "max_instances": flags.max_instances,
        "min_instances": flags.min_instances,
        "timeout_seconds": flags.timeout,
        "idle_seconds": flags.idle,
        "invokers": flags.invoker,
        "audiences": flags.audience,
    }
    return Services((service_of(words),), flags.issuer)


def redeploy(front_door: FrontDoor, flags: argparse.Namespace) -> None:
    try:
        front_door.redeploy(services_of(flags))
    except BadServices as error:
        say(f"not redeployed: {error}")


def say(line: str) -> None:
    print(f"cloud run: {line}", flush=True)


def stop_signal() -> asyncio.Event:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


def allow_many_connections() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text} is not NAME=VALUE")
    return name, value


def parser() -> argparse.ArgumentParser:
    words = argparse.ArgumentParser(
        prog="python -m standins.cloud_run", description="What stands before and around a service on Cloud Run."
    )
    served = words.add_mutually_exclusive_group(required=True)
    served.add_argument("--services", type=Path, help="YAML or JSON: several services; SIGHUP reads it again")
    served.add_argument("--target", metavar="COMMAND", help="one service: the command that listens on $PORT")
    words.add_argument("--host", default="127.0.0.1")
    words.add_argument("--admin-port", type=int, help="statistics and kills, on loopback")
    one = words.add_argument_group("one service")
    one.add_argument("--name", default="service")
    one.add_argument("--port", type=int, default=8080)
    one.add_argument("--folder", default=".")
    one.add_argument("--env", type=pair, action="append", default=[], metavar="NAME=VALUE")
    one.add_argument("--concurrency", type=int, default=80)
    one.add_argument("--max-instances", type=int, default=100)
    one.add_argument("--min-instances", type=int, default=0)
    one.add_argument("--timeout", type=float, default=300, metavar="SECONDS")
    one.add_argument("--idle", type=float, default=900, metavar="SECONDS", help="until an instance is scaled in")
    one.add_argument("--invoker", action="append", default=[], metavar="EMAIL", help="without any: public")
    one.add_argument("--audience", action="append", default=[], metavar="URL")
    one.add_argument("--issuer", default=Services.issuer)
    return words


if __name__ == "__main__":
    sys.exit(main())
