# %% [markdown]
# # Lab 12 · PQ, AP, mIoU
#
# Four exercises with lesson 12. Replace each `...` by your code, run the cell and the check below it. A check never
# fails: it tells what it expected and what yours gives. What follows works with your answer, or with ours.

# %%
import matplotlib.pyplot as plt
import numpy as np
import oneformer_lite as ofl
from oneformer_lite import labs
from oneformer_lite.metrics import semantic_labels

sample = ofl.data.Toytown("val", size=192)[13]
model = ofl.from_pretrained("toytown")
names = [category.name for category in sample.categories]
predicted = ofl.predict(model, sample.image, "panoptic")

# %% [markdown]
# The names of your answers, so that a slip in one of them stops nothing that follows:

# %%
labs.begin("12", globals())

# %% [markdown]
# ## 12.1 · All pairs at once
# ●●○○○ · 15 minutes · you may use: numpy, one `bincount`, no loops
#
# Two maps of one size: `guess` holds ids 0 to P-1, `truth` ids 0 to G-1. Return the IoU of every pair, float `[P, G]`:
# rows are guesses, columns truths. An id that has no pixel has IoU 0 with everybody.
#
# <details><summary>Hint</summary><code>guess * G + truth</code> is another number for each pair. The areas are sums
# over rows and columns of what you have counted.</details>

# %%
def iou_matrix(guess, truth, guesses, truths):
    """int [H, W], int [H, W], P, G -> float [P, G]"""
    # SOLUTION
    codes = (guess * truths + truth).ravel()
    both = np.bincount(codes, minlength=guesses * truths).reshape(guesses, truths)
    either = both.sum(1, keepdims=True) + both.sum(0) - both
    return both / np.maximum(either, 1)
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("12.1", iou_matrix)

# %% [markdown]
# From here on `iou_matrix` is yours if it passed, and the reference if not. The segments of the prediction against
# those of scene 13, without row and column 0, which are void:

# %%
iou_matrix = labs.use("12.1", iou_matrix)
order = {s.id: n for n, s in enumerate(sample.segments, start=1)}
truth = np.vectorize(lambda i: order.get(i, 0))(sample.segment_map)
ious = iou_matrix(predicted.segment_map, truth, len(predicted.segments) + 1, len(sample.segments) + 1)[1:, 1:]
print(ious.shape, f"largest {ious.max():.2f}, pairs above one half: {(ious > 0.5).sum()}")

# %% [markdown]
# Each row is a predicted segment. Look for the row without a dark field: it is one mask over two trees.

# %%
figure, axis = plt.subplots(figsize=(7, 5.2), layout="constrained")
shown = axis.imshow(ious, cmap="Blues", vmin=0, vmax=1)
axis.set_xticks(range(len(sample.segments)), [names[s.class_id] for s in sample.segments], rotation=90)
axis.set_yticks(range(len(predicted.segments)), [s.class_name for s in predicted.segments])
axis.set(xlabel="annotated", ylabel="predicted")
figure.colorbar(shown, label="IoU")
plt.show()

# %% [markdown]
# ## 12.2 · Panoptic quality
# ●●●○○ · 20 minutes · you may use: numpy, Python
#
# From the IoU of all pairs, `[P, G]`, and the classes of the guesses and of the truths, return a dictionary with
# (PQ, SQ, RQ) of every class that occurs on either side. Pairs match with the same class and an IoU above 0.5. Where
# nothing matches all three are 0. (No void, no crowds here.)
#
# <details><summary>Hint</summary>No segment can match twice, so the number of matches is the number of entries above
# 0.5 in the part of the matrix that belongs to the class.</details>

# %%
def panoptic_quality(ious, guess_classes, truth_classes):
    """[P, G], P class ids, G class ids -> {class id: (PQ, SQ, RQ)}"""
    # SOLUTION
    result = {}
    for k in {*guess_classes, *truth_classes}:
        mine, theirs = np.array(guess_classes) == k, np.array(truth_classes) == k
        hits = [iou for iou in ious[mine][:, theirs].ravel() if iou > 0.5]
        wrong, missed = mine.sum() - len(hits), theirs.sum() - len(hits)
        rq = len(hits) / (len(hits) + wrong / 2 + missed / 2)
        sq = sum(hits) / len(hits) if hits else 0.0
        result[k] = (sq * rq, sq, rq)
    return result
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("12.2", panoptic_quality)

# %% [markdown]
# The scene. The mean is the PQ of lesson 12: there is next to no void here, which the matrix counts in the union.

