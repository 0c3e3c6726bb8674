"""Answers in their places: what fits does the work, what does not is set aside with a sentence."""

from __future__ import annotations

import json
import time
import warnings

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import oneformer_lite as ofl
from oneformer_lite import labs
from oneformer_lite.labs.exercise import find
from oneformer_lite.labs.yours import Parts, YourOneFormer, parts
from oneformer_lite.labs.yours.gathered import gathered
from oneformer_lite.labs.yours.training import Training


def masks(embeddings, features):
    """Right, with a picture beside: it prints."""
    print("multiplying")
    return torch.einsum("bqc,bchw->bqhw", embeddings, features)


def similarity(queries, texts):
    return F.normalize(queries.flatten(1), dim=-1) @ F.normalize(texts.flatten(1), dim=-1).T


def pairing(table):
    """Right in the lab, where there are at most six queries, and as an array."""
    from scipy.optimize import linear_sum_assignment

    return linear_sum_assignment(table.nan_to_num(nan=100.0).T.numpy())[1]


@pytest.fixture(scope="module")
def ours() -> YourOneFormer:
    """With no answer at all."""
    return YourOneFormer()


def test_what_passes_is_used_and_what_does_not_is_ours(capsys, ours):
    given = {"10.1": masks, "07.1": similarity, "08.4": pairing, "07.2": lambda table: table.sum(), "01.1": None,
             "10.2": find("10.2").reference}  # fmt: skip
    assert Parts(given).yours == ["10.1", "08.4", "07.1"]
    mine = YourOneFormer(given)
    assert not mine.faults and repr(mine).startswith("your OneFormer: 3 of 40 parts are yours\n")
    assert "decoder        ■□□□     10.1 masks" in repr(mine) and "3 of 40" in mine._repr_html_()
    assert capsys.readouterr().out == ""
    assert np.asarray(mine.picture()).shape[1] > 800
    assert mine.scores == pytest.approx(ours.scores, abs=0.01)


def only_small(limit: int, otherwise):
    """Right for as many queries as a lab's cases have; in the whole model ``otherwise()``."""

    def answer(embeddings, features):
        return masks(embeddings, features) if embeddings.shape[1] <= limit else otherwise(embeddings, features)

    return answer


def fails(embeddings, features):
    raise ZeroDivisionError("too many")


@pytest.mark.parametrize(
    ("otherwise", "words"),
    [
        (fails, "in the whole model it raises ZeroDivisionError: too many"),
        (lambda e, f: masks(e, f)[:, :6], "in the whole model: expected shape"),
        (lambda e, f: masks(e, f) + 1, "in the whole model: expected"),
        (lambda e, f: None, "in the whole model: expected float"),
        (lambda e, f: time.sleep(9), "it takes more than 0.5 seconds"),
        (lambda e, f: exit(), "SystemExit"),
    ],
)
def test_what_passes_its_check_and_breaks_the_whole_is_set_aside_with_a_sentence(monkeypatch, ours, otherwise, words):
    monkeypatch.setattr(parts, "SECONDS", 0.5)
    answer = only_small(8, otherwise)
    assert labs.check("10.1", answer).passed
    mine = YourOneFormer({"10.1": answer})
    assert words in mine.faults["10.1"] and "10.1 masks is set aside: " in repr(mine)
    assert mine.parts.yours == [] and mine.scores == ours.scores


@pytest.mark.parametrize(("share", "fits"), [(0.0005, True), (0.01, False)])
def test_equals_that_rounding_has_ordered_the_other_way_are_no_fault(share, fits):
    def nearly(embeddings, features):
        found = masks(embeddings, features)
        found.flatten()[: int(share * found.numel())] += 1
        return found

    part = parts.Part(find("10.1"), nearly)
    part.compared = True
    part(torch.randn(1, 20, 4), torch.randn(1, 4, 32, 32))
    assert part.is_yours == fits, part.fault


def test_a_gradient_that_is_cut_off_in_the_whole_is_found_and_named():
    """The check looks at gradients of a few queries; the model has more."""
    cut = only_small(8, lambda embeddings, features: masks(embeddings.detach(), features))
    mine = YourOneFormer({"10.1": cut, "07.1": similarity, "13.4": total})
    assert set(mine.parts.yours) == {"10.1", "07.1", "13.4"}, mine.faults
    training = Training(mine.model, mine.parts, ofl.data.Toytown("train", 64), batch=2)
    training.set_aside_other_gradients(seed=0)
    assert set(mine.faults) == {"10.1"} and "is something detached" in mine.faults["10.1"]


def total(by_prediction, contrastive, weights):
    return weights["contrastive"] * contrastive + sum(weights[n] * x.sum() for n, x in by_prediction.items())


def test_training_learns_with_the_parts_it_is_given():
    mine = labs.assemble(None, "10", {"masks": masks})
    before = {name: p.clone() for name, p in mine.model.state_dict().items()}
    first = mine.train(steps=1, size=64, batch=2, seed=3)
    assert len(first) == 1 and np.isfinite(first[0]) and not mine.faults
    assert any(not torch.equal(p, before[name]) for name, p in mine.model.state_dict().items())
    with pytest.raises(ofl.errors.ConfigError, match="steps"):
        mine.train(steps=0)


def write(path, *cells: str) -> None:
    content = [{"cell_type": "code", "source": cell.splitlines(keepends=True)} for cell in cells]
    path.write_text(json.dumps({"cells": [*content, {"cell_type": "markdown", "source": "words"}]}))


def test_answers_are_gathered_from_notebooks_and_nothing_that_calculates_runs(tmp_path):
    ran = tmp_path / "ran"
    write(tmp_path / "07_the_contrastive_loss.ipynb",
          "import torch.nn.functional as F\nfirst, SCALE = divmod(5, 4)\nmodel = open('ran', 'w')",
          "%matplotlib inline\ndef lost(): pass",
          "def unit(x):\n    return F.normalize(x.flatten(1), dim=-1) * SCALE",
          "def similarity(queries, texts):\n    return unit(queries) @ unit(texts).T",
          "similarity = labs.use('07.1', similarity)\ndef gradient(:\n",
          f"open({str(ran)!r}, 'w')\n1 / 0\nx = open({str(ran)!r}, 'w')\nunit.scale = 2")  # fmt: skip
    write(tmp_path / "01_one_annotation_three_targets.ipynb", "def rgb2id(rgb):\n    ...")
    found = gathered(tmp_path)
    assert set(found) == {"07.1", "01.1"} and not ran.exists()
    assert Parts(found).yours == ["07.1"]
    here = labs.assemble(tmp_path, "10", {"masks": masks})
    assert set(here.parts.yours) == {"07.1", "10.1"}


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"cells": [3]}', '{"cells": 7}', "\x00\xff"])
def test_a_notebook_that_cannot_be_read_is_left_out_with_a_warning(tmp_path, text):
    (tmp_path / "07_broken.ipynb").write_text(text)
    with pytest.warns(UserWarning, match="07_broken.ipynb is left out: it cannot be read as a notebook"):
        assert gathered(tmp_path) == {}


def test_a_definition_that_fails_is_said_and_the_rest_is_taken(tmp_path):
    answer = "def masks(e, f):\n    return (e @ f.flatten(2)).unflatten(2, f.shape[2:]) * no_such_module.one"
    write(tmp_path / "10_decoder.ipynb", "import no_such_module", answer)
    with pytest.warns(UserWarning, match="cell 10_decoder.ipynb, 1: ModuleNotFoundError"):
        found = gathered(tmp_path)
    assert "10.1" in found and not Parts(found).yours
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert gathered(tmp_path / "nowhere") == {}
