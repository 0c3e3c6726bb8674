# %% [markdown]
# # 08 · Hungarian matching
#
# The model gives 32 answers, one per query: a class and a mask each, in no meaningful order. The annotation lists 13
# segments, in an order of its own. A loss compares an answer with a truth.
#
# **Which answer with which truth?**
#
# *Instead of* (in the sixty lines of lesson 00b): `best = match(...)` (line F).
#
# *Goals:* build the table of costs; solve the assignment, and say why it is one to one. *Before:* lesson 00b.
# *Minutes:* 55. *Words and letters:* [glossary](GLOSSARY.md).
#
# Where we are, in the map of the whole model:

# %% tags=["nbval-ignore-output"]
import oneformer_lite as ofl

ofl.drawings.model_map(ofl.from_pretrained("toytown"), ofl.data.Toytown("val", size=128)[13], "08")

# %% [markdown]
# ## The scene, its segments, the answers
#
# The scene of all lessons, its panoptic targets (lesson 01), and what the shipped model says: one prediction before
# the first decoder layer and one after each of the six.

# %%
import matplotlib.pyplot as plt
import numpy as np
import oneformer_lite as ofl
import torch
import torch.nn.functional as F
from PIL import Image
from oneformer_lite.lessons import grown, proved

sample = ofl.data.Toytown("val", size=128)[13]
model = ofl.from_pretrained("toytown").eval()
batch = ofl.data.collate([(sample, "panoptic")])
with torch.no_grad():
    output = model(batch.images, batch.tasks, texts=batch.texts)
target, final = batch.targets[0], output.predictions[-1]
names = [sample.categories[k].name for k in target.labels]
print(len(output.predictions), "predictions")
print("masks", list(final.mask_logits.shape), " truth", list(target.masks.shape))
print("segments:", ", ".join(f"{g} {name}" for g, name in enumerate(names[:7])))
print("         ", ", ".join(f"{g} {name}" for g, name in enumerate(names[7:], start=7)))

# %% [markdown]
# Let us look at some of both. A mask shows as the part of the picture that stays bright:


# %%
def lit(mask):  # [h, w] from 0 to 1 -> the photograph, pale outside the mask
    mask = F.interpolate(mask[None, None].float(), size=(128, 128), mode="bilinear")[0, 0, :, :, None].numpy()
    return (255 - (255.0 - sample.image) * (0.12 + 0.88 * mask)).astype(np.uint8)


# %% [markdown]
# Above the first seven segments, below the masks of the first seven queries: two lists that know nothing of each
# other. What stands in one column does not belong together.

# %%
masks = final.mask_logits[0].sigmoid()  # [Q, h, w]
rows = [[lit(target.masks[g]) for g in range(7)], [lit(masks[q]) for q in range(7)]]
picture = ofl.render.contact_sheet(rows, [str(i) for i in range(7)], ["segment", "query"])
ofl.render.described(picture, "Seven segments above, the masks of the first seven queries below. The columns do not "
                              "belong together: below the car, for example, is a mask of the road.")

# %% [markdown]
# This is the *set prediction problem*: the result is a set, so the loss must not depend on an order. The way out
# (DETR, 2020): first find the pairing that costs least over all, one query for each segment. Then compute the loss
# on these pairs. Queries that are left over learn to say "no object".
#
# So we need a cost for every pair, a table $[Q, G]$, and the cheapest pairing in it.

# %% [markdown]
# ## Masks at points
#
# Costs of masks need not look at every pixel: $P$ random points, the same for all masks of an image, do (Mask2Former
# takes 12544 of them, Toytown 1024). A point is $(x, y)$ from 0 to 1 over the picture, whatever the size of a mask: so
# small predicted masks and large true ones are read at the same places.
#
# Between pixels the value is *bilinear*, as in lesson 02: the four nearest pixels, each weighted by how near it is.


