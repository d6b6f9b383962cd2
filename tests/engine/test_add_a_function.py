"""docs/add-a-function.md, followed to the letter: its files, its edits, its function at work."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from contextlib import ExitStack

import pytest

from infra import bundle, locks
from infra.manifests import load
from tests.engine.deployed import Deployer
from tests.engine.project import ROOT, copy_project
from tests.engine.running import free_port

DOCUMENT = (ROOT / "docs" / "add-a-function.md").read_text()
FILES = dict(re.findall(r"^`([^`\n]+)`\n\n```\w+\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL))
(GROUP,) = re.findall(r"^```toml\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
MIGRATION = next(name for name in FILES if name.startswith("supabase/migrations/"))


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """The project with what the document adds to it."""
    root = copy_project(tmp_path_factory.mktemp("followed")).root
    for name in ("pyproject.toml", "Makefile"):
        shutil.copy(ROOT / name, root / name)
    for name, content in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    project = root / "pyproject.toml"
    project.write_text(project.read_text().replace("[dependency-groups]\n", f"[dependency-groups]\n{GROUP}"))
    # `make lock` asks a package index. What it would write is a part of this one.
    shutil.copy(root / "locks" / "article.txt", root / "locks" / "headline.txt")
    return root


@pytest.fixture
def headline(root, tmp_path, environment, issuer, database, queue):
    """The function deployed, and its table made."""
    bundle.build(root, tmp_path / "build")
    urls = {**json.loads(environment["FUNCTION_URLS"]), "headline": f"http://127.0.0.1:{free_port()}"}
    database.execute(FILES[MIGRATION])
    with ExitStack() as running:
        settings = {**environment, "FUNCTION_URLS": json.dumps(urls)}
        yield Deployer(tmp_path / "build", settings, issuer, tmp_path, running).deployed("headline")
    database.execute("drop table headlines")


def test_the_document_names_every_file_it_takes():
    assert set(FILES) == {
        "functions/headline/function.yaml",
        "functions/headline/__init__.py",
        "functions/headline/main.py",
        "tests/headline/test_headline.py",
        MIGRATION,
    }


def test_its_manifest_is_in_order_and_its_packages_are_known(root):
    groups = tomllib.loads((root / "pyproject.toml").read_text())["dependency-groups"]

    assert load(root)["functions"]["headline"]["table"] == "headlines"
    assert locks.wanted(groups, "headline") <= set(locks.pins(root / "locks" / "dev.txt"))
    assert locks.problems(root) == []


def test_its_migration_comes_after_all_others():
    assert MIGRATION.rsplit("/", 1)[1] > max(path.name for path in (ROOT / "supabase" / "migrations").glob("*.sql"))


def test_its_own_test_passes(root):
    command = [sys.executable, "-m", "pytest", "tests/headline", "-q", "-p", "no:cacheprovider"]

    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout


def test_its_code_is_as_ours(root):
    command = [sys.executable, "-m", "ruff", "check", "--no-cache", "functions/headline", "tests/headline"]

    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout


def test_the_function_makes_its_row(headline, enlist, item_of, database, gemini):
    item = enlist("headline", "gemini-text", url="http://daily.test/economy/harbour-bridge")

    answer = headline.deliver(item)

    assert answer.text == "done", headline.lines(item)
    (row,) = database.execute("select * from headlines").fetchall()
    assert (row["item_id"], row["url"]) == (item, "http://daily.test/economy/harbour-bridge")
    assert row["title"]
    assert item_of(item).cost_usd > 0
