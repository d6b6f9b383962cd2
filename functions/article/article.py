"""What article takes and gives: ArticleItem in, ArticleRow out, and the mapping between them. Pure."""

from datetime import datetime
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

from functions.article.prompt import PROMPT_VERSION
from functions.article.reading import Article
from functions.article.summary import Entity, Sentiment, Summary
from shared.errors import Skipped
from shared.pages import Page
from shared.urls import Fetchable

if TYPE_CHECKING:
    from shared.gemini import Answer


class ArticleItem(BaseModel):
    """One news URL to summarise."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: Fetchable = Field(description="http or https address of the article")
    url_context: bool = Field(default=False, description="Let the model open the URL itself; nothing is fetched here")
    language: str | None = Field(
        default=None,
        pattern="^[a-z]{2}$",
        description="ISO 639-1, used where neither page nor model names one",
    )


class ArticleRow(BaseModel):
    """A row of article_summaries but for what the database adds: item_id, created_at."""

    model_config = ConfigDict(frozen=True)

    url: str
    final_url: str
    url_key: str
    title: str
    summary: str
    key_points: list[str]
    entities: list[Entity]
    topics: list[str]
    sentiment: Sentiment
    language: str | None
    author: str | None
    published_at: datetime | None
    word_count: int | None
    extraction_quality: float | None
    content_hash: str | None
    etag: str | None
    last_modified: str | None
    read_by: Literal["fetch", "url_context"]
    model: str
    prompt_version: str
    tokens_in: int
    tokens_out: int
    cost_usd: float
    latency_ms: int
    attempts: int


def article_row(  # noqa: PLR0913 - a row is made of all of these
    item: ArticleItem,
    page: Page | None,
    article: Article | None,
    answer: "Answer[Summary]",
    *,
    url_key: str,
    attempts: int,
) -> ArticleRow:
    """The row of an article that was read here, or (`page` and `article` None) by the model itself.

    Raises Skipped("no_content") when the model was to read the page and could not: it would have made it up.
    """
    if article is None and not answer.read_url:
        raise Skipped("no_content", f"The model could not open {item.url} by itself.")
    said = answer.value
    return ArticleRow(
        url=item.url,
        final_url=page.final_url if page else item.url,
        url_key=url_key,
        title=said.title,
        summary=said.summary,
        key_points=said.key_points,
        entities=said.entities,
        topics=said.topics,
        sentiment=said.sentiment,
        language=said.language or (article and article.language) or item.language,
        author=article.author if article else None,
        published_at=article.published_at if article else None,
        word_count=article.word_count if article else None,
        extraction_quality=article.extraction_quality if article else None,
        content_hash=article.content_hash if article else None,
        etag=page.etag if page else None,
        last_modified=page.last_modified if page else None,
        read_by="fetch" if article else "url_context",
        model=answer.model,
        prompt_version=PROMPT_VERSION,
        tokens_in=answer.tokens_in,
        tokens_out=answer.tokens_out,
        cost_usd=answer.cost_usd,
        latency_ms=answer.latency_ms,
        attempts=attempts,
    )
