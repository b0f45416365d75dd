"""How positive and how negative sentences are, by a classifier of the transformers library."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForSequenceClassification

from waver.device import encoder_settings
from waver.errors import WaverError
from waver.features.cues.affect import Floats, Sentiment
from waver.models.pretrained_folder import read_model, reading_folder
from waver.models.text.pretrained_encoder import check_complete, like_lengths, load_tokenizer, most_tokens, padded

_NAMES = (("positive", "pos"), ("negative", "neg"))


def load_sentiment(folder: Path, device: torch.device) -> Sentiment:
    """The classifier in a folder of pretrained files, in eval mode, on its device.

    Raises:
        WaverError: the folder holds none, or it does not name a class positive and a class negative.
    """
    with reading_folder(folder, "classifier", "correct models.paths.sentiment"):
        tokenizer = load_tokenizer(folder)
        model, found = read_model(
            AutoModelForSequenceClassification, folder, output_loading_info=True, **encoder_settings(device)
        )
    check_complete(folder, found, "classifier", "sentiment")
    model = model.eval().to(device)
    classes = _classes(folder, model.config.id2label)
    most = most_tokens(model)

    def classify(sentences: Sequence[str]) -> Floats:
        found = np.zeros((len(sentences), 2), np.float32)
        if not sentences:
            return found
        ids = tokenizer(list(sentences), truncation=True, max_length=most, padding=False)["input_ids"]
        for batch in like_lengths([len(row) for row in ids]):
            tokens, mask = padded([ids[number] for number in batch], tokenizer.pad_token_id or 0, device)
            with torch.inference_mode():
                probability = model(input_ids=tokens, attention_mask=mask).logits.float().softmax(1)
            found[batch] = probability[:, classes].cpu().numpy()
        return found

    return classify


def _classes(folder: Path, names: dict[int, Any]) -> list[int]:
    """Numbers of the positive and of the negative class."""
    known = {str(name).strip().lower(): number for number, name in names.items()}
    found = [next((known[name] for name in wanted if name in known), None) for wanted in _NAMES]
    if None in found:
        listed = ", ".join(map(str, names.values()))
        raise WaverError(
            f"{folder} names its classes {listed}; models.paths.sentiment needs one of positive and negative"
        )
    return [int(number) for number in found if number is not None]
