"""What adapting networks of faces is forecast to cost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from waver.cluster.face_jobs import face_parts
from waver.cluster.rates import costs, load_rates
from waver.cluster.workload import Workload
from waver.config.model import Config, load_config
from waver.shapes import FPS

WORK = Workload({"train": np.array([9.0]), "val": np.array([1.0]), "test": np.array([1000 / FPS])}, "a test")


def config_of(**row: Any) -> Config:
    changes = {"features": {"visual": {"backbone": "resnet18"}}, "backbone": {"stages": ["ah"]}, "train": {"folds": 0}}
    adapt = {"protocols": ["block"], "seeds": [0, 1], "faces": [row]}
    return load_config({**changes, "dataset": {"shards": 3}, "adapt": adapt})


def test_pictures_are_counted_by_what_each_method_does_with_them() -> None:
    options = {"shot": {"epochs": 10}, "mmd": {"epochs": 5}, "tent": {"steps": 2}}
    found = {}
    for method in ("shot", "mmd", "tent", "t3a"):
        (part,) = face_parts(config_of(methods=[method], options=options), WORK, load_rates())
        assert part.jobs == 2 * 2 * 3
        found[method] = part.amount["trained_picture"] / 2
    # T_tr holds 700 frames; a step of MMD learns from as many of the source; T_te holds 200
    assert found == {"shot": 7000, "mmd": 7000, "tent": 400, "t3a": 0}


def test_the_largest_step_says_how_much_memory_it_takes() -> None:
    (part,) = face_parts(config_of(methods=["mmd", "shot"]), WORK, load_rates())
    assert part.note == "scope full holds about 1.6 GB on the device: 256 pictures a step, by arithmetic"
    (part,) = face_parts(config_of(methods=["memo"], options={"memo": {"views": 4}}), WORK, load_rates())
    assert "256 pictures a step" in part.note


def test_clip_was_never_measured() -> None:
    (cost,) = costs({"adapt_faces": 12}, config_of(network="clip", methods=["shot"]), WORK)
    assert cost.uncounted == 12
    assert cost.remarks == ("adapt_faces, clip (jobs: 12): never measured; the work is not counted.",)


def test_seconds_are_those_of_the_backbones_training() -> None:
    config = config_of(methods=["shot"])
    (part,) = face_parts(config, WORK, load_rates())
    own = load_rates()["rules"]["train_backbone"]["models"]["resnet18"]
    wanted = sum(own[unit] * count for unit, count in part.amount.items())
    (cost,) = costs({"adapt_faces": part.jobs}, config, WORK)
    assert cost.cpu_s == pytest.approx(wanted + part.jobs * load_rates()["start_cpu_s"])
