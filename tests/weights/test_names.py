"""The renaming machinery by hand, and each table against itself turned round."""

import pytest
import torch

from oneformer_lite.errors import CheckpointError
from oneformer_lite.weights import official
from oneformer_lite.weights.backbones import names as backbones
from oneformer_lite.weights.names import attention, below, drop, rename, reverse
from oneformer_lite.weights.oneformer.huggingface import HEAD

ONE, TWO, THREE = (torch.full((1, 2), float(i)) for i in (1, 2, 3))


def test_the_first_row_that_fits_renames_whole_words():
    table = [("stem.conv.norm", "bn"), ("stem.conv", "conv"), ("layers.{}.fc{}", "blocks.{}.linear{}")]
    names = ("stem.conv.norm.bias", "stem.conv", "layers.11.fc2.weight", "stem.convolution", "x")
    renamed = ["bn.bias", "conv", "blocks.11.linear2.weight", "stem.convolution", "x"]
    assert list(rename(dict.fromkeys(names, ONE), table)) == renamed


def test_thirds_are_split_and_joined_in_order():
    table = below("a.", "b.", attention("attn", "mix"))
    whole = torch.cat([ONE, TWO, THREE])
    split = rename({"a.attn.in_proj_weight": whole, "a.attn.out_proj.bias": ONE}, table)
    assert list(split) == ["b.mix.q_proj.weight", "b.mix.k_proj.weight", "b.mix.v_proj.weight", "b.mix.out_proj.bias"]
    assert [t[0, 0].item() for t in split.values()] == [1, 2, 3, 1]
    shuffled = dict(sorted(split.items()))  # k, out, q, v
    back = rename(shuffled, reverse(table))
    assert torch.equal(back["a.attn.in_proj_weight"], whole) and len(back) == 2


def test_what_does_not_go_together_is_named():
    table = [(("q", "k", "v"), "qkv"), ("in_proj_", ("a.", "b.", "c.")), ("old", "new")]
    with pytest.raises(CheckpointError, match="qkv.bias is made of query, key and value, but the file holds 2"):
        rename({"q.bias": ONE, "v.bias": ONE}, table)
    for wrong in (torch.zeros(4, 2), torch.tensor(1.0)):
        with pytest.raises(CheckpointError, match="in_proj_weight is"):
            rename({"in_proj_weight": wrong}, table)
    with pytest.raises(CheckpointError, match="holds new.x twice, the second time as old.x"):
        rename({"new.x": ONE, "old.x": ONE}, table)
    with pytest.raises(CheckpointError, match=r"their shapes are \[\[1, 2\], \[1, 2\], \[\]\]"):
        rename({"q": ONE, "k": TWO, "v": torch.tensor(1.0)}, table)
    with pytest.raises(CheckpointError, match="qkv is made of"):
        rename({"q": ONE, "k": ONE, "v": ONE, "qkv": ONE}, table)


def test_dropping_takes_whole_names_only():
    assert list(drop({"a.index": ONE, "a.index.b": ONE}, [r".*\.index"])) == ["a.index.b"]


@pytest.mark.parametrize(
    "table", [official.TABLE, *(table + HEAD for table in backbones.HUGGINGFACE.values())]
)
def test_no_row_of_a_table_stands_in_the_shade_of_another(table):
    """Each row, met with a name of its own, is the one that renames."""
    for theirs, ours in table:
        parts = [theirs] if isinstance(theirs, str) else theirs
        targets = [ours] if isinstance(ours, str) else ours
        names = [part.replace("{}", "2") + ("x" if part[-1] in "._" else ".x") for part in parts]
        expected = [target.replace("{}", "2") + ("x" if parts[0][-1] in "._" else ".x") for target in targets]
        assert list(rename({name: torch.zeros(3) for name in names}, table)) == expected
