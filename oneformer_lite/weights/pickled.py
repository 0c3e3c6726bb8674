"""PyTorch's own weight files (``.pth``, ``.bin``), from anywhere.

They are pickles, which can hold code: they are read with ``weights_only=True``, which refuses everything but plain
data. Data can still lie about its size. A tensor may claim a shape far beyond the numbers that are stored (1 kB of
file, 40 GB once copied), an archive may be compressed a thousandfold: what a file claims is compared with what it
weighs before anything of that size is made.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZIP_STORED, BadZipFile, ZipFile, ZipInfo

import torch
from torch import Tensor

from ..errors import CheckpointError
from .names import State
from .pickle_tuples import check_tuples

_ARCHIVE = b"PK\x03\x04"
_OLD_PICKLES = 5  # magic number, version, machine, the table, keys of what follows
_MOST_PICKLE = 16 * 2**20  # bytes of names and shapes; a published model has a tenth of a megabyte of them


def read_pickled(path: Path) -> State:
    """A PyTorch file's weights, which official codes keep under the key "model", or Lightning under "state_dict"."""
    try:
        check_archive(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about kinds of tensors and pickles that are refused all the same
            content = torch.load(path, map_location="cpu", weights_only=True)
    except CheckpointError:
        raise
    except PermissionError as error:
        raise CheckpointError(f"{path} may not be read: check its permissions") from error
    except Exception as error:  # a damaged file raises another kind at every byte
        # torch's own words are not repeated: they advise to read such a file all the same
        raise CheckpointError(
            f"{path} is no complete PyTorch weights file, or holds more than tensors, which is not read because "
            "it could run as code: download it again from where it was published"
        ) from error
    for key in ("model", "state_dict"):
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict) or not all(isinstance(k, str) and _plain(v) for k, v in content.items()):
        raise CheckpointError(f"{path} holds no table of named weights: it is not a model")
    try:
        check_claims(content, path.stat().st_size)
    except ValueError as error:
        raise CheckpointError(
            f"{path}: {error}, so it is no model's; download it again from where it was published"
        ) from error
    return content


def check_archive(path: Path) -> None:
    """PyTorch's archives store every tensor as it is: nothing in them is compressed, or larger than the whole, and no
    pickle in them, nor in the format of before 2020, has tuples that break Python's stack.

    Raises ValueError, :class:`zipfile.BadZipFile` or another error otherwise, before anything is unpacked.
    """
    with path.open("rb") as file:
        if file.read(len(_ARCHIVE)) != _ARCHIVE:  # as PyTorch asks it, which looks at no other place
            file.seek(0)
            for _ in range(_OLD_PICKLES):
                check_tuples(file)
            return
    with ZipFile(path) as archive:
        entries = archive.infolist()
        pickles = [entry for entry in entries if entry.filename.lower().endswith(".pkl")]  # PyTorch takes either case
        _check_sizes(entries, pickles, path.stat().st_size)
        for entry in pickles:
            check_tuples(io.BytesIO(archive.read(entry)))


def _check_sizes(entries: list[ZipInfo], pickles: list[ZipInfo], size: int) -> None:
    claimed, names = (sum(entry.file_size for entry in part) for part in (entries, pickles))
    if any(entry.compress_type != ZIP_STORED for entry in entries) or claimed > size:
        raise BadZipFile("compressed, or larger than its archive")
    if names > _MOST_PICKLE:
        raise BadZipFile(f"{names} bytes that are no numbers")


def check_claims(content: object, size: int) -> None:
    """Raise ValueError unless all tensors in these tables and lists are what a file of ``size`` bytes can store."""
    claimed = 0
    for tensor in _tensors(content):
        if not _plain(tensor):
            raise ValueError(f"it holds a tensor that is not plain ({tensor.layout}, {tensor.device}, {tensor.dtype})")
        claimed += tensor.numel() * tensor.element_size()
    if claimed > 2 * size:  # twice: weights that two names share are stored once
        raise ValueError(f"it has {size} bytes, but its weights claim {claimed}: they are not what is stored in it")


def _tensors(content: object) -> Iterator[Tensor]:
    """Those in nested tables and lists, as often as each is named there; a table or list that comes again (in itself,
    or doubled a hundred times) is looked through once."""
    left, seen = [content], set()
    while left:
        item = left.pop()
        if isinstance(item, Tensor):
            yield item
        elif isinstance(item, (dict, list, tuple, set)) and id(item) not in seen:
            seen.add(id(item))
            left += item.values() if isinstance(item, dict) else item


def _plain(value: object) -> bool:
    """Whether this is a tensor of numbers that lie in memory one by one."""
    return (
        isinstance(value, Tensor)
        and value.layout is torch.strided
        and value.device.type == "cpu"
        and not (value.is_quantized or value.is_nested)
    )
