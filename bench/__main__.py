"""python -m bench [NAME...]: every bench, or those named, one after the other; each adds lines to bench/results/."""

import subprocess
import sys

BENCHES = (
    "sql",
    "handler",
    "cold_start",
    "fanout",
    "cloud_tasks_alone",
    "extraction",
    "reports",
    "bundle_sizes",
    "poster_compute",
    "poster_geometry",
    "posters_truth",
    "uploads",
    "limits",
    "load",
    "front_door",
)


def main() -> None:
    unknown = [name for name in sys.argv[1:] if name not in BENCHES]
    if unknown:
        sys.exit(f"no bench {', '.join(unknown)}; there is: {', '.join(BENCHES)}")
    failed = [name for name in sys.argv[1:] or BENCHES if not run(name)]
    if failed:
        sys.exit(f"did not hold, or did not end: {', '.join(failed)}")


def run(name: str) -> bool:
    print(f"== {name}", flush=True)
    return subprocess.run([sys.executable, "-m", f"bench.{name}"], check=False).returncode == 0


if __name__ == "__main__":
    main()
