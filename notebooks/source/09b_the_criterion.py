# %% [markdown]
# # 09b · The criterion: BCE, dice, points
# Every query owes a class (lesson 09). A query that answers for a mask owes a mask as well.
#
# **How wrong is a mask, and how do all the losses become one number?**
#
# The *criterion* gives it: the class loss on all queries, two mask losses on the matched ones, and the contrastive loss
# of lesson 07, for the prediction after every layer.
#
# *Instead of* (in the sixty lines of lesson 00b): `mask_loss`, and the sum, in `return class_loss + 2 * mask_loss`
# (line G).
#
# *Goals:* write the mask losses, on whole masks and on points; add everything up. *Before:* lesson 07, lesson 09.
# *Minutes:* 45. *Words and letters:* [glossary](GLOSSARY.md).
#
# Where we are, in the map of the whole model:

# %% tags=["nbval-ignore-output"]
import oneformer_lite as ofl

ofl.drawings.model_map(ofl.from_pretrained("toytown"), ofl.data.Toytown("val", size=128)[13], "09")

# %% [markdown]
# ## A picture to work with
#
# Scenes 13 and 14, as in lesson 09.

# %%
import torch
import torch.nn.functional as F
import oneformer_lite as ofl
from oneformer_lite.lessons import grown, proved

scenes = ofl.data.Toytown("val", size=128)
sample, other = scenes[13], scenes[14]
batch = ofl.data.collate([(sample, "panoptic"), (other, "panoptic")])
targets = batch.targets
print("ground-truth masks in the two images:", [len(t) for t in targets])

# %% [markdown]
# With texts, the model returns all its *predictions*: one before the first decoder layer and one after each
# of the six.

# %%
model = ofl.from_pretrained("toytown")
with torch.no_grad():
    output = model(batch.images, batch.tasks, texts=batch.texts)
predictions = output.predictions
print(len(predictions), "predictions, each of")
print("classes", list(output.class_logits.shape))  # [B, Q, K+1]
print("masks  ", list(output.mask_logits.shape))  # [B, Q, h, w]

# %% [markdown]
# The matcher assigns to each mask one query, separately for every prediction. Its points are random; with one seed
# for each image they are the same every time.

# %%
from oneformer_lite.losses.matching import Matcher
from oneformer_lite.losses.points import PointSource

SEEDS = [(0, 0), (0, 1)]
c = model.config
matcher = Matcher(c)
source = PointSource(torch.device("cpu"), SEEDS)
assigned = matcher(predictions, targets, source)
print("scene 13, after the last layer: queries", assigned[-1][0].tolist())

# %% [markdown]
# What is to be compared, for three of the masks of scene 13: the query's mask in colour, white its outline, yellow
# that of the truth.

# %%
from PIL import Image
from oneformer_lite.inspectors.queries.pictures import mask_over

labels = [c.class_names[label] for label in targets[0].labels.tolist()]
colors = ofl.render.label_colors(c.categories)
photo = ofl.render.enlarge(sample.image, 2)


def painted(layer, g, truth=True):
    """The mask of the query that answers for mask g, over the picture."""
    logits = predictions[layer].mask_logits[0, assigned[layer][0][g]]  # [h, w]
    logits = F.interpolate(logits[None, None], size=photo.shape[:2], mode="bilinear")[0, 0].numpy()
    outline = ofl.render.enlarge_map(targets[0].masks[g].numpy().astype("int32"), 2) > 0 if truth else None
    return mask_over(photo, logits, colors[int(targets[0].labels[g])], outline)


shown = [labels.index("car"), labels.index("tree") + 2, labels.index("sky")]  # the third tree is half hidden
sheet = [[painted(layer, g) for g in shown] for layer in (0, 6)]
picture = ofl.render.contact_sheet(sheet, [labels[g] for g in shown], ["before layer 1", "after layer 6"])
ofl.render.described(picture, "Masks of car, tree and sky before layer 1 and after layer 6, with the true outline. "
                              "Car and sky fit in both rows; the mask of the tree is smaller after layer 6 and nearer "
                              "to the truth.")

