"""Models from the hub: the real download library against a server on this machine."""

import json
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import fake_hub
import pytest
import torch
from reference import small_reference
from safetensors.torch import load_file

import oneformer_lite as ofl
from oneformer_lite.errors import ConfigError

LOAD = """
import json, sys, warnings
warnings.simplefilter("ignore")
import oneformer_lite as ofl
options = json.loads(sys.argv[1])
for model_id in sys.argv[2:]:
    try:
        model = ofl.from_pretrained(model_id, **options)
        print(json.dumps([model.config.num_queries, float(model.decoder.class_head.weight.detach().sum())]))
    except ofl.errors.CheckpointError as error:
        print(json.dumps(str(error)))
"""


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """A hub with one model in several layouts, as the published repositories hold them."""
    root = tmp_path_factory.mktemp("hub")
    theirs = small_reference("swin", num_queries=20)
    theirs.save_pretrained(root / "shi-labs" / "safe")
    pickled = root / "shi-labs" / "pickled"
    theirs.save_pretrained(pickled)
    torch.save(load_file(pickled / "model.safetensors"), pickled / "pytorch_model.bin")
    (pickled / "model.safetensors").unlink()
    for folder in (root / "shi-labs" / "safe", pickled):
        (folder / "150_16_swin_l_oneformer.pth").write_bytes(b"x" * 10_000)
        (folder / "README.md").write_text("words")
    (root / "shi-labs" / "safe" / "pytorch_model.bin").write_bytes(b"x" * 10_000)
    (root / "shi-labs" / "empty").mkdir()
    (root / "shi-labs" / "empty" / "README.md").write_text("words")
    server = fake_hub.start(root)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()


def load(endpoint, cache, *model_ids, **options):
    """In a process of its own: the library reads its settings once, when it is imported."""
    settings = {"HF_ENDPOINT": endpoint, "HF_HOME": str(cache), "HF_HUB_DISABLE_XET": "1"}
    command = [sys.executable, "-c", LOAD, json.dumps(options), *model_ids]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **settings})
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_models_are_fetched_once_and_only_what_is_needed(hub, tmp_path):
    handler = hub.RequestHandlerClass
    with pytest.warns(UserWarning):
        weight = ofl.from_pretrained(handler.root / "shi-labs" / "safe").decoder.class_head.weight
    expected = [20, float(weight.detach().sum())]
    safe, pickled, missing, empty = load(
        f"http://127.0.0.1:{hub.server_port}", tmp_path, *(f"shi-labs/{n}" for n in ("safe", "pickled", "no", "empty"))
    )
    assert safe == pickled == expected
    fetched = [re.sub("/resolve/.*/", "/", path) for path in handler.requests if "/resolve/" in path]
    assert sorted(fetched) == [
        "/shi-labs/pickled/config.json", "/shi-labs/pickled/pytorch_model.bin",
        "/shi-labs/safe/config.json", "/shi-labs/safe/model.safetensors",
    ]  # fmt: skip
    assert missing.startswith("there is no folder 'shi-labs/no' here, and no model of that name could be fetched")
    assert "shi-labs/empty on the hub has no config.json" in empty

    # without a connection: what was fetched is there, the rest is a sentence
    nobody = "http://127.0.0.1:9"
    safe, pickled, other = load(nobody, tmp_path, "shi-labs/safe", "shi-labs/pickled", "shi-labs/other")
    assert safe == pickled == expected
    assert "connect to the internet once, or give a local folder" in other and "\n" not in other


def test_revision_token_and_folder_reach_the_hub(hub, tmp_path):
    handler, endpoint = hub.RequestHandlerClass, f"http://127.0.0.1:{hub.server_port}"
    handler.requests.clear()
    handler.tokens.clear()
    options = {"revision": "v2", "token": "hf_secret", "cache_dir": str(tmp_path / "elsewhere")}
    (found,) = load(endpoint, tmp_path / "home", "shi-labs/safe", **options)
    assert found[0] == 20
    assert any("/revision/v2" in path for path in handler.requests)
    assert "Bearer hf_secret" in handler.tokens  # the library leaves it out where a file's address suffices
    assert list((tmp_path / "elsewhere").glob("models--shi-labs--safe/snapshots/*/config.json"))
    assert not list((tmp_path / "home").glob("**/config.json"))
    (words,) = load(endpoint, tmp_path / "home", "shi-labs/no", revision="v2")
    assert "could be fetched from the hub in revision 'v2'" in words


def test_a_revision_of_what_is_on_this_machine(tmp_path):
    for source in ("toytown", Path(ofl.__file__).parent / "checkpoints" / "toytown"):
        with pytest.raises(ConfigError, match="revision is for a model on the hub; .*toytown is on this machine"):
            ofl.from_pretrained(source, revision="main")


def test_the_device_is_chosen_before_anything_is_read(tmp_path):
    assert ofl.from_pretrained("toytown", device="cpu").query_positions.weight.device.type == "cpu"
    with pytest.raises(ConfigError, match="no device 'gpu' here: expected one of auto"):
        ofl.from_pretrained(tmp_path / "nowhere", device="gpu")
