"""What a config wants, without Snakemake: files, models, and who depends on which part of the config."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from checkout import ROOT
from waver.cluster.settings import read_config
from waver.config.model import load_config
from waver.config.section import overlaid
from waver.datasets.sharding import shard_of
from waver.errors import WaverError
from waver.records import FusionRecord
from waver.registry import CONTROLS, FUSIONS
from waver.workflow.flow import Flow, checked_flow
from waver.workflow.run import Run
from waver.workflow.stages.adapt import VISION_LANGUAGE

PRESETS = sorted((ROOT / "config/presets").glob("*.yaml"))
CONFIG: dict[str, Any] = {
    "run": "x",
    "dataset": {"name": "d", "shards": 2},
    "features": {"speech": {"source": "given"}},
    "train": {
        "runs": [{"fusion": "lfan", "modalities": "VT"}, {"fusion": "conflict", "modalities": "T"}],
        "options": {"conflict": {"video_head": True}},
        "seeds": [0, 1],
        "folds": 0,
    },
    "answers": {"runs": [{"model": "tfidf"}], "tuned": [{"model": "encoder"}]},
    "videos": {"runs": [{"model": "discrepancy", "modalities": "VT"}, {"model": "focalnet_tiny"}]},
    "adapt": {"methods": ["shot"], "protocols": ["block"]},
}


def flow_of(changes: dict[str, Any] | None = None) -> Flow:
    return Flow(Run(load_config(overlaid(CONFIG, changes or {}))))


def wildcards(**values: str) -> Any:
    return SimpleNamespace(**values)


def test_every_model_of_the_config_is_scored():
    assert Counter(Path(file).name for file in flow_of().predictions()) == {
        "predictions.parquet": 2 * 2 + 1 + 2,
        "videos.parquet": 2,  # of the fusion with a head for them
        "000.parquet": 1,
        "001.parquet": 1,
        **{Path(file).name: 1 for file in flow_of().evaluate.predictions()},
    }
    assert "results/x/train/videos/focalnet_tiny/V/0/predictions.parquet" in flow_of().predictions()
    assert "results/x/adapt/shot/block/0/001.parquet" in flow_of().predictions()


def test_what_the_annotators_saw_is_read_by_the_models_that_learn_from_it():
    tables = ["resources/d/ingest/shards/000.segments.parquet", "resources/d/ingest/shards/001.segments.parquet"]
    lfan, conflict = (wildcards(fusion=name, modalities="VT") for name in ("lfan", "conflict"))
    assert flow_of().frames.segments(lfan) == []
    assert flow_of({"train": {"cue_share": 0.1}}).frames.segments(lfan) == tables
    assert flow_of({"train": {"certainty": True}}).frames.segments(lfan) == tables
    assert flow_of().frames.segments(conflict) == tables
    for options in ({"prior": False}, {"pair_shares": {"text+visual": 0.7}}):
        assert flow_of({"train": {"options": {"conflict": options}}}).frames.segments(conflict) == []


def test_a_fusion_is_adapted_beside_what_it_predicts_unchanged():
    row = {"fusion": "lfan", "modalities": "VT", "methods": ["tent"], "options": {"tent": {"lr": 0.1}}}
    flow = flow_of({"adapt": {"fusions": [row], "options": {"tent": {"lr": 1.0, "steps": 2}}}})
    assert flow.fusions.predictions() == [
        f"results/x/adapt/fusions/lfan/VT/{method}/block/0/{shard}.parquet"
        for method in ("source_only", "tent")
        for shard in ("000", "001")
    ]
    job = wildcards(fusion="lfan", modalities="VT", method="tent", protocol="block", seed="0", shard="001")
    assert flow.fusions.recipe(job) == {"targets": "test", "options": {"lr": 0.1, "steps": 2}}
    assert flow.fusions.record(job)["network"] == "lfan"
    assert {"tent", "source_only"} <= set(flow.methods())
    person = wildcards(adapted="fusions/lfan/VT/tent", protocol="block", participant="90001")
    assert set(flow.adapt.shards_of_participant(person)) < set(flow.fusions.predictions())


def test_several_inputs_are_adapted_in_one_run_on_the_same_frames():
    flow = flow_of({"adapt": {"modalities": ["V", "VT", "TC"], "methods": ["shot", "t3a"]}})
    assert flow.adapt.predictions() == [
        f"results/x/adapt/{place}{method}/block/0/{shard}.parquet"
        for place in ("", "modalities/VT/", "modalities/TC/")
        for method in ("shot", "t3a")
        for shard in ("000", "001")
    ]
    first, second, third = (
        wildcards(letters=place, method="shot", protocol="block", seed="0", shard="001")
        for place in ("", "modalities/VT/", "modalities/TC/")
    )
    assert [flow.adapt.recipe(job)["modalities"] for job in (first, second, third)] == ["V", "VT", "TC"]
    assert [flow.adapt.source_recipe(job)["modalities"] for job in (first, second)] == ["V", "VT"]
    assert [list(flow.adapt.streams(job)) for job in (first, second)] == [["V"], ["V", "T"]]
    assert flow.adapt.guard(first) == flow.adapt.guard(second) == flow.adapt.guard(third)
    assert flow.adapt.guard(first)["seconds"] > flow_of().adapt.guard(first)["seconds"]
    person = wildcards(adapted="modalities/VT/shot", protocol="block", participant="90001")
    assert set(flow.adapt.shards_of_participant(person)) < set(flow.adapt.predictions())


def test_named_participants_are_handed_to_the_jobs_of_their_shards():
    job = [wildcards(method="shot", protocol="block", shard=f"{number:03d}") for number in range(2)]
    assert [flow_of().adapt.only(one) for one in job] == [None, None]
    named = {"adapt": {"participants": ["90001", "90002", "90014"]}}
    handed = [flow_of(named).adapt.only(one) for one in job]
    assert sorted([*handed[0], *handed[1]]) == ["90001", "90002", "90014"]
    assert all(shard_of(person, 2) == f"{number:03d}" for number in range(2) for person in handed[number])
    tta10 = flow_of({"adapt": {"participants": "tta10"}}).adapt
    assert len({person for one in job for person in tta10.only(one)}) == 10
    for wrong in ([], ["90001", "90001"]):
        with pytest.raises(WaverError, match=r"adapt\.participants: name at least one id"):
            flow_of({"adapt": {"participants": wrong}}).adapt.check(load=False)


def test_clip_is_adapted_once_whatever_the_inputs_of_source_models():
    changes = {"adapt": {"modalities": ["V", "T"], "methods": ["shot", "tda"]}, "models": {"paths": {"clip": "/c"}}}
    paths = flow_of(changes).adapt.predictions()
    assert {path.removeprefix("results/x/adapt/").rpartition("/block")[0] for path in paths} == {
        "shot",
        "tda",
        "modalities/T/shot",
    }


def test_a_network_of_faces_is_adapted_beside_what_it_predicts_unchanged():
    rows = [
        {"network": "clip", "scope": "lora", "methods": ["mmd"], "rank": 4},
        {"scope": "full", "methods": ["tent"], "options": {"tent": {"lr": 0.1}}, "source_pictures": 9},
    ]
    changes = {"models": {"paths": {"clip": "/c"}}, "backbone": {"stages": ["ah"]}}
    changes |= {"features": {"visual": {"backbone": "resnet18"}, "speech": {"source": "given"}}}
    flow = flow_of({**changes, "adapt": {"faces": rows, "options": {"tent": {"lr": 1.0, "steps": 2}}}})
    assert flow.faces.predictions() == [
        f"results/x/adapt/faces/{network}/{method}/block/0/{shard}.parquet"
        for network, own in (("clip/lora", "mmd"), ("backbone/full", "tent"))
        for method in ("source_only", own)
        for shard in ("000", "001")
    ]
    clip = wildcards(face_network="clip", scope="lora", method="mmd", protocol="block", seed="0", shard="001")
    full = wildcards(face_network="backbone", scope="full", method="tent", protocol="block", seed="0", shard="001")
    assert flow.faces.recipe(full)["row"] == {
        "network": "backbone", "scope": "full", "options": {"tent": {"lr": 0.1, "steps": 2}}
    }  # fmt: skip
    assert flow.faces.recipe(clip)["row"]["rank"] == 4
    assert flow.faces.recipe(clip)["backbone"]["name"] == ""
    assert [flow.faces.record(job)["network"] for job in (clip, full)] == ["CLIP lora", "resnet18 full"]
    models = ["resources/models/path.clip/asset.json", flow.backbone.record()]
    assert [flow.faces.model(job) for job in (clip, full)] == models
    assert flow.faces.model_records() == models[:1]
    everywhere = [f"resources/d/features/faces/{shard}.parquet" for shard in ("000", "001")]
    assert [flow.faces.source_faces(job) for job in (clip, full)] == [everywhere, []]
    assert {"mmd", "source_only", "tent"} <= set(flow.methods())
    person = wildcards(adapted="faces/clip/lora/mmd", protocol="block", participant="90001")
    assert set(flow.adapt.shards_of_participant(person)) < set(flow.faces.predictions())


def test_a_cross_validation_scores_every_model_out_of_fold_too():
    whole, folds = flow_of().predictions(), flow_of({"train": {"folds": 5}}).predictions()
    assert set(whole) < set(folds)
    models = [f"results/x/train/{model}/folds.parquet" for model in ("tfidf/T/0", "videos/discrepancy/VT/0")]
    models += [
        f"results/x/train/{model}/{seed}/folds.parquet" for model in ("lfan/VT", "conflict/T") for seed in (0, 1)
    ]
    assert {*models, "results/x/evaluate/controls/content_free.video.cv.parquet"} < set(folds) - set(whole)


@pytest.mark.parametrize("preset", PRESETS, ids=lambda path: path.stem)
def test_no_file_of_a_preset_is_named_twice_or_in_part(preset):
    flow = Flow(Run(read_config([preset])))
    assert flow.predictions()
    for files in (flow.predictions(), flow.targets(), flow.costs.outputs()):
        assert len(set(files)) == len(files)
        assert not [file for file in files if re.search(r"[{}]", file)]
    assert set(flow.frames.outputs("predictions.parquet")) <= set(flow.predictions())
    assert len(flow.frames.records_of_outputs()) == len(flow.frames.outputs("history.jsonl"))


def test_a_whole_run_makes_the_page_and_what_models_explain():
    seeds = [f"results/x/train/conflict/T/{seed}/explanations.parquet" for seed in (0, 1)]
    assert flow_of().targets() == ["results/x/report/report.html", *seeds]


def test_the_report_depends_on_the_records_of_the_methods_that_it_shows(monkeypatch):
    shown = {"lfan", "conflict", "tfidf", "discrepancy", "focalnet_tiny", "shot"}
    methods = flow_of().methods()
    assert set(methods) == shown | set(CONTROLS)
    monkeypatch.setitem(FUSIONS, "other", FusionRecord("waver.models.fusion.can:Can"))
    assert flow_of().methods() == methods
    assert "other" in flow_of({"report": {"other_runs": {"name": "results/y"}}}).methods()
    monkeypatch.setitem(FUSIONS, "lfan", replace(FUSIONS["lfan"], label="Another name"))
    assert flow_of().methods()["lfan"] != methods["lfan"]


def test_costs_are_of_every_trained_model_once():
    twice = {"videos": {"runs": [{"model": "discrepancy", "modalities": "VT", "seeds": [s]} for s in (0, 1)]}}
    costs = flow_of(twice).costs
    trained = ["conflict/T", "lfan/VT", "videos/discrepancy/VT"]
    assert costs.outputs() == [f"results/x/train/{folder}/cost.json" for folder in trained]
    job = wildcards(trained="videos/discrepancy/VT")
    seeds = [f"results/x/train/videos/discrepancy/VT/{seed}/model.pt" for seed in (0, 1)]
    assert costs.files("model.pt")(job) == seeds
    assert (costs.unit(job), costs.record(job)) == ("video", {"method": "discrepancy", "modalities": "VT"})


def records(flow: Flow) -> set[str]:
    return {Path(record).parent.name for record in flow.model_records()}


def test_models_are_those_that_the_config_uses(tmp_path):
    assert records(flow_of()) == {"retinaface_mobilenet", "mini_xception", "minilm", "minilm_sentences"}
    own = {"models": {"paths": {"speech_encoder": "e", "sentiment": "s", "focalnet_tiny": "f", "emoclip": "c"}}}
    heard = {"features": {"audio": {"feature": "speech_encoder"}, "speech": {"source": "recognise"}}}
    more = records(flow_of(own | heard)) - records(flow_of())
    assert more == {"whisper_base", "path.speech_encoder", "path.sentiment", "path.focalnet_tiny"}
    words = {"dataset": {"source": "transcripts"}, "train": {"runs": [{"fusion": "lfan", "modalities": "T"}]}}
    words |= {"videos": {"runs": []}, "adapt": {"methods": []}}
    assert records(flow_of(words)) == {"minilm", "minilm_sentences"}
    assert records(flow_of({**words, "answers": {"runs": []}})) == {"minilm"}
    bert = {**words, "models": {"paths": {"word_encoder": "bert"}}}
    assert records(flow_of(bert)) == {"path.word_encoder", "minilm_sentences"}


def test_models_of_forced_alignment_are_used_where_they_are_given_and_there_is_sound():
    given = {"models": {"paths": {"aligner_fr": "f"}}}
    features = flow_of(given).features
    assert features.aligners() == ["resources/models/path.aligner_fr/asset.json"]
    assert features.aligners()[0] in features.model_records()
    assert features.speech_code(wildcards()) != flow_of().features.speech_code(wildcards())
    assert flow_of().features.aligners() == []
    of_paper = flow_of({"models": {"roles": {"aligner_en": "paper"}}}).features.aligners()
    assert of_paper == ["resources/models/wav2vec2_base_960h/asset.json"]
    with pytest.raises(WaverError, match=r"no aligner_fr; give its file or folder under models\.paths\.aligner_fr"):
        flow_of({"models": {"roles": {"aligner_fr": "paper"}}}).features.aligners()
    transcripts = {"dataset": {"source": "transcripts"}, "train": {"runs": []}, "videos": {"runs": []}}
    assert flow_of({**given, **transcripts, "adapt": {"methods": []}}).features.aligners() == []


def test_a_trained_backbone_is_reported_and_what_it_begins_with_is_installed():
    visual = {"features": {"visual": {"backbone": "resnet18"}}, "models": {"paths": {"expression_backbone": "b.pt"}}}
    stages = {"backbone": {"stages": ["emotions", "ah"], "emotions": {"sets": [{"path": "pictures"}]}}}
    given, trained = flow_of(visual), flow_of(visual | stages)
    installed = "resources/models/path.expression_backbone/asset.json"
    assert given.backbone.record() == installed
    assert trained.backbone.record() == "resources/d/train/resnet18/asset.json"
    assert trained.backbone.before_frames() == ["resources/emotions/train/resnet18/asset.json"]
    assert trained.backbone.record() in trained.model_records()
    assert installed not in trained.model_records()
    assert installed in trained.installs()
    assert trained.backbone.record() not in trained.installs()


FRAMES = wildcards(fusion="lfan", modalities="VT", seed="1")
CHANGES = {
    "options of another fusion": ("frames", FRAMES, {"train": {"options": {"mt": {"dropout": 0.2}}}}, False),
    "options of this fusion": ("frames", FRAMES, {"train": {"options": {"lfan": {"dropout": 0.2}}}}, True),
    "another row": ("frames", FRAMES, {"train": {"runs": [{"fusion": "lfan", "modalities": "VT"}]}}, False),
    "options of another model of answers": (
        "answers",
        wildcards(answers="tfidf"),
        {"answers": {"options": {"cues": {}}}},
        False,
    ),
    "folds": ("answers", wildcards(answers="tfidf"), {"train": {"folds": 3}}, True),
    "recipe of another video model": (
        "videos",
        wildcards(video_model="focalnet_tiny"),
        {"videos": {"recipes": {"discrepancy": {"lr": 0.5}}}},
        False,
    ),
    "recipe of this video model": (
        "videos",
        wildcards(video_model="discrepancy"),
        {"videos": {"recipes": {"discrepancy": {"lr": 0.5}}}},
        True,
    ),
    "options of another adaptation": ("adapt", wildcards(method="shot"), {"adapt": {"options": {"oracle": {}}}}, False),
    "epochs of the source": ("adapt", wildcards(method="shot"), {"adapt": {"source_epochs": 3}}, True),
}


@pytest.mark.slow
@pytest.mark.parametrize(("stage", "job", "changes", "concerned"), CHANGES.values(), ids=CHANGES)
def test_a_job_depends_on_its_own_part_of_the_config(stage, job, changes, concerned):
    before, after = (getattr(flow_of(change), stage) for change in ({}, changes))
    assert (before.recipe(job) != after.recipe(job)) == concerned
    assert before.code(job) == after.code(job)
    assert before.record(job)["config"] == before.recipe(job)


@pytest.mark.slow
def test_code_is_of_the_script_and_of_the_method_alone():
    flow = flow_of()
    lfan, conflict = FRAMES, wildcards(fusion="conflict", modalities="T", seed="0")
    codes = [flow.frames.code, flow.frames.folds_code, flow.frames.head_code, flow.frames.explanations_code]
    assert len({function(job) for function in codes for job in (lfan, conflict)}) == 8
    temporal = flow_of({"train": {"options": {"lfan": {"temporal": "ssm"}}}})
    assert temporal.frames.code(lfan) != flow.frames.code(lfan)
    assert temporal.frames.code(conflict) == flow.frames.code(conflict)


def test_records_tell_a_head_from_its_model_and_one_seed_from_another():
    frames, job = flow_of().frames, wildcards(fusion="conflict", modalities="T", seed="1")
    assert frames.record(job)["method"] == "conflict"
    assert frames.head_record(job)["method"] != "conflict"
    assert frames.head_record(job)["seed"] == frames.explanations_record(job)["seed"] == 1


def test_a_data_set_of_words_alone_has_no_pictures(tmp_path):
    config = {"dataset": {"source": "transcripts", "root": str(tmp_path)}, "features": {"speech": {"source": "given"}}}
    config["train"] = {"runs": [{"fusion": "lfan", "modalities": "T"}]}
    flow = checked_flow(config | {"adapt": {"methods": []}}, load=False)
    assert flow.features.names == ["speech", "words", "cues"]
    assert flow.features.aligned == ["words", "cues"]
    assert flow.report.backbone() == ""
    assert flow_of().features.names == ["faces", "visual", "audio", "speech", "words", "cues"]


def test_methods_over_clip_read_what_they_see_and_need_a_checkpoint():
    methods = ["clip_zero_shot", "tda", "reta", "tta_cap", "promptalign"]
    changes = {"adapt": {"methods": methods, "options": {"tda": {"views": True}}}, "models": {"paths": {"clip": "/c"}}}
    adapt = flow_of(changes).adapt
    assert adapt.vision_language == methods
    assert adapt.model_records() == ["resources/models/path.clip/asset.json"]
    jobs = {name: wildcards(method=name, shard="001") for name in methods}
    assert [name for name in methods if adapt.seen_views(jobs[name])] == ["tda", "reta"]
    assert adapt.seen_faces(jobs["promptalign"]) == ["resources/d/features/faces/001.parquet"]
    with pytest.raises(WaverError, match=r"models\.paths\.clip"):
        flow_of({"adapt": {"methods": methods}}).adapt.model_records()
    assert flow_of().adapt.model_records() == []


def test_the_overlay_of_methods_over_clip_names_all_of_them():
    overlay = PRESETS[0].parent / "methods/vision_language.yaml"
    flow = Flow(Run(read_config([PRESETS[0].parent / "bah300.yaml", overlay])))
    assert set(flow.adapt.vision_language) == set(flow.adapt.methods()) == set(VISION_LANGUAGE)


def test_the_overlay_of_language_models_asks_what_the_papers_asked():
    overlay = PRESETS[0].parent / "methods/language_models.yaml"
    flow = Flow(Run(read_config([PRESETS[0].parent / "bah300.yaml", overlay])))
    assert set(flow.zeroshot.methods()) >= {"video_llava.td1.video", "video_llava.s.w8", "affectgpt.ts.video"}
    assert "video_llava_tuned.td1.video" in flow.zeroshot.methods()
