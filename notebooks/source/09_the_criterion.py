# %% [markdown]
# # 09 · The criterion: CE, BCE, dice
#
# The model has made 32 guesses. The matcher (lesson 08) has said which guess answers for which mask.
#
# **How wrong are they?** Training needs the answer as one number that can be differentiated.
#
# The *criterion* gives it: a class loss on all queries, two mask losses on the matched ones, and the
# contrastive loss of lesson 07. At the end of the lesson we solve a case: a loss that stayed at zero.
#
# *Instead of* (in the sixty lines of lesson 00b): `return class_loss + 2 * mask_loss` (line G).
#
# *Goals:* write the class and mask losses; find out why a loss stays at zero. *Before:* lesson 07, lesson 08.
# *Minutes:* 65. *Words and letters:* [glossary](GLOSSARY.md).
#
# Where we are, in the map of the whole model:

# %% tags=["nbval-ignore-output"]
import oneformer_lite as ofl

ofl.drawings.model_map(ofl.from_pretrained("toytown"), ofl.data.Toytown("val", size=128)[13], "09")

# %% [markdown]
# ## A picture to work with
#
# Scene 13 again, at the size the shipped model was trained for, with scene 14 beside it: some losses
# need a batch.

# %%
import torch
import torch.nn.functional as F
import oneformer_lite as ofl
from oneformer_lite.lessons import proved

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
Image.fromarray(ofl.render.contact_sheet(sheet, [labels[g] for g in shown], ["before layer 1", "after layer 6"]))

# %% [markdown]
# ## The class loss
#
# Every query should name its class: the matched ones that of their mask, the others **no object**, the last
# of the K + 1 classes. First, one column of targets:

# %%
NO_OBJECT = c.num_classes


def target_classes(targets, assigned, num_queries):
    """[B, Q]: the class that each query should name."""
    classes = torch.full((len(targets), num_queries), NO_OBJECT)
    for image, target, queries in zip(classes, targets, assigned):
        image[queries] = target.labels
    return classes


classes = target_classes(targets, assigned[-1], c.num_queries)
print(classes[0].tolist())

# %% [markdown]
# Most queries have nothing to say. If all counted alike, "no object" would be most of the loss. So their
# cross-entropy counts a tenth, and the mean is a *weighted* mean: the sum of the weights divides, not the
# number of queries.
#
# $$ L_{class} = \frac{\sum_q w_q \, (-\log p_q[\mathrm{class}_q])}{\sum_q w_q}, \qquad w_q = 0.1
# \text{ for no object, else } 1 $$

# %%
def class_loss_slowly(class_logits, classes, no_object=0.1):
    """[B, Q, K+1], [B, Q] -> scalar, query by query."""
    total, weights = 0.0, 0.0
    for logits, label in zip(class_logits.flatten(0, 1), classes.flatten()):
        weight = no_object if label == NO_OBJECT else 1.0
        total = total - weight * logits.log_softmax(-1)[label]
        weights += weight
    return total / weights


# %% [markdown]
# By hand: three queries. The first should say "class 2" and gives it probability ½; the other two should say
# "no object" and are undecided between four classes.

# %%
import math

NO_OBJECT = 3
logits = torch.zeros(1, 3, 4)
logits[0, 0, 2] = math.log(3)  # 3 / (3 + 1 + 1 + 1) = 1/2
toy_classes = torch.tensor([[2, 3, 3]])
print(f"by hand {(math.log(2) + 2 * 0.1 * math.log(4)) / (1 + 2 * 0.1):.4f}")
print(f"loop    {class_loss_slowly(logits, toy_classes):.4f}")

# %% [markdown]
# PyTorch's `cross_entropy` with `weight` is this very mean. It wants the classes on axis 1.

# %%
def class_loss(class_logits, classes, no_object=0.1):
    """The same in one call."""
    weights = torch.ones(class_logits.shape[-1])
    weights[-1] = no_object
    return F.cross_entropy(class_logits.transpose(1, 2), classes, weights)


# %% [markdown]
# The third way to the same number:

# %%
print(f"fast    {class_loss(logits, toy_classes):.4f}")

# %% [markdown]
# On the real queries:

# %%
NO_OBJECT = c.num_classes
slow, fast = class_loss_slowly(output.class_logits, classes), class_loss(output.class_logits, classes)
proved("loop = call", slow, fast, atol=1e-5)

# %% [markdown]
# And against the package, whose `Criterion` we rebuild in this lesson:

# %%
from oneformer_lite.losses import Criterion, terms

