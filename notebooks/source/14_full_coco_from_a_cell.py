# %% [markdown]
# # 14 · Full COCO from a cell
#
# Lesson 13 trained on a laptop, for minutes, on scenes we paint ourselves. COCO has 118,287 photographs and 133
# classes, and the published training takes days on eight GPUs.
#
# **What has to change in your notebook?**
#
# One line. The rest of the lesson is about what surrounds that line: what it will cost, how the data come, where it
# runs, and how to leave it alone, stop it, and find it again.
#
# Nothing is downloaded here. `data/sample` is laid out exactly as COCO is, and stands in for it. And to be honest at
# once: this package has not been trained on all of COCO, because no GPU was at hand.
#
# *Goals:* plan, start, watch, stop and resume a training on COCO. *Before:* lesson 13. *Minutes:* 40. *Words and
# letters:* [glossary](GLOSSARY.md).

# %% [markdown]
# ## Two recipes
#
# A *recipe* is a frozen dataclass, like the model's configuration. Where do Toytown's and COCO's differ?

# %%
from dataclasses import fields, replace

import oneformer_lite as ofl
from oneformer_lite.lessons import proved
from oneformer_lite.training import coco_training, toytown_training

toy, coco = toytown_training(minutes=10), coco_training()
print(f"{'field':<24}{'Toytown':<16}COCO")
for field in fields(coco):
    a, b = getattr(toy, field.name), getattr(coco, field.name)
    if a != b and field.name not in ("lr_drops", "task_probabilities"):
        print(f"{field.name:<24}{a!s:<16}{b}")

# %% [markdown]
# The left column is tuned for minutes, the right one is the authors' for COCO. Two of its fields are easily overlooked:
#
# * `only_with_things`: the official loader of COCO (`register_coco_panoptic_annos_semseg.py`) hands detectron2 the
#   instance annotations too, and detectron2 (`FILTER_EMPTY_ANNOTATIONS`) then leaves out every picture that has
#   nothing but crowds and stuff. That is about one picture in a hundred, and it is gone for all three tasks, although
#   its sky could teach the semantic one. On ADE20K and Cityscapes the same switch is on and does nothing: their
#   loaders bring no instances along.
# * `precision="auto"`: half precision on a GPU where the authors used it (ResNet-50, Swin-T), float32 where they did not
#   (Swin-L, DiNAT-L) and on a CPU. A run says in its first line which it is.
#
# How much work is that?

# %%
images, seen = 118_287, coco.steps * coco.batch_size
print(f"{coco.steps:,} steps of {coco.batch_size} images: each of {images:,} seen {seen / images:.1f} times")

# %% [markdown]
# ## What will it cost? A plan by hand
#
# **Memory** first. For every parameter training keeps four numbers of 4 bytes: the weight, its gradient, and Adam's
# two averages (lesson 13). On top come the *activations*, what the forward pass must remember for the backward pass.

# %%
import matplotlib.pyplot as plt

config = ofl.config.coco_r50()
model = ofl.OneFormer(replace(config, pretrained=False))
parameters = sum(p.numel() for p in model.parameters())
print(f"{parameters / 1e6:.1f} million parameters, {16 * parameters / 1e9:.2f} GB before the first picture")
figure, axes = plt.subplots(figsize=(8, 1.6), layout="constrained")
colors = {"weights": "#0072b2", "gradients": "#d55e00", "Adam's m": "#009e73", "Adam's v": "#56b4e9"}
for i, (what, color) in enumerate(colors.items()):
    axes.barh(0, 4 * parameters / 1e9, left=i * 4 * parameters / 1e9, color=color, label=what)
axes.set_yticks([])
axes.set_xlabel("GB of memory, COCO with ResNet-50")
figure.legend(ncols=4, frameon=False, loc="outside upper center")
ofl.render.described(figure, "A bar of memory in four equal parts: weights, gradients, Adam's m, Adam's v; about one "
                             "GB in all.")

