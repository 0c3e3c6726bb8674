# %% [markdown]
# # Lab 20 · A sick model
#
# Five exercises with lesson 20: four runs with faults that nobody announces, what a curve and what names tell, and two
# lines to correct. Replace each `...` by your code, run the cell and the check below it. A check never fails: it tells what
# it expected and what yours gives. What follows works with your answer, or with ours.

# %%
import json
from collections import Counter

import matplotlib.pyplot as plt
import numpy as np
import torch
import oneformer_lite as ofl
from oneformer_lite import labs
from PIL import Image

folder = ofl.data.sample_folder() / "sick"
runs = {name: ofl.Run.attach(folder / name) for name in ("healthy", *"PQRS")}

# %% [markdown]
# The names of your answers, so that a slip in one of them stops nothing that follows:

# %%
labs.begin("20", globals())

# %% [markdown]
# ## First look
#
# Four sick runs, made as those of the lesson, beside the healthy one. The losses (running means of eight records), and the
# scores on the pictures that were learned, as each run's own log has them:

# %%
tones = {"class": "#0072b2", "mask": "#d55e00", "dice": "#009e73", "contrastive": "#cc79a7"}
figure, axes = plt.subplots(1, 5, figsize=(12, 3.2), sharey=True, layout="constrained")
for ax, (name, run) in zip(axes, runs.items()):
    trained = [r for r in run.history if r["kind"] == "train"]
    end = [r for r in run.history if r["kind"] == "eval"][-1]
    for loss, tone in tones.items():
        means = np.convolve([r[loss] for r in trained], np.ones(8) / 8, mode="valid")
        ax.plot([r["step"] for r in trained][7:], means, color=tone, label=loss)
    ax.set_yscale("symlog", linthresh=0.1)
    ax.set_title(f"{name}: PQ {end['PQ']:.0f}, AP {end['AP']:.0f}, mIoU {end['mIoU']:.0f}", fontsize=9)
figure.legend(*axes[0].get_legend_handles_labels(), ncols=4, frameon=False, loc="outside lower center")
ofl.render.described(figure, "Four losses of five runs. All fall; in S the contrastive loss is at zero from the start.")

# %% [markdown]
# A scene as each model sees it after training:

# %%
pictures = [np.asarray(Image.open(folder / name / "scene.webp").convert("RGB")) for name in runs]
panels = [[one[8:136, 8 + 136 * i : 136 + 136 * i] for i in range(4)] for one in pictures]
sheet = ofl.render.contact_sheet(panels, ["annotation", *ofl.data.TASKS], list(runs))
ofl.render.described(sheet, "A street with two cars at the left. Healthy, and S: cars, trees, sky and sidewalk in their places. "
                     "P: cars and buildings in regions that follow no border; the cars are at the right. Q: dark, but for "
                     "semantic, where most names are wrong. R: some regions in place, many dark or wrong.")  # fmt: skip

# %% [markdown]
# And a batch of each, in numbers, as its training loop saw it:

# %%
for name in runs:
    print(f"{name:<8}", json.loads((folder / name / "batch.json").read_text()))

# %% [markdown]
# ## 20.1 · Name the fault
# ●●●○○ · 20 minutes · you may use: your eyes
#
# Which fault has which run? Return one of these words for each of "P", "Q", "R", "S". Three of them are no run's.
#
# * `"other places"`: what is in a picture lies elsewhere in its annotation
# * `"no object"`: saying "no object" is paid for far too well
# * `"normalisation"`: pictures go in as they are, in training and in its evaluations, but not in use
# * `"single pictures"`: a step sees one picture
# * `"shifted classes"`: classes are counted from one
# * `"rate"`: the learning rate is far too high
# * `"queries"`: there are fewer queries than segments
#
# <details><summary>Hint</summary>Begin with what only one of them has: a loss at zero, a mean that is none of normalised
# pictures. Two are left; look at their pictures.</details>

