"""loading: heavy modules are imported in a thread. A loop that stands still makes every other item miss its slot."""

import asyncio
import gc
from collections.abc import Sequence
from importlib import import_module

_loaded: set[str] = set()
_loading: set[asyncio.Task[None]] = set()


async def load(module: str) -> None:
    """Return once `import module` costs nothing."""
    if module not in _loaded:
        await asyncio.to_thread(load_now, module)
        _loaded.add(module)


def load_now(module: str) -> None:
    """Import it for good: no garbage is looked for meanwhile, which takes a seventh of the time, nor in it later."""
    gc.disable()
    try:
        import_module(module)
    finally:
        gc.freeze()
        gc.enable()


def load_beside(modules: Sequence[str]) -> None:
    """Begin to load them, one after the other, while the first item waits for the database and its page."""

    async def each() -> None:
        for module in modules:
            await load(module)

    task = asyncio.create_task(each())
    # The loop itself holds tasks weakly.
    _loading.add(task)
    task.add_done_callback(_loading.discard)
