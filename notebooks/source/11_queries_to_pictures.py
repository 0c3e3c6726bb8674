# %% [markdown]
# # 11 · From queries to pictures
#
# The decoder (lesson 10) ends with Q queries. Each has a row of class logits and a small map of mask logits.
# That is no picture yet: masks overlap, most queries mean nothing, and the maps are small.
#
# **How do three answers come out of one set of queries?**
#
# * **semantic**: one class for each pixel;
# * **instance**: a ranked list of things, each with its mask; masks may overlap;
# * **panoptic**: each pixel in one segment, or in none (*void*).
#
# Nothing is learned here: sums, a maximum and a few thresholds. We write all of it, then move the thresholds and
# watch what it costs.
#
# *Instead of* (in the sixty lines of lesson 00b): `mask_logits > 0` (line J).
#
# *Goals:* turn queries into a semantic, an instance and a panoptic answer. *Before:* lesson 10. *Minutes:* 55. *Words
# and letters:* [glossary](GLOSSARY.md).
#
# Where we are, in the map of the whole model:

# %% tags=["nbval-ignore-output"]
import oneformer_lite as ofl

ofl.drawings.model_map(ofl.from_pretrained("toytown"), ofl.data.Toytown("val", size=128)[13], "11")

# %% [markdown]
# ## A picture to work with
#
# Scene 13 at 192 pixels, and the shipped model:

# %%
import matplotlib.pyplot as plt
import numpy as np
import oneformer_lite as ofl
import torch
import torch.nn.functional as F
from PIL import Image
from oneformer_lite.lessons import proved

sample = ofl.data.Toytown("val", size=192)[13]
model = ofl.from_pretrained("toytown")
names, is_thing = model.config.class_names, model.config.is_thing
ofl.render.described(ofl.render.enlarge(sample.image, 2), "Scene 13, large: a street with a blue car, a person with a "
                                                          "dog, trees, a sign, a ball and houses.")

# %% [markdown]
# ## What the decoder leaves
#
# `prepare` brings the picture to the size the model wants in inference. Then one forward pass under the panoptic
# token.

# %%
from oneformer_lite.inference import prepare

image = prepare(sample.image, model.config)
with torch.inference_mode():
    output = model(image[None], "panoptic")
class_logits, mask_logits = output.class_logits[0], output.mask_logits[0]
print("picture", sample.image.shape, " input", tuple(image.shape))
print("class logits", tuple(class_logits.shape), " mask logits", tuple(mask_logits.shape))

# %% [markdown]
# Class logits are [Q, K+1]; the last column is "no object". Mask logits are [Q, h, w], a quarter of the input.
# A softmax makes probabilities of the first, a sigmoid of the second.

# %%
score, label = class_logits.softmax(-1).max(-1)  # [Q], [Q]
print(f"{int((label == len(names)).sum())} of {len(label)} queries say no object")

# %% [markdown]
# The twelve that are surest of a class:

# %%
surest = [q for q in score.argsort(descending=True).tolist() if label[q] < len(names)][:12]
figure, axes = plt.subplots(2, 6, figsize=(10, 3.9), layout="constrained")
for q, axis in zip(surest, axes.flat):
    axis.imshow(mask_logits[q].sigmoid(), cmap="gray", vmin=0, vmax=1)
    axis.set_title(f"{q}: {names[label[q]]} {score[q]:.2f}", fontsize=10)
    axis.set_axis_off()
ofl.render.described(figure, "Twelve masks, white on black, each with its query, class and score: building, sky, "
                             "road, sidewalk, grass, car, sign, ball, person, two trees, dog.")

# %% [markdown]
# Mask probabilities, black 0, white 1. The title has the query's number, its surest class and the probability of
# that. Stuff comes in one query for each class, things one by one.

# %% [markdown]
# ## Back to the size of the picture
#
# The way in was: resize to the input size, *pad* with zeros, below and to the right, to multiples of 32. The way
# out is the reverse: enlarge to the padded input, cut the padding off, resize to the picture. All on logits; the
# sigmoid comes last.
#
# **Bilinear** resizing is that of lesson 02. What it does in two directions at once can be done in one after the other;
# here is one of them:

# %%
def resize_line(values, wanted):
    """[n, ...] -> [wanted, ...], bilinear along the first axis"""
    n, new = len(values), []
    for i in range(wanted):
        place = min(max((i + 0.5) * n / wanted - 0.5, 0), n - 1)
        left, share = int(place), place - int(place)
        right = min(left + 1, n - 1)
        new.append((1 - share) * values[left] + share * values[right])
    return torch.stack(new)


resize_line(torch.tensor([0.0, 1.0]), 6)

# %% [markdown]
# A map is resized along its columns, then along its rows. PyTorch does both at once:

# %%
def resize_map(values, height, width):
    return resize_line(resize_line(values, height).T, width).T


mine = resize_map(mask_logits[surest[0]], 150, 201)
print(tuple(mine.shape))

# %% [markdown]
# From here on all Q maps at once:

# %%
def resize(maps, size):
    """[Q, h, w] -> [Q, H, W]"""
    return F.interpolate(maps[None], size=size, mode="bilinear", align_corners=False)[0]


proved("equal", mine, resize(mask_logits, (150, 201))[surest[0]], atol=1e-4)

# %% [markdown]
# Our scene is square and needs no padding. So take a strip of it, which does. `predict_raw` is the forward pass
# with the three sizes written down.

# %%
from oneformer_lite.inference import predict_raw

strip = np.ascontiguousarray(sample.image[:, 40:176])
_, raw_strip = predict_raw(model, strip, "panoptic")
print("picture", raw_strip.output, " input", raw_strip.unpadded, " padded", raw_strip.padded)

# %% [markdown]
# The way out in three lines. The package keeps it as `RawPrediction.masks`.

# %%
def full_size(mask_logits, padded, unpadded, wanted):
    """[Q, h, w] -> [Q, H, W]: logits at the size of the picture"""
    logits = resize(mask_logits, padded)
    logits = logits[:, : unpadded[0], : unpadded[1]]
    return resize(logits, wanted)


# %% [markdown]
# Compare:

# %%
mine = full_size(raw_strip.mask_logits, raw_strip.padded, raw_strip.unpadded, raw_strip.output)
proved("equal", mine, raw_strip.masks(), atol=1e-4)

# %% [markdown]
# Follow the query of the road on its way out:

# %%
q = int(raw_strip.class_logits.softmax(-1)[:, names.index("road")].argmax())
enlarged = resize(raw_strip.mask_logits, raw_strip.padded)[q]
stages = {
    "mask logits": raw_strip.mask_logits[q],
    "padded input": enlarged,
    "padding cut off": enlarged[: raw_strip.unpadded[0], : raw_strip.unpadded[1]],
    "picture": mine[q],
}

# %% [markdown]
# Four maps of the same query:

# %%
figure, axes = plt.subplots(1, 4, figsize=(10, 3.8), layout="constrained")
for (title, logits), axis in zip(stages.items(), axes):
    axis.imshow(logits.sigmoid(), cmap="gray", vmin=0, vmax=1)
    axis.set(title=f"{title}\n{logits.shape[0]} x {logits.shape[1]}", xlabel="column", ylabel="row")
ofl.render.described(figure, "One query's mask at four sizes: coarse logits, the padded input, without the padding, "
                             "and the picture. The band of road stays; below it a second band in the padding is cut "
                             "off.")

# %% [markdown]
# Look at the bottom of the first two: a road in the padding, where there is no picture at all. What the model says
# of the padding means nothing, and it must go before anything is stretched.

# %% [markdown]
# Back to the whole scene, under each of the three tokens:

# %%
raw = {task: predict_raw(model, sample.image, task)[1] for task in ("semantic", "instance", "panoptic")}

# %% [markdown]
# ## Semantic: add everything up
#
# Each query votes on each pixel $x$: with its probability of class $k$, times its mask's probability there.
#
# $$S_k(x) = \sum_q p_q(k) \, m_q(x)$$
#
# The column of "no object" is left out, so a query that says no object hardly votes. No threshold anywhere.