# %%
def read(mask, x, y):  # one value of a mask [h, w]; zero outside
    h, w = mask.shape
    column, row = x * w - 0.5, y * h - 0.5  # pixel centres lie at .5
    left, top, value = int(np.floor(column)), int(np.floor(row)), 0.0
    for i in (top, top + 1):
        for j in (left, left + 1):
            if 0 <= i < h and 0 <= j < w:
                value += float(mask[i, j]) * (1 - abs(row - i)) * (1 - abs(column - j))
    return value


print(read(torch.tensor([[0.0, 1.0], [10.0, 11.0]]), 0.5, 0.5), "is the mean of 0, 1, 10, 11")

# %% [markdown]
# PyTorch has this as `grid_sample`, whose points run from -1 to 1.


# %%
def read_all(masks, points):  # [N, h, w], [P, 2] -> [N, P]
    return F.grid_sample(masks[None].float(), 2 * points[None, :, None] - 1, align_corners=False)[0, ..., 0]


points = torch.rand(1024, 2, generator=torch.Generator().manual_seed(0))  # [P, 2]
by_hand = torch.tensor([read(final.mask_logits[0, 3], x, y) for x, y in points[:50].tolist()])
proved("equal", read_all(final.mask_logits[0], points)[3, :50], by_hand, atol=1e-4)

# %% [markdown]
# The package's `sample_points` is the same for whole batches. `PointSource` draws the points; with a seed for each
# image they depend on that seed alone, and a run that is resumed meets the same points again.

# %%
from oneformer_lite.losses.points import PointSource, sample_points

points = PointSource(torch.device("cpu"), [(0,)]).for_images(1, model.config.num_points)[0]  # [P, 2]
point_logits = read_all(final.mask_logits[0], points)  # [Q, P]
point_labels = read_all(target.masks, points)  # [G, P]
proved("equal", point_logits, sample_points(final.mask_logits, points[None])[0], atol=1e-8)

# %% [markdown]
# The points, coloured by what they say of segment 0, the car. At its border a point lies between pixels and its label
# between 0 and 1.

# %%
figure = plt.figure(figsize=(5.2, 5), dpi=120)
plt.imshow(sample.image, extent=(0, 1, 1, 0), alpha=0.45)
plt.scatter(*points.T, c=point_labels[0], cmap="cividis", s=9, vmin=0, vmax=1)
plt.colorbar(label="label of the car", shrink=0.8)
plt.gca().set(xlabel="x", ylabel="y", title=f"{len(points)} points of {sample.image.shape[0] ** 2} pixels")
ofl.render.described(figure, "The scene, pale, under 1024 scattered points. Those on the car are bright, all others "
                             "dark, few between.")

# %% [markdown]
# ## The cost of a class
#
# A query is a good partner of a segment if it gives high probability to the segment's class. The cost is **minus that
# probability**. First pair by pair:

# %%
probability = final.class_logits[0].softmax(-1)  # [Q, K+1]
naive = torch.zeros(32, len(target))
for q in range(32):
    for g, label in enumerate(target.labels):
        naive[q, g] = -probability[q, label]

# %% [markdown]
# Then at once: one column of probabilities for each segment. (The loss of lesson 09 takes the logarithm. Here DETR's
# authors left it out: the class cost lies between -1 and 0, dice between 0 and 1, and so the three parts are of a
# similar size.)


# %%
def own_class_cost(class_logits, labels):  # [Q, K+1], [G] -> [Q, G]
    return -class_logits.softmax(-1)[:, labels]


classes = own_class_cost(final.class_logits[0], target.labels)
best = classes.min(0)
for g in (0, 2, 3):
    print(f"{names[g]}: query {int(best.indices[g])} is surest, cost {best.values[g]:.2f}")
proved("at once = one by one", classes, naive, atol=1e-8)

# %% [markdown]
# The two trees show why classes are not enough: to the class cost they are the same.

# %% [markdown]
# ## The cost of a mask: cross-entropy
#
# *Binary cross-entropy*: each point is a small yes-or-no question. With the logit $x$ and the label $y$ it costs
#
# $$\text{bce}(x, y) = -y \ln \sigma(x) - (1 - y) \ln (1 - \sigma(x))$$
#
# and the mask costs the mean over its points. Pair by pair:


# %%
def naive_bce(logits, labels):  # [Q, P], [G, P] -> [Q, G]
    cost = torch.zeros(len(logits), len(labels))
    for q, x in enumerate(logits):
        for g, y in enumerate(labels):
            cost[q, g] = -(y * F.logsigmoid(x) + (1 - y) * F.logsigmoid(-x)).mean()
    return cost


naive = naive_bce(point_logits, point_labels)
print(f"query 0 with segment 0: {naive[0, 0]:.2f}, the cheapest partner of segment 0: {naive[:, 0].min():.2f}")

# %% [markdown]
# Every pair at every point at once would be a tensor $[Q, G, P]$. But the formula is *linear in the labels*: with
# $-\ln\sigma(x) = \text{softplus}(-x)$ it is $y\,\text{softplus}(-x) + (1-y)\,\text{softplus}(x)$. A sum over points of
# query times segment: two matrix products.


# %%
def own_bce_cost(logits, labels):
    yes, no = F.softplus(-logits), F.softplus(logits)  # [Q, P]: what a 1 costs here, what a 0 costs
    return (yes @ labels.T + no @ (1 - labels).T) / logits.shape[1]


proved("equal", own_bce_cost(point_logits, point_labels), naive, atol=1e-5)

# %% [markdown]
# What that saves with COCO's 150 queries and 12544 points, for an image of 20 segments, in four-byte numbers:

# %%
Q, G, P = 150, 20, 12544
megabytes = 4 * Q * G * P / 1e6, 4 * 2 * Q * P / 1e6
print("{:.0f} MB for all pairs at all points, {:.0f} MB this way".format(*megabytes))

# %% [markdown]
# ## The cost of a mask: dice
#
# Cross-entropy adds up points, so a small ball hardly counts. *Dice* compares the overlap with the sizes of
# both masks and does not care how large they are:
#
# $$\text{dice}(p, y) = 1 - \frac{2 \sum p\,y + 1}{\sum p + \sum y + 1}$$


# %%
def naive_dice(logits, labels):
    cost = torch.zeros(len(logits), len(labels))
    for q, p in enumerate(logits.sigmoid()):
        for g, y in enumerate(labels):
            cost[q, g] = 1 - (2 * (p * y).sum() + 1) / (p.sum() + y.sum() + 1)
    return cost


naive = naive_dice(point_logits, point_labels)
print(f"query 21 with the car: {naive[21, 0]:.2f}, with the road: {naive[21, 10]:.2f}")

# %% [markdown]
# Here too the sums are matrix products:


# %%
def own_dice_cost(logits, labels):
    p = logits.sigmoid()  # [Q, P]
    return 1 - (2 * p @ labels.T + 1) / (p.sum(1)[:, None] + labels.sum(1)[None] + 1)


proved("equal", own_dice_cost(point_logits, point_labels), naive, atol=1e-5)

# %% [markdown]
# The cost of an empty mask, with each segment. For a small segment an empty mask costs little in cross-entropy, but
# always much in dice:

# %%
nothing = torch.full((1, len(points)), -6.0)
for name, cost in (("bce", own_bce_cost), ("dice", own_dice_cost)):
    table = cost(nothing, point_labels)[0]
    print(f"{name:<5}", "  ".join(f"{names[g]} {table[g]:.2f}" for g in (9, 0, 7, 6)))

# %% [markdown]
# ## The table
#
# The three parts are added with the weights of the losses: 2, 5, 5.


# %%
def own_costs(class_logits, labels, logits, masks):
    mask_costs = 5 * own_bce_cost(logits, masks) + 5 * own_dice_cost(logits, masks)
    return 2 * own_class_cost(class_logits, labels) + mask_costs


inputs = final.class_logits[0], target.labels, point_logits, point_labels
total = own_costs(*inputs)  # [Q, G]
print(f"query 21 with the car: {total[21, 0]:.1f}, with the road: {total[21, 10]:.1f}")

# %% [markdown]
# Part by part against the package:

# %%
from oneformer_lite.losses.matching import Matcher, bce_cost, class_cost, dice_cost