criterion = Criterion(c)
package = terms.class_loss(predictions[-1], targets, assigned[-1], c)
print(f"class loss of the last prediction {fast:.2f}")
proved("call = package", fast, package, atol=1e-6)

# %% [markdown]
# Who pays? Each bar is what one query of scene 13 adds. The orange ones answer for a mask.

# %%
import matplotlib.pyplot as plt

entropy = F.cross_entropy(output.class_logits[0], classes[0], reduction="none")
weight = torch.where(classes[0] == NO_OBJECT, 0.1, 1.0)
share = weight * entropy / weight.sum()
order = share.argsort(descending=True).tolist()
bar_colors = ["#999999" if classes[0, q] == NO_OBJECT else "#E69F00" for q in order]
_, axes = plt.subplots(figsize=(9, 2.6))
axes.bar([str(q) for q in order], share[order], color=bar_colors)
axes.set(xlabel="query (most expensive first; grey: should say no object)", ylabel="adds to the class loss")
plt.show()

# %% [markdown]
# A few queries carry nearly all of it: names that are not sure yet, and queries that speak though nobody asked.

# %% [markdown]
# ## The mask losses
#
# A matched query also owes a mask. Two losses compare its logits $x$ with the truth $y$ (0 or 1). With
# $p = \mathrm{sigmoid}(x)$:
#
# * **BCE**, binary cross-entropy: is each pixel right? The mean of $-\log p$ inside and $-\log(1 - p)$ outside.
# * **dice**: do the two regions overlap? $1 - (2 \sum p y + 1) / (\sum p + \sum y + 1)$.

# %%
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
# At 1024 x 1024 a COCO image has masks of a million pixels, ten predictions, dozens of segments. The losses
# look at 12,544 *points* of each mask instead (the shipped model: 1,024). A point may lie between pixels; its
# value is bilinear, shared by the four nearest pixel centres.

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
# The two kinds of points on one mask. Left: anywhere. Right: where the model hesitates.

# %%
g = labels.index("car")
panels = {"uniform": drawing(1)(256)[g], "75 % where unsure": ours[g]}
_, row = plt.subplots(1, 2, figsize=(9, 4.6))
for axes, (title, places) in zip(row, panels.items()):
    axes.imshow(painted(6, g, truth=False))
    axes.scatter(*(256 * places.T - 0.5), s=14, color="#F0E442", edgecolors="black", linewidths=0.4)
    axes.set(title=title, xticks=[], yticks=[])
plt.tight_layout()
plt.show()

# %% [markdown]
# ## All together
#
# Three more rules:
#
# * mask losses are **divided by the number of masks in the batch**: an image with twenty segments weighs
#   twenty times as much as one with a single segment, a batch with many does not weigh more than one with few;
# * **deep supervision**: every prediction pays, the first as much as the last;
# * the **weights** are those of the matching costs: class 2, BCE 5, dice 5, and contrastive 0.5.

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
# The class loss is summed over the predictions as well. The contrastive loss compares the queries *before*
# the decoder, so it is counted once.

# %%
from functools import partial
from oneformer_lite.losses.contrastive import contrastive_loss

counts = [len(t) for t in targets]
bce, dice = mask_losses(predictions, targets, assigned, partial(source.for_masks, counts, len(predictions)))
losses = {
    "class": sum(
        class_loss(p.class_logits, target_classes(targets, a, c.num_queries)) for p, a in zip(predictions, assigned)
    ),
    "mask": bce,
    "dice": dice,
    "contrastive": contrastive_loss(output.object_queries, output.text_queries, output.logit_scale),
}
WEIGHTS = {"class": 2.0, "mask": 5.0, "dice": 5.0, "contrastive": 0.5}
losses["total"] = sum(WEIGHTS[name] * losses[name] for name in WEIGHTS)

# %% [markdown]
# The package, with the same seeds:

# %%
with torch.no_grad():
    package = criterion(output, targets, SEEDS)
for name, loss in losses.items():
    print(f"{name:<12}{loss:6.2f}  equal: {torch.allclose(loss, package[name], rtol=1e-4, atol=1e-5)}")

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
# The package keeps for looking what each prediction paid. That the early ones pay too gives the early layers
# a short way to the gradient. Here the lines are nearly flat: in this small world the first prediction already
# finds most (lesson 10 looks at it).

# %%
_, axes = plt.subplots(figsize=(7, 3))
for name, color in (("mask", "#0072B2"), ("dice", "#E69F00"), ("class", "#009E73")):
    axes.plot(criterion.by_prediction[name], "o-", label=name, color=color)
axes.set(xlabel="decoder layer (0: before the first)", ylabel="loss, unweighted", ylim=(0, None))
axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
plt.tight_layout()
plt.show()

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
# What a training on COCO with 20 segments an image is spared, in millions of numbers:

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
inspector

