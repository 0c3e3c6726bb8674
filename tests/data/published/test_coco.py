"""COCO from a local server: fetched, verified, unpacked, resumed, and split."""

import dataclasses
import hashlib
import inspect
import io
import zipfile

import numpy as np
import pytest
from web import Web

from oneformer_lite.cli import main
from oneformer_lite.data.opening import open as open_split
from oneformer_lite.data.panoptic_writing import write_panoptic
from oneformer_lite.data.published import archive, coco, remote
from oneformer_lite.data.published import jobs as published
from oneformer_lite.data.published.coco import Release, download_coco, split_val
from oneformer_lite.data.published.jobs import Archive, Job, disk_needs
from oneformer_lite.errors import DataError

COUNTS = {"val2017": 20, "train2017": 7}


def zip_folder(folder, names):
    """An archive in memory of the files under ``folder`` that ``names`` (globs) choose, stored as COCO's are."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for path in sorted(path for name in names for path in folder.glob(name)):
            file.write(path, path.relative_to(folder))
    return buffer.getvalue()


@pytest.fixture(scope="module")
def official(tmp_path_factory, make_sample):
    """The three archives in the official structure: PNGs in archives within the archive, made on a Mac."""
    folder = tmp_path_factory.mktemp("official")
    for split, count in COUNTS.items():
        samples = (make_sample(i + 1, f"{i + 1:012d}.jpg") for i in range(count))
        pngs = folder / "annotations" / f"panoptic_{split}"
        write_panoptic(folder / split, pngs.with_suffix(".json"), folder / pngs.name, samples)
        (folder / "__MACOSX" / pngs.name).mkdir(parents=True)
        (folder / "__MACOSX" / pngs.name / "._000000000001.png").write_bytes(b"Mac")
        pngs.with_suffix(".zip").write_bytes(zip_folder(folder, [f"{pngs.name}/*", f"__MACOSX/{pngs.name}/*"]))
    archives = {f"{split}.zip": zip_folder(folder, [f"{split}/*"]) for split in COUNTS}
    archives["panoptic_annotations_trainval2017.zip"] = zip_folder(folder, ["annotations/*.*"])
    return archives


@pytest.fixture
def web(official, monkeypatch):
    monkeypatch.setattr(remote, "PAUSE", 0.01)
    server = Web(**official)
    yield server
    server.close()


def release(official, web):
    def archive(name):
        return Archive(web.url(name), len(official[name]), hashlib.sha256(official[name]).hexdigest())

    pictures = {split: (archive(f"{split}.zip"), count) for split, count in COUNTS.items()}
    return Release(pictures, archive("panoptic_annotations_trainval2017.zip"))


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_official_addresses_sizes_and_counts():
    """Sizes and checksums as several independent users of the files have noted them."""
    assert [archive.url for archive, _ in coco.COCO_2017.pictures.values()] == [
        "http://images.cocodataset.org/zips/val2017.zip",
        "http://images.cocodataset.org/zips/train2017.zip",
    ]
    assert coco.PANOPTIC_ZIP.url.endswith("/annotations/panoptic_annotations_trainval2017.zip")
    assert [count for _, count in coco.COCO_2017.pictures.values()] == [5000, 118287]
    for published_file in (coco.VAL_ZIP, coco.TRAIN_ZIP, coco.PANOPTIC_ZIP):
        assert len(published_file.sha256) == 64 and published_file.size > 8e8


def test_everything_is_fetched_verified_laid_out_and_not_done_twice(official, web, tmp_path, capsys):
    root = tmp_path / "coco"
    download_coco(root, release=release(official, web))
    said = capsys.readouterr().out
    assert "panoptic_annotations_trainval2017.zip, val2017.zip, train2017.zip to fetch" in said
    assert "are free" in said and "/s that one connection brings" in said
    assert names(root) == ["annotations", "train2017", "val2017"]
    assert names(root / "annotations") == [
        "panoptic_train2017", "panoptic_train2017.json", "panoptic_val2017", "panoptic_val2017.json",
    ]  # fmt: skip
    for split, count in COUNTS.items():
        data = open_split(root, split)
        assert len(data) == count and len([data[i] for i in range(count)]) == count
    asked = len(web.requests)
    download_coco(root, release=release(official, web))
    assert len(web.requests) == asked and capsys.readouterr().out == ""


def test_only_val_leaves_train_out_and_splits_val(official, web, tmp_path):
    download_coco(tmp_path, only="val", release=release(official, web))
    assert "train2017" not in names(tmp_path) and "panoptic_train2017" not in names(tmp_path / "annotations")
    assert "/train2017.zip" not in {path for path, _ in web.requests}
    whole, train, test = (open_split(tmp_path, s) for s in ("val2017", "val2017-train", "val2017-test"))
    assert test.image_ids == [10, 20] and sorted(train.image_ids + test.image_ids) == sorted(whole.image_ids)
    for part in (train, test):
        for i in range(len(part)):
            j = whole.image_ids.index(part.image_ids[i])
            assert np.array_equal(part[i].image, whole[j].image) and part[i].segments == whole[j].segments
    assert (tmp_path / "val2017-train").is_symlink() and (tmp_path / "annotations/panoptic_val2017-test").is_symlink()
    asked = len(web.requests)
    download_coco(tmp_path, only="val", release=release(official, web))
    assert len(web.requests) == asked
    download_coco(tmp_path, release=release(official, web))  # later the rest: val is not fetched again
    assert [path for path, _ in web.requests[asked:]].count("/val2017.zip") == 0
    assert len(open_split(tmp_path, "train2017")) == COUNTS["train2017"]


def test_where_folders_cannot_be_linked_files_are(official, web, tmp_path, monkeypatch):
    def refuse(*args, **options):
        raise OSError(1314, "A required privilege is not held by the client")

    monkeypatch.setattr(coco.os, "symlink", refuse)
    download_coco(tmp_path, only="val", release=release(official, web))
    data = open_split(tmp_path, "val2017-test")
    assert data[1].image_id == 20
    assert (tmp_path / "val2017-test/000000000020.jpg").samefile(tmp_path / "val2017/000000000020.jpg")


def test_the_split_of_the_real_size_is_4500_and_500(tmp_path):
    (tmp_path / "annotations/panoptic_val2017").mkdir(parents=True)
    (tmp_path / "val2017").mkdir()
    ids = [7 * i + 3 for i in range(5000)]
    entries = {"images": [{"id": i, "file_name": f"{i}.jpg"} for i in reversed(ids)], "categories": []}
    entries["annotations"] = [{"image_id": i, "file_name": f"{i}.png", "segments_info": []} for i in ids]
    coco.write_json(tmp_path / "annotations/panoptic_val2017.json", entries)
    split_val(tmp_path)
    train, test = (open_split(tmp_path, f"val2017-{part}") for part in ("train", "test"))
    assert (len(train), len(test)) == (4500, 500) and not set(train.image_ids) & set(test.image_ids)
    assert test.image_ids[:2] == [ids[9], ids[19]]


def test_interrupted_anywhere_the_same_call_finishes(official, web, tmp_path, monkeypatch):
    """Stopped within each unpacking in turn, as if by Ctrl-C: what looks complete always is."""
    unpack, stopped = archive.unpack, set()

    def unpack_some(members, draft, rename, text):
        if text in stopped:
            return unpack(members, draft, rename, text)
        stopped.add(text)
        unpack(members[:2], draft, rename, text)
        raise KeyboardInterrupt

    for module in (archive, coco):
        monkeypatch.setattr(module, "unpack", unpack_some)
    for _ in range(6):  # PNGs, JSON and pictures of two splits
        with pytest.raises(KeyboardInterrupt):
            download_coco(tmp_path, release=release(official, web))
        assert not any((tmp_path / split).exists() and len(names(tmp_path / split)) < COUNTS[split] for split in COUNTS)
    download_coco(tmp_path, release=release(official, web))
    assert names(tmp_path) == ["annotations", "train2017", "val2017"]
    assert all(len([*open_split(tmp_path, split)]) == count for split, count in COUNTS.items())
    fetched = [path for path, wanted in web.requests if wanted and wanted != "bytes=0-0" and wanted != "bytes=0-"]
    assert len(fetched) == len(set(fetched)) == 3  # each archive once


def test_a_half_copied_folder_is_not_taken_for_complete(official, web, tmp_path):
    (tmp_path / "val2017").mkdir()
    (tmp_path / "val2017/000000000001.jpg").touch()
    with pytest.raises(DataError, match="val2017 holds 1 files instead of 20.*move it away or delete it"):
        download_coco(tmp_path, release=release(official, web))
    assert not web.requests


def test_an_archive_with_too_few_files_never_becomes_a_folder(official, web, tmp_path):
    published = release(official, web)
    published = dataclasses.replace(published, pictures={"val2017": (published.pictures["val2017"][0], 21)})
    with pytest.raises(DataError, match="files instead of 21"):
        download_coco(tmp_path, release=published)
    assert not (tmp_path / "val2017").exists() and not (tmp_path / "annotations/panoptic_val2017").exists()


def test_a_wrong_archive_within_the_archive_is_refused(official, web, tmp_path):
    published = release(official, web)
    wrong = Archive(published.pictures["val2017"][0].url)
    with pytest.raises(DataError, match="lacks panoptic_val2017.zip or panoptic_val2017.json"):
        download_coco(tmp_path, release=dataclasses.replace(published, annotations=wrong))


def test_archives_of_the_user_are_used_and_kept(official, web, tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    for name, content in official.items():
        (mine / name).write_bytes(content)
    download_coco(tmp_path / "coco", archives=mine, release=release(official, web))
    assert not web.requests and names(mine) == sorted(official)
    assert len(open_split(tmp_path / "coco", "val2017")) == 20


def test_a_small_disk_is_refused_before_fetching(official, web, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("oneformer_lite.data.published.archive.free_space", lambda folder: 1000)
    with pytest.raises(DataError, match="to fetch and unpack, .* are needed on the disk"):
        download_coco(tmp_path, release=release(official, web))
    assert not web.requests
    assert "disk: about" in capsys.readouterr().out


def test_the_needs_of_the_real_files(monkeypatch):
    val, train, notes = coco.VAL_ZIP, coco.TRAIN_ZIP, coco.PANOPTIC_ZIP
    jobs = [Job(notes, 10**9, ()), Job(val, val.size, ()), Job(train, train.size, ())]
    peak, in_the_end = disk_needs(jobs, [notes, val, train])
    assert in_the_end == 10**9 + val.size + train.size
    assert peak == in_the_end + train.size  # while the largest is unpacked, with the others done
    assert disk_needs(jobs, [notes, val])[0] == max(in_the_end, 10**9 + 2 * val.size)


def test_the_command_with_a_mirror(official, web, tmp_path, monkeypatch, capsys):
    inner = inspect.unwrap(coco.download_coco)
    monkeypatch.setattr(inner, "__defaults__", (*inner.__defaults__[:-1], release(official, web)))
    web.files = {f"/mirror{path}": content for path, content in web.files.items()}
    arguments = ["download", "coco", "--root", str(tmp_path), "--only", "val", "--connections", "2"]
    assert main(arguments) == 2 and "404" in capsys.readouterr().err
    assert main([*arguments, "--mirror", web.url("mirror/")]) == 0
    assert "--train-split val2017-train --val-split val2017-test" in capsys.readouterr().out
    assert len(open_split(tmp_path, "val2017-test")) == 2


def test_rates_are_measured(web, official):
    web.files["/large"], web.seconds_per_block = bytes(2_000_000), 0.001  # a thousand bytes each
    rate = published.measure_rate(web.url("large"), seconds=0.3)
    assert 50_000 < rate < 1_000_000
    assert published.measure_rate("http://127.0.0.1:1/x") == 0
