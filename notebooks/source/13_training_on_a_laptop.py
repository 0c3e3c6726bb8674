# %% [markdown]
# # 13 · Training on a laptop
#
# All parts are built: backbone, pixel decoder, task token, queries, decoder, matcher, losses. Their weights are
# random numbers.
#
# **What turns random numbers into a model that sees?**
#
# A loop of some twenty-five lines. You will write it, prove that it takes the very steps of `ofl.train`, watch a
# query learn, and then leave parts out to see what they were for.
#
# *Instead of* (in the sixty lines of lesson 00b): `optimizer.step()` and the loop around it (line I).
#
# *Goals:* write the training loop; read its curves; say what each part is for. *Before:* lesson 09b, lesson 10.
# *Minutes:* 60. *Words and letters:* [glossary](GLOSSARY.md).
#
# Where we are, in the map of the whole model:

# %% tags=["nbval-ignore-output"]
import oneformer_lite as ofl

ofl.drawings.model_map(ofl.from_pretrained("toytown"), ofl.data.Toytown("val", size=128)[13], "13")

# %% [markdown]
# ## A picture to work with
#
# `oneformer-lite demo --minutes 10 --seed 0` trains the preset `toytown()` for ten minutes on two cores. The log
# of such a run lies in `data/sample/run`, shortened: one JSON object a line. Here are its losses.

# %%
import oneformer_lite as ofl
from oneformer_lite.lessons import proved

run = ofl.Run.attach(ofl.data.sample_folder() / "run")
ofl.render.described(ofl.render.loss_curves(run.history, size=(7, 3.2), dpi=100),
                     "The losses of some 3000 steps on a logarithmic axis: class, mask, dice, contrastive and their "
                     "total. All fall fast, then slowly; the contrastive one jumps most.")

# %% [markdown]
# Four losses, smoothed, on a log scale, and their weighted sum on top. All fall quickly, then slowly. The
# contrastive one (purple) soon falls no more and jumps most: with six images a step it depends on which of them meet,
# and some negatives are false (lesson 07).
#
# And what one wants of it, measured at five moments on held-out scenes: on a few of them during the training, on all
# at the end:

# %%
for record in run.history:
    if record["kind"] in ("eval", "final"):
        scores = "  ".join(f"{name} {record[name]:.1f}" for name in ("PQ", "AP", "mIoU"))
        print(f"step {record['step']:>4}: {scores}  on {record.get('images') or record['scenes']} scenes")

# %% [markdown]
# (Lesson 16 gives a OneFormer twenty minutes of one core, with a recipe of its own: fewer steps, and a PQ some points
# lower.) A run's folder remembers its recipe, too, so that it can be compared with today's, which is
# `toytown_training()`:

# %%
import json

today = ofl.training.toytown_training(minutes=10)
recorded = json.loads((run.folder / "run.json").read_text())["train_config"]
for name in ("batch_size", "lr", "backbone_lr_multiplier"):
    print(f"{name:<23} {recorded[name]} then, {getattr(today, name)} today")

# %% [markdown]
# ## One step, in slow motion
#
# Ten minutes are too long for a lesson. So we take a smaller model, our scene 13 and its neighbour 14 at 64
# pixels, and learn these two by heart. *Overfitting* on purpose is also the best first test of any training.

# %%
import copy
from dataclasses import replace

import numpy as np
import torch

SIZE = 64
tiny = replace(ofl.config.toytown(), image_size=SIZE, test_size=SIZE, num_queries=24, encoder_layers=1,
               decoder_layers=3, num_points=256)  # fmt: skip
town = ofl.data.Toytown("val", size=SIZE)


class Scenes(list):
    categories = town.categories  # the trainer asks the data for its classes


pair = Scenes([town[13], town[14]])

# %% [markdown]
# The recipe says how the model is trained; its fields are explained as we meet them.

# %%
recipe = ofl.training.toytown_training(steps=100, batch_size=2, warmup_steps=10, ema_decay=0.98, workers=0,
                                       evaluations=0, log_steps=1)  # fmt: skip
