# %% [markdown]
# # Lab 16 · The ladder: from DETR to OneFormer
#
# Four exercises with lesson 16. Replace each `...` by your code, run the cell and the check below it. A check never
# fails: it tells what it expected and what yours gives. What follows works with your answer, or with ours.

# %%
import matplotlib.pyplot as plt
import torch
import oneformer_lite as ofl
from oneformer_lite import labs
from oneformer_lite.losses.boxes import boxes_of

# %% [markdown]
# The names of your answers, so that a slip in one of them stops nothing that follows:

# %%
labs.begin("16", globals())

# %% [markdown]
# Scene 13, and a DETR with random weights, whose boxes and looks we take.

# %%
torch.manual_seed(0)
sample = ofl.data.Toytown("val", size=128)[13]
model = ofl.model.build(ofl.config.detr_toytown()).eval()
with torch.no_grad():
    trace = model(ofl.data.normalise(sample.image)[None], trace=True).trace
targets = ofl.data.targets_for(sample, "panoptic")
names = [model.config.class_names[k] for k in targets.labels.tolist()]

# %% [markdown]
# ## 16.1 · What a box costs
# ●●●○○ · 15 minutes · you may use: torch, no loops
#
# Boxes are rows of centre x, centre y, width and height. `said` has Q of them, `wanted` G. Return what each pair costs
# DETR's matcher, [Q, G]: 5 · L1 − 2 · GIoU.
#
# * L1 is the sum of the four absolute differences;
# * GIoU is shared / union − (around − union) / around, where "around" is the area of the smallest box around both.
#
# <details><summary>Hint</summary><code>said[:, None]</code> and <code>wanted[None]</code> meet in all pairs. From centre
# and size to two corners; sides that come out negative are 0: <code>clamp_min(0)</code>.</details>

# %%
def box_costs(said, wanted):
    """[Q, 4], [G, 4] -> [Q, G]"""
    # SOLUTION
    a, b = said[:, None], wanted[None]
    a1, a2 = a[..., :2] - a[..., 2:] / 2, a[..., :2] + a[..., 2:] / 2
    b1, b2 = b[..., :2] - b[..., 2:] / 2, b[..., :2] + b[..., 2:] / 2
    shared = (torch.minimum(a2, b2) - torch.maximum(a1, b1)).clamp_min(0).prod(-1)
    union = (a2 - a1).prod(-1) + (b2 - b1).prod(-1) - shared
    around = (torch.maximum(a2, b2) - torch.minimum(a1, b1)).prod(-1)
    giou = shared / union - (around - union) / around
    return 5 * (a - b).abs().sum(-1) - 2 * giou
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("16.1", box_costs)

# %% [markdown]
# The segments of our scene against each other: dark is cheap. Sky and building, road and sidewalk have nearly one box:

# %%
box_costs = labs.use("16.1", box_costs)
boxes = boxes_of(targets)
plt.figure(figsize=(5, 4), layout="constrained")
plt.imshow(box_costs(boxes, boxes), cmap="Blues_r")
plt.xticks(range(len(names)), names, rotation=60, ha="right")
plt.yticks(range(len(names)), names)
plt.colorbar(label="cost of the boxes")
plt.show()

# %% [markdown]
# ## 16.2 · Where a query of DETR looks
# ●●○○○ · 10 minutes · you may use: torch, no loops
#
# M heads. Queries `q` [Q, M, d], keys `k` [S, M, d], one for each place of the picture. The score of a query, a head and
# a place is their dot product over $\sqrt d$. Return the weights [Q, M, S], with **one softmax over all heads and
# places** of a query.
#
# <details><summary>Hint</summary>Flatten heads and places before the softmax, and bring the shape back after it.
# </details>

# %%
def looks(q, k):
    """[Q, M, d], [S, M, d] -> [Q, M, S]"""
    # SOLUTION
    scores = torch.einsum("qmd,smd->qms", q, k) / q.shape[-1] ** 0.5
    return scores.flatten(1).softmax(-1).view(scores.shape)
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("16.2", looks)

