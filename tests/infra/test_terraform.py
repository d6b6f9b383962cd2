"""Terraform: it is in order, it says what the manifests say, and the cloud it makes can be changed and taken down.

Runs against the offline stand-in for Google's provider where that is beside the repository (or named by
TERRAFORM_GOOGLE_OFFLINE). With the real provider, all but the applying is tested; without Terraform, nothing.
"""

import ast
import inspect
import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import promql_parser
import pytest
import yaml

from infra import bundle, lint
from infra.inventory import UnknownGrant, inventory
from shared.handler import tell
from shared.settings import Settings
from tests.engine.project import Project, copy_project

ROOT = Path(__file__).parents[2]
INVENTORY = ROOT / "infra" / "terraform" / "inventory.yaml"
OFFLINE = Path(os.environ.get("TERRAFORM_GOOGLE_OFFLINE", ROOT.parent / "shared" / "terraform-google-offline"))
KEPT_OUT = shutil.ignore_patterns(".terraform", "*.tfstate*", ".terraform.lock.hcl", "*.local.tfvars")
CONFIGURED = re.compile(r"export TF_CLI_CONFIG_FILE=(\S+)")
# Everything that can be switched on is on, so that every kind of resource is made.
DEPLOYMENT = {
    "project": "offline-project",
    "supabase_url": "https://abcdefgh.supabase.co",
    "protect_data": False,
    "fixed_egress_ip": True,
    "alert_emails": ["oncall@example.com"],
    "monthly_budget": 100,
    "billing_account": "012345-6789AB-CDEF01",
    "delivery": {
        "repository": "projects/offline-project/locations/us-central1/connections/host/repositories/piecework",
        "state_bucket": "offline-project-state",
        "environment": "prod",
        "github": {"repository": "owner/piecework"},
    },
}
SECRET = "never-in-the-state"
# A plan reads the project's number already.
ASKS_GOOGLE = {"plan", "apply", "destroy", "refresh", "import"}


@dataclass(frozen=True)
class Workspace:
    """The project copied and bundled, with Terraform at work in it."""

    project: Project
    environment: dict[str, str]
    offline: bool

    @property
    def folder(self) -> Path:
        return self.project.root / "infra" / "terraform"

    def terraform(self, *words, ends=(0,), **variables):
        """Run it to its end; `ends` are the exit codes that are fine. Skips what would ask Google."""
        if words[0] in ASKS_GOOGLE and not self.offline:
            pytest.skip(f"{words[0]} with the real provider would need a project and its credentials, and be paid for")
        done = subprocess.run(
            ["terraform", *words], cwd=self.folder, env={**self.environment, **as_environment(variables)},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode in ends, f"terraform {' '.join(words)}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done

    def bundle(self):
        bundle.build(self.project.root, self.project.root / "build")

    def changes(self, **variables):
        """{address: actions} of what a plan would change."""
        self.terraform("plan", "-out=plan", "-input=false", **variables)
        plan = json.loads(self.terraform("show", "-json", "plan").stdout)
        found = {one["address"]: one["change"]["actions"] for one in plan["resource_changes"]}
        return {address: actions for address, actions in found.items() if actions != ["no-op"]}

    def state(self):
        return json.loads(self.terraform("show", "-json").stdout)

    def made(self, kind):
        """{key: values} of the resources of a kind."""
        resources = self.state()["values"]["root_module"]["resources"]
        return {one.get("index", ""): one["values"] for one in resources if one["type"] == kind}


def as_environment(variables):
    written = {name: value if isinstance(value, str) else json.dumps(value) for name, value in variables.items()}
    return {f"TF_VAR_{name}": value for name, value in written.items()}


def configuration():
    """(what Terraform is configured by, is it the stand-in?). Skips where there is no Terraform."""
    if shutil.which("terraform") is None:
        pytest.skip("there is no terraform on this machine")
    if not (OFFLINE / "setup").exists():
        return {}, False
    done = subprocess.run([OFFLINE / "setup"], capture_output=True, text=True, check=False)
    found = CONFIGURED.search(done.stdout)
    if not found:
        pytest.skip(f"{OFFLINE}/setup did not come to an end: {done.stderr[-500:]}")
    return {"TF_CLI_CONFIG_FILE": found[1]}, True


def copy_infrastructure(root, folder):
    """The Terraform of the repository, in a copy of the project, with its state beside it."""
    project = copy_project(root)
    shutil.copytree(ROOT / "infra" / "terraform", folder, ignore=KEPT_OUT)
    (folder / "backend_override.tf").write_text('terraform {\n  backend "local" {}\n}\n')
    return project


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    configured, offline = configuration()
    root = tmp_path_factory.mktemp("deployment")
    project = copy_infrastructure(root, root / "infra" / "terraform")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("TF_VAR_", "GOOGLE_"))}
    quiet = {"TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1"}
    workspace = Workspace(project, {**clean, **configured, **as_environment(DEPLOYMENT), **quiet}, offline)
    workspace.bundle()
    begun = workspace.terraform("init", "-input=false", "-no-color", ends=(0, 1))
    if begun.returncode:
        pytest.skip(f"the provider cannot be had here: {begun.stderr[-300:]}")
    return workspace


