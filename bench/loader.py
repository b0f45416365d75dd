"""Batches of windows from disk: Waver's beside the published code's own loader, equal first, then timed.

Usage: PYTHONPATH=src python bench/loader.py CHECKOUT STORES [VIDEOS] [WINDOW] [HOP]

CHECKOUT is a folder with the papers' code, STORES one with face stores (``resources/demo/features/faces/stores``
after ``make demo``). Their pictures are written for the published loader as it keeps them (``video.npy``), and both
get the same random features of sound and words. Both then give batches of 4 windows: of faces (crops of 112 from
124 pixels), and of features (512 visual, 128 of sound, 768 of words). The published code computes its visual
features from the faces in every epoch; Waver has them in the pack. Seconds are CPU seconds of one process, the
least of three rounds in turns; caches are warm.

torchvision, which the published loader needs, is taken if it is there, else its transforms are stood in for by the
same calls of Pillow and torch.
"""

from __future__ import annotations

import importlib
import multiprocessing
import resource
import sys
import tempfile
import time
import types
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import torch
from PIL import Image

from waver.features.faces.crops import network_input, small_face
from waver.io.zarr_store import open_store
from waver.models.backbones.base import FACE
from waver.training.corpus import VideoSample
from waver.training.frames.windows import batches, windows_of

BATCH = 4
SIZES = {"visual": 512, "audio": 128, "text": 768}
FILES = {"visual": "cnn", "audio": "vggish", "text": "bert"}
ROUNDS = 3


def stand_in() -> types.ModuleType:
    """The parts of torchvision that the published loader calls."""

    class Compose(list):
        def __call__(self, x: Any) -> Any:
            for step in self:
                x = step(x)
            return x

    class Resize:
        def __init__(self, size: int, interpolation: Any) -> None:
            self.size, self.interpolation = size, interpolation

        def __call__(self, image: Image.Image) -> Image.Image:
            return image.resize((self.size, self.size), self.interpolation)

    class CenterCrop:
        def __init__(self, size: int) -> None:
            self.size = size

        def __call__(self, image: Image.Image) -> Image.Image:
            edge = (image.width - self.size) // 2
            return image.crop((edge, edge, edge + self.size, edge + self.size))

    class ToTensor:
        def __call__(self, x: np.ndarray) -> torch.Tensor:
            return torch.from_numpy(x[None])

    class Normalize:
        def __init__(self, mean: Any, std: Any) -> None:
            self.mean, self.std = (torch.as_tensor(np.asarray(value)).float() for value in (mean, std))
            if self.mean.dim() == 1:
                self.mean, self.std = self.mean[:, None, None], self.std[:, None, None]

        def __call__(self, x: torch.Tensor) -> torch.Tensor:
            return x.clone().sub_(self.mean).div_(self.std)

    module, inner = types.ModuleType("torchvision"), types.ModuleType("torchvision.transforms")
    for part in (Compose, Resize, CenterCrop, ToTensor, Normalize):
        setattr(inner, part.__name__, part)
    inner.transforms = module.transforms = inner  # type: ignore[attr-defined]
    return module


def published(checkout: str) -> tuple[Any, Any]:
    """Module of the published loader, and its sizes."""
    try:
        importlib.import_module("torchvision")
    except ImportError:
        sys.modules["torchvision"] = stand_in()
        sys.modules["torchvision.transforms"] = sys.modules["torchvision"].transforms
    # these only print; the loader imports them with the rest of its package
    for name in ("dllogger", "tools", "reproducibility"):
        sys.modules[name] = SimpleNamespace(fmsg=str, set_seed=None, log=print)  # type: ignore[assignment]
    sys.path.insert(0, checkout)
    return importlib.import_module("dataset"), importlib.import_module("configs").config