# %%
def semantic_naive(classes, masks):
    """[Q, K], [Q, H, W] -> [K, H, W]"""
    scores = torch.zeros(classes.shape[1], *masks.shape[1:])
    for q in range(classes.shape[0]):
        for k in range(classes.shape[1]):
            scores[k] += classes[q, k] * masks[q]
    return scores

# %% [markdown]
# Run it:

# %%
classes = raw["semantic"].class_logits.softmax(-1)[:, :-1]  # [Q, K]
masks = raw["semantic"].masks().sigmoid()  # [Q, H, W]
slow = semantic_naive(classes, masks)
print(tuple(slow.shape))

# %% [markdown]
# A sum of products over one shared letter is an `einsum`:

# %%
def semantic(classes, masks):
    return torch.einsum("qk,qhw->khw", classes, masks)


scores = semantic(classes, masks)
proved("equal", scores, slow, atol=1e-5)

# %% [markdown]
# The package's function is the same:

# %%
from oneformer_lite.inference import semantic_inference

proved("equal", scores, semantic_inference(raw["semantic"]), atol=1e-5)

# %% [markdown]
# Each pixel takes the class with the largest sum. So does `ofl.predict`:

# %%
label_map = scores.argmax(0)  # [H, W]
predicted = ofl.predict(model, sample.image, "semantic")
print("same class on", f"{(label_map.numpy() == predicted.label_map).mean():.1%} of the pixels")

# %% [markdown]
# Four of the score maps, black 0, white 1, and the answer:

# %%
figure, axes = plt.subplots(1, 5, figsize=(11, 2.6), layout="constrained")
for name, axis in zip(("road", "sidewalk", "car", "person"), axes):
    axis.imshow(scores[names.index(name)], cmap="gray", vmin=0, vmax=1)
    axis.set_title(f"score of {name}", fontsize=10)
axes[4].imshow(ofl.render.overlay_labels(sample.image, label_map.numpy(), sample.categories))
axes[4].set_title("largest score", fontsize=10)
for axis in axes:
    axis.set_axis_off()
ofl.render.described(figure, "Four score maps, white where the class is: road, sidewalk, car, person. Beside them the "
                             "answer in colours.")

# %% [markdown]
# ## Instance: a ranked list
#
# Average precision (lesson 12) wants *all* guesses, each with a score. So nothing is forbidden: a query may be
# guessed to be several classes. Of the Q x K pairs of query and class, the Q best are kept. Then:
#
# * stuff is thrown out;
# * the mask is where the probability is above one half, that is where the *logit* is above 0;
# * the score is the class probability times the mean mask probability inside the mask. A mask that is unsure of
#   itself falls in the ranking.

# %%
def instances_naive(class_logits, mask_logits):
    """[Q, K+1], [Q, H, W] -> list of (score, class, mask), best first"""
    classes = class_logits.softmax(-1)[:, :-1]
    queries, count = classes.shape
    pairs = [(classes[q, k].item(), q, k) for q in range(queries) for k in range(count)]
    found = []
    for probability, q, k in sorted(pairs, reverse=True)[:queries]:
        mask = mask_logits[q] > 0
        if is_thing[k]:
            certainty = mask_logits[q].sigmoid()[mask].sum() / (mask.sum() + 1e-6)
            found.append((probability * certainty.item(), k, mask))
    return sorted(found, key=lambda entry: -entry[0])


# %% [markdown]
# How long is the list?

# %%
slow = instances_naive(raw["instance"].class_logits, raw["instance"].masks())
print(len(slow), "instances, of which", sum(score > 0.5 for score, _, _ in slow), "score above 0.5")

# %% [markdown]
# With tensors: `topk` over the flattened matrix; the position in it gives the query and the class back.

# %%
def instances(class_logits, mask_logits):
    """[Q, K+1], [Q, H, W] -> masks [n, H, W], classes [n], scores [n]"""
    classes = class_logits.softmax(-1)[:, :-1]
    scores, place = classes.flatten().topk(len(classes))
    query, label = place // classes.shape[1], place % classes.shape[1]
    keep = torch.tensor(is_thing)[label]
    scores, query, label = scores[keep], query[keep], label[keep]
    masks = mask_logits[query] > 0
    inside = (mask_logits[query].sigmoid() * masks).sum((1, 2)) / (masks.sum((1, 2)) + 1e-6)
    return masks, label, scores * inside


