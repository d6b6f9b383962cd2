"""Manifests that cannot be deployed are refused with the file, the key, and what to write."""

import re
from pathlib import Path

import pytest
import yaml

from functions.article.article import ArticleItem
from functions.poster.poster import PosterItem
from infra.manifests import BadManifest, load

ROOT = Path(__file__).parents[2]
GOOD = {"quota": "calls", "table": "rows"}
QUOTAS = {"calls": {"requests_per_minute": 60}}


@pytest.fixture
def loaded(tmp_path):
    """The manifests of a project with one function, "mine"."""

    def loaded(quotas=QUOTAS, name="mine", **manifest):
        folder = tmp_path / "functions"
        (folder / name).mkdir(parents=True)
        (folder / "defaults.yaml").write_text((ROOT / "functions" / "defaults.yaml").read_text())
        (folder / "quotas.yaml").write_text(quotas if isinstance(quotas, str) else yaml.safe_dump(quotas))
        (folder / name / "function.yaml").write_text(yaml.safe_dump({**GOOD, **manifest}))
        return load(tmp_path)

    return loaded


def test_a_function_is_its_defaults_and_what_differs(loaded):
    manifest = loaded(max_instances=3)["functions"]["mine"]

    assert manifest["max_instances"] == 3
    assert manifest["concurrency"] == 40
    assert manifest["lease_seconds"] > manifest["timeout_seconds"]
    assert manifest["dispatch_deadline_seconds"] >= manifest["timeout_seconds"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"max_instance": 3}, "unknown key 'max_instance'"),
        ({"cache": "everybody"}, "cache must be one of owner, all, not 'everybody'"),
        ({"cache": None}, "cache must be"),
        ({"cache": "all"}, "typed is missing: cache: all needs the columns of the table that come from the input"),
        ({"typed": "url"}, "typed must be a list"),
        ({"typed": ["URL"]}, "typed: 'URL' is no name of a field"),
        ({"options": [5]}, "options: 5 is no name of a field"),
        ({"kind": "cron"}, "kind must be one of item, push, http, not 'cron'"),
        ({"kind": ["item"]}, "kind must be a word"),
        ({"quota": None}, "quota is missing"),
        ({"quota": "none"}, "quota 'none' is not in functions/quotas.yaml"),
        ({"quota": ["calls"]}, "quota must be"),
        ({"table": None}, "table is missing"),
        ({"cpu": 0.5}, "concurrency above 1 needs cpu"),
        ({"concurrency": "forty"}, "concurrency must be"),
        ({"concurrency": True}, "concurrency must be"),
        ({"concurrency": 0}, "concurrency must be"),
        ({"max_attempts": 0}, "max_attempts must be"),
        ({"max_attempts": 2.5}, "max_attempts must be"),
        ({"robots": "no"}, "robots must be true or false"),
        ({"max_per_host": 0}, "max_per_host must be a whole number of at least 1"),
        ({"max_per_host": 2.5}, "max_per_host must be a whole number"),
        ({"timeout_seconds": 1800}, "timeout_seconds must stay 15 s below"),
        ({"timeout_seconds": -1}, "timeout_seconds must be"),
        ({"work_seconds": 180}, "work_seconds must leave time"),
        ({"model": "m", "work_seconds": 13.4}, "work_seconds must be at least 13.5: prepare_seconds, the longest wait"),
        (
            {"model": "m", "prepares": True, "prepare_seconds": 40},
            "work_seconds must be at least 65.5: prepare_seconds, the longest wait for a slot, and 10.5 s for the call",
        ),
        ({"max_output_tokens": 0}, "max_output_tokens must be a whole number of at least 1"),
        ({"topic": "mine"}, "topic is for kind push"),
        ({"kind": "push"}, "topic is missing"),
        ({"kind": "push", "topic": "mine-dead"}, "topic 'mine-dead': a name of 3 to 200"),
        ({"kind": "push", "topic": "mine", "schedule": "* * * * *"}, "order is missing"),
        ({"callers": ["everybody"]}, "callers: 'everybody' is not one of"),
        ({"callers": "tasks"}, "callers must be"),
        ({"secrets": {"A": "b"}}, "secrets must be"),
        ({"environment": ["A"]}, "environment must be"),
        ({"memory": 512}, "memory must be"),
        ({"memory": "512"}, "memory must be written as 512Mi or 2Gi, not '512'"),
        ({"cpu": 1.5}, "cpu must be below 1, or one of 1, 2, 4, 6, 8"),
        ({"concurrency": 1001}, "concurrency must be at most 1000"),
        ({"input_bytes": 100_001}, "input_bytes must be at most 100,000"),
        ({"input_depth": 101}, "input_depth must be at most 100"),
        ({"input_elements": 0}, "input_elements must be a whole number of at least 1"),
        ({"input_elements": 1.5}, "input_elements must be a whole number"),
        ({"min_instances": 11}, "min_instances must not be more than max_instances"),
        ({"callers": ["tasks", "public"]}, "callers must be [tasks]: nobody else calls a function of kind item"),
        ({"callers": []}, "callers must be [tasks]"),
        ({"kind": "push", "topic": "mine"}, "callers must be [pubsub]"),
        ({"schedule": "@daily", "backlog": "rows"}, "schedule '@daily' has not the five fields"),
        ({"schedule": "0 4 * * *"}, "backlog is missing: the schedule of an item function"),
        ({"secrets": ["my key"]}, "'my key' is no name of a setting"),
        ({"environment": {"PLATFORM_CHECKS_CALLERS": "true"}}, "PLATFORM_CHECKS_CALLERS cannot be set here"),
        ({"secrets": ["TRUSTED_HOPS"]}, "TRUSTED_HOPS cannot be set here"),
        ({"environment": {"colour": "red"}}, "'colour' is no name of a setting"),
        ({"secrets": ["ONE_KEY", "ONE_KEY"]}, "secrets: ONE_KEY stands there twice"),
        ({"environment": {"SUPABASE_SECRET_KEY": "x"}}, "environment: SUPABASE_SECRET_KEY is one of secrets"),
        ({"kind": "http", "timeout_seconds": 3601}, "timeout_seconds must be at most 3600: then Cloud Run"),
        (
            {"kind": "push", "topic": "mine", "callers": ["pubsub"], "timeout_seconds": 601},
            "timeout_seconds must be at most 600: then Pub/Sub sends the message again",
        ),
    ],
    ids=str,
)
def test_a_manifest_that_cannot_be_deployed_is_refused(loaded, wrong, said):
    with pytest.raises(BadManifest, match=rf"^functions/mine/function\.yaml: {re.escape(said)}") as raised:
        loaded(**wrong)

    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("quotas", "said"),
    [
        ({"calls": {"tokens_per_minute": 5}}, "calls: requests_per_minute is missing"),
        ({"calls": {"requests_per_minute": 0}}, "calls: requests_per_minute must be a number above 0, not 0"),
        ({"calls": {"requests_per_minute": "60"}}, "calls: requests_per_minute must be a number above 0, not '60'"),
        ({"calls": {"requests_per_minute": True}}, "calls: requests_per_minute must be a number above 0"),
        ({"calls": {"requests_per_minute": 1, "burst": 2}}, "calls: unknown key 'burst'"),
        (
            {"calls": {"requests_per_minute": 60, "dispatches_per_minute": 59}},
            "calls: dispatches_per_minute must be requests_per_minute or more",
        ),
        (
            {"calls": {"requests_per_minute": 1, "dispatches_per_minute": 30_001}},
            "calls: dispatches_per_minute must be at most",
        ),
        ({"calls": {"requests_per_minute": 30_001}}, "calls: requests_per_minute must be at most 30000"),
        ({"calls": {"requests_per_minute": float("nan")}}, "calls: requests_per_minute must be"),
        ({"calls": {"requests_per_minute": 1, "max_concurrent": 5001}}, "calls: max_concurrent must be at most 5000"),
        (
            {"calls": {"requests_per_minute": 1, "max_concurrent": 2.5}},
            "calls: max_concurrent must be a whole number, not 2.5",
        ),
        ({"calls": 60}, "calls: must be a mapping"),
        ({"Calls_": {"requests_per_minute": 1}}, "Calls_: a queue's name has letters, digits and hyphens"),
    ],
    ids=str,
)
def test_a_quota_that_no_queue_can_keep_is_refused(loaded, quotas, said):
    with pytest.raises(BadManifest, match=rf"^functions/quotas\.yaml: {re.escape(said)}"):
        loaded(quotas)


