# %% [markdown]
# # 16 · The ladder: from DETR to OneFormer
#
# OneFormer did not fall from the sky. DETR (2020), MaskFormer (2021), Mask2Former (2022) and OneFormer (2023) are the
# rungs of a ladder, and each changes one thing of the one before.
#
# **What did each rung change, and what does it buy?**
#
# We climb it one change at a time: ten lines of code, proven equal to the package, and one picture. On top sits a
# doubt. EoMT (2025) takes most of it away again. Was all that needed?
#
# *Goals:* say what each rung changed and what it costs; build any of the five from its preset. *Before:* lessons 08,
# 09b and 10. *Minutes:* 70. *Words and letters:* [glossary](GLOSSARY.md).

# %% [markdown]
# ## Five models in one house
#
# `build` makes a model of a configuration. All five have a preset for Toytown, in the same sizes. Weights are
# random here: what is to be proven holds for any.

# %%
from dataclasses import replace

import torch
import torch.nn.functional as F
import oneformer_lite as ofl
from oneformer_lite.lessons import proved

presets = {"DETR": ofl.config.detr_toytown, "MaskFormer": ofl.config.maskformer_toytown,
           "Mask2Former": ofl.config.mask2former_toytown, "OneFormer": ofl.config.toytown,
           "EoMT": ofl.config.eomt_toytown}  # fmt: skip
torch.manual_seed(0)
models = {name: ofl.model.build(replace(preset(), pretrained=False)).eval() for name, preset in presets.items()}

# %% [markdown]
# What they are made of, in millions of parameters. The parts have names, and names tell where they belong:

# %%
import matplotlib.pyplot as plt

KINDS = {
    "backbone": ("backbone",),
    "picture": ("input_projection", "encoder", "pixel_decoder", "upscale"),
    "queries": ("queries", "query_positions", "query_transformer", "layers", "norm", "decoder"),
    "heads": ("class_head", "box_head", "mask_head", "mask_attention"),
    "task and texts": ("task_encoder", "text_mapper"),
}


def millions(model, parts):
    children = dict(model.named_children())
    return sum(p.numel() for part in parts if part in children for p in children[part].parameters()) / 1e6


# %% [markdown]
# The heads of MaskFormer, Mask2Former and OneFormer sit in their decoders and count there.

# %%
colors = ("#bbbbbb", "#0072b2", "#d55e00", "#e69f00", "#cc79a7")
figure, ax = plt.subplots(figsize=(8, 2.6), layout="constrained")
for row, model in enumerate(models.values()):
    start = 0.0
    for (kind, parts), color in zip(KINDS.items(), colors):
        size = millions(model, parts)
        ax.barh(row, size, left=start, color=color, label=kind if row == 0 else None)
        start += size
ax.set_yticks(range(len(models)), list(models))
ax.invert_yaxis()
ax.set_xlabel("million parameters of the Toytown presets")
ax.legend(frameon=False, ncols=5, loc="lower center", bbox_to_anchor=(0.5, 1.0))
ofl.render.described(figure, "A bar for each of the five models, cut into its parts. Backbones are equally long, but for "
                             "EoMT, which is nearly all backbone; OneFormer's bar ends in the longest piece of its own.")

# %% [markdown]
# Backbones are the same, except for EoMT, which *is* one. Nearly all of OneFormer's last part is the text mapper, which
# is for training alone.

# %% [markdown]
# ## First rung: DETR, a set of boxes
#
# Before DETR, detectors tried thousands of boxes and threw most away. DETR asks a fixed number of **queries**, and
# each says a class (or "no object") and one box. Which query answers for which object is settled by *matching*
# (lesson 08). So nothing is tried twice and nothing is thrown away.
#
# Queries start as zeros, and differ by their learned positions alone. They look at the picture (one map, at
# stride 32) layer after layer.

# %%
sample = ofl.data.Toytown("val", size=128)[13]
image = ofl.data.normalise(sample.image)[None]
with torch.no_grad():
    traces = {name: model(image, trace=True).trace for name, model in models.items()}

# %% [markdown]
# The trace holds all that happens on the way. DETR's, at its end:

# %%
last = ("backbone.stride32", "encoder.memory", "decoder.layer5.attention", "decoder.layer5.queries")
for name in (*last, "prediction5.class_logits", "prediction5.boxes", "prediction5.mask_logits"):
    print(f"{name:<26}", list(traces["DETR"][name].shape))

# %% [markdown]
# How far is a box from the right one? The sum of its four differences (L1) says it, but makes large boxes expensive.
# IoU does not, but is 0 for all boxes that do not touch: no slope to follow. **GIoU** adds one: how much of the
# smallest box around both is empty.

# %%
def corners(box):
    centre, size = box[..., :2], box[..., 2:]
    return centre - size / 2, centre + size / 2


