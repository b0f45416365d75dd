"""Margins of the published code for fixed weights and inputs, recorded by ``tests/parity/discrepancy.py``."""

import pytest
import torch

from parity.discrepancy import fixed_inputs, fixed_model

PUBLISHED = {
    "all tokens": [-1.8013175772273184, -2.5469131957007995, -3.2950953601603405],
    "text": [13.747742183642806, 18.637995267432515, 10.45973063787316],
}


@torch.no_grad()
def test_both_heads_are_those_of_the_published_code():
    full, text = fixed_model().margins(*fixed_inputs())
    assert full.tolist() == pytest.approx(PUBLISHED["all tokens"], abs=1e-9)
    assert text.tolist() == pytest.approx(PUBLISHED["text"], abs=1e-9)
