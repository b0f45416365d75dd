"""Variants of a recipe: which models there are, and what each is trained with."""

from typing import get_args

import pytest

from waver.config.model import load_config
from waver.config.training import NOT_RECIPE, TrainConfig
from waver.errors import WaverError
from waver.models.fusion.conflict.settings import ABLATIONS, ConflictConfig
from waver.models.temporal.settings import TemporalSettings
from waver.records import method_config
from waver.registry import FUSIONS, TEMPORALS
from waver.training.frames.variants import (
    check_variants,
    model_named,
    models_of,
    modules_of,
    recipe_of,
    with_letter,
    without_letter,
)
from waver.training.trained_model import changes, only_window, recorded_model

RUNS = [
    {"fusion": "lfan", "modalities": "VAT", "variants": ["slow", "narrow"]},
    {"fusion": "lfan", "modalities": "T"},
    {"fusion": "conflict", "modalities": "VT", "variants": ["narrow"]},
]
VARIANTS = {
    "slow": {"lr": 0.0001, "ema": 0.99},
    "narrow": {"options": {"lfan": {"channels": {"text": [8]}}, "conflict": {"size": 64}}},
}
TRAIN = {
    "runs": RUNS,
    "variants": VARIANTS,
    "windows": [24, 96],
    "ablations": ["no_pairs", "no_durations"],
    "decoding": "durations",
    "options": {"lfan": {"dropout": 0.3, "channels": {"visual": [16, 16]}}, "can": {"dropout": 0.4}},
}


def config(**changes):
    return load_config({"train": {**TRAIN, **changes}}).train


def names(train):
    return [(model.method, model.modalities) for model in models_of(train)]


def test_the_rows_and_their_variants():
    assert names(config()) == [
        ("lfan", "VAT"), ("lfan.slow", "VAT"), ("lfan.narrow", "VAT"), ("lfan.w24", "VAT"), ("lfan.w96", "VAT"),
        ("lfan", "T"),
        ("conflict", "VT"), ("conflict.narrow", "VT"), ("conflict.no_pairs", "VT"), ("conflict.no_durations", "VT"),
    ]  # fmt: skip


def described(train, method):
    model = next(model for model in models_of(train) if model.method == method)
    return model.fusion, model.variant, model.window_frames, changes(model.columns)


def test_a_model_is_described_by_its_recipe_and_not_by_its_name():
    """Names that look like a window, a head, an ablation, a control, a fusion or a folder tell nothing."""
    variants = {
        "w96": {"window": 120}, "w7": {"lr": 0.1}, "video_head": {"window": 48, "lr": 0.1},
        "content_free": {"ema": 0.5}, "no_gates": {"epochs": 3}, "can": {"batch": 2}, "videos": {"hop": 24},
        "frames": {"options": {"lfan": {"dropout": 0.5, "channels": {"visual": [16, 16]}}}},
    }  # fmt: skip
    train = config(runs=[{"fusion": "lfan", "modalities": "VAT", "variants": [*variants]}], variants=variants,
                   windows=[24, 696], ablations=[])  # fmt: skip
    check_variants(train, options=True)
    assert described(train, "lfan") == ("lfan", "", 696, {})
    assert described(train, "lfan.w96") == ("lfan", "w96", 120, {"window": 120})
    assert described(train, "lfan.w7") == ("lfan", "w7", 696, {"lr": 0.1})
    assert described(train, "lfan.video_head") == ("lfan", "video_head", 48, {"window": 48, "lr": 0.1})
    assert described(train, "lfan.no_gates") == ("lfan", "no_gates", 696, {"epochs": 3})
    assert described(train, "lfan.can") == ("lfan", "can", 696, {"batch": 2})
    # what it names and is so anyway is no change
    assert described(train, "lfan.frames") == ("lfan", "frames", 696, {"options": {"lfan": {"dropout": 0.5}}})
    assert described(train, "lfan.w24") == ("lfan", "w24", 24, {"window": 24, "hop": 24})
    assert described(train, "lfan.w696") == ("lfan", "w696", 696, {})
    swept = {model.variant for model in models_of(train) if only_window(model.record)}
    assert swept == {"w24", "w696", "w96"}


def test_heads_have_names_that_no_variant_can_have():
    train = config(variants={"video_head": {"lr": 0.1}}, ablations=["no_pairs"],
                   runs=[{"fusion": "conflict", "modalities": "VT", "variants": ["video_head"]}])  # fmt: skip
    models = models_of(train)
    both = [model.method for model in (*models, *(model.head for model in models))]
    assert len(both) == len(set(both)) == 10
    assert models[0].head.method == "conflict.video-head"
    with pytest.raises(WaverError, match="'video-head' must be lower-case letters"):
        config(variants={"video-head": {"lr": 0.1}})