def write_theirs(stores: list[Path], folder: Path) -> list[int]:
    """The arrays that the published loader maps; lengths of the videos."""
    draw, lengths = np.random.default_rng(0), []
    for number, store in enumerate(stores):
        pixels = np.asarray(open_store(store)["image"][:])
        lengths.append(len(pixels))
        (folder / f"{number}").mkdir()
        np.save(folder / f"{number}" / "video.npy", pixels)
        for name, file in FILES.items():
            np.save(folder / f"{number}" / f"{file}.npy", draw.standard_normal((len(pixels), SIZES[name]), np.float32))
        np.save(folder / f"{number}" / "EXPR_continuous_label.npy", (draw.random(len(pixels)) < 0.2).astype(np.int64))
    return lengths


class Theirs:
    """The published loader over all windows; ``inputs`` are the names of its arrays."""

    def __init__(self, module: Any, sizes: Any, folder: Path, windows: list[Any], length: int) -> None:
        self.module, self.sizes, self.folder, self.windows, self.length = module, sizes, folder, windows, length

    def epoch(self, inputs: list[str], mode: str = "train") -> Iterator[dict[str, torch.Tensor]]:
        """Batches in order; the order costs nothing."""
        unchanged = {FILES[name]: size for name, size in SIZES.items()}
        data = self.module.Dataset(
            self.windows, [0], [*inputs, "EXPR_continuous_label"], self.sizes["multiplier"],
            self.sizes["feature_dimension"], self.length, mode,
            mean_std={name: {"mean": np.zeros(size), "std": np.ones(size)} for name, size in unchanged.items()},
        )  # fmt: skip
        data.set_args(SimpleNamespace(task="CLASSIFICATION"))
        data.get_3D_transforms(str(self.folder))  # any folder: the 124 and 112 pixels of its newer backbones
        for examples, *_ in torch.utils.data.DataLoader(data, batch_size=BATCH):
            yield examples