# %%
def fault(run):
    """"P" -> one of the words"""
    # SOLUTION
    return {"P": "other places", "Q": "no object", "R": "normalisation", "S": "single pictures"}[run]
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("20.1", fault)

# %% [markdown]
# What the doctor found in each run:

# %%
fault = labs.use("20.1", fault)
for name in "PQRS":
    found = json.loads((folder / name / "doctor.json").read_text())
    print(f"{name} ({fault(name)}):", *[f["check"] for f in found if f["verdict"] == "fault"], sep="\n    ")

# %% [markdown]
# ## 20.2 · What a curve says
# ●●○○○ · 15 minutes · you may use: Python
#
# `values` are a loss over a run, 20 or more. Return the first of these that holds:
#
# 1. `"not finite"`: one of them is infinite or NaN;
# 2. `"below zero"`: the mean of the last ten is;
# 3. `"zero"`: each of the last ten is below 0.000001;
# 4. `"flat"`: the mean of the last ten is more than 0.98 of the mean of the first ten;
# 5. `"falls"`.
#
# <details><summary>Hint</summary><code>np.isfinite(values).all()</code>; then five <code>return</code>s in this
# order.</details>

# %%
def symptom(values):
    """a list of numbers -> a word"""
    # SOLUTION
    if not np.isfinite(values).all():
        return "not finite"
    start, end = np.mean(values[:10]), np.mean(values[-10:])
    if end < 0:
        return "below zero"
    if max(values[-10:]) < 1e-6:
        return "zero"
    return "flat" if end > 0.98 * start else "falls"
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("20.2", symptom)

# %% [markdown]
# Your own small doctor, on all sick runs of the lesson and the lab. It finds B, C and S. A escapes it, as what is nearly
# zero is not zero, and of the others the curves say nothing: that is why the package's asks more than curves.

# %%
symptom = labs.use("20.2", symptom)
for name in "ABCDEFGHPQRS":
    trained = [r for r in ofl.Run.attach(folder / name).history if r["kind"] == "train"]
    said = {loss: symptom([r[loss] for r in trained]) for loss in tones}
    print(name, {loss: word for loss, word in said.items() if word != "falls"} or "all fall")

# %% [markdown]
# ## 20.3 · What names say
# ●●●○○ · 15 minutes · you may use: Python
#
# Masks that fit: `true` are the classes that are there, `said` what the model calls them, `no_object` the number that means
# "no object". Return
#
# * `"no object"` if more than half are called that;
# * else, of those that are not called so, the most frequent difference `said - true`. If more than half **of all masks**
#   have it: `"fine"` for 0, and otherwise with its sign, as `"off by +1"`;
# * else `"mixed"`.
#
# <details><summary>Hint</summary><code>Counter(differences).most_common(1)[0]</code> is the most frequent one and how often
# it comes; <code>f"{offset:+d}"</code> writes the sign.</details>

# %%
def verdict(true, said, no_object):
    """two lists of class numbers, a number -> words"""
    # SOLUTION
    if sum(s == no_object for s in said) > len(true) / 2:
        return "no object"
    differences = [s - t for t, s in zip(true, said) if s != no_object]
    offset, times = Counter(differences).most_common(1)[0]
    if times <= len(true) / 2:
        return "mixed"
    return f"off by {offset:+d}" if offset else "fine"
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("20.3", verdict)

# %% [markdown]
# On the shipped model, as it is and with its class head turned by one, over the masks of six scenes that fit:

# %%
verdict = labs.use("20.3", verdict)
model, scenes = ofl.from_pretrained("toytown"), ofl.data.Toytown("val", size=128, length=6)


def said_of(model):
    true, said = [], []
    for i in range(len(scenes)):
        target = ofl.data.targets_for(scenes[i], "panoptic")
        with torch.inference_mode():
            output = model(ofl.data.normalise(scenes[i].image)[None], "panoptic")
        masks = torch.nn.functional.interpolate(output.mask_logits, size=(128, 128))[0] > 0
        shared = target.masks.flatten(1).float() @ masks.flatten(1).float().T
        iou = shared / (target.masks.flatten(1).sum(1)[:, None] + masks.flatten(1).sum(1)[None] - shared)
        fits, query = iou.max(1)
        true += target.labels[fits > 0.5].tolist()
        said += output.class_logits[0].argmax(-1)[query[fits > 0.5]].tolist()
    return true, said


