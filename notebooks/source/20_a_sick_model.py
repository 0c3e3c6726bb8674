# %% [markdown]
# # 20 · A sick model
#
# Your training runs. Nothing crashes. And the model learns nothing, or not enough.
#
# **Where do you look first?**
#
# Here are eight trainings with one fault each: a setting, a data set, or one wrong line. All are faults that people make.
# We find each by its *symptoms* first, and by its cause after that. In the end you have an order of questions that finds
# most faults within minutes.
#
# *Goals:* go from a symptom to its cause, in an order that finds most faults early. *Before:* lessons 09b and 13.
# *Minutes:* 45. *Words and letters:* [glossary](GLOSSARY.md).

# %%
import json
import textwrap

import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
import oneformer_lite as ofl
from oneformer_lite.training.state import read_recipe
from PIL import Image

folder = ofl.data.sample_folder() / "sick"
letters = "ABCDEFGH"
runs = {name: ofl.Run.attach(folder / name) for name in ("healthy", *letters)}
settings = {name: read_recipe(folder / name)[:2] for name in runs}  # of the model, and of the training

# %% [markdown]
# ## A test that every model must pass
#
# When a model does not learn, take few pictures and let it learn them **by heart** (overfit), judged on the same pictures.
# A healthy model must succeed. If it fails, more pictures and more time will not help: something is wrong, be it the data, a
# line, or a setting that is far off.
#
# The eight were made so (`tests/benchmarks/sick.py`): four scenes of Toytown, 64 x 64 pixels, a small OneFormer, the same
# seed. A ninth training has no fault:

# %%
def scores(run):
    return [r for r in run.history if r["kind"] == "eval"][-1]


end = scores(runs["healthy"])
print(f"{end['step']} steps: PQ {end['PQ']:.0f}, AP {end['AP']:.0f}, mIoU {end['mIoU']:.0f}, on its own four pictures, "
      f"after {end['seconds']:.0f} seconds of one core")  # fmt: skip
for name in ("healthy", "E"):
    print(f"PQ over the run, {name}:", *[f"{r['PQ']:.1f}" for r in runs[name].history if r["kind"] == "eval"])

# %% [markdown]
# When is the test passed? There is no fixed mark. PQ must leave zero and rise from one evaluation to the next, as the
# healthy one's does: more steps will bring more. One that stays near zero, as E's, has failed.
#
# One of the four scenes: the annotation, and what the healthy model says under the three tasks:

# %%
def picture(words, *names):
    """A scene, and what the models of these runs make of it under each task."""
    rows = [np.asarray(Image.open(folder / name / "scene.webp").convert("RGB")) for name in names]
    panels = [[row[8:136, 8 + 136 * i : 136 + 136 * i] for i in range(4)] for row in rows]
    sheet = ofl.render.contact_sheet(panels, ["annotation", *ofl.data.TASKS], names)
    return ofl.render.described(sheet, f"A street: annotation, panoptic, instance, semantic. {words}")


picture("Of the healthy run. Panoptic and semantic have most borders and names as annotated. Instance has things alone, the "
        "rest is dark.", "healthy")  # fmt: skip

# %% [markdown]
# ## First look: the curves
#
# Four losses of each run, as running means of eight records. **Before you read on: which of the eight look sick?**

# %%
tones = {"class": "#0072b2", "mask": "#d55e00", "dice": "#009e73", "contrastive": "#cc79a7"}
dashes = dict(zip(tones, ("-", "--", ":", "-.")))
figure, axes = plt.subplots(3, 3, figsize=(10, 7), sharex=True, layout="constrained")
for ax, (name, run) in zip(axes.flat, runs.items()):
    trained = [r for r in run.history if r["kind"] == "train"]
    for loss, tone in tones.items():
        means = np.convolve([r[loss] for r in trained], np.ones(8) / 8, mode="valid")
        ax.plot([r["step"] for r in trained][7:], means, dashes[loss], color=tone, label=loss)
    ax.set_yscale("symlog", linthresh=0.1)
    ax.set_title(f"{name}: PQ {scores(run)['PQ']:.0f}")
