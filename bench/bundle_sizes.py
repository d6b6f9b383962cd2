"""bundle_sizes: what is uploaded of each function, and what its packages take once they are installed.

Installed into an environment of its own from the bundle's requirements.txt, as the build of the image does.
"""

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from bench.record import write
from infra import bundle

ROOT = Path(__file__).parent.parent


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="piecework-bench-") as folder:
        names = bundle.build(ROOT, Path(folder))
        write("bundle_sizes", {name: sizes(name, Path(folder)) for name in names})


def sizes(name: str, built: Path) -> dict[str, float]:
    with zipfile.ZipFile(built / f"{name}.zip") as archive:
        files = len(archive.namelist())
    return {
        "files": files,
        "zip_kib": round((built / f"{name}.zip").stat().st_size / 1024),
        "packages_mib": round(installed_bytes(built / name / "requirements.txt", built / "venv" / name) / 2**20),
    }


def installed_bytes(requirements: Path, environment: Path) -> int:
    uv = Path(sys.executable).parent / "uv"
    python = environment / "bin" / "python"
    subprocess.run([uv, "--quiet", "venv", "--python", sys.executable, environment], check=True)
    subprocess.run([uv, "--quiet", "pip", "install", "--python", python, "-r", requirements], check=True)
    return sum(file.stat().st_size for file in environment.rglob("*") if file.is_file() and not file.is_symlink())


if __name__ == "__main__":
    main()