# %% [markdown]
# The same list, once sorted:

# %%
masks, labels, scores = instances(raw["instance"].class_logits, raw["instance"].masks())
order = scores.argsort(descending=True)
same = proved("scores equal", scores[order], torch.tensor([s for s, _, _ in slow]), atol=1e-5)
same + proved("masks equal", masks[order], torch.stack([mask for _, _, mask in slow]))

# %% [markdown]
# The package's function returns the same list. `ofl.predict` shows those above a score of 0.5.

# %%
from oneformer_lite.inference import instance_inference

their_masks, their_labels, their_scores = instance_inference(raw["instance"], is_thing)
their_order = their_scores.argsort(descending=True)
same = proved("masks equal", masks[order], their_masks[their_order])
same += proved("labels equal", labels[order], their_labels[their_order])
same + proved("scores equal", scores[order], their_scores[their_order], atol=1e-5)

# %% [markdown]
# The three best, and the first ones that are hardly true:

# %%
figure, axes = plt.subplots(2, 3, figsize=(9.6, 4.2), layout="constrained")
for rank, axis in zip((1, 2, 3, 8, 9, 10), axes.flat):
    n = order[rank - 1]
    picture = ofl.render.overlay_masks(sample.image, masks[n][None].numpy(), [labels[n]], sample.categories)
    axis.imshow(picture[45:165])
    axis.set_title(f"{rank}: {names[labels[n]]} {scores[n]:.2f}")
    axis.set_axis_off()
ofl.render.described(figure, "Six instances over the dark scene. Ranks 1 to 3, car, ball and tree, have scores near "
                             "1; ranks 8 to 10 are parts of a person and of trees, with lower scores.")

# %% [markdown]
# Rank, class and score. From rank 9 on the list is a long tail of second guesses. In a picture they would only
# be in the way; in the ranking of AP a guess at the end costs little and may win.

# %% [markdown]
# ## Panoptic: only one may stay
#
# Now each pixel belongs to one segment at most. Five steps, three thresholds:
#
# 1. A query is a **candidate** if its surest class is a class, and surer than the *object mask threshold*.
# 2. Each pixel goes to the candidate with the largest *class score x mask probability*.
# 3. A candidate that wins less than the *overlap threshold* (0.8) of its own mask is dropped: others hold most of
#    it, what is left are small rests.
# 4. Of what it won, only pixels of its own mask count (probability of at least 0.5); the rest is void.
# 5. Stuff of one class becomes one segment.

# %% [markdown]
# Step 1:

# %%
def candidates(class_logits, threshold):
    """[Q, K+1] -> queries, scores and labels of those that compete"""
    scores, labels = class_logits.softmax(-1).max(-1)
    keep = (labels < class_logits.shape[1] - 1) & (scores > threshold)
    return keep.nonzero().flatten(), scores[keep], labels[keep]


# %% [markdown]
# Toytown's object mask threshold is that of ADE20K, 0.5. (COCO and Cityscapes use 0.8.)

# %%
threshold, overlap = model.config.object_mask_threshold, model.config.overlap_threshold
queries, scores, labels = candidates(raw["panoptic"].class_logits, threshold)
print(f"thresholds {threshold} and {overlap}: {len(queries)} candidates")
told = [f"{names[k]} {s:.2f}" for k, s in zip(labels, scores)]
print(", ".join(told[:7]), ", ".join(told[7:]), sep=",\n")

# %% [markdown]
# Step 2, pixel by pixel:

# %%
def winners_naive(scores, masks):
    """[N], [N, H, W] -> int [H, W]: which candidate gets the pixel"""
    winner = torch.zeros(masks.shape[1:], dtype=torch.int64)
    for y in range(masks.shape[1]):
        for x in range(masks.shape[2]):
            winner[y, x] = (scores * masks[:, y, x]).argmax()
    return winner


# %% [markdown]
# All pixels at once:

# %%
def winners(scores, masks):
    return (scores[:, None, None] * masks).argmax(0)


