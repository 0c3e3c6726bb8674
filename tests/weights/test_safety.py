"""Files from strangers: nothing in them is executed, and what is no model is refused in one sentence."""

import dataclasses
import json
import os
import pickle
import random
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch
from reference import small_reference
from safetensors.torch import load, save_file

import oneformer_lite as ofl
from oneformer_lite.errors import CheckpointError
from oneformer_lite.weights.files import read_tensors
from oneformer_lite.weights.huggingface import from_huggingface_state
from oneformer_lite.weights.normalisation import check_normalisation
from oneformer_lite.weights.pickled import check_archive

pytestmark = pytest.mark.filterwarnings("ignore:.*(text mapper|are things)")


class Malicious:
    """Unpickled carelessly, this makes a file."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return (os.mkdir, (self.path,))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder of transformers without its weights."""
    folder = tmp_path_factory.mktemp("model")
    small_reference("resnet", num_queries=20).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def state(folder):
    state = load((folder / "model.safetensors").read_bytes())
    (folder / "model.safetensors").unlink()
    return state


def refusal(source):
    with pytest.raises(CheckpointError) as refused:
        ofl.from_pretrained(source)
    assert "\n" not in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize("legacy", [False, True])
def test_code_in_a_pickle_is_not_run(folder, state, tmp_path, legacy):
    trap = tmp_path / "executed"
    content = {"model": {**state, "trap": Malicious(trap)}}
    torch.save(content, tmp_path / "model.pth", _use_new_zipfile_serialization=not legacy)
    torch.save(content["model"], folder / "pytorch_model.bin", _use_new_zipfile_serialization=not legacy)
    for source in (tmp_path / "model.pth", folder):
        assert "holds more than tensors, which is not read because it could run as code" in refusal(source)
    assert not trap.exists()
    torch.load(tmp_path / "model.pth", weights_only=False)  # and the trap is a real one
    assert trap.exists()


def test_a_bare_pickle_is_not_run(tmp_path):
    path, trap = tmp_path / "model.pkl", tmp_path / "executed"
    path.write_bytes(pickle.dumps(Malicious(trap)))
    refusal(path)
    assert not trap.exists()


