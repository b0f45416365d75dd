"""From aligned faces to what an image backbone is given."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from waver.features.faces.crops import central_input, network_input, random_crops, small_face
from waver.models.backbones.base import FACE
from waver.records import load
from waver.registry import BACKBONES

SIZES = sorted({load(BACKBONES, name).INPUT for name in BACKBONES})


def test_the_papers_networks_are_given_112_of_124_pixels_and_the_older_one_40_of_48():
    assert [(size.side, size.crop, size.slack) for size in SIZES] == [(48, 40, 8), (124, 112, 12)]
    assert {name for name in BACKBONES if load(BACKBONES, name).INPUT != FACE} == {"ir50"}


def faces(count: int = 3, size=FACE) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (count, size.side, size.side, 3), np.uint8))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("shape", [(256, 256), (100, 100), (300, 200), (90, 160), (124, 124)])
def test_a_face_is_the_middle_square_at_the_side_of_the_backbone(shape, size):
    image = np.zeros((*shape, 3), np.uint8)
    middle = [side // 2 for side in shape]
    image[middle[0] - 20 : middle[0] + 20, middle[1] - 20 : middle[1] + 20] = (200, 100, 50)
    small, side = small_face(image, size), size.side
    assert (small.shape, small.dtype) == ((side, side, 3), np.uint8)
    assert small[side // 2, side // 2].tolist() == [200, 100, 50]
    half = 20 * side / min(shape)
    bright = np.flatnonzero(small[side // 2, :, 0] > 100)
    assert bright[0] == pytest.approx(side / 2 - half, abs=1.5)
    assert bright[-1] == pytest.approx(side / 2 + half, abs=1.5)


def test_crops_are_cut_and_mirrored_each_by_itself():
    given = faces()
    top, left, mirrored = torch.tensor([0, 5, 12]), torch.tensor([12, 7, 0]), torch.tensor([False, True, False])
    cut = network_input(given, top, left, mirrored)
    assert (cut.shape, cut.dtype) == ((3, 3, 112, 112), torch.float32)
    wanted = [given[0, 0:112, 12:124], given[1, 5:117, 7:119].flip(1), given[2, 12:124, 0:112]]
    for one, want in zip(cut, wanted, strict=True):
        assert torch.allclose(one, want.permute(2, 0, 1) / 127.5 - 1)


def test_small_faces_are_cut_at_their_own_size():
    size = SIZES[0]
    given, top, left = faces(2, size), torch.tensor([0, 8]), torch.tensor([8, 3])
    cut = network_input(given, top, left, torch.tensor([False, True]), size)
    wanted = torch.stack([given[0, 0:40, 8:48], given[1, 8:48, 3:43].flip(1)])
    assert torch.allclose(cut, wanted.permute(0, 3, 1, 2) / 127.5 - 1)


@pytest.mark.parametrize(("size", "edge"), zip(SIZES, (4, 6), strict=True))
def test_the_middle_crop_is_not_mirrored(size, edge):
    given, place = faces(3, size), torch.full((3,), edge)
    assert torch.equal(
        central_input(given, size), network_input(given, place, place, torch.zeros(3, dtype=torch.bool), size)
    )


def test_black_is_minus_one_and_white_one():
    ends = torch.stack([torch.zeros(124, 124, 3), torch.full((124, 124, 3), 255)]).to(torch.uint8)
    black, white = central_input(ends)
    assert (black == -1).all()
    assert (white == 1).all()


@pytest.mark.parametrize(("size", "places"), zip(SIZES, (9, 13), strict=True))
def test_crops_are_drawn_from_all_places_and_half_are_mirrored(size, places):
    top, left, mirrored = random_crops(20_000, np.random.default_rng(1), size)
    for drawn in (top, left):
        assert (drawn.min(), drawn.max()) == (0, places - 1)
        assert np.bincount(drawn) == pytest.approx(20_000 / places, rel=0.1)
    assert mirrored.mean() == pytest.approx(0.5, abs=0.02)
    same = [random_crops(9, np.random.default_rng(2), size)[0] for _ in range(2)]
    assert np.array_equal(*same)
