"""PosterRow: a row of poster_analyses, as designers and players read it. docs/poster-row.schema.json is made from here.

Boxes are [x0, y0, x1, y1] in fractions of the upright image's width and height, from its top left.
"""

import json
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

ElementType = Literal["face", "person", "title", "text", "logo", "rating_mark", "object"]
Flag = Literal["animated", "cmyk", "deep", "transparent", "turned"]
Reason = Literal[
    "covers_face", "covers_title", "covers_logo", "low_contrast",
    "covers_person", "covers_text", "covers_rating_mark", "covers_object", "busy",
]  # fmt: skip
Defect = Literal["low_res", "letterbox", "borders", "blur", "upscaled", "busy"]
Ratio = Literal["2:3", "3:4", "1:1", "16:9"]
Fraction = Annotated[float, Field(ge=0, le=1)]
Box = Annotated[tuple[Fraction, Fraction, Fraction, Fraction], Field(description="[x0, y0, x1, y1], 0 to 1")]
Fractions = dict[ElementType, Fraction]


class Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class ImageFacts(Part):
    """The file as it was fetched."""

    sha256: str = Field(pattern="^[0-9a-f]{64}$", description="Of the fetched bytes")
    width: int = Field(ge=1, description="Pixels, upright")
    height: int = Field(ge=1)
    format: str = Field(description="jpeg, png, webp, gif, bmp, tiff or avif, by its bytes")
    bytes: int = Field(ge=1)
    mode: str = Field(description="How the file holds its pixels, in Pillow's words: RGB, CMYK, P, I;16 ...")
    flags: list[Flag]


class Element(Part):
    """Something to see on the poster."""

    type: ElementType
    box: Box
    text: str | None = Field(description="What is written there, or which logo or object it is")
    language: str | None
    confidence: Fraction | None
    source: Literal["model", "title_match"] = Field(
        description="title_match: text that is the given title, though the model did not call it so"
    )


class Title(Part):
    """The poster's own title, all its lines together."""

    text: str | None
    box: Box
    lines: int = Field(ge=1)
    match: Fraction | None = Field(description="How alike it is to the title that was given; null where none was")
    thumbnail_px: float = Field(ge=0, description="Height of its tallest line on a thumbnail 240 pixels high")
    contrast: float = Field(ge=1, description="Between its light and its dark pixels, 1 to 21 (WCAG)")
    legible: bool = Field(description="On that thumbnail: 10 pixels and 3:1 or more")


class Zone(Part):
    """What an overlay in this slot would do."""

    slot: str
    role: str
    box: Box
    safe: bool
    score: Fraction = Field(description="0.5 and above exactly when safe")
    reasons: list[Reason]
    occlusion: Fractions = Field(description="By type: the fraction of the slot that such elements fill; 0 is left out")
    hidden: Fractions = Field(
        description="By type: the greatest fraction of one such element that the slot hides; 0 is left out"
    )
    flatness: Fraction
    luminance: Fraction = Field(description="Mean relative luminance (WCAG)")
    text_color: Literal["#ffffff", "#000000"]
    contrast: float = Field(ge=1, le=21, description="Of that colour, reached over nine tenths of the slot's pixels")


class Pick(Part):
    """The best slot of a role; `safe` says whether it is good enough."""

    slot: str
    safe: bool
    score: Fraction


class Loss(Part):
    """An element that a crop cuts, and how much of it is gone."""

    type: ElementType
    text: str | None
    box: Box
    fraction: Fraction


class Crop(Part):
    """The largest part of the poster with this ratio that keeps most of faces and title."""

    box: Box
    keep: Box | None = Field(description="What has to stay in sight: faces and title; null where there are none")
    kept: Fraction = Field(description="How much of faces and title stays in sight")
    loses: list[Loss]


class Quality(Part):
    flags: list[Defect]
    sharpness: Fraction
    busyness: Fraction
    bars: tuple[Fraction, Fraction, Fraction, Fraction] = Field(
        description="Plain bars at the left, top, right and bottom, in fractions of width and height"
    )


class PosterRow(Part):
    """A row of poster_analyses but for what the database adds: item_id, created_at."""

    content_id: str
    url: str
    image: ImageFacts
    elements: list[Element]
    title: Title | None = Field(description="null on a textless poster")
    zones: list[Zone]
    recommended: dict[str, Pick] = Field(description="By role: badge, rating, title ...")
    crops: dict[Ratio, Crop]
    quality: Quality
    thumbnail: str = Field(description="data:image/jpeg;base64,... at most 12 KB")
    model: str
    prompt_version: str
    slots_version: str
    tokens_in: int
    tokens_out: int
    cost_usd: float
    latency_ms: int = Field(description="Of the model; 0 where an earlier answer about the same image was used")
    attempts: int


if __name__ == "__main__":
    schema = PosterRow.model_json_schema(mode="serialization")
    print(json.dumps(schema, indent=1))  # noqa: T201 - python -m functions.poster.row > docs/poster-row.schema.json