print("learning rate", recipe.lr, " weight decay", recipe.weight_decay, " largest gradient norm", recipe.clip_norm)

# %% [markdown]
# **A batch.** Each image gets a task, drawn again each time it is seen. The augmentation is a mirror that comes up
# half of the time. Both are decided by a generator seeded with (seed, epoch, image): so a run that was interrupted
# sees what the uninterrupted one would have seen.

# %%
from oneformer_lite.data.augment import augmentation

mirror = augmentation("flip", SIZE)


def draw_batch(dataset, c, step):
    """The batch of one step; nothing but the seed and the step decides what is in it."""
    pairs = []
    for place in range(step * c.batch_size, (step + 1) * c.batch_size):  # in the endless order of images
        epoch, turn = divmod(place, len(dataset))
        index = int(np.random.default_rng((c.seed, epoch)).permutation(len(dataset))[turn])
        rng = np.random.default_rng((c.seed, epoch, index))
        sample = dataset[index]
        task = str(rng.choice(sample.tasks, p=[1 / 3, 1 / 3, 1 / 3]))
        pairs.append((mirror(sample, rng), task))
    return ofl.data.collate(pairs)


for step in range(3):
    print("step", step + 1, draw_batch(pair, recipe, step).tasks)

# %% [markdown]
# The package's loader does the same in worker processes. The same images, the same tasks?

# %%
from oneformer_lite.training.loader import training_batches

theirs = [batch for _, batch in zip(range(4), training_batches(pair, recipe, SIZE))]
ours = [draw_batch(pair, recipe, step) for step in range(4)]
(proved("pictures of four batches", [b.images for b in ours], [b.images for b in theirs])
 + proved("their tasks", [b.tasks for b in ours], [b.tasks for b in theirs]))  # fmt: skip

# %% [markdown]
# **Forward, with texts.** In training the model gets the text lists as well, and returns all its predictions. The
# criterion (lesson 09b) makes four losses of them, and their weighted sum.

# %%
torch.manual_seed(recipe.seed)
model = ofl.OneFormer(tiny)
model.backbone.load_imagenet_weights()  # it has seen a million photographs already
criterion = ofl.losses.Criterion(tiny)
batch = draw_batch(pair, recipe, 0)
output = model(batch.images, batch.tasks, texts=batch.texts)
losses = criterion(output, batch.targets, seeds=[(0, 0), (0, 1)])
print({name: round(value.item(), 1) for name, value in losses.items()})

# %% [markdown]
# **Backward.** One call gives every parameter its gradient. The bars show how long the gradient is in each part.

# %%
import matplotlib.pyplot as plt

losses["total"].backward()
parts = {
    name: [p.grad.norm() for p in part.parameters() if p.grad is not None] for name, part in model.named_children()
}
lengths = {name: torch.stack(norms).norm().item() for name, norms in parts.items()}
figure = plt.figure(figsize=(8, 2.6))
plt.barh(list(lengths)[::-1], list(lengths.values())[::-1], color="#0072b2")
plt.xscale("log")
plt.xlabel("length of the gradient, first step")
plt.tight_layout()
ofl.render.described(figure, "Bars of the gradient's length by part, on a logarithmic axis. The decoder's is the "
                             "longest; those of query_positions and text_mapper are more than a hundred times shorter.")

# %% [markdown]
# Every part gets some: the task encoder, too, and the text mapper, through the contrastive loss alone.

# %% [markdown]
# ## AdamW by hand
#
# Plain gradient descent would take a huge step where the gradient is long and none where it is short. *Adam*
# divides each gradient by its usual size:
#
# $$m \leftarrow \beta_1 m + (1-\beta_1) g, \quad v \leftarrow \beta_2 v + (1-\beta_2) g^2, \quad
# w \leftarrow w - \eta \, \frac{m / (1-\beta_1^t)}{\sqrt{v / (1-\beta_2^t)} + \epsilon}$$
#
# Here $g$ is the gradient, $m$ and $v$ are running means of it and of its square, with the shares $\beta_1$ and
# $\beta_2$; $t$ is the number of the step, $\eta$ the learning rate, $\lambda$ the decay. The *W*: each step also
# shrinks the weights a little, $w \leftarrow (1 - \eta\lambda)\,w$, whatever the gradient.

