"""What the lock files may not hold."""

from pathlib import Path

import pytest

LOCKS = sorted((Path(__file__).parents[2] / "locks").glob("*.txt"))


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_no_function_brings_the_client_that_sends_a_lost_request_again(lock: Path):
    """google-genai takes aiohttp where it is installed, and may pay twice for one question then."""
    names = {line.partition("==")[0] for line in lock.read_text().splitlines() if "==" in line}

    assert "aiohttp" not in names
