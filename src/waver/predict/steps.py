"""From one recording to its pack: the jobs of the workflow, called in its order.

Snakemake has no part in it. An installation of the package alone lacks it and the rules, which belong to a clone; and
it starts a process a job, which for a recording of half a minute takes longer than the work. What a job does, and how
it resumes, is one function here and there (``workflow/scripts``). A shard is one recording, so that memory does not
grow with their number, and each is finished before the next begins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from waver.io.tables import (
    ANSWERS,
    FEATURE_INDEX,
    SEGMENTS,
    TRANSCRIPTS,
    VIDEOS,
    read_metadata,
    read_table,
    write_table,
)
from waver.modalities import derived_modalities
from waver.predict.preparation import Preparation, place_models
from waver.workflow.fingerprint import code_version

_ENTRIES = {
    "faces": "waver.features.faces.extract:extract_faces",
    "visual": "waver.features.visual:extract_visual",
    "audio": "waver.features.audio.extract:extract_audio",
    "speech": "waver.features.speech:recognise_speech",
    "words": "waver.features.words:embed_words",
    "cues": "waver.features.cues.extract:extract_cues",
    "align": "waver.align.timeline:align_pack",
}
"""Job -> what it calls, of which its fingerprint is taken."""
_BY_SHARD = {"videos": VIDEOS, "segments": SEGMENTS, "transcripts": TRANSCRIPTS, "answers": ANSWERS}
Step = tuple[str, Callable[[], None]]


def ingest_recordings(root: Path, work: Path) -> None:
    """Read the folder data set at ``root`` into ``<work>/ingest``."""
    from waver.datasets.ingest import ingest

    names = ("participants", "videos", "answers", "segments", "transcripts", "set_aside")
    tables = {name: work / f"ingest/{name}.parquet" for name in names}
    cache = work / "ingest/probes.json"
    ingest(root, "auto", 1, tables, work / "ingest/shards", cache, reader="folder")


@dataclass(frozen=True)
class Steps:
    """The jobs of one recording.

    Attributes:
        recording: its id.
        root: folder of the data set.
        work: folder of the tables, stores and packs.
        preparation: config and models of the features.
        features: those to make, in the order of the flow.
        recognise: its words are recognised; else they are those of its transcript, or there are none.
    """

    recording: str
    root: Path
    work: Path
    preparation: Preparation
    features: Sequence[str]
    recognise: bool

    def index(self, feature: str) -> Path:
        """Index table of a feature."""
        return self.work / "features" / feature / f"{self.recording}.parquet"

    def stores(self, feature: str) -> Path:
        """Folder of a feature's stores, of all recordings."""
        return self.work / "features" / feature / "stores"

    @property
    def pack_index(self) -> Path:
        """Index table of the recording's pack."""
        return self.work / "align" / f"{self.recording}.parquet"

    @property
    def packs(self) -> Path:
        """Folder of the packs of all recordings."""
        return self.work / "align/packs"

    def table(self, name: str) -> Path:
        """The recording's rows of a table of ingest."""
        return self.work / "ingest/recordings" / f"{self.recording}.{name}.parquet"

    def split(self) -> None:
        """Write the recording's own tables."""
        for name, schema in _BY_SHARD.items():
            whole = self.work / f"ingest/{name}.parquet"
            rows = [row for row in read_table(whole, schema) if row["video"] == self.recording]
            write_table(self.table(name), rows, schema, read_metadata(whole) or None)

    def jobs(self) -> Iterator[Step]:
        """Name of each job, and the job, in order; one whose outputs are there finds that out itself."""
        own = {"faces": self._faces, "visual": self._visual, "audio": self._audio, "speech": self._speech}
        own |= {"words": self._words, "cues": self._cues}
        for feature in self.features:
            yield feature, own.get(feature) or partial(self._derived, feature)
        yield "align", self._align

    @cached_property
    def _roles(self) -> dict[str, Path]:
        used = [model for feature in self.features for model in self.preparation.models.get(feature, ())]
        return place_models(used, self.work / "models")

    def _records(self, feature: str) -> list[Path]:
        """Records of the models that make a feature, in the order in which the workflow names them."""
        return [self._roles[model.role] for model in self.preparation.models.get(feature, ())]

    def _faces(self) -> None:
        from waver.features.faces.extract import extract_faces

        detector, *embedding = self._records("faces")
        extract_faces(
            self.table("videos"), self.root, detector, self.stores("faces"), self.index("faces"),
            self.preparation.features.faces, code_version(_ENTRIES["faces"]), embedding[0] if embedding else None,
        )  # fmt: skip

    def _visual(self) -> None:
        from waver.features.visual import extract_visual

        extract_visual(
            self.index("faces"), self.stores("faces"), self._records("visual")[0], self.stores("visual"),
            self.index("visual"), self.preparation.features.visual, code_version(_ENTRIES["visual"]),
        )  # fmt: skip

    def _audio(self) -> None:
        from waver.features.audio.extract import extract_audio

        models = self._records("audio")
        extract_audio(
            self.table("videos"), self.root, models[0] if models else None, self.stores("audio"), self.index("audio"),
            self.preparation.features.audio, code_version(_ENTRIES["audio"]), self.preparation.features.speech.language,
        )  # fmt: skip

    def _speech(self) -> None:
        from waver.features.speech import recognise_speech

        config = self.preparation.features.speech
        recogniser = [record for role, record in self._roles.items() if role == "speech_recogniser"]
        aligners = [record for role, record in self._roles.items() if role.startswith("aligner_")]
        recognise_speech(
            self.table("videos"), self.table("transcripts"), self.root, recogniser[0] if recogniser else None, aligners,
            self.stores("speech"), self.index("speech"),
            config.model_copy(update={"source": "recognise" if self.recognise else "given"}),
            code_version(_ENTRIES["speech"]),
        )  # fmt: skip

    def _words(self) -> None:
        from waver.features.words import embed_words

        embed_words(
            self.index("speech"), self.stores("speech"), self.table("videos"), self._records("words")[0],
            self.stores("words"), self.index("words"), self.preparation.features.words, code_version(_ENTRIES["words"]),
        )  # fmt: skip

    def _cues(self) -> None:
        from waver.features.cues.extract import extract_cues

        sentiment = self._records("cues")
        extract_cues(
            self.index("speech"), self.stores("speech"), self.index("audio"), self.stores("audio"),
            self.table("videos"), sentiment[0] if sentiment else None, self.stores("cues"), self.index("cues"),
            code_version(_ENTRIES["cues"]),
        )  # fmt: skip

    def _derived(self, feature: str) -> None:
        from waver.features.derived import extract_derived

        one = next(one for one in derived_modalities() if one.feature == feature)
        sources = {name: self.index(name) for name in one.sources}
        code = code_version("waver.features.derived:extract_derived", one.function)
        extract_derived(feature, one.function, sources, self.stores(feature), self.index(feature), code)

    def _align(self) -> None:
        from waver.align.timeline import align_pack

        aligned = [feature for feature in self.features if feature != "speech"]
        align_pack(
            self.table("videos"), self.table("segments"), {feature: self.index(feature) for feature in aligned},
            {feature: self.stores(feature) for feature in aligned}, self.packs / f"{self.recording}.zarr",
            self.pack_index, self.preparation.align, code_version(_ENTRIES["align"]),
        )  # fmt: skip

    def row(self, feature: str) -> dict[str, object] | None:
        """The recording's row in the index of a feature; None where it is not there."""
        path = self.index(feature)
        rows = read_table(path, FEATURE_INDEX) if path.is_file() else []
        return rows[0] if rows else None


def fingerprints(features: Sequence[str]) -> dict[str, str]:
    """Fingerprint of each job's code."""
    derived = {one.feature: ("waver.features.derived:extract_derived", one.function) for one in derived_modalities()}
    return {name: code_version(*derived.get(name, (_ENTRIES.get(name, ""),))) for name in (*features, "align")}
