"""Every method and modality by name: a new one is a file and a record here; nothing is imported before it is needed.

Code fingerprints do not follow this file: a rule adds the targets of its own method to its code, and whatever else a
job takes from a record stands in the rule's params.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from waver.records import (
    AdaptationRecord,
    ControlRecord,
    FusionRecord,
    MethodRecord,
    Modality,
    Record,
    VideoModelRecord,
    VisionLanguageRecord,
    ZeroShotModelRecord,
)

MODALITIES: dict[str, Modality] = {
    "V": Modality(
        name="visual",
        label="face",
        feature="visual",
        channels=(256, 256, 128, 128, 128),
        recorded=True,
        affect=True,
        networks=("expression_backbone",),
        receptive_field="waver.features.receptive_fields:visual",
    ),
    "A": Modality(
        name="audio",
        label="voice",
        feature="audio",
        channels=(128, 128, 64, 64),
        recorded=True,
        affect=True,
        networks=("vggish", "speech_encoder"),
        receptive_field="waver.features.receptive_fields:audio",
    ),
    "T": Modality(
        name="text",
        label="words",
        feature="words",
        arrays=("vector", "word_of_frame"),
        by_word=True,
        channels=(256, 256, 128, 128),
        affect=True,
        networks=("word_encoder",),
        receptive_field="waver.features.receptive_fields:text",
    ),
    "C": Modality(
        name="cues",
        label="cues of voice, pauses and words",
        feature="cues",
        channels=(128, 128, 64, 64),
        sufficient=False,
        receptive_field="waver.features.receptive_fields:cues",
    ),
    "Q": Modality(
        name="question",
        label="question and length of the answer",
        feature="",
        channels=(16, 16),
        receptive_field="waver.features.receptive_fields:question",
    ),
}
"""By letter, as in the papers' tables and in that order. C are hand-crafted cues (``waver.features.cues.extract``). Q
is not of the person but the context (``waver.datasets.question_context``)."""

FUSIONS: dict[str, FusionRecord] = {
    "lfan": FusionRecord("waver.models.fusion.lfan:Lfan", label="LFAN"),
    "can": FusionRecord("waver.models.fusion.can:Can", label="CAN"),
    "mt": FusionRecord("waver.models.fusion.mt:Mt", label="MT"),
    "jmt": FusionRecord("waver.models.fusion.jmt:Jmt", label="JMT"),
    "conflict": FusionRecord(
        "waver.models.fusion.conflict.model:Conflict", label="Conflict model", own_temporal=True, explains=True
    ),
}

TEMPORALS: dict[str, Record] = {
    "tcn": Record("waver.models.temporal.tcn:Tcn"),
    "bigru": Record("waver.models.temporal.bigru:BiGru"),
    "mstcn": Record("waver.models.temporal.mstcn:MsTcn"),
    "asformer": Record("waver.models.temporal.asformer:AsFormer"),
    "ssm": Record("waver.models.temporal.ssm:Ssm"),
    "xl": Record("waver.models.temporal.xl:Xl"),
}
"""Temporal contexts of one stream, see ``waver.models.base.Temporal``."""

BACKBONES: dict[str, MethodRecord] = {
    "resnet18": MethodRecord("waver.models.backbones.resnet:ResNet18", label="ResNet18"),
    "resnet34": MethodRecord("waver.models.backbones.resnet:ResNet34", label="ResNet34"),
    "resnet50": MethodRecord("waver.models.backbones.resnet:ResNet50", label="ResNet50"),
    "resnet101": MethodRecord("waver.models.backbones.resnet:ResNet101", label="ResNet101"),
    "resnet152": MethodRecord("waver.models.backbones.resnet:ResNet152", label="ResNet152"),
    "apvit": MethodRecord("waver.models.backbones.apvit:Apvit", label="APViT"),
    "ir50": MethodRecord("waver.models.backbones.ir50_embedding:Ir50Embedding", label="IR-50"),
}
"""Visual backbones. One that was trained on frames with A/H predicts frames itself, as a method of its name."""

ANSWER_MODELS: dict[str, MethodRecord] = {
    "question_prior": MethodRecord("waver.models.text.question_prior:QuestionPrior", label="Question prior"),
    "tfidf": MethodRecord("waver.models.text.tfidf:Tfidf", label="TF-IDF"),
    "cues": MethodRecord("waver.models.text.cues:Cues", label="Cue counts"),
    "sentence": MethodRecord("waver.models.text.sentence:Sentence", label="Sentence embedding"),
    "content": MethodRecord("waver.models.text.content:Content", label="Cues + sentences"),
    "sequence": MethodRecord("waver.models.text.sequence:SequenceModel", label="Word sequence"),
    "encoder": MethodRecord("waver.models.text.encoder:TunedEncoder", label="Fine-tuned encoder"),
}


def _focalnet(size: str) -> VideoModelRecord:
    return VideoModelRecord(
        "waver.models.video.focalnet:VideoFocalNet",
        label=f"Video-FocalNet {size}",
        inputs="faces",
        loader="waver.models.video.focalnet:load_focalnet_weights",
        implied={"size": size},
    )


VIDEO_MODELS: dict[str, VideoModelRecord] = {
    "focalnet_tiny": _focalnet("tiny"),
    "focalnet_small": _focalnet("small"),
    "focalnet_base": _focalnet("base"),
    "emoclip": VideoModelRecord(
        "waver.models.video.emoclip:EmoClip",
        label="EmoCLIP",
        inputs="faces",
        asset="clip",
        loader="waver.models.video.emoclip_weights:load_emoclip_weights",
        recipe={"lr": 1e-3, "body_rate": 1e-3, "label_smoothing": 0},
    ),
    "discrepancy": VideoModelRecord(
        "waver.models.video.discrepancy:Discrepancy",
        label="Discrepancy transformer",
        inputs="features",
        recipe={
            "optimiser": "adamw",
            "lr": 3e-5,
            "weight_decay": 1e-2,
            "batch": 16,
            "patience": 15,
            "clip": 1,
            "label_smoothing": 0,
        },
    ),
}

_UNLABELLED = "frames of the person, without labels"
_STREAM = "the scored frames as they arrive, without labels"
_SOURCE = "source frames; "
_LAST_EPOCH = {"select": "last"}


def _of_clip(
    target: str, label: str, resets: str, sees: str = _STREAM, implied: Mapping[str, Any] | None = None, **needs: Any
) -> VisionLanguageRecord:
    target = f"waver.adaptation.methods.vision_language.{target}"
    needs = {"baseline": "clip_zero_shot", **needs}
    return VisionLanguageRecord(target, label=label, sees=sees, resets=resets, implied=implied or {}, **needs)


def _of_networks(target: str, label: str, sees: str, **more: Any) -> AdaptationRecord:
    target = f"waver.adaptation.methods.{target}"
    return AdaptationRecord(target, label=label, sees=sees, fusions=True, faces=True, **more)


def _of_source(target: str, label: str, sees: str, faces: bool = True, **more: Any) -> AdaptationRecord:
    target = f"waver.adaptation.methods.{target}"
    return AdaptationRecord(target, label=label, sees=_SOURCE + sees, faces=faces, source=True, **more)


def _by_val_labels(method: AdaptationRecord) -> AdaptationRecord:
    label, sees = f"{method.label}, val oracle", f"{method.sees}; the person's labels choose the epoch"
    return replace(method, label=label, sees=sees, target_labels=True, implied={"select": "val_oracle"})


ADAPTATIONS: dict[str, AdaptationRecord] = {
    "source_only": _of_networks("source_only:SourceOnly", "Source only", "nothing of the person"),
    "mmd": _of_source("uda.mmd:Mmd", "MMD", _UNLABELLED, implied=_LAST_EPOCH),
    "acpl": _of_source("uda.acpl:Acpl", "ACPL", _UNLABELLED, implied=_LAST_EPOCH),
    "shot": _of_networks("sfda.shot:Shot", "SHOT", _UNLABELLED, implied=_LAST_EPOCH),
    "nrc": _of_networks("sfda.nrc:Nrc", "NRC", _UNLABELLED, implied=_LAST_EPOCH),
    "bn_adapt": _of_networks("tta.bn_adapt:BnAdapt", "BN-adapt", _STREAM),
    "tent": _of_networks("tta.tent:Tent", "TENT", _STREAM),
    "eata": _of_source("tta.eata:Eata", "EATA", _STREAM),
    "sar": _of_networks("tta.sar:Sar", "SAR", _STREAM),
    "t3a": _of_networks("tta.t3a:T3a", "T3A", _STREAM),
    "cotta": _of_networks("tta.cotta:Cotta", "CoTTA", _STREAM),
    "memo": _of_networks("tta.memo:Memo", "MEMO", _STREAM),
    "person_hmm": _of_source("tta.person_hmm:PersonHmm", "Person HMM", _STREAM, faces=False),
    "clip_zero_shot": _of_clip("zero_shot:ZeroShot", "CLIP", "", implied={"prompts": "template"}),
    "clip_ensemble": _of_clip("zero_shot:ZeroShot", "CLIP, several prompts", "", implied={"prompts": "ensemble"}),
    "tda": _of_clip("tda:Tda", "TDA", "participant"),
    "dpe": _of_clip("dpe:Dpe", "DPE", "participant", baseline="clip_ensemble"),
    "reta": _of_clip("reta:Reta", "ReTA", "participant", views=True, baseline="clip_ensemble"),
    "eb_cap": _of_clip("eb_cap:EbCap", "EB-CaP", "participant"),
    "tta_cap": _of_clip("tta_cap:TtaCap", "TTA-CaP", "video", sees=_SOURCE + _UNLABELLED + "; " + _STREAM, fitted=True),
    "t3al": _of_clip("t3al:T3al", "T3AL", "video", sees="the scored frames of a whole video at once, without labels"),
    "tpt": _of_clip("tpt:Tpt", "TPT", "frame", views=True),
    "promptalign": _of_clip(
        "prompt_align:PromptAlign", "PromptAlign", "frame", sees=_SOURCE + _STREAM, pictures=True, fitted=True
    ),
    "clip_au": _of_clip("clip_autt:ClipAutt", "CLIP-AU", "", sees=_SOURCE + _STREAM, implied={"steps": 0}, fitted=True),
    "clip_autt": _of_clip(
        "clip_autt:ClipAutt", "CLIP-AUTT", "clip", sees=_SOURCE + _STREAM, fitted=True, baseline="clip_au"
    ),
    "oracle": _of_networks("oracle:Oracle", "Oracle", "the person's labels", target_labels=True),
}
ADAPTATIONS |= {f"{name}_val_oracle": _by_val_labels(ADAPTATIONS[name]) for name in ("mmd", "acpl", "shot", "nrc")}

ZERO_SHOT_MODELS: dict[str, ZeroShotModelRecord] = {
    "video_llava": ZeroShotModelRecord(
        "waver.zeroshot.families.video_llava:VideoLlava", label="Video-LLaVA", inputs="video", asset="video_llava"
    ),
    "qwen3_vl": ZeroShotModelRecord(
        "waver.zeroshot.families.qwen3_vl:Qwen3Vl", label="Qwen3-VL", inputs="video", asset="qwen3_vl"
    ),
    "internvl": ZeroShotModelRecord(
        "waver.zeroshot.families.internvl:InternVl", label="InternVL", inputs="video", asset="internvl"
    ),
    "llava_onevision": ZeroShotModelRecord(
        "waver.zeroshot.families.llava_onevision:LlavaOnevision",
        label="LLaVA-OneVision",
        inputs="video",
        asset="llava_onevision",
    ),
    "affectgpt": ZeroShotModelRecord(
        "waver.zeroshot.families.affectgpt:AffectGptFamily",
        label="AffectGPT",
        inputs="face_audio",
        asset="affectgpt",
        released=0,
    ),
    "openai": ZeroShotModelRecord(
        "waver.zeroshot.families.openai:OpenAi", label="Served model", inputs="video", local=False
    ),
    "openai_text": ZeroShotModelRecord(
        "waver.zeroshot.families.openai:OpenAiText", label="Served text model", inputs="text", local=False
    ),
    "causal_lm": ZeroShotModelRecord(
        "waver.zeroshot.families.causal_lm:CausalLm", label="Text LLM", inputs="text", asset="llm"
    ),
}
"""Zero-shot models. Several of one family are several records, each with its role."""

CUE_DESCRIBERS: dict[str, Record] = {"cues": Record("waver.zeroshot.described_cues:DescribedCues")}
"""What fills the slots of prompts that are made of what was seen and heard; not every config uses them."""

UNADAPTED = tuple(dict.fromkeys(record.baseline for record in ADAPTATIONS.values()))
"""Networks without adaptation: the baselines of the methods that adapt them, and no candidates among these."""

CONTROLS: dict[str, ControlRecord] = {
    "all_negative": ControlRecord("All negative", constant=True),
    "all_positive": ControlRecord("All positive", constant=True),
    "question_prior": ControlRecord("Question prior"),
    "content_free": ControlRecord("Content-free control"),
    "neighbours": ControlRecord("Neighbouring numbers"),
}
"""In the order of the tables. A model of answers may be a control too; their inputs differ."""

READERS: dict[str, Record] = {
    "aligner_en": Record("waver.features.forced_alignment:Aligner"),
    "aligner_fr": Record("waver.features.forced_alignment:Aligner"),
    "speech_encoder": Record("waver.features.audio.speech_encoder:SpeechEncoder"),
    "sentiment": Record("waver.features.cues.sentiment:load_sentiment"),
}
"""Role of an installed model that not every config uses -> what reads it."""

MEASUREMENTS: dict[str, Record] = {
    "window": Record("waver.training.profiling.frames:measure"),
    "video": Record("waver.training.profiling.videos:measure"),
}
"""What a model is passed at once -> what measures its costs."""

KINDS: dict[str, Mapping[str, MethodRecord]] = {
    "visual backbones": BACKBONES,
    "fusions": FUSIONS,
    "models of answers": ANSWER_MODELS,
    "video-level models": VIDEO_MODELS,
    "adaptation methods": ADAPTATIONS,
    "zero-shot models": ZERO_SHOT_MODELS,
}
"""The methods whose predictions are scored."""
