"""``oneformer-lite lessons``: found, run, and written as pages that a browser shows without network."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import nbformat
import pytest
from browser import FAINT, change, chromium, opened

from oneformer_lite.cli import main
from oneformer_lite.lessons import pages
from oneformer_lite.lessons.markdown import markdown_html
from oneformer_lite.lessons.notebooks import find_lessons

FIRST = """[Lab 01](labs/01_looks.ipynb)

# 01 · Looks

[Lab 01](labs/01_looks.ipynb)

Here is a *picture*. Where does `attention` look? It reads 3 places."""
WORDS = r"A formula $\frac{a}{b}$, [the next](02_next.ipynb#end), and"
BLOCK = "$$L = -\\sum_q \\log p_q$$"
INSPECTOR = """\
import oneformer_lite as ofl
model = ofl.from_pretrained("toytown")
inspector = ofl.widgets.SamplingInspector(model, ofl.data.Toytown("val", size=128)[13])
inspector"""
PLOT = 'import matplotlib.pyplot as plt\nprint("three <b>")\n_ = plt.plot([1, 2])\nplt.show()'
FOUND = """\
# a comment
from IPython.display import HTML, display
@staticmethod
def double(width: int = 2000) -> str:
    return f"{2 * width} \\n" + 'pixels'
display(ofl.doctor(model=model))"""
SLIDER = "import ipywidgets\nipywidgets.IntSlider()"


def write_notebook(folder: Path, name: str, *cells: str) -> None:
    """A notebook of Markdown cells (the first, and those with "$") and code cells, not executed."""
    v4 = nbformat.v4
    made = [v4.new_markdown_cell(cells[0])]
    setup = v4.new_code_cell("import os  # setup", metadata={"tags": ["setup"]})
    made += [setup, *(v4.new_markdown_cell(c) if "$" in c else v4.new_code_cell(c) for c in cells[1:])]
    folder.mkdir(exist_ok=True)
    nbformat.write(v4.new_notebook(cells=made), folder / f"{name}.ipynb")


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The folder of pages of two small lessons, the second of which fails, made by the command."""
    root = tmp_path_factory.mktemp("site")
    write_notebook(root / "books", "01_looks", FIRST, WORDS, BLOCK, INSPECTOR, PLOT, SLIDER, FOUND, "a = 1\n" * 30)
    write_notebook(root / "books", "02_next", "# 02 · Next\n\nNothing yet.", "$x$", "1", "broken = [][3]")
    before = (root / "books" / "01_looks.ipynb").read_bytes()
    status = main(["lessons", "--html", "--notebooks", str(root / "books"), "--out", str(root / "out")])
    assert status == 2, "the second lesson fails"
    assert (root / "books" / "01_looks.ipynb").read_bytes() == before
    return root / "out"


def test_a_failing_lesson_is_one_sentence_and_leaves_the_others_their_pages(site, capsys):
    books = site.parent / "books"
    assert main(["lessons", "02", "--html", "--notebooks", str(books), "--out", str(site.parent / "none")]) == 2
    lines = [line for line in capsys.readouterr().err.split("\n") if line.startswith("oneformer-lite:")]
    assert lines[0] == (
        "oneformer-lite: 02_next.ipynb stopped in cell 3 of 3 code cells (IndexError: list index out of range): "
        "open it in JupyterLab to see where"
    )
    assert "1 of 1 lessons failed" in lines[1] and len(lines) == 2
    assert not (site.parent / "none").exists()
    assert sorted(path.name for path in site.iterdir()) == ["01_looks.html", "index.html"]
    index = (site / "index.html").read_text()
    assert 'href="01_looks.html">01 · Looks' in index and "02_next" not in index
    assert "<p>Where does attention look?</p>" in index


def test_the_page_names_nothing_outside_itself(site):
    text = (site / "01_looks.html").read_text()
    outside = [a for a in re.findall(r'(?:src|href)="([^"]+)"', text) if not a.startswith("data:")]
    assert set(outside) <= {"index.html", "02_next.html", "02_next.html#end"}, outside
    assert "@import" not in text and not re.search(r"url\((?!['\"]?data:)", text)


def test_the_page_has_words_formulas_code_and_outputs(site):
    text = (site / "01_looks.html").read_text()
    assert re.search(r"<h1[^>]*>01 · Looks", text)
    assert "Lab 01 (in JupyterLab)" in text and "labs/01_looks.ipynb" not in text
    assert "<mfrac>" in text and 'display="block"' in text and r"\frac" not in text
    assert "import os  # setup" not in text
    assert "three &lt;b&gt;" in text and "data:image/png;base64," in text
    assert "<summary>30 lines of code: <code>a = 1</code></summary>" in text
    assert "IntSlider" in text and "widget-view" not in text  # its code alone


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_words_and_code_stand_out_in_both_themes(site, theme):
    """Also those of the doctor, and of an inspector in its frame."""
    with chromium() as browser:
        page = browser.new_page(color_scheme=theme, viewport={"width": 400, "height": 800})
        page.add_init_script(FAINT)
        page.goto((site / "01_looks.html").as_uri())
        assert page.locator(".ofl-findings").count() == 1 and page.locator("summary").count() == 1
        page.locator("section.code > details > summary").click()
        assert (sum(page.evaluate("behind(document.querySelector('main'))")[:3]) < 120) == (theme == "dark")
        assert page.evaluate("faint()") == []
        figure = page.locator(".outputs > img").first  # as it was drawn, so that its words can be read
        assert figure.bounding_box()["width"] == figure.evaluate("image => Math.min(image.naturalWidth, 640)")
        assert page.evaluate("document.documentElement.scrollWidth") <= 400
        frame = page.query_selector("iframe.ofl-frame").content_frame()
        frame.wait_for_selector("html[data-drawn]")
        assert (sum(frame.evaluate("behind(document.querySelector('main'))")[:3]) < 120) == (theme == "dark")


