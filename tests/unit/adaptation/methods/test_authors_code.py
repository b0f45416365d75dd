"""Values of the authors' code for fixed weights and frames, recorded by ``tests/parity/adaptation.py``."""

from __future__ import annotations

import pytest
import torch

from parity.adaptation import SHOWN, ours

RECORDED = {
    "tent": [[0.087397, 0.188046], [-1.84312, 1.272253], [-5.099468, 2.777289]],
    "eata": [[0.087397, 0.188046], [-0.112175, -0.002956], [-1.467307, 0.102184]],
    "sar": [[0.087397, 0.188046], [-0.113653, -0.001883], [-1.469905, 0.104921]],
    "t3a": [[5.200377, 10.356046], [3.193799, -3.382448], [-2.476436, 4.390291]],
    "mmd": [[0.968313]],
}


@pytest.fixture(scope="module")
def values() -> dict[str, torch.Tensor]:
    return ours()


@pytest.mark.parametrize("method", RECORDED)
def test_the_values_are_those_of_the_authors_code(values, method: str) -> None:
    found = values[method][SHOWN if len(values[method]) > 1 else [0]]
    # their templates are computed in single precision
    assert torch.allclose(found.double(), torch.tensor(RECORDED[method], dtype=torch.float64), atol=2e-5)
