"""Each drawing is rebuilt from its numbers: what is written in it is what PyTorch, or a sum on paper, says."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import pytest
import torch
import torch.nn.functional as F

from oneformer_lite import drawings
from oneformer_lite.lessons.cells import output_html
from oneformer_lite.render.pages import read

SVG = "{http://www.w3.org/2000/svg}"
Q = torch.tensor([[1.0, 1, 0, 0], [2, 0, 0, 0], [0, 0, 1, 0]])
K = torch.tensor([[2.0, 0, 0, 0], [0, 2, 0, 0], [2, 2, 0, 0]])
V = torch.tensor([[6.0, 0], [0, 6], [3, 3]])
COSTS, TERMS, WEIGHTS = [[0.3, 1.2], [2, 0.4], [1, 1.5]], {"class": 0.4, "dice": 0.25}, {"class": 2.0, "dice": 5.0}
MAP, PLACES, SHARES = torch.arange(8.0).view(2, 4), [(1.25, 0.0), (3.5, 1.0), (9.0, 9.0)], [0.5, 0.25, 0.25]


def written(drawing, kind: str = "number") -> list[str]:
    """The texts of that look, in the order in which they are drawn."""
    texts = ElementTree.fromstring(drawing.svg).iter(f"{SVG}text")
    return [text.text or "" for text in texts if text.get("class") == kind]


def flat(*tables, digits: int = 2) -> list[str]:
    return [f"{float(x):.{digits}f}" for table in tables for x in torch.as_tensor(table).flatten()]


@pytest.mark.parametrize("allowed", [None, torch.ones(3, 3).tril().bool()], ids=["everywhere", "back only"])
def test_attention_has_the_numbers_of_pytorch(allowed):
    drawing = drawings.attention(Q, K, V, allowed=allowed)
    scores = Q @ K.T / 2
    if allowed is not None:
        scores = scores.masked_fill(~allowed, float("-inf"))
    weights, results = scores.softmax(-1), F.scaled_dot_product_attention(Q, K, V, allowed)
    whole = [number.replace("-inf", "–") for number in flat(scores, digits=0)]
    expected = [*flat(Q, K.T, digits=0), *whole, *flat(weights), *flat(V, digits=0), *flat(results)]
    assert written(drawing) == expected
    assert f"gets ({results[1, 0]:.2f}, {results[1, 1]:.2f})" in repr(drawing)


def test_heads_are_written_in_percent_and_what_may_not_be_looked_at_is_empty():
    weights = torch.rand(3, 4, 4, generator=torch.Generator().manual_seed(0)).tril()
    weights /= weights.sum(-1, keepdim=True)
    drawing = drawings.heads(weights, ["start", "a", "car", "end"])
    assert written(drawing) == ["" if w == 0 else f"{100 * w:.0f}" for w in weights.flatten().tolist()]
    assert all(f"head {h}: percent" in written(drawing, "title") for h in range(3))


def test_a_look_finds_what_grid_sample_finds():
    drawing = drawings.sampling(MAP, PLACES, SHARES)
    size = torch.tensor([4, 2])
    grid = 2 * (torch.tensor(PLACES) + 0.5) / size - 1
    found = F.grid_sample(MAP[None, None], grid[None, None], align_corners=False).flatten()
    products = found * torch.tensor(SHARES)
    rows = torch.stack([*torch.tensor(PLACES).T, found, torch.tensor(SHARES), products], 1)
    assert written(drawing) == [*flat(MAP, digits=0), *flat(rows)]
    assert written(drawing, "title")[-1] == f"{products.sum():.2f}"


def test_residual_and_norm_are_those_of_layer_norm():
    x, update = torch.tensor([1.0, 2, 3, -2.5]), torch.tensor([0.5, -1, 0.2, 1])
    drawing = drawings.residual_and_norm(x, update)
    assert written(drawing) == flat(x, update, x + update, F.layer_norm(x + update, (4,)))


def test_the_criterion_frames_the_match_and_adds_up(recwarn):
    terms = {name: torch.tensor(value, requires_grad=True) for name, value in TERMS.items()}
    drawing = drawings.criterion(COSTS, [0, 1], terms, WEIGHTS, masks=["red", "blue"])
    assert not recwarn.list
    assert written(drawing) == [*flat(COSTS), "0.40", "2", "0.80", "0.25", "5", "1.25"]
    assert written(drawing, "title")[-1] == "2.05"
    frames = [r for r in ElementTree.fromstring(drawing.svg).iter(f"{SVG}rect") if r.get("class") == "frame"]
    cells = [r for r in ElementTree.fromstring(drawing.svg).iter(f"{SVG}rect") if r.get("class") == "cell"]
    corners = [(float(c.get("x")) + 1, float(c.get("y")) + 1) for c in cells]
    assert [corners.index((float(f.get("x")), float(f.get("y")))) for f in frames] == [0, 3]
    assert "query 1 answers for blue (cost 0.40)" in repr(drawing)


ALL = {
    "attention": lambda: drawings.attention(Q, K, V),
    "decimals": lambda: drawings.attention(-Q[:, :2] / 3, K[:, :2] / 3, V / 7),
    "heads": lambda: drawings.heads(torch.full((4, 7, 7), 1 / 7), ["building"] * 7),
    "sampling": lambda: drawings.sampling(MAP, PLACES, SHARES),
    "residual": lambda: drawings.residual_and_norm([-10.25] * 5 + [3], [1.5] * 6),
    "criterion": lambda: drawings.criterion(COSTS * 2, [0, 4], TERMS, WEIGHTS),
}


@pytest.mark.parametrize("make", ALL.values(), ids=ALL)
def test_a_drawing_is_the_same_each_time_and_stays_on_its_card(make, tmp_path):
    drawing = make()
    assert make().svg == drawing.svg and len(drawing.svg) < 60_000
    root = ElementTree.fromstring(drawing.svg)
    _, _, width, height = map(float, root.get("viewBox").split())
    for thing in root.iter():
        if thing.tag in (f"{SVG}rect", f"{SVG}text"):
            right = float(thing.get("x")) + float(thing.get("width", 0))
            assert 0 <= float(thing.get("x")) and right <= width and 0 <= float(thing.get("y")) <= height
    assert drawing.save(tmp_path / "drawing.svg").read_text(encoding="utf-8") == drawing.svg


def test_a_page_shows_a_drawing_with_its_words(tmp_path):
    from nbformat.v4 import new_output

    drawing = drawings.attention(Q, K, V, names=["a", "<b>", '"c"'])
    data = {"text/html": drawing._repr_html_(), "text/plain": repr(drawing)}
    page = output_html(new_output("display_data", data), tmp_path, ())
    assert "data:image/svg+xml;base64," in page and "max-width: 690px" in page and "of &lt;b&gt;" in page


@pytest.mark.parametrize(
    "make",
    [
        lambda: drawings.attention(torch.ones(5, 2), K, V),
        lambda: drawings.attention(Q, K, torch.ones(2, 2)[:, 0]),
        lambda: drawings.attention(torch.full((4, 4), -10.25), torch.full((4, 4), 0.25), torch.ones(4, 4)),
        lambda: drawings.heads(torch.ones(2, 3, 3), ["a", "b"]),
        lambda: drawings.sampling(torch.ones(9, 9), PLACES, SHARES),
        lambda: drawings.residual_and_norm([1, 2], [2, 1]),
        lambda: drawings.criterion(COSTS, [0, 1], TERMS, {"class": 1}),
    ],
    ids=[
        "five queries",
        "no channels",
        "too wide",
        "names that lack",
        "large map",
        "no deviation",
        "term without weight",
    ],
)
def test_what_cannot_be_drawn_is_refused_in_words(make):
    with pytest.raises(ValueError, match=r"shape \[|need|deviation|weight|wide, 460 fit"):
        make()


def test_letters_are_large_enough_at_400_pixels_and_dark_is_a_palette_of_its_own():
    style = read("drawings/drawing.css")
    sizes = [float(size) for size in re.findall(r"font(?:-size)?: ([\d.]+)px", style)]
    assert min(sizes) * 400 / 460 > 9
    light, dark = (dict(re.findall(r"--(\w+): (#\w+)", part)) for part in style.split("@media")[:2])
    assert set(dark) | {"-"} >= {"ink", "soft", "card", "plus", "minus"}
    for palette in (light, dark):
        assert contrast(palette["ink"], palette["card"]) > 10 and contrast(palette["soft"], palette["card"]) > 4.5


def contrast(one: str, other: str) -> float:
    """Of two colours, by WCAG."""

    def luminance(color: str) -> float:
        color = color.lstrip("#") if len(color) == 7 else "".join(2 * c for c in color[1:])
        shares = [int(color[i : i + 2], 16) / 255 for i in (0, 2, 4)]
        linear = [s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)
