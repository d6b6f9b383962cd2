"""What poster takes, and how its row comes together: PosterItem in, PosterRow out. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from functions.poster.prompt import PROMPT_VERSION
from functions.poster.row import Element, ImageFacts, PosterRow
from functions.poster.slots import SLOTS
from functions.poster.vision import Vision, elements_of
from shared.urls import Fetchable

if TYPE_CHECKING:
    from functions.poster.analysis import Analysis
    from functions.poster.reading import Picture
    from shared.gemini import Answer


class PosterItem(BaseModel):
    """One poster to analyse."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    content_id: str = Field(min_length=1, max_length=200, description="What the poster belongs to")
    title: str | None = Field(default=None, max_length=500, description="Title of the film or series, if known")
    url: Fetchable = Field(description="http or https address of the image")
    max_bytes: int = Field(default=10_000_000, ge=1_000, le=25_000_000, description="Most that is fetched")
    download_timeout: float = Field(default=20.0, ge=1, le=60, description="Seconds that fetching may take")


@dataclass(frozen=True)
class Sight:
    """What is on a poster, and what it took to know."""

    elements: list[Element]
    model: str
    tokens_in: int = 0
    tokens_out: int = 0
    cost_usd: float = 0.0
    latency_ms: int = 0


def sight_of(answer: "Answer[Vision]") -> Sight:
    """From the model's answer, which was paid for."""
    return Sight(
        elements_of(answer.value),
        answer.model,
        answer.tokens_in,
        answer.tokens_out,
        answer.cost_usd,
        answer.latency_ms,
    )


def sight_again(row: Mapping[str, Any]) -> Sight:
    """From an earlier row about the same image, for nothing. Its title may not be ours: that is found anew."""
    known = [Element.model_validate(element) for element in row["elements"]]
    as_told = {"type": "text", "source": "model"}
    told = [one.model_copy(update=as_told) if one.source == "title_match" else one for one in known]
    return Sight(told, row["model"])


def poster_row(item: PosterItem, picture: "Picture", sight: Sight, analysis: "Analysis", *, attempts: int) -> PosterRow:
    return PosterRow(
        content_id=item.content_id,
        url=item.url,
        image=ImageFacts(
            sha256=picture.sha256,
            width=picture.width,
            height=picture.height,
            format=picture.format,
            bytes=picture.size_bytes,
            mode=picture.mode,
            flags=list(picture.flags),
        ),
        elements=analysis.elements,
        title=analysis.title,
        zones=analysis.zones,
        recommended=analysis.recommended,
        crops=analysis.crops,
        quality=analysis.quality,
        thumbnail=analysis.thumbnail,
        model=sight.model,
        prompt_version=PROMPT_VERSION,
        slots_version=SLOTS.version,
        tokens_in=sight.tokens_in,
        tokens_out=sight.tokens_out,
        cost_usd=sight.cost_usd,
        latency_ms=sight.latency_ms,
        attempts=attempts,
    )
