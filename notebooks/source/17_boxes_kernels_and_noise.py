# %% [markdown]
# # 17 · Boxes, kernels and noise
#
# On lesson 16's ladder, queries came to look where their masks are. In the same years three other models asked the same
# question: **what should a query hold, so that it finds its object?**
#
# * **Mask DINO** (2023): a *box*. And the truth, shaken, to practise on.
# * **K-Net** (2021): nothing. The query *is* the mask's filter, a kernel.
# * **Panoptic SegFormer** (2022): nothing but where it looks. Its attention *is* the mask.
#
# We take each idea apart in a few lines that agree with the package, train all three for some seconds, and measure what
# noise is good for: how often the same object finds another query, from one step of training to the next.
#
# *Goals:* say what a query may hold (a box, a kernel, a place); shake the truth and measure what that gives.
# *Before:* lessons 08 and 16. *Minutes:* 70. *Words and letters:* [glossary](GLOSSARY.md).

# %%
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
import oneformer_lite as ofl
from oneformer_lite.lessons import proved

c = ofl.config
presets = {"Mask DINO": c.mask_dino_toytown(), "K-Net": c.knet_toytown(),
           "Panoptic SegFormer": c.panoptic_segformer_toytown()}  # fmt: skip

# %% [markdown]
# All three are members of the house, made by `build` like the others. What do they match by (lesson 08)? K-Net knows no
# boxes, Panoptic SegFormer matches before it has masks, Mask DINO has both:

# %%
for name, preset in presets.items():
    model = ofl.model.build(replace(preset, pretrained=False))
    size = sum(p.numel() for p in model.parameters()) / 1e6
    print(f"{name:<19} {size:.2f} million parameters, matched by {', '.join(preset.MATCHED_BY)}")

# %% [markdown]
# ## What a box knows that a mask does not
#
# Take a disc, and one drawn just like it somewhere else. How wrong is the copy? For a mask, dice says it (lesson 09b). For
# a box, the sum of its four differences and GIoU (lesson 16) do. We move the copy towards the right place, pixel by
# pixel:

# %%
from oneformer_lite.losses.boxes import giou_cost, l1_cost
from oneformer_lite.losses.matching import dice_cost
from oneformer_lite.model.parts.boxes import around

rows, columns = torch.meshgrid(torch.arange(64), torch.arange(64), indexing="ij")
disc = lambda x: (rows - 32) ** 2 + (columns - x) ** 2 <= 6**2
right, distances = disc(54), range(44, -1, -1)
copies = torch.stack([disc(54 - d) for d in distances])
logits = 20.0 * (2 * copies.flatten(1).float() - 1)
said, wanted = around(copies, (64, 64)), around(right[None], (64, 64))

# %% [markdown]
# The three costs, each of all copies:

# %%
figure, ax = plt.subplots(figsize=(7, 2.8), layout="constrained")
ax.plot(distances, dice_cost(logits, right[None].flatten(1).float()), label="dice of the masks")
ax.plot(distances, 1 + giou_cost(said, wanted), ls="--", label="1 - GIoU of the boxes")
ax.plot(distances, l1_cost(said, wanted), ls=":", label="L1 of the boxes")
ax.set(xlabel="pixels from the right place", ylabel="cost", xlim=(44, 0))
ax.legend(frameon=False)
ofl.render.described(figure, "Three costs against the distance of two discs. Dice stays at 1 until they touch, then "
                     "falls. L1 and GIoU of the boxes fall all the way.")  # fmt: skip

# %% [markdown]
# A mask that misses by 13 pixels and one that misses by 44 are equally wrong: dice says that they do not overlap, and
# nothing else. A box knows **how far, and in which direction**.
#
# It knows a second thing: **where to look**. A mask must be found before it can say where the query should look next
# (hence the rescue of lesson 10). A box is there from the start, four numbers that a query carries along and that the
# next layer reads from. Deformable attention (lesson 03) then takes its points *within the box*: with P points a head,
# an offset of P is half a side.

# %%
def look(box, offsets):
    """[N, 4], [N, M, L, P, 2] -> places [N, M, L, P, 2], x and y in shares of the picture"""
    centre, sides = box[:, None, None, None, :2], box[:, None, None, None, 2:]
    return centre + offsets / offsets.shape[-2] * sides / 2


# %% [markdown]
# Equal to the package, for random queries and boxes:

# %%
from oneformer_lite.model.parts.deformable_attention import DeformableAttention

torch.manual_seed(0)
attention = DeformableAttention(dim=32, num_heads=4, num_levels=3, num_points=4)
query, box = torch.randn(1, 5, 32), torch.rand(1, 5, 4)
offsets = attention.sampling_offsets(query).view(5, 4, 3, 4, 2)
theirs, _ = attention.sampling(query, box, [(8, 8), (4, 4), (2, 2)])
proved("look = package", look(box[0], offsets), theirs[0], atol=1e-6)

