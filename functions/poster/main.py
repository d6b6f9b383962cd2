"""poster: find where an overlay may go without hiding a face or the title.

queue "gemini-vision" -> PosterItem -> fetch -> read -> look (gemini) -> analyse -> PosterRow -> "poster_analyses"
"""

from typing import TYPE_CHECKING

from functions.poster.poster import PosterItem, Sight, poster_row, sight_again, sight_of
from functions.poster.prompt import PROMPT, PROMPT_VERSION, QUESTION
from functions.poster.row import PosterRow
from functions.poster.slots import SLOTS
from functions.poster.vision import Vision
from functions.poster.work import LIBRARIES, analyse, for_model, read
from shared.gemini import Image
from shared.handler import item_handler
from shared.services import Services

if TYPE_CHECKING:
    from functions.poster.reading import Picture


@item_handler(PosterItem, version=f"{PROMPT_VERSION}/{SLOTS.version}", loads=(LIBRARIES, "google.genai"))
async def handle(item: PosterItem, services: Services) -> PosterRow:
    # Of any type: stores serve images as octet-stream, and HTML as JPEG. The bytes will tell.
    page = await services.fetch(item.url, accept="*/*", max_bytes=item.max_bytes, seconds=item.download_timeout)
    picture = await read(page.body)  # pure; raises Skipped("not_an_image"), Rejected("truncated"), ...
    services.unless_unchanged(picture.sha256)
    sight = await look(picture, services)
    analysis = await analyse(picture, sight.elements, item.title)  # pure: the model decides no geometry
    return poster_row(item, picture, sight, analysis, attempts=services.attempt)


async def look(picture: "Picture", services: Services) -> Sight:
    """What is on the poster: what the model said of the same image before, or what it says now."""
    image = Image(await for_model(picture), "image/jpeg")  # before a slot is booked: the call leaves in time
    row = await services.known(picture.sha256, version=PROMPT_VERSION)
    if row is not None:
        return sight_again(row)
    return sight_of(await services.gemini.ask(PROMPT, QUESTION, into=Vision, image=image))
