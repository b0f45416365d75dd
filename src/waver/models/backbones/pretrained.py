"""Weights of image backbones, in the forms in which they are published."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from waver.models.weights import fill, read_state, trimmed

log = logging.getLogger(__name__)

_HEADS = ("fc.", "classifier.", "head.", "classification_head.", "compound_cl_head.")
_REDUCTIONS = ("layer_reduce_dim.layer.", "backbone.reduction.")


def load_backbone_weights(backbone: Any, path: str | Path) -> tuple[str, ...]:
    """Load a file of weights into a backbone; classes in the file are left out.

    The file is one that Waver trained (a ``Classified`` or a backbone), a fine-tuned backbone of the papers'
    release, torchvision's ResNet, or what the backbone itself can translate (face.evoLVe and APViT, see
    ``waver.models.backbones.apvit``).

    Args:
        backbone: see ``waver.models.base.Backbone``.
        path: a state dict saved by ``torch.save``, alone or under ``state_dict`` or ``model``.

    Returns:
        Prefixes of the parts that the file does not have, which stay as they were; ``("reduction.",)`` after
        weights for another task.

    Raises:
        WaverError: the file cannot be read, or its parameters are not the backbone's.
    """
    name = type(backbone).__name__
    state = {_renamed(key): value for key, value in read_state(path, name).items()}
    left = fill(backbone, backbone.translated(trimmed(state, ignore=_HEADS)), path, name, backbone.PARTS)
    log.info("%s has the weights of %s%s", name, path, f", without {', '.join(left)}" if left else "")
    return left


def _renamed(key: str) -> str:
    for prefix in _REDUCTIONS:
        if key.startswith(prefix):
            return "reduction." + key.removeprefix(prefix)
    return key.removeprefix("backbone.").removeprefix("model.")