c = model.config
package = Matcher(c)
same = proved("class equal", classes, class_cost(*inputs[:2]), atol=1e-8)
same += proved("bce equal", own_bce_cost(*inputs[2:]), bce_cost(*inputs[2:]), atol=1e-5)
same += proved("dice equal", own_dice_cost(*inputs[2:]), dice_cost(*inputs[2:]), atol=1e-5)
same + proved("total equal", total, package.costs(*inputs).total, atol=1e-4)

# %% [markdown]
# Dark is cheap. Each segment has a dark cell, for this is a trained model. The rows of small segments are grey, not
# yellow: with a query that draws next to nothing, cross-entropy on so few points is low (see *ball* above).

# %%
fig, axis = plt.subplots(figsize=(9, 4.2), dpi=110)
shown = axis.imshow(total.T, cmap="cividis", vmax=10, aspect="auto")
axis.set(xlabel="query", ylabel="segment", xticks=range(0, 32, 2), yticks=range(13), yticklabels=names)
fig.colorbar(shown, label="total cost (10 and more: yellow)")
ofl.render.described(fig, "The cost of 13 segments (rows) by 32 queries (columns). Each row has at least one dark, "
                          "cheap cell; large segments are yellow everywhere else, small ones mostly grey.")

# %% [markdown]
# `tests/losses/test_matcher.py` proves the two mask costs equal to the published model's in `transformers`, and
# `tests/losses/test_whole_criterion.py` all that follows from the matching.

# %% [markdown]
# ## The cheapest pairing, by brute force
#
# Each segment gets a query of its own. With five queries and three segments all pairings can be tried:

# %%
from itertools import permutations


def price(table, queries):
    return sum(table[q, g] for g, q in enumerate(queries))


def brute_force(table):  # [Q, G] -> the query of each segment
    return min(permutations(range(len(table)), table.shape[1]), key=lambda queries: price(table, queries))


corner = total[:5, :3].numpy()
print(corner.round(1))
print("queries of segments 0, 1, 2:", brute_force(corner))

# %% [markdown]
# With all queries that would never end:

# %%
import math

print(f"{math.perm(5, 3)} pairings of 5 queries and 3 segments; {math.perm(32, 13):.0e} of 32 and 13")

# %% [markdown]
# ## Greedy, and why it fails
#
# Take the cheapest pair, strike out its row and column, repeat. Fast, and wrong: a cheap pair now may force an
# expensive pair later.


# %%
def greedy(table):
    table, queries = table.copy(), np.zeros(table.shape[1], int)
    for _ in queries:
        q, g = np.unravel_index(table.argmin(), table.shape)
        queries[g], table[q], table[:, g] = q, np.inf, np.inf
    return tuple(queries.tolist())


trap = np.array([[1.0, 2.0], [2.0, 9.0]])
print("greedy", price(trap, greedy(trap)), " best", price(trap, brute_force(trap)))

# %% [markdown]
# ## The Hungarian algorithm
#
# Kuhn (1955) named it after two Hungarians, Kőnig and Egerváry. It finds the cheapest pairing without trying all:
# today's versions, such as scipy's, take some $n^3$ steps. Given the transposed table, scipy returns the queries in
# the order of the segments.
#
# On 200 random tables it equals brute force each time:

# %%
from scipy.optimize import linear_sum_assignment


def hungarian(table):  # [Q, G] -> the query of each segment
    return tuple(linear_sum_assignment(table.T)[1].tolist())


tables = [np.random.default_rng(i).random((6, 4)) for i in range(200)]
best = [price(t, brute_force(t)) for t in tables]
print("Hungarian is best on", sum(math.isclose(price(t, hungarian(t)), b) for t, b in zip(tables, best)))
print("greedy is best on   ", sum(math.isclose(price(t, greedy(t)), b) for t, b in zip(tables, best)))

# %% [markdown]
# On a trained model greedy often finds the same pairs. But training begins with a *fresh* one, where all queries look
# alike. There, letting every segment take its cheapest query, or every query its cheapest segment, goes badly wrong:

# %%
torch.manual_seed(0)
fresh = ofl.OneFormer(ofl.config.toytown()).eval()
with torch.no_grad():
    first = fresh(batch.images, batch.tasks)
