# %% [markdown]
# # Lab 05 · The text mapper
#
# Three exercises with lesson 05. Replace each `...` by your code, run the cell and the check below it. A check never
# fails: it tells what it expected and what yours gives. What follows works with your answer, or with ours.

# %%
import math

import matplotlib.pyplot as plt
import oneformer_lite as ofl
import torch
import torch.nn.functional as F
from oneformer_lite import labs
from oneformer_lite.data.targets import pad_texts
from oneformer_lite.model.parts.tokenizer import tokenize

_ = torch.set_grad_enabled(False)
plt.rcParams.update({"figure.dpi": 100, "font.size": 10})
model = ofl.from_pretrained("toytown")
encoder = model.text_mapper.encoder

# %% [markdown]
# The names of your answers, so that a slip in one of them stops nothing that follows:

# %%
labs.begin("05", globals())

# %% [markdown]
# ## 05.1 · Causal attention
# ●●●○○ · 15 minutes · you may use: torch, no loops
#
# Attention of one head over the L tokens of T texts, in which token i looks at tokens 0 to i and at nothing later:
# scores q · k / √C, softmax, weighted mean of the values, which may have another width d.
#
# <details><summary>Hint</summary><code>torch.ones(L, L).tril()</code> is 1 where a row may look; what must a score be
# so that the softmax makes it 0?</details>

# %%
def causal_attention(q, k, v):
    """[T, L, C], [T, L, C], [T, L, d] -> [T, L, d]"""
    # SOLUTION
    L = q.shape[1]
    allowed = torch.ones(L, L, dtype=torch.bool).tril()
    scores = q @ k.mT / math.sqrt(q.shape[-1])  # [T, L, L]
    return scores.masked_fill(~allowed, -math.inf).softmax(-1) @ v
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("05.1", causal_attention)

# %% [markdown]
# From here on `causal_attention` is yours if it passed, and the reference if not. A trick: with the identity matrix for
# values it returns the weights themselves. Here are those of a trained head, rows look at columns.

# %%
causal_attention = labs.use("05.1", causal_attention)
words = ["start", "a", "photo", "with", "a", "car", "end"]
ids = tokenize(["a photo with a car"])[:, :7]
x = encoder.layers[0].norm1(encoder.token_embedding(ids) + encoder.positional_embedding[:7])
own = slice(48, 64)  # the channels of head 3
projections = encoder.layers[0].attention
q, k = projections.q_proj(x)[..., own], projections.k_proj(x)[..., own]
weights = causal_attention(q, k, torch.eye(7)[None])[0]
figure, axes = plt.subplots(figsize=(4.6, 3.8), layout="constrained")
shown = axes.imshow(weights, cmap="Blues", vmin=0, vmax=1)
axes.set(xticks=range(7), yticks=range(7), xticklabels=words, yticklabels=words)
axes.tick_params(axis="x", rotation=45)
figure.colorbar(shown, label="attention weight")
plt.show()

# %% [markdown]
# The end mark looks at the car. In numbers: each row sums to 1, and nothing stands above the diagonal.

# %%
print("rows sum to 1:", bool(torch.allclose(weights.sum(-1), torch.ones(7), atol=1e-5)))
print("above the diagonal:", float(weights.triu(1).sum()))

# %% [markdown]
# ## 05.2 · One vector for a text
# ●●○○○ · 10 minutes · you may use: torch, no loops
#
# The encoder gives a vector for each token. Return, for each text, the vector at its **end mark**. Its id, 49407, is
# the largest of the vocabulary. The padding behind it has id 0; beware, a real token may have id 0 too.
#
# <details><summary>Hint</summary><code>argmax</code> finds the places; then pair row 0 with its place, row 1 with its,
# and so on: <code>x[rows, places]</code>.</details>

# %%
def end_features(x, ids):
    """[T, L, C], int64 [T, L] -> [T, C]"""
    # SOLUTION
    return x[torch.arange(len(ids)), ids.argmax(dim=1)]
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("05.2", end_features)

# %% [markdown]
# With it, the end of the text encoder: equal to the package's?

# %%
end_features = labs.use("05.2", end_features)


def encode(texts):
    """U texts -> [U, C]"""
    ids = tokenize(texts)
    x = encoder.token_embedding(ids) + encoder.positional_embedding
    allowed = torch.ones(77, 77, dtype=torch.bool).tril()[None]
    for layer in encoder.layers:
        x = layer(x, allowed)
    return model.text_mapper.projector(end_features(encoder.norm(x), ids))


texts = [f"a photo with a {name}" for name in model.config.class_names]
print("equal:", torch.allclose(encode(texts), model.text_mapper.projector(encoder(tokenize(texts))), atol=1e-4))

# %% [markdown]
# Which class sentences has training made alike?

# %%
unit = F.normalize(encode(texts), dim=-1)
figure, axes = plt.subplots(figsize=(5.6, 4.8), layout="constrained")
shown = axes.imshow(unit @ unit.T, cmap="RdBu_r", vmin=-1, vmax=1)
axes.set(xticks=range(14), yticks=range(14), yticklabels=model.config.class_names)
axes.set_xticklabels(model.config.class_names, rotation=90)
figure.colorbar(shown, label="cosine")
plt.show()

# %% [markdown]
# ## 05.3 · Each distinct text once
# ●●●○○ · 15 minutes · you may use: Python, torch
#
# B lists of T texts each; `encode` turns a list of U texts into vectors, `[U, C]`. Call it **once**, with every
# distinct text of the batch, and bring the rows to where their texts stand: `[B, T, C]`. (In the check, the last
# channel of `encode` tells how many texts it was given: it sees what you repeat.)
#
# <details><summary>Hint</summary>A set of all texts, made a list; a dictionary from text to row; an index tensor
# <code>[B, T]</code>. Indexing <code>[U, C]</code> with it gives <code>[B, T, C]</code>.</details>

# %%
def encode_once(lists, encode):
    """B lists of T texts, encode -> [B, T, C]"""
    # SOLUTION
    distinct = sorted({text for texts in lists for text in texts})
    row = {text: number for number, text in enumerate(distinct)}
    index = torch.tensor([[row[text] for text in texts] for texts in lists])  # [B, T]
    return encode(distinct)[index]
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("05.3", encode_once)

# %% [markdown]
# Eight pictures of Toytown, 28 texts each. How many texts does the encoder really see?

# %%
encode_once = labs.use("05.3", encode_once)
scenes = ofl.data.Toytown("val", size=128)
lists = [pad_texts(ofl.data.targets_for(scenes[i], "panoptic").texts, "panoptic", 28) for i in range(13, 21)]
seen = []


def counting(texts):
    seen.append(len(texts))
    return encode(texts)


print(list(encode_once(lists, counting).shape), "texts encoded:", seen, "of", sum(map(len, lists)))

# %% [markdown]
# What you wrote yourself, and what the package lent you:

# %%
labs.tally("05", globals())

# %% [markdown]
# `labs.assemble(".", "05", globals())` shows what your answers do in the whole model, beside those of the labs before.
# Lab 22 puts all of them together: your OneFormer.