# %%
def adamw_step(w, g, m, v, t, lr, decay, betas=(0.9, 0.999), eps=1e-8):
    """One update in place; t counts from 1."""
    w.mul_(1 - lr * decay)
    m.lerp_(g, 1 - betas[0])
    v.lerp_(g * g, 1 - betas[1])
    w -= lr * (m / (1 - betas[0] ** t)) / ((v / (1 - betas[1] ** t)).sqrt() + eps)


# %% [markdown]
# Against PyTorch's, on a random weight, ten steps:

# %%
torch.manual_seed(0)
ours = torch.randn(50)
theirs = torch.nn.Parameter(ours.clone())
adamw = torch.optim.AdamW([theirs], lr=1e-2, weight_decay=0.05)
m, v = torch.zeros(50), torch.zeros(50)
for t in range(1, 11):
    theirs.grad = torch.randn(50) * t
    adamw.step()
    adamw_step(ours, theirs.grad, m, v, t, lr=1e-2, decay=0.05)
proved("equal", ours, theirs, atol=1e-6)

# %% [markdown]
# ## Who learns slowly, who does not decay
#
# Two exceptions make four *parameter groups*:
#
# * the backbone knows ImageNet already: its learning rate is a tenth, as published;
# * norm layers and embeddings do not decay: shrinking a scale of 1 towards 0 regularises nothing.

# %%
NO_DECAY = (torch.nn.LayerNorm, torch.nn.GroupNorm, torch.nn.BatchNorm2d, torch.nn.Embedding)


def groups_by_hand(model, c):
    groups = {}
    for place, module in model.named_modules():
        for parameter in module.parameters(recurse=False):
            if parameter.requires_grad:
                key = place.startswith("backbone"), not isinstance(module, NO_DECAY)
                groups.setdefault(key, []).append(parameter)
    return [{"params": parameters, "lr": c.lr * (c.backbone_lr_multiplier if backbone else 1),
             "weight_decay": c.weight_decay if decays else 0.0}
            for (backbone, decays), parameters in groups.items()]  # fmt: skip


# %% [markdown]
# Ours beside the package's:

# %%
from oneformer_lite.training.optim import parameter_groups

ours, theirs = groups_by_hand(model, recipe), parameter_groups(model, recipe)
print("      lr  decay  parameters")
for group in ours:
    print(f"{group['lr']:8.4f} {group['weight_decay']:6.2f} {sum(p.numel() for p in group['params']):11,}")
told = [[(g["lr"], g["weight_decay"], [id(p) for p in g["params"]]) for g in groups] for groups in (ours, theirs)]
proved("rates, decays and parameters = package", *told)

# %% [markdown]
# ## The learning rate over time
#
# It rises over the first steps (*warm-up*: Adam's averages are not worth much yet), then falls along half a cosine
# to a hundredth. The published recipe for COCO keeps it, and divides it by ten twice, near the end.

# %%
import math


def share_of_peak(step, c):
    warmup = min(1.0, (step + 1) / max(1, c.warmup_steps))
    cosine = 0.5 * (1 + math.cos(math.pi * step / c.steps))
    return warmup * (c.final_lr + (1 - c.final_lr) * cosine)


# %% [markdown]
# Both schedules as the package computes them, ours as dots:

# %%
from oneformer_lite.training.optim import lr_factor

