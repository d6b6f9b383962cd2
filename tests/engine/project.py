"""The project, copied, with functions of ours added: what the tests bundle and serve."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
PROBE = Path(__file__).parent / "probe"
COPIED = ("functions", "shared", "locks")

MANIFEST = {
    "quota": "probe",
    "table": "probe_rows",
    "model": "gemini-3.5-flash-lite",
    "reserve_tokens": 100,
    "max_attempts": 5,
    "work_seconds": 20,
    "timeout_seconds": 60,
}
# One code, several functions: a twin on the same quota, one whose results all owners share, one in a hurry, two that
# share a narrow quota.
PROBES = {
    "probe": {"backlog": "probe_backlog", "options": ["n", "text", "seconds"]},
    "twin": {},
    "common": {"cache": "all", "typed": ["url"]},
    "hasty": {"work_seconds": 0.5, "model": None},
    "narrow": {"quota": "narrow", "patience_seconds": 1},
    "narrow_twin": {"quota": "narrow", "patience_seconds": 1},
}
QUOTAS = {
    "probe": {"requests_per_minute": 30_000, "tokens_per_minute": 100_000_000, "max_concurrent": 40},
    "narrow": {"requests_per_minute": 60, "max_concurrent": 40},
}


@dataclass(frozen=True)
class Project:
    root: Path

    def add(self, name: str, manifest: dict[str, object], source: Path, lock: str = "article") -> None:
        folder = self.root / "functions" / name
        folder.mkdir()
        (folder / "__init__.py").touch()
        shutil.copy(source, folder / "main.py")
        (folder / "function.yaml").write_text(yaml.safe_dump(manifest))
        shutil.copy(self.root / "locks" / f"{lock}.txt", self.root / "locks" / f"{name}.txt")

    def add_quotas(self, quotas: dict[str, dict[str, int]]) -> None:
        file = self.root / "functions" / "quotas.yaml"
        file.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text()), **quotas}))


def copy_project(root: Path) -> Project:
    """The project as it is in the repository, in a folder of its own."""
    for name in COPIED:
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    return Project(root)


def with_probes(root: Path) -> Project:
    project = copy_project(root)
    project.add_quotas(QUOTAS)
    for name, differs in PROBES.items():
        project.add(name, {**MANIFEST, **differs}, PROBE / "main.py")
    return project