print("as it is:", verdict(*said_of(model), 14))
head = model.decoder.class_head
with torch.no_grad():
    head.weight[:14], head.bias[:14] = head.weight[:14].roll(1, 0), head.bias[:14].roll(1, 0)
print("turned:  ", verdict(*said_of(model), 14))

# %% [markdown]
# ## 20.4 · Mend the table
# ●●○○○ · 10 minutes · you may use: torch, no loops
#
# What each of `count` queries should say: `labels[i]` for query `queries[i]`, "no object" for all others. This line is from a
# training whose class loss went to zero. Find out why, and write one that works:
#
# ```python
# wanted = torch.full((count,), no_object)
# wanted[queries].fill_(0).add_(labels)
# ```
#
# <details><summary>Hint</summary>Print <code>wanted</code> after the second line. What did <code>wanted[queries]</code>
# give: the table's own places, or a copy of them?</details>

# %%
def table(queries, labels, count, no_object):
    """int [G], int [G], two numbers -> int [count]"""
    # SOLUTION
    wanted = torch.full((count,), no_object)
    wanted[queries] = labels
    return wanted
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("20.4", table)

# %% [markdown]
# The cross-entropy of a model that says "no object" whatever it sees, with the broken table and with yours:

# %%
table = labs.use("20.4", table)
says_nothing = torch.zeros(6, 15)
says_nothing[:, 14] = 12.0
queries, labels = torch.tensor([4, 0, 2]), torch.tensor([7, 7, 1])
for name, wanted in (("broken", torch.full((6,), 14)), ("yours", table(queries, labels, 6, 14))):
    print(f"{name:<7} {torch.nn.functional.cross_entropy(says_nothing, wanted):.4f}")

# %% [markdown]
# ## 20.5 · Mend the loader
# ●●○○○ · 10 minutes · you may use: torch, no loops
#
# `image` is uint8 [H, W, 3], `masks` uint8 [G, H, W], 255 inside and 0 outside, give or take a few (they come from JPEG files).
# Return the picture and **bool** masks; where `mirror` is true, both mirrored left to right. This loader makes two
# mistakes:
#
# ```python
# if mirror:
#     image = image.flip(1)
# return image, masks.float()
# ```
#
# <details><summary>Hint</summary>The picture's columns are axis 1. Which axis are those of the masks? And what does the loss
# make of 255?</details>

# %%
def prepared(image, masks, mirror):
    """uint8 [H, W, 3], uint8 [G, H, W], bool -> uint8 [H, W, 3], bool [G, H, W]"""
    # SOLUTION
    inside = masks > 127
    return (image.flip(1), inside.flip(2)) if mirror else (image, inside)
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("20.5", prepared)

# %% [markdown]
# A scene and its largest thing, as they are and mirrored by your loader:

# %%
prepared = labs.use("20.5", prepared)
scene = ofl.data.Toytown("val", size=128)[13]
target = ofl.data.targets_for(scene, "instance")
largest = target.masks[target.masks.flatten(1).sum(1).argmax()]
figure, axes = plt.subplots(1, 2, figsize=(6, 3), layout="constrained")
for ax, mirror in zip(axes, (False, True)):
    image, masks = prepared(torch.from_numpy(scene.image.copy()), 255 * largest[None].to(torch.uint8), mirror)
    ax.imshow(image)
    ax.contour(masks[0], levels=[0.5], colors="white")
    ax.set(title="mirrored" if mirror else "as it is", xticks=[], yticks=[])
ofl.render.described(figure, "The same scene twice, the second time mirrored; a white line runs around the largest thing "
                     "in both.")  # fmt: skip

# %% [markdown]
# What you wrote yourself, and what the package lent you:

# %%
labs.tally("20", globals())
