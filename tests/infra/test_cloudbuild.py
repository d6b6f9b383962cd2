"""The builds are what Cloud Build takes, run what a person runs, and change nothing when they are only to plan."""

import os
import re
import stat
import subprocess
import uuid
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FILES = ("cloudbuild.yaml", "cloudbuild.review.yaml")
SHIP, REVIEW = (yaml.safe_load((ROOT / name).read_text()) for name in FILES)
STEPS, REVIEW_STEPS = ({step["id"]: step for step in build["steps"]} for build in (SHIP, REVIEW))
both = pytest.mark.parametrize("build", [SHIP, REVIEW], ids=FILES)
# The fields of a build, a step and the options: https://cloud.google.com/build/docs/build-config-file-schema
FIELDS = {
    "steps", "timeout", "queueTtl", "logsBucket", "options", "substitutions", "tags", "serviceAccount", "secrets",
    "availableSecrets", "artifacts", "images",
}  # fmt: skip
STEP_FIELDS = {
    "name", "args", "env", "allowFailure", "allowExitCodes", "dir", "id", "waitFor", "entrypoint", "secretEnv",
    "volumes", "timeout", "script", "automapSubstitutions",
}  # fmt: skip
OPTIONS = {
    "env", "secretEnv", "volumes", "sourceProvenanceHash", "machineType", "diskSizeGb", "substitutionOption",
    "dynamicSubstitutions", "automapSubstitutions", "logStreamingOption", "logging", "defaultLogsBucketBehavior",
    "pool", "requestedVerifyOption",
}  # fmt: skip
BUILT_IN = {
    "PROJECT_ID", "PROJECT_NUMBER", "LOCATION", "BUILD_ID", "COMMIT_SHA", "SHORT_SHA", "REVISION_ID", "REPO_NAME",
    "REPO_FULL_NAME", "BRANCH_NAME", "TAG_NAME", "REF_NAME", "TRIGGER_NAME", "TRIGGER_BUILD_CONFIG_PATH",
    "SERVICE_ACCOUNT_EMAIL", "SERVICE_ACCOUNT",
}  # fmt: skip
TOOL = """\
#!/bin/bash
echo "{name} $*" >> {noted}
env | grep -E "^PIECEWORK_(URL|ID_TOKEN|AUDIENCE)" >> {noted}
for word in "$@"; do
  case $word in
    -out=*) echo plan > "${{word#-out=}}" ;;
    output) echo https://api ;;
  esac
done
"""
CHANGES_SOMETHING = ("migrate", "apply", "smoke", "destroy")


def without_comments(text):
    return re.sub(r"(?m)#.*$", "", text)


def seconds(duration):
    assert re.fullmatch(r"\d+s", duration), f"{duration!r} is no duration as Cloud Build reads it"
    return int(duration[:-1])


def targets():
    return set(re.findall(r"(?m)^([a-z]+):.*## ", (ROOT / "Makefile").read_text()))


@both
def test_every_field_is_one_that_cloud_build_knows(build):
    assert set(build) <= FIELDS
    assert set(build["options"]) <= OPTIONS
    for step in build["steps"]:
        assert set(step) <= STEP_FIELDS
        assert all(isinstance(word, str) for word in step["args"])


@both
def test_steps_have_names_of_their_own_and_wait_for_steps_that_came_before(build):
    names = [step["id"] for step in build["steps"]]

    assert len(set(names)) == len(names)
    for place, step in enumerate(build["steps"]):
        assert set(step.get("waitFor", [])) <= {"-", *names[:place]}


def test_the_steps_come_in_an_order_in_which_nothing_unchecked_is_shipped():
    assert list(STEPS) == ["terraform", "check", "test", "bundle", "migrate", "plan", "apply", "smoke"]
    # Without waitFor each step waits for all before it.
    assert not any("waitFor" in step for step in SHIP["steps"])


