# %% [markdown]
# # 03 · The pixel decoder
#
# The backbone (lesson 02) leaves four maps of the picture. The coarse ones know *what* is there, the fine ones
# know *where*. A mask needs both. **How do the maps talk to each other?**
#
# Letting every position attend to every other is too expensive. The **pixel decoder** lets each position choose a few
# places, at any scale, and look only there: *deformable attention*. In this lesson you build it three times
# (loops, `grid_sample`, `embedding_bag`), prove the three equal, and then build the whole decoder around it.
#
# *Instead of* (in the sixty lines of lesson 00b): `pixels = features + self.places` (line B).
#
# *Goals:* write deformable attention in three ways; build the pixel decoder. *Before:* lesson 00b for attention,
# lesson 02. *Minutes:* 60. *Words and letters:* [glossary](GLOSSARY.md).
#
# Where we are, in the map of the whole model:

# %% tags=["nbval-ignore-output"]
import oneformer_lite as ofl

ofl.drawings.model_map(ofl.from_pretrained("toytown"), ofl.data.Toytown("val", size=128)[13], "03")

# %% [markdown]
# ## The picture and its four maps
#
# The scene that we carry through all lessons, at the size at which the small model was trained.

# %%
import math
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import oneformer_lite as ofl
import torch
import torch.nn.functional as F
from oneformer_lite.lessons import grown, proved

_ = torch.set_grad_enabled(False)  # nothing is trained in this lesson
sample = ofl.data.Toytown("val", size=128)[13]
model = ofl.from_pretrained("toytown")
model.config = replace(model.config, test_size=128)  # else it enlarges pictures to 160
features = model.backbone(ofl.data.normalise(sample.image)[None])
for stride, feature in zip((4, 8, 16, 32), features):
    print(f"stride {stride:>2}: {list(feature.shape)}")

# %% [markdown]
# Each map lies over the whole picture; one of its positions covers a square as wide as the stride. The dots are
# the centres of these squares at strides 32, 16 and 8, the three *levels* that talk to each other.

# %%
figure, axes = plt.subplots(1, 3, figsize=(9, 3.2), layout="constrained")
for axis, stride in zip(axes, (32, 16, 8)):
    axis.imshow(sample.image, extent=(0, 128, 128, 0))
    x, y = np.meshgrid(*[np.arange(stride / 2, 128, stride)] * 2)
    axis.scatter(x, y, s=stride, color="#D55E00", edgecolors="white", linewidths=0.5)
    axis.set(title=f"stride {stride}: {x.size} positions", xlabel="pixels")
    axis.set(xticks=(0, 64, 128), yticks=(0, 64, 128))
ofl.render.described(figure, "The scene three times under a grid of dots: 16 at stride 32, 64 at stride 16, 256 at "
                             "stride 8.")

# %% [markdown]
# ## Why not plain attention?
#
# With S positions in all, plain self-attention compares S × S pairs. Deformable attention looks at P = 4 points
# on each of L = 3 levels, whatever the size of the picture.


