"""A transformers text encoder of two small layers with random weights, and a tokenizer of few words."""

from collections.abc import Iterable
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

POSITIONS = 64
SPECIAL = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}


def write_bert(folder: Path, words: Iterable[str]) -> Path:
    """Write the model and the tokenizer, which knows ``words``, as a folder of pretrained files."""
    names = [*SPECIAL.values(), *dict.fromkeys(words)]
    made = Tokenizer(models.WordLevel({name: i for i, name in enumerate(names)}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    inputs = ["input_ids", "token_type_ids", "attention_mask"]
    settings = {"model_max_length": POSITIONS, "model_input_names": inputs, **SPECIAL}
    PreTrainedTokenizerFast(tokenizer_object=made, **settings).save_pretrained(folder)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    torch.manual_seed(0)
    BertModel(BertConfig(vocab_size=len(names), max_position_embeddings=POSITIONS, **sizes)).save_pretrained(folder)
    return folder
