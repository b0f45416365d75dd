"""Cost of making a recording's faces, against its floors and against the papers' chain, in CPU time of one run.

Usage: python bench/faces.py VIDEO [--parts accuracy storage costs] [--weights RETINAFACE.pth]
           [--reference 'COMMAND {video} {folder}']

The floors are the decoder alone and the detector alone. The papers' chain is re-implemented here, straightforwardly, as
their released code works: each picture is enlarged to 2,048 pixels, padded to a square and given to RetinaFace with
ResNet-50; each face becomes a JPEG file, and all of them one .npy file. Without --weights that network finds nothing
and computes as much; the faces it finds are not compared. --reference times a command of your own instead, such as the
released code of a checkout, on the whole recording, with what it starts.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil
import torch
from PIL import Image
from torch import nn

from waver.assets.manifest import Installed, install
from waver.config.sections import FacesConfig, VisualConfig
from waver.features.clock import frame_clock
from waver.features.faces.align import aligned_face, similarity_to_template
from waver.features.faces.detect import Detections, FaceDetector
from waver.features.faces.extract import extract_faces
from waver.features.faces.retinaface_resnet50 import RetinaFaceResNet50, TorchNetwork
from waver.features.video import Decoding, Picture, decode_frames
from waver.features.visual import FrozenBackbone, load_frozen_backbone
from waver.io.tables import FEATURE_INDEX, VIDEOS, read_table, write_table

ROUNDS = 3
FRAMES = 916_618
"""Of BAH-300 (dataset paper)."""
SIDE = 2048
PARTS = ("accuracy", "storage", "costs")
REFERENCE_FRAMES = 2
"""Pictures that the papers' chain is timed on: some twenty seconds each."""


def cpu_s() -> float:
    """CPU time of this process, and of those that it started."""
    own = psutil.Process()
    spent = own.cpu_times()
    running = [child.cpu_times() for child in own.children(recursive=True)]
    ended = spent.children_user + spent.children_system
    return float(ended + sum(one.user + one.system for one in (spent, *running)))


def timed(function: Callable[[], Any], frames: int) -> float:
    """Milliseconds of CPU time per frame."""
    begun = cpu_s()
    function()
    return (cpu_s() - begun) / frames * 1000


def decode(path: Path) -> list[Picture]:
    """All pictures of the recording that the 24 fps clock shows."""
    clock = frame_clock(path)
    return [picture for _, picture in decode_frames(path, clock.probe, clock.needed, Decoding())]


def detect(detector: FaceDetector, pictures: list[Picture]) -> list[Detections]:
    """Faces of each picture, one by one."""
    return [detector.detect([picture])[0] for picture in pictures]


def walk(path: Path) -> None:
    """Decode and keep nothing."""
    clock = frame_clock(path)
    for _ in decode_frames(path, clock.probe, clock.needed, Decoding()):
        pass


def ours(path: Path, folder: Path, config: FacesConfig) -> Path:
    """The rule's job on this one recording; returns its store."""
    row = dict.fromkeys(VIDEOS.names) | {
        "video": "a", "participant": "a", "split": "test", "path": path.name, "checksum": str(time.time()),
        "source_frames": 1, "source_fps": 24.0, "duration_s": 1.0, "has_audio": False,
    }  # fmt: skip
    write_table(folder / "videos.parquet", [row], VIDEOS)
    model, stores, index = folder / "model/asset.json", folder / "stores", folder / "index.parquet"
    extract_faces(folder / "videos.parquet", path.parent, model, stores, index, config, "bench")
    (row,) = read_table(index, FEATURE_INDEX)
    print(f"    {row['status']}: {row['frames']} frames, {row['note']}", file=sys.stderr)
    return next(stores.rglob("*.zarr"))


def enlarged(picture: Picture) -> Picture:
    """The picture with a longer side of 2,048 pixels, at the top left of a square."""
    scale = SIDE / max(picture.shape[:2])
    large = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
    square = np.zeros((SIDE, SIDE, 3), np.uint8)
    square[: large.shape[0], : large.shape[1]] = large
    return square