# %% [markdown]
# ## The mask losses
#
# A matched query must also give a mask. Two losses compare its logits $x$ with the truth $y$ (0 or 1). With
# $p = \mathrm{sigmoid}(x)$:
#
# * **BCE**, binary cross-entropy: is each pixel right? The mean of $-\log p$ inside and $-\log(1 - p)$ outside.
# * **dice**: do the two regions overlap? $1 - (2 \sum p y + 1) / (\sum p + \sum y + 1)$.

# %%
import math


def bce_slowly(x, y):
    """[P], [P] -> scalar."""
    costs = [-math.log(p if inside else 1 - p) for p, inside in zip(x.sigmoid().tolist(), y.tolist())]
    return sum(costs) / len(costs)


def dice_slowly(x, y):
    p, y = x.sigmoid().tolist(), y.tolist()
    both = sum(a * b for a, b in zip(p, y))
    return 1 - (2 * both + 1) / (sum(p) + sum(y) + 1)


# %% [markdown]
# By hand, two pixels: one inside with $p = ½$, one outside with $p = ¾$.

# %%
x, y = torch.tensor([0.0, math.log(3)]), torch.tensor([1.0, 0.0])
print(f"BCE  {bce_slowly(x, y):.4f}, by hand {(math.log(2) + math.log(4)) / 2:.4f}")
print(f"dice {dice_slowly(x, y):.4f}, by hand {1 - (2 * 0.5 + 1) / (1.25 + 1 + 1):.4f}")

# %% [markdown]
# All masks at once, one row each; `binary_cross_entropy_with_logits` never takes the logarithm of zero:

# %%
def bce_loss(x, y):
    """[N, P], [N, P] -> [N]"""
    return F.binary_cross_entropy_with_logits(x, y, reduction="none").mean(1)


def dice_loss(x, y):
    """[N, P], [N, P] -> [N]"""
    p = x.sigmoid()
    return 1 - (2 * (p * y).sum(1) + 1) / (p.sum(1) + y.sum(1) + 1)


# %% [markdown]
# Against the loops and the package, on the matched masks of scene 13 at 32 x 32:

# %%
from oneformer_lite.losses import masks as package_masks

x = output.mask_logits[0, assigned[-1][0]].flatten(1)  # [G, h * w]
y = F.interpolate(targets[0].masks[None].float(), size=(32, 32), mode="area")[0].flatten(1).round()
proofs = []
for ours, slow, theirs in (
    (bce_loss, bce_slowly, package_masks.bce_loss),
    (dice_loss, dice_slowly, package_masks.dice_loss),
):
    loop = torch.tensor([slow(*pair) for pair in zip(x, y)])
    proofs.append(proved(f"{ours.__name__} = loop", ours(x, y), loop, atol=1e-4))
    proofs.append(proved(f"{ours.__name__} = package", ours(x, y), theirs(x, y), atol=1e-8))
sum(proofs[1:], proofs[0])

# %% [markdown]
# **Why two?** Ask what it costs to leave a mask empty ($x = -3$ everywhere). BCE is a mean over pixels: for a
# small thing it hardly notices. Dice is relative to the size of the mask: it always complains.