def test_a_pull_request_takes_the_same_steps_as_far_as_the_plan_and_cannot_reach_the_database():
    assert list(REVIEW_STEPS) == ["terraform", "check", "test", "bundle", "plan"]
    assert all(STEPS[name] == step for name, step in REVIEW_STEPS.items())
    assert "PLAN_ONLY=true" in REVIEW["options"]["env"]
    assert [one["env"] for one in REVIEW["availableSecrets"]["secretManager"]] == ["PIECEWORK_DEPLOYMENT"]
    shared = set(REVIEW["options"]["env"]) - {"PLAN_ONLY=true"}
    assert shared == set(SHIP["options"]["env"])


def test_no_step_may_fail_unheard():
    assert not [step["id"] for build in (SHIP, REVIEW) for step in build["steps"] if step.get("allowFailure")]


def test_every_step_runs_a_make_target_that_a_person_has_too():
    made = {name: step for name, step in STEPS.items() if name != "terraform"}

    assert all(step["entrypoint"] == "make" for step in made.values())
    # They share one workspace, and so one virtual environment.
    assert len({step["name"] for step in made.values()}) == 1
    assert {word for step in made.values() for word in step["args"]} <= targets()


def test_images_are_pinned_and_terraform_is_one_that_the_configuration_takes():
    for step in SHIP["steps"]:
        _, _, tag = step["name"].partition(":")
        assert re.match(r"\d+\.\d+", tag), f"{step['name']} moves"
    _, _, version = STEPS["terraform"]["name"].partition(":")
    least = re.search(r'required_version = ">= ([\d.]+)"', (ROOT / "infra/terraform/versions.tf").read_text())[1]
    assert [int(part) for part in version.split(".")] >= [int(part) for part in least.split(".")]


@pytest.mark.parametrize("file", FILES)
def test_substitutions_are_declared_and_each_is_used(file):
    text = (ROOT / file).read_text()
    used = set(re.findall(r"\$\{?([A-Z_]+)\}?", without_comments(text)))
    declared = yaml.safe_load(text)["substitutions"]

    own = {name for name in used if name.startswith("_")}
    assert own == set(declared)
    assert used - own <= BUILT_IN
    assert all(isinstance(value, str) for value in declared.values())


def test_the_triggers_substitute_what_is_declared():
    block = re.search(r"substitutions = \{(.*?)\}", (ROOT / "infra/terraform/delivery.tf").read_text(), re.DOTALL)[1]

    given = set(re.findall(r"(?m)^\s*(_[A-Z_]+)\s*=", block))
    assert given == set(SHIP["substitutions"]) == set(REVIEW["substitutions"])


def test_secrets_come_from_secret_manager_to_the_steps_that_need_them_and_no_others():
    available = {secret["env"]: secret["versionName"] for secret in SHIP["availableSecrets"]["secretManager"]}

    assert set(available) == {"SUPABASE_DB_URL", "PIECEWORK_DEPLOYMENT"}
    assert all(
        re.match(r"projects/\$PROJECT_ID/secrets/\$\{_PREFIX\}-[^/]+/versions/\w+$", name)
        for name in available.values()
    )
    needed = {name: step["secretEnv"] for name, step in STEPS.items() if step.get("secretEnv")}
    assert needed == {"migrate": ["SUPABASE_DB_URL"], "plan": ["PIECEWORK_DEPLOYMENT"], "smoke": ["SUPABASE_DB_URL"]}
    assert "secretEnv" not in SHIP["options"]


@both
def test_every_step_ends_in_time_and_all_of_them_within_the_builds(build):
    assert sum(seconds(step["timeout"]) for step in build["steps"]) <= seconds(build["timeout"])
    assert all(seconds(step["timeout"]) < seconds(build["timeout"]) for step in build["steps"])
    assert seconds(build["queueTtl"]) > 0


