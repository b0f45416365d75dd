"""Any causal language model of the transformers library: it reads transcripts, and sees and hears nothing.

A folder with weights of the library, or one GGUF file (llama.cpp), which is read into the library's own model.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Self

from transformers import AutoModelForCausalLM, AutoTokenizer, modeling_gguf_pytorch_utils
from transformers.utils.logging import disable_progress_bar

from waver.config.section import Section
from waver.models.pretrained_folder import LOCAL, reading_folder
from waver.zeroshot.families.base import Capabilities, Dtype, Item, Prompt
from waver.zeroshot.families.chat_text import chat_text
from waver.zeroshot.families.transformers_model import TransformersModel, read_network


class CausalLmConfig(Section):
    """How a prompt is put to the model."""

    chat: bool = True
    """By the tokenizer's chat template, where it has one; else the prompt as it is."""
    system: str = ""
    """What the system's turn says; empty: there is none, or what the template puts there."""


class CausalLm(TransformersModel):
    """A loaded language model."""

    Config: ClassVar[type[Section]] = CausalLmConfig
    capabilities = Capabilities()

    def __init__(self, model: Any, tokenizer: Any, config: CausalLmConfig) -> None:
        """Of a loaded model; behind a template of chats an answer begins its line."""
        super().__init__(model, tokenizer, config)
        self._chat = config.chat and bool(getattr(tokenizer, "chat_template", None))
        self.before_answer = "" if self._chat else " "

    @classmethod
    def load(cls, folder: Path, config: CausalLmConfig, dtype: Dtype) -> Self:
        """Read a folder, or the one GGUF file in it.

        Raises:
            WaverError: it holds no language model with its tokenizer, or not all of it.
        """
        disable_progress_bar()
        with reading_folder(folder, "language model with its tokenizer", "correct the model's path in models.paths"):
            files = sorted(file.name for file in folder.glob("*.gguf"))
            if len(files) > 1:
                raise ValueError(f"there are several GGUF files, {files[0]} and {files[1]} among them")
            packed = {"gguf_file": files[0]} if files else {}
            # its own bar, which the library's switch leaves on
            modeling_gguf_pytorch_utils.tqdm = partial(modeling_gguf_pytorch_utils.tqdm, disable=True)
            model = read_network(AutoModelForCausalLM, folder, dtype, **packed)
            tokenizer = AutoTokenizer.from_pretrained(folder, **packed, **LOCAL)
        made = cls(model, tokenizer, config)
        if files:
            made.quantisation = "as in its GGUF file"
        return made

    def wrapped(self, item: Item, prompt: Prompt) -> str:
        """One turn of the user, up to where the model's turn begins."""
        if not self._chat:
            return prompt.text.rstrip()
        turns = [{"role": "user", "content": prompt.text}]
        turns = [{"role": "system", "content": self.config.system}, *turns] if self.config.system else turns
        return chat_text(self.tokenizer, turns)

    def token_ids(self, wrapped: str) -> list[int]:
        """A template writes the tokens that begin a text itself."""
        ids: list[int] = self.tokenizer(wrapped, add_special_tokens=not self._chat)["input_ids"]
        return ids
