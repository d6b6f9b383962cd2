"""users: each has a key, batches of its own, and a habit of asking."""

import asyncio
import json
import random
import time
from collections import defaultdict, deque
from dataclasses import dataclass, field

from bench.load.connection import Answer, Connection
from bench.load.scenarios import ITEMS_A_BATCH, MIX, THINK_SECONDS, Scenario

KINDS, WEIGHTS = list(MIX), list(MIX.values())
# So many of its own new batches a user looks at.
REMEMBERED = 5


@dataclass
class Tally:
    """Seconds of each kind of request, and how it went wrong."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    errors: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def count(self, kind: str, answer: Answer) -> None:
        self.seconds[kind].append(answer.seconds)
        if answer.status >= 300:
            self.errors[f"{kind} {answer.status}"] += 1


class User:
    """`ended`: batches whose items have all ended; those it submits itself are at work meanwhile."""

    def __init__(self, url: str, key: str, ended: list[str], seed: int) -> None:
        self._connection = Connection(url, {"Authorization": f"Bearer {key}", "Content-Type": "application/json"})
        self._ended = ended
        self._own: deque[str] = deque(maxlen=REMEMBERED)
        self._dice = random.Random(seed)
        self._seed = seed
        self._submitted = 0

    async def use(self, since: float, until: float, tally: Tally) -> None:
        """Ask until then; what began before `since` is not counted."""
        while (began := time.perf_counter()) < until:
            kind = self._dice.choices(KINDS, WEIGHTS)[0]
            try:
                answer = await self._ask(kind)
                if began >= since:
                    tally.count(kind, answer)
            except (OSError, asyncio.IncompleteReadError) as error:
                tally.errors[f"{kind} {type(error).__name__}"] += 1
                self._connection.close()
            await asyncio.sleep(self._dice.expovariate(1 / THINK_SECONDS))
        self._connection.close()

    async def ask_each(self) -> None:
        """Every kind once, then go. Raises RuntimeError for an answer that is an error."""
        for kind in KINDS:
            answer = await self._ask(kind)
            if answer.status >= 300:
                raise RuntimeError(f"{kind} was answered {answer.status}: {answer.body[:300]!r}")
        self._connection.close()

    async def _ask(self, kind: str) -> Answer:
        if kind == "submit":
            answer = await self._connection.ask("POST", "/v3/batches", self._items())
            if answer.status == 202:
                self._own.append(json.loads(answer.body)["id"])
            return answer
        if kind == "list":
            return await self._connection.ask("GET", "/v3/batches?limit=20")
        path = f"/v3/batches/{self._some_batch()}"
        return await self._connection.ask("GET", path if kind == "status" else f"{path}/results?limit=100")

    def _some_batch(self) -> str:
        """One at work or one that has ended, in turns of the dice."""
        return self._dice.choice(self._own if self._own and self._dice.random() < 0.5 else self._ended)

    def _items(self) -> bytes:
        """A batch that nobody has sent before."""
        self._submitted += 1
        place = f"{self._seed}-{self._submitted}-{self._dice.randrange(10**9)}"
        items = [
            {"url": f"http://daily.test/economy/harbour-bridge?n={place}-{n}", "custom_id": f"story-{n}"}
            for n in range(ITEMS_A_BATCH)
        ]
        return json.dumps({"function": "article", "items": items}).encode()


async def together(users: list[User], scenario: Scenario) -> tuple[Tally, float]:
    """What all of them met, and the seconds that were measured."""
    tally = Tally()
    began = time.perf_counter()
    since = began + scenario.arriving
    until = since + scenario.seconds

    async def arrive(user: User, after: float) -> None:
        await asyncio.sleep(after)
        await user.use(since, until, tally)

    await asyncio.gather(*(arrive(user, scenario.arriving * place / len(users)) for place, user in enumerate(users)))
    return tally, scenario.seconds
