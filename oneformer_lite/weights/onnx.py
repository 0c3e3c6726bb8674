"""A whole model as one ONNX file, which onnxruntime runs in C++, JavaScript or Python, without PyTorch.

The task is an input, so that one file segments all three ways; what else a program must know (classes,
normalisation, size) stands in the file's metadata, each value as JSON. Text branch and earlier predictions are left
out: they serve training.
"""

from __future__ import annotations

import copy
import importlib.util
import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from ..config import BaseConfig
from ..data.batch import PIXEL_MEAN, PIXEL_STD, padded_size
from ..data.sample import TASKS
from ..errors import ConfigError
from ..files import path_of, replacing
from ..notices import warn_user
from .folder import check_saved

if TYPE_CHECKING:
    from onnx import ModelProto

    from ..model import MaskModel

Size = tuple[int, int]

FILE = "model.onnx"
OUTPUTS = ("class_logits", "mask_logits")
_FIXED = "tracing inferred a static shape"  # the exporter's words for a size that the model's code does not leave open
LIMIT = 2**31  # bytes: what one protobuf message, and so one ONNX file, can hold
USAGE = (
    "Inputs: images float32 [batch, 3, height, width], RGB, (pixel - pixel_mean) / pixel_std with pixels 0 to 255, "
    "smaller pictures padded with pad_value at the bottom and the right; unless the list tasks is empty, task int64 "
    "[batch], the place of each image's task in that list. Outputs: class_logits float32 [batch, queries, classes + "
    "1], the last one of no object; mask_logits float32 [batch, queries, height / mask_stride, width / "
    "mask_stride], above 0 inside; of models that have them boxes float32 [batch, queries, 4]: centre x, y, width, "
    "height, in shares of the picture."
)


class Segmenter(nn.Module):
    """What the file computes: ``images`` [B, 3, H, W] and ``task`` [B] to class and mask logits, and boxes of models
    that have some.

    The tokens of the three tasks are computed beforehand: a program needs no tokenizer. Of a model that is not told its
    task there are none, and ``images`` are the only input.
    """

    def __init__(self, model: MaskModel) -> None:
        super().__init__()
        self.model = model
        with torch.no_grad():
            self.register_buffer("tokens", model.task_token(TASKS))  # [3, C]

    @property
    def inputs(self) -> tuple[str, ...]:
        return ("images",) if self.tokens is None else ("images", "task")

    @property
    def outputs(self) -> tuple[str, ...]:
        return (*OUTPUTS, "boxes") if self.model.config.has_term("box") else OUTPUTS

    def forward(self, images: Tensor, task: Tensor | None = None) -> tuple[Tensor, ...]:
        token = None if task is None else self.tokens[task]
        final = self.model.read(self.model.encode(images), token)[-1]
        return tuple(getattr(final, name) for name in self.outputs)


def save_onnx(model: MaskModel, path: str | Path, size: Size | None = None) -> Path:
    """Write ``model`` for pictures of ``size`` (height, width; default: a square of the side it was trained with).

    Inputs ``images`` float32 [B, 3, H, W], normalised as by ``ofl.data.collate``, and ``task`` int64 [B], 0 panoptic,
    1 instance, 2 semantic (of models that are told it); outputs ``class_logits`` [B, Q, K+1] and ``mask_logits``
    [B, Q, H/4, W/4] (4: ``config.mask_stride``), and of DETR ``boxes`` [B, Q, 4]. B is free, H and W are not: position
    maps and the padding of windows are worked out once, for this size.

    Raises :class:`ConfigError` for sides that 32 does not divide, without the packages onnx and onnxscript, and for
    models that PyTorch cannot convert or that one file cannot hold.
    """
    if missing := [name for name in ("onnx", "onnxscript") if importlib.util.find_spec(name) is None]:
        raise ConfigError(
            f"writing ONNX needs {' and '.join(missing)}: pip install onnx onnxscript onnxruntime "
            "(the last one runs and checks the file)"
        )
    check_saved(model)
    path = path_of(path, "the file to write")
    size = checked_size(model.config, size)
    content = to_proto(model, size).SerializeToString()
    with replacing(path) as draft:
        draft.write_bytes(content)
    return path


def checked_size(config: BaseConfig, size: Size | None) -> Size:
    """``size``, or the model's own, if it is a multiple of what pictures are padded to; else :class:`ConfigError`."""
    divisor = config.padding_multiple
    size = tuple(size or padded_size([(config.image_size, config.image_size)], divisor))
    if len(size) != 2 or any(side < divisor or side % divisor for side in size):
        raise ConfigError(
            f"the size of an ONNX model is a height and a width that are multiples of {divisor}, got {list(size)}: "
            "round up, and pad smaller pictures with zeros"
        )
    return size


