"""Our methods over CLIP beside their authors' code: same features, values compared.

    PYTHONPATH=src:tests .venv/bin/python -m parity.vision_language <folder> [--record]

The folder holds checkouts of the authors' code: ``TDA`` (kdiAAA), ``DPE-CLIP`` (zhangce01), ``ReTA`` (Evelyn1ywliang),
``T3AL`` (benedettaliberatori), ``TTA-CaP`` and ``EB-CaP`` (MasoumehSharafi), ``TPT`` (azshue) and ``PromptAlign``
(jameelhassan). Prints the greatest difference of each method, and with ``--record`` the authors' values, which
``tests/unit/adaptation/methods/test_clip_authors_code.py`` holds ours to where there is no checkout. Functions are
taken out of their files one by one, and run in 32 bits on the CPU.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import json
import math
from collections import Counter, deque
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np
import torch
from sklearn.cluster import DBSCAN
from sklearn.metrics import adjusted_rand_score
from sklearn.neighbors import NearestNeighbors
from torch import nn
from torch.nn import functional

from waver.adaptation.methods.vision_language.dpe import Dpe, Prototypes
from waver.adaptation.methods.vision_language.eb_cap import EbCap, EnergyCaches
from waver.adaptation.methods.vision_language.prompt_align import alignment
from waver.adaptation.methods.vision_language.prototypes import medoids
from waver.adaptation.methods.vision_language.reta import PromptSets, Reta, prompt_sets
from waver.adaptation.methods.vision_language.t3al import byol, moving_average
from waver.adaptation.methods.vision_language.tda import Tda, TwoCaches
from waver.adaptation.methods.vision_language.tta_cap import CachedStream, TtaCap
from waver.adaptation.vision_language.base import Frames
from waver.adaptation.vision_language.confidence import certain_views, marginal_entropy

WIDTH, COUNT, VIEWS, SCALE = 16, 60, 20, 100.0
RETA_CONFIDENT = 0.1 * math.log2(3)
"""The release divides ReTA's entropies by log2 of the number of sets, not of classes."""
SHOWN = [0, 20, 59]
"""Frames whose values are recorded."""


def fixed(seed, *shape):
    """Values that no version of torch changes."""
    return torch.from_numpy(np.random.default_rng(seed).standard_normal((*shape, WIDTH))).float()


def unit(values):
    return functional.normalize(values, dim=-1)


def sentences():
    """Nine sentences of each class, near each other, float32 [2, 9, D]."""
    return unit(fixed(0, 1, 1) + 0.03 * fixed(1, 2, 1) + 0.02 * fixed(2, 2, 9))


def weights():
    return unit(sentences().mean(1)).T


