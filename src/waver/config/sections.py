"""The sections of the configuration, one per stage. Every field has a description with its unit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, field_validator

from waver.config.adaptation import AdaptConfig as AdaptConfig
from waver.config.adaptation import AdaptedFaces as AdaptedFaces
from waver.config.adaptation import AdaptedFusion as AdaptedFusion
from waver.config.backbone import BackboneConfig as BackboneConfig
from waver.config.section import MODALITY_SETS as MODALITY_SETS
from waver.config.section import Section as Section
from waver.config.section import UserPath
from waver.config.training import RunSpec as RunSpec
from waver.config.training import TrainConfig as TrainConfig
from waver.config.videos import VideosConfig as VideosConfig
from waver.config.vision_language import VisionLanguageConfig as VisionLanguageConfig
from waver.config.zeroshot import ZeroShotConfig as ZeroShotConfig
from waver.registry import BACKBONES, VIDEO_MODELS, ZERO_SHOT_MODELS

ModelRole = Literal[
    "face_detector",
    "face_embedding",
    "expression_backbone",
    "vggish",
    "speech_recogniser",
    "aligner_en",
    "aligner_fr",
    "word_encoder",
    "sentence_encoder",
    "sentiment",
    "speech_encoder",
]
if TYPE_CHECKING:
    VideoRole = str
    BackboneRole = str
    ZeroShotRole = str
else:
    _ROLES = ((own.asset, name if own.loader else "") for name, own in VIDEO_MODELS.items())
    BackboneRole = Literal[tuple(BACKBONES)]
    VideoRole = Literal[tuple(role for roles in _ROLES for role in roles if role)]
    ZeroShotRole = Literal[tuple(dict.fromkeys(own.asset for own in ZERO_SHOT_MODELS.values() if own.asset))]
"""Weights that a visual backbone begins with, pretrained ones of video-level models, and models that are asked."""


class DemoConfig(Section):
    """The generated demo data set (synthetic participants; scores on it mean nothing about people)."""

    train: int = Field(9, ge=1, description="participants in the train split")
    val: int = Field(3, ge=1, description="participants in the val split")
    test: int = Field(6, ge=1, description="participants in the test split")
    questions: int = Field(4, ge=1, le=7, description="questions answered by each participant")
    clauses: int = Field(3, ge=1, description="clauses of an answer; each holds one state of face, voice, words")
    width: int = Field(640, description="frame width, pixels")
    height: int = Field(480, description="frame height, pixels")
    trouble: bool = Field(True, description="include broken and unusual files, as in real data")
    seed: int = Field(7, description="seed of all random draws")


class DatasetConfig(Section):
    """Which recordings, where, and in which layout."""

    name: str = Field("bah", pattern=r"^[a-z0-9_]+$", description="folder below resources/")
    source: Literal["release", "demo", "transcripts"] = Field(
        "release",
        description="a release at root, the generated demo data set, or split files with transcripts and "
        "no video (public for 224 participants)",
    )
    reader: str = Field(
        "bah", description="bah (the releases and the demo), folder (videos with a CSV table), or one of your own"
    )
    root: UserPath = Field("", description="folder of the release")
    layout: Literal["auto", "bah300", "bah224", "abaw8"] = Field(
        "auto", description="release layout; auto: recognised by the files at root"
    )
    purpose: Literal["research", "challenge"] = Field(
        "research",
        description="what the run is for: research, to which everybody in a data set agreed, or a challenge, which "
        "excludes all who did not allow that",
    )
    shards: int = Field(32, ge=1, le=999, description="number of groups of participants; a job works on one group")
    demo: DemoConfig = DemoConfig()

    @field_validator("name")
    @classmethod
    def _own_folder(cls, name: str) -> str:
        if name in ("emotions", "models"):
            raise ValueError(f"resources/{name} is a reserved folder; give the data set another name")
        return name


class ModelsConfig(Section):
    """Which model weights are used."""

    set: Literal["embedded", "paper"] = Field(
        "embedded", description="embedded: models that come with the packages; paper: the papers' own"
    )
    roles: dict[ModelRole | VideoRole | ZeroShotRole, Literal["embedded", "paper", "insightface", "tiny"]] = Field(
        {},
        description="role -> another set for its model; insightface: its packs of models of faces; tiny: random "
        "weights, to try things out",
    )
    paths: dict[ModelRole | BackboneRole | VideoRole | ZeroShotRole, UserPath] = Field(
        {}, description="role -> file or folder that replaces the set's model"
    )
    accept_licences: list[Annotated[str, Field(pattern="^[a-z0-9-]+$")]] = Field(
        [], description="licences that forbid some uses, and that you accept, by the names in the manifest of models"
    )

    @field_validator("paths", mode="before")
    @classmethod
    def _two_encoders_of_text(cls, value: Any) -> Any:
        if isinstance(value, dict) and "text_encoder" in value:
            raise ValueError(
                "text_encoder is two roles: word_encoder (vectors of words) and sentence_encoder (vectors of "
                "answers); give the folder under one of them or under both"
            )
        return value


class FacesConfig(Section):
    """Detection, choice and alignment of the face (dataset paper, section 3; face.evoLVe template)."""

    source: Literal["detect", "released"] = Field(
        "detect",
        description="detect: found in the videos; released: the release's own cropped and aligned pictures",
    )
    compare_every: int = Field(
        24,
        ge=0,
        description="released: detect in every n-th frame too, to tell how far both agree; 0: do not",
    )
    threshold: float = Field(0.9, gt=0, lt=1, description="minimum detection score")
    nms: float = Field(0.4, gt=0, lt=1, description="overlap above which the weaker box is dropped")
    long_side: int = Field(
        640, ge=64, description="longer side of the image given to the detector, pixels; never enlarged"
    )
    choice: Literal["recording", "best_score"] = Field(
        "recording",
        description="the face of a frame; recording: that of the person who is seen longest, nearest and in motion, of "
        "several such people the one whose mouth moves with the sound; best_score: the best detection of each frame, "
        "as in the papers",
    )
    every: int = Field(1, ge=1, description="detect in every n-th frame and interpolate the landmarks between")
    size: int = Field(256, ge=32, description="side of the aligned face, pixels")
    quality: int = Field(95, ge=1, le=100, description="JPEG quality of stored faces")
    decoder: Literal["auto", "pyav", "decord"] = Field(
        "auto",
        description="who decodes the pictures; auto: PyAV; decord (FFmpeg of 2018; trusted files alone): PyAV where "
        "its index cannot be relied on",
    )

    @property
    def deciding(self) -> dict[str, object]:
        """The keys that decide the faces."""
        return self.model_dump(exclude=set() if self.source == "released" else {"source", "compare_every"})


class VisualConfig(Section):
    """Frozen visual backbone over aligned faces."""

    backbone: str = Field("mini_xception", description="mini_xception, or a backbone by its name in the registry")
    batch: int = Field(64, ge=1, description="faces per forward pass")
    options: dict[str, Any] = Field({}, description="keys of the backbone's own config that differ from its defaults")
    precision: Literal["fp32", "bf16"] = Field("fp32", description="arithmetic of the network")


class AudioConfig(Section):
    """Log-mel track and the audio feature of each frame (VGGish front end)."""

    feature: Literal["logmel_stats", "vggish", "speech_encoder"] = Field(
        "logmel_stats",
        description="of each frame: mean and deviation of the 0.96 s log-mel patch (128), VGGish's embedding (128), or "
        "a hidden state of the encoder under models.paths.speech_encoder (wav2vec 2.0, HuBERT, WavLM)",
    )
    layer: int = Field(
        -1, description="speech_encoder: hidden state after this layer; 0: before the first, -1: after the last"
    )
    precision: Literal["fp32", "bf16"] = Field("fp32", description="vggish: arithmetic of the network")

    @property
    def deciding(self) -> dict[str, object]:
        """The keys that decide the feature."""
        of = {"layer": "speech_encoder", "precision": "vggish"}
        return self.model_dump(exclude={key for key, feature in of.items() if feature != self.feature})


class SpeechConfig(Section):
    """Words and their times."""

    source: Literal["recognise", "given"] = Field(
        "recognise", description="recognise: speech recognition; given: the data set's transcripts"
    )
    beam: int = Field(5, ge=1, description="beam size of the recogniser")
    language: str = Field("auto", description="ISO 639-1 code of all videos; auto: the metadata's, else detected")
    languages: list[Annotated[str, Field(pattern="^[a-z]{2,3}$")]] = Field(
        ["en", "fr"],
        description="languages that may be detected, ISO 639-1: the most probable of them is taken, by the recordings "
        "of the participant together where its probability is below 0.5; []: all",
    )
    verbatim: bool = Field(
        False, description="show the recogniser an example of hesitations (um, euh), which it leaves out otherwise"
    )


class WordsConfig(Section):
    """One vector per word, and the word of each frame."""

    layers: int = Field(4, ge=1, description="last hidden layers summed, as in the papers")
    alignment: Literal["timestamp", "uniform"] = Field(
        "timestamp",
        description="word of a frame: timestamp: by its times, as in the papers; uniform: tokens spread evenly, as "
        "released",
    )
    precision: Literal["fp32", "bf16"] = Field("fp32", description="arithmetic of the encoders of words and of answers")


class FeaturesConfig(Section):
    """Features of a video."""

    faces: FacesConfig = FacesConfig()
    visual: VisualConfig = VisualConfig()
    audio: AudioConfig = AudioConfig()
    speech: SpeechConfig = SpeechConfig()
    words: WordsConfig = WordsConfig()


class AlignConfig(Section):
    """All features and labels on one clock."""

    tolerance_frames: int = Field(
        2, ge=0, description="largest difference in length of annotation and video that is corrected, frames"
    )


class AnswerRun(Section):
    """One row of the table of models of the answer's text."""

    model: str = Field(description="model, by its name in the registry")
    inputs: Literal["T", "TQ", "Q"] = Field("T", description="T: the words; Q: the question and the length")
    seeds: tuple[int, ...] = Field((0,), min_length=1, description="seeds; tables show the mean of the probabilities")


