"""What the vision-language methods of personalisation share."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from waver.config.section import Section


class VisionLanguageConfig(Section):
    """CLIP's classes, and views of a face; the checkpoint itself is ``models.paths.clip``."""

    template: str = Field(
        "a person with an expression of {}", description="sentence of a class; {} stands for the class's word"
    )
    words: tuple[str, str] = Field(
        ("neutral", "ambivalence"), description="words of the classes: without A/H, with A/H"
    )
    prompts: tuple[tuple[str, ...], tuple[str, ...]] = Field(
        ((), ()),
        description="sentences of each class for methods that average several, as many of one as of the other, at "
        "least 3; empty: the template with several words, and descriptions",
    )
    views: int = Field(64, ge=2, description="views of a face: as it is, mirrored, and random crops (64 in TPT)")
    least_area: float = Field(
        0.5,
        gt=0,
        le=1,
        description="least share of the face in a crop (0.08 in TPT, for pictures that are not aligned)",
    )
    batch: int = Field(64, ge=1, description="pictures of a forward pass")

    @model_validator(mode="after")
    def _usable(self) -> Self:
        if self.template.count("{}") != 1:
            raise ValueError("template must have one {} for the word of the class")
        counts = {len(own) for own in self.prompts}
        if len(counts) > 1 or (counts != {0} and min(counts) < 3):
            raise ValueError("prompts must be two lists of equally many sentences, 3 or more, or both empty")
        return self
