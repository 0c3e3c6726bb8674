# %% [markdown]
# # Lab 17 · Boxes, kernels and noise
#
# Four exercises with lesson 17. Replace each `...` by your code, run the cell and the check below it. A check never
# fails: it tells what it expected and what yours gives. What follows works with your answer, or with ours.

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch
import oneformer_lite as ofl
from matplotlib.patches import Rectangle
from oneformer_lite import labs
from oneformer_lite.model.parts.boxes import boxes_of

# %% [markdown]
# The names of your answers, so that a slip in one of them stops nothing that follows:

# %%
labs.begin("17", globals())

# %% [markdown]
# Scene 13 and what is to be found in it.

# %%
sample = ofl.data.Toytown("val", size=128)[13]
targets = ofl.data.targets_for(sample, "panoptic")
things = [g for g, k in enumerate(targets.labels.tolist()) if sample.categories[k].is_thing]
paint = ofl.render.label_colors(sample.categories)

# %% [markdown]
# ## 17.1 · Shake a box
# ●●○○○ · 10 minutes · you may use: torch, no loops
#
# `boxes` [N, 4] are centre x, centre y, width and height, in shares of the picture; `draws` [N, 4] are random numbers from
# 0 to 1. Return the shaken boxes: a centre moves by up to `noise` of *half* its sides, to either side; a side grows or
# shrinks by up to `noise` of itself; what leaves 0 to 1 is cut. A draw of 0.5 changes nothing.
#
# <details><summary>Hint</summary><code>2 * draws - 1</code> runs from -1 to 1. What a number may move by is half the width,
# half the height, the width, the height: <code>torch.cat</code> of two pairs of columns.</details>

# %%
def shaken(boxes, noise, draws):
    """[N, 4], float, [N, 4] -> [N, 4]"""
    # SOLUTION
    reach = torch.cat([boxes[:, 2:] / 2, boxes[:, 2:]], dim=1)
    return (boxes + noise * (2 * draws - 1) * reach).clamp(0, 1)
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("17.1", shaken)

# %% [markdown]
# Twenty shaken boxes around each of three things, with little noise and with much:

# %%
shaken = labs.use("17.1", shaken)
figure, axes = plt.subplots(1, 3, figsize=(10, 3.5), layout="constrained")
torch.manual_seed(0)
for ax, noise in zip(axes, (0.1, 0.4, 0.8)):
    ax.imshow(sample.image)
    ax.set(title=f"noise {noise}", xticks=[], yticks=[])
    for g in things[:3]:
        color = [v / 255 for v in paint[int(targets.labels[g])]]
        for x, y, w, h in 128 * shaken(boxes_of(targets)[[g] * 20], noise, torch.rand(20, 4)):
            ax.add_patch(Rectangle((x - w / 2, y - h / 2), w, h, fill=False, edgecolor=color, lw=1))
ofl.render.described(figure, "Twenty shaken boxes around each of three things, at noise 0.1, 0.4 and 0.8: the more noise, "
                     "the wider they spread.")  # fmt: skip

# %% [markdown]
# ## 17.2 · Keep groups apart
# ●●○○○ · 15 minutes · you may use: torch, no loops
#
# In training there are first `groups` groups of `most` noised queries each, and then `others` queries that are matched.
# Return who may look at whom, bool [T, T]: rows look, columns are looked at. Everybody may look at the others; those of
# one group at each other. Nobody else.
#
# <details><summary>Hint</summary>Give each query the number of its group, and the others -1
# (<code>torch.arange(groups).repeat_interleave(most)</code>). Then compare all with all.</details>

# %%
def may_look(groups, most, others):
    """three whole numbers -> bool [T, T], T = groups * most + others"""
    # SOLUTION
    of_group = torch.arange(groups).repeat_interleave(most)
    group = torch.cat([of_group, torch.full((others,), -1)])
    return (group[:, None] == group[None]) | (group[None] == -1)
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("17.2", may_look)

# %% [markdown]
# Four groups of six and 20 others, and how many queries a row of each kind may look at:

# %%
may_look = labs.use("17.2", may_look)
allowed = may_look(4, 6, 20)
print("a noised query looks at", int(allowed[0].sum()), "of 44, another one at", int(allowed[-1].sum()))
figure, ax = plt.subplots(figsize=(3, 3), layout="constrained")
ax.imshow(allowed, cmap="Blues", vmin=0, vmax=1.6, interpolation="nearest")
ax.set(xticks=[12, 34], xticklabels=["noised", "others"], yticks=[])
ofl.render.described(figure, "A matrix with four blue blocks on its diagonal and a blue stripe over all rows at the right.")

# %% [markdown]
# ## 17.3 · What lies under a mask
# ●●○○○ · 10 minutes · you may use: torch, no loops
#
# A kernel of K-Net learns of the picture what its own mask holds. `features` are [C, h, w], `masks` are logits [Q, h, w].
# Return for each mask the *sum* of the features where its logit is above 0, [Q, C].
#
# <details><summary>Hint</summary>Ones and zeros, then one matrix product of [Q, hw] and [hw, C], or an
# <code>einsum</code>.</details>