def test_what_is_known_of_a_model_is_read_again_whole():
    model = models_of(config())[1].head
    assert recorded_model(model.record | {"seed": 3}, "p.parquet") == model
    assert recorded_model({"method": "tfidf", "modalities": "T"}, "p.parquet") is None
    with pytest.raises(WaverError, match=r"p\.parquet does not say all that is known of its model; delete it"):
        recorded_model({"method": "lfan.w24", "modalities": "V", "fusion": "lfan"}, "p.parquet")


def test_without_variants_there_are_the_rows_alone():
    assert names(TrainConfig()) == [(run.fusion, run.modalities) for run in TrainConfig().runs]
    check_variants(TrainConfig(), options=True)


def test_a_row_given_twice_is_trained_once():
    assert names(config(runs=[RUNS[1], RUNS[1]], ablations=[])).count(("lfan", "T")) == 1


def test_windows_are_tried_on_the_rows_marked():
    marked = [{"fusion": "lfan", "modalities": "T"}, {"fusion": "conflict", "modalities": "VT"}]
    found = [model for model in models_of(config(window_runs=marked)) if model.variant == "w24"]
    assert [(model.method, model.modalities) for model in found] == [("lfan.w24", "T"), ("conflict.w24", "VT")]


def test_a_variant_has_its_keys_and_nothing_else():
    train = config()
    plain, slow = recipe_of(train, "lfan").recipe, recipe_of(train, "lfan.slow").recipe
    assert {key for key in plain if plain[key] != slow[key]} == {"lr", "ema"}
    assert (slow["lr"], slow["ema"]) == (0.0001, 0.99)
    assert not NOT_RECIPE & set(plain)


def test_options_are_overlaid_key_by_key_and_only_the_fusions_own_count():
    train = config()
    assert recipe_of(train, "lfan.narrow").options == {
        "lfan": {"dropout": 0.3, "channels": {"visual": [16, 16], "text": [8]}}
    }
    assert recipe_of(train, "conflict.narrow").options == {"conflict": {"size": 64}}
    assert recipe_of(train, "lfan").options == {"lfan": TRAIN["options"]["lfan"]}


def test_a_window_shorter_than_the_hop_leaves_no_frame_out():
    train = config()
    assert (recipe_of(train, "lfan.w24").window, recipe_of(train, "lfan.w24").hop) == (24, 24)
    assert (recipe_of(train, "lfan.w96").window, recipe_of(train, "lfan.w96").hop) == (96, 48)


def test_one_variant_changed_changes_no_other_recipe():
    before, after = config(), config(variants={**VARIANTS, "slow": {"lr": 0.0002}}, windows=[24, 96, 48])
    changed = [m for m in models_of(before) if recipe_of(before, m.method) != recipe_of(after, m.method)]
    assert [(model.method, model.modalities) for model in changed] == [("lfan.slow", "VAT")]


def test_jobs_are_told_of_a_model_what_its_own_recipe_makes_it():
    """A change of the base changes by what a variant differs from it, and trains no variant whose recipe stays."""
    pairs = list(zip(models_of(config()), models_of(config(hop=24)), strict=True))
    same = [pair for pair in pairs if recipe_of(config(), pair[0].method) == recipe_of(config(hop=24), pair[1].method)]
    assert [before.method for before, _ in same] == ["lfan.w24"]
    for before, after in same:
        assert before.record != after.record
        assert before.own_record == after.own_record
        assert before.head.own_record == after.head.own_record


def test_an_ablation_may_add_a_modality_to_the_same_recipe():
    train = config(ablations=["with_cues"])
    assert names(train)[-1] == ("conflict.with_cues", "VTC")
    assert recipe_of(train, "conflict.with_cues") == recipe_of(train, "conflict")
    added = models_of(train)[-1]
    assert (added.base_modalities, changes(added.columns)) == ("VT", {"modalities": "VTC"})
    assert model_named(train, "conflict.with_cues", "VTCQ").base_modalities == "VTQ"
    assert model_named(train, "conflict", "VTC").base_modalities == "VTC"
    check_variants(train, options=True)


def test_a_letter_that_was_added_can_be_taken_away():
    assert (with_letter("VT", "C"), without_letter("VTCQ", "C"), without_letter("VT", "C")) == ("VTC", "VTQ", "VT")
    assert with_letter("VTQ", "") == without_letter("VTQ", "") == "VTQ"


def test_a_model_is_built_of_its_fusion_and_its_temporal_context():
    variants = {
        "still": {"options": {"lfan": {"temporal": "none"}}},
        "gru": {"options": {"lfan": {"temporal": "bigru"}}},
    }
    runs = [{"fusion": "lfan", "modalities": "T", "variants": [*variants]}, {"fusion": "conflict", "modalities": "VT"}]
    train = config(runs=runs, variants=variants)
    lfan = FUSIONS["lfan"].target
    assert modules_of(train, "lfan") == [lfan, TEMPORALS["tcn"].target]
    assert modules_of(train, "lfan.gru") == [lfan, TEMPORALS["bigru"].target]
    assert modules_of(train, "lfan.still") == [lfan]
    assert modules_of(train, "conflict") == [FUSIONS["conflict"].target]


