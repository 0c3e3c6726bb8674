"""The lines of the benchmark as Markdown and JSON, with what they were measured on."""

from __future__ import annotations

import json
import platform
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import transformers
from data_throughput import processor_name

import oneformer_lite
from oneformer_lite.files import replacing


@dataclass
class Line:
    """Milliseconds and, where measured, gigabytes; ``time`` is theirs over ours, ``memory`` ours over theirs."""

    name: str
    ours: float
    theirs: float
    time: float
    wanted: float | None = None
    ours_gb: float | None = None
    theirs_gb: float | None = None
    memory_wanted: float | None = None

    @property
    def memory(self) -> float | None:
        return self.ours_gb / self.theirs_gb if self.ours_gb else None

    @property
    def reached(self) -> bool:
        """Whether the line keeps what the project promises of it."""
        slow = self.wanted is not None and self.time < self.wanted
        large = self.memory_wanted is not None and self.memory is not None and self.memory > self.memory_wanted
        return not slow and not large


COLUMNS = "| | ours | transformers | times faster | wanted | peak memory: ours | transformers | share |"
HEAD = f"{COLUMNS}\n|---|" + "---:|" * 7


def markdown(line: Line) -> str:
    wanted = f"{line.wanted:g}" if line.wanted else ""
    memory = f"{line.ours_gb:.2f} GB | {line.theirs_gb:.2f} GB | {line.memory:.2f}" if line.memory else " | | "
    times = f"{_duration(line.ours)} | {_duration(line.theirs)} | **{line.time:.1f}**"
    return f"| {line.name} | {times} | {wanted} | {memory} |"


def _duration(milliseconds: float) -> str:
    return f"{milliseconds / 1000:.2f} s" if milliseconds >= 1000 else f"{milliseconds:.3g} ms"


def circumstances(rounds: int, material: str) -> dict:
    """What the figures depend on besides the code."""
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, cwd=Path(__file__).parent
    )
    return {
        "commit": commit.stdout.strip(),
        "oneformer_lite": oneformer_lite.__version__,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "python": platform.python_version(),
        "processor": f"{processor_name()} ({torch.backends.cpu.get_cpu_capability()})",
        "threads": torch.get_num_threads(),
        "rounds": rounds,
        "pictures": material,
    }


def write(folder: Path, lines: list[Line], facts: dict) -> None:
    """``table.json`` and ``table.md`` in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {"circumstances": facts, "lines": [asdict(line) for line in lines]}
    told = ", ".join(f"{name} {value}" for name, value in facts.items())
    with replacing(folder / "table.json") as path:
        path.write_text(json.dumps(content, indent=1) + "\n")
    with replacing(folder / "table.md") as path:
        path.write_text("\n".join([HEAD, *map(markdown, lines), "", told, ""]))
