"""Fine-tune the language model of one asked model with one seed, and keep the change as an adapter."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from waver.assets.manifest import installed
from waver.config.zeroshot import ZeroShotConfig
from waver.device import torch_device
from waver.errors import WaverError
from waver.io.atomic import put_in_place
from waver.io.lock import exclusive
from waver.models.lora_adapter import CONFIG, WEIGHTS, save_adapter
from waver.provenance import digest
from waver.records import method_config
from waver.registry import ZERO_SHOT_MODELS
from waver.training.trainer import Job, train
from waver.zeroshot.families.base import Dtype
from waver.zeroshot.families.transformers_model import TransformersModel
from waver.zeroshot.finetune.samples import samples_of
from waver.zeroshot.finetune.training import AdapterTraining
from waver.zeroshot.items import Sources
from waver.zeroshot.loading import load_family
from waver.zeroshot.questions import questions_of

log = logging.getLogger(__name__)


def finetune(
    shards: Sequence[Sources],
    model: Path,
    name: str,
    seed: int,
    question: Mapping[str, Any],
    config: ZeroShotConfig,
    hesitations: bool,
    code: str,
    outputs: Mapping[str, Path],
) -> None:
    """Learn from the participants of train, choose the epoch on those of val (rule ``zeroshot_finetune``).

    Videos of test are not read. A killed job goes on after its last epoch.

    Args:
        shards: files of each shard.
        model: ``asset.json`` of the installed model.
        name: in ZERO_SHOT_MODELS.
        seed: decides what is drawn.
        question: fields of the prompt that is learned, its answers among them.
        config: the recipe, frames and transcript.
        hesitations: the recogniser was asked for them.
        code: fingerprint of the code.
        outputs: files to write: ``config`` and ``weights`` of the adapter, ``history``.

    Raises:
        WaverError: the model cannot be tuned, or a split lacks what it needs.
        OSError, MemoryError: the disk or the memory is exhausted; a retry resumes.
    """
    recipe, record, folder = config.finetune, installed(model), outputs["weights"].parent
    options = method_config(ZERO_SHOT_MODELS, name, config.options.get(name, {}))
    family = load_family(name, record, options, _dtype(config.dtype))
    if not isinstance(family, TransformersModel):
        raise WaverError(f"zeroshot.finetune.models: {name} is not in this process and cannot be tuned; leave it out")
    family.ready()
    (questions,) = questions_of({recipe.prompt: question})
    samples = samples_of(family, shards, questions, config, hesitations)
    counts = [sum(one.split == split for one in samples) for split in ("train", "val")]
    log.info("%d videos to learn from, %d to choose the epoch with", *counts)
    about = [(one.participant, one.split, one.label, one.ids, one.first, one.recording) for one in samples]
    key = digest([record.key, name, seed, config.model_dump(), code, torch.__version__, about])
    with exclusive(Path(f"{outputs['weights']}.lock"), remove=True):
        state, history = folder / "resume.state", folder / "history.part"
        training = AdapterTraining(family, samples, recipe, seed)
        train(training, Job(recipe, seed, key, history, state))
        _save(training, record.title, outputs, history)
        state.unlink(missing_ok=True)


def _dtype(wanted: Dtype) -> Dtype:
    """Of the weights that stay; in float16 the gradients of small changes would vanish."""
    if wanted in ("auto", "float16"):
        return "bfloat16" if torch_device().type == "cuda" else "float32"
    return wanted


def _save(training: AdapterTraining, base: str, outputs: Mapping[str, Path], history: Path) -> None:
    part = outputs["weights"].with_name("adapter.part")
    for left in part.glob("*"):
        left.unlink()
    save_adapter(training.network.model, training.settings, part, Path(base).name)
    put_in_place(history, outputs["history"])
    put_in_place(part / CONFIG, outputs["config"])
    put_in_place(part / WEIGHTS, outputs["weights"])
    part.rmdir()
