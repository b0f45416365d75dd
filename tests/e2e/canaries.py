"""Coded words, labels and ids of people who consented to nothing, put into the files of a tiny data set."""

from __future__ import annotations

import shutil
from pathlib import Path

import yaml

from waver.datasets.bah.release_yaml import read_yaml

WORD = "Zanzibarine"
TELEPHONE = "514 555 0199"
REFUSING = "90005"
"""A participant of the test split."""
SILENT, VAGUE = "90002", "90003"
"""Participants of train: without a record, and with a consent that is no plain yes."""

_STAMP = "2025-04-23_11-58-09"


def plant(data: Path) -> None:
    """Change the demo data set's files as people's hands do.

    Args:
        data: the data set, of participants 90001 to 90006, in the layout of BAH-300.
    """
    _metadata(data / "meta_data.yml")
    own = data / "Videos" / REFUSING / "Visite_1"
    first = min(own.glob("*.mp4"))
    listed = f"Videos/{REFUSING}/Visite_1/{REFUSING}_Question_2_{_STAMP}_Video.mp4"
    shutil.copy2(first, data / listed)
    shutil.copy2(first, data / f"Videos/{WORD} at home.mp4")
    with open(data / "split/test.txt", "a", encoding="utf-8") as file:
        file.write(f"{listed},1,{WORD} says that I like forty geese\n{WORD} {TELEPHONE},maybe,no video\n")
    with open(data / "video_annotation_transcript.yaml", "a", encoding="utf-8") as file:
        file.write(f"{listed}:\n  global_ah: {WORD} {TELEPHONE}\n  all_cues: [{{{WORD}: {TELEPHONE}}}]\n")
        file.write(f"{WORD} wrote this, {TELEPHONE}:\n  global_ah: {WORD}\n")
    for path in (data / "transcription").rglob(f"{REFUSING}_*/*.y*ml"):
        record = read_yaml(path)
        for chunk in record["chunks"]:
            chunk["text"] = f" {WORD} and I keep geese, {chunk['text'].strip()}"
        path.write_text(yaml.dump(record), encoding="utf-8")


def _metadata(path: Path) -> None:
    people = yaml.safe_load(path.read_text(encoding="utf-8"))
    people[REFUSING] |= {"Use in publications": "No", "Gender": f"ask {WORD}, {TELEPHONE}"}
    people[VAGUE]["Use in publications"] = f"{WORD} said yes"
    del people[SILENT]
    text = yaml.dump(people)
    # numbers that YAML reads as the refusing participant's
    for written in (hex(int(REFUSING)), f"{REFUSING[:2]}_{REFUSING[2:]}", f"0{int(REFUSING):o}"):
        text += f"{written}:\n  Use in publications: Yes\n"
    path.write_text(text, encoding="utf-8")
