import subprocess
import sys

import pytest

from waver.config.model import load_config
from waver.errors import WaverError
from waver.records import FusionRecord, check_names, load, method_config
from waver.registry import ANSWER_MODELS, CONTROLS, FUSIONS, KINDS
from waver.report.formatting import is_constant, method_name, uses_labels
from waver.workflow.checks import check_registries


def test_every_name_leads_to_a_class_with_a_config():
    for name in FUSIONS:
        method = load(FUSIONS, name)
        assert method_config(FUSIONS, name, {}) == method.Config()


def test_every_model_of_answers_has_a_config_and_says_what_it_needs():
    for name in ANSWER_MODELS:
        method = load(ANSWER_MODELS, name)
        assert method_config(ANSWER_MODELS, name, {}) == method.Config()
        assert isinstance(method.encodes, bool)
        assert isinstance(method.tunes, bool)


def test_names_of_methods_are_disjoint():
    check_registries()
    check_names({**KINDS, "controls": set(CONTROLS) - set(ANSWER_MODELS)})


def test_no_two_methods_have_one_label():
    """A model of answers may be a control too; their inputs differ."""
    labels = [method_name(name) for name in {*CONTROLS, *(name for table in KINDS.values() for name in table)}]
    assert len(set(labels)) == len(labels)
    assert method_name("emoclip", "V") == "EmoCLIP V"
    assert method_name("question_prior", "Q") == "Question prior, as a model"


def test_a_method_without_a_label_has_its_name(monkeypatch):
    monkeypatch.setitem(FUSIONS, "late_average", FusionRecord("waver.models.fusion.lfan:Lfan"))
    assert method_name("late_average", "VT") == "late average V+T"


def test_only_oracles_are_ceilings_and_only_constants_are_constant():
    names = [*CONTROLS, *(name for table in KINDS.values() for name in table)]
    assert {name for name in names if uses_labels(name)} == {name for name in names if name.endswith("oracle")}
    assert {name for name in names if is_constant(name)} == {"all_negative", "all_positive"}


@pytest.mark.parametrize("role", ["focalnet_tiny", "focalnet_small", "focalnet_base", "clip", "emoclip"])
def test_weights_that_a_video_model_reads_can_be_given_by_path(role):
    assert load_config({"models": {"paths": {role: "w"}}}).models.paths == {role: "w"}


def test_weights_that_no_model_reads_cannot_be_given():
    with pytest.raises(WaverError, match=r"models\.paths\.discrepancy.*'emoclip'"):
        load_config({"models": {"paths": {"discrepancy": "w"}}})


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        (["tfidf", "lfan"], "'lfan' is called so twice, among fusions and answers; rename one of them"),
        (["videos"], "answers: 'videos' is a folder of results; rename the method"),
        (["lfan.w24"], r"answers: 'lfan\.w24' must be lower-case letters, digits and _"),
    ],
)
def test_names_that_would_meet_are_refused(answers, told):
    with pytest.raises(WaverError, match=told):
        check_names({"fusions": FUSIONS, "answers": answers})


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(WaverError, match=r"'lfam' is not a known method; known are .*can, .*jmt, lfan, mt"):
        load(FUSIONS, "lfam")


def test_bad_options_are_told_in_one_sentence():
    with pytest.raises(WaverError) as caught:
        method_config(FUSIONS, "lfan", {"widths": {}, "dropout": 2})
    message = str(caught.value)
    assert message.count("\n") == 0
    assert "options of lfan" in message
    assert "widths is not a known key (known are channels," in message
    assert "dropout: Input should be less than 1" in message


def test_channels_of_one_modality_change_nothing_else():
    config = method_config(FUSIONS, "lfan", {"channels": {"audio": [8, 4]}})
    assert config.channels["audio"] == (8, 4)
    assert config.channels["visual"] == (256, 256, 128, 128)


@pytest.mark.parametrize("fusion", FUSIONS)
def test_cues_need_no_options(fusion):
    config = method_config(FUSIONS, fusion, {})
    model = load(FUSIONS, fusion)({"cues": 25, "text": 8}, config)
    channels = getattr(config, "channels", {})
    assert channels.get("cues") == channels.get("audio")
    assert any("cues" in name for name, _ in model.named_parameters())


def test_a_config_is_frozen():
    config = method_config(FUSIONS, "can", {})
    with pytest.raises(ValueError, match="frozen"):
        config.dropout = 0.5


def test_the_registry_imports_no_torch():
    code = "import sys, waver.registry; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": "src"}, check=False).returncode == 0
