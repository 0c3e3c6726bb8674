# %% [markdown]
# # Lab 09 · The criterion
#
# Four exercises: the first and the last with lesson 09, the two between with lesson 09b. Replace each `...` by your
# code, run the cell and the check below it. A check never fails: it tells what it expected and what yours gives. What
# follows works with your answer, or with ours.

# %%
import torch
import torch.nn.functional as F
import oneformer_lite as ofl
from oneformer_lite import labs
from oneformer_lite.losses.matching import Matcher
from oneformer_lite.losses.points import PointSource, sample_points

# %% [markdown]
# The names of your answers, so that a slip in one of them stops nothing that follows:

# %%
labs.begin("09", globals())

# %% [markdown]
# Scene 13 with the model's answer, and the query that the matcher gives to each mask.

# %%
model = ofl.from_pretrained("toytown")
c, sample = model.config, ofl.data.Toytown("val", size=128)[13]
batch = ofl.data.collate([(sample, "panoptic")])
with torch.no_grad():
    output = model(batch.images, batch.tasks)
target = batch.targets[0]
matcher = Matcher(c)
queries = matcher(output.predictions[-1:], batch.targets, PointSource(torch.device("cpu"), [(0, 0)]))[0][0]
names = [c.class_names[label] for label in target.labels.tolist()]

# %% [markdown]
# ## 09.1 · The class loss
# ●●○○○ · 10 minutes · you may use: torch, F
#
# `class_logits` [Q, K+1] of one image; `classes` [Q], what each query should say (K: "no object"). Return the weighted
# mean of the cross-entropies: "no object" counts `no_object`, every class counts 1.
#
# <details><summary>Hint</summary>A weighted mean is the sum of weight times value, divided by the sum of the weights.
# <code>F.cross_entropy</code> takes weights by class.</details>

# %%
def class_loss(class_logits, classes, no_object):
    """[Q, K+1], [Q], number -> scalar"""
    # SOLUTION
    weights = torch.ones(class_logits.shape[1])
    weights[-1] = no_object
    return F.cross_entropy(class_logits, classes, weights)
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("09.1", class_loss)

# %% [markdown]
# On the scene, for three weights. What the model has learned at 0.1 looks cheaper or more expensive by the weight alone.

# %%
class_loss = labs.use("09.1", class_loss)
classes = torch.full((c.num_queries,), c.num_classes)
classes[queries] = target.labels
for no_object in (0.0, 0.1, 1.0):
    print(f"weight {no_object}: {class_loss(output.class_logits[0], classes, no_object):.2f}")

# %% [markdown]
# ## 09.2 · Dice
# ●●○○○ · 10 minutes · you may use: torch, no loops
#
# Logits `x` and truth `y` (0 or 1), both [N, P], N masks on P points. With $p = \mathrm{sigmoid}(x)$ return for each
# mask $1 - (2 \sum p y + 1) / (\sum p + \sum y + 1)$.
#
# <details><summary>Hint</summary>Each mask is a row: the sums run over axis 1.</details>

# %%
def dice(x, y):
    """[N, P], [N, P] -> [N]"""
    # SOLUTION
    p = x.sigmoid()
    return 1 - (2 * (p * y).sum(1) + 1) / (p.sum(1) + y.sum(1) + 1)
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("09.2", dice)

# %% [markdown]
# The masks of the scene, most expensive first:

# %%
dice = labs.use("09.2", dice)
x = F.interpolate(output.mask_logits, size=(128, 128), mode="bilinear")[0, queries]
losses = dice(x.flatten(1), target.masks.flatten(1).float())
for g in losses.argsort(descending=True, stable=True).tolist()[:5]:
    print(f"{names[g]:<9} {losses[g]:.2f}")

# %% [markdown]
# ## 09.3 · Points where the model hesitates
# ●●●○○ · 15 minutes · you may use: torch, `sample_points`
#
# `mask_logits` [N, h, w]. For each mask there are R candidates, points (x, y) in [0, 1], and P `others`. Return P
# points for each mask: the `int(importance * P)` candidates whose logit is nearest to 0, most uncertain first, then the
# first of the others. `sample_points(maps [N, C, h, w], points [N, R, 2])` reads maps at points: [N, C, R].
#
# <details><summary>Hint</summary>Uncertainty is a small |logit|. <code>argsort</code> along axis 1 gives each mask its
# own order; <code>torch.gather</code>, or a loop over the masks, picks the points.</details>

