from __future__ import annotations

from pathlib import Path

import pytest

from waver.cluster import doctor
from waver.cluster.doctor import _try

ROOT = Path(__file__).resolve().parents[3]
PROFILE = ["--profile", str(ROOT / "profiles/slurm")]


@pytest.mark.slow
@pytest.mark.usefixtures("preloaded_snakemake")
def test_one_line_a_check_and_what_to_do_about_what_is_missing(tmp_path, monkeypatch, capsys, site):
    site(sinfo="cpu*|up|infinite|2|(null)\ngpu|up|infinite|2|gpu:2\n", squeue="")
    site(sacct="disabled", fails=True)
    monkeypatch.setenv("WAVER_CPU_PARTITION", "cpu")
    monkeypatch.chdir(tmp_path)
    before = set(tmp_path.iterdir())
    assert doctor.main(["--configfile", str(ROOT / "config/presets/demo.yaml"), *PROFILE]) == 1
    found = dict(line[9:].split(": ", 1) for line in capsys.readouterr().out.splitlines() if ": " in line)
    assert found["packages"].startswith("all ")
    assert found["workflow"].split()[0].isdigit()
    assert "--cores 1 --configfile" in found["models"]
    assert "mini_xception" in found["models"]
    assert found["partition cpu"].startswith("up, 2 nodes")
    assert found["job status"].endswith("export WAVER_STATUS=squeue")
    assert set(tmp_path.iterdir()) == before


def test_a_check_that_breaks_is_told_and_stops_no_other():
    def broken():
        raise RuntimeError("boom")

    (found,) = _try("thing", broken)
    assert (found.level, found.check) == ("problem", "thing")
    assert "RuntimeError: boom" in found.text
