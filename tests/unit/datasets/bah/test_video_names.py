import pytest

from waver.datasets.bah.video_names import parse_name

RECORDING = "82567/1/7/2024-10-02_15-46-17"


@pytest.mark.parametrize(
    "spelling",
    [
        "Videos/82567/Visite_1/82567_Question_7_2024-10-02_15-46-17_Video.mp4",
        "Videos/82567/Visite_1/82567_Question_7_2024-10-02 15-46-17_Video.mp4",
        "82567/Visite 1/82567_Question_7_2024-10-02 15-46-17_Video.mp4",
        "Videos/82567/Visite_1/82567_Question_7_2024-10-02_15-46-17_Video-DESKTOP-NQ55E0P.mp4",
        "transcription/Videos/82567/Visite_1/82567_Question_7_2024-10-02_15-46-17_Video.mp4",
        r"Videos\82567\Visite_1\82567_Question_7_2024-10-02_15-46-17_Video.MP4",
    ],
)
def test_all_spellings_are_one_recording(spelling):
    name = parse_name(spelling)
    assert name is not None
    assert name.key == RECORDING
    assert (name.video, name.participant, name.question) == ("82567_Q7", "82567", 7)


@pytest.mark.parametrize(
    "path",
    [
        "Videos/82567/Visite_1/82568_Question_7_2024-10-02_15-46-17_Video.mp4",  # somebody else's folder
        "Videos/82567/Visite_1/82567_Question_8_2024-10-02_15-46-17_Video.mp4",  # there are seven questions
        "Videos/82567/Visite_1/82567_Question_7_2024-10-02_15-46-17_Video.avi",
        "82567_Question_7_2024-10-02_15-46-17_Video.mp4",
        "path,label",
    ],
)
def test_other_names_are_refused(path):
    assert parse_name(path) is None


def test_the_computers_name_is_kept_apart():
    name = parse_name("Videos/82620/Visite_1/82620_Question_7_2024-11-05_14-58-50_Video-DESKTOP-NQ55E0P.mp4")
    assert name is not None
    assert name.copy == "-DESKTOP-NQ55E0P"


@pytest.mark.parametrize(("split", "videos"), [("train", 616), ("val", 110)])
def test_every_public_name_is_understood_and_in_the_segment_table(bah_files, split, videos):
    lines = (bah_files / f"video_level_{split}.txt").read_text().splitlines()
    names = [parse_name(line.split(",")[0]) for line in lines]
    assert len(names) == videos
    assert all(names)
    rows = (bah_files / f"segments_{split}.csv").read_text().splitlines()[1:]
    assert any(" " in line.split(",")[0] for line in lines)  # spelt otherwise than in the table
    assert not any(" " in row.split(",")[0] for row in rows)
    assert {name.key for name in names if name} == {name.key for row in rows if (name := parse_name(row.split(",")[0]))}
