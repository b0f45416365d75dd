"""What a fusion model must offer; nothing inherits from this."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

from torch import Tensor


class Fusion(Protocol):
    """Per-frame model of A/H from one or more streams of frame features.

    A fusion is a ``torch.nn.Module`` built as ``Class(dims, config)``, where ``dims`` maps the names
    of its streams (``visual``, ``audio``, ``text``), in the papers' order, to their sizes, and
    ``config`` is an instance of its own frozen ``Config``.

    Attributes:
        Config: the method's settings, with the papers' values as defaults.
        whole_video: True: a video is evaluated in one pass; False: in windows as in training, the
            logits averaged where windows overlap.
    """

    Config: ClassVar[type[Any]]
    whole_video: ClassVar[bool]

    def __init__(self, dims: dict[str, int], config: Any) -> None: ...

    def __call__(self, streams: dict[str, Tensor], mask: Tensor) -> Tensor:
        """Logits of every frame.

        Args:
            streams: float32 [B, T, D_m] per stream, z-scored, zeros where the stream is missing.
            mask: bool [B, T]; False marks padding, which must not change any other frame's logits.

        Returns:
            float32 [B, T, 2]: no A/H, A/H.
        """
        ...
