import json

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

from tiny_bert import POSITIONS, write_bert
from waver.datasets.answers import Answer
from waver.datasets.questions import bah_questions
from waver.errors import WaverError
from waver.models.text.encoder import TunedEncoder, TunedEncoderConfig, rated_parameters
from waver.models.text.network import loss_of, start_head
from waver.models.text.pretrained_encoder import like_lengths, load_backbone, load_tokenizer, most_tokens, pooling
from waver.models.text.sequence import AnswerNetwork, SequenceConfig
from waver.training.answers.training import fit_model
from waver.training.lr_schedule import line_after_warm_up

LABEL = np.array([0, 1] * 4, np.uint8)

PROMPTS = {number: bah_questions().text(number) for number, _ in bah_questions().known}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    words = [word for prompt in PROMPTS.values() for word in prompt.replace(".", " . ").replace(",", " , ").split()]
    return write_bert(tmp_path_factory.mktemp("bert"), [*words, "so", "it", "goes"])


def answers(text, question=4):
    return [Answer(f"{i}_Q{question}", str(i), "train", question, 0, text, 3, None, "en") for i in range(8)]


def tuned(folder, inputs, **options):
    config = TunedEncoderConfig(**({"epochs": 1, "layers": 1} | options))
    model = TunedEncoder(inputs, config, 0, folder)
    fit_model(model, answers("so it goes"), LABEL)
    return model


@pytest.mark.parametrize("layers", [0, 1, 2])
def test_padding_and_neighbours_change_no_margin(layers):
    torch.manual_seed(0)
    network = AnswerNetwork(6, 2, SequenceConfig(size=8, layers=layers, kernel=3)).eval()
    tokens, beside = torch.randn(3, 9, 6), torch.randn(3, 2)
    count = torch.tensor([9, 4, 0])
    mask = torch.arange(9) < count[:, None]
    with torch.no_grad():
        margin = network(tokens, mask, beside)
        longer = torch.cat([torch.where(mask[..., None], tokens, 7.0), torch.full((3, 5, 6), -3.0)], 1)
        again = network(longer, torch.cat([mask, torch.zeros(3, 5, dtype=torch.bool)], 1), beside)
        alone = torch.cat([network(tokens[i : i + 1, :9], mask[i : i + 1], beside[i : i + 1]) for i in range(3)])
        wordless = network.head(torch.cat([torch.zeros(1, 8), beside[2:]], 1))[:, 0]
    torch.testing.assert_close(margin, again)
    torch.testing.assert_close(margin, alone)
    torch.testing.assert_close(margin[2:], wordless)


def test_a_network_starts_from_what_is_known_beside_the_words():
    rng = np.random.default_rng(0)
    beside = rng.normal(size=(60, 3))
    label = (beside[:, 0] + rng.normal(size=60) > 0.8).astype(np.uint8)
    head = nn.Linear(5 + 3, 1)
    before = head.weight.detach().clone()
    start_head(head, beside, label)
    known = torch.cat([torch.zeros(60, 5), torch.tensor(beside, dtype=torch.float32)], 1)
    logistic = LogisticRegression(C=0.1, class_weight="balanced").fit(beside, label)
    np.testing.assert_allclose(head(known).detach()[:, 0], logistic.decision_function(beside), atol=1e-3)
    assert torch.equal(head.weight[:, :5], before[:, :5])
    start_head(nn.Linear(5, 1), np.zeros((60, 0)), label)


def test_the_rate_rises_and_falls_to_nothing():
    factor = [line_after_warm_up(step, 20, 0.2) for step in range(21)]
    np.testing.assert_allclose(factor[:4], [0.25, 0.5, 0.75, 1])
    assert (np.diff(factor[4:]) < 0).all()
    assert factor[20] == 0
    assert line_after_warm_up(0, 3, 0.0) == 1


def test_classes_weigh_the_same_in_the_loss():
    margin = torch.tensor([3.0, -1.0, -1.0, -1.0])
    loss = loss_of(lambda numbers: margin[list(numbers)], [1] * 4, np.array([1, 0, 0, 0], np.uint8), 2)
    expected = (np.logaddexp(0, -3) + np.logaddexp(0, -1)) / 2
    assert loss() == pytest.approx(expected, rel=1e-6)