# %% [markdown]
# And a box can be **moved**. A layer does not give a new box, it gives four steps. They are added to the logits of
# the box; a sigmoid makes shares between 0 and 1 of them. So a box never leaves the picture, and a small step at a
# border stays small:

# %%
def moved(box, steps):
    return torch.sigmoid(torch.logit(box, eps=1e-5) + steps)


# %% [markdown]
# The package's, and what a step of 1 does in the middle and near the border:

# %%
from oneformer_lite.model.parts.boxes import refined

steps = torch.randn(5, 4)
for x in (0.5, 0.9, 0.99):
    print(f"from {x} to {float(moved(torch.tensor(x), torch.tensor(1.0))):.3f}")
proved("moved = package", moved(box[0], steps), refined(box[0], steps), atol=1e-5)

# %% [markdown]
# ## Layer by layer
#
# Does it work? Two scenes of 64 x 64, learned by heart, are enough to see. One loop serves the whole lesson; what
# `after` is given, it may look at after each step:

# %%
from oneformer_lite.losses import Criterion


def learn(model, scenes, steps, lr, clip, batch_size, after=lambda model: None):
    rng, criterion = np.random.default_rng(0), Criterion(model.config)
    optimiser = torch.optim.AdamW(model.train().parameters(), lr, weight_decay=0.05)
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = lr * min(1, (step + 1) / 10, 2 * (1 - step / steps))  # up, level, and down in the second half
        chosen = rng.choice(len(scenes), batch_size, replace=False)
        batch = ofl.data.collate([(scenes[i], "panoptic") for i in chosen])
        loss = criterion(model.learn(batch), batch.targets)["total"]
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimiser.step()
        after(model)
    return model.eval()


# %% [markdown]
# Small models: 64 channels, few layers. Mask DINO's queries can be chosen among the places of the picture ("two-stage",
# as published for panoptic segmentation) or learned; these are learned.

# %%
pair = [ofl.data.Toytown("val", 64)[i] for i in (13, 14)]
small = {"image_size": 64, "test_size": 64, "hidden_dim": 64}
shallow = {"encoder_layers": 1, "decoder_layers": 3, "num_points": 256, "two_stage": False}
torch.manual_seed(0)
dino = ofl.model.build(replace(presets["Mask DINO"], **small, **shallow, num_queries=20, denoising_queries=0))
dino = learn(dino, pair, 60, lr=2e-3, clip=1.0, batch_size=2)

# %% [markdown]
# Four things of the first scene: their right boxes are dotted, those of the queries that answer for them solid. The
# first picture shows where a query starts whatever the scene, the next what it says after each layer.

# %% tags=["nbval-ignore-output"]
from matplotlib.patches import Rectangle
from oneformer_lite.losses import matched_queries
from oneformer_lite.model.parts.boxes import boxes_of

scene, tones = pair[0], ("#e69f00", "#56b4e9", "#f0e442", "#ffffff")
batch = ofl.data.collate([(scene, "panoptic")])
targets, queries = batch.targets[0], matched_queries(dino, batch)[0]
with torch.no_grad():
    output = dino(batch.images, trace=True)
things = [g for g, k in enumerate(targets.labels.tolist()) if scene.categories[k].is_thing]
things = sorted(things, key=lambda g: -int(targets.masks[g].sum()))[:4]


def draw(ax, box, **style):
    x, y, w, h = 64 * box
    ax.add_patch(Rectangle((x - w / 2 - 0.5, y - h / 2 - 0.5), w, h, fill=False, **style))


# %% [markdown]
# Before the first layer and after each of the three:

# %% tags=["nbval-ignore-output"]
figure, axes = plt.subplots(1, 4, figsize=(11, 3), layout="constrained")
titles = ["at the start", *(f"after layer {i}" for i in (1, 2, 3))]
for ax, title, reading in zip(axes, titles, output.predictions):
    ax.imshow(scene.image)
    ax.set(title=title, xticks=[], yticks=[])
    for g, tone in zip(things, tones):
        draw(ax, boxes_of(targets)[g], edgecolor=tone, ls=":", lw=1.5)
        draw(ax, reading.boxes[0, queries[g]], edgecolor=tone, lw=2)
ofl.render.described(figure, "A street scene four times. Each query's solid box starts somewhere and comes nearer to the "
                     "dotted box around its object, layer by layer.")  # fmt: skip

# %% [markdown]
# How far are they off (the sum of four differences, mean over all objects)? Stuff counts as well:

# %% tags=["nbval-ignore-output"]
for title, reading in zip(titles, output.predictions):
    off = (reading.boxes[0, queries] - boxes_of(targets)).abs().sum(1).mean()
    print(f"{title:<14} {float(off):.2f}")

