"""A notebook of a stranger as a page: whatever its words, formulas and outputs hold, the page runs nothing of it."""

from __future__ import annotations

import base64
from contextlib import contextmanager
from html import escape
from pathlib import Path

import bs4
import nbformat
import pytest
from browser import chromium

from oneformer_lite.errors import DataError
from oneformer_lite.lessons import pages
from oneformer_lite.lessons.cells import output_html
from oneformer_lite.lessons.execution import read_notebook
from oneformer_lite.lessons.frames import frame_html, policy
from oneformer_lite.lessons.markdown import MarkdownWithMath, _Renderer, markdown_html
from oneformer_lite.lessons.notebooks import find_lessons
from oneformer_lite.lessons.sanitize import harmless

RUN = "top.pwned=1;document.title='pwned'"
PAYLOADS = [
    f"<script>{RUN}</script>",
    f"<ScRiPt src='data:text/javascript,{RUN}'></sCrIpT>",
    f'<img src=x onerror="{RUN}">',
    f'<img src="https://pwned.example/a.png" onerror="{RUN}">',
    f'<svg onload="{RUN}"><script>{RUN}</script><animate onbegin="{RUN}" attributeName=x dur=1s></svg>',
    f'<svg><a xlink:href="javascript:{RUN}"><text y=9>x</text></a></svg>',
    f'<math href="javascript:{RUN}">x</math><math><mi xlink:href="javascript:{RUN}">x</mi></math>',
    f'<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror={RUN}&gt;">',
    f'<form><math><mtext></form><form><mglyph><style></math><img src onerror="{RUN}">',
    f'<noscript><p title="</noscript><img src=x onerror={RUN}>">',
    f'<iframe srcdoc="<script>{RUN}</script>"></iframe>',
    f'<iframe src="javascript:{RUN}"></iframe><object data="javascript:{RUN}"></object><embed src="javascript:{RUN}">',
    f'<a href="javascript:{RUN}" class=pwn>go</a> <a href=" java\nscript:{RUN}" class=pwn>go</a>',
    f'<a href="data:text/html,<script>{RUN}</script>" class=pwn>go</a>',
    f"[go](javascript:{RUN}) [go](JaVaScRiPt:{RUN}) [go](&#106;avascript:{RUN}) [go](vbscript:x)",
    f'![x](a.png "a\\" onerror=\\"{RUN}") ![\\" onerror="{RUN}](x)',
    f'<details open ontoggle="{RUN}"><summary>x</summary></details><p onclick="{RUN}" class=pwn>x</p>',
    f'<body onload="{RUN}"><input autofocus onfocus="{RUN}"><video><source onerror="{RUN}"></video>',
    '<meta http-equiv=refresh content="0;url=https://pwned.example/"><base href="https://pwned.example/">',
    '<link rel=stylesheet href="https://pwned.example/a.css"><style>@import "https://pwned.example/b.css";</style>',
    '<p style="background:url(https://pwned.example/c.png);position:fixed;inset:0">x</p>',
    '<form action="https://pwned.example/"><button class=pwn>go</button></form>',
    f"</section></main><script>{RUN}</script>",
    f"```html\n<script>{RUN}</script>\n```\n\n```mermaid\n</pre><script>{RUN}</script>\n```",
    rf"$\text{{<img src=x onerror={RUN}>}}$ $\href{{javascript:{RUN}}}{{x}}$",
    rf"$\unicode{{x</math><script>{RUN}</script>}}$ $\url{{javascript:{RUN}}}$",
    rf"$$\begin{{align}}</math><script>{RUN}</script>\end{{align}}$$ $\class{{\" onclick=\"{RUN}}}{{x}}$",
    rf"$\def\x{{\x}}\x$ $\newcommand{{\y}}{{<script>{RUN}</script>}}\y$",
    rf"$\require{{html}}\style{{x}}{{y}}$ $</math><script>{RUN}</script>$",
    f"<!-- --!><script>{RUN}</script> --> <![CDATA[<script>{RUN}</script>]]> <?x <script>{RUN}</script>?>",
    "\\begin{x}<img src=x onerror=" + RUN + ">\\end{x}",
]  # fmt: skip
WORDS = """a abbr b blockquote br caption code dd del details div dl dt em figcaption figure h1 h2 h3 h4 h5 h6 hr i img
ins kbd li mark ol p pre q s samp small span strong sub summary sup table tbody td tfoot th thead tr tt u ul var"""
JUDGE = """([html, words]) => {
  const ASKS = ["srcdoc", "action", "formaction", "srcset", "background", "xlink:href"];
  const ODD = ["mglyph", "malignmark", "annotation-xml", "maction", "semantics"];
  const wrong = [];
  for (const e of new DOMParser().parseFromString("<body>" + html, "text/html").body.querySelectorAll("*")) {
    const formula = e.namespaceURI.endsWith("MathML");
    if (formula ? ODD.includes(e.localName) : !(e.namespaceURI.endsWith("xhtml") && words.includes(e.localName)))
      wrong.push(e.outerHTML);
    for (const { name, value } of e.attributes)
      if (name.startsWith("on") || ASKS.includes(name) || name === "src" && !value.startsWith("data:image/") ||
          name === "href" && (formula || !/^(https?:|mailto:|[\\w#./-]*$)/.test(value)) ||
          name === "style" && /url|position|expression|@/.test(value)) wrong.push(`${name}=${value}`);
  }
  return wrong;
}"""


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def wrong_in(browser):
    """What in a piece of HTML runs or asks for something, as a browser's own parser reads it."""
    page = browser.new_page()
    return lambda html: page.evaluate(JUDGE, [html, WORDS.split()])


