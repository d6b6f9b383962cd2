"""Costs: what a deployment costs a month, from infra/prices.yaml, shared/prices.toml and the manifests.

python -m infra.costs            prints the table
python -m infra.costs --write    also puts it into docs/deploy.md, between <!-- costs --> and <!-- /costs -->
"""

import math
import re
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infra.manifests import BadManifest, load, read_yaml

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "deploy.md"
BLOCK = re.compile(r"(<!-- costs -->\n).*?(<!-- /costs -->)", re.DOTALL)
AMOUNTS = (10_000, 1_000_000)
MONTH_DAYS = 30
MONTH_SECONDS = MONTH_DAYS * 24 * 3600
# The conditions are looked at once a minute.
LOOKS = MONTH_SECONDS / 60
KIB_PER_GIB, MEBI, GIBI = 2**20, 2**20, 2**30
MEMORY = {"Mi": 1 / 1024, "Gi": 1.0}
# An entry of a schedule's field: *, 8, 8-18, */5 or 8-18/2.
ENTRY = re.compile(r"(?:\*|(?P<first>\d+)(?:-(?P<last>\d+))?)(?:/(?P<step>[1-9]\d*))?")
# A queue that hands out twice what its quota allows sends an item back once (docs/decisions/011), one in ten fails;
# created and dispatched are an operation each.
OPERATIONS_PER_ITEM, DISPATCHES_PER_ITEM = 4.2, 2.1

Row = Mapping[str, Any]


def month(root: Path, function: str | None, items: int) -> dict[str, float]:
    """{line of the bill: USD} of one month in which `function` works off `items`. None: nothing comes in."""
    known, manifests = read_yaml(root / "infra" / "prices.yaml"), load(root)
    used = standing(root, manifests, known["always"])
    if function:
        for name, amount in worked(manifests, function, known["items"][function], items).items():
            used[name] = used.get(name, 0.0) + amount
    bill = {"Gemini": asked(root, manifests, function, known["items"].get(function, {}), items)}
    for name, price in known["prices"].items():
        cost = max(0.0, used.get(name, 0.0) - price["free"]) * price["usd"]
        bill[price["line"]] = bill.get(price["line"], 0.0) + cost
    return bill


def standing(root: Path, manifests: Row, always: Row) -> dict[str, float]:
    """What is used although no item comes."""
    functions = manifests["functions"].values()
    orders = sum(runs(one) for one in functions)
    conditions = alert_conditions(root)
    points = always["metric_series"] * 8 + always["distributions"] * 80
    return {
        "run_cpu": orders * always["run_seconds"],
        "run_memory": orders * always["run_seconds"] / 2,
        "run_requests": orders / 1e6,
        "pubsub": 2 * orders * 1000 / 2**40,
        "scheduler": sum(bool(one["schedule"]) for one in functions),
        "metrics": points * MONTH_SECONDS / 60 / MEBI,
        "alert_conditions": conditions,
        "alert_series": conditions * always["series_per_condition"] * LOOKS / 1e6,
        # Two more are the pipeline's.
        "secrets": len({name for one in functions for name in one["secrets"]}) + 2,
        "registry": always["images_kept"] * always["image_gb"] * len(functions),
        "buckets": always["bucket_gb"],
        "builds": always["deployments"] * always["minutes_per_deployment"],
        "supabase_project": 1,
    }


def worked(manifests: Row, function: str, item: Row, items: int) -> dict[str, float]:
    """What `items` use on top: as the quota spreads them, and each scheduled run waits for its last item."""
    manifest = manifests["functions"][function]
    rate = manifests["quotas"][manifest["quota"]]["requests_per_minute"] / 60
    instances = math.ceil(rate * item["seconds"] / manifest["concurrency"])
    seconds = instances * (items / rate + min(items, runs(manifest)) * item["seconds"])
    return {
        "run_cpu": seconds * manifest["cpu"],
        "run_memory": seconds * gib(manifest["memory"]),
        "run_requests": items * DISPATCHES_PER_ITEM / 1e6,
        "tasks": items * OPERATIONS_PER_ITEM / 1e6,
        "logging": items * item["log_kib"] / KIB_PER_GIB,
        "egress": items * item["egress_kib"] / KIB_PER_GIB,
        "supabase_disk": items * item["disk_kib"] * 1024 / 1e9,
    }


def asked(root: Path, manifests: Row, function: str | None, item: Row, items: int) -> float:
    """USD for the model's tokens, at the price that stays when introductory ones have ended."""
    if function is None:
        return 0.0
    price = tomllib.loads((root / "shared" / "prices.toml").read_text())[manifests["functions"][function]["model"]][-1]
    return float(items * (item["tokens_in"] * price["input"] + item["tokens_out"] * price["output"]) / 1e6)


def runs(manifest: Row) -> float:
    """How often a month its schedule fires, were every day one of its days."""
    if not manifest["schedule"]:
        return 0.0
    minute, hour, *_ = manifest["schedule"].split()
    return float(MONTH_DAYS * times(minute, 60) * times(hour, 24))


def times(field: str, most: int) -> int:
    """How many of the values 0 to `most` - 1 a field of a schedule means."""
    values: set[int] = set()
    for entry in field.split(","):
        found = ENTRY.fullmatch(entry)
        if found is None:
            raise BadManifest(f"schedule: {field!r} is not understood")
        first = int(found["first"] or 0)
        last = int(found["last"] or (most - 1 if found["first"] is None or found["step"] else first))
        values.update(range(first, last + 1, int(found["step"] or 1)))
    return len(values)


def gib(memory: str) -> float:
    """512Mi or 2Gi, in GiB."""
    return float(memory[:-2]) * MEMORY[memory[-2:]]


def alert_conditions(root: Path) -> int:
    """Every alert of infra/terraform has a title and one condition."""
    return len(re.findall(r"(?m)^\s+title\s+=", (root / "infra" / "terraform" / "alerts.tf").read_text()))


def table(root: Path) -> str:
    """The months as Markdown, a row per line of the bill."""
    functions = [name for name in read_yaml(root / "infra" / "prices.yaml")["items"] if name in load(root)["functions"]]
    months = {"nothing comes in": month(root, None, 0)}
    for function in functions:
        months |= {f"{items:,} {function}s": month(root, function, items) for items in AMOUNTS}
    head = ["| USD a month |", *(f" {title} |" for title in months)]
    lines = ["".join(head), "| --- |" + " ---: |" * len(months)]
    bills = list(months.values())
    lines += ["| " + " | ".join([line, *(money(bill[line]) for bill in bills)]) + " |" for line in bills[0]]
    lines.append("| " + " | ".join(["**together**", *(f"**{money(sum(bill.values()))}**" for bill in bills)]) + " |")
    return "\n".join(lines)


def money(usd: float) -> str:
    return "0" if usd < 0.005 else f"{usd:,.2f}" if usd < 10 else f"{usd:,.0f}"


def main() -> None:
    try:
        text = table(ROOT)
    except BadManifest as error:
        sys.exit(str(error))
    print(text)
    if "--write" in sys.argv:
        PAGE.write_text(BLOCK.sub(lambda block: f"{block[1]}\n{text}\n\n{block[2]}", PAGE.read_text()))


if __name__ == "__main__":
    main()