# %%
def positions(side):
    return sum((side // stride) ** 2 for stride in (32, 16, 8))


for side in (128, 1024):
    S = positions(side)
    print(f"{side:>4} pixels: S = {S:>6,}, plain {S * S:>13,} looks for each head, deformable {S * 12:>8,}")

# %% [markdown]
# The formula (*Deformable DETR*, equation 3). The channels are cut into M groups, the *heads*; each head looks for
# itself, and their results are joined again. Query $q$ stands at $p_q$; head $m$ looks at P places on each level:
#
# $$\text{out}_q = W \,\underset{m}{\text{concat}} \sum_{l}\sum_{i} A_{mqli} \cdot V_m\, x_l(p_q + \Delta p_{mqli})$$
#
# Two things are learned: the *offsets* $\Delta p$ say where to look, the *weights* $A$ how much each look counts.
# $V_m x_l$ is the level's map after a linear layer, $W$ is one more linear layer.

# %% [markdown]
# ## One look
#
# A place rarely hits the centre of a pixel, so we mix the four pixels around it: *bilinear interpolation*, as when the
# FPN enlarges a map (lesson 02); only that pixels outside the map count as zero here. The share of each of the four is
# (1 − distance in x) × (1 − distance in y).


# %%
def look(feature_map, x, y):
    """[C, h, w] and a place in pixels (whole numbers are pixel centres) -> [C]"""
    height, width = feature_map.shape[1:]
    total = torch.zeros(len(feature_map))
    for column in (math.floor(x), math.floor(x) + 1):
        for row in (math.floor(y), math.floor(y) + 1):
            if 0 <= column < width and 0 <= row < height:
                share = (1 - abs(x - column)) * (1 - abs(y - row))
                total += share * feature_map[:, row, column]
    return total


# %% [markdown]
# Try it on a map of 2 × 4 pixels with the values 0 to 7. The third place lies half a pixel outside, the last one
# far outside.

# %%
tiny = torch.arange(8.0).view(1, 2, 4)
for x, y in ((1, 0), (1.25, 0), (3.5, 1), (9, 9)):
    print(f"x = {x:<4}  y = {y}: {look(tiny, x, y).item():.2f}")

# %% [markdown]
# A query looks several times, and adds what it finds, each look times its weight. Three looks by hand:

# %%
places, shares = [(1, 0), (1.5, 0), (3.5, 1)], [0.5, 0.3, 0.2]
found = [look(tiny, x, y).item() for x, y in places]
print("finds", found, " sum", f"{sum(share * value for share, value in zip(shares, found)):.2f}")

# %% [markdown]
# The same as a drawing. That is all of deformable attention except for one thing: how the places and the weights are
# chosen.

# %%
ofl.drawings.sampling(tiny[0], places, shares)

# %% [markdown]
# The same for many places: between the pixel centres (dots) values flow into each other, and beyond the last
# centres they fade to zero within one pixel.

# %%
xs, ys = np.arange(-1.5, 4.51, 0.1), np.arange(-1.5, 2.51, 0.1)
surface = [[look(tiny, x, y).item() for x in xs] for y in ys]
figure, axis = plt.subplots(figsize=(8, 4.2), layout="constrained")
shown = axis.imshow(surface, extent=(-1.55, 4.55, 2.55, -1.55), cmap="cividis")
for (row, column), value in np.ndenumerate(tiny[0].numpy()):
    axis.plot(column, row, "o", color="white", markeredgecolor="black")
    axis.text(column + 0.1, row - 0.12, f"{value:.0f}", color="white", fontsize=12)
axis.add_patch(plt.Rectangle((-0.5, -0.5), 4, 2, fill=False, color="white", linestyle="--"))
axis.set(title="bilinear looks; dashed: the map's border", xlabel="x in pixels", ylabel="y in pixels")
_ = figure.colorbar(shown, label="value")
ofl.render.described(figure, "The values 0 to 7 of a map of two rows and four columns, and between them a smooth "
                             "surface, bright at the 7; it fades to nothing just outside the dashed border.")

# %% [markdown]
# ## Places that mean the same on every level
#
# Levels have different sizes, so places are written as shares u of the width and height: 0 is the left *border*,
# 1 the right one. The centre of pixel i of w pixels is u = (i + 0.5) / w, hence x = u · w − 0.5. PyTorch calls
# this `align_corners=False`. The other convention, x = u · (w − 1), puts 0 and 1 on the outermost centres: then
# the same u is another part of the picture on every level.

# %%
for u in (0.125, 0.5, 0.875):
    ours = [f"{(u * w - 0.5 + 0.5) * (128 / w):5.1f}" for w in (4, 8, 16)]
    theirs = [f"{(u * (w - 1) + 0.5) * (128 / w):5.1f}" for w in (4, 8, 16)]
    print(f"u = {u:<5}: pixel {' '.join(ours)} of the picture; align_corners=True: {' '.join(theirs)}")

# %% [markdown]
# ## Where a query stands
#
# Every position of every level is a query here (these are not the 32 object queries of lesson 00, which come later).
# Its *reference point* is its own centre: level after level, row after row.


# %%
def reference_points(shapes):
    """[(h, w), ...] -> [S, 2], (x, y) in 0 to 1"""
    return torch.tensor([
        ((column + 0.5) / w, (row + 0.5) / h) for h, w in shapes for row in range(h) for column in range(w)
    ])  # fmt: skip


shapes = [(4, 4), (8, 8), (16, 16)]  # strides 32, 16, 8: the coarsest first
reference = reference_points(shapes)
print(list(reference.shape), "first:", reference[0].tolist(), "last:", reference[-1].tolist())

# %% [markdown]
# The package has the same points in the same order, for other sizes too:

# %%
from oneformer_lite.model.parts import pixel_decoder

some = shapes, [(1, 2), (3, 5)]
ours, theirs = [reference_points(s) for s in some], [pixel_decoder.reference_points(tuple(s)) for s in some]
proved("ours = package", ours, theirs, atol=1e-6)

# %% [markdown]
# ## Where a query looks
#
# One linear layer turns the query's C numbers into M·L·P offsets. If it started at random, all heads would
# stare at much the same place. So its matrix starts at zero and its bias on **rings**: each head has a direction of
# its own, and its point number i is i pixels away. Diagonals are stretched onto the square.


# %%
def ring(heads, points):
    """Offsets in pixels, [M, P, 2]"""
    angle = torch.arange(heads) * 2 * math.pi / heads
    direction = torch.stack([angle.cos(), angle.sin()], -1)
    direction = direction / direction.abs().amax(-1, keepdim=True)  # [M, 2], onto the unit square
    return direction[:, None] * torch.arange(1, points + 1)[:, None]


# %% [markdown]
# Head 0 looks to the right, head 1 to the right and down, and so on, clockwise:

# %%
rings = ring(heads=8, points=4)
print("head 0:", rings[0].round().int().tolist())
print("head 1:", rings[1].round().int().tolist())

# %% [markdown]
# A fresh layer of the package starts there too, on each level alike:

# %%
from oneformer_lite.model.parts.deformable_attention import DeformableAttention

fresh = DeformableAttention(dim=96, num_heads=8, num_levels=3, num_points=4)
start = fresh.sampling_offsets.bias.view(8, 3, 4, 2)
proved("equal", start, rings[:, None].expand(-1, 3, -1, -1), atol=1e-5)

# %% [markdown]
# Training then moves them. Left the start, right the bias of the trained model's first layer on its finest level:
# one colour for each head.

# %%
attention = model.pixel_decoder.layers[0].attention
learned = attention.sampling_offsets.bias.view(8, 3, 4, 2)[:, 2]
colors = ["#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7"]
figure, axes = plt.subplots(1, 2, figsize=(8.5, 4.2), layout="constrained", sharex=True, sharey=True)
for axis, offsets, title in zip(axes, (rings, learned), ("at the start", "learned, stride 8")):
    for head, path in enumerate(offsets):
        axis.plot(*path.T, "o-", color=colors[head], markeredgecolor="black", label=f"head {head}")
    axis.plot(0, 0, "k+", markersize=14)
    axis.set(title=title, xlabel="offset in x, pixels of the level", aspect="equal")
axes[0].set_ylabel("offset in y")
axes[0].invert_yaxis()
axes[1].legend(loc="center left", bbox_to_anchor=(1, 0.5))
ofl.render.described(figure, "Two stars of eight arms, one for each head, four points on each arm. At the start the "
                             "arms are straight and reach out evenly; learned, they are shorter, bent, and of "
                             "different lengths.")

# %% [markdown]
# Offsets count in pixels *of the level that is read*, locations as shares. So an offset is divided by that level's
# width and height: one pixel at stride 32 is a quarter of this picture, at stride 8 a sixteenth.


# %%
def sampling(attention, query, reference, shapes):
    """Query [S, C] and reference [S, 2] -> locations [S, M, L, P, 2], weights [S, M, L, P]"""
    S, M, L, P = len(query), attention.heads, len(shapes), attention.points
    offsets = attention.sampling_offsets(query).view(S, M, L, P, 2)
    size = torch.tensor([(w, h) for h, w in shapes])  # [L, 2], in the order of (x, y)
    locations = reference[:, None, None, None] + offsets / size[:, None]
    weights = attention.attention_weights(query).view(S, M, L * P).softmax(-1)  # over all levels and points
    return locations, weights.view(S, M, L, P)


# %% [markdown]
# ## The input of the first layer
#
# A 1×1 convolution brings each level to C channels, **coarsest first** (the order in which the decoder of lesson 10
# will use them); then all positions stand in one row.

# %%
decoder = model.pixel_decoder
coarse_first = list(reversed(features[1:]))
maps = [project(f) for project, f in zip(decoder.input_projections, coarse_first)]
x = torch.cat([m[0].flatten(1).T for m in maps])  # [S, C]
print([list(m.shape[1:]) for m in maps], "->", list(x.shape))

# %% [markdown]
# A query must know where it stands, and on which level: the same spot exists three times. A fixed *position map*
# (sines and cosines of row and column) tells the first, a learned *level embedding* (one vector a level) the second.

# %%
from oneformer_lite.model.parts.layers import sine_positions

sines = [sine_positions(h, w, 96).flatten(1).T for h, w in shapes]
position = torch.cat([sine + level for sine, level in zip(sines, decoder.level_embed)])  # [S, C]
locations, weights = sampling(attention, x + position, reference, shapes)
print("locations", list(locations.shape), " weights", list(weights.shape))
print("the weights of a head sum to", ", ".join({f"{total:.3f}" for total in weights.sum((-1, -2)).flatten().tolist()}))

# %% [markdown]
# Positions go into the query alone, not into what is read. The package's own numbers, for the same query:

# %%
theirs = attention.sampling(x[None] + position, reference, shapes)
proved("locations", locations, theirs[0][0], atol=1e-5) + proved("weights", weights, theirs[1][0], atol=1e-5)

# %% [markdown]
# ## First form: loops
#
# The formula, word by word: for each query, head, level and point, look and add. First cut the row of positions
# back into levels, and the C channels into M heads.


# %%
def split_levels(value, shapes):
    """[S, M, d] -> for each level [M, d, h, w]"""
    parts = value.split([h * w for h, w in shapes])
    return [part.permute(1, 2, 0).unflatten(2, shape) for part, shape in zip(parts, shapes)]


def attend_loops(value, shapes, locations, weights):
    """value [S, M, d], locations [N, M, L, P, 2], weights [N, M, L, P] -> [N, M d]"""
    maps, (N, M, L, P) = split_levels(value, shapes), weights.shape
    out = torch.zeros(N, M, value.shape[-1])
    for n, m, l, p in np.ndindex(N, M, L, P):
        height, width = shapes[l]
        u, v = locations[n, m, l, p].tolist()
        out[n, m] += weights[n, m, l, p] * look(maps[l][m], u * width - 0.5, v * height - 0.5)
    return out.flatten(1)


# %% [markdown]
# All queries of the scene: a few seconds of Python.

# %%
value = attention.value_proj(x).view(336, 8, 12)  # [S, M, d]
slow = attend_loops(value, shapes, locations, weights)
print(f"{weights.numel():,} looks ->", list(slow.shape))

# %% [markdown]
# ## Second form: one `grid_sample` a level
#
# `F.grid_sample` makes many looks at once. It wants places in −1 … 1 instead of 0 … 1, and a batch of maps: here
# every head is one. Zero outside is its default.


# %%
def attend_grid(value, shapes, locations, weights):
    total = 0
    for l, level in enumerate(split_levels(value, shapes)):
        grid = 2 * locations[:, :, l].transpose(0, 1) - 1  # [M, N, P, 2]
        looks = F.grid_sample(level, grid, align_corners=False)  # [M, d, N, P]
        total = total + (looks * weights[:, :, l].transpose(0, 1)[:, None]).sum(-1)  # [M, d, N]
    return total.permute(2, 0, 1).flatten(1)  # [N, M d]


# %% [markdown]
# The same sum, in a few milliseconds:

# %%
fast = attend_grid(value, shapes, locations, weights)
proved("equal to the loops", fast, slow, atol=1e-5)

# %% [markdown]
# ## Third form: an embedding bag
#
# A look is a weighted sum of four pixels, attention a weighted sum of looks: together a weighted sum of 4·L·P rows
# of one table. PyTorch has an operator for just that, made for bags of words:

# %%
table = torch.tensor([[1.0, 0.0], [0.0, 1.0], [5.0, 5.0]])
rows, shares = torch.tensor([[0, 2]]), torch.tensor([[0.5, 0.1]])
mixed = F.embedding_bag(rows, table, mode="sum", per_sample_weights=shares)
print(mixed.tolist(), "= 0.5 row 0 + 0.1 row 2")

# %% [markdown]
# So all we need are the four rows of each look and their shares. Pixels outside the level get a share of zero
# (and any valid row, for the operator needs one).


# %%
def corners(locations, shapes):
    """[N, M, L, P, 2] -> rows among the S positions and shares, both [N, M, L, P, 4]"""
    size = torch.tensor([(w, h) for h, w in shapes])[:, None]  # [L, 1, 2]
    starts = [sum(h * w for h, w in shapes[:l]) for l in range(len(shapes))]
    pixel = locations * size - 0.5
    rows, shares = [], []
    for corner in torch.tensor([(0, 0), (1, 0), (0, 1), (1, 1)]):
        cell = pixel.floor() + corner
        inside = ((cell >= 0) & (cell < size)).all(-1)
        column, row = cell.clamp(min=0).minimum(size - 1).long().unbind(-1)
        rows.append(torch.tensor(starts)[:, None] + row * size[..., 0] + column)
        shares.append((1 - (pixel - cell).abs()).prod(-1) * inside)
    return torch.stack(rows, -1), torch.stack(shares, -1)


# %% [markdown]
# The table has a row for each position *and* head: position s, head m is row s·M + m.


# %%
def attend_bag(value, shapes, locations, weights):
    (S, M, d), N = value.shape, len(weights)
    rows, shares = corners(locations, shapes)
    rows = rows * M + torch.arange(M)[:, None, None, None]
    shares = shares * weights[..., None]
    bags = (rows.reshape(N * M, -1), value.reshape(S * M, d))
    out = F.embedding_bag(*bags, mode="sum", per_sample_weights=shares.reshape(N * M, -1))
    return out.view(N, M * d)


# %% [markdown]
# And once more the same sum:

# %%
bag = attend_bag(value, shapes, locations, weights)
proved("equal to the loops", bag, slow, atol=1e-5)

# %% [markdown]
# ## Against the package
#
# The package has the second and the third form, for batches. The bag wins on a CPU when heads are wide, `grid_sample`
# otherwise; `sample` chooses. On a square scene nobody would see height and width swapped. So compare a
# difficult case, too: levels that are not square, and many places outside.

# %%
from oneformer_lite.model.parts import deformable_attention as package

torch.manual_seed(0)
flat, wild = [(3, 5), (2, 4), (1, 2)], torch.rand(6, 8, 3, 4, 2) * 1.8 - 0.4  # places from -0.4 to 1.4
hostile, proofs = (torch.randn(25, 8, 12), flat, wild, torch.rand(6, 8, 3, 4)), []
for value_, shapes_, locations_, weights_ in ((value, shapes, locations, weights), hostile):
    expected = attend_loops(value_, shapes_, locations_, weights_)
    for form in (package.sample_by_grid, package.sample_by_bag):
        result = form(value_[None], shapes_, locations_[None], weights_[None])[0]
        proofs.append(proved(f"{form.__name__} = loops", result, expected, atol=1e-5))
sum(proofs[1:], proofs[0])

# %% [markdown]
# And the package with the published model: `tests/model/parts/test_deformable_attention.py` compares both forms with
# transformers' OneFormer in double precision (to 1e-12), `tests/weights/test_against_transformers.py` the whole
# network on shared weights.

# %% [markdown]
# ## One layer
#
# Attention, then a feed-forward block (two linear layers with a ReLU between). Each adds to its input and
# normalises the sum: *post-norm*. With all projections, in our own words:


# %%
def attend(attention, query, memory, reference, shapes):
    value = attention.value_proj(memory).view(len(memory), attention.heads, -1)
    locations, weights = sampling(attention, query, reference, shapes)
    return attention.output_proj(attend_grid(value, shapes, locations, weights))


def encoder_layer(layer, x, position, reference, shapes):
    x = layer.norm(x + attend(layer.attention, x + position, x, reference, shapes))
    block = layer.feed_forward
    return block.norm(x + block.linear2(F.relu(block.linear1(x))))


first = decoder.layers[0]
ours, theirs = encoder_layer(first, x, position, reference, shapes), first(x[None], position, reference, shapes)[0]
proved("equal", ours, theirs, atol=1e-4)

# %% [markdown]
# ## The whole pixel decoder
#
# Layer upon layer: two in this small model, six in the published ones. What each query has found is there for the
# others to read in the next layer.

# %%
after = [x]
for layer in decoder.layers:
    after.append(encoder_layer(layer, after[-1], position, reference, shapes))
levels = [split_levels(x[:, None], shapes) for x in after]  # each: [1, C, h, w] at strides 32, 16, 8
print(len(decoder.layers), "layers; stride 8 after each:", [list(level[2].shape) for level in levels])

# %% [markdown]
# Masks want finer maps still. Attention at stride 4 would cost four times as much, so one FPN step (lesson 02) does
# it: enlarge the stride-8 map, add the backbone's stride-4 map, smooth. A 1×1 convolution makes the **mask
# features**, with which each query will be multiplied (lesson 10). (The pure FPN of lesson 02 has a 3×3 in this
# place.)

# %%
lateral, smooth = decoder.fpn.lateral, decoder.fpn.output
enlarged = F.interpolate(levels[-1][2], scale_factor=2, mode="bilinear")
mask_features = decoder.mask_projection(smooth(lateral(features[0]) + enlarged))
theirs, their_maps = decoder(features)
print("mask features", list(mask_features.shape))
proved("mask features", mask_features, theirs, atol=1e-3) + proved("three levels", levels[-1], their_maps, atol=1e-3)

# %% [markdown]
# The steps of the last cells as one function, in two versions. The first has no layers: each map is projected, the last
# one and the finest make the mask features (lesson 02), and the maps never hear of each other.

# %%
def decode_pixels_1(decoder, features):
    """Maps at strides 4, 8, 16, 32 -> mask features and the maps at 32, 16, 8"""
    finest, *others = features
    maps = [project(f) for project, f in zip(decoder.input_projections, reversed(others))]
    return decoder.mask_projection(decoder.fpn(finest, maps[2])), maps


# %% [markdown]
# The second lays the maps in one row, lets them talk, and cuts the row into maps again. `grown` compares the two
# sources: a line after + is new, one after - is gone. New is all between the projections and the step of the FPN,
# that is the layers.

# %%
def decode_pixels(decoder, features):
    """Maps at strides 4, 8, 16, 32 -> mask features and the maps at 32, 16, 8"""
    finest, *others = features
    maps = [project(f) for project, f in zip(decoder.input_projections, reversed(others))]
    shapes = [tuple(m.shape[2:]) for m in maps]
    x = torch.cat([m[0].flatten(1).T for m in maps])
    sines = [sine_positions(h, w, x.shape[1]).flatten(1).T for h, w in shapes]
    position = torch.cat([sine + level for sine, level in zip(sines, decoder.level_embed)])
    for layer in decoder.layers:
        x = encoder_layer(layer, x, position, reference_points(shapes), shapes)
    maps = split_levels(x[:, None], shapes)
    return decoder.mask_projection(decoder.fpn(finest, maps[2])), maps


grown(decode_pixels_1, decode_pixels)

# %% [markdown]
# Tried on the upper part of the scene, which is not square:

# %%
upper = model.backbone(ofl.data.normalise(sample.image[:96])[None])
proved("equal", decode_pixels(decoder, upper)[0], decoder(upper)[0], atol=1e-3)

# %% [markdown]
# ## What the layers do
#
# Take one position on the car as a probe, and shade every other position of the stride-8 map by the cosine between
# its features and the probe's.

# %%
row, column = 10, 4  # at stride 8: pixels 80 and 32
stride8 = [level[2][0] for level in levels]  # [C, h, w] before the layers and after each
alike = [F.cosine_similarity(f, f[:, row, column, None, None], dim=0) for f in stride8]  # [h, w]
figure, axes = plt.subplots(1, 4, figsize=(11, 3.2), layout="constrained")
axes[0].imshow(sample.image, extent=(-0.5, 15.5, 15.5, -0.5))
for axis, values in zip(axes[1:], alike):
    shown = axis.imshow(values, cmap="cividis", vmin=-0.5, vmax=1)
for axis, title in zip(axes, ("the probe", "before the layers", "after layer 1", "after layer 2")):
    axis.plot(column, row, "x", color="#D55E00", markersize=9, markeredgewidth=2.5)
    axis.set(title=title, xticks=(0, 8, 15), yticks=(0, 8, 15), xlabel="column")
_ = figure.colorbar(shown, ax=axes[1:], label="cosine with the probe", shrink=0.8)
ofl.render.described(figure, "The probe on the car, and three maps of likeness to it. Before the layers bright cells "
                             "are scattered; after each layer the car's cells are brighter together and the rest is "
                             "even.")

# %% [markdown]
# In numbers: how alike are the positions of the car, and how unlike the rest of the picture?

# %%
car = next(s.id for s in sample.segments if sample.categories[s.class_id].name == "car")
share = torch.from_numpy(sample.segment_map == car).float()[None]
inside = F.avg_pool2d(share, 8)[0] > 0.9  # positions that the car fills
outside = F.avg_pool2d(share, 8)[0] == 0
for when, values in zip(("before the layers", "after layer 1", "after layer 2"), alike):
    print(f"{when:<17}: {values[inside].mean():.2f} on the car, {values[outside].mean():.2f} elsewhere")

# %% [markdown]
# ## Look for yourself
#
# `SamplingInspector` draws the looks of any position: click, or drive it from code. The area of a mark is its
# weight; triangles read stride 32, squares stride 16, dots stride 8. The frame is the query.

# %%
from oneformer_lite.widgets import SamplingInspector

inspector = SamplingInspector(model, sample)
inspector.set(layer=1, level=8, head="all", point=(80, 32))
inspector

# %% [markdown]
# Its numbers are ours: how the weight of this query divides over the three levels. Triangles are hard to find,
# because nearly all points at stride 32 lie outside the picture and read zeros.

# %%
query = 4 * 4 + 8 * 8 + row * 16 + column  # after the coarser levels, row by row
ours = weights[query].sum(-1).mean(0)  # of all points, the mean over the heads
print("ours     ", [f"{w:.2f}" for w in ours.tolist()])
looks = inspector.looks()
print("inspector", [f"{w:.2f}" for w in looks.by_level().tolist()])
outside = looks.outside((128, 128))
print("outside  ", [f"{looks.weights[outside & (looks.levels == level)].sum():.2f}" for level in range(3)])

# %% [markdown]
# One head alone, for a query at the coarsest level and at the picture's corner. Some of its looks fall outside: they
# read zeros.

# %%
inspector.set(layer=2, head=3, level=32, point=(5, 5))
looks = inspector.looks()
outside = looks.outside((128, 128))
print(f"{outside.sum()} of {len(outside)} places lie outside")
inspector

# %% [markdown]
# ## Break it
#
# Two classic mistakes of people who write this operator themselves. **One:** the offsets are not divided by the size of
# the level. **Two:** the row of positions is cut into levels in the wrong order, fine to coarse. Neither raises an
# error.

# %%
from contextlib import nullcontext
from unittest.mock import patch

divided, sample_levels = DeformableAttention.sampling, package.sample


def undivided(self, query, reference, shapes):
    locations, weights = divided(self, query, reference, shapes)
    size, here = torch.tensor([(w, h) for h, w in shapes])[:, None], reference[:, None, None, None]
    return here + (locations - here) * size, weights


def fine_first(value, shapes, locations, weights):
    return sample_levels(value, shapes[::-1], locations, weights)


# %% [markdown]
# Without the division, hardly a look hits the picture. (Many miss it even as it should be: this picture is only four
# positions of stride 32 wide, so four steps lead out of it.)

# %%
for name, function in (("divided", divided), ("undivided", undivided)):
    where, _ = function(attention, x[None] + position, reference, shapes)
    inside = ((where >= 0) & (where <= 1)).all(-1).float().mean()
    print(f"{name:<9} {inside:4.0%} of the looks inside the picture")

# %% [markdown]
# What the trained model makes of it, on our scene and on twelve others (PQ, the panoptic quality, is built in
# lesson 12):

# %%
versions = {
    "as it should be": nullcontext(),
    "offsets undivided": patch.object(DeformableAttention, "sampling", undivided),
    "levels out of order": patch.object(package, "sample", fine_first),
}
pictures, few = [], ofl.data.Toytown("val", size=128, length=12)
for name, version in versions.items():
    with version:
        pictures.append(ofl.predict(model, sample.image, "panoptic").render())
        quality = ofl.evaluate(model, few, tasks=("panoptic",))["PQ"]
    print(f"{name:<19} PQ {round(quality, -1):.0f} (to the nearest 10)")

# %% [markdown]
# The scene under the three versions: the car is found in pieces, then not at all. Large stuff is still found.

# %%
from PIL import Image

picture = ofl.render.contact_sheet([pictures], column_titles=list(versions))
ofl.render.described(picture, "Three predictions of the scene: as it should be, with offsets undivided, with levels "
                              "out of order. From left to right more stays grey; the car first falls to pieces and "
                              "then is gone.")

# %% [markdown]
# A model that is *trained* with such a mistake can learn to live with it, and is only a little worse. So nobody notices.
# Loaded weights show it at once.

# %% [markdown]
# ## What is simplified here, and where the official code differs
#
# * Nothing is left out of the maths. The official `modeling/pixel_decoder/ops` compiles a CUDA operator for the
#   sampling; without a compiler there is no OneFormer. The two forms above need none.
# * `msdeformattn.py` carries masks for padded pictures through all layers, but fills them with zeros: so padded
#   places are attended to like all others, here too. Its comment says "nearest" upsampling before the FPN step; the
#   code is bilinear.
# * The published models have 6 layers, 256 channels, a feed-forward width of 1024 and dropout 0.1 (in training), and run
#   this part in float32 even where the rest is in half precision.

# %% [markdown]
# ## In the package
#
# * `model.parts.deformable_attention.sample_by_grid`: the second form
# * `model.parts.deformable_attention.bilinear_corners`: rows and shares
# * `model.parts.deformable_attention.sample_by_bag`: the third form
# * `model.parts.deformable_attention.DeformableAttention`: offsets on rings, weights, projections
# * `model.parts.pixel_decoder.reference_points`: where the queries stand
# * `model.parts.pixel_decoder.DeformableEncoderLayer`: attention and feed-forward block
# * `model.parts.pixel_decoder.DeformablePixelDecoder`: all of it, with the FPN step of lesson 02

# %% [markdown]
# ## Summary
#
# * Every position of three levels is a query. It looks at 4 points on each level, chosen by itself; the cost grows
#   with the number of positions, not with its square.
# * A look is bilinear interpolation, so places can be learned by gradient. Loops, `grid_sample` and `embedding_bag` are
#   the same sum.
# * Places are shares of the picture, offsets pixels of the level that is read: one division tells them apart.
#
# **Ask yourself**
#
# <details><summary>Why do the weights come from the query alone, and not from a comparison with keys?</summary>
# There is nothing to compare: the query says where it looks and how much that counts before it has seen anything. That
# saves the keys, and it is why one layer alone knows little: what a look finds cannot change its weight.</details>
#
# <details><summary>The matrix of the offsets starts at zero. Does it ever learn?</summary>
# Yes. Its gradient is (gradient of the offsets) × (query), and the query is not zero. The offsets' own gradient comes
# through the bilinear shares: it says in which direction the map gets better.</details>
#
# <details><summary>Why zeros outside the picture, rather than the nearest border pixel?</summary>
# A look outside should say "nothing there". It also lets a head learn to switch a point off by sending it away. The
# published weights expect it.</details>
#
# <details><summary>Would the model notice if the three level embeddings were swapped?</summary>
# Yes: offsets and weights depend on query + position + level embedding. The wrong embedding makes a stride-8 position
# look as far around as a stride-32 one.</details>
#
# <details><summary>What does the stride-4 map cost in the FPN step, against a fourth level of attention?</summary>
# A 1×1 and a 3×3 convolution on stride 4. As a fourth level, its positions would be three quarters of all queries, in
# every layer.</details>