def reference(path: Path, detector: FaceDetector, folder: Path) -> int:
    """The papers' chain on the first pictures; returns how many."""
    folder.mkdir(exist_ok=True)
    capture, count = cv2.VideoCapture(str(path)), 0
    while count < REFERENCE_FRAMES and (read := capture.read())[0]:
        picture = cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB)
        (faces,) = detector.detect([enlarged(picture)])
        found = len(faces.score) > 0
        points = np.round(faces.landmarks[0] * max(picture.shape[:2]) / SIDE) if found else np.eye(5, 2) * 100
        face = aligned_face(picture, similarity_to_template(points.astype(np.float32), 256), 256)
        Image.fromarray(face).save(folder / f"frame-{count}.jpg")
        count += 1
    files = [folder / f"frame-{number}.jpg" for number in range(count)]
    np.save(folder / "video.npy", np.stack([np.asarray(Image.open(file)) for file in files]))
    return count


def papers_detector(model: Installed, weights: Path | None, folder: Path) -> FaceDetector:
    """RetinaFace with ResNet-50 and the papers' thresholds."""
    if weights is None:
        network, weights = RetinaFaceResNet50(), folder / "random.pth"
        for head in network.ClassHead:  # scores of one half: it finds nothing, and no time goes into sorting it
            nn.init.zeros_(head.get_parameter("conv1x1.weight"))
            nn.init.zeros_(head.get_parameter("conv1x1.bias"))
        torch.save(network.state_dict(), weights)
    return FaceDetector(model, 0.9, 0.4, SIDE, network=TorchNetwork(weights, torch.device("cpu")))


def costs(path: Path, model: Installed, folder: Path, given: argparse.Namespace) -> None:
    """Print milliseconds per frame of each chain, which take turns."""
    config, pictures = FacesConfig(), decode(path)
    detector = FaceDetector(model, config.threshold, config.nms, config.long_side)
    count = len(pictures)
    chains: dict[str, Callable[[], Any]] = {
        "decoder alone": lambda: walk(path),
        "detector alone": lambda: detect(detector, pictures),
        "this project": lambda: ours(path, folder, config),
    }
    spent: dict[str, list[float]] = {name: [] for name in chains}
    for _ in range(ROUNDS):
        for name, chain in chains.items():
            spent[name].append(timed(chain, count))
    print(f"\n{count} frames of {pictures[0].shape[1]}x{pictures[0].shape[0]}; CPU ms per frame, median (least)")
    for name, values in spent.items():
        print(f"{name:16} {np.median(values):8.2f} ({min(values):.2f})")
    decoder, detection, own = (np.array(values) for values in spent.values())
    print(f"this project / floors, round by round: {own / (decoder + detection)}", flush=True)
    if given.reference:
        command = shlex.split(given.reference.format(video=path, folder=folder))
        theirs = timed(lambda: subprocess.run(command, check=True), count)
    else:
        papers = papers_detector(model, given.weights, folder)
        theirs = timed(lambda: reference(path, papers, folder / "papers"), REFERENCE_FRAMES)
        papers.long_side = config.long_side
        same = timed(lambda: detect(papers, pictures[:REFERENCE_FRAMES]), REFERENCE_FRAMES)
        print(f"their network alone, in pictures of {config.long_side} pixels at most: {same:.2f}")
    print(f"{'the papers':16} {theirs:8.2f}{'' if given.reference else '  (re-implemented)'}")
    print(f"the papers / this project: {theirs / np.median(own):.0f}", flush=True)


