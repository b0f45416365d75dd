"""What families of video models with a chat template share: their folders, their template, their pictures' scale.

Their own processors need torchvision; what these do to pictures and prompts is done here. The template and the mean and
deviation of the pixels are the checkpoint's own, for checkpoints of one family differ in both.
"""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

from transformers import AutoTokenizer
from transformers.utils.logging import disable_progress_bar

from waver.config.section import Section
from waver.errors import WaverError
from waver.models.pretrained_folder import LOCAL, reading_folder
from waver.zeroshot.families.base import Capabilities, Dtype, Item, Prompt
from waver.zeroshot.families.chat_text import chat_text
from waver.zeroshot.families.pixels import PixelScale
from waver.zeroshot.families.transformers_model import TransformersModel, frames_that_fit, read_network

_SETTINGS = ("video_preprocessor_config.json", "processor_config.json", "preprocessor_config.json")
"""Files that may hold the scale of the pixels; the first one that does counts."""


class ChatVideoModel(TransformersModel):
    """A loaded video model with a chat template; a family says what stands for the pictures in a prompt.

    Attributes:
        Network: class of the transformers library.
        kind: what a folder should hold, for messages.
        scale: of the pixels.
        template: of chats, Jinja.
    """

    Network: ClassVar[Any]
    kind: ClassVar[str]
    before_answer = ""

    def __init__(self, model: Any, tokenizer: Any, config: Section, scale: PixelScale, template: str) -> None:
        """Of a loaded model and what its folder says beside."""
        super().__init__(model, tokenizer, config)
        self.scale, self.template = scale, template

    @classmethod
    def load(cls, folder: Path, config: Any, dtype: Dtype) -> Self:
        """Read a folder.

        Raises:
            WaverError: it holds no model of the family, with its tokenizer, template and scale.
        """
        disable_progress_bar()
        with reading_folder(folder, cls.kind, "correct the model's path in models.paths"):
            model = read_network(cls.Network, folder, dtype)
            tokenizer = AutoTokenizer.from_pretrained(folder, **LOCAL)
            made = cls(model, tokenizer, config, pixel_scale(folder), chat_template(folder))
            made.check_tokens()
        return made

    # of each family ---------------------------------------------------------------------------------
    @property
    @abstractmethod
    def placeholder(self) -> str:
        """What the template writes where the video belongs."""

    @abstractmethod
    def expanded(self, item: Item) -> str:
        """What the placeholder becomes: as many tokens as the model makes of the frames, and what stands between."""

    @property
    @abstractmethod
    def tokens_of_frame(self) -> int:
        """Tokens that a frame becomes, at most."""

    def check_tokens(self) -> None:
        """Find the model's own tokens in its tokenizer.

        Raises:
            WaverError: one is missing.
        """
        config = self.model.config
        names = [name for name in ("image_token_id", "video_token_id") if getattr(config, name, None) is not None]
        for name in names:
            token = self.tokenizer.convert_ids_to_tokens(getattr(config, name))
            if token is None or token not in self.tokenizer.all_special_tokens + list(self.tokenizer.get_added_vocab()):
                raise WaverError(f"its tokenizer has no token of its own for {name} {getattr(config, name)}")

    # of all -----------------------------------------------------------------------------------------
    @property
    def capabilities(self) -> Capabilities:
        """Video and text."""
        return Capabilities(video=True, most_frames=frames_that_fit(self.model, self.tokens_of_frame))

    def wrapped(self, item: Item, prompt: Prompt) -> str:
        """One turn of the user with the video before the text, up to where the model's turn begins.

        Raises:
            WaverError: the template does not write the placeholder once.
        """
        content = [{"type": "video"}, {"type": "text", "text": prompt.text}]
        text = chat_text(self.tokenizer, [{"role": "user", "content": content}], self.template)
        if text.count(self.placeholder) != 1:
            raise WaverError(
                f"the model's chat template writes {self.placeholder} {text.count(self.placeholder)} times for one "
                "video; give the checkpoint's own template (chat_template.jinja)"
            )
        return text.replace(self.placeholder, self.expanded(item))


def pixel_scale(folder: Path) -> PixelScale:
    """Mean and deviation of the pixels, as a folder's processor has them.

    Raises:
        WaverError: no file says it.
    """
    for name in _SETTINGS:
        if not (folder / name).is_file():
            continue
        record = json.loads((folder / name).read_text(encoding="utf-8"))
        for part in (record.get("video_processor"), record.get("image_processor"), record):
            if isinstance(part, Mapping) and {"image_mean", "image_std"} <= part.keys():
                return PixelScale(tuple(map(float, part["image_mean"])), tuple(map(float, part["image_std"])))
    raise WaverError(f"none of {', '.join(_SETTINGS)} says image_mean and image_std")


def chat_template(folder: Path) -> str:
    """The chat template of a folder, where its library's versions have put it.

    Raises:
        WaverError: there is none.
    """
    file = folder / "chat_template.jinja"
    if file.is_file():
        return file.read_text(encoding="utf-8")
    for name in ("chat_template.json", "processor_config.json", "tokenizer_config.json"):
        if (folder / name).is_file():
            found = json.loads((folder / name).read_text(encoding="utf-8")).get("chat_template")
            if isinstance(found, str):
                return found
    raise WaverError("it has no chat template (chat_template.jinja)")
