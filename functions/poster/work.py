"""Work on the processor: in one thread beside the loop, for an instance has one core and other items wait for hosts.

A decoded poster is large: one is in hand at a time, and items go on with a small copy. In several threads each would
keep memory of its own for the next large one. numpy and Pillow are loaded while the first poster is on its way.
"""

import asyncio
import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from functions.poster.row import Element
from functions.poster.slots import SLOTS
from shared.loading import load

if TYPE_CHECKING:
    from functions.poster.analysis import Analysis
    from functions.poster.reading import Picture

R = TypeVar("R")

# All that computes, and with it numpy and Pillow.
LIBRARIES = "functions.poster.analysis"


async def read(body: bytes) -> "Picture":
    """As reading.read_image."""
    await load(LIBRARIES)
    from functions.poster.reading import read_image  # noqa: PLC0415 - with numpy and Pillow: loaded by now

    return await _alone(lambda: read_image(body))


async def for_model(picture: "Picture") -> bytes:
    """The JPEG that the model is shown."""
    return await _alone(lambda: picture.for_model)


async def analyse(picture: "Picture", elements: list[Element], title: str | None) -> "Analysis":
    """As analysis.analyse, for the slots of this function."""
    from functions.poster import analysis  # noqa: PLC0415 - likewise

    return await _alone(lambda: analysis.analyse(picture, elements, title, SLOTS))


async def _alone(do: Callable[[], R]) -> R:
    return await asyncio.get_running_loop().run_in_executor(_core(), do)


@functools.cache
def _core() -> ThreadPoolExecutor:
    """Made at the first poster: a thread that was there before the server forks would be gone."""
    return ThreadPoolExecutor(1, thread_name_prefix="poster")
