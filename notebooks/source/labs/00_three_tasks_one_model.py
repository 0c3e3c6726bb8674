# %% [markdown]
# # Lab 00 · Three tasks, one model
#
# Three exercises with lesson 00, to get to know the answers of the three tasks and how a lab works. Replace each `...`
# by your code, run the cell and the check below it. A check never fails: it tells what it expected and what yours
# gives. What follows works with your answer, or with ours.

# %%
import numpy as np
import oneformer_lite as ofl
from oneformer_lite import labs
from oneformer_lite.inference import predict_raw
from oneformer_lite.widgets import MaskInspector, QueryInspector
from PIL import Image

sample = ofl.data.Toytown("val", size=192)[13]
model = ofl.from_pretrained("toytown")
names, is_thing = model.config.class_names, list(model.config.is_thing)
panoptic = ofl.predict(model, sample.image, "panoptic")

# %% [markdown]
# The names of your answers, so that a slip in one of them stops nothing that follows:

# %%
labs.begin("00", globals())

# %% [markdown]
# ## First look
#
# The panoptic answer to the scene of the lessons, beside the truth. Switch to *right or wrong*, and point at segments:
# what is missed, what is found twice?

# %%
MaskInspector(model, sample).set(task="panoptic")

# %% [markdown]
# ## 00.1 · Panoptic says semantic
# ●○○○○ · 10 minutes · you may use: numpy
#
# A panoptic answer is a map of segment ids, int `[H, W]`, in which 0 is void, and a dictionary that gives the class id of
# each segment. Return the semantic map: the class id of each pixel, -1 where it is void.
#
# <details><summary>Hint</summary>Begin with a map that is -1 everywhere, and write into it segment by segment.</details>

# %%
def to_semantic(ids, classes):
    """int [H, W], {segment id: class id} -> int [H, W]"""
    # SOLUTION
    found = np.full(ids.shape, -1)
    for segment, class_id in classes.items():
        found[ids == segment] = class_id
    return found
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("00.1", to_semantic)

# %% [markdown]
# From here on `to_semantic` is yours if it passed, and the reference if not. How far does the model's own semantic
# answer agree with what can be made of its panoptic one?

# %%
to_semantic = labs.use("00.1", to_semantic)
made = to_semantic(panoptic.segment_map, {s.id: s.class_id for s in panoptic.segments})
asked = ofl.predict(model, sample.image, "semantic").label_map
print(f"void {(made < 0).mean():.1%}, of the rest {(made == asked)[made >= 0].mean():.1%} the same class")
maps = [ofl.render.overlay_labels(sample.image, m, sample.categories) for m in (made, asked)]
Image.fromarray(ofl.render.contact_sheet([maps], ["made of panoptic", "asked for"]))

# %% [markdown]
# ## 00.2 · Panoptic says instances
# ●●○○○ · 10 minutes · you may use: numpy
#
# The same map and dictionary, and for each class whether it is a thing. Return the instances: a mask, bool `[H, W]`, for
# each segment that is a thing and has a pixel, and the list of their classes, both in the order of the segment ids.
#
# <details><summary>Hint</summary><code>is_thing</code> is asked with the class id, which the dictionary has.</details>

# %%
def to_instances(ids, classes, is_thing):
    """int [H, W], {segment id: class id}, bool for each class -> masks bool [n, H, W], n class ids"""
    # SOLUTION
    kept = [s for s in sorted(classes) if is_thing[classes[s]] and (ids == s).any()]
    masks = np.zeros((len(kept), *ids.shape), bool)
    for mask, segment in zip(masks, kept):
        mask[:] = ids == segment
    return masks, [classes[s] for s in kept]
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("00.2", to_instances)

# %% [markdown]
# What a panoptic answer cannot give: things that overlap, and a list that goes on where it is less and less sure.

# %%
to_instances = labs.use("00.2", to_instances)
masks, classes = to_instances(panoptic.segment_map, {s.id: s.class_id for s in panoptic.segments}, is_thing)
listed = ofl.predict(model, sample.image, "instance", min_score=0.05)
print("made of panoptic:", ", ".join(names[k] for k in classes))
print("asked for:       ", ", ".join(f"{s.class_name} {s.score:.2f}" for s in listed.segments))
print("pixels in two masks:", int((masks.sum(0) > 1).sum()), "and", int((listed.masks.sum(0) > 1).sum()))

# %% [markdown]
# ## 00.3 · What the queries say
# ●●○○○ · 10 minutes · you may use: torch
#
# The class logits of Q queries, `[Q, K+1]`; the last column is "no object". Return the names that queries give to what
# they found: the surest class of each, without those whose surest answer is "no object", surest query first. How sure a
# query is, the **softmax** of its row says.
#
# <details><summary>Hint</summary><code>softmax(-1).max(-1)</code> gives probability and class of every query.</details>

# %%
def named(class_logits, names):
    """[Q, K+1], K names -> list of names"""
    # SOLUTION
    scores, labels = class_logits.softmax(-1).max(-1)
    order = scores.argsort(descending=True).tolist()
    return [names[labels[q]] for q in order if labels[q] < len(names)]
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("00.3", named)

# %% [markdown]
# The 32 queries under each task token: in the semantic task one query answers for all trees.

# %%
named = labs.use("00.3", named)
for task in ofl.data.TASKS:
    _, raw = predict_raw(model, sample.image, task)
    print(f"{task:<9}", ", ".join(named(raw.class_logits, names)))

# %% [markdown]
# Now look at single queries, layer by layer: choose one that names a tree, and go back to layer 0. When does it know?

# %%
QueryInspector(model, sample).set(layer=0)

# %% [markdown]
# What you wrote yourself, and what the package lent you:

# %%
labs.tally("00", globals())

# %% [markdown]
# Lab 22 puts the answers of all labs together: your OneFormer.
