import math
import multiprocessing

import pytest
from google.genai import errors

from local.gemini.minilm_onnx import built

MODEL = "gemini-embedding-001"


def cosine(one, other):
    return sum(a * b for a, b in zip(one, other, strict=True))


def test_texts_that_mean_the_same_are_near(client):
    texts = ["The new movie is awesome", "The new movie is so great", "Dogs bark at the postman"]

    one, same, other = (each.values for each in client.models.embed_content(model=MODEL, contents=texts).embeddings)

    assert len(one) == 384
    # The published cosine of these two sentences under all-MiniLM-L6-v2.
    assert cosine(one, same) == pytest.approx(0.8939, abs=0.001)
    assert cosine(one, other) < 0.3


def test_fewer_dimensions_are_the_first_ones_at_unit_length(client):
    whole = client.models.embed_content(model=MODEL, contents="harbour").embeddings[0].values

    config = {"output_dimensionality": 64}
    short = client.models.embed_content(model=MODEL, contents="harbour", config=config).embeddings[0].values

    assert len(short) == 64
    assert math.hypot(*short) == pytest.approx(1)
    assert short[0] / short[1] == pytest.approx(whole[0] / whole[1])


def test_more_dimensions_than_there_are_is_refused(client):
    with pytest.raises(errors.ClientError, match="none are invented") as refusal:
        client.models.embed_content(model=MODEL, contents="x", config={"output_dimensionality": 768})

    assert refusal.value.code == 400


def test_a_text_beyond_the_window_and_an_empty_one_are_embedded_too(minilm):
    vectors = minilm.vectors(["word " * 5_000, ""])

    assert [math.hypot(*vector) for vector in vectors] == pytest.approx([1, 1], abs=1e-4)


def test_the_order_of_a_batch_does_not_matter(minilm):
    texts = [f"Sentence number {'very ' * (i % 7)}{i}" for i in range(40)]

    together = minilm.vectors(texts)

    for number in (0, 17, 39):
        alone = minilm.vectors([texts[number]])[0]
        assert cosine(together[number], alone) == pytest.approx(1, abs=1e-4)


def test_processes_that_build_the_model_at_once_agree(tmp_path):
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        paths = pool.map(built, [tmp_path / "models"] * 2)

    assert paths[0] == paths[1]
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["minilm-l6-v2.onnx"]
