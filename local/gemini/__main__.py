"""Serve it: `python -m local.gemini --port 8604 --site 127.0.0.1:8605`."""

import argparse
import json
import os
import signal
import socket
import sys
from pathlib import Path

import uvicorn

from local.gemini.app import build_app
from local.gemini.problems import Problem
from local.gemini.service import Options, Service


def main() -> None:
    args = _arguments()
    # Uvicorn reports a taken port with a page of log; one line is enough to know which one it was.
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((args.host, args.port))
        listener.listen(2048)
    except OSError as error:
        sys.exit(f"local.gemini: cannot listen on {args.host}:{args.port}: {error.strerror}")
    app = build_app(_options(args))
    if args.faults:
        _add_faults(app.state.service, args.faults)
    print(f"local.gemini: http://{args.host}:{listener.getsockname()[1]} (offline, extractive)", flush=True)
    # Answers that hang are cut at the end: a drill must not keep the process.
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, timeout_graceful_shutdown=2, timeout_keep_alive=75
    )
    # Uvicorn raises the signal again once it has closed everything; the end it was asked for is no failure.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
    uvicorn.Server(config).run(sockets=[listener])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="local.gemini", description="The Gemini API, computed on this machine.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8604)
    parser.add_argument("--site", metavar="HOST:PORT", help="where url_context finds hosts under .test")
    parser.add_argument("--cache", type=Path, default=_user_cache(), help="folder of the built ONNX model")
    parser.add_argument("--faults", type=Path, metavar="FILE", help="JSON list of fault rules to start with")
    parser.add_argument("--requests-per-minute", type=int, metavar="N", help="answer 429 above it, per model")
    parser.add_argument("--tokens-per-minute", type=int, metavar="N", help="answer 429 above it, per model")
    parser.add_argument("--latency", type=_latency, default=(0.0, 0.0), metavar="MEAN[,JITTER]", help="seconds")
    parser.add_argument("--lean", action="store_true", help="compute one answer per schema and repeat it")
    parser.add_argument("--model", action="append", default=[], help="a further model name to answer for")
    return parser.parse_args()


def _options(args: argparse.Namespace) -> Options:
    return Options(
        cache=args.cache,
        site=args.site,
        requests_per_minute=args.requests_per_minute,
        tokens_per_minute=args.tokens_per_minute,
        latency=args.latency[0],
        jitter=args.latency[1],
        lean=args.lean,
        models=tuple(args.model),
    )


def _add_faults(service: Service, path: Path) -> None:
    try:
        service.faults.add(json.loads(path.read_text()))
    except (OSError, ValueError) as error:
        sys.exit(f"local.gemini: cannot read {path}: {error}")
    except Problem as problem:
        sys.exit(f"local.gemini: {path}: {problem.message}")


def _latency(text: str) -> tuple[float, float]:
    mean, _, jitter = text.partition(",")
    return float(mean), float(jitter or 0)


def _user_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "piecework" / "models"


if __name__ == "__main__":
    main()
