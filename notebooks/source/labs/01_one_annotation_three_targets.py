# %% [markdown]
# # Lab 01 · From one annotation to three targets
#
# Three exercises with lesson 01. Replace each `...` by your code, run the cell and the check below it. A check never
# fails: it tells what it expected and what yours gives. What follows works with your answer, or with ours.

# %%
from collections import Counter

import numpy as np
import oneformer_lite as ofl
from oneformer_lite import labs
from PIL import Image

folder = ofl.data.sample_folder()

# %% [markdown]
# The names of your answers, so that a slip in one of them stops nothing that follows:

# %%
labs.begin("01", globals())

# %% [markdown]
# ## 01.1 · Ids from colours
# ●○○○○ · 5 minutes · you may use: numpy, no loops
#
# A panoptic PNG comes as bytes, `uint8 [H, W, 3]`: red, green, blue. Return the map of ids, `int32 [H, W]`, with
# id = R + 256 G + 256² B.
#
# <details><summary>Hint</summary>A byte cannot hold 256. What does <code>astype(np.int32)</code> do?</details>

# %%
def rgb2id(rgb):
    """uint8 [H, W, 3] -> int32 [H, W]"""
    # SOLUTION
    red, green, blue = rgb.astype(np.int32).transpose(2, 0, 1)
    return red + 256 * green + 256**2 * blue
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("01.1", rgb2id)

# %% [markdown]
# From here on `rgb2id` is yours if it passed, and the reference if not. Read a PNG with it: the ids and how many
# pixels each has.

# %%
rgb2id = labs.use("01.1", rgb2id)
name = "000000000003"
segment_map = rgb2id(np.asarray(Image.open(folder / f"annotations/panoptic_val/{name}.png")))
print(dict(sorted(Counter(segment_map.ravel().tolist()).items())))

# %% [markdown]
# ## 01.2 · Semantic targets
# ●●○○○ · 15 minutes · you may use: numpy
#
# From a map of ids, `int32 [H, W]`, and a list of segments (id, class id, is crowd), make the targets of the
# **semantic** task: a list of masks, bool `[H, W]`, one per class, and the list of their class ids, in the order of the
# class ids. Crowds are left out, and so is what has no pixel.
#
# <details><summary>Hint</summary>A dictionary from class id to mask; join masks with <code>|</code>.</details>

# %%
def semantic_target(segment_map, segments):
    """int32 [H, W], [(id, class id, is crowd), ...] -> masks, class ids"""
    # SOLUTION
    regions = {}
    for segment_id, class_id, is_crowd in sorted(segments, key=lambda s: s[1]):
        mask = segment_map == segment_id
        if mask.any() and not is_crowd:
            regions[class_id] = regions.get(class_id, False) | mask
    return list(regions.values()), list(regions)
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("01.2", semantic_target)

# %% [markdown]
# The scene of the lessons: its 13 segments become this many regions.

# %%
semantic_target = labs.use("01.2", semantic_target)
sample = ofl.data.Toytown("val", size=192)[13]
masks, class_ids = semantic_target(sample.segment_map, [(s.id, s.class_id, s.is_crowd) for s in sample.segments])
names = [category.name for category in sample.categories]
print(len(sample.segments), "segments,", len(masks), "regions:", ", ".join(names[c] for c in class_ids))
colors = ofl.render.label_colors(sample.categories)
small = [np.where(mask[::2, ::2, None], colors[c], 235).astype(np.uint8) for mask, c in zip(masks, class_ids)]
Image.fromarray(ofl.render.contact_sheet([small[:6], small[6:]]))

# %% [markdown]
# ## 01.3 · The text list
# ●●○○○ · 10 minutes · you may use: Python
#
# From the class ids of the target masks, the names of all classes, the task and the length of the list, make the
# texts: "a photo with a {name}" for each mask, in the order of the class ids, then the task's own sentence
# ("a semantic photo", "an instance photo", "a panoptic photo") until there are `length`. Never more.
#
# <details><summary>Hint</summary>Make the list too long, then cut it.</details>

# %%
def text_list(class_ids, names, task, length):
    """[0, 0, 3], ["car", ...], "instance", 8 -> 8 sentences"""
    # SOLUTION
    texts = [f"a photo with a {names[class_id]}" for class_id in sorted(class_ids)]
    article = "an" if task == "instance" else "a"
    return (texts + [f"{article} {task} photo"] * length)[:length]
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("01.3", text_list)

# %% [markdown]
# The semantic list of the scene, as the Toytown model is trained with it:

# %%
text_list = labs.use("01.3", text_list)
for text, count in Counter(text_list(class_ids, names, "semantic", 28)).items():
    print(f"{count:>2} x {text}")

# %% [markdown]
# What you wrote yourself, and what the package lent you:

# %%
labs.tally("01", globals())

# %% [markdown]
# `labs.assemble(".", "01", globals())` shows what your answers do in the whole model, beside those of the labs before.
# Lab 22 puts all of them together: your OneFormer.
