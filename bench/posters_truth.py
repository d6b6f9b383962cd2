"""posters_truth: posters of known truth, asked of the local model, and what poster then calls safe.

Posters are drawn from seeds that nobody has seen before (or from --first); each goes the way of an item, from its
JPEG over the Gemini-compatible server to the zones, and is compared with where its faces and title were drawn.

    python -m bench.posters_truth [--posters N] [--first SEED]

false_safe   of the slots called safe: those that hide over 2 % of a face, or any ink of the title
exact        with the true boxes fed in, the same slots come out unsafe for a face or the title as counting says
"""

import argparse
import json
import secrets
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import psutil
from google import genai
from google.genai import types

from bench.posters.poster import Poster, poster
from bench.record import ROOT, write
from functions.poster.analysis import analyse
from functions.poster.prompt import PROMPT, QUESTION
from functions.poster.reading import Picture, read_image
from functions.poster.row import Box, Element, Zone
from functions.poster.slots import SLOTS
from functions.poster.vision import Vision, elements_of

MODEL = "gemini-3.5-flash-lite"
TUNED_ON = 1_000  # seeds below it were looked at while the detectors were set up: a run over them is not recorded
AIMS = {"false_safe": 0.01, "title_iou": 0.7, "face_recall": 0.9}
MOST_OF_A_FACE = 0.02


@dataclass
class Tally:
    """What was counted over all posters."""

    faces: int = 0
    faces_found: int = 0
    false_faces: int = 0
    face_ious: list[float] = field(default_factory=list)
    title_ious: list[float] = field(default_factory=list)
    false_titles: int = 0
    safe: int = 0
    false_safe: list[str] = field(default_factory=list)
    missed_safe: int = 0
    truly_safe: int = 0
    inexact: int = 0
    seconds: list[float] = field(default_factory=list)


def main() -> None:
    args = _arguments()
    tally = Tally()
    with served() as (client, process):
        for seed in range(args.first, args.first + args.posters):
            _measure(poster(seed), seed, client, tally)
        memory = process.memory_info().rss
    figures = _figures(tally, args.first, args.posters, memory)
    if args.first < TUNED_ON:
        print(json.dumps(figures, indent=1))
    else:
        write("posters_truth", figures)
    sys.exit(0 if all(figures["promises"].values()) else "a promise was broken")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.posters_truth")
    parser.add_argument("--posters", type=int, default=120)
    parser.add_argument("--first", type=int, default=TUNED_ON + secrets.randbelow(10**9), metavar="SEED")
    return parser.parse_args()


@contextmanager
def served() -> Iterator[tuple[genai.Client, psutil.Process]]:
    """The local server in a process of its own, as `make run` has it."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
    with tempfile.TemporaryDirectory() as cache:
        command = [sys.executable, "-m", "local.gemini", "--port", str(port), "--cache", cache]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
        try:
            _await_live(port)
            options = types.HttpOptions(base_url=f"http://127.0.0.1:{port}", timeout=120_000)
            yield genai.Client(api_key="bench", http_options=options), psutil.Process(process.pid)
        finally:
            process.terminate()
            process.wait(10)


def _await_live(port: int) -> None:
    for _ in range(200):
        try:
            httpx.get(f"http://127.0.0.1:{port}/live").raise_for_status()
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError("the local Gemini server did not start")


def _measure(made: Poster, seed: int, client: genai.Client, tally: Tally) -> None:
    picture = read_image(made.jpeg())
    started = time.perf_counter()
    elements = _asked(client, picture)
    tally.seconds.append(time.perf_counter() - started)
    _compare_faces(made, elements, tally)
    _compare_title(made, elements, tally)
    _compare_zones(made, seed, analyse(picture, elements, None, SLOTS).zones, tally)
    tally.inexact += _inexact(made, analyse(picture, _true_elements(made), None, SLOTS).zones)


def _asked(client: genai.Client, picture: Picture) -> list[Element]:
    """As poster asks."""
    image = types.Part.from_bytes(data=picture.for_model, mime_type="image/jpeg")
    answer = client.models.generate_content(
        model=MODEL,
        contents=types.Content(role="user", parts=[image, types.Part.from_text(text=QUESTION)]),
        config=types.GenerateContentConfig(
            system_instruction=PROMPT, response_mime_type="application/json", response_schema=Vision
        ),
    )
    return elements_of(Vision.model_validate_json(answer.text or ""))


def _compare_faces(made: Poster, elements: Sequence[Element], tally: Tally) -> None:
    found = [element.box for element in elements if element.type == "face"]
    best = [max((iou(made.fraction(face), box) for box in found), default=0.0) for face in made.faces]
    hits = [value for value in best if value >= 0.5]
    tally.faces += len(made.faces)
    tally.faces_found += len(hits)
    tally.face_ious += hits
    tally.false_faces += len(found) - len(hits)


def _compare_title(made: Poster, elements: Sequence[Element], tally: Tally) -> None:
    found = [element.box for element in elements if element.type == "title"]
    if made.title:
        truth = _around([made.fraction(line) for line in made.title])
        tally.title_ious.append(iou(truth, _around(found)) if found else 0.0)
    elif found:
        tally.false_titles += 1


def _compare_zones(made: Poster, seed: int, zones: Sequence[Zone], tally: Tally) -> None:
    for zone in zones:
        hides = _hides(made, zone.box)
        tally.safe += zone.safe
        if zone.safe and hides:
            tally.false_safe.append(f"{seed} {zone.slot}: {hides}")
        # Contrast makes a slot unsafe too; that is not the detectors' doing.
        if not hides and "low_contrast" not in zone.reasons:
            tally.truly_safe += 1
            tally.missed_safe += not zone.safe


def _hides(made: Poster, slot: Box) -> str:
    """What of the truth an overlay in this slot would hide, counted apart from the function's own geometry."""
    faces = [made.fraction(face) for face in made.faces]
    if any(_shared(face, slot) > MOST_OF_A_FACE * _area(face) for face in faces):
        return "face"
    return "title" if any(_shared(made.fraction(line), slot) > 0 for line in made.title) else ""


