"""scenarios: how many use the API at once, for how long, what they ask, and what that may take."""

from dataclasses import dataclass

# Of a hundred requests.
MIX = {"status": 60, "list": 18, "results": 18, "submit": 4}
ITEMS_A_BATCH = 100
# Between two requests of a user, on the average. 20 users: 55 requests a second.
THINK_SECONDS = 0.33
# P95 in milliseconds: what this project promises, and what is usual for such APIs.
PROMISED = {"submit": 200, "status": 50, "list": 100, "results": 150}
USUAL = {"submit": 2000, "status": 500, "list": 1000, "results": 3000}
MOST_ERRORS = 0.01


@dataclass(frozen=True)
class Scenario:
    """Users arrive evenly over `arriving` seconds; what is measured begins when all are there."""

    name: str
    users: int
    seconds: float
    arriving: float

    @property
    def promised_per_second(self) -> float:
        """What so many users must get answered when nothing makes them wait."""
        return 0.9 * self.users / (THINK_SECONDS + 0.03)


SCENARIOS = {
    one.name: one
    for one in (
        Scenario("smoke", users=5, seconds=8, arriving=1),
        Scenario("load", users=20, seconds=20, arriving=2),
        Scenario("stress", users=40, seconds=15, arriving=2),
        Scenario("spike", users=60, seconds=10, arriving=0),
    )
}
