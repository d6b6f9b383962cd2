"""article: summarise one news URL.

queue "gemini-text" -> ArticleItem -> fetch -> read_page -> gemini -> ArticleRow -> table "article_summaries"
"""

import asyncio

from functions.article.article import ArticleItem, ArticleRow, article_row
from functions.article.prompt import PROMPT_VERSION, question, url_question
from functions.article.reading import read_page
from functions.article.summary import Summary
from shared.handler import item_handler
from shared.services import Services
from shared.urls import normalise

MAX_BYTES = 5_000_000
FETCH_SECONDS = 10.0


@item_handler(ArticleItem, version=PROMPT_VERSION, loads=("trafilatura", "google.genai"))
async def handle(item: ArticleItem, services: Services) -> ArticleRow:
    if item.url_context and not services.memo.get("url_context_failed"):
        return await read_by_model(item, services)
    page = await services.fetch(item.url, accept="text/html", max_bytes=MAX_BYTES, seconds=FETCH_SECONDS)
    article = await asyncio.to_thread(read_page, page)  # pure; raises Skipped("paywall"), Skipped("no_content"), ...
    services.unless_unchanged(article.content_hash)
    answer = await services.gemini.ask(*question(article), into=Summary)
    return article_row(item, page, article, answer, url_key=normalise(item.url), attempts=services.attempt)


async def read_by_model(item: ArticleItem, services: Services) -> ArticleRow:
    """Gemini opens the URL itself. Where it could not, the next dispatch fetches the page: one paid call each.

    What we would not dial, or are asked not to read, is carried to nobody else either.
    """
    await services.check_address(item.url)
    await services.check_robots(item.url)
    answer = await services.gemini.ask(*url_question(item.url), into=Summary, read_url=True)
    if not answer.read_url:
        services.again(url_context_failed=True)
    return article_row(item, None, None, answer, url_key=normalise(item.url), attempts=services.attempt)
