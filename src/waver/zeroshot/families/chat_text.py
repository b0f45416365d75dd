"""A prompt as a chat, by the template of a model's folder.

A template is a program that came with the model. The library keeps it from files and objects, not from endless work.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from waver.errors import WaverError
from waver.io.bounded import OutOfBoundsError, in_bounds


def chat_text(tokenizer: Any, turns: Sequence[Any], template: str | None = None) -> str:
    """The turns as the model was trained to read them, up to where its own turn begins.

    Args:
        tokenizer: of the transformers library.
        turns: with ``role`` and ``content``.
        template: Jinja; None: the tokenizer's own.

    Raises:
        WaverError: the template is no program that ends soon, or refuses the turns.
    """
    render = partial(
        tokenizer.apply_chat_template, chat_template=template, tokenize=False, add_generation_prompt=True,
        enable_thinking=False,  # models that think would do so before they answer
    )  # fmt: skip
    try:
        text: str = in_bounds(render, list(turns))
    except OutOfBoundsError as problem:
        raise _refused(f"it {problem}") from None
    except Exception as problem:  # of Jinja, or of what the template does
        # what it says may quote the prompt, and so a person; its own words do not
        own = str(problem) and str(problem) in (template or str(tokenizer.chat_template))
        raise _refused(str(problem) if own else type(problem).__name__) from None
    return text


def _refused(why: str) -> WaverError:
    return WaverError(f"the model's chat template cannot be used ({why}); give the checkpoint's own template")
