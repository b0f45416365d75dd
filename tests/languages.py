"""Whether two regular expressions can match the same string: a walk through both automata at once."""

from __future__ import annotations

import re._constants as ops
import re._parser as parser
from collections import deque
from typing import Any

ALPHABET = frozenset(chr(code) for code in range(32, 127))
"""Characters of paths."""
_CLASSES = {
    ops.CATEGORY_DIGIT: frozenset("0123456789"),
    ops.CATEGORY_WORD: frozenset(char for char in ALPHABET if char.isalnum() or char == "_"),
}

Step = tuple[frozenset[str] | None, int]
"""Characters that lead to a state; None: it is reached without one."""


class Automaton:
    """States and steps of one expression; a group that is referred to later may be anything printable there."""

    def __init__(self, expression: str) -> None:
        self.steps: list[list[Step]] = []
        self.start = self._new()
        self.end = self._sequence(parser.parse(expression), self.start)

    def closure(self, state: int) -> frozenset[int]:
        """States reached without a character."""
        found, waiting = {state}, [state]
        while waiting:
            for characters, after in self.steps[waiting.pop()]:
                if characters is None and after not in found:
                    found.add(after)
                    waiting.append(after)
        return frozenset(found)

    def _new(self) -> int:
        self.steps.append([])
        return len(self.steps) - 1

    def _sequence(self, tree: Any, state: int) -> int:
        for op, value in tree:
            state = self._one(op, value, state)
        return state

    def _one(self, op: Any, value: Any, state: int) -> int:
        if op is ops.AT:
            return state
        if op is ops.SUBPATTERN:
            return self._sequence(value[-1], state)
        if op is ops.BRANCH:
            end = self._new()
            for branch in value[1]:
                self.steps[self._sequence(branch, state)].append((None, end))
            return end
        if op in (ops.MAX_REPEAT, ops.MIN_REPEAT):
            return self._repeat(*value, state)
        end = self._new()
        self.steps[state].append((_characters(op, value), end))
        return end

    def _repeat(self, least: int, most: Any, tree: Any, state: int) -> int:
        for _ in range(least):
            state = self._sequence(tree, state)
        end = self._new()
        self.steps[state].append((None, end))
        if most is ops.MAXREPEAT:
            around = self._new()
            self.steps[state].append((None, around))
            self.steps[self._sequence(tree, around)] += [(None, around), (None, end)]
            return end
        for _ in range(most - least):
            state = self._sequence(tree, state)
            self.steps[state].append((None, end))
        return end


def _characters(op: Any, value: Any) -> frozenset[str]:
    if op is ops.LITERAL:
        return frozenset(chr(value))
    if op is ops.NOT_LITERAL:
        return ALPHABET - {chr(value)}
    if op is ops.ANY:
        return ALPHABET
    if op is ops.RANGE:
        return frozenset(chr(code) for code in range(value[0], value[1] + 1))
    if op is ops.CATEGORY:
        return _CLASSES[value]
    if op is ops.IN:
        negated = value[0][0] is ops.NEGATE
        inside = frozenset().union(*(_characters(*part) for part in value[negated:]))
        return ALPHABET - inside if negated else inside
    raise NotImplementedError(f"{op} in an expression of paths")


def common(first: Automaton, second: Automaton) -> str | None:
    """A shortest string that both expressions match; None where there is none."""
    begin = (first.start, second.start)
    waiting, seen = deque([(begin, "")]), {begin}
    while waiting:
        (one, other), actual = waiting.popleft()
        ones, others = first.closure(one), second.closure(other)
        if first.end in ones and second.end in others:
            return actual
        for mine in (step for state in ones for step in first.steps[state] if step[0] is not None):
            for theirs in (step for state in others for step in second.steps[state] if step[0] is not None):
                both, pair = mine[0] & theirs[0], (mine[1], theirs[1])
                if both and pair not in seen:
                    seen.add(pair)
                    waiting.append((pair, actual + min(both)))
    return None