# %% [markdown]
# **Disk**: a checkpoint holds the weights and both averages; the one before it is kept, and while a new one is written
# both are still there. **Time**: seconds of a step times steps; here nothing but a measurement helps.

# %%
def plan_by_hand(weight_bytes, step_seconds, recipe, count):
    """Bytes of a checkpoint (without averaged weights), hours, and how often each image is seen."""
    return 3 * weight_bytes, recipe.steps * step_seconds / 3600, recipe.steps * recipe.batch_size / count


checkpoint, hours, epochs = plan_by_hand(4 * parameters, 1.0, coco, images)
print(f"a checkpoint of {checkpoint / 1e9:.2f} GB; at one step a second {hours / 24:.1f} days; {epochs:.0f} epochs")

# %% [markdown]
# ## The package's plan
#
# `ofl.plan` takes a few real steps in a process of its own, with your data if they are there, and says what the whole
# will cost on *this* machine. It leaves nothing behind. Here is our stand-in:

# %%
import tempfile
from pathlib import Path

folder = Path(tempfile.mkdtemp())
small = replace(ofl.config.toytown(), image_size=64, test_size=64, num_queries=24, encoder_layers=1, decoder_layers=2)
DATA = {"data": str(ofl.data.sample_folder()), "train_split": "val", "val_split": "val"}
recipe = toytown_training(**DATA, out=str(folder / "run"), steps=40, batch_size=2, ema_decay=None, warmup_steps=5,
                          evaluations=0, log_steps=1, workers=0)  # fmt: skip

# %% [markdown]
# The next table is of the machine that built this page, and is not compared by the tests:

# %% tags=["nbval-ignore-output"]
plan = ofl.plan(small, recipe, steps=2, devices="cpu:1")
plan

# %% [markdown]
# What does not depend on the machine can be compared with our own arithmetic:

# %%
m = plan.measured
checkpoint, hours, epochs = plan_by_hand(m.weights_bytes, m.step_seconds, recipe, 12)
print("images:", m.images, " steps:", plan.steps, f" epochs: {plan.epochs:.1f}, ours {epochs:.1f}")
print(f"checkpoint: {m.checkpoint_bytes / 1e6:.0f} MB, ours {checkpoint / 1e6:.0f} MB")
print("hours, without waiting for data, at least ours:", plan.hours >= 0.99 * hours)

# %% [markdown]
# (To the byte, checkpoints differ a little: frozen statistics have no averages.) Ask the same of
# `ofl.config.coco_r50(), coco_training()` where your GPU is.

# %% [markdown]
# ## Another machine
#
# A 24 GB card cannot hold 16 pictures of 1024 x 1024 at once. Three ways out, from harmless to costly:
#
# 1. **Activation checkpointing**: forget the activations, compute them again. That is one more forward pass,
#    about a third of a step; the result is the same.
# 2. **Micro-batches**: two pictures at a time, add up the gradients, then one step. The contrastive loss sees fewer
#    negatives (lesson 07).
# 3. **A smaller batch**, with a smaller rate and more steps.
#
# The first, on a batch of the sample. How much is kept for the backward pass, and are the gradients the same? PyTorch
# calls a hook for every tensor that it keeps; we note their bytes.

# %%
import numpy as np
import torch
from oneformer_lite.training.switches import checkpoint_activations

dataset = ofl.data.open(DATA["data"], "val")
batch = ofl.data.collate([(dataset[0], "panoptic"), (dataset[1], "instance")])


def gradients(checkpointed):
    """All gradients of one backward pass, and the bytes that the forward pass kept for it."""
    torch.manual_seed(0)
    model = ofl.OneFormer(replace(small, pretrained=False)).train()
    if checkpointed:
        checkpoint_activations(model)
    kept = {}
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.update({t.data_ptr(): t.nbytes}) or t, lambda t: t):
        output = model(batch.images, batch.tasks, texts=batch.texts)
        losses = ofl.losses.Criterion(small)(output, batch.targets, [(0, 0), (0, 1)])
    losses["total"].backward()
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None]), sum(kept.values())


