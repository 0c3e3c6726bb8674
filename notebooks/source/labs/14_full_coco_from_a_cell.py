# %% [markdown]
# # Lab 14 · Full COCO from a cell
#
# Three exercises with lesson 14: what has to be right when the same training runs with another batch, in pieces, on
# several processors. Replace each `...` by your code, run the cell and the check below it. A check never fails: it
# tells what it expected and what yours gives. What follows works with your answer, or with ours.

# %%
import matplotlib.pyplot as plt
import oneformer_lite as ofl
import torch
from oneformer_lite import labs

run = ofl.Run.attach(ofl.data.sample_folder() / "run")

# %% [markdown]
# The names of your answers, so that a slip in one of them stops nothing that follows:

# %%
labs.begin("14", globals())

# %% [markdown]
# ## First look
#
# The recorded run of lesson 13, as `run.replay()` shows it. Drag the step: which class of the losses falls last, and from
# which step on do the pictures below say the same as the scores?

# %%
replay = run.replay()
replay.set(step=1772, loss="mask")

# %% [markdown]
# ## 14.1 · Another batch size
# ●●○○○ · 10 minutes · you may use: Python
#
# A training of `steps` steps with learning rate `lr` and `before` pictures a batch is to run with `after`. Return the new
# rate and the new number of steps: as many pictures in all (rounded to whole steps), and a rate that grows with the
# **root** of the batch, as AdamW wants it.
#
# <details><summary>Hint</summary>Everything follows from one ratio, <code>after / before</code>.</details>

# %%
def rescaled(lr, steps, before, after):
    """0.002, 1000, 4, 16 -> 0.004, 250"""
    # SOLUTION
    ratio = after / before
    return lr * ratio**0.5, round(steps / ratio)
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("14.1", rescaled)

# %% [markdown]
# From here on `rescaled` is yours if it passed, and the reference if not. COCO's published recipe on smaller machines:

# %%
rescaled = labs.use("14.1", rescaled)
recipe = ofl.training.coco_training()
for batch in (16, 8, 4, 1):
    lr, steps = rescaled(recipe.lr, recipe.steps, recipe.batch_size, batch)
    print(f"batch {batch:>2}: rate {lr:.1e}, {steps:>9,} steps")

# %% [markdown]
# ## 14.2 · Micro-batches
# ●●○○○ · 10 minutes · you may use: torch
#
# A batch that does not fit into the memory goes through in pieces. `gradients` holds the gradient of each piece, which
# is a **mean** over its pictures; `sizes` how many pictures each has. Return the gradient of the whole batch: the mean
# over all its pictures.
#
# <details><summary>Hint</summary>A piece of four pictures counts four times as much as a piece of one.</details>

# %%
def accumulated(gradients, sizes):
    """n tensors of one shape, n whole numbers -> a tensor of this shape"""
    # SOLUTION
    return sum(g * size for g, size in zip(gradients, sizes)) / sum(sizes)
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("14.2", accumulated)

# %% [markdown]
# On a real layer: the gradient of ten pictures at once, and put together from pieces of four, four and two.

# %%
accumulated = labs.use("14.2", accumulated)
torch.manual_seed(0)
layer, inputs, wanted = torch.nn.Linear(6, 3), torch.randn(10, 6), torch.randn(10, 3)


def gradient(rows):
    loss = torch.nn.functional.mse_loss(layer(inputs[rows]), wanted[rows])
    return torch.autograd.grad(loss, layer.weight)[0]


pieces = [slice(0, 4), slice(4, 8), slice(8, 10)]
together = accumulated([gradient(rows) for rows in pieces], [4, 4, 2])
print("equal:", torch.allclose(together, gradient(slice(0, 10)), atol=1e-6))

# %% [markdown]
# ## 14.3 · The share of one process
# ●●●○○ · 15 minutes · you may use: Python
#
# `order` lists the pictures of an epoch. Every `batch` of them make a step; a rest that makes no whole batch is left out.
# Of each batch process 0 takes the first `batch // processes`, process 1 the next, and so on (`batch` is divisible).
# Return what process `rank` reads: a list for each step.
#
# <details><summary>Hint</summary>Where does the part of process <code>rank</code> begin in batch number n?</details>

# %%
def share(order, batch, processes, rank):
    """[5, 0, 7, 2, 6, 1, 4, 3], 4, 2, 1 -> [[7, 2], [4, 3]]"""
    # SOLUTION
    each = batch // processes
    starts = [n * batch + rank * each for n in range(len(order) // batch)]
    return [order[start : start + each] for start in starts]
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("14.3", share)

# %% [markdown]
# The steps of one, two and four processes consist of the same pictures: that is why their number changes nothing.

# %%
share = labs.use("14.3", share)
order = torch.randperm(24, generator=torch.Generator().manual_seed(1)).tolist()
steps = {n: [sum(parts, []) for parts in zip(*(share(order, 8, n, rank) for rank in range(n)))] for n in (1, 2, 4)}
print("the same:", steps[1] == steps[2] == steps[4])
figure, axis = plt.subplots(figsize=(7, 1.6), layout="constrained")
colors = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
for rank in range(4):
    for step, pictures in enumerate(share(order, 8, 4, rank)):
        axis.bar([order.index(p) for p in pictures], 1, color=colors[rank], label=f"process {rank}" if not step else None)
axis.set(yticks=(), xlabel="place in the order: three steps of eight pictures, four processes")
axis.legend(ncols=4, frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1))
plt.show()

# %% [markdown]
# What you wrote yourself, and what the package lent you:

# %%
labs.tally("14", globals())

# %% [markdown]
# Lab 22 puts the answers of all labs together: your OneFormer.