figure.legend(*axes[0, 0].get_legend_handles_labels(), ncols=4, frameon=False, loc="outside lower center")
ofl.render.described(figure, "Nine small pictures of four losses over the steps. In A the class loss falls to nearly "
                     "nothing, in B the mask loss falls far below zero, in C nothing falls much. The others look "
                     "alike.")  # fmt: skip

# %% [markdown]
# A, B and C do not look like the healthy one. **D to H do**: curves find the coarse faults only. The numbers, losses as
# means of the last eight records. Class, mask and dice are sums over four predictions, the first and one after each of three
# layers (lesson 09b), without weights: so a dice loss begins near 4.

# %%
print(f"{'':<8}{'class':>7}{'mask':>11}{'dice':>7}{'contrast':>10}   {'PQ':>5}{'AP':>6}{'mIoU':>6}")
for name, run in runs.items():
    last = [r for r in run.history if r["kind"] == "train"][-8:]
    means = [np.mean([r[loss] for r in last]) for loss in tones]
    s = scores(run)
    print(f"{name:<8}{means[0]:7.2f}{means[1]:11.3g}{means[2]:7.2f}{means[3]:10.2f}   "
          f"{s['PQ']:5.1f}{s['AP']:6.1f}{s['mIoU']:6.1f}")  # fmt: skip

# %% [markdown]
# `ofl.doctor(run=folder)` asks most questions of this lesson at once: of the recipe, the log, the data, and of one batch
# that goes through the model. Weights are too large to come along, so its findings lie beside the logs, as it made them
# when the weights were there. A **fault** cannot be right. A **warning** may be right: look at it. Even the healthy run has
# one:

# %%
def findings(name, *checks):
    """What the doctor found in a run by these ``checks``; and the names of faults found by others."""
    found = json.loads((folder / name / "doctor.json").read_text())
    for f in found:
        if f["check"] in checks:
            print(*textwrap.wrap(f"{name} [{f['verdict']}] {f['check']}: {f['evidence']}", 110), sep="\n")
            if f["cure"]:
                print(*textwrap.wrap(f"-> {f['cure']}", 106, initial_indent="    ", subsequent_indent="    "), sep="\n")
    others = [f["check"] for f in found if f["verdict"] == "fault" and f["check"] not in checks]
    if others:
        print(f"    (other faults of {name}: {', '.join(others)})")


verdicts = [f["verdict"] for f in json.loads((folder / "healthy" / "doctor.json").read_text())]
print({verdict: verdicts.count(verdict) for verdict in dict.fromkeys(verdicts)})
findings("healthy", "classes seen", "scores")

# %% [markdown]
# Both are true of four pictures, and no reason to worry.

# %% [markdown]
# ## A: a cross-entropy of zero
#
# **Symptom.** The class loss is nearly zero. Masks and dice are as in the healthy run. PQ is zero. A zero looks like
# success, so look at the picture:

# %%
picture("Of A. Panoptic and instance are dark: nothing is named. Semantic must give each pixel a class: regions are "
        "there, with wrong names such as dog and ball.", "A")  # fmt: skip

# %% [markdown]
# Dark: under panoptic and instance, nothing is named at all. **Question.** Cross-entropy compares with what is *asked*.
# It is zero if the answer is what was asked for. What was asked for?
#
# Most queries have nothing to find, so the table of what each should say starts as "no object" everywhere, and the labels
# of the matched queries are written into it. Here are two ways to write. One of them writes nothing:

# %%
def table_right(queries, labels, count, no_object):
    wanted = torch.full((count,), no_object)
    wanted[queries] = labels
    return wanted


def table_wrong(queries, labels, count, no_object):
    wanted = torch.full((count,), no_object)
    wanted[queries].copy_(labels)  # an index with a list makes a copy: that is what is written to
    return wanted


# %% [markdown]
# Three matched queries of six; class 14 is "no object":

# %%
queries, labels = torch.tensor([4, 0, 2]), torch.tensor([7, 7, 1])
print("right:", table_right(queries, labels, 6, 14).tolist())
print("wrong:", table_wrong(queries, labels, 6, 14).tolist())