# %%
panoptic_quality = labs.use("12.2", panoptic_quality)
classes = [s.class_id for s in predicted.segments], [s.class_id for s in sample.segments]
qualities = panoptic_quality(ious, *classes)
for k, (pq, sq, rq) in sorted(qualities.items()):
    print(f"{names[k]:<9} PQ {pq:.2f} = SQ {sq:.2f} x RQ {rq:.2f}")
print(f"mean PQ {np.mean([pq for pq, _, _ in qualities.values()]):.2f}")

# %% [markdown]
# ## 12.3 · Mean IoU of a data set
# ●●○○○ · 15 minutes · you may use: numpy
#
# `pairs` is a list of (predicted, annotated) label maps, int `[H, W]`, of any sizes. Annotated -1 is void and does not
# count. Return the mIoU over the classes that are annotated somewhere, a number from 0 to 1.
#
# <details><summary>Hint</summary>Add up one confusion matrix over all pictures. The quotient comes last.</details>

# %%
def mean_iou(pairs, classes):
    """[(int [H, W], int [H, W]), ...], K -> float"""
    # SOLUTION
    table = np.zeros((classes, classes), dtype=int)
    for guess, truth in pairs:
        known = truth >= 0
        codes = truth[known] * classes + guess[known]
        table += np.bincount(codes, minlength=classes**2).reshape(classes, classes)
    right, seen = np.diag(table), table.sum(1) > 0
    return (right[seen] / (table.sum(0) + table.sum(1) - right)[seen]).mean()
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("12.3", mean_iou)

# %% [markdown]
# Eight scenes, alone and together. The mIoU of all is not the mean of the bars:

# %%
mean_iou = labs.use("12.3", mean_iou)
scenes = list(ofl.data.Toytown("val", size=128, length=8))
pairs = [
    (ofl.predict(model, s.image, "semantic").label_map, semantic_labels(s.segment_map, s.segments)) for s in scenes
]
alone, together = [mean_iou([pair], len(names)) for pair in pairs], mean_iou(pairs, len(names))
print(f"together {together:.2f}, mean of the single ones {np.mean(alone):.2f}")

# %% [markdown]
# The same as a picture:

# %%
plt.figure(figsize=(7, 3), layout="constrained")
plt.bar(range(8), alone, color="#56B4E9", label="one scene")
plt.axhline(together, color="#D55E00", label="all scenes, one table")
plt.xlabel("scene")
plt.ylabel("mIoU")
plt.ylim(0, 1.25)
plt.legend(loc="upper center", ncols=2)
plt.show()

# %% [markdown]
# ## 12.4 · Average precision
# ●●●○○ · 20 minutes · you may use: numpy
#
# For each guess of a class a score and whether it is a hit (1) or a miss (0), in any order, and the number of annotated
# instances. Return AP as COCO has it: the mean over the recalls 0, 0.01, ... 1 of the best precision that a list with
# at least this recall has, 0 where no list has it.
#
# <details><summary>Hint</summary><code>np.maximum.accumulate</code> from the right makes the curve fall;
# <code>np.searchsorted</code> finds the shortest list with a recall.</details>
#
# <details><summary>Second hint</summary>Append a 0 to the precisions: <code>searchsorted</code> answers "one past the
# end" where the recall is never reached.</details>

# %%
def average_precision(scores, hits, total):
    """float [n], 0 or 1 [n], number of annotated instances -> float"""
    # SOLUTION
    hits = hits[np.argsort(-scores, kind="stable")]
    found = np.cumsum(hits)
    precision = found / np.arange(1, len(hits) + 1)
    falling = np.maximum.accumulate(precision[::-1])[::-1]
    first = np.searchsorted(found / total, np.linspace(0, 1, 101))
    return np.append(falling, 0)[first].mean()
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("12.4", average_precision)

# %% [markdown]
# What does a miss cost, and where? Six guesses, five of them right, five annotated; the miss stands at rank 1, 2, ...
# 6 of the list:

# %%
average_precision = labs.use("12.4", average_precision)
scores = np.linspace(1, 0.1, 6)
aps = [average_precision(scores, np.insert(np.ones(5), place, 0), 5) for place in range(6)]
print(", ".join(f"{ap:.2f}" for ap in aps))

# %% [markdown]
# A miss at the end costs nothing:

# %%
plt.figure(figsize=(7, 3), layout="constrained")
plt.bar(range(1, 7), aps, color="#009E73")
plt.xlabel("rank of the miss")
plt.ylabel("AP")
plt.show()

# %% [markdown]
# What you wrote yourself, and what the package lent you:

# %%
labs.tally("12", globals())

# %% [markdown]
# `labs.assemble(".", "12", globals())` shows what your answers do in the whole model, beside those of the labs before.
# Lab 22 puts all of them together: your OneFormer.
