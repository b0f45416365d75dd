import json
import logging
import os
import signal
import subprocess
import sys
import textwrap
from contextlib import nullcontext
from functools import partial
from unittest.mock import ANY

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
import yaml

from checkout import ROOT
from killed import killed_after
from recorded import recorded
from synthetic import write_packs
from waver.config.section import overlaid
from waver.config.sections import TrainConfig
from waver.errors import WaverError
from waver.io.tables import PREDICTIONS, read_arrow, read_metadata
from waver.training.corpus import Normalisation, read_corpus, thinned
from waver.training.frames import fit as fit_module
from waver.training.frames import training as training_module
from waver.training.frames.checkpoint import build_model, load_checkpoint
from waver.training.frames.fit import train_fusion
from waver.training.frames.predict import predict, probability, video_logits
from waver.training.tensorboard import scalar_log
from waver.training.trained_model import recorded_model

pytestmark = pytest.mark.slow

OPTIONS = {name: {"channels": {m: [8, 8] for m in ("visual", "audio", "text", "question")}} for name in ("lfan", "can")}
CONFIG = TrainConfig(window=60, hop=30, batch=4, epochs=4, lr=0.01, options=OPTIONS)
WIDE = CONFIG.model_copy(update={"options": {"lfan": {"channels": {m: [12] for m in ("visual", "audio", "text")}}}})
RECORD = {"model_set": "embedded", "code": "c0de", "config": {"lr": 0.01}}


@pytest.fixture(scope="module")
def packs(tmp_path_factory):
    return write_packs(tmp_path_factory.mktemp("packs"), {"train": 3, "val": 1, "test": 1})


def outputs(folder):
    folder.mkdir(parents=True, exist_ok=True)
    return {
        n: folder / f for n, f in (("model", "model.pt"), ("history", "history.jsonl"), ("predictions", "p.parquet"))
    }


def run(packs, folder, fusion="lfan", modalities="VAT", seed=0, config=CONFIG, model=None):
    files = outputs(folder)
    record = RECORD if model is None else RECORD | model.record
    train_fusion(*packs, fusion, modalities, seed, config, files, record, partial(scalar_log, folder))
    return files


@pytest.fixture(scope="module")
def undisturbed(packs, tmp_path_factory):
    return run(packs, tmp_path_factory.mktemp("run"))


def test_predictions_cover_every_frame_of_val_and_test(packs, undisturbed):
    table = read_arrow(undisturbed["predictions"], PREDICTIONS)
    expected = read_corpus(*packs, "V", ["val", "test"])
    assert table.num_rows == sum(sample.frames for sample in expected)
    assert set(table["split"].to_pylist()) == {"val", "test"}
    assert table["video"].to_pylist() == [s.video for s in expected for _ in range(s.frames)]
    assert table["frame"].to_pylist() == [i for s in expected for i in range(s.frames)]
    margin, chance = table["margin"].to_numpy(), table["probability"].to_numpy()
    assert np.allclose(chance, 1 / (1 + np.exp(-margin)))
    assert chance.std() > 0.01
    assert read_metadata(undisturbed["predictions"]) == {
        "method": "lfan", "modalities": "VAT", "level": "frame", "protocol": "standard", "seed": 0, **RECORD,
        "made_from": ANY,
    }  # fmt: skip


def test_a_stride_cuts_windows_of_as_many_seconds(packs, tmp_path, monkeypatch):
    """Windows of 60 frames every 30 are 15 steps every 7 or 8 where every fourth frame is worked on."""
    seen, cut = set(), training_module.windows_of
    monkeypatch.setattr(training_module, "windows_of", lambda frames, *steps: seen.add(steps) or cut(frames, *steps))
    config = CONFIG.model_copy(update={"stride": 4, "epochs": 1, "hop": 28})
    made = load_checkpoint(run(packs, tmp_path, config=config)["model"])
    assert seen == {(15, 7)}
    assert (made.window, made.hop, made.stride) == (60, 28, 4)
    video = read_corpus(*packs, "VAT", ["test"])[0]
    network, steps = build_model(made), thinned(made.normalisation.apply(video), 4)
    logits = video_logits(network, steps, 15, 7, torch.device("cpu"))
    whole = np.repeat(logits, 4, axis=0)[: video.frames]
    assert np.array_equal(predict(made, [video])[video.video], whole)
    scaled, apply = list[int](), Normalisation.apply
    monkeypatch.setattr(Normalisation, "apply", lambda own, part: scaled.append(part.frames) or apply(own, part))
    monkeypatch.setattr("waver.training.frames.predict._WINDOWS_AT_ONCE", 1)
    np.testing.assert_allclose(predict(made, [video])[video.video], whole, atol=1e-6)
    assert set(scaled) == {15}, "of a long recording, some windows are normalised at a time"


def test_scalars_lie_beside_the_history(undisturbed):
    (events,) = undisturbed["history"].parent.glob("events.out.tfevents.*")
    assert events.stat().st_size > 1000