def views():
    """Views [N, V, D] of frames; neighbours are alike."""
    return unit(
        fixed(3, COUNT // 6, 1).repeat_interleave(6, 0) + 0.4 * fixed(4, COUNT, 1) + 0.2 * fixed(5, COUNT, VIEWS)
    )


def frames(seen, video=0):
    raw, numbers = seen[:, 0], list(range(len(seen)))
    return Frames(raw, raw, seen, torch.zeros(0, 1, 1, 3), video, torch.tensor(numbers), [7 + n for n in numbers])


def static():
    """Prototypes of each class."""
    return [unit(weights().T[label] + 0.3 * fixed(6 + label, 7)) for label in (0, 1)]


def clusters():
    """Frames of a person that cluster."""
    return unit(fixed(8, 3).repeat_interleave(30, 0) + 0.15 * fixed(9, 90))


CHANGES = {
    ".cuda()": "",
    ".half()": ".float()",
    "torch.cuda.amp.autocast()": "nullcontext()",
    # views whose entropies are equal, in their own order
    "descending=False)": "descending=False, stable=True)",
}
TWO_VIDEOS = ((0, 35), (35, COUNT))


def ours():
    """Name -> values of ours: logits [N, 2], or others as a table."""
    seen, w = views(), weights()
    text = prompt_sets(sentences(), 3)
    one = frames(seen[:, :1])
    found = {
        "tda": TwoCaches(w, SCALE, Tda.Config(views=True)).predict(frames(seen)),
        "dpe": Prototypes(w, SCALE, Dpe.Config(views=True)).predict(frames(seen)),
        "reta": PromptSets(text, SCALE, Reta.Config(confident=RETA_CONFIDENT)).predict(frames(seen)),
        "tta_cap": CachedStream(w, SCALE, static(), TtaCap.Config(margin=0.01)).predict(one),
    }
    energy = EnergyCaches(w, SCALE, EbCap.Config())
    parts = [energy.predict(frames(seen[a:b, :1], video)) for video, (a, b) in enumerate(TWO_VIDEOS)]
    found["eb_cap"] = torch.cat(parts)
    found["medoids"] = medoids(clusters(), 1000, 6, 5)
    found["byol"] = torch.stack([byol(fixed(10), fixed(11).abs()), byol(fixed(10, 4), fixed(11, 4))])[None]
    found["moving_average"] = moving_average(fixed(12, 3).flatten(), 20)[None]
    logits = seen[:8] @ w * SCALE
    kept = certain_views(logits, 0.1)
    found["tpt"] = torch.stack([marginal_entropy(own[rows]) for own, rows in zip(logits, kept, strict=True)])[None]
    tokens, aims = fixed(13, 2, 6, 5), [(fixed(14, 5), fixed(15, 5).abs()), (fixed(16, 5), fixed(17, 5).abs())]
    found["promptalign"] = alignment(list(tokens), aims)[None, None]
    return found


def taken(path: Path, *names: str, **space: Any) -> SimpleNamespace:
    """Definitions of a file of the authors, for the CPU and 32 bits."""
    text = path.read_text()
    for theirs, mine in CHANGES.items():
        text = text.replace(theirs, mine)
    found: list[Any] = []
    for part in ast.walk(ast.parse(text)):
        if isinstance(part, ast.ClassDef | ast.FunctionDef) and part.name in names:
            found.append(part)
    assert {part.name for part in found} == set(names), path
    known = {
        "torch": torch, "nn": nn, "F": functional, "np": np, "math": math, "nullcontext": contextlib.nullcontext,
        "operator": __import__("operator"), "tqdm": lambda items, **_: items, "Counter": Counter, "deque": deque,
        "wandb": SimpleNamespace(log=lambda *_, **__: None), "dataclass": dataclass, **space,
    }  # fmt: skip
    future = ast.parse("from __future__ import annotations").body
    exec(compile(ast.Module([*future, *found], []), str(path), "exec"), known)
    return SimpleNamespace(**{name: known[name] for name in names}, space=known)


def info_nce(temperature, reduction):
    """The package that two releases import."""

    def loss(query, key):
        cosines = functional.normalize(query, dim=-1) @ functional.normalize(key, dim=-1).T
        return functional.cross_entropy(cosines / temperature, torch.arange(len(query)))

    return loss


def streamed(file: Path, utils: Path, run: str, names: tuple[str, ...], *arguments: Any) -> torch.Tensor:
    """Run a release's whole loop over the views, and keep the logits that it scores."""
    logits: list[torch.Tensor] = []

    def scored(output, target, **_):
        logits.append(output.detach().clone())
        return 0.0

    own = ["get_entropy", "softmax_entropy", "avg_entropy", "get_clip_logits"]
    own += ["get_multiview_clip_logits"] if run == "run_test_reta" else []
    tools = taken(utils, *own)
    shared = {name: getattr(tools, name) for name in own} | {"InfoNCE": info_nce, "cls_acc": scored}
    module = taken(file, run, *names, **shared)
    # as many directions as there are classes; the release takes arbitrary ones beside them
    module.space["get_text_basis"] = lambda text, n_components: torch.linalg.svd(text)[2][:2]
    clip = SimpleNamespace(encode_image=lambda images: images.clone(), logit_scale=torch.tensor(math.log(SCALE)))
    loader = [(list(own[:, None].clone()), torch.zeros(1)) for own in views()]
    getattr(module, run)(*arguments[:2], loader, clip, *arguments[2:])
    return logits


def theirs(folder: Path) -> dict[str, torch.Tensor]:
    """The same values by the authors' code."""
    positive = {"enabled": True, "shot_capacity": 3, "alpha": 2.0, "beta": 5.0}
    negative = {"enabled": True, "shot_capacity": 2, "alpha": 0.117, "beta": 1.0}
    negative |= {"entropy_threshold": {"lower": 0.2, "upper": 0.5}, "mask_threshold": {"lower": 0.03, "upper": 1.0}}
    found = {}
    caches = ("update_cache", "compute_cache_logits")
    tda = folder / "TDA"
    found["tda"] = streamed(
        tda / "tda_runner.py", tda / "utils.py", "run_test_tda", caches, positive, negative, weights()
    )

    both = (
        "update_cache",
        "compute_cache_logits",
        "cache_key_value",
        "TextResidue",
        "PositiveCacheResidue",
        "InfoNCELoss",
    )
    dpe, rates = folder / "DPE-CLIP", {"text": 6e-4, "image": 6e-4, "align": 0.5}
    settings = positive | {"alpha": 6.0}
    found["dpe"] = streamed(
        dpe / "main_dpe.py", dpe / "utils.py", "run_test_dpe", both, settings, rates, weights(), "I"
    )
    reta, extra = (
        folder / "ReTA",
        ("get_text_basis", "calculate_stability_consistence_score", "compute_gaussian_logits"),
    )
    settings |= {"ratio": 1.0, "lam": 0.5}
    rates = {"text": 6e-4, "align": 0.5, "train_w": 0.05}
    text = prompt_sets(sentences(), 3)
    mixed = streamed(
        reta / "main_reta.py", reta / "utils.py", "run_test_reta", (*both, *extra), settings, rates, text, "I"
    )
    found = {name: torch.cat(values) for name, values in found.items()}
    shares = [own.softmax(1) for own in mixed]
    found["reta"] = torch.stack([0.5 * own[0] + 0.5 * own[1:].mean(0) for own in shares]).log()
    found["tta_cap"], found["medoids"] = personalised(folder / "TTA-CaP")
    found["eb_cap"] = energies(folder / "EB-CaP/online_tta_ebm.py")
    loss = taken(folder / "T3AL/src/models/components/loss.py", "ByolLoss").ByolLoss()
    found["byol"] = torch.stack([loss(fixed(10), fixed(11).abs()), loss(fixed(10, 4), fixed(11, 4))])[None]
    average = taken(folder / "T3AL/src/models/components/tt_method.py", "moving_average").moving_average
    found["moving_average"] = average(None, fixed(12, 3).flatten(), 20)[None]
    tpt = taken(folder / "TPT/tpt_classification.py", "select_confident_samples", "avg_entropy")
    logits = views()[:8] @ weights() * SCALE
    found["tpt"] = torch.stack([tpt.avg_entropy(tpt.select_confident_samples(own, 0.1)[0]) for own in logits])[None]
    align = taken(folder / "PromptAlign/trainers/prompt_align.py", "distr_align_loss").distr_align_loss
    tokens = fixed(13, 2, 6, 5)
    moments = [tokens.mean(1), tokens.var(1, unbiased=False)]
    # of three layers its loop takes two
    aims = [
        torch.stack([fixed(seed, 5) for seed in (14, 16)]),
        torch.stack([fixed(seed, 5).abs() for seed in (15, 17)]),
    ]
    found["promptalign"] = align(None, moments, aims, 0, 3)[None, None]
    return found


def personalised(folder: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """TTA-CaP: its online parts in the order of its runner, and prototypes of one person."""
    tools = ("l2_normalize", "majority_label", "CacheEntry", "BoundedCache", "PredictionHistory", "prototype_scores")
    tools += ("retrieve_source_embedding", "embedding_prediction", "nonzero_embedding", "select_positive_components")
    cap = taken(folder / "online_tta_runner.py", *tools, "fuse_embeddings")
    device, w, scale = torch.device("cpu"), weights(), torch.tensor(SCALE)
    caches, history = [cap.BoundedCache(2, size, device) for size in (5, 4)], cap.PredictionHistory(3)
    prototypes, logits = dict(enumerate(static())), []
    options = {"weighting_strategy": "equal", "agreement_mode": "none", "attention_temperature": 1.0}
    options |= {"lambda_src": 1.0, "lambda_pos": 1.0, "lambda_neg": 1.0}
    for z in views()[:, :1]:
        p = (SCALE * z @ w).softmax(1)
        label, least, nats = int(p.argmax()), int(p.argmin()), float(-(p * p.log()).sum())
        history.append(label)
        scores = cap.prototype_scores(z, prototypes, 2, 5, device)
        agree = int(scores.argmax()) == label and float(scores.max() - scores.min()) > 0.01
        near = cap.retrieve_source_embedding(z, prototypes, label, 5, device)
        cached = [cache.retrieve_embedding(z, label, 5, 10.0) for cache in caches]
        fused, _ = cap.fuse_embeddings(z, near, *cached, w, scale, **options)
        logits.append(SCALE * fused @ w)
        if history.majority() == label and agree:
            if nats < 0.5:
                caches[0].add(z, label, nats)
            elif nats < 0.8:
                caches[1].add(z, least, nats)
    names = ("l2_normalize", "DBSCANSearch", "kth_neighbor_distances", "clustering_validity", "bootstrap_stability")
    space = {"DBSCAN": DBSCAN, "adjusted_rand_score": adjusted_rand_score, "NearestNeighbors": NearestNeighbors}
    build = taken(
        folder / "build_personalized_prototypes.py", *names, "select_dbscan_parameters", "cluster_medoids",
        "closest_to_mean", **space,
    )  # fmt: skip
    points = clusters()
    search = build.DBSCANSearch((5, 10, 15), (0.5, 0.6, 0.7, 0.8, 0.9))
    eps, least, _ = build.select_dbscan_parameters(points, search, 5)
    labels = DBSCAN(eps=eps, min_samples=least).fit_predict(points.numpy())
    return torch.cat(logits), build.cluster_medoids(points, labels)


def energies(file: Path) -> torch.Tensor:
    """EB-CaP: its parts in the order of its loop, with our noise."""
    names = ("generate_text_guided_samples", "sampled_cache_scores", "RunningStats", "adaptive_entropy_thresholds")
    eb = taken(file, *names, "DynamicEntry", "DynamicCache", "mean_featurewise_variance", "entropy_of")
    w, scale, logits = weights(), SCALE, []
    caches = [eb.DynamicCache(2, size, "cpu", name) for size, name in ((5, "positive"), (4, "negative"))]
    settings = {"alpha": 1.0, "beta": 1.0, "warmup_windows": 5}
    for first, end in TWO_VIDEOS:
        stats = eb.RunningStats()
        for number in range(first, end):
            z = views()[number, :1]
            noise = torch.randn(20, 2, 3, WIDTH, generator=torch.Generator().manual_seed(7 + number - first))
            steps = iter(noise.flatten(1, 2))
            with mock.patch("torch.randn_like", lambda like, steps=steps: next(steps)):
                made = eb.generate_text_guided_samples(
                    z, w.T, steps=20, step_size=1e-2, noise_scale=0.1, samples_per_class=3
                )
            fused = scale * z @ w + eb.sampled_cache_scores(z, made["prototypes"], logit_scale=scale)
            fused = fused + caches[0].class_scores(z, logit_scale=scale)[0]
            fused = fused - caches[1].class_scores(z, logit_scale=scale)[0]
            nats = float(eb.entropy_of(fused.softmax(1)))
            certain, rejected = eb.adaptive_entropy_thresholds(
                stats, **settings, fallback_tau_positive=0.5, fallback_tau_negative=0.8
            )
            stats.update(nats)
            cache = caches[0] if nats < certain else caches[1] if nats < rejected else None
            if cache is not None:
                label = int(fused.argmax()) if cache is caches[0] else int(fused.argmin())
                cache.apply_update(z, label, nats, cache.evaluate_update(z, label, nats))
            logits.append(fused)
    return torch.cat(logits)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="holds the checkouts")
    parser.add_argument("--record", action="store_true", help="print the authors' values")
    chosen = parser.parse_args()
    own, other = ours(), theirs(chosen.folder)
    for name, values in own.items():
        apart = comparable(values, name) - comparable(other[name], name)
        print(f"{name}: greatest difference {apart.abs().max():.2e}")
        if chosen.record:
            print(json.dumps(shown(comparable(other[name], name))))


def comparable(values, name):
    """Logits of ReTA are logarithms of probabilities, of which the release forms none: differences count."""
    return values[:, 1:] - values[:, :1] if name == "reta" else values


def shown(values):
    """The recorded rows, at most four values of each."""
    rows = SHOWN if len(values) == COUNT else range(min(len(values), 3))
    return [[round(float(value), 5) for value in values[row].flatten()[:4]] for row in rows]


if __name__ == "__main__":
    main()
