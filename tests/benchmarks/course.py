"""Grade a hundred made-up students: minutes, answers a second, and what became of right, wrong and hostile answers.

    python tests/benchmarks/course.py --students 100

Each student hands in every lab. An answer is the solution, a stub, the solution with one thing changed in it, or an
attack. Right ones must pass, stubs count as not attempted, and no attack may pass; of those with a change, which may by
chance compute the same, only the share is told.
"""

from __future__ import annotations

import argparse
import ast
import json
import random
import resource
import tempfile
import time
from collections import Counter
from pathlib import Path

from oneformer_lite.course.grade import grade
from oneformer_lite.course.pairs import labs_with_solutions
from oneformer_lite.course.written import write_results

OUTSIDE = Path(tempfile.gettempdir()) / "written-by-a-submission"
ATTACKS = (
    "while True: pass",
    "import os; os._exit(0)",
    "import os; os.kill(os.getppid(), 9)",
    "import os\n    while True: os.fork()",
    "print('passed'); raise SystemExit(0)",
    "return [bytearray(1 << 28) for _ in range(1000)]",
    "from oneformer_lite import labs; return labs.use('{id}', None)(*arguments)",
    "from oneformer_lite.labs.exercise import find; return find('{id}').reference(*arguments)",
    "import torch; torch.isclose = torch.equal = lambda *a: True; return True",
    f"open({str(OUTSIDE)!r}, 'w').write('x')",
    "import socket; socket.create_connection(('127.0.0.1', 9), 1)",
    "import gc; return next(o for o in gc.get_objects() if getattr(o, 'id', 0) == '{id}').reference(*arguments)",
)
SHARES = {"right": 0.6, "stub": 0.1, "changed": 0.27, "attack": 0.03}


class Change(ast.NodeTransformer):
    """One operator, comparison, number or name of an axis becomes another, at a place drawn by ``rng``."""

    OTHER = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Div: ast.Mult, ast.MatMult: ast.Mult,
             ast.Gt: ast.LtE, ast.Lt: ast.GtE, ast.GtE: ast.Lt, ast.LtE: ast.Gt, ast.Eq: ast.NotEq}  # fmt: skip

    def __init__(self, place: int) -> None:
        self.left = place

    def _turn(self) -> bool:
        self.left -= 1
        return self.left == -1

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        if type(node.op) in self.OTHER and self._turn():
            node.op = self.OTHER[type(node.op)]()
        return node

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        self.generic_visit(node)
        if type(node.ops[0]) in self.OTHER and self._turn():
            node.ops[0] = self.OTHER[type(node.ops[0])]()
        return node

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if isinstance(node.value, int | float) and self._turn():
            return ast.Constant(not node.value if isinstance(node.value, bool) else node.value + 1)
        return node

    def visit_Return(self, node: ast.Return) -> ast.AST:
        self.generic_visit(node)
        return ast.Expr(node.value) if node.value and self._turn() else node


def changed(source: str, rng: random.Random) -> str:
    """The solution with one change."""
    tree = ast.parse(source)
    return ast.unparse(ast.fix_missing_locations(Change(rng.randrange(6)).visit(tree)))


def make(folder: Path, students: int, seed: int) -> dict[tuple[str, str], str]:
    """Write all notebooks; what each answer is, by student and exercise."""
    kinds: dict[tuple[str, str], str] = {}
    for path, pairs in labs_with_solutions():
        checked = [(n, pair.checks) for n, pair in enumerate(pairs) if pair.checks]
        answers = {n: next(e for m, e in checked if m > n) for n, pair in enumerate(pairs) if pair.is_answer}
        for number in range(students):
            rng, cells = random.Random(f"{seed} {number} {path.stem}"), []
            for n, pair in enumerate(pairs):
                source = pair.cell.source
                if exercise := answers.get(n):
                    kind = rng.choices(list(SHARES), list(SHARES.values()))[0]
                    kinds[f"student {number:03}", exercise.id] = kind
                    attack = rng.choice(ATTACKS).format(id=exercise.id)
                    hostile = f"def {exercise.name}(*arguments):\n    {attack}"
                    source = {"right": pair.solved.source, "stub": source, "attack": hostile}.get(kind)
                    source = source or changed(pair.solved.source, rng)
                cell = {"cell_type": pair.cell.cell_type, "metadata": {}, "source": source}
                cells.append(cell | ({"outputs": [], "execution_count": None} if cell["cell_type"] == "code" else {}))
            target = folder / f"student {number:03}" / path.name
            target.parent.mkdir(exist_ok=True)
            target.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4}))
    return kinds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--students", type=int, default=100)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/course-benchmark"))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        kinds = make(Path(folder), args.students, args.seed)
        start = time.monotonic()
        grades = grade(Path(folder), seed=args.seed + 1, cores=args.cores)
        wall = time.monotonic() - start
    states = Counter((kinds[mark.student, mark.id], mark.state) for mark in grades.marks)
    for (kind, state), count in sorted(states.items()):
        print(f"{kind:<8} {state:<14} {count}")
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu = sum(one.ru_utime + one.ru_stime for one in used)
    pace = f"{60 * args.students / wall:.1f} students a minute, {cpu:.0f} s of processor"
    print(f"{args.students} students, {len(grades.marks)} answers in {wall:.0f} s on {args.cores} cores: {pace}")
    print(f"{len(grades.problems)} problems: {[problem.words for problem in grades.problems[:5]]}")
    hinted = sum("hint" in mark.details for mark in grades.marks if mark.state == "wrong")
    print(f"{hinted} of {sum(mark.state == 'wrong' for mark in grades.marks)} wrong answers have a hint")
    for mark in grades.marks:
        kind = kinds[mark.student, mark.id]
        if kind == "right" and mark.state != "passed" or kind == "attack" and mark.state == "passed":
            print("NOT AS IT SHOULD BE", kind, mark.student, mark.verdict)
    print(write_results(grades, args.out))
    assert not OUTSIDE.exists()


if __name__ == "__main__":
    main()