def test_the_judge_sees_what_is_wrong(wrong_in):
    assert all(wrong_in(payload) for payload in PAYLOADS[:10])
    assert not wrong_in('<p class="a"><a href="https://x.example/">b</a><math><mi>x</mi></math></p>')


def test_words_hold_nothing_that_runs(wrong_in, tmp_path):
    for payload in PAYLOADS:
        assert not wrong_in(markdown_html(payload, tmp_path, [])), payload
        assert not wrong_in(harmless(payload, tmp_path)), payload
        assert not wrong_in(markdown_html(f"* a\n\n  > {payload}\n\n| a |\n|---|\n| {payload} |", tmp_path, [])), (
            payload
        )


def outputs_of(payload: str):
    v4 = nbformat.v4
    coded = base64.b64encode(payload.encode()).decode()
    return [
        v4.new_output("stream", text=payload),
        v4.new_output("error", ename="E", evalue=payload, traceback=["\x1b[31m" + payload]),
        *(v4.new_output("display_data", {kind: payload, "text/plain": payload}) for kind in (
            "text/html", "text/markdown", "image/png", "image/svg+xml", "text/latex", "application/javascript",
        )),
        v4.new_output("display_data", {"image/png": f'{coded}" onerror="{RUN}', "text/plain": payload}),
        v4.new_output("display_data", {"image/jpeg": coded, "text/plain": f'" onerror="{RUN}'}),
    ]  # fmt: skip


def test_outputs_hold_nothing_that_runs(wrong_in, tmp_path):
    for payload in PAYLOADS:
        for output in outputs_of(payload):
            assert not wrong_in(output_html(output, tmp_path, [])), (payload, output)


def inspector(script: str) -> str:
    """An output as :mod:`oneformer_lite.render.as_iframe` writes it."""
    page = (
        f"<!DOCTYPE html><html><body><p style='height:700px;margin:0'>page</p><script>{script}</script></body></html>"
    )
    return f'<iframe class="ofl-frame" title="words" srcdoc="{escape(page)}"></iframe>'


@pytest.mark.parametrize(
    "html",
    [
        inspector("1") + "<script>1</script>",
        "<b>" + inspector("1"),
        inspector("1").replace("srcdoc", "src=x srcdoc"),
        inspector("1").replace('title="words"', 'title="words" onload="1"'),
        inspector("1").replace("ofl-frame", "ofl-frame other"),
        inspector("1") + inspector("2"),
    ],
)
def test_what_only_looks_like_an_inspector_gets_no_frame(html, wrong_in, tmp_path):
    assert frame_html(html) is None
    output = nbformat.v4.new_output("display_data", {"text/html": html})
    assert not wrong_in(output_html(output, tmp_path, []))


HOSTILE_FRAME = """
const tries = [
  () => { top.pwned = 1; }, () => { parent.document.title = "pwned"; },
  () => { top.location = "https://pwned.example/t"; },
  () => { localStorage.setItem("a", "b"); window.stored = 1; }, () => { document.cookie = "a=b"; },
  () => { window.open("https://pwned.example/o"); }, () => { new Image().src = "https://pwned.example/i.png"; },
  () => { fetch("https://pwned.example/f").catch(() => 0); }, () => { new WebSocket("wss://pwned.example/w"); },
  () => { for (const told of [{ height: 1e12 }, { height: "<b>" }, null, "a"]) parent.postMessage(told, "*"); },
  () => {
    const more = Object.assign(document.createElement("script"), { textContent: "top.location = '/'" });
    document.body.append(more);
  },
];
window.refused = 0;
for (const attempt of tries) try { attempt(); } catch { window.refused += 1; }
window.ran = 1;
window.leave = () => { location = "https://pwned.example/l"; };
"""