masks = raw["panoptic"].masks(queries).sigmoid()  # [N, H, W]
winner = winners(scores, masks)
proved("equal", winner, winners_naive(scores, masks))

# %% [markdown]
# Steps 3 to 5, one candidate after the other, in the order of the queries:

# %%
def merge(scores, labels, masks, overlap_threshold):
    """[N], [N], [N, H, W] -> segment ids int32 [H, W], classes of the segments 1, 2, ..."""
    winner = winners(scores, masks)
    segment_map, found = torch.zeros(winner.shape, dtype=torch.int32), []
    for n, label in enumerate(labels.tolist()):
        own, won = masks[n] >= 0.5, winner == n
        visible = own & won
        if not visible.any() or won.sum() / own.sum() < overlap_threshold:
            continue
        if is_thing[label] or label not in found:
            found.append(label)
            segment_map[visible] = len(found)
        else:
            segment_map[visible] = found.index(label) + 1
    return segment_map, found


# %% [markdown]
# One of the candidates is dropped:

# %%
segment_map, found = merge(scores, labels, masks, overlap)
print(len(found), "segments:", ", ".join(names[k] for k in found))

# %% [markdown]
# The package's `panoptic_inference` gives the same map and the same classes:

# %%
from oneformer_lite.inference import panoptic_inference

theirs, segments = panoptic_inference(raw["panoptic"], is_thing, threshold, overlap)
proved("map equal", segment_map, theirs) + proved("classes equal", found, [class_id for _, class_id, _ in segments])

# %% [markdown]
# And so does `ofl.predict`:

# %%
predicted = ofl.predict(model, sample.image, "panoptic")
proved("map equal", segment_map, predicted.segment_map)

# %% [markdown]
# Where did the thirteenth go? Each candidate's share of its own mask, and its fate. A share may exceed 1: a
# candidate also wins pixels outside its mask, where nobody is sure. Step 4 makes these void.

# %%
from oneformer_lite.inference.merging import compete, settle

_, _, areas = compete(scores, masks)
fates, _ = settle(labels.tolist(), scores.tolist(), areas, is_thing, overlap)
for query, k, area, fate in zip(queries.tolist(), labels, areas, fates):
    print(f"query {query:>2}  {names[k]:<9} share {area.won / area.own:.2f}  {fate.name}")

# %% [markdown]
# A person, found twice: most of the second query's mask is won by the first one. Look closely:

# %%
from oneformer_lite.data.sample import SegmentInfo


def flat(ids, classes, box=np.s_[70:150, 75:185]):
    """a part of an id map in plain colours, three times as large; black is void"""
    segments = [SegmentInfo(n, int(k)) for n, k in classes.items()]
    table = np.zeros((max(classes) + 1, 3), dtype=np.uint8)
    for n, color in ofl.render.segment_colors(segments, sample.categories).items():
        table[n] = color
    return table[np.asarray(ids)[box]].repeat(3, 0).repeat(3, 1)


# %% [markdown]
# The part of the scene with the person and the dog:

# %%
row = [
    flat(winner + 1, dict(enumerate(labels, start=1))),
    flat(segment_map, dict(enumerate(found, start=1))),
    flat(sample.segment_map, {s.id: s.class_id for s in sample.segments}),
]
titles = ["step 2: winners", "steps 3 to 5: segments", "annotated"]
picture = ofl.render.contact_sheet([row], titles)
ofl.render.described(picture, "Part of the scene three times: winners, where every pixel belongs to somebody; "
                              "segments, with black gaps at borders; and the annotation.")

# %% [markdown]
# Left, every pixel has a winner; the query that has found the person a second time is left with the small piece in
# lighter pink at the upper right of the first one's head. Middle: that piece is void (black), and thin void lines run
# where two masks end. Right: the truth.

# %% [markdown]
# ## Live
#
# `MergeInspector` shows the map, one query's mask, every query's fate (in a table, when it runs) and the panoptic
# quality PQ of the picture (lesson 12). In the middle, here for the second person: dark blue are the pixels that the
# query wins, yellow those of its mask that another query wins.