fresh_logits = read_all(first.mask_logits[0], points)
untrained = own_costs(first.class_logits[0], target.labels, fresh_logits, point_labels).numpy()
for name, table in (("trained", total.numpy()), ("fresh", untrained)):
    wanted, liked = table.argmin(0), table.argmin(1)
    print(f"{name:<8} cheapest queries of the 13 segments: {len(set(wanted)):>2} different,", end=" ")
    print(f"cheapest segments of the 32 queries: {len(set(liked)):>2}")

# %% [markdown]
# Greedy and the Hungarian algorithm give each of the 13 a query of its own. Greedy pays a little more here; the small
# table above shows how much it can lose:

# %%
print(f"greedy {price(untrained, greedy(untrained)):.1f}, Hungarian {price(untrained, hungarian(untrained)):.1f}")
print("queries given out:", len(set(hungarian(untrained))))

# %% [markdown]
# ## Three edges
#
# * More queries than segments (always): the others stay without a partner.
# * No segment at all, a picture of nothing but void: nothing is matched, and that is fine.
# * A cost that is not a number: scipy refuses. One bad query must not end a run, so NaN counts 100.

# %%
bad = total.numpy().copy()
bad[4] = np.nan
try:
    hungarian(bad)
except ValueError as error:
    print("scipy:", error)

# %% [markdown]
# No segments give no pairs; with the 100 the bad query is left out:

# %%
print("no segments:", hungarian(total[:, :0].numpy()))
print("with 100 for NaN, query 4 answers for", hungarian(np.nan_to_num(bad, nan=100.0)).count(4), "masks")

# %% [markdown]
# ## Your own matcher
#
# In three versions. The first asks for the classes alone:

# %%
def own_matcher_1(p, target):
    table = own_class_cost(p.class_logits[0], target.labels)
    return torch.tensor(hungarian(table.numpy()))


print(own_matcher_1(final, target).tolist())

# %% [markdown]
# The three trees (segments 2, 3 and 4) are shared out by chance: to the classes they are the same. The second version
# compares the masks as well. `grown` compares the two sources: a line after + is new, one after - is gone. New are
# masks and logits at the points, and the whole table of costs in place of that of the classes.

# %%
def own_matcher_2(p, target, points):
    masks = read_all(target.masks, points)  # [G, P]
    logits = read_all(p.mask_logits[0], points)  # [Q, P]
    table = own_costs(p.class_logits[0], target.labels, logits, masks)
    return torch.tensor(hungarian(table.numpy()))


print(own_matcher_2(final, target, points).tolist())
grown(own_matcher_1, own_matcher_2)

# %% [markdown]
# The third goes through all predictions of the decoder: each has its own matching, on the same points. And it works
# with NaN.

# %%
def own_matcher(predictions, target, points):
    masks = read_all(target.masks, points)  # [G, P]
    matched = []
    for p in predictions:
        logits = read_all(p.mask_logits[0], points)  # [Q, P]
        table = own_costs(p.class_logits[0], target.labels, logits, masks).nan_to_num(nan=100.0)
        matched.append(torch.tensor(hungarian(table.numpy())))
    return matched


grown(own_matcher_2, own_matcher)

# %% [markdown]
# Against the package, for all predictions:

# %%
own = own_matcher(output.predictions, target, points)
theirs = package(output.predictions, [target], PointSource(torch.device("cpu"), [(0,)]))
proved("ours = package, all predictions", own, [images[0] for images in theirs])

# %% [markdown]
# The query of each segment, before the first decoder layer and after each of the six. A partner may change from layer
# to layer: nothing ties a query to a segment but being cheapest.

# %%
print("layer    ", "".join(f"{layer:>4}" for layer in range(len(own))))
for g, name in enumerate(names):
    print(f"{name:<9}", "".join(f"{int(queries[g]):>4}" for queries in own))

# %% [markdown]
# Segments and their queries of the last layer: now they belong together.

