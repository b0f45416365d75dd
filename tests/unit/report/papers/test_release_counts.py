"""The data at hand against the printed release."""

from itertools import count

import pytest

from waver.report.papers.published import releases
from waver.report.papers.release_counts import compare, counts

QUESTIONS = 7


def release_of_the_paper():
    """Answers, packs and segments with the totals of the dataset paper's Table 3."""
    printed = releases()["224"]["counts"]
    answers, packs, segments, number = [], [], [], count(10_000)
    for split in ("train", "val", "test"):
        of = {quantity: splits[split] for quantity, splits in printed.items() if split in splits}
        people = [str(next(number)) for _ in range(of["participants"])]
        # everyone gives an answer; the A/H ones are of the first people
        owners = (people * QUESTIONS)[: of["videos"]]
        with_ah = people[: of["participants_with_ah"]]
        left = of["videos_with_ah"]
        for at, person in enumerate(owners):
            label = int(person in with_ah and left > 0)
            left -= label
            video = f"{person}_Q{at // len(people) + 1}"
            answers.append({"video": video, "participant": person, "split": split, "label": label})
        assert left == 0
        # only sums are counted: of a split, of test also those of each person, all in the person's first row
        frames = [(of["frames"], of["frames_with_ah"])] if split != "test" else personal_frames()
        for place, row in enumerate(a for a in answers if a["split"] == split):
            total, positive = frames[place] if place < len(frames) else (0, 0)
            length = {"duration_s": of["hours"] * 3600 if place == 0 else 0.0}
            packs.append(row | length | {"labelled": True, "frames": total, "positive_frames": positive})
    segments = [{"video": answers[0]["video"]} for _ in range(printed["segments"]["all"])]
    return answers, packs, segments


def personal_frames():
    """Frames of each target participant of Table 23, and those with A/H; the misprint of participant 28 mended."""
    printed = [list(row) for row in releases()["224"]["personal_splits"]]
    printed[27][3] = 591
    return [(sum(row), sum(row[::2])) for row in printed]


def rows(comparison):
    return {row.name: (row.yours, row.printed, row.difference) for row in comparison.rows}


def test_the_release_of_the_paper_has_every_printed_count():
    comparison = compare("bah224", counts(*release_of_the_paper()), 5)
    different = {name: cells for name, cells in rows(comparison).items() if cells[2]}
    # the printed hours of A/H are fewer than its printed frames at 24 a second
    assert different == {
        "hours with A/H, train": ("0.76", "0.74", "+0.02"),
        "hours with A/H, val": ("0.18", "0.17", "+0.01"),
        "hours with A/H, test": ("0.59", "0.58", "+0.01"),
        "hours with A/H, all": ("1.52", "1.50", "+0.02"),
        # the misprint of participant 28
        "participants whose frames divide as printed, test": ("55", "56", "−1"),
    }
    assert comparison.partial == ""
    assert rows(comparison)["frames with A/H, all"] == ("131,103", "131,103", "")
    assert rows(comparison)["A/H segments, all"] == ("1,274", "1,274", "")
    assert len(comparison.misprints) == 4


def test_a_partial_copy_is_told_with_what_it_lacks():
    answers, packs, segments = release_of_the_paper()
    kept = [row for row in answers if row["split"] != "test"]
    comparison = compare("bah224", counts(kept, [row for row in packs if row["split"] != "test"], segments), 5)
    assert comparison.partial.startswith("This run has 168 of 224 participants and 726 of 1,118 videos of the release")
    assert rows(comparison)["videos, test"] == ("–", "392", "")
    assert rows(comparison)["videos, all"] == ("726", "1,118", "−392")
    assert rows(comparison)["videos with A/H, train"] == ("340", "340", "")


@pytest.mark.parametrize("splits", [("train", "val", "test"), ("train", "val")])
def test_the_release_is_known_by_its_people_where_its_files_lie_as_those_of_the_other(splits):
    answers, packs, segments = release_of_the_paper()
    left = [[row for row in part if row["split"] in splits] for part in (answers, packs)]
    comparison = compare("bah300", counts(*left, segments), 5)
    assert "release of 224 participants" in comparison.summary
    assert bool(comparison.partial) == (len(splits) < 3)


def test_what_one_split_lacks_is_told_though_another_has_more():
    answers, packs, segments = release_of_the_paper()
    gone = {row["video"] for row in answers if row["split"] == "train" and row["video"].endswith("_Q5")}
    added = [{"video": f"9{n}_Q1", "participant": f"9{n}", "split": "val", "label": 1} for n in range(200)]
    left = [[row for row in part if row["video"] not in gone] for part in (answers, packs)]
    packed = [*left[1], *(row | {"labelled": False, "duration_s": None} for row in added)]
    comparison = compare("bah224", counts([*left[0], *added], packed, segments), 5)
    assert comparison.partial == (
        f"This run has {616 - len(gone)} of 616 videos of train of the release of 224 participants. "
        "Its scores are not those of the whole release."
    )
    assert rows(comparison)["videos, train"][2] == f"−{len(gone)}"
    assert rows(comparison)["participants, val"] == ("225", "25", "+200")


def test_listed_videos_that_cannot_be_used_make_a_copy_partial():
    answers, packs, segments = release_of_the_paper()
    comparison = compare("bah224", counts(answers, packs[12:], segments), 5)
    assert comparison.partial == (
        "12 of 1,118 listed videos cannot be used. Its scores are not those of the whole release."
    )
    assert compare("bah224", counts(answers, packs[12:], segments, recorded=False), 5).partial == ""


@pytest.mark.parametrize("gone", [1, 4])
def test_what_would_be_about_a_few_people_is_withheld(gone):
    answers, packs, segments = release_of_the_paper()
    people = sorted({row["participant"] for row in answers if row["split"] == "val"})[:gone]
    left = [[row for row in part if row["participant"] not in people] for part in (answers, packs)]
    found = rows(compare("bah224", counts(*left, segments), 5))
    assert found["participants, val"] == (str(25 - gone), "25", f"−{gone}")
    for quantity in ("participants with A/H", "videos with A/H", "frames with A/H", "hours with A/H"):
        for split in ("val", "all"):
            assert (found[f"{quantity}, {split}"][0], found[f"{quantity}, {split}"][2]) == ("withheld", "withheld")
    assert found["A/H segments, all"] == ("withheld", "1,274", "withheld")
    assert found["videos with A/H, train"] == ("340", "340", "")


def test_a_split_of_a_few_people_is_withheld():
    answers, packs, segments = release_of_the_paper()
    people = sorted({row["participant"] for row in answers if row["split"] == "val"})[:3]
    left = [[row for row in part if row["split"] != "val" or row["participant"] in people] for part in (answers, packs)]
    assert rows(compare("bah224", counts(*left, segments), 5))["videos with A/H, val"][0] == "withheld"


def test_layouts_without_printed_counts_are_compared_with_none():
    assert compare("abaw8", {}, 5) is None
    assert compare("", {}, 5) is None


def test_printed_totals_are_those_of_the_splits():
    for release in releases().values():
        for quantity, splits in release["counts"].items():
            if {"train", "val", "test", "all"} <= splits.keys() and not quantity.startswith("hours"):
                assert splits["train"] + splits["val"] + splits["test"] == splits["all"], quantity
        assert release["counts"]["participants"]["test"] == release["participants"]["test"]
        assert release["counts"]["videos"]["test"] == release["video"]["n"]
        assert release["counts"]["frames"]["test"] == release["frame"]["n"]