plain, all_bytes = gradients(False)
again, few_bytes = gradients(True)
print(f"kept for the backward pass: {few_bytes / all_bytes:.1f} of what it was")
proved("the same gradients", again, plain, atol=1e-4, rtol=1e-3)

# %% [markdown]
# The third. Adam's steps are as long as the rate, whatever the gradient. A batch of a quarter has a noisier gradient.
# The usual rule for Adam keeps the noise per image the same: the rate goes with the square root of the batch.

# %%
def rescaled_by_hand(recipe, batch_size):
    ratio = batch_size / recipe.batch_size
    return recipe.lr * ratio**0.5, round(recipe.steps / ratio)  # as many images in all


print("rate %.0e, %d steps" % rescaled_by_hand(coco, 4))

# %% [markdown]
# `rescaled` does that, `for_machine` everything, and both say in a warning what they change:

# %%
import warnings

from oneformer_lite.training import for_machine, rescaled

with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    quarter = rescaled(coco, 4)
    for machine in ("gpu_24gb", "colab_16gb", "cpu"):
        for_machine(config, coco, machine)
for warning in said[1:]:
    print("*", str(warning.message).replace("; ", "\n    "))
proved("rate and steps, by hand = package", rescaled_by_hand(coco, 4), (quarter.lr, quarter.steps))

# %% [markdown]
# **Many GPUs.** `ofl.launch(config, recipe, devices=8)` starts eight processes. Each takes its part of every batch;
# gradients are averaged. Recipe and result stay the same: `tests/training/test_processes.py` proves that two processes
# learn what one learns, `tests/training/test_step.py` that micro-batches give the mean gradient. The processes meet
# through a file in the run's folder and talk on loopback: nobody else on the network can reach them. **Many machines**
# are for `torchrun`, with an address and on a network of your own, as its ports are open to all who reach it:
# `oneformer_lite/training/worker.py` has the command.

# %% [markdown]
# ## The data
#
# `oneformer-lite download coco` fetches, verifies, and unpacks. Before it starts it says what it needs:

# %%
from oneformer_lite.data.published.coco import COCO_2017
from oneformer_lite.data.published.jobs import Job, disk_needs

archives = [COCO_2017.annotations, *(archive for archive, _ in COCO_2017.pictures.values())]
for archive in archives:
    print(f"{archive.name:<42}{archive.size / 1e9:6.2f} GB")
print(f"{'to fetch':<42}{sum(archive.size for archive in archives) / 1e9:6.2f} GB")

# %% [markdown]
# The disk needs more: while an archive is unpacked, it and its contents are both there; afterwards it goes. The worst
# moment by hand, and as the package computes it:

# %%
def worst_moment(sizes):
    """Archives are unpacked one after the other, each as large unpacked as packed, and deleted."""
    unpacked, worst = 0, 0
    for size in sizes:
        worst = max(worst, unpacked + 2 * size)
        unpacked += size
    return worst, unpacked


jobs = [Job(archive, archive.size, ()) for archive in archives]
ours = worst_moment([archive.size for archive in archives])
print("worst %.0f GB, in the end %.0f GB" % tuple(x / 1e9 for x in ours))
proved("ours = package", ours, disk_needs(jobs, archives))

# %% [markdown]
# Without a network one sentence tells what is wrong. (The address is this machine, where nobody serves COCO.)

# %%
import re

from oneformer_lite.data.published.download import fetch

try:
    fetch("http://127.0.0.1:9/val2017.zip", folder / "val2017.zip")
except ofl.errors.DataError as error:
    print(re.sub(r"\(.*\)", "(…)", str(error)))  # in brackets: the system's own words

# %% [markdown]
# Not everything at once? `oneformer-lite download coco --only val` fetches 1.7 GB: 4500 real pictures to train, 500
# to test.

