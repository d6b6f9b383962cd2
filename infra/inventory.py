"""Inventory: who may do what on what, read from what Terraform made. infra/terraform/inventory.yaml is what was agreed.

terraform show -json | python -m infra.inventory PREFIX     prints it as the inventory is written
"""

import json
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import yaml

# Where each kind of grant names the thing it is for, and what that thing is called here.
GRANTED_ON = {
    "google_artifact_registry_repository_iam_member": ("images", "repository"),
    "google_billing_account_iam_member": ("billing account", ""),
    "google_cloud_run_v2_service_iam_binding": ("function", "name"),
    "google_cloud_tasks_queue_iam_member": ("queue", "name"),
    "google_project_iam_member": ("project", ""),
    "google_pubsub_subscription_iam_member": ("subscription", "subscription"),
    "google_pubsub_topic_iam_member": ("topic", "topic"),
    "google_secret_manager_secret_iam_member": ("secret", "secret_id"),
    "google_service_account_iam_member": ("account", "service_account_id"),
    "google_storage_bucket_iam_member": ("bucket", "bucket"),
}
# google_iam_workload_identity_pool and the like make somebody, and grant nothing.
GRANT = re.compile(r"_iam_(member|binding|policy|audit_config)$")
AGENT = re.compile(r"serviceAccount:service-\d+@gcp-sa-(\w+)\.iam\.gserviceaccount\.com")
# What github.tf says a job may do: to ship, or to review.
JOB = re.compile(r"principalSet://iam\.googleapis\.com/.+/attribute\.may/(\w+)")
Inventory = dict[str, dict[str, str]]


class Grant(NamedTuple):
    who: str
    what: str
    role: str


class UnknownGrant(ValueError):
    """A kind of grant that GRANTED_ON does not know: say there how it is read."""


def inventory(state: Mapping[str, Any], prefix: str) -> Inventory:
    """{who: {what: roles}} of `terraform show -json`'s document. Raises UnknownGrant."""
    found: dict[str, dict[str, list[str]]] = {}
    for grant in sorted(grants(state, prefix)):
        found.setdefault(grant.who, {}).setdefault(grant.what, []).append(grant.role)
    return {who: {what: ", ".join(roles) for what, roles in given.items()} for who, given in found.items()}


def grants(state: Mapping[str, Any], prefix: str) -> Iterator[Grant]:
    for resource in state["values"]["root_module"]["resources"]:
        if GRANT.search(resource["type"]):
            given = resource["values"]
            what, role = granted(resource["type"], given, prefix), given["role"].rsplit("/", 1)[-1]
            for member in given.get("members") or [given["member"]]:
                yield Grant(named(member, prefix), what, role)


def granted(kind: str, given: Mapping[str, Any], prefix: str) -> str:
    """What a grant is for: "queue gemini-text", "project", "project (with its condition's title)"."""
    if kind not in GRANTED_ON:
        raise UnknownGrant(f"{kind} is not in GRANTED_ON of infra/inventory.py: say how it is read")
    word, key = GRANTED_ON[kind]
    limited = [short(one["title"], prefix) for one in given.get("condition") or []]
    return " ".join([word, *([short(given[key], prefix)] if key else []), *(f"({title})" for title in limited)])


def named(member: str, prefix: str) -> str:
    """The member in our words: everybody, our account, an agent of Google's, a job of GitHub's, or as it is."""
    if agent := AGENT.fullmatch(member):
        return f"agent of {agent[1]}"
    if job := JOB.fullmatch(member):
        return f"github job to {job[1]}"
    return {"allUsers": "everybody"}.get(member) or short(member, prefix)


def short(name: str, prefix: str) -> str:
    """Without what is the same for all: projects/P/serviceAccounts/PREFIX-tasks@P.iam... is "tasks"."""
    last = name.rsplit("/", 1)[-1].removeprefix("serviceAccount:").split("@")[0]
    return re.sub(rf"^(?:.*-)?{re.escape(prefix)}[- ]", "", last)


def main() -> None:
    """Read a state from standard input, print its inventory."""
    found = inventory(json.load(sys.stdin), sys.argv[1] if len(sys.argv) > 1 else "piecework")
    print(yaml.safe_dump(found, sort_keys=True, width=120), end="")


if __name__ == "__main__":
    main()
