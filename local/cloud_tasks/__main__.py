"""The command: `python -m local.cloud_tasks --port 9090 --queue mail=2/s,10`."""

import argparse
import asyncio
import resource
import signal
import sys
from pathlib import Path

from local.cloud_tasks import names
from local.cloud_tasks.emulator import CloudTasks, Options
from local.cloud_tasks.faults import Faults
from local.cloud_tasks.messages import Message
from local.cloud_tasks.queue_files import BadQueues, Retries, queue_of_flag, queues_of_file
from local.cloud_tasks.refusals import Refused
from local.cloud_tasks.store import StoreFailed
from local.cloud_tasks.throttling import Throttle
from local.oidc import Issuer

_GRACE_SECONDS = 2.0


def main(argv: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT. Returns 2, with one line on stderr, when it cannot start."""
    flags = _parser().parse_args(argv)
    _allow_many_connections()
    try:
        return asyncio.run(_run(flags))
    except (BadQueues, StoreFailed, Refused, OSError, ValueError) as error:
        print(f"cloud tasks: {error}", file=sys.stderr)
        return 2


async def _run(flags: argparse.Namespace) -> int:
    queues = _queues(flags)
    tasks = CloudTasks(_options(flags), host=flags.host, port=flags.port)
    try:
        await tasks.start()
    except RuntimeError as error:
        raise OSError(f"port {flags.port} of {flags.host} is taken or not allowed") from error
    for queue in queues:
        tasks.keep_queue(queue)
    stop = _stop_signal()
    print(f"cloud tasks: {tasks.host}:{tasks.port}, queues: {len(tasks.counts())}", flush=True)
    await stop.wait()
    await tasks.stop(_GRACE_SECONDS)
    return 0


def _queues(flags: argparse.Namespace) -> list[Message]:
    parent = names.check_location(f"projects/{flags.project}/locations/{flags.location}")
    retries = Retries(flags.max_attempts, flags.min_backoff, flags.max_backoff, flags.max_doublings)
    queues = queues_of_file(flags.queues, parent, retries) if flags.queues else []
    return queues + [queue_of_flag(flag, parent, retries) for flag in flags.queue]


def _options(flags: argparse.Namespace) -> Options:
    return Options(
        data=flags.data,
        issuer=Issuer(flags.oidc_key, flags.oidc_url) if flags.oidc_key else None,
        faults=Faults(flags.duplicate, flags.lose_answers, flags.seed),
        app_engine=flags.app_engine,
        accounts=frozenset(flags.account),
        log=_print_line if flags.verbose else None,
        notice=_print_line,
        throttle=lambda: Throttle(on_overload=flags.throttling, slow_start=flags.slow_start),
    )


def _print_line(line: str) -> None:
    print(f"cloud tasks: {line}", file=sys.stderr, flush=True)


def _stop_signal() -> asyncio.Event:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


def _allow_many_connections() -> None:
    # A queue may have a thousand requests on their way, each on a connection of its own.
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _share(text: str) -> float:
    share = float(text)
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return share


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m local.cloud_tasks", description="Cloud Tasks v2 on this machine, over gRPC."
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8601)
    parser.add_argument("--data", type=Path, help="keep tasks in this file, so that they survive a restart")
    parser.add_argument("--verbose", action="store_true", help="a line for every attempt that fails")
    _add_queues(parser.add_argument_group("queues"))
    _add_identity(parser.add_argument_group("identity"))
    _add_drills(parser.add_argument_group("drills, all off by default"))
    return parser


def _add_queues(group: argparse._ArgumentGroup) -> None:
    retries = Retries()
    group.add_argument("--queues", type=Path, help="YAML: quotas, or queues in full")
    group.add_argument("--queue", action="append", default=[], metavar="NAME=RATE/s[,CONCURRENCY]")
    group.add_argument("--project", default="piecework-local")
    group.add_argument("--location", default="local")
    group.add_argument("--max-attempts", type=int, default=retries.max_attempts, help="-1 is unlimited")
    group.add_argument("--min-backoff", type=float, default=retries.min_backoff, metavar="SECONDS")
    group.add_argument("--max-backoff", type=float, default=retries.max_backoff, metavar="SECONDS")
    group.add_argument("--max-doublings", type=int, default=retries.max_doublings)
    group.add_argument(
        "--throttling",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="slow a queue down that is answered 429 or 503, or fails at a high rate, as the service does",
    )


def _add_identity(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--oidc-key", type=Path, help="the issuer's key file, made when missing")
    group.add_argument("--oidc-url", default="http://127.0.0.1:8602", help="the issuer's URL")
    group.add_argument("--account", action="append", default=[], help="an account that exists; default all")
    group.add_argument("--app-engine", metavar="URL", help="where App Engine tasks go")


def _add_drills(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--duplicate", type=_share, default=0.0, metavar="SHARE", help="deliver twice")
    group.add_argument("--lose-answers", type=_share, default=0.0, metavar="SHARE", help="forget answers")
    group.add_argument("--seed", type=int, help="of the drills' dice")
    group.add_argument("--slow-start", action="store_true", help="speed new and idle queues up step by step")


if __name__ == "__main__":
    sys.exit(main())
