# %% [markdown]
# # Lab 04 · Task tokenizer and MLP
#
# Four exercises with lesson 04: from letters to a task token. Replace each `...` by your code, run the cell and the
# check below it. A check never fails: it tells what it expected and what yours gives. What follows works with your
# answer, or with ours.

# %%
from itertools import pairwise

import matplotlib.pyplot as plt
import oneformer_lite as ofl
import torch
import torch.nn.functional as F
from oneformer_lite import labs
from oneformer_lite.model.parts.tokenizer import encode, vocabulary

_ = torch.set_grad_enabled(False)
ids, rank = vocabulary()  # {piece: id} and CLIP's merge table, {pair: rank}
print(len(ids), "pieces,", len(rank), "merges")

# %% [markdown]
# The names of your answers, so that a slip in one of them stops nothing that follows:

# %%
labs.begin("04", globals())

# %% [markdown]
# ## 04.1 · The best pair
# ●○○○○ · 10 minutes · you may use: Python
#
# `parts` are the pieces of a word, `rank` says of every known pair of neighbours when it was learned: 0 is first, and
# best. Return the pair of neighbours in `parts` with the best rank; `None` if none is known.
#
# <details><summary>Hint</summary><code>min(…, key=…, default=None)</code> does all of it.</details>

# %%
def best_pair(parts, rank):
    """("p", "a", "n"), {("a", "n"): 2, ...} -> ("a", "n")"""
    # SOLUTION
    known = [pair for pair in pairwise(parts) if pair in rank]
    return min(known, key=rank.get, default=None)
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("04.1", best_pair)

# %% [markdown]
# From here on `best_pair` is yours if it passed, and the reference if not. With CLIP's table, what is joined first?

# %%
best_pair = labs.use("04.1", best_pair)
for word in ("panoptic", "instance", "semantic"):
    parts = (*word[:-1], word[-1] + "</w>")
    print(f"{word:<9}", best_pair(parts, rank), "rank", rank[best_pair(parts, rank)])

# %% [markdown]
# ## 04.2 · Cut a word
# ●●○○○ · 20 minutes · you may use: `best_pair`, `join`, `rank`
#
# Begin with the letters of the word, the last one with `</w>` after it. Join the best pair, everywhere in the word,
# until no pair is known. Return the list of pieces. `join` is given.
#
# <details><summary>Hint</summary>A loop that ends when best_pair gives None. A word of one letter has no pairs at
# all.</details>

# %%
def join(parts, pair):
    joined = []
    for part in parts:
        if joined and (joined[-1], part) == pair:
            joined[-1] += part
        else:
            joined.append(part)
    return joined


def split_word(word):
    """"panoptic" -> ["pan", "optic</w>"]"""
    # SOLUTION
    parts = [*word[:-1], word[-1] + "</w>"]
    while (pair := best_pair(parts, rank)) is not None:
        parts = join(parts, pair)
    return parts
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("04.2", split_word)

# %% [markdown]
# The class names of Toytown are common words. What becomes of words that hardly anybody ever wrote?

# %%
split_word = labs.use("04.2", split_word)
sample = ofl.data.Toytown("val", size=128)[13]
names = [category.name for category in sample.categories]
print(sum(len(split_word(name)) == 1 for name in names), "of", len(names), "class names are one piece")
for word in ("oneformer", "toytown", "unsegmentable"):
    print(f"{word:<13}", " ".join(split_word(word)))

# %% [markdown]
# ## 04.3 · 77 places
# ●●○○○ · 10 minutes · you may use: `encode(text)`, which gives the ids of the pieces
#
# Return a list of exactly `length` ids: the start piece (49406), the ids of the text, the end piece (49407), then
# zeros. A text that is too long is cut, and its last id is the end piece.
#
# <details><summary>Hint</summary>Cut first to <code>length - 1</code>, then close.</details>

# %%
def places(text, length=77):
    """"the task is panoptic" -> [49406, 518, ..., 49407, 0, 0, ...]"""
    # SOLUTION
    closed = [*[49406, *encode(text)][: length - 1], 49407]
    return closed + [0] * (length - len(closed))
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("04.3", places)

# %% [markdown]
# The three sentences that the model was trained with:

# %%
places = labs.use("04.3", places)
TASKS = ("panoptic", "instance", "semantic")
rows = [places(f"the task is {task}", 77) for task in TASKS]
for task, row in zip(TASKS, rows):
    print(f"{task:<9}", [number for number in row if number])

# %% [markdown]
# ## 04.4 · The task token
# ●●●○○ · 15 minutes · you may use: torch, no `F.layer_norm`
#
# From `ids [B, 77]` (whole numbers) make tokens `[B, C]`: a linear layer, ReLU, a second linear layer, then a
# LayerNorm. `layers` holds the (weight, bias) of both; weights are [out, in]. The LayerNorm subtracts each token's mean
# and divides by its standard deviation (add 1e-5 to the variance), then multiplies by `scale [C]` and adds
# `shift [C]`.
#
# <details><summary>Hint</summary>The variance is the mean of the squares, not the sum divided by C − 1.</details>

# %%
def task_token(ids, layers, scale, shift):
    """[B, 77], [(weight, bias), (weight, bias)], [C], [C] -> [B, C]"""
    # SOLUTION
    (first, a), (second, b) = layers
    raw = F.relu(ids.float() @ first.T + a) @ second.T + b
    centred = raw - raw.mean(-1, keepdim=True)
    return centred / (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt() * scale + shift
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("04.4", task_token)

# %% [markdown]
# The trained model's weights in this function: the three tokens, and the model's own. The lower halves are the model's.

# %%
task_token = labs.use("04.4", task_token)
model = ofl.from_pretrained("toytown")
layers = [(layer.weight, layer.bias) for layer in model.task_encoder.mlp.layers]
tokens = task_token(torch.tensor(rows), layers, model.decoder.norm.weight, model.decoder.norm.bias)
theirs = model.task_token(TASKS)
print("equal:", torch.allclose(tokens, theirs, atol=1e-3))
figure, axes = plt.subplots(3, 1, figsize=(9, 3.6), sharex=True, layout="constrained")
for axis, task, pair in zip(axes, TASKS, torch.stack([tokens, theirs], 1)):
    shown = axis.imshow(pair, aspect="auto", cmap="PuOr", vmin=-3, vmax=3)
    axis.set(yticks=(), ylabel=task)
axes[2].set_xlabel("channel")
_ = figure.colorbar(shown, ax=axes, label="value")
plt.show()

# %% [markdown]
# What you wrote yourself, and what the package lent you:

# %%
labs.tally("04", globals())

# %% [markdown]
# `labs.assemble(".", "04", globals())` shows what your answers do in the whole model, beside those of the labs before.
# Lab 22 puts all of them together: your OneFormer.
