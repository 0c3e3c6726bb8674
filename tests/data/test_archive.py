"""Archives that are damaged, want to write elsewhere, or do not fit."""

import io
import tarfile
import zipfile

import pytest

from oneformer_lite.data import archive
from oneformer_lite.data.archive import human, open_archive, require_space, staged, unpack
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
