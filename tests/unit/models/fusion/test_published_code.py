"""Logits of the published code for fixed weights and inputs, recorded by ``tests/parity/fusions.py``."""

import pytest
import torch

from parity.fusions import FRAMES, fixed_inputs, fixed_model

RECORDED = {
    "lfan": [[-0.488795, -0.010322], [1.088498, 1.940858], [-0.963029, -2.033702]],
    "can": [[0.487591, 0.449177], [-0.168955, 0.103585], [0.125359, 0.356749]],
    "mt": [[24.429893, -1.11495], [24.43546, -1.11467], [24.445524, -1.11171]],
    "jmt": [[-11.206115, 6.902215], [-11.205074, 6.901509], [-11.196407, 6.895488]],
}
PARAMETERS = {"lfan": 225_018, "can": 592_090, "mt": 759_386, "jmt": 1_123_162}


@pytest.mark.parametrize("fusion", RECORDED)
def test_the_released_variant_gives_the_logits_of_the_published_code(fusion):
    model = fixed_model(fusion)
    assert sum(parameter.numel() for parameter in model.parameters()) == PARAMETERS[fusion]
    with torch.no_grad():
        logits = model(fixed_inputs(), torch.ones(2, 30, dtype=torch.bool))[1, FRAMES]
    assert torch.allclose(logits, torch.tensor(RECORDED[fusion], dtype=torch.float64), atol=1e-6)
