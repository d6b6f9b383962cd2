"""python -m drills [NAME...]: bad days, all or by name; each adds a line to bench/results/drills.jsonl."""

from bench.limits.findings import main
from drills.bad_items import dead_domain, poison_row
from drills.breakers import domain_breaker, model_down
from drills.few_instances import few_instances
from drills.kills import kills, server_kills
from drills.lost_tasks import killed_fanout, purged_queue
from drills.slow_database import slow_database
from drills.ten_thousand import ten_thousand

main(
    "drills",
    {
        "kills": kills,
        "server_kills": server_kills,
        "slow_database": slow_database,
        "purged_queue": purged_queue,
        "killed_fanout": killed_fanout,
        "poison_row": poison_row,
        "dead_domain": dead_domain,
        "domain_breaker": domain_breaker,
        "model_down": model_down,
        "few_instances": few_instances,
        "ten_thousand": ten_thousand,
    },
)