def giou(a, b):
    """Boxes as centre x, centre y, width, height."""
    (a1, a2), (b1, b2) = corners(a), corners(b)
    area = lambda low, high: (high - low).clamp_min(0).prod(-1)
    shared = area(torch.maximum(a1, b1), torch.minimum(a2, b2))
    union = area(a1, a2) + area(b1, b2) - shared
    around = area(torch.minimum(a1, b1), torch.maximum(a2, b2))
    return shared / union - (around - union) / around


# %% [markdown]
# Equal to the package, for the boxes that the model says and those that it should say:

# %%
from oneformer_lite.losses import boxes as package

targets = ofl.data.targets_for(sample, "panoptic")
truth = package.boxes_of(targets)  # [G, 4], in shares of the picture
said = traces["DETR"]["prediction5.boxes"][0]  # [Q, 4]
proved("giou = package", -giou(said[:, None], truth[None]), package.giou_cost(said, truth), atol=1e-8)

# %% [markdown]
# The boxes of our scene, things on the left, stuff on the right:

# %%
from matplotlib.patches import Rectangle

names, paint = [c.name for c in sample.categories], ofl.render.label_colors(sample.categories)
is_thing = torch.tensor([sample.categories[k].is_thing for k in targets.labels.tolist()])
figure, axes = plt.subplots(1, 2, figsize=(8, 4.2), layout="constrained")
for ax, kind, which in zip(axes, ("things", "stuff"), (is_thing, ~is_thing)):
    ax.imshow(sample.image)
    ax.set(title=kind, xticks=[], yticks=[])
    for (x, y, w, h), label in zip(128 * truth[which], targets.labels[which].tolist()):
        color = [v / 255 for v in paint[label]]
        corner = (x - w / 2 - 0.5, y - h / 2 - 0.5)
        ax.add_patch(Rectangle(corner, w, h, facecolor=(*color, 0.25), edgecolor=color, lw=2.5))
        ax.text(x, y, names[label], fontsize=8, ha="center", va="center", bbox={"fc": "white", "ec": "none", "pad": 1})
ofl.render.described(figure, "The scene twice. Boxes of things lie close around each of them; boxes of stuff reach from "
                             "edge to edge and cover one another.")

# %% [markdown]
# A box says much of a car. What does it say of a road? How much do two masks share (IoU)?

# %%
def iou(a, b):
    return float((a & b).sum() / (a | b).sum())


# %% [markdown]
# Of all pairs of stuff, the one whose boxes are most alike:

# %%
masks, stuff = targets.masks.bool(), (~is_thing).nonzero().flatten().tolist()
pairs = [(i, j) for i in stuff for j in stuff if i < j]
widest = max(pairs, key=lambda pair: float(giou(truth[pair[0]], truth[pair[1]])))
i, j = widest
print(f"{names[targets.labels[i]]} and {names[targets.labels[j]]}: GIoU of the boxes {giou(truth[i], truth[j]):.2f},"
      f" IoU of the masks {iou(masks[i], masks[j]):.2f}")  # fmt: skip

# %% [markdown]
# Remember that for the next rung. First, DETR's masks: where a query *looks* becomes its mask. Each of 8 heads gives
# a map of weights, with **one softmax over heads and places together**:

# %%
def mask_attention(queries, memory, q_proj, k_proj, heads):
    """[Q, C], [C, h, w] -> [Q, heads, h, w]"""
    q = q_proj(queries).unflatten(-1, (heads, -1))  # [Q, M, d]
    k = k_proj(memory.flatten(1).T).unflatten(-1, (heads, -1))  # [S, M, d]
    scores = torch.einsum("qmd,smd->qms", q, k) / q.shape[-1] ** 0.5
    return scores.flatten(1).softmax(-1).view(*scores.shape[:2], *memory.shape[-2:])


# %% [markdown]
# With the weights of our model, on its own last queries:

# %%
detr, trace = models["DETR"], traces["DETR"]
memory = trace["encoder.memory"]
with torch.no_grad():
    normed = detr.norm(trace["decoder.layer5.queries"])
    ours = mask_attention(normed[0], memory[0], detr.mask_attention.q_proj, detr.mask_attention.k_proj, 8)
    everywhere = torch.ones_like(memory[:, 0], dtype=torch.bool)
    theirs = detr.mask_attention(normed, memory, everywhere)[0]
print(list(ours.shape), "the maps of a query sum to", ", ".join({f"{s:.3f}" for s in ours.sum((1, 2, 3)).tolist()}))
proved("attention = package", ours, theirs, atol=1e-6)

# %% [markdown]
# Maps of 4 x 4 cells are no masks yet. Six convolutions make them finer, and each query goes through them **alone**,
# as a picture of its own. What does one query cost, in multiply-adds?

# %%
def multiply_adds(convolutions, cells):
    return sum(c.weight.numel() * n for c, n in zip(convolutions, cells))


# %% [markdown]
# Against a single dot product at each place of the mask, which is what the next rung has instead:

