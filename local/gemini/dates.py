"""Dates as articles write them, in seven languages."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

_MONTHS = (
    "january|jan|januar|janvier|enero|gennaio|janeiro|januari",
    "february|feb|februar|février|febrero|febbraio|fevereiro|februari",
    "march|mar|märz|mars|marzo|março|maart",
    "april|apr|avril|abril|aprile",
    "may|mai|mayo|maggio|maio|mei",
    "june|jun|juni|juin|junio|giugno|junho",
    "july|jul|juli|juillet|julio|luglio|julho",
    "august|aug|août|agosto|augustus",
    "september|sept|sep|septembre|septiembre|settembre|setembro",
    "october|oct|oktober|octobre|octubre|ottobre|outubro",
    "november|nov|novembre|noviembre|novembro",
    "december|dec|dezember|décembre|diciembre|dicembre|dezembro",
)
_NUMBER_OF = {name: number for number, names in enumerate(_MONTHS, 1) for name in names.split("|")}
_MONTH = r"(?P<month>" + "|".join(sorted(_NUMBER_OF, key=len, reverse=True)) + r")\b\.?"
_DAY, _YEAR = r"(?P<day>[0-3]?\d)(?:st|nd|rd|th|er|º)?\.?", r"(?P<year>(?:1[5-9]|20)\d\d)"
_FORMS = tuple(
    re.compile(form, re.IGNORECASE)
    for form in (
        r"\b(?P<year>(?:1[5-9]|20)\d\d)-(?P<number>[01]\d)-(?P<day>[0-3]\d)\b",
        rf"\b{_DAY}\s+(?:de\s+)?{_MONTH}(?:,?\s+(?:de\s+|del\s+)?{_YEAR})?",
        rf"\b{_MONTH}\s+{_DAY}(?!\d)(?:,?\s+{_YEAR})?",
        rf"\b{_MONTH}\s+(?:de\s+)?{_YEAR}",
        r"\b(?P<day>[0-3]?\d)[./](?P<number>[01]?\d)[./](?P<year>(?:1[5-9]|20)\d\d)\b",
    )
)


@dataclass(frozen=True)
class Dated:
    start: int
    written: str
    day: date | None  # only where year, month and day are all written


def dates(text: str) -> list[Dated]:
    """Dates in reading order, none inside another."""
    found: list[Dated] = []
    end = -1
    for candidate in sorted(_candidates(text), key=lambda each: (each.start, -len(each.written))):
        if candidate.start >= end:
            found.append(candidate)
            end = candidate.start + len(candidate.written)
    return found


def _candidates(text: str) -> Iterator[Dated]:
    for form in _FORMS:
        for match in form.finditer(text):
            # A lower-case "may 5" or "mars 3" is more often a verb or a planet.
            month = match.groupdict().get("month") or ""
            if month.lower() in {"may", "mar", "jan"} and month.islower():
                continue
            yield Dated(match.start(), match.group().strip(" .,"), _day(match.groupdict()))


def _day(parts: dict[str, str | None]) -> date | None:
    number = parts.get("number") or _NUMBER_OF.get((parts.get("month") or "").lower())
    if not (parts.get("year") and number and parts.get("day")):
        return None
    try:
        return date(int(parts["year"] or 0), int(number), int(parts["day"] or 0))
    except ValueError:
        return None