# %% [markdown]
# ## Are the data all right?
#
# A wrong annotation would train without complaint. So `ofl.train` looks at a few pictures before its first step: it
# refuses what nothing can be learned from, and warns of what is odd. `ofl.doctor` makes the same checks, and shows them
# before you wait for days. It has three answers: something is wrong (`x`, `!!`), nothing is (`ok`), or there is too
# little to judge (`?`), as with our twelve pictures:

# %%
diagnosis = ofl.doctor(dataset=dataset, images=6)
print(diagnosis)

# %% [markdown]
# **Break it.** Mirror every picture, but not its annotation, a common mistake in augmentation that one writes oneself:

# %%
import textwrap

from PIL import Image


class Mirrored:
    """Pictures mirrored, annotations not."""

    categories, tasks = dataset.categories, dataset.tasks

    def __len__(self):
        return len(dataset)

    def __getitem__(self, index):
        return replace(dataset[index], image=dataset[index].image[:, ::-1].copy())


sick = ofl.doctor(dataset=Mirrored(), images=6)
fault = sick.faults[0]
print(sick.summary(), fault.check, *textwrap.wrap(fault.evidence, 100), sep="\n")
ofl.render.described(fault.picture, "A mirrored picture with the outlines of its annotation, which do not fit; beside "
                                    "it the picture as annotated, where they do.")

# %% [markdown]
# Left, in orange: the outlines of the annotation run across sky and houses. Right, in blue, where they belong. A loss
# curve would have shown nothing: it falls here too, only less far.

# %% [markdown]
# ## The cell
#
# Here is the training, and the line that changes for COCO:

# %%
config, settings = small, recipe
# config, settings = ofl.config.coco_r50(), coco_training()       # ← COCO, as published

# %% [markdown]
# In this process, with a progress bar (which we catch, as it looks different each time):

# %%
from IPython.utils.capture import capture_output

with capture_output():
    result = ofl.train(config, settings)
losses = [record["total"] for record in result.history]
print(f"finished: {result.finished}, {result.steps} steps, loss {losses[0]:.0f} at first")
print("lower at the end:", losses[-1] < losses[0])

# %% [markdown]
# ## In the background
#
# A training of days must go on when the notebook is closed. `ofl.launch` takes the same two arguments and returns at once:

# %%
import time

run = ofl.launch(config, replace(settings, out=str(folder / "background")), devices="cpu:1")
print(run.status)

# %% [markdown]
# **Stop.** It saves after the step that it is in. We wait for the first logged step, then ask:

# %%
while run.status == "running" and not run.history:
    time.sleep(0.02)
word = run.stop()
assert run.history[-1]["step"] < settings.steps, "it was too fast to be stopped"
print(word, "before step", settings.steps)
print(sorted(path.name for path in run.folder.iterdir() if not path.name.startswith(".")))

# %% [markdown]
# Everything about the run is in its folder. So another notebook, on another day, finds it by the folder alone:
# **attach**, and **resume**.

# %%
found = ofl.Run.attach(folder / "background")
found.resume()
print(found.wait(300), "after step", found.history[-1]["step"])

# %% [markdown]
# Interrupted and resumed in other processes, it must have taken the same steps as the uninterrupted run above:

# %%
resumed = [record["total"] for record in found.history]
print("steps:", len(resumed))
proved("the losses of a run that nobody stopped", np.array(resumed), np.array(losses), rtol=1e-3)

# %% [markdown]
# On one machine they are equal to the last bit, also when processes are killed at random moments
# (`tests/training/test_launch.py`, `test_resume.py`).

# %% [markdown]
# ## Watching
#
# `run.watch()` returns at once and follows the run from its folder, with a button to stop and one to resume. Here the
# run is over, so it has nothing left to follow:

# %%
watch = found.watch()
print({name: watch.state[name] for name in ("status", "step", "following")})
watch.close()

# %% [markdown]
# `run.replay()` shows a run that is over, with a slider over its time. Ours has no pictures; the recorded run of
# lesson 13 has. Its first evaluation, step 612:

# %%
replay = ofl.Run.attach(ofl.data.sample_folder() / "run").replay()
replay.set(step=612, loss="class")