# %% [markdown]
# No gradient goes from one layer's box back through the layers before: each would have to answer for all that follow.
# It goes back one layer (*look forward twice*): what layer 2 says starts from layer 1's box, so layer 1 learns from
# both.
#
# **Mask-enhanced boxes.** Before the first layer a query says a mask as well as a box. Where queries are chosen among the
# picture's places, Mask DINO may start from the box *around that mask* instead:

# %%
def box_around(mask):
    """bool [h, w] -> centre x, y, width, height in shares"""
    rows, columns = torch.nonzero(mask, as_tuple=True)
    (top, bottom), (left, right) = ((int(v.min()), int(v.max()) + 1) for v in (rows, columns))
    h, w = mask.shape
    return torch.tensor([(left + right) / 2 / w, (top + bottom) / 2 / h, (right - left) / w, (bottom - top) / h])


# %% [markdown]
# The package does so for all queries at once; an empty mask gets a box without size (`initial_boxes="bitmask"`). Which of
# the two is nearer to the truth, before the first layer and after the last?

# %% tags=["nbval-ignore-output"]
from oneformer_lite.model.parts.boxes import boxes_of_masks

for title, reading in ((titles[0], output.predictions[0]), (titles[-1], output)):
    inside = reading.mask_logits[0, queries] > 0
    drawn = [g for g in range(len(queries)) if inside[g].any()]
    ours, wanted = torch.stack([box_around(inside[g]) for g in drawn]), boxes_of(targets)[drawn]
    assert torch.allclose(ours, boxes_of_masks(reading.mask_logits[:, queries], "bitmask")[0, drawn])  # the package's
    off = [float((boxes - wanted).abs().sum(1).mean()) for boxes in (reading.boxes[0, queries][drawn], ours)]
    print(f"{title:<14} the box is off by {off[0]:.2f}, the one around the mask by {off[1]:.2f}")

# %% [markdown]
# At the start the mask knows more: it has seen the picture, and a learned box has not. At the end it is the other way
# round. So masks lend their boxes to the start alone.

# %% [markdown]
# ## Noise, to practise on
#
# Matching (lesson 08) is decided by what queries say, and what they say is decided by what they were matched with. At
# the beginning that is chance: two queries are equally wrong, and a tiny difference decides which of them is told to
# become the car. A step later, it may be the other.
#
# **Denoising** adds queries for which nothing needs to be decided. They start *from the truth*: the label as content, the
# box as place, both made a little wrong. Each has to find back to the object that it came from.

# %%
torch.manual_seed(0)
model = ofl.model.build(replace(dino.config, denoising_queries=40)).eval()  # new: what follows holds for any weights
noised = model.denoising(batch.targets)
print(noised.groups, "groups of", noised.most, "queries, for", len(targets), "objects")

# %% [markdown]
# Boxes are shaken by up to 0.4 of half their sides, and made larger or smaller by up to 0.4 of themselves. Three groups,
# the boxes of things alone:

# %%
def shaken(boxes, noise, draws):
    """boxes [N, 4], draws [N, 4] from 0 to 1 -> [N, 4]"""
    reach = torch.cat([boxes[:, 2:] / 2, boxes[:, 2:]], 1)
    return (boxes + noise * (2 * draws - 1) * reach).clamp(0, 1)


# %% [markdown]
# The package's, with the same random numbers, and in the picture (dotted: the truth):

# %%
torch.manual_seed(1)
theirs = model.denoising._shaken(boxes_of(targets))
torch.manual_seed(1)
display(proved("shaken = package", shaken(boxes_of(targets), 0.4, torch.rand(len(targets), 4)), theirs, atol=1e-8))
figure, axes = plt.subplots(1, 3, figsize=(9, 3.1), layout="constrained")
for group, ax in enumerate(axes):
    ax.imshow(scene.image)
    ax.set(title=f"group {group}", xticks=[], yticks=[])
    for g, tone in zip(things, tones):
        draw(ax, boxes_of(targets)[g], edgecolor=tone, ls=":", lw=1.5)
        draw(ax, noised.box_logits[0, noised.slices()[group]].sigmoid()[g], edgecolor=tone, lw=2)
ofl.render.described(figure, "Three groups of noised boxes over the same scene: in each the boxes lie a little beside the "
                     "dotted right ones, every time elsewhere.")  # fmt: skip

# %% [markdown]
# A fifth of the labels is exchanged for random ones, too. But if the queries that are matched could look at these, they
# would copy, and be lost when there is no truth. So attention between queries gets a mask, in five lines:

# %%
def may_look(groups, most, others):
    """-> bool [T, T], T = groups * most + others: rows look at columns; the others come last"""
    of_group = torch.arange(groups).repeat_interleave(most)
    group = torch.cat([of_group, torch.full((others,), -1)])
    same, is_other = group[:, None] == group, group[None] == -1
    return same | is_other


# %% [markdown]
# A group sees itself and the others, the others see each other. (White: may not.)

