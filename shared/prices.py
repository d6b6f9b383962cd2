"""Prices: what tokens cost, from prices.toml."""

import tomllib
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path

FILE = Path(__file__).parent / "prices.toml"


@dataclass(frozen=True)
class Price:
    """USD per million tokens, until and including `until`."""

    input: float
    output: float
    until: date | None = None


@cache
def prices() -> dict[str, tuple[Price, ...]]:
    return {model: tuple(Price(**row) for row in rows) for model, rows in tomllib.loads(FILE.read_text()).items()}


def cost_usd(model: str, tokens_in: int, tokens_out: int, day: date) -> float | None:
    """What a call cost on `day`; None when the model has no price."""
    for price in prices().get(model, ()):
        if price.until is None or day <= price.until:
            return round((tokens_in * price.input + tokens_out * price.output) / 1_000_000, 8)
    return None