# %%
def hard_points(mask_logits, candidates, others, importance):
    """[N, h, w], [N, R, 2], [N, P, 2], number -> [N, P, 2]"""
    # SOLUTION
    doubt = sample_points(mask_logits[:, None], candidates)[:, 0].abs()  # [N, R]
    count = int(importance * others.shape[1])
    order = doubt.argsort(dim=1)[:, :count]
    hard = torch.stack([points[best] for points, best in zip(candidates, order)])
    return torch.cat([hard, others[:, : others.shape[1] - count]], dim=1)
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("09.3", hard_points)

# %% [markdown]
# 200 points on the mask of the dog, all chosen. Many crowd around the dog; the others lie along outlines of which the
# model is not quite sure either.

# %%
import matplotlib.pyplot as plt

hard_points = labs.use("09.3", hard_points)
generator = torch.Generator().manual_seed(0)
mask = output.mask_logits[0, queries[names.index("dog")]][None]  # [1, h, w]
candidates, others = (torch.rand(1, n, 2, generator=generator) for n in (2000, 200))
places = 128 * hard_points(mask, candidates, others, 1.0)[0] - 0.5
plt.figure(figsize=(5.5, 5.5))
plt.imshow(sample.image)
plt.scatter(*places.T, s=12, color="#F0E442", edgecolors="black", linewidths=0.4)
plt.axis("off")
plt.show()

# %% [markdown]
# ## 09.4 · Find the bugs
# ●●●●○ · 15 minutes · you may use: torch, a magnifying glass
#
# This code prepares the cross-entropy of one image: the class that each query should say, and the weight of each class.
# With it the class loss falls to 0.00 in the first minutes of training, and the model names nothing.

# %%
def suspicious(labels, queries, num_queries, num_classes, no_object):
    """[G], [G], Q, K, number -> classes [Q], weights [K+1]"""
    classes = torch.full((num_queries,), num_classes)
    classes[queries] == labels
    weights = torch.zeros(num_classes + 1)
    weights[-1] = no_object
    return classes, weights

# %% [markdown]
# A model that always says "no object" is just what it asks for:

# %%
silent = torch.zeros(c.num_queries, c.num_classes + 1)
silent[:, -1] = 9.0
classes, weights = suspicious(target.labels, queries, c.num_queries, c.num_classes, 0.1)
print(f"class loss of silence: {F.cross_entropy(silent, classes, weights):.2f}")

# %% [markdown]
# There are two bugs, and each alone would be enough. Write it without them.
#
# <details><summary>Hint</summary>Print what the function gives for three queries and one mask. What is asked of the
# matched query? What does its class weigh?</details>

# %%
def asked(labels, queries, num_queries, num_classes, no_object):
    """[G], [G], Q, K, number -> classes [Q], weights [K+1]"""
    # SOLUTION
    classes = torch.full((num_queries,), num_classes)
    classes[queries] = labels  # assigned, not compared
    weights = torch.ones(num_classes + 1)  # every class counts
    weights[-1] = no_object
    return classes, weights
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("09.4", asked)

# %% [markdown]
# Now silence is expensive, and an answer with names is cheap:

# %%
asked = labs.use("09.4", asked)
classes, weights = asked(target.labels, queries, c.num_queries, c.num_classes, 0.1)
for name, logits in (("silence", silent), ("the model", output.class_logits[0])):
    print(f"class loss of {name}: {F.cross_entropy(logits, classes, weights):.1f}")

# %% [markdown]
# What you wrote yourself, and what the package lent you:

# %%
labs.tally("09", globals())

# %% [markdown]
# `labs.assemble(".", "09", globals())` shows what your answers do in the whole model, beside those of the labs before.
# Lab 22 puts all of them together: your OneFormer.