def accuracy(pictures: list[Picture], model: Installed) -> None:
    """Print how far landmarks move with the detector's resolution, and by interpolation."""
    few = pictures[:: max(1, len(pictures) // 24)]
    size = max(few[0].shape[:2])
    truth = detect(FaceDetector(model, 0.9, 0.4, size), few)
    print(f"\nlandmarks against those at {size} pixels, the recording's own, same network, {len(few)} frames")
    print("(mean of the five distances, as shares of the distance of the eyes)\nlong side   found   median     95 %")
    sides = [side for side in (160, 240, 320, 480, 640, 960, 1280) if side < size]
    for side in (*sides, SIDE):
        given = [enlarged(picture) for picture in few] if side == SIDE else few
        found = detect(FaceDetector(model, 0.9, 0.4, side), given)
        scale = size / SIDE if side == SIDE else 1
        off = [share(one.landmarks[0] * scale, due.landmarks[0]) for one, due in zip(found, truth, strict=True)
               if len(due.score) and len(one.score)]  # fmt: skip
        if off:
            print(f"{side:9} {len(off):4}/{len(few)} {np.median(off):8.2%} {np.percentile(off, 95):8.2%}")
    interpolated(detect(FaceDetector(model, 0.9, 0.4, 640), pictures))


def interpolated(faces: list[Detections]) -> None:
    """Print how far landmarks of every n-th frame, interpolated, are from those of each frame."""
    points = np.array([one.landmarks[0] for one in faces if len(one.score)])
    print("every n-th   median     95 %   (of the frames between, interpolated)")
    for every in (2, 3, 4, 6, 8, 12):
        last = (len(points) - 1) // every * every
        kept = np.arange(0, last + 1, every)
        between = np.setdiff1d(np.arange(last), kept)
        low = between // every * every
        weight = ((between - low) / every)[:, None, None]
        guessed = (1 - weight) * points[low] + weight * points[low + every]
        off = [share(one, due) for one, due in zip(guessed, points[between], strict=True)]
        print(f"{every:10} {np.median(off):8.2%} {np.percentile(off, 95):8.2%}")


def share(points: np.ndarray, due: np.ndarray) -> float:
    """Mean distance of five points from where they should be, in distances of the eyes."""
    return float(np.linalg.norm(points - due, axis=1).mean() / np.linalg.norm(due[1] - due[0]))


def storage(pictures: list[Picture], model: Installed, backbone: FrozenBackbone) -> None:
    """Print size and quality of the stored faces by JPEG quality, and how far it moves the features of a backbone."""
    detector = FaceDetector(model, 0.9, 0.4, 640)
    few = pictures[:: max(1, len(pictures) // 48)]
    found = [(picture, faces.landmarks[0]) for picture, faces in zip(few, detect(detector, few), strict=True)
             if len(faces.score)]  # fmt: skip
    whole = np.array([aligned_face(picture, similarity_to_template(points, 256), 256) for picture, points in found])
    due = backbone(whole)[0]
    spread = (due - due.mean(0)).norm()
    print(f"\nstored faces, {len(whole)} of them; change of {backbone.name}'s features as a share of their spread")
    print("quality   kB each   GB an hour   PSNR dB   change   GB of BAH-300's 916,618 frames")
    lossless = float(np.mean([len(cv2.imencode(".png", face[..., ::-1])[1]) for face in whole]))
    row = f"    PNG {lossless / 1e3:9.1f} {lossless * 24 * 3600 / 1e9:12.2f} {'-':>9} {'0.0%':>8}"
    print(f"{row} {lossless * FRAMES / 1e9:8.1f}")
    for quality in (75, 80, 85, 90, 92, 95, 98):
        files = [cv2.imencode(".jpg", face[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1] for face in whole]
        again = np.array([cv2.imdecode(file, cv2.IMREAD_COLOR_RGB) for file in files])
        error = ((whole.astype(float) - again) ** 2).mean((1, 2, 3))
        size = float(np.mean([len(file) for file in files]))
        psnr = float(np.mean(10 * np.log10(255**2 / np.maximum(error, 1e-9))))
        change = float((backbone(again)[0] - due).norm() / spread)
        row = f"{quality:7} {size / 1e3:9.1f} {size * 24 * 3600 / 1e9:12.2f} {psnr:9.1f} {change:8.1%}"
        print(f"{row} {size * FRAMES / 1e9:8.1f}")


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", type=Path)
    parser.add_argument("--parts", nargs="+", default=PARTS, choices=PARTS)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--reference")
    given = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        model = install("retinaface_mobilenet", folder / "model", {})
        pictures = decode(given.video)
        if "accuracy" in given.parts:
            accuracy(pictures, model)
        if "storage" in given.parts:
            backbone = install("mini_xception", folder / "backbone", {})
            storage(pictures, model, load_frozen_backbone(VisualConfig(), backbone))
        if "costs" in given.parts:
            costs(given.video, model, folder, given)


if __name__ == "__main__":
    main()
