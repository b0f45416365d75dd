"""Which models of frames a config asks for, and the recipe of each; loads no torch.

A model is named ``<fusion>`` or ``<fusion>.<variant>``. A variant is a set of keys of the training section that
differ: one that the user names, a length of the window (``w24``), or an ablation of the conflict model. It is
trained on the same windows, seeds and folds as the model without it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from waver.config.training import RunSpec, TrainConfig
from waver.errors import WaverError
from waver.models.conflict.settings import ABLATIONS
from waver.models.registry import FUSIONS, OWN_CONTEXT, TEMPORALS, method_config
from waver.models.temporal.settings import TemporalSettings
from waver.training.added import ADDED, with_letter
from waver.training.names import split_name


@dataclass(frozen=True)
class TrainedModel:
    """A model to train with every seed.

    Attributes:
        method: ``<fusion>`` or ``<fusion>.<variant>``, its name in paths, predictions and tables.
        modalities: letters.
    """

    method: str
    modalities: str


def models_of(config: TrainConfig) -> tuple[TrainedModel, ...]:
    """Every model of the config, in the order of its rows, each once."""
    return tuple(dict.fromkeys(model for run in config.runs for model in _models(run, config)))


def _models(run: RunSpec, config: TrainConfig) -> Iterator[TrainedModel]:
    yield TrainedModel(run.fusion, run.modalities)
    for variant in (*run.variants, *_generated(run, config)):
        yield TrainedModel(f"{run.fusion}.{variant}", with_letter(run.modalities, ADDED.get(variant, "")))


def _generated(run: RunSpec, config: TrainConfig) -> Iterator[str]:
    widened = {row.names for row in config.window_runs or config.runs[:1]}
    if run.names in widened:
        yield from (f"w{window}" for window in config.windows)
    if run.fusion == "conflict":
        yield from config.ablations


def overrides_of(config: TrainConfig) -> dict[str, Mapping[str, Any]]:
    """Variant -> keys of the training section that differ, of every variant of the config."""
    # windows shorter than the hop would leave frames out
    windows = {f"w{window}": {"window": window, "hop": min(config.hop, window)} for window in config.windows}
    return {**config.variants, **windows, **{name: ABLATIONS.get(name, {}) for name in config.ablations}}


def recipe_of(config: TrainConfig, method: str) -> TrainConfig:
    """The recipe of one model: without the list of models, and without the options of other fusions.

    Raises:
        WaverError: the config has no such variant.
    """
    fusion, variant = split_name(method)
    overrides = {"": {}, **overrides_of(config)}
    if variant not in overrides:
        raise WaverError(f"{method}: the config has no variant {variant!r}; name it in train.variants and train.runs")
    recipe = config.changed(overrides[variant])
    return recipe.model_copy(update={"options": {fusion: recipe.options.get(fusion, {})}})


def modules_of(config: TrainConfig, method: str) -> list[str]:
    """What a model is built of, as the registries name it: its fusion, and its temporal context."""
    fusion, _ = split_name(method)
    if fusion in OWN_CONTEXT:
        return [FUSIONS[fusion]]
    default = TemporalSettings.model_fields["temporal"].default
    temporal = recipe_of(config, method).options[fusion].get("temporal", default)
    return [FUSIONS[fusion], *([TEMPORALS[temporal]] if temporal in TEMPORALS else [])]


def check_variants(config: TrainConfig, options: bool) -> None:
    """Hold the config's variants to what they need.

    Args:
        config: the training section; its rows name known fusions.
        options: look at the fusions' own options too, which loads the fusions.

    Raises:
        WaverError: an ablation is unknown or has no row, two variants share a name, or one changes nothing.
    """
    _check_ablations(config)
    for name in config.variants:
        if name in ADDED:
            raise WaverError(f"train.variants: {name!r} is the name of an ablation; choose another")
    windows = [f"w{window}" for window in config.windows]
    names = [*config.variants, *windows, *config.ablations]
    for name in names:
        if names.count(name) > 1:
            raise WaverError(f"train: there are two variants {name!r}; give one of them another name")
    for variant, overrides in overrides_of(config).items():
        for fusion in overrides.get("options", {}):
            if fusion not in FUSIONS:
                raise WaverError(f"train.variants.{variant}: {fusion!r} is not a known method")
    for model in models_of(config) if options else ():
        fusion, variant = split_name(model.method)
        _check_first_epochs(config, model.method)
        # a length of the window may be the one that the model has anyway, and stands in the figure all the same
        if not variant or variant in windows or variant in ADDED:
            continue
        if _built(config, model.method) == _built(config, fusion):
            raise WaverError(f"train: variant {variant!r} changes nothing of {fusion} as configured; leave it out")


def _check_ablations(config: TrainConfig) -> None:
    known = [*ABLATIONS, *ADDED]
    rows = [run for run in config.runs if run.fusion == "conflict"]
    if config.ablations and not rows:
        raise WaverError("train.ablations needs a row {fusion: conflict, ...} in train.runs")
    for name in config.ablations:
        if name not in known:
            raise WaverError(f"train.ablations: {name!r} is not a known ablation; known are {', '.join(known)}")
        for run in rows:
            if name in ADDED and ADDED[name] in run.modalities:
                raise WaverError(
                    f"train.ablations: {name!r} changes nothing of conflict on {run.modalities}; leave it out"
                )


def _check_first_epochs(config: TrainConfig, method: str) -> None:
    recipe, own = _built(config, method)
    first = getattr(own, "affect_epochs", 0)
    if first >= recipe.epochs:
        raise WaverError(
            f"train: {method} learns affect alone in its first {first} epochs and has {recipe.epochs}; "
            "lower affect_epochs or raise train.epochs"
        )


def _built(config: TrainConfig, method: str) -> tuple[TrainConfig, Any]:
    """The recipe of a method and its fusion's whole config."""
    fusion, _ = split_name(method)
    recipe = recipe_of(config, method)
    own = method_config(FUSIONS, fusion, recipe.options[fusion])
    return recipe.model_copy(update={"options": {}}), own
