"""Parts of OneFormer that may be left out or exchanged, to see what each is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from .traits import Traits


@dataclass(frozen=True)
class AblatedTraits(Traits):
    """As published unless told otherwise: of the rows of the paper's ablations those that are no matter of sizes or
    weights."""

    ABLATIONS: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "query_start": ("task", "zeros"),
        "text_template": ("a photo with a {CLS}", "{CLS}", "a photo with a {CLS} {TYPE}"),
    }

    # False: all tasks have the same token, so that a model is not told which is meant
    knows_task: bool = True
    # what all queries start as before they have seen the picture; the task token stays the last query in any case
    query_start: str = "task"
    # False: queries look everywhere, in every layer
    masked_attention: bool = True
    # a query whose mask is empty looks everywhere; False: it sees nothing in that layer
    rescue_empty_masks: bool = True
    # predictions of all layers have losses; False: the last alone
    deep_supervision: bool = True
    # what stands in a text for each mask: its class, and the name of the task
    text_template: str = "a photo with a {CLS}"
    # of cross-entropy between each object query, before the decoder, and the class of the text with the same number
    # ("no object" for padding), as a simpler teacher in place of the contrastive loss
    query_class_weight: float = 0.0

    def has_term(self, name: str) -> bool:
        return super().has_term(name) and (name != "query_class" or self.query_class_weight > 0)

    def supervised(self, predictions: Sequence) -> Sequence:
        return predictions if self.deep_supervision else predictions[-1:]

    @property
    def rows_of_classes(self) -> Mapping[str, tuple[int, ...]]:
        return {**super().rows_of_classes, "query_class_head": tuple(range(self.num_classes))}
