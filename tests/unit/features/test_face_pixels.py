"""From aligned faces to what an image backbone is given."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from waver.features.face_pixels import SIDE, SLACK, central_input, network_input, random_crops, small_face


def faces(count: int = 3) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (count, SIDE, SIDE, 3), np.uint8))


@pytest.mark.parametrize("shape", [(256, 256), (100, 100), (300, 200), (90, 160), (124, 124)])
def test_a_face_is_the_middle_square_at_124_pixels(shape):
    image = np.zeros((*shape, 3), np.uint8)
    middle = [side // 2 for side in shape]
    image[middle[0] - 20 : middle[0] + 20, middle[1] - 20 : middle[1] + 20] = (200, 100, 50)
    small = small_face(image)
    assert (small.shape, small.dtype) == ((SIDE, SIDE, 3), np.uint8)
    assert small[SIDE // 2, SIDE // 2].tolist() == [200, 100, 50]
    half = 20 * SIDE / min(shape)
    bright = np.flatnonzero(small[SIDE // 2, :, 0] > 100)
    assert bright[0] == pytest.approx(SIDE / 2 - half, abs=1.5)
    assert bright[-1] == pytest.approx(SIDE / 2 + half, abs=1.5)


def test_crops_are_cut_and_mirrored_each_by_itself():
    given = faces()
    top, left, mirrored = torch.tensor([0, 5, 12]), torch.tensor([12, 7, 0]), torch.tensor([False, True, False])
    cut = network_input(given, top, left, mirrored)
    assert (cut.shape, cut.dtype) == ((3, 3, 112, 112), torch.float32)
    wanted = [given[0, 0:112, 12:124], given[1, 5:117, 7:119].flip(1), given[2, 12:124, 0:112]]
    for one, want in zip(cut, wanted, strict=True):
        assert torch.allclose(one, want.permute(2, 0, 1) / 127.5 - 1)


def test_the_middle_crop_is_not_mirrored():
    given = faces()
    edge = torch.full((3,), 6)
    assert torch.equal(central_input(given), network_input(given, edge, edge, torch.zeros(3, dtype=torch.bool)))


def test_black_is_minus_one_and_white_one():
    ends = torch.stack([torch.zeros(SIDE, SIDE, 3), torch.full((SIDE, SIDE, 3), 255)]).to(torch.uint8)
    black, white = central_input(ends)
    assert (black == -1).all()
    assert (white == 1).all()


def test_crops_are_drawn_from_all_places_and_half_are_mirrored():
    top, left, mirrored = random_crops(20_000, np.random.default_rng(1))
    for drawn in (top, left):
        assert (drawn.min(), drawn.max()) == (0, SLACK)
        assert np.bincount(drawn) == pytest.approx(20_000 / 13, rel=0.1)
    assert mirrored.mean() == pytest.approx(0.5, abs=0.02)
    assert np.array_equal(random_crops(9, np.random.default_rng(2))[0], random_crops(9, np.random.default_rng(2))[0])
