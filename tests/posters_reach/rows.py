"""Rows of poster_analyses as the function poster keeps them, drawn by hand."""

import base64
import io
import json

from PIL import Image

SLOTS = {
    "badge_top_left": [0.015, 0.010, 0.320, 0.080], "badge_top_right": [0.680, 0.010, 0.985, 0.080],
    "rating_left": [0.030, 0.310, 0.190, 0.690], "title_bottom": [0.0, 0.700, 1.0, 0.920],
    "progress_bar": [0.0, 0.960, 1.0, 1.0],
}  # fmt: skip


def thumbnail(colour=(70, 90, 140), size=(160, 240)):
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, "JPEG", quality=60)
    return f"data:image/jpeg;base64,{base64.b64encode(out.getvalue()).decode()}"


def zone(slot, *, safe=True, score=0.9, reasons=()):
    return {
        "slot": slot, "role": slot.split("_")[0], "box": SLOTS.get(slot, [0, 0, 1, 0.1]), "safe": safe, "score": score,
        "reasons": list(reasons), "occlusion": {} if safe else {"face": 0.2}, "hidden": {}, "flatness": 0.8,
        "luminance": 0.2, "text_color": "#ffffff", "contrast": 7.5,
    }  # fmt: skip


def analysis(content_id, *, score=0.9, **differs):
    """A row but for item_id; every zone has the same score."""
    safe = score >= 0.5
    zones = [zone(slot, safe=safe, score=score, reasons=() if safe else ("covers_face",)) for slot in SLOTS]
    return {
        "content_id": content_id, "url": f"http://posters.test/{content_id}.jpg",
        "image": {
            "sha256": "0" * 64, "width": 1000, "height": 1500, "format": "jpeg", "bytes": 90_000, "mode": "RGB",
            "flags": [],
        },
        "elements": [
            {"type": "face", "box": [0.35, 0.2, 0.65, 0.45], "text": None, "language": None, "confidence": 0.97,
             "source": "model"},
            {"type": "title", "box": [0.1, 0.75, 0.9, 0.88], "text": "The Tin Exchange", "language": "en",
             "confidence": 0.99, "source": "model"},
        ],
        "title": {
            "text": "The Tin Exchange", "box": [0.1, 0.75, 0.9, 0.88], "lines": 1, "match": 1.0, "thumbnail_px": 24.0,
            "contrast": 12.0, "legible": True,
        },
        "zones": zones,
        "recommended": {"badge": {"slot": "badge_top_left", "safe": safe, "score": score}},
        "crops": {"1:1": {"box": [0, 0.1, 1, 0.76], "keep": [0.1, 0.2, 0.9, 0.88], "kept": 0.9, "loses": []}},
        "quality": {"flags": ["busy"], "sharpness": 0.7, "busyness": 0.6, "bars": [0, 0, 0, 0]},
        "thumbnail": thumbnail(), "model": "gemini-3.5-flash-lite", "prompt_version": "poster-1",
        "slots_version": "slots-1", "tokens_in": 1200, "tokens_out": 300, "cost_usd": 0.0006, "latency_ms": 900,
        "attempts": 1, **differs,
    }  # fmt: skip


def as_columns(row):
    return {name: json.dumps(value) if isinstance(value, dict | list) else value for name, value in row.items()}