@pytest.fixture(scope="module")
def deployment(workspace):
    """Everything, applied once to an empty state."""
    secrets = {name for one in manifests(workspace).values() for name in one.get("secrets", [])}
    values = dict.fromkeys(sorted(secrets | {"SUPABASE_SECRET_KEY"}), SECRET)
    workspace.terraform("apply", "-auto-approve", "-input=false", secret_values=values)
    return workspace


def manifests(workspace):
    files = (workspace.project.root / "functions").glob("*/function.yaml")
    return {file.parent.name: yaml.safe_load(file.read_text()) for file in files}


@pytest.fixture
def changed(deployment):
    """The workspace to change files in; they are as before at the end."""
    functions = deployment.project.root / "functions"
    before = deployment.project.root / "functions.before"
    shutil.copytree(functions, before)
    yield deployment
    shutil.rmtree(functions)
    before.rename(functions)
    deployment.bundle()


def test_it_is_formatted(workspace):
    workspace.terraform("fmt", "-check", "-recursive", "-diff")


def test_it_is_valid(workspace):
    workspace.terraform("validate")


def test_what_matters_of_a_deployment_holds(workspace):
    """The runs of infra/terraform/tests, against a mocked cloud."""
    without = {name: value for name, value in workspace.environment.items() if not name.startswith("TF_VAR_")}

    done = replace(workspace, environment=without).terraform("test", "-no-color")

    assert re.search(r"Success! \d+ passed, 0 failed", done.stdout)


@pytest.mark.parametrize("verb", ["plan", "apply", "destroy"])
def test_with_the_real_provider_nothing_asks_google(tmp_path, verb):
    """Neither the pipeline's test step nor a developer's machine has a project for that."""
    real = Workspace(copy_project(tmp_path), {}, offline=False)

    with pytest.raises(pytest.skip.Exception, match=f"{verb} with the real provider"):
        real.terraform(verb)


def test_a_second_plan_finds_nothing_to_do(deployment):
    """Nor does it need the secrets' values again."""
    deployment.terraform("plan", "-detailed-exitcode", "-input=false")


def as_monitoring_keeps_it(value):
    """A dashboard as Google answers with it, without what is zero or empty; the stand-in answers with what was sent."""
    if isinstance(value, dict):
        return {key: as_monitoring_keeps_it(one) for key, one in value.items() if one not in (0, "", [], {}, None)}
    return [as_monitoring_keeps_it(one) for one in value] if isinstance(value, list) else value


def test_the_dashboard_comes_back_from_google_as_it_was_sent(deployment):
    (dashboard,) = deployment.made("google_monitoring_dashboard").values()

    sent = json.loads(dashboard["dashboard_json"])

    assert as_monitoring_keeps_it(sent) == sent


