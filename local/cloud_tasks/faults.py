"""Faults on purpose, for drills: tasks delivered twice, answers lost. Off by default, seeded."""

import random
from dataclasses import dataclass, field


@dataclass
class Faults:
    """`duplicate` and `lose_answers` are shares of all attempts, 0 to 1."""

    duplicate: float = 0.0
    lose_answers: float = 0.0
    seed: int | None = None
    _dice: random.Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._dice = random.Random(self.seed)

    def delivers_twice(self) -> bool:
        return self.duplicate > 0 and self._dice.random() < self.duplicate

    def loses_answer(self) -> bool:
        return self.lose_answers > 0 and self._dice.random() < self.lose_answers
