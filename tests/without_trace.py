"""The model as if traces had never been built in: what ``trace=True`` costs when it is off is measured against this."""

from __future__ import annotations

import ast
import importlib
import shutil
import sys
from pathlib import Path

import oneformer_lite as ofl


class _Forget(ast.NodeTransformer):
    """``trace is not None`` becomes False; what then never runs, and every ``record(...)``, goes."""

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        return ast.Constant(False) if ast.unparse(node) == "trace is not None" else node

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        self.generic_visit(node)
        node.values = [v for v in node.values if not (isinstance(v, ast.Constant) and v.value is False)]
        return node if len(node.values) > 1 else node.values[0]

    def visit_If(self, node: ast.If) -> ast.AST | None:
        self.generic_visit(node)
        return None if isinstance(node.test, ast.Constant) and node.test.value is False else node

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        return None if ast.unparse(node).startswith("record(") else self.generic_visit(node)


def model_without_trace(model: ofl.OneFormer, folder: Path):
    """The same configuration and weights in a copy of the package, below ``folder``, whose forward records nothing."""
    source, copy = Path(ofl.__file__).parent, folder / "oneformer_plain"
    shutil.copytree(source, copy, ignore=shutil.ignore_patterns("checkpoints", "__pycache__", "*.js"))
    for file in (copy / "model").rglob("*.py"):
        tree = _Forget().visit(ast.parse(file.read_text()))
        for node in ast.walk(tree):  # a function that only recorded
            if isinstance(node, ast.FunctionDef) and not node.body:
                node.body = [ast.Pass()]
        text = ast.unparse(ast.fix_missing_locations(tree))
        assert "trace is not None" not in text, f"{file.name} uses traces in a way that is not forgotten here"
        file.write_text(text)
    sys.path.insert(0, str(folder))
    try:
        plain = importlib.import_module("oneformer_plain")
        config = importlib.import_module("oneformer_plain.config").ModelConfig(**vars(model.config))
        other = plain.OneFormer(config)
    finally:
        sys.path.remove(str(folder))
    other.load_state_dict(model.state_dict())
    return other.train(model.training)
