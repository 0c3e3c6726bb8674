"""What the rest of the package asks a member's configuration, and what most members answer; others override it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from ..data.sample import TASKS
from ..errors import ConfigError


class Traits:
    """How a member is trained, matched and read, where that is no choice of the reader's."""

    model_type: ClassVar[str] = ""  # the name by which files and ``model.build`` know the member
    # settings by which the member's published training differs from OneFormer's on the same data set
    RECIPE: ClassVar[Mapping[str, object]] = {}
    # how its output is read (a name in inference/postprocessing.py), by which costs queries are matched (names in
    # losses/matching.py) and classes by which one (in losses/classes.py), what is added to areas of boxes that are
    # divided by, whether boxes are shares of the padded picture, whether masks are made of the scores of attention, and
    # whether the masks of "every" prediction have a loss or those of the "last"
    POSTPROCESSING: ClassVar[str] = "mask2former"
    MATCHED_BY: ClassVar[tuple[str, ...]] = ("class", "mask", "dice")
    CLASS_COST: ClassVar[str] = "probability"
    BOX_EPSILON: ClassVar[float] = 0.0
    BOXES_WITH_PADDING: ClassVar[bool] = False
    ATTENTION_MAKES_MASKS: ClassVar[bool] = False
    MASKS_IN_LOSSES: ClassVar[str] = "every"
    # the cost by which masks are matched (losses/matching.py), if not that of mask_loss; whether each prediction is
    # matched by what the one before it says; and whether the first is of masks alone: its classes have no loss, and the
    # masks of its fixed queries have the semantic one in place of their own
    MASK_COST: ClassVar[str] = ""
    MATCHED_BEFORE: ClassVar[bool] = False
    FIRST_IS_SEMANTIC: ClassVar[bool] = False

    num_classes: int

    def has_term(self, name: str) -> bool:
        """Whether a term of the loss belongs to this model: it has a weight."""
        return hasattr(self, f"{name}_weight")

    def supervised(self, predictions: Sequence) -> Sequence:
        """Those of a model's predictions, first to last, that have losses."""
        return predictions

    @property
    def sharpened_by(self) -> float | None:
        """The temperature of the softmax that makes a distribution of classes which have sigmoids, where they weigh
        masks; None: they weigh as they are."""
        return None

    @property
    def also_supervised(self) -> tuple[str, ...]:
        """Whose predictions have losses of their own besides those that come from layer to layer: the terms are called
        "selection_class", "selection_mask" ... and have the weights of "class", "mask" ..."""
        return ()

    @property
    def recipe(self) -> Mapping[str, object]:
        """:attr:`RECIPE`, and what depends on the data set or the backbone."""
        return self.RECIPE

    @property
    def learned_tasks(self) -> tuple[str, ...]:
        """The tasks whose targets it learns from, as far as the annotation supplies them."""
        return TASKS

    @property
    def answered_tasks(self) -> tuple[str, ...]:
        """The tasks for which its output means something."""
        return TASKS

    @property
    def fixed_queries(self) -> Mapping[int, int]:
        """Of those classes for which always the same query answers, that query; the others are matched."""
        return {}

    @property
    def rows_of_classes(self) -> Mapping[str, tuple[int, ...]]:
        """Of parts whose rows are classes (by the last word of their name) these classes, in order; a row for no object
        may follow. Fine-tuning finds them again by their names."""
        return {"class_head": tuple(range(self.num_classes))}

    @property
    def matching_shrink(self) -> int:
        """By how much masks that are matched on all pixels are shrunk before."""
        return 1

    @property
    def learns_absence(self) -> bool:
        """Whether classes that a picture has not are learned as well, as empty masks of their fixed queries; pixels
        without a class are then left out."""
        return False

    @property
    def windowed(self) -> bool:
        """Whether the semantic task slides a square window of ``image_size`` along the picture (inference/windows.py)
        instead of looking at it as a whole."""
        return False

    @property
    def sums_before_resizing(self) -> bool:
        """Whether the class scores of the semantic task are summed at the size of the input and the sums resized, not
        the masks."""
        return False

    def answers(self, supplied: Sequence[str]) -> list[str]:
        """Of the tasks that an annotation supplies those that this model can be judged by, in their usual order."""
        return [task for task in TASKS if task in supplied and task in self.answered_tasks]

    def check_answers(self, task: str) -> None:
        """Raises :class:`ConfigError` for a task that this model has not learned, and that cannot be read from what it
        has."""
        if task not in self.answered_tasks:
            learned = " and ".join(self.learned_tasks)
            raise ConfigError(
                f"this {self.model_type} model was trained for {learned} segmentation alone, and is not told its task, "
                f"so it has no answer for {task!r}: ask for {learned}, or take a panoptic model, from which all three "
                "tasks can be read"
            )


@dataclass(frozen=True)
class DenoisingTraits(Traits):
    """Of members that may learn from noised truth besides (``model/parts/denoising.py``). They predict without it."""

    # about how many noised queries join in: as many groups of all masks of a picture as fit; 0: none, as in the papers
    # of OneFormer and Mask2Former. MP-Former takes one group
    denoising_queries: int = 0
    # how far they are from the truth: the probability of a wrong label, and how many cells are exchanged, in shares of
    # a mask's area
    denoising_noise: float = 0.2

    @property
    def rows_of_classes(self) -> Mapping[str, tuple[int, ...]]:
        return {**super().rows_of_classes, "class_table": tuple(range(self.num_classes))}

    @property
    def also_supervised(self) -> tuple[str, ...]:
        return super().also_supervised + ("denoising",) * (self.denoising_queries > 0)