def test_a_training_without_a_scalar_log_is_the_same_and_draws_nothing(packs, undisturbed, tmp_path):
    files = outputs(tmp_path)
    train_fusion(*packs, "lfan", "VAT", 0, CONFIG, files, RECORD)
    assert files["predictions"].read_bytes() == undisturbed["predictions"].read_bytes()
    assert not list(tmp_path.glob("events.out.tfevents.*"))


def test_a_variant_is_its_fusion_under_its_own_name(packs, undisturbed, tmp_path):
    again, wide = (recorded("lfan", "VAT", name) for name in ("again", "wide"))
    same = run(packs, tmp_path / "a", model=again)
    other = run(packs, tmp_path / "b", config=WIDE, model=wide)
    assert read_metadata(same["predictions"])["method"] == "lfan.again"
    assert recorded_model(read_metadata(other["predictions"]), "") == wide
    tables = [pq.read_table(files["predictions"])["margin"].to_numpy() for files in (undisturbed, same, other)]
    assert np.array_equal(tables[0], tables[1])
    assert not np.array_equal(tables[0], tables[2])
    assert load_checkpoint(other["model"]).fusion == "lfan"
    assert load_checkpoint(other["model"]).options["channels"]["visual"] == (12,)


def test_the_model_file_predicts_the_same(packs, undisturbed):
    checkpoint = load_checkpoint(undisturbed["model"])
    videos = read_corpus(*packs, checkpoint.modalities, ["val", "test"])
    chance = np.concatenate(list(map(probability, predict(checkpoint, videos).values())))
    assert np.array_equal(chance, pq.read_table(undisturbed["predictions"])["probability"].to_numpy())
    history = [json.loads(line) for line in undisturbed["history"].read_text().splitlines()]
    assert checkpoint.record["val_AP"] == max(line["val_AP"] for line in history)
    assert checkpoint.record["code"] == "c0de"


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(packs, undisturbed, tmp_path):
    again, other = run(packs, tmp_path / "a"), run(packs, tmp_path / "b", seed=1)
    assert again["predictions"].read_bytes() == undisturbed["predictions"].read_bytes()
    assert other["predictions"].read_bytes() != undisturbed["predictions"].read_bytes()


@pytest.mark.slow
def test_a_killed_job_ends_as_if_it_had_never_been(packs, undisturbed, tmp_path, caplog):
    files = outputs(tmp_path)
    script = f"""
        import os, signal, sys
        sys.path[:0] = {sys.path!r}
        from pathlib import Path
        from contextlib import nullcontext
        from waver.config.sections import TrainConfig
        from waver.training.frames.fit import train_fusion
        def die(record):
            if record["epoch"] == 2:
                os.kill(os.getpid(), signal.SIGKILL)
        train_fusion({[str(p) for p in packs[0]]!r}, Path({str(packs[1])!r}), "lfan", "VAT", 0,
                     TrainConfig(**{CONFIG.model_dump()!r}), { ({n: str(f) for n, f in files.items()})!r}, {RECORD!r},
                     lambda past: nullcontext(die))
    """
    killed = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=False, env=dict(os.environ))
    assert killed.returncode == -signal.SIGKILL
    assert not [path for path in files.values() if path.exists()]
    assert (tmp_path / "model.pt.resume").exists()
    with caplog.at_level(logging.INFO):
        run(packs, tmp_path)
    assert "going on after epoch 2" in caplog.text
    assert files["predictions"].read_bytes() == undisturbed["predictions"].read_bytes()
    assert _scores(files["history"]) == _scores(undisturbed["history"])
    assert not [path for name in ("*.resume", "*.part", "*.lock") for path in tmp_path.glob(name)]


def _scores(history):
    records = [json.loads(line) for line in history.read_text().splitlines()]
    return [{k: v for k, v in r.items() if k not in ("seconds", "data_wait_s")} for r in records]


def test_a_copy_that_waited_keeps_what_the_other_made(packs, tmp_path, monkeypatch):
    """Slurm started the job again and the first copy ended: jobs that come after it read the outputs by now."""
    files = run(packs, tmp_path)
    made = {path: path.stat().st_mtime_ns for path in files.values()}
    with monkeypatch.context() as patch:
        patch.setattr(fit_module, "fit", None)
        run(packs, tmp_path)
    assert {path: path.stat().st_mtime_ns for path in files.values()} == made
    assert {path.name for path in tmp_path.iterdir() if "events" not in path.name} == {p.name for p in files.values()}


@pytest.mark.parametrize("lost", ["model", "history", "predictions", None])
def test_what_is_not_whole_or_of_another_recipe_is_trained(packs, undisturbed, tmp_path, lost):
    """A history that is there stays whole until the new one takes its place."""
    config = CONFIG if lost else CONFIG.model_copy(update={"lr": 0.02})
    files = run(packs, tmp_path, config=config)
    if lost:
        files[lost].unlink()
    lengths = []

    def read(past):
        lengths.append(len(files["history"].read_text().splitlines()) if files["history"].exists() else CONFIG.epochs)
        return nullcontext(lambda record: read(()) and None)

    train_fusion(*packs, "lfan", "VAT", 0, CONFIG, files, RECORD, read)
    assert lengths == [CONFIG.epochs] * (CONFIG.epochs + 1)
    assert files["predictions"].read_bytes() == undisturbed["predictions"].read_bytes()
    assert _scores(files["history"]) == _scores(undisturbed["history"])