class AnswersConfig(Section):
    """Video-level models of the answer's text, trained and cross-validated like the frame-level ones."""

    runs: tuple[AnswerRun, ...] = Field((), description="model and inputs of each row")
    tuned: tuple[AnswerRun, ...] = Field((), description="rows with a long run time (fine-tuned encoders)")
    with_tuned: bool = Field(False, description="also run the rows of tuned")
    options: dict[str, dict[str, Any]] = Field(
        {}, description="model name -> keys of its own config that differ from its defaults"
    )

    @property
    def chosen(self) -> tuple[AnswerRun, ...]:
        """The rows of this run."""
        return (*self.runs, *(self.tuned if self.with_tuned else ()))


class EvaluateConfig(Section):
    """Scores, controls and intervals."""

    bootstrap: int = Field(1000, ge=100, description="resamples of participants")
    seed: int = Field(0, description="seed of the bootstrap")
    video_rule: Literal["sliding_mean", "majority", "mean_logits", "mean_probabilities"] = Field(
        "sliding_mean",
        description="from frames to a video: sliding_mean: the papers', largest mean of a window; the release's: "
        "majority of the frames' decisions, mean of the logits, mean of the probabilities",
    )
    window_frames: int = Field(24, ge=1, description="window of sliding_mean, frames")
    least_group: int = Field(5, ge=1, description="scores that rest on fewer people are withheld, everywhere")


class ReportConfig(Section):
    """The report."""

    title: str = Field("Waver", description="heading of the report")
    timeline: str = Field(
        "auto", description="video of the timeline figure; auto: one of a test participant who consented"
    )
    secret: str = Field(
        ".waver/secret",
        description="file with the secret of the site, from which participants' pseudonyms come; made once, private",
    )
    other_runs: dict[str, str] = Field(
        {},
        description="name -> results/<another run>, whose scores are shown in the papers' tables; the name of a visual "
        "backbone fills that backbone's rows",
    )

    @field_validator("title")
    @classmethod
    def _not_empty(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("must not be empty")
        return value
