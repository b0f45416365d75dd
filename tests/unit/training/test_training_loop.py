"""The loop alone, with the smallest kind of training that there can be."""

import errno
import math

import pytest
import torch

from waver.errors import WaverError
from waver.training.checkpoint import load_archive, save_archive
from waver.training.trainer import Course, Job, Training, train


class Line(Training):
    """The smallest kind of training: a line through four points; each epoch is one step of one pass."""

    x = torch.tensor([[0.0], [1.0], [2.0], [3.0]])

    def __init__(self, select="", epochs=5, scores=None, patience=9):
        torch.manual_seed(0)
        super().__init__(torch.nn.Linear(1, 1), Course(epochs, patience, select), "undefined; add points", "lower lr")
        self.scores, self.steps, self.seen = scores or {}, 1, []

    def optimiser(self):
        return torch.optim.SGD(self.network.parameters(), lr=1.0)

    def rate(self, step):
        return 0.01

    def begin_epoch(self, epoch):
        self.epoch = epoch

    def batches(self, epoch):
        yield self.x.to(self.device)

    def backward(self, batch, meter):
        loss = (self.network(batch) - 2 * batch).square()
        loss.mean().backward()
        meter.add(loss.detach().sum(), len(batch))

    def validate(self, network):
        self.seen.append({name: value.detach().cpu().clone() for name, value in network.state_dict().items()})
        return {"val_score": self.scores[self.epoch]} if self.scores else {}


def same(first, second):
    return all(torch.equal(first[name], second[name]) for name in first | second)


def test_where_nothing_selects_the_last_epoch_is_kept_and_without_a_job_nothing_is_written():
    line = Line()
    progress = train(line)
    assert (progress.epoch, progress.best_epoch) == (5, 5)
    assert same(line.network.state_dict(), line.seen[-1])
    assert not same(line.seen[-1], line.seen[-2])
    losses = [record["train_loss"] for record in progress.history]
    assert losses == sorted(losses, reverse=True)
    assert not line.network.training


@pytest.mark.parametrize("sign", [1, -1])
def test_the_highest_score_selects_whatever_its_sign(sign):
    scores = {1: 3.0, 2: 5.0, 3: 5.0, 4: 1.0, 5: 2.0}
    line = Line("score", scores={epoch: sign * score - 10 for epoch, score in scores.items()})
    best = train(line).best_epoch
    assert best == (2 if sign == 1 else 4)
    assert same(line.network.state_dict(), line.seen[best - 1])


def test_an_undefined_score_stops_with_the_remedy_of_the_kind():
    with pytest.raises(WaverError, match="undefined; add points"):
        train(Line("score", scores={1: math.nan}))


def test_a_state_of_an_older_format_is_not_continued(tmp_path):
    job = Job(None, 0, "key", tmp_path / "history", tmp_path / "state")
    train(Line(epochs=2), job)
    content = load_archive(job.state)
    assert train(Line(epochs=3), job).history[0]["seconds"] == content["progress"]["history"][0]["seconds"]
    save_archive(job.state, {name: value for name, value in content.items() if name != "format"})
    anew = Line(epochs=3)
    train(anew, job)
    assert len(anew.seen) == 3


def test_a_state_that_cannot_be_read_is_said_and_trouble_of_the_disk_is_no_beginning(tmp_path, caplog, monkeypatch):
    job = Job(None, 0, "key", tmp_path / "history", tmp_path / "state")
    train(Line(epochs=2), job)
    whole = job.state.read_bytes()
    job.state.write_bytes(whole[:-50])
    anew = Line(epochs=2)
    train(anew, job)
    assert len(anew.seen) == 2
    assert f"{job.state} is damaged" in caplog.text

    def fail(*_, **__):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(torch, "load", fail)
    with pytest.raises(OSError, match="Input/output"):
        train(Line(epochs=2), job)