coco = ofl.training.coco_training()
shares = np.linspace(0, 1, 400)
figure = plt.figure(figsize=(8, 2.8))
plt.plot(shares, [lr_factor(10**6, s, coco) for s in shares], color="#d55e00", label="COCO: multistep")
plt.plot(shares, [lr_factor(int(s * 100), s, recipe) for s in shares], color="#0072b2", label="ours: cosine")
steps = np.arange(0, 100, 5)
plt.plot(steps / 100, [share_of_peak(s, recipe) for s in steps], "o", color="#0072b2", ms=4, label="by hand")
plt.xlabel("share of the training")
plt.ylabel("share of the peak rate")
plt.legend(frameon=False, loc="lower left", bbox_to_anchor=(0.15, 0.02))
plt.tight_layout()
ofl.render.described(figure, "The learning rate over a training. COCO's stays at the peak and drops twice near the "
                             "end; ours rises, then falls along half a cosine, and the dots by hand lie on it.")

# %% [markdown]
# The official configuration drops at 0.889 and 0.963 of the training (the paper says 0.9 and 0.95). Ours is
# compared at every step:

# %%
ours, theirs = zip(*[(share_of_peak(s, recipe), lr_factor(s, s / 100, recipe)) for s in range(100)])
print("COCO drops at", [round(drop, 3) for drop in coco.lr_drops])
proved("a hundred steps = package", np.array(ours), np.array(theirs), atol=1e-8)

# %% [markdown]
# ## Clipping, and an average of the weights
#
# Two small safeguards. **Clipping**: if the gradient of the whole model is longer than 1, it is scaled to length 1.
# **EMA**, an exponential moving average: a second set of weights follows the first slowly; it moves more smoothly,
# and is the one that is measured and kept. Early on it follows faster, or it would still be mostly its random start.

# %%
def clip(parameters, longest):
    gradients = [p.grad for p in parameters if p.grad is not None]
    length = torch.stack([g.norm() for g in gradients]).norm()
    for g in gradients:
        g.mul_((longest / (length + 1e-6)).clamp(max=1.0))
    return length


@torch.no_grad()
def follow(average, model, updates, decay):
    decay = min(decay, (1 + updates) / (10 + updates))
    for name, value in model.state_dict().items():
        if value.is_floating_point():
            average[name].lerp_(value, 1 - decay)


# %% [markdown]
# Each against its reference, PyTorch's clipping and the package's average:

# %%
from oneformer_lite.training.optim import AveragedWeights

twin = copy.deepcopy(model)
for p, q in zip(model.parameters(), twin.parameters()):
    q.grad = None if p.grad is None else p.grad.clone()
clipped = clip(model.parameters(), 1.0), torch.nn.utils.clip_grad_norm_(twin.parameters(), 1.0)
theirs, ours = AveragedWeights(twin, 0.98), copy.deepcopy(twin.state_dict())
for updates in range(1, 4):
    torch.nn.init.normal_(twin.decoder.class_head.weight)
    theirs.update(twin)
    follow(ours, twin, updates, 0.98)
name = "decoder.class_head.weight"
proved("clipping", *clipped, atol=1e-8) + proved("average", ours[name], theirs.state[name], atol=1e-8)

# %% [markdown]
# ## The loop
#
# Now all of it together. It yields after every step, so that we can look in. `said` is for an experiment at the
# end: the task that the model is told, if not the true one.

# %%
def training(config, c, dataset, said=None):
    """Train; after every step yield its losses, the model and the averaged weights."""
    torch.manual_seed(c.seed)
    model = ofl.OneFormer(config)
    model.backbone.load_imagenet_weights()
    criterion = ofl.losses.Criterion(config)
    optimizer = torch.optim.AdamW(groups_by_hand(model, c), fused=True)  # all of a step in one go, as the package
    peaks = [group["lr"] for group in optimizer.param_groups]
    average = copy.deepcopy(model.state_dict())
    model.train()
    for step in range(c.steps):
        for group, peak in zip(optimizer.param_groups, peaks):
            group["lr"] = peak * share_of_peak(step, c)
        batch = draw_batch(dataset, c, step)
        tasks = [said or task for task in batch.tasks]
        output = model(batch.images, tasks, texts=batch.texts)
        seeds = [(c.seed, step * c.batch_size + i) for i in range(c.batch_size)]  # of the points on masks
        losses = criterion(output, batch.targets, seeds)
        optimizer.zero_grad()
        losses["total"].backward()
        clip(model.parameters(), c.clip_norm)
        optimizer.step()
        follow(average, model, step + 1, c.ema_decay)
        yield {name: value.item() for name, value in losses.items()}, model, average


