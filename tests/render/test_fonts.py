"""Words in pictures: letters that Pillow's own font lacks, and words that are too long."""

from __future__ import annotations

import numpy as np
from PIL import ImageFont

from oneformer_lite.render.fonts import font_for, shortened
from oneformer_lite.render.labels import draw_labels


def test_another_font_where_a_letter_is_missing() -> None:
    plain = ImageFont.load_default(20).getname()
    assert font_for(20, ["car", "traffic light…"]).getname() == plain == font_for(20).getname()
    for word in ("Fußgänger", "arbre à feuilles", "дерево"):
        assert font_for(20, ["car", word]).getname()[0] == "DejaVu Sans"


def test_no_letter_of_a_label_is_a_box() -> None:
    empty = np.zeros((40, 200, 3), np.uint8)
    pictures = [draw_labels(empty, [(word, (100, 20), (100, 20))], 16) for word in ("ä", "ß", "é")]
    assert not any(np.array_equal(one, other) for one, other in zip(pictures, pictures[1:]))


def test_words_are_cut_where_there_is_no_room() -> None:
    font = font_for(12)
    assert shortened("sidewalk", font, 500) == "sidewalk"
    cut = shortened("sidewalk", font, 30)
    assert cut.endswith("…") and "sidewalk".startswith(cut[:-1]) and font.getlength(cut) <= 30
