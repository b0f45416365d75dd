from __future__ import annotations

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest

from waver.cluster import forecast as module
from waver.cluster.forecast import forecast, lines
from waver.cluster.model_jobs import parts_of_rule
from waver.cluster.planning import LOCAL
from waver.cluster.rates import calibrate, costs, load_rates, units
from waver.cluster.settings import read_config
from waver.cluster.workload import FPS, Workload, workload
from waver.errors import WaverError
from waver.io.tables import VIDEOS, write_table
from waver.registry import ANSWER_MODELS, BACKBONES, VIDEO_MODELS
from waver.training.frames.windows import windows_of

ROOT = Path(__file__).resolve().parents[3]
DEMO = ROOT / "config/presets/demo.yaml"
BAH = DEMO.with_name("bah300.yaml")
SMK = sorted((ROOT / "rules").glob("*.smk"))
DEMO_JOBS = {"ingest_tables": 1, "features_faces": 2, "features_speech": 2, "features_visual": 2, "align_pack": 2}
DEMO_CPU_S = {"features_faces": 89.6, "features_speech": 88.4, "features_visual": 29.2}
"""Measured CPU seconds of both shards of a demo run on two loaded cores."""


def work_of(**lengths_s: list[float]) -> Workload:
    return Workload({split: np.array(lengths_s.get(split, [1.0])) for split in ("train", "val", "test")}, "a test")


def demo_work() -> Workload:
    """The demo data set as made: 74 videos."""
    return work_of(train=[332.9 / 38] * 38, val=[108.3 / 12] * 12, test=[208.0 / 24] * 24)


def test_window_frames_are_those_of_training():
    lengths_s = [0.5, 28.9, 29.0, 29.1, 31.0, 60.0, 61.3, 120.0]
    frames = [round(length * FPS) for length in lengths_s]
    wanted = sum(window.stop - window.start for window in windows_of(frames, 696, 48))
    work = work_of(train=[count / FPS for count in frames])
    assert work.window_frames(696, 48) == pytest.approx(wanted)


def test_videos_are_read_from_the_tables_of_ingest(tmp_path):
    config = read_config([BAH])
    rows = [
        {field.name: None for field in VIDEOS}
        | {"video": f"8{n}_Q1", "participant": f"8{n}", "split": split, "path": "x", "source_frames": 240}
        | {"source_fps": 24.0, "duration_s": 10.0, "has_audio": True, "checksum": "x"}
        for n, split in enumerate(["train", "train", "val", "test"])
    ]
    write_table(tmp_path / "resources/bah300/ingest/videos.parquet", rows, VIDEOS)
    found = workload(config, load_rates(), tmp_path)
    assert found.videos == 4
    assert found.frames("train") == 480
    assert found.hours == pytest.approx(40 / 3600)


def test_numbers_of_your_own_stand_for_a_data_set(tmp_path):
    config, rates = read_config([BAH]), load_rates()
    found = workload(config, rates, tmp_path, participants=300, hours=10.6)
    assert found.videos == pytest.approx(1427, abs=3)
    assert found.hours == pytest.approx(10.6)
    # 501,970 frames of BAH-300's train split; long videos hold many windows
    assert found.frames("train") == pytest.approx(501_970, rel=0.02)
    assert 3 < found.window_frames(696, 48) / found.frames("train") < 4.5
    assert workload(config, rates, tmp_path, hours=5.3).videos == pytest.approx(714, abs=2)
    with pytest.raises(WaverError, match="--participants 300"):
        workload(config, rates, tmp_path)


def test_files_are_counted_and_measured_by_their_headers(tmp_path, monkeypatch):
    config = read_config([BAH], [f"dataset={{root: {tmp_path}}}"])
    with pytest.raises(WaverError, match=r"no video below"):
        workload(config, load_rates(), tmp_path)
    for number in range(30):
        (tmp_path / f"{number}.mp4").touch()
    empty = workload(config, load_rates(), tmp_path)
    assert "none could be opened" in empty.basis
    assert empty.hours == pytest.approx(30 * 26.7 / 3600)
    from waver.cluster.machine import _clip

    (tmp_path / "0.mp4").write_bytes(_clip())
    assert workload(config, load_rates(), tmp_path).hours == pytest.approx(30 * 0.25 / 3600, rel=0.3)