# %%
allowed = may_look(noised.groups, noised.most, 20)
display(proved("may_look = package", allowed, noised.allowed(20)))
figure, ax = plt.subplots(figsize=(3.2, 3.2), layout="constrained")
ax.imshow(allowed, cmap="Blues", vmin=0, vmax=1.6, interpolation="nearest")
middle = noised.groups * noised.most / 2
ax.set(xticks=[middle, 2 * middle + 10], xticklabels=["noised", "matched"], yticks=[])
ofl.render.described(figure, "A square matrix. Blocks on the diagonal, one for each group, and a stripe at the right edge "
                     "over all rows are blue: everybody may look at the matched queries.")  # fmt: skip

# %% [markdown]
# So the answers of the others are the same, to the last digit that rounding leaves, whether the truth is there or not:

# %%
with torch.no_grad():
    with_noise = model.learn(batch)
    alone = model(batch.images)
print("noised predictions:", len(with_noise.denoising), "layers of", len(with_noise.denoising[0]), "groups")
proved("the others are not told", with_noise.mask_logits, alone.mask_logits, atol=1e-3)

# %% [markdown]
# ## Does noise make matching steady?
#
# What does it help, if the others learn nothing of the truth? They share all weights. The layers learn from the noised
# queries what "go to the box and look there" means, while the matched ones still gamble.
#
# So measure it. `matched_queries` asks, in the middle of a training, which query each object of some pictures would be
# matched with now; `changed_share` is the share that has another one. By hand, on three objects:

# %%
from oneformer_lite.losses import changed_share

before, after = [torch.tensor([3, 7, 1])], [torch.tensor([3, 1, 7])]
print(f"{changed_share(before, after):.2f}")

# %% [markdown]
# Two trainings of the same first weights on the same scenes, one with and one without noise. After each step, the
# queries of six scenes are noted:

# %%
scenes = [ofl.data.Toytown("train", 64)[i] for i in range(64)]
watched = ofl.data.collate([(scene, "panoptic") for scene in scenes[:6]])


def watch(noise, steps=40):
    torch.manual_seed(0)
    model = ofl.model.build(replace(presets["Mask DINO"], **small, **shallow, denoising_queries=noise))
    found = [matched_queries(model, watched)]
    learn(model, scenes, steps, 1e-3, 0.1, 4, lambda model: found.append(matched_queries(model, watched)))
    return found


# %% [markdown]
# The share that has another query than a step before, and than ten steps before:

# %% tags=["nbval-ignore-output"]
found = {noise: watch(noise) for noise in (0, 30)}
for noise, queries_then in found.items():
    steps1, steps10 = (np.mean([changed_share(a, b) for a, b in zip(queries_then, queries_then[lag:])]) for lag in (1, 10))
    print(f"{noise:>2} noised queries: {steps1:.1%} from one step to the next, {steps10:.1%} from ten steps before")

# %% [markdown]
# Forty steps and one seed are little. `tests/benchmarks/stability.py` made 150 steps of five seeds each, on 256 scenes,
# at a constant rate:

# %%
import json

log = json.loads((ofl.data.sample_folder() / "stability.json").read_text())
runs = {noise: [r for r in log["runs"] if r["denoising_queries"] == noise] for noise in (0, 30)}
for lag in ("1", "10"):
    print(f"another query than {lag} step{'s' * (lag != '1')} before")
    for noise, of_noise in runs.items():
        shares = [np.mean(r["changed"][lag]) for r in of_noise]
        print(f"  {noise:>2} noised: {np.mean(shares):.1%} on average; seeds: {', '.join(f'{s:.1%}' for s in shares)}")

# %% [markdown]
# Step by step (lines: means of the seeds, areas: from the least to the greatest):

# %%
figure, axes = plt.subplots(1, 2, figsize=(9, 2.9), layout="constrained")
for ax, lag in zip(axes, ("1", "10")):
    for (noise, of_noise), tone in zip(runs.items(), ("#d55e00", "#0072b2")):
        shares = np.array([r["changed"][lag] for r in of_noise])
        at = int(lag) + 10 * np.arange(shares.shape[1]) + 5
        ax.plot(at, shares.mean(0), "-" if int(noise) else "--", color=tone, label=f"{noise} noised queries")
        ax.fill_between(at, shares.min(0), shares.max(0), color=tone, alpha=0.2, lw=0)
    ax.set(xlabel="step", ylabel="objects with another query", title=f"than {lag} step{'s' * (lag != '1')} before", ylim=0)
axes[0].legend(frameon=False)
ofl.render.described(figure, "The share of objects whose query changes, over 150 steps, with and without noise, compared "
                     "with one and with ten steps before.")  # fmt: skip

# %% [markdown]
# In every seed, fewer objects have changed their query after ten steps if there is noise; from one step to the next, in
# four seeds of the five. It helps most in the beginning, where matching is a gamble. It makes matching steadier, not
# steady, and from one step to the next one seed alone could have told you the opposite.
#
# The price: noised queries go through all layers too. What comes out at the same step (dice loss of the last prediction,
# mean over ten steps)?