def to_proto(model: MaskModel, size: Size) -> ModelProto:
    """The ONNX graph with weights and metadata; the model itself stays as it is."""
    from onnx.helper import set_model_props

    segmenter = Segmenter(copy.deepcopy(model).to("cpu", torch.float32).eval())
    weights = sum(value.nbytes for value in segmenter.state_dict().values())
    for part in set(model.training_only).difference(model.missing_parts):
        weights -= sum(value.nbytes for value in getattr(segmenter.model, part).state_dict().values())
    if weights >= LIMIT:
        raise ConfigError(
            f"the model's weights take {weights / 1e9:.1f} GB, but an ONNX file holds no more than "
            f"{LIMIT / 1e9:.1f} GB: choose a smaller backbone"
        )
    try:
        try:
            proto = _converted(segmenter, size)
        except RuntimeError as error:
            if _FIXED not in str(error):
                raise
            warn_user(
                f"the file takes one picture at a time: the code of {type(model).__name__} fixes the number of "
                "pictures, as len(tensor) does and tensor.shape[0] does not"
            )
            proto = _converted(segmenter, size, fixed=True)
    except RuntimeError as error:  # the exporter's own, and that of the passes that follow
        reason = f"PyTorch {torch.__version__} cannot convert this model to ONNX: {_root(error)}"
        raise ConfigError(reason) from error
    proto.doc_string = USAGE
    pad_value = segmenter.model.padded(torch.zeros(1, 3, 1, 1))[0, :, -1, -1].tolist()
    set_model_props(proto, metadata(model.config, size, TASKS if "task" in segmenter.inputs else (), pad_value))
    return proto


def _converted(segmenter: Segmenter, size: Size, fixed: bool = False) -> ModelProto:
    """For any number of pictures, or ``fixed`` for one. Raises RuntimeError where PyTorch cannot."""
    names = segmenter.inputs
    count = 1 if fixed else 2  # a batch of one is taken for a fixed size
    inputs = (torch.zeros(count, 3, *size), torch.zeros(count, dtype=torch.int64))[: len(names)]
    shapes = None if fixed else dict.fromkeys(names, {0: "batch"})
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's notes on its own versions and passes
        program = torch.onnx.export(
            segmenter, inputs, dynamo=True, verbose=False, dynamic_shapes=shapes, input_names=names,
            output_names=segmenter.outputs,
        )  # fmt: skip
    return program.model_proto


def _root(error: BaseException) -> str:
    """The first line of what went wrong first."""
    while error.__cause__ is not None:
        error = error.__cause__
    return next(filter(None, str(error).splitlines()), type(error).__name__)


def metadata(
    config: BaseConfig, size: Size, tasks: Sequence[str] = TASKS, pad_value: Sequence[float] = (0.0, 0.0, 0.0)
) -> dict[str, str]:
    """What a program that has nothing but the file needs to prepare pictures and to read the outputs, as JSON."""
    facts = {
        "usage": USAGE,
        "tasks": tuple(tasks),
        "size": size,
        "pixel_mean": PIXEL_MEAN,
        "pixel_std": PIXEL_STD,
        "pad_value": tuple(pad_value),  # of normalised pixels
        "mask_stride": config.mask_stride,
        "equalize": config.equalize,
        "stretch": config.stretch,
        "class_names": config.class_names,
        "is_thing": config.is_thing,
        "class_colors": config.class_colors,
        "category_ids": config.category_ids,
        "object_mask_threshold": config.object_mask_threshold,
        "overlap_threshold": config.overlap_threshold,
        "merge_within_masks": config.merge_within_masks,
        "max_instances": config.max_instances,
        "duplicate_iou": config.duplicate_iou,
        "postprocessing": config.POSTPROCESSING,  # whose rules: those of "detr" differ
    }
    return {name: json.dumps(value) for name, value in facts.items()}


def onnx_difference(model: MaskModel, path: str | Path) -> float | None:
    """By how much onnxruntime's outputs differ from the model's: the largest difference of a number, relative to the
    largest of its kind, over the three tasks on one picture of noise. ``None`` where onnxruntime is not installed.
    """
    if importlib.util.find_spec("onnxruntime") is None:
        return None
    from onnxruntime import InferenceSession

    session = InferenceSession(str(path), providers=["CPUExecutionProvider"])
    size = json.loads(session.get_modelmeta().custom_metadata_map["size"])
    images = torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(0))
    model = copy.deepcopy(model).to("cpu", torch.float32).eval()
    worst = 0.0
    names = {given.name for given in session.get_inputs()}
    outputs = [made.name for made in session.get_outputs()]
    for number, task in enumerate(TASKS if "task" in names else TASKS[:1]):
        given = {"images": images.numpy(), "task": torch.tensor([number]).numpy()}
        found = session.run(outputs, {name: given[name] for name in names})
        with torch.inference_mode():
            wanted = model(images, task)
        for a, b in zip(found, (getattr(wanted, name) for name in outputs)):
            difference = (torch.from_numpy(a) - b).abs().max() / b.abs().max()
            worst = max(worst, difference.item())
    return worst
