# %% [markdown]
# # 12 · PQ, AP, mIoU
#
# Two models have segmented the same pictures. Which is better, and in what? Each task has its measure:
#
# * **PQ**, *panoptic quality*: are the segments found, and how well are they drawn?
# * **AP**, *average precision*: is the ranked list of instances right, best guesses first?
# * **mIoU**, *mean intersection over union*: does each pixel have the right class?
#
# We write all three, count them by hand on maps of a few pixels, and get the numbers of lesson 00 with our own
# code. Then we look for what each of them cannot see.
#
# *Instead of* (in the sixty lines of lesson 00b): `iou > 0.5` (line J).
#
# *Goals:* compute PQ, AP and mIoU by hand; say what each of them cannot see. *Before:* lesson 11. *Minutes:* 70.
# *Words and letters:* [glossary](GLOSSARY.md).
#
# Where we are, in the map of the whole model:

# %% tags=["nbval-ignore-output"]
import oneformer_lite as ofl

ofl.drawings.model_map(ofl.from_pretrained("toytown"), ofl.data.Toytown("val", size=128)[13], "12")

# %% [markdown]
# ## A picture to work with
#
# Scene 13, annotated and predicted. **How good is that?**

# %%
import matplotlib.pyplot as plt
import numpy as np
import oneformer_lite as ofl
from PIL import Image
from oneformer_lite.lessons import proved

sample = ofl.data.Toytown("val", size=192)[13]
model = ofl.from_pretrained("toytown")
predicted = ofl.predict(model, sample.image, "panoptic")
pictures = [ofl.render.render_truth(sample, "panoptic"), predicted.render()]
picture = ofl.render.contact_sheet([pictures], column_titles=["annotated", "predicted"], font_size=20)
ofl.render.described(picture, "Scene 13, annotated and predicted. Nearly all agrees; the third tree, at the right, is "
                              "in the annotation alone.")

# %% [markdown]
# ## Intersection over union
#
# How well does a mask cover another? Pixels in both, divided by pixels in at least one:
#
# $$\mathrm{IoU}(p, g) = \frac{|p \cap g|}{|p \cup g|}$$
#
# 1 is perfect, 0 is no common pixel. A first pair, counted with sets of pixels: 4 in both, 8 in at least one.

# %%
def pixels(mask):
    return {(y, x) for y, row in enumerate(mask) for x, value in enumerate(row) if value}


p = pixels([[1, 1, 1, 0], [1, 1, 1, 0]])
g = pixels([[0, 1, 1, 1], [0, 1, 1, 1]])
print(len(p & g), "/", len(p | g), "=", len(p & g) / len(p | g))

# %% [markdown]
# ## A tiny street
#
# Annotated: two cars (1 and 2), a road (3), and three pixels that nobody labelled: *void* (0). Predicted: three
# cars (4, 5, 6), a road (7), and one more car (8). Segment ids are just numbers; the class of each stands beside.

# %%
def id_map(text):
    return np.array([[int(c) for c in row] for row in text.split()])


truth = id_map("111222 111222 333333 333000")
truth_class = {1: "car", 2: "car", 3: "road"}
guess = id_map("444455 444556 777777 777788")
guess_class = {4: "car", 5: "car", 6: "car", 7: "road", 8: "car"}

# %% [markdown]
# Here they are:

# %%
def show(maps, names):
    """id maps beside each other, each pixel with its id"""
    figure, axes = plt.subplots(1, len(maps), figsize=(3.8 * len(maps), 2.9), layout="constrained")
    for ids, title, axis in zip(maps, names, np.atleast_1d(axes)):
        axis.imshow(np.where(ids == 0, np.nan, ids), cmap="Set3", vmin=0, vmax=11)
        for (y, x), value in np.ndenumerate(ids):
            axis.text(x, y, value, ha="center", va="center")
        axis.set(title=title, xticks=[], yticks=[])
    return figure


ofl.render.described(show([truth, guess], ["annotated (0 = void)", "predicted"]),
                     "Two small maps of four rows and six columns, with the id of each cell. Annotated: segments 1, 2, 3 "
                     "and void. Predicted: 4 lies on 1, 5 and 6 on 2, 7 on 3 and beyond it, 8 on void.")

# %% [markdown]
# Every predicted segment against every annotated one. Naive: for each pair, count pixels.

# %%
def shared_naive(guess, truth):
    """{(predicted id, annotated id): pixels in both}"""
    shared = {}
    for p, g in zip(guess.flatten().tolist(), truth.flatten().tolist()):
        shared[p, g] = shared.get((p, g), 0) + 1
    return shared


shared_naive(guess, truth)

# %% [markdown]
# Fast: a pixel's two ids become one number, and equal numbers are counted at once. The package does the same in
# `count_overlaps`.

