"""Somebody withdraws from a finished run: no byte is left, and what learnt from others alone is not made again."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from waver.cli import main
from waver.datasets.sharding import shard_of

pytestmark = pytest.mark.timeout(2700)

WHO = "90001"
LEARNT = {
    "train_fusion",
    "train_folds",
    "train_videos",
    "train_answers",
    "adapt_source",
    "adapt_target",
    "adapt_fusion",
}
MADE_OF = ("features_faces", "features_audio", "features_speech", "features_visual", "features_words", "features_cues")


def take_out(data: Path, who: str) -> None:
    """What the owner of the data does: files and lines of a participant go."""
    for folder in sorted(data.rglob(who)):
        shutil.rmtree(folder)
    for table in [*data.glob("split*/*.txt"), *data.glob("*.csv")]:
        table.write_text("".join(line for line in table.read_text().splitlines(True) if who not in line))
    for record in [*data.glob("*.yml"), *data.glob("*.yaml")]:
        kept, own = [], False
        for line in record.read_text().splitlines(True):
            own = who in line if not line.startswith((" ", "-")) else own
            kept += [] if own else [line]
        record.write_text("".join(kept))


def traces(who: str, folder: Path) -> list[str]:
    """Files whose path or bytes hold an id; of tables, whose cells do, as they are compressed."""
    found, name = [], re.compile(rf"(?<![0-9.]){who}(?![0-9])".encode())
    parts = [folder / part for part in ("resources", "results", "logs", "benchmarks", ".snakemake")]
    for path in (path for part in parts for path in sorted(part.rglob("*")) if path.is_file()):
        held = str(path.relative_to(folder)).encode() + b" " + path.read_bytes()
        if path.suffix == ".parquet":
            table = pq.read_table(path)
            held += str([column.to_pylist() for column in table.columns if pa.types.is_string(column.type)]).encode()
        found += [str(path)] if name.search(held) else []
    return found


def test_no_byte_is_left_and_what_learnt_is_made_again(finished, tmp_path, monkeypatch, capsys):
    run = finished.copy(tmp_path / "waver")
    monkeypatch.chdir(run.folder)
    given = [WHO, "--delete", "--configfile", "tiny.json"]
    assert main(["forget", *given]) == 1
    assert "take the participant out of them first" in capsys.readouterr().err
    take_out(run.folder / "data", WHO)
    assert traces(WHO, run.folder)
    own, other = shard_of(WHO, 2), "000" if shard_of(WHO, 2) == "001" else "001"
    others = {path: path.stat().st_mtime_ns for path in run.folder.glob(f"resources/tiny/align/**/{other}.*")}
    assert main(["forget", *given]) == 0
    assert traces(WHO, run.folder) == []
    assert not list(run.folder.glob(f"resources/tiny/align/**/{own}.*"))
    again = run.run("--", *(f"resources/tiny/align/{shard}.parquet" for shard in (own, other)))
    assert {name: again[name] for name in (*MADE_OF, "align_pack")} == dict.fromkeys((*MADE_OF, "align_pack"), 1)
    assert others == {path: path.stat().st_mtime_ns for path in run.folder.glob(f"resources/tiny/align/**/{other}.*")}
    assert traces(WHO, run.folder) == []
    wanted = run.would_run()
    assert wanted >= LEARNT
    assert not wanted & {*MADE_OF, "align_pack", "ingest_tables"}
