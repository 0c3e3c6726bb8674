# %% [markdown]
# # Lab 03 · The pixel decoder
#
# Three exercises with lesson 03: one look, where the looks go, and their sum. Replace each `...` by your code, run the
# cell and the check below it. A check never fails: it tells what it expected and what yours gives. What follows works
# with your answer, or with ours.

# %%
import math

import matplotlib.pyplot as plt
import numpy as np
import oneformer_lite as ofl
import torch
import torch.nn.functional as F
from oneformer_lite import labs
from PIL import Image

_ = torch.set_grad_enabled(False)
sample = ofl.data.Toytown("val", size=128)[13]

# %% [markdown]
# The names of your answers, so that a slip in one of them stops nothing that follows:

# %%
labs.begin("03", globals())

# %% [markdown]
# ## 03.1 · One look
# ●●○○○ · 15 minutes · you may use: Python, torch, no `grid_sample`
#
# Read a map `[C, h, w]` at the place (x, y), both in 0 … 1 from border to border. Mix the four pixels around it:
# each counts with (1 − distance in x) × (1 − distance in y), in pixels. Pixels outside the map are zero. Return `[C]`.
#
# <details><summary>Hint</summary>In pixels the place is x · w − 0.5: then whole numbers are the centres.</details>

# %%
def look(feature_map, x, y):
    """[C, h, w], two numbers -> [C]"""
    # SOLUTION
    height, width = feature_map.shape[1:]
    x, y = x * width - 0.5, y * height - 0.5
    total = torch.zeros(len(feature_map))
    for column in (math.floor(x), math.floor(x) + 1):
        for row in (math.floor(y), math.floor(y) + 1):
            if 0 <= column < width and 0 <= row < height:
                total += (1 - abs(x - column)) * (1 - abs(y - row)) * feature_map[:, row, column]
    return total
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("03.1", look)

# %% [markdown]
# From here on `look` is yours if it passed, and the reference if not. Look at a tiny picture of the scene in 48 × 48
# places:

# %%
look = labs.use("03.1", look)
photo = torch.from_numpy(sample.image / 255).float().permute(2, 0, 1)
tiny = F.avg_pool2d(photo, 8)  # [3, 16, 16]
places = np.linspace(-0.05, 1.05, 48)
large = torch.stack([torch.stack([look(tiny, x, y) for x in places.tolist()]) for y in places.tolist()])

# %% [markdown]
# 16 × 16 pixels become 48 × 48, and the outermost looks, beyond the picture, fade into black.

# %%
figure, axes = plt.subplots(1, 2, figsize=(7.5, 3.8), layout="constrained")
for axis, picture, title in zip(axes, (tiny.permute(1, 2, 0), large), ("16 x 16 pixels", "48 x 48 looks")):
    axis.imshow(picture.clamp(0, 1))
    axis.set(title=title, xlabel="column", ylabel="row", xticks=(), yticks=())
plt.show()

# %% [markdown]
# ## 03.2 · Where the looks go
# ●●○○○ · 10 minutes · you may use: torch, a loop over the levels
#
# N queries stand at `reference [N, 2]`, (x, y) in 0 … 1. Their `offsets [N, M, L, P, 2]`, for each head, level and
# point, are (x, y) in pixels *of the level that is read*. `shapes` lists each level's (height, width). Return the
# places `[N, M, L, P, 2]`, again in 0 … 1.
#
# <details><summary>Hint</summary>Make a tensor [L, 1, 2] of (width, height); torch lines the axes up from the
# right.</details>

# %%
def locations(reference, offsets, shapes):
    """[N, 2], [N, M, L, P, 2], [(h, w), ...] -> [N, M, L, P, 2]"""
    # SOLUTION
    size = torch.tensor([(width, height) for height, width in shapes])  # [L, 2]
    return reference[:, None, None, None] + offsets / size[:, None]
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("03.2", locations)

# %% [markdown]
# The looks of a query on the car, as a fresh layer has them: rings of four steps in eight directions.