def test_the_table_tells_what_a_demo_run_took():
    found = {cost.rule: cost for cost in costs(DEMO_JOBS, read_config([DEMO]), demo_work())}
    start_s = load_rates()["start_cpu_s"]
    for rule, measured in DEMO_CPU_S.items():
        assert found[rule].cpu_s - 2 * start_s == pytest.approx(measured, rel=0.5), rule
    assert found["features_faces"].disk_mb == pytest.approx(237, rel=0.1)
    assert found["features_faces"].inodes == pytest.approx(102, rel=0.1)


def test_the_config_scales_the_cost():
    work = demo_work()
    usual, other = read_config([DEMO]), read_config([DEMO], ["features={faces: {every: 1, long_side: 640}}"])
    assert units("features_faces", DEMO_JOBS, other, work)["megapixel"] == pytest.approx(
        8 * units("features_faces", DEMO_JOBS, usual, work)["megapixel"]
    )
    given = read_config([DEMO], ["features={speech: {source: given}}"])
    assert units("features_speech", DEMO_JOBS, given, work)["recognised_frame"] == 0


def test_a_rule_without_rates_takes_those_of_its_stage_and_says_so():
    found = {
        cost.rule: cost
        for cost in costs({"train_fusion": 4, "train_other": 4, "new_stage": 2}, read_config([DEMO]), demo_work())
    }
    assert found["train_other"].cpu_s == found["train_fusion"].cpu_s
    assert (found["train_other"].like, found["train_fusion"].like, found["new_stage"].like) == (
        "train_fusion",
        "",
        "nothing",
    )


def test_every_unit_of_the_table_is_known():
    known = units("job", {"job": 1}, read_config([DEMO]), demo_work())
    for rule, kinds in load_rates()["rules"].items():
        if "like" in kinds:
            assert kinds["like"] == "nothing" or kinds["like"] in load_rates()["rules"], rule
            continue
        assert set(kinds) in ({"cpu_s", "disk_mb", "inodes"}, {"models", "disk_mb", "inodes"}), rule
        assert {unit for kind, rates in kinds.items() if kind != "models" for unit in rates} <= set(known), rule
        for model, rates in kinds.get("models", {}).items():
            own = {"train_answers": "trained_answer", "train_videos": "trained_video", "zeroshot_ask": "prompt"}
            wanted = {"job", own.get(rule, "trained_picture")}
            assert set(rates) - {"evaluated_picture"} == wanted, (rule, model)


def test_every_model_has_a_rate_but_those_that_were_never_measured():
    tables = {"train_answers": ANSWER_MODELS, "train_videos": VIDEO_MODELS, "train_emotions": BACKBONES}
    rules = load_rates()["rules"]
    missing = {rule: set(known) - set(rules[rule]["models"]) for rule, known in tables.items()}
    assert missing == {"train_answers": {"question_prior"}, "train_videos": {"emoclip"}, "train_emotions": set()}
    assert rules["train_backbone"]["models"] == rules["train_emotions"]["models"]


TRAINED = """
run: x
features: {visual: {backbone: resnet18}}
train: {folds: 5}
backbone: {stages: [emotions, ah], emotions: {sets: [{path: PICTURES}], epochs: 2}, ah: {epochs: 3, every: 4}}
answers:
  runs: [{model: tfidf, inputs: TQ}, {model: question_prior, inputs: Q}]
  tuned: [{model: encoder, inputs: T, seeds: [0, 1]}]
  with_tuned: true
videos:
  runs: [{model: focalnet_tiny, modalities: V}, {model: discrepancy, modalities: VAT, seeds: [0, 1]}]
  recipes: {discrepancy: {epochs: 7}}
  options: {discrepancy: {size: 16}}
"""
TRAINED_JOBS = {"train_emotions": 1, "train_backbone": 1, "train_answers": 4, "train_videos": 3}


