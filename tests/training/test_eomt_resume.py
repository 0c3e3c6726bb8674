"""EoMT killed between two checkpoints resumes bit-equal, the fading of its masks included."""

from __future__ import annotations

import dataclasses

import pytest

import oneformer_lite as ofl
from oneformer_lite import config
from oneformer_lite.training import Trainer, read_log, toytown_training, train

pytestmark = pytest.mark.filterwarnings("ignore:.*(segments but the model has|number of queries)")
STEPS, SAVED, DIED = 8, 3, 5


class Killed(BaseException):
    """As a signal that nobody can catch: what handles errors does not run."""


def small() -> config.EomtConfig:
    """Two blocks, whose masks fade out one after the other; places are stretched at random."""
    sizes = {"image_size": 64, "hidden_dim": 48, "num_heads": 4, "num_queries": 10, "num_points": 64}
    options = {"depth": 3, "init_values": 1.0}
    return dataclasses.replace(
        config.eomt_toytown(), backbone_options=options, query_blocks=2, rope_rescale=2.0, **sizes
    )


def recipe(out):
    return toytown_training(
        out=str(out), data="nowhere", steps=STEPS, batch_size=2, workers=0, evaluations=0, log_steps=1,
        look_first=False, save_steps=SAVED,
    )  # fmt: skip


def test_killed_it_resumes_bit_equal(tmp_path) -> None:
    data = ofl.data.Toytown("train", 64, 6)
    whole = train(small(), recipe(tmp_path / "whole"), data)
    trainer = Trainer(small(), recipe(tmp_path / "parts"), data, None)
    step = trainer.train_step

    def dies(batches):
        if trainer.step == DIED:
            raise Killed
        return step(batches)

    trainer.train_step = dies
    with pytest.raises(Killed):
        trainer.run()
    trainer.log.close()
    resumed = Trainer(small(), recipe(tmp_path / "parts"), data, None)
    assert resumed.step == SAVED
    shares, step_again = [], resumed.train_step

    def noted(batches):
        found = step_again(batches)
        shares.append(resumed.model.shares)
        return found

    resumed.train_step = noted
    rest = resumed.run()
    assert rest.finished and len(shares) == STEPS - SAVED
    # of the first block none is left, of the second one all, some, and none
    assert [s[0] for s in shares] == [0.0] * 5 and 0 < shares[3][1] < 1 and shares[0][1] == 1 and shares[-1][1] == 0
    for name, value in whole.model.state_dict().items():
        assert value.equal(rest.model.state_dict()[name]), name
    totals = [[r["total"] for r in read_log(tmp_path / run) if r["kind"] == "train"] for run in ("whole", "parts")]
    assert len(totals[0]) == STEPS and totals[0] == totals[1]
