"""Archives that are damaged, want to write elsewhere, or do not fit."""

import io
import random
import tarfile
import zipfile

import pytest

from oneformer_lite.data.published import archive
from oneformer_lite.data.published.archive import human, open_archive, require_space, staged, unpack
from oneformer_lite.errors import DataError


def zip_of(path, files, **info):
    with zipfile.ZipFile(path, "w") as file:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)
            for key, value in info.items():
                setattr(entry, key, value)
            file.writestr(entry, content)
    return path


def tar_of(path, *members):
    with tarfile.open(path, "w") as file:
        for name, kind in members:
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname, entry.size = kind, "/etc/passwd", 3 if kind == tarfile.REGTYPE else 0
            file.addfile(entry, io.BytesIO(b"abc"))
    return path


def unpack_all(path, folder):
    with open_archive(path) as members, staged(folder) as draft:
        return unpack(members, draft, lambda name: name, "all")


def test_zip_and_tar_are_unpacked(tmp_path):
    assert unpack_all(zip_of(tmp_path / "a.zip", {"a/": b"", "a/b.txt": b"abc", "c.txt": b""}), tmp_path / "zip") == 2
    assert (tmp_path / "zip/a/b.txt").read_bytes() == b"abc" and (tmp_path / "zip/c.txt").read_bytes() == b""
    path = tar_of(tmp_path / "a.tar", ("d", tarfile.DIRTYPE), ("d/e", tarfile.REGTYPE))
    assert unpack_all(path, tmp_path / "tar") == 1 and (tmp_path / "tar/d/e").read_bytes() == b"abc"


def test_members_can_be_renamed_and_left_out(tmp_path):
    path = zip_of(tmp_path / "a.zip", {"a/b.jpg": b"1", "a/c.txt": b"2"})
    with open_archive(path) as members:
        names = {"a/b.jpg": "d.jpg"}
        assert unpack(members, tmp_path / "out", names.get, "some") == 1
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["d.jpg"]


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/tmp/evil", "..\\evil", "C:\\evil", "C:evil", "\\evil"])
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_a_member_that_would_leave_the_folder_is_refused(tmp_path, name, kind):
    path = tmp_path / f"a.{kind}"
    if kind == "zip":
        zip_of(path, {"good": b"abc", name: b"evil"})
    else:
        tar_of(path, ("good", tarfile.REGTYPE), (name, tarfile.REGTYPE))
    with pytest.raises(DataError, match="would be written outside its folder, so nothing was unpacked"):
        unpack_all(path, tmp_path / "out")
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_refused(tmp_path, kind):
    with pytest.raises(DataError, match="'l' is a link or a device"):
        unpack_all(tar_of(tmp_path / "a.tar", ("l", kind)), tmp_path / "out")
    zip_of(tmp_path / "a.zip", {"l": b"/etc/passwd"}, create_system=3, external_attr=0o120777 << 16)
    with pytest.raises(DataError, match="'l' is a link"):
        unpack_all(tmp_path / "a.zip", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("damage", ["flip", "cut", "not"])
def test_a_damaged_archive_leaves_nothing(tmp_path, damage):
    path = zip_of(tmp_path / "a.zip", {"first": b"abc", "second": bytes(5000)})
    content = bytearray(path.read_bytes())
    content[3000] ^= 1  # in the second file: only its CRC-32 can tell
    path.write_bytes({"flip": content, "cut": content[:2000], "not": b"<html>404</html>"}[damage])
    with pytest.raises(DataError, match="a.zip is damaged .*: delete it, get it again"):
        unpack_all(path, tmp_path / "out")
    assert [p.name for p in tmp_path.iterdir()] == ["a.zip"]
    tar = tar_of(tmp_path / "a.tar", ("a", tarfile.REGTYPE), ("b", tarfile.REGTYPE))
    tar.write_bytes(tar.read_bytes()[:1537])  # a cut between two members does not show: tar has no list of them
    with pytest.raises(DataError, match="a.tar is damaged"):
        unpack_all(tar, tmp_path / "out")


def test_a_missing_archive_is_a_sentence(tmp_path):
    with pytest.raises(DataError, match="none.zip does not exist"):
        unpack_all(tmp_path / "none.zip", tmp_path / "out")


def test_the_room_is_asked_for_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "free_space", lambda folder: 4999)
    with pytest.raises(DataError, match=r"to unpack all, 5 kB are needed on the disk of .*, but 5 kB are free"):
        unpack_all(zip_of(tmp_path / "a.zip", {"a": bytes(5000)}), tmp_path / "out")
    assert [p.name for p in tmp_path.iterdir()] == ["a.zip"]
    monkeypatch.undo()
    with pytest.raises(DataError, match="are needed"):
        require_space(tmp_path / "not" / "yet", 10**18, "to be silly")


def test_a_failed_block_leaves_the_older_folder_and_no_draft(tmp_path):
    with staged(tmp_path / "a") as draft:
        (draft / "new").touch()
    assert (tmp_path / "a/new").exists()
    with pytest.raises(KeyboardInterrupt), staged(tmp_path / "b") as draft:
        (draft / "half").touch()
        raise KeyboardInterrupt
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize(
    "size, text", [(7, "7 bytes"), (1234, "1.23 kB"), (815_585_330, "816 MB"), (19_336_861_798, "19.3 GB")]
)
def test_sizes_in_words(size, text):
    assert human(size) == text


def renamed(path, old: bytes, new: bytes):
    """The names in a zip, which zipfile itself would not write."""
    path.write_bytes(path.read_bytes().replace(old, new))
    return path


