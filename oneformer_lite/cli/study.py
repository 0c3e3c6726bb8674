"""``oneformer-lite study``: what changes of a model or its training are worth, with error bars."""

from __future__ import annotations

from pathlib import Path

from .arguments import command, positive


def add(commands) -> None:
    p = command(commands, "study", run, "compare variants of a training over several seeds")
    p.add_argument("file", type=Path, help="the study, as TOML or JSON; or the folder of one, which is shown as it is")
    p.add_argument("--out", type=Path, help="folder of the study (default: the file's)")
    p.add_argument("--devices", help="cpu:2 (two runs at a time), auto, or a number of GPUs (default: one run)")
    p.add_argument("--seeds", type=positive(int), help="so many, in place of the file's")
    p.add_argument("--steps", type=positive(int), help="so many for every variant, to try them")
    p.add_argument("--check", action="store_true", help="only say what would be compared")


def run(args) -> None:
    """Train named variants with several seeds, judge every model, and say which differences exceed what seeds alone
    make: as a table, a page (report.html) and JSON lines in the study's folder. Ctrl-C keeps what there is; the same
    command resumes it."""
    if args.file.is_dir():
        from ..studies.study import Study

        return _show(Study.attach(args.file))
    from ..studies.definition import define
    from ..studies.file import read_file
    from ..studies.running import study
    from ..studies.variants import resolve

    found = read_file(args.file)
    found = found.of_steps(args.steps) if args.steps else found
    recipe, seeds = _with(found.train_config, args.out), args.seeds or found.seeds
    asked = define(resolve(found.variants, found.config, recipe), seeds, **found.options)
    if args.check:
        return _say_variants(asked)
    if found.toytown_scenes:
        from ..demo import paint

        paint(Path(recipe.data), found.config.image_size, found.toytown_scenes)
    devices = int(args.devices) if args.devices and args.devices.isdigit() else args.devices
    made = study(found.variants, seeds, recipe, found.config, devices=devices, **found.options)
    _show(made)
    if made.status == "stopped":
        raise KeyboardInterrupt  # so that a script goes no further


def _with(recipe, out: Path | None):
    from dataclasses import replace

    return replace(recipe, out=str(out)) if out else recipe


def _show(study) -> None:
    print(study)
    if study.status == "stopped":
        print(f"\nnot finished; the same command resumes it ({study.folder})")
    print(f"\n{study.to_html()}")


def _say_variants(asked) -> None:
    from ..studies.variants import difference_words

    print(f"{len(asked.variants)} variants, seeds {', '.join(map(str, asked.seeds))}")
    for variant in asked.variants:
        changes = difference_words(variant, asked.reference) or "the baseline"
        print(f"  {variant.name} ({variant.budget}): {changes}")