# %% [markdown]
# With the second every query learns one thing, "no object", and that is learned in a few steps. **Live**: train
# with the wrong table for some seconds. What is patched in below has no labels left, as the wrong table has none.

# %%
import tempfile
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

from IPython.utils.capture import capture_output
from oneformer_lite.losses import terms

work = Path(tempfile.mkdtemp())
config, recipe = settings["healthy"]
scenes = ofl.data.Toytown("val", size=64, length=4)
class_loss = terms.class_loss


def without_labels(prediction, targets, assigned, config):
    empty = [replace(t, labels=t.labels[:0], masks=t.masks[:0]) for t in targets]
    return class_loss(prediction, empty, [a[:0] for a in assigned], config)


# %% [markdown]
# Forty steps with the wrong line, and forty with the right one:

# %%
def learn(name, steps=40):
    short = replace(recipe, out=str(work / name), steps=steps, evaluations=0)
    with capture_output():
        return [r for r in ofl.train(config, short, scenes).history if r["kind"] == "train"]


with patch.object(terms, "class_loss", without_labels):
    wrong = learn("wrong")
right = learn("right")
for table, losses in (("wrong", wrong), ("right", right)):
    share = losses[-1]["class"] / losses[0]["class"]
    print(f"{table} table: the class loss ends", "below" if share < 0.1 else "above", "a tenth of its start")
apart = abs(wrong[-1]["mask"] / right[-1]["mask"] - 1)
print("the mask losses are", "less" if apart < 0.5 else "more", "than half apart")

# %% [markdown]
# **Cause** of A: labels that never reach the loss. The doctor sees it in the log, and in what the model says where its
# masks fit:

# %%
findings("A", "class loss over the run", "predicted classes")

# %% [markdown]
# What the doctor says today of A's log alone, and of a healthy one:

# %%
from oneformer_lite.diagnosis.history import check_log

for name in ("A", "healthy"):
    print(name, *(f"[{f.verdict}] {f.evidence}" for f in check_log(runs[name]) if f.check == "class loss over the run"))

# %% [markdown]
# Other lines with the same symptom: labels equal to the number of classes, `ignore_index` on what should be learned, a
# crop that loses all segments (lesson 09). **A loss of zero is a message about the targets.**

# %% [markdown]
# ## B: a loss below zero
#
# **Symptom.** The mask loss goes below zero, and further with every step. **Question.** Can that be? The cross-entropy
# between a probability and a target of 0 or 1 is never below zero. So a target is not 0 or 1. Which target would do it?

# %%
logits = torch.linspace(-6, 6, 49)
figure, ax = plt.subplots(figsize=(6, 2.6), layout="constrained")
for target, tone, dash in ((0.0, "#56b4e9", ":"), (1.0, "#0072b2", "-"), (2.0, "#e69f00", "--"), (255.0, "#d55e00", "-.")):
    values = F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, target), reduction="none")
    ax.plot(logits, values, dash, color=tone, label=f"target {target:.0f}")
ax.set(ylim=(-12, 12), xlabel="logit", ylabel="cross-entropy")
ax.legend(frameon=False)
ofl.render.described(figure, "Cross-entropy over the logit. For targets 0 and 1 it stays above zero. For 2 and 255 it "
                     "falls below zero without end.")  # fmt: skip

# %% [markdown]
# For a target above 1 there is no best logit: larger is always better. The model's way down has no end.
# **Live**, for twelve steps, with masks as a PNG has them (0 and 255):

# %%
from oneformer_lite.data import batch as batches
from oneformer_lite.data.targets import targets_for


def white_is_255(sample, task):
    found = targets_for(sample, task)
    return replace(found, masks=255.0 * found.masks)


with patch.object(batches, "targets_for", white_is_255):
    below = learn("below", steps=12)
print("mask loss below zero from step", next(r["step"] for r in below if r["mask"] < 0), "on, at the end far below:",
      below[-1]["mask"] < -100)  # fmt: skip

