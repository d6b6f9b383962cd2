"""Tokens and sentence vectors by all-MiniLM-L6-v2, loaded when first needed, on one thread."""

import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from local.gemini.minilm_onnx import WIDTH, built, model_folder

LONGEST_IN_TOKENS = 256
_BATCH = 16
# Beyond this, counting every token takes longer than the answer: the rest is counted by the share of the start.
_COUNTED_IN_CHARACTERS = 200_000


class MiniLM:
    def __init__(self, cache: Path) -> None:
        self._cache = cache

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        tokenizer = Tokenizer.from_file(str(model_folder() / "tokenizer.json"))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return tokenizer

    @cached_property
    def _session(self) -> Any:
        # Read when the library is imported; newer versions of it send usage data home unless told so.
        os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
        import onnxruntime  # noqa: PLC0415 - 100 ms and 60 MB that only embeddings need

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        return onnxruntime.InferenceSession(str(built(self._cache)), options, providers=["CPUExecutionProvider"])

    def count(self, text: str) -> int:
        """Tokens of the text; an estimate past 200,000 characters."""
        start = text[:_COUNTED_IN_CHARACTERS]
        tokens = len(self._tokenizer.encode(start, add_special_tokens=False).ids)
        return tokens if len(start) == len(text) else round(tokens * len(text) / len(start))

    def head(self, text: str, tokens: int) -> str:
        """The text's first `tokens` tokens, as written."""
        if len(text) <= tokens:
            return text
        offsets = self._tokenizer.encode(text, add_special_tokens=False).offsets
        return text if len(offsets) <= tokens else text[: offsets[tokens - 1][1]] if tokens > 0 else ""

    def vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One unit vector of 384 numbers per text; what is past 256 tokens is not seen."""
        out = np.zeros((len(texts), WIDTH), np.float32)
        encoded = [self._tokenizer.encode(text).ids for text in texts]
        by_length = sorted(range(len(texts)), key=lambda i: len(encoded[i]))
        for at in range(0, len(texts), _BATCH):
            rows = by_length[at : at + _BATCH]
            out[rows] = self._run([_cut(encoded[row]) for row in rows])
        return out

    def closest(self, texts: Sequence[str], labels: Sequence[str]) -> tuple[int, float]:
        """The label nearest in meaning to the texts' mean: (its number, cosine)."""
        vectors = self.vectors([*texts, *labels])
        mean = vectors[: len(texts)].mean(axis=0)
        scores = vectors[len(texts) :] @ mean / max(float(np.linalg.norm(mean)), 1e-9)
        return int(scores.argmax()), float(scores.max())

    def _run(self, rows: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        longest = max(map(len, rows))
        ids = np.array([[*row, *[0] * (longest - len(row))] for row in rows], np.int64)
        mask = np.array([[1] * len(row) + [0] * (longest - len(row)) for row in rows], np.int64)
        result: NDArray[np.float32] = self._session.run(None, {"input_ids": ids, "attention_mask": mask})[0]
        return result


def _cut(ids: Sequence[int]) -> Sequence[int]:
    """At most 256 tokens, the closing [SEP] kept."""
    return ids if len(ids) <= LONGEST_IN_TOKENS else [*ids[: LONGEST_IN_TOKENS - 1], ids[-1]]