# %%
locations = labs.use("03.2", locations)
angle = torch.arange(8) * 2 * math.pi / 8
direction = torch.stack([angle.cos(), angle.sin()], -1)
direction = direction / direction.abs().amax(-1, keepdim=True)
offsets = direction[:, None, None] * torch.arange(1, 5)[:, None]  # [M, 1, P, 2]
offsets = offsets.expand(-1, 3, -1, -1)[None]  # on all three levels: [1, M, L, P, 2]
where = locations(torch.tensor([[0.28, 0.63]]), offsets, [(4, 4), (8, 8), (16, 16)])

# %% [markdown]
# The same steps on all levels; but a pixel at stride 32 is four times as wide as one at stride 8.

# %%
figure, axis = plt.subplots(figsize=(6.5, 5), layout="constrained")
axis.imshow(sample.image, extent=(0, 1, 1, 0))
marks = ((32, "#D55E00", "^"), (16, "#F0E442", "s"), (8, "#56B4E9", "o"))
for level, (stride, color, mark) in enumerate(marks):
    x, y = where[0, :, level].flatten(0, 1).T
    axis.scatter(x, y, c=color, marker=mark, edgecolors="black", label=f"stride {stride}")
axis.set(xlabel="x", ylabel="y", title="32 looks on each level")
axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
plt.show()

# %% [markdown]
# ## 03.3 · Deformable attention
# ●●●○○ · 25 minutes · you may use: `F.grid_sample`, one loop over the levels
#
# `value [S, M, d]` holds the positions of all levels one after the other, M heads of d channels each. For each query,
# head, level and point, `locations [N, M, L, P, 2]` says where to look (0 … 1) and `weights [N, M, L, P]` how much it
# counts. Return `[N, M·d]`: the weighted sums, head after head.
#
# <details><summary>Hint</summary>Take the heads as the batch of grid_sample: maps [M, d, h, w], grid [M, N, P, 2]. The
# grid counts from −1 to 1. The result is [M, d, N, P].</details>

# %%
def attend(value, shapes, locations, weights):
    """[S, M, d], [(h, w), ...], [N, M, L, P, 2], [N, M, L, P] -> [N, M d]"""
    # SOLUTION
    total = 0
    for level, part in enumerate(value.split([h * w for h, w in shapes])):
        maps = part.permute(1, 2, 0).unflatten(2, shapes[level])  # [M, d, h, w]
        grid = 2 * locations[:, :, level].transpose(0, 1) - 1  # [M, N, P, 2]
        looks = F.grid_sample(maps, grid, align_corners=False)  # [M, d, N, P]
        total = total + (looks * weights[:, :, level].transpose(0, 1)[:, None]).sum(-1)
    return total.permute(2, 0, 1).flatten(1)
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("03.3", attend)

# %% [markdown]
# Put it into the trained model: all of its deformable attention will run through `attend`.

# %%
from unittest.mock import patch

from oneformer_lite.model.parts import deformable_attention as package

attend = labs.use("03.3", attend)


def sample_with_attend(value, shapes, locations, weights):
    return torch.stack([attend(v, shapes, where, w) for v, where, w in zip(value, locations, weights)])


# %% [markdown]
# It still sees the street.

# %%
model = ofl.from_pretrained("toytown")
before = ofl.predict(model, sample.image, "panoptic")
with patch.object(package, "sample", sample_with_attend):
    after = ofl.predict(model, sample.image, "panoptic")
names = [[segment.class_name for segment in prediction.segments] for prediction in (before, after)]
print("the same segments:", names[0] == names[1])
pictures = [before.render(), after.render()]
Image.fromarray(ofl.render.contact_sheet([pictures], column_titles=["package", labs.whose("03.3", attend)]))

# %% [markdown]
# What you wrote yourself, and what the package lent you:

# %%
labs.tally("03", globals())

# %% [markdown]
# `labs.assemble(".", "03", globals())` shows what your answers do in the whole model, beside those of the labs before.
# Lab 22 puts all of them together: your OneFormer.
