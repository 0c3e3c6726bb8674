# %% [markdown]
# # Lab 08 · Hungarian matching
#
# Four exercises with lesson 08. Replace each `...` by your code, run the cell and the check below it. A check never
# fails: it tells what it expected and what yours gives. What follows works with your answer, or with ours.

# %%
import matplotlib.pyplot as plt
import numpy as np
import oneformer_lite as ofl
import torch
import torch.nn.functional as F
from oneformer_lite import labs
from oneformer_lite.losses.points import PointSource, sample_points
from PIL import Image

# %% [markdown]
# The names of your answers, so that a slip in one of them stops nothing that follows:

# %%
labs.begin("08", globals())

# %% [markdown]
# The scene of the lessons, the last prediction of the shipped model, and both kinds of masks at the same 1024 points.

# %%
model, sample = ofl.from_pretrained("toytown").eval(), ofl.data.Toytown("val", size=128)[13]
target = ofl.data.targets_for(sample, "panoptic")
names = [sample.categories[k].name for k in target.labels]
with torch.no_grad():
    output = model(ofl.data.normalise(sample.image)[None], "panoptic")
class_logits, mask_logits = output.class_logits[0], output.mask_logits  # [Q, K+1], [1, Q, h, w]
points = PointSource(torch.device("cpu"), [(0,)]).for_images(1, 1024)  # [1, P, 2]
point_logits = sample_points(mask_logits, points)[0]  # [Q, P]
point_labels = sample_points(target.masks[None].float(), points)[0]  # [G, P]
print([list(t.shape) for t in (class_logits, point_logits, point_labels)])

# %% [markdown]
# ## 08.1 · The cost of a class
# ●○○○○ · 5 minutes · you may use: torch, no loops
#
# Logits of Q queries over K classes and, last, no object; the class of each of G segments. Return the cost of every
# pair: minus the probability that the query gives to the class of the segment.
#
# <details><summary>Hint</summary>Index the columns of the probabilities with <code>labels</code>.</details>

# %%
def class_cost(class_logits, labels):
    """[Q, K+1], int64 [G] -> [Q, G]"""
    # SOLUTION
    return -class_logits.softmax(-1)[:, labels]
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("08.1", class_cost)

# %% [markdown]
# For each segment the query that is surest of its class. The three trees have the same one: classes are not enough.

# %%
class_cost = labs.use("08.1", class_cost)
classes = class_cost(class_logits, target.labels)
print(", ".join(f"{name} {int(q)}" for name, q in zip(names, classes.argmin(0))))

# %% [markdown]
# ## 08.2 · Cross-entropy of all pairs
# ●●●○○ · 15 minutes · you may use: torch, no loops, nothing of size [Q, G, P]
#
# Mask logits of Q queries and labels (0 to 1) of G segments at the same P points. Return the binary cross-entropy of
# every pair, the mean over the points.
#
# <details><summary>Hint</summary>bce(x, y) = y softplus(-x) + (1 - y) softplus(x): linear in y.</details>
#
# <details><summary>Second hint</summary>A sum over points of something of the query times something of the segment is
# a matrix product.</details>

# %%
def bce_cost(logits, labels):
    """[Q, P], [G, P] -> [Q, G]"""
    # SOLUTION
    yes, no = F.softplus(-logits), F.softplus(logits)
    return (yes @ labels.T + no @ (1 - labels).T) / logits.shape[1]
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("08.2", bce_cost)

# %% [markdown]
# With it alone, some small segments are in doubt. How far is the second-cheapest query away?

# %%
bce_cost = labs.use("08.2", bce_cost)
bce = bce_cost(point_logits, point_labels)
first, second = bce.sort(dim=0).values[:2]
told = [f"{name} {gap:.2f}" for name, gap in zip(names, second - first)]
print(", ".join(told[:8]), ", ".join(told[8:]), sep=",\n")

# %% [markdown]
# ## 08.3 · Dice of all pairs
# ●●○○○ · 10 minutes · you may use: torch, no loops, nothing of size [Q, G, P]
#
# The same inputs. With p the probabilities of a query and y the labels of a segment, the cost is
# 1 - (2 Σ p y + 1) / (Σ p + Σ y + 1).
#
# <details><summary>Hint</summary><code>a[:, None] + b</code> adds every element of a to every element of b.</details>

# %%
def dice_cost(logits, labels):
    """[Q, P], [G, P] -> [Q, G]"""
    # SOLUTION
    p = logits.sigmoid()
    return 1 - (2 * p @ labels.T + 1) / (p.sum(1)[:, None] + labels.sum(1) + 1)
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("08.3", dice_cost)

# %% [markdown]
# The three costs side by side, dark where cheap. Rows are segments, columns queries.

# %%
dice_cost = labs.use("08.3", dice_cost)
dice = dice_cost(point_logits, point_labels)
figure, axes = plt.subplots(1, 3, figsize=(10, 3.4), dpi=100, sharey=True)
for axis, cost, title in zip(axes, (classes, bce, dice), ("class", "cross-entropy (1 and more: yellow)", "dice")):
    axis.imshow(cost.T, cmap="cividis", aspect="auto", vmax=min(1.0, float(cost.max())))
    axis.set(title=title, xlabel="query")
axes[0].set_yticks(range(len(names)), names)
figure.tight_layout()
plt.show()

# %% [markdown]
# ## 08.4 · The cheapest pairing
# ●●●○○ · 15 minutes · you may use: itertools and torch, or scipy
#
# A table of costs, at least as many queries as segments. Return the query of each segment, a list of G numbers, such
# that no query is used twice and the sum of costs is least. Costs that are not numbers count 100. (The checks have at
# most six queries: trying everything is allowed.)
#
# <details><summary>Hint</summary><code>itertools.permutations(range(Q), G)</code> gives every way to hand out queries.
# </details>
#
# <details><summary>Second hint</summary><code>scipy.optimize.linear_sum_assignment(table.T)</code> returns segments in
# order, then their queries.</details>

# %%
def pairing(table):
    """[Q, G] -> list of G queries"""
    # SOLUTION
    from scipy.optimize import linear_sum_assignment

    return linear_sum_assignment(table.nan_to_num(nan=100.0).T.numpy())[1].tolist()
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("08.4", pairing)

# %% [markdown]
# All the parts together: a matcher. Five segments of the scene and the seven queries that fit them best, so that
# trying everything still ends.

# %%
pairing = labs.use("08.4", pairing)
total = (2 * classes + 5 * bce + 5 * dice)[:, :5]
best = total.min(1).values.argsort()[:7]
queries = best[pairing(total[best])].tolist()
print(", ".join(f"{name} {q}" for name, q in zip(names, queries)))

# %% [markdown]
# Above the segments, below the masks of their queries:


# %%
def lit(mask):  # [h, w] from 0 to 1 -> the photograph, pale outside the mask
    mask = F.interpolate(mask[None, None].float(), size=(128, 128), mode="bilinear")[0, 0, :, :, None].numpy()
    return (255 - (255.0 - sample.image) * (0.12 + 0.88 * mask)).astype(np.uint8)


rows = [[lit(target.masks[g]) for g in range(5)], [lit(mask_logits[0, q].sigmoid()) for q in queries]]
Image.fromarray(ofl.render.contact_sheet(rows, names[:5], ["segment", "its query"]))

# %% [markdown]
# What you wrote yourself, and what the package lent you:

# %%
labs.tally("08", globals())

# %% [markdown]
# `labs.assemble(".", "08", globals())` shows what your answers do in the whole model, beside those of the labs before.
# Lab 22 puts all of them together: your OneFormer.
