"""What TaskInspector says in words and tables, as HTML: the same in the notebook and on its page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

from ...data.sample import TASKS
from .pictures import difference_bars


def headline(task: str, other: str, likeness: float, told: Sequence[str], counts: Mapping[str, Sequence[int]]) -> str:
    """The change in two sentences. ``likeness``: cosine of the tokens; ``told``: each query's fate; ``counts``: name
    -> segments at each step of the blend."""
    if task == other:
        return f"<p>Choose another task than {task}, and what its token changes is told here.</p>"
    number = Counter(told)
    speaking = sum(number[fate] for fate in ("keeps its class", "changes class", "goes silent"))
    loud = _times(speaking, "query speaks", "queries speak")
    segments = " and ".join(f"{values[0]} → {values[-1]} {name}" for name, values in counts.items())
    return (
        f"<p><b>{task} → {other}.</b> The tokens' cosine is {likeness:.2f}. {loud} "
        f"under {task}: under {other} {number['keeps its class']} of them {_verb(number['keeps its class'], 'keep')} "
        f"the class, {number['changes class']} {_verb(number['changes class'], 'change')} it, {number['goes silent']} "
        f"{_verb(number['goes silent'], 'go')} silent; {number['wakes']} {_verb(number['wakes'], 'wake')}. "
        f"Read by the same panoptic merge: {segments}.</p>"
    )


def _times(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _verb(number: int, verb: str) -> str:
    return verb if number != 1 else verb + ("es" if verb == "go" else "s")


def token_table(words: Sequence[str], ids: np.ndarray, length: int) -> str:
    """The ids int [3, n] of the three task sentences, what differs in colour; the rest of ``length`` is zero."""
    differs = (ids != ids[0]).any(axis=0)
    mark = ' class="ofl-marked"'
    head = "".join(f"<th{mark if d else ''}>{escape(word)}</th>" for word, d in zip(words, differs))
    rows = "".join(
        f"<tr><th>{task}</th>"
        + "".join(f"<td{mark if d else ''}>{number}</td>" for number, d in zip(row, differs))
        + "</tr>"
        for task, row in zip(TASKS, ids.tolist())
    )
    return (
        f'<div class="ofl-scroll"><table class="ofl-table"><tr><th></th>{head}</tr>{rows}</table></div>'
        f"<p>{length} ids go into the task MLP as plain numbers. The {int(differs.sum())} coloured ones are all that "
        f"tells the tasks apart; the other {length - ids.shape[1]} are padding, zero.</p>"
    )


def cosine_table(cosines: np.ndarray) -> str:
    """Cosines [3, 3] between the normalised tokens of the tasks."""
    head = "".join(f"<th>{task}</th>" for task in TASKS)
    rows = "".join(
        f"<tr><th>{task}</th>{''.join(f'<td>{value:.3f}</td>' for value in row)}</tr>"
        for task, row in zip(TASKS, cosines)
    )
    return f'<table class="ofl-table"><tr><th>cosine</th>{head}</tr>{rows}</table>'


def channels(task: str, other: str, difference: np.ndarray) -> str:
    """The difference [C] of two normalised tokens, channel by channel."""
    if not difference.any():
        return "<p>The tokens are the same.</p>"
    top = np.argsort(-abs(difference), kind="stable")[:3]
    told = ", ".join(f"{c} ({difference[c]:+.2f})" for c in top)
    return (
        f"<p>{other} minus {task}, a bar for each of the {len(difference)} channels of the normalised token; "
        f"largest: channel {told}.</p>{difference_bars(difference)}"
    )


def text_lines(texts: Sequence[tuple[int, str]], targets: int) -> str:
    """The text list of a task, equal texts counted, padding last."""
    lines = "".join(f"<li>{number} × {escape(text)}</li>" for number, text in texts)
    return (
        f"<details open><summary>{_times(targets, 'target', 'targets')}, {sum(n for n, _ in texts)} texts</summary>"
        f'<ul style="margin:.2rem 0;padding-left:1.2rem">{lines}</ul></details>'
    )


def query_words(query: int, fate: str, said: Mapping[str, tuple[str, float]], cosines: tuple[float, float]) -> str:
    """One query under two tasks. ``said``: task -> (class, probability); ``cosines`` of its embeddings under the two
    tasks, before and after the decoder."""
    under = "; ".join(f"{task}: {escape(name)} {score:.2f}" for task, (name, score) in said.items())
    before, after = cosines
    return (
        f"<b>Query {query}</b> {fate}. {under}. Cosine of its embeddings under the two tasks: {before:.2f} before the "
        f"decoder, {after:.2f} after it."
    )
