# %% [markdown]
# # Lab 00b · A mask transformer in sixty lines
#
# Three exercises with lesson 00b: attention, a match, a norm, each in a few lines, on numbers that you can add up on
# paper. Replace each `...` by your code, run the cell and the check below it. A check never fails: it tells what it
# expected and what yours gives.

# %%
import itertools
import math

import oneformer_lite as ofl
import torch
from oneformer_lite import labs

# %% [markdown]
# The names of your answers, so that a slip in one of them stops nothing that follows:

# %%
labs.begin("00b", globals())

# %% [markdown]
# ## First look
#
# What the first exercise computes, with the vectors of the lesson. Cover the lower row, and compute the weights of the
# first query on paper.

# %%
q = torch.tensor([[1.0, 1, 0, 0], [2, 0, 0, 0], [0, 0, 1, 0]])
k = torch.tensor([[2.0, 0, 0, 0], [0, 2, 0, 0], [2, 2, 0, 0]])
v = torch.tensor([[6.0, 0], [0, 6], [9, 6]])
ofl.drawings.attention(q, k, v)

# %% [markdown]
# ## 00b.1 · Attention
# ●●○○○ · 10 minutes · you may use: torch, but not `F.scaled_dot_product_attention`
#
# Queries `[n, d]`, keys `[m, d]`, values `[m, c]`. Return the results `[n, c]`: scores are dot products divided by the
# root of d, weights are their softmax over the keys, results are sums of values.
#
# <details><summary>Hint</summary><code>q @ k.T</code> has a row for each query and a column for each key.</details>

# %%
def attend_by_hand(q, k, v):
    """[n, d], [m, d], [m, c] -> [n, c]"""
    # SOLUTION
    scores = q @ k.T / math.sqrt(q.shape[1])
    return scores.softmax(-1) @ v
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("00b.1", attend_by_hand)

# %% [markdown]
# From here on `attend_by_hand` is yours if it passed, and the reference if not. What does the second query get, if its
# vector grows? The more it insists, the more it takes of what fits it best:

# %%
attend_by_hand = labs.use("00b.1", attend_by_hand)
for factor in (0, 1, 3):
    print(f"{factor} times:", attend_by_hand(factor * torch.tensor([[2.0, 1, 0, 0]]), k, v)[0].numpy().round(1))

# %% [markdown]
# ## 00b.2 · The match, by trying all ways
# ●●●○○ · 15 minutes · you may use: torch and itertools, but not `linear_sum_assignment`
#
# `costs` `[Q, G]` of each query with each square, and there are at least as many queries as squares. Give each square a
# query, no query to two squares, such that the sum of the costs is least. Return the list of the G queries, in the order of
# the squares.
#
# <details><summary>Hint</summary><code>itertools.permutations(range(Q), G)</code> gives all ways; <code>min(ways,
# key=...)</code> takes the one of least total.</details>

# %%
def match_by_trying(costs):
    """[Q, G] -> list of G queries"""
    # SOLUTION
    queries, squares = costs.shape
    ways = itertools.permutations(range(queries), squares)
    return list(min(ways, key=lambda way: sum(float(costs[q, g]) for g, q in enumerate(way))))
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("00b.2", match_by_trying)

# %% [markdown]
# A case in which two squares want one query: the match need not give anyone its favourite.

# %%
match_by_trying = labs.use("00b.2", match_by_trying)
costs = torch.tensor([[0.1, 0.2], [0.2, 2.0], [1.0, 1.5]])
way = match_by_trying(costs)
paid = {"cost": sum(float(costs[q, g]) for g, q in enumerate(way))}
ofl.drawings.criterion(costs, way, paid, {"cost": 1}, masks=["square 0", "square 1"])

# %% [markdown]
# ## 00b.3 · Add, then normalise
# ●●○○○ · 10 minutes · you may use: torch, but not `F.layer_norm`
#
# A vector `x` `[..., C]`, and what a layer found `[..., C]`. Return their sum, normalised over its channels: less their
# mean, divided by the root of (their variance + 1e-5). The variance is the mean of the squared distances from the mean.
#
# <details><summary>Hint</summary><code>total.mean(-1, keepdim=True)</code>, <code>total.var(-1, correction=0,
# keepdim=True)</code>.</details>

# %%
def add_and_norm(x, update):
    """[..., C], [..., C] -> [..., C]"""
    # SOLUTION
    total = x + update
    centred = total - total.mean(-1, keepdim=True)
    return centred / (total.var(-1, correction=0, keepdim=True) + 1e-5).sqrt()
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("00b.3", add_and_norm)

# %% [markdown]
# As a drawing, and what comes of twenty layers that all find the same: without the norm the vector grows and grows.

# %%
add_and_norm = labs.use("00b.3", add_and_norm)
x = update = torch.tensor([2.0, 1, 0, 3])
normed, grown = x, x
for layer in range(20):
    normed, grown = add_and_norm(normed, update), grown + update
print("with the norm ", normed.numpy().round(1), " without", grown.numpy().round(1))
ofl.drawings.residual_and_norm(x, update)

# %% [markdown]
# What you wrote yourself, and what the package lent you:

# %%
labs.tally("00b", globals())