# %%
head = [*(block[0] for block in detr.mask_head.blocks), detr.mask_head.out]
cells = [4 * 4, 4 * 4, 8 * 8, 16 * 16, 32 * 32, 32 * 32]  # of their outputs
convolutions = multiply_adds(head, cells)
product = detr.config.hidden_dim * 32 * 32  # a dot product of 96 numbers at each of 32 x 32 places
print(f"convolutions {convolutions / 1e6:.1f} million, dot product {product / 1e6:.1f} million")

# %% [markdown]
# ## Second rung: MaskFormer classifies masks
#
# Two changes, and segmentation is no longer an addition to a detector:
#
# * a mask is a **dot product** of the query's embedding with the features of each pixel;
# * boxes are gone: queries are matched by their **masks**, for things and stuff alike.

# %%
def masks_of(queries, features, mask_head):
    return torch.einsum("qc,chw->qhw", mask_head(queries), features)


# %% [markdown]
# Equal to the package, at the last prediction:

# %%
decoder, trace = models["MaskFormer"].decoder, traces["MaskFormer"]
with torch.no_grad():
    queries = decoder.norm(trace["decoder.layer5.queries"])[0]
    ours = masks_of(queries, trace["pixel_decoder.mask_features"][0], decoder.mask_head)
proved("masks = package", ours, trace["prediction5.mask_logits"][0], atol=1e-3)

# %% [markdown]
# By masks, the two segments of before are no longer alike. Take a query whose mask is exactly one of them. What does
# it cost with each of the two (dice, lesson 09b; the cost of a box is 1 - GIoU)?

# %%
from oneformer_lite.losses.masks import dice_loss

drawn = 20.0 * (2 * masks.flatten(1).float() - 1)  # logits of perfect masks
for g in (i, j):
    dice = dice_loss(drawn[[i]], masks[[g]].flatten(1).float()).item()
    print(f"{names[targets.labels[g]]:<9} by boxes {1 - giou(truth[i], truth[g]):.2f}, by masks {dice:.2f}")

# %% [markdown]
# And a semantic map needs no classifier of pixels. Each query votes at each pixel, with its class probability times
# its mask probability. That one line serves all models of this package. We take the trained one that comes along:

# %%
def semantic(class_logits, mask_logits):
    """[Q, K+1], [Q, h, w] -> [K, h, w]"""
    return torch.einsum("qk,qhw->khw", class_logits.softmax(-1)[:, :-1], mask_logits.sigmoid())


shipped = ofl.from_pretrained("toytown")
with torch.no_grad():
    output = shipped(image, "semantic", trace=True)
large = F.interpolate(output.mask_logits, size=(128, 128), mode="bilinear")[0]
votes = semantic(output.class_logits[0], large)

# %% [markdown]
# Against the package's post-processing of the same output:

# %%
from oneformer_lite.inference import raw_predictions
from oneformer_lite.inference.postprocessing import semantic_inference

raw = raw_predictions(output, [(128, 128)], [(128, 128)], (128, 128))[0]
proved("votes = package", votes, semantic_inference(raw), atol=1e-4)

# %% [markdown]
# The masks of four queries, each with what it calls them, and the map that all votes make:

# %%
from PIL import Image
from oneformer_lite.inspectors.queries.pictures import mask_over

score, label = output.class_logits[0].softmax(-1)[:, :-1].max(-1)
chosen = [int(score.where(label == names.index(name), 0).argmax()) for name in ("car", "building", "road", "sky")]
tiles = [mask_over(sample.image, large[q].numpy(), paint[int(label[q])]) for q in chosen]
tiles.append(ofl.render.overlay_labels(sample.image, votes.argmax(0).numpy(), sample.categories))
sheet = ofl.render.contact_sheet([[ofl.render.enlarge(tile, 2) for tile in tiles]],
                                 [*(names[int(label[q])] for q in chosen), "all votes"])  # fmt: skip
ofl.render.described(sheet, "The masks of queries called car, building, road and sky over the scene, each on its region, "
                            "and beside them the map that all votes make: every pixel has a class.")

# %% [markdown]
# ## Third rung: Mask2Former looks where its masks are
#
# A query of MaskFormer looks at all of a coarse map, in every layer. A car there is hardly a cell:

# %%
def cells_of(mask, stride):
    """How much of each cell of a map of this stride the mask fills: [h, w]."""
    return F.avg_pool2d(mask[None, None].float(), stride)[0, 0]


# %% [markdown]
# How many cells are filled by half at least?

# %%
for name in ("car", "ball", "sign", "road"):
    mask = masks[targets.labels.tolist().index(names.index(name))]
    counts = {stride: int((cells_of(mask, stride) >= 0.5).sum()) for stride in (32, 16, 8, 4)}
    print(f"{name:<5} {int(mask.sum()):>5} pixels;", ", ".join(f"{n} cells at 1/{s}" for s, n in counts.items()))

# %% [markdown]
# Mask2Former's decoder reads three maps in turn, coarse to fine, and a query looks only inside its last mask, or
# everywhere if that is empty (lesson 10). The loop, with the package's layers:

