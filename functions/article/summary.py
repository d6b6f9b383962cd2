"""Summary: what the model fills in. The class is the schema that is sent, and tidies what comes back."""

import re
from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Sentiment = Literal["positive", "neutral", "negative", "mixed"]
EntityType = Literal["person", "organization", "place", "event", "product", "work", "other"]

_BULLET = re.compile(r"^(?:[-*•–]|\d{1,2}[.)])\s+")  # noqa: RUF001 - the dash some models set before a point


def _line(value: Any) -> Any:
    """Text on one line; anything else as it is, for the type to refuse."""
    return " ".join(value.split()) if isinstance(value, str) else value


def _distinct(tidy: Callable[[Any], Any], most: int) -> Callable[[Any], Any]:
    """Tidied entries without the empty and the repeated ones, at most `most` of them."""

    def keep(values: Any) -> Any:
        if not isinstance(values, list):
            return values
        tidied = [tidy(value) for value in values]
        return list({_key(value): value for value in reversed(tidied) if _key(value)}.values())[::-1][:most]

    return keep


def _key(value: Any) -> str:
    """What makes two entries the same: their text, whatever its case; an entity's name."""
    if isinstance(value, Entity):
        value = value.name
    if isinstance(value, dict):
        value = _line(value.get("name"))
    return value.casefold() if isinstance(value, str) else repr(value)


def _point(value: Any) -> Any:
    return _BULLET.sub("", _line(value)) if isinstance(value, str) else value


def _topic(value: Any) -> Any:
    return _line(value).lower() if isinstance(value, str) else value


def _language(value: Any) -> Any:
    """ISO 639-1 of "en", "EN" or "en-GB"; None for what names no language."""
    found = re.match(r"([a-z]{2})(?:[-_]|$)", value.strip().lower()) if isinstance(value, str) else None
    return found.group(1) if found else None


Line = Annotated[str, BeforeValidator(_line)]


class Entity(BaseModel):
    """Somebody or something the article is about."""

    model_config = ConfigDict(frozen=True)

    name: Line = Field(min_length=1, max_length=200, description="Full name as the article gives it.")
    type: EntityType = Field(description="What kind of thing it is.")


class Summary(BaseModel):
    """What an article says, for somebody who will not read it."""

    model_config = ConfigDict(frozen=True)

    title: Line = Field(
        min_length=1,
        max_length=300,
        description="The article's headline in its language, without the site's name.",
    )
    summary: Line = Field(
        min_length=1,
        max_length=2500,
        description="3 to 4 full sentences in the article's language: what happened, to whom, where, when and why.",
    )
    # Two true points of a news brief are better than another paid call: three are asked for, one is enough.
    key_points: Annotated[list[str], BeforeValidator(_distinct(_point, 6))] = Field(
        min_length=1,
        max_length=6,
        json_schema_extra={"minItems": 3},
        description="3 to 6 facts from the article, one sentence each, in its language, most important first.",
    )
    entities: Annotated[list[Entity], BeforeValidator(_distinct(lambda value: value, 15))] = Field(
        max_length=15, description="People, organizations, places and the like that the article is about."
    )
    topics: Annotated[list[str], BeforeValidator(_distinct(_topic, 6))] = Field(
        max_length=6, description="1 to 6 subjects in English, lower case, general before special."
    )
    sentiment: Sentiment = Field(description="The tone in which the article reports, not its reader's feelings.")
    language: Annotated[str | None, BeforeValidator(_language)] = Field(
        description="ISO 639-1 code of the article's language, such as en or pt."
    )