# %%
def gathered(features, masks):
    """[C, h, w], [Q, h, w] -> [Q, C]"""
    # SOLUTION
    inside = (masks > 0).to(features)
    return torch.einsum("qhw,chw->qc", inside, features)
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("17.3", gathered)

# %% [markdown]
# A poor man's K-Net, without weights: the features of a pixel are its colour and its place. Kernels start from five squares;
# what each gathers, divided by the area, is the next kernel, and a pixel goes to the nearest one. After each stage, the
# mean colours of the five masks:

# %%
gathered = labs.use("17.3", gathered)
y, x = torch.meshgrid(*[torch.linspace(0, 1, 128)] * 2, indexing="ij")
colors = torch.from_numpy(sample.image.copy()).permute(2, 0, 1) / 255
features = torch.cat([colors, 0.3 * y[None], 0.3 * x[None]])
corners = [(10, 10), (10, 90), (50, 50), (90, 10), (90, 90)]
masks = torch.full((5, 128, 128), -1.0)
for mask, (top, left) in zip(masks, corners):
    mask[top : top + 28, left : left + 28] = 1
pictures = [sample.image]
for stage in range(4):
    kernels = gathered(features, masks) / (masks > 0).sum((1, 2)).clamp_min(1)[:, None]
    nearest = torch.cdist(features.flatten(1).T, kernels).argmin(1).view(128, 128)
    masks = torch.stack([torch.where(nearest == q, 1.0, -1.0) for q in range(5)])
    pictures.append((255 * kernels[:, :3].clamp(0, 1)[nearest]).byte().numpy())

# %% [markdown]
# The scene, and stages 1 to 4 (this is the method of k-means, which alternates the same two steps):

# %%
sheet = ofl.render.contact_sheet([pictures], ["the scene", *(f"stage {n}" for n in (1, 2, 3, 4))])
ofl.render.described(sheet, "The scene, then the same in five mean colours, whose regions change a little from stage to "
                     "stage.")  # fmt: skip

# %% [markdown]
# ## 17.4 · The best paints first
# ●●●○○ · 20 minutes · you may use: torch, and a loop over the masks
#
# Panoptic SegFormer's merge. `classes` [N] are class probabilities, `masks` [N, H, W] numbers from 0 on; inside is what is
# above 0.5.
#
# * quality: the sum of the mask's numbers inside it, divided by (its pixels inside + 1);
# * score: class probability times the *square* of the quality;
# * in the order of the scores, the best first: leave out a mask whose score is below `least`, which is empty, or which would
#   keep less than `share` of its pixels, for others were painted there; paint the rest where nothing is yet.
#
# Return int [H, W]: 1 where the first one was painted, 2 where the second one was, and so on, 0 where nothing is.
#
# <details><summary>Hint</summary><code>scores.argsort(descending=True).tolist()</code> gives the order. Keep the map that
# you paint, and ask it what is free: <code>inside[n] & (segments == 0)</code>.</details>

# %%
def painted(classes, masks, least, share):
    """[N], [N, H, W], float, float -> int [H, W]"""
    # SOLUTION
    inside = masks > 0.5
    quality = (masks * inside).flatten(1).sum(1) / (inside.flatten(1).sum(1) + 1)
    scores, segments, count = classes * quality**2, torch.zeros(masks.shape[1:], dtype=torch.int64), 0
    for n in scores.argsort(descending=True).tolist():
        free = inside[n] & (segments == 0)
        if scores[n] >= least and inside[n].any() and free.sum() / inside[n].sum() >= share:
            count += 1
            segments[free] = count
    return segments
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("17.4", painted)

# %% [markdown]
# Three discs. All have the same class probability; the middle one's mask gets paler from left to right. First it paints
# over both neighbours, then what is left, and in the end it is left out:

# %%
painted = labs.use("17.4", painted)
y, x = torch.meshgrid(torch.arange(60), torch.arange(120), indexing="ij")
discs = torch.stack([((y - 30) ** 2 + (x - middle) ** 2 <= 25**2).float() for middle in (25, 60, 95)])
colors = np.array([[255, 255, 255], [0, 114, 178], [230, 159, 0], [0, 158, 115]], np.uint8)
pictures = []
for value in (1.0, 0.95, 0.7, 0.6):
    strength = torch.tensor([0.98, value, 0.97])[:, None, None]
    segments = painted(torch.full((3,), 0.9), discs * strength, 0.4, 0.3)
    print(f"{value:.2f}: pixels painted first to last", [int((segments == n).sum()) for n in (1, 2, 3)])
    pictures.append(colors[segments])
sheet = ofl.render.contact_sheet([pictures], ["1.00", "0.95", "0.70", "0.60"])
ofl.render.described(sheet, "Three overlapping discs, painted in blue, orange and green in the order of their scores, for "
                     "four strengths of the middle one.")  # fmt: skip

# %% [markdown]
# What you wrote yourself, and what the package lent you:

# %%
labs.tally("17", globals())
