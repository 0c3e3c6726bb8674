# %% [markdown]
# # Lab 15 · Published weights, your photos, your classes
#
# Three exercises with lesson 15: names of weights, a head for other classes, and annotations that do not hold what they
# say. Replace each `...` by your code, run the cell and the check below it. A check never fails: it tells what it
# expected and what yours gives. What follows works with your answer, or with ours.

# %%
import json
import re
from dataclasses import replace

import numpy as np
import oneformer_lite as ofl
import torch
from oneformer_lite import labs
from oneformer_lite.data import SegmentInfo
from PIL import Image

model, folder = ofl.from_pretrained("toytown"), ofl.data.sample_folder()

# %% [markdown]
# The names of your answers, so that a slip in one of them stops nothing that follows:

# %%
labs.begin("15", globals())

# %% [markdown]
# ## 15.1 · Other people's names
# ●●●○○ · 20 minutes · you may use: Python, `re`
#
# A table renames parameters: rows of (their beginning, our beginning), in which `{}` stands for a whole number of any
# length. For each name the **first** row that fits replaces its beginning; a beginning ends at a dot, or where the name
# ends. A name that no row fits stays. Return the new names.
#
# <details><summary>Hint</summary>Make a pattern of the left side:
# <code>re.escape(left).replace(r"\{\}", r"(\d+)")</code>. What must follow is <code>(?=\.|$)</code>.</details>

# %%
def renamed(names, table):
    """["enc.layer3.norm.bias"], [("enc.layer{}", "encoder.{}")] -> ["encoder.3.norm.bias"]"""
    # SOLUTION
    def one(name):
        for left, right in table:
            pattern = re.escape(left).replace(r"\{\}", r"(\d+)") + r"(?=\.|$)"
            if found := re.match(pattern, name):
                return right.format(*found.groups()) + name[found.end() :]
        return name

    return [one(name) for name in names]
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("15.1", renamed)

# %% [markdown]
# From here on `renamed` is yours if it passed, and the reference if not. A few names of the Toytown model as another
# project might write them:

# %%
renamed = labs.use("15.1", renamed)
ours = ["decoder.layers.0.norm1.weight", "decoder.layers.0.norm2.bias", "decoder.class_head.weight",
        "text_mapper.logit_scale"]  # fmt: skip
theirs = [("decoder.layers.{}.norm1", "head.block{}.ln_cross"), ("decoder.layers.{}", "head.block{}"),
          ("decoder.class_head", "head.classifier")]  # fmt: skip
for before, after in zip(ours, renamed(ours, theirs)):
    print(f"{before:<30} {after}")

# %% [markdown]
# ## 15.2 · A head for other classes
# ●●○○○ · 10 minutes · you may use: Python
#
# The class head has a row for each class and, last, one for "no object". Given the class names of a trained model and
# those of your own data, say for each row of the new head which row of the old one it starts from: that of the class of
# the same name, -1 where there is none. "No object" is kept as well.
#
# <details><summary>Hint</summary>The result has one number more than there are new classes.</details>

# %%
def kept(old, new):
    """["car", "tree"], ["tree", "boat"] -> [1, -1, 2]"""
    # SOLUTION
    rows = {name: row for row, name in enumerate(old)}
    return [rows.get(name, -1) for name in new] + [len(old)]
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("15.2", kept)

# %% [markdown]
# A head for four classes, of which two are Toytown's. Without any training it names these, and nothing else:

# %%
kept = labs.use("15.2", kept)
mine = ("tree", "bicycle", "person", "bench")
rows = torch.tensor(kept(model.config.class_names, mine))
head = model.decoder.class_head
with torch.no_grad():
    queries = model(ofl.data.normalise(ofl.data.Toytown("val", 160)[13].image)[None], "panoptic", trace=True).trace
    states = model.decoder.norm(queries["decoder.layer5.queries"][0])
    weight, bias = head.weight[rows] * (rows >= 0)[:, None], torch.where(rows >= 0, head.bias[rows], -9.0)
    labels = (states @ weight.T + bias).argmax(-1)
print({name: int((labels == k).sum()) for k, name in enumerate([*mine, "no object"])})

# %% [markdown]
# ## 15.3 · Annotations that do not hold what they say
# ●●●○○ · 15 minutes · you may use: numpy, Python
#
# A picture's map of ids, int `[H, W]`, in which 0 is void; the list of its segments, each a dictionary with `id`,
# `category_id` and `area`; and the category ids that the data set has. Return the ids of the segments that are wrong,
# rising: whose area is not their number of pixels, whose category does not exist, that are listed and have no pixel, or
# that have pixels and are not listed.
#
# <details><summary>Hint</summary><code>np.unique(ids, return_counts=True)</code> counts all at once. A set collects each
# id once.</details>

# %%
def faulty(ids, told, categories):
    """int [H, W], [{"id": 1, "category_id": 7, "area": 20}, ...], [7, 9] -> list of ids"""
    # SOLUTION
    found, counts = np.unique(ids[ids != 0], return_counts=True)
    pixels = dict(zip(found.tolist(), counts.tolist()))
    wrong = set(pixels) - {s["id"] for s in told}
    for s in told:
        if s["category_id"] not in categories or s["area"] != pixels.get(s["id"]):
            wrong.add(s["id"])
    return sorted(wrong)
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("15.3", faulty)

# %% [markdown]
# The sample of a dozen scenes: as it lies there, and after somebody has painted out a segment and forgotten the list.

# %%
faulty = labs.use("15.3", faulty)
content = json.loads((folder / "annotations/panoptic_val.json").read_text())
categories = [c["id"] for c in content["categories"]]
for painted_out in (False, True):
    wrong = {}
    for annotation in content["annotations"]:
        rgb = np.asarray(Image.open(folder / "annotations/panoptic_val" / annotation["file_name"])).astype(int)
        ids = rgb @ [1, 256, 256**2]
        if painted_out and annotation is content["annotations"][4]:
            ids[ids == annotation["segments_info"][1]["id"]] = 0
        if found := faulty(ids, annotation["segments_info"], categories):
            wrong[annotation["file_name"]] = found
    print("painted out:" if painted_out else "as it is:   ", wrong)

# %% [markdown]
# The doctor looks at whole data sets. It finds the same fault in the same picture, and says what to do:

# %%
scenes = [ofl.data.Toytown("val", 128)[i] for i in range(4)]
scenes[2] = replace(scenes[2], segments=(*scenes[2].segments, SegmentInfo(999, 3)))
finding = next(f for f in ofl.doctor(dataset=scenes).findings if f.check == "segments")
print(finding.verdict, "|", finding.evidence)
print("cure:", finding.cure)

# %% [markdown]
# What you wrote yourself, and what the package lent you:

# %%
labs.tally("15", globals())

# %% [markdown]
# Lab 22 puts the answers of all labs together: your OneFormer.