# %% [markdown]
# Left the four losses, in the middle the class loss by decoder layer, right the scores on held-out scenes; below,
# three of these as they were then. The slider goes to any other moment:

# %%
replay.set(step=2940).state

# %% [markdown]
# When a run fails, it says why, from wherever you look. Send one to a folder without data:

# %%
nowhere = replace(settings, data=str(folder / "nothing"), out=str(folder / "lost"))
lost = ofl.launch(config, nowhere, "cpu:1", restarts=0)
print(lost.wait(300))
print(*textwrap.wrap(lost.reason.split("\n")[0].replace(str(folder.resolve()), "…"), 100), sep="\n")

# %% [markdown]
# What this lesson has written can go:

# %%
import shutil

shutil.rmtree(folder)

# %% [markdown]
# ## On Colab
#
# A Colab machine disappears after some hours. Keep the run's folder on your Drive; the same cell goes on where it
# stood:
#
# ```python
# from google.colab import drive
# drive.mount("/content/drive")
# recipe = coco_training(data="/content/coco", out="/content/drive/MyDrive/runs/coco",
#                        train_split="val2017-train", val_split="val2017-test", steps=20_000)
# config, recipe = for_machine(ofl.config.coco_swin_t(), recipe, "colab_16gb")
# print(ofl.plan(config, recipe))
# run = ofl.launch(config, recipe)
# run.watch()
# ```

# %% [markdown]
# ## What is simplified here, and where the official code differs
#
# * The official `train_net.py` needs detectron2, a compiled CUDA operator, and eight GPUs as configured. There is no
#   plan, and no schedule for another batch than 16; `SOLVER.REFERENCE_WORLD_SIZE` is not set.
# * On COCO the second drop of the rate for Swin-L stands at step 735,184 of 737,500 in its configuration, surely a
#   slip; `coco_training` uses 0.963 for all.
# * Half precision: on for ResNet-50 and Swin-T in the official files, off for Swin-L and DiNAT-L. `precision="auto"` does
#   the same on a GPU; `"float32"`, `"fp16"` and `"bf16"` choose.
# * No training on all of COCO has been made. Tests train the published recipe on real photographs for a few steps
#   (`tests/training/test_coco_from_a_cell.py`).

# %% [markdown]
# ## In the package
#
# * `training.plan.plan`: what a run will cost
# * `training.machines.rescaled`: another batch
# * `training.machines.for_machine`: another machine
# * `training.switches.checkpoint_activations`: memory for time
# * `data.published.jobs.disk_needs`: the worst moment of a download
# * `data.published.download.fetch`: large files, resumed and verified
# * `diagnosis.doctor.doctor`: faults of data, models and runs
# * `training.launch.launch`: the same training in the background
# * `training.run.Run`: a run on disk: status, stop, resume, watch, replay

# %% [markdown]
# ## Summary
#
# * The cell that trains Toytown trains COCO: configuration and recipe change, nothing else.
# * Plan first, check the data, then launch; a run lives in its folder, not in your notebook.
# * Less memory: checkpoint activations, then micro-batches, then a smaller crop, last a smaller batch.
#
# **Ask yourself**
#
# <details><summary>Why does a stopped and resumed run equal the uninterrupted one to the last bit?</summary>
# Batches, tasks and points depend on the seed and the step alone, and the checkpoint holds weights and both of Adam's
# averages. Nothing else has a memory.</details>
#
# <details><summary>Your card holds four pictures. Is accumulate=4 the same as a batch of 16?</summary>
# Nearly. Mask losses are divided by the masks of each micro-batch, and the contrastive loss finds its negatives among
# four images instead of sixteen.</details>
#
# <details><summary>Why is the rate divided by 2, not by 4, when the batch is a quarter?</summary>
# Adam normalises its steps: their length does not depend on the batch, their noise does, with its square root. For
# SGD it would be a quarter.</details>
#
# <details><summary>The plan says that the model waits for data half of the time. What do you change first?</summary>
# The number of workers, as far as there are cores; then smaller pictures on disk.</details>