@pytest.fixture
def trained(tmp_path) -> Path:
    """Config of a run that trains models of every kind; ten pictures to learn from and four to choose with."""
    for part, count in (("train", 10), ("val", 4)):
        folder = tmp_path / "pictures" / part / "fear"
        folder.mkdir(parents=True)
        for number in range(count):
            (folder / f"{number}.jpg").touch()
    file = tmp_path / "trained.yaml"
    file.write_text(TRAINED.replace("PICTURES", str(tmp_path / "pictures")))
    return file


def test_trainings_are_counted_by_model(trained):
    config, work = read_config([trained]), work_of(train=[10.0] * 8, val=[10.0] * 2)
    rules = {rule: parts_of_rule(rule, config, work, load_rates()) for rule in TRAINED_JOBS}
    found = {(rule, part.model): part for rule, parts in rules.items() for part in parts}
    learned = 8 + 3 * 10  # train, and three of five folds, five times
    assert found["train_answers", "tfidf"].amount == {"job": 1, "trained_answer": learned}
    assert found["train_answers", "encoder"].amount == {"job": 2, "trained_answer": 2 * learned}
    assert found["train_videos", "focalnet_tiny"].amount == {"job": 1, "trained_video": 60 * learned}
    assert found["train_videos", "discrepancy"].amount == {"job": 2, "trained_video": 2 * 7 * learned}
    assert found["train_emotions", "resnet18"].amount == {"job": 1, "trained_picture": 20, "evaluated_picture": 8}
    frames = found["train_backbone", "resnet18"].amount
    assert frames["trained_picture"] == pytest.approx(3 * 2 * load_rates()["positive_share"] * 8 * 240 / 4)
    assert frames["evaluated_picture"] == 3 * 2 * 240 / 4
    assert [name for name, part in found.items() if part.other] == [("train_videos", "discrepancy")]
    fewer = read_config([trained], ["train={folds: 0}", "answers={with_tuned: false}"])
    alone = parts_of_rule("train_answers", fewer, work, load_rates())
    assert [(part.model, part.amount["trained_answer"]) for part in alone] == [("tfidf", 8), ("question_prior", 8)]


def test_calls_of_models_that_are_asked_are_counted_by_video_window_and_prompt(tmp_path):
    file = tmp_path / "asked.yaml"
    file.write_text(
        "dataset: {shards: 4}\n"
        "zeroshot: {models: [video_llava, causal_lm], prompts: [s, td1], windows: [8, 192, 8], splits: [val]}\n"
    )
    config, work = read_config([file]), work_of(train=[60.0], val=[10.0, 8.1])
    sees, reads = parts_of_rule("zeroshot_ask", config, work, load_rates())
    windows = (30 + 25) + (2 + 2)  # 240 and 194.4 frames
    assert (sees.model, sees.jobs, sees.amount["prompt"]) == ("video_llava", 4 * 3, 2 * (2 + windows))
    assert (reads.model, reads.jobs, reads.amount["prompt"]) == ("causal_lm", 4, 2 * 2)
    (cost,) = costs({"zeroshot_ask": 16}, config, work)
    assert (cost.uncounted, cost.estimated) == (0, sees.jobs)
    assert any("at most 122 calls: 2 prompts about 61 videos and windows" in remark for remark in cost.remarks)
    assert any("video_llava (jobs: 12): never measured: ESTIMATED from 7.4 billion" in one for one in cost.remarks)
    # 61 items of 8 x 257 tokens and 91 that prompts share, 122 prompts of 50; the text model's 4 calls beside
    tokens = 61 * (8 * 257 + 91) + 122 * 50
    expected = 12 * 14 + 0.21 * tokens * 7.4e9 / (80 * 134.5e6) + 4 * 14 + 4 * 0.21
    assert cost.cpu_s == pytest.approx(expected + 16 * load_rates()["start_cpu_s"])


