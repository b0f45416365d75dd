"""EmoCLIP beside its published code, on two small towers: same weights, same clips, logits compared.

    PYTHONPATH=src:tests .venv/bin/python -m parity.emoclip <checkout of NickyFot/EmoCLIP> <of openai/CLIP> [--record]

See ``parity.backbones``; the recorded logits are held by ``tests/unit/models/video/test_emoclip.py``.
"""

import argparse
import tempfile
from pathlib import Path
from types import SimpleNamespace

import torch
from torch import nn

from parity.backbones import fixed_clips, same, set_weights, taken, told, torch_space
from tiny_clip import write_clip
from waver.models.video.emoclip import EmoClip
from waver.models.video.emoclip_weights import load_emoclip_weights


def fixed_emoclip(folder):
    """On two small towers; the release's sizes."""
    config = EmoClip.Config(sizes="released", paraphrases=False, frames=4)
    model = set_weights(EmoClip(config, write_clip(folder)))
    model.load_state_dict(model.state_dict())  # embeds the descriptions anew
    return model


def release_state(ours):
    """EmoCLIP's weights under the names of its release."""
    state, renamed = dict(ours), {}
    blocks = {"norm1": "0.fn.norm", "qkv": "0.fn.fn.to_qkv", "out": "0.fn.fn.to_out.0",
              "norm2": "1.fn.norm", "fc1": "1.fn.fn.net.0", "fc2": "1.fn.fn.net.3"}  # fmt: skip
    plain = {
        "vision_model.embeddings.class_embedding": "visual.class_embedding",
        "vision_model.embeddings.patch_embedding.weight": "visual.conv1.weight",
        "vision_model.embeddings.position_embedding.weight": "visual.positional_embedding",
        "text_model.embeddings.token_embedding.weight": "token_embedding.weight",
        "text_model.embeddings.position_embedding.weight": "positional_embedding",
        "logit_scale": "logit_scale",
    }
    norms = {"vision_model.pre_layrnorm": "visual.ln_pre", "vision_model.post_layernorm": "visual.ln_post",
             "text_model.final_layer_norm": "ln_final"}  # fmt: skip
    inner = {"layer_norm1": "ln_1", "layer_norm2": "ln_2", "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj",
             "self_attn.out_proj": "attn.out_proj"}  # fmt: skip
    for name, value in state.items():
        kind = name.rsplit(".", 1)[-1]
        if name.startswith("temporal.layers."):
            _, _, number, part, _ = name.split(".")
            renamed[f"temporal.temporal_transformer.layers.{number}.{blocks[part]}.{kind}"] = value
        elif not name.startswith("clip."):
            renamed[name.replace("scale", "logit_scale")] = value
        elif (name := name.removeprefix("clip.")) in plain:
            renamed[f"backbone.{plain[name]}"] = value
        elif name.removesuffix(f".{kind}") in norms:
            renamed[f"backbone.{norms[name.removesuffix(f'.{kind}')]}.{kind}"] = value
        elif name.endswith("_projection.weight"):
            renamed["backbone.visual.proj" if name[0] == "v" else "backbone.text_projection"] = value.T
        else:
            tower = "backbone.visual" if name.startswith("vision_model") else "backbone"
            number, part = name.split(".encoder.layers.")[1].removesuffix(f".{kind}").split(".", 1)
            block = f"{tower}.transformer.resblocks.{number}"
            if part in inner:
                renamed[f"{block}.{inner[part]}.{kind}"] = value
            elif part == "self_attn.q_proj":
                three = [state[f"clip.{name.replace('q_proj', f'{letter}_proj')}"] for letter in "qkv"]
                renamed[f"{block}.attn.in_proj_{kind}"] = torch.cat(three)
    return renamed


def emoclip(checkout, clip, record):
    wanted = {"QuickGELU", "ResidualAttentionBlock", "Transformer", "VisionTransformer", "CLIP"}
    # its own LayerNorm is that of torch, held to float32
    space = taken(Path(clip) / "clip" / "model.py", torch_space() | {"ModifiedResNet": ()}, wanted)
    towers = space["CLIP"](16, 224, 2, 128, 56, 77, 31, 128, 2, 2)
    theirs_too = torch_space() | {"device": "cpu", "custom_fwd": lambda method: method}
    theirs_too["clip"] = SimpleNamespace(load=lambda *_, **__: (towers, None))
    taken(Path(checkout) / "architecture" / "transformer.py", theirs_too)
    taken(Path(checkout) / "architecture" / "video_clip.py", theirs_too)
    theirs = theirs_too["VClip"](d_model=16, num_layers=2)
    with tempfile.TemporaryDirectory() as folder:
        ours = fixed_emoclip(Path(folder) / "clip")
        theirs.load_state_dict(release_state(ours.state_dict()))
        torch.save(theirs.state_dict(), Path(folder) / "emoclip.pth")
        loaded = EmoClip(ours.config, Path(folder) / "clip").eval()
        assert load_emoclip_weights(loaded, Path(folder) / "emoclip.pth") == ()

    class Compared(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = theirs.eval()

        def forward(self, clips):
            pixels = (clips - loaded.mean) / loaded.deviation
            return self.inner(pixels, loaded.ids[:, 0])[0]

    told("emoclip", same("emoclip", loaded, Compared(), fixed_clips(frames=4)), record)


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("checkout")
    parser.add_argument("clip")
    parser.add_argument("--record", action="store_true")
    given = parser.parse_args()
    emoclip(given.checkout, given.clip, given.record)


if __name__ == "__main__":
    main()
