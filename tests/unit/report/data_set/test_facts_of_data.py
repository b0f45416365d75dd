"""Figures of the data section, of made answers and segments, and their drawings."""

from types import SimpleNamespace

import pytest

from waver.config.sections import EvaluateConfig
from waver.datasets.questions import bah_questions
from waver.report.data_set.facts import facts
from waver.report.data_set.section import data_set_section

PEOPLE = [str(61000 + number) for number in range(8)]


def material(layout="", least=5, people=PEOPLE):
    """Everybody answers seven questions, the last person six; after questions 1 and 2 there is A/H."""
    requested = [(who, number) for who in people for number in range(1, 8) if (who, number) != (people[-1], 7)]
    answers = [
        {"video": f"{who}_Q{number}", "participant": who, "split": "train", "question": number,
         "label": int(number < 3), "duration_s": 10.0 * number}
        for who, number in requested
    ]  # fmt: skip
    spans = [(who, number, at) for who in people for number in (1, 2) for at in range(number)]
    segments = [
        {"video": f"{who}_Q{number}", "segment": at, "start_frame": 100 * at, "end_frame": 100 * at + 48 * number,
         "start_s": None, "end_s": None, "certainty": None, "cues": None, "cue_names": None}
        for who, number, at in spans
    ]  # fmt: skip
    stated = {"age_group": "25-34", "sex": "Female", "province": None, "ethnicity": "White", "student": False,
              "age": 30, "consent_publication": True, "consent_challenge": True}  # fmt: skip
    rows = [{"participant": who, "split": "train", **stated} for who in people]
    packed = [row | {"labelled": True, "positive_frames": 24 * row["label"]} for row in answers]
    return SimpleNamespace(
        config=SimpleNamespace(evaluate=EvaluateConfig(least_group=least)), layout=layout, answers=answers,
        participants=rows, segments=segments, videos=[{"video": "61000_Q1", "source_fps": 48.0}], used=packed,
        questions=bah_questions(),
    )  # fmt: skip


def yours(section):
    return {fact.name: fact.yours for fact in section.facts}


@pytest.mark.slow
def test_figures_are_those_of_the_rows(tmp_path):
    found = yours(data_set_section(material(), tmp_path))
    assert found["videos of a participant, mean"] == "6.88"
    assert found["videos with A/H of a participant, mean"] == "2.00"
    assert found["frames with A/H of a participant, mean"] == "48.00"
    assert found["seconds with A/H of a participant, mean"] == "2.00"
    assert found["length of a video"] == "39.45 ± 19.95 s, from 10.0 to 70.0"
    assert found["videos with one A/H segment"] == found["videos with several A/H segments"] == "8 videos"
    assert found["A/H segments"] == "24"
    # one video of 48 frames a second is 1 s long, the others are 2 or 4 s: that of one person is not told
    assert found["length of an A/H segment"] == "3.29 ± 1.04 s, from 2.0 to 4.0"
    assert found["length of an A/H segment in frames"].startswith("80.00 ±")
    assert found["age"] == "30.00 ± 0.00 years"
    # one person did not answer every question: that, and who did, is not told
    assert found["participants who answered every question"] == "withheld"


@pytest.mark.slow
def test_a_split_of_few_people_does_not_follow_from_the_others(tmp_path):
    """The scores tell the numbers of train and val together: those of everybody would tell the rest."""
    rows = material()
    for row in (*rows.answers, *rows.used, *rows.participants):
        row["split"] = "test" if row["participant"] in PEOPLE[:2] else "train"
    section = data_set_section(rows, tmp_path)
    actual = yours(section)
    assert {name for name, text in actual.items() if text == "withheld" and "every question" not in name} == {
        "videos with A/H of a participant, mean", "frames with A/H of a participant, mean",
        "seconds with A/H of a participant, mean", "videos with one A/H segment", "videos with several A/H segments",
        "A/H segments", "length of an A/H segment", "length of an A/H segment in frames",
    }  # fmt: skip
    assert actual["videos of a participant, mean"] == "6.88"
    assert "segments" not in [drawn.name for drawn in section.figures]


@pytest.mark.slow
def test_printed_figures_stand_beside_a_release_alone(tmp_path):
    section = data_set_section(material("bah224"), tmp_path)
    printed = {fact.name: fact.printed for fact in section.facts}
    assert printed["length of a video"] == "26.58 ± 16.36 s, from 3 to 96"
    assert section.printed_of == "release of 224, dataset paper, section 3.2"
    assert "Diamonds" in section.figures[0].caption
    section = data_set_section(material("auto"), tmp_path)
    assert not any(fact.printed for fact in section.facts)
    assert "Diamonds" not in section.figures[0].caption


@pytest.mark.slow
def test_nothing_is_told_of_few_people(tmp_path):
    section = data_set_section(material(people=PEOPLE[:4]), tmp_path)
    assert set(yours(section).values()) == {"too few"}
    assert [drawn.name for drawn in section.figures] == ["people", "answers"]
    for drawn in section.figures:
        assert "too few" in drawn.svg or "too\n" in drawn.svg or ">few<" in drawn.svg
        assert "%)" not in drawn.svg


@pytest.mark.parametrize(("least", "told"), [(4, "8 of 16, which count as nothing"), (5, "too few")])
def test_texts_that_are_no_cue_are_told_as_a_number_of_enough_people(least, told):
    rows = material(least=least)
    name = "texts of the annotators that are no cue of the codebook"
    assert name not in {fact.name for fact in facts(rows)}
    for row in rows.segments:
        if row["segment"] == 0 and row["video"] < "61000_Q8":
            row["cues"] = '{"facial": "Smile"}'
    assert name not in {fact.name for fact in facts(rows)}
    for row in rows.segments:
        row["cues"] = None
        if row["segment"] == 0 and row["video"] < PEOPLE[4]:
            row["cues"] = '{"facial": "Smile", "audio": "soupir de Marie"}'
    found = facts(rows)
    here = {fact.name: fact.yours for fact in found}
    assert here[name] == told
    assert here.get("these texts by channel") == ("voice 8" if least == 4 else None)
    rows.segments[0]["cues"] = '{"facial": "grimace", "audio": "soupir de Marie"}'
    assert "these texts by channel" not in {fact.name for fact in facts(rows)}, "one person wrote it of the face"
    assert "Marie" not in str(found)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["people", "answers", "segments"])
def test_drawings_name_nobody_and_say_what_to_see(tmp_path, name):
    drawn = next(one for one in data_set_section(material(), tmp_path).figures if one.name == name)
    assert not [who for who in PEOPLE if who in (tmp_path / f"{name}.svg").read_text()]
    assert len(drawn.caption) > 80