# %%
def read(model, features):
    """The queries' way through the decoder; their masks after the last layer."""
    d, x, positions = model.decoder, model.queries.weight[None], model.query_positions.weight
    for i, layer in enumerate(d.layers):
        keys, values, small = d._level(i % 3, features.maps[i % 3], features.masks)  # 1/32, 1/16, 1/8, 1/32 ...
        inside = d.mask_head(d.norm(x)) @ small >= 0  # [1, Q, S]
        inside = inside | ~inside.any(-1, keepdim=True)  # the rescue
        x, _ = layer(x, positions, keys, values, inside, need_weights=False)
    return torch.einsum("bqc,bchw->bqhw", d.mask_head(d.norm(x)), features.masks)


# %% [markdown]
# Three lines are new against MaskFormer: the level `i % 3`, `inside`, and the rescue.

# %%
m2f = models["Mask2Former"]
with torch.no_grad():
    ours = read(m2f, m2f.encode(m2f.padded(image)))
proved("masks = package", ours, traces["Mask2Former"]["prediction6.mask_logits"], atol=1e-3)

# %% [markdown]
# OneFormer kept this decoder as it is, so its trained weights show what it buys. Above, how much of each cell the car
# fills, on the three maps (white line: at least half). Below, where the car's query looks in the last three layers
# (orange), and its region (white line; without a line, everywhere).

# %%
from oneformer_lite.inspectors.queries.pictures import attention_over


def over(weights, region):
    return ofl.render.enlarge(attention_over(sample.image, weights.numpy(), region.numpy(), region.shape), 2)


with torch.no_grad():
    panoptic = shipped(image, "panoptic", trace=True)
query = int(panoptic.class_logits[0].softmax(-1)[:, names.index("car")].argmax())
car = [cells_of(masks[targets.labels.tolist().index(names.index("car"))], stride) for stride in (32, 16, 8)]
rows = [[over(filled, filled >= 0.5) for filled in car], []]
for layer in (3, 4, 5):
    weights, region = (panoptic.trace[f"decoder.layer{layer}.{part}"][0] for part in ("attention", "attention_region"))
    rows[1].append(over(weights.mean(0)[query], region[query]))
titles = ["layer 4: 1/32", "layer 5: 1/16", "layer 6: 1/8"]
ofl.render.described(ofl.render.contact_sheet(rows, titles, ["the car", "its query"]),
                     "Above, the car as cells of three maps: one or two dim ones, then some, then its shape. Below, where "
                     "its query looks: on the finest map at the cells of the car alone.")

# %% [markdown]
# Only the last map can tell the car from its surroundings, and there the query looks at the car alone.
#
# A third change looks small. Queries that start as zeros look at 16 cells through nearly the same eyes, so they all come
# back with nearly the same. Mask2Former's have a learned **start**, and so a first mask, before they look at anything.
# How different are the queries of our random models after the first layer? One minus the mean cosine of all pairs (0:
# all the same):

# %%
for name in ("DETR", "MaskFormer", "Mask2Former"):
    x = F.normalize(traces[name]["decoder.layer0.queries"][0], dim=-1)
    alike = (x @ x.T)[~torch.eye(len(x), dtype=torch.bool)].mean()
    print(f"{name:<11} {1 - alike:.2f}")

# %% [markdown]
# DETR and MaskFormer must first learn to tell their queries apart. Keep that in mind for their curves below.
#
# A fourth buys time: losses are computed at **points** instead of whole masks (lesson 09b).

# %%
pixels, points = 1024 * 1024, 12544
print(f"{points:,} points instead of {pixels:,} pixels of each mask: {pixels / points:.0f} times fewer")

# %% [markdown]
# ## Fourth rung: OneFormer is told its task
#
# Mask2Former is one *architecture* for three tasks, with three trainings and three sets of weights. OneFormer is one
# set. What changed is where the queries start: no longer a table, but what a **task token** and the picture make of
# it (lesson 06). Ten lines:

# %%
from oneformer_lite.model.parts.layers import sine_positions


def start(model, features, task):
    """The object queries [1, Q, C]."""
    token = model.decoder.norm(model.task_encoder([task]))  # "the task is {panoptic}", as numbers, through an MLP
    t, positions = model.query_transformer, model.query_positions.weight[:-1]
    values = sine_positions(*features.masks.shape[-2:], token.shape[-1]).flatten(1).T[None]
    keys = values + t.feature_projection(features.masks).flatten(2).transpose(1, 2)
    x = token[:, None].expand(-1, len(positions), -1)  # Q - 1 copies of the token ...
    for layer in t.layers:
        x, _ = layer(x, positions, keys, values, need_weights=False)  # ... look at the picture
    return torch.cat([t.norm(x), token[:, None]], dim=1)  # and the token itself comes last


# %% [markdown]
# Equal for each task, with the trained weights:

# %%
from oneformer_lite.data import TASKS

with torch.no_grad():
    features = shipped.encode(image)
    theirs = [shipped.object_queries(features, shipped.task_token([task])) for task in TASKS]
    ours = [start(shipped, features, task) for task in TASKS]
