"""What a month costs: reckoned from prices with sources, and what the page says is what was reckoned."""

import re
import shutil
import tomllib
from pathlib import Path

import pytest
import yaml

from infra import costs
from infra.manifests import load, read_yaml

ROOT = Path(__file__).parents[2]
PRICES = read_yaml(ROOT / "infra" / "prices.yaml")
SUPABASE_PRO = PRICES["prices"]["supabase_project"]["usd"]


@pytest.fixture
def project(tmp_path):
    """A copy whose prices and quotas may be changed."""
    for name in ("functions", "shared", "infra"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "*.py"))
    return tmp_path


def change(file, **values):
    content = yaml.safe_load(file.read_text())
    for path, value in values.items():
        *above, key = path.split("__")
        node = content
        for step in above:
            node = node[step]
        node[key] = value
    file.write_text(yaml.safe_dump(content))


def test_the_page_shows_what_is_reckoned_now():
    assert costs.table(ROOT) in (ROOT / "docs" / "deploy.md").read_text(), "run `make costs`"


def test_every_price_says_where_it_is_from_and_what_it_is_for():
    for name, price in PRICES["prices"].items():
        assert price["source"].startswith("https://"), name
        assert set(price) == {"usd", "unit", "free", "line", "source"}, name


def test_a_deployment_to_which_nothing_comes_asks_no_model():
    bill = costs.month(ROOT, None, 0)

    assert bill["Gemini"] == 0
    assert bill["Supabase"] == SUPABASE_PRO


def test_a_million_articles_cost_their_tokens_above_all():
    bill, item = costs.month(ROOT, "article", 1_000_000), PRICES["items"]["article"]
    price = tomllib.loads((ROOT / "shared" / "prices.toml").read_text())[load(ROOT)["functions"]["article"]["model"]][
        -1
    ]

    assert bill["Gemini"] == pytest.approx(item["tokens_in"] * price["input"] + item["tokens_out"] * price["output"])
    assert bill["Gemini"] > 0.9 * sum(bill.values())


def test_what_is_free_costs_nothing_and_what_is_over_it_is_paid_for(project):
    change(project / "infra" / "prices.yaml", prices__tasks__free=4.0, prices__tasks__usd=10)

    # 4.2 operations an item.
    assert costs.month(project, "article", 900_000)["Cloud Tasks"] == 0
    assert costs.month(project, "article", 1_000_000)["Cloud Tasks"] == pytest.approx(2.0)


def test_a_quota_that_lets_fewer_through_keeps_instances_for_longer(project):
    before = costs.month(project, "article", 1_000_000)["Cloud Run"]
    change(project / "functions" / "quotas.yaml", **{"gemini-text__requests_per_minute": 30})

    assert costs.month(project, "article", 1_000_000)["Cloud Run"] > 5 * before


def test_an_introductory_price_is_not_counted_on(project):
    change(project / "functions" / "article" / "function.yaml", model="gemini-3.8-flash")
    later = tomllib.loads((ROOT / "shared" / "prices.toml").read_text())["gemini-3.8-flash"][-1]
    item = PRICES["items"]["article"]

    bill = costs.month(project, "article", 1_000_000)

    assert "until" not in later
    assert bill["Gemini"] == pytest.approx(item["tokens_in"] * later["input"] + item["tokens_out"] * later["output"])


def test_each_alert_is_a_condition_to_be_paid_for():
    found = costs.standing(ROOT, load(ROOT), PRICES["always"])["alert_conditions"]

    assert found == (ROOT / "infra" / "terraform" / "alerts.tf").read_text().count("title =")


@pytest.mark.parametrize(
    ("schedule", "runs"),
    [
        ("* * * * *", 43_200),
        ("*/10 * * * *", 4320),
        ("*/5 * * * *", 8640),
        ("15 * * * *", 720),
        ("0,30 * * * *", 1440),
        ("*/5 8-18 * * *", 3960),
        ("10/20 0-23/6 * * *", 360),
        ("0 4 * * *", 30),
        (None, 0),
    ],
)
def test_how_often_a_schedule_fires_in_thirty_days(schedule, runs):
    assert costs.runs({"schedule": schedule}) == runs


def test_as_many_images_are_paid_for_as_are_kept():
    kept = re.search(r"keep_count = (\d+)", (ROOT / "infra" / "terraform" / "build.tf").read_text())[1]

    assert PRICES["always"]["images_kept"] == int(kept)


@pytest.mark.parametrize(("usd", "said"), [(0, "0"), (0.004, "0"), (0.25, "0.25"), (9.99, "9.99"), (1234.5, "1,234")])
def test_small_amounts_are_told_by_the_cent(usd, said):
    assert costs.money(usd) == said