# %% [markdown]
# **Cause** of B: masks of 0 and 255 that nobody compared. `mask > 127` corrects it. One batch in numbers shows it before
# any training does, and the doctor sees it in the log:

# %%
print(json.loads((folder / "B" / "batch.json").read_text()))
findings("B", "mask loss over the run")

# %% [markdown]
# ## C: nothing falls
#
# **Symptom.** The losses do not fall to anything useful, from the first steps on. **Question.** Does the model move, and how
# far? Adam's steps are as long as the rate (lesson 13), whatever the gradient. So a rate that is far too high moves every weight
# far at every step. The log has the rate that was asked for. The doctor looks at what became of the queries:

# %%
print("highest rate in the log:", max(r["lr"] for r in runs["C"].history if r["kind"] == "train"))
findings("C", "recipe", "queries", "contrastive loss over the run")

# %% [markdown]
# **Cause** of C: a rate of 0.2, a hundred times that of the recipe. The queries have collapsed: all of them say the same,
# and the contrastive loss stands at the value where nothing is told apart (lesson 07): ln 2 for each of its two directions, as
# a batch has two pictures. When nothing falls, try a tenth of the rate first.

# %% [markdown]
# ## D: it learns, only worse
#
# **Symptom.** None in the curves. The scores are lower than the healthy ones, and that is all. Such faults are the
# hardest: if you had no healthy run beside it, you would call it a bad model.
#
# **Question.** Are all parts learning, and did those that do not learn know something before? Compare the two recipes and
# configurations, field by field. Do so whenever a run is worse than one you had before:

# %%
from dataclasses import asdict

for what, ours, theirs in zip(("model", "training"), settings["D"], settings["healthy"]):
    a, b = asdict(ours), asdict(theirs)
    print(f"{what}:", {field: a[field] for field in a if a[field] != b[field] and field != "out"})
print("rate of the backbone, as a share of the others:", settings["D"][1].backbone_lr_multiplier)

# %% [markdown]
# **Cause** of D: `pretrained=False`. The healthy run freezes its backbone too, but one that knows ImageNet. Here random
# filters stay random: four pictures can be told apart even so, which is why the run learns at all. On other pictures it
# would do much worse.

# %%
findings("D", "backbone")

# %% [markdown]
# ## E and F: the losses are fine, the score is zero
#
# **Symptom.** Losses as low as the healthy ones, and a PQ of next to nothing, on the very pictures that were learned. So
# *what is judged is not what was learned*. Look at both pictures:

# %%
picture("Of E, borders are right and names are others: the cars are a bus, the sky is building. Of F, names that exist are in "
        "regions that follow no border of the picture.", "E", "F")  # fmt: skip

# %% [markdown]
# Above, E: the borders are right and the **names** are wrong. Below, F: names that exist in Toytown, in places where they
# are not: the **borders** are wrong. Similar curves, two different faults; one picture tells them apart.
#
# For E, compare the names that fit with those that are there. The model counts one class too far (here the last becomes the
# first; in other data it would be the number that means "no object"):

# %%
findings("E", "predicted classes")
names = [c.name for c in scenes.categories]
print({names[i]: names[(i + 1) % len(names)] for i in (0, 3, 9, 13)})

# %% [markdown]
# **Cause** of E: class ids that count from one in the training data, and from zero in validation. For F the doctor compares
# the borders of the annotation with the edges of the picture, in place and shifted, for the data set alone; and it judges the
# model on the pictures and maps that it has learned:

# %%
for name in ("healthy", "F"):
    findings(name, "place of the segments", "its own pictures")

# %% [markdown]
# Borders of F lie on edges hardly more often than by chance (1.2 against 1.8). The shift that it names is no cause:
# borders of another picture always fit a little better somewhere.
#
# **Cause** of F: each picture came with the annotation of the next one (two lists of files, one of them sorted otherwise).
# Four pictures can be learned by heart with anybody's annotation: on the wrong maps that it has learned, F has PQ 29. With
# the same fault in validation, E and F would both look fine. So **a loss that falls says that the model can learn what it is
# given, not that this is right.**

