"""Synthetic participants look different from each other, and their faces and voices show the states."""

from itertools import combinations

import cv2
import numpy as np
import pytest
import torch

from waver.assets.manifest import installed
from waver.datasets.demo.motion import make_puppet
from waver.datasets.demo.people import draw_identity, paint
from waver.datasets.demo.plan import Clause
from waver.datasets.demo.portraits import MIRRORED, load_portraits
from waver.datasets.demo.voice import RATE_HZ, Voice, draw_voice, say_clause
from waver.features.faces.align import aligned_face, similarity_to_template
from waver.features.faces.detect import FaceDetector
from waver.features.visual import network_input
from waver.models.backbones.mini_xception import load_mini_xception

SEED = 7
HAPPY = 3


@pytest.fixture(scope="module")
def people(installed_models):
    cv2.setNumThreads(1)
    sources = load_portraits(installed_models)
    return [paint(draw_identity(number, SEED), sources, 320, 240) for number in range(8)]


def test_no_two_identities_share_host_donors_and_tones():
    identities = [draw_identity(number, SEED) for number in range(18)]
    for a, b in combinations(identities, 2):
        differences = [a.host != b.host, a.mirror != b.mirror, a.hair != b.hair, a.donors[0][0] != b.donors[0][0]]
        differences += [abs(a.skin[0] - b.skin[0]) > 5, abs(a.clothes_hue - b.clothes_hue) > 15]
        differences.append(float(np.abs(np.subtract(a.shape, b.shape)).max()) > 0.8)
        assert sum(differences) >= 3
    for identity in identities:
        assert identity.host not in [name for name, _ in identity.donors]
        assert sum(weight for _, weight in identity.donors) > 0.5


@pytest.mark.slow
def test_people_look_different(people):
    def face(person):
        turn = similarity_to_template(five(person), 64)
        return aligned_face(person.image, turn, 64).astype(float)

    def five(person):
        points = person.points
        return np.array([points[15:19].mean(0), points[19:23].mean(0), points[24], points[28], points[30]], np.float32)

    faces = [face(person) for person in people]
    distances = [np.sqrt(((a - b) ** 2).mean()) for a, b in combinations(faces, 2)]
    assert min(distances) > 15


def test_mirrored_points_are_an_involution():
    assert [MIRRORED[i] for i in MIRRORED] == list(range(37))


@pytest.mark.slow
def test_smile_is_happy_and_frown_is_not(people, installed_models):
    detector = FaceDetector(installed(installed_models / "retinaface_mobilenet" / "asset.json"), 0.9, 0.4, 640)
    network = load_mini_xception(installed(installed_models / "mini_xception" / "asset.json")).eval()
    still, noise = np.zeros(5), np.zeros((240, 320), np.float32)
    happy = {}
    for name, weights in {"smile": (1, 0, 0), "frown": (0, 1, 0)}.items():
        pictures = [make_puppet(person).pose(np.array(weights), still, 0.16, 0, 0, noise) for person in people]
        pictures = [cv2.cvtColor(picture, cv2.COLOR_YUV2RGB_I420) for picture in pictures]
        found = [detector.detect([picture])[0] for picture in pictures]
        assert [len(one.score) for one in found] == [1] * len(people)
        matrices = [similarity_to_template(one.landmarks[0], 128) for one in found]
        faces = np.stack([aligned_face(a, m, 128) for a, m in zip(pictures, matrices, strict=True)])
        with torch.no_grad():
            outputs = network(network_input(faces))
        scores = next(output for output in outputs if output.shape[1] == 7)
        happy[name] = scores[:, HAPPY].numpy()
    assert (happy["smile"] > happy["frown"]).all()


def test_mouth_and_lids_change_their_own_region_only(people):
    puppet = make_puppet(people[0])
    points = people[0].points
    neutral = puppet.picture(0, 0)[:240].astype(int)
    opened = np.abs(puppet.picture(8, 0)[:240] - neutral)
    closed = np.abs(puppet.picture(0, 3)[:240] - neutral)
    mouth, eye = points[28:34].mean(0).astype(int), points[15:19].mean(0).astype(int)
    assert opened[mouth[1] - 3 : mouth[1] + 9, mouth[0] - 5 : mouth[0] + 5].mean() > 15
    assert closed[eye[1] - 3 : eye[1] + 3, eye[0] - 4 : eye[0] + 4].mean() > 5
    assert opened[: points[15:23, 1].max().astype(int)].max() <= 2
    assert closed[points[25:28, 1].max().astype(int) :].max() <= 2


def clause(voice, text="I am ready to begin walking more tomorrow.", speech_s=2.2):
    return Clause(text, True, voice, True, 0.5, speech_s, (0.0, 3.2))


@pytest.mark.parametrize("name", ["en-us+f3", "en+m4", "fr+m2"])
def test_bright_and_flat_voices_differ_in_level_and_not_in_length(installed_models, name):
    voice = Voice(name, 45, 1.0)
    bright, flat = (say_clause(clause(state), voice, installed_models) for state in (True, False))
    for sound in (bright, flat):
        assert len(sound) / RATE_HZ == pytest.approx(2.2, rel=0.12)
        assert np.abs(sound).max() < 1
    assert np.std(bright) > 1.8 * np.std(flat)
    np.testing.assert_array_equal(bright, say_clause(clause(True), voice, installed_models))


def test_bright_voice_is_higher(installed_models):
    voice = draw_voice(draw_identity(0, SEED), 0, "english", SEED)
    pitches = []
    for state in (True, False):
        sound = say_clause(clause(state), voice, installed_models)[: RATE_HZ * 2 : 4]
        spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound)))) ** 2
        power = np.fft.irfft(spectrum)[: len(sound) // 2]
        rate = RATE_HZ / 4
        lags = slice(int(rate / 350), int(rate / 60))
        pitches.append(rate / (lags.start + np.argmax(power[lags])))
    assert pitches[0] > 1.15 * pitches[1]


def test_french_participants_speak_french():
    voice = draw_voice(draw_identity(3, SEED), 3, "french", SEED)
    assert voice.name.startswith("fr+")