def test_a_tuned_model_is_asked_once_a_seed_about_those_it_has_not_learned_from(tmp_path):
    file = tmp_path / "tuned.yaml"
    file.write_text(
        "dataset: {shards: 4}\nzeroshot: {splits: [train, val], finetune: {models: [video_llava], seeds: [0, 1, 2]}}\n"
    )
    config, work = read_config([file]), work_of(train=[60.0] * 5, val=[10.0, 8.1])
    (tuned,) = parts_of_rule("zeroshot_ask", config, work, load_rates())
    assert (tuned.model, tuned.jobs, tuned.amount["prompt"]) == ("video_llava", 4 * 3, 2 * 3)
    (asking, learning) = costs({"zeroshot_ask": 12, "zeroshot_finetune": 3}, config, work)
    assert (asking.estimated, asking.uncounted, learning.uncounted) == (12, 0, 3)


def test_the_time_of_a_training_is_that_of_its_models(trained):
    work = work_of(train=[10.0] * 8, val=[10.0] * 2)
    found = {cost.rule: cost for cost in costs(TRAINED_JOBS, read_config([trained]), work)}
    rates, start_s = load_rates()["rules"]["train_videos"]["models"], load_rates()["start_cpu_s"]
    clips, features = (
        60 * 38 * rates["focalnet_tiny"]["trained_video"],
        2 * 7 * 38 * rates["discrepancy"]["trained_video"],
    )
    own_s = rates["focalnet_tiny"]["job"] + 2 * rates["discrepancy"]["job"]
    assert found["train_videos"].cpu_s == pytest.approx(clips + features + own_s + 3 * start_s)
    assert found["train_videos"].longest_s == pytest.approx(clips + rates["focalnet_tiny"]["job"] + start_s)
    assert (found["train_videos"].uncounted, found["train_answers"].uncounted) == (0, 1)


def test_work_that_was_never_measured_is_not_counted_as_nothing(trained, tmp_path):
    (tmp_path / "pictures").rename(tmp_path / "moved")
    jobs = TRAINED_JOBS | {"align_pack": 2, "train_explanations": 2}
    text = lines(forecast(read_config([trained]), tmp_path, participants=300, hours=10.6, jobs=jobs))
    table = text[3 : text.index("", 3)]
    shown = {line.split()[0]: line.split()[1:4] for line in table}
    assert shown["train_emotions"] == ["1", "?", "?"]
    assert shown["train_explanations"] == ["2", "?", "?"]
    assert shown["train_answers"][0] == "4"
    assert all(number.endswith("+") for number in shown["train_answers"][1:])
    assert not shown["train_videos"][1].endswith("+")
    sums = [line.split()[3] for line in table if line.startswith(("= train", "= all"))]
    assert len(sums) == 2
    assert all(number.endswith("+") for number in sums)
    message = "\n".join(text)
    assert (
        "train_emotions, resnet18 (jobs: 1): the pictures of backbone.emotions.sets are not here; the work" in message
    )
    assert "train_answers, question_prior (jobs: 1): never measured; the work is not counted." in message
    assert "train_explanations was never measured: its work is not counted." in message
    assert "train_videos, discrepancy (jobs: 2): measured with the default options of the network" in message
    assert "+: such work is missing in the number." in message


def test_every_rule_of_the_workflow_has_a_line():
    rules = re.findall(r"^ *(?:rule|checkpoint) (\w+):", "".join(map(Path.read_text, SMK)), re.MULTILINE)
    assert set(rules) - LOCAL <= set(load_rates()["rules"])


def test_a_job_of_cross_validation_trains_on_each_video_in_all_folds_but_one():
    jobs, work = {"train_folds": 1, "train_fusion": 1}, work_of(train=[10.0] * 8, val=[10.0] * 2)
    amount = units("train_folds", jobs, read_config([BAH], ["train={folds: 5, epochs: 3}"]), work)
    assert amount["folded_frame"] == 4 * 10 * 10 * FPS * 3
    assert amount["trained_frame"] == 8 * 10 * FPS * 3