# %% [markdown]
# ## G: nothing is wrong, it seems
#
# **Symptom.** Nearly none: the losses are low, the scores are about those of the healthy run, and the picture is no worse.
# Only the contrastive loss begins to fall much later than the healthy one (but so does H's):

# %%
picture("Of G. As of the healthy run: most borders and names as annotated, and things alone under instance.", "G")

# %% [markdown]
# **Question.** Does each part do what it is *for*? OneFormer is told its task. So another task must give another answer.
# Count the queries that are sure of stuff (sky, road ...). Under "instance" stuff is not asked for. The shipped model has:

# %% tags=["nbval-ignore-output"]
shipped, scene = ofl.from_pretrained("toytown"), ofl.data.Toytown("val", size=128)[13]
stuff = ~torch.tensor(shipped.config.is_thing)
for task in ofl.data.TASKS:
    with torch.inference_mode():
        score, label = shipped(ofl.data.normalise(scene.image)[None], task).probabilities[0].max(-1)
    print(f"{task:<9} queries sure of stuff: {int((stuff[label] & (score > 0.5)).sum())}")

# %% [markdown]
# The doctor counts so, too. It prints the counts where they are wrong:

# %%
findings("healthy", "task token")
findings("G", "task token")

# %% [markdown]
# In the healthy run the words of the task decide. In G they change some numbers, as any input does, and not the answer.
# The picture and the scores do not see it: of the instance task they take things alone.
#
# **Cause** of G: in training the model was told "the task is panoptic" whatever its targets were. One line took the
# wrong list. With targets of three tasks and one token, the best answer is a mixture, and on four pictures a good one.
# Texts name the task, and the token is the first thing by which queries can tell which text is theirs (lesson 07): without
# it the contrastive loss begins to fall late.

# %% [markdown]
# ## H: losses that look better than they are
#
# **Symptom.** Look at the table again: of all runs that name anything, H has the lowest class and dice loss. Its PQ is
# even a little above the healthy one. But its mIoU is below, and some classes never come:

# %%
for name in ("healthy", "H"):
    findings(name, "classes never predicted")

# %% [markdown]
# **Question.** *Over what* does a loss go? Only over what was matched. A query answers for one segment. With fewer queries
# than segments, some are left out: no loss, and no name.

# %%
segments = [len(ofl.data.targets_for(scenes[i], "panoptic")) for i in range(4)]
print("segments:", segments, " queries: healthy", config.num_queries, " H", settings["H"][0].num_queries)
findings("H", "number of queries")

# %% [markdown]
# **Cause** of H: six queries. What is left to learn is easier, so it is learned faster, and it ends earlier. Losses of two
# runs can be compared only if both are asked the same.

# %% [markdown]
# ## The order of questions
#
# | | question | finds |
# |---|---|---|
# | 1 | Is a loss zero, below zero, not finite? | A, B |
# | 2 | Do the losses fall at all? | C |
# | 3 | Does it learn four pictures by heart, judged on the same four? | A, B, C, E, F |
# | 4 | What does **one picture** look like, under each task? | A, E, F |
# | 5 | Is one batch what you think it is? | B, E, F, H |
# | 6 | What differs from a run that worked? | C, D, H |
# | 7 | Does each part do what it is for? | G |
#
# None of these questions needs a GPU. `ofl.doctor` asks 1, 2, 3, 5 and 7, and of 6 what it can see without another
# run: D's random, frozen backbone. The picture (4) and the run that worked (6) are yours to look at. It knows the
# package's models and any data set of its form; a model of another package you ask by hand.
#
# The same from the other side, with faults that have no letter here:
#
# | symptom | suspect first | check |
# |---|---|---|
# | a loss falls to nearly zero, nothing is named | labels that do not reach the loss | the table of what is asked (A) |
# | a loss goes below zero | masks of 0 and 255 | the largest value of a mask (B) |
# | a loss is zero from the first step on | nothing to compare: no targets, weight 0, one picture per batch | count targets and pictures of a batch |
# | a loss is NaN or infinite | the rate; half precision; NaN in the pictures | `skipped` in the log; a tenth of the rate; float32 |
# | nothing falls, queries are alike | the rate is too high | a tenth of it (C) |
# | all falls steadily, but slowly | the rate is too low, the warmup too long | three times the rate, as many steps |
# | the score is zero, borders are right | class ids | names that fit against names that are there (E) |
# | the score is zero, borders are wrong | maps of other pictures, or one of both turned | draw the annotation over its picture (F) |
# | the score is lower than it was | a setting | compare both recipes (D) |
# | some classes never come | too few queries; rare classes | segments against queries (H) |
# | the task changes nothing | a token that nobody passes on | stuff under "instance" (G) |
# | good in training, bad with `ofl.predict` | pictures go in otherwise | mean and deviation of what goes in (below) |