# %%
empty = torch.full_like(y, -3.0)
by_size = y.sum(1).argsort(stable=True).tolist()
for g in (by_size[0], by_size[len(y) // 2], by_size[-1]):
    bce, dice = bce_loss(empty, y)[g], dice_loss(empty, y)[g]
    print(f"{labels[g]:<9}{100 * y[g].mean():5.1f} % of the picture: BCE {bce:.2f}, dice {dice:.2f}")

# %% [markdown]
# Why not dice alone? Its gradient is small where a mask is entirely wrong, and it does not care how sure the
# model is. The two make up for each other.
#
# A named alternative to BCE is the **focal** loss (`mask_loss="focal"`): BCE in which a pixel that is already
# right counts little. DETR's masks used it; the published OneFormer does not.

# %%
def focal_loss(x, y, alpha=0.25, gamma=2.0):
    """[N, P], [N, P] -> [N]"""
    p = x.sigmoid()
    wrongness = p * (1 - y) + (1 - p) * y
    balance = alpha * y + (1 - alpha) * (1 - y)
    return (balance * wrongness**gamma * F.binary_cross_entropy_with_logits(x, y, reduction="none")).mean(1)


# %% [markdown]
# Against the package:

# %%
proved("focal = package", focal_loss(x, y), package_masks.focal_loss(x, y), atol=1e-8)

# %% [markdown]
# ## On points, not on pixels
#
# At 1024 x 1024 a COCO image has masks of a million pixels, ten predictions, dozens of segments. The losses look at
# 12,544 *points* of each mask instead (the shipped model: 1,024). A point may lie between pixels; its value is then
# bilinear, read as the matcher reads it in lesson 08:

# %%
def read_at(mask, x, y):
    """Value of [h, w] at (x, y), both in [0, 1]; outside it is 0."""
    (height, width), value = mask.shape, 0.0
    column, row = x * width - 0.5, y * height - 0.5  # pixel 0 has its centre at 0.5
    for r in (math.floor(row), math.floor(row) + 1):
        for k in (math.floor(column), math.floor(column) + 1):
            if 0 <= r < height and 0 <= k < width:
                value += float(mask[r, k]) * (1 - abs(row - r)) * (1 - abs(column - k))
    return value


# %% [markdown]
# `grid_sample` does it for all points at once. The package's `sample_points` wraps it:

# %%
from oneformer_lite.losses.points import sample_points

generator = torch.Generator().manual_seed(0)
points = torch.rand(1, 50, 2, generator=generator)  # [1, P, 2]
mask = output.mask_logits[:1, :1]  # [1, 1, h, w]
slow = torch.tensor([read_at(mask[0, 0], *point) for point in points[0].tolist()])
proved("loop = package", slow, sample_points(mask, points)[0, 0], atol=1e-4)

# %% [markdown]
# **Which points?** Most of a mask is easy: deep inside, far outside. The outline is where it is decided. So:
# draw three times as many points as needed, keep those where the logit is nearest to 0 (that is, $p$ nearest
# to ½) for 75 % of them, and draw the other 25 % anywhere.

# %%
def uncertain_points(mask_logits, num_points, oversample, importance, draw):
    """[N, h, w] -> [N, P, 2]; draw(n) gives n uniform points for each mask."""
    candidates = draw(int(oversample * num_points))  # [N, 3P, 2]
    doubt = sample_points(mask_logits[:, None], candidates)[:, 0].abs()
    hardest = doubt.argsort(dim=1)[:, : int(importance * num_points)]
    hard = torch.stack([all_[best] for all_, best in zip(candidates, hardest)])  # [N, 0.75P, 2]
    return torch.cat([hard, draw(num_points - hard.shape[1])], dim=1)


# %% [markdown]
# The package takes such a `draw` too. Ours, from a seed, for all matched masks of scene 13:

# %%
from oneformer_lite.losses import points as package_points

matched = output.mask_logits[0, assigned[-1][0]]  # [G, h, w]


def drawing(seed):
    generator = torch.Generator().manual_seed(seed)
    return lambda n: torch.rand(len(matched), n, 2, generator=generator)


# %% [markdown]
# With the same random numbers the package chooses the same points (sorted here, as their order has no meaning):

# %%
ours = uncertain_points(matched, 256, 3.0, 0.75, drawing(1))
theirs = package_points.uncertain_points(matched, 256, 3.0, 0.75, drawing(1))
proved("the same points", ours.sort(1).values, theirs.sort(1).values)

# %% [markdown]
# The two kinds of points around one mask, the car's. Left: 256 anywhere in the picture. Right: triangles are the 75 %
# where the model hesitates (drawn from three times as many, so not all lie at the outline), discs the others.

# %%
import matplotlib.pyplot as plt

g = labels.index("car")
panels = {"uniform": drawing(1)(256)[g], "75 % where unsure": ours[g]}
figure, row = plt.subplots(1, 2, figsize=(9, 4.6))
for axes, (title, places), hard in zip(row, panels.items(), (0, 192)):  # the hard ones come first
    axes.imshow(painted(6, g, truth=False))
    for part, color, mark in ((places[hard:], "#F0E442", "o"), (places[:hard], "#56B4E9", "^")):
        axes.scatter(*(256 * part.T - 0.5), s=22, color=color, marker=mark, edgecolors="black", linewidths=0.4)
    axes.set(title=title, xticks=[], yticks=[], xlim=(0, 150), ylim=(215, 110))
plt.tight_layout()
ofl.render.described(figure, "The car's mask twice, enlarged. On the left few points, spread evenly; on the right more, most "
                             "of them triangles, some at its outline and others where it is least sure inside and "
                             "beside it.")

# %% [markdown]
# ## All together
#
# The mask losses grow in three versions. The first compares whole masks of one prediction. It **divides by the number
# of masks in the batch**, so every mask of a batch weighs the same, 1 / 21 if one image has twenty and the other a
# single one: the first image then counts twenty times as much as the second. But a batch with many masks does not
# weigh more than a batch with few.

# %%
def mask_losses_1(prediction, targets, assigned):
    """BCE and dice of one prediction: two scalars."""
    logits = torch.cat([prediction.mask_logits[b, q] for b, q in enumerate(assigned)])  # [G, h, w]
    masks = torch.cat([t.masks for t in targets]).float()  # [G, H, W]
    x = logits.flatten(1)  # [G, h * w]
    y = F.interpolate(masks[None], size=logits.shape[-2:], mode="area")[0].flatten(1)
    return bce_loss(x, y).sum() / len(masks), dice_loss(x, y).sum() / len(masks)


# %% [markdown]
# The second reads both at points:

# %%
def mask_losses_2(prediction, targets, assigned, draw):
    """BCE and dice of one prediction: two scalars."""
    logits = torch.cat([prediction.mask_logits[b, q] for b, q in enumerate(assigned)])  # [G, h, w]
    masks = torch.cat([t.masks for t in targets]).float()  # [G, H, W]
    points = uncertain_points(logits, 1024, 3.0, 0.75, draw)
    x = sample_points(logits[:, None], points)[:, 0]  # [G, P]
    y = sample_points(masks[:, None], points)[:, 0]
    return bce_loss(x, y).sum() / len(masks), dice_loss(x, y).sum() / len(masks)


# %% [markdown]
# `grown` compares the two sources: a line after + is new, one after - is gone. New are the points at which the masks
# are read.

# %%
grown(mask_losses_1, mask_losses_2)

# %% [markdown]
# The third adds **deep supervision**: every prediction pays, the first as much as the last.

# %%
def mask_losses(predictions, targets, assigned, draw):
    """BCE and dice of all predictions: two scalars."""
    logits = [p.mask_logits[b, q] for p, images in zip(predictions, assigned) for b, q in enumerate(images)]
    logits = torch.cat(logits)  # [L * G, h, w]
    masks = torch.cat([t.masks for t in targets]).float()  # [G, H, W]
    points = uncertain_points(logits, 1024, 3.0, 0.75, draw)
    x = sample_points(logits[:, None], points)[:, 0]  # [L * G, P]
    y = sample_points(masks.repeat(len(predictions), 1, 1)[:, None], points)[:, 0]
    return bce_loss(x, y).sum() / len(masks), dice_loss(x, y).sum() / len(masks)


# %% [markdown]
# What is new:

# %%
grown(mask_losses_2, mask_losses)

# %% [markdown]
# What do points change? The last prediction alone, compared whole and on points:

# %%
from functools import partial

counts = [len(t) for t in targets]
draw = partial(PointSource(torch.device("cpu"), SEEDS).for_masks, counts, 1)
whole = mask_losses_1(predictions[-1], targets, assigned[-1])
on_points = mask_losses_2(predictions[-1], targets, assigned[-1], draw)
for name, first, second in zip(("BCE", "dice"), whole, on_points):
    print(f"{name:<4} of whole masks {first:.2f}, on points {second:.2f}")

# %% [markdown]
# On points BCE is larger, for most of them lie where the model hesitates. Dice is not: it compares other areas now,
# those of the points. And what does deep supervision change? On points, one prediction and all seven:

# %%
bce, dice = mask_losses(predictions, targets, assigned, partial(source.for_masks, counts, len(predictions)))
for name, last, total in zip(("BCE", "dice"), on_points, (bce, dice)):
    print(f"{name:<4} of the last prediction {last:.2f}, of all seven {total:.2f}")

# %% [markdown]
# Seven predictions pay, so the sums are some seven times as large.

# %% [markdown]
# The class loss, which lesson 09 built, is summed over the predictions as well. The contrastive loss compares the
# queries *before* the decoder, so it is counted once. The **weights** are those of the matching costs: class 2, BCE 5,
# dice 5, and contrastive 0.5.

# %%
from oneformer_lite.losses.classes import class_loss
from oneformer_lite.losses.contrastive import contrastive_loss

losses = {
    "class": sum(class_loss(p, targets, a, c) for p, a in zip(predictions, assigned)),
    "mask": bce,
    "dice": dice,
    "contrastive": contrastive_loss(output.object_queries, output.text_queries, output.logit_scale),
}
WEIGHTS = {"class": 2.0, "mask": 5.0, "dice": 5.0, "contrastive": 0.5}
losses["total"] = sum(WEIGHTS[name] * losses[name] for name in WEIGHTS)

# %% [markdown]
# The package, with the same seeds:

# %%
from oneformer_lite.losses import Criterion

criterion = Criterion(c)
with torch.no_grad():
    package = criterion(output, targets, SEEDS)

# %% [markdown]
# What we pay, and what the package says:

# %%
for name, loss in losses.items():
    print(f"{name:<12}{loss:6.2f}")
mine, given = (torch.stack([those[name] for name in losses]) for those in (losses, package))
proved("all five = package", mine, given, atol=1e-5, rtol=1e-4)

# %% [markdown]
# The whole way in one drawing, from predictions to the sum that is differentiated. Of the table of costs of the last
# prediction, 32 queries by 13 masks, it shows the three masks from above and the queries that answer for them; the
# losses are those just printed.

# %%
costs = matcher.cost_table(predictions[-1:], targets, PointSource(torch.device("cpu"), SEEDS))  # [Q, G], images side by side
answering = assigned[-1][0][shown].tolist()
ofl.drawings.criterion(
    costs[answering][:, shown], range(3), {name: losses[name] for name in WEIGHTS}, WEIGHTS,
    queries=[f"query {q}" for q in answering], masks=[labels[g] for g in shown],
)  # fmt: skip

# %% [markdown]
# The package keeps the losses of each prediction, to be looked at. Because the early predictions have losses too, the
# gradient has a short way to the early layers. Here the lines are nearly flat: in this small world the first
# prediction already finds most (lesson 10 looks at it).

# %%
figure, axes = plt.subplots(figsize=(7, 3))
for name, color in (("mask", "#0072B2"), ("dice", "#E69F00"), ("class", "#009E73")):
    axes.plot(criterion.by_prediction[name], "o-", label=name, color=color)
axes.set(xlabel="decoder layer (0: before the first)", ylabel="loss, unweighted", ylim=(0, None))
axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
plt.tight_layout()
ofl.render.described(figure, "Three lines of losses over the decoder's seven predictions: dice at the top, mask and "
                             "class below it, all nearly flat.")

# %% [markdown]
# `tests/losses/test_whole_criterion.py` proves the package's criterion equal to loops written from the
# definitions and to transformers' `OneFormerLoss`, in double precision; `tests/losses/test_mask_losses.py` and
# `test_points.py` prove the parts.

# %% [markdown]
# ## Masks that nobody reads
#
# Every prediction has a mask for every query, but the losses read few of these numbers: the matched masks, and for
# the matcher a value at each point. In training the package therefore leaves the masks as what they are, a
# product of query embeddings and mask features (lesson 10), until somebody looks.

# %%
with torch.no_grad():
    product = model(batch.images, batch.tasks, texts=batch.texts).masks
print("embeddings", list(product.embeddings.shape))  # [B, Q, C]
print("features  ", list(product.features.shape))  # [B, C, h, w]

# %% [markdown]
# A value between four pixels is a weighted sum of them, and so is a product with an embedding. Sums may change
# places. So the *features* are read at the points, once for all predictions, and multiplied afterwards:

# %%
places = source.for_images(len(targets), 1024)
slow = package_points.sample_points(product.whole(), places)  # whole masks, then points
fast = product.embeddings @ package_points.sample_points(product.features, places)  # points, then masks
print(list(fast.shape))
proved("equal", slow, fast, atol=1e-3)

# %% [markdown]
# What a training on COCO with 20 segments an image need not keep, in millions of numbers:

# %%
published, side = ofl.config.coco_swin_t(), 1024 // 4
layers = published.decoder_layers + 1
print(f"all masks of {layers} predictions: {layers * published.num_queries * side**2 / 1e6:4.0f}")
print(f"the matched ones:          {layers * 20 * side**2 / 1e6:4.0f}")

# %% [markdown]
# `tests/losses/test_predicted_masks.py` proves losses and gradients equal to those of whole masks.

# %% [markdown]
# ## The inspector
#
# One number is a sum over layers, segments, queries and points. `LossInspector` takes it apart again. With a
# model and samples it shows their batch; with a run (lesson 13) also every logged step. Left the batch, right the
# chosen picture: each segment has the colour of what it costs, from pale yellow (cheap) to dark (expensive).

# %%
from oneformer_lite.widgets import LossInspector

inspector = LossInspector(model, [(sample, "panoptic"), (other, "panoptic")])
inspector.set(image=1)

# %% [markdown]
# One segment costs far more than all others: the strip of sidewalk behind the buses, nearly hidden and few pixels high. In
# image 0, the street of all lessons, nothing does; there take one segment, the car, and the points at which its mask is
# compared. Pale points cost next to nothing; the few orange ones, which make up nearly all of its loss, lie along the outline.

# %%
inspector.set(loss="mask", layer=6, image=0, segment=g)

# %% [markdown]
# ## What is simplified here, and where the official code differs
#
# * Nothing is simplified; the sizes are small. COCO's presets compare 12,544 points.
# * An image with more masks than queries: the official matcher keeps those that cost least, silently. The
#   package keeps the largest and warns.
# * transformers pads the masks of smaller images with 255, so their BCE is wrong there; nobody meets it with
#   pictures of one size.

# %% [markdown]
# ## Break it
#
# **Uniform points only.** What does a point teach? The gradient of BCE at it is $p - y$: nearly nothing where the
# model is sure and right. Its mean length over all masks of the scene:

# %%
def gradient_per_point(points, masks=targets[0].masks.float()):
    x, y = sample_points(matched[:, None], points)[:, 0], sample_points(masks[:, None], points)[:, 0]
    return float((x.sigmoid() - y).abs().mean())


gain = gradient_per_point(ours) / gradient_per_point(drawing(1)(256))
print(f"{gain:.0f} times as much to learn from a point where the model hesitates")

# %% [markdown]
# To learn as much, you would need about as many times more uniform points. On masks of a million pixels that costs
# memory.

# %% [markdown]
# ## In the package
#
# * `losses.masks.bce_loss`, the mean over a mask's points
# * `losses.masks.focal_loss`, its named alternative
# * `losses.masks.dice_loss`, relative overlap
# * `losses.points.sample_points`, a mask read between its pixels
# * `model.output.MaskProduct`, masks before they are multiplied out
# * `losses.predicted_masks.masks_at`, all of them at points
# * `losses.predicted_masks.matched_masks`, the matched ones whole
# * `losses.points.uncertain_points`, most where the model hesitates
# * `losses.criterion.Criterion`, all of it, for all predictions
# * `losses.terms`, its terms by name

# %% [markdown]
# ## Summary
#
# * Matched queries owe a mask, in BCE (is each pixel right?) and dice (do the regions overlap?), on points chosen mostly
#   where the model hesitates.
# * Every prediction pays; mask losses are divided by the masks of the batch.
# * The weights are 2 (class), 5 (BCE), 5 (dice) and 0.5 (contrastive).
#
# **Ask yourself**
#
# <details><summary>An image has no segment at all. What do the four losses say?</summary>
# Class: every query should say no object; the loss is real but soon small. Mask and dice: exactly 0. Contrastive:
# as always, its text list is all padding.</details>
#
# <details><summary>A sign of twenty pixels is missed entirely. Which loss complains?</summary>
# Dice: it is relative to the size of the mask. BCE is a mean over the picture's pixels, of which twenty are few.</details>
#
# <details><summary>Why may the points be chosen without gradient?</summary>
# They are where one looks, not what one sees. The loss at the chosen points has a gradient; moving the points to
# where the loss is smaller would be cheating.</details>
