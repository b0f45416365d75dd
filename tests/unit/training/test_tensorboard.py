"""Scalars for TensorBoard, read back by TensorBoard's own reader."""

from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

from waver.training.tensorboard import scalar_log


def scalars(folder):
    """tag -> [(epoch, value)] of the one event file of a folder."""
    (file,) = folder.glob("events.out.tfevents.*")
    found = {}
    for event in EventFileLoader(str(file)).Load():
        for value in event.summary.value:
            (number,) = value.tensor.float_val or [value.simple_value]
            found.setdefault(value.tag, []).append((event.step, round(number, 5)))
    return found


def record(epoch):
    return {"epoch": epoch, "train_loss": 0.5 / epoch, "val_loss": 0.6, "val_AP": None, "val_AP_paper": 0.25, "lr": 0.1}


def test_every_epoch_is_a_point(tmp_path):
    with scalar_log(tmp_path / "run", []) as write:
        for epoch in (1, 2):
            write(record(epoch))
    assert scalars(tmp_path / "run") == {
        "loss/train": [(1, 0.5), (2, 0.25)],
        "loss/val": [(1, 0.6), (2, 0.6)],
        "score/AP_paper": [(1, 0.25), (2, 0.25)],
        "run/lr": [(1, 0.1), (2, 0.1)],
    }


def test_a_job_that_goes_on_leaves_one_line(tmp_path):
    (tmp_path / "events.out.tfevents.1.other.1.0").write_bytes(b"of a killed job")
    (tmp_path / "history.jsonl").write_text("{}\n")
    with scalar_log(tmp_path, [record(1), record(2)]) as write:
        write(record(3))
    assert [epoch for epoch, _ in scalars(tmp_path)["loss/train"]] == [1, 2, 3]
    assert (tmp_path / "history.jsonl").exists()
