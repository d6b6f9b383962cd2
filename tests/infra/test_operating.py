"""What the pages say about a deployment is what the code does."""

import re
from pathlib import Path

import pytest

from infra.manifests import load
from tests.infra.test_cloudbuild import targets

ROOT = Path(__file__).parents[2]
DEPLOY = (ROOT / "docs" / "deploy.md").read_text()
OPERATE = (ROOT / "docs" / "operate.md").read_text()
TERRAFORM = ROOT / "infra" / "terraform"
HEADINGS = re.findall(r"(?m)^## (.*)$", OPERATE)


def written(file, pattern):
    return re.findall(rf"(?m){pattern}", (TERRAFORM / file).read_text())


def anchors(text):
    return {
        re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in re.findall(r"(?m)^#+ (.*)$", text)
    }


def test_every_alert_has_a_heading_of_its_own_and_no_heading_is_left_over():
    titles = written("alerts.tf", r'^\s+title\s+= "(.*)"$')

    assert len(titles) >= 10
    assert sorted(HEADINGS) == sorted([*titles, "The budget is used up"])


@pytest.mark.parametrize("heading", HEADINGS[:-1])
def test_every_alert_says_what_to_look_at_and_then_what_to_do(heading):
    text = OPERATE.split(f"\n## {heading}\n")[1].split("\n## ")[0]

    points = re.findall(r"(?m)^- (.*)$", text)

    assert points[0].startswith("**Look** at")
    assert len(points) >= 3


def test_the_charts_that_are_named_are_on_the_dashboard():
    charts = written("dashboard.tf", r'title = "([^"]*)"')

    for named in re.findall(r"(?<!\*)\*([A-Z][^*]+)\*(?!\*)", OPERATE.replace("\n", " ")):
        assert named == "Memory limit exceeded" or any(chart.startswith(named) for chart in charts), named


@pytest.mark.parametrize("page", ["deploy.md", "operate.md"])
def test_links_lead_somewhere(page):
    text = (ROOT / "docs" / page).read_text()

    for link in re.findall(r"\]\(([^)]+)\)", text):
        file, _, anchor = link.partition("#")
        target = (ROOT / "docs" / file) if file else ROOT / "docs" / page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target.read_text()), link


def test_the_targets_and_outputs_that_the_pages_name_exist():
    pages = DEPLOY + OPERATE

    assert (
        set(re.findall(r"`?make ([a-z]+)\b(?=[`\s;&]|$)", re.sub(r"\b(to|about to be) make\b", "", commands(pages))))
        <= targets()
    )
    asked = set(re.findall(r"make output NAME=([a-z_]+)", pages))
    assert {"api_url", "queues"} <= asked <= set(written("outputs.tf", r'^output "(.*)"'))


def test_the_first_deployments_page_names_targets_files_and_settings_that_exist():
    page = (ROOT / "docs" / "first-deploy.md").read_text()
    sources = {file.name for file in (ROOT / "infra" / "terraform").glob("*.tf")}
    variables = set(written("variables.tf", r'^variable "(.*)"'))

    assert set(re.findall(r"make ([a-z]+)\b(?=[`\s,]|$)", commands(page))) <= targets()
    assert set(re.findall(r"`([a-z]+\.tf)`", page)) <= sources
    assert set(re.findall(r"`([a-z_]+) = \{", page)) <= variables


def test_what_the_pages_ask_terraform_by_hand_changes_and_reads_no_deployment():
    """It would be whichever a target looked up last."""
    asked = set(re.findall(r"terraform -chdir=\S+ (\S+)", DEPLOY + OPERATE))

    assert asked <= {"force-unlock"}


def commands(text):
    """Code blocks and code spans."""
    return "\n".join([*re.findall(r"```bash\n(.*?)```", text, re.DOTALL), *re.findall(r"`([^`\n]+)`", text)])


def test_the_variables_that_the_pages_set_exist():
    variables = set(written("variables.tf", r'^variable "(.*)"'))
    named = set(re.findall(r"(?m)^\s*([a-z_]+)\s+= ", commands(DEPLOY))) | set(re.findall(r"TF_VAR_([a-z_]+)", DEPLOY))

    assert {"project", "supabase_url", "secret_values", "secret_versions"} <= named
    assert named <= variables


def test_the_secrets_that_are_asked_for_are_those_of_the_functions_that_are_deployed():
    functions = load(ROOT)["functions"]
    left_out = set(re.findall(r'"(\w+)"', re.search(r"leave_out\s+= \[(.*?)\]", DEPLOY)[1]))
    needed = {name for function, one in functions.items() if function not in left_out for name in one["secrets"]}

    given = re.search(r'TF_VAR_secret_values="(\{.*\})"', DEPLOY)[1]

    assert set(re.findall(r'\\"([A-Z_]+)\\":', given)) == needed


def test_the_names_that_stand_for_the_deployment_begin_with_its_prefix():
    prefix = written("environments/dev.tfvars", r'^prefix\s*= "(.*)"')[0]

    assert set(re.findall(r"piecework-dev[a-z-]*", DEPLOY)) == {
        f"{prefix}-{rest}" for rest in ("supabase-db-url", "deployment", "gemini-text", "api")
    }
