"""CLIP-AUTT: prompts of facial actions are tuned on each clip (Zeeshan et al. 2026, arXiv 2603.27999)."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from waver.adaptation.methods.tta.norms import entropy
from waver.adaptation.methods.vision_language.clip_au import ClipAu, action_texts, train_head
from waver.adaptation.methods.vision_language.tpt import LearnableContext, learnable_context
from waver.adaptation.vision_language.base import Fitted, Frames, Sees, SourceFrames, Start
from waver.config.sections import Section
from waver.models.vision_language.encoder import VisionLanguageEncoder


class ClipAutt:
    """The words before each action are tuned, so that the most certain window of a clip becomes more certain.

    Clips are stretches of the stream, whatever their labels. The prompts begin anew with each clip, contain the words
    of their action, and predictions are those after the steps; in the release they do not, and clips are cut at the
    labels' borders. Without steps this is CLIP-AU (``clip_au``).
    """

    class Config(Section):
        """The release's values."""

        prefix: str = Field("a face that shows", description="words before each action; they are what is tuned")
        steps: int = Field(10, ge=0, description="steps for each clip")
        lr: float = Field(1e-3, ge=0, description="rate of AdamW, weight decay 1e-4")
        chunk: int = Field(100, ge=1, description="frames of a clip, which get one prediction")
        stride: int = Field(2, ge=1, description="every so manieth frame of a clip is used")
        frames: int = Field(20, ge=1, description="at most so many, evenly spaced")
        window: int = Field(16, ge=1, description="frames of the window that is tuned on")
        train_frames: int = Field(16, ge=1, description="frames of a clip in training on the source")
        epochs: int = Field(10, ge=1, description="epochs of training on the source")

    sees = Sees(reset="video")

    def __init__(self, config: Config) -> None:
        self.config, self.batch = config, config.chunk

    def fit(self, start: Start, source: SourceFrames, seed: int) -> Fitted:
        """The parameters of CLIP-AU."""
        encoder, config = start.encoder, self.config
        with torch.no_grad():
            actions = (encoder.read_texts(action_texts(config.prefix)) @ encoder.text_projection).cpu()
        model = train_head(source, actions, config.chunk, config.stride, config.train_frames, config.epochs, seed)
        return model.state_dict()

    def begin(self, start: Start, fitted: Fitted, known: Tensor, seed: int) -> ClipStream:
        """A stream that starts from CLIP-AU."""
        encoder = start.encoder
        prompts = learnable_context(encoder, action_texts(self.config.prefix))
        head = ClipAu(encoder.width, len(prompts.embedded)).eval().requires_grad_(False)
        head.load_state_dict(fitted)
        return ClipStream(encoder, prompts, head.to(encoder.device), self.config)


class ClipStream:
    """One clip after the other, each from the start."""

    def __init__(
        self, encoder: VisionLanguageEncoder, prompts: LearnableContext, head: ClipAu, config: ClipAutt.Config
    ) -> None:
        self._encoder, self._prompts, self._head, self._config, self.steps = encoder, prompts, head, config, 0

    def predict(self, frames: Frames) -> Tensor:
        """Logits float32 [B, 2], the same for all frames of the clip."""
        config, prompts = self._config, self._prompts
        clip = clip_of(frames.raw.to(self._encoder.device), config)
        first = prompts.embedded[:, 1 : 1 + prompts.context]
        context = first.clone().requires_grad_(config.steps > 0)
        window = certain_window(self._head, clip, self._actions(context.detach()), config.window)
        optimiser = torch.optim.AdamW([context], config.lr, weight_decay=1e-4)
        for _ in range(config.steps):
            loss = entropy(self._head(window, self._actions(context))).mean()
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            self.steps += 1
        with torch.no_grad():
            logits: Tensor = self._head(window, self._actions(context))
        return logits.expand(len(frames), -1)

    def _actions(self, context: Tensor) -> Tensor:
        """Sentences float32 [K, D] with a context of each action's own, [K, n, Dt]."""
        whole = self._prompts.embedded
        embedded = torch.cat([whole[:, :1], context, whole[:, 1 + self._prompts.context :]], dim=1)
        return self._encoder.read(embedded, self._prompts.end) @ self._encoder.text_projection


def clip_of(raw: Tensor, config: ClipAutt.Config) -> Tensor:
    """Frames float32 [T, D] of a clip: every ``stride``-th, and evenly spaced ones where these are too many."""
    rows = torch.arange(0, len(raw), config.stride)
    if len(rows) > config.frames:
        rows = rows[torch.linspace(0, len(rows) - 1, config.frames).round().long()]
    return raw[rows.to(raw.device)]


@torch.no_grad()
def certain_window(head: ClipAu, clip: Tensor, actions: Tensor, length: int) -> Tensor:
    """The window float32 [1, n, D] of a clip [T, D] that is predicted with the least entropy; all of a short clip."""
    if len(clip) <= length:
        return clip[None]
    windows = clip.unfold(0, length, 1).transpose(1, 2)
    return windows[int(entropy(head(windows, actions)).argmin())][None]