def test_a_quotas_key_without_a_value_is_as_good_as_none(changed):
    changed.project.add_quotas(
        {"calm": {"requests_per_minute": 60, "dispatches_per_minute": None, "max_concurrent": None}}
    )

    assert changed.changes()['google_cloud_tasks_queue.queue["calm"]'] == ["create"]


def test_no_secret_is_in_the_state(deployment):
    state = (deployment.folder / "terraform.tfstate").read_text()

    assert "google_secret_manager_secret_version" in state
    assert SECRET not in state


def test_who_may_do_what_is_as_it_was_agreed(deployment):
    found = inventory(deployment.state(), "piecework")

    agreed = yaml.safe_load(INVENTORY.read_text())
    assert found == agreed, (
        f"infra/terraform/inventory.yaml says otherwise; what is:\n{yaml.safe_dump(found, width=120)}"
    )


def predecessors(graph, name):
    """Everything that comes before a resource, by the edges of `terraform graph`."""
    edges = re.findall(r'"(?:\[root\] )?([^"]+?)(?: \(expand\))?" -> "(?:\[root\] )?([^"]+?)(?: \(expand\))?"', graph)
    before, ahead = set(), [name]
    while ahead:
        node = ahead.pop()
        new = {needed for dependent, needed in edges if dependent == node} - before
        before |= new
        ahead += new
    return before


def test_a_service_agent_exists_before_anything_is_granted_to_it(workspace):
    """Google makes agents when they are first needed, and refuses a grant to one that does not exist."""
    sources = "\n".join(file.read_text() for file in workspace.folder.glob("*.tf"))
    blocks = [
        block for block in lint.blocks(sources) if block.kind == "resource" and "local.pubsub_agent" in block.body
    ]

    graph = workspace.terraform("graph").stdout

    assert len(blocks) >= 3
    for block in blocks:
        before = predecessors(graph, ".".join(block.labels))
        assert {"google_project_service_identity.pubsub", "time_sleep.services"} <= before, block.labels


def test_no_other_service_agent_is_granted_anything(deployment):
    """Each further one needs an identity of its own in services.tf."""
    granted_to = inventory(deployment.state(), "piecework")

    assert {who for who in granted_to if who.startswith("agent of")} == {"agent of pubsub"}


def test_a_grant_of_a_kind_that_is_not_known_cannot_be_overlooked():
    grant = {"type": "google_bigquery_dataset_iam_member", "values": {"role": "roles/owner", "member": "allUsers"}}

    with pytest.raises(UnknownGrant, match="google_bigquery_dataset_iam_member"):
        inventory({"values": {"root_module": {"resources": [grant]}}}, "piecework")


# What Functions Framework reads, and nobody else.
FRAMEWORK = {"FUNCTION_USE_ASGI", "LOG_EXECUTION_ID"}


def test_a_function_has_every_setting_it_cannot_do_without_and_none_that_nobody_reads(deployment):
    needed = {name.upper() for name, field in Settings.model_fields.items() if field.is_required()}
    known = {name.upper() for name in Settings.model_fields} | FRAMEWORK

    for function in deployment.made("google_cloudfunctions2_function").values():
        (service,) = function["service_config"]
        plain = set(service["environment_variables"])
        secret = {one["key"] for one in service["secret_environment_variables"]}
        assert needed <= plain | secret
        assert plain <= known


def fields_of(line):
    """The fields of a log line, as the code that writes it has them."""
    if line == "item":
        written = ast.walk(ast.parse(inspect.getsource(tell)))
        names = [key.value for node in written if isinstance(node, ast.Dict) for key in node.keys if key]
        return {name for name in names if isinstance(name, str)}
    columns = {"quota": "health_v1", "breaker": "breakers_v1"}[line]
    sql = "\n".join(file.read_text() for file in sorted((ROOT / "supabase" / "migrations").glob("*.sql")))
    declared = re.search(rf"function public\.{columns}\(\)\s*returns table \((.*?)\)\s*language", sql, re.DOTALL)
    return set(re.findall(r"(\w+) (?:text|double|bigint|integer)", declared[1]))


