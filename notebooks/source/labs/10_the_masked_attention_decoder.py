# %% [markdown]
# # Lab 10 · The masked-attention decoder
#
# Four exercises with lesson 10. Replace each `...` by your code, run the cell and the check below it. A check never
# fails: it tells what it expected and what yours gives. What follows works with your answer, or with ours.

# %%
import math

import torch
import torch.nn.functional as F
import oneformer_lite as ofl
from oneformer_lite import labs
from oneformer_lite.model.parts.layers import sine_positions
from oneformer_lite.inspectors.queries.pictures import attention_over, mask_over
from PIL import Image

# %% [markdown]
# The names of your answers, so that a slip in one of them stops nothing that follows:

# %%
labs.begin("10", globals())

# %% [markdown]
# Scene 13 through the model, with everything that happened on the way.

# %%
model = ofl.from_pretrained("toytown")
c, sample = model.config, ofl.data.Toytown("val", size=128)[13]
with torch.no_grad():
    output = model(ofl.data.normalise(sample.image)[None], "panoptic", trace=True)
trace, decoder = output.trace, model.decoder
maps = [trace[f"pixel_decoder.stride{stride}"] for stride in (32, 16, 8)]
photo, colors = ofl.render.enlarge(sample.image, 2), ofl.render.label_colors(c.categories)

# %% [markdown]
# ## 10.1 · Masks from queries
# ●●○○○ · 10 minutes · you may use: torch, no loops
#
# `embeddings` [B, Q, C], one for each query; `features` [B, C, h, w], one vector for each pixel. Return the logits of
# all masks [B, Q, h, w]: at each pixel the dot product of query and pixel.
#
# <details><summary>Hint</summary><code>torch.einsum</code>: the letter that is missing on the right of the arrow is
# summed over.</details>

# %%
def masks(embeddings, features):
    """[B, Q, C], [B, C, h, w] -> [B, Q, h, w]"""
    # SOLUTION
    return torch.einsum("bqc,bchw->bqhw", embeddings, features)
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("10.1", masks)

# %% [markdown]
# With the queries after the last layer:

# %%
masks = labs.use("10.1", masks)
with torch.no_grad():
    embeddings = decoder.mask_head(decoder.norm(trace["decoder.layer5.queries"]))
found = masks(embeddings, trace["pixel_decoder.mask_features"])
large = F.interpolate(found, size=(256, 256), mode="bilinear")[0]
names = [*c.class_names, "no object"]
pictures = {}
for q, class_id in enumerate(output.class_logits[0].argmax(-1).tolist()):
    if names[class_id] in ("car", "dog", "road"):
        pictures[names[class_id]] = mask_over(photo, large[q].numpy(), colors[class_id])
Image.fromarray(ofl.render.contact_sheet([list(pictures.values())], list(pictures)))

# %% [markdown]
# ## 10.2 · Where a query may look
# ●●●○○ · 15 minutes · you may use: torch, `F.interpolate`
#
# `mask_logits` [B, Q, h, w] and the `size` of the map that is read next. Resize bilinearly (corners not aligned),
# flatten to S cells, and return which of them each query may look at: those with a probability of at least ½. A query
# without any may look everywhere.
#
# <details><summary>Hint</summary>On logits, ½ is 0. <code>any(-1, keepdim=True)</code> says which queries have a
# cell.</details>

# %%
def region(mask_logits, size):
    """[B, Q, h, w], (height, width) -> bool [B, Q, S]"""
    # SOLUTION
    small = F.interpolate(mask_logits, size=size, mode="bilinear", align_corners=False)
    inside = small.flatten(2) >= 0
    return inside | ~inside.any(-1, keepdim=True)
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("10.2", region)

# %% [markdown]
# How many queries see the whole map, with the masks before the first layer? On the coarse map nearly all.

# %%
region = labs.use("10.2", region)
first = trace["prediction0.mask_logits"]
for features in maps:
    allowed = region(first, features.shape[-2:])
    print(f"{allowed.shape[-1]:>3} cells: {int(allowed.all(-1).sum())} of {allowed.shape[1]} queries")

# %% [markdown]
# ## 10.3 · A masked look
# ●●●○○ · 15 minutes · you may use: torch, no loops; not `scaled_dot_product_attention`
#
# One head. Queries `q` [Q, d], keys `k` [S, d], values `v` [S, d], and `allowed` [Q, S]. Return for each query the mean
# of the values it may look at, weighted by the softmax of $q k^\top / \sqrt d$ over those cells.
#
# <details><summary>Hint</summary>A forbidden cell needs the weight 0. Which score has the exponential 0?</details>

# %%
def look(q, k, v, allowed):
    """[Q, d], [S, d], [S, d], bool [Q, S] -> [Q, d]"""
    # SOLUTION
    scores = q @ k.T / math.sqrt(q.shape[1])
    scores = scores.masked_fill(~allowed, float("-inf"))
    return scores.softmax(-1) @ v
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("10.3", look)

# %% [markdown]
# If the values are an identity matrix, what comes out are the weights. The first head of the car's query, in the last
# layer: with its region (the white line) and, right, with all cells allowed. It would look away from the car.

# %%
look = labs.use("10.3", look)
car = int(output.class_logits[0].softmax(-1)[:, c.class_names.index("car")].argmax())
cross = decoder.layers[5].cross_attention
with torch.no_grad():
    q = cross.q_proj(trace["decoder.layer4.queries"][0] + model.query_positions.weight)[car, None, :12]  # first head
    keys = maps[2][0].flatten(1).T + decoder.level_embed.weight[2] + sine_positions(16, 16, c.hidden_dim).flatten(1).T
    k = cross.k_proj(keys)[:, :12]
allowed = region(trace["prediction5.mask_logits"], (16, 16))[0, car, None]
weights = [look(q, k, torch.eye(256), mask).view(16, 16).numpy() for mask in (allowed, torch.ones_like(allowed))]
shown = [attention_over(photo, w, allowed.view(16, 16).numpy(), (16, 16)) for w in weights]
Image.fromarray(ofl.render.contact_sheet([shown], ["masked", "not masked"]))

# %% [markdown]
# ## 10.4 · Round and round
# ●●○○○ · 10 minutes · you may use: Python
#
# `layers` are functions `(x, map) -> x`; `maps` lie from coarse to fine. Let the layers read them in turn, coarsest
# first, and again from the start. Return the list of all x: before the first layer and after each.
#
# <details><summary>Hint</summary><code>i % n</code> counts 0, 1, ..., n - 1 and starts again.</details>

# %%
def decode(x, layers, maps):
    """x, L functions, maps -> list of L + 1"""
    # SOLUTION
    found = [x]
    for i, layer in enumerate(layers):
        found.append(layer(found[-1], maps[i % len(maps)]))
    return found
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("10.4", decode)

# %% [markdown]
# With layers that only write down what they read:

# %%
decode = labs.use("10.4", decode)
print(decode("read:", [lambda x, stride: f"{x} 1/{stride}"] * 9, [32, 16, 8])[-1])

# %% [markdown]
# What you wrote yourself, and what the package lent you:

# %%
labs.tally("10", globals())

# %% [markdown]
# `labs.assemble(".", "10", globals())` shows what your answers do in the whole model, beside those of the labs before.
# Lab 22 puts all of them together: your OneFormer.
