"""Readers of the published data sets' archives and of interrupted downloads, as the fuzzer calls them."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from pathlib import Path
from unittest import mock

import numpy as np
from containers import picture, tar_file, zip_file
from data_readers import encoded, look_at, open_split, scene
from mutations import json_text, raw
from reader import reader


def ade20k_files() -> dict[str, bytes]:
    semantic, instance = np.zeros((8, 12), np.uint8), np.zeros((8, 12, 3), np.uint8)
    semantic[:3], semantic[3:6], semantic[6:, :4] = 3, 1, 8
    instance[2:5, 1:4], instance[3:8, 6:9] = (4, 2, 9), (9, 5, 9)
    maps = {"semantic": semantic, "instances": instance}
    files = {f"annotations/raw_{kind}_val/a.png": encoded(pixels) for kind, pixels in maps.items()}
    return files | {"val/a.jpg": encoded(scene(shape=(8, 12)), "JPEG")}


@reader(ade20k_files, {name: picture for name in ade20k_files()})
def ade20k(folder: Path) -> None:
    from oneformer_lite.data.instance import InstanceDataset
    from oneformer_lite.data.published import ade20k

    ade20k._convert(folder, "val", workers=1)
    look_at(open_split(folder))
    look_at(InstanceDataset(folder / "val", folder / "annotations/instances_val.json"))


def zipped(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def tarred(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def cityscapes_files() -> dict[str, bytes]:
    ids = np.array([[7, 11, 26000, 26001], [23, 26, 33002, 0]], np.uint16).repeat(6, 0).repeat(4, 1)
    stem = "val/ulm/ulm_000000_000019"
    pictures = {f"leftImg8bit/{stem}_leftImg8bit.png": encoded(scene(shape=ids.shape))}
    labels = {f"gtFine/{stem}_gtFine_instanceIds.png": encoded(ids), "license.txt": b"..."}
    return {"leftImg8bit_trainvaltest.zip": zipped(pictures), "gtFine_trainvaltest.zip": zipped(labels)}


def _map_in_zip(content: bytes, rng) -> bytes:
    """Mostly the map that lies in the archive is another one."""
    if rng.random() < 0.3:
        return zip_file(content, rng)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        files = {info.filename: archive.read(info) for info in archive.infolist()}
    name = next(name for name in files if name.endswith(".png"))
    return zipped(files | {name: picture(files[name], rng)})


@reader(cityscapes_files, {name: _map_in_zip for name in cityscapes_files()})
def cityscapes(folder: Path) -> None:
    from oneformer_lite.data.published.cityscapes import prepare_cityscapes

    prepare_cityscapes(folder, workers=1, counts={"val": 1})
    look_at(open_split(folder))


def archive_files() -> dict[str, bytes]:
    files = {"a/1.png": encoded(scene(1)), "a/2.png": encoded(scene(2)), "notes.json": b"{}"}
    return {"a.zip": zipped(files), "a.tar": tarred(files)}


@reader(archive_files, {"a.zip": zip_file, "a.tar": tar_file}, share=2)
def archives(folder: Path) -> None:
    """Nothing but what was unpacked may lie outside of the folder for it."""
    from oneformer_lite.data.published.archive import open_archive, staged, unpack

    for name in ("a.zip", "a.tar"):
        with open_archive(folder / name) as members, staged(folder / f"out/{name}") as draft:
            unpack(members, draft, lambda name: name, "all")
    assert {path.name for path in folder.iterdir()} <= {"a.zip", "a.tar", "out"}


def part_files() -> dict[str, bytes]:
    record = {"identity": {"size": 20, "version": "v", "piece": 64 * 2**20}, "done": [8]}
    return {"a.zip.part": b"x" * 8, "a.zip.part.json": json.dumps(record).encode()}


@reader(part_files, {"a.zip.part.json": json_text, "a.zip.part": raw})
def part_json(folder: Path) -> None:
    """The record of a download that was interrupted; the server says that it has nothing more."""
    from oneformer_lite.data.published import download
    from oneformer_lite.data.published.remote import Remote

    part = download.Part(folder / "a.zip", Remote("http://localhost/a.zip", 20, "v", True))
    assert all(0 <= count <= 20 for count in part.done)
    with mock.patch.object(download.Part, "_fetch_piece"):
        part.fill(1)
