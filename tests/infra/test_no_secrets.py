"""Nothing in the repository is a secret, somebody's project, or somebody's address; what stands for one is made up."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SECRETS = {
    "Google API key": r"\bAIza[0-9A-Za-z_-]{35}\b",
    "Google OAuth token": r"\bya29\.[0-9A-Za-z_-]{20,}",
    "service account key": r'"private_key_id"\s*:|"type"\s*:\s*"service_account"',
    "private key": r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----\s+[A-Za-z0-9+/]{40}",
    "JSON web token": r"\beyJ[A-Za-z0-9_-]{20,}\.eyJ[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]{20,}",
    "Supabase key": r"\bsb_secret_[A-Za-z0-9_-]{20,}|\bsbp_[0-9a-f]{40}\b",
    "GitHub token": r"\bgh[pousr]_[A-Za-z0-9]{36}\b|\bgithub_pat_\w{22,}",
    "Databricks token": r"\bdapi[0-9a-f]{32}\b",
    "AWS key": r"\bAKIA[0-9A-Z]{16}\b",
    "password in an address": r"postgres(?:ql)?://[^\s:/@'\"]+:(?!PASSWORD|x@|x%|s3cret|\$|\{)[^\s@'\"]{8,}@",
}
EMAIL = re.compile(r"\b[A-Za-z0-9][A-Za-z0-9._%+-]*@((?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,})\b")
# Reserved for examples (RFC 2606 and 6761); service accounts are looked at by their project.
NOBODYS = re.compile(r"(?:.+\.)?(?:example(?:\.com|\.org|\.net)?|test|invalid)|.+\.iam(?:\.gserviceaccount\.com)?")
# What Google's own tokens and agents are called, whoever they serve.
GOOGLES = {"google.com"}
PROJECT = re.compile(r"\bprojects/([a-z][a-z0-9-]+)|@(?!gcp-sa-)([a-z][a-z0-9-]*)\.iam\.gserviceaccount\.com")
# Stand for one: the local stack's, and those that tests and pages make up. (@gcp-sa-...: Google's own agents.)
MADE_UP = {"piecework-local", "test-project", "offline-project", "bench", "none", "p", "project-id", "your-project-id"}
VARIABLE = re.compile(r'(?m)^variable "(?P<name>\w+)" \{(?P<body>.*?)^\}', re.DOTALL)
NAMES_SOMEBODY = {
    "project", "supabase_url", "billing_account", "secret_values", "alert_emails", "api_callers", "delivery",
    "notification_channels",
}  # fmt: skip


def files():
    """The files git knows and those it would take, as text."""
    asked = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip(f"not a git checkout: {listed.stderr.strip()}")
    for name in listed.stdout.splitlines():
        path = ROOT / name
        if path.is_file() and path.stat().st_size < 2_000_000:
            try:
                yield name, path.read_text()
            except UnicodeDecodeError:
                continue


@pytest.fixture(scope="module")
def texts():
    return dict(files())


def found(texts, pattern):
    return [f"{name}: {match.group()}" for name, text in texts.items() for match in re.finditer(pattern, text)]


def test_the_scan_sees_the_repository(texts):
    assert {"README.md", "infra/terraform/variables.tf", "functions/defaults.yaml"} <= set(texts)


@pytest.mark.parametrize("kind", SECRETS)
def test_there_is_no_secret(texts, kind):
    assert found(texts, SECRETS[kind]) == []


def test_there_is_nobodys_address(texts):
    addresses = {
        f"{name}: {match.group()}"
        for name, text in texts.items()
        for match in EMAIL.finditer(text)
        if match[1] not in GOOGLES and not NOBODYS.fullmatch(match[1])
    }

    assert addresses == set()


def test_there_is_nobodys_project(texts):
    projects = {(name, one or other) for name, text in texts.items() for one, other in PROJECT.findall(text)}

    assert {(name, project) for name, project in projects if project not in MADE_UP} == set()


def test_no_variable_defaults_to_what_names_somebody(texts):
    variables = {match["name"]: match["body"] for match in VARIABLE.finditer(texts["infra/terraform/variables.tf"])}
    defaults = {
        name: found[1] if (found := re.search(r"(?m)^  default\s+= (.*)$", variables[name])) else None
        for name in NAMES_SOMEBODY
    }

    assert set(defaults.values()) <= {None, "null", "[]", "{}"}


def test_the_environments_in_git_name_nobody(texts):
    environments = {name: text for name, text in texts.items() if name.endswith(".tfvars")}

    assert {"infra/terraform/environments/dev.tfvars", "infra/terraform/environments/prod.tfvars"} <= set(environments)
    for text in environments.values():
        assert not NAMES_SOMEBODY & set(re.findall(r"(?m)^(\w+)\s*=", text))


def test_what_names_somebody_is_not_taken_into_git():
    asked = ["git", "check-ignore", "infra/terraform/environments/dev.local.tfvars", "terraform.tfstate", ".env"]

    ignored = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False)

    assert ignored.stdout.split() == asked[2:]


@pytest.mark.parametrize(
    "planted",
    [
        "AIza" + "Sy" + "a" * 33,
        "sb_secret_" + "a" * 24,
        "postgresql://postgres:" + "correcthorse" + "@db.example:5432/postgres",
        "-----BEGIN " + "PRIVATE KEY-----\n" + "A" * 64,
    ],
)
def test_the_patterns_find_what_they_are_for(planted):
    assert sum(bool(re.search(pattern, planted)) for pattern in SECRETS.values()) == 1
