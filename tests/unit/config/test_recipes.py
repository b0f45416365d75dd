"""The recipes: each goes over each preset, and says what it is named after."""

import pytest
import yaml

from checkout import ROOT
from waver.config.backbone import ImageRecipe
from waver.config.model import load_config
from waver.config.section import overlaid
from waver.config.training import NOT_RECIPE, TrainConfig
from waver.records import method_config
from waver.registry import FUSIONS
from waver.training.frames.variants import check_variants, recipe_of

PRESETS = sorted((ROOT / "config/presets").glob("*.yaml"))


def read(path):
    return yaml.safe_load(path.read_text())


ALL = sorted((ROOT / "config/presets/recipes").glob("*.yaml"))
RECIPES = [path for path in ALL if "train" in read(path)]
"""Of frame models; the others are of the visual backbone."""
OF_IMAGES = [path for path in ALL if path not in RECIPES]


def recipe(name):
    return load_config(read(ROOT / f"config/presets/recipes/{name}.yaml")).train


@pytest.mark.parametrize("preset", PRESETS, ids=lambda path: path.stem)
@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_goes_over_every_preset(path, preset):
    over = read(path)
    merged = load_config(overlaid(overlaid(read(ROOT / "config/config.yaml"), read(preset)), over))
    plain = load_config(overlaid(read(ROOT / "config/config.yaml"), read(preset)))
    assert merged.run == preset.stem
    assert (merged.train.runs, merged.train.seeds, merged.train.folds) == (
        plain.train.runs, plain.train.seeds, plain.train.folds,
    )  # fmt: skip
    # the networks of the preset stay; all else of the recipe is the recipe's
    for key in set(merged.train.recipe) - {"options"}:
        assert getattr(merged.train, key) == getattr(TrainConfig(**over["train"]), key), key
    check_variants(merged.train, options=True)
    for fusion in FUSIONS:
        method_config(FUSIONS, fusion, recipe_of(merged.train, fusion).options[fusion])


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_names_every_key_that_it_could_leave_to_a_preset(path):
    given = set(read(path)["train"])
    left = set(TrainConfig.model_fields) - NOT_RECIPE - given - {"options", "precision"}
    assert left == set()
    assert set(read(path)) == {"train"}


@pytest.mark.parametrize("preset", PRESETS, ids=lambda path: path.stem)
@pytest.mark.parametrize("path", OF_IMAGES, ids=lambda path: path.stem)
def test_every_recipe_of_images_goes_over_every_preset_and_names_every_key(path, preset):
    over = read(path)
    merged = load_config(overlaid(overlaid(read(ROOT / "config/config.yaml"), read(preset)), over))
    assert set(over) == {"backbone"}
    for stage, given in over["backbone"].items():
        assert set(given) == set(ImageRecipe.model_fields) - {"precision"}
        for key, value in given.items():
            assert getattr(getattr(merged.backbone, stage), key) == value, key


def test_apvits_recipe():
    stage = load_config(read(ROOT / "config/presets/recipes/apvit_raf_db.yaml")).backbone.emotions
    assert (stage.batch, stage.at_once, stage.optimiser, stage.lr) == (128, 128, "sgd", 1e-3)
    assert (stage.weight_decay, stage.decay_vectors, stage.schedule, stage.clip) == (5e-4, False, "cosine", 10)
    assert stage.patience == stage.epochs
    assert stage.new_layers == 1


def test_the_papers_recipe():
    train = recipe("sgd_2026")
    assert (train.optimiser, train.weight_decay, train.epochs, train.patience) == ("sgd", 1e-4, 60, 60)
    assert 9e-4 <= train.lr <= 1e-3
    assert (train.class_weight, train.select, train.decision) == (False, "AP_paper", "half")


def test_the_releases_recipe_scores_padding():
    assert (recipe("sgd_release").lr, recipe("sgd_release").padding) == (8e-3, "repeat")
    papers, release = recipe("sgd_2026").recipe, recipe("sgd_release").recipe
    assert {key for key in papers if papers[key] != release[key]} == {"lr", "padding"}


def test_the_conflict_models_recipe():
    train = recipe("adamw_conflict")
    assert (train.optimiser, train.lr, train.weight_decay, train.decay_vectors) == ("adamw", 5e-4, 1e-2, False)
    assert (train.schedule, train.warmup, train.epochs, train.batch) == ("steps", 0.05, 40, 16)
    assert (train.clip, train.ema, train.decoding) == (1.0, 0.999, "durations")
    own = method_config(FUSIONS, "conflict", train.options["conflict"])
    assert (own.absence, own.noise, own.gap) == (0.15, 0.05, 0.1)
    assert (own.video_share, own.anchor_share, own.affect_share, own.smooth_share) == (1.0, 0.3, 0.2, 0.15)
    assert (own.conflict_share, own.f1_share, own.video_head) == (0.05, 0.5, True)


def test_the_grid_of_fusions_is_whole_and_goes_over_the_demo():
    demo, grid = (read(ROOT / f"config/presets/{name}.yaml") for name in ("demo", "grids/fusions"))
    train = load_config(overlaid(overlaid(read(ROOT / "config/config.yaml"), demo), grid)).train
    sets = ("V", "A", "T", "VA", "VT", "AT", "VAT")
    fusions = {run.fusion for run in train.runs}
    assert {"lfan", "can", "mt", "jmt", "conflict"} <= fusions <= set(FUSIONS)
    assert {(run.fusion, run.modalities) for run in train.runs} == {(f, m) for f in fusions for m in sets}
    assert len(train.runs) == len(fusions) * len(sets)
    for fusion in fusions:
        assert method_config(FUSIONS, fusion, train.options[fusion]).channels["visual"] == (16, 16), fusion