@pytest.mark.parametrize("name", ["a\0.txt", ".", "./"])
def test_members_without_a_name_are_refused(tmp_path, name):
    path = renamed(zip_of(tmp_path / "a.zip", {"x" * len(name): b"abc"}), b"x" * len(name), name.encode())
    if name != "./":  # a folder
        with pytest.raises(DataError, match="has no name that a file can have, so nothing was unpacked"):
            unpack_all(path, tmp_path / "out")
    with pytest.raises(DataError, match="has no name"):
        unpack_all(tar_of(tmp_path / "a.tar", (".", tarfile.REGTYPE)), tmp_path / "out")
    with tarfile.open(tmp_path / "b.tar", "w", format=tarfile.PAX_FORMAT) as file:
        entry = tarfile.TarInfo("good")
        entry.pax_headers = {"path": name}
        file.addfile(entry)
    with pytest.raises(DataError, match="has no name|is damaged"):
        unpack_all(tmp_path / "b.tar", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_empty_name_is_refused(tmp_path):
    with pytest.raises(DataError, match="'' has no name"):
        unpack_all(zip_of(tmp_path / "a.zip", {"": b"abc"}), tmp_path / "out")


def test_an_encrypted_member_is_refused(tmp_path):
    path = zip_of(tmp_path / "a.zip", {"good": b"abc", "secret": b"abc"})
    content = bytearray(path.read_bytes())
    for mark, place in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        content[content.rindex(mark) + place] |= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="'secret' is encrypted, so nothing was unpacked"):
        unpack_all(path, tmp_path / "out")


def test_two_members_of_one_name_are_refused(tmp_path):
    path = zip_of(tmp_path / "a.zip", {"a/1.jpg": b"1", "b/1.jpg": b"2"})
    with open_archive(path) as members, pytest.raises(DataError, match="several files '1.jpg'"):
        unpack(members, tmp_path / "out", archive.flat(".jpg"), "all")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("one", "other"), [("a", "./a"), ("a/b", "a/./b"), ("a/b", "a//b"), ("./c/d", "c/d")])
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_one_file_spelled_in_two_ways_is_refused(tmp_path, kind, one, other):
    path = tmp_path / f"a.{kind}"
    if kind == "zip":
        zip_of(path, {one: b"abc", other: b"def"})
    else:
        tar_of(path, (one, tarfile.REGTYPE), (other, tarfile.REGTYPE))
    with pytest.raises(DataError, match=f"several files {one.removeprefix('./')!r}"):
        unpack_all(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["a\n", " ", "a\x1b[2J", "a/\t", "\x7f", "a\udcff"])
def test_odd_bytes_in_names_are_refused(tmp_path, name):
    with tarfile.open(tmp_path / "a.tar", "w", errors="surrogateescape") as file:
        file.addfile(tarfile.TarInfo(name))
    with pytest.raises(DataError, match="has no name that a file can have"):
        unpack_all(tmp_path / "a.tar", tmp_path / "out")


def test_folders_and_files_in_each_others_place(tmp_path):
    for name in ("a.zip", "a.tar"):
        (tmp_path / name).mkdir()
        with pytest.raises(DataError, match=f"{name} is no file: expected an archive"):
            unpack_all(tmp_path / name, tmp_path / "out")
    (tmp_path / "split").touch()
    (tmp_path / "empty").mkdir()
    for name in ("split", "empty", "absent"):
        with pytest.raises(DataError, match=f"{name} is no folder with files in it"):
            archive.visible(tmp_path / name)
    with pytest.raises(DataError, match="split is no folder with files in it"):
        archive.is_complete(tmp_path / "split", 1)


def test_hidden_files_of_other_systems_do_not_count(tmp_path):
    for name in ("1.png", "._1.png", ".DS_Store"):
        (tmp_path / name).touch()
    assert archive.is_complete(tmp_path, 1) and [path.name for path in archive.visible(tmp_path)] == ["1.png"]


@pytest.mark.parametrize("kind", ["zip", "tar", "xz"])
def test_any_byte_may_be_wrong(tmp_path, kind):
    """Unpacked or refused in a sentence, never anything else, and nothing beside the folder."""
    good = tmp_path / f"good.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(good, "w") as file:
            for i, method in enumerate((0, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)):
                file.writestr(f"{i}/b.txt", b"abcabc" * 9, method)
    else:
        with tarfile.open(good, "w:xz" if kind == "xz" else "w") as file:
            for name in ("a", "d/e"):
                file.addfile(tar_entry(name), io.BytesIO(b"abc"))
    content, rng = good.read_bytes(), random.Random(0)
    path, ends = tmp_path / "in" / f"a.{kind}", set()
    path.parent.mkdir()
    for _ in range(300):
        spoiled = bytearray(content)
        for _ in range(rng.randrange(1, 4)):
            spoiled[rng.randrange(min(len(spoiled), 1600))] = rng.choice((0, 1, 127, 128, 255, rng.randrange(256)))
        path.write_bytes(spoiled)
        try:
            unpack_all(path, path.parent / "out")
            ends.add("read")
        except DataError:
            ends.add("refused")
        assert {p.name for p in path.parent.iterdir()} <= {path.name, "out"}
    assert ends == {"read", "refused"} or kind == "xz"
    assert {p.name for p in tmp_path.iterdir()} == {good.name, "in"}


def tar_entry(name):
    entry = tarfile.TarInfo(name)
    entry.size = 3
    return entry
