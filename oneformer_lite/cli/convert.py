"""``oneformer-lite convert``: rewrite a model."""

from __future__ import annotations

from pathlib import Path

from .arguments import MODEL, command


def add(commands) -> None:
    p = command(commands, "convert", run, "rewrite a model: official, transformers' or ours")
    p.add_argument("source", help=MODEL)
    p.add_argument("target", type=Path, help="folder to write")
    p.add_argument("--half", action="store_true", help="store the weights in float16")
    p.add_argument("--to", choices=["ours", "huggingface"], default="ours", help="layout of the folder")


def run(args) -> None:
    """Read a model from anywhere and write it as a folder of ours (config.json, model.safetensors), or one that
    transformers' OneFormerForUniversalSegmentation reads (preprocessor_config.json besides)."""
    import torch

    from ..errors import OneFormerLiteError
    from ..weights import from_pretrained, save_huggingface, save_pretrained

    if args.target.resolve() == Path(args.source).resolve():
        raise OneFormerLiteError(f"{args.target} is the source itself: choose another folder to write")
    model = from_pretrained(args.source)
    save = save_huggingface if args.to == "huggingface" else save_pretrained
    folder = save(model, args.target, torch.float16 if args.half else None)
    size = (folder / "model.safetensors").stat().st_size
    print(f"{folder}: {size / 1e6:.1f} MB")
