"""GitHub Actions ships what Cloud Build ships: the same targets in the same order, by accounts that fit the event."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOW = yaml.safe_load((ROOT / ".github/workflows/deploy.yaml").read_text())
JOBS = WORKFLOW["jobs"]
# What each job stands for; a push is checked by a job without any rights before another one ships.
PATHS = {"cloudbuild.yaml": ["check", "ship"], "cloudbuild.review.yaml": ["review"]}
ENDS_SHIPPING = {"migrate", "apply", "smoke"}


def steps(*jobs):
    return [step for job in jobs for step in JOBS[job]["steps"]]


def targets(found):
    """The make targets, in the order they run in."""
    return [target for step in found for target in re.findall(r"(?m)^\s*make (\w+)", step.get("run", ""))]


@pytest.mark.parametrize("file", PATHS)
def test_it_runs_the_targets_of_cloud_build_in_their_order(file):
    build = yaml.safe_load((ROOT / file).read_text())

    of_cloud_build = [word for step in build["steps"] if step["entrypoint"] == "make" for word in step["args"]]

    assert targets(steps(*PATHS[file])) == of_cloud_build


def test_it_installs_the_terraform_and_the_python_of_cloud_build():
    build = yaml.safe_load((ROOT / "cloudbuild.yaml").read_text())
    images = dict(step["name"].split(":") for step in build["steps"])

    for job in JOBS:
        given = {step["uses"].split("@")[0]: step.get("with", {}) for step in steps(job) if "uses" in step}
        assert given["hashicorp/setup-terraform"]["terraform_version"] == images["hashicorp/terraform"]
        assert given["actions/setup-python"]["python-version"].split()[-1] == images["python"].split("-")[0]


def test_every_action_is_pinned_by_its_commit():
    used = [step["uses"] for step in steps(*JOBS) if "uses" in step]

    assert used
    assert all(re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}", one) for one in used)


def test_a_pull_request_is_planned_by_the_account_that_only_reads_and_a_push_shipped_by_the_other():
    accounts = {
        job: [
            step["with"]["service_account"]
            for step in steps(job)
            if "google-github-actions/auth@" in step.get("uses", "")
        ]
        for job in JOBS
    }

    assert accounts == {
        "review": ["${{ vars.REVIEW_ACCOUNT }}"],
        "check": [],
        "ship": ["${{ vars.DEPLOY_ACCOUNT }}"],
    }
    assert JOBS["review"]["env"] == {"PLAN_ONLY": "true"}
    assert not ENDS_SHIPPING & set(targets(steps("review")))


def test_only_the_jobs_that_ask_google_get_a_token_and_only_the_environment_ships():
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert {job for job, one in JOBS.items() if one.get("permissions", {}).get("id-token")} == {"review", "ship"}
    # Google lends the deploying account to a job in this environment alone (infra/terraform/github.tf).
    assert {job: one.get("environment") for job, one in JOBS.items()} == {"review": None, "check": None, "ship": "dev"}
    assert WORKFLOW["env"]["ENVIRONMENT"] == "dev"


def test_the_database_is_reached_by_what_ships_alone():
    reaches = {job for job in JOBS for step in steps(job) if "supabase-db-url" in step.get("run", "")}

    assert reaches == {"ship"}


def test_nothing_is_shipped_unchecked_and_nothing_fails_unheard():
    assert JOBS["ship"]["needs"] == "check"
    assert not [step for step in steps(*JOBS) if step.get("continue-on-error")]


def test_what_it_asks_google_by_is_an_output_of_terraform():
    text = (ROOT / ".github/workflows/deploy.yaml").read_text()
    outputs = set(re.findall(r'output "(\w+)"', (ROOT / "infra/terraform/outputs.tf").read_text()))

    assert set(re.findall(r"\((\w+)\)", text.split("name: deploy")[0])) <= outputs
