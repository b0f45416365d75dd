"""The demo's plan is balanced: no single cue, and nothing about the form of a clause, tells its label."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from waver.config.sections import DemoConfig
from waver.datasets.bah.video_names import parse_name
from waver.datasets.demo.build import plan_demo
from waver.datasets.demo.plan import QUESTIONS, draw_participants, draw_videos
from waver.datasets.demo.recording_faults import EXTRA, KINDS, frame_times
from waver.datasets.demo.scripts import scripts

CONFIG = DemoConfig()
SPLITS = ("train", "val", "test")


@pytest.fixture(scope="module")
def videos():
    return draw_videos(CONFIG, draw_participants(CONFIG))


def clauses_of(videos, split):
    return [clause for video in videos if video.participant.split == split for clause in video.clauses]


def test_sizes_and_names(videos):
    assert Counter(video.participant.split for video in videos) == {"train": 36, "val": 12, "test": 24}
    people = draw_participants(CONFIG)
    assert [person.id for person in people] == [str(90001 + i) for i in range(18)]
    for video in videos:
        name = parse_name(video.path)
        assert name is not None
        assert (name.participant, name.question) == (video.participant.id, video.question)
        listed = parse_name(video.listed_path)
        assert listed is not None
        assert listed.key == name.key
        assert (" " in video.listed_path) == video.spaced
    assert 0 < sum(video.spaced for video in videos) < len(videos) / 2


@pytest.mark.parametrize("split", SPLITS)
def test_label_is_conflict_and_each_channel_is_even_given_the_label(videos, split):
    clauses = clauses_of(videos, split)
    for label in (False, True):
        group = [clause for clause in clauses if clause.conflict is label]
        for channel in ("face", "voice", "words"):
            positive = sum(getattr(clause, channel) for clause in group)
            assert abs(positive - len(group) / 2) <= 1
    share = sum(clause.conflict for clause in clauses) / len(clauses)
    assert share == pytest.approx(0.4, abs=0.02)
    assert all(clause.conflict == (len({clause.face, clause.voice, clause.words}) == 2) for clause in clauses)


@pytest.mark.parametrize("split", SPLITS)
def test_each_participant_is_even(videos, split):
    for person in {video.participant for video in videos if video.participant.split == split}:
        own = [video for video in videos if video.participant == person]
        assert sum(video.label for video in own) == 2
        group = [clause for video in own for clause in video.clauses]
        for channel in ("face", "voice", "words"):
            assert abs(sum(getattr(clause, channel) for clause in group) - 6) <= 2


@pytest.mark.parametrize("split", SPLITS)
def test_question_and_place_tell_nothing(videos, split):
    own = [video for video in videos if video.participant.split == split]
    for question in QUESTIONS[:4]:
        labels = [video.label for video in own if video.question == question]
        assert abs(sum(labels) - len(labels) / 2) <= 0.5
    places = Counter(i for video in own for i, clause in enumerate(video.clauses) if clause.conflict)
    assert max(places.values()) - min(places.values()) <= 1


@pytest.mark.parametrize("channel", ["conflict", "face", "voice", "words"])
def test_length_and_fillers_tell_nothing(videos, channel):
    clauses = [clause for video in videos for clause in video.clauses]
    fillers = tuple(filler for script in scripts().values() for filler in script.fillers if filler)
    measures = {
        "speech_s": ([clause.speech_s for clause in clauses], 0.1),
        "words": ([len(clause.text.split()) for clause in clauses], 0.5),
        "slot_s": ([clause.slot_s[1] - clause.slot_s[0] for clause in clauses], 0.12),
        "filler": ([float(clause.text.startswith(fillers)) for clause in clauses], 0.08),
    }
    state = np.array([getattr(clause, channel) for clause in clauses])
    for name, (values, limit) in measures.items():
        column = np.array(values, float)
        assert abs(column[state].mean() - column[~state].mean()) < limit, name


def test_pairs_have_equal_length_and_differ():
    for script in scripts().values():
        for willing, unwilling in script.pairs:
            assert len(willing.split()) == len(unwilling.split())
            assert willing != unwilling
            assert willing.count("{habit}") == unwilling.count("{habit}") == 1


def test_slots_cover_the_video_without_gap(videos):
    for video in videos:
        edges = [clause.slot_s for clause in video.clauses]
        assert edges[0][0] == 0
        assert edges[-1][1] == video.duration_s
        assert all(left[1] == right[0] for left, right in pairwise(edges))
        for clause in video.clauses:
            assert clause.slot_s[0] < clause.start_s < clause.start_s + clause.speech_s < clause.slot_s[1]


def test_trouble_is_all_there_and_leaves_the_design_standing(videos):
    people, troubled = plan_demo(CONFIG)
    assert sorted(video.trouble for video in troubled if video.trouble) == sorted([*KINDS, *EXTRA])
    assert {v.trouble for v in troubled if v.question == 2} == set(EXTRA)
    design = {(video.path, video.clauses) for video in videos}
    assert {(video.path, video.clauses) for video in troubled if video.question != 2} == design
    assert len({video.path for video in troubled}) == len(troubled) == 75
    assert {person.split for person in people if not person.consent} == {"train", "test"}
    assert sum(not person.sex_known for person in people) == 1
    assert Counter(person.split for person in people if person.language == "french") == {"train": 1, "test": 1}


def test_plan_depends_on_the_seed_alone():
    assert plan_demo(CONFIG) == plan_demo(DemoConfig())
    assert plan_demo(CONFIG)[1] != plan_demo(DemoConfig(seed=8))[1]


@pytest.mark.parametrize(
    "config",
    [
        DemoConfig(train=1, val=1, test=1, questions=1, clauses=1),
        DemoConfig(train=2, val=1, test=1, questions=7, clauses=5),
    ],
)
def test_other_sizes_can_be_planned(config):
    _, videos = plan_demo(config)
    assert len({video.path for video in videos}) == len(videos)
    assert all(len(video.clauses) == config.clauses for video in videos)
    assert all(len(frame_times(video, config.seed)[0]) > 24 for video in videos)
