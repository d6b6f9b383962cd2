"""The truth about a drawn poster is what was drawn."""

import numpy as np
import pytest
from PIL import Image

from bench.posters.face import SKINS, box_of, paste
from bench.posters.lettering import Cut, set_line
from bench.posters.poster import poster
from samples.posters.draw import person

SEEDS = range(500, 508)


@pytest.fixture(scope="module")
def made():
    return [poster(seed) for seed in SEEDS]


def ink_of(picture, ground):
    """The box around all that differs clearly from the ground."""
    differs = np.abs(np.asarray(picture, np.int16) - np.array(ground)).sum(axis=2) > 90
    rows, columns = np.flatnonzero(differs.any(axis=1)), np.flatnonzero(differs.any(axis=0))
    return columns[0], rows[0], columns[-1] + 1, rows[-1] + 1


@pytest.mark.parametrize(
    "cut",
    [
        Cut(colour=(250, 250, 250)),
        Cut(stretch=0.7, weight=0.03, colour=(250, 250, 250), shadow=True),
        Cut(slant=0.15, spacing=0.15, colour=(250, 250, 250)),
        Cut(colour=(20, 20, 20), outline=(250, 250, 250)),
    ],
)
def test_the_box_of_a_line_is_the_box_of_its_ink(cut):
    picture = Image.new("RGB", (900, 200), (90, 90, 90))

    box = set_line(picture, "HARBOUR", cut, (60, 50, 80))

    dark_and_light = ink_of(picture, (90, 90, 90)) if not cut.shadow else ink_of(picture.point(lit), (90, 90, 90))
    assert np.abs(np.array(box) - np.array(dark_and_light)).max() <= 2


def lit(value):
    """Without the shadow, which is darker than the ground."""
    return max(value, 90)


def test_the_box_of_a_face_is_where_its_skin_is():
    face, ground = person(3), (0, 0, 255)
    picture = Image.new("RGB", (600, 600), ground)

    box = paste(picture, face, (300, 300), 240)

    x0, y0, x1, y1 = (round(edge) for edge in box)
    assert box == box_of(face, (300, 300), 240)
    assert (y1 - y0, x1 - x0 > 160) == (240, True)
    middle = np.asarray(picture.crop((x0 + 60, y0 + 130, x1 - 60, y1 - 90)), float).mean(axis=(0, 1))
    assert np.abs(middle - np.array(SKINS[3])).max() < 60


def test_a_seed_gives_the_same_poster_again(made):
    again = poster(SEEDS[2])

    assert again.jpeg() == made[2].jpeg()
    assert (again.faces, again.title, again.words) == (made[2].faces, made[2].title, made[2].words)
    assert made[2].jpeg() != made[3].jpeg()


def test_all_that_counts_lies_in_the_picture(made):
    for each in made:
        for box in (*each.faces, *each.title):
            x0, y0, x1, y1 = each.fraction(box)
            assert 0 <= x0 < x1 <= 1
            assert 0 <= y0 < y1 <= 1


def test_people_differ(made):
    assert len({len(each.faces) for each in made}) > 1
    assert len({each.title_text for each in made}) > 5
