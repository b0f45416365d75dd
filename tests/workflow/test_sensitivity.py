"""Every output of every rule has a class, and nothing private lies where what is published lies."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain
from typing import Any

import pytest
from snakemake.api import SnakemakeApi
from snakemake.settings.types import ConfigSettings, ResourceSettings

from checkout import ROOT
from waver.errors import WaverError
from waver.workflow.sensitivity import DECLARED, Sensitivity, class_of, is_published, may_lie_at


def outputs(folder: Any) -> Iterator[tuple[str, str, str]]:
    """Rule, name of the output, path template."""
    config = ConfigSettings(configfiles=[ROOT / "config/presets/demo.yaml"])
    with SnakemakeApi() as api, pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        made = api.workflow(ResourceSettings(cores=1), config, snakefile=ROOT / "Snakefile")
        for rule in made._workflow.rules:
            names = {str(path): name for name, found in rule.output.items() for path in _paths(found)}
            yield from ((rule.name, names.get(str(path), ""), str(path)) for path in rule.output)


def _paths(found: Any) -> list[Any]:
    return [found] if isinstance(found, str) else list(found)


@pytest.fixture(scope="module")
def walked(tmp_path_factory) -> list[tuple[str, str, str]]:
    return list(outputs(tmp_path_factory.mktemp("rules")))


def test_every_output_has_a_class_and_lies_where_it_may(walked):
    assert len({rule for rule, _, _ in walked}) > 20
    assert all(may_lie_at(class_of(rule, name), path) for rule, name, path in walked)


def test_what_is_published_is_all_of_the_report_and_the_scores(walked):
    published = {(rule, name) for rule, name, path in walked if is_published(path)}
    assert {rule for rule, _ in published} == {
        "evaluate_scores",
        "evaluate_explanations",
        "zeroshot_conditions",
        "zeroshot_cues",
        "report_tables",
        "report_html",
    }
    assert {class_of(rule, name) for rule, name in published} == {Sensitivity.AGGREGATE}


def test_every_rule_that_writes_is_declared_also_those_of_other_configs():
    text = "\n".join(path.read_text() for path in (ROOT / "rules").glob("*.smk"))
    parts = re.split(r"^ *(?:rule|checkpoint) (\w+):$", text, flags=re.MULTILINE)
    bodies = zip(parts[1::2], parts[2::2], strict=True)
    writing = {name for name, body in bodies if re.search(r"^ +output:", body, re.MULTILINE)}
    assert len(writing) > 20
    assert writing <= DECLARED.keys()


def test_a_private_output_among_the_published_is_found():
    assert is_published("results/demo/report/figures/timeline.svg")
    assert is_published("results/{run}/evaluate/scores.parquet")
    assert not is_published("results/demo/evaluate/controls/content_free.frame.standard.parquet")
    assert not is_published("results/demo/train/lfan/V/0/predictions.parquet")
    private = chain((Sensitivity.IDENTIFIABLE, Sensitivity.PERSONAL))
    assert not any(may_lie_at(found, "results/demo/report/people.csv") for found in private)
    with pytest.raises(WaverError, match="rule new_rule has no class of sensitivity"):
        class_of("new_rule", "")
    with pytest.raises(WaverError, match="output attention of rule train_fusion"):
        class_of("train_fusion", "attention")
