"""Labs: from one source a notebook to fill in and one with the answers."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from notebook_builder import build, cells, outputs

CARD = "# ●●○○○ · 10 minutes · you may use: torch, no loops"
LAB = f'''\
# %% [markdown]
# # Lab 98 · Doubling

# %%
from oneformer_lite import labs
EXERCISE = labs.Exercise("98.1", lambda x: 2 * x, lambda: [labs.Case("one", 1), labs.Case("two", 2)])

# %% [markdown]
# ## 98.1 · Twice
{CARD}
#
# Twice x.

# %%
class Doubler:
    def __call__(self, x):
        """int -> int"""
        # SOLUTION
        y = x  # a comment after code counts

        # a line of words does not
        return y + y
        # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("98.1", Doubler())

# %% [markdown]
# Use it.

# %%
labs.use(EXERCISE, Doubler())(4)
'''
CHECKED = LAB.replace('labs.check("98.1", ', 'labs.check("98.1" and EXERCISE, ')


@pytest.fixture
def lab(tmp_path) -> tuple[Path, Path, Path]:
    """The source, the notebook to fill in and the solutions."""
    source = tmp_path / "98_doubling.py"
    source.write_text(CHECKED)
    return source, tmp_path / "labs" / "98_doubling.ipynb", tmp_path / "labs" / "solutions" / "98_doubling.ipynb"


def test_one_source_makes_a_stub_and_a_solution(lab):
    source, stub, solution = lab
    for target in (stub, solution):
        build.build(source, target)
        build.check(source, target)
    asked, answered = (nbformat.read(target, as_version=4) for target in (stub, solution))
    head = 'class Doubler:\n    def __call__(self, x):\n        """int -> int"""\n'
    assert asked.cells[4].source == head + "        ...  # about 2 lines"
    assert answered.cells[4].source == head + (
        "        y = x  # a comment after code counts\n\n        # a line of words does not\n        return y + y"
    )
    assert asked.cells[6].outputs[0].data["text/plain"] == "98.1  not attempted"
    assert answered.cells[6].outputs[0].data["text/plain"] == "98.1  2/2 passed"
    assert asked.cells[8].outputs[0].text == "98.1  ours from here on: yours has not passed\n"
    assert asked.cells[8].outputs[1].data["text/plain"] == answered.cells[8].outputs[0].data["text/plain"] == "8"
    assert [outputs.tags(n.cells[4]) for n in (asked, answered)] == [["raises-exception"], []]
    assert answered.cells[0].source == asked.cells[0].source + ": solutions"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (CARD, "# easy", "98.1 has no card line"),
        (CARD, CARD.replace("●●○○○", "●●"), "98.1 has no card line"),
        ("        # END SOLUTION\n", "", "without '# END SOLUTION'"),
        ("        # SOLUTION\n", "", "where none is open"),
        ("        y = x", "        # SOLUTION\n        y = x", "a second one before"),
        ("        # SOLUTION\n", "        # SOLUTION\n        # END SOLUTION\n        # SOLUTION\n", "nothing between"),
        ("## 98.1 · Twice", "## Twice", r"name \[\]"),
        ("## 98.1 · Twice", "## 98.2 · Twice", "98.2"),
        ("# SOLUTION", "# ANSWER", "where none is open"),
    ],
)
def test_labs_that_cannot_be_built_are_refused(lab, old, new, message):
    assert old in CHECKED
    lab[0].write_text(CHECKED.replace(old, new, 1))
    for target in lab[1:]:
        with pytest.raises(build.BuildError, match=message):
            cells.assemble(lab[0], target)


def test_an_exercise_without_an_answer_is_refused(lab):
    lab[0].write_text("\n".join(line for line in CHECKED.split("\n") if "SOLUTION" not in line))
    with pytest.raises(build.BuildError, match="fewer regions"):
        cells.assemble(lab[0], lab[1])


@pytest.mark.parametrize(
    ("old", "new", "which", "message"),
    [
        ("y + y", "y * y", 2, "98.1  1/2: one: expected 2, yours 1.* should say 'passed'"),
        ("        # SOLUTION", "        return 3\n        # SOLUTION", 1, "should say 'not attempted'"),
        ("Doubler())\n\n# %% [markdown]\n# Use", "Doubler())\nprint()\n\n# %% [markdown]\n# Use", 1, "says 'nothing"),
    ],
)
def test_a_lab_whose_checks_say_otherwise_is_refused(lab, old, new, which, message):
    assert old in CHECKED
    lab[0].write_text(CHECKED.replace(old, new, 1))
    with pytest.raises(build.BuildError, match=message):
        build.build(lab[0], lab[which])
    assert not lab[which].exists()


def test_names_choose_lessons_and_labs(monkeypatch, tmp_path):
    for path in ("07_loss.py", "08_match.py", "labs/07_loss.py", "labs/08_match.py"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text("")
    monkeypatch.setattr(build, "SOURCES", tmp_path)

    def found(*names):
        return [path.relative_to(tmp_path).as_posix() for path in build.find_sources(list(names))]

    assert found("07") == ["07_loss.py", "labs/07_loss.py"]
    assert found("labs/07") == ["labs/07_loss.py"]
    assert found("labs/", "08_m") == ["08_match.py", "labs/07_loss.py", "labs/08_match.py"]
    assert len(found()) == 4
    with pytest.raises(SystemExit, match="no lesson begins with '09'.*labs/07_loss"):
        build.find_sources(["09"])


@pytest.fixture
def shelf(monkeypatch, tmp_path) -> Path:
    """A folder of sources of three lessons and a lab, which the builder takes for its own."""
    (tmp_path / "source" / "labs").mkdir(parents=True)
    for path in ("06_ask.py", "07_loss.py", "08_match.py", "labs/07_pull.py"):
        (tmp_path / "source" / path).write_text("")
    monkeypatch.setattr(cells, "NOTEBOOKS", tmp_path)
    monkeypatch.setattr(cells, "SOURCES", tmp_path / "source")
    return tmp_path


def test_lesson_lab_and_solutions_link_each_other(shelf):
    lesson, lab = shelf / "source" / "07_loss.py", shelf / "source" / "labs" / "07_pull.py"
    assert cells.targets_of(lesson) == [shelf / "07_loss.ipynb"]
    stub, solution = cells.targets_of(lab)
    assert (stub, solution) == (shelf / "labs/07_pull.ipynb", shelf / "labs/solutions/07_pull.ipynb")
    assert cells.links(lesson, shelf / "07_loss.ipynb") == (
        "[← Lesson 06](06_ask.ipynb) · [Lab 07](labs/07_pull.ipynb) · [Lesson 08 →](08_match.ipynb)"
    )
    assert cells.links(lab, stub) == "[Lesson 07](../07_loss.ipynb) · [Solutions](solutions/07_pull.ipynb)"
    assert cells.links(lab, solution) == "[Lesson 07](../../07_loss.ipynb) · [Lab 07](../07_pull.ipynb)"
    first, last = (shelf / "source" / name for name in ("06_ask.py", "08_match.py"))
    assert cells.links(first, shelf / "06_ask.ipynb") == "[Lesson 07 →](07_loss.ipynb)"
    assert cells.links(last, shelf / "08_match.ipynb") == "[← Lesson 07](07_loss.ipynb)"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("(lesson 08).", "([lesson 08](08_match.ipynb))."),
        ("Lesson 06's token", "[Lesson 06](06_ask.ipynb)'s token"),
        ("this is lesson 07, and lesson 09 is not written", None),
        ("## After lesson 08", None),
        ("`lesson 08` and [see lesson 08](x.ipynb)", None),
        ("<details><summary>Why?</summary>\nSee lesson 08.</details>", None),
    ],
)
def test_a_mentioned_lesson_is_a_link_where_a_link_shows(shelf, text, wanted):
    assert cells.linked(text, shelf / "source" / "07_loss.py", shelf / "07_loss.ipynb") == (wanted or text)


def test_a_lab_links_the_lessons_that_it_mentions(shelf):
    source, page = shelf / "source" / "labs" / "07_pull.py", shelf / "labs" / "solutions" / "07_pull.ipynb"
    assert cells.linked("lesson 07", source, page) == "[lesson 07](../../07_loss.ipynb)"
