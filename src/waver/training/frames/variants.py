"""Which models of frames a config names, and the recipe of each; loads no torch.

A model is named ``<fusion>`` or ``<fusion>.<variant>``. A variant is a set of keys of the training section that
differ: one that the user names, a length of the window (``w24``), or an ablation of the conflict model; or another
visual backbone (``resnet18``), whose features it is trained on with the same recipe. It is trained on the same windows,
seeds and folds as the model without it. Names are made here and looked up here; what
they stand for is in the record (``TrainedModel``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from waver.config.training import RunSpec, TrainConfig
from waver.errors import WaverError
from waver.models.fusion.conflict.settings import ABLATIONS
from waver.models.temporal.settings import TemporalSettings
from waver.records import load, method_config
from waver.registry import FUSIONS, MODALITIES, TEMPORALS
from waver.training.trained_model import TrainedModel, as_json, difference, on_backbone

EXTRA_MODALITY = {"with_cues": "C"}
"""Name of the ablation -> letter of the modality."""


def models_of(config: TrainConfig) -> tuple[TrainedModel, ...]:
    """Every model of the config, in the order of its rows, each once."""
    return tuple(dict.fromkeys(model for run in config.runs for model in _models(run, config)))


def _models(run: RunSpec, config: TrainConfig) -> Iterator[TrainedModel]:
    yield _model(config, run.fusion, "", run.modalities)
    for variant in (*run.variants, *_generated(run, config)):
        yield _model(config, run.fusion, variant, run.modalities)


def _model(config: TrainConfig, fusion: str, variant: str, base_modalities: str) -> TrainedModel:
    modalities = with_letter(base_modalities, EXTRA_MODALITY.get(variant, ""))
    plain, own = (_recipe(config, fusion, name) for name in ("", variant))
    changed = difference(plain.recipe, own.recipe)
    if modalities != base_modalities:
        changed["modalities"] = modalities
    if variant in config.backbones:
        changed |= on_backbone(variant)
    return TrainedModel(
        _name(fusion, variant), modalities, fusion, variant, base_modalities, own.window, as_json(changed)
    )


def network_of(config: TrainConfig, model: TrainedModel) -> str:
    """The visual backbone of its features, where that is not ``features.visual.backbone``; else empty."""
    return model.variant if model.variant in config.backbones else ""


def _name(fusion: str, variant: str) -> str:
    return f"{fusion}.{variant}" if variant else fusion


def model_named(config: TrainConfig, method: str, modalities: str) -> TrainedModel:
    """The model of a name on some modalities, in the config's rows or not.

    Raises:
        WaverError: the config has no such variant.
    """
    fusion, variant = _parts(config, method)
    return _model(config, fusion, variant, without_letter(modalities, EXTRA_MODALITY.get(variant, "")))


def _parts(config: TrainConfig, method: str) -> tuple[str, str]:
    """Fusion and variant of a method: of all that the config allows, those that make the name."""
    made = {_name(fusion, variant): (fusion, variant) for fusion in FUSIONS for variant in ("", *overrides_of(config))}
    if method not in made:
        raise WaverError(f"{method}: the config has no such model; name its variant in train.variants and train.runs")
    return made[method]


def _generated(run: RunSpec, config: TrainConfig) -> Iterator[str]:
    widened = {row.names for row in config.window_runs or config.runs[:1]}
    if run.names in widened:
        yield from (f"w{window}" for window in config.windows)
    if run.names in {row.names for row in config.backbone_runs or config.runs[:1]}:
        yield from config.backbones
    if run.fusion == "conflict":
        yield from config.ablations


def overrides_of(config: TrainConfig) -> dict[str, Mapping[str, Any]]:
    """Variant -> keys of the training section that differ, of every variant of the config."""
    # windows shorter than the hop would leave frames out
    windows = {f"w{window}": {"window": window, "hop": min(config.hop, window)} for window in config.windows}
    ablations = {name: ABLATIONS.get(name, {}) for name in config.ablations}
    return {**config.variants, **windows, **ablations, **{name: {} for name in config.backbones}}


def recipe_of(config: TrainConfig, method: str) -> TrainConfig:
    """The recipe of one model: without the list of models, and without the options of other fusions.

    Raises:
        WaverError: the config has no such variant.
    """
    return _recipe(config, *_parts(config, method))


def _recipe(config: TrainConfig, fusion: str, variant: str) -> TrainConfig:
    recipe = config.changed(overrides_of(config)[variant] if variant else {})
    return recipe.model_copy(update={"options": {fusion: recipe.options.get(fusion, {})}})


def modules_of(config: TrainConfig, method: str) -> list[str]:
    """What a model is built of, as the registries name it: its fusion, and its temporal context."""
    fusion, variant = _parts(config, method)
    record = FUSIONS[fusion]
    if record.own_temporal:
        return [record.target]
    default = TemporalSettings.model_fields["temporal"].default
    temporal = _recipe(config, fusion, variant).options[fusion].get("temporal", default)
    return [record.target, *([TEMPORALS[temporal].target] if temporal in TEMPORALS else [])]


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
        if name in EXTRA_MODALITY:
            raise WaverError(f"train.variants: {name!r} is the name of an ablation; choose another")
    windows = [f"w{window}" for window in config.windows]
    names = [*config.variants, *windows, *config.ablations, *config.backbones]
    for name in names:
        if names.count(name) > 1:
            raise WaverError(f"train: there are two variants {name!r}; give one of them another name")
    for variant, overrides in overrides_of(config).items():
        for fusion in overrides.get("options", {}):
            if fusion not in FUSIONS:
                raise WaverError(f"train.variants.{variant}: {fusion!r} is not a known method")
    for model in models_of(config) if options else ():
        _check_first_epochs(config, model)
        # a length of the window may be the one that the model has anyway, and stands in the figure all the same
        if not model.variant or model.variant in {*windows, *EXTRA_MODALITY, *config.backbones}:
            continue
        if _built(config, model.fusion, model.variant) == _built(config, model.fusion, ""):
            raise WaverError(
                f"train: variant {model.variant!r} changes nothing of {model.fusion} as configured; leave it out"
            )


def _check_ablations(config: TrainConfig) -> None:
    known = [*ABLATIONS, *EXTRA_MODALITY]
    rows = [run for run in config.runs if run.fusion == "conflict"]
    if config.ablations and not rows:
        raise WaverError("train.ablations needs a row {fusion: conflict, ...} in train.runs")
    for name in config.ablations:
        if name not in known:
            raise WaverError(f"train.ablations: {name!r} is not a known ablation; known are {', '.join(known)}")
        for run in rows:
            if name in EXTRA_MODALITY and EXTRA_MODALITY[name] in run.modalities:
                raise WaverError(
                    f"train.ablations: {name!r} changes nothing of conflict on {run.modalities}; leave it out"
                )


def _check_first_epochs(config: TrainConfig, model: TrainedModel) -> None:
    recipe, own = _built(config, model.fusion, model.variant)
    first = load(FUSIONS, model.fusion).affect_epochs(own)
    if first >= recipe.epochs:
        raise WaverError(
            f"train: {model.method} learns affect alone in its first {first} epochs and has {recipe.epochs}; "
            "lower affect_epochs or raise train.epochs"
        )


def _built(config: TrainConfig, fusion: str, variant: str) -> tuple[TrainConfig, Any]:
    """The recipe of a model and its fusion's whole config."""
    recipe = _recipe(config, fusion, variant)
    own = method_config(FUSIONS, fusion, recipe.options[fusion])
    return recipe.model_copy(update={"options": {}}), own


def with_letter(modalities: str, letter: str) -> str:
    """Letters of the modalities with one more, in the papers' order."""
    return "".join(known for known in MODALITIES if known in modalities + letter)


def without_letter(modalities: str, letter: str) -> str:
    """Letters of the modalities but for one, where it is among them; an empty letter takes none away."""
    return "".join(known for known in modalities if known != letter)
