"""poster_compute: what poster costs the processor, beside decoding alone, in one run and in turns.

decode      Pillow's decoding of a 1000x1500 JPEG, nothing else
compute     from the bytes to zones, crops, quality, title and thumbnail; the boxes are known
for_model   the copy that the model is sent, made besides

    python -m bench.poster_compute
"""

import io
import itertools
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from PIL import Image

from bench.posters.poster import Poster, poster
from bench.record import write
from functions.poster.analysis import analyse
from functions.poster.reading import read_image
from functions.poster.row import Element
from functions.poster.slots import SLOTS

SIZE = (1000, 1500)
POSTERS = 12
ROUNDS = 25
AIM = 4.0


@dataclass(frozen=True)
class Sample:
    body: bytes
    elements: list[Element]


def samples() -> list[Sample]:
    """Drawn posters of one size, with the boxes that are known of them."""
    drawn = (made for made in (poster(seed) for seed in itertools.count(1)) if made.picture.size == SIZE)
    return [Sample(one.jpeg(), list(elements(one))) for one in itertools.islice(drawn, POSTERS)]


def elements(one: Poster) -> Iterator[Element]:
    for kind, boxes in (("face", one.faces), ("title", one.title), ("text", [box for _, box in one.words])):
        for box in map(one.fraction, boxes):
            yield Element(type=kind, box=box, text=None, language=None, confidence=None, source="model")


def decode(sample: Sample) -> None:
    Image.open(io.BytesIO(sample.body), formats=("JPEG",)).load()


def compute(sample: Sample) -> None:
    analyse(read_image(sample.body), sample.elements, None, SLOTS)


def seconds(work: Callable[[Sample], object], sample: Sample) -> float:
    started = time.perf_counter()
    work(sample)
    return time.perf_counter() - started


def main() -> None:
    given = samples()
    pictures = {id(sample): read_image(sample.body) for sample in given}
    tasks: dict[str, Callable[[Sample], object]] = {
        "decode": decode,
        "compute": compute,
        "for_model": lambda sample: type(pictures[id(sample)]).for_model.func(pictures[id(sample)]),
    }
    found: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(ROUNDS):
        for sample in given:
            for name, work in tasks.items():
                found[name].append(seconds(work, sample))
    milliseconds = {name: round(statistics.median(times) * 1000, 2) for name, times in found.items()}
    ratios = [many / one for many, one in zip(found["compute"], found["decode"], strict=True)]
    over = round(statistics.median(ratios), 2)
    size = round(statistics.mean(len(sample.body) for sample in given))
    figures = {"posters": POSTERS, "pixels": "1000x1500", "jpeg_bytes": size, "rounds": ROUNDS}
    write("poster_compute", {**figures, "milliseconds": milliseconds, "compute_over_decode": over, "aim": AIM})


if __name__ == "__main__":
    main()
