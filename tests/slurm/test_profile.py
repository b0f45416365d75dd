"""What the profile makes of a site's values, and of every rule. Needs no Slurm."""

from __future__ import annotations

import re

import pytest
import yaml
import yte

from checkout import ROOT

KEYS = ("cpu_partition", "gpu_partition", "account", "qos", "status", "wait_s", "cores")


@pytest.fixture
def profile(monkeypatch, tmp_path):
    """The profile as Snakemake reads it, for values in the environment and in the site file."""

    def read(environment: dict[str, str], site: str = "") -> dict:
        (tmp_path / "profiles/slurm").mkdir(parents=True, exist_ok=True)
        (tmp_path / "profiles/slurm/site.yaml").write_text(site)
        monkeypatch.chdir(tmp_path)
        for key in KEYS:
            monkeypatch.delenv(f"WAVER_{key.upper()}", raising=False)
        for key, value in environment.items():
            monkeypatch.setenv(f"WAVER_{key}", value)
        return yte.process_yaml((ROOT / "slurm/config.yaml").read_text())

    return read


def test_without_values_nothing_is_said_of_the_site(profile):
    found = profile({})
    assert "slurm_partition" not in found["default-resources"]
    assert "slurm_account" not in found["default-resources"]
    assert "slurm-qos" not in found
    assert not [rule for rule, own in found["set-resources"].items() if {"gpu", "slurm_partition"} & own.keys()]


def test_the_environment_wins_over_the_site_file(profile):
    found = profile({"CPU_PARTITION": "mine"}, "cpu_partition: theirs\naccount: group\nqos: high\ncores: 64\n")
    assert found["default-resources"]["slurm_partition"] == "'mine'"
    assert found["default-resources"]["slurm_account"] == "'group'"
    assert (found["slurm-qos"], found["cores"]) == ("high", 64)


def test_speech_asks_for_a_gpu_only_where_it_recognises_or_aligns(profile):
    own = profile({"CPU_PARTITION": "c", "GPU_PARTITION": "g"})["set-resources"]["features_speech"]
    for inputs, gpu, partition in (({"model": ["m"]}, 1, "g"), ({"aligners": ["a"]}, 1, "g"), ({"model": []}, 0, "c")):
        values = {"input": inputs}
        assert eval(own["gpu"], dict(values)) == gpu
        assert eval(own["slurm_partition"], dict(values)) == partition


def test_memory_and_time_grow_with_the_attempt_up_to_a_day(profile):
    for rule, own in profile({})["set-resources"].items():
        for resource in ("mem_mb", "runtime"):
            requested = [eval(own[resource], {"attempt": attempt}) for attempt in (1, 2, 3)]
            assert requested == [requested[0], 2 * requested[0], 3 * requested[0]], rule
        assert requested[2] <= 24 * 60, rule


def test_every_rule_that_fixes_its_memory_has_a_line_in_the_profile(profile):
    """A rule's own mem_mb wins over the profile's default and would not grow."""
    rules = "\n".join(path.read_text() for path in sorted((ROOT / "rules").glob("*.smk")))
    blocks = re.split(r"^ *(?:rule|checkpoint) (\w+):", rules, flags=re.MULTILINE)
    fixed = {name for name, body in zip(blocks[1::2], blocks[2::2], strict=True) if re.search(r"mem_mb=\d", body)}
    known = profile({})["set-resources"].keys()
    assert known >= fixed
    assert known <= set(blocks[1::2])


def test_the_example_names_known_keys():
    assert yaml.safe_load((ROOT / "profiles/slurm/site.example.yaml").read_text()).keys() <= set(KEYS)
