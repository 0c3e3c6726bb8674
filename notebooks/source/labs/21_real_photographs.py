# %% [markdown]
# # Lab 21 · Real photographs
#
# Three exercises with lesson 21. Replace each `...` by your code, run the cell and the check below it. A check never
# fails: it tells what it expected and what yours gives. What follows works with your answer, or with ours.

# %%
import numpy as np
import oneformer_lite as ofl
from oneformer_lite import labs

# %% [markdown]
# The names of your answers, so that a slip in one of them stops nothing that follows:

# %%
labs.begin("21", globals())

# %% [markdown]
# The microscope pictures of the lesson, and how we show a map: each number in a colour of its own.

# %%
folder = ofl.data.sample_folder() / "nuclei"
val = ofl.data.InstanceMapDataset(folder / "images" / "val", folder / "instances" / "val", "nucleus")
colors = dict(enumerate(np.random.default_rng(3).integers(70, 256, (400, 3)).tolist()))


def shown(sample, ids):
    image = (255 * (sample.image / sample.image.max()) ** 0.5).astype(np.uint8)
    return ofl.render.overlay(image, ids, colors)

# %% [markdown]
# ## 21.1 · Masks to a map
# ●●○○○ · 10 minutes · you may use: NumPy, and a loop over the masks
#
# A microscopist wants one map back. `masks` are bool [n, H, W] and may overlap, `scores` are n numbers. Return int [H,
# W]: 0 where no mask is; elsewhere the number of the *surest* mask that holds the pixel: 1 for the mask with the
# highest score of all, 2 for the next, and so on. (No two scores are equal.)
#
# <details><summary>Hint</summary><code>np.argsort(-scores)</code> is the order. Paint from the least sure to the
# surest, so that the surest is painted last.</details>

# %%
def one_map(masks, scores):
    """bool [n, H, W], [n] -> int [H, W]"""
    # SOLUTION
    ids = np.zeros(masks.shape[1:], int)
    order = np.argsort(-np.asarray(scores))
    for number in range(len(order), 0, -1):
        ids[masks[order[number - 1]]] = number
    return ids
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("21.1", one_map)

# %% [markdown]
# Each nucleus of a picture, grown by six pixels so that neighbours overlap, with the largest the surest:

# %%
from scipy.ndimage import binary_dilation

one_map = labs.use("21.1", one_map)
sample = val[2]
grown = np.stack([binary_dilation(sample.segment_map == s.id, iterations=6) for s in sample.segments])
areas = grown.sum((1, 2)) + np.arange(len(grown)) / len(grown)
sheet = ofl.render.contact_sheet([[shown(sample, sample.segment_map), shown(sample, one_map(grown, areas))]],
                                 ["annotated", "grown, one map"])  # fmt: skip
ofl.render.described(sheet, "The annotated nuclei, and beside them the grown ones, in which larger nuclei have taken pixels "
                     "from smaller neighbours.")  # fmt: skip

# %% [markdown]
# ## 21.2 · Count what was found
# ●●○○○ · 15 minutes · you may use: NumPy
#
# `found` and `truth` are instance maps, int [H, W], 0 = background. A found object is right if its IoU with an object
# of `truth` is *above* 0.5. Return (TP, FP, FN): how many are right, how many found ones are not, how many true ones
# nobody found. Their quotient TP / (TP + FP + FN) is what microscopists quote.
#
# <details><summary>Hint</summary>Two different objects cannot both have more than half of a third in common, so each
# true object has at most one right answer: no matching is needed. <code>np.unique</code> of a map lists its
# numbers.</details>

# %%
def counted(found, truth):
    """int [H, W], int [H, W] -> (TP, FP, FN)"""
    # SOLUTION
    numbers, true_numbers = (np.setdiff1d(ids, [0]) for ids in (found, truth))
    tp = 0
    for n in numbers:
        for t in np.setdiff1d(truth[found == n], [0]):
            both, either = (found == n) & (truth == t), (found == n) | (truth == t)
            tp += int(both.sum() / either.sum() > 0.5)
    return tp, len(numbers) - tp, len(true_numbers) - tp
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("21.2", counted)

# %% [markdown]
# How far may an annotation lie beside the truth? The maps of all four pictures, moved by some pixels:

# %%
counted = labs.use("21.2", counted)
for i in range(len(val)):
    truth = val[i].segment_map
    shares = []
    for shift in (1, 3, 5, 8):
        tp, fp, fn = counted(np.roll(truth, shift, axis=1), truth)
        shares.append(f"{shift}: {tp / (tp + fp + fn):.2f}")
    print(f"picture {i}, by how many pixels its map was moved:", ", ".join(shares))

# %% [markdown]
# Nuclei as small as those of picture 1 lose nearly everything to a shift by a third of their width.

# %% [markdown]
# ## 21.3 · Where windows lie
# ●●○○○ · 15 minutes · you may use: Python
#
# Windows of `side` pixels shall cover a picture of `length` pixels along one direction. Neighbours overlap by *at
# least* a quarter of a window (rounded down), there are as few windows as that allows, the first begins at 0, the last
# ends with the picture, and the others are spread evenly between (rounded to whole pixels). Return the list of the
# places where they begin. A picture that is no longer than a window needs one.
#
# <details><summary>Hint</summary>With overlap o each window after the first adds <code>side - o</code> new pixels:
# <code>math.ceil((length - o) / (side - o))</code> windows.</details>

# %%
def starts(length, side):
    """two whole numbers -> list of whole numbers"""
    # SOLUTION
    if length <= side:
        return [0]
    overlap = side // 4
    count = -(-(length - overlap) // (side - overlap))
    return [round(i * (length - side) / (count - 1)) for i in range(count)]
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("21.3", starts)

# %% [markdown]
# How many windows of 256 a picture needs, and how many pixels the model then sees for each of the picture's:

# %%
starts = labs.use("21.3", starts)
for length in (256, 260, 520, 1388, 20_000):
    count = len(starts(length, 256))
    print(f"{length:>6} x {length}: {count**2:>5} windows, {(count * 256 / length) ** 2:.2f} pixels seen for each")

# %% [markdown]
# What you wrote yourself, and what the package lent you:

# %%
labs.tally("21", globals())