proved("queries of all tasks = package", ours, theirs, atol=1e-4)

# %% [markdown]
# One set of weights, one picture, three tasks:

# %%
scene = ofl.data.Toytown("val", size=256)[13]
answers = [ofl.predict(shipped, scene.image, task).render() for task in TASKS]
row = Image.fromarray(ofl.render.contact_sheet([answers], list(TASKS))).resize((900, 322), Image.Resampling.LANCZOS)
ofl.render.described(row, "One scene three times: panoptic with every object in a colour of its own and stuff besides, "
                          "instance with the objects alone, semantic with one colour for each class.")

# %% [markdown]
# The targets are drawn the same way: one annotation, a task chosen at random, and the sentences of the contrastive loss
# (lessons 01 and 07), which is needed in training only.

# %%
for task in TASKS:
    drawn = ofl.data.targets_for(sample, task)
    print(f"{task:<9} {len(drawn):>2} masks, the first: “{drawn.texts[0]}”")

# %% [markdown]
# ## Was all that needed? EoMT
#
# EoMT starts again from MaskFormer's idea, and leaves out everything that was added to a backbone. It is a plain
# vision transformer. Queries join the picture's tokens before the last blocks and **attend with them**: no pixel
# decoder, no decoder. What is left of masked attention is a rule about who may look at whom:

# %%
def allowed(inside, others):
    """bool [Q, S]: the patches inside each query's mask. -> bool [T, T], T = Q + others + S tokens"""
    queries, patches = inside.shape
    tokens = queries + others + patches
    may = torch.ones(tokens, tokens, dtype=torch.bool)  # all tokens at all ...
    may[:queries, -patches:] = inside  # ... but queries at the patches of their mask alone
    return may


# %% [markdown]
# Against the package, for masks of the random model. A query with an empty mask still sees the other queries, so
# there is no rescue:

# %%
eomt = models["EoMT"]
with torch.no_grad():
    x, grid, rope = eomt.encode(eomt.padded(image))
    tokens = torch.cat([eomt.queries.weight[None], x], 1)
    masks0 = eomt.predict(tokens, grid).masks
    inside = F.interpolate(masks0.whole(), grid, mode="bilinear")[0].flatten(1) > 0
    theirs = eomt.allowed(masks0, grid, 1.0, tokens.shape[1])[0, 0]
ours = allowed(inside, eomt.backbone.prefix)
print(list(ours.shape))
proved("allowed = package", ours, theirs)

# %% [markdown]
# And then the masks are **annealed** away: in training, block after block, fewer and fewer queries are bound to their
# masks, and at its end none is. So the trained model runs without them: no masks between blocks, and one prediction
# instead of four.

# %%
def bound(progress, begin, end):
    """The share of queries that a block still binds, at this share of the training."""
    return min(1.0, max(0.0, 1 - (progress - begin) / (end - begin))) ** 0.9


moments = [k / 60 for k in range(61)]
shares = {}
for progress in moments:
    eomt.anneal(progress)
    ours = [bound(progress, *span) for span in eomt.config.annealing]
    assert torch.allclose(eomt.mask_shares, torch.tensor(ours))  # the package's
    shares[progress] = ours

# %% [markdown]
# Left, the schedule of the three blocks. Right, the matrix of who may look at whom (rows look at columns; white: may
# not) at its beginning, in the middle and at the end:

# %%
figure, axes = plt.subplots(1, 4, figsize=(11, 2.7), layout="constrained", width_ratios=(1.5, 1, 1, 1))
for block in range(3):
    axes[0].plot(moments, [shares[m][block] for m in moments], ("-", "--", ":")[block], label=f"block {block + 4}",
                 color=colors[block + 1])  # fmt: skip
axes[0].set(xlabel="share of the training", ylabel="bound queries")
axes[0].legend(frameon=False)
for ax, share in zip(axes[1:], (1.0, 0.5, 0.0)):
    matrix = eomt.allowed(masks0, grid, share, tokens.shape[1])[0, 0]
    ax.imshow(matrix, cmap="Blues", vmin=0, vmax=1.6, interpolation="nearest")
    ax.set(title=f"share {share:g}", xticks=[16, 69], xticklabels=["queries", "patches"], yticks=[])
ofl.render.described(figure, "Left, three falling curves, one block after the other: from all queries bound to none. Right, "
                             "three matrices: the rows of queries have white gaps among the patches, half as many rows "
                             "have them in the middle, and none at the end.")

# %% [markdown]
# What does the finished model save? Count what it has beside its backbone:

# %%
def without_backbone(model):
    """Parameters beside the backbone that inference needs, in millions."""
    left_out = {"backbone", *model.training_only}
    return sum(p.numel() for name, part in model.named_children() if name not in left_out
               for p in part.parameters()) / 1e6  # fmt: skip


# %% [markdown]
# The heads and the upscaling are all that is left:

# %%
for name, model in models.items():
    print(f"{name:<11} {without_backbone(model):.2f} million parameters")

