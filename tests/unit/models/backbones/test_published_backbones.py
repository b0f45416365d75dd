"""Outputs of the published networks for fixed weights and faces, recorded by ``tests/parity/backbones.py``."""

import numpy as np
import pytest
import torch

from parity.backbones import PLACES, fixed_backbone, fixed_faces, fixed_patches, fixed_sound, fixed_vggish
from waver.features.audio.logmel import log_mel

pytestmark = pytest.mark.slow

RECORDED = {
    "resnet18": [[1.890373, 0.856593, 0.152341], [2.040463, 0.837334, 0.149672]],
    "resnet50": [[0.0, 0.155954, 0.507039], [0.0, 0.158641, 0.571865]],
    "ir50": [[-0.003471, -0.050088, 0.043506], [0.008352, -0.058899, 0.017754]],
    "apvit": [[0.124048, 0.0, 0.472065], [0.185875, 0.0, 0.412005]],
}
LOG_MEL = [[-2.885773, -1.069601, -0.411234], [-1.501804, -1.736583, 0.267154], [-1.64026, -2.176482, -0.280996]]
VGGISH = [[-0.099123, -1.300279, -0.420492], [-0.077302, -1.292075, -0.413173]]


@pytest.mark.parametrize("name", RECORDED)
def test_the_features_are_those_of_the_published_network(name):
    network = fixed_backbone(name)
    with torch.no_grad():
        feature = network(fixed_faces(network.INPUT.crop))
    assert feature.shape == (2, 512)
    torch.testing.assert_close(feature[:, PLACES], torch.tensor(RECORDED[name]), atol=1e-5, rtol=1e-5)


def test_log_mel_is_that_of_the_published_front_end():
    track = log_mel(fixed_sound())
    assert track.shape == (198, 64)
    np.testing.assert_allclose(track[[0, 100, 197]][:, [0, 19, 63]], LOG_MEL, atol=1e-5)


def test_vggish_is_the_published_network():
    with torch.no_grad():
        found = fixed_vggish()(fixed_patches())
    torch.testing.assert_close(found[:, [0, 64, 127]], torch.tensor(VGGISH), atol=1e-5, rtol=1e-5)