# %%
rows = [[lit(target.masks[g]) for g in range(7)], [lit(masks[own[-1][g]]) for g in range(7)]]
picture = ofl.render.contact_sheet(rows, names[:7], ["segment", "its query"])
ofl.render.described(picture, "Seven segments above, their queries' masks below: car below car, person below person, "
                              "each tree below its own.")

# %% [markdown]
# ## Look inside
#
# `MatchInspector` shows the total, its three parts below it, and sliders for the weights. Rows are queries, columns
# segments, orange frames matched pairs. A click on a cell (black and white frame) shows the segment, this query's
# mask, and the mask of the query that got the segment. (The picture is read at the size of prediction, 160 pixels,
# not at 128 as above: costs differ a little, and so a tree may have another query.)

# %%
from oneformer_lite.widgets import MatchInspector

inspector = MatchInspector(model, sample)
inspector

# %% [markdown]
# After fewer layers the pairs cost more in all. Without the two mask costs only the class decides: the trees, which
# the masks told apart, are shared out by chance, and two segments change their queries.

# %%
print(inspector.set(layer=0))
print(inspector.set(layer=6, mask_weight=0, dice_weight=0))

# %% [markdown]
# ## Break it
#
# What does a wrong matching do to *training*? A model without a network shows it: the 32 class and mask answers are
# free numbers, the scene is the only one, the losses are those of lesson 09 and lesson 09b. Each step matches, then learns.

# %%
from oneformer_lite.losses import bce_loss, dice_loss

small = F.interpolate(target.masks[None].float(), size=(32, 32), mode="area")[0]
small = (small > 0.5).float().flatten(1)  # [G, 1024]


def loss_of(classes, logits, query, segment):
    labels = torch.full((32,), 14)  # no object
    labels[query] = target.labels[segment]
    weights = torch.tensor([1.0] * 14 + [0.1])
    mask = 5 * bce_loss(logits[query], small[segment]) + 5 * dice_loss(logits[query], small[segment])
    return 2 * F.cross_entropy(classes, labels, weights) + mask.mean()


# %% [markdown]
# Three ways to pair: the right one; the class cost with the **wrong sign**; and each query simply takes its
# **favourite** segment, not one to one.


# %%
def one_to_one(classes, logits, sign=1):
    mask_costs = 5 * bce_cost(logits, small) + 5 * dice_cost(logits, small)
    table = sign * 2 * class_cost(classes, target.labels) + mask_costs
    return torch.tensor(hungarian(table.numpy())), torch.arange(len(small))


def wrong_sign(classes, logits):
    return one_to_one(classes, logits, sign=-1)


def favourite(classes, logits):
    return torch.arange(32), own_costs(classes, target.labels, logits, small).argmin(1)


# %% [markdown]
# A segment is *found* if some query says its class with more than one half and overlaps it by more than half (IoU,
# lesson 12).


# %%
def finders(classes, logits):  # -> [G]: how many queries have found each segment
    masks = (logits > 0).float()
    both = masks @ small.T  # [Q, G]
    iou = both / (masks.sum(1)[:, None] + small.sum(1) - both)
    return ((iou > 0.5) & (classes.softmax(-1)[:, target.labels] > 0.5)).sum(0)


def train(match, steps=120):
    torch.manual_seed(0)
    classes, logits = (0.5 * torch.randn(32, size) for size in (15, 1024))
    optimizer = torch.optim.Adam([classes.requires_grad_(), logits.requires_grad_()], lr=0.2)
    pairs, changes, found = None, [], []
    for _ in range(steps):
        with torch.no_grad():
            before, pairs = pairs, torch.stack(match(classes, logits))
        changes.append(0 if before is None else int((pairs != before).sum()))
        loss = loss_of(classes, logits, *pairs)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        found.append(int((finders(classes, logits) > 0).sum()))
    return found, np.cumsum(changes), finders(classes, logits).tolist()


# %% [markdown]
# Train with each, from the same start:

# %%
results = {"one to one": train(one_to_one), "wrong sign": train(wrong_sign), "favourite": train(favourite)}
print(f"{'pairing':<12}{'all found':<11}{'partners settle':<17}most queries on one segment")
for name, (found, changes, count) in results.items():
    settled = bool(changes[-1] == changes[-30])
    print(f"{name:<12}{found[-1] == 13!s:<11}{settled!s:<17}{max(count)}")

