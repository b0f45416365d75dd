"""What packs and fusions rely on for every modality of the registry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import torch

from waver.features.derived import checked
from waver.modalities import derived_modalities
from waver.records import imported, load, method_config
from waver.registry import FUSIONS, MODALITIES

FRAMES, WORDS = 48, 6
Arrays = dict[str, dict[str, np.ndarray]]


def stores(there: bool, seed: int = 0) -> Arrays:
    """Arrays of one video by feature, see docs/stores.md; nobody is seen or heard unless ``there``."""
    draw = np.random.default_rng(seed)

    def drawn(*shape: int) -> np.ndarray:
        return draw.normal(size=shape).astype(np.float32)

    valid = np.full(FRAMES, there)
    valid[20:23] = False
    face = valid[:, None, None]
    words = WORDS if there else 0
    spoken = np.arange(FRAMES) // (FRAMES // WORDS) if there else np.full(FRAMES, -1)
    return {
        "faces": {
            "image": draw.integers(0, 256, (FRAMES, 256, 256, 3), dtype=np.uint8),
            "score": np.where(valid, np.float32(0.9), np.float32(0)),
            "box": np.where(face[..., 0], drawn(FRAMES, 4), np.float32(np.nan)),
            "landmarks": np.where(face, 100 + 30 * drawn(FRAMES, 5, 2), np.float32(np.nan)),
            "valid": valid,
            "source_frame": np.arange(FRAMES, dtype=np.int32),
        },
        "visual": {"feature": drawn(FRAMES, 16), "valid": valid},
        "audio": {
            "logmel": drawn(100 * FRAMES // 24, 64), "feature": drawn(FRAMES, 128), "valid": valid,
            "prosody": drawn(FRAMES, 3), "valence": np.full(FRAMES, np.nan, np.float32),
        },
        "speech": {name: np.sort(np.abs(drawn(words))) for name in ("start_s", "end_s", "probability")},
        "words": {"vector": drawn(words, 8), "word_of_frame": spoken.astype(np.int32)},
        "cues": {"feature": drawn(FRAMES, 25), "valid": valid},
    }  # fmt: skip


def _voicing(sources: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """As short a function as there can be."""
    return sources["audio"]["prosody"][:, 2:], sources["audio"]["valid"]


DERIVED: dict[str, tuple[Callable[..., Any], tuple[str, ...]]] = {
    "voicing of this test": (_voicing, ("audio",)),
    **{one.name: (imported(one.function), one.sources) for one in derived_modalities()},
}


@pytest.mark.parametrize("fusion", FUSIONS)
@pytest.mark.parametrize("name", [one.name for one in MODALITIES.values()])
def test_every_fusion_takes_it_beside_another_with_default_options(name, fusion):
    torch.manual_seed(0)
    dims = {"visual": 6, name: 5} if name != "visual" else {"visual": 6}
    model = load(FUSIONS, fusion)(dims, method_config(FUSIONS, fusion, {})).eval()
    given = {stream: torch.randn(2, 24, size, requires_grad=True) for stream, size in dims.items()}
    logits = model(given, torch.ones(2, 24, dtype=torch.bool))
    assert logits.shape == (2, 24, 2)
    logits.square().sum().backward()
    assert given[name].grad is not None
    assert given[name].grad.abs().sum() > 0


@pytest.mark.parametrize("name", DERIVED)
@pytest.mark.parametrize("there", [True, False])
def test_a_derived_modality_is_finite_of_one_size_and_the_same_twice(name, there):
    derive, sources = DERIVED[name]
    values, valid = checked(name, *derive({source: stores(there)[source] for source in sources}))
    again, other = (derive({source: stores(True, seed)[source] for source in sources}) for seed in (0, 1))
    assert len(values) == FRAMES
    assert values.shape[1] == other[0].shape[1] > 0
    if there:
        np.testing.assert_array_equal(values[valid], again[0][again[1]])
        assert valid.any()
        assert not np.array_equal(values, other[0])
