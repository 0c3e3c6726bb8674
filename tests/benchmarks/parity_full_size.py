"""Published sizes against transformers: random weights, float32, all ten predictions, all three tasks.

    python tests/benchmarks/parity_full_size.py
    python tests/benchmarks/parity_full_size.py --presets coco_r50 --sizes 512x512

Needs the test extra, and for Swin-L 8 GB of memory; one core takes about a minute for each line of ResNet-50 and
Swin-T, two or three for one of the large ones. Prints a Markdown table: the largest difference of a class logit and
of a mask logit over all ten predictions of a batch of 2, relative to the largest logit of that prediction; and how
many pixels of the attention regions differ. Those do only where a mask logit is zero but for rounding: the column
after says how far from zero, relative to the largest. Both models go on with the same regions (``compare`` in
``tests/weights/reference.py`` says why). Exits with status 1 where a difference exceeds 1e-4.

transformers' text encoder lacks its causal mask and its post-processing differs from the official code's. Neither
takes part here: the text encoder is for training only, and logits are compared, not segments. Its pixel decoder
drops at random when ``config.is_training`` is set, also after ``eval()``; here it is not set.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "weights"))
from reference import FULL_SIZE, TASKS, compare, full_size, picture  # noqa: E402

LIMIT = 1e-4
HEAD = "| preset | picture | task | class logits | mask logits | region pixels that differ | at a logit of |"


def size(text: str) -> tuple[int, int]:
    """Height and width from "427x640"."""
    height, width = text.split("x")
    return int(height), int(width)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--presets", nargs="+", choices=FULL_SIZE, default=list(FULL_SIZE))
    parser.add_argument("--sizes", nargs="+", type=size, default=[(512, 512), (427, 640)], metavar="HxW")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=TASKS)
    args = parser.parse_args()
    warnings.filterwarnings("ignore", message=".*(text mapper|are things)")
    print(HEAD, "|---" * HEAD.count(" | ") + "|---|", sep="\n")
    worst = 0.0
    for preset in args.presets:
        theirs, ours = full_size(preset)
        for height, width in args.sizes:
            torch.manual_seed(0)
            images = picture(2, height, width)
            for task in args.tasks:
                found = compare(theirs, ours, images, [task, task])
                classes, masks = max(found.class_logits), max(found.mask_logits)
                worst = max(worst, classes, masks)
                print(
                    f"| `{preset}` | {height} x {width} | {task} | {classes:.1e} | {masks:.1e} "
                    f"| {found.flipped} of {found.regions / 1e6:.1f} million | {found.nearest:.0e} |",
                    flush=True,
                )
    return int(worst > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
