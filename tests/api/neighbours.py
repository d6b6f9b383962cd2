"""Two customers and an operator who send the same pages and posters, each with a mark of his own in all he types."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.api.walking import Said

PAGE = "http://daily.test/economy/harbour-bridge"
POSTER = "http://posters.test/harbour.jpg"
# What both customers and the operator have a poster of, and what the operator alone has one of.
SHARED, OPERATORS = "shared-title", "operators-title"
NOTHING = "00000000-0000-7000-8000-00000000dead"


@dataclass
class Neighbour:
    """Somebody with a key. `mark` stands in all that he types, and in nothing else."""

    caller: Any
    mark: str
    ids: dict[str, list[str]] = field(default_factory=dict)

    def spelled(self, address: str) -> str:
        """The address as he writes it: the same page, for nobody but him."""
        return f"{address}?utm_campaign={self.mark}#{self.mark}"

    def words(self) -> set[str]:
        """What nobody else may ever read."""
        return {self.mark, *(one for ids in self.ids.values() for one in ids)}

    def types(self) -> None:
        """Submit to every function, with his mark in every field that takes one."""
        article = {"url": self.spelled(PAGE), "custom_id": f"{self.mark}-article"}
        posters = [
            {"url": self.spelled(POSTER), "content_id": SHARED, "custom_id": f"{self.mark}-poster"},
            {"url": self.spelled(POSTER), "content_id": SHARED, "title": f"The {self.mark}"},
        ]
        probes = [
            {"do": "reject", "text": f"rejected {self.mark}", "custom_id": f"{self.mark}-dead"},
            {"do": "skip", "text": f"skipped {self.mark}"},
            {"do": "domain_fail", "text": f"failed {self.mark}"},
            {"do": "done", "text": self.mark, "custom_id": f"{self.mark}-done"},
        ]
        common = [{"do": "done", "url": self.spelled(PAGE), "custom_id": f"{self.mark}-common"}]
        told = {"webhook_url": f"https://{self.mark}.example/hook", "webhook_secret": f"secret-of-{self.mark}"}
        for function, items in (("article", [article]), ("poster", posters), ("probe", probes), ("common", common)):
            order = {"function": function, "items": items, **told}
            answer = self.caller.post(order, **{"Idempotency-Key": f"{self.mark}-{function}"})
            assert answer.status_code == 202, answer.text

    def fails(self) -> None:
        """Submit what makes the breaker of a quota open, for everybody."""
        self.caller.submit(*({"do": "model_fail", "n": n, "text": f"model failed {self.mark}"} for n in range(6)))


def worked_off(database: Any, deployed: Callable[[str], Any]) -> None:
    """What waits is delivered once, the oldest first; what comes back waits for another time."""
    waiting = database.execute("select id, function from items where state = 'waiting' order by id").fetchall()
    for row in waiting:
        deployed(row["function"]).deliver(row["id"])


def know_their_ids(database: Any, neighbours: list[Neighbour]) -> None:
    rows = database.execute(
        "select b.owner, b.id as batch, array_agg(i.id) as items "
        "from batches b join items i on i.batch_id = b.id group by b.id"
    ).fetchall()
    keys = {row["key_hash"]: row["id"] for row in database.execute("select id, key_hash from api_keys").fetchall()}
    for one in neighbours:
        owner = keys[one.caller.digest]
        own = [row for row in rows if row["owner"] == owner]
        one.ids = {
            "batch": [str(row["batch"]) for row in own],
            "item": [str(item) for row in own for item in row["items"]],
            "key": [str(owner)],
        }


def what_is_said(asker: Neighbour, others: list[Neighbour]) -> Said:
    """What `asker` says, in every parameter that there is: his own things, and those of the others."""
    everybody = [asker, *others]
    batches = [batch for one in everybody for batch in one.ids["batch"]] + [NOTHING]
    items = [item for one in everybody for item in one.ids["item"]] + [NOTHING]
    marks = [one.mark for one in everybody]
    parameters = {
        "batch_id": batches, "batch": batches, "item_id": items,
        "cursor": [NOTHING, items[-2], f"0.5~{items[-2]}", "1"],
        "content_id": [SHARED, OPERATORS, "nobodys-title"],
        "q": [*marks, "harbour-bridge", items[-2], f"{marks[-1]}-dead"],
        "limit": ["1", "50"], "function": ["article", "poster", "probe", "common", "webhook"],
        "state": ["running", "completed", "done", "dead"], "since": ["2020-01-01T00:00:00Z"],
        "format": ["json", "jsonl", "csv"], "ended": ["2020-01-01T00:00:00Z"],
        "sort": ["newest", "score", "-score"], "image": ["thumbnail", "url"],
        "inactive": ["true"], "unseen": ["true"], "reason": ["hopeless", *marks], "domain": ["daily.test"],
        "older_than_seconds": ["0"], "younger_than_seconds": ["1000"],
        "if-none-match": ['"0"', "*"], "idempotency-key": [f"{mark}-article" for mark in marks],
        # The query of an upload, which a body of JSON does not go with.
        "options": ['{"fresh": true}'], "priority": ["low"], "deadline": ["2999-01-01T00:00:00Z"],
        "webhook_url": [f"https://{asker.mark}.example/"],
    }  # fmt: skip
    bodies = {
        "/v3/batches": [
            {"function": "article", "items": [{"url": asker.spelled(PAGE)}]},
            {"function": "article", "source": "backlog", "dry_run": True},
            {"function": "poster", "source": "backlog"},
        ],
        "/v3/dead-letters/replay": [{"all": True}, *({"batch": batch} for batch in batches)],
        "/v3/dead-letters/discard": [{"all": True}, *({"batch": batch} for batch in batches)],
        "/v3/posters": [{"posters": [{"content_id": SHARED, "url": asker.spelled(POSTER)}]}],
    }
    return Said(parameters, bodies)