def test_batches_hold_every_text_once_within_the_budget():
    lengths = np.random.default_rng(0).integers(1, 90, 200).tolist()
    batches = like_lengths(lengths, 300)
    assert sorted(number for batch in batches for number in batch) == list(range(200))
    assert max(len(batch) * max(lengths[n] for n in batch) for batch in batches) <= 300
    assert like_lengths([500], 300) == [[0]]


# fine-tuning -----------------------------------------------------------------------------------------
def test_the_question_goes_first_and_the_answer_is_cut(folder):
    requested = tuned(folder, "TQ").tokenizer(PROMPTS[7])["input_ids"]
    most = len(requested) + 16
    model = tuned(folder, "TQ", most_tokens=most)
    (ids, *_), (kinds, *_) = model._tokens(answers("so it goes " * 40, question=7))
    assert len(ids) == most
    assert ids[: len(requested)] == requested
    assert set(kinds[: len(requested)]) == {0}
    assert set(kinds[len(requested) :]) == {1}
    assert "so it goes" in model.tokenizer.decode(ids[len(requested) :])
    unknown = model._tokens(answers("so it goes", question=None))[0][0]
    assert model.tokenizer.decode(unknown) == "[CLS] [SEP] so it goes [SEP]"
    with pytest.raises(WaverError, match="most_tokens"):
        tuned(folder, "TQ", most_tokens=16)._tokens(answers("so it goes", question=7))
    plain = tuned(folder, "T")._tokens(answers("so it goes", question=7))[0][0]
    assert model.tokenizer.decode(plain) == "[CLS] so it goes [SEP]"


def test_layers_have_their_rates_and_the_embeddings_stay(folder):
    config = {"rate": 1e-3, "rate_decay": 0.5, "head_rate": 1e-2, "weight_decay": 0.1}
    network = tuned(folder, "T", layers=2, **config).network
    groups = rated_parameters(network, TunedEncoderConfig(layers=2, **config))
    assert {(group["lr"], group["weight_decay"]) for group in groups} == {
        (rate, decay) for rate in (1e-3, 5e-4, 1e-2) for decay in (0.0, 0.1)
    }
    learned = {id(parameter) for group in groups for parameter in group["params"]}
    for name, parameter in network.named_parameters():
        tuned_too = ".layer." in name or not name.startswith("backbone.")
        assert (id(parameter) in learned) == tuned_too == parameter.requires_grad, name
    start = load_backbone(folder, torch.device("cpu"))
    one = tuned(folder, "T").network.backbone
    same = {name: torch.equal(value, one.state_dict()[name]) for name, value in start.state_dict().items()}
    assert all(kept == ("layer.1." not in name) for name, kept in same.items() if not name.startswith("pooler"))


def test_bf16_stays_near_fp32(folder):
    exact, coarse = (tuned(folder, "TQ", precision=name).margin(answers("it goes")) for name in ("fp32", "bf16"))
    assert np.abs(exact - coarse).max() < 0.05
    assert not np.array_equal(exact, coarse)


def test_tuning_leaves_the_folder_and_the_draws_of_others_alone(folder):
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    tuned(folder, "T")
    assert torch.equal(torch.rand(3), expected)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


# folders ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("modes", "expected"),
    [
        ({"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}, "mean"),
        ({"pooling_mode_mean_tokens": False, "pooling_mode_cls_token": True}, "first"),
        ({"pooling_mode_max_tokens": True}, None),
        (None, "mean"),
    ],
)
def test_pooling_is_what_the_folder_says(tmp_path, modes, expected):
    if modes is not None:
        (tmp_path / "1_Pooling").mkdir()
        (tmp_path / "1_Pooling" / "config.json").write_text(json.dumps({"word_embedding_dimension": 16, **modes}))
    if expected:
        assert pooling(tmp_path) == expected
    else:
        with pytest.raises(WaverError, match="pools by max_tokens"):
            pooling(tmp_path)


def test_a_folder_without_a_model_is_told(tmp_path, folder):
    with pytest.raises(WaverError, match="holds no tokenizer"):
        load_tokenizer(tmp_path)
    with pytest.raises(WaverError, match="holds no text encoder"):
        load_backbone(tmp_path, torch.device("cpu"))
    assert most_tokens(load_backbone(folder, torch.device("cpu")), 500) == POSITIONS


def test_seven_questions():
    assert list(PROMPTS) == [1, 2, 3, 4, 5, 6, 7]
    assert all(prompt.endswith(".") for prompt in PROMPTS.values())
