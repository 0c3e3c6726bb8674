"""Notebooks as students hand them in, made on the spot."""

from __future__ import annotations

import json
from pathlib import Path

LAB = """import torch
import torch.nn.functional as F
from oneformer_lite import labs"""
BEGIN = 'labs.begin("07", globals())'
COSINES = """def similarity(queries, texts):
    images = F.normalize(queries.flatten(1), dim=-1)
    return images @ F.normalize(texts.flatten(1), dim=-1).T"""
LOSS = """def contrastive_loss(table):
    labels = torch.arange(len(table))
    return F.cross_entropy(table, labels) + F.cross_entropy(table.T, labels)"""
HALF = LOSS.replace("return F", "return 0.5 * (F").replace("labels)\n", "labels)\n") + ")"
STUB = "def gradient(table):\n    ...  # about 2 lines"


def content(*cells: str) -> dict:
    """The JSON of a notebook of code cells, with an output that claims all is right."""
    claim = {"output_type": "stream", "name": "stdout", "text": "07.2  7/7 passed"}
    code = [
        {"cell_type": "code", "id": f"c{n}", "metadata": {}, "execution_count": n, "outputs": [claim], "source": source}
        for n, source in enumerate(cells, start=1)
    ]
    return {"cells": code, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def hand_in(path: Path, *cells: str) -> Path:
    """Write it, with the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content(*cells)), encoding="utf-8")
    return path