def test_the_metrics_read_what_the_log_lines_say(deployment):
    metrics = deployment.made("google_logging_metric")

    for metric in metrics.values():
        line = re.search(r'jsonPayload\.message="(\w+)"', metric["filter"])[1]
        read = [*metric["label_extractors"].values(), *filter(None, [metric["value_extractor"]])]
        assert {re.fullmatch(r"EXTRACT\(jsonPayload\.(\w+)\)", one)[1] for one in read} <= fields_of(line)


def test_every_query_of_the_alerts_and_the_dashboard_can_be_read(deployment):
    alerts = deployment.made("google_monitoring_alert_policy").values()
    (dashboard,) = deployment.made("google_monitoring_dashboard").values()
    tiles = json.loads(dashboard["dashboard_json"])["mosaicLayout"]["tiles"]
    rules = [alert["conditions"][0]["condition_prometheus_query_language"][0]["query"] for alert in alerts]
    shown = [tile["widget"]["xyChart"]["dataSets"][0]["timeSeriesQuery"]["prometheusQuery"] for tile in tiles]

    for query in [*rules, *shown]:
        promql_parser.parse(query)  # raises ValueError
    assert len(rules) >= 11
    # What the queries call a metric is what it was made as.
    names = {f"logging_googleapis_com:user_piecework_{key}" for key in deployment.made("google_logging_metric")}
    asked = set(re.findall(r"logging_googleapis_com:\w+?(?=_sum\{|_count\{|_bucket\{|\{)", " ".join([*rules, *shown])))
    assert asked == names


def test_a_changed_file_deploys_its_function_and_no_other(changed):
    with (changed.project.root / "functions" / "poster" / "main.py").open("a") as file:
        file.write("# changed\n")
    changed.bundle()

    assert changed.changes() == {
        'google_storage_bucket_object.bundle["poster"]': ["create", "delete"],
        'google_cloudfunctions2_function.function["poster"]': ["update"],
    }


def test_a_folder_more_is_a_function_more_and_a_quota_more_is_a_queue_more(changed):
    changed.project.add_quotas({"briefs": {"requests_per_minute": 90, "max_concurrent": 4}})
    manifest = {"quota": "briefs", "table": "briefs", "backlog": "brief_backlog", "schedule": "0 4 * * *"}
    changed.project.add("brief", manifest, ROOT / "functions" / "article" / "main.py")
    changed.bundle()

    changes = changed.changes()

    made = {address for address, actions in changes.items() if actions == ["create"]}
    assert made >= {
        'google_cloudfunctions2_function.function["brief"]',
        'google_cloud_run_v2_service_iam_binding.invokers["brief"]',
        'google_cloud_scheduler_job.schedule["brief"]',
        'google_cloud_tasks_queue.queue["briefs"]',
        'google_cloud_tasks_queue_iam_member.enqueue["brief:briefs"]',
        'google_cloud_tasks_queue_iam_member.enqueue["fanout:briefs"]',
        'google_service_account.function["brief"]',
    }
    assert not [address for address in changes if re.search(r'\["(article|poster)', address)]


def test_a_secret_that_is_counted_up_is_written_anew_and_read_by_its_functions(deployment):
    values, versions = {"GEMINI_API_KEY": "another"}, {"GEMINI_API_KEY": 2}

    changes = deployment.changes(secret_values=values, secret_versions=versions)

    readers = [name for name, one in manifests(deployment).items() if "GEMINI_API_KEY" in one.get("secrets", [])]
    assert changes == {
        'google_secret_manager_secret_version.version["GEMINI_API_KEY"]': ["create", "delete"],
        **{f'google_cloudfunctions2_function.function["{name}"]': ["update"] for name in readers},
    }


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_every_environment_can_be_planned(workspace, environment):
    workspace.terraform("plan", "-input=false", "-state=none.tfstate", f"-var-file=environments/{environment}.tfvars")


