"""Bundles: what is deployed, one zip per function, and what the local stack runs.

build/NAME/        main.py (generated)  functions/NAME/  shared/  requirements.txt (hash-locked)  manifest.json
                   a function's data in YAML is JSON there: nothing else that is deployed needs to read YAML
build/NAME.zip     the same, byte for byte the same for the same content
build/bundles.json {name: sha256 of the zip}
"""

import hashlib
import json
import shutil
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from infra.manifests import BadManifest, load, read_yaml

ROOT = Path(__file__).parent.parent
MAIN = """\
from functions.{name}.main import handle

__all__ = ["handle"]
"""
FIXED_TIME = (1980, 1, 1, 0, 0, 0)
# function.yaml: it is in manifest.json, with its defaults.
LEFT_OUT = {"__pycache__", ".DS_Store", "function.yaml"}


def contents(root: Path, name: str, manifests: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
    """(path in the bundle, bytes) of one function, sorted by path."""
    files = {
        "main.py": MAIN.format(name=name).encode(),
        "manifest.json": json.dumps(known_to(name, manifests), indent=1, sort_keys=True).encode(),
        "requirements.txt": (root / "locks" / f"{name}.txt").read_bytes(),
        "functions/__init__.py": b"",
    }
    for folder in (f"functions/{name}", "shared"):
        for path in (root / folder).rglob("*"):
            if path.is_file() and not LEFT_OUT & set(path.parts) and path.suffix != ".pyc":
                inside = path.relative_to(root)
                if path.suffix == ".yaml":
                    files[inside.with_suffix(".json").as_posix()] = as_json(path)
                else:
                    files[inside.as_posix()] = path.read_bytes()
    yield from sorted(files.items())


def as_json(path: Path) -> bytes:
    """A YAML file's content as JSON, in its own order."""
    try:
        return json.dumps(read_yaml(path), indent=1).encode()
    except TypeError as error:
        raise BadManifest(f"{path}: write dates and the like in quotes: {error}") from error


def known_to(name: str, manifests: dict[str, Any]) -> dict[str, Any]:
    """An item function knows its own manifest alone, so that a change of another one does not redeploy it."""
    own = manifests["functions"][name]
    return {"functions": {name: own}, "quotas": {}} if own["kind"] == "item" else manifests


def write_zip(target: Path, files: list[tuple[str, bytes]]) -> str:
    """Write the zip and return its SHA-256. Times, modes and order are fixed, so equal content is an equal file.

    Not compressed: what deflate writes differs between zlib and its successors, and so between two machines.
    """
    with zipfile.ZipFile(target, "w") as archive:
        for path, content in files:
            entry = zipfile.ZipInfo(path, FIXED_TIME)
            entry.create_system = 3
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)
    return hashlib.sha256(target.read_bytes()).hexdigest()


def unpack(target: Path, files: list[tuple[str, bytes]]) -> None:
    shutil.rmtree(target, ignore_errors=True)
    for path, content in files:
        file = target / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)


def build(root: Path, out: Path) -> dict[str, str]:
    """Make every bundle below `out`; {function name: sha256}."""
    manifests = load(root)
    out.mkdir(parents=True, exist_ok=True)
    hashes = {}
    for name in manifests["functions"]:
        files = list(contents(root, name, manifests))
        unpack(out / name, files)
        hashes[name] = write_zip(out / f"{name}.zip", files)
    (out / "bundles.json").write_text(json.dumps(hashes, indent=1) + "\n")
    return hashes


def main() -> None:
    """Build into build/, and print each bundle's size and hash."""
    try:
        for name, digest in build(ROOT, ROOT / "build").items():
            size = (ROOT / "build" / f"{name}.zip").stat().st_size
            print(f"build/{name}.zip  {size:>7} bytes  sha256 {digest[:12]}")
    except BadManifest as error:
        sys.exit(str(error))
    except FileNotFoundError as error:
        sys.exit(f"{error.filename} is missing: run `make lock`")


if __name__ == "__main__":
    main()
