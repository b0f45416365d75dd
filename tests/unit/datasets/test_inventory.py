import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from bah_tree import put
from growth import LINEAR, growth

from waver.datasets.inventory import inventory, scan

SOURCE = str(Path(__file__).resolve().parents[3] / "src")


def test_it_changes_with_any_file_and_only_then(tmp_path):
    video = put(tmp_path / "Videos/1/a.mp4", "video")
    transcript = put(tmp_path / "transcription/Videos/1/a.mp4/a.yml", "text: a")
    put(tmp_path / "split/train.txt", "a")
    seen = [inventory(tmp_path)]
    assert inventory(tmp_path) == seen[0]
    put(video, "longer video")
    seen.append(inventory(tmp_path))
    os.utime(transcript, ns=(1, 1))
    seen.append(inventory(tmp_path))
    put(tmp_path / "Videos/1/b.mp4", "")
    seen.append(inventory(tmp_path))
    video.unlink()
    seen.append(inventory(tmp_path))
    assert len(set(seen)) == len(seen)


def test_single_images_and_hidden_files_are_not_part_of_it(tmp_path):
    put(tmp_path / "Videos/1/a.mp4", "video")
    before = inventory(tmp_path)
    put(tmp_path / "cropped-aligned-faces/Videos/1/a.mp4/notes.txt", "")
    put(tmp_path / "Frames/Videos/1/a.mp4/list.csv", "")
    put(tmp_path / "Videos/1/.a.mp4", "half copied")
    put(tmp_path / "Videos/1/a.jpg", "")
    assert inventory(tmp_path) == before
    assert [file.path for file in scan(tmp_path)] == ["Videos/1/a.mp4"]


def test_links_are_followed_but_not_in_circles(tmp_path):
    put(tmp_path / "disk/1/a.mp4", "video")
    (tmp_path / "root").mkdir()
    (tmp_path / "root/Videos").symlink_to(tmp_path / "disk")
    (tmp_path / "disk/loop").symlink_to(tmp_path / "root")
    (tmp_path / "root/gone.mp4").symlink_to(tmp_path / "nowhere")
    assert [file.path for file in scan(tmp_path / "root")] == ["Videos/1/a.mp4"]


def test_no_root_no_digest(tmp_path):
    assert inventory(tmp_path / "missing") == ""


@pytest.mark.slow
def test_ten_times_as_many_files_take_linear_time(tmp_path):
    for root, folders in (("few", 10), ("many", 100)):
        for folder in range(folders):
            (tmp_path / f"{root}/Videos/{folder}").mkdir(parents=True)
            for number in range(100):
                (tmp_path / f"{root}/Videos/{folder}/{number}.mp4").touch()
    assert len(inventory(tmp_path / "many")) == 16
    assert growth(inventory, tmp_path / "few", tmp_path / "many") < LINEAR


def test_nothing_heavy_is_imported():
    code = (
        "import sys, waver.datasets.inventory\n"
        "print(*sorted({'av','numpy','pyarrow','yaml','torch'} & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={"PYTHONPATH": SOURCE})
    assert (shown.returncode, shown.stdout.strip()) == (0, ""), shown.stderr


def test_a_folder_that_the_network_hides_is_not_missing(tmp_path, monkeypatch):
    put(tmp_path / "Videos/1/a.mp4", "video")
    look = os.scandir

    def stale(folder):
        if str(folder).endswith("/1"):
            raise OSError(errno.ESTALE, "Stale file handle")
        return look(folder)

    monkeypatch.setattr(os, "scandir", stale)
    with pytest.raises(OSError, match="Stale"):
        scan(tmp_path)


def test_a_permission_that_is_mended_is_noticed(tmp_path, monkeypatch):
    (tmp_path / "a.mp4").write_bytes(b"x")
    whole = inventory(tmp_path)
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "a.mp4" and access(path, mode))
    assert inventory(tmp_path) != whole
    monkeypatch.undo()
    assert inventory(tmp_path) == whole
