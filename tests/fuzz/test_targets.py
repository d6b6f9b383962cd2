"""What fuzzing begins with, and what it found: each ends as a value or as an outcome. `make fuzz` looks for more."""

import random

import pytest

from drills.fuzz.found import Found, kind_of
from drills.fuzz.mutation import mutate
from drills.fuzz.seeds import SEEDS, WORDS
from drills.fuzz.targets import TARGETS

# What Pillow and the SDK find odd in odd input.
pytestmark = pytest.mark.filterwarnings("ignore")
MET = [
    ("charset", b"\x08>\xff"),
    ("charset", b"\x09Q\xf6"),
    ("charset", b"\x80undefined\n<p>text"),
    ("article", b"\x08<p>\xff text"),
    ("markup", b"<p>before<script>x</script>&#3;after"),
    ("urls", b"http://1.2.3.08."),
    ("urls", b"http://999.1.1.1./"),
    ("urls", b"http://a.test/?" + "Þ".encode() * 400),
    ("push", b'{"sweep": true}\n{"message": {"messageId": "1", "data": "DATA", "publishTime": "0001-01-01"}}'),
    ("push", b'{"sweep": true}\n{"message": {"messageId": "\\ud800", "data": "DATA"}}'),
    ("gemini", b'E\n{"error":0}'),
    ("gemini", b'E\n{"error": {"details": 1}}'),
    ("gemini", b'E\n{"error": {"details": [{"violations": 1}]}}'),
    ("gemini", b"S\n" + b"9" * 5000),
    ("vision", b"\n" + b"[" * 100_000),
]


def test_every_target_has_seeds():
    assert set(SEEDS) == set(TARGETS) >= set(WORDS)


@pytest.mark.parametrize("name", TARGETS)
def test_a_good_input_passes_and_so_do_a_hundred_like_it(name):
    chance = random.Random(name)
    for seed in SEEDS[name]():
        TARGETS[name](seed)
        for _ in range(3 if name in {"article", "image"} else 100):
            TARGETS[name](mutate(seed, 8192, chance.randrange(1 << 32)))


@pytest.mark.parametrize(("name", "data"), MET)
def test_what_was_found_once_stays_mended(name, data):
    TARGETS[name](data)


def test_a_failure_is_kept_with_the_smallest_input_that_shows_it(tmp_path):
    def fails(data):
        raise ZeroDivisionError(len(data))

    watched = Found(tmp_path / "found").watched(fails)
    for data in (b"long enough", b"short", b"longer again"):
        watched(data)

    (told,) = (tmp_path / "found").glob("*.txt")
    assert told.with_suffix("").read_bytes() == b"short"
    assert told.read_text().startswith("ZeroDivisionError at test_targets.py:")


def test_a_failure_is_of_the_projects_line_it_came_through():
    with pytest.raises(Exception) as raised:  # noqa: PT011 - whichever
        TARGETS["task"](None)  # type: ignore[arg-type]

    assert kind_of(raised.value).startswith("AttributeError at targets.py:")
