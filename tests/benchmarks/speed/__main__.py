"""Ours and transformers' OneFormer side by side: time and memory. ``make benchmark`` runs it.

    python tests/benchmarks/speed [--coco FOLDER] [--only WORDS ...] [--rounds 5] [--out FOLDER]

Both run in one process on the same weights, inputs and threads and take turns; a figure is the median of the rounds,
a ratio the median of the rounds' ratios. Peak memory is that of a process of its own for each side. Without a folder
in COCO's layout (train2017/, annotations/), pictures, targets and texts come from Toytown. Writes ``table.md`` and
``table.json``, then ``growth.png`` and ``growth.json`` (``--only growth`` for these alone): how cost grows with the
picture, queries, classes and batch. Exits with status 1 where a ratio is below the one wanted.
"""

from __future__ import annotations

import argparse
import gc
import json
import subprocess
import sys
import warnings
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent), *(str(HERE.parents[1] / name) for name in ("weights", "metrics"))]

from cases import (  # noqa: E402
    Case,
    criterion,
    inference,
    panoptic_quality,
    pixel_decoder,
    post_processing,
    preparation,
    query_transformer,
    text_mapper,
    training,
    transformer,
)
from growth import as_json, draw  # noqa: E402
from growth import measure as measure_growth  # noqa: E402
from material import Material  # noqa: E402
from memory import peak_of  # noqa: E402
from models import SIDES  # noqa: E402
from table import HEAD, Line, circumstances, markdown, write  # noqa: E402
from turns import in_turns  # noqa: E402

CASES = [
    Case("inference: Swin-T, 512 x 512", inference("coco_swin_t", 1, 512), wanted=1.6, measures_memory=True),
    Case("inference: Swin-T, 512 x 512, batch 2", inference("coco_swin_t", 2, 512), wanted=1.6),
    Case("inference: Swin-T, 512 x 512, ours compiled", inference("coco_swin_t", 1, 512, compiled=True), wanted=2.0),
    Case("inference: Swin-T, 512 x 512, bfloat16", inference("coco_swin_t", 1, 512, half=True), wanted=1.6),
    Case("inference: ResNet-50, 512 x 512", inference("coco_r50", 1, 512), wanted=1.6, measures_memory=True),
    Case("inference: ResNet-50, 512 x 512, ours compiled", inference("coco_r50", 1, 512, compiled=True), wanted=2.0),
    Case("inference: ResNet-50, 512 x 512, bfloat16", inference("coco_r50", 1, 512, half=True), wanted=1.6),
    Case("inference: Toytown, 160 x 160", inference("toytown", 1, 160)),
    Case("inference: Toytown, 160 x 160, bfloat16", inference("toytown", 1, 160, half=True)),
    Case("training: Swin-T, 512 x 512, batch 2", training("coco_swin_t", 2, 512), 2.5, 0.6, measures_memory=True),
    Case("training: ResNet-50, 512 x 512, batch 2", training("coco_r50", 2, 512), measures_memory=True),
    Case("part: text mapper, batch 2", text_mapper, wanted=50),
    Case("part: pixel decoder", pixel_decoder),
    Case("part: query transformer", query_transformer),
    Case("part: query transformer and decoder", transformer),
    Case("part: matching, losses, gradients at 1024", criterion(whole=False), wanted=2, measures_memory=True),
    Case("part: the same, given whole masks", criterion(whole=True), wanted=2),
    Case("part: panoptic post-processing", post_processing),
    Case("part: PQ of 100 pictures, by its definition", panoptic_quality, wanted=5),
    Case("part: targets and texts, 8 pictures of 1024", preparation, wanted=5),
]


def measure(case: Case, material: Material, rounds: int, arguments: list[str]) -> Line:
    """Time in turns here, then peak memory of each side in a process of its own."""
    times = in_turns(case.build(material, SIDES), rounds)
    gc.collect()
    line = Line(
        case.name, *(1000 * times.median(side) for side in SIDES), times.ratio("theirs", "ours"), case.wanted,
        memory_wanted=case.memory,
    )  # fmt: skip
    if case.measures_memory:
        line.ours_gb, line.theirs_gb = (memory(case, side, arguments) for side in SIDES)
    return line


def memory(case: Case, side: str, arguments: list[str]) -> float:
    """Gigabytes of a process that does nothing but run one side of ``case`` once."""
    command = [sys.executable, str(HERE), *arguments, "--memory-of", side, "--only", case.name]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)["peak"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--coco", type=Path, help="a folder in COCO's layout")
    parser.add_argument("--only", nargs="+", default=[""], help="cases whose name contains one of these words")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("runs/benchmark"))
    parser.add_argument("--memory-of", choices=SIDES, help="print the peak memory of one side instead")
    args = parser.parse_args()
    warnings.filterwarnings("ignore")  # of transformers, about its own defaults
    material = Material(args.coco)
    cases = [case for case in CASES if any(word in case.name for word in args.only)]
    if args.memory_of:
        (case,) = [case for case in cases if case.name == args.only[0]]
        peak = peak_of(case.build(material, [args.memory_of])[args.memory_of])
        print(json.dumps({"peak": peak.peak, "own": peak.own}))
        return 0
    arguments = ["--coco", str(args.coco)] if args.coco else []
    lines = []
    print(HEAD, flush=True)
    for case in cases:
        lines.append(measure(case, material, args.rounds, arguments))
        print(markdown(lines[-1]), flush=True)
        write(args.out, lines, circumstances(args.rounds, material.name))
    if any(word in "growth" for word in args.only):
        print("\nhow cost grows", flush=True)
        found = measure_growth(3, lambda words: print(words, flush=True))
        args.out.mkdir(parents=True, exist_ok=True)
        (args.out / "growth.json").write_text(json.dumps(as_json(found), indent=1) + "\n")
        draw(found, args.out / "growth.png")
    short = [line.name for line in lines if not line.reached]
    print(f"\nwritten to {args.out}" + "".join(f"\nshort of what is wanted: {name}" for name in short))
    return int(bool(short))


if __name__ == "__main__":
    sys.exit(main())
