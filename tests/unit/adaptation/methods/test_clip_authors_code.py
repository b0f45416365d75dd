"""Our methods over CLIP give what their authors' code gave (``tests/parity/vision_language.py`` recorded it)."""

from __future__ import annotations

import pytest
import torch

from parity.vision_language import comparable, ours, shown

AUTHORS = {
    "tda": [[-11.67307, -15.41258], [40.10565, 36.98458], [26.36807, 26.96566]],
    "dpe": [[-7.54889, -15.11971], [29.28602, 27.8739], [21.33436, 22.07045]],
    "reta": [[-7.8494], [-1.65916], [1.02786]],
    "tta_cap": [[52.11809, 51.04129], [63.50919, 62.22441], [33.25923, 35.15384]],
    "eb_cap": [[86.5133, 82.7097], [-7.32137, 143.17253], [50.30407, 144.60507]],
    "medoids": [
        [-0.36059, -0.29854, -0.29133, -0.04329],
        [0.00548, 0.33938, -0.21958, -0.09063],
        [-0.0164, 0.2995, -0.11971, 0.3627],
    ],
    "byol": [[2.74195, 2.02898]],
    "moving_average": [[0.0889, 0.11404, 0.01884, 0.02654]],
    "tpt": [[0.40686, 0.38093, 0.39869, 0.54805]],
    "promptalign": [[1.50132]],
}


@pytest.fixture(scope="module")
def found():
    return ours()


@pytest.mark.slow
@pytest.mark.parametrize("name", AUTHORS)
def test_values_are_those_of_the_authors(found, name):
    values = torch.tensor(shown(comparable(found[name], name)))
    torch.testing.assert_close(values, torch.tensor(AUTHORS[name]), atol=2e-3, rtol=1e-4)