# %%
from oneformer_lite.widgets import MaskInspector, MergeInspector

merging = MergeInspector(model, sample)
merging

# %% [markdown]
# Switch the overlap rule off: the small piece becomes a segment that nobody annotated, and PQ falls. Colours now tell what
# became of a segment: green is found, pink is wrong, orange (right) was missed.

# %%
merging.set(overlap_threshold=0.0, colors="outcome")

# %% [markdown]
# `MaskInspector` shows an answer beside the truth; here the semantic one. When it runs, the pointer reads class, score
# and IoU.

# %%
MaskInspector(model, sample).set(task="semantic")

# %% [markdown]
# ## What a threshold is worth
#
# One picture proves nothing. Take the 24 scenes of lesson 00, run the model once on each, and merge with many
# thresholds.

# %%
few = ofl.data.Toytown("val", size=128, length=24)
scenes = list(few)
raws = [predict_raw(model, scene.image, "panoptic")[1] for scene in scenes]

# %% [markdown]
# PQ of all scenes, in percent:

# %%
from oneformer_lite.metrics import PanopticMetric


def quality(object_threshold, overlap_threshold):
    """PQ, and how many segments were predicted"""
    metric, count = PanopticMetric(few.categories), 0
    for raw_scene, scene in zip(raws, scenes):
        ids, found = panoptic_inference(raw_scene, is_thing, object_threshold, overlap_threshold)
        metric.update(ids.numpy(), [SegmentInfo(i, k) for i, k, _ in found], scene.segment_map, scene.segments)
        count += len(found)
    return metric.compute().pq, count


print(f"PQ {quality(threshold, overlap)[0]:.0f}")

# %% [markdown]
# And the curves:

# %%
thresholds = (0.02, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.98)
figure, axis = plt.subplots(figsize=(9, 3.8), layout="constrained")
for value, color in ((0.0, "#D55E00"), (0.5, "#E69F00"), (0.8, "#009E73"), (0.95, "#0072B2")):
    axis.plot(thresholds, [quality(t, value)[0] for t in thresholds], "o-", color=color, label=f"{value:g}")
axis.set(xlabel="object mask threshold", ylabel="PQ, percent", ylim=(77, 85))
axis.legend(title="overlap threshold", ncols=4, loc="lower left")
axis.grid(alpha=0.3)
ofl.render.described(figure, "PQ over the object mask threshold, a line for each overlap threshold. The line of 0.8 "
                             "is the highest throughout, that of 0.95 the lowest; all are flat up to 0.7.")

# %% [markdown]
# The object mask threshold hardly matters: this model is sure of nearly everything it says. The overlap threshold
# does: without it every small rest counts as a false positive; near 1 good segments with a neighbour in front fall.

# %% [markdown]
# ## Where it is proved
#
# `tests/test_postprocessing.py` compares all three with a slow reading of the official definition, in numpy and
# double precision, over sizes, paddings and ties. `tests/weights/test_against_transformers.py` proves the logits
# that go in equal to the published model's.
#
# ## What is simplified here, and where others differ
#
# * Nothing is left out. The official code is `oneformer_model.py` (`semantic_inference`, `panoptic_inference`,
#   `instance_inference`); it enlarges every query's mask, the package only those that a result needs.
# * Our panoptic segments carry a score (that of the surest query), for the eye alone: PQ does not use it.
# * transformers' post-processing is not this one: its panoptic merge tests areas weighted by score, keeps pixels
#   outside the winner's own mask, and stretches the padding into the picture. PQ and AP published for OneFormer do
#   not come out of it.
# * Object mask threshold: 0.8 for COCO and Cityscapes, 0.5 for ADE20K. The number of instances kept is that of
#   the queries, 150 or 250.

# %% [markdown]
# ## Break it
#
# **Forget to cut the padding.** The strip again, its semantic answer read with and without the cut:

# %%
from dataclasses import replace

