"""A small wav2vec 2.0 or HuBERT with random weights, in a folder as transformers saves it."""

import json
from pathlib import Path

import torch
from transformers import (
    HubertConfig,
    HubertModel,
    Wav2Vec2Config,
    Wav2Vec2CTCTokenizer,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2ForCTC,
    Wav2Vec2Model,
    Wav2Vec2Processor,
)

SIZES = {
    "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32,
    "conv_dim": [8] * 7, "num_conv_pos_embeddings": 8, "num_conv_pos_embedding_groups": 2,
}  # fmt: skip


def saved(folder: Path, kind: str = "wav2vec2", scaled: bool = True, rate: int = 16_000, norm: str = "group") -> Path:
    torch.manual_seed(0)
    config, model = (Wav2Vec2Config, Wav2Vec2Model) if kind == "wav2vec2" else (HubertConfig, HubertModel)
    model(config(**SIZES, feat_extract_norm=norm)).save_pretrained(folder)
    Wav2Vec2FeatureExtractor(do_normalize=scaled, sampling_rate=rate).save_pretrained(folder)
    return folder


def with_head(folder: Path) -> dict[str, torch.nn.Linear]:
    """The folder's weights with a regression head, laid out as the published model's."""
    saved(folder)
    config = json.loads((folder / "config.json").read_text())
    config["id2label"] = {"0": "arousal", "1": "dominance", "2": "valence"}
    (folder / "config.json").write_text(json.dumps(config))
    state = {f"wav2vec2.{name}": x for name, x in Wav2Vec2Model.from_pretrained(folder).state_dict().items()}
    head = {"dense": torch.nn.Linear(16, 16), "out_proj": torch.nn.Linear(16, 3)}
    for name, layer in head.items():
        state |= {f"classifier.{name}.{part}": x for part, x in layer.state_dict().items()}
    (folder / "model.safetensors").unlink()
    torch.save(state, folder / "pytorch_model.bin")
    return head


def saved_ctc(folder: Path, letters: str = "abcdefghijklmnopqrstuvwxyz'é") -> Path:
    """A CTC model of capital letters with its tokenizer, as published ones are laid out; blank 0, border 4."""
    folder.mkdir(parents=True, exist_ok=True)
    names = ["<pad>", "<s>", "</s>", "<unk>", "|", *letters.upper()]
    vocabulary = folder / "own.json"
    vocabulary.write_text(json.dumps({name: number for number, name in enumerate(names)}))
    extractor = Wav2Vec2FeatureExtractor(do_normalize=True, sampling_rate=16_000)
    Wav2Vec2Processor(extractor, Wav2Vec2CTCTokenizer(str(vocabulary))).save_pretrained(folder)
    vocabulary.unlink()
    torch.manual_seed(0)
    Wav2Vec2ForCTC(Wav2Vec2Config(**SIZES, vocab_size=len(names), pad_token_id=0)).save_pretrained(folder)
    return folder
