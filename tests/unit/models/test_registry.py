import subprocess
import sys

import pytest

from waver.adaptation.registry import METHODS
from waver.errors import WaverError
from waver.evaluation.names import CONTROLS
from waver.models.registry import ANSWER_MODELS, FUSIONS, VIDEO_MODELS, check_names, load, method_config


def test_every_name_leads_to_a_class_with_a_config():
    for name in FUSIONS:
        method = load(FUSIONS, name)
        assert method_config(FUSIONS, name, {}) == method.Config()
        assert isinstance(method.whole_video, bool)


def test_every_model_of_answers_has_a_config_and_says_what_it_needs():
    for name in ANSWER_MODELS:
        method = load(ANSWER_MODELS, name)
        assert method_config(ANSWER_MODELS, name, {}) == method.Config()
        assert isinstance(method.encodes, bool)
        assert isinstance(method.tunes, bool)


def test_names_of_methods_are_disjoint():
    """A model of answers may have the name of a control, and is told from it by its inputs."""
    kinds = {"fusions": FUSIONS, "answers": ANSWER_MODELS, "videos": VIDEO_MODELS, "adaptation": METHODS}
    check_names({**kinds, "controls": set(CONTROLS) - set(ANSWER_MODELS)})


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        (["tfidf", "lfan"], "'lfan' is called so twice, among fusions and answers; rename one of them"),
        (["videos"], "answers: 'videos' is a folder of results; rename the method"),
        (["lfan.w24"], r"answers: 'lfan\.w24' must be lower-case letters, digits and _"),
    ],
)
def test_names_that_would_meet_are_told(answers, told):
    with pytest.raises(WaverError, match=told):
        check_names({"fusions": FUSIONS, "answers": answers})


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(WaverError, match=r"'lfam' is not a known method; known are can, .*jmt, lfan, mt"):
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
    assert config.channels["cues"] == config.channels["audio"]
    assert any("cues" in name for name, _ in model.named_parameters())


def test_a_config_is_frozen():
    config = method_config(FUSIONS, "can", {})
    with pytest.raises(ValueError, match="frozen"):
        config.dropout = 0.5


def test_the_registry_imports_no_torch():
    code = "import sys, waver.models.registry; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": "src"}, check=False).returncode == 0
