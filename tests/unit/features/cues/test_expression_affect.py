import numpy as np

from waver.features.cues.affect import expression_affect, rising, text_affect, unknown, voice_affect
from waver.models.backbones.mini_xception import EXPRESSIONS


def test_a_happy_face_is_positive_and_the_strongest_bad_feeling_is_negative():
    expression = np.array(
        [[0.1, 0.2, 0.05, 0.4, 0.15, 0.05, 0.05], [0.6, 0, 0, 0.1, 0.2, 0.1, 0], [0, 0, 0, 1, 0, 0, 0]], np.float32
    )
    found = expression_affect(expression, EXPRESSIONS, np.array([True, True, False]))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[:2, :2], [[0.4, 0.2], [0.1, 0.6]], atol=1e-6)
    assert np.isnan(found[:, 2]).all()
    assert np.isnan(found[2]).all(), "there is no face"


def test_classes_are_found_by_name():
    names = ("anger", "disgust", "fear", "happiness", "sadness", "surprise")
    expression = np.array([[0.1, 0.2, 0.3, 0.05, 0.25, 0.1]], np.float32)
    np.testing.assert_allclose(expression_affect(expression, names, np.ones(1, bool))[0, :2], [0.05, 0.3])
    found = expression_affect(expression[:, :2], ("surprise", "happiness"), np.ones(1, bool))
    assert found[0, 0] == np.float32(0.2)
    assert np.isnan(found[0, 1]), "no negative class"


def test_a_count_rises_towards_one():
    np.testing.assert_allclose(rising(np.array([0.0, 1, 2, 3])), [0, 0.5, 0.75, 0.875])


def test_pauses_are_hesitant_where_they_are_known():
    valence, share = np.array([np.nan, 0.75, 0.25], np.float32), np.array([0.0, 0.5, 1.0], np.float32)
    found = voice_affect(valence, np.ones(3, bool), share, np.array([True, True, False]))
    np.testing.assert_array_equal(found, [[np.nan, np.nan, 0], [0.5, 0, 0.5], [0, 0.5, np.nan]])


def test_words_take_the_sentiment_of_their_sentence():
    found = text_affect(
        np.array([[0.5, 0], [0, 0.75]], np.float32),
        np.array([0, 0, 1], np.int32),
        np.array([-1, 0, 1, 1, -1, 2], np.int32),
        np.array([9, 0, 0, 1, 9, 2], np.float32),
    )
    expected = [[np.nan] * 3, [0.5, 0, 0], [0.5, 0, 0], [0.5, 0, 0.5], [np.nan] * 3, [0, 0.75, 0.75]]
    np.testing.assert_array_equal(found, np.array(expected, np.float32))
    assert np.isnan(unknown(2)).all()
