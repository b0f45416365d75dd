"""Soundness of the fingerprints of code: whatever a rule's jobs execute of Waver is in its fingerprint."""

from __future__ import annotations

import re

import pytest

from checkout import ROOT
from tracing import executed
from waver.datasets.registry import READERS
from waver.registry import ADAPTATIONS, ANSWER_MODELS, BACKBONES, FUSIONS, MEASUREMENTS, TEMPORALS, VIDEO_MODELS
from waver.registry import READERS as MODELS
from waver.workflow.fingerprint import closure, followed

pytestmark = pytest.mark.timeout(2700)

FUSED = [record.target for record in (FUSIONS["lfan"], FUSIONS["can"], TEMPORALS["tcn"], FUSIONS["conflict"])]
VIDEOS = [
    VIDEO_MODELS["discrepancy"].target,
    VIDEO_MODELS["focalnet_tiny"].target,
    VIDEO_MODELS["focalnet_tiny"].loader,
]
BACKBONE = [BACKBONES["resnet18"].target]
NAMED = {
    "ingest_tables": [READERS["bah"]],
    "features_speech": [MODELS["aligner_en"].target],
    "train_emotions": BACKBONE,
    "train_backbone": BACKBONE,
    "train_fusion": FUSED,
    "train_folds": FUSED,
    "train_video_head": FUSED,
    "train_explanations": FUSED,
    "train_answers": [ANSWER_MODELS["tfidf"].target],
    "train_videos": VIDEOS,
    "train_cost": [*FUSED, *VIDEOS, *(record.target for record in MEASUREMENTS.values())],
    "adapt_fusion": [*FUSED, *(ADAPTATIONS[name].target for name in ("source_only", "tent"))],
    "adapt_target": [ADAPTATIONS[name].target for name in ("shot", "eata")],
}
"""Rule -> the methods of the tiny data set that the rule names beside its script. No modality of the registry is
derived: the test of ``docs/adding_a_modality.md`` traces that rule."""
OVER_CLIP = {"features_embeddings", "features_views", "adapt_fit", "adapt_vision_language"}
"""Rules that are not part of these runs; tests/contract/test_vision_language.py traces what they do."""
OF_FACES = {"adapt_faces"}
"""As well; tests/contract/test_adapted_faces.py traces it."""
ASKED = {f"zeroshot_{job}" for job in ("ask", "finetune", "predict", "spread", "conditions", "cues")}
"""As well; the tests in tests/unit/zeroshot trace them."""
EXPLAINED = {"evaluate_explanations"}
"""As well; tests/unit/evaluation/test_explained_cues.py traces it."""
NETWORK = {"models_fetch"}
"""As well; tests/unit/assets/test_fetch_models.py traces it."""
RULES = re.findall(
    r"^\s*(?:rule|checkpoint) (\w+):", "".join(p.read_text() for p in (ROOT / "rules").glob("*.smk")), re.MULTILINE
)


@pytest.mark.parametrize(
    "rule",
    sorted(set(RULES) - OVER_CLIP - OF_FACES - ASKED - EXPLAINED - NETWORK - {"models", "tables", "features_derived"}),
)
def test_every_definition_that_a_rule_executes_is_in_its_fingerprint(first_runs, rule):
    found = closure(NAMED.get(rule, []), ROOT / f"workflow/scripts/{rule}.py")
    ran = executed.definitions(first_runs.trace / rule)
    assert len(ran) > 5
    assert {reference for reference in ran if followed(reference)} - set(found) == set()
    read = executed.files(first_runs.trace / rule)
    declared = {file for definition in found.values() for file in definition.files}
    assert {path.name for path in read - declared} <= {"manifest.yaml"}