@pytest.mark.parametrize("key", ["tokens_per_minute", "dispatches_per_minute", "max_concurrent"])
def test_a_key_of_a_quota_without_a_value_is_as_good_as_none(loaded, key):
    with_key = loaded({"calls": {"requests_per_minute": 60, key: None}})["quotas"]["calls"]

    assert with_key == {
        "requests_per_minute": 60, "tokens_per_minute": None, "dispatches_per_minute": 60, "max_concurrent": 40,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"), [("calls: [", "not YAML"), ("- a", "must be a mapping"), ("\x00", "not YAML")]
)
def test_what_is_not_yaml_is_refused_with_its_file(loaded, text, said):
    with pytest.raises(BadManifest, match=rf"quotas\.yaml: {said}") as raised:
        loaded(text)

    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("timeout", [1, 180, 1785])
def test_a_lease_outlasts_the_dispatch_and_the_dispatch_the_function(loaded, timeout):
    """Else the task comes again while the function is still at work, and finds its item free."""
    manifest = loaded(timeout_seconds=timeout, work_seconds=0.5)["functions"]["mine"]

    assert timeout < manifest["dispatch_deadline_seconds"] < manifest["lease_seconds"]


def test_a_topic_has_one_function(loaded, tmp_path):
    push = {"kind": "push", "topic": "news", "callers": ["pubsub"]}
    loaded(name="one", **push)
    (tmp_path / "functions" / "two").mkdir()
    (tmp_path / "functions" / "two" / "function.yaml").write_text(yaml.safe_dump(push))

    with pytest.raises(BadManifest, match=r"^functions/two/function\.yaml: topic 'news' is heard by one already"):
        load(tmp_path)


def test_a_function_takes_all_that_its_quota_has_in_flight(loaded):
    """Else Cloud Run answers 429, and Cloud Tasks slows the queue down for every function on it."""
    loaded(name="wide", max_instances=4, concurrency=10)

    with pytest.raises(BadManifest, match=r"max_concurrent is 40, but narrow takes 39 at once \(max_instances x c"):
        loaded(name="narrow", max_instances=3, concurrency=13)


@pytest.mark.parametrize("name", ["My-Function", "two words", "class", "9lives"])
def test_a_folder_that_cannot_be_a_function_is_refused(loaded, name):
    with pytest.raises(BadManifest, match="a function's folder is named"):
        loaded(name=name)


def test_without_the_defaults_it_is_said(tmp_path):
    with pytest.raises(BadManifest, match=r"defaults\.yaml is missing"):
        load(tmp_path)


def test_the_project_itself_is_in_order():
    manifests = load(ROOT)

    assert {"article", "api", "fanout"} <= set(manifests["functions"])


@pytest.mark.parametrize(("given", "obeyed"), [({}, True), ({"robots": False}, False)])
def test_robots_txt_is_obeyed_unless_a_manifest_says_otherwise(loaded, given, obeyed):
    assert loaded(**given)["functions"]["mine"]["robots"] is obeyed


ITEM_FUNCTIONS = [name for name, one in load(ROOT)["functions"].items() if one["kind"] == "item"]


@pytest.mark.parametrize("name", ITEM_FUNCTIONS)
def test_typed_are_columns_of_the_functions_table(db, name):
    manifest = load(ROOT)["functions"][name]

    columns = db.execute("select table_columns_v1(%s) as names", [manifest["table"]]).fetchone()["names"]

    assert set(manifest["typed"]) <= set(columns)


def options_of(item):
    return [name for name, field in item.model_fields.items() if not field.is_required()]


def test_options_are_what_an_item_may_do_without():
    functions = load(ROOT)["functions"]

    assert set(functions["article"]["options"]) == set(options_of(ArticleItem))
    assert set(functions["poster"]["options"]) == set(options_of(PosterItem))
    assert {name for name in ITEM_FUNCTIONS if functions[name]["submittable"]} == {"article", "poster"}
