import pytest
import yaml

from checkout import ROOT
from waver.config.model import Config, load_config
from waver.errors import WaverError

PRESETS = sorted((ROOT / "config/presets").glob("*.yaml"))


def merged(preset):
    values = yaml.safe_load((ROOT / "config/config.yaml").read_text())

    def overlay(base, top):
        for key, value in top.items():
            if isinstance(value, dict) and isinstance(base.get(key), dict):
                overlay(base[key], value)
            else:
                base[key] = value

    overlay(values, yaml.safe_load(preset.read_text()))
    return values


def test_the_generated_defaults_are_the_models_own():
    assert load_config(yaml.safe_load((ROOT / "config/config.yaml").read_text())) == Config()


@pytest.mark.parametrize("preset", PRESETS, ids=lambda path: path.stem)
def test_every_preset_is_valid_and_named_after_its_run(preset):
    assert load_config(merged(preset)).run == preset.stem


def test_an_unknown_key_is_named_in_one_sentence():
    with pytest.raises(WaverError, match=r"1 mistake.*train\.lerning_rate is not a known key.*docs/config\.md"):
        load_config({"train": {"lerning_rate": 1}})


def test_a_value_out_of_range_is_named_with_the_value():
    with pytest.raises(WaverError, match=r"features\.faces\.threshold.*given: 3"):
        load_config({"features": {"faces": {"threshold": 3}}})


@pytest.mark.parametrize("name", ["emotions", "models"])
def test_a_data_set_takes_no_folder_of_others(name):
    with pytest.raises(WaverError, match=rf"dataset\.name.*resources/{name}.*another name"):
        load_config({"dataset": {"name": name}})


def test_modalities_keep_their_order():
    with pytest.raises(WaverError, match="modalities"):
        load_config({"train": {"runs": [{"fusion": "lfan", "modalities": "TV"}]}})


@pytest.mark.parametrize("modalities", ["Q", "TQ", "VATQ"])
def test_the_question_is_a_modality(modalities):
    config = load_config({"train": {"runs": [{"fusion": "lfan", "modalities": modalities}]}})
    assert config.train.runs[0].modalities == modalities


@pytest.mark.parametrize("modalities", ["C", "CQ", "TC", "VATC", "VACQ", "VATCQ"])
def test_cues_come_after_the_others_and_before_the_question(modalities):
    for section in ("train", "videos"):
        named = {"train": {"fusion": "lfan"}, "videos": {"model": "discrepancy"}}[section]
        config = load_config({section: {"runs": [{**named, "modalities": modalities}]}})
        assert getattr(config, section).runs[0].modalities == modalities


@pytest.mark.parametrize("modalities", ["CT", "CC", "QC", "VCA", "TQC"])
def test_cues_in_another_place_are_refused(modalities):
    with pytest.raises(WaverError, match=r"train\.runs.*modalities"):
        load_config({"train": {"runs": [{"fusion": "lfan", "modalities": modalities}]}})


@pytest.mark.parametrize("modalities", ["QT", "QQ", "TT", ""])
def test_the_question_comes_last_and_once(modalities):
    with pytest.raises(WaverError, match=r"train\.runs.*modalities"):
        load_config({"train": {"runs": [{"fusion": "lfan", "modalities": modalities}]}})


WORDS = {"dataset": {"source": "transcripts"}, "features": {"speech": {"source": "given"}}, "adapt": {"methods": []}}


def test_a_data_set_of_transcripts_has_words_alone():
    runs = [{"fusion": "lfan", "modalities": letters} for letters in ("T", "TQ", "TCQ", "C", "Q")]
    config = load_config({**WORDS, "train": {"runs": runs}})
    assert [run.modalities for run in config.train.runs] == ["T", "TQ", "TCQ", "C", "Q"]
    for letters in ("V", "AT", "VATQ"):
        with pytest.raises(WaverError, match=r"dataset\.source is transcripts: train\.runs .*T, C and Q"):
            load_config({**WORDS, "train": {"runs": [{"fusion": "lfan", "modalities": letters}]}})
    with pytest.raises(WaverError, match=r"set features\.speech\.source to given"):
        load_config({**WORDS, "features": {"speech": {"source": "recognise"}}, "train": {"runs": runs}})


def test_adaptation_of_a_face_needs_a_face():
    adapt = {"methods": ["source_only"], "modalities": "V"}
    with pytest.raises(WaverError, match=r"train\.runs \(and adapt, .*T, C and Q"):
        load_config({**WORDS, "train": {"runs": []}, "adapt": adapt})
    train = {"runs": [{"fusion": "lfan", "modalities": "T"}]}
    assert load_config({**WORDS, "train": train, "adapt": {**adapt, "methods": []}}).adapt.modalities == "V"


def test_inputs_of_source_models_are_one_or_several():
    assert load_config({"adapt": {"modalities": "VA"}}).adapt.inputs == ("VA",)
    assert load_config({"adapt": {"modalities": ["V", "VAT"]}}).adapt.inputs == ("V", "VAT")
    for wrong in (["V", "V"], [], ["TV"], "TV", ["V", ""], "X"):
        with pytest.raises(WaverError, match=r"adapt"):
            load_config({"adapt": {"modalities": wrong}})
    with pytest.raises(WaverError, match=r"train\.runs \(and adapt, .*T, C and Q"):
        load_config({**WORDS, "train": {"runs": []}, "adapt": {"methods": ["shot"], "modalities": ["T", "V"]}})


def test_slow_rows_of_answers_are_run_when_requested():
    answers = {"runs": [{"model": "tfidf", "inputs": "TQ"}], "tuned": [{"model": "encoder", "seeds": [0, 1]}]}
    chosen = [load_config({"answers": {**answers, "with_tuned": tuned}}).answers.chosen for tuned in (False, True)]
    assert [[run.model for run in rows] for rows in chosen] == [["tfidf"], ["tfidf", "encoder"]]
    assert (chosen[0][0].inputs, chosen[0][0].seeds, chosen[1][1].inputs) == ("TQ", (0,), "T")
    with pytest.raises(WaverError, match=r"answers\.runs.*inputs"):
        load_config({"answers": {"runs": [{"model": "tfidf", "inputs": "V"}]}})


@pytest.mark.parametrize("folds", [-1, 21])
def test_folds_have_their_range(folds):
    with pytest.raises(WaverError, match=rf"train\.folds.*given: {folds}"):
        load_config({"train": {"folds": folds}})


def test_a_path_for_an_unknown_role_is_named():
    with pytest.raises(WaverError, match=r"models\.paths\.portrait.*'face_detector'"):
        load_config({"models": {"paths": {"portrait": "model.onnx"}}})


def test_root_and_demo_exclude_each_other():
    with pytest.raises(WaverError, match=r"dataset\.source is demo"):
        load_config({"dataset": {"root": "/data", "source": "demo"}})


def test_the_config_is_frozen():
    with pytest.raises(ValueError, match="frozen"):
        Config().run = "other"
