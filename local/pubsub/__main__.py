"""The command line: which topics and pushes there are, and whose Pub/Sub carries them.

python -m local.pubsub --port 8603 --topic fanout --push fanout=http://127.0.0.1:8611/
"""

import argparse
import asyncio
import signal
import socket
import sqlite3
import sys
from pathlib import Path

from google.api_core.exceptions import GoogleAPICallError

from local.oidc import Issuer
from local.pubsub.google_emulator import NotStarted, google_emulator
from local.pubsub.own import own_pubsub
from local.pubsub.plan import Delivery, Plan, Push, carry_out
from local.pubsub.posting import Endpoint, Sign
from local.pubsub.signing import signing_hop


def main(argv: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT. Returns 2 with one line on stderr when it cannot start, 1 when it fails."""
    options = _parser().parse_args(argv)
    try:
        return asyncio.run(_serve(options))
    except asyncio.CancelledError:
        return 0
    except ExceptionGroup as failed:
        print(f"pubsub: the pushing failed: {failed.exceptions[0]}", file=sys.stderr)
        return 1
    except (OSError, ValueError, sqlite3.Error, NotStarted, GoogleAPICallError) as error:
        print(f"pubsub: {options.host}:{options.port}: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local.pubsub", description="Pub/Sub for one machine.")
    add = parser.add_argument
    add("--host", default="127.0.0.1")
    add("--port", type=_port, default=8603)
    add("--project", default="piecework-local")
    add("--topic", action="append", default=[], metavar="NAME", help="make this topic")
    add("--push", action="append", default=[], metavar="TOPIC=URL", type=_topic_and_url, help="push it there")
    add("--service-account", default="", metavar="EMAIL", help="who signs the pushes")
    add("--audience", default="", metavar="URL", help="of the tokens, default the push URL")
    add("--oidc-key", type=Path, metavar="FILE", help="the issuer's key; without it pushes carry no token")
    add("--oidc-url", default="http://127.0.0.1:8602", help="the issuer")
    add("--google", choices=["auto", "always", "never"], default="auto", help="use Google's own emulator")
    add("--data", type=Path, metavar="FILE", help="keep messages here (ours; Google's has them in memory)")
    _add_delivery(parser)
    return parser


def _add_delivery(parser: argparse.ArgumentParser) -> None:
    usual = Delivery()
    add = parser.add_argument_group("how pushes are repeated").add_argument
    add("--ack-deadline", type=int, default=usual.ack_deadline_seconds, metavar="SECONDS")
    add("--min-backoff", type=float, default=usual.min_backoff_seconds, metavar="SECONDS")
    add("--max-backoff", type=float, default=usual.max_backoff_seconds, metavar="SECONDS")
    add("--max-delivery-attempts", type=int, default=usual.max_delivery_attempts, metavar="N",
        help="then the message goes to TOPIC-dead; 5 to 100, or 0 for never")  # fmt: skip


def _port(text: str) -> int:
    # gRPC would take 99999 for 34463.
    if not (text.isdecimal() and int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port")
    return int(text)


def _topic_and_url(text: str) -> tuple[str, str]:
    topic, equals, url = text.partition("=")
    if not (topic and equals and url.startswith(("http://", "https://"))):
        raise argparse.ArgumentTypeError(f"{text!r} is not TOPIC=URL")
    return topic, url


def _plan(options: argparse.Namespace) -> Plan:
    account, audience = options.service_account, options.audience
    pushes = [Push(topic, Endpoint(url, account, audience)) for topic, url in options.push]
    delivery = Delivery(options.ack_deadline, options.min_backoff, options.max_backoff, options.max_delivery_attempts)
    return Plan(options.project, options.topic, pushes, delivery)


async def _serve(options: argparse.Namespace) -> int:
    sign = Issuer(options.oidc_key, options.oidc_url).token if options.oidc_key else None
    _cancel_on_signal()
    if options.google != "never":
        try:
            return await _serve_google(options, sign)
        except NotStarted as reason:
            if options.google == "always":
                raise
            print(f"pubsub: not Google's emulator: {reason}", flush=True)
    return await _serve_own(options, sign)


async def _serve_own(options: argparse.Namespace, sign: Sign | None) -> int:
    async with own_pubsub(options.host, options.port, options.data, sign) as (port, pushing):
        await carry_out(_plan(options), f"{options.host}:{port}")
        kept = options.data or "memory"
        print(f"pubsub: {options.host}:{port}, our own Pub/Sub, messages in {kept}", flush=True)
        await pushing
    return 1


async def _serve_google(options: argparse.Namespace, sign: Sign | None) -> int:
    """Return 1 when the emulator has ended by itself. Raises NotStarted."""
    port = _free_port(options.host, options.port)
    target = f"{options.host}:{port}"
    async with signing_hop(_plan(options), sign) as plan, google_emulator(options.host, port) as end:
        try:
            await carry_out(plan, target)
        except GoogleAPICallError as error:
            raise NotStarted(f"it refused a topic or subscription: {error}") from error
        print(f"pubsub: {target}, Google's emulator, messages in memory", flush=True)
        await end
    print("pubsub: Google's emulator ended", file=sys.stderr)
    return 1


def _free_port(host: str, port: int) -> int:
    """Return the port, or a free one for 0. Raises OSError when it is taken."""
    with socket.create_server((host, port)) as probe:
        free: int = probe.getsockname()[1]
    return free


def _cancel_on_signal() -> None:
    """End by cancellation, so that a start is cut short too and everything begun is undone."""
    serving = asyncio.current_task()
    for name in (signal.SIGTERM, signal.SIGINT):
        if serving:
            asyncio.get_running_loop().add_signal_handler(name, serving.cancel)


if __name__ == "__main__":
    sys.exit(main())
