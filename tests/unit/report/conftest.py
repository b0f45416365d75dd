"""Fixtures of the report's tests: one set of inputs, made once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest
from report_inputs import (
    CANARY_ANSWER,
    CANARY_COLOUR,
    CANARY_WORD,
    CONFIG,
    WITHHELD,
    make_inputs,
    make_transcripts,
)

from waver.datasets.consent import Consent
from waver.report.build import PageConfig, ReportInputs
from waver.report.consent_gate import Gate, transcripts_by_participant
from waver.report.data import Material
from waver.report.text.exclusions import identifiers


@dataclass(frozen=True)
class Made:
    """The inputs, and the folder in which they lie."""

    folder: Path
    inputs: ReportInputs


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("report_inputs")
    return Made(folder, make_inputs(folder))


@pytest.fixture(scope="session")
def texts_only(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A run without video files, test split or consent."""
    folder = tmp_path_factory.mktemp("transcripts")
    return Made(folder, make_transcripts(folder))


@pytest.fixture(scope="session")
def canaries() -> SimpleNamespace:
    return SimpleNamespace(withheld=WITHHELD, word=CANARY_WORD, answer=CANARY_ANSWER, colour=CANARY_COLOUR)


@pytest.fixture(scope="session")
def report_config(tmp_path_factory: pytest.TempPathFactory) -> PageConfig:
    secret = str(tmp_path_factory.mktemp("site") / "secret")
    return CONFIG.model_copy(update={"report": CONFIG.report.model_copy(update={"secret": secret})})


@pytest.fixture(scope="session")
def gate_of() -> Callable[[Material], Gate]:
    def gate(material: Material) -> Gate:
        return Gate(
            Consent.load(material.inputs.participants),
            b"secret",
            identifiers(material),
            transcripts_by_participant(material.inputs.answers),
        )

    return gate
