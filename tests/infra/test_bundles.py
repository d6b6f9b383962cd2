"""Bundles: exactly what a function needs, byte for byte the same for the same content."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from hashlib import sha256
from pathlib import Path

import pytest
import yaml

from functions.poster.slots import SLOTS
from infra import bundle
from infra.manifests import BadManifest, load
from tests.engine.project import copy_project

ROOT = Path(__file__).parents[2]
NAMES = sorted(load(ROOT)["functions"])


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return copy_project(tmp_path_factory.mktemp("bundled"))


@pytest.fixture(scope="module")
def built(project, tmp_path_factory):
    out = tmp_path_factory.mktemp("build")
    return out, bundle.build(project.root, out)


def sources(root, *folders):
    return {
        path.relative_to(root).as_posix().replace(".yaml", ".json")
        for folder in folders
        for path in (root / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.name != "function.yaml"
    }


@pytest.mark.parametrize("name", NAMES)
def test_a_bundle_holds_its_function_and_what_is_shared_and_nothing_else(built, name):
    with zipfile.ZipFile(built[0] / f"{name}.zip") as archive:
        files = archive.namelist()

    generated = {"main.py", "manifest.json", "requirements.txt", "functions/__init__.py"}
    assert set(files) == generated | sources(ROOT, f"functions/{name}", "shared")
    assert files == sorted(files)


def test_the_same_content_makes_the_same_bytes_wherever_and_whenever_it_is_built(project, built, tmp_path):
    elsewhere = tmp_path / "else" / "where"
    shutil.copytree(project.root, elsewhere)
    for path in elsewhere.rglob("*"):
        os.utime(path, (1_600_000_000, 1_600_000_000))
        path.chmod(0o755)
    (elsewhere / "shared" / "__pycache__").mkdir(exist_ok=True)
    (elsewhere / "shared" / "__pycache__" / "store.cpython-311.pyc").write_bytes(b"x")

    again = bundle.build(elsewhere, tmp_path / "build")

    assert again == built[1]
    assert json.loads((tmp_path / "build" / "bundles.json").read_text()) == again
    for name in NAMES:
        assert sha256((tmp_path / "build" / f"{name}.zip").read_bytes()).hexdigest() == again[name]


def test_neither_umask_nor_language_nor_the_order_on_disk_changes_a_byte(project, built, tmp_path):
    elsewhere = tmp_path / "again"
    before = os.umask(0o077)
    try:
        # Written last to first: a folder lists its files in another order.
        for path in sorted(project.root.rglob("*"), reverse=True):
            if path.is_file():
                (elsewhere / path.relative_to(project.root)).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, elsewhere / path.relative_to(project.root))
        code = "import sys, pathlib; from infra.bundle import build; build(*map(pathlib.Path, sys.argv[1:]))"
        subprocess.run(
            [sys.executable, "-c", code, elsewhere, tmp_path / "build"],
            cwd=ROOT,
            env={**os.environ, "LC_ALL": "C", "TZ": "Asia/Kathmandu", "PYTHONHASHSEED": "1"},
            check=True,
        )
    finally:
        os.umask(before)

    assert json.loads((tmp_path / "build" / "bundles.json").read_text()) == built[1]


def test_entries_are_stored_as_they_are_for_compressors_differ_between_machines(built):
    for name in NAMES:
        with zipfile.ZipFile(built[0] / f"{name}.zip") as archive:
            entries = archive.infolist()

        assert {entry.compress_type for entry in entries} == {zipfile.ZIP_STORED}
        assert {entry.external_attr >> 16 for entry in entries} == {0o644}
        assert {entry.date_time for entry in entries} == {bundle.FIXED_TIME}


def test_what_pip_installs_is_pinned_to_its_hash(built):
    for name in NAMES:
        lines = (built[0] / name / "requirements.txt").read_text().replace("\\\n", " ").splitlines()

        assert lines
        assert all("==" in line and "--hash=sha256:" in line for line in lines if line.strip())


def test_a_change_to_one_function_leaves_the_bundle_of_another_as_it_was(project, built, tmp_path):
    changed = tmp_path / "changed"
    shutil.copytree(project.root, changed)
    with (changed / "functions" / "fanout" / "fanout.py").open("a") as file:
        file.write("# more\n")
    with (changed / "functions" / "fanout" / "function.yaml").open("a") as file:
        file.write("min_instances: 1\n")

    again = bundle.build(changed, tmp_path / "build")

    assert again["fanout"] != built[1]["fanout"]
    assert again["article"] == built[1]["article"]


def test_a_file_that_is_gone_is_gone_from_the_next_build(project, tmp_path):
    changed, out = tmp_path / "changed", tmp_path / "build"
    shutil.copytree(project.root, changed)
    extra = changed / "functions" / "article" / "extra.py"
    extra.write_text("")
    bundle.build(changed, out)
    extra.unlink()

    bundle.build(changed, out)

    assert not (out / "article" / "functions" / "article" / "extra.py").exists()


@pytest.mark.parametrize("name", NAMES)
def test_a_bundle_alone_in_a_folder_can_be_loaded_as_the_framework_does(built, tmp_path, name):
    alone = tmp_path / "workspace"
    with zipfile.ZipFile(built[0] / f"{name}.zip") as archive:
        archive.extractall(alone)
    code = "from functions_framework.aio import create_asgi_app; create_asgi_app('handle', 'main.py', 'http')"

    done = subprocess.run([sys.executable, "-c", code], cwd=alone, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize("name", NAMES)
def test_loading_a_function_makes_no_connection_and_loads_nothing_heavy(built, name):
    """The framework imports, then forks; and a cold start is waited for."""
    code = (
        "import sys, threading; from functions_framework.aio import create_asgi_app\n"
        "before = threading.active_count(); create_asgi_app('handle', 'main.py', 'http')\n"
        "heavy = {'google.genai', 'grpc', 'trafilatura', 'PIL', 'numpy', 'yaml', 'fastapi'} & set(sys.modules)\n"
        "assert threading.active_count() == before, 'a thread was started'; assert not heavy, heavy"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=built[0] / name, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr[-2000:]


def test_data_in_yaml_is_json_in_the_bundle_in_its_own_order(built):
    folder = Path("functions") / "poster"

    bundled = json.loads((built[0] / "poster" / folder / "slots.json").read_text())

    assert bundled == yaml.safe_load((ROOT / folder / "slots.yaml").read_text())
    assert list(bundled["slots"]) == [slot.name for slot in SLOTS.all]
    assert not list((built[0] / "poster").rglob("*.yaml"))


def test_what_json_cannot_hold_is_named(project, tmp_path):
    changed = tmp_path / "changed"
    shutil.copytree(project.root, changed)
    (changed / "functions" / "article" / "data.yaml").write_text("version: 2026-11-01\n")

    with pytest.raises(BadManifest, match=r"data\.yaml: write dates and the like in quotes"):
        bundle.build(changed, tmp_path / "build")


def test_a_missing_lock_file_is_named(project, tmp_path):
    changed = tmp_path / "changed"
    shutil.copytree(project.root, changed)
    (changed / "locks" / "article.txt").unlink()

    with pytest.raises(FileNotFoundError, match=r"article\.txt"):
        bundle.build(changed, tmp_path / "build")
