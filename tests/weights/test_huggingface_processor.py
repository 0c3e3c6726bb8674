"""A folder written for transformers, used as its users do: ``AutoProcessor`` and ``pipeline``, offline."""

import dataclasses
import json
import re
import shutil
import socket
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from transformers import (
    AutoImageProcessor,
    AutoProcessor,
    AutoTokenizer,
    OneFormerForUniversalSegmentation,
    OneFormerProcessor,
    pipeline,
)

import oneformer_lite as ofl
import oneformer_lite.weights
from oneformer_lite.model.parts.tokenizer import tokenize
from oneformer_lite.weights import save_huggingface

TASKS = ("panoptic", "instance", "semantic")
pytestmark = pytest.mark.filterwarnings("ignore:.*text mapper", "ignore:.*embed_dim")


@pytest.fixture(scope="module")
def ours():
    return ofl.from_pretrained("toytown")


@pytest.fixture(scope="module")
def folder(ours, tmp_path_factory):
    """Written in one place, moved to another."""
    start = tmp_path_factory.mktemp("written") / "model"
    with pytest.warns(UserWarning, match="the text mapper is left out"):
        save_huggingface(ours, start)
    return shutil.move(start, tmp_path_factory.mktemp("moved") / "model")


@pytest.fixture(scope="module")
def image():
    """A scene of the size at which the model is tested: nobody resizes it."""
    return Image.fromarray(ofl.data.Toytown("val", size=160)[0].image)


def pixels(image):
    return ofl.data.normalise(np.asarray(image))[None]


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    def connect(*args):
        raise OSError(101, "Network is unreachable")  # what is not in the folder is nowhere

    monkeypatch.setattr(socket.socket, "connect", connect)


@pytest.mark.parametrize("kind", [AutoProcessor, OneFormerProcessor])
def test_task_tokens_of_the_processor(folder, image, kind):
    processor = kind.from_pretrained(folder)
    for task in TASKS:
        found = processor(image, [task], return_tensors="pt")["task_inputs"]
        assert torch.equal(found, tokenize([f"the task is {task}"]))


def test_words_get_the_ids_of_the_published_tokenizer(folder):
    names = [c.name for data_set in ("coco", "ade20k", "mapillary") for c in ofl.config.class_list(data_set)]
    texts = [*(f"a photo with a {name}" for name in names), "Übergrößen & naïve cafés, 3.14", "two  spaces\tand tabs"]
    tokenizer = AutoTokenizer.from_pretrained(folder)
    found = tokenizer(texts, padding="max_length", max_length=77, truncation=True, return_tensors="pt")["input_ids"]
    assert len(tokenizer) == 49408 and torch.equal(found, tokenize(texts))


@pytest.mark.parametrize("task", TASKS)
def test_logits_through_the_processor(ours, folder, image, task):
    theirs = OneFormerForUniversalSegmentation.from_pretrained(folder).eval()
    batch = AutoProcessor.from_pretrained(folder)(image, [task], return_tensors="pt")
    with torch.no_grad():
        found = theirs(pixel_values=batch["pixel_values"], task_inputs=batch["task_inputs"])
        expected = ours(pixels(image), task)
    for mine, other in (
        (expected.class_logits, found.class_queries_logits), (expected.mask_logits, found.masks_queries_logits),
    ):  # fmt: skip
        assert (mine - other).abs().max() < 1e-4 * mine.abs().max()


def test_results_of_the_pipeline(ours, folder, image):
    """transformers merges by other thresholds, so the names of what is clear to the model are compared; its semantic
    map pixel by pixel, with its rule applied to our logits: classes first, resizing afterwards."""
    segment = pipeline("image-segmentation", model=str(folder))
    for task in TASKS:
        assert torch.equal(segment.preprocess(image, subtask=task)["task_inputs"], tokenize([f"the task is {task}"]))
        found = segment(image, subtask=task)
        if task == "semantic":
            with torch.no_grad():
                output = ours(pixels(image), task)
            classes = output.class_logits.softmax(-1)[..., :-1]
            scores = torch.einsum("bqc,bqhw->bchw", classes, output.mask_logits.sigmoid())
            expected = F.interpolate(scores, (160, 160), mode="bilinear")[0].argmax(0).numpy()
            at = {name: i for i, name in enumerate(ours.config.class_names)}
            theirs = sum((np.asarray(part["mask"]) > 0) * at[part["label"]] for part in found)
            assert (theirs == expected).mean() > 0.9999
        else:
            expected = ofl.predict(ours, image, task).segments
            assert sorted(part["label"] for part in found) == sorted(s.class_name for s in expected)
    assert sorted(part["label"] for part in segment(image)) == sorted(
        s.class_name for s in ofl.predict(ours, image, "panoptic").segments
    )