class Ours:
    """Waver over the same windows."""

    def __init__(self, stores: list[Path], lengths: list[int], window: int, hop: int) -> None:
        self.stores = stores
        self.windows = windows_of(lengths, window, hop)
        self.draw = np.random.default_rng(0)

    def decode(self) -> None:
        """Every face once, small, as before the first epoch."""
        self.pixels = []
        for store in self.stores:
            images, small = open_store(store)["image"], []
            for start in range(0, images.shape[0], 256):
                small += [small_face(image) for image in np.asarray(images[start : start + 256])]
            self.pixels.append(torch.from_numpy(np.stack(small)))

    def read_features(self, folder: Path) -> None:
        """The published loader's features, held as ``waver.training.corpus`` holds them: in memory."""
        self.samples = []
        for number in range(len(self.stores)):
            features = {
                name: np.load(folder / f"{number}" / f"{file}.npy", allow_pickle=False) for name, file in FILES.items()
            }
            label = np.load(folder / f"{number}" / "EXPR_continuous_label.npy", allow_pickle=False).astype(np.uint8)
            valid = {name: np.ones(len(label), bool) for name in features}
            self.samples.append(VideoSample(f"{number}", "0", "train", None, features, valid, label, True))

    def faces(self, random: bool = True) -> Iterator[torch.Tensor]:
        """Batches float32 [B, T, 3, 112, 112]; one crop and one mirroring a window."""
        for first in range(0, len(self.windows), BATCH):
            parts = []
            for window in self.windows[first : first + BATCH]:
                faces = self.pixels[window.sample][window.start : window.stop]
                top, left = self.draw.integers(0, FACE.slack + 1, 2) if random else (FACE.slack // 2, FACE.slack // 2)
                flip = torch.full((len(faces),), bool(random and self.draw.random() < 0.5))
                place = torch.full((len(faces),), 0)
                parts.append(network_input(faces, place + int(top), place + int(left), flip))
            yield torch.stack(parts)

    def features(self) -> Iterator[Any]:
        """Batches of features and labels."""
        return batches(self.samples, self.windows, BATCH, np.arange(len(self.windows)))


def cpu_seconds(call: Callable[[], Any]) -> float:
    """CPU seconds of one call."""
    started = time.process_time()
    for _ in call() or ():
        pass
    return time.process_time() - started


def peak_mb(call: Callable[[], Any]) -> float:
    """Memory that a call takes at most, beyond what there is, in a process of its own."""
    receive, send = multiprocessing.Pipe(duplex=False)

    def measured() -> None:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        cpu_seconds(call)
        send.send((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)

    process = multiprocessing.get_context("fork").Process(target=measured)
    process.start()
    process.join()
    return float(receive.recv())


def in_turns(*calls: Callable[[], Any]) -> list[float]:
    """Least CPU seconds of each call, over rounds in turns."""
    return [min(spent) for spent in zip(*([cpu_seconds(call) for call in calls] for _ in range(ROUNDS)), strict=True)]


def check_equal(theirs: Theirs, ours: Ours) -> None:
    """Same pixels to a step of 255, same features exactly."""
    for them, us in zip(theirs.epoch(["video"], "validate"), ours.faces(random=False), strict=True):
        step = float((them["video"] - us).abs().max()) * 127.5
        assert step <= 1.001, f"pixels differ by {step} of 255"
    for them, us in zip(theirs.epoch(["cnn", "vggish", "bert"]), ours.features(), strict=True):
        for name, key in FILES.items():
            assert torch.equal(them[key].reshape(us.streams[name].shape), us.streams[name]), name
        assert torch.equal(them["EXPR_continuous_label"][..., 0].long(), us.label)


def bytes_of(paths: Iterable[Path]) -> int:
    """Bytes of the files among some paths."""
    return sum(path.stat().st_size for path in paths if path.is_file())


def main() -> None:
    """Print frames per CPU second, CPU seconds of an epoch and bytes, and the ratios."""
    checkout, found, *numbers = sys.argv[1:]
    videos, window, hop = (int(number) for number in [*numbers, *(12, 96, 48)[len(numbers) :]])
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    module, sizes = published(checkout)
    # its padding of videos shorter than a window overflows (int8): leave them out
    long = (path for path in sorted(Path(found).glob("*/*.zarr")) if open_store(path)["image"].shape[0] >= window)
    stores = list(islice(long, videos))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lengths = write_theirs(stores, folder)
        cut = module.DataArranger.windowing
        windows = [
            [str(folder / f"{number}"), f"{number}", frames, index]
            for number, frames in enumerate(lengths)
            for index in cut(np.arange(frames), window_length=window, hop_length=hop)
        ]
        theirs, ours = Theirs(module, sizes, folder, windows, window), Ours(stores, lengths, window, hop)
        assert [(w.start, w.stop) for w in ours.windows] == [(i[0], i[-1] + 1) for *_, i in windows]
        memory = peak_mb(lambda: theirs.epoch(["video"])), peak_mb(lambda: chain(ours.decode() or (), ours.faces()))
        decoding = cpu_seconds(ours.decode)
        ours.read_features(folder)
        check_equal(theirs, ours)
        frames = len(windows) * window
        print(
            f"{len(stores)} videos, {sum(lengths)} frames, {len(windows)} windows of {window}: {frames} frames an epoch"
        )
        slow, fast = in_turns(lambda: theirs.epoch(["video"]), ours.faces)
        print(
            f"faces: {frames / slow:.0f} frames per CPU second published, {frames / fast:.0f} ours: {slow / fast:.1f}x"
        )
        once = slow / (fast + decoding)
        print(f"  decoding every face once costs {decoding:.1f} CPU s; with it the first epoch is {once:.1f}x")
        print(f"  memory at most: {memory[0]:.0f} MB published, {memory[1]:.0f} MB ours, with all faces in memory")
        whole, cached = in_turns(lambda: theirs.epoch(["video", "vggish", "bert"]), ours.features)
        print(
            f"an epoch's data for V+A+T: {whole:.1f} CPU s published, without its face network; "
            f"{cached:.2f} ours with stored features: {whole / cached:.0f}x"
        )
        video, store = bytes_of(folder.glob("*/video.npy")), sum(bytes_of(path.glob("image/**/*")) for path in stores)
        print(f"faces on disk: {video / 1e6:.0f} MB published, {store / 1e6:.0f} MB ours: 1/{video / store:.0f}")


if __name__ == "__main__":
    main()