# %% [markdown]
# ## What does each rung buy?
#
# `tests/benchmarks/ladder.py` gave each of the five the same processor time (twenty minutes of one core, as ten of two) on
# the same 6000 scenes, with a recipe of its own (losses, weight decay, clipping, rate), and judged each on 200 other
# scenes. A model with faster steps makes more of them. The logs lie in `data/sample/ladder`, thinned.

# %%
import json

folder = ofl.data.sample_folder() / "ladder"
about = json.loads((folder / "about.json").read_text())
logs = {name: ofl.Run.attach(folder / name.lower()).history for name in presets}
print(f"{about['scenes']} scenes, {about['minutes']:.0f} minutes of one core each; {about['processor']}")

# %% [markdown]
# What they reach on the other scenes, one seed. Parameters are those of inference, and "s" is the processor time of a
# step.

# %%
print(f"{'':<11} {'PQ':>5} {'AP':>5} {'mIoU':>5}  {'million':>7} {'steps':>5} {'s':>5}")
for name, log in logs.items():
    end = log[-1]
    print(f"{name:<11} {end['PQ']:5.1f} {end['AP']:5.1f} {end['mIoU']:5.1f}  {end['parameters'] / 1e6:7.2f}"
          f" {end['step']:5d} {end['seconds_a_step']:5.2f}")  # fmt: skip

# %% [markdown]
# How they get there. Two losses mean the same for all: the class loss and the dice loss of the last prediction (means
# over queries, and over masks). The third picture is PQ at four moments.

# %%
tones = dict(zip(presets, ("#000000", "#e69f00", "#0072b2", "#d55e00", "#009e73")))
dashes = dict(zip(presets, ("-", ":", "-", "--", "-.")))
figure, axes = plt.subplots(1, 3, figsize=(11, 3), layout="constrained")
for name, log in logs.items():
    train, judged = ([r for r in log if r["kind"] == kind] for kind in ("train", "eval"))
    for ax, term in zip(axes, ("class", "dice")):
        values = [r["by_layer"][term][-1] for r in train]
        ax.plot([r["step"] for r in train], values, color=tones[name], ls=dashes[name], label=name)
        ax.set_ylabel(f"{term} loss, last prediction")
    axes[2].plot([r["step"] for r in judged], [r["PQ"] for r in judged], ls=dashes[name], marker="o", ms=4, color=tones[name])
axes[2].set_ylabel("PQ, percent")
for ax in axes:
    ax.set_xlabel("step")
axes[0].legend(frameon=False, fontsize=8)
ends = ", ".join(f"{name} {log[-1]['PQ']:.0f}" for name, log in logs.items())
ofl.render.described(figure, f"Class loss, dice loss and PQ over the steps, a line for each model. PQ ends at: {ends}.")

# %% [markdown]
# What each makes of held-out scene 13 at the end, when it is asked for the panoptic task:

# %%
import numpy as np

