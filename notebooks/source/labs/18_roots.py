# %% [markdown]
# # Lab 18 · Roots
#
# Four exercises with lesson 18. Replace each `...` by your code, run the cell and the check below it. A check never
# fails: it tells what it expected and what yours gives. What follows works with your answer, or with ours.

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch
import oneformer_lite as ofl
from oneformer_lite import labs
from oneformer_lite.config import Seq2SegConfig
from oneformer_lite.data.digits.source import bundled
from PIL import Image

digits = bundled().split("val")

# %% [markdown]
# The names of your answers, so that a slip in one of them stops nothing that follows:

# %%
labs.begin("18", globals())

# %% [markdown]
# ## 18.1 · A scene of digits
# ●●○○○ · 10 minutes · you may use: numpy
#
# `frames` are pictures of digits, uint8 [28, 28], white on black; `places` has for each the row and column of its upper
# left corner in a scene of `size` (height, width). Return the scene, uint8 [H, W], in which the brightest frame counts
# at each pixel, and the masks bool [n, H, W] of the ink, which is what is brighter than 127: each whole, whatever lies
# over it.
#
# <details><summary>Hint</summary><code>scene[top : top + 28, left : left + 28]</code> is a view: what is written into it
# stands in the scene. <code>np.maximum</code> compares pixel by pixel.</details>

# %%
def scene(frames, places, size):
    """[uint8 [28, 28], ...], [(top, left), ...], (H, W) -> uint8 [H, W], bool [n, H, W]"""
    # SOLUTION
    picture, masks = np.zeros(size, np.uint8), np.zeros((len(frames), *size), bool)
    for frame, (top, left), mask in zip(frames, places, masks):
        here = slice(top, top + 28), slice(left, left + 28)
        picture[here] = np.maximum(picture[here], frame)
        mask[here] = frame > 127
    return picture, masks
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("18.1", scene)

# %% [markdown]
# Two held-out digits that come closer and closer, and the pixels that belong to both:

# %%
scene = labs.use("18.1", scene)
pictures = []
for column in (30, 16, 8, 2):
    picture, masks = scene([digits.images[3], digits.images[5]], [(18, 2), (18, column)], (64, 64))
    both = masks.all(0)
    print(f"column {column:>2}: {both.sum():>2} pixels of both")
    pictures.append(np.where(both[..., None], (230, 80, 40), picture[..., None]).astype(np.uint8))
Image.fromarray(ofl.render.contact_sheet([[ofl.render.enlarge(picture, 3) for picture in pictures]]))

# %% [markdown]
# ## 18.2 · Dice, with and without squares
# ●●○○○ · 10 minutes · you may use: torch, no loops
#
# `p` and `y` are probabilities and truth [N, P] of N masks. Return the dice loss of each, [N]:
#
# $$1 - \frac{2\sum p\,y + 1}{\sum p + \sum y + 1}\qquad\text{or, if squared,}\qquad
# 1 - \frac{2\sum p\,y + 1}{\sum p^2 + \sum y^2 + 1}$$

# %%
def dice(p, y, squared):
    """[N, P], [N, P], bool -> [N]"""
    # SOLUTION
    both = p.square() + y.square() if squared else p + y
    return 1 - (2 * (p * y).sum(1) + 1) / (both.sum(1) + 1)
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("18.2", dice)

# %% [markdown]
# A mask of 20 pixels, all predicted with one probability: what the two losses say, from 0 to 1.

# %%
dice = labs.use("18.2", dice)
values = torch.linspace(0, 1, 50)
p, y = values[:, None].expand(-1, 20), torch.ones(50, 20)
for squared in (False, True):
    plt.plot(values, dice(p, y, squared), label="squared" if squared else "plain")
plt.xlabel("probability of each pixel of the mask")
plt.ylabel("dice loss")
plt.legend()
plt.show()

# %% [markdown]
# With squares the loss is flat near 1 and steep near 0: a mask that is nearly right is left in peace.
#
# ## 18.3 · Count an encoder
# ●●●○○ · 15 minutes · you may use: Python
#
# How many parameters has BERT over patches? Layers of width `d`: attention (four linear layers with bias), a block of
# two linear layers over width `ffn` (with bias), two norms (scale and shift). Before them: a linear layer from a patch of
# `patch` x `patch` pixels in three colours, a table of `positions` rows and one of two token types, and one norm.
#
# <details><summary>Hint</summary>A linear layer from a to b has a b + b parameters.</details>

# %%
def parameters(layers, d, ffn, patch, positions):
    """five whole numbers -> how many parameters"""
    # SOLUTION
    attention = 4 * (d * d + d)
    feed_forward = d * ffn + ffn + ffn * d + d
    norm = 2 * d
    start = 3 * patch * patch * d + d + (positions + 2) * d + norm
    return layers * (attention + feed_forward + 2 * norm) + start
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("18.3", parameters)

# %% [markdown]
# The encoder of the report, beside the package's. What is missing to 50.8 million is BERT's pooler and the transposed
# convolution:

# %%
parameters = labs.use("18.3", parameters)
with torch.device("meta"):
    model = ofl.model.build(Seq2SegConfig(num_classes=34))
ours = sum(p.numel() for p in model.encoder.parameters())
print(f"{parameters(6, 768, 3072, 16, 512):,}", "equal:", parameters(6, 768, 3072, 16, 512) == ours)

# %% [markdown]
# ## 18.4 · The place of a query
# ●●○○○ · 10 minutes · you may use: numpy
#
# `queries` tells for each digit which query took it, `places` [N, 2] where it was (row, column). Return for each query
# that took any: its mean row and column, and the *spread* of its digits, the root of the mean squared distance from that
# mean.
#
# <details><summary>Hint</summary><code>places[np.array(queries) == query]</code> are the places of one
# query.</details>

# %%
def places_of(queries, places):
    """[N] whole numbers, float [N, 2] -> {query: (row, column, spread)}"""
    # SOLUTION
    found = {}
    for query in set(queries):
        points = places[np.array(queries) == query]
        row, column = points.mean(0)
        spread = np.sqrt(((points - points.mean(0)) ** 2).sum(1).mean())
        found[query] = (row, column, spread)
    return found
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("18.4", places_of)

# %% [markdown]
# Two made-up models on 300 digits. One's queries have halved the picture, as those of lesson 18 have parted it in six;
# the other's take whatever comes. Which is which?

# %%
places_of = labs.use("18.4", places_of)
rng = np.random.default_rng(0)
places = rng.uniform(10, 54, (300, 2))
for name, queries in (("A", (places[:, 1] > 32).astype(int)), ("B", rng.integers(0, 2, 300))):
    for query, (row, column, spread) in sorted(places_of(queries.tolist(), places).items()):
        print(f"model {name}, query {query}: row {row:.0f}, column {column:.0f}, spread {spread:.0f}")

# %% [markdown]
# What you wrote yourself, and what the package lent you:

# %%
labs.tally("18", globals())