def test_other_files_under_a_weights_name(tmp_path, state):
    path = tmp_path / "model.pth"
    path.write_bytes(b"<!DOCTYPE html><html><body>404: moved</body></html>")
    assert f"{path} is no complete PyTorch weights file" in refusal(path)
    path.write_bytes(b"")
    refusal(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("word/document.xml", "<w:document/>")
    refusal(path)
    torch.save({"model": state}, path)
    path.write_bytes(path.read_bytes()[:-10_000])
    assert "download it again" in refusal(path)
    path = path.with_suffix(".safetensors")
    path.write_bytes(b"<!DOCTYPE html>")
    assert "no complete safetensors file" in refusal(path)


@pytest.mark.parametrize("content", [[1, 2], {"model": [1]}, {"epoch": 3}, torch.zeros(2), {"model": {"a": "words"}}])
def test_plain_data_that_is_no_table_of_weights(tmp_path, content):
    torch.save(content, tmp_path / "model.pth")
    assert "holds no table of named weights" in refusal(tmp_path / "model.pth")


def test_weights_of_another_model(tmp_path):
    torch.save({"conv1.weight": torch.zeros(3)}, tmp_path / "model.pth")
    assert "it is no whole OneFormer" in refusal(tmp_path / "model.pth")


def test_an_index_names_files_of_its_own_folder_only(folder, tmp_path):
    index = folder / "model.safetensors.index.json"
    for content in ({"weight_map": {"a": "../../secret.safetensors"}}, {"weight_map": {"a": 3}}, {}):
        index.write_text(json.dumps(content))
        assert "does not say which file beside it holds which weight" in refusal(folder)
    index.write_text("[]")
    assert "holds a list" in refusal(folder)
    index.unlink()


@pytest.mark.parametrize(
    "content, processor",
    [
        ({"num_queries": "many"}, {}),
        ({"num_queries": None}, {}),
        ({"num_attention_heads": 0}, {}),
        ({"decoder_layers": "ten"}, {}),
        ({"backbone_config": "swin"}, {}),
        ({"backbone_config": {"model_type": "swin", "depths": 3}}, {}),
        ({"backbone_config": {"model_type": "resnet", "hidden_sizes": "wide"}}, {}),
        ({"backbone_config": {"model_type": "timm_backbone"}}, {}),
        ({"id2label": ["a", "b"]}, {}),
        ({"id2label": {"a": "b"}}, {}),
        ({}, {"size": "big"}),
        ({}, {"size": {"shortest_edge": "big"}}),
        ({}, {"metadata": 3}),
        ({}, {"metadata": {"thing_ids": 7}}),
        ({"oneformer_lite": {"image_size": -1}}, {}),
    ],
)
def test_a_configuration_of_odd_values_is_refused_in_words(content, processor):
    with pytest.raises(CheckpointError, match="of here describe no model: |sizes that here states can be built: "):
        from_huggingface_state({}, {"model_type": "oneformer"} | content, processor, "here")


def test_a_configuration_that_builds_nothing_is_refused_in_words(tmp_path):
    model = ofl.OneFormer(dataclasses.replace(ofl.config.toytown(), decoder_layers=1, pretrained=False))
    model.save_pretrained(tmp_path)
    good = json.loads((tmp_path / "config.json").read_text())
    for change, words in (
        ({"num_queries": "many"}, "config.json describes no model: num_queries must be int, got 'many'"),
        ({"backbone": "nonsense"}, "no model of the sizes that .* states can be built: timm cannot build"),
        ({"hidden_dim": 10**9 * 8}, "hidden_dim must be at most 65536"),
    ):
        (tmp_path / "config.json").write_text(json.dumps(good | change))
        assert re.search(words, refusal(tmp_path))


def small_model() -> ofl.OneFormer:
    return ofl.OneFormer(dataclasses.replace(ofl.config.toytown(), decoder_layers=1, pretrained=False))


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A folder of ours: ``own(**changes)`` writes it with other fields."""
    folder = tmp_path_factory.mktemp("own")
    good = json.loads((small_model().save_pretrained(folder) / "config.json").read_text())

    def change(**changes) -> Path:
        (folder / "config.json").write_text(json.dumps(good | changes))
        return folder

    return change


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"backbone": "hf_hub:owner/name"}, "backbone must be the name of a network"),
        ({"backbone": "local-dir:/tmp"}, "backbone must be the name of a network"),
        ({"backbone_options": {"checkpoint_path": "/tmp/x.pth"}}, "unknown names .'checkpoint_path'."),
        ({"backbone_options": [["pretrained_cfg", {"file": "x"}]]}, "unknown names .'pretrained_cfg'."),
        ({"backbone": "vit_tiny_patch16_224"}, "features at strides"),
        ({"num_queries": 10_000_000}, "num_queries must be at most 50000"),
        ({"num_queries": 50_000}, r"misshapen: query_positions.weight is \[32, 96\] in the file, \[50000, 96\] in the"),
        ({"hidden_dim": 65_536}, "misshapen: .* in the file, .*65536.* in the model"),
        ({"encoder_ffn": 65_536, "decoder_ffn": 65_536, "query_ffn": 65_536}, "misshapen"),
        ({"text_width": 65_536, "text_length": 4096}, "misshapen"),
        ({"text_context": 0, "num_queries": 50_000}, "misshapen"),
        ({"decoder_layers": 200}, "missing: decoder.layers.1"),
        ({"backbone": "resnet50", "backbone_options": {"channels": [16_384] * 4}}, "missing: backbone.network.conv1"),
        ({"backbone": "convnext_tiny", "backbone_options": {"dims": [16_384] * 4}}, "missing: backbone.network"),
        ({"backbone": "swin_tiny_patch4_window7_224", "backbone_options": {"embed_dim": 12_288}}, "missing: backbone"),
        ({"backbone": "swin_tiny_patch4_window7_224", "backbone_options": {"embed_dim": 16_384}}, "3 heads cannot"),
    ],
)  # fmt: skip
def test_sizes_are_compared_with_the_weights_before_there_is_memory_for_them(own, changes, words, monkeypatch):
    """On the meta device, where tensors have no memory: no other is asked to build the model."""
    devices = []
    init = ofl.OneFormer.__init__
    monkeypatch.setattr(
        ofl.OneFormer, "__init__", lambda self, c: (devices.append(torch.empty(0).device.type), init(self, c))[1]
    )
    assert re.search(words, refusal(own(**changes)))
    assert set(devices) <= {"meta"}


def test_lists_of_classes_must_be_as_long_as_the_file_says(own):
    assert "num_classes is 14, but class_names has 2 values" in refusal(own(class_names=["a", "b"]))


@pytest.mark.parametrize(
    "content", ["[" * 100_000, '{"a":' * 100_000, '{"num_queries": ' + "[" * 900 + "]" * 900 + "}"]
)
def test_json_nested_without_end(own, content):
    folder = own()
    for text in (content, '{"model_type": "oneformer", "backbone_config": ' + content + "}"):
        (folder / "config.json").write_text(text)
        refusal(folder)


@pytest.mark.parametrize(
    "tensor",
    [
        torch.zeros(1).expand(10**10),
        torch.zeros(1, dtype=torch.float16).expand(10**5, 10**5),
        torch.zeros(4).as_strided((10**4, 10**4, 4), (0, 0, 1)),
        torch.sparse_coo_tensor(torch.zeros(1, 1, dtype=torch.long), torch.ones(1), (10**12,), check_invariants=True),
        torch.empty(10**10, device="meta"),
    ],
    ids=["expanded", "expanded half", "strided", "sparse", "meta"],
)
def test_tensors_that_claim_more_than_the_file_holds(tmp_path, tensor, monkeypatch):
    monkeypatch.setattr(torch.Tensor, "float", lambda self: pytest.fail("copied"))
    for legacy in (False, True):
        path = tmp_path / "model.pth"
        torch.save({"model": {"weight": tensor}}, path, _use_new_zipfile_serialization=not legacy)
        assert path.stat().st_size < 10_000
        assert re.search("but its weights claim|holds no table of named weights|no complete PyTorch", refusal(path))


def test_many_names_for_the_same_numbers(tmp_path):
    weight = torch.zeros(10_000)
    torch.save({str(i): weight[:9_990] for i in range(1000)}, tmp_path / "model.pth")
    assert "but its weights claim 39960000" in refusal(tmp_path / "model.pth")


def test_two_names_for_the_same_numbers_are_usual(tmp_path):
    weight = torch.zeros(10_000)
    torch.save({"a": weight, "b": weight}, tmp_path / "model.pth")
    assert len(read_tensors(tmp_path / "model.pth")) == 2


def test_a_compressed_archive(tmp_path):
    """PyTorch reads them, and 1 MB would become 1 GB; it never writes them."""
    plain, packed = tmp_path / "plain.pth", tmp_path / "packed.pth"
    torch.save({"weight": torch.zeros(10**6)}, plain)
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            target.writestr(name, source.read(name))
    assert packed.stat().st_size < 20_000
    assert "no complete PyTorch weights file" in refusal(packed)


def test_a_storage_larger_than_its_record(tmp_path):
    """The pickle says ten billion numbers, the archive has four."""
    plain, path = tmp_path / "plain.pth", tmp_path / "model.pth"
    torch.save({"weight": torch.zeros(4)}, plain)
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name.endswith("data.pkl"):
                assert content.count(b"K\x04") == 2  # of the storage, and of the tensor's shape
                content = content.replace(b"K\x04", b"\x8a\x05" + (10**10).to_bytes(5, "little"))
            target.writestr(name, content)
    assert re.search("no complete PyTorch weights file|but its weights claim", refusal(path))


_DEEP = b")" + b"\x85" * 300_000
_DOUBLED = b")q\x01" + b"h\x01h\x01\x86q\x01" * 60  # one step more holds twice as many
_NAMED = b"\x80\x02}%bK\x01s."  # a table in which it is a name
_IN_A_SET = b"\x80\x02c__builtin__\nset\n](%be\x85R."
_COUNTED = b"\x80\x02ccollections\nCounter\n](%be\x85R."


@pytest.mark.parametrize("where", [_NAMED, _IN_A_SET, _COUNTED], ids=["name", "set", "Counter"])
@pytest.mark.parametrize("tuples", [_DEEP, _DOUBLED], ids=["deep", "doubled"])
@pytest.mark.parametrize("form", ["data.pkl", "DATA.PKL", "before 2020"])
def test_tuples_that_break_the_stack(tmp_path, form, where, tuples):
    """Python looks into a tuple when it is a name or lies in a set; nothing stops it there, the process ends."""
    content, path = where % tuples, tmp_path / "model.pth"
    torch.save({}, path, _use_new_zipfile_serialization=form != "before 2020")
    if form == "before 2020":
        path.write_bytes(path.read_bytes().replace(pickle.dumps({}, protocol=2), content))
        assert content in path.read_bytes()
    else:
        with zipfile.ZipFile(path) as source:
            names = {name: source.read(name) for name in source.namelist()}
        with zipfile.ZipFile(path, "w") as target:
            for name, old in names.items():
                is_table = name.endswith("data.pkl")
                target.writestr(name.replace("data.pkl", form), content if is_table else old)
    assert f"{path} is no complete PyTorch weights file" in refusal(path)
    with pytest.raises(ValueError, match="tuples in tuples"):
        check_archive(path)


def test_an_archive_appended_to_a_pickle_does_not_hide_it(tmp_path):
    """Python finds an archive's list at a file's end, PyTorch asks its first bytes."""
    path, other = tmp_path / "model.pth", tmp_path / "other.pth"
    torch.save({}, path, _use_new_zipfile_serialization=False)
    torch.save({}, other)
    content = path.read_bytes().replace(pickle.dumps({}, protocol=2), _NAMED % _DEEP)
    path.write_bytes(content + other.read_bytes())
    assert "no complete PyTorch weights file" in refusal(path)


@pytest.mark.parametrize("suffix", ["pth", "safetensors", "json"])
def test_damaged_files(own, tmp_path, suffix):
    """A flipped or missing byte anywhere is a sentence or, where it hits a number, a model."""
    rng, path = random.Random(0), tmp_path / f"model.{suffix}"
    if suffix == "pth":
        torch.save({"model": {"a": torch.ones(3), "b": torch.ones(2, 2)}}, path)
    elif suffix == "safetensors":
        save_file({"a": torch.ones(3), "b": torch.ones(2, 2)}, path)
    else:
        path = own() / "config.json"
    good, source = path.read_bytes(), path.parent if suffix == "json" else path
    for turn in range(150):
        bad = bytearray(good)
        for _ in range(rng.choice((1, 1, 3))):
            bad[rng.randrange(len(bad))] = rng.choice((0, 255, 0x80, rng.randrange(256)))
        if turn % 5 == 0:
            bad = bad[: rng.randrange(len(bad))]
        path.write_bytes(bad)
        try:
            ofl.from_pretrained(source)
        except CheckpointError as error:
            assert "\n" not in str(error)
    path.write_bytes(good)


@pytest.mark.parametrize("name", [1, ("b",), None, 0.5, True])
def test_names_that_are_no_words(tmp_path, name):
    torch.save({"a": torch.ones(1), name: torch.ones(1)}, tmp_path / "model.pth")
    assert "holds no table of named weights" in refusal(tmp_path / "model.pth")


def test_whole_numbers_where_weights_belong(own):
    folder = own()
    state = load((folder / "model.safetensors").read_bytes())
    wrong = state | {"decoder.norm.weight": torch.ones(96, dtype=torch.int64)}
    save_file(wrong, folder / "model.safetensors")
    assert "other numbers: decoder.norm.weight is int64 in the file, float32 in the model" in refusal(folder)
    save_file(state, folder / "model.safetensors")


def test_an_index_and_its_files_must_agree(folder, tmp_path):
    save_file({"a": torch.ones(1), "b": torch.ones(1)}, tmp_path / "one.safetensors")
    save_file({"a": torch.zeros(1)}, tmp_path / "two.safetensors")
    shutil.copy(folder / "config.json", tmp_path)
    index = tmp_path / "model.safetensors.index.json"
    one, two = "one.safetensors", "two.safetensors"
    for places in ({"a": one}, {"a": one, "b": two}, {"a": two, "b": two}):
        index.write_text(json.dumps({"weight_map": places}))
        assert re.search("safetensors disagree about [ab]: copy the folder again", refusal(tmp_path))
    for places in ({"a": ""}, {"a": ".."}, {"a": "."}, {"a": None}, {"a": "sub/x"}, {"a": "/etc/passwd"}, []):
        index.write_text(json.dumps({"weight_map": places}))
        refusal(tmp_path)


DRAW_NOTHING = """
import random, sys, numpy, torch, oneformer_lite as ofl
before = torch.get_rng_state(), numpy.random.get_state()[1].tobytes(), random.getstate()
for source in sys.argv[1:]:
    ofl.from_pretrained(source)
after = torch.get_rng_state(), numpy.random.get_state()[1].tobytes(), random.getstate()
print(before[0].equal(after[0]), before[1:] == after[1:])
"""


def test_no_random_number_is_drawn(tmp_path):
    """In a process of its own: the shape checks of the tests draw some of Python's."""
    sizes = {"embed_dim": 24, "depths": (1, 1, 1, 1)}
    config = dataclasses.replace(
        ofl.config.toytown(), backbone="swin_tiny_patch4_window7_224", backbone_options=sizes, pretrained=False
    )
    ofl.OneFormer(config).save_pretrained(tmp_path)
    command = [sys.executable, "-W", "error", "-c", DRAW_NOTHING, "toytown", str(tmp_path)]
    assert subprocess.run(command, capture_output=True, text=True).stdout.split() == ["True", "True"]


@pytest.mark.parametrize("mean", [0.4, [0.4, 0.4], "grey", None, ["a", "b", "c"], {}])
def test_odd_normalisations_are_refused(mean):
    with pytest.raises(CheckpointError, match="here normalises with image_mean"):
        check_normalisation({"image_mean": mean}, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), "here")


def test_every_number_becomes_a_float32(tmp_path):
    torch.save({"a": torch.ones(2, dtype=torch.float64), "b": torch.ones(2, dtype=torch.float16)}, tmp_path / "a.bin")
    torch.save({"a": torch.ones(2, dtype=torch.int64)}, tmp_path / "b.bin")
    assert {t.dtype for t in read_tensors(tmp_path / "a.bin").values()} == {torch.float32}
    assert read_tensors(tmp_path / "b.bin")["a"].dtype == torch.int64


@pytest.mark.parametrize("name", ["A" * 3000, "a\0b", "x/" * 3000, "A" * 300 + ".pth"])
def test_names_that_no_file_can_have(tmp_path, name):
    refusal(name)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "oneformer"}))
    index = {"weight_map": {"a": name.replace("/", "")}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    refusal(tmp_path)