def test_manifests_that_cannot_be_deployed_are_refused_with_file_and_key(changed):
    changed.project.add_quotas({"fast": {"requests_per_minute": 60, "burst": 5}})
    changed.project.add_quotas({"narrow": {"requests_per_minute": 60, "max_concurrent": 5}})
    wrong = {
        "keyed": {"quota": "fast", "table": "rows", "max_instance": 3},
        "lost": {"quota": "slow", "table": "rows"},
        "full": {"quota": "narrow", "table": "rows", "max_instances": 1, "concurrency": 4},
        "shared": {"quota": "fast", "table": "rows", "cache": "all"},
        "crowded": {"quota": "fast", "table": "rows", "cpu": 0.5},
        "late": {"quota": "fast", "table": "rows", "timeout_seconds": 1790},
        "open": {"quota": "fast", "table": "rows", "callers": ["everybody"]},
        "hasty": {"quota": "fast", "table": "rows", "model": "m", "prepares": True, "work_seconds": 20},
    }
    for name, manifest in wrong.items():
        changed.project.add(name, manifest, ROOT / "functions" / "article" / "main.py")

    done = changed.terraform("plan", "-input=false", "-no-color", ends=(1,))

    said = done.stderr.replace("\n", " ")
    for problem in (
        "functions/keyed/function.yaml: unknown key 'max_instance'",
        "functions/lost/function.yaml: quota 'slow' is not in functions/quotas.yaml",
        "functions/crowded/function.yaml: concurrency above 1 needs cpu: 1 or more",
        "functions/late/function.yaml: timeout_seconds must be at most 1785",
        "functions/full/function.yaml: max_instances x concurrency must be at least max_concurrent of its quota",
        "functions/shared/function.yaml: cache: all needs typed",
        "functions/hasty/function.yaml: work_seconds must be at least prepare_seconds, the longest wait for a slot",
        "functions/open/function.yaml: callers: 'everybody' is not one of tasks, pubsub, public",
        "functions/quotas.yaml: fast: unknown key 'burst'",
        "build/keyed.zip is missing: run `make bundle`",
    ):
        assert problem in said


def test_what_was_made_can_be_taken_down_without_a_trace(deployment):
    """In a copy of the state: the other tests go on with the original."""
    shutil.copy(deployment.folder / "terraform.tfstate", deployment.folder / "copy.tfstate")

    deployment.terraform("destroy", "-auto-approve", "-input=false", "-state=copy.tfstate")

    assert json.loads((deployment.folder / "copy.tfstate").read_text())["resources"] == []


def test_everything_is_used_and_explained():
    assert [problem for folder in (lint.FOLDER, lint.FOLDER / "supabase") for problem in lint.problems(folder)] == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('resource "a_b" "c" {\n}\n', "x.tf: its first line says what it holds"),
        ('# x\nvariable "v" {\n  type = string\n}\n', "x.tf: variable v has no description"),
        ('# x\nvariable "v" {\n  description = "v"\n}\n', "x.tf: variable v has no type"),
        ('# x\nvariable "v" {\n  description = "var.v"\n  type        = string\n}\n', "x.tf: var.v is used nowhere"),
        ("# x\nlocals {\n  a = 1\n}\n", "x.tf: local.a is used nowhere"),
        ('# x\n\nresource "google_project_iam_member" "m" {\n  a = 1\n}\n', "a grant has a line above it"),
        ('# x\noutput "o" {\n  value = 1\n}\n', "x.tf: output o has no description"),
        ('# x\nvariable "v" {\n  default = "me@here.test"\n}\n', "an address of somebody is no default"),
        ('# x\nresource "a_b" "Cd" {\n  a = 1\n}\n', "names are small letters"),
    ],
)
def test_what_is_not_in_order_is_told_with_its_file(tmp_path, text, said):
    (tmp_path / "x.tf").write_text(text)

    assert said in "\n".join(lint.problems(tmp_path))
