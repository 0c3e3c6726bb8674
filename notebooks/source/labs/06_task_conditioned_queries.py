# %% [markdown]
# # Lab 06 · Task-conditioned queries
#
# Three exercises with lesson 06. Replace each `...` by your code, run the cell and the check below it. A check never
# fails: it tells what it expected and what yours gives. What follows works with your answer, or with ours.

# %%
import math

import matplotlib.pyplot as plt
import oneformer_lite as ofl
import torch
from oneformer_lite import labs

_ = torch.set_grad_enabled(False)
plt.rcParams.update({"figure.dpi": 100, "font.size": 10})
model = ofl.from_pretrained("toytown")
image = ofl.data.normalise(ofl.data.Toytown("val", size=128)[13].image)[None]
trace = model(image, "panoptic", trace=True).trace

# %% [markdown]
# The names of your answers, so that a slip in one of them stops nothing that follows:

# %%
labs.begin("06", globals())

# %% [markdown]
# ## 06.1 · Sine positions
# ●●●○○ · 20 minutes · you may use: torch
#
# An address for each place of an h x w map, in C channels. The first half tells the row: channel i of C/2 is the sine
# (even i) or the cosine (odd i) of 2π y / h / 10000^(2 ⌊i/2⌋ / (C/2)), for rows y = 1 to h. The second half tells the
# column x = 1 to w in the same way. C is divisible by 4.
#
# <details><summary>Hint</summary>Write one axis first: angles <code>[length, C/2]</code>. Then repeat rows along the
# columns and columns along the rows, and concatenate.</details>

# %%
def sine_positions(h, w, C):
    """-> [C, h, w]"""
    # SOLUTION
    i = torch.arange(C // 2)

    def one_axis(length):
        turn = 2 * math.pi * torch.arange(1, length + 1) / length
        angle = turn[:, None] / 10000 ** (2 * (i // 2) / (C // 2))  # [length, C/2]
        return torch.where(i % 2 == 0, angle.sin(), angle.cos())

    rows = one_axis(h)[:, None].expand(h, w, -1)
    columns = one_axis(w)[None].expand(h, w, -1)
    return torch.cat([rows, columns], dim=-1).permute(2, 0, 1)
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("06.1", sine_positions)

# %% [markdown]
# From here on `sine_positions` is yours if it passed, and the reference if not.

# %%
sine_positions = labs.use("06.1", sine_positions)

# %% [markdown]
# Six channels, for a feature map of 24 x 32 places:

# %%
channels = (0, 1, 4, 48, 49, 52)
figure, all_axes = plt.subplots(1, 6, figsize=(10.5, 1.8), layout="constrained")
for axes, channel in zip(all_axes, channels):
    axes.imshow(sine_positions(24, 32, 96)[channel], cmap="RdBu_r", vmin=-1, vmax=1)
    axes.set(title=f"channel {channel}", xticks=(), yticks=())
plt.show()

# %% [markdown]
# ## 06.2 · Repeat and concatenate
# ●●○○○ · 10 minutes · you may use: torch
#
# From the task token `[B, C]` and the query positions `[Q, C]` make the object queries `[B, Q, C]`. Q - 1 copies of the
# token go through `look(copies, names)`, `[B, Q-1, C]` and `[Q-1, C]`, where the names are their positions. The token
# itself, which owns the last position, joins them untouched as the last query.
#
# <details><summary>Hint</summary><code>token[:, None].expand(-1, n, -1)</code> makes n copies;
# <code>torch.cat(..., dim=1)</code> joins.</details>

# %%
def task_queries(token, positions, look):
    """[B, C], [Q, C], look -> [B, Q, C]"""
    # SOLUTION
    names = positions[:-1]
    copies = token[:, None].expand(-1, len(names), -1)
    return torch.cat([look(copies, names), token[:, None]], dim=1)
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("06.2", task_queries)

# %% [markdown]
# Yours, or the reference:

# %%
task_queries = labs.use("06.2", task_queries)

# %% [markdown]
# With the trained layer as `look` these are the model's own object queries:

# %%
transformer = model.query_transformer
mask_features = trace["pixel_decoder.mask_features"]
features = transformer.feature_projection(mask_features).flatten(2).mT  # [B, S, C]
places = sine_positions(32, 32, 96).flatten(1).T[None]  # [1, S, C]


def look(copies, names):
    x, _ = transformer.layers[0](copies, names, features + places, places, need_weights=False)
    return transformer.norm(x)


queries = task_queries(trace["task.token"], model.query_positions.weight, look)
print(list(queries.shape), "equal:", torch.allclose(queries, trace["query.object_queries"], atol=1e-4))

# %% [markdown]
# ## 06.3 · From queries to pixels
# ●●●○○ · 20 minutes · you may use: torch, no loops
#
# Cross-attention of one head, nothing projected, fed as in the released models: **queries** plus names ask, **keys**
# are features plus places, **values** are the places alone. Return the update and the weights; the weights as maps.
#
# <details><summary>Hint</summary>Flatten <code>[B, C, h, w]</code> to <code>[B, C, S]</code>, then transpose. The
# softmax runs over S. <code>unflatten(-1, (h, w))</code> makes maps again.</details>

# %%
def look_at_picture(queries, names, features, places):
    """[B, N, C], [N, C], [B, C, h, w], [C, h, w] -> [B, N, C] and [B, N, h, w]"""
    # SOLUTION
    values = places.flatten(1).T  # [S, C]
    keys = features.flatten(2).mT + values  # [B, S, C]
    scores = (queries + names) @ keys.mT / math.sqrt(queries.shape[-1])  # [B, N, S]
    weights = scores.softmax(-1)
    return weights @ values, weights.unflatten(-1, places.shape[-2:])
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("06.3", look_at_picture)

# %% [markdown]
# Yours, or the reference:

# %%
look_at_picture = labs.use("06.3", look_at_picture)

# %% [markdown]
# A name can be an address. Give four equal queries (zeros) the addresses of four places for names, and a picture
# without features: each query looks where its name says.

# %%
places = sine_positions(24, 32, 96)
targets = [(4, 4), (4, 27), (12, 16), (20, 8)]  # row, column
names = 5 * torch.stack([places[:, row, column] for row, column in targets])
_, weights = look_at_picture(torch.zeros(1, 4, 96), names, torch.zeros(1, 96, 24, 32), places)
figure, all_axes = plt.subplots(1, 4, figsize=(10, 2.1), layout="constrained")
for axes, heat, (row, column) in zip(all_axes, weights[0], targets):
    axes.imshow(heat, cmap="viridis")
    axes.plot(column, row, "x", color="#d55e00")
    axes.set(title=f"named {row}, {column}", xticks=(), yticks=())
plt.show()

# %% [markdown]
# And without names? Then all rows of the update are one. The largest difference between two of them:

# %%
for title, given in (("with names", names), ("without", torch.zeros_like(names))):
    update, _ = look_at_picture(torch.zeros(1, 4, 96), given, torch.zeros(1, 96, 24, 32), places)
    print(f"{title:<11}{(update[0] - update[0, :1]).abs().max():.1f}")

# %% [markdown]
# What you wrote yourself, and what the package lent you:

# %%
labs.tally("06", globals())

# %% [markdown]
# `labs.assemble(".", "06", globals())` shows what your answers do in the whole model, beside those of the labs before.
# Lab 22 puts all of them together: your OneFormer.