# %%
def shared_pixels(guess, truth, base=1 << 20):
    codes, counts = np.unique(guess.astype(np.int64) * base + truth, return_counts=True)
    return {(int(code // base), int(code % base)): int(n) for code, n in zip(codes, counts)}


from oneformer_lite.metrics.overlaps import count_overlaps

shared = shared_pixels(guess, truth)
(proved("at once = pixel by pixel", shared, shared_naive(guess, truth))
 + proved("at once = package", shared, count_overlaps(guess, truth)))  # fmt: skip

# %% [markdown]
# ## Who found whom
#
# A predicted and an annotated segment **match** if they have the same class and an IoU above 0.5. Why 0.5?
# Because then nobody matches twice, and no Hungarian algorithm (lesson 08) is needed. The proof has three lines:
#
# 1. If $\mathrm{IoU}(p, g) > \frac12$, then $|p \cap g| > \frac12 |p \cup g| \ge \frac12 |p|$: more than half of
#    $p$ lies in $g$.
# 2. Annotated segments do not overlap, so no other $g'$ can hold more than half of $p$.
# 3. The same with $p$ and $g$ swapped: $g$ is found by no other $p'$.
#
# (Line 1 needs *above* 0.5. At exactly 0.5 two halves of a segment would both match it.)

# %% [markdown]
# Void has two rules. Nobody knows what is there, so a prediction loses nothing there:
#
# * void pixels do not count in the union;
# * a prediction without match that lies *mostly* (more than half) on void is forgotten, not a false positive.

# %%
def match(guess, guess_class, truth, truth_class):
    """-> matches [(p, g, IoU)], false positives [p], false negatives [g]"""
    shared = shared_pixels(guess, truth)
    area = {p: int((guess == p).sum()) for p in guess_class}
    void = {p: shared.get((p, 0), 0) for p in guess_class}
    matches = []
    for (p, g), both in shared.items():
        if p in guess_class and g in truth_class and guess_class[p] == truth_class[g]:
            iou = both / (area[p] - void[p] + int((truth == g).sum()) - both)
            if iou > 0.5:
                matches.append((p, g, iou))
    found, met = {p for p, _, _ in matches}, {g for _, g, _ in matches}
    wrong = [p for p in guess_class if p not in found and void[p] <= area[p] / 2]
    return matches, wrong, [g for g in truth_class if g not in met]


matches, wrong, missed = match(guess, guess_class, truth, truth_class)
print("matches:", ", ".join(f"{p} found {g} with IoU {iou:.3f}" for p, g, iou in matches))
print("false positives:", wrong, " false negatives:", missed)

# %% [markdown]
# By hand: car 4 has 7 pixels, 6 of them in car 1: 6/7 = 0.857. Car 5 has 4, all in car 2 with its 6 pixels:
# 4/6 = 0.667. The road 7 covers all 9 pixels of road 3, and one of void, which is taken out: 9/9 = 1. Car 6 found
# nobody: a false positive. Car 8 lies on void alone: forgotten.

# %% [markdown]
# The package, given the same maps. It speaks of class ids, so let car be 0 and road be 1:

# %%
from oneformer_lite.data.sample import Category, SegmentInfo
from oneformer_lite.metrics import PanopticMetric, match_segments

street = (Category(1, "car", is_thing=True), Category(2, "road", is_thing=False))


def listed(classes, crowds=()):
    """{id: name} -> the package's list of segments"""
    return [SegmentInfo(i, ("car", "road").index(name), i in crowds) for i, name in classes.items()]


theirs = match_segments(guess, listed(guess_class), truth, listed(truth_class))
same = proved("matches equal", [(m.pred_id, m.gt_id, m.iou) for m in theirs.matches], matches)
same += proved("false positives equal", [s.id for s in theirs.false_positives], wrong)
same + proved("false negatives equal", [s.id for s in theirs.false_negatives], missed)

# %% [markdown]
# ## PQ = SQ x RQ
#
# For one class, with TP the matches, FP the false positives and FN the false negatives:
#
# $$\mathrm{PQ} = \frac{\sum_{TP} \mathrm{IoU}}{|TP| + \frac12|FP| + \frac12|FN|}
# = \underbrace{\frac{\sum_{TP} \mathrm{IoU}}{|TP|}}_{\text{SQ: how well drawn}} \times
# \underbrace{\frac{|TP|}{|TP| + \frac12|FP| + \frac12|FN|}}_{\text{RQ: how well found}}$$

# %%
def quality(ious, wrong, missed):
    """IoUs of the matches, numbers of false positives and negatives -> PQ, SQ, RQ"""
    sq = sum(ious) / len(ious) if ious else 0.0
    rq = len(ious) / (len(ious) + wrong / 2 + missed / 2)
    return sq * rq, sq, rq


car, road = quality([6 / 7, 4 / 6], 1, 0), quality([9 / 9], 0, 0)
print("car:  PQ {:.3f} = SQ {:.3f} x RQ {:.3f}".format(*car))
print("road: PQ {:.3f} = SQ {:.3f} x RQ {:.3f}".format(*road))
print(f"PQ of the street: {(car[0] + road[0]) / 2:.3f}, things {car[0]:.3f}, stuff {road[0]:.3f}")

# %% [markdown]
# By hand, the cars: SQ = (0.857 + 0.667) / 2 = 0.762. RQ = 2 / (2 + 1/2) = 0.8. The PQ of a picture is the mean
# over its classes: one rare class weighs as much as the road. And the package:

# %%
metric = PanopticMetric(street)
_ = metric.update(guess, listed(guess_class), truth, listed(truth_class))
result = metric.compute()
print(f"PQ {result.pq / 100:.3f}, things {result.pq_things / 100:.3f}, stuff {result.pq_stuff / 100:.3f}")

# %% [markdown]
# ## Crowds
#
# Where annotators met a hundred people they drew one mask and called it a *crowd*. It is one segment, but not one
# person. So it can be neither found nor missed, and who predicts single people inside is right, only not counted:
# a prediction of the crowd's class that lies mostly on crowd and void is forgotten.

# %%
def match_crowds(guess, guess_class, truth, truth_class, crowds):
    """as match; crowds: ids of the annotated segments that are crowds"""
    single = {g: name for g, name in truth_class.items() if g not in crowds}
    matches, wrong, missed = match(guess, guess_class, truth, single)

    def forgiven(p):
        crowd = [g for g in crowds if truth_class[g] == guess_class[p]]
        neutral = (truth == 0) | np.isin(truth, crowd)
        return neutral[guess == p].mean() > 0.5

    return matches, [p for p in wrong if not forgiven(p)], missed


# %% [markdown]
# Let car 2 be a crowd of cars. Predictions 5 and 6 lie on it, and are forgotten:

# %%
matches, wrong, missed = match_crowds(guess, guess_class, truth, truth_class, crowds={2})
theirs = match_segments(guess, listed(guess_class), truth, listed(truth_class, crowds={2}))
print("matches:", [(p, g) for p, g, _ in matches], " false positives:", wrong, " false negatives:", missed)
print("forgotten by the package:", [s.id for s in theirs.ignored])

# %% [markdown]
# ## Our scene
#
# The same function on scene 13 and its prediction, that of lesson 11. Who was found, who not?

# %%
def match_sample(prediction, sample):
    return match_crowds(
        prediction.segment_map, {s.id: s.class_id for s in prediction.segments},
        sample.segment_map, {s.id: s.class_id for s in sample.segments},
        {s.id for s in sample.segments if s.is_crowd},
    )


names = [category.name for category in sample.categories]
of_guess = {s.id: s.class_name for s in predicted.segments}
of_truth = {s.id: names[s.class_id] for s in sample.segments}
matches, wrong, missed = match_sample(predicted, sample)
told = [f"{of_truth[g]} {iou:.2f}" for _, g, iou in matches]
print("found:", ", ".join(told[:6]), "\n      ", ", ".join(told[6:]))
print("false positives:", [of_guess[p] for p in wrong], " false negatives:", [of_truth[g] for g in missed])

# %% [markdown]
# One tree found, one predicted falsely, two missed: look at the pictures above. One query took the rear tree *and*
# the fir at the right edge for one tree. With neither of the two is its IoU above one half, so neither is found. In
# PQ there is no partial credit for that.
#
# ## PQ of a data set
#
# Matches are collected over all pictures, class by class; only then comes the quotient.

# %%
def panoptic_quality(predictions, samples, categories):
    """mean PQ over the classes seen, with the PQ of each class"""
    counts = {k: ([], [], []) for k in range(len(categories))}
    for prediction, sample in zip(predictions, samples):
        matches, wrong, missed = match_sample(prediction, sample)
        guess_class = {s.id: s.class_id for s in prediction.segments}
        truth_class = {s.id: s.class_id for s in sample.segments}
        for p, _, iou in matches:
            counts[guess_class[p]][0].append(iou)
        for p in wrong:
            counts[guess_class[p]][1].append(p)
        for g in missed:
            counts[truth_class[g]][2].append(g)
    each = {k: quality(a, len(b), len(c))[0] for k, (a, b, c) in counts.items() if a or b or c}
    return np.mean(list(each.values())), each


pq, _ = panoptic_quality([predicted], [sample], sample.categories)
print(f"PQ of the scene: {pq:.3f}")

# %% [markdown]
# Lesson 11's inspector said the same. Now the 24 scenes of lesson 00, under all three tokens:

# %%
few = ofl.data.Toytown("val", size=128, length=24)
scenes = list(few)
answers = {
    task: [ofl.predict(model, scene.image, task, min_score=0.0) for scene in scenes]
    for task in ("panoptic", "instance", "semantic")
}

# %% [markdown]
# Ours beside the package's:

# %%
pq, each = panoptic_quality(answers["panoptic"], scenes, few.categories)
metric = PanopticMetric(few.categories)
for prediction, scene in zip(answers["panoptic"], scenes):
    metric.update(prediction.segment_map, prediction.segments, scene.segment_map, scene.segments)
result = metric.compute()
print(f"PQ {100 * pq:.0f}, things {result.pq_things:.0f}, stuff {result.pq_stuff:.0f}")
proved("ours = package", 100 * pq, result.pq, rtol=1e-5)

# %% [markdown]
# Class by class, the share of what is found and how well it is drawn:

# %%
figure, axis = plt.subplots(figsize=(9.5, 3.6), layout="constrained")
place = np.arange(len(names))
axis.bar(place - 0.2, [c.sq for c in result.per_class], 0.38, color="#56B4E9", label="SQ: how well drawn")
axis.bar(place + 0.2, [c.rq for c in result.per_class], 0.38, color="#E69F00", label="RQ: how well found")
axis.plot(place, [c.pq for c in result.per_class], "kD", label="PQ")
axis.set_xticks(place, names, rotation=30)
axis.set(ylabel="percent", ylim=(0, 118))
axis.legend(ncols=3, loc="upper center")
ofl.render.described(figure, "For each class two bars, how well it is drawn (SQ) and how well it is found (RQ), with "
                             "PQ as a mark. Sky, grass and bus are near 100; lamp and dog are the lowest.")

# %% [markdown]
# Stuff is nearly always found. Things are missed now and then, and small or thin ones (dogs, lamps) are drawn
# badly.

# %% [markdown]
# ## AP: a ranked list
#
# Instances come with scores, and masks may overlap. AP asks: going down the list from the best guess, how many
# are right (**precision**), and how many of the annotated have been found (**recall**)?
#
# A tiny list: five guesses for four annotated cars, sorted by score. 1 is a hit, 0 a miss.

# %%
hits, total = [1, 0, 1, 1, 0], 4
for n in range(1, 6):
    found = sum(hits[:n])
    print(f"after guess {n}: precision {found}/{n} = {found / n:.2f}, recall {found}/{total} = {found / total:.2f}")

# %% [markdown]
# AP is the area under precision over recall. COCO's rule lets the curve only fall, and reads it at 101 recalls 0,
# 0.01, ... 1: for each of them, take the highest precision among all lengths of the list with at least this recall; 0
# if there is none.

# %%
def average_precision_naive(hits, total):
    area = 0
    for recall in np.linspace(0, 1, 101):
        reached = [sum(hits[:n]) / n for n in range(1, len(hits) + 1) if sum(hits[:n]) / total >= recall]
        area += max(reached, default=0) / 101
    return area


print(f"AP {average_precision_naive(hits, total):.4f}")

# %% [markdown]
# By hand: precision 1 at the 26 recalls 0 to 0.25, then 3/4 (of guess 4) at the 50 recalls up to 0.75, then 0:
# (26 + 50 x 0.75) / 101 = 0.6287. With cumulative sums:

# %%
def average_precision(hits, total):
    """hits [n], best guess first; number of annotated instances -> AP"""
    found = np.cumsum(hits)
    precision = found / np.arange(1, len(hits) + 1)
    falling = np.maximum.accumulate(precision[::-1])[::-1]
    first = np.searchsorted(found / total, np.linspace(0, 1, 101))  # shortest list with that recall
    return np.append(falling, 0)[first].mean()


print(f"AP {average_precision(hits, total):.4f}")

# %% [markdown]
# The picture of it:

# %%
found = np.cumsum(hits)
figure, axis = plt.subplots(figsize=(7.5, 3.6), layout="constrained")
axis.plot(found / total, found / np.arange(1, 6), "o--", color="#999999", label="after each guess")
grid = np.linspace(0, 1, 101)
falling = [max((sum(hits[:n]) / n for n in range(1, 6) if found[n - 1] / total >= r), default=0) for r in grid]
axis.fill_between(grid, falling, step="pre", color="#56B4E9", alpha=0.3)
axis.plot(grid, falling, ".", color="#0072B2", label="at 101 recalls; AP is their mean")
axis.set(xlabel="recall", ylabel="precision", ylim=(0, 1.08))
axis.legend(loc="lower left")
ofl.render.described(figure, "Precision over recall. A grey line falls and rises with each guess; the falling steps "
                             "that count lie over it: 1 up to a recall of 0.25, 0.75 up to 0.75, then 0.")

# %% [markdown]
# ## What is a hit?
#
# Guesses choose in the order of their scores. Each takes the annotated instance of its class that it covers best
# and that is still free, if the IoU reaches the threshold; else it is a miss. Here two guesses may want the same
# instance, for predicted masks overlap: the surer one gets it, the other is a *duplicate*, a miss.
#
# A guess that has no free instance but lies on a crowd is not counted. (On a crowd the "union" is the guess alone.)

# %%
def judge(ious, crowd, threshold):
    """ious [n, G], best guess first; crowd bool [G] -> n times 1 (hit), 0 (miss) or None (not counted)"""
    free, verdicts = ~crowd, []
    for row in ious:
        if (row * free).max(initial=0) >= threshold:
            free = free & (np.arange(len(free)) != (row * free).argmax())
            verdicts.append(1)
        else:
            verdicts.append(None if (row * crowd).max(initial=0) >= threshold else 0)
    return verdicts


# %% [markdown]
# Three guesses, two cars and a crowd. The second guess is a duplicate, the third lies on the crowd:

# %%
ious = np.array([[0.8, 0.0, 0.0], [0.7, 0.1, 0.2], [0.0, 0.0, 0.9]])
print("at 0.50:", judge(ious, np.array([False, False, True]), 0.5))
print("at 0.85:", judge(ious, np.array([False, False, True]), 0.85))

# %% [markdown]
# That is what the **ten thresholds** 0.50, 0.55, ... 0.95 are for: the stricter ones reward well drawn masks. AP
# is the mean over thresholds and classes; AP50 has only the first.

# %%
thresholds = np.linspace(0.5, 0.95, 10)


def ious_of(guesses, truths, crowd):
    """bool [n, H, W], [G, H, W] -> [n, G]"""
    guesses, truths = (m.reshape(len(m), np.prod(m.shape[1:])).astype(float) for m in (guesses, truths))
    both, area = guesses @ truths.T, guesses.sum(1)[:, None]
    return both / np.maximum(np.where(crowd, area, area + truths.sum(1) - both), 1)


# %% [markdown]
# Over a data set the guesses of all pictures go into one list for each class. Each picture is judged by itself,
# then everything is sorted by score:

# %%
def class_aps(predictions, samples, k):
    """AP of class k at each threshold; None if it is never annotated"""
    scores, verdicts, total = [], [], 0
    for prediction, sample in zip(predictions, samples):
        mine = [s for s in sample.segments if s.class_id == k]
        crowd = np.array([s.is_crowd for s in mine], dtype=bool)
        masks = np.array([sample.segment_map == s.id for s in mine]).reshape(-1, *sample.size)
        order = np.flatnonzero(prediction.class_ids == k)  # best first already
        ious = ious_of(prediction.masks[order], masks, crowd)
        verdicts.append(np.array([judge(ious, crowd, t) for t in thresholds], dtype=float))  # None becomes nan
        scores.append(prediction.scores[order])
        total += int((~crowd).sum())
    verdicts = np.concatenate(verdicts, axis=1)[:, np.argsort(-np.concatenate(scores), kind="stable")]
    return [average_precision(row[~np.isnan(row)], total) for row in verdicts] if total else None


# %% [markdown]
# The 24 scenes, things only:

# %%
things = [k for k, category in enumerate(few.categories) if category.is_thing]
aps = {k: class_aps(answers["instance"], scenes, k) for k in things}
ap = np.mean([row for row in aps.values() if row])
print(f"AP {100 * ap:.0f}, AP50 {100 * np.mean([row[0] for row in aps.values() if row]):.0f}")

# %% [markdown]
# The reference tool is pycocotools. It reads lists of run-length coded masks:

# %%
from oneformer_lite.data.instance import encode_mask


def entry(n, image_id, class_id, mask, **more):
    """One mask in COCO's format"""
    code, area = encode_mask(mask), int(mask.sum())
    return {"id": n, "image_id": image_id, "category_id": class_id, "segmentation": code, "area": area} | more


annotated, guessed = [], []
for i, (scene, prediction) in enumerate(zip(scenes, answers["instance"])):
    for s in scene.segments:
        if s.class_id in things:
            mask = scene.segment_map == s.id
            annotated.append(entry(len(annotated) + 1, i, s.class_id, mask, iscrowd=int(s.is_crowd)))
    for s, mask in zip(prediction.segments, prediction.masks):
        guessed.append(entry(len(guessed) + 1, i, s.class_id, mask, score=s.score, iscrowd=0))

# %% [markdown]
# `COCOeval` prints while it works; we keep that to ourselves.

# %%
import contextlib
import io

from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval


def as_coco(entries):
    coco = COCO()
    images = [{"id": i, "height": 128, "width": 128} for i in range(len(scenes))]
    coco.dataset = {"images": images, "categories": [{"id": k} for k in things], "annotations": entries}
    coco.createIndex()
    return coco


with contextlib.redirect_stdout(io.StringIO()):
    evaluation = COCOeval(as_coco(annotated), as_coco(guessed), iouType="segm")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
proved("equal to pycocotools", ap, evaluation.stats[0], atol=1e-8)

# %% [markdown]
# The package's `InstanceMetric` is a thin shell around it:

# %%
from oneformer_lite.metrics import InstanceMetric

metric = InstanceMetric(few.categories)
for i, (p, scene) in enumerate(zip(answers["instance"], scenes)):
    metric.update(i, p.masks, p.class_ids, p.scores, scene.segment_map, scene.segments)
proved("equal to the package", 100 * ap, metric.compute().ap, atol=1e-8)

# %% [markdown]
# Where do the points go? AP at each of the ten thresholds:

# %%
figure, axis = plt.subplots(figsize=(7.5, 3.4), layout="constrained")
for name, color in (("car", "#0072B2"), ("tree", "#009E73"), ("lamp", "#D55E00")):
    axis.plot(thresholds, 100 * np.array(aps[names.index(name)]), "o-", color=color, label=name)
axis.plot(thresholds, 100 * np.mean([row for row in aps.values() if row], 0), "ks--", label="all things")
axis.set(xlabel="IoU threshold of a hit", ylabel="AP, percent")
axis.legend()
axis.grid(alpha=0.3)
ofl.render.described(figure, "AP over the IoU threshold, from 0.5 to 0.95. All lines fall: the car's is the highest, "
                             "the tree's next, the lamp's the lowest; that of all things lies between.")

# %% [markdown]
# ## mIoU: one table of pixels
#
# Instances are forgotten, only classes count. A **confusion matrix** has a row for each annotated class and a
# column for each predicted one; every pixel with an annotation adds 1 to its cell. Classes 0, 1, 2, and -1 for
# void:

# %%
def confusion_naive(guess, truth, classes):
    table = np.zeros((classes, classes), dtype=int)
    for p, g in zip(guess.flatten(), truth.flatten()):
        if g >= 0:
            table[g, p] += 1
    return table


truth_labels = np.array([[0, 0, 0, 1], [0, 1, 1, -1]])
guess_labels = np.array([[0, 0, 1, 1], [0, 1, 2, 2]])
confusion_naive(guess_labels, truth_labels, classes=3)

# %% [markdown]
# One `bincount` does it: row and column become one number.

# %%
def confusion(guess, truth, classes):
    known = truth >= 0
    codes = truth[known] * classes + guess[known]
    return np.bincount(codes, minlength=classes**2).reshape(classes, classes)


table = confusion(guess_labels, truth_labels, 3)
proved("equal", table, confusion_naive(guess_labels, truth_labels, 3))

# %% [markdown]
# IoU of a class: the diagonal, divided by row + column - diagonal. Class 0: 3 / (4 + 3 - 3) = 0.75. Class 1: 2 / (3 +
# 3 - 2) = 0.50. Class 2 is predicted once and annotated nowhere: it is left out of the mean. (Its pixel on void does
# not count; the one on class 1 counts as an error of class 1.) mIoU = 0.625.

# %%
def miou(table):
    annotated, right = table.sum(1), np.diag(table)
    seen = annotated > 0
    return (right[seen] / (annotated + table.sum(0) - right)[seen]).mean()


print(f"mIoU {miou(table):.3f}")

# %% [markdown]
# **Dice**, also called F1, asks the same of the same three numbers: twice the diagonal, divided by row + column. Class 0:
# 6 / (4 + 3). A class's dice is 2 IoU / (1 + IoU), never below its IoU and in the same order; but the mean over classes
# is no function of the mIoU, so both are told.

# %%
def mean_dice(table):
    annotated, right = table.sum(1), np.diag(table)
    seen = annotated > 0
    return (2 * right[seen] / (annotated + table.sum(0))[seen]).mean()


print(f"mean dice {mean_dice(table):.3f}")

# %% [markdown]
# The package's metric, on the same two maps:

# %%
from oneformer_lite.metrics import SemanticMetric, semantic_labels

metric = SemanticMetric(3)
metric.update(guess_labels, truth_labels)
found = metric.compute()
print(f"mIoU {found.miou / 100:.3f}, mean dice {found.mdice / 100:.3f}")

# %% [markdown]
# The 24 scenes: **one** table over all pictures, then the quotient. `semantic_labels` reads class ids out of a
# panoptic annotation.

# %%
truths = [semantic_labels(scene.segment_map, scene.segments) for scene in scenes]
tables = [confusion(p.label_map, t, len(names)) for p, t in zip(answers["semantic"], truths)]
print(f"mIoU {100 * miou(sum(tables)):.0f}")

# %% [markdown]
# ## All three at once
#
# `ofl.evaluate` is the loop around these metrics, each task under its own token:

# %%
theirs, proofs = ofl.evaluate(model, few), []
for name, mine in (("PQ", pq), ("AP", ap), ("mIoU", miou(sum(tables)))):
    print(f"{name:<5} ours {100 * mine:.0f}, theirs {theirs[name]:.0f}")
    proofs.append(proved(f"{name} = package", 100 * mine, theirs[name], atol=1e-3))
sum(proofs[1:], proofs[0])

# %% [markdown]
# These are the numbers that lesson 00 rounds to tens.

# %% [markdown]
# ## What each of them cannot see
#
# Three answers for our scene, made from its annotation: the annotation itself; all things of a class
# *merged* into one segment; every thing *cut* into a left and a right half.

# %%
from types import SimpleNamespace


def answer(ids):
    """A made-up prediction: an id map whose ids are 1000 x class id + number"""
    segments = [SegmentInfo(int(i), int(i) // 1000) for i in np.unique(ids) if i]
    found = [s for s in segments if names[s.class_id] in names[: len(things)]]
    masks = np.array([ids == s.id for s in found])
    class_ids, scores = np.array([s.class_id for s in found]), np.ones(len(found))
    return SimpleNamespace(segment_map=ids, segments=segments, masks=masks, class_ids=class_ids, scores=scores)


exact, merged, cut = (np.zeros(sample.size, dtype=int) for _ in range(3))
for n, s in enumerate(sample.segments, start=1):
    mask, base = sample.segment_map == s.id, 1000 * s.class_id
    right = np.arange(mask.shape[1]) > np.median(np.nonzero(mask)[1])
    exact[mask], merged[mask], cut[mask] = base + n, base + 1, base + n
    cut[mask & right] += 100 * (s.class_id in things)
made_up = {"exact": answer(exact), "merged": answer(merged), "cut": answer(cut)}

# %% [markdown]
# Judge them with our own three metrics:

# %%
truth_labels = semantic_labels(sample.segment_map, sample.segments)
for name, a in made_up.items():
    labels = semantic_labels(a.segment_map, a.segments)
    rows = [row for row in (class_aps([a], [sample], k) for k in things) if row]
    pq_of_it = panoptic_quality([a], [sample], sample.categories)[0]
    print(f"{name:<7} mIoU {100 * miou(confusion(labels, truth_labels, len(names))):.0f}",
          f" PQ {100 * pq_of_it:.0f}  AP {100 * np.mean(rows):.0f}")

# %% [markdown]
# And look at them:

# %%
row = [
    ofl.render.overlay(sample.image, a.segment_map, ofl.render.segment_colors(a.segments, sample.categories))[45:165]
    for a in made_up.values()
]
picture = ofl.render.contact_sheet([[ofl.render.enlarge(p, 2) for p in row]], list(made_up), font_size=20)
ofl.render.described(picture, "Three segmentations: exact; the trees merged into one; things cut by a vertical line.")

# %% [markdown]
# Equal mIoU: it **cannot see instances**; not one pixel has another class. PQ and AP see both errors. In PQ the
# stuff, which is right, raises the mean; AP **cannot see stuff**.
#
# PQ and AP are blind in another way. Slide a square of 20 pixels away from its annotation, pixel by pixel:

# %%
shift = np.arange(0, 21)
iou = (20 - shift) / (20 + shift)
figure, axis = plt.subplots(figsize=(8, 3.6), layout="constrained")
axis.plot(shift, iou, "-", color="#999999", lw=3, label="IoU (what mIoU averages)")
axis.plot(shift, [quality([i], 0, 0)[0] if i > 0.5 else 0 for i in iou], "o-", color="#009E73", label="PQ")
axis.plot(shift, [(i >= thresholds - 1e-9).mean() for i in iou], "s-", color="#D55E00", ms=4, label="AP")
axis.set(xlabel="shift of a square of 20 x 20, pixels", ylabel="score", xticks=range(0, 21, 2))
axis.legend()
axis.grid(alpha=0.3)
ofl.render.described(figure, "Scores of a square that slides away. IoU falls smoothly to 0 at 20 pixels; PQ follows "
                             "it and drops to 0 at 7; AP falls faster, in steps, and is 0 from 7 on as well.")

# %% [markdown]
# mIoU falls smoothly. PQ follows the IoU and falls to 0 at once at 0.5: a segment drawn a little better may bring
# everything or nothing. AP goes down in ten steps and is 0 while the drawing is still half right.
#
# And one more: PQ and mIoU **cannot see scores**. AP sees nothing of a score but the *order*: halve them all and
# AP stays.

# %%
def halved(prediction):
    return SimpleNamespace(masks=prediction.masks, class_ids=prediction.class_ids, scores=prediction.scores / 2)


again = [class_aps([halved(p) for p in answers["instance"]], scenes, k) for k in things]
proved("AP with halved scores equal", np.mean([row for row in again if row]), ap, atol=1e-8)

# %% [markdown]
# ## Live
#
# `MergeInspector` again, coloured by outcome: green is found, pink a false positive, orange (right) a miss. When it
# runs, a table below the pictures has TP, FP, FN, SQ and RQ of each class.

# %%
from oneformer_lite.widgets import MergeInspector

merging = MergeInspector(model, sample).set(colors="outcome")
merging

# %% [markdown]
# What would a stricter PQ say? Ask for an IoU above 0.75, and the dog, the person and the sign fall:

# %%
_ = merging.set(min_iou=0.75)
print(merging)

# %% [markdown]
# ## Where it is proved
#
# * `tests/metrics/test_panoptic_quality.py`, `test_matching.py`: an independent version of panopticapi's definition,
#   mask by mask, on random maps with crowds and void, and on perturbed COCO annotations;
# * `tests/metrics/test_instance_metric.py`: pycocotools reading JSON files from disk;
# * `tests/metrics/test_semantic_metric.py`: scikit-learn's confusion matrix;
# * `tests/metrics/test_result_files.py`: the result files that the package writes give the same numbers.
#
# ## What is simplified here, and where others differ
#
# * AP knows no void: a guess on unlabelled pixels is a miss. Only crowds count for nothing.
# * pycocotools judges at most 100 guesses per picture (the published models make 150 or 250), and reports AP by
#   size too: small below 32², large above 96² pixels.
# * Where a picture has two crowds of one class, panopticapi (`evaluation.py`, `pq_compute_single_core`) looks at
#   the last one alone. So does the package; our lesson's version takes both.
# * mIoU: older detectron2 (`SemSegEvaluator`) counts a class that is only predicted as IoU 0. On a whole
#   validation set all classes are annotated, and it makes no difference.
# * The paper's AP on COCO uses instances derived from the panoptic annotation. On COCO's own instance files the
#   same model has another AP (paper: 49.0 and 48.9 for Swin-L).
# * torchmetrics' panoptic quality is another measure where predictions leave void: it takes ground truth under
#   predicted void out of the count.

# %% [markdown]
# ## Break it
#
# **Void as an error.** Give void an id of its own, and both void rules are gone:

# %%
def without_void_rules(scene):
    return scene.replace(segment_map=np.where(scene.segment_map == 0, 999_999, scene.segment_map))


print(f"void: {np.mean([(scene.segment_map == 0).mean() for scene in scenes]):.1%} of the pixels")
for text, judged in (("with the void rules", scenes), ("without", [without_void_rules(s) for s in scenes])):
    value, _ = panoptic_quality(answers["panoptic"], judged, few.categories)
    print(f"PQ {text:<20} {100 * value:.1f}")

# %% [markdown]
# The model loses points where the annotators gave up; the more void a data set has, the more. On the tiny street
# the same mistake makes a false positive of car 8 and costs the road a tenth:

# %%
matches, wrong, _ = match(guess, guess_class, np.where(truth == 0, 9, truth), truth_class)
print("false positives:", wrong, " IoU of the road:", [round(iou, 3) for p, _, iou in matches if p == 7])

# %% [markdown]
# **The mean of the pictures' mIoU** instead of one table. The same predictions, two numbers:

# %%
print(f"one table: {100 * miou(sum(tables)):.1f}   mean over pictures: {100 * np.mean([miou(t) for t in tables]):.1f}")

# %% [markdown]
# Why? Take a class with 900 pixels in one picture, all right, and 2 in another, both missed. One table says
# 900/902. The mean says one half: two pixels weigh as much as nine hundred.

# %%
first, second = np.array([[900, 0], [0, 100]]), np.array([[0, 2], [0, 998]])
print(f"one table {900 / 902:.3f}, mean of pictures {(900 / 900 + 0 / 2) / 2:.3f}")
print(f"mIoU: {miou(first + second):.3f} and {(miou(first) + miou(second)) / 2:.3f}")

# %% [markdown]
# ## In the package
#
# * `metrics.overlaps.count_overlaps`: pixels of every pair of ids
# * `metrics.overlaps.match_segments`: who found whom, with void and crowds
# * `metrics.panoptic.ClassQuality`: PQ, SQ and RQ of a class
# * `metrics.panoptic.PanopticMetric`: the counts over a data set
# * `metrics.instance.InstanceMetric`: AP by pycocotools
# * `metrics.semantic.SemanticMetric`: the confusion matrix
# * `metrics.semantic.semantic_labels`: class ids of a panoptic annotation

# %% [markdown]
# ## Summary
#
# * PQ: segments match at an IoU above 0.5, uniquely; SQ is how well they are drawn, RQ how well they are found.
# * AP: precision over recall down a ranked list, at ten IoU thresholds; only the order of the scores counts.
# * mIoU: one confusion matrix over all pictures; blind to instances. Void costs nothing in PQ and mIoU.
#
# **Ask yourself**
#
# <details><summary>A model finds every segment with an IoU of 0.49. What are its PQ and its mIoU?</summary>
# PQ is 0: no match, and every segment is a miss and a false positive. mIoU may be near 50.</details>
#
# <details><summary>Why does PQ match above 0.5 only, and not by a Hungarian matching at any IoU?</summary>
# Above 0.5 the pairs are unique, and everybody finds the same ones by counting. Below, a segment may fit several
# others, and the measure would depend on an optimisation.</details>
#
# <details><summary>Your model predicts each car twice, the second time with a low score. What happens to AP, and
# what to PQ?</summary>
# In AP the duplicates are misses at the end of the list: they cost nothing once all cars are found. In PQ each
# would be a false positive, if the panoptic merge let it live; the overlap rule (lesson 11) drops it.</details>
#
# <details><summary>Is the PQ of a data set the mean of its pictures' PQ?</summary>
# No. Matches, false positives and false negatives are collected first, class by class. The quotient comes last,
# as with the confusion matrix.</details>
#
# <details><summary>Why is the PQ of things lower than that of stuff nearly everywhere?</summary>
# A thing must be found one by one, apart from its neighbours, and small masks lose IoU faster: one pixel of rim
# is a large share of them.</details>
