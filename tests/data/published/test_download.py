"""Fetching over HTTP from a real server that is cut off, lies, changes its mind, or fills the disk."""

import errno
import hashlib
import json
import random
import shutil
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
from web import Web

from oneformer_lite.data.published import download, remote
from oneformer_lite.data.published.download import fetch
from oneformer_lite.errors import DataError

CONTENT = random.Random(0).randbytes(105_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
SCRIPT = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # in a shell's background it would be ignored
from oneformer_lite.data.published import download, remote
download.PIECE, remote.BLOCK, remote.PAUSE = 10_000, 1_000, 0.01
try:
    download.fetch(*sys.argv[1:3], connections=2)
except Exception as error:
    sys.exit(f"{type(error).__name__}: {error}")
"""


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch):
    monkeypatch.setattr(download, "PIECE", 10_000)
    monkeypatch.setattr(remote, "BLOCK", 1_000)
    monkeypatch.setattr(remote, "PAUSE", 0.01)


@pytest.fixture
def web():
    server = Web(file=CONTENT)
    yield server
    server.close()


def fetch_in_process(web, target):
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, web.url("file"), str(target)], stderr=subprocess.PIPE, text=True
    )


def assert_whole(target):
    assert target.read_bytes() == CONTENT
    assert [path.name for path in target.parent.iterdir()] == [target.name]


def asked_for(web):
    """Bytes that all requests so far named, but for the probes' one byte (the server may still be sending)."""
    ranges = [wanted.removeprefix("bytes=").split("-") for _, wanted in web.requests if wanted != "bytes=0-0"]
    return sum(int(end) - int(start) + 1 for start, end in ranges)


def recorded(target):
    return sum(json.loads((target.parent / f"{target.name}.part.json").read_text())["done"])


@pytest.mark.parametrize("connections", [1, 4])
def test_a_file_comes_in_pieces_each_asked_for_once(web, tmp_path, connections):
    assert fetch(web.url("file"), tmp_path / "a/file", len(CONTENT), SHA256, connections) == tmp_path / "a/file"
    assert_whole(tmp_path / "a/file")
    asked = sorted(int(wanted.split("=")[1].split("-")[0]) for _, wanted in web.requests[1:])
    assert asked == list(range(0, 105_000, 10_000)) and asked_for(web) == len(CONTENT)


def test_what_is_there_is_verified_and_not_fetched_again(web, tmp_path):
    fetch(web.url("file"), tmp_path / "file")
    asked = len(web.requests)
    fetch(web.url("file"), tmp_path / "file", len(CONTENT), SHA256)
    assert len(web.requests) == asked
    with pytest.raises(DataError, match="checksum"):
        fetch(web.url("file"), tmp_path / "file", len(CONTENT), "0" * 64)
    with pytest.raises(DataError, match="105000 bytes, but the published file has 7"):
        fetch(web.url("file"), tmp_path / "file", 7)
    assert (tmp_path / "file").exists()  # it may be the user's own: not ours to delete


def test_every_connection_cut_in_the_middle_still_gives_the_file(web, tmp_path):
    web.cut_after = 3_500
    fetch(web.url("file"), tmp_path / "file", sha256=SHA256)
    assert_whole(tmp_path / "file")
    assert web.sent < 1.2 * len(CONTENT)  # each went on where it was cut


def test_a_server_that_never_gets_on_is_given_up_and_the_rest_kept(web, tmp_path):
    web.cut_after, web.cuts = 3_500, 10**9
    web.files["/file"] = CONTENT
    web.seconds_per_block = 0
    fails = web.answer
    web.answer = lambda handler: fails(handler) if web.sent < 50_000 else handler.send_error(503)
    with pytest.raises(DataError, match="again and again.*bytes have come. Run the same command again"):
        fetch(web.url("file"), tmp_path / "file")
    assert not (tmp_path / "file").exists()
    web.answer, web.cut_after, web.requests[:] = fails, None, []
    came = recorded(tmp_path / "file")
    fetch(web.url("file"), tmp_path / "file", sha256=SHA256)
    assert_whole(tmp_path / "file")
    assert came > 35_000 and asked_for(web) == len(CONTENT) - came


def test_a_busy_server_is_asked_again_a_missing_file_is_not(web, tmp_path):
    web.errors = [503, 429]
    fetch(web.url("file"), tmp_path / "file", sha256=SHA256)
    web.requests.clear()
    with pytest.raises(DataError, match="404"):
        fetch(web.url("other"), tmp_path / "other")
    assert len(web.requests) == 1
    with pytest.raises(DataError, match="cannot be reached"):
        fetch("http://127.0.0.1:1/file", tmp_path / "other")


@pytest.mark.parametrize("signal_", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_process_leaves_what_has_come(web, tmp_path, signal_):
    web.seconds_per_block = 0.05
    process = fetch_in_process(web, tmp_path / "file")
    record, deadline = tmp_path / "file.part.json", time.monotonic() + 30
    while not record.exists() and time.monotonic() < deadline:  # it is written every second
        time.sleep(0.02)
    process.send_signal(signal_)
    process.communicate(timeout=20)
    assert process.returncode != 0 and not (tmp_path / "file").exists()
    came = recorded(tmp_path / "file")
    assert 10_000 < came < len(CONTENT)
    web.seconds_per_block, web.requests[:] = 0, []
    fetch(web.url("file"), tmp_path / "file", len(CONTENT), SHA256)
    assert_whole(tmp_path / "file")
    assert asked_for(web) == len(CONTENT) - came


def test_without_ranges_the_whole_is_asked_for_until_it_comes(web, tmp_path):
    web.ranges, web.cut_after, web.cuts = False, 40_000, 3  # the first two: the probe and one attempt
    fetch(web.url("file"), tmp_path / "file", sha256=SHA256)
    assert_whole(tmp_path / "file")
    web.cut_after, web.cuts, web.requests[:] = 40_000, 10**9, []
    with pytest.raises(DataError, match="again and again"):
        fetch(web.url("file"), tmp_path / "another")
    assert len(web.requests) == 1 + download.ATTEMPTS


def test_a_file_that_changed_between_two_calls_is_fetched_anew(web, tmp_path):
    self_interrupt(web, tmp_path)
    web.files["/file"], web.version = CONTENT[::-1], "2"
    fetch(web.url("file"), tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT[::-1]


def test_a_file_that_changes_under_way_is_fetched_anew_but_not_for_ever(web, tmp_path):
    answer = web.answer

    def change_once(handler):
        if len(web.requests) == 5:
            web.files["/file"], web.version = CONTENT[::-1], "2"
        answer(handler)

    web.answer = change_once
    fetch(web.url("file"), tmp_path / "file", connections=1)
    assert (tmp_path / "file").read_bytes() == CONTENT[::-1]

    def change_always(handler):
        web.version = str(len(web.requests))
        answer(handler)

    web.answer = change_always
    with pytest.raises(DataError, match="changes while"):
        fetch(web.url("file"), tmp_path / "another")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


def self_interrupt(web, tmp_path):
    """Leave a part of /file in ``tmp_path``."""
    answer, web.cut_after = web.answer, 3_500
    web.answer = lambda handler: answer(handler) if web.sent < 50_000 else handler.send_error(403)
    with pytest.raises(DataError, match="403"):
        fetch(web.url("file"), tmp_path / "file")
    web.answer, web.cut_after = answer, None
    assert (tmp_path / "file.part").exists()


@pytest.mark.parametrize(
    "damage",
    (
        lambda record: '{"identity": ', lambda record: "[" * 100_000, lambda record: "[1]", lambda record: "\0",
        lambda record: json.dumps(record | {"done": "all"}), lambda record: json.dumps(record | {"done": [1]}),
        lambda record: json.dumps(record | {"done": [n + 0.5 for n in record["done"]]}),
        lambda record: json.dumps(record | {"done": [10**12 for _ in record["done"]]}),
        lambda record: json.dumps(record | {"done": [-5 for _ in record["done"]]}),
        lambda record: json.dumps(record | {"done": [None for _ in record["done"]]}),
        lambda record: json.dumps({"done": record["done"]}), lambda record: json.dumps(record | {"identity": []}),
    ),
    ids=range(12),
)  # fmt: skip
def test_a_damaged_record_means_a_fresh_start(web, tmp_path, damage):
    self_interrupt(web, tmp_path)
    path = tmp_path / "file.part.json"
    path.write_text(damage(json.loads(path.read_text())))
    fetch(web.url("file"), tmp_path / "file", sha256=SHA256)
    assert_whole(tmp_path / "file")


def test_a_part_that_was_cut_short_means_a_fresh_start(web, tmp_path):
    self_interrupt(web, tmp_path)
    (tmp_path / "file.part").write_bytes(b"short")
    fetch(web.url("file"), tmp_path / "file", sha256=SHA256)
    assert_whole(tmp_path / "file")


IDENTITY = {"size": 105_000, "version": '"1"', "piece": 10_000}
COUNTS = ([], [10_000], ["5000"] * 11, [True] * 11, [-1] * 11, [10_001] * 11, [10_000] * 11, [[1]] * 11, [2.5] * 11)


@pytest.mark.parametrize("done", [3, None, "done", {}, *COUNTS])
def test_a_record_of_other_kinds_means_a_fresh_start(web, tmp_path, done):
    target = tmp_path / "file"
    for record in ({"identity": IDENTITY, "done": done}, [done], done):
        (tmp_path / "file.part").write_bytes(bytes(105_000))
        (tmp_path / "file.part.json").write_text(json.dumps(record))
        fetch(web.url("file"), target, len(CONTENT), SHA256)
        assert_whole(target)
        target.unlink()


@pytest.mark.parametrize("text", ["[" * 100_000, "", "\x00", '{"identity": NaN}'])
def test_a_record_that_is_none_means_a_fresh_start(web, tmp_path, text):
    (tmp_path / "file.part").write_bytes(bytes(105_000))
    (tmp_path / "file.part.json").write_text(text)
    fetch(web.url("file"), tmp_path / "file", len(CONTENT), SHA256)
    assert_whole(tmp_path / "file")


def test_a_part_cut_short_behind_our_back_is_fetched_again(web, tmp_path):
    """Its record says that all has come; without a checksum nobody would notice the zeros."""
    (tmp_path / "file.part").write_bytes(CONTENT[:60_000])
    (tmp_path / "file.part.json").write_text(json.dumps({"identity": IDENTITY, "done": [10_000] * 10 + [5_000]}))
    fetch(web.url("file"), tmp_path / "file")
    assert_whole(tmp_path / "file")


@pytest.mark.parametrize("length", ["9" * 16, "9" * 5000, "-1", "many", ""])
def test_absurd_sizes_are_refused_before_anything_is_made_of_them(length):
    response = SimpleNamespace(headers={"Content-Length": length}, status=200)
    with pytest.raises(DataError, match="does not say how large the file is"):
        remote.describe("http://here/file", response)


def test_what_is_no_address_and_no_file(tmp_path):
    with pytest.raises(DataError, match="'here' is no address"):
        fetch("here", tmp_path / "file")
    (tmp_path / "file").mkdir()
    with pytest.raises(DataError, match="file is no file"):
        fetch("http://here/file", tmp_path / "file")


def test_a_wrong_checksum_is_named_and_leaves_nothing(web, tmp_path):
    web.files["/file"] = CONTENT[:50_000] + b"?" + CONTENT[50_001:]
    with pytest.raises(DataError, match=SHA256):
        fetch(web.url("file"), tmp_path / "file", len(CONTENT), SHA256)
    assert not list(tmp_path.iterdir())


def test_a_file_of_another_size_is_refused_before_it_is_fetched(web, tmp_path):
    with pytest.raises(DataError, match="105000 bytes, but the published file has 105001"):
        fetch(web.url("file"), tmp_path / "file", 105_001)
    assert len(web.requests) == 1 and not list(tmp_path.iterdir())


def test_a_full_disk_keeps_what_has_come(web, tmp_path, monkeypatch):
    write, written = download._write, []

    def limited(file, block):
        if sum(written) > 40_000:
            raise OSError(errno.ENOSPC, "No space left on device")
        written.append(len(block))
        write(file, block)

    monkeypatch.setattr(download, "_write", limited)
    with pytest.raises(DataError, match="file.part cannot be written .No space left.*make room"):
        fetch(web.url("file"), tmp_path / "file")
    monkeypatch.setattr(download, "_write", write)
    came, web.requests[:] = recorded(tmp_path / "file"), []
    fetch(web.url("file"), tmp_path / "file", sha256=SHA256)
    assert_whole(tmp_path / "file")
    assert came > 40_000 and asked_for(web) == len(CONTENT) - came


@pytest.mark.skipif(
    not shutil.which("unshare") or subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode,
    reason="needs user namespaces, to mount a small disk",
)
def test_a_disk_that_is_really_full(web, tmp_path):
    """A file system of 48 kB, then the same one with room."""
    shell = f"""mount -t tmpfs -o size=48k tmpfs {tmp_path} && cd {tmp_path}
        "$0" -c "$1" "$2" file; echo $?; ls -a; mount -o remount,size=1m {tmp_path}
        "$0" -c "$1" "$2" file; echo $?; ls -A; sha256sum file"""
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", shell, sys.executable, SCRIPT, web.url("file")],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert "DataError: file.part cannot be written (No space left on device): make room" in done.stderr, done.stderr
    first, second = done.stdout.split("\n0\n")
    assert first.startswith("1\n") and "file.part" in first.split() and "file" not in first.split()
    assert second.split() == ["file", SHA256, "file"]
    assert web.sent < 2 * len(CONTENT)