# %% [markdown]
# The same recipe in the package's hands: its loader, its optimiser, its step. Are the losses of the first steps ours?

# %%
import tempfile

folder = tempfile.TemporaryDirectory()
trainer = ofl.training.Trainer(tiny, replace(recipe, out=folder.name), pair, None)
batches = training_batches(pair, recipe, SIZE)
for step, (ours, _, _) in zip(range(5), training(tiny, recipe, pair)):
    theirs, rate = trainer.train_step([next(batches)])
    trainer.step += 1
    near = {name: math.isclose(ours[name], theirs[name].item(), rel_tol=1e-3, abs_tol=1e-3) for name in ours}
    print(f"step {step + 1}: total {ours['total']:.0f}, equal:", all(near.values()))

# %% [markdown]
# That is what `ofl.train` does, with a progress bar, evaluations, checkpoints and a log around it. `rel_tol` is there
# because the package keeps the backbone's pictures channels-last in memory, which rounds differently.
# `tests/training/test_resume.py` proves more: killed at random moments and resumed, a run ends bit-equal.

# %% [markdown]
# ## Learning two scenes by heart
#
# Train all hundred steps, and keep a copy of the model at five moments.

# %%
MOMENTS = (1, 10, 30, 70, 100)
kept, history = {}, []
for step, (losses, model, average) in enumerate(training(tiny, recipe, pair), start=1):
    history.append({"kind": "train", "step": step, **losses})
    if step in MOMENTS:
        kept[step] = copy.deepcopy(model).eval()
ofl.render.described(ofl.render.loss_curves(history, size=(7, 3.2), dpi=100),
                     "The losses of all steps: class, mask, dice and their total fall slowly; the contrastive one jumps "
                     "up and down.")

# %% [markdown]
# The lines jump: each step draws other tasks, and the instance task has fewer masks than the panoptic one. The
# contrastive loss falls to nothing when the two images have different tasks, and rises when they have the same.
#
# What must hold on any machine:

# %%
first, last = history[0], history[-1]
for name in ("class", "mask", "dice", "total"):
    print(f"{name:<6} {first[name]:5.1f} at first, less than half of it at the end:", last[name] < first[name] / 2)

# %% [markdown]
# And in pictures: scene 13, and what the model makes of it at the last three moments. (At the first two no query is
# sure of anything, and the answer is empty.)

# %%
from PIL import Image

