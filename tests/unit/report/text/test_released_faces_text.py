"""What the page says of released faces beside detected ones."""

from types import SimpleNamespace

import numpy as np

from waver.io.zarr_store import new_store
from waver.report.text.released_faces import released_faces

AGREED = {"frames": 10, "released": 9, "detected": 8, "both": 8, "pairs": 8, "similarity": 7.2}


def material(folder, least, note="released faces; face in 90% of frames", **agreed):
    rows = []
    for person in "12":
        with new_store(folder / person / f"{person}_Q1.zarr", "key") as writer:
            writer.put("valid", np.ones(3, bool))
            if agreed:
                writer.attributes["agreement"] = agreed
        rows.append({"video": f"{person}_Q1", "participant": person, "status": "ok", "note": note})
    rows.append({"video": "3_Q1", "participant": "3", "status": "set_aside", "note": ""})
    inputs = SimpleNamespace(feature_stores={"faces": folder})
    config = SimpleNamespace(evaluate=SimpleNamespace(least_group=least))
    return SimpleNamespace(features={"faces": rows}, inputs=inputs, config=config)


def test_frames_of_all_videos_are_told_together(tmp_path):
    assert released_faces(material(tmp_path, 2, **AGREED)) == [
        ("Released faces", "of 20 frames that were looked at again, 90 % have a released face, 80 % a detected one, "
                           "and in 90 % both say the same; mean correlation of the two pictures 0.90")
    ]  # fmt: skip


def test_few_people_detected_faces_and_no_comparison_say_nothing(tmp_path):
    assert released_faces(material(tmp_path / "few", 3, **AGREED)) == []
    assert released_faces(material(tmp_path / "detected", 1, note="decoder=pyav", **AGREED)) == []
    assert released_faces(material(tmp_path / "alone", 1)) == []
