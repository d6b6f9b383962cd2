"""Which of a poster's texts is its title, and whether it could be read on a thumbnail."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from functions.poster.light import Light
from functions.poster.title import ALIKE, alike, title_of, with_title

from .pictures import element

PLAIN = Light(np.full((512, 341, 3), 30, dtype=np.uint8))


def lettered(box, color=(255, 255, 255)):
    """Bars like letters within the box, on dark."""
    image = Image.new("RGB", (341, 512), (30, 30, 30))
    x0, y0, x1, y1 = (int(at * side) for at, side in zip(box, image.size * 2, strict=True))
    for x in range(x0, x1, 6):
        ImageDraw.Draw(image).rectangle([x, y0, x + 2, y1], fill=color)
    return Light(np.asarray(image))


def types(elements):
    return [one.type for one in elements]


def test_a_title_of_two_lines_is_one_title():
    lower, upper = element("title", (0.1, 0.8, 0.9, 0.88), "FERRY"), element("title", (0.2, 0.7, 0.8, 0.78), "NIGHT")

    title = title_of([lower, upper], "The Night Ferry", PLAIN)

    assert (title.text, title.lines, title.box) == ("NIGHT FERRY", 2, (0.1, 0.7, 0.9, 0.88))
    assert title.match == pytest.approx(0.8462, abs=0.001)


def test_a_textless_poster_has_no_title():
    assert title_of([element("face", (0, 0, 1, 1))], "Night Ferry", PLAIN) is None


def test_text_that_says_the_given_title_is_the_title():
    elements = [element("text", (0, 0.1, 1, 0.2), "Café Noir"), element("text", (0, 0.9, 1, 0.92), "A film by A. Holm")]

    known = with_title(elements, "CAFE NOIR")

    assert types(known) == ["title", "text"]
    assert known[0].source == "title_match"


def test_lines_that_say_the_given_title_together_are_the_title():
    lines = [
        element("text", (0, 0.1 * n, 1, 0.1 * n + 0.08), word) for n, word in enumerate(["The Last", "Lantern", "1987"])
    ]

    assert types(with_title(lines, "The last lantern")) == ["title", "title", "text"]


@pytest.mark.parametrize("signs", ["★★★★★", "—", "•", "★️"])
def test_signs_alone_are_no_line_of_a_title(signs):
    texts = ["NIGHT", "FERRY", signs]
    lines = [element("text", (0, 0.1 * n, 1, 0.1 * n + 0.08), text) for n, text in enumerate(texts)]

    assert types(with_title(lines, "Night Ferry")) == ["title", "title", "text"]


def test_a_title_of_signs_is_those_signs():
    elements = [element("text", (0, 0.1, 1, 0.4), "★★★★★"), element("text", (0, 0.5, 1, 0.6), "$")]

    assert types(with_title(elements, "$")) == ["text", "title"]


@pytest.mark.parametrize("given", [None, "", "Quite another film"])
def test_without_a_likeness_nothing_is_made_a_title(given):
    elements = [element("text", (0, 0.1, 1, 0.2), "NIGHT FERRY")]

    assert with_title(elements, given) == elements


def test_a_title_that_the_model_found_stands():
    elements = [element("title", (0, 0.1, 1, 0.2), "NIGHT FERRY"), element("text", (0, 0.9, 1, 0.92), "Night Ferry")]

    assert with_title(elements, "Night Ferry") == elements


@pytest.mark.parametrize(
    ("box", "color", "height", "legible"),
    [
        ((0.1, 0.5, 0.9, 0.6), (255, 255, 255), 24.0, True),
        ((0.1, 0.5, 0.9, 0.53), (255, 255, 255), 7.2, False),
        ((0.1, 0.5, 0.9, 0.6), (60, 60, 60), 24.0, False),
    ],
    ids=["large and white", "too small", "grey on dark"],
)
def test_a_title_can_be_read_on_a_thumbnail_when_it_is_large_and_stands_out(box, color, height, legible):
    title = title_of([element("title", box, "NIGHT FERRY")], None, lettered(box, color))

    assert title.thumbnail_px == pytest.approx(height, abs=0.1)
    assert title.legible == legible
    assert title.match is None


def test_likeness_looks_past_case_accents_and_signs():
    assert alike("L'Été — 1987!", "l ete 1987") == 1
    assert alike("Night Ferry", "") == 0


def test_signs_count_where_there_is_nothing_else():
    assert alike("$", "") == alike("$", "★★★★★") == alike("!!!", "★") == 0
    assert alike("!!!", "!!!") == 1


def test_vowels_that_are_written_as_signs_count():
    assert alike("ปี", "ปู") < ALIKE
    assert alike("काली", "कला") < ALIKE
    assert alike("काली रात", "काली  रात!") == 1