# %%
for noise, of_noise in runs.items():
    ends = [r["dice"][-1] for r in of_noise]
    print(f"{noise:>2} noised queries: {np.mean(ends):.2f}; seeds: {', '.join(f'{end:.2f}' for end in ends)}")

# %% [markdown]
# A little better, hardly more than the seeds differ. At full size, with hundreds of queries and months of processor
# time, DN-DETR (a DETR with denoising) and its children need a fraction of the epochs.
#
# **Does it help OneFormer?** It has no boxes to shake. `denoising_queries=16` gives it noised *masks* to look into,
# as in MP-Former (a Mask2Former with noised masks), and wrong labels. Twenty minutes of one core each (those of
# lesson 16), fewer steps with noise, because each is longer; PQ of some held-out scenes after each quarter, and at
# the end of all of them:

# %%
for name, member in (("as it is", "oneformer"), ("16 noised", "oneformer_denoising")):
    records = ofl.Run.attach(ofl.data.sample_folder() / "ladder" / member).history
    quarters = " ".join(f"{r['PQ']:.1f}" for r in records if r["kind"] == "eval")
    end = records[-1]
    print(f"{name:<10} {end['step']} steps of {end['seconds_a_step']} s: {quarters}; "
          f"at the end PQ {end['PQ']:.1f}, AP {end['AP']:.1f}, mIoU {end['mIoU']:.1f}")  # fmt: skip

# %% [markdown]
# Ahead all the way, and by most at the beginning, as above. One seed each: a hint. (Lesson 19 has the same seed on two
# processors; they were as far apart as this, in much shorter trainings.)

# %% [markdown]
# ## A query that is a kernel
#
# K-Net asks nothing and looks nowhere. A mask is a convolution of the picture's features with a kernel of 1 x 1, and
# that is the dot product of lesson 16 in other words:

# %%
features, kernels = torch.randn(1, 64, 16, 16), torch.randn(5, 64)
by_convolution = F.conv2d(features, kernels[:, :, None, None])
by_product = torch.einsum("qc,bchw->bqhw", kernels, features)
proved("convolution = product", by_convolution, by_product, atol=1e-4)

# %% [markdown]
# What a kernel learns of the picture is what lies *under its own mask*, summed up. No attention, no positions:

# %%
def gathered(features, masks):
    """[C, h, w], logits [Q, h, w] -> [Q, C]"""
    inside = (masks > 0).float()
    return inside.flatten(1) @ features.flatten(1).T


# %% [markdown]
# From that and from what it was, the kernel is made anew. Two gates, which see both, say how much of each stays (n are
# LayerNorms, their names those of the package):

# %%
def updated(u, kernel, gathered):
    asked, new = u.from_features(gathered).chunk(2, -1)
    asking, old = u.from_kernel(kernel).chunk(2, -1)
    both = asked * asking
    keep_new = u.feature_gate_norm(u.feature_gate(both)).sigmoid()
    keep_old = u.kernel_gate_norm(u.kernel_gate(both)).sigmoid()
    return u.norm(u.output(keep_new * u.feature_norm(new) + keep_old * u.kernel_norm(old))).relu()


# %% [markdown]
# Both against the package:

# %%
from oneformer_lite.model.parts.kernels import KernelUpdate, pooled

update, masks = KernelUpdate(64), by_product[0]
with torch.no_grad():
    ours, theirs = gathered(features[0], masks), pooled(features, masks[None])[0]
    kernel, theirs_updated = updated(update, kernels, ours), update(kernels, theirs)
proved("gathered = package", ours, theirs, atol=1e-3) + proved("updated = package", kernel, theirs_updated, atol=1e-5)

# %% [markdown]
# Then the kernels look at each other, so that two of them do not take the same object, and say class and mask. Three
# such stages follow a first guess, which is made without having seen anything. Two scenes by heart again:

# %%
torch.manual_seed(0)
knet = learn(ofl.model.build(replace(presets["K-Net"], **small, thing_kernels=16)), pair, 90, 2e-3, 1.0, 2)

# %% [markdown]
# **A kernel's life.** The masks of three things' kernels and of one of stuff: the first guess, then what each stage makes
# of what it gathered under the mask to the left.

# %% tags=["nbval-ignore-output"]
from oneformer_lite.inspectors.queries.pictures import mask_over

with torch.no_grad():
    stages = knet(batch.images, trace=True).predictions
matched = Criterion(knet.config).match(knet.learn(batch), batch.targets, [(0, 0)]).assigned[-1][0]
stuff = max((g for g in range(len(targets)) if g not in things), key=lambda g: int(targets.masks[g].sum()))
paint = ofl.render.label_colors(scene.categories)


def life(readings, g, query):
    """The mask of one query in each reading, over the scene."""
    large = [F.interpolate(r.mask_logits[:, [query]], size=(64, 64), mode="bilinear")[0, 0] for r in readings]
    color = paint[int(targets.labels[g])]
    return [ofl.render.enlarge(mask_over(scene.image, mask.detach().numpy(), color), 3) for mask in large]


