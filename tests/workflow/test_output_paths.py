"""No two outputs, logs or benchmarks of the workflow can ever be the same file, whatever their wildcards are."""

from __future__ import annotations

from itertools import combinations

import pytest
from snakemake.api import SnakemakeApi
from snakemake.settings.types import ConfigSettings, ResourceSettings

from checkout import ROOT
from languages import Automaton, common


@pytest.fixture(scope="module")
def templates(tmp_path_factory) -> list[tuple[str, str]]:
    """Rule and regular expression of everything that a job of it writes, wildcards held as the rules hold them."""
    config = ConfigSettings(configfiles=[ROOT / "config/presets/demo.yaml"])
    with SnakemakeApi() as api, pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("paths"))
        made = api.workflow(ResourceSettings(cores=1), config, snakefile=ROOT / "Snakefile")
        files = [
            (rule.name, file)
            for rule in made._workflow.rules
            for file in (*rule.output, *rule.log, *([rule.benchmark] if rule.benchmark else []))
        ]
    return [(name, file.regex().pattern) for name, file in files]


@pytest.mark.parametrize(
    ("first", "second", "both"),
    [
        (r"a/(lfan|can)(\.[a-z][a-z0-9_]*)?/\d+$", r"a/tfidf|a/cues/0$", None),
        (r"a/(lfan|cues)(\.[a-z][a-z0-9_]*)?/\d+$", r"a/(tfidf|cues)/\d{3}$", "a/cues/000"),
        (r"(x/)?[a-z_.]+/[VAT]+/cost\.json", r"x/.+/(?P<m>T)/cost\.json", "x/./T/cost.json"),
        (r"[^a]b*?c", r"(a|b)b{1,2}c", "bbc"),
        (r"[^a]b*?c", r"ab{1,2}c", None),
        (r"\w-+", r"[0-9]-$", "0-"),
    ],
)
def test_what_two_expressions_have_in_common(first, second, both):
    found = common(Automaton(first), Automaton(second))
    assert found == both or (found is not None and both is not None and len(found) == len(both))


def test_no_two_jobs_write_one_file(templates):
    assert {"train_fusion", "train_answers", "train_videos", "train_cost", "evaluate_scores"} <= dict(templates).keys()
    automata = [Automaton(pattern) for _, pattern in templates]
    met = {
        f"{templates[one][0]} and {templates[other][0]}: {both}"
        for one, other in combinations(range(len(templates)), 2)
        if (both := common(automata[one], automata[other])) is not None
    }
    assert not met