def write_page(folder: Path, monkeypatch, *, cells=(), outputs=()) -> Path:
    """The page of a notebook that "ran" to these outputs."""
    v4 = nbformat.v4
    words = [v4.new_markdown_cell("# 01 · <script>top.pwned=1</script>"), *map(v4.new_markdown_cell, cells)]
    notebook = v4.new_notebook(
        cells=[*words, v4.new_code_cell("1", outputs=list(outputs)), v4.new_raw_cell("<script>1</script>")]
    )
    folder.mkdir(exist_ok=True)
    nbformat.write(notebook, folder / "01_strange.ipynb")
    monkeypatch.setattr(pages, "executed", lambda path, on_cell: notebook)
    pages.write_pages(find_lessons(folder=folder), folder / "out")
    return folder / "out/01_strange.html"


@contextmanager
def visited(browser, path: Path, **options):
    """The page, and everything that it asked for or said."""
    context = browser.new_context(**options)
    context.route("https://pwned.example/**", lambda route: route.abort())
    page, asked, dialogs = context.new_page(), [], []
    context.on("request", lambda request: asked.append(request.url))
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    page.goto(path.as_uri())
    page.wait_for_load_state("load")
    yield page
    page.wait_for_timeout(150)
    outside = [url for url in asked if url != page.url and not url.startswith(("data:", "about:"))]
    assert page.evaluate("[window.pwned, document.title.startsWith('pwned')]") == [None, False]
    assert not dialogs and not outside, (dialogs, outside)
    assert page.url == path.as_uri() and len(context.pages) == 1
    context.close()


def test_a_page_full_of_payloads_runs_none(browser, tmp_path, monkeypatch):
    outputs = [output for payload in PAYLOADS for output in outputs_of(payload)]
    path = write_page(tmp_path, monkeypatch, cells=PAYLOADS, outputs=outputs)
    for bypass_csp in (True, False):  # first without the second line of defence
        with visited(browser, path, bypass_csp=bypass_csp) as page:
            assert page.query_selector("iframe") is None and len(page.query_selector_all("script")) == 1
            for element in page.query_selector_all("main .pwn, main a, main summary"):
                if not (element.get_attribute("href") or "").startswith("http"):
                    element.dispatch_event("click")


def test_the_policy_of_a_page_alone_stops_scripts(browser, tmp_path, monkeypatch):
    path = write_page(tmp_path, monkeypatch)
    text = path.read_text()
    for payload in (f"<script>{RUN}</script>", f'<img src=x onerror="{RUN}"><svg onload="{RUN}">',
                    '<img src="https://pwned.example/a.png"><link rel=stylesheet href="https://pwned.example/a.css">',
                    f'<iframe srcdoc="<script>{RUN}</script>"></iframe>'):  # fmt: skip
        path.write_text(text.replace("<main>", "<main>" + payload))
        with visited_with_blocked(browser, path):
            pass


@contextmanager
def visited_with_blocked(browser, path: Path):
    """As :func:`visited`; what the policy has stopped is no request that left the browser."""
    context = browser.new_context()
    page, left = context.new_page(), []
    context.route("https://pwned.example/**", lambda route: (left.append(route.request.url), route.abort()))
    page.goto(path.as_uri())
    yield page
    page.wait_for_timeout(100)
    assert page.evaluate("window.pwned") is None and not left
    context.close()


def test_a_hostile_frame_reaches_neither_page_nor_storage_nor_network(browser, tmp_path, monkeypatch):
    output = nbformat.v4.new_output("display_data", {"text/html": inspector(HOSTILE_FRAME), "text/plain": "words"})
    path = write_page(tmp_path, monkeypatch, outputs=[output])
    with visited_with_blocked(browser, path) as page:
        handle = page.wait_for_selector("iframe.ofl-frame")
        assert handle.get_attribute("sandbox") == "allow-scripts"
        inner = handle.content_frame()
        inner.wait_for_function("() => window.ran")
        assert inner.evaluate("window.refused") >= 3  # the page's window, its document, storage
        inner.evaluate("window.leave()")
        page.wait_for_timeout(300)
        assert (
            page.title() == "01 · &lt;script&gt;top.pwned=1&lt;/script&gt; · oneformer_lite"
            or "pwned=1" in page.title()
        )
        assert page.url == path.as_uri() and len(page.context.pages) == 1
        assert handle.bounding_box()["height"] <= 20_002
        assert page.evaluate("localStorage.length") == 0


