"""A stand-in for Colab: notebooks alone, in an empty folder, with an environment that has all but this package.

    python tests/colab.py 00 labs/01      # the whole of these notebooks, from a wheel that is built first

Everything but ``oneformer_lite`` comes from the environment that runs this; ``google.colab`` is among the modules.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE = "ONEFORMER_LITE_SOURCE"
_BUILT = ("oneformer_lite", "data/sample", "data/wheel.py", "pyproject.toml", "README.md", "LICENSE")


def build_wheel(folder: Path) -> Path:
    """The wheel of the package as it lies here, in ``folder``: built from a copy, so that nothing is left behind."""
    copy = folder / "copy"
    for path in map(ROOT.joinpath, _BUILT):
        target = copy / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            shutil.copytree(path, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, target)
    _run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", folder, copy)
    return next(folder.glob("oneformer_lite-*.whl"))


def fresh_environment(folder: Path) -> Path:
    """A new virtual environment with all packages of this one but ours; its Python."""
    _run(sys.executable, "-m", "venv", "--without-pip", folder)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)}))
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if "oneformer_lite" not in entry.name and not (site / entry.name).exists():
            (site / entry.name).symlink_to(entry)
    (site / "sitecustomize.py").write_text(
        "import sys, types\nsys.modules['google.colab'] = types.ModuleType('google.colab')\n"
    )
    return folder / "bin" / "python"


def environment(**more: str) -> dict[str, str]:
    """Variables of a process that knows nothing of the clone."""
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV", SOURCE)}
    return {**kept, "OMP_NUM_THREADS": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1", **more}


def execute(python: Path, notebook: Path, variables: dict[str, str]) -> None:
    """Run all cells of ``notebook`` in its own folder with a kernel of ``python``; an error in a cell raises."""
    import nbformat
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient

    read = nbformat.read(notebook, as_version=4)
    manager = AsyncKernelManager()
    command = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    manager._kernel_spec = KernelSpec(argv=command, display_name="Colab", language="python")
    resources = {"metadata": {"path": str(notebook.parent)}}
    NotebookClient(read, km=manager, timeout=900, resources=resources).execute(env=variables)


def _run(*command: object) -> None:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout}{done.stderr}")


def main(names: list[str]) -> None:
    """Execute the notebooks whose paths begin with one of ``names``, each alone in a new folder."""
    notebooks = [path for name in names for path in sorted((ROOT / "notebooks").glob(f"{name}*.ipynb"))]
    with tempfile.TemporaryDirectory() as folder:
        wheel = build_wheel(Path(folder))
        python = fresh_environment(Path(folder) / "environment")
        print(f"{wheel.name}: {wheel.stat().st_size / 2**20:.1f} MiB", flush=True)
        for path in notebooks:
            alone = Path(tempfile.mkdtemp(dir=folder)) / path.name
            shutil.copy(path, alone)
            execute(python, alone, environment(**{SOURCE: str(wheel)}))
            print(f"ran  {path.relative_to(ROOT)}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:] or ["00"])
