"""One static page a recording, and an index of them.

A page is a file of its own, opened from a folder: style, script and data are inside it, the recording is a relative
link beside it. Its Content-Security-Policy lets in nothing else: no network, and no script or style but those whose
hashes it names. Data lie in a block of JSON that no text can end.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from waver import __version__
from waver.io.atomic import atomic_write
from waver.predict.result import Band, Bands, RecordingResult
from waver.predict.segments import SegmentRule, Span
from waver.predict.viewer.data import page_data

TEXTS, TEMPLATES = Path(__file__).with_name("texts.yaml"), Path(__file__).with_name("templates")
INDEX = "index.html"

_SCRIPTS = ("player.js", "timeline.js", "review.js")
"""Parts of the script of a page, in order."""
_SCRIPTED = (
    "play", "pause", "now", "no_words", "kept", "not_kept", "reviewed", "likely", "unclear", "unlikely",
    "lane_probability", "lane_predicted", "lane_annotated", "lane_visual", "lane_audio", "lane_text", "lane_cues",
)  # fmt: skip
"""Texts that the script of a page writes."""
_LANES = ("visual", "audio", "text", "cues")
"""Modalities that have a name on the page."""


@dataclass(frozen=True)
class About:
    """What the pages of one model share.

    Attributes:
        model: its name.
        stamp: of its weights.
        language: of the page, a block of ``texts.yaml``.
        internal: it shows a person, and says so; False for synthetic people alone.
    """

    model: str
    stamp: str = ""
    language: str = "en"
    internal: bool = True


@dataclass(frozen=True)
class IndexRow:
    """What the index says of a recording, see ``RecordingResult``; ``page`` is the file's name."""

    recording: str
    participant: str
    question: int | None
    duration_s: float
    video_probability: float
    bands: Bands
    band: Band
    control: float | None
    control_band: Band | None
    question_only: float | None
    question_band: Band | None
    segments: int
    page: str


def write_page(
    result: RecordingResult,
    folder: Path,
    about: About,
    rule: SegmentRule | None = None,
    annotated: Sequence[Span] | None = None,
) -> tuple[Path, IndexRow]:
    """Write ``<recording>.html``.

    Args:
        result: of the recording, with its segments.
        folder: where to write; the link to ``result.video`` is relative to it.
        about: model and language.
        rule: of the segments; None: single moments are judged by ``result.threshold`` alone.
        annotated: segments of the annotation, frames; None where there is none, or nobody may see it.

    Returns:
        The file, and the recording's row of the index.
    """
    words = texts(about.language)
    data = page_data(result, rule, annotated, about.model, about.stamp)
    path = folder / f"{result.recording}.html"
    content = _rendered(
        "recording.html", about, words, scripts=_SCRIPTS,
        result=result, data=_block({**data, "texts": {name: words[name] for name in _SCRIPTED}}),
        segments=data["segments"], annotated=annotated,
        video=None if result.video is None else quote(os.path.relpath(result.video, folder)),
        masked=[_lane(words, name) for name, valid in result.valid.items() if not valid.any()],
        conflict=bool(data["conflict"]), lane=lambda name: _lane(words, name),
        contributed=result.contributions is not None,
    )  # fmt: skip
    with atomic_write(path) as file:
        file.write_text(content, encoding="utf-8")
    return path, _index_row(result, path.name)


def write_index(rows: Iterable[IndexRow], folder: Path, about: About) -> Path:
    """Write ``index.html``, a line a recording."""
    path, words = folder / INDEX, texts(about.language)
    content = _rendered("index.html", about, words, scripts=(), rows=list(rows))
    with atomic_write(path) as file:
        file.write_text(content, encoding="utf-8")
    return path


def texts(language: str) -> dict[str, str]:
    """All sentences in one language."""
    found: dict[str, str] = yaml.safe_load(TEXTS.read_text(encoding="utf-8"))[language]
    return found


def _index_row(result: RecordingResult, page: str) -> IndexRow:
    return IndexRow(
        result.recording, result.participant, result.question, result.duration_s, result.video_probability,
        result.bands, result.band, result.control, result.control_band, result.question_only, result.question_band,
        len(result.segments), page,
    )  # fmt: skip


def _rendered(template: str, about: About, words: dict[str, str], scripts: Sequence[str], **values: Any) -> str:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {"clock": clock, "score": _score}
    style = (TEMPLATES / "viewer.css").read_text(encoding="utf-8")
    code = "".join((TEMPLATES / name).read_text(encoding="utf-8") for name in scripts)
    return environment.get_template(template).render(
        t=words, about=about, style=Markup(style), script=Markup(code), policy=_policy(style, code),
        version=__version__, **values,
    )  # fmt: skip


def _policy(style: str, script: str) -> str:
    """Content-Security-Policy: this style, this script, a recording from a folder or the same server, and no more."""
    parts = ["default-src 'none'", f"style-src {_hash(style)}", "media-src 'self' file: blob:"]
    parts += [f"script-src {_hash(script)}"] if script else []
    return "; ".join([*parts, "base-uri 'none'", "form-action 'none'"])


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _block(data: dict[str, Any]) -> Markup:
    """JSON for a script element of data: no text in it can end the element, or begin a comment."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def _lane(words: dict[str, str], name: str) -> str:
    return words[f"lane_{name}"] if name in _LANES else name


def clock(seconds: float) -> str:
    """``0:07.5``, ``1:02:03.0``."""
    tenths = round(10 * seconds)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    head = f"{hours}:{minutes:02d}" if hours else str(minutes)
    return f"{head}:{rest // 10:02d}.{rest % 10}"


def _score(value: float) -> str:
    return f"{value:.2f}"