# %% [markdown]
# The person and a tree cost most here. Now one segment, the car, and the points at which its mask is compared. Pale
# points cost next to nothing; the few orange ones, which make up nearly all of its loss, lie along the outline.

# %%
inspector.set(loss="mask", layer=6, image=0, segment=g)

# %% [markdown]
# ## The case of the loss that stayed at zero
#
# An earlier student project rebuilt OneFormer and trained it. This is how it ended:

# %%
reported = {"cross-entropy": 0.0, "mIoU": 0.0012}
print(reported)

# %% [markdown]
# The first number says that every query is certain and right. The second, a share of 1, says that hardly a
# pixel is. We take the part of the detective.
#
# **Clue 1: zero is not where one starts.** A model that knows nothing spreads its probability over all
# classes. That costs the logarithm of their number. Even ours, trained, does not pay nothing:

# %%
print(f"knows nothing: ln({c.num_classes + 1}) = {math.log(c.num_classes + 1):.2f} per prediction")
print(f"trained:       {criterion.by_prediction['class'][-1]:.2f}")
print(f"suspicious:    {reported['cross-entropy']:.2f}")

# %% [markdown]
# **Clue 2: cross-entropy compares with what is asked.** It is zero if the answer is what is asked, however
# silly the question. So we look not at the model but at the targets. Three suspects:
#
# 1. *Nothing was matched.* No mask survives (a crop, ids that do not fit the map): every query is asked to say
#    "no object".
# 2. *The labels are swallowed.* Class ids equal the `ignore_index` of the cross-entropy: nothing is asked.
# 3. *The weights are wrong.* The matched queries weigh nothing.

# %%
def nothing_matched(logits, classes):
    return class_loss(logits, torch.full_like(classes, NO_OBJECT))


def labels_ignored(logits, classes):
    ignored = torch.full_like(classes, 255)  # "255 = void", read where class ids were expected
    cost = F.cross_entropy(logits.transpose(1, 2), ignored, ignore_index=255, reduction="sum")
    return cost / max(1, int((ignored != 255).sum()))


def weights_wrong(logits, classes):
    weights = torch.zeros(logits.shape[-1])
    weights[-1] = 0.1  # set for "no object", forgotten for the others
    return F.cross_entropy(logits.transpose(1, 2), classes, weights)


SUSPECTS = {"honest": class_loss} | {f.__name__: f for f in (nothing_matched, labels_ignored, weights_wrong)}

# %% [markdown]
# To see where each leads, we train a new class head, a single linear layer, on the queries that our model has
# for 24 scenes. All else stays as it is, so a hundred steps take a moment.

# %%
def queries_and_classes(scenes):
    """Normed queries after the last layer [N, Q, C], and the classes that they should name [N, Q]."""
    batch = ofl.data.collate([(scene, "panoptic") for scene in scenes])
    with torch.no_grad():
        output = model(batch.images, batch.tasks, trace=True)
        queries = model.decoder.norm(output.trace["decoder.layer5.queries"])
    found = matcher([output.predictions[-1]], batch.targets, PointSource(torch.device("cpu"), [(0, 0)] * len(scenes)))
    return queries, target_classes(batch.targets, found[0], c.num_queries)


queries, wanted = queries_and_classes([ofl.data.Toytown("train", size=128)[i] for i in range(24)])
print("queries", list(queries.shape), "of which matched:", int((wanted != NO_OBJECT).sum()))

# %% [markdown]
# The training loop, for any class loss:

# %%
def learn(loss_function, steps=100):
    """A fresh class head, and its loss after every step."""
    torch.manual_seed(0)
    head = torch.nn.Linear(c.hidden_dim, c.num_classes + 1)
    optimizer, history = torch.optim.Adam(head.parameters(), lr=0.02), []
    for _ in range(steps):
        loss = loss_function(head(queries), wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        history.append(loss.item())
    return head, history


trained = {name: learn(loss_function) for name, loss_function in SUSPECTS.items()}

# %% [markdown]
# What they lead to: the loss at the first step and at the last, and how many of the matched queries then say
# their name.

# %%
print(f"{'':<17}{'first':>6}{'last':>7}   names right")
for name, (head, history) in trained.items():
    right = (head(queries).argmax(-1) == wanted)[wanted != NO_OBJECT].float().mean()
    print(f"{name:<17}{history[0]:6.1f}{history[-1]:7.1f}   {100 * right:.0f} %")

# %% [markdown]
# All four end at zero! On queries that are trained already, the honest head gets there too. That is what makes
# the case hard: **a zero alone does not tell a task that is solved from a question that was never asked.** The
# names tell.
#
# The curves hardly help. Only ignored labels give themselves away: they are at zero from the very first step.

# %%
_, axes = plt.subplots(figsize=(7, 3))
styles = zip(trained.items(), ("#009E73", "#0072B2", "#D55E00", "#E69F00"), ("-", "-", "-", "--"))
for (name, (_, history)), color, line in styles:
    axes.plot(history[:15], line, label=name.replace("_", " "), color=color, linewidth=2)
axes.set(xlabel="step", ylabel="class loss")
axes.legend()
plt.show()

# %% [markdown]
# **Clue 3: the other number.** Put the heads into the model and measure mIoU on held-out scenes, in percent to
# the nearest 10:

# %%
import copy

few = ofl.data.Toytown("val", size=128, length=12)
for name in ("honest", "nothing_matched"):
    suspect = copy.deepcopy(model)
    suspect.decoder.class_head = trained[name][0]
    print(f"{name:<17} mIoU {round(ofl.evaluate(suspect, few, tasks='semantic')['mIoU'], -1):3.0f}")

# %% [markdown]
# A model without loss and without a clue: both numbers of the report are reproduced.
#
# ### Caught in the act
#
# Which of them it was in that project, its log does not tell. So here is a case with all traces left: a data set
# that looks sound. Pictures, maps, segments with names. With it the class loss falls to zero. Find out why before
# you read on.

# %%
class Scenes:
    """Four scenes, as somebody's own loader reads them."""

    categories, tasks = scenes.categories, scenes.tasks

    def __init__(self, start=13, stop=17):
        self.scenes = [scenes[i] for i in range(start, stop)]

    def __len__(self):
        return len(self.scenes)

    def __getitem__(self, index):
        return self.scenes[index]


# %% [markdown]
# The suspect reads the segments' ids in a way of its own:

# %%
from dataclasses import replace


class Suspicious(Scenes):
    def __getitem__(self, index):
        scene = self.scenes[index]
        return scene.replace(segments=tuple(replace(s, id=s.id + 256 * (s.class_id + 1)) for s in scene.segments))


dataset = Suspicious()

# %% [markdown]
# *First look: the inspector.* It paints the batch in the colours of its segments, as above. Here there is no
# colour. What remains to pay is for "no object", and our model, which does see a car, pays a lot.

# %%
LossInspector(model, [dataset[0], dataset[1]]).set(loss="class")

# %% [markdown]
# So no mask arrives. *Second look: where are they lost?* The sample lists segments, the targets are empty:

# %%
scene = dataset[0]
print("segments listed:", len(scene.segments), " targets:", len(ofl.data.targets_for(scene, "panoptic")))

# %% [markdown]
# A target is the pixels whose id is the segment's. *Third look: the ids.*

# %%
import numpy as np

print("listed:    ", [s.id for s in scene.segments][:5])
print("in the map:", np.unique(scene.segment_map).tolist()[:6])

# %% [markdown]
# None of the listed ids is in the map. A panoptic PNG holds R + 256 G + 256² B (lesson 01); whoever reads the red
# channel alone gets ids below 256, and every mask comes out empty. Empty masks are skipped as cropped away,
# silently.
#
# **The doctor** makes these looks in one call, and would have ended the case in a second:

# %%
diagnosis = ofl.doctor(model, dataset, images=4)
for fault in diagnosis.faults:
    print(f"{fault.check}: {fault.evidence}\n  -> {fault.cure}")

# %% [markdown]
# With the ids in order again, it finds no fault:

# %%
print(ofl.doctor(model, Scenes(), images=4).summary())

# %% [markdown]
# And the suspect who hides in the criterion? The doctor takes a criterion as well. This one forgets the labels,
# as `labels_ignored` did:

# %%
def forgetful(output, pairs, config):
    """The term "class", summed over all predictions"""
    classes = [target_classes(pairs.targets, assigned, config.num_queries) for assigned in pairs.assigned]
    return sum(labels_ignored(p.class_logits, truth) for p, truth in zip(pairs.predictions, classes))


suspect = Criterion(c)
suspect.terms["class"] = forgetful
for fault in ofl.doctor(model, Scenes(), images=4, criterion=suspect).faults:
    print(f"{fault.check}: {fault.evidence}\n  -> {fault.cure}")

# %% [markdown]
# There is one cross-entropy that is *honestly* zero: the contrastive loss of a batch of one (lesson 07). With one
# candidate the softmax is 1 and its logarithm 0. The package warns; the doctor says so.

# %%
for fault in ofl.doctor(model, Scenes(13, 14)).faults:
    print(f"{fault.check}: {fault.evidence}\n  -> {fault.cure}")

# %% [markdown]
# ## What is simplified here, and where the official code differs
#
# * Nothing is simplified; the sizes are small. COCO's presets compare 12,544 points.
# * Official `oneformer/modeling/criterion.py` lets each process divide its class loss by its own weights. The
#   package divides such that the mean over the processes is what one process would have.
# * There, targets of all predictions are read one by one; here in one go. Same numbers.
# * An image with more masks than queries: the official matcher keeps those that cost least, silently. The
#   package keeps the largest and warns.
# * transformers pads the masks of smaller images with 255, so their BCE is wrong there; nobody meets it with
#   pictures of one size.

# %% [markdown]
# ## Break it
#
# **The no-object weight.** At 0.1, who is heard? The length of the gradient on the class logits, split between
# matched queries and the others, for a fresh head:

# %%
def gradient_share(no_object):
    """Share of the gradient that comes from the queries without a mask."""
    torch.manual_seed(0)
    logits = torch.nn.Linear(c.hidden_dim, c.num_classes + 1)(queries).detach().requires_grad_()
    class_loss(logits, wanted, no_object).backward()
    lengths = logits.grad.norm(dim=-1)
    return float(lengths[wanted == NO_OBJECT].sum() / lengths.sum())


# %% [markdown]
# At 0 none of it, at 1 most of it:

# %%
for no_object in (0.0, 0.1, 1.0):
    print(f"weight {no_object}: {100 * gradient_share(no_object):.0f} % of the gradient says 'no object'")

# %% [markdown]
# And what comes of it. After a few steps and after many: how many matched queries say their name, and how many
# of the others keep silent, to the nearest 10 %.

# %%
print(f"{'weight':<8}{'steps':>6}{'named':>8}{'silent':>8}")
for no_object in (0.0, 0.1, 1.0):
    for steps in (5, 100):
        head, _ = learn(partial(class_loss, no_object=no_object), steps)
        right = head(queries).argmax(-1) == wanted
        named, silent = (right[mine].float().mean() for mine in (wanted != NO_OBJECT, wanted == NO_OBJECT))
        print(f"{no_object:<8}{steps:>6}{10 * round(10 * float(named)):>6} %{10 * round(10 * float(silent)):>6} %")

# %% [markdown]
# At 0 nobody ever learns to be silent: every empty query claims a segment. At 1 silence comes first and the
# names wait.

# %% [markdown]
# **Uniform points only.** What does a point teach? The gradient of BCE at it is $p - y$: nearly nothing where the
# model is sure and right. Its mean length over all masks of the scene:

# %%
def gradient_per_point(points, masks=targets[0].masks.float()):
    x, y = sample_points(matched[:, None], points)[:, 0], sample_points(masks[:, None], points)[:, 0]
    return float((x.sigmoid() - y).abs().mean())


gain = gradient_per_point(ours) / gradient_per_point(drawing(1)(256))
print(f"{gain:.0f} times as much to learn from a point where the model hesitates")

# %% [markdown]
# To meet as much to learn, uniform points would have to be about as many times more. On masks of a million pixels
# that is memory.

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
# * All queries owe a class, "no object" at a tenth of the weight in a weighted mean; matched ones owe a mask,
#   in BCE and dice, on points chosen mostly where the model hesitates.
# * Every prediction pays; mask losses are divided by the masks of the batch; 2, 5, 5 and 0.5 weigh the sum.
# * A loss of zero is a message about the targets. Look at what is asked before you look at the model.
#
# **Ask yourself**
#
# <details><summary>Why does dividing by the sum of the weights matter, and not by the number of queries?</summary>
# With 150 queries and 10 masks, a plain mean would shrink the part of the matched ones as queries are added. The
# weighted mean keeps the loss on one scale, whatever Q is.</details>
#
# <details><summary>An image has no segment at all. What do the four losses say?</summary>
# Class: every query should say no object; the loss is real but soon small. Mask and dice: exactly 0. Contrastive:
# as always, its text list is all padding.</details>
#
# <details><summary>Why may the points be chosen without gradient?</summary>
# They are where one looks, not what one sees. The loss at the chosen points has a gradient; moving the points to
# where the loss is smaller would be cheating.</details>
#
# <details><summary>Your class loss falls to 0.001 in the first hundred steps. What do you look at first?</summary>
# The number of masks in the batch, then their labels. If there are none, look at the loader; if all labels are
# equal, at the class ids. Or ask `ofl.doctor(model, dataset)`.</details>