scene = pair[0]
pictures = [ofl.predict(kept[step], scene.image, "panoptic").render() for step in MOMENTS[2:]]
pictures.insert(0, ofl.render.enlarge(scene.image, len(pictures[0]) // SIZE))
sheet = Image.fromarray(ofl.render.contact_sheet([pictures[:2], pictures[2:]]))
ofl.render.described(sheet.resize((680, 680), Image.Resampling.LANCZOS),
                     "The scene and three predictions. From one to the next more of it is named.")

# %% [markdown]
# Above: the scene and step 30. Below: steps 70 and 100. One after the other the queries dare to name something; the
# car is among the first.

# %% [markdown]
# ## A query's life
#
# `QueryInspector` (lesson 10) takes the kept models as checkpoints. We choose the one that
# ends up surest of a car. The two lowest rows are this query over the training, its mask and, below, where it looks:
# first it is everywhere and nothing, then it finds a region and a name.

# %% tags=["nbval-ignore-output"]
from oneformer_lite.widgets import LossInspector, QueryInspector

inspector = QueryInspector(kept[100], scene, checkpoints={f"step {step}": kept[step] for step in MOMENTS[:3]})
with torch.no_grad():
    names = kept[100](ofl.data.normalise(scene.image)[None], "panoptic").class_logits[0].softmax(-1)  # [Q, K+1]
inspector.set(query=int(names[:, tiny.class_names.index("car")].argmax()))

# %% [markdown]
# (A hundred steps amplify roundings, so this picture differs a little from machine to machine; the tests do not
# compare it.) `.set` goes to another moment, and `.state` says where one is:

# %% tags=["nbval-ignore-output"]
state = inspector.set(checkpoint="step 10", layer=1).state
print({name: state[name] for name in ("task", "checkpoint", "layer")})

# %% [markdown]
# ## Where the loss comes from
#
# Back to the ten minutes. `LossInspector` reads the run's folder and builds the batch behind any step again from its
# seed. Given a model (here the shipped one) it says what each segment costs *now*: dark is expensive.

# %%
shipped = ofl.from_pretrained("toytown")
inspector = LossInspector(run, ofl.data.Toytown("train", size=128, length=6000), shipped)
inspector.set(step=210, loss="mask")

# %% [markdown]
# Upper right, the mask loss of each prediction, before the decoder and after each of its layers: *deep supervision*
# trains them all. The mask loss hardly differs between them; at the end of the run the class loss does:

# %%
record = run.history[-2]
for name in ("mask", "class"):
    by_layer = record["by_layer"][name]
    print(f"{name:<5} loss at step {record['step']}: {by_layer[0]:.2f} before the decoder, {by_layer[-1]:.2f} after it")
inspector.set(step=2400, loss="class", layer=0).state

# %% [markdown]
# `run.replay()` shows the whole log with a slider; lesson 14 does that.

# %% [markdown]
# ## The paper's figure, in the names of the code
#
# All parts are built, and trained together. So the figure that introduces OneFormer in its paper (figure 2) can be read
# like a list of things that you know. Here it is drawn again, for our scene: in bold the name in the code, below it the
# paper's, then what the part makes of the scene.

# %% tags=["nbval-ignore-output"]
ofl.drawings.figure_two(shipped, ofl.data.Toytown("val", size=128)[13])

# %% [markdown]
# (CA, SA and FFN are *look*, *talk* and *think* of lesson 10. $Q'$ are the copies of the task token of lesson 06.)
#
# What the authors say in words, with the section, and the line of the package that does it. The line is searched for in
# the package: if it were gone, this cell would fail.

# %%
from pathlib import Path

SENTENCES = [
    ("3.1", "we first uniformly sample the task", "training/loader.py", "rng.choice(supplied"),
    ("3.1", "pad T_list with “a/an {task} photo” entries", "data/targets.py", "[:num_texts]"),
    ("3.1", "the template “the task is {task}”, which is tokenized", "model/parts/task.py", "return tokenize("),
    ("3.2", "as a N - 1 times repetitions of the task-token", "model/parts/query.py", "task_token[:, None].expand"),
    ("3.2", "is concatenated with Q_task", "model/parts/query.py", "torch.cat([self.norm(x)"),
    ("3.2", "concatenate a set of N_ctx learnable text context embeddings", "model/parts/text.py", "torch.cat([features"),
    ("3.3", "an object-to-text contrastive loss", "losses/contrastive.py", "F.cross_entropy(by_image"),
    ("3.3", "a learnable temperature parameter", "losses/contrastive.py", "logit_scale.exp()"),
    ("3.4", "a masked cross-attention (CA) operation", "model/parts/masked_decoder.py", "self.cross_attention(x"),
    ("3.4", "mapped to a K + 1 dimensional space", "model/parts/masked_decoder.py", "self.class_head = "),
    ("3.4", "an einsum operation between Q and F_1/4", "model/output.py", 'torch.einsum("bqc,bchw->bqhw"'),
    ("3.5", "a weighted sum of the four losses", "losses/criterion.py", 'losses["total"] = sum('),
]
package = Path(ofl.__file__).parent
for section, sentence, file, fragment in SENTENCES:
    (line,) = (line for line in (package / file).read_text().split("\n") if fragment in line)
    print(f"{section}  “{sentence}”\n     {file}: {line.strip()}")

# %% [markdown]
# Where words and code differ, the lessons say so: the values of the query transformer (lesson 06), the layers of the task
# MLP (lesson 04), the steps of the schedule (above).

# %% [markdown]
# ## What is simplified here, and where the official code differs
#
# * Clipping: the official configurations say 0.01, but `train_net.py` uses up its list of parameters before it clips,
#   so it never does. `clip_norm=None` is that; Toytown's high rate wants 1.
# * The recipe: published is a rate of 0.0001 with 16 images a step on eight GPUs, multistep, no averaged weights. A
#   laptop has minutes: twenty times the rate, 6 images, a cosine, an average.
# * Norms and embeddings have no decay, as in the official `build_optimizer`; plain parameters (the pixel decoder's
#   level vectors, the temperature) decay there and here.
# * Tasks: official code draws with cumulative thresholds 0.33 and 0.66, so panoptic gets 0.34.

# %% [markdown]
# ## Break it: four parts left out
#
# What was each part for? Leave it out, and look.

# %% [markdown]
# **Masked attention.** The shipped model was trained with it. Let its queries look everywhere:

# %%
from unittest.mock import patch

from oneformer_lite.model.parts import masked_decoder as decoder


def everywhere(mask_logits):
    return torch.ones_like(mask_logits, dtype=torch.bool)


few, large = ofl.data.Toytown("val", size=128, length=8), ofl.data.Toytown("val", size=192)[13]
intact, whole = ofl.evaluate(shipped, few), ofl.predict(shipped, large.image, "panoptic")
with patch.object(decoder, "attention_region", everywhere):
    blurred, unmasked = ofl.evaluate(shipped, few), ofl.predict(shipped, large.image, "panoptic")
for name in ("PQ", "AP"):
    print(f"{name}: {5 * round(intact[name] / 5)} with, {5 * round(blurred[name] / 5)} without (to the nearest 5)")
sheet = ofl.render.contact_sheet([[whole.render(), unmasked.render()]], ["with masked attention", "without"])
ofl.render.described(Image.fromarray(sheet).resize((720, 384), Image.Resampling.LANCZOS),
                     "The prediction with masked attention and without. Without it the car, the grass, the ball and some "
                     "of the trees are not found.")

# %% [markdown]
# Things suffer most: a query for a small car now reads the whole street, and car and ball are gone. That says how
# much *this* model, trained with masks, needs them when it is used: masked attention was switched off *after*
# training. (Where things stand in crowds it needs them still more: there every second thing is lost, lesson 10.) A
# model that is *trained* without them is another question; it learns, too, according to the authors of Mask2Former more
# slowly, and less well (lesson 19 tries it here).

# %% [markdown]
# **The no-object weight.** Most queries have nothing to find. If "no object" weighs 1 instead of 0.1, saying it
# always is a fine answer. And **the task token**: what if the model is always told "panoptic"? Train both, for
# seventy of the hundred steps:

# %%
def trained(config, said=None, steps=70):
    for step, (_, model, _) in enumerate(training(config, recipe, pair, said), start=1):
        if step == steps:
            return model.eval()


heavy = trained(replace(tiny, no_object_weight=1.0))
deaf = trained(tiny, said="panoptic")

# %% [markdown]
# Count the queries that are sure of a class, over both scenes and all tasks, and those of them that name stuff under
# "instance", where there is none.

# %%
from oneformer_lite.data import TASKS

images = torch.stack([ofl.data.normalise(sample.image) for sample in pair])
targets = sum(len(ofl.data.targets_for(sample, task)) for sample in pair for task in TASKS)
is_stuff = ~torch.tensor(tiny.is_thing)


def sure(model, task):
    with torch.inference_mode():
        score, label = model(images, task).class_logits.softmax(-1)[..., :-1].max(-1)  # [B, Q]
    return label[score > 0.5]


models = {"intact": kept[70], "no-object weight 1": heavy, "always told panoptic": deaf}
counts = {name: sum(len(sure(model, task)) for task in TASKS) for name, model in models.items()}
stuff = {name: int(is_stuff[sure(model, "instance")].sum()) for name, model in models.items()}
figure, axes = plt.subplots(1, 2, figsize=(10, 2.6))
for ax, values, title in zip(axes, (counts, stuff), ("sure queries, all tasks", "of them stuff, under “instance”")):
    ax.barh(list(values)[::-1], list(values.values())[::-1], color=["#d55e00", "#e69f00", "#0072b2"])
    ax.set_xlabel(title)
axes[0].axvline(targets, color="black", ls="--", lw=1)
axes[1].set_yticks([])
plt.tight_layout()
ofl.render.described(figure, "Two rows of bars. Sure queries: the intact model has somewhat more than there are "
                             "masks, weight 1 fewer, told panoptic most. Of them stuff under instance: few, but many "
                             "where it is told panoptic.")

# %% [markdown]
# Dashed: how many masks there are to find. With weight 1 the model says too little and misses segments. Without its
# task token it cannot know that stuff is not wanted. (After seventy steps the intact one, too, may still name some.)

# %%
print("weight 1: fewer sure queries than masks:", counts["no-object weight 1"] < targets <= counts["intact"])
print("told panoptic: more stuff under instance:", stuff["always told panoptic"] > stuff["intact"])

# %% [markdown]
# **The contrastive loss.** Without it nothing reaches the text mapper:

# %%
model = ofl.OneFormer(replace(tiny, contrastive_weight=0.0))
output = model(batch.images, batch.tasks, texts=batch.texts)
ofl.losses.Criterion(model.config)(output, batch.targets)["total"].backward()
gradients = [p.grad for p in model.text_mapper.parameters() if p.grad is not None]
print("largest gradient of the text mapper:", max(g.abs().max().item() for g in gradients))

# %% [markdown]
# A hundred steps are too few to see the harm. The paper measures it (PQ, from its tables of ablations): on
# Cityscapes 67.2 falls to 58.8, on COCO with a ResNet-50 only 51.5 to 51.1. A part may be worth much here and
# little there: measure.

# %% [markdown]
# ## In the package
#
# * `training.optim.parameter_groups`: who learns slowly, who does not decay
# * `training.optim.lr_factor`: warm-up and schedule
# * `training.optim.AveragedWeights`: the moving average
# * `training.loader.TaskSamples`: a task and an augmentation for each image, from the seed
# * `training.loader.training_batches`: batches without end
# * `training.step.Optimization`: one step: losses, gradients, clipping, update
# * `training.evaluations.Evaluations`: the quick evaluations of a run, evenly spread, the last of the finished model
# * `training.trainer.Trainer`: the loop, with checkpoints, log and evaluations
# * `training.whole_run.train`: all of it in one call
# * `drawings.paper_figure.figure_two`: figure 2 of the paper, with the names of the code

# %% [markdown]
# ## Summary
#
# * A training step is: batch, forward with texts, losses, backward, clip, AdamW, average.
# * The backbone learns slower than the rest; norms and embeddings do not decay; the rate warms up and falls.
# * Leave a part out and look: that is how you learn what it is for, and whether you need it.
#
# **Ask yourself**
#
# <details><summary>Why is a learning rate for AdamW not comparable to one for plain gradient descent?</summary>
# Adam divides by the usual size of the gradient, so its steps are about as long as the rate, whatever the loss is
# multiplied with.</details>
#
# <details><summary>Multiply the whole loss by 10. What changes?</summary>
# Without clipping almost nothing, as in the answer before. With clipping at 1 more steps are clipped, and Adam's
# averages see all of them at the same length.</details>
#
# <details><summary>Why does the decay of the average grow with the steps?</summary>
# With 0.995 from the start, after a hundred steps over half of the average would still be the random start.</details>
#
# <details><summary>Your training overfits two scenes, but does not learn from six thousand. What do you
# know?</summary>
# Model, losses and targets fit together, and gradients arrive. Look at the data (are targets right everywhere?), at
# the rate, and at how long you trained.</details>