tiles = {name: np.array(Image.open(folder / name.lower() / "scene.webp").convert("RGB")) for name in presets}
side = len(tiles["DETR"])
seen = ofl.data.Toytown("val", size=128)[13].image
tiles = {"the scene": ofl.render.enlarge(seen, side // len(seen)), **tiles}
sheets = [ofl.render.contact_sheet([[tiles[name] for name in row]], list(row))
          for row in (list(tiles)[:3], list(tiles)[3:])]  # fmt: skip
sheet = Image.fromarray(np.concatenate(sheets)).resize((720, 2 * 720 * sheets[0].shape[0] // sheets[0].shape[1]))
ofl.render.described(sheet, "The scene, and what each of the five models paints over it. DETR paints nothing, MaskFormer "
                            "the large regions; Mask2Former and OneFormer find nearly all; EoMT leaves parts black.")

# %% [markdown]
# * **DETR** draws nothing yet. Its queries begin to name what is there and its boxes get better (the loss of boxes fell
#   to a quarter), but its masks are noise. A mask is made of where a query looks, here of 4 x 4 cells, and of all
#   predictions only the last has masks to learn from. It was published with 500 epochs of boxes, then 25 of masks. Two
#   stages alone did not mend it: when it learned two scenes by heart, boxes first, it found most things, and then its
#   masks still drew nothing. What differs between queries is lost beside this backbone's large maps: in the first mask
#   logits it is less than a millionth of the whole. With smaller maps, and attention told relative to an even one (`map_scale`
#   and `attention_maps` of its configuration), it learns the masks of two scenes; the curves above are without.
# * **DETR → MaskFormer**: a mask for each query at a quarter of the picture's size, after every layer, and masks that
#   decide who answers for what. It draws large things and stuff; small ones it joins or misses.
# * **MaskFormer → Mask2Former** is what masked attention, three sizes of maps and losses at points buy: after a quarter
#   of the time it stands where MaskFormer ends. A step is cheaper, too: points cost less than whole masks.
# * **Mask2Former → OneFormer** costs something here: its steps are longer (the texts) and shared by three tasks. What it
#   buys is one model that has learned all three; Mask2Former's instances and classes are read from panoptic segments.
# * **EoMT** has the fastest steps, but learns less in the same number of steps: its transformer starts from random
#   weights here, all other backbones from ImageNet. What it cannot draw is left black. For COCO its paper relies on
#   DINOv2's large pretraining.
#
# One seed each: a difference of two or three points says nothing. The order of the first three rungs is that of their
# papers:
#
# The published ladder, COCO panoptic, as the papers and their model zoos have it:
#
# | | backbone | epochs | PQ |
# |---|---|---|---|
# | DETR | ResNet-50 | 500 + 25 | 43.4 |
# | MaskFormer | ResNet-50 | 300 | 46.5 |
# | Mask2Former | ResNet-50 | 50 | 51.9 |
# | OneFormer, one model for three tasks | ResNet-50 | 50 | 51.5 |
# | Mask2Former | Swin-L | 100 | 57.8 |
# | EoMT, 640 pixels | ViT-L, DINOv2 | 12 | 56.0 |
#
# Ten times fewer epochs from DETR to Mask2Former. And EoMT's answer: with a large and well-trained transformer, most of
# the ladder can go, at nearly the same PQ.

# %% [markdown]
# ## Three roads beside the ladder
#
# A look ahead: K-Net, Panoptic SegFormer and Mask DINO, which lesson 17 builds, had the same minutes, scenes and
# seed. The first column is their published PQ on COCO with a ResNet-50, in a survey's order.

# %%
published = {"DETR": 43.4, "K-Net": 47.1, "Panoptic SegFormer": 49.6, "Mask2Former": 51.9, "Mask DINO": 53.0}
roads = {name: ofl.Run.attach(folder / name.lower().replace(" ", "_").replace("-", "")).history for name in published}
print(f"{'':<18} {'COCO':>5}   {'PQ':>5} {'AP':>5} {'mIoU':>5}  {'million':>7} {'steps':>5} {'s':>5}")
for name, log in roads.items():
    end = log[-1]
    print(f"{name:<18} {published[name]:5.1f}   {end['PQ']:5.1f} {end['AP']:5.1f} {end['mIoU']:5.1f}  "
          f"{end['parameters'] / 1e6:7.2f} {end['step']:5d} {end['seconds_a_step']:5.2f}")  # fmt: skip

# %% [markdown]
# The same by steps and by minutes of one core, as PQ of some of the held-out scenes four times in each run:

# %%
shades = dict(zip(published, ("#000000", "#cc79a7", "#009e73", "#0072b2", "#e69f00")))
marks = dict(zip(published, "sDv^o"))
figure, axes = plt.subplots(1, 2, figsize=(9, 3), layout="constrained", sharey=True)
for name, log in roads.items():
    moments = [(r["step"], r["PQ"]) for r in log if r["kind"] == "eval"]
    for ax, unit in zip(axes, (1, log[-1]["seconds_a_step"] / 60)):
        ax.plot([unit * step for step, _ in moments], [pq for _, pq in moments], marks[name] + "-", ms=4, color=shades[name],
                label=name)  # fmt: skip
axes[0].set(xlabel="step", ylabel="PQ, percent")
axes[1].set_xlabel("minutes of one core")
axes[0].legend(frameon=False, fontsize=8, loc="center right")
ofl.render.described(figure, "PQ of five models, left over steps, right over minutes. Mask2Former is ahead on both sides. "
                             "K-Net is close to it in minutes and makes most steps; Mask DINO rises later; Panoptic "
                             "SegFormer, with the fewest steps, comes next; DETR does not rise at all.")

# %% [markdown]
# * **K-Net** comes near Mask2Former in minutes, and not in steps. Its kernels take sums of the features under their masks
#   in place of attention: its steps are the fastest of all, and it makes a third more of them.
# * **Mask DINO**, first on COCO, is third here. Per step it keeps up with K-Net until its last quarter. It has most to learn
#   besides masks (boxes, a choice among all pixels, noised boxes), in 20 minutes in place of 50 epochs. We tried one
#   learning rate; a better one may close some of the gap.
# * **Panoptic SegFormer** makes the fewest steps: one of them takes as long as two and a half of K-Net. Its seconds and
#   steps are of another processor than the others', so compare it by steps rather than by minutes. By steps it begins
#   like Mask DINO and then falls behind. Its masks are where its queries look, and a query must have found its box before
#   it looks at the right place.
# * **DETR** is last in both lists.

# %% [markdown]
# ## The inspectors know them all
#
# `MatchInspector` (lesson 08) shows what each pair of query and segment costs. For DETR that is class, L1 and GIoU.
# The weights are random: look at the costs of boxes, not at the classes.

# %%
from oneformer_lite.widgets import MatchInspector

inspector = MatchInspector(detr, sample)
inspector.set(segment=0)

# %% [markdown]
# The others work as well (`QueryInspector` shows DETR's attention and EoMT's regions, `FeatureInspector` every map).
# What a model does not have, an inspector says in a sentence.

# %% [markdown]
# ## What is simplified here, and where the official code differs
#
# * The Toytown presets share sizes and backbone, and DETR is trained in one go (`stage="joint"`). The published DETR
#   has 250 class numbers, a ResNet whose first stage never learns, and two stages: `stage="boxes"`, then `"masks"`.
# * Pictures of a batch that differ in size are padded. DETR tells padding apart and looks at none of it; the others
#   look at it, as published.
# * Each post-processing is its paper's: DETR's pixels go to the greatest mask logit and there is no void; MaskFormer
#   gives a query all that it wins; from Mask2Former on only what lies in its own mask.
# * MaskFormer's published code and weights are for non-commercial use. This package's code is its own.

# %% [markdown]
# ## Break it
#
# **GIoU without the clamp.** Two boxes that do not touch in either direction: the "shared" area is a product of two
# negative numbers.

# %%
a, b = torch.tensor([0.2, 0.2, 0.2, 0.2]), torch.tensor([0.8, 0.8, 0.2, 0.2])
(a1, a2), (b1, b2) = corners(a), corners(b)
unclamped = (torch.minimum(a2, b2) - torch.maximum(a1, b1)).prod()
print(f"shared area {unclamped:.2f} of boxes of {0.2 * 0.2:.2f}; GIoU with the clamp {giou(a, b):.2f}")

# %% [markdown]
# **A softmax for each head.** The natural mistake in DETR's mask attention: each map sums to 1, so that a head that
# found nothing has to shout as loud as one that did.

# %%
joint = mask_attention(normed[0], memory[0], detr.mask_attention.q_proj, detr.mask_attention.k_proj, 8)
alone = joint / joint.sum((2, 3), keepdim=True)
print(f"sum over a query's maps: {joint[0].sum():.0f} jointly, {alone[0].sum():.0f} alone")

# %% [markdown]
# **Stuff that is lost.** Two queries say "sky", one in the upper rows, one below; a third says "ball". DETR's official
# merge joins the two, then drops segments of at most 4 pixels, and a joined query has none of its own any more:

# %%
from oneformer_lite.inference import RawPrediction
from oneformer_lite.inference.detr import detr_panoptic

logits = torch.full((3, 8, 8), -4.0)
logits[2] = -3.0
logits[0, :3], logits[1, 3:6], logits[2, 6:] = 4, 4, 4  # 24, 24 and 16 pixels
raw = RawPrediction(torch.tensor([[-9.0, 9, -9], [-9, 8, -9], [9, -9, -9]]), logits, (8, 8), (8, 8), (8, 8))
for keep in (False, True):
    segments, found = detr_panoptic(raw, (True, False), 0.5, keep_joined_stuff=keep)
    areas = {("ball", "sky")[k]: int((segments == number).sum()) for number, k, _ in found}
    print("kept:     " if keep else "published:", areas)

# %% [markdown]
# The published scores were measured with that, so it is the default. `keep_joined_stuff=True` mends it.

# %% [markdown]
# ## In the package
#
# * `model.detr.Detr`, a set of boxes, and masks from where queries look
# * `losses.boxes.giou`, how far a box is from the right one, with a slope everywhere
# * `model.parts.mask_attention.MaskAttention`, one softmax over heads and places
# * `inference.detr.detr_panoptic`, DETR's own merge
# * `model.maskformer.MaskFormer`, classes and masks without boxes
# * `model.mask2former.Mask2Former`, masked attention on three maps, learned starts
# * `model.eomt.EoMT`, queries among the tokens of a plain transformer

# %% [markdown]
# ## Summary
#
# * DETR made detection a set of queries; MaskFormer gave the queries masks instead of boxes, by a dot product.
# * Mask2Former lets a query look where its mask is, on finer maps; OneFormer tells it the task, in one set of weights.
# * EoMT leaves the added parts out: with a large pretrained transformer, queries among its tokens are nearly enough.
#
# **Ask yourself**
#
# <details><summary>Why are boxes a poor measure for matching stuff?</summary>
# Sky, road and grass often reach from edge to edge, so their boxes are nearly the same, however different the
# regions. Masks do not overlap at all.</details>
#
# <details><summary>Why does DETR's mask head cost so much more than a dot product?</summary>
# Its convolutions run once for each query, as if there were a hundred pictures. Pixel features are computed once, and
# each query only multiplies with them.</details>
#
# <details><summary>Why does EoMT need no rescue for an empty mask?</summary>
# Queries and picture are in one softmax: a query that may see no patch still sees the other queries and the special
# tokens, so the softmax always has something to choose from.</details>
#
# <details><summary>Why are EoMT's masks faded out, and not left out from the start?</summary>
# At the beginning they help a query to find its object, as in Mask2Former. Near the end it has learned where to look,
# and doing without them makes the finished model simple and fast.</details>
#
# <details><summary>Which rungs change the model, and which only its training?</summary>
# Points instead of pixels, the supervision of the first queries, tasks by lot and the contrastive loss are training.
# The dot product, masked attention, the maps in turn and the task token are the model.</details>