# %% [markdown]
# ## What is simplified here
#
# * One fault each. Real models may have two, and the first hides the second: correct one, and begin again at question 1.
# * Four scenes by heart show what makes learning impossible. What only makes it slower or worse needs more pictures and a
#   comparison with error bars (`ofl.study`).
# * Scores of four pictures jump. Nothing here depends on a few points.

# %% [markdown]
# ## Break it
#
# A healthy model, and one wrong line when it is *used*: the picture is not normalised, but goes in as numbers from 0 to 255.
# The shipped model, and what its queries are sure of under panoptic:

# %% tags=["nbval-ignore-output"]
inputs = {"normalised": ofl.data.normalise(scene.image), "raw": torch.from_numpy(scene.image.copy()).permute(2, 0, 1).float()}
said = {}
for name, image in inputs.items():
    with torch.inference_mode():
        score, label = shipped(image[None], "panoptic").class_logits[0].softmax(-1)[..., :-1].max(-1)
    said[name] = [shipped.config.class_names[k] for k in label[score > 0.5]]
    print(f"{name:<11} {len(said[name])} sure queries:", ", ".join(sorted(set(said[name]))))

# %% [markdown]
# It still names things with confidence, only fewer: it looks like a model that is not good enough. In numbers, what went in:

# %%
for name, image in inputs.items():
    print(f"{name:<11} mean {image.mean():.1f}, deviation {image.std():.1f}")
print("the same names:", sorted(said["normalised"]) == sorted(said["raw"]))

# %% [markdown]
# No loss and no log knows of it: the training was healthy. Question 5 finds it: print the mean and the deviation of what
# goes in. A mean near 0 and a deviation near 1 are right. (And no error is raised, as the numbers are of the right kind and shape.) What this lesson has written can go:

# %%
import shutil

shutil.rmtree(work)

# %% [markdown]
# ## In the package
#
# * `diagnosis.doctor.doctor`, most of the questions at once
# * `diagnosis.sense.asked_for_names`, a class loss that is low because nothing is asked
# * `diagnosis.behaviour.check_task_token`, a token that changes answers
# * `diagnosis.behaviour.check_predicted_classes`, masks that fit and have another name, or none

# %% [markdown]
# ## Summary
#
# * Let the model learn four pictures by heart: what fails there has a fault, and more time will not help.
# * A loss says how well the model does what it is *asked*. Zero, below zero, or low with no score: look at what is asked.
# * Look at one picture, at one batch, and at what differs from a run that worked, in this order, before you change anything.
#
# **Ask yourself**
#
# <details><summary>A run's class loss is 0.05 and its PQ is 60. Is it sick?</summary>
# No. A low class loss with a good score is success. It is the two together that tell.</details>
#
# <details><summary>Why does run F reach losses as low as the healthy run, though every annotation is wrong?</summary>
# Four pictures are few enough to learn any answer for each by heart. With thousands of pictures, wrong annotations have
# nothing in common with what is seen, and the losses stay high.</details>
#
# <details><summary>You have corrected a fault and the score is still low. What now?</summary>
# Begin again at the first question. That fault may have hidden another.</details>
#
# <details><summary>Why is a healthy run of the same budget worth more than any curve of the sick one?</summary>
# Because most numbers mean something only in comparison: D looks like a model that is learning, until one sees what the
# healthy one reaches in the same steps.</details>
