"""Heavy modules are loaded once, beside the loop, and are no garbage."""

import gc
import sys

import pytest

from shared.loading import load, load_now


@pytest.fixture
def module(tmp_path, monkeypatch):
    """The name of a module that remembers whether garbage was looked for while it was loaded."""
    (tmp_path / "heavy_module.py").write_text("import gc\nlooked = gc.isenabled()\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield "heavy_module"
    sys.modules.pop("heavy_module", None)


async def test_no_garbage_is_looked_for_while_a_module_loads_and_again_after_it(module):
    await load(module)

    assert not sys.modules[module].looked
    assert gc.isenabled()


def test_garbage_is_looked_for_again_also_where_there_is_no_such_module():
    with pytest.raises(ModuleNotFoundError):
        load_now("no_such_module")

    assert gc.isenabled()