# %% [markdown]
# Over the steps, and who ended up with what:

# %%
fig, (left, right) = plt.subplots(1, 2, figsize=(9.6, 3.6), dpi=105, width_ratios=(2, 3))
colors = ("#0072b2", "#d55e00", "#009e73")
for i, ((name, (found, _, count)), color) in enumerate(zip(results.items(), colors)):
    left.plot(found, color=color, linewidth=2, label=name)
    right.bar(np.arange(13) + 0.27 * (i - 1), count, 0.27, color=color)
left.set(xlabel="step", ylabel="segments found (of 13)", ylim=(0, 14))
left.legend(frameon=False, loc="center right")
right.set(ylabel="queries that draw it", yscale="symlog")
right.set_yticks([0, 1, 2, 10, 30], [0, 1, 2, 10, 30])
right.set_xticks(range(13), names, rotation=60, ha="right")
fig.tight_layout()
ofl.render.described(fig, "Left, segments found over the steps: one to one reaches all 13 at once and stays, wrong "
                          "sign wavers below, favourite stays at 2. Right, how many queries draw each segment: one to "
                          "one one for each, favourite thirty for the building and none for most.")

# %% [markdown]
# * **One to one** (blue): one query for each segment, settled at once.
# * **Favourite** (green): the largest segment is nearly everyone's favourite. Almost all queries draw it, the small
#   ones have nobody. A matching that is not one to one produces duplicates.
# * **Wrong sign** (orange): as soon as a query has learned its class, the matcher avoids it. Partners keep changing,
#   some segments end without a query. This fault is easily overlooked: most segments *are* found.

# %% [markdown]
# ## What is simplified here, and where the official code differs
#
# * Nothing is simplified. The official code is `oneformer/modeling/matcher.py` (Mask2Former's, plus the rule for
#   NaN). There new points are drawn for every prediction; here they are shared by all predictions of
#   a step.
# * If *all* costs are not numbers the official matcher matches nothing, silently. Here the loss then is not a number
#   either, and the trainer stops and says so.
# * With more segments than queries the official matcher leaves out the most expensive, in each prediction others; the
#   package keeps the largest segments, with a warning.

# %% [markdown]
# ## In the package
#
# * `losses.matching.class_cost`: minus the probability of the class
# * `losses.matching.bce_cost`: cross-entropy of all pairs, with a matrix product
# * `losses.matching.dice_cost`: dice of all pairs
# * `losses.matching.assign`: the Hungarian algorithm for each image and prediction
# * `losses.matching.Matcher`: points, costs, assignment
# * `losses.points.sample_points`: masks read at points
# * `losses.points.PointSource`: random points, by seed
#
# ## Summary
#
# * A prediction is a set: match first, then compute the loss on the pairs.
# * The cost of a pair is 2 × class + 5 × cross-entropy + 5 × dice, on the same random points for all masks.
# * The Hungarian algorithm finds the cheapest one-to-one pairing; taking each one's favourite gives duplicates.
#
# **Ask yourself**
#
# <details><summary>Why does the matching need no gradient?</summary>
# Its result is a list of pairs, which does not change under small steps. The gradient flows through the loss of the
# pairs.</details>
#
# <details><summary>Why must all masks of an image be read at the same points?</summary>
# Only then is the cost of all pairs a matrix product, and only then are costs of different queries comparable: each
# meets the same random sample.</details>
#
# <details><summary>Adding 1 to every class cost: what changes?</summary>
# Every pairing of G segments costs 2 G more. The cheapest stays the cheapest.</details>
#
# <details><summary>What do the 19 unmatched queries learn in this scene?</summary>
# To say "no object", at a tenth of the weight (lesson 09). Their masks learn nothing.</details>
#
# <details><summary>Two cars touch, and one query draws both as one mask. What does the matcher do?</summary>
# The query gets the car that it fits better, another query gets the other car. The loss then tells the first to
# leave the second car out.</details>
