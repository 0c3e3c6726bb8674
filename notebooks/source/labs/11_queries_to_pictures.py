# %% [markdown]
# # Lab 11 · From queries to pictures
#
# Three exercises with lesson 11: one for each task. Replace each `...` by your code, run the cell and the check below
# it. A check never fails: it tells what it expected and what yours gives. What follows works with your answer, or with
# ours.

# %%
import numpy as np
import oneformer_lite as ofl
import torch
from oneformer_lite import labs
from oneformer_lite.data.sample import SegmentInfo
from oneformer_lite.inference import predict_raw
from PIL import Image

sample = ofl.data.Toytown("val", size=192)[13]
model = ofl.from_pretrained("toytown")
names, is_thing = model.config.class_names, list(model.config.is_thing)

# %% [markdown]
# The names of your answers, so that a slip in one of them stops nothing that follows:

# %%
labs.begin("11", globals())

# %% [markdown]
# Every answer gets the class logits `[Q, K+1]`, whose last column is "no object", and the mask logits `[Q, H, W]`, at
# the size of the picture already. These are the logits of scene 13 under each token:

# %%
logits = {}
for task in ("semantic", "instance", "panoptic"):
    _, raw = predict_raw(model, sample.image, task)
    logits[task] = raw.class_logits, raw.masks()
print([tuple(part.shape) for part in logits["semantic"]])

# %% [markdown]
# ## 11.1 · Semantic scores
# ●●○○○ · 10 minutes · you may use: torch, no loops
#
# Return the score of every class at every pixel, `[K, H, W]`: class probability times mask probability, summed over
# the queries.
#
# <details><summary>Hint</summary>Softmax over all K + 1 columns, then drop one. <code>einsum</code> has two letters
# for the classes' matrix and three for the masks.</details>

# %%
def semantic_scores(class_logits, mask_logits):
    """[Q, K+1], [Q, H, W] -> [K, H, W]"""
    # SOLUTION
    classes = class_logits.softmax(-1)[:, :-1]
    return torch.einsum("qk,qhw->khw", classes, mask_logits.sigmoid())
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("11.1", semantic_scores)

# %% [markdown]
# From here on `semantic_scores` is yours if it passed, and the reference if not. The class of each pixel:

# %%
semantic_scores = labs.use("11.1", semantic_scores)
label_map = semantic_scores(*logits["semantic"]).argmax(0).numpy()
print("classes on the picture:", ", ".join(names[k] for k in np.unique(label_map)))
painted = ofl.render.overlay_labels(sample.image, label_map, sample.categories)
Image.fromarray(ofl.render.enlarge(painted, 2))

# %% [markdown]
# ## 11.2 · Ranked instances
# ●●●○○ · 20 minutes · you may use: torch
#
# Of the Q x K pairs of query and class take the Q most probable. Throw out stuff. A mask is where the probability is
# above 0.5. The score is the class probability times the mean mask probability inside the mask. For the mean, divide
# by the number of its pixels plus 1e-6, so that an empty mask scores 0. Return the masks, bool `[n, H, W]`, their
# classes `[n]` and their scores `[n]`, best score first.
#
# <details><summary>Hint</summary><code>flatten().topk(Q)</code> gives places; <code>// K</code> and
# <code>% K</code> give query and class.</details>

# %%
def ranked_instances(class_logits, mask_logits, is_thing):
    """[Q, K+1], [Q, H, W], list of bool [K] -> bool [n, H, W], [n], [n]"""
    # SOLUTION
    classes = class_logits.softmax(-1)[:, :-1]
    scores, place = classes.flatten().topk(len(classes))
    query, label = place // classes.shape[1], place % classes.shape[1]
    kept = torch.tensor(is_thing)[label]
    query, label, scores = query[kept], label[kept], scores[kept]
    masks = mask_logits[query] > 0
    scores = scores * (mask_logits[query].sigmoid() * masks).sum((1, 2)) / (masks.sum((1, 2)) + 1e-6)
    order = scores.argsort(descending=True)
    return masks[order], label[order], scores[order]
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("11.2", ranked_instances)

# %% [markdown]
# The eight best of the scene:

# %%
ranked_instances = labs.use("11.2", ranked_instances)
masks, labels, scores = ranked_instances(*logits["instance"], is_thing)
print(", ".join(f"{names[k]} {score:.2f}" for k, score in zip(labels[:8], scores)))
painted = ofl.render.overlay_masks(sample.image, masks[:8].numpy(), labels[:8].tolist(), sample.categories)
Image.fromarray(ofl.render.enlarge(painted, 2))

# %% [markdown]
# ## 11.3 · The panoptic merge
# ●●●●○ · 30 minutes · you may use: torch, a loop over queries
#
# The five steps of the lesson:
#
# 1. queries whose surest class is a class, and surer than `score`, compete;
# 2. each pixel goes to the largest score x mask probability;
# 3. who wins fewer pixels than `overlap` times the pixels of its mask (probability of at least 0.5) is dropped, and so
#    is who wins none inside its mask;
# 4. pixels won outside the own mask stay void, id 0;
# 5. stuff of one class is one segment. Ids are 1, 2, ... in the order of the queries.
#
# Return the ids, int `[H, W]`, and the list of the segments' classes.
#
# <details><summary>Hint</summary><code>argmax(0)</code> over the competing queries gives the winners. Mind the case
# that nobody competes.</details>

# %%
def merge(class_logits, mask_logits, is_thing, score, overlap):
    """[Q, K+1], [Q, H, W], list of bool [K], two thresholds -> int [H, W], list of class ids"""
    # SOLUTION
    scores, labels = class_logits.softmax(-1).max(-1)
    keep = (labels < class_logits.shape[1] - 1) & (scores > score)
    ids, found = torch.zeros(mask_logits.shape[1:], dtype=torch.int32), []
    if not keep.any():
        return ids, found
    scores, labels, masks = scores[keep], labels[keep], mask_logits[keep].sigmoid()
    winner = (scores[:, None, None] * masks).argmax(0)
    for n, label in enumerate(labels.tolist()):
        own, won = masks[n] >= 0.5, winner == n
        if not (own & won).any() or won.sum() / own.sum() < overlap:
            continue
        if is_thing[label] or label not in found:
            found.append(label)
        number = len(found) if is_thing[label] else found.index(label) + 1
        ids[own & won] = number
    return ids, found
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("11.3", merge)

# %% [markdown]
# The person and the dog, with the overlap rule and without it. Dark is void:

# %%
merge = labs.use("11.3", merge)
pictures = []
for overlap in (0.8, 0.0):
    ids, found = merge(*logits["panoptic"], is_thing, 0.5, overlap)
    print(f"overlap threshold {overlap}: {len(found)} segments, {found.count(names.index('person'))} of them persons")
    colors = ofl.render.segment_colors([SegmentInfo(n, k) for n, k in enumerate(found, 1)], sample.categories)
    painted = ofl.render.overlay(sample.image, ids.numpy(), colors, 0.85, outline=False)[65:125, 95:175]
    pictures.append(ofl.render.enlarge(painted, 6))
Image.fromarray(ofl.render.contact_sheet([pictures], ["overlap threshold 0.8", "overlap threshold 0"], font_size=20))

# %% [markdown]
# What you wrote yourself, and what the package lent you:

# %%
labs.tally("11", globals())

# %% [markdown]
# `labs.assemble(".", "11", globals())` shows what your answers do in the whole model, beside those of the labs before.
# Lab 22 puts all of them together: your OneFormer.
