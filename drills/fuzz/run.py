"""One target, in a process of its own: python -m drills.fuzz.run TARGET SECONDS FOLDER. Needs atheris (`make fuzz`)."""

import sys
from pathlib import Path

import atheris  # type: ignore[import-untyped, import-not-found, unused-ignore]

LIBRARIES = ["PIL", "w3lib", "httpx", "idna", "trafilatura", "htmldate", "courlan", "justext"]
with atheris.instrument_imports(include=["functions", "shared", *LIBRARIES]):
    from drills.fuzz import targets

from drills.fuzz.found import Found  # noqa: E402 - the watcher itself is not looked into
from drills.fuzz.mutation import mutate  # noqa: E402
from drills.fuzz.seeds import SEEDS, WORDS  # noqa: E402

# What is larger in life only slows the search down.
MOST_BYTES = {"image": 8192, "article": 8192, "markup": 4096}
OF_JSON = ("vision", "task", "push", "gemini")


def main() -> None:
    name, seconds, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    corpus = folder / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(SEEDS[name]()):
        (corpus / f"seed-{number}").write_bytes(seed)
    words = folder / f"{name}.dict"
    words.write_text("".join(f'"{escaped(word)}"\n' for word in WORDS.get(name, ())))
    options = [
        f"-max_total_time={seconds}", "-timeout=60", "-rss_limit_mb=4000", f"-max_len={MOST_BYTES.get(name, 2048)}",
        f"-dict={words}", f"-artifact_prefix={folder / name}-", "-print_final_stats=1", "-use_value_profile=1",
    ]  # fmt: skip
    by = {"custom_mutator": mutate} if name in OF_JSON else {}
    watched = Found(folder / f"{name}.found").watched(targets.TARGETS[name])
    atheris.Setup([sys.argv[0], *options, str(corpus)], watched, **by)
    atheris.Fuzz()


def escaped(word: bytes) -> str:
    """As libFuzzer's dictionaries have it."""
    return "".join(chr(b) if 32 <= b < 127 and b not in b'"\\' else f"\\x{b:02x}" for b in word)


if __name__ == "__main__":
    main()
