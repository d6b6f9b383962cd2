"""front_door: the functions as services of standins.cloud_run, as their manifests describe them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from local.processes import Program


def service(manifest: Mapping[str, Any], program: Program, *, url: str, account: str, log: Path) -> dict[str, Any]:
    """One service. `account`: the e-mail address of a service account, with {} for its name."""
    invokers = [account.format(caller) for caller in manifest["callers"] if caller != "public"]
    checked = {"PLATFORM_CHECKS_CALLERS": "true"} if invokers else {}
    return {
        "name": program.name,
        "port": program.port,
        "command": list(program.command),
        "folder": str(program.folder),
        "environment": {**program.environment, **checked},
        "concurrency": manifest["concurrency"],
        "min_instances": manifest["min_instances"],
        "max_instances": manifest["max_instances"],
        "timeout_seconds": manifest["timeout_seconds"],
        "invokers": invokers,
        "audiences": [url],
        "log": str(log),
    }


def write(file: Path, services: list[dict[str, Any]], issuer: str) -> Path:
    """The services file, for its owner alone: it holds the functions' secrets."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch(mode=0o600)
    file.write_text(json.dumps({"issuer": issuer, "services": services}, indent=1))
    return file
