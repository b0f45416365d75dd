"""Reviews with bytes changed, cut and repeated: each is read, or ends with one sentence, in little time."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest

from waver.datasets.elan.tier_list import read_tier_list
from waver.errors import WaverError
from waver.predict.codings import Coding, read_codings
from waver.predict.elan import write_eaf
from waver.predict.predicted_files import PredictedFiles
from waver.predict.review import check_coding, coded
from waver.predict.textgrid import write_textgrid
from waver.predict.tiers import MODEL, REVIEWED, on_grid

SEGMENTS = {"a": [(0, 5), (30, 90)]}
ODD = (b"9" * 400, b"\x00", b'"', b"\t", b"-1", b"1e999", b"\xff\xfe", b"&x;", b"<!DOCTYPE a>")


def samples(folder: Path) -> dict[str, bytes]:
    tiers = {MODEL: [on_grid(0, 5, "0.83"), on_grid(30, 90, "0.5")], REVIEWED: [on_grid(7, 9, "A/H")]}
    write_eaf(folder / "a.eaf", tiers)
    write_textgrid(folder / "a.TextGrid", tiers, 9000)
    (folder / "a.txt").write_text("Tier\tBegin\tEnd\tText\nAH_reviewed\t1000\t2000\tA/H\n")
    (folder / "a.csv").write_text("recording,start_s,end_s,verdict\na,1.0,2.5,accept\na,,,\n")
    judged = [{"start_frame": 0, "end_frame": 5, "verdict": "accept"}]
    (folder / "a.json").write_text(json.dumps({"recording": "a", "coder": "b", "segments": judged}))
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


def changed(content: bytes, rng: np.random.Generator) -> bytes:
    data = bytearray(content)
    for _ in range(int(rng.integers(1, 6))):
        place, length = int(rng.integers(0, len(data) or 1)), int(rng.integers(1, 40))
        kind = rng.integers(0, 5)
        if kind == 0 and data:
            data[min(place, len(data) - 1)] = int(rng.integers(0, 256))
        elif kind == 1:
            del data[place : place + length]
        elif kind == 2:
            data[place:place] = data[place : place + length] * int(rng.integers(1, 50))
        elif kind == 3:
            data[place:place] = ODD[rng.integers(0, len(ODD))]
        else:
            data = data[:place]
    return bytes(data)


@pytest.mark.parametrize("name", ["a.eaf", "a.TextGrid", "a.txt", "a.csv", "a.json"])
def test_any_bytes_are_read_or_refused_in_a_sentence(name: str, tmp_path: Path) -> None:
    content = samples(tmp_path)[name]
    rng, file, read = np.random.default_rng(0), tmp_path / name, 0
    start = time.process_time()
    for _ in range(150):
        file.write_bytes(changed(content, rng))
        try:
            for coding in read_codings(file, "eva", SEGMENTS, {}):
                assert all(0 <= first < last for first, last in (*coding.positive, *coding.unsure))
            read += 1
        except WaverError:
            continue
    assert read < 150, "some of them cannot be read"
    assert time.process_time() - start < 20


@pytest.mark.parametrize("value", ["inf", "nan", "1e999", "1e300", "9" * 400, "-1", "1,5,5", ""])
def test_a_time_that_is_none_is_one_sentence(value: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(f'recording;start_s;end_s\na;0.5;"{value}"\n')
    with pytest.raises(WaverError, match="line 2: it needs start_s and a later end_s"):
        read_codings(tmp_path / "a.csv", "eva", SEGMENTS, {})
    (tmp_path / "a.json").write_text(
        f'{{"recording": "a", "segments": [{{"start_frame": 1, "end_frame": {value or None}}}]}}'
    )
    with pytest.raises(WaverError, match="no review"):
        read_codings(tmp_path / "a.json", "eva", SEGMENTS, {})


def test_verdicts_on_segments_of_another_model_are_refused(tmp_path: Path) -> None:
    judged = [{"start_frame": 0, "end_frame": 6, "verdict": "reject"}]
    (tmp_path / "a.json").write_text(json.dumps({"recording": "a", "segments": judged}))
    (tmp_path / "a.csv").write_text("recording,start_s,end_s,verdict,judged\na,0.0,0.25,reject,1\n")
    for name in ("a.json", "a.csv"):
        with pytest.raises(WaverError, match="segments that these predictions do not have"):
            read_codings(tmp_path / name, "eva", SEGMENTS, {})
    (tmp_path / "a.csv").write_text("recording,start_s,end_s,verdict,judged\na,0.000,0.208,accept,1\n")
    (tmp_path / "b.csv").write_text("recording,start_s,end_s\na,0.0,0.25\n")  # no table of the viewer
    assert read_codings(tmp_path / "a.csv", "eva", SEGMENTS, {})[0].positive == [(0, 5)]
    assert read_codings(tmp_path / "b.csv", "eva", SEGMENTS, {})[0].positive == [(0, 6)]


def test_a_coding_beyond_the_end_is_of_another_recording() -> None:
    predicted = {"a": PredictedFiles(np.zeros(96, np.float32), [], None)}
    assert coded([Coding("a", "eva", [(90, 120)])], predicted)["a"]["eva"].sum() == 6
    with pytest.raises(WaverError, match=r"eva codes a as far as 5\.042 s, and it ends at 4\.000 s"):
        check_coding(Coding("a", "eva", [], [(90, 121)]), predicted["a"])


@pytest.mark.parametrize("tier", ["[[x]]", "{x: y}", "[{x: y}]", "!!int ''", "*a"])
def test_a_list_of_tiers_names_texts_alone(tier: str, tmp_path: Path) -> None:
    (tmp_path / "tiers.yaml").write_text(f"anna: {{tier: {tier}}}\n")
    with pytest.raises(WaverError, match=r"tiers\.yaml.* (mend that line|write lines such as)"):
        read_tier_list(tmp_path / "tiers.yaml")


def test_values_that_are_repeated_by_aliases_are_never_written_out(tmp_path: Path) -> None:
    levels = [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    (tmp_path / "tiers.yaml").write_text("\n".join(["a0: &a0 [x]", *levels, "anna: {tier: *a9}"]))
    started = time.process_time()
    with pytest.raises(WaverError, match=r"tiers\.yaml"):
        read_tier_list(tmp_path / "tiers.yaml")
    assert time.process_time() - started < 2