def test_every_temporal_context_can_be_asked_for():
    kinds = get_args(TemporalSettings.model_fields["temporal"].annotation)
    assert set(kinds) == {*TEMPORALS, "none"}
    assert all(hasattr(TemporalSettings(), kind) for kind in TEMPORALS if kind != "tcn")


@pytest.mark.parametrize("name", ABLATIONS)
def test_every_ablation_is_of_known_keys(name):
    given = name.startswith("no_")
    options = {"conflict": {"noise": 0.1, "stop_gradient": given}}
    train = config(ablations=[name], options=options, cue_share=0.2 * given, certainty=given)
    check_variants(train, options=True)
    plain, ablated = (recipe_of(train, method) for method in ("conflict", f"conflict.{name}"))
    own = [method_config(FUSIONS, "conflict", recipe.options["conflict"]) for recipe in (plain, ablated)]
    of_recipe = [(recipe.decoding, recipe.cue_share, recipe.certainty) for recipe in (plain, ablated)]
    assert (own[0], of_recipe[0]) != (own[1], of_recipe[1])
    assert isinstance(own[1], ConflictConfig)


def test_a_recipe_can_be_given_to_a_job_and_is_the_same_there():
    for model in models_of(config()):
        recipe = recipe_of(config(), model.method)
        assert TrainConfig(**recipe.recipe).recipe == recipe.recipe


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"runs": [{**RUNS[0], "variants": ["fast"]}]}, r"'fast' is not in train\.variants \(known are slow, narrow\)"),
        ({"variants": {**VARIANTS, "x": {"rate": 1}}}, r"variants\.x: rate is not a known key"),
        ({"variants": {**VARIANTS, "x": {"lr": -1}}}, r"variants\.x: lr: .*greater than 0 \(given: -1\)"),
        ({"variants": {**VARIANTS, "x": {"window": 24}}}, r"variants\.x: hop 48 is more than window 24"),
        ({"variants": {**VARIANTS, "x": {"seeds": [1]}}}, r"variants\.x: seeds is the same for all models"),
        ({"variants": {**VARIANTS, "X-1": {}}}, r"'X-1' must be lower-case letters"),
        ({"windows": [12]}, r"windows: 12 is less than 24 frames"),
        ({"window_runs": [{"fusion": "lfan", "modalities": "A"}]}, r"lfan on A is not in train\.runs"),
        ({"window_runs": [RUNS[0]]}, r"window_runs: .*variants in train\.runs"),
        ({"warmup": 0.1}, r"warmup needs schedule: steps"),
        ({"hop": 1000}, r"hop 1000 is more than window 696"),
        ({"ema": 1.0}, r"train\.ema"),
        ({"decoding": "viterbi"}, r"train\.decoding"),
    ],
)
def test_a_mistake_is_one_sentence(changes, told):
    with pytest.raises(WaverError, match=told) as error:
        config(**changes)
    assert "1 mistake(s)" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"ablations": ["no_pears"]}, r"'no_pears' is not a known ablation; known are no_pairs, no_within"),
        ({"runs": RUNS[:2]}, r"train\.ablations needs a row \{fusion: conflict"),
        ({"variants": {**VARIANTS, "w24": {"lr": 0.1}}}, r"two variants 'w24'"),
        ({"variants": {**VARIANTS, "narrow": {"options": {"lfam": {}}}}}, r"variants\.narrow: 'lfam' is not a known"),
        ({"variants": {**VARIANTS, "narrow": {"options": {"can": {}}}}}, r"'narrow' changes nothing of lfan"),
        ({"decoding": "none"}, r"'no_durations' changes nothing of conflict"),
        (
            {"ablations": ["with_cues"], "runs": [{"fusion": "conflict", "modalities": "VTC"}]},
            r"'with_cues' changes nothing of conflict on VTC",
        ),
        ({"variants": {**VARIANTS, "with_cues": {"lr": 0.1}}}, r"'with_cues' is the name of an ablation"),
        (
            {"ablations": ["affect_first"], "epochs": 10},
            r"conflict\.affect_first learns affect alone in its first 10 epochs and has 10; lower affect_epochs",
        ),
        ({"ablations": ["no_stop_gradient"]}, r"'no_stop_gradient' changes nothing of conflict"),
        ({"variants": {**VARIANTS, "narrow": {"options": {"lfan": {"dropuot": 1}}}}}, "dropuot is not a known key"),
    ],
)
def test_what_the_registries_refuse_is_one_sentence(changes, told):
    with pytest.raises(WaverError, match=told):
        check_variants(config(**changes), options=True)


def test_a_method_of_no_variant_is_told():
    for method in ("lfan.fast", "lfan.", "lfan.w24.w24", "lfam"):
        with pytest.raises(WaverError, match=rf"{method}: the config has no such model; name its variant"):
            recipe_of(config(), method)
