"""Prototypes of a person's frames: the middle of each cluster that density finds (TTA-CaP's release)."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import numpy.typing as npt
import torch
from sklearn.cluster import DBSCAN
from sklearn.metrics import adjusted_rand_score
from torch import Tensor

MIN_SAMPLES = (5, 10, 15)
QUANTILES = (0.5, 0.6, 0.7, 0.8, 0.9)
_LEAST_FRAMES, _LEAST_SHARED = 10, 5
_SAMPLED, _STABILITY, _MOST_NOISE, _LEAST_EPS = 0.8, 0.5, 0.95, 1e-8

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]


def medoids(feature: Tensor, most: int, bootstraps: int, seed: int) -> Tensor:
    """The frame nearest to the mean of each cluster, float32 [P, D]; of all frames where nothing clusters.

    Args:
        feature: float32 [N, D], of length 1.
        most: frames that are clustered, drawn without return where there are more.
        bootstraps: samples by which a clustering's stability is judged.
        seed: of what is drawn.
    """
    if len(feature) > most:
        drawn = torch.randperm(len(feature), generator=torch.Generator().manual_seed(seed))[:most]
        feature = feature[drawn.sort().values]
    points = feature.numpy().astype(np.float64)
    labels = best_clustering(points, bootstraps, seed)
    clusters = [np.flatnonzero(labels == label) for label in np.unique(labels[labels >= 0])] or [np.arange(len(points))]
    return torch.stack([feature[int(rows[_central(points[rows])])] for rows in clusters])


def _central(points: Floats) -> int:
    return int(((points - points.mean(axis=0)) ** 2).sum(axis=1).argmin())


def best_clustering(points: Floats, bootstraps: int, seed: int) -> Labels:
    """Labels int64 [N], -1 noise, of the settings with the best score; all -1 where none is valid.

    The score is (1 - noise) ln(1 + clusters) plus half the stability: the mean adjusted Rand index of clusterings of
    samples of 80 % of the points, over the points that two samples share.
    """
    apart = _apart(points)
    nearest = np.sort(apart, axis=1)
    best, chosen = -math.inf, np.full(len(points), -1)
    for least in MIN_SAMPLES:
        if len(points) < max(least + 1, _LEAST_FRAMES):
            continue
        for eps in sorted({float(np.quantile(nearest[:, least - 1], share)) for share in QUANTILES}):
            if eps <= _LEAST_EPS:
                continue
            labels = clustered(apart, eps, least)
            noise, clusters = float((labels == -1).mean()), len(np.unique(labels[labels >= 0]))
            if clusters == 0 or noise > _MOST_NOISE:
                continue
            score = (1 - noise) * math.log1p(clusters)
            score += _STABILITY * stability(apart, eps, least, bootstraps, seed)
            if score > best:
                best, chosen = score, labels
    return chosen


def _apart(points: Floats) -> Floats:
    """Distances [N, N]."""
    squares = (points**2).sum(axis=1)
    found: Floats = np.sqrt(np.maximum(squares[:, None] + squares[None] - 2 * points @ points.T, 0))
    np.fill_diagonal(found, 0)
    return found


def clustered(apart: Floats, eps: float, least: int) -> Labels:
    """DBSCAN of points by their distances [N, N]."""
    labels: Labels = DBSCAN(eps=eps, min_samples=least, metric="precomputed").fit_predict(apart)
    return labels


def stability(apart: Floats, eps: float, least: int, bootstraps: int, seed: int) -> float:
    """Mean adjusted Rand index of clusterings of samples; 0 where it cannot be told."""
    if bootstraps < 2 or len(apart) < max(least + 1, _LEAST_FRAMES):
        return 0.0
    draw, size = np.random.RandomState(seed), max(2, round(_SAMPLED * len(apart)))
    runs = []
    for _ in range(bootstraps):
        rows = np.sort(draw.choice(len(apart), size=size, replace=False))
        runs.append((rows, clustered(apart[np.ix_(rows, rows)], eps, least)))
    found = []
    for (one, first), (other, second) in combinations(runs, 2):
        shared, left, right = np.intersect1d(one, other, return_indices=True)
        if len(shared) >= _LEAST_SHARED:
            found.append(adjusted_rand_score(first[left], second[right]))
    return float(np.mean(found)) if found else 0.0