def snippet() -> str:
    """The lines of the page on weights that make transformers predict what is predicted here."""
    page = (Path(oneformer_lite.weights.__file__).parent / "README.md").read_text(encoding="utf-8")
    return next(block for block in re.findall(r"```python\n(.*?)```", page, re.S) if "divide_by" in block)


@pytest.mark.parametrize("size", [(160, 160), (240, 160), (160, 300), (204, 160)])
def test_the_lines_on_the_page_predict_the_same_at_any_size(ours, folder, image, tmp_path, size):
    """Sizes (width, height) at which nobody resizes, of which transformers' processor pads none."""
    image.resize(size).save(tmp_path / "photo.png")
    names = {"FOLDER": str(folder), "photo": Image.open(tmp_path / "photo.png")}
    exec(snippet(), names)
    expected = ofl.predict(ours, tmp_path / "photo.png", "semantic")
    assert (names["label_map"].numpy() == expected.label_map).mean() > 0.9999
    with torch.no_grad():
        logits = ours(pixels(Image.open(tmp_path / "photo.png")), "semantic").class_logits
    assert (names["outputs"].class_queries_logits - logits).abs().max() < 1e-4 * logits.abs().max()


def test_what_transformers_does_otherwise_is_as_the_page_says(ours, folder, image):
    """Its own post-processing agrees on most pixels; without padding, logits differ."""
    narrow = image.resize((160, 204))
    segment = AutoProcessor.from_pretrained(folder)
    theirs = OneFormerForUniversalSegmentation.from_pretrained(folder).eval()
    batch = segment(narrow, ["semantic"], return_tensors="pt")
    assert batch["pixel_values"].shape[-2:] == (204, 160)  # once this is padded, the page is to be changed
    with torch.no_grad():
        found, expected = theirs(**batch), ours(pixels(narrow), "semantic").class_logits
    assert (found.class_queries_logits - expected).abs().max() > 1e-3 * expected.abs().max()
    label_map = segment.post_process_semantic_segmentation(found, target_sizes=[(204, 160)])[0].numpy()
    assert 0.9 < (label_map == ofl.predict(ours, narrow, "semantic").label_map).mean() < 0.9999


def test_sizes_and_classes_of_the_image_processor(ours, folder):
    processor = AutoImageProcessor.from_pretrained(folder)
    things = [i for i, thing in enumerate(ours.config.is_thing) if thing]
    assert processor.metadata["thing_ids"] == things and processor.metadata["3"] == "tree"
    assert (processor.size["shortest_edge"], processor.size["longest_edge"]) == (160, 320)
    content = json.loads((folder / "class_info.json").read_text())
    assert content["3"] == {"name": "tree", "isthing": 1} and content["13"] == {"name": "water", "isthing": 0}
    told = AutoImageProcessor.from_pretrained(folder, repo_path=str(folder), class_info_file="class_info.json")
    assert told.metadata == processor.metadata


def test_sentences_of_another_length(tmp_path):
    config = dataclasses.replace(ofl.config.toytown(), text_length=24, decoder_layers=1, pretrained=False)
    save_huggingface(ofl.OneFormer(config), tmp_path)
    processor = AutoProcessor.from_pretrained(tmp_path)
    batch = processor(Image.new("RGB", (160, 160)), ["semantic"], return_tensors="pt")
    assert torch.equal(batch["task_inputs"], tokenize(["the task is semantic"], 24)) and processor.max_seq_length == 24
