"""Names of videos: what they tell, and one key for all spellings of the same recording.

The releases and the files around them spell a video in several ways: with or without ``Videos/`` in
front, ``Visite_1`` or ``Visite 1``, a space or an underscore between date and time, and a computer's
name after ``_Video`` where a synchronisation made a copy.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

_NAME = re.compile(
    r"(?:^|/)(?P<participant>[0-9]{1,40})/Visite[ _](?P<visit>[0-9]{1,9})/(?P=participant)_Question_"
    r"(?P<question>[1-7])_(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})[ _](?P<time>[0-9]{2}-[0-9]{2}-[0-9]{2})_Video"
    r"(?P<copy>-[\w-]{1,100})?\.mp4\Z",
    re.IGNORECASE | re.ASCII,
)
PATTERN = "<participant>/Visite_<n>/<participant>_Question_<1-7>_<date>_<time>_Video.mp4"
"""What a path to a video has to end in, for messages."""


@dataclass(frozen=True)
class VideoName:
    """What the path of a video tells.

    Attributes:
        participant: participant id, digits.
        question: 1 to 7.
        visit: number of the visit, digits.
        stamp: date and time of the recording, joined by an underscore.
        copy: what a synchronisation put behind ``_Video``, e.g. ``-DESKTOP-NQ55E0P``; mostly empty.
    """

    participant: str
    question: int
    visit: str
    stamp: str
    copy: str

    @property
    def video(self) -> str:
        """Video id ``<participant>_Q<question>``."""
        return f"{self.participant}_Q{self.question}"

    @property
    def key(self) -> str:
        """Equal for all spellings of one recording, whatever copy of it."""
        return f"{self.participant}/{self.visit}/{self.question}/{self.stamp}"


@lru_cache(maxsize=1 << 16)
def parse_name(path: str) -> VideoName | None:
    """What a video's path tells, or None where it does not follow PATTERN.

    Args:
        path: path of the video file, or a name made after it, in any spelling.
    """
    found = _NAME.search(path.replace("\\", "/").strip())
    if found is None:
        return None
    part = found.groupdict(default="")
    stamp = f"{part['date']}_{part['time']}"
    return VideoName(part["participant"], int(part["question"]), part["visit"], stamp, part["copy"])