def test_inspectors_work_in_the_page_without_network(site):
    with chromium() as browser:
        for width in (1200, 400):
            with opened(browser, site / "01_looks.html", width, ready="iframe.ofl-frame") as page:
                requests: list[str] = []
                page.on("request", lambda request, seen=requests: seen.append(request.url))
                page.reload()
                frame = page.query_selector("iframe.ofl-frame").content_frame()
                frame.wait_for_selector("html[data-drawn]")
                assert [url for url in requests if not url.startswith(("data:", "about:", "blob:"))] == [page.url]
                assert page.evaluate("document.documentElement.scrollWidth") <= width
                box = page.query_selector("iframe.ofl-frame").bounding_box()
                inner = frame.evaluate("[document.documentElement.scrollHeight, document.documentElement.scrollWidth]")
                assert abs(box["height"] - inner[0]) <= 4 and box["width"] + 1 >= inner[1], (box, inner)
                assert box["x"] >= 0 and box["x"] + box["width"] <= width

                picture = "document.querySelector('canvas').toDataURL()"
                before = frame.evaluate(picture)
                slider = frame.query_selector("input[type=range]")
                change(frame, partial(slider.press, "ArrowLeft"))
                assert frame.evaluate(picture) != before


def test_outside_such_kernels_inspectors_are_widgets_as_ever(monkeypatch, model, sample):
    from oneformer_lite.widgets import SamplingInspector

    inspector = SamplingInspector(model, sample)
    assert "application/vnd.jupyter.widget-view+json" in inspector._repr_mimebundle_()
    monkeypatch.setenv("OFL_WIDGETS", "page")
    bundle = inspector._repr_mimebundle_()
    assert set(bundle) == {"text/html", "text/plain"} and bundle["text/html"].startswith("<iframe")


def test_lessons_are_found_listed_and_chosen(tmp_path, capsys, monkeypatch):
    for name in ("01_looks", "02_next", "10_last"):
        write_notebook(tmp_path / "books", name, f"# {name[:2]} · Title\n\nSo [it](x.ipynb) **is**: yes. And more.")
    (tmp_path / "books" / "notes.ipynb").write_text("{}")
    found = find_lessons(["0"], tmp_path / "books")
    assert [(lesson.name, lesson.title, lesson.about) for lesson in found] == [
        ("01_looks", "01 · Title", "So it is: yes."), ("02_next", "02 · Title", "So it is: yes."),
    ]  # fmt: skip
    assert main(["lessons", "10", "--notebooks", str(tmp_path / "books")]) == 0
    assert capsys.readouterr().out.split() == ["10", "·", "Title", str(tmp_path / "books" / "10_last.ipynb")]
    for arguments, words in (
        (
            ["11", "--notebooks", str(tmp_path / "books")],
            "no lesson begins with '11'; there are: 01_looks, 02_next, 10",
        ),
        (["--notebooks", str(tmp_path)], f"no lessons in {tmp_path}: they come with the repository"),
    ):
        assert main(["lessons", *arguments]) == 2
        assert words in capsys.readouterr().err
    (tmp_path / "books" / "02_next.ipynb").write_text("{}")
    assert main(["lessons", "--notebooks", str(tmp_path / "books")]) == 2
    assert "02_next.ipynb is no notebook" in capsys.readouterr().err


def test_the_clone_has_lessons():
    assert find_lessons(["00"])[0].title == "00 · Three tasks, one model"


def test_a_page_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    write_notebook(tmp_path / "books", "01_looks", "# 01 · Looks", "1")
    lessons = find_lessons(folder=tmp_path / "books")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "01_looks.html").write_text("old")

    def stopped(lesson, linked):
        raise KeyboardInterrupt

    monkeypatch.setattr(pages, "lesson_page", stopped)
    with pytest.raises(KeyboardInterrupt):
        pages.write_pages(lessons, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["01_looks.html"]
    assert (tmp_path / "out" / "01_looks.html").read_text() == "old"


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        (r"$x_1$", "<msub>"),
        ("a `$5` and `$6`", "<code>$5</code>"),
        (r"\begin{align}a &= b\end{align}", "<math"),
        (r"$\nosuchcommand{x}$", "nosuchcommand"),
        ("[site](https://example.org/x)", 'href="https://example.org/x"'),
        ("[one](01_one.ipynb)", '<a href="01_one.html">one</a>'),
        ("[gone](09_gone.ipynb)", "<p>gone</p>"),
        ("<details><summary>Why?</summary>Because.</details>", "<details><summary>Why?</summary>Because.</details>"),
    ],
)
def test_markdown(source, wanted, tmp_path):
    assert wanted in markdown_html(source, tmp_path, ["01_one"])
