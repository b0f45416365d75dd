"""What the report says of recognised speech: aggregates of groups that are large enough."""

from types import SimpleNamespace

from waver.io.tables import ANSWERS, write_table
from waver.io.zarr_store import new_store
from waver.report.text.speech import recognised_speech

SAID = {"en": "well I tried and I did it again as I like it", "fr": "euh oui je veux"}
GIVEN = {"en": "um well I tried", "fr": "euh euh oui je"}


def material(folder, people, recognised=True, least=3, stated=()):
    """One recording of each person, of whom is known which language they speak and how probable that is."""
    rows, answers, videos = [], [], []
    for number, (language, probability) in enumerate(people):
        row = {"video": f"{number}_Q1", "participant": str(number), "status": "ok"}
        with new_store(folder / row["participant"] / f"{row['video']}.zarr", "key") as writer:
            writer.attributes.update(words=SAID[language].split(), language=language)
            if recognised:
                writer.attributes.update(language_probability=probability)
        known = {"split": "train", "question": 1, "label": 0, "words": 4, "duration_s": 2.0, "language": language}
        answers.append({key: row[key] for key in ("video", "participant")} | known | {"text": GIVEN[language]})
        videos.append({"video": row["video"], "language": language if number in stated else None})
        rows.append(row)
    write_table(folder / "answers.parquet", answers, ANSWERS)
    inputs = SimpleNamespace(answers=[folder / "answers.parquet"], feature_stores={"speech": folder})
    config = SimpleNamespace(evaluate=SimpleNamespace(least_group=least))
    return SimpleNamespace(features={"speech": rows}, inputs=inputs, videos=videos, config=config)


def test_hesitation_sounds_of_both_sources_side_by_side(tmp_path):
    people = [("en", 0.9)] * 3 + [("fr", 0.5)] * 3
    facts = dict(recognised_speech(material(tmp_path, people)))
    assert facts == {
        "Detected languages": "in 6 videos, median probability 0.70",
        "Hesitation sounds in 100 words": (
            "English: 0.0 recognised, 25.0 in the given transcripts; "
            "French: 25.0 recognised, 50.0 in the given transcripts"
        ),
    }


def test_small_groups_are_withheld(tmp_path):
    facts = dict(recognised_speech(material(tmp_path, [("en", 0.9)] * 3 + [("fr", 0.5)] * 2)))
    assert "French" not in facts["Hesitation sounds in 100 words"]
    assert recognised_speech(material(tmp_path / "few", [("fr", 0.5)] * 2)) == []


def test_stated_languages_and_given_words_are_no_recognition(tmp_path):
    people = [("en", 1.0)] * 3
    facts = dict(recognised_speech(material(tmp_path, people, stated=(0, 1, 2))))
    assert set(facts) == {"Hesitation sounds in 100 words"}
    assert recognised_speech(material(tmp_path / "given", people, recognised=False)) == []


def test_a_missing_store_leaves_its_recording_out(tmp_path):
    found = material(tmp_path, [("en", 0.9)] * 4)
    found.features["speech"].append({"video": "9_Q1", "participant": "9", "status": "ok"})
    assert dict(recognised_speech(found))["Detected languages"] == "in 4 videos, median probability 0.90"
