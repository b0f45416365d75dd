import numpy as np
import pytest

from waver.datasets.answers import Answer
from waver.errors import WaverError
from waver.evaluation import metrics
from waver.models.base import Encoding
from waver.models.text import content
from waver.models.text.content import Content, ContentConfig
from waver.models.text.cue_counts import CUE_NAMES, cue_counts
from waver.models.text.sentence import Sentence, SentenceConfig
from waver.records import method_config
from waver.registry import ANSWER_MODELS

DIM = 10
PLAIN = ["there", "table", "river", "blue", "house", "seven", "window"]


def answers_of(people, label, text=lambda label, rng: " ".join(rng.choice(PLAIN, 8)), seed=0):
    """As many answers of each participant as fill the labels."""
    rng = np.random.default_rng(seed)
    each = -(-len(label) // people)
    texts = [text(value, rng) for value in label]
    return [
        Answer(
            f"{i}_Q1", f"p{seed}{i // each}", "train", int(rng.integers(1, 8)), 0, said, len(said.split()), None, "en"
        )
        for i, said in enumerate(texts)
    ]


def encoding(parts):
    parts = np.asarray(parts, np.float32).reshape(-1, DIM)
    parts = parts / np.linalg.norm(parts, axis=1, keepdims=True)
    return Encoding(parts.mean(0) if len(parts) else np.zeros(DIM, np.float32), np.zeros((0, DIM), np.float32), parts)


def random_labels(count, seed):
    return np.random.default_rng(seed).integers(0, 2, count).astype(np.uint8)


def noise(answers, seed=9):
    rng = np.random.default_rng(seed)
    return [encoding(rng.normal(size=(3, DIM))) for _ in answers]


def fitted(answers, label, vectors, inputs="T", seed=0, **options):
    model = Content(inputs, ContentConfig(**options), seed, None)
    model.fit(answers, label, vectors)
    return model


@pytest.fixture
def fits(monkeypatch):
    """What each fit of a logistic regression was given: features and labels."""
    seen = []
    real = content.fit_logistic

    def watched(features, label, *rest):
        seen.append((features, label))
        return real(features, label, *rest)

    monkeypatch.setattr(content, "fit_logistic", watched)
    return seen


def torn(label, rng):
    cues = ["but"] * int(rng.integers(1, 4)) if label else []
    return " ".join(rng.permutation([*rng.choice(PLAIN, 8 - len(cues)), *cues]))


def two_sided(label, rng):
    """Sentences whose mean says nothing: those of a torn answer point to both sides."""
    side = np.eye(DIM)[0] * (3 if label else 0)
    return encoding(rng.normal(size=(2, DIM)) + np.array([side, -side]))


# what is learned --------------------------------------------------------------------------------------
def test_a_planted_cue_is_found_and_named():
    label, other = random_labels(120, 1), random_labels(80, 2)
    learn, judge = answers_of(30, label, torn), answers_of(20, other, torn, seed=1)
    model = fitted(learn, label, noise(learn), "TQ")
    assert metrics.auroc(model.margin(judge, noise(judge, 8)), other) > 0.95
    weights = model.explain()
    cues = [f"count of {name}" for name in CUE_NAMES]
    assert set(sorted(cues, key=weights.__getitem__)[-2:]) == {"count of but", "count of contrast"}


def test_a_planted_meaning_is_found_that_the_mean_does_not_show():
    rng = np.random.default_rng(3)
    label, other = random_labels(150, 3), random_labels(100, 4)
    learn, judge = answers_of(30, label), answers_of(20, other, seed=1)
    vectors, judged = ([two_sided(value, rng) for value in values] for values in (label, other))
    model = fitted(learn, label, vectors)
    assert metrics.auroc(model.margin(judge, judged), other) > 0.95
    mean = Sentence("T", SentenceConfig(), 0, None)
    mean.fit(learn, label, vectors)
    assert metrics.auroc(mean.margin(judge, judged), other) < 0.7
    without = fitted(learn, label, vectors, sentences=False)
    assert metrics.auroc(without.margin(judge, judged), other) < 0.7


# who is not looked at --------------------------------------------------------------------------------
def test_scales_come_from_the_answers_fitted_on_in_the_inner_folds_too(fits):
    label = random_labels(60, 5)
    answers = answers_of(20, label, torn)
    model = fitted(answers, label, noise(answers), "TQ", strengths=(0.1, 1.0))
    assert len(fits) == 4 * 2 + 1
    assert sorted(len(features) for features, _ in fits) == [45] * 8 + [60]
    for features, _ in fits:
        np.testing.assert_allclose(features.mean(axis=0), 0, atol=1e-12)
        size = features.std(axis=0)
        for block, width in ((size[:8], 0.01), (size[8 : 8 + len(CUE_NAMES)], len(CUE_NAMES)), (size[-30:], 30)):
            np.testing.assert_allclose(block[block > 1e-9], width**-0.5)
    count = np.log1p(cue_counts([answer.text for answer in answers], ["en"] * 60).astype(float))
    np.testing.assert_allclose(model.scales["cues"].mean, count.mean(axis=0))


def test_a_participant_who_is_remembered_does_not_choose_the_penalty():
    # each participant has a voice and a label of their own: one who knows the voice knows the label
    rng = np.random.default_rng(6)
    label = np.repeat(random_labels(40, 6), 4)
    answers = answers_of(40, label)
    voice = np.repeat(rng.normal(size=(40, 3, DIM)), 4, axis=0)
    vectors = [encoding(own + 0.02 * rng.normal(size=(3, DIM))) for own in voice]
    apart = fitted(answers, label, vectors, cues=False).strength
    strangers = [Answer(f"{i}_Q1", f"{i}", *list(vars(a).values())[2:]) for i, a in enumerate(answers)]
    assert apart <= 0.1 < 1.0 <= fitted(strangers, label, vectors, cues=False).strength


def test_the_stronger_the_signal_the_weaker_the_penalty():
    label = random_labels(150, 7)
    answers = answers_of(30, label, torn)
    actual = fitted(answers, label, noise(answers), sentences=False).strength
    untold = fitted(answers, random_labels(150, 8), noise(answers), sentences=False).strength
    assert actual >= 0.3 > 0.01 >= untold
    assert fitted(answers, label, noise(answers), strengths=(0.07,)).strength == 0.07


def test_the_seed_deals_out_the_inner_folds(fits):
    label = random_labels(60, 5)
    answers = answers_of(20, label)
    held = []
    for seed in (0, 0, 1):
        fits.clear()
        fitted(answers, label, noise(answers), seed=seed, strengths=(0.1,))
        held.append([labels.tolist() for _, labels in fits])
    assert held[0] == held[1] != held[2]


def test_two_people_suffice():
    label = np.array([0, 1, 0, 1], np.uint8)
    assert fitted(answers_of(2, label), label, noise(label)).strength > 0
    one = answers_of(1, label)
    assert fitted(one, label, noise(label)).strength == 0.001  # nobody to choose with


# options ---------------------------------------------------------------------------------------------
def test_names_are_those_of_context_and_cues():
    label = random_labels(40, 1)
    answers = answers_of(10, label, torn)
    cues = [f"count of {name}" for name in CUE_NAMES]
    requested = [*(f"question {number}" for number in range(1, 8)), "log words"]
    few = {"strengths": (0.1,)}
    assert list(fitted(answers, label, noise(answers), "TQ", **few).explain()) == [*requested, *cues]
    assert list(fitted(answers, label, noise(answers), "T", **few).explain()) == cues
    assert list(fitted(answers, label, noise(answers), "TQ", cues=False, **few).explain()) == requested


def test_weights_are_changes_of_the_margin_by_a_deviation():
    label = random_labels(60, 1)
    answers = answers_of(15, label, torn)
    model = fitted(answers, label, noise(answers), "TQ", strengths=(0.1,))
    weights, said = model.explain(), [answers[0].text, f"{answers[0].text} but"]
    same = [Answer("x", "x", "val", 1, 0, text, 9, None, "en") for text in said]
    before, after = model.margin(same, [noise(same)[0]] * 2)
    change = np.diff(np.log1p(cue_counts(said, ["en", "en"]).astype(float)), axis=0)[0] * model.scales["cues"].factor
    assert set(np.flatnonzero(change)) == {CUE_NAMES.index("but"), CUE_NAMES.index("contrast")}
    expected = sum(weights[f"count of {name}"] * by for name, by in zip(CUE_NAMES, change, strict=True))
    assert after - before == pytest.approx(expected, abs=1e-6)


def test_an_answer_without_sentences_is_the_average_one():
    label = random_labels(60, 1)
    answers = answers_of(15, label)
    vectors = [encoding([]), *noise(answers)[1:]]
    model = fitted(answers, label, vectors, cues=False, strengths=(1.0,))
    silent, spoken = model.margin(answers[:2], vectors[:2])
    assert silent == pytest.approx(model.model.intercept_[0], abs=1e-9)
    assert abs(spoken - silent) > 1e-3
    nobody = fitted(answers, label, [encoding([])] * 60, cues=False, strengths=(1.0,))
    assert np.ptp(nobody.margin(answers, vectors)) == 0


def test_the_threshold_can_be_the_prevalence():
    label = (np.random.default_rng(0).random(200) < 0.25).astype(np.uint8)
    answers = answers_of(50, label)
    half, moved = (
        fitted(answers, label, noise(answers), strengths=(1.0,), threshold=t) for t in ("half", "prevalence")
    )
    np.testing.assert_array_equal(half.model.coef_, moved.model.coef_)
    share = [(model.margin(answers, noise(answers, 10)) > 0).mean() for model in (half, moved)]
    assert abs(share[1] - 0.25) < 0.1 < abs(share[0] - 0.25)


def test_strengths_are_positive():
    for strengths in ((), (0.1, 0.0)):
        with pytest.raises(WaverError, match=r"options of content: strengths"):
            method_config(ANSWER_MODELS, "content", {"strengths": strengths})


def test_something_must_be_looked_at():
    with pytest.raises(WaverError, match="neither cues nor sentences"):
        Content("TQ", ContentConfig(cues=False, sentences=False), 0, None)
