import os

from waver.assets.manifest import fingerprint, install, installed


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