# %% [markdown]
# How the looks of the first four queries are shared among the 8 heads (a row for each, which sums to 1). With a softmax
# for each head all heads would see the same, an eighth:

# %%
looks = labs.use("16.2", looks)
attention, memory = model.mask_attention, trace["encoder.memory"][0].flatten(1).T
with torch.no_grad():
    q = attention.q_proj(model.norm(trace["decoder.layer5.queries"][0])).unflatten(-1, (8, -1))
    k = attention.k_proj(memory).unflatten(-1, (8, -1))
for head_shares in looks(q, k).sum(-1)[:4].tolist():
    print("  ".join(f"{share:.0%}" for share in head_shares))

# %% [markdown]
# ## 16.3 · Who may look at whom
# ●●●○○ · 15 minutes · you may use: torch, no loops
#
# In the last blocks of EoMT all tokens attend with each other: first Q queries, then a few `others`, then S patches of
# the picture. `inside` [Q, S] says which patches lie in each query's mask. Return the table [T, T] of all T tokens, in
# which True means that the token of the row may look at the token of the column. Only one thing is forbidden: a query at
# patches outside of its mask.
#
# <details><summary>Hint</summary>Begin with a table full of True. Which rows, which columns change? Nobody needs a
# rescue here; why?</details>

# %%
def may_look(inside, others):
    """bool [Q, S], a number -> bool [T, T]"""
    # SOLUTION
    queries, patches = inside.shape
    tokens = queries + others + patches
    table = torch.ones(tokens, tokens, dtype=torch.bool)
    table[:queries, tokens - patches :] = inside
    return table
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("16.3", may_look)

# %% [markdown]
# Three queries, two other tokens, and a picture of 4 x 4 patches; the third query has an empty mask (white: may not):

# %%
may_look = labs.use("16.3", may_look)
inside = torch.zeros(3, 4, 4, dtype=torch.bool)
inside[0, :2], inside[1, 2:, 1:3] = True, True
plt.figure(figsize=(3.6, 3.6), layout="constrained")
plt.imshow(may_look(inside.flatten(1), 2), cmap="Blues", vmin=0, vmax=1.6)
plt.xticks([1, 3.5, 12.5], ["queries", "others", "patches"], rotation=45)
plt.yticks([1, 3.5, 12.5], ["queries", "others", "patches"])
plt.show()

# %% [markdown]
# ## 16.4 · Masks that fade out
# ●●○○○ · 10 minutes · you may use: Python
#
# `progress` is the used share of a training, `spans` a list of (begin, end) for each block. Before its begin a block
# binds all queries to their masks, after its end none; between, with p the used share of its span, (1 − p) to the
# power of 0.9. Return the list of shares.
#
# <details><summary>Hint</summary>First p for each block, kept within 0 and 1 by <code>min</code> and
# <code>max</code>.</details>

# %%
def shares(progress, spans):
    """a number, B pairs -> B numbers"""
    # SOLUTION
    found = []
    for begin, end in spans:
        p = min(1.0, max(0.0, (progress - begin) / (end - begin)))
        found.append((1 - p) ** 0.9)
    return found
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("16.4", shares)

# %% [markdown]
# The published schedule of four blocks, from a sixth of the training to five sixths:

# %%
shares = labs.use("16.4", shares)
spans = [(k / 6, (k + 1) / 6) for k in (1, 2, 3, 4)]
moments = [n / 120 for n in range(121)]
plt.figure(figsize=(6, 2.4), layout="constrained")
plt.plot(moments, [shares(m, spans) for m in moments])
plt.xlabel("share of the training")
plt.ylabel("bound queries")
plt.show()

# %% [markdown]
# What you wrote yourself, and what the package lent you:

# %%
labs.tally("16", globals())

# %% [markdown]
# These four are of other models, so `labs.assemble` has no place for them. Lab 22 puts the answers of the other labs
# together: your OneFormer.