uncut = replace(raw_strip, unpadded=raw_strip.padded)
good, bad = (semantic_inference(r).argmax(0).numpy() for r in (raw_strip, uncut))
row = [ofl.render.overlay_labels(strip, labels, sample.categories) for labels in (good, bad)]
picture = ofl.render.contact_sheet([[ofl.render.enlarge(p, 2) for p in row]], ["cut", "not cut"])
ofl.render.described(picture, "A narrow picture's semantic answer, with the padding cut and not cut. Not cut, every "
                              "segment is too high for what it covers, the more the lower it lies.")

# %% [markdown]
# Everything is pressed together, and the padding's road shows at the bottom. In numbers:

# %%
from oneformer_lite.metrics import semantic_labels

truth = semantic_labels(sample.segment_map, sample.segments)[:, 40:176]
for name, labels in (("cut", good), ("not cut", bad)):
    print(f"{name:<8} {(labels == truth)[truth >= 0].mean():.0%} of the pixels right")

# %% [markdown]
# **Confuse logits and probabilities.** A mask ends at probability 0.5, which is logit 0. Two ways to mix that up,
# for the masks of the things that the instance token finds:

# %%
from oneformer_lite.inference.merging import surest_classes

score, label = surest_classes(raw["instance"].class_logits)
sure = (label < len(names)) & (score > 0.5)
logits = raw["instance"].masks(sure)  # [n, H, W]
for text, mask in (("logit > 0.5", logits > 0.5), ("probability > 0", logits.sigmoid() > 0)):
    print(f"{text:<16} {mask.sum() / (logits > 0).sum():.2f} times as many pixels as there should be")

# %% [markdown]
# The second mistake fills the picture, so you find it. The first takes a thin rim off every mask, and nothing
# looks wrong. Here the rim of one mask, in orange:

# %%
n = label[sure].tolist().index(names.index("person"))
lost = (logits[n] > 0).int() + ((logits[n] > 0) & (logits[n] <= 0.5))
table = np.array([(235, 235, 235), (0, 158, 115), (213, 94, 0)], dtype=np.uint8)
picture = table[lost[70:140, 75:155]].repeat(5, 0).repeat(5, 1)
ofl.render.described(picture, "The person's mask in green, with a thin, broken rim of orange cells.")

# %% [markdown]
# **No overlap rule.** Over the 24 scenes, with the same candidates:

# %%
annotated = sum(not s.is_crowd for scene in scenes for s in scene.segments)
for value in (0.8, 0.0):
    pq, count = quality(threshold, value)
    print(f"overlap threshold {value}: {count} segments for {annotated} annotated, PQ {pq:.0f}")

# %% [markdown]
# ## In the package
#
# * `inference.RawPrediction`: one picture's logits; `masks` enlarges, cuts and resizes
# * `inference.semantic_inference`: the sum over queries
# * `inference.instance_inference`: the best pairs of query and class
# * `inference.panoptic_inference`: the merge
# * `inference.merging.surest_classes`: step 1
# * `inference.merging.compete`: step 2, with the areas
# * `inference.merging.settle`: steps 3 to 5, and each query's fate

# %% [markdown]
# ## Summary
#
# * Semantic: class probability times mask probability, summed over queries; no threshold.
# * Instance: the Q best pairs of query and class, things alone, scored by class and by the mask's certainty.
# * Panoptic: sure queries compete for pixels; who loses too much of its mask is dropped; the rest is void.
#
# **Ask yourself**
#
# <details><summary>Why may one query become two instances in the instance answer, and never in the panoptic
# one?</summary>
# The list takes pairs of query and class, and a second guess far down costs AP little. A pixel can belong to one
# segment only, so the merge takes each query's surest class.</details>
#
# <details><summary>What does the mean mask probability inside the mask add to the score?</summary>
# The class head knows what is there, not how well it is drawn. A mask of probabilities near 0.5 is a guess; its
# score falls, and in the ranking it stands behind masks with sharp edges.</details>
#
# <details><summary>Why is the overlap share counted against the query's own mask, and not against the
# picture?</summary>
# Small things must have the same chance as large ones. The share asks: is what is left still the thing the query
# meant?</details>
#
# <details><summary>Which queries does the object mask threshold drop that the sum of the semantic answer does
# not need to drop?</summary>
# Unsure ones. In the sum they weigh little and disturb nobody. In a competition they could win pixels where
# everybody is weak.</details>
