"""Conflict model: affect of each modality first, conflict between and within modalities second.

It follows the two levels that the 2026 paper recommends (section 7). Level 1 describes the affect of each
modality alone. Level 2 compares modalities with one another and each with itself over time; gates, which
start from what the annotators of the training videos found inconsistent, weigh this evidence around an
anchor (the words, where there are any). The question asked (``question``) is context: it enters the anchor
and is never part of a conflict.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from waver.errors import WaverError
from waver.models.base import FusionModel
from waver.models.fusion.conflict import losses
from waver.models.fusion.conflict.affect import AffectEncoder, pooled, pooled_targets, steps_of
from waver.models.fusion.conflict.augmentation import with_absences, with_dimensions_dropped, with_gaps, with_noise
from waver.models.fusion.conflict.evidence import (
    WITHIN,
    Direction,
    Evidence,
    Reading,
    pair_features,
    pair_size,
    within_features,
)
from waver.models.fusion.conflict.gates import UNKNOWN, Context, ContextInput, Gate, start_of
from waver.models.fusion.conflict.settings import ANCHORS, ORDER, ConflictConfig
from waver.models.fusion.conflict.video_head import VideoHead


def _joined(pair: tuple[str, str]) -> str:
    return "+".join(pair)


class Conflict(FusionModel):
    """Conflict model.

    Any stream but ``question`` counts as a modality. Weights do not depend on the order of the streams.
    A modality that a whole video lacks (all zeros) takes part in nothing there.
    """

    Config: ClassVar[type[Any]] = ConflictConfig
    whole_video: ClassVar[bool] = False
    explains: ClassVar[bool] = True

    def __init__(self, dims: dict[str, int], config: ConflictConfig) -> None:
        super().__init__()
        self.config = config
        missing = [name for name in dims if not config.channels.get(name)]
        if missing:
            raise WaverError(f"the model's options give {missing[0]!r} no channels; add {missing[0]!r} to its channels")
        self.modalities = sorted(
            set(dims) - {"question"}, key=lambda n: (n not in ORDER, ORDER.index(n) if n in ORDER else 0, n)
        )
        own = (config.kernel, config.dropout, config.causal, config.input_norm)
        self.encoders = nn.ModuleDict({n: AffectEncoder(dims[n], config.channels[n], *own) for n in self.modalities})
        preferred = [config.anchor, *ANCHORS, *self.modalities]
        self.anchor = next((name for name in preferred if name in dims), None)
        self.question = (
            ContextInput(dims["question"], config.channels["question"], config.size) if "question" in dims else None
        )
        self._build_evidence()
        self.norm = nn.LayerNorm(config.size)
        self.context = Context(config.size, config.heads, config.layers, config.dropout, config.causal)
        self.classifier = nn.Linear(config.size, 1)
        self.video_head: VideoHead | None = None
        if config.video_head:
            if self.anchor is None:
                raise WaverError(
                    "the conflict model's video_head needs a modality besides the question; set it to false"
                )
            self.video_head = VideoHead(config.size, config.channels[self.anchor][-1], min(1.5 * config.dropout, 0.9))

    def _build_evidence(self) -> None:
        config, names = self.config, self.modalities
        sizes = {name: config.channels[name][-1] for name in names}
        self.pair_names = list(combinations(names, 2)) if config.pairs else []
        self.project = nn.ModuleDict({name: nn.Linear(sizes[name], config.size) for name in names})
        paired = names if self.pair_names else []
        self.directions = nn.ModuleDict({name: Direction(sizes[name], config.shared) for name in paired})
        wide = pair_size(config.shared, config.pair_parts)
        self.pairs = nn.ModuleDict({_joined(p): Evidence(wide, 64, config.size) for p in self.pair_names})
        withins = names if config.within else []
        self.withins = nn.ModuleDict({name: Evidence(len(WITHIN) + 1, 32, config.size) for name in withins})
        shares = config.pair_shares if config.prior else {}
        self.starts = {pair: start_of(shares, *pair) for pair in self.pair_names}
        starts = {_joined(pair): start for pair, start in self.starts.items()}
        starts |= {f"within:{name}": UNKNOWN for name in withins}
        starts |= {name: UNKNOWN for name in names if name != self.anchor}
        self.items = list(starts)
        gated = starts.items() if config.gates else ()
        self.gates = nn.ModuleDict({item: Gate(config.size, start) for item, start in gated})

    def forward(self, streams: dict[str, Tensor], mask: Tensor) -> Tensor:
        """Logits [B, T, 2] of streams [B, T, D_m]; mask [B, T] is False on padding."""
        return self._logits(self.read(streams, mask), mask)

    def _logits(self, reading: Reading, mask: Tensor) -> Tensor:
        margin = self._frames(reading.margin, mask)
        return torch.stack([torch.zeros_like(margin), margin], -1)

    def _frames(self, x: Tensor, mask: Tensor) -> Tensor:
        """Steps [B, S, ...] as frames [B, T, ...]."""
        return x.repeat_interleave(self.config.pool, 1)[:, : mask.shape[1]]

    def read(self, streams: Mapping[str, Tensor], mask: Tensor) -> Reading:
        """All that the model makes of a batch; arguments as in ``forward``."""
        given = self._augmented({name: streams[name] for name in self.modalities}, mask)
        steps = steps_of(mask, self.config.pool)
        hidden, affect, here = {}, {}, {}
        for name, encoder in self.encoders.items():
            seen = mask & given[name].any(-1)
            x = pooled(given[name], seen, self.config.pool)
            hidden[name], affect[name] = encoder(x, steps_of(seen, self.config.pool), steps)
            here[name] = seen.any(1)[:, None, None]
        anchor = self._anchor(hidden, here, streams, mask)
        distance, within, items, present = self._evidence(hidden, affect, here, steps)
        weight, total = {}, anchor
        for name in self.items:
            gate = self.gates[name](anchor, items[name]) if self.config.gates else 1.0
            weight[name] = (gate * present[name]).expand(*steps.shape, 1)
            total = total + weight[name] * items[name]
        context = self.context(self.norm(total), steps)
        margin = self.classifier(context).squeeze(-1).float()
        return Reading(steps, hidden, affect, distance, within, weight, context, margin)

    def _augmented(self, streams: dict[str, Tensor], mask: Tensor) -> dict[str, Tensor]:
        if not self.training:
            return streams
        config = self.config
        if config.input_dropout:
            streams = with_dimensions_dropped(streams, config.input_dropout)
        if config.noise:
            streams = with_noise(streams, config.noise)
        if config.gap:
            streams = with_gaps(streams, mask, config.gap)
        return with_absences(streams, str(self.anchor), config.absence) if config.absence else streams

    def _anchor(
        self, hidden: Mapping[str, Tensor], here: Mapping[str, Tensor], streams: Mapping[str, Tensor], mask: Tensor
    ) -> Tensor:
        """What evidence is centred on: the anchor's hidden state and the question asked, [B, S, size]."""
        parts: list[Tensor] = []
        if self.anchor is not None:
            name = self.anchor
            parts.append(self.project[name](self._level_two(hidden[name])) * here[name])
        if self.question is not None:
            parts.append(self.question(pooled(streams["question"], mask, self.config.pool)))
        return sum(parts[1:], parts[0])

    def _level_two(self, hidden: Tensor) -> Tensor:
        return hidden.detach() if self.config.strict else hidden

    def _evidence(
        self, hidden: Mapping[str, Tensor], affect: Mapping[str, Tensor], here: Mapping[str, Tensor], steps: Tensor
    ) -> tuple[dict[tuple[str, str], Tensor], dict[str, Tensor], dict[str, Tensor], dict[str, Tensor]]:
        """Distances of pairs, features within modalities, items of evidence, and who has what they need."""
        config = self.config
        lower = {name: self._level_two(h) for name, h in hidden.items()}
        felt = {name: s.detach() if config.stop_gradient or config.strict else s for name, s in affect.items()}
        items = {name: self.project[name](lower[name]) for name in self.modalities if name != self.anchor}
        present = dict(here)
        pointed = {n: torch.cat([to(lower[n]), felt[n]], -1) for n, to in self.directions.items()}
        distance: dict[tuple[str, str], Tensor] = {}
        for pair in self.pair_names:
            first, second = (pointed[name] for name in pair)
            both = here[pair[0]] & here[pair[1]]
            distance[pair] = (1 - (first[..., :-3] * second[..., :-3]).sum(-1)) / 2 * both[..., 0]
            items[_joined(pair)] = self.pairs[_joined(pair)](pair_features(first, second, config.pair_parts))
            present[_joined(pair)] = both
        within = {name: within_features(felt[name], steps, config.causal) for name in self.withins}
        for name, features in within.items():
            items[f"within:{name}"] = self.withins[name](torch.cat([features, felt[name][..., 2:]], -1))
            present[f"within:{name}"] = here[name]
        return distance, within, items, present

    @torch.no_grad()
    def explain(self, streams: Mapping[str, Tensor], mask: Tensor) -> dict[str, Tensor]:
        """What led to the logits, frame by frame; arguments as in ``forward``.

        Returns:
            ``affect/<modality>`` [B, T, 3]: positive, negative, hesitant (only names for what was learned, unless
            affect had targets); ``conflict/<pair>`` [B, T]: (1 - cosine) / 2 of two modalities, 1 for opposites;
            ``within/<modality>`` [B, T, 12]: columns ``WITHIN``; ``gate/<item>`` [B, T]: weight in [0, 1] of a pair
            (``visual+text``), of a modality's conflict with itself (``within:text``) or of a modality beside the
            anchor (``audio``). All float32, 0 on padding.
        """
        reading = self.read(streams, mask)
        found = {f"affect/{name}": track for name, track in reading.affect.items()}
        found |= {f"conflict/{_joined(pair)}": d[..., None] for pair, d in reading.distance.items()}
        found |= {f"within/{name}": features for name, features in reading.within.items()}
        found |= {f"gate/{name}": weight for name, weight in reading.weight.items()}
        frames = {name: self._frames(x.float(), mask) * mask[..., None] for name, x in found.items()}
        single = ("conflict/", "gate/")
        return {name: x.squeeze(-1) if name.startswith(single) else x for name, x in frames.items()}

    @property
    def has_video_head(self) -> bool:
        """Whether the config asks for the head of whole videos."""
        return self.video_head is not None

    def video_margin(self, streams: Mapping[str, Tensor], mask: Tensor) -> Tensor:
        """Logit of A/H anywhere in the video, [B]: the mean probability of the whole and of the anchor alone.

        Raises:
            WaverError: the model was built without its video head.
        """
        whole, alone = self._videos(self.read(streams, mask))
        return torch.logit((whole.sigmoid() + alone.sigmoid()) / 2, eps=1e-7)

    def _videos(self, reading: Reading) -> tuple[Tensor, Tensor]:
        if self.video_head is None or self.anchor is None:
            raise WaverError("this conflict model has no head for whole videos; train it with video_head: true")
        margins: tuple[Tensor, Tensor] = self.video_head(
            reading.context, reading.hidden[self.anchor], reading.margin, reading.mask
        )
        return margins

    @staticmethod
    def informed(config: ConflictConfig, pair_shares: Mapping[str, float]) -> ConflictConfig:
        """With the shares, where the gates are to start from them."""
        return config.model_copy(update={"pair_shares": dict(pair_shares)}) if config.counts_pairs else config

    @staticmethod
    def taught_affect(config: ConflictConfig) -> bool:
        """Affect has a part in the loss."""
        return config.affect_share > 0

    @staticmethod
    def affect_epochs(config: ConflictConfig) -> int:
        """As the config says."""
        return config.affect_epochs

    def begin_epoch(self, number: int) -> None:
        """Level 1 learns affect alone in the first epochs, see ``affect_epochs``."""
        self.warming = number <= self.config.affect_epochs

    def loss(
        self,
        streams: dict[str, Tensor],
        label: Tensor,
        mask: Tensor,
        weight: Tensor | None = None,
        affect: Mapping[str, Tensor] | None = None,
        f1_share: float = 0.0,
        of_frame: Tensor | None = None,
    ) -> Tensor:
        """The model's own loss, in place of the frame cross entropy.

        In the first epochs it is that of affect alone, where the batch has anything to teach it with.

        Args:
            streams: as in ``forward``.
            label: int64 [B, T].
            mask: bool [B, T].
            weight: float32 [2], inverse frequency of the classes.
            affect: modality -> target float32 [B, T, 3] in [0, 1], nan where nothing is known; under ``question``
                the same in every frame, what the words should hold at some time.
            f1_share: of the recipe, and unused: the model's own config has one.
            of_frame: float32 [B, T], weight of each frame in the cross entropy.
        """
        config, reading = self.config, self.read(streams, mask)
        taught = self._affect_loss(reading, streams, mask, affect or {}) if config.affect_share else None
        if self.warming and taught is not None:
            return taught
        total = losses.balanced_frame_loss(self._logits(reading, mask), label, mask, weight, config.f1_share, of_frame)
        total = total + config.smooth_share * losses.smooth_loss(reading.margin, reading.mask)
        share = pooled(label[..., None].float(), mask, config.pool)[..., 0]
        apart = losses.conflict_loss(reading.distance, share, reading.mask, self.starts)
        total = total + config.conflict_share * apart
        if taught is not None:
            total = total + config.affect_share * taught
        if self.video_head is not None:
            whole, alone = self._videos(reading)
            truth = (label.bool() & mask).any(1)
            total = total + config.video_share * losses.video_loss(whole, truth)
            total = total + config.anchor_share * losses.video_loss(alone, truth)
        return total

    def _affect_loss(
        self, reading: Reading, streams: Mapping[str, Tensor], mask: Tensor, targets: Mapping[str, Tensor]
    ) -> Tensor | None:
        """Of the frames' targets, and of what the question asks for; None where nothing is known."""
        steps = {n: pooled_targets(t, mask, self.config.pool) for n, t in targets.items()}
        terms = [losses.affect_loss(reading.affect, steps)]
        if "question" in targets and "text" in reading.affect:
            highest = reading.affect["text"].masked_fill(~reading.mask[..., None], 0.0).amax(1, keepdim=True)
            terms.append(losses.affect_loss({"text": highest}, {"text": targets["question"][:, :1]}))
        known = [term for term in terms if term is not None]
        return sum(known[1:], known[0]) if known else None
