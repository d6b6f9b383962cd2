"""loading: heavy modules are imported in a thread. A loop that stands still makes every other item miss its slot."""

import asyncio
from importlib import import_module

_loaded: set[str] = set()


async def load(module: str) -> None:
    """Return once `import module` costs nothing."""
    if module not in _loaded:
        await asyncio.to_thread(import_module, module)
        _loaded.add(module)
