"""Names that are gone but not free: a task's for 24 hours, a queue's for 3 days."""

from collections import OrderedDict

TASK_WINDOW = 24 * 3600.0
QUEUE_WINDOW = 3 * 86400.0
# Names the service made up never come back; they are remembered only to say "recently" for a while.
_UNNAMED_KEPT = 10_000


class ReservedNames:
    """Remembers names until their time is up."""

    def __init__(self) -> None:
        self._until: OrderedDict[str, float] = OrderedDict()
        self._unnamed: OrderedDict[str, None] = OrderedDict()

    def add(self, name: str, until: float) -> None:
        self._until[name] = until
        self._until.move_to_end(name)

    def note(self, name: str) -> None:
        """Remember a made-up name, for a while."""
        self._unnamed[name] = None
        if len(self._unnamed) > _UNNAMED_KEPT:
            self._unnamed.popitem(last=False)

    def holds(self, name: str, now: float) -> bool:
        return self._until.get(name, 0.0) > now

    def knows(self, name: str, now: float) -> bool:
        """Tell whether a task of that name ended a short while ago."""
        return name in self._unnamed or self.holds(name, now)

    def free(self, name: str) -> None:
        self._until.pop(name, None)

    def drop_due(self, now: float) -> None:
        """Forget the names whose time is up."""
        for name in [name for name, until in self._until.items() if until <= now]:
            del self._until[name]

    def clear(self) -> None:
        self._until.clear()
        self._unnamed.clear()
