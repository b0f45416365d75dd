"""One reader against bytes that atheris chooses by what they reach: coverage_guided.py READER FOLDER SECONDS

Bytes that break it lie in the folder afterwards, as ``crash-*``.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["waver", "yaml"]):
    from attacked_readers import readers

MOST_S = 5.0
LONGEST = 10_000


def main(name: str, folder: Path, seconds: str) -> None:
    """Attack; the process ends with another status than 0 where bytes break the reader."""
    reader = readers()[name]
    sound, words = folder / "sound", folder / "words.txt"
    sound.mkdir()
    (sound / "sound").write_text(reader.sound, encoding="utf-8")
    quoted = ("".join(f"\\x{byte:02x}" for byte in part.encode()[:60]) for part in reader.parts)
    words.write_text("".join(f'"{part}"\n' for part in dict.fromkeys(quoted)))
    file = folder / reader.file

    def attack(content: bytes) -> None:
        file.write_bytes(content)
        started = time.process_time()
        problem = reader.problem(file)
        spent = time.process_time() - started
        if spent > MOST_S or "\n" in (problem or ""):
            raise AssertionError(f"{name}: {spent:.1f} s, {problem}")

    atheris.Setup(
        [
            sys.argv[0], f"-max_total_time={seconds}", f"-max_len={LONGEST}", "-timeout=20", "-rss_limit_mb=2000",
            f"-dict={words}", f"-artifact_prefix={folder}/", str(sound),
        ],
        attack,
    )  # fmt: skip
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
