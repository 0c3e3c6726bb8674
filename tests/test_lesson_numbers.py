"""A number in a lesson's prose is in its code or its outputs, or it is a constant whose source is named here."""

from __future__ import annotations

import re

import nbformat
import pytest
from notebook_builder import LESSONS, code_cells, committed, name

SMALL = 13  # whole numbers below stand for themselves: three tasks, twelve scenes, lesson 7
CONSTANTS = {  # in any lesson
    "133": "classes of COCO",
    "150": "queries of COCO's models", "250": "queries of the largest models", "256": "channels of all models",
    "1024": "side of COCO's training pictures, and width of a feed-forward block", "12544": "points of the losses",
    "47": "million parameters with ResNet-50, paper, table of COCO",
    "2017": "Lin et al., FPN", "2020": "Carion et al., DETR", "2022": "Cheng et al., Mask2Former",
    "2023": "OneFormer", "1955": "Kuhn",
    "67.2": "PQ on Cityscapes with Swin-L, paper, ablations", "45.6": "its AP", "66.5": "PQ without task token",
    "43.3": "AP without task token", "62.7": "PQ without text context", "65.8": "PQ with queries from zero",
    "58.8": "PQ without contrastive loss", "51.5": "PQ on COCO with ResNet-50, paper, ablations",
    "51.1": "PQ there without contrastive loss", "49.0": "AP on COCO with Swin-L, README of the official code",
    "48.9": "AP there on real instance annotations, paper",
    "1.5": "PQ of stuff under 'instance' on ADE20K, paper", "50.2": "PQ of stuff under the other tokens",
    "0.33": "official config", "0.66": "official config", "0.34": "what they leave", "0.01": "official clipping",
    "0.0001": "official learning rate", "0.95": "second step of the schedule, paper",
    "735184": "second step of Swin-L's schedule, official config", "737500": "its length", "0.963": "that of DiNAT",
    "160": "shorter side at which the Toytown model predicts",
}  # fmt: skip
OWN = {  # in one lesson
    "02": {
        "800": "self-test",
        "1216": "self-test",
        "950": "25 x 38",
        "200": "800 / 4",
        "304": "1216 / 4",
        "60800": "200 x 304",
    },
    "05": {"70": "77 places less the 7 of the longest sentence"},
    "07": {"28": "32 - 4", "56": "an issue", "23": "an issue", "14": "14.3", "0.0000": "self-test"},
    "09": {"0.001": "self-test"},
    "09b": {"25": "100 - 75", "255": "what transformers pads masks with"},
    "10": {"5.9": "AP on COCO without masked attention, Mask2Former, table 4", "4.8": "PQ there"},
    "12": {"26": "recalls to 0.25 in steps of 0.01", "50": "to 0.75", "0.55": "0.50 + 0.05", "0.49": "self-test"},
    "13": {"0.995": "self-test"},
    "14": {"1.7": "GB of the slice", "4500": "its training pictures", "500": "its test pictures"},
    "15": {"880": "MB of the published file"},
    "16": {
        "2021": "Cheng et al., MaskFormer",
        "2025": "Kerssies et al., EoMT",
        "50": "ResNet-50",
        "500": "epochs of DETR's boxes, README of the official code",
        "25": "of its masks",
        "300": "of MaskFormer, official config",
        "100": "of Mask2Former with Swin-L, its model zoo",
        "43.4": "PQ on COCO, README of DETR",
        "46.5": "model zoo of MaskFormer",
        "51.9": "of Mask2Former",
        "57.8": "there, Swin-L",
        "56.0": "model zoo of EoMT, ViT-L",
        "640": "side of its pictures",
        "200": "scenes that the demo holds out, too",
    },
    "17": {
        "17": "this lesson",
        "2021": "Zhang et al., K-Net",
        "50": "ResNet-50, and epochs of Mask2Former and Mask DINO",
        "500": "epochs of DETR's boxes, README of the official code",
        "25": "of its masks",
        "36": "of K-Net, README",
        "24": "of Panoptic SegFormer, README",
        "43.4": "PQ on COCO, README of DETR",
        "47.1": "of K-Net",
        "49.6": "of Panoptic SegFormer",
        "51.9": "model zoo of Mask2Former",
        "53.0": "README of Mask DINO",
    },
    "18": {"18": "this lesson", "2021": "the report", "32": "a U-Net's channels at the picture's size"},
    "19": {
        "8.4": "67.2 - 58.8",
        "0.4": "51.5 - 51.1",
        "37": "variants of the study without the baseline",
        "19": "this lesson",
        "0.002": "toytown_training()",
    },
    "20": {"20": "this lesson", "0.05": "self-test", "60": "self-test"},
    "21": {
        "21": "this lesson",
        "16": "bits of a map",
        "664": "pictures of the whole data set",
        "597": "of them to learn from",
        "375": "nuclei of the fullest",
        "40": "queries of nuclei()",
        "0.86": "StarDist, published",
        "0.83": "Mask R-CNN, published",
        "233": "test pictures of CamVid",
        "51.3": "ENet, published",
        "60.1": "SegNet, published",
    },
}
HIDDEN = re.compile(  # what says no number of its own: formulas, code, addresses, numbers of lessons and labs
    r"\$\$.*?\$\$|\$[^$]*\$|`[^`]*`|\]\([^)]*\)|\*Minutes:\* \d+|"
    r"\b(?:[Ll]essons?|[Ll]ab) \d\d[a-z]?(?: (?:and|to) \d\d)?",
    re.DOTALL,
)


def numbers(text: str) -> list[str]:
    """The numbers of a text, without the marks between thousands: "21,504" and "60 800" are 21504 and 60800."""
    return re.findall(r"(?<![\w.])\d+(?:\.\d+)?(?!\w)", re.sub(r"(?<=\d)[, ](?=\d{3}\b)", "", text))


def unsupported(notebook, lesson: str) -> list[str]:
    """The numbers of the prose that neither code nor output has, each with the beginning of its cell."""
    cells = code_cells(notebook)
    shown = [output.get("text") or output.get("data", {}).get("text/plain", "") for c in cells for output in c.outputs]
    known = {number for text in [*shown, *(c.source for c in cells)] for number in numbers(text)}
    known |= CONSTANTS.keys() | OWN.get(lesson, {}).keys()
    said = [(number, c.source) for c in notebook.cells if c.cell_type == "markdown" for number in numbers(spoken(c))]
    doubtful = [(number, text) for number, text in said if not (number.isdigit() and int(number) < SMALL)]
    return [f"{number} in: {text[:60]}" for number, text in doubtful if number not in known]


def spoken(cell) -> str:
    """The words of a cell that may hold numbers."""
    return HIDDEN.sub("", cell.source)


@pytest.mark.parametrize("target", LESSONS, ids=name)
def test_numbers_of_the_prose_are_those_of_the_cells(target):
    assert unsupported(committed(target), target.stem.partition("_")[0]) == []


@pytest.mark.parametrize(("word", "number"), [("0.8 of them", "0.8"), ("8,731 of them", "8731"), ("47.4 PQ", "47.4")])
def test_a_number_that_no_cell_has_is_found(word, number):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(f"It finds {word}, $2^{{99}}$, `98`.")])
    assert unsupported(notebook, "02") == [f"{number} in: {notebook.cells[0].source[:60]}"]
    notebook.cells.append(nbformat.v4.new_code_cell(f"print({number})"))
    assert unsupported(notebook, "02") == []