# %% [markdown]
# From left to right, the guess and the three stages:

# %% tags=["nbval-ignore-output"]
chosen = [*things[:3], stuff]
names = [scene.categories[int(targets.labels[g])].name for g in chosen]
rows = [life(stages, g, int(matched[g])) for g in chosen]
sheet = ofl.render.contact_sheet(rows, ["first guess", "stage 1", "stage 2", "stage 3"], names)
ofl.render.described(sheet, f"Masks of four kernels ({', '.join(names)}) over the scene, before the first stage and after "
                     "each of three.")  # fmt: skip

# %% [markdown]
# Of two scenes learned by heart, the guess is nearly right for things, and the stages are left with the edges. Stuff may
# begin with nothing: its first mask is where a class is likelier than one half, and gathers nothing where it is empty.
# The stage then has the kernel itself and what the others tell it.
#
# Kernels of stuff are not matched: they are the rows of a layer that gives each pixel its class, so each answers for its
# class forever. And those of things are matched with the masks of the stage *before*: what a kernel gathered there
# decides what it can become, so it is asked for the object that it has gathered. Who answers for the four things, at
# each stage, in a new model and in ours:

# %% tags=["nbval-ignore-output"]
torch.manual_seed(0)
new = ofl.model.build(knet.config).eval()
for name, model_then in (("new", new), ("trained", knet)):
    assigned = Criterion(knet.config).match(model_then.learn(batch), batch.targets, [(0, 0)]).assigned
    for stage, images in zip(("guess", "stage 1", "stage 2", "stage 3"), assigned):
        print(f"{name:<8} {stage:<8}", [int(images[0][g]) for g in things])

# %% [markdown]
# The first two lines are the same: the guess is matched by itself, and stage 1 by the guess.
#
# ## A mask that is attention
#
# Panoptic SegFormer goes the other way. It takes queries that have found a box (a Deformable DETR, which samples as
# in lesson 03, for things; one query for each class of stuff) and asks only: where do you look? Scores before the
# softmax go through a small layer of their level. What all heads of a level say together is added up over the levels:

# %%
def contributions(queries, memory, shapes, m):
    """[N, C], [S, C], sizes of the levels (finest first), layers -> what each level adds, [N, h, w] of the finest"""
    q, k = (f(x).unflatten(-1, (m.num_heads, -1)) for f, x in ((m.q_proj, queries), (m.k_proj, memory)))
    scores = torch.einsum("nmd,smd->nsm", q, k) / q.shape[-1] ** 0.5
    added, weights = [], m.together.weight[0].split(m.num_heads)
    for (h, w), level, found, weight in zip(shapes, m.levels, scores.split([h * w for h, w in shapes], 1), weights):
        maps = (level(found).relu() @ weight).unflatten(1, (h, w))
        added.append(F.interpolate(maps[None], shapes[0], mode="bilinear")[0])
    return added


def mask_of(added, m):
    return (sum(added) + m.together.bias).relu()


# %% [markdown]
# Below 0 is 0. Equal to the package:

# %%
from oneformer_lite.model.parts.attention_masks import AttentionMask

shapes, mask = [(16, 16), (8, 8), (4, 4)], AttentionMask(dim=64, num_heads=4, num_levels=3)
queries, memory = torch.randn(5, 64), torch.randn(336, 64)
with torch.no_grad():
    theirs = mask.masks(mask.scores(queries[None], memory[None]), shapes)[0]
    ours = mask_of(contributions(queries, memory, shapes, mask), mask)
proved("mask_of = package", ours, theirs, atol=1e-5)

# %% [markdown]
# The mask is trained by dice alone, with squares (lesson 18), towards 0 and 1; above one half counts as inside. The two
# scenes by heart, once more:

# %%
torch.manual_seed(0)
depth = {"thing_queries": 16, "encoder_layers": 1, "decoder_layers": 2}
former = learn(ofl.model.build(replace(presets["Panoptic SegFormer"], **small, **depth)), pair, 50, 2e-3, 1.0, 2)

# %% [markdown]
# Where does a mask come from? We note what the last layer is given, and ask each level:

# %%
from unittest.mock import patch

