"""What the report says of the models in use comes from their records, whatever set the config names."""

from types import SimpleNamespace

import pytest

from waver.assets.entries import manifest
from waver.assets.manifest import Installed
from waver.report.text.facts import model_sets


def model(role, model_set, title, files=None):
    return Installed(name=role, role=role, set=model_set, title=title, licence="", folder="", files=files or {})


DETECTOR = model("face_detector", "embedded", "a small RetinaFace")
VGGISH = model("vggish", "paper", "VGGish")
GIVEN = model("vggish", "path", "/home/somebody/vggish.pth")
TRAINED = [
    model("expression_backbone", "trained", f"{name}, trained here on emotions") for name in ("resnet101", "apvit")
]
OTHERS = "For this reason alone the scores do not compare with the papers'."
SAID = {
    "embedded": ([DETECTOR], f"Not those of the papers: a small RetinaFace. {OTHERS}"),
    "paper": ([VGGISH, VGGISH], "Models that the papers name: VGGish."),
    "path in a paper set": ([GIVEN], "Given by path: vggish."),
    "path to a known file": (
        [model("vggish", "path", "/mine/v.pth", {"v.pth": manifest()["vggish_audioset"].files[0].sha256})],
        "Models that the papers name: VGGish, AudioSet.",
    ),
    "mixed": (
        [DETECTOR, VGGISH, *TRAINED],
        f"Models that the papers name: VGGish. Not those of the papers: a small RetinaFace. {OTHERS} "
        "Trained by this workflow: expression backbone resnet101 and expression backbone apvit.",
    ),
}


@pytest.mark.parametrize(("models", "said"), SAID.values(), ids=SAID)
def test_the_records_say_whose_models_were_used(models, said):
    config = SimpleNamespace(model_set="paper")
    assert model_sets(SimpleNamespace(models=models, config=config)) == said