@pytest.fixture
def make(tmp_path):
    """Run a target for a deployment of our own; terraform and python only note what they are asked."""
    environment = f"test{uuid.uuid4().hex[:8]}"
    tfvars = ROOT / "infra" / "terraform" / "environments" / f"{environment}.tfvars"
    plan = ROOT / "build" / f"{environment}.tfplan"
    noted, lock = tmp_path / "noted", tmp_path / ".terraform.lock.hcl"
    for name in ("terraform", "python"):
        tool = tmp_path / name
        tool.write_text(TOOL.format(name=name, noted=noted))
        tool.chmod(tool.stat().st_mode | stat.S_IEXEC)

    def make(*words, **settings):
        """(exit code, what was printed, what terraform and python were asked)"""
        noted.write_text("")
        done = subprocess.run(
            [
                "make",
                "-o",
                "setup",
                "-o",
                "bundle",
                f"PYTHON={tmp_path}/python",
                f"ENVIRONMENT={environment}",
                f"LOCK_FILE={lock}",
                *words,
            ],
            cwd=ROOT,
            env={"PATH": f"{tmp_path}:{os.environ['PATH']}", "STATE_BUCKET": "bucket", **settings},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr, noted.read_text()

    tfvars.touch()
    tfvars.with_suffix(".local.tfvars").touch()
    plan.parent.mkdir(exist_ok=True)
    lock.touch()
    make.environment, make.lock = environment, lock
    make.tfvars, make.plan, make.local = tfvars, plan, tfvars.with_suffix(".local.tfvars")
    yield make
    for file in (make.tfvars, make.plan, make.local):
        file.unlink(missing_ok=True)


def test_the_default_environment_has_the_default_prefix():
    environment, prefix = SHIP["substitutions"]["_ENVIRONMENT"], SHIP["substitutions"]["_PREFIX"]

    tfvars = (ROOT / "infra/terraform/environments" / f"{environment}.tfvars").read_text()

    assert re.search(r'(?m)^prefix\s*=\s*"(.*)"', tfvars)[1] == prefix


def test_what_the_pipeline_is_handed_about_the_deployment_is_planned_with(make):
    _, _, asked = make("plan", PIECEWORK_DEPLOYMENT='project = "quoted"\nregion = "r"')

    assert asked.strip().endswith(f"-var-file={make.tfvars} -var-file={make.local}")
    assert make.local.read_text() == 'project = "quoted"\nregion = "r"\n'


def test_a_setting_of_somebody_elses_does_not_overwrite_what_is_said_of_the_deployment(make):
    make.local.write_text('project = "mine"\n')

    make("plan", DEPLOYMENT="staging")

    assert make.local.read_text() == 'project = "mine"\n'


def test_what_is_applied_is_the_file_that_was_planned_and_it_is_applied_once(make):
    _, _, planned = make("plan")
    code, _, applied = make("apply")
    again, said, nothing = make("apply")

    assert f"-out={make.plan}" in planned
    assert "-backend-config=bucket=bucket" in planned
    assert code == 0
    assert applied.strip().endswith(f"-lock-timeout=10m {make.plan}")
    assert (again, nothing) == (2, "")
    assert "run make plan, and read it" in said


@pytest.mark.parametrize("target", CHANGES_SOMETHING)
def test_a_build_that_is_only_to_plan_changes_nothing(make, target):
    make("plan")

    code, _, asked = make(target, PLAN_ONLY="true")

    assert code == 0
    assert asked in {"", "python -m infra.migrate --list\n"}
    assert make.plan.exists()


def test_who_may_only_read_plans_without_the_states_lock(make):
    _, _, shipping = make("plan")
    _, _, reviewing = make("plan", PLAN_ONLY="true")

    assert "-lock-timeout=10m" in shipping
    assert "-lock=false" in reviewing
    assert "-lock=false" not in shipping


@pytest.mark.parametrize("target", ["plan", "apply", "destroy"])
def test_nothing_is_planned_or_made_by_providers_that_nobody_recorded(make, target):
    make.plan.touch()
    make.lock.unlink()

    code, said, asked = make(target)

    assert (code, asked) == (2, "")
    assert f"{target}: {make.lock} is missing" in said
    assert "make it with 'make providers', and commit it" in said


def test_the_recorded_providers_are_committed_and_never_changed_on_the_way(make):
    _, _, asked = make("plan")

    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert ".terraform.lock.hcl" not in ignored
    assert re.search(r"init .*-lockfile=readonly", asked)


def test_the_providers_are_recorded_for_the_pipeline_and_for_a_developers_machine(make):
    _, _, asked = make("providers")

    assert re.findall(r"-platform=(\w+)", asked) == ["linux_amd64", "linux_arm64", "darwin_arm64", "darwin_amd64"]


def test_a_plan_without_a_bucket_for_the_state_is_refused(make):
    code, said, asked = make("plan", STATE_BUCKET="")

    assert (code, asked) == (2, "")
    assert "plan: say which bucket keeps the state: STATE_BUCKET=..." in said


@pytest.mark.parametrize("missing", ["tfvars", "local"])
def test_a_plan_for_a_deployment_that_is_not_described_is_refused(make, missing):
    file = getattr(make, missing)
    file.unlink()

    code, said, asked = make("plan")

    assert (code, asked) == (2, "")
    assert f"plan: {file.relative_to(ROOT)} is missing: docs/deploy.md says what stands in it" in said


def test_the_smoke_test_asks_the_api_that_terraform_made(make):
    _, _, asked = make("smoke")

    assert "python -m infra.smoke" in asked
    assert "PIECEWORK_URL=https://api" in asked


def test_the_smoke_test_of_an_environment_does_not_ask_what_another_one_left_in_the_shell(make):
    _, _, asked = make("smoke", PIECEWORK_URL="https://of-another")

    assert re.findall(r"PIECEWORK_URL=(.*)", asked.split("python")[1]) == ["https://api"]


@pytest.mark.parametrize("settings", [{}, {"PIECEWORK_URL": "https://given"}], ids=str)
def test_without_a_state_the_smoke_test_asks_no_terraform(make, settings):
    _, _, asked = make("smoke", STATE_BUCKET="", **settings)

    assert "terraform" not in asked
    assert re.findall(r"PIECEWORK_URL=(.*)", asked) == list(settings.values())


@pytest.mark.parametrize("target", ["plan", "apply", "output", "smoke", "destroy"])
def test_a_target_begins_with_the_state_of_its_own_environment_whichever_was_seen_last(make, target):
    make.plan.touch()

    code, said, asked = make(target)

    begun, *done = (line for line in asked.splitlines() if line.startswith("terraform"))
    assert code == 0, said
    assert re.search(rf"init .*-reconfigure .*-backend-config=prefix=piecework/{make.environment}$", begun)
    assert done
    assert not [line for line in done if " init " in line]


@pytest.mark.parametrize("target", ["output", "destroy"])
def test_a_target_that_is_not_told_whose_state_it_means_is_refused(make, target):
    code, said, asked = make(target, STATE_BUCKET="")

    assert (code, asked) == (2, "")
    assert f"{target}: say which bucket keeps the state" in said


def test_what_is_taken_down_is_the_deployment_that_is_described(make):
    _, _, asked = make("destroy")

    assert asked.strip().endswith(f"destroy -var-file={make.tfvars} -var-file={make.local}")


def test_one_output_is_printed_alone(make):
    _, said, _ = make("output", "NAME=api_url")

    assert said == "https://api\n"


def test_the_smoke_test_is_told_by_terraform_whether_the_api_is_private(make):
    _, _, asked = make("smoke", PIECEWORK_AUDIENCE="https://of-another")

    assert "output -raw api_audience" in asked
    assert re.findall(r"PIECEWORK_AUDIENCE=(.*)", asked.split("python")[1]) == ["https://api"]


def test_a_token_that_was_given_reaches_the_smoke_test(make):
    assert "PIECEWORK_ID_TOKEN=given\n" in make("smoke", PIECEWORK_ID_TOKEN="given")[2]