m, given = former.thing_masks.last, []
with torch.no_grad():
    with patch.object(m, "scores", lambda *x: given.append(x) or AttentionMask.scores(m, *x)):
        output = former(batch.images)
    sides = [64 // stride for stride in (4, 8, 16, 32)]
    added = contributions(given[-1][0][0], given[-1][1][0], [(side, side) for side in sides], m)
    all_masks = mask_of(added, m)

# %% [markdown]
# The same three things as above: what each level adds (red) or takes away (blue), and the mask:

# %% tags=["nbval-ignore-output"]
matched = matched_queries(former, batch)[0]  # of things alone: stuff has queries of its own
order = [g for g in range(len(targets)) if scene.categories[int(targets.labels[g])].is_thing]
figure, axes = plt.subplots(3, 5, figsize=(9, 5.6), layout="constrained")
titles = [*(f"1/{stride} adds" for stride in (4, 8, 16, 32)), "the mask"]
for ax, title in zip(axes[0], titles):
    ax.set_title(title)
for row, g, name in zip(axes, things, names):
    query = int(matched[order.index(g)])
    for ax, found in zip(row, [*added, all_masks]):
        ax.imshow(found[query], cmap="RdBu_r", vmin=-1, vmax=1, interpolation="nearest")
        ax.set(xticks=[], yticks=[])
    row[0].set_ylabel(name)
ofl.render.described(figure, f"For {', '.join(names[:3])}: four maps of what the levels add or take away, and the sum, which "
                     "is the mask.")  # fmt: skip

# %% [markdown]
# No level draws the object alone. Coarse ones say roughly where, finer ones take away what does not belong to it, and what
# is left above 0 is the mask.
#
# **Who paints first?** These masks are numbers, not probabilities, and may exceed 1. The mean of a mask inside it is its
# *quality*; a segment's score is its class probability times quality squared. The best is painted first, the next gets
# what is left, and who has lost most of its mask to others is left out. No pixel is fought for:

# %%
def painted(scores, masks, least, overlap):
    """[N], numbers [N, H, W], float, [N] -> int [H, W]: which was painted at a pixel, counted from 1; 0 is void"""
    inside = masks > 0.5
    quality = (masks * inside).flatten(1).sum(1) / (inside.flatten(1).sum(1) + 1)
    scores, segments, count = scores * quality**2, torch.zeros(masks.shape[1:], dtype=torch.int64), 0
    for n in scores.argsort(descending=True).tolist():
        free = inside[n] & (segments == 0)
        if scores[n] >= least and inside[n].any() and free.sum() / inside[n].sum() >= overlap[n]:
            count += 1
            segments[free] = count
    return segments


# %% [markdown]
# Two discs that overlap. The right one has the surer class, but a pale mask:

# %%
y, x = torch.meshgrid(torch.arange(32), torch.arange(40), indexing="ij")
discs = torch.stack([(y - 16) ** 2 + (x - middle) ** 2 <= 100 for middle in (14, 26)])
values = discs * torch.tensor([1.0, 0.7])[:, None, None]
for scores in ([0.8, 0.9], [0.4, 0.9]):
    segments = painted(torch.tensor(scores), values, 0.3, torch.tensor([0.6, 0.6]))
    print(f"classes {scores}: the {'left' if segments[16, 6] == 1 else 'right'} one is painted first")

# %% [markdown]
# On the trained model, against the package, which asks stuff to keep more of its masks than things:

# %%
from oneformer_lite.inference import raw_predictions
from oneformer_lite.inference.panoptic_segformer import at_once, candidates_of, segformer_panoptic
from oneformer_lite.model.output import values_of_logits

raw = at_once(raw_predictions(output, [(64, 64)], [(64, 64)], (64, 64))[0])
pairs, config = candidates_of(raw, former.config), former.config
keep = torch.tensor([config.overlap_threshold if config.is_thing[k] else config.stuff_overlap_threshold
                     for k in pairs.labels.tolist()])  # fmt: skip
classes, values = raw.probabilities[pairs.queries, pairs.labels], values_of_logits(raw.masks(pairs.queries))
ours, (theirs, found) = painted(classes, values, 0.3, keep), segformer_panoptic(raw, config, 0.3)
proved("painted = package", ours, theirs)

# %% [markdown]
# So the picture is painted, with what nobody painted left black:

# %% tags=["nbval-ignore-output"]
answers = [ofl.render.render_truth(scene, "panoptic"), ofl.predict(former, scene.image, "panoptic").render()]
sheet = ofl.render.contact_sheet([answers], ["the truth", "painted"])
ofl.render.described(sheet, "The scene's segments as annotated, and as Panoptic SegFormer paints them after learning them "
                     "by heart.")  # fmt: skip

# %% [markdown]
# ## Where they stand
#
# COCO panoptic with ResNet-50, as papers and model zoos have it:
#
# | | a query holds | epochs | PQ |
# |---|---|---|---|
# | DETR | content | 500 + 25 | 43.4 |
# | K-Net | a kernel | 36 | 47.1 |
# | Panoptic SegFormer | a box, then where it looks | 24 | 49.6 |
# | Mask2Former | content, and its mask | 50 | 51.9 |
# | Mask DINO | content and a box, denoised | 50 | 53.0 |
# | Mask DINO | the same | 12 | 49.0 |
#
# After 12 epochs Mask DINO stands where Panoptic SegFormer is after 24. That is what steadiness buys at full size.

# %% [markdown]
# ## The inspectors know them
#
# `MatchInspector` shows each pair's costs; for Mask DINO there are five. Of a model that learns with noise it shows the
# noised queries apart, below all others; of K-Net and Panoptic SegFormer, things alone. (`QueryInspector` shows a query's
# box layer by layer, a kernel's life, and where Panoptic SegFormer's queries look.)

# %% tags=["nbval-ignore-output"]
from oneformer_lite.widgets import MatchInspector

inspector = MatchInspector(dino, scene)
inspector.set(segment=things[0])

# %% [markdown]
# ## What is simplified here, and where the official code differs
#
# * Two scenes by heart show mechanisms, not quality. Published sizes have presets, `mask_dino_coco_r50()` and others.
# * Mask DINO's queries are learned here, for a learned query is the same one in each step. Chosen ones are called by
#   their places, and places change more often (`two_stage=True`, and `matched_queries` follows the places).
# * `denoising_queries` works for Mask2Former as it does for OneFormer, and `matched_queries` measures both.
# * In the released Mask DINO with wide encoders, fine places propose the *largest* boxes, because the code reverses
#   the order of the maps and does not do so there. The weights have learned to live with it:
#   `proposal_sizes="released"`.
# * K-Net's sum under the mask grows with the area, as published. `pooling="mean"` is the other way.
# * Panoptic SegFormer was published with three rounds of matching, but its code stops after the first
#   (`matching_rounds`).

# %% [markdown]
# ## Break it
#
# **Let the truth leak.** If the matched queries may look at the noised ones, what they say depends on the noise, which
# they will not have in use. Two draws of noise, and how far the masks of the matched queries are apart:

# %%
from oneformer_lite.model.parts.denoising import Noised


def masks_twice(allowed):
    found = []
    with patch.object(Noised, "allowed", allowed), torch.no_grad():
        for seed in (0, 1):
            torch.manual_seed(seed)
            found.append(model.learn(batch).mask_logits)
    return float((found[0] - found[1]).abs().max())


# %% [markdown]
# With the mask, and with one that lets all look at all:

# %%
open_to_all = lambda noised, queries: torch.ones(2 * (noised.groups * noised.most + queries,), dtype=torch.bool)
print("the right mask:", "no difference" if masks_twice(Noised.allowed) < 1e-3 else "they differ")
print("all see all:   ", "no difference" if masks_twice(open_to_all) < 1e-3 else "they differ")

# %% [markdown]
# **Masks after the softmax.** Attention sums to 1 over all places. A mask of many pixels then has small numbers
# everywhere, and above one half there is at most one place:

# %%
scores = torch.full((16, 16), -4.0)
scores[4:12, 4:12] = 4.0
print("inside by scores:", int((scores.relu() > 0.5).sum()), "cells; after a softmax:",
      int((scores.flatten().softmax(0) > 0.5).sum()))  # fmt: skip

# %% [markdown]
# ## In the package
#
# * `model.mask_dino.MaskDino`, queries with boxes
# * `model.parts.boxes.refined`, a box and a step
# * `model.parts.denoising.Noised.allowed`, who may look at whom
# * `losses.stability.matched_queries`, which query each object would be matched with now
# * `losses.stability.changed_share`, and how many have another one than before
# * `model.knet.KNet`, queries that are kernels
# * `model.parts.kernels.KernelUpdate`, two gates
# * `model.panoptic_segformer.PanopticSegFormer`, boxes first, masks by attention
# * `model.parts.attention_masks.AttentionMask`, scores to masks
# * `inference.panoptic_segformer.segformer_panoptic`, the best paints first

# %% [markdown]
# ## Summary
#
# * A box knows how far off it is and where to look next; each layer moves it, and the mask is read from there.
# * Noised queries need no matching, so they teach the shared layers from the first step, and matching gets steadier.
# * A query may be a kernel that gathers under its mask, or its attention may be the mask: no two models hold the same.
#
# **Ask yourself**
#
# <details><summary>Why must a group of noised queries not see another group?</summary>
# Both come from the same objects. What one has a wrong label for, the other has right: they would compare instead of
# looking at the picture.</details>
#
# <details><summary>Why may the noised queries look at the matched ones?</summary>
# Nothing is given away: the matched ones know nothing of the truth. The other direction would be a leak.</details>
#
# <details><summary>Why does matching change more often from ten steps to the next ten than from one to the next, but not
# ten times as often?</summary>
# Many changes are undone: two queries that cost nearly the same take turns, and after ten steps the first may be back.
# </details>
#
# <details><summary>What does K-Net do that masked attention does not?</summary>
# It gathers all that lies under the mask with the same weight, where attention may prefer parts of it; and it writes the
# kernel anew through gates, where attention adds to it.</details>
#
# <details><summary>Why is a mask's quality squared in Panoptic SegFormer's score?</summary>
# A sure class with a poor mask would otherwise paint over good ones: there is no vote at each pixel that could correct
# it.</details>