def test_a_frame_is_as_high_as_its_page(browser, tmp_path, monkeypatch):
    grown = "setTimeout(() => { document.querySelector('p').style.height = '900px'; document.title = 'grown'; }, 100)"
    output = nbformat.v4.new_output("display_data", {"text/html": inspector(grown), "text/plain": "words"})
    path = write_page(tmp_path, monkeypatch, outputs=[output])
    with visited(browser, path) as page:
        page.wait_for_function(
            "() => Math.abs(document.querySelector('iframe').getBoundingClientRect().height - 916) < 20"
        )


def test_pictures_come_from_the_notebooks_folder_only(tmp_path):
    folder = tmp_path / "books"
    (folder / "in").mkdir(parents=True)
    (folder / "in/a b.png").write_bytes(b"inside")
    (tmp_path / "secret.png").write_bytes(b"secret")
    (folder / "link.png").symlink_to(tmp_path / "secret.png")
    (folder / "notes.txt").write_text("no picture")
    wanted = f"data:image/png;base64,{base64.b64encode(b'inside').decode()}"
    assert wanted in markdown_html("![x](in/a%20b.png)", folder, [])
    assert wanted in markdown_html("<img src='in/a b.png' alt=x>", folder, [])
    for source in (
        "../secret.png",
        "link.png",
        "/etc/passwd",
        "notes.txt",
        "in/../../secret.png",
        "none.png",
        "in",
        "a%00b.png",
    ):
        assert markdown_html(f"![seen]({source})", folder, []).strip() == "<p>seen</p>"
    attached = {"a.png": {"image/png": base64.b64encode(b"inside").decode()}, "b": {"text/html": "eA=="}}
    assert wanted in markdown_html("![x](attachment:a.png)", folder, [], attached)
    for name in ("b", "none", ""):
        assert markdown_html(f"![seen](attachment:{name})", folder, [], attached).strip() == "<p>seen</p>"


def test_the_lessons_look_as_they_did():
    """Of what our own lessons are written in, sanitising changes nothing."""
    for lesson in find_lessons():
        for cell in read_notebook(lesson.path).cells:
            if cell.cell_type != "markdown":
                continue
            raw = MarkdownWithMath(renderer=_Renderer(["x"], escape=False, exclude_anchor_links=True)).render(
                cell.source
            )
            before, after = (bs4.BeautifulSoup(h, "html.parser") for h in (raw, harmless(raw, lesson.path.parent)))
            assert before.get_text() == after.get_text()
            assert _elements(before) == _elements(after), lesson.name


def _elements(soup) -> list:
    """Without paragraphs that a formula of its own line splits, as a browser would."""
    style = {"style": lambda value: value.rstrip(";").replace(": ", ":")}
    return [
        (e.name, {k: style.get(k, lambda v: v)(v) for k, v in e.attrs.items()})
        for e in soup.find_all()
        if e.name != "p"
    ]


def test_a_policy_names_its_scripts_only():
    assert "script-src 'none'" in policy("")
    assert policy("", "1").count("sha256-") == 1
    assert policy(frame_html(inspector("1")), "1").count("sha256-") == 2  # ours is one of the frame's; the height
    assert policy(escape(frame_html(inspector("1")))).count("sha256-") == 0


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "null", "{}", '{"cells": 3}', '{"cells": [3], "nbformat": 4, "nbformat_minor": 5, "metadata": {}}',
        '{"nbformat": 4, "cells": [{"cell_type": "markdown", "source": {"a": 1}}]}', "[" * 100_000, '{"nbformat": "x"}',
        '{"nbformat": 99, "cells": []}', "\ufeff{", '{"cells": [{"source": 3}]}', '{"cells": [{"source": [1, 2]}]}',
    ],
)  # fmt: skip
def test_what_is_no_notebook_is_refused_in_words(text, tmp_path):
    path = tmp_path / "01_looks.ipynb"
    path.write_text(text)
    with pytest.raises(DataError, match="01_looks.ipynb is no notebook"):
        find_lessons(folder=tmp_path)
        read_notebook(path)
