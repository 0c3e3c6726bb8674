# %% [markdown]
# # 06 · Task-conditioned queries
#
# A mask transformer works with Q *object queries*: vectors that each look for one segment. In most models they
# are simply learned. OneFormer makes new ones for every picture and every task. The paper's figure shows a box
# with "the task token, repeated N - 1 times" (its N is our Q), an arrow into a small transformer, and a "+".
#
# **How can Q - 1 copies of one vector become Q - 1 different queries?**
#
# Letters: Q queries, C channels, M heads, h and w sides of a feature map, S = h w its places (of one map; in lesson
# 03 S counted the places of all levels).
#
# *Instead of* (in the sixty lines of lesson 00b): `x = self.queries.expand(...)` (line C).
#
# *Goals:* make different queries of copies of one task token. *Before:* lesson 03, lesson 04. *Minutes:* 50. *Words
# and letters:* [glossary](GLOSSARY.md).
#
# Where we are, in the map of the whole model:

# %% tags=["nbval-ignore-output"]
import oneformer_lite as ofl

ofl.drawings.model_map(ofl.from_pretrained("toytown"), ofl.data.Toytown("val", size=128)[13], "06")

# %% [markdown]
# ## What goes in, what comes out
#
# The scene of all lessons, at the size the model was trained at.

# %%
import matplotlib.pyplot as plt
import oneformer_lite as ofl
import torch
import torch.nn.functional as F
from PIL import Image
from oneformer_lite.lessons import grown, proved

_ = torch.set_grad_enabled(False)  # this lesson looks, it does not train
plt.rcParams.update({"figure.dpi": 100, "font.size": 10})
SCENE = 13
scenes = ofl.data.Toytown("val", size=128)
image = ofl.data.normalise(scenes[SCENE].image)[None]  # [1, 3, H, W]
picture = ofl.render.enlarge(scenes[SCENE].image, 2)
ofl.render.described(picture, "Scene 13: a street with a blue car, a person with a dog, trees, a sign, a ball and "
                              "houses.")

# %% [markdown]
# One run with a trace. Four entries belong to this lesson: the token (lesson 04) and the features at stride 4
# (lesson 03) go in, Q queries come out, and the attention tells where they looked.

# %%
model = ofl.from_pretrained("toytown")
trace = model(image, "panoptic", trace=True).trace
for name in ("task.token", "pixel_decoder.mask_features", "query.layer0.attention", "query.object_queries"):
    print(f"{name:<28} {list(trace[name].shape)}")

# %% [markdown]
# ## Step 1: copies
#
# The token is repeated Q - 1 times. Why not Q? The last place is kept for the token itself.

# %%
token = trace["task.token"][0]  # [C]
Q = model.config.num_queries
x = token.repeat(Q - 1, 1)  # [Q-1, C]
steps = {"copies": x}
print(list(token.shape), "->", list(x.shape))

# %% [markdown]
# For every step we ask: how alike are the rows? A **cosine** of 1 means the same direction.

# %%
def likeness(x):
    """[n, C] -> mean cosine of two different rows"""
    x = F.normalize(x, dim=-1)
    table = x @ x.T
    return float((table.sum() - table.trace()) / (len(x) * (len(x) - 1)))


print(f"mean cosine of two copies: {likeness(x):.2f}")

# %% [markdown]
# ## Step 2: a name for each query
#
# Equal rows stay equal in any network that treats rows alike. Something must tell them apart: a learned table
# with one row for each query, the **query positions**. They are added wherever a query asks or is asked, and
# nowhere else.

# %%
positions = model.query_positions.weight  # [Q, C]
names = positions[:-1]  # [Q-1, C]: the last row belongs to the token
print(list(names.shape), f"mean cosine of two positions: {abs(likeness(names)):.2f}")

# %% [markdown]
# ## Step 3: self-attention, which changes nothing
#
# First the queries look at each other. Attention, as in lesson 05 but without a mask, and keeping the weights:

# %%
def attend(queries, keys, values, part):
    """[n, C], [S, C], [S, C] -> [n, C] and weights [M, n, S]"""
    q, k, v = (
        linear(x).unflatten(-1, (part.num_heads, -1)).transpose(0, 1)  # [M, n or S, C / M]
        for linear, x in ((part.q_proj, queries), (part.k_proj, keys), (part.v_proj, values))
    )
    weights = (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1)
    return part.out_proj((weights @ v).transpose(0, 1).flatten(1)), weights