def _true_elements(made: Poster) -> list[Element]:
    def element(kind: str, box: Box) -> Element:
        return Element.model_validate(
            {
                "type": kind,
                "box": made.fraction(box),
                "text": None,
                "language": None,
                "confidence": 1,
                "source": "model",
            }
        )

    return [*(element("face", box) for box in made.faces), *(element("title", box) for box in made.title)]


def _inexact(made: Poster, zones: Sequence[Zone]) -> int:
    blamed = [bool({"covers_face", "covers_title"} & set(zone.reasons)) for zone in zones]
    return sum(bool(_hides(made, zone.box)) != blame for zone, blame in zip(zones, blamed, strict=True))


def iou(one: Box, other: Box) -> float:
    both = _shared(one, other)
    return both / max(1e-12, _area(one) + _area(other) - both)


def _area(box: Box) -> float:
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def _shared(one: Box, other: Box) -> float:
    return _area((max(one[0], other[0]), max(one[1], other[1]), min(one[2], other[2]), min(one[3], other[3])))


def _around(boxes: Sequence[Box]) -> Box:
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def _figures(tally: Tally, first: int, posters: int, memory: int) -> dict[str, Any]:
    recall = tally.faces_found / max(1, tally.faces)
    title = statistics.mean(tally.title_ious)
    rate = len(tally.false_safe) / max(1, tally.safe)
    return {
        "promises": {
            f"false-safe rate <= {AIMS['false_safe']:.0%}": rate <= AIMS["false_safe"],
            f"title box IoU >= {AIMS['title_iou']}": title >= AIMS["title_iou"],
            f"face recall at IoU 0.5 >= {AIMS['face_recall']}": recall >= AIMS["face_recall"],
            "with true boxes, geometry is exact": tally.inexact == 0,
        },
        "figures": {
            "posters": posters,
            "false_safe_rate": round(rate, 4),
            "slots_called_safe": tally.safe,
            "slots_falsely_safe": len(tally.false_safe),
            "slots_needlessly_unsafe": round(tally.missed_safe / max(1, tally.truly_safe), 4),
            "title_iou": round(title, 4),
            "titles_at_iou_0.7": round(statistics.mean(iou >= 0.7 for iou in tally.title_ious), 4),
            "titles_on_textless": tally.false_titles,
            "faces": tally.faces,
            "face_recall_at_iou_0.5": round(recall, 4),
            "face_iou": round(statistics.mean(tally.face_ious or [0]), 4),
            "faces_that_are_none": tally.false_faces,
            "ms_per_poster_median": round(statistics.median(tally.seconds) * 1000),
            "ms_first": round(tally.seconds[0] * 1000),
            "server_rss_mb": round(memory / 2**20),
        },
        "name": "local model on drawn posters",
        "scaled": "",
        "seconds": round(sum(tally.seconds)),
        "seed": first,
        "false_safe": tally.false_safe[:20],
    }


if __name__ == "__main__":
    main()