def test_a_state_of_another_recipe_is_not_continued(packs, undisturbed, tmp_path, caplog):
    with killed_after(1):
        run(packs, tmp_path, config=CONFIG.model_copy(update={"lr": 0.02}))
    assert (tmp_path / "model.pt.resume").exists()
    with caplog.at_level(logging.INFO):
        files = run(packs, tmp_path)
    assert "going on" not in caplog.text
    assert files["predictions"].read_bytes() == undisturbed["predictions"].read_bytes()


def test_a_broken_state_file_is_not_continued(packs, undisturbed, tmp_path):
    (tmp_path / "model.pt.resume").write_bytes(b"half a file")
    files = run(packs, tmp_path)
    assert files["predictions"].read_bytes() == undisturbed["predictions"].read_bytes()


def test_the_test_split_is_read_after_the_model_is_chosen(packs, tmp_path, monkeypatch):
    calls = []

    def spy(indexes, folder, modalities, splits, **options):
        calls.append((tuple(splits), (tmp_path / "model.pt").exists()))
        return read_corpus(indexes, folder, modalities, splits, **options)

    monkeypatch.setattr(fit_module, "read_corpus", spy)
    run(packs, tmp_path, modalities="T", config=CONFIG.model_copy(update={"epochs": 1}))
    assert calls == [(("train", "val"), False), (("val", "test"), True)]


@pytest.mark.parametrize("padding", ["mask", "repeat"])
def test_videos_shorter_than_the_window(packs, tmp_path, padding):
    config = CONFIG.model_copy(update={"window": 200, "padding": padding, "epochs": 2})
    files = run(packs, tmp_path, fusion="can", config=config)
    table = read_arrow(files["predictions"], PREDICTIONS)
    assert table.num_rows == sum(s.frames for s in read_corpus(*packs, "V", ["val", "test"]))


@pytest.mark.parametrize("fusion", ["lfan", "can"])
@pytest.mark.parametrize("modalities", ["TQ", "Q"])
def test_what_was_asked_can_be_learnt_from(packs, tmp_path, fusion, modalities):
    files = run(packs, tmp_path, fusion, modalities, config=CONFIG.model_copy(update={"epochs": 2}))
    table = read_arrow(files["predictions"], PREDICTIONS)
    assert table.num_rows == sum(s.frames for s in read_corpus(*packs, "Q", ["val", "test"]))
    assert table["margin"].to_numpy().std() > 0
    assert read_metadata(files["predictions"])["modalities"] == modalities
    checkpoint = load_checkpoint(files["model"])
    assert list(checkpoint.normalisation.sizes) == (["text", "question"] if modalities == "TQ" else ["question"])
    history = [json.loads(line) for line in files["history"].read_text().splitlines()]
    assert history[-1]["train_loss"] < history[0]["train_loss"]


RECIPES = [
    path for path in (ROOT / "config/presets/recipes").glob("*.yaml") if "train" in yaml.safe_load(path.read_text())
]


@pytest.mark.parametrize("recipe", sorted(RECIPES), ids=lambda path: path.stem)
def test_every_recipe_trains_the_conflict_model(packs, tmp_path, recipe):
    tiny = {"size": 16, "shared": 8, "layers": 1, "channels": {m: [8, 8] for m in ("visual", "audio", "text")}}
    values = yaml.safe_load(recipe.read_text())["train"]
    config = TrainConfig(**overlaid(values, {"epochs": 3, "options": {"conflict": tiny}}))
    files = run(packs, tmp_path, "conflict", "VAT", config=config)
    history = [json.loads(line) for line in files["history"].read_text().splitlines()]
    assert history[-1]["train_loss"] < history[0]["train_loss"]
    checkpoint = load_checkpoint(files["model"])
    assert (checkpoint.decoder is None) == (config.decoding == "none")
    assert np.isfinite(pq.read_table(files["predictions"])["margin"].to_numpy()).all()


def test_a_split_without_labels_is_told(tmp_path):
    with pytest.raises(WaverError, match="val split has no labelled video"):
        run(write_packs(tmp_path, {"train": 2, "test": 1}), tmp_path / "out")
    with pytest.raises(WaverError, match="train split has no labelled video"):
        run(write_packs(tmp_path, {"val": 2, "test": 1}), tmp_path / "out")


def test_a_file_that_is_no_model_is_refused(tmp_path):
    torch.save({"something": 1}, tmp_path / "model.pt")
    with pytest.raises(WaverError, match="not a model of this version"):
        load_checkpoint(tmp_path / "model.pt")
