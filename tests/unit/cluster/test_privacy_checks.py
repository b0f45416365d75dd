from __future__ import annotations

from waver.cluster.privacy import private
from waver.cluster.settings import read_config


def test_folders_that_others_may_enter_are_told(tmp_path):
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    config = read_config([], [f"dataset={{root: {data}}}"])
    run, own = private(config, tmp_path)
    assert (run.level, own.level) == ("ok", "ok")
    assert "a run makes them private" in run.text
    for name, mode in (("resources", 0o700), ("results", 0o750), ("logs", 0o701)):
        (tmp_path / name).mkdir()
        (tmp_path / name).chmod(mode)
    data.chmod(0o755)
    run, own = private(config, tmp_path)
    assert (run.level, own.level) == ("warning", "warning")
    assert f"chmod go-rwx {tmp_path}/results {tmp_path}/logs" in run.remedy
    assert str(data) in own.text
    for name in ("results", "logs"):
        (tmp_path / name).chmod(0o700)
    assert private(config, tmp_path)[0].level == "ok"