# %% [markdown]
# Queries and keys carry the positions, the values do not. Result: every row is still the same.

# %%
layer = model.query_transformer.layers[0]
update, weights = attend(x + names, x + names, x, layer.self_attention)
x = steps["self-attention"] = layer.norm1(x + update)
print(f"weights from {weights.min():.1f} to {weights.max():.1f}; mean cosine of two rows: {likeness(x):.2f}")

# %% [markdown]
# The weights do differ from query to query. But each query takes a weighted mean of 31 *equal* values, and that is
# this value, whatever the weights. **In the first layer self-attention cannot tell copies apart.** The published
# models have a second layer, where it can tell them apart; Toytown has one, so here it only shifts all copies alike.
#
# ## Step 4: where is what? Sine positions
#
# Now the queries look at the picture. Its features say *what* is at a place; a fixed pattern of waves says
# *where*: half of the channels tell the row $y$, the other half the column $x$. Channel $i$ of C/2 is
#
# $$\sin\left(\frac{2\pi\, y/h}{10000^{\,2\lfloor i/2\rfloor/(C/2)}}\right) \text{ for even } i, \qquad
# \cos(\ldots) \text{ for odd } i, \qquad y = 1 \ldots h.$$

# %%
import math


def sine_slow(h, w, C):
    """-> [C, h, w]"""
    waves = torch.zeros(C, h, w)
    for channel in range(C):
        axis, i = divmod(channel, C // 2)  # axis 0: rows, 1: columns
        wave = (math.sin, math.cos)[i % 2]
        for y in range(h):
            for x in range(w):
                place = ((y + 1) / h, (x + 1) / w)[axis]
                waves[channel, y, x] = wave(2 * math.pi * place / 10000 ** (2 * (i // 2) / (C // 2)))
    return waves


# %% [markdown]
# Without loops: the waves of one axis, then each repeated along the other.

# %%
def one_axis(length, half):
    place = 2 * math.pi * torch.arange(1, length + 1) / length
    angle = place[:, None] / 10000 ** (2 * (torch.arange(half) // 2) / half)  # [length, C / 2]
    return torch.where(torch.arange(half) % 2 == 0, angle.sin(), angle.cos())


def sine(h, w, C):
    rows = one_axis(h, C // 2)[:, None].expand(-1, w, -1)
    columns = one_axis(w, C // 2)[None].expand(h, -1, -1)
    return torch.cat([rows, columns], dim=-1).permute(2, 0, 1)  # [C, h, w]


# %% [markdown]
# Both, and the package's:

# %%
from oneformer_lite.model.parts.layers import sine_positions

h, w = trace["pixel_decoder.mask_features"].shape[-2:]
C = model.config.hidden_dim
proved("fast equal to slow", sine(6, 9, C), sine_slow(6, 9, C), atol=1e-4) + proved(
    "equal to the package", sine(h, w, C), sine_positions(h, w, C), atol=1e-4
)

# %% [markdown]
# Some channels of the map, and how alike the pattern of one place (cross) is to that of all others: the nearer,
# the more alike. That is what makes it an address.

# %%
where = sine(h, w, C)
unit = F.normalize(where, dim=0)
near = torch.einsum("c,chw->hw", unit[:, 20, 10], unit)
figure, all_axes = plt.subplots(1, 6, figsize=(10.5, 2.1), layout="constrained")
for axes, channel in zip(all_axes, (0, 1, 6, 48, 49)):
    axes.imshow(where[channel], cmap="RdBu_r", vmin=-1, vmax=1)
    axes.set(title=f"channel {channel}", xticks=(), yticks=())
all_axes[-1].imshow(near, cmap="viridis")
all_axes[-1].plot(10, 20, "x", color="#d55e00")
all_axes[-1].set(title="like the cross", xticks=(), yticks=())
ofl.render.described(figure, "Five channels of stripes: horizontal in 0, 1 and 6, of different widths, vertical in 48 "
                             "and 49. Beside them likeness to one place: a bright spot around its cross.")

# %% [markdown]
# ## Step 5: the queries look at the picture
#
# The features at stride 4 pass a 1x1 convolution and are flattened: S places, each a vector. **Keys** are features
# plus positions. **Values** are the positions alone: a query gets to know *where* what it asks for is, not what it
# looks like. (Official code is so; the paper's figure is not. More of that below.)

# %%
transformer = model.query_transformer
features = transformer.feature_projection(trace["pixel_decoder.mask_features"])[0]  # [C, h, w]
flat = features.flatten(1).T  # [S, C]
places = where.flatten(1).T  # [S, C]
keys, values = flat + places, places
print(f"S = {h} x {w} = {len(keys)} places here, {256 * 256} in a picture of 1024 x 1024")

# %% [markdown]
# Cross-attention for one query and one head, word by word:

# %%
def look_slow(query, head, part):
    d = C // part.num_heads
    own = slice(head * d, (head + 1) * d)  # the channels of this head
    q = part.q_proj(query)[own]
    scores = torch.stack([q @ part.k_proj(key)[own] for key in keys]) / math.sqrt(d)  # [S]
    return sum(weight * part.v_proj(value)[own] for weight, value in zip(scores.softmax(0), values))


update, weights = attend(x + names, keys, values, layer.cross_attention)  # weights [M, Q-1, S]
heads = torch.cat([look_slow(x[7] + names[7], head, layer.cross_attention) for head in range(8)])
proved("equal", layer.cross_attention.out_proj(heads), update[7], atol=1e-4)

# %% [markdown]
# And now the rows are different: each query asked in its own name, so each looked elsewhere.

# %%
x = steps["cross-attention"] = layer.norm2(x + update)
print(f"mean cosine of two rows: {likeness(x):.2f}")

# %% [markdown]
# Where did they look? Eight queries, the mean over their heads; the brighter the orange, the more a query looks there.
# The titles say what comes of it: the class that the query names before the decoder. Do not expect masks here: each
# takes from this a mean of *places*, not of what is seen there.

# %%
named = trace["prediction0.class_logits"][0, :, :-1].argmax(-1)  # [Q], before the first layer of the decoder
figure, all_axes = plt.subplots(2, 4, figsize=(10, 5.4), layout="constrained")
for axes, query in zip(all_axes.flat, (12, 30, 28, 2, 8, 15, 27, 11)):
    heat = weights.mean(0)[query].unflatten(0, (h, w))
    strength = (heat / heat.quantile(0.98)).clamp(0, 1)
    axes.imshow(0.45 * scenes[SCENE].image.mean(-1), cmap="gray", vmin=0, vmax=255, extent=(0, w, h, 0))
    axes.imshow(torch.ones(h, w), cmap="Oranges", vmin=0, vmax=1.9, alpha=strength.numpy(), extent=(0, w, h, 0))
    axes.set(title=f"query {query}: {model.config.class_names[named[query]]}", xticks=(), yticks=())
ofl.render.described(figure, "The scene in dark grey eight times, with orange cells where a query looks. The cells are "
                             "scattered along edges and corners of the picture, differently for each query, and show "
                             "no mask.")

# %% [markdown]
# The package records the same weights:

# %%
recorded = trace["query.layer0.attention"][0].flatten(-2)  # [M, Q-1, S]
proved("equal", weights, recorded, atol=1e-5)

# %% [markdown]
# ## Step 6: think, normalise, add the token
#
# A feed-forward network for each query (two linear layers, ReLU between), a last LayerNorm, and the untouched
# token joins as the last query. That is the "+" of the figure: a concatenation.

# %%
def feed_forward(x, part):
    return part.norm(x + part.linear2(part.linear1(x).relu()))


x = steps["feed-forward"] = feed_forward(x, layer.feed_forward)
steps["with token"] = torch.cat([transformer.norm(x), token[None]])  # [Q, C]
print(list(steps["with token"].shape))

# %% [markdown]
# The whole way: which query resembles which, after each step. Red is equal. All differences begin in the
# cross-attention.

# %%
figure, all_axes = plt.subplots(1, 5, figsize=(10.8, 2.5), layout="constrained")
for axes, (name, x) in zip(all_axes, steps.items()):
    unit = F.normalize(x, dim=-1)
    shown = axes.imshow(unit @ unit.T, cmap="RdBu_r", vmin=-1, vmax=1)
    axes.set(title=name, xticks=(0, 15, 30), yticks=(0, 15, 30), xlabel="query")
figure.colorbar(shown, ax=all_axes, label="cosine")
ofl.render.described(figure, "Five squares of cosines between queries. Copies, and after self-attention: all equal. "
                             "From cross-attention on a clear diagonal, with many shades elsewhere.")

# %% [markdown]
# In numbers, with the length of the rows:

# %%
for name, x in steps.items():
    print(f"{name:<16} mean length {x.norm(dim=-1).mean():>4.1f}, mean cosine {likeness(x):.2f}")

# %% [markdown]
# ## All steps as one function
#
# In two versions. In the first, the copies only talk to each other:

# %%
def object_queries_1(token, positions, transformer):
    """[C], [Q, C] -> [Q, C]"""
    names = positions[:-1]
    x = token.repeat(len(names), 1)  # [Q-1, C]
    for layer in transformer.layers:
        x = layer.norm1(x + attend(x + names, x + names, x, layer.self_attention)[0])
        x = feed_forward(x, layer.feed_forward)
    return torch.cat([transformer.norm(x), token[None]])


print(f"mean cosine of two rows: {likeness(object_queries_1(token, positions, transformer)[:-1]):.2f}")

# %% [markdown]
# So they stay alike. In the second they look at the picture as well. `grown` compares the two sources: a line after +
# is new, one after - is gone. New are the features and their places, and one line in the loop that looks at them.

# %%
def object_queries(token, positions, mask_features, transformer):
    """[C], [Q, C], [C, h, w] -> [Q, C]"""
    features = transformer.feature_projection(mask_features[None])[0].flatten(1).T  # [S, C]
    places = sine(*mask_features.shape[-2:], len(token)).flatten(1).T  # [S, C]
    names = positions[:-1]
    x = token.repeat(len(names), 1)  # [Q-1, C]
    for layer in transformer.layers:
        x = layer.norm1(x + attend(x + names, x + names, x, layer.self_attention)[0])
        x = layer.norm2(x + attend(x + names, features + places, places, layer.cross_attention)[0])
        x = feed_forward(x, layer.feed_forward)
    return torch.cat([transformer.norm(x), token[None]])


grown(object_queries_1, object_queries)

# %% [markdown]
# The package's part is `QueryTransformer`. Once with Toytown's weights, once with two random layers, as the
# published models have:

# %%
from oneformer_lite.model.parts.query import QueryTransformer

mask_features = trace["pixel_decoder.mask_features"]
torch.manual_seed(0)
two = QueryTransformer(C, heads=8, layers=2, ffn=256, dropout=0.1, values="positions").eval()
trained, fresh = (object_queries(token, positions, mask_features[0], of) for of in (transformer, two))
(proved("the shipped model's queries", trained, trace["query.object_queries"][0], atol=1e-4)
 + proved("two fresh layers", fresh, two(token[None], positions, mask_features)[0], atol=1e-4))  # fmt: skip

# %% [markdown]
# Is the package equal to the published model? `tests/model/parts/test_query.py` gives its weights to the query
# transformer of `transformers` and finds the same queries to 12 digits;
# `tests/weights/test_against_transformers.py` does so for whole models.
#
# ## Three tasks
#
# Another task, another token, other queries from the same picture:

# %%
tasks = ("panoptic", "instance", "semantic")
tokens = {task: model.task_token([task])[0] for task in tasks}
queries = {task: object_queries(tokens[task], positions, mask_features[0], transformer) for task in tasks}
for a, b in (("panoptic", "instance"), ("panoptic", "semantic"), ("instance", "semantic")):
    cosine = F.cosine_similarity(queries[a], queries[b])[:-1].mean()
    print(f"{a:<8} and {b}: cosine of tokens {tokens[a] @ tokens[b] / tokens[a].norm() / tokens[b].norm():.1f},",
          f"of queries {cosine:.1f}")  # fmt: skip

# %% [markdown]
# Do all queries move alike? Ask each one, still before the decoder, what it sees in the panoptic case, and how
# far the other two tokens move it.

# %%
logits = trace["prediction0.class_logits"][0]  # [Q, K+1]: class head straight on the object queries
is_thing = torch.tensor(model.config.is_thing)
score, label = logits.softmax(-1)[:, :-1].max(-1)
kind = torch.where(score < 0.5, 2, (~is_thing[label]).long())  # 0 thing, 1 stuff, 2 nothing
moved = {task: F.cosine_similarity(queries["panoptic"], queries[task]) for task in tasks}
for number, name in enumerate(("things", "stuff", "nothing")):
    chosen = kind == number
    near = [moved[task][chosen].mean() for task in ("instance", "semantic")]
    print(f"{int(chosen.sum()):>2} see {name:<7}: cosine with instance {near[0]:.1f}, with semantic {near[1]:.1f}")

# %% [markdown]
# Each query as a point:

# %%
figure, axes = plt.subplots(figsize=(6.5, 4.2), layout="constrained")
for number, (name, color) in enumerate((("things", "#d55e00"), ("stuff", "#0072b2"), ("nothing", "#b8bec8"))):
    chosen = kind == number
    axes.scatter(moved["instance"][chosen], moved["semantic"][chosen], color=color, label=name, s=40)
axes.annotate("the token itself", (moved["instance"][-1], moved["semantic"][-1]), (8, -3), textcoords="offset points")
axes.set(xlabel="cosine: panoptic and instance query", ylabel="cosine: panoptic and semantic query")
axes.legend(title="sees under panoptic", loc="lower left")
ofl.render.described(figure, "A point for each query: its likeness under instance across, under semantic upwards. "
                             "Things lie at the right, most stuff at the upper left, the token itself alone at the "
                             "lower left.")

# %% [markdown]
# The instance token moves the queries of stuff, because stuff is not wanted. The semantic token leaves those and moves
# the queries of things: their masks must merge. (It moves those that find nothing, grey, as well.)
#
# What makes a query what it is: its own position, the task, or the picture? Take eight pictures and split the
# variance of their queries into groups.

# %%
pictures = [model.encode(ofl.data.normalise(scenes[SCENE + i].image)[None])[0][0] for i in range(8)]
every = torch.stack([
    torch.stack([object_queries(token, positions, features, transformer)[:-1] for token in tokens.values()])
    for features in pictures
])  # [pictures, tasks, Q-1, C]  # fmt: skip
centred = every - every.mean((0, 1, 2))
for name, others in (("query", (0, 1)), ("task", (0, 2)), ("picture", (1, 2))):
    share = centred.mean(others).square().sum(-1).mean() / centred.square().sum(-1).mean()
    print(f"{name:<8} {100 * share:.0f} %")

# %% [markdown]
# Nearly half is the query's own: each starts the decoder with the same job in every picture. Task alone and picture
# alone have a share each. The rest is both together: each query answers to task and picture in its own way.
#
# ## Look into it
#
# Layer 0 of the `QueryInspector` is what these queries say before the decoder: masks and classes straight from
# the object queries. Look at query 12, the road.

# %%
from oneformer_lite.widgets import QueryInspector

inspector = QueryInspector(model, scenes[SCENE])
inspector.set(layer=0, query=12)

# %% [markdown]
# The strip at the bottom is its life in the decoder (below each mask, where it looks: lesson 10). The decoder may
# give a query another job: this one ends as the dog. The same query, still before the decoder, under the three tasks;
# under *instance* it has nothing to say.

# %%
for task in tasks:
    print(inspector.set(task=task))

# %% [markdown]
# What lies between two tokens, `TaskInspector` shows: it gives blends of them to the query transformer (lesson 04).
#
# ## What is simplified here, and where the official code differs
#
# * **Size.** Toytown has 1 layer and 32 queries, the published models 2 and 150 or 250; dropout 0.1 in training.
# * **Values.** The paper describes queries that read the picture. The official
#   `oneformer_transformer_decoder.py` hands picture and positions to `transformer.py` in swapped order: keys
#   are their sum either way, but the values carry positions alone. All released weights were trained so, and so
#   is ours; `query_values="positions+features"` gives the other.
# * **Cost.** S grows with the picture; these two layers are what OneFormer pays on top of Mask2Former.
# * **Attention.** The official code uses `nn.MultiheadAttention`; ours computes weights only for a trace.

# %% [markdown]
# ## Break it
#
# **Without positions.** Set the whole table to zero, run the rest of the model, and count what the queries
# find with a probability above one half.

# %%
def run(token, positions):
    """-> object queries [Q, C], mask logits [Q, h, w], and how many things and stuff are found"""
    features, maps = model.encode(image)
    x = model.query_transformer(token[None], positions, features)
    prediction = model.decoder(x, positions, maps, features, all_predictions=False)[-1]
    score, label = prediction.class_logits[0].softmax(-1)[:, :-1].max(-1)
    thing = is_thing[label[score > 0.5]]
    return x[0], prediction.mask_logits[0], (int(thing.sum()), int((~thing).sum()))


healthy = run(tokens["panoptic"], positions)
broken = run(tokens["panoptic"], torch.zeros_like(positions))
for name, (x, _, (things, stuff)) in (("with positions", healthy), ("without", broken)):
    print(f"{name:<15} mean cosine {likeness(x[:-1]):.2f}, {things} things, {stuff} stuff")

# %% [markdown]
# The masks of eight queries, the last of them the token, with positions above and without below. Below, the
# queries are not alike, they are *equal*: one mask, 31 times.

# %%
figure, all_axes = plt.subplots(2, 8, figsize=(10.5, 2.9), layout="constrained")
for row, (_, masks, _) in zip(all_axes, (healthy, broken)):
    for axes, query in zip(row, (0, 19, 27, 28, 21, 15, 2, Q - 1)):
        axes.imshow(masks[query].sigmoid(), cmap="gray", vmin=0, vmax=1)
        axes.set(title=f"query {query}" if query < Q - 1 else "the token", xticks=(), yticks=())
ofl.render.described(figure, "Eight masks. With positions each shows another part; without, all show the same specks.")

# %% [markdown]
# The largest difference between two of the 31 masks says the same:

# %%
for name, (_, masks, _) in (("with positions", healthy), ("without", broken)):
    difference = (masks[:-1] - masks[0]).abs().max()
    print(f"{name:<15}", "different" if difference > 0.01 else "all equal")

# %% [markdown]
# **Without a task token.** Give the mean of the three tokens instead, whatever is asked. The model still
# segments, but it cannot be told what to segment: one answer for three questions.

# %%
mean = torch.stack(list(tokens.values())).mean(0)
for task in tasks:
    asked, deaf = run(tokens[task], positions)[2], run(mean, positions)[2]
    print(f"{task:<9} {asked[0]:>2} things, {asked[1]} stuff   without its token: {deaf[0]} things, {deaf[1]} stuff")

# %% [markdown]
# The first column is that of lesson 00. In the paper (Cityscapes, Swin-L) a model trained without task token
# falls from 67.2 to 66.5 PQ and from 45.6 to 43.3 AP.

# %% [markdown]
# ## In the package
#
# * `model.parts.query.QueryLayer`: self-attention, cross-attention, feed-forward
# * `model.parts.query.QueryTransformer`: copies of the token to object queries
# * `model.parts.layers.sine_positions`: the address of every place
# * `model.parts.layers.FeedForward`: the network after attention

# %% [markdown]
# ## Summary
#
# * Q - 1 copies of the task token look at the picture and become queries; the token joins them as the last.
# * Only the query positions tell the copies apart, and first in the cross-attention, not in the self-attention.
# * The token moves all queries: the same picture gives other queries for another task.
#
# **Ask yourself**
#
# <details><summary>Why can self-attention not tell the copies apart in the first layer?</summary>
# Its values are the copies themselves, without positions. Any weighted mean of equal vectors is that
# vector.</details>
#
# <details><summary>The values carry no features. How can the picture change a query at all?</summary>
# Through the weights: the keys carry features, so the picture decides which places are averaged.</details>
#
# <details><summary>Why are positions added to queries and keys in every layer and not once at the
# beginning?</summary>
# So that they steer who looks where and stay out of what is passed on; and so that no layer can forget
# them.</details>
#
# <details><summary>What would happen with Q = 1?</summary>
# No copy is left; the token is the only query. The package allows it.</details>
#
# <details><summary>Could one start from zeros instead of the token?</summary> The positions would still tell the
# queries apart, but only the last query would know the task. The paper tries it: 65.8 PQ instead of 67.2 on
# Cityscapes.</details>
