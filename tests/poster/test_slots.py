"""Slots are data: a customer brings his own, and a mistake is named with what to write."""

import subprocess
import sys

import pytest
import yaml

from functions.poster.slots import FILE, SLOTS, BadSlots, load, slots_of

GOOD = {"version": "mine-1", "slots": {"corner": {"role": "badge", "box": [0.0, 0, 0.5, 1]}}}


def test_a_file_of_ones_own_is_taken(tmp_path):
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(GOOD))

    slots = load(tmp_path / "mine.yaml")

    assert (slots.version, slots.all[0].name, slots.all[0].box) == ("mine-1", "corner", (0, 0, 0.5, 1))


def with_slot(**differs):
    return {**GOOD, "slots": {"corner": {**GOOD["slots"]["corner"], **differs}}}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "mine.yaml: must have the two keys version and slots"),
        ({**GOOD, "more": 1}, "must have the two keys"),
        ({**GOOD, "version": 2}, "version must be a word such as slots-2, not 2"),
        ({**GOOD, "version": "a/b"}, "version must be a word"),
        ({**GOOD, "slots": {}}, "slots must map 1 to 100 names"),
        ({**GOOD, "slots": {f"s{n}": GOOD["slots"]["corner"] for n in range(101)}}, "slots must map 1 to 100 names"),
        ({**GOOD, "slots": {"Top Left": GOOD["slots"]["corner"]}}, "Top Left: a slot is named in small letters"),
        ({**GOOD, "slots": {"corner": [0, 0, 1, 1]}}, "corner: write {role: badge, box:"),
        (with_slot(role=None), "corner: role must be a word such as badge, not None"),
        (with_slot(box="0 0 1 1"), "corner: box must be four numbers from 0 to 1"),
        (with_slot(box=[0, 0, 1]), "corner: box must be four numbers"),
        (with_slot(box=[0, 0, 1, 1.5]), "corner: box must be four numbers"),
        (with_slot(box=[0, 0, True, 1]), "corner: box must be four numbers"),
        (with_slot(box=[0, 0, float("nan"), 1]), "corner: box must be four numbers"),
        (with_slot(box=[0.5, 0, 0.2, 1]), "corner: box must have x1 above x0"),
        (with_slot(box=[0.5, 0.2, 0.9, 0.2001]), "corner: box must have x1 above x0 and y1 above y0, by 0.005"),
    ],
)
def test_a_mistake_is_named_with_what_to_write(content, said):
    with pytest.raises(BadSlots) as refused:
        slots_of(content, "mine.yaml")

    assert str(refused.value).startswith("mine.yaml: ")
    assert said in str(refused.value)


def test_the_command_checks_a_file(tmp_path):
    (tmp_path / "mine.yaml").write_text("version: [")

    checked = [
        subprocess.run(
            [sys.executable, "-m", "functions.poster.slots", file], capture_output=True, text=True, check=False
        )
        for file in (FILE, tmp_path / "mine.yaml", tmp_path / "none.yaml")
    ]

    assert [one.returncode for one in checked] == [0, 1, 1]
    assert checked[0].stdout == f"{SLOTS.version}: 13 slots of 8 roles\n"
    assert "mine.yaml: not YAML" in checked[1].stderr
    assert "none.yaml cannot be read: No such file or directory" in checked[2].stderr


def test_mirrored_slots_are_mirrors():
    boxes = {slot.name: slot.box for slot in SLOTS.all}

    for left, right in (("badge_top_left", "badge_top_right"), ("rating_left", "rating_right")):
        x0, y0, x1, y1 = boxes[left]
        assert boxes[right] == pytest.approx((1 - x1, y0, 1 - x0, y1))
