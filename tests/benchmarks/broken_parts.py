"""Does a lesson notice when the part that it teaches is broken? ``python tests/benchmarks/broken_parts.py [07 08 ...]``

For each sabotage below the package is copied to a temporary folder, one line of the copy is changed, and strict nbval
runs the lesson against it. First each lesson must pass with an unchanged copy. Prints a table of the failed cells; the
exit status is 1 if a lesson passes with its part broken, or fails with it whole. About half a minute a line.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 600


@dataclass(frozen=True)
class Sabotage:
    """``before`` stands once in ``file`` of the package; with ``after`` in its place ``lesson`` must fail."""

    lesson: str
    part: str
    file: str
    before: str
    after: str


SABOTAGES = (
    Sabotage("00b", "scores are not divided by the root", "drawings/attention.py",
             "scores = q @ k.T / math.sqrt(q.shape[1])", "scores = q @ k.T"),
    Sabotage("01", "crowds become targets", "data/targets.py",
             "if not segment.is_crowd and (task", "if (task"),
    Sabotage("02", "the coarse map is subtracted", "model/parts/fpn.py",
             "self.lateral(fine) + enlarged", "self.lateral(fine) - enlarged"),
    Sabotage("03", "pixel centres at the corners", "model/parts/deformable_attention.py",
             "pixel = places * length - 0.5", "pixel = places * length"),
    Sabotage("03", "width and height swapped", "model/parts/pixel_decoder.py",
             "torch.stack([x, y], -1)", "torch.stack([y, x], -1)"),
    Sabotage("03", "level embeddings in the wrong order", "model/parts/pixel_decoder.py",
             "zip(shapes, level_embed)", "zip(shapes, level_embed.flip(0))"),
    Sabotage("04", "capitals stay capitals", "model/parts/tokenizer.py",
             '" ", clean).strip().lower()', '" ", clean).strip()'),
    Sabotage("05", "texts look ahead, not back", "model/parts/text.py",
             "dtype=torch.bool).tril()", "dtype=torch.bool).triu()"),
    Sabotage("06", "values with features", "model/parts/query.py",
             "values = keys if self.values_with_features else positions", "values = keys"),
    Sabotage("07", "a sign in the contrastive loss", "losses/contrastive.py",
             "labels) + F.cross_entropy(by_text", "labels) - F.cross_entropy(by_text"),
    Sabotage("08", "the sign of the class cost", "losses/classes.py",
             "return -class_probabilities(", "return class_probabilities("),
    Sabotage("09", "the no-object weight", "losses/classes.py",
             "weights[-1] = config.no_object_weight", "weights[-1] = 1.0"),
    Sabotage("09", "asked for another picture's classes", "losses/classes.py",
             "classes[matched_pairs(assigned)] = labels_of(targets)",
             "classes[matched_pairs(assigned)] = labels_of(targets[::-1])"),
    Sabotage("09b", "points where the model is sure", "losses/points.py",
             "dim=1, largest=False, sorted=False", "dim=1, largest=True, sorted=False"),
    Sabotage("09b", "mask losses are not divided", "losses/pairs.py",
             "return values.sum() / self.count", "return values.sum()"),
    Sabotage("09b", "half the overlap in dice", "losses/masks.py",
             "(overlap + 1) / (probability.sum(1)", "(overlap / 2 + 1) / (probability.sum(1)"),
    Sabotage("10", "the order of the levels", "model/parts/masked_decoder.py",
             "for i, layer in enumerate(self.layers):",
             "for i, layer in zip((2, 1, 0, 5, 4, 3, 8, 7, 6), self.layers):"),
    Sabotage("10", "no rescue of empty masks", "model/parts/masked_decoder.py",
             "return region | ~region.any(dim=-1, keepdim=True)", "return region"),
    Sabotage("11", "the mask threshold", "inference/merging.py",
             "own = masks >= 0.5", "own = masks >= 0.4"),
    Sabotage("11", "stuff is never joined", "inference/merging.py",
             "if not is_thing[class_id]:", "if is_thing[class_id]:"),
    Sabotage("12", "false positives count whole", "metrics/panoptic.py",
             "0.5 * self.fp", "1.0 * self.fp"),
    Sabotage("12", "void counts in the union", "metrics/overlaps.py",
             " - shared - overlap(pred_id, VOID)", " - shared"),
    Sabotage("13", "the backbone learns at full pace", "training/optim.py",
             "(config.backbone_lr_multiplier if backbone else 1.0)", "1.0"),
    Sabotage("14", "the rate grows in proportion", "training/machines.py",
             '"lr": c.lr * math.sqrt(ratio)', '"lr": c.lr * ratio'),
    Sabotage("15", "sizes are cut, not rounded", "config/base.py",
             "max(1, int(near + 0.5)), max(1, int(far + 0.5))", "max(1, int(near)), max(1, int(far))"),
    Sabotage("16", "boxes that do not touch are all alike", "losses/boxes.py",
             " - (around - union) / (around + epsilon)", ""),
    Sabotage("17", "boxes move the other way", "model/parts/boxes.py",
             "return (known + steps).sigmoid()", "return (known - steps).sigmoid()"),
    Sabotage("18", "a patch is written by two tokens", "model/parts/class_maps.py",
             "F.conv_transpose2d(x, ", "F.conv_transpose2d((x + x.roll(1, -1)) / 2, "),
    Sabotage("19", "seen at once the range", "studies/summary.py",
             "FACTOR = 2.0", "FACTOR = 1.0"),
    Sabotage("20", "a class loss of nothing is fine", "diagnosis/sense.py",
             "> QUIET * values[0] or", ">= 0 or"),
    Sabotage("21", "all nuclei are one", "data/instance_map.py",
             "numbers = read_label_map(path, _GREYS, 0)",
             "numbers = np.minimum(read_label_map(path, _GREYS, 0), 1)"),
)  # fmt: skip


def main(lessons: list[str]) -> int:
    """Run the sabotages of the lessons (numbers; default: all); the exit status."""
    chosen = [s for s in SABOTAGES if not lessons or s.lesson in lessons]
    missed = 0
    print(f"{'lesson':<8}{'part':<36}failed cells")
    for lesson in sorted({s.lesson for s in chosen}):
        whole = failed_cells(lesson, None)
        if whole:
            print(f"{lesson:<8}{'(nothing broken)':<36}{listed(whole)}  FAILS ANYWAY", flush=True)
            missed += 1
            continue
        for sabotage in (s for s in chosen if s.lesson == lesson):
            cells = failed_cells(lesson, sabotage)
            print(f"{lesson:<8}{sabotage.part:<36}{listed(cells) or 'NONE: NOT NOTICED'}", flush=True)
            missed += not cells
    return 1 if missed else 0


def failed_cells(lesson: str, sabotage: Sabotage | None) -> list[int]:
    """Numbers of the cells that strict nbval finds changed, the lesson run against a copy of the package."""
    notebook = next((ROOT / "notebooks").glob(f"{lesson}_*.ipynb"))
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder) / "oneformer_lite"
        shutil.copytree(ROOT / "oneformer_lite", package, ignore=shutil.ignore_patterns("__pycache__"))
        (Path(folder) / "data").symlink_to(ROOT / "data")  # the samples, which a clone has beside its package
        if sabotage:
            break_part(package, sabotage)
        environment = {**os.environ, "PYTHONPATH": folder, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        used = [sys.executable, "-c", "import oneformer_lite; print(oneformer_lite.__file__)"]
        found = subprocess.run(used, env=environment, capture_output=True, text=True, check=True, cwd=notebook.parent)
        if not found.stdout.startswith(str(package)):
            raise SystemExit(f"the lesson would run against {found.stdout.strip()}, not against the copy")
        nbval = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "--nbval", "--nbval-current-env"]
        run = subprocess.run(
            [sys.executable, *nbval, notebook], cwd=ROOT, env=environment, capture_output=True, text=True,
            timeout=SECONDS,
        )  # fmt: skip
    if run.returncode not in (0, 1):
        raise SystemExit(f"nbval could not run {notebook.name}:\n{run.stdout}{run.stderr}")
    return sorted({int(number) for number in re.findall(r"^FAILED \S+::Cell (\d+)", run.stdout, re.MULTILINE)})


def break_part(package: Path, sabotage: Sabotage) -> None:
    """Change the copy; raises if the text is not there once."""
    path = package / sabotage.file
    text = path.read_text()
    if text.count(sabotage.before) != 1:
        raise SystemExit(f"{sabotage.file} holds {sabotage.before!r} {text.count(sabotage.before)} times, not once")
    path.write_text(text.replace(sabotage.before, sabotage.after))


def listed(cells: list[int]) -> str:
    """At most six of the numbers."""
    return ", ".join(map(str, cells[:6])) + (f" and {len(cells) - 6} more" if len(cells) > 6 else "")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
