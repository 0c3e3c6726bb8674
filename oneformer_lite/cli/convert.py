"""``oneformer-lite convert``: rewrite a model."""

from __future__ import annotations

from pathlib import Path

from ..errors import CheckpointError, ConfigError
from .arguments import MODEL, command, positive

CLOSE = 1e-2  # of the largest logit: above it, rounding explains nothing


def add(commands) -> None:
    p = command(commands, "convert", run, "rewrite a model: official, transformers' or ours")
    p.add_argument("source", help=MODEL)
    p.add_argument("target", type=Path, help="folder to write (with --onnx: or a file that ends in .onnx)")
    p.add_argument("--half", action="store_true", help="store the weights in float16")
    p.add_argument("--to", choices=["ours", "huggingface"], default="ours", help="layout of the folder")
    p.add_argument("--onnx", action="store_true", help="write model.onnx, for onnxruntime; the task is an input")
    p.add_argument(
        "--size", type=positive(int), nargs=2, metavar=("H", "W"),
        help="with --onnx: height and width of the pictures (default: a square of the side it was trained with)",
    )  # fmt: skip


def run(args) -> None:
    """Read a model from anywhere and write it as a folder of ours (config.json, model.safetensors), one that
    transformers' OneFormerForUniversalSegmentation reads (preprocessor_config.json besides), or an ONNX file."""
    from ..weights import from_pretrained

    if args.target.resolve() == Path(args.source).resolve():
        raise ConfigError(f"{args.target} is the source itself: choose another folder to write")
    if args.onnx and (args.half or args.to != "ours"):
        raise ConfigError("--onnx writes float32 weights in a layout of its own: leave --half and --to out")
    if args.size and not args.onnx:
        raise ConfigError("--size is for --onnx: a folder serves pictures of any size")
    model = from_pretrained(args.source)
    (_write_onnx if args.onnx else _write_folder)(model, args)


def _write_folder(model, args) -> None:
    import torch

    from ..weights import save_huggingface, save_pretrained

    save = save_huggingface if args.to == "huggingface" else save_pretrained
    folder = save(model, args.target, torch.float16 if args.half else None)
    _say_size(folder, folder / "model.safetensors")
    if args.to == "huggingface":
        print(
            "transformers computes the same logits of the same pixels, but its processor does not pad to multiples of "
            "32, and its post-processing is its own: oneformer_lite/weights/README.md says where results differ, and "
            "has lines that predict the same"
        )


def _write_onnx(model, args) -> None:
    from ..weights.onnx import FILE, onnx_difference, save_onnx

    print("converting (half a minute for small models, minutes for large ones) ...", flush=True)
    path = args.target if args.target.suffix == ".onnx" else args.target / FILE
    save_onnx(model, path, args.size)
    _say_size(path, path)
    print("comparing with PyTorch ...", flush=True)
    difference = onnx_difference(model, path)
    if difference is None:
        print("not compared: onnxruntime is not installed (pip install onnxruntime)")
    elif not difference < CLOSE:
        raise CheckpointError(
            f"{path} computes something else than the model (difference {difference:.1e} of the largest logit): do "
            "not use it; other versions of torch, onnxscript and onnxruntime may do better"
        )
    else:
        print(f"equal in onnxruntime: logits differ by at most {difference:.1e} of the largest, under all three tasks")


def _say_size(name: Path, file: Path) -> None:
    print(f"{name}: {file.stat().st_size / 1e6:.1f} MB")