def write_benchmarks(folder: Path, rule: str, *seconds: object) -> None:
    (folder / rule).mkdir(parents=True)
    for number, value in enumerate(seconds):
        (folder / rule / f"{number}.jsonl").write_text(json.dumps({"cpu_time": value, "s": 1}) + "\n")


def test_calibration_by_a_half_finished_run(tmp_path):
    config, work = read_config([DEMO]), demo_work()
    usual = {cost.rule: cost for cost in costs(DEMO_JOBS, config, work)}
    job_s = usual["features_faces"].cpu_s / 2 - load_rates()["start_cpu_s"]
    write_benchmarks(tmp_path, "features_faces", 3 * job_s, "NA")
    (tmp_path / "features_faces/9.jsonl").write_text('{"cpu_ti')
    factors = calibrate(tmp_path, DEMO_JOBS, config, work)
    assert factors == {"features_faces": pytest.approx(3)}
    slower = {cost.rule: cost for cost in costs(DEMO_JOBS, config, work, factors)}
    assert slower["features_faces"].cpu_s == pytest.approx(usual["features_faces"].cpu_s + 4 * job_s)
    assert slower["align_pack"] == usual["align_pack"]
    with pytest.raises(WaverError, match="no measured job"):
        calibrate(tmp_path / "none", DEMO_JOBS, config, work)


def test_a_rule_with_work_that_is_not_counted_calibrates_nothing(trained, tmp_path):
    config, work = read_config([trained]), demo_work()
    for rule in ("train_answers", "train_videos"):
        write_benchmarks(tmp_path / "measured", rule, 1000.0)
    assert set(calibrate(tmp_path / "measured", TRAINED_JOBS, config, work)) == {"train_videos"}


def test_jobs_longer_than_the_profile_allows_are_told(tmp_path):
    profile = {
        "default-resources": {"runtime": "60 * attempt"},
        "set-resources": {"train_fusion": {"runtime": "240 * attempt"}, "features_faces": {"gpu": 1}},
    }
    jobs = {"features_faces": 16, "train_fusion": 40}
    found = forecast(read_config([BAH]), tmp_path, profile, participants=300, hours=10.6, jobs=jobs)
    text = "\n".join(lines(found))
    assert "WARNING: a job of train_fusion takes" in text
    assert "the profile allows 4.0 h" in text
    assert "a job of features_faces takes" not in text
    (faces,) = (line.split() for line in text.splitlines() if line.startswith("features_faces"))
    assert (faces[1], faces[4]) == ("16", "16")
    assert "no rate was ever measured on a GPU" in text


@pytest.mark.slow
@pytest.mark.usefixtures("preloaded_snakemake")
def test_the_command_plans_the_workflow_and_calibrates_by_the_run_it_is_given(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config").symlink_to(ROOT / "config")
    write_benchmarks(tmp_path / "benchmarks/demo", "features_faces", 45.0, 44.6)
    profile = ["--profile", str(ROOT / "profiles/slurm")]
    assert module.main(["--configfile", str(DEMO), "--from", "benchmarks/demo", *profile]) == 0
    text = capsys.readouterr().out
    (faces,) = (line.split() for line in text.splitlines() if line.startswith("features_faces"))
    assert faces[1] == "2"
    assert "calibrated by benchmarks/demo (features_faces x " in text
    assert "WARNING" not in text
    with pytest.raises(WaverError, match="no data set to count"):
        module.main(["--configfile", str(BAH), *profile])
    assert set(os.listdir(tmp_path)) == {"config", "benchmarks"}


def test_bah_stays_below_fifteen_thousand_files():
    config = read_config([DEMO.with_name("bah300.yaml")])
    work = workload(config, load_rates(), Path("none"), participants=300, hours=10.6)
    names = ("faces", "visual", "audio", "speech", "words", "cues", "answers")
    jobs = {f"features_{name}": config.dataset.shards for name in names} | {"align_pack": config.dataset.shards}
    assert 9_000 < sum(cost.inodes for cost in costs(jobs, config, work)) < 12_500
