from __future__ import annotations

import pytest

from waver.cluster.settings import read_config, read_profile
from waver.errors import WaverError


def aliases(level: str) -> str:
    """Nine values nine times over, nine times: merged or printed, they would fill the memory."""
    lines = ["a0: &a0 " + level.format("{x: 1}")]
    lines += [f"a{number}: &a{number} " + level.format(",".join([f"*a{number - 1}"] * 9)) for number in range(1, 10)]
    return "\n".join(lines)


def test_later_files_and_overrides_win_key_by_key(tmp_path):
    (tmp_path / "a.yaml").write_text("run: a\ndataset: {name: a, shards: 4}\n")
    (tmp_path / "b.yaml").write_text("dataset: {shards: 8}\n")
    config = read_config([tmp_path / "a.yaml", tmp_path / "b.yaml"], ["dataset={root: /data}", "run=b"])
    assert (config.run, config.dataset.name, config.dataset.shards, config.dataset.root) == ("b", "a", 8, "/data")


@pytest.mark.parametrize(
    ("text", "overrides", "words"),
    [
        ("- a list", [], "holds no keys"),
        ("a: [", [], "is no YAML"),
        ("run: a", ["dataset"], "KEY=VALUE"),
        ("run: a", ["=3"], "KEY=VALUE"),
        ("run: A!", [], "run"),
        ("unknown: 1", [], "not a known key"),
        ("run: \xe9", [], "not UTF-8"),
        ("run: " + "9" * 5000, [], "is no YAML"),
        ("run: 2025-13-45", [], "is no YAML"),
        ("run: !!int ''", [], "is no YAML"),
        ("[" * 1000, [], "is no YAML"),
        ("[" * 30_000 + "]" * 30_000, [], "more than 64 levels deep"),
        (aliases("[{}]"), [], "too many values by aliases"),
        (aliases("{{<<: [{}]}}"), [], "too many values by aliases"),
        ("a: &a [*a]", [], "is no YAML"),
        ("? ", [], "None: Keys should be strings"),
        ("train: {1: 2}", [], r"train\.1: Keys should be strings"),
        ('"a\\nb": 1', [], r"'a\\nb' is not a known key"),
    ],
)
def test_mistakes_are_told_in_a_sentence(tmp_path, text, overrides, words):
    (tmp_path / "a.yaml").write_text(text, encoding="latin-1")
    with pytest.raises(WaverError, match=words):
        read_config([tmp_path / "a.yaml"], overrides)
    with pytest.raises(WaverError, match=r"none\.yaml"):
        read_config([tmp_path / "none.yaml"])


def test_a_profile_takes_its_values_from_the_environment(tmp_path, monkeypatch):
    (tmp_path / "config.yaml").write_text(
        "__use_yte__: true\n__definitions__:\n  - import os\n"
        'default-resources:\n  slurm_partition: ?os.environ["PART"]\n'
    )
    monkeypatch.setenv("PART", "long")
    assert read_profile(tmp_path)["default-resources"]["slurm_partition"] == "long"
    monkeypatch.delenv("PART")
    with pytest.raises(WaverError, match=r"config\.yaml cannot be read"):
        read_profile(tmp_path)
    with pytest.raises(WaverError, match="no Snakemake profile"):
        read_profile(tmp_path / "none")
