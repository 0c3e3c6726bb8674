"""The tokenizer against open_clip's, and against the published ids of the task sentences."""

from __future__ import annotations

import json
import random

import pytest
from open_clip.tokenizer import SimpleTokenizer

from oneformer_lite.data.sample import TASKS
from oneformer_lite.data.targets import PADDING_TEXT
from oneformer_lite.model.parts.task import task_ids
from oneformer_lite.model.parts.tokenizer import decode, encode, tokenize

PUBLISHED = {
    "semantic": [49406, 518, 10549, 533, 29119, 1550, 49407],
    "instance": [49406, 518, 10549, 533, 34572, 49407],
    "panoptic": [49406, 518, 10549, 533, 1072, 24755, 49407],
}
ODD = [
    "", " ", "a", "A Photo\twith \n a   DOG", "don't you're we've I'm they'll he'd it's",
    "12345 3.14 1e-3", "door-stuff", "wall, building; edifice", "sky-other-merged", "!!!???...", "(a)[b]{c}",
    "naïve café", "straße", "日本語の写真", "собака и кошка", "🐶🐱 emoji", "&amp;amp; &lt;b&gt;", "â€œquotesâ€",
    "a_b_c", "x" * 60, "100% #hash @home $5", "½ ² Ⅷ", "<|startoftext|> inside <|endoftext|>",
]


@pytest.fixture(scope="module")
def reference() -> SimpleTokenizer:
    return SimpleTokenizer()


def generated_texts() -> list[str]:
    """300 strings of words, digits, punctuation and letters of several scripts."""
    draw = random.Random(0)
    letters = "abcdefghijklmnopqrstuvwxyzABCXYZ0123456789-_.,:;!?'\"()/&äöüßéèñçøåžλдж中文 "
    return ["".join(draw.choices(letters, k=draw.randint(1, 60))) for _ in range(300)]


@pytest.mark.parametrize("texts", [ODD, generated_texts()], ids=["odd", "generated"])
def test_ids_equal_open_clip(texts: list[str], reference: SimpleTokenizer) -> None:
    for text in texts:
        assert encode(text) == reference.encode(reference.clean_fn(text)), text
    assert tokenize(texts).equal(reference(texts, context_length=77))


def test_class_sentences_equal_open_clip(coco_sample, reference: SimpleTokenizer) -> None:
    annotation = next((coco_sample / "annotations").glob("panoptic_*.json"))
    names = [c["name"] for c in json.loads(annotation.read_text())["categories"]]
    assert len(names) == 133
    texts = [f"a photo with a {name}" for name in names] + list(PADDING_TEXT.values())
    assert tokenize(texts).equal(reference(texts, context_length=77))


@pytest.mark.parametrize("length", [5, 16, 77])
def test_long_texts_are_cut_and_closed(length: int, reference: SimpleTokenizer) -> None:
    texts = ["a photo with a " + "very " * 100 + "long train", "short"]
    ids = tokenize(texts, length)
    assert ids.equal(reference(texts, context_length=length))
    assert ids.shape == (2, length) and ids[0, -1] == 49407


@pytest.mark.parametrize("task", TASKS)
def test_published_task_ids(task: str) -> None:
    expected = PUBLISHED[task]
    ids = task_ids(task)
    assert ids[: len(expected)].tolist() == expected and not ids[len(expected) :].any()
    assert tokenize([f"The task is {task}"])[0].equal(ids)  # the official spelling; lower-cased inside


def test_decode_returns_the_words() -> None:
    for text in ("a photo with a traffic light", "naïve café 日本 🐶", "the task is panoptic"):
        assert decode(encode(text)) == text
        assert decode(tokenize([text])[0].tolist()) == text
    assert decode([]) == ""


def test_no_texts_make_an_empty_table() -> None:
    assert tokenize([]).shape == (0, 77)
