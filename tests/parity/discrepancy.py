"""Our discrepancy transformer beside the published code of MDT-AH: same weights, same tokens, logits compared.

    PYTHONPATH=src:tests .venv/bin/python -m parity.discrepancy <checkout of Luo-Eleven/MDT-AH>

The encoders, which are Hugging Face's, are replaced by ones that hand on what they are given. Prints the greatest
difference of both heads and the published logits, to which ``tests/unit/models/video/test_discrepancy_published.py``
holds ours where there is no checkout.
"""

import argparse
import math
import sys
from types import SimpleNamespace

import numpy as np
import torch
import transformers
from torch import nn

from waver.models.video.discrepancy import Discrepancy, DiscrepancyConfig

SIZE, STEPS = 16, 9
NAMES = {"visual": "video", "audio": "audio", "text": "text"}
PRODUCTS = {"visual_audio": "cos_va_proj", "visual_text": "cos_vt_proj", "audio_text": "cos_at_proj"}


def fixed_model():
    """Small, in float64, with weights that no version of torch changes, in evaluation mode."""
    config = DiscrepancyConfig(size=SIZE, heads=8, feedforward=2 * SIZE, hidden=12, window_steps=STEPS, test_windows=1)
    model = Discrepancy(dict.fromkeys(NAMES, SIZE), config).double().eval()
    state = model.state_dict()
    for number, name in enumerate(sorted(state)):
        values = np.random.default_rng(number).standard_normal(tuple(state[name].shape))
        state[name].copy_(torch.from_numpy(values * (2 / math.sqrt(state[name][0].numel()))))
    return model


def fixed_inputs():
    """Three videos of whole windows, the text with padding."""
    rng = np.random.default_rng(7)
    streams = {name: torch.from_numpy(rng.standard_normal((3, STEPS, SIZE))) for name in NAMES}
    mask = {name: torch.ones(3, STEPS, dtype=torch.bool) for name in NAMES}
    mask["text"][1, 5:] = False
    return streams, mask


class _Given(nn.Module):
    """Hands on what it is given."""

    config = SimpleNamespace(hidden_size=SIZE)

    def forward(self, pixel_values=None, input_values=None, input_ids=None, attention_mask=None):
        given = [part for part in (pixel_values, input_values, input_ids) if part is not None]
        return SimpleNamespace(last_hidden_state=given[0])


def published(checkout, model):
    """The published network with our weights under its names."""
    sys.path.insert(0, checkout)
    transformers.AutoModel = SimpleNamespace(from_pretrained=lambda *_, **__: _Given())
    from bah.models.conflict_aware_ah import ConflictAwareAHModel

    theirs = ConflictAwareAHModel(
        embed_dim=SIZE, hidden_dim=12, dropout=0.5, conflict_type="both", use_film=True
    ).double().eval()  # fmt: skip
    names = {f"project.{ours}": f"{name}_proj" for ours, name in NAMES.items()}
    names |= {f"pool.{ours}": f"{name}_pool" for ours, name in NAMES.items()}
    names |= {f"product.{ours}": name for ours, name in PRODUCTS.items()}
    names |= {"film.visual": "film_v", "film.audio": "film_a", "transformer": "fusion_transformer"}
    names |= {"head": "classifier"}
    state = {}
    for key, value in model.state_dict().items():
        prefix = next((ours for ours in names if key.startswith(f"{ours}.")), None)
        state[key if prefix is None else names[prefix] + key.removeprefix(prefix)] = value
    theirs.load_state_dict(state)
    return theirs


@torch.no_grad()
def main(arguments):
    """Compare and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("checkout", help="folder with bah/models/conflict_aware_ah.py")
    model, (streams, mask) = fixed_model(), fixed_inputs()
    theirs = published(parser.parse_args(arguments).checkout, model)
    text = {"input_ids": streams["text"], "attention_mask": mask["text"].long()}
    found = theirs(streams["visual"], streams["audio"], text)
    ours = model.margins(streams, mask)
    for name, own, other in zip(("all tokens", "text"), ours, found, strict=True):
        print(f"{name}: differs by {float((own - other.squeeze(1)).abs().max()):.1e}; {other.squeeze(1).tolist()}")


if __name__ == "__main__":
    main(sys.argv[1:])
