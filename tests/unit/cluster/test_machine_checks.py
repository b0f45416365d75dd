from __future__ import annotations

from waver.assets.manifest import install
from waver.cluster import machine
from waver.cluster.doctor import LOCKS


def test_python():
    assert machine.python().level == "ok"
    assert machine.python((3, 12, 1)).line.startswith("problem  Python: 3.12.1, and the pins need 3.11; give its path")


def test_packages_against_the_lock(tmp_path):
    assert machine.packages(LOCKS).level == "ok"
    lock = tmp_path / "lock.txt"
    lock.write_text("# pins\nnumpy==1.0 --hash=sha256:ab\nno-such-package==1\npydantic==2.14.3\n")
    found = machine.packages([lock])
    assert found.level == "problem"
    assert found.text.startswith("2 of 3 differ from the lock: numpy ")
    assert "no-such-package is missing" in found.text


def test_codecs_decode_a_real_clip():
    assert machine.codecs().level == "ok"


def test_codecs_that_lose_frames_are_a_problem(monkeypatch):
    clip = machine._clip()
    monkeypatch.setattr(machine, "_FRAMES", 6)
    monkeypatch.setattr(machine, "_clip", lambda: clip)
    found = machine.codecs()
    assert (found.level, "PyAV decoded 5, decord 5" in found.text) == ("problem", True)


def test_synthesiser_of_the_demo(tmp_path):
    assert machine.speech_synthesiser(tmp_path).level == "warning"
    install("espeak", tmp_path / "espeak", {})
    assert machine.speech_synthesiser(tmp_path).level == "ok"
    install("espeak", tmp_path / "damaged/espeak", {})
    for path in (tmp_path / "damaged/espeak").glob("*.so*"):
        path.write_bytes(b"no library")
    assert machine.speech_synthesiser(tmp_path / "damaged").level == "problem"


def test_gpu_that_torch_cannot_use_is_a_warning(site, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert machine.gpus().level == "ok"
    site(**{"nvidia-smi": "NVIDIA H100\n"})
    found = machine.gpus()
    assert (found.level, "1 x NVIDIA H100" in found.text) == ("warning", True)
