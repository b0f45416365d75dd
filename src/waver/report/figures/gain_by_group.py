"""Figure of what adaptation gains by sex and by age group (figure 13 of the dataset paper)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from waver.registry import ADAPTATIONS
from waver.report.figures.style import INK, Drawn, finish, line_styles, new_figure, plot_style
from waver.report.formatting import PROTOCOLS, plural, score
from waver.report.ranking import MethodScores, Row, ranked_methods

_KINDS = ("sex", "age")


class Gain(NamedTuple):
    """What a method gains in a group: its AVGF1 minus that of the same network as it was, means over participants.

    ``people`` is None where the group's size is withheld.
    """

    method: str
    group: str
    people: int | None
    value: float


def gains(scores: Sequence[Row], split: str, protocol: str) -> list[Gain]:
    """Of every method and group whose scores are not withheld, the methods by falling AVGF1, the groups by name."""
    groups = sorted({row["group"] for row in scores if row["group"].partition("=")[0] in _KINDS})
    groups.sort(key=lambda group: _KINDS.index(group.partition("=")[0]))
    of_group = {group: ranked_methods(scores, "participant", split, protocol, group) for group in groups}
    found = []
    for method in ranked_methods(scores, "participant", split, protocol):
        for group, rows in of_group.items():
            own = next((row for row in rows if row.same_method(method)), None)
            still = _unadapted(method, rows)
            values = [row.value("AVGF1") if row else None for row in (own, still)]
            if own is not None and own is not still and values[0] is not None and values[1] is not None:
                found.append(Gain(method.name, group, own.any["participants"], values[0] - values[1]))
    return found


def _unadapted(method: MethodScores, rows: Sequence[MethodScores]) -> MethodScores | None:
    """The same network as it was; None of a control."""
    if method.method not in ADAPTATIONS:
        return None
    wanted = (ADAPTATIONS[method.method].baseline, method.modalities, method.network)
    return next((row for row in rows if row.identity == wanted), None)


def draw_gains(scores: Sequence[Row], split: str, protocol: str, folder: Path, least: int) -> Drawn | None:
    """A panel by sex and one by age group, a line for each method; None where no two groups have a score."""
    found = gains(scores, split, protocol)
    groups = list(dict.fromkeys(gain.group for gain in found))
    kinds = [kind for kind in _KINDS if sum(group.startswith(f"{kind}=") for group in groups) > 1]
    if not kinds:
        return None
    name = f"gain-{protocol}-{split}"
    methods = list(dict.fromkeys(gain.method for gain in found))
    with plot_style(name):
        figure = new_figure(8.6, 1.3 + 0.34 * len(methods))
        panels = figure.subplots(1, len(kinds), sharey=True, squeeze=False)[0]
        for kind, panel in zip(kinds, panels, strict=True):
            _panel(panel, kind, [gain for gain in found if gain.group.startswith(f"{kind}=")], methods)
        counted = any(gain.people is not None for gain in found)
        caption = (
            f"{PROTOCOLS[protocol]}: AVGF1 of each method minus that of the same network as it was, means over the "
            f"participants of a group; right of the line it gains. {'In brackets: participants. ' * counted}"
            f"Groups of fewer than {plural(least, 'person', 'people')} have no score, nor has a group whose score "
            "would tell that of so few. Differences between groups of few people may be chance."
        )
        return finish(figure, name, folder, "Gain by sex and by age group", caption)


def _panel(panel: Any, kind: str, own: Sequence[Gain], methods: Sequence[str]) -> None:
    groups = list(dict.fromkeys(gain.group for gain in own))
    people = {gain.group: gain.people for gain in own}
    panel.axvline(0, color=INK, linewidth=1)
    for number, (group, style) in enumerate(line_styles(groups).items()):
        offset = (number - (len(groups) - 1) / 2) * 0.6 / len(groups)
        marks = [(gain.value, methods.index(gain.method) + offset) for gain in own if gain.group == group]
        size = "" if people[group] is None else f" ({people[group]})"
        label = group.partition("=")[2].replace("_", " ") + size
        panel.plot(*zip(*marks, strict=True), **style.mark(6.5, edge=0.8), label=label)
    panel.set_yticks(range(len(methods)), methods)
    panel.tick_params(axis="y", colors=INK)
    panel.set_ylim(len(methods) - 0.4, -0.6)
    panel.grid(axis="x")
    panel.spines["left"].set_visible(False)
    panel.xaxis.set_major_formatter(lambda value, _: score(value, 2).replace("-", "−"))
    panel.set_title(f"by {kind}" + " group" * (kind == "age"))
    panel.set_xlabel("gain in AVGF1")
    panel.legend(loc="upper left", bbox_to_anchor=(0, -0.22), ncols=3)
