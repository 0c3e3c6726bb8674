# %% [markdown]
# # 10 · The masked-attention decoder
#
# Lesson 06 left us with 32 queries. They know the task, and have seen the picture once, as a whole.
#
# **How does a query come to know its object?**
#
# By looking, six times, each time a little closer: it draws a mask, then looks at the picture *only inside its
# own mask*, talks to the other queries, and draws again. That is *masked attention*, taken over from
# Mask2Former (CVPR 2022).
#
# *Instead of* (in the sixty lines of lesson 00b): `x = layer(x, pixels)` and the two heads (lines D and E).
#
# *Goals:* build masked attention and the decoder around it. *Before:* lesson 00b for attention, lesson 06.
# *Minutes:* 60. *Words and letters:* [glossary](GLOSSARY.md).
#
# Where we are, in the map of the whole model:

# %% tags=["nbval-ignore-output"]
import oneformer_lite as ofl

ofl.drawings.model_map(ofl.from_pretrained("toytown"), ofl.data.Toytown("val", size=128)[13], "10")

# %% [markdown]
# ## A picture to work with
#
# Scene 13 at the size the shipped model was trained for. The *trace* holds every intermediate result.

# %%
import torch
import torch.nn.functional as F
from torch import nn
import oneformer_lite as ofl
from oneformer_lite.lessons import grown, proved

sample = ofl.data.Toytown("val", size=128)[13]
model = ofl.from_pretrained("toytown")
image = ofl.data.normalise(sample.image)[None]  # [B, 3, H, W]
with torch.no_grad():
    output = model(image, "panoptic", trace=True)
trace = output.trace

# %% [markdown]
# We follow three queries: those that end up surest of a sign, a ball and a car.

# %%
c = model.config
surest = output.class_logits[0].softmax(-1)  # [Q, K+1]
chosen = {name: int(surest[:, c.class_names.index(name)].argmax()) for name in ("sign", "ball", "car")}
for name, q in chosen.items():
    print(f"query {q:>2}: {name}, probability {surest[q, c.class_names.index(name)]:.1f}")

# %% [markdown]
# Their masks before the first layer and after each of the six. In colour: inside.

# %%
from PIL import Image
from oneformer_lite.inspectors.queries.pictures import mask_over

colors = ofl.render.label_colors(c.categories)


def painted(mask_logits, name):
    """[h, w] -> the picture, bright where the mask is."""
    large = F.interpolate(mask_logits[None, None], size=(128, 128), mode="bilinear")[0, 0]
    return mask_over(sample.image, large.numpy(), colors[c.class_names.index(name)])


rows = [[painted(trace[f"prediction{i}.mask_logits"][0, q], name) for i in range(7)] for name, q in chosen.items()]
picture = ofl.render.contact_sheet(rows, ["before", *(f"layer {i}" for i in range(1, 7))], list(chosen))
ofl.render.described(picture, "Three rows of seven masks over the scene. The sign's is small and right from the first "
                              "layer on, the ball's from the third; the car's lies on a person first, on the car at last.")

# %% [markdown]
# Three histories. The sign is found by the first layer, the ball by the third. The car's query searches longer: it
# covers a person for a while, leaves it, and takes the car in the fifth.
#
# Now we build what happens between two columns.

# %% [markdown]
# ## What goes in
#
# * `queries` from lesson 06, and a learned *position* for each;
# * three `maps` of the pixel decoder (lesson 03), at strides 32, 16 and 8;
# * `mask_features` at stride 4: one vector for every fourth pixel.

# %%
queries = trace["query.object_queries"]  # [B, Q, C]
positions = model.query_positions.weight.detach()  # [Q, C]
maps = [trace[f"pixel_decoder.stride{stride}"] for stride in (32, 16, 8)]
mask_features = trace["pixel_decoder.mask_features"]  # [B, C, h, w]
for name, tensor in (("queries", queries), *zip(("1/32", "1/16", "1/8"), maps), ("1/4", mask_features)):
    print(f"{name:<8}", list(tensor.shape))

# %% [markdown]
# ## From a query to a mask
#
# A query becomes a mask by a **dot product**: its *mask embedding* (a small MLP of the normed query, three
# layers) times the feature vector of each pixel. Large means: this pixel is mine.
#
# Slowly, one query and one pixel at a time:

# %%
def masks_slowly(embeddings, features):
    """[Q, C], [C, h, w] -> [Q, h, w]"""
    masks = torch.zeros(len(embeddings), *features.shape[1:])
    for q, embedding in enumerate(embeddings):
        for row in range(features.shape[1]):
            for column in range(features.shape[2]):
                masks[q, row, column] = embedding @ features[:, row, column]
    return masks


# %% [markdown]
# `einsum` says the same in one line: for each b, q, h, w sum over the channels c.

# %%
with torch.no_grad():
    embeddings = model.decoder.mask_head(model.decoder.norm(queries))  # [B, Q, C]
    masks = torch.einsum("bqc,bchw->bqhw", embeddings, mask_features)  # [B, Q, h, w]
    slow = masks_slowly(embeddings[0], mask_features[0])
proved("loop = einsum", slow, masks[0], atol=1e-4) + proved(
    "einsum = package", masks, trace["prediction0.mask_logits"], atol=1e-4
)

# %% [markdown]
# ## Where a query may look
#
# A cell belongs to the query's region if its mask logit is at least 0, that is a probability of at least ½. The
# masks are at stride 4, the map that is read next at 32, 16 or 8. So masks are resized first:

# %%
def region_without_rescue(mask_logits, size):
    """[B, Q, h, w] -> bool [B, Q, S], S cells of a map of this size."""
    small = F.interpolate(mask_logits.detach(), size=size, mode="bilinear", align_corners=False)
    return small.flatten(2).sigmoid() >= 0.5


first = region_without_rescue(masks, maps[0].shape[-2:])
print("cells of the 4 x 4 map that each query may look at:")
print(first[0].sum(-1).view(2, 16))

# %% [markdown]
# `detach`: a threshold has no useful gradient, and the region is only where one looks. What is seen there has
# one.
#
# Some queries have an **empty** region: their mask is nowhere above ½, or too small for a coarse map. They would
# have to choose from nothing. A softmax over nothing is 0 / 0:

# %%
nothing = torch.tensor([float("-inf"), float("-inf")])  # every place is forbidden
print(nothing.softmax(0))

# %% [markdown]
# **The rescue**: a query that may look nowhere may look everywhere. One line; what happens without it is seen under
# *Break it*.

# %%
def attention_region(mask_logits, size):
    """[B, Q, h, w] -> bool [B, Q, S], never empty."""
    region = region_without_rescue(mask_logits, size)
    return region | ~region.any(-1, keepdim=True)


rescued = attention_region(masks, maps[0].shape[-2:])
print("after the rescue:")
print(rescued[0].sum(-1).view(2, 16))

# %% [markdown]
# The package's function starts from masks that are resized already. On a case by hand: the first query has two
# cells (0 counts: "at least ½"), the second none, so it gets all three.

# %%
from oneformer_lite.model.parts import masked_decoder as package

by_hand = torch.tensor([[[-1.0, 0.0, 2.0], [-1.0, -2.0, -0.1]]])  # [B, Q, S]
print(package.attention_region(by_hand)[0].tolist())
small = F.interpolate(masks, size=maps[0].shape[-2:], mode="bilinear").flatten(2)
proved("ours = package", rescued, package.attention_region(small))

# %% [markdown]
# ## Resize the features, not the masks
#
# A model for COCO has 150 queries and masks of 256 x 256. To resize all of them before each layer is a waste:
# they are needed at the size of the map alone.
#
# Resizing is **linear** (each new cell is a weighted sum of old ones), and so is the dot product. Their order
# does not matter:
#
# $$ \mathrm{resize}(e \cdot F) = e \cdot \mathrm{resize}(F) $$

# %%
size = maps[1].shape[-2:]
masks_resized = F.interpolate(masks, size=size, mode="bilinear")
features_resized = F.interpolate(mask_features, size=size, mode="bilinear")
from_small = torch.einsum("bqc,bchw->bqhw", embeddings, features_resized)
proved("the same", masks_resized, from_small, atol=1e-4)

# %% [markdown]
# What it saves at COCO's training size, 1024 x 1024, over the nine layers there (dot products of one query):

# %%
full = 9 * 256 * 256
small_sizes = 3 * (32 * 32 + 64 * 64 + 128 * 128)
print(f"{full:,} or {small_sizes:,}: {full / small_sizes:.1f} times fewer")

# %% [markdown]
# ## To look: cross-attention
#
# A query asks, every cell of the map answers. Cells have a *key* (how well do I fit the question?) and a *value*
# (what do I have to say?). Of one head:
#
# $$ \mathrm{softmax}\!\left(\frac{q k^\top}{\sqrt d}\right) v $$
#
# Masked, slowly: for each query, forget the cells that it may not look at.

# %%
import math


def attend_slowly(q, k, v, allowed):
    """[Q, d], [S, d], [S, d], bool [Q, S] -> [Q, d]"""
    rows = []
    for query, may in zip(q, allowed):
        weights = (k[may] @ query / math.sqrt(len(query))).softmax(0)  # one per allowed cell, sum 1
        rows.append(weights @ v[may])
    return torch.stack(rows)


# %% [markdown]
# Fast: score all cells, then set the forbidden ones to minus infinity. Their exponential is 0.

# %%
def attend(q, k, v, allowed=None):
    """[..., Q, d], [..., S, d], [..., S, d] -> mixed values [..., Q, d] and weights [..., Q, S]"""
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    if allowed is not None:
        scores = scores.masked_fill(~allowed, float("-inf"))
    weights = scores.softmax(-1)
    return weights @ v, weights


# %% [markdown]
# On random numbers, with the region of above:

# %%
torch.manual_seed(0)
q, k, v = torch.randn(32, 12), torch.randn(16, 12), torch.randn(16, 12)
proved("loop = matrix", attend_slowly(q, k, v, rescued[0]), attend(q, k, v, rescued[0])[0], atol=1e-5)

# %% [markdown]
# Eight heads do this side by side, each on its own 12 of the 96 channels. The region is the same for all.

# %%
class Attention(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(dim, dim) for _ in range(4))

    def forward(self, query, key, value, allowed=None):
        q, k, v = (
            x.unflatten(-1, (self.heads, -1)).transpose(1, 2)  # [B, M, Q or S, d]
            for x in (self.q_proj(query), self.k_proj(key), self.v_proj(value))
        )
        mixed, weights = attend(q, k, v, None if allowed is None else allowed[:, None])
        return self.out_proj(mixed.transpose(1, 2).flatten(2)), weights  # [B, Q, C], [B, M, Q, S]


# %% [markdown]
# Keys and values of a map: the features, plus a learned vector that says which level this is. Keys also carry
# the sine positions of lesson 03, so that a query can ask for a place.

# %%
from oneformer_lite.model.parts.layers import sine_positions


def keys_and_values(features, level_vector):
    """[B, C, h, w], [C] -> keys and values [B, S, C]"""
    values = features.flatten(2).transpose(1, 2) + level_vector
    where = sine_positions(*features.shape[-2:], features.shape[1])  # [C, h, w]
    return values + where.flatten(1).T, values


# %% [markdown]
# Against the package, with the weights of the first layer:

# %%
theirs = model.decoder.layers[0].cross_attention
ours = Attention(c.hidden_dim, c.num_heads)
ours.load_state_dict(theirs.state_dict())
with torch.no_grad():
    keys, values = keys_and_values(maps[0], model.decoder.level_embed.weight[0])
    a, weights = ours(queries + positions, keys, values, rescued)
    b, _ = theirs(queries + positions, keys, values, rescued)
proved("ours = package", a, b, atol=1e-4)

# %% [markdown]
# The trace recorded the weights of all heads:

# %%
recorded = trace["decoder.layer0.attention"].flatten(-2)
proved("weights = those in the trace", weights, recorded, atol=1e-5)

# %% [markdown]
# ## A layer: look, talk, think
#
# * **look**: masked cross-attention, from the queries to the map;
# * **talk**: self-attention among the queries, so that two do not claim one car;
# * **think**: a small network (FFN) on each query alone.
#
# After each, the result is added to what was there and normalised (*post-norm*): less the mean, divided by the
# deviation. With four channels, by hand and by PyTorch:

# %%
x, update = torch.tensor([2.0, 1, 0, 3]), torch.tensor([-1.0, 2, 1, 0])
print("sum", (x + update).tolist(), " normed", F.layer_norm(x + update, (4,)).numpy().round(2).tolist())
ofl.drawings.residual_and_norm(x, update)

# %% [markdown]
# What was there goes round the layer (the arrow at the right): a *residual connection*. If the update is 0, only the norm
# is applied. The query positions are added to every question and key, never to a value.

# %%
class FeedForward(nn.Module):
    def __init__(self, dim, ffn):
        super().__init__()
        self.linear1, self.linear2 = nn.Linear(dim, ffn), nn.Linear(ffn, dim)
        self.norm = nn.LayerNorm(dim)

    def forward(self, x):
        return self.norm(x + self.linear2(F.relu(self.linear1(x))))


# %% [markdown]
# The layer in two versions. The first is that of lesson 00b, in the parts of this lesson: a query looks everywhere, and
# nothing tells queries of equal content apart.

# %%
class DecoderLayer1(nn.Module):
    def __init__(self, dim, heads, ffn):
        super().__init__()
        self.cross_attention, self.self_attention = Attention(dim, heads), Attention(dim, heads)
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.feed_forward = FeedForward(dim, ffn)

    def forward(self, x, keys, values):
        update, weights = self.cross_attention(x, keys, values)  # look
        x = self.norm1(x + update)
        x = self.norm2(x + self.self_attention(x, x, x)[0])  # talk
        return self.feed_forward(x), weights  # think


# %% [markdown]
# The second asks with positions, and only inside the own region. `grown` compares the two sources: a line after + is
# new, one after - is gone.

# %%
class DecoderLayer(nn.Module):
    def __init__(self, dim, heads, ffn):
        super().__init__()
        self.cross_attention, self.self_attention = Attention(dim, heads), Attention(dim, heads)
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.feed_forward = FeedForward(dim, ffn)

    def forward(self, x, positions, keys, values, allowed):
        update, weights = self.cross_attention(x + positions, keys, values, allowed)  # look
        x = self.norm1(x + update)
        y = x + positions
        x = self.norm2(x + self.self_attention(y, y, x)[0])  # talk
        return self.feed_forward(x), weights  # think


grown(DecoderLayer1, DecoderLayer)

# %% [markdown]
# With the weights of the package's first layer:

# %%
theirs = model.decoder.layers[0]
ours = DecoderLayer(c.hidden_dim, c.num_heads, c.decoder_ffn)
ours.load_state_dict(theirs.state_dict())
with torch.no_grad():
    a, _ = ours(queries, positions, keys, values, rescued)
    b, _ = theirs(queries, positions, keys, values, rescued, need_weights=False)
proved("layer = package", a, b, atol=1e-4)

# %% [markdown]
# ## The decoder: round and round
#
# The layers read the maps **in turn**: 1/32, 1/16, 1/8, and again. First the coarse map, where an object is a
# cell or two and found quickly; last the fine one, for the outline. To read all three at once would cost the
# sum of them in each layer.
#
# Before the first layer and after each, the queries are read: class by one linear layer, mask by the dot product.
# `MLP` is that of lesson 04.

# %%
from oneformer_lite.model.parts.layers import MLP


class MaskedDecoder(nn.Module):
    def __init__(self, dim, heads, layers, ffn, num_classes):
        super().__init__()
        self.layers = nn.ModuleList(DecoderLayer(dim, heads, ffn) for _ in range(layers))
        self.level_embed, self.norm = nn.Embedding(3, dim), nn.LayerNorm(dim)
        self.class_head, self.mask_head = nn.Linear(dim, num_classes + 1), MLP(dim, dim, dim, num_layers=3)

    def predict(self, x, mask_features):
        normed = self.norm(x)
        masks = torch.einsum("bqc,bchw->bqhw", self.mask_head(normed), mask_features)
        return self.class_head(normed), masks  # [B, Q, K+1], [B, Q, h, w]

    def forward(self, x, positions, maps, mask_features):
        predictions = [self.predict(x, mask_features)]
        for i, layer in enumerate(self.layers):
            features, level_vector = maps[i % 3], self.level_embed.weight[i % 3]
            allowed = attention_region(predictions[-1][1], features.shape[-2:])
            x, _ = layer(x, positions, *keys_and_values(features, level_vector), allowed)
            predictions.append(self.predict(x, mask_features))
        return predictions


# %% [markdown]
# All weights of the package's decoder fit, name by name. All seven predictions are the same (0: before the first
# layer):

# %%
ours = MaskedDecoder(c.hidden_dim, c.num_heads, c.decoder_layers, c.decoder_ffn, c.num_classes)
ours.load_state_dict(model.decoder.state_dict())
with torch.no_grad():
    predictions = ours(queries, positions, maps, mask_features)
proofs = []
for place, name in enumerate(("class", "mask")):
    theirs = [trace[f"prediction{i}.{name}_logits"] for i in range(len(predictions))]
    proofs.append(proved(f"{name} logits of all predictions", [p[place] for p in predictions], theirs, atol=1e-3))
sum(proofs[1:], proofs[0])

# %% [markdown]
# Where the three looked, layer by layer. Orange: attention (mean of the heads). White line: the region; without a
# line, everywhere. The size of the cells is that of the map.

# %%
from oneformer_lite.inspectors.queries.pictures import attention_over


def looks(trace, name):
    pictures = []
    for i in range(6):
        weights, region = (trace[f"decoder.layer{i}.{part}"][0] for part in ("attention", "attention_region"))
        weights, region = weights.mean(0)[chosen[name]], region[chosen[name]]
        pictures.append(attention_over(sample.image, weights.numpy(), region.numpy(), region.shape))
    return pictures


strides = [f"layer {i + 1}: 1/{s}" for i, s in enumerate((32, 16, 8) * 2)]
picture = ofl.render.contact_sheet([looks(trace, name) for name in chosen], strides, list(chosen))
ofl.render.described(picture, "Where three queries looked in six layers. Most panels have no white line: the query looks "
                              "everywhere. Where there is one, orange lies inside it alone.")

# %% [markdown]
# How often is the rescue needed? Count the queries that may look everywhere:

# %%
for i in range(6):
    region = trace[f"decoder.layer{i}.attention_region"][0].flatten(1)
    print(f"layer {i + 1}, {region.shape[1]:>3} cells: {int(region.all(1).sum()):>2} of 32 queries see everything")

# %% [markdown]
# Not a rare accident. Small things have no cell of a coarse map to themselves, and queries without an object have
# none at all: the rescue is how both go on looking.

# %% [markdown]
# `tests/model/parts/test_masked_decoder.py` proves the package's layer equal to PyTorch's own attention modules, and its
# shortcut equal to resizing full masks. `tests/weights/test_against_transformers.py` proves whole models equal to
# transformers' OneFormer, after every layer.

# %% [markdown]
# ## The inspector
#
# `QueryInspector` shows the life of every query: its mask, its classes, where it looked, and what became of it.
# It runs the picture at the inference size, 160 pixels.

# %%
from oneformer_lite.widgets import QueryInspector

inspector = QueryInspector(model, sample).set(query=chosen["car"])
inspector

# %% [markdown]
# Drive it from code: the same query after the second layer.

# %%
print(inspector.set(layer=2))

# %% [markdown]
# The car was without a query until layer 5, then? No: another query had it. Who answers for it after each layer
# (the matcher of lesson 08), and how well does that mask fit, as IoU (what both share, divided by what either has)?

# %%
reading = inspector.reading("panoptic")
holders = {}
for g, class_id in enumerate(reading.truth.class_ids):
    holders.setdefault(c.class_names[class_id], reading.truth.matched == g)  # bool [L+1, Q]

# %% [markdown]
# From before the first layer to after the last:

# %%
for name in ("sign", "ball", "car", "sky"):
    g = [c.class_names[i] for i in reading.truth.class_ids].index(name)
    iou = reading.truth.iou[holders[name], g]
    least = math.floor(10 * iou.min()) / 10
    print(f"{name:<5} held by queries {holders[name].argmax(1).tolist()}, IoU at least {least}")

# %% [markdown]
# An object moves from query to query. Targets are matched again for every prediction, so nothing asks a query to keep what
# it has; only that, after each layer, *somebody* has it.

# %% [markdown]
# ## What is simplified here, and where the official code differs
#
# * Nothing in the computation. The presets for COCO have nine layers, three rounds; the toy model has six.
# * The official decoder (`oneformer/modeling/transformer_decoder/oneformer_transformer_decoder.py`) makes full
#   masks before every layer and resizes those. The package resizes the features: proved equal above.
# * There, the region is copied for every head and turned around (True = forbidden). The package keeps one, True =
#   allowed.
# * The LayerNorm before the heads is shared with the task token (lesson 04), here and there.
# * In inference without `trace` the package makes no full-size masks but the last, and PyTorch's fused attention
#   does the softmax.

# %% [markdown]
# ## Break it
#
# **Without the rescue.** We put a function without it in the package's place:

# %%
from unittest.mock import patch

with patch.object(package, "attention_region", lambda mask_logits: mask_logits >= 0), torch.no_grad():
    blind = model(image, "panoptic", trace=True).trace
    fused = model(image, "panoptic")

# %% [markdown]
# How many queries are no longer numbers?

# %%
for i in range(3):
    lost = blind[f"decoder.layer{i}.queries"][0].isnan().any(-1).sum()
    print(f"after layer {i + 1}: {int(lost)} of 32 queries are NaN")

# %% [markdown]
# One blind query would be bad luck. But all queries talk to each other in the same layer, and whatever is
# computed with a NaN is a NaN: the model is lost after one layer.
#
# That was the softmax as written above, which runs when weights are traced. PyTorch's fused attention, which runs
# otherwise, has a rule of its own for a row without a cell: in recent versions the result is 0, in older ones NaN.

# %%
print(f"fused: {int(fused.class_logits[0].isnan().any(-1).sum())} of 32 queries are NaN")

# %% [markdown]
# No NaN, no error, and yet those queries saw nothing of the picture in that layer. Do not rely on it.

# %% [markdown]
# **Without masking.** Every query may look everywhere, in all layers. What does the car's query look at now? In four
# of six layers it did so anyway, by the rescue. The last shows the difference.

# %%
def everywhere(mask_logits):
    return torch.ones_like(mask_logits, dtype=torch.bool)


# %% [markdown]
# In the place of the package's rule:

# %%
with patch.object(package, "attention_region", everywhere), torch.no_grad():
    unmasked = model(image, "panoptic", trace=True).trace
picture = ofl.render.contact_sheet([looks(t, "car") for t in (trace, unmasked)], strides, ["masked", "not"])
ofl.render.described(picture, "The car's query in six layers, masked above, not below. They differ in the last: orange on "
                              "the car alone above, scattered over the scene below.")

# %% [markdown]
# The share of a query's attention in the last layer that falls inside its own final mask:

# %%
def share_inside(trace, name, layer):
    """Share of a query's attention on cells of its final mask."""
    weights = trace[f"decoder.layer{layer}.attention"][0].mean(0)[chosen[name]]  # [h, w]
    own = F.interpolate(output.mask_logits, size=weights.shape, mode="bilinear")[0, chosen[name]] >= 0
    return float(weights[own].sum())


for name in ("ball", "car"):  # the sign is too small for a cell of its own
    shares = [100 * share_inside(t, name, layer=5) for t in (trace, unmasked)]
    print(f"{name:<7} {shares[0]:.0f} % masked, {shares[1]:.0f} % not")

# %% [markdown]
# **The levels in the wrong order**: fine first, coarse last, with the same weights. **Too early**: read the queries
# before the first layer, as if there were none. What each costs in PQ (lesson 12), on 24 held-out scenes, to the
# nearest 5 points:

# %%
def quality():
    few = ofl.data.Toytown("val", size=128, length=24)
    return ofl.evaluate(model, few, tasks="panoptic")["PQ"]


forward = model.decoder.forward
versions = {
    "levels reversed": lambda x, where, maps, *rest, **named: forward(x, where, maps[::-1], *rest, **named),
    "no layer at all": lambda *given, **named: forward(*given, **(named | {"all_predictions": True}))[:1],
}
trained, lower = quality(), {}
with patch.object(package, "attention_region", everywhere):
    lower["no masking"] = trained - quality()
for name, broken in versions.items():
    with patch.object(model.decoder, "forward", broken):
        lower[name] = trained - quality()
for name, points in lower.items():
    print(f"{name:<16} {5 * round(points / 5):>3} points of PQ lower")

# %% [markdown]
# A model that was trained *with* masks depends on them. And a surprise: in this town six layers bring little. The
# first prediction, made from queries that lesson 06 already built with the picture in view, finds most, and in most
# panels above a query looks everywhere. One car, one ball and one sign are easily told apart.

# %% [markdown]
# ## In a crowd
#
# The *crowded* Toytown has some thirty things a scene. They stand in groups, touch, hide each other and look alike. A
# second checkpoint was trained there, with 64 queries, at 256 pixels. (Dark in its prediction: no query is sure enough.)

# %%
crowded_model = ofl.from_pretrained("toytown_crowded")
crowded_town = ofl.data.Toytown("val", size=256, length=12, crowded=True)
street = crowded_town[0]
found = ofl.predict(crowded_model, street.image, "panoptic")
sheet = [[ofl.render.enlarge(street.image, 2), ofl.render.render_truth(street), found.render()]]
picture = ofl.render.contact_sheet(sheet, ["picture", "truth", "prediction"])
ofl.render.described(picture, "A rainy street with a row of people in equal coats under umbrellas, three buses and four "
                              "signs behind. The prediction has the buses and some of the people; others are dark.")

# %% [markdown]
# The same model on the same picture, with its masks and without:


# %%
def looked(model, sample, masked):
    """The trace of a prediction, with the regions of masked attention or without."""
    rule = package.attention_region if masked else everywhere
    with patch.object(package, "attention_region", rule), torch.no_grad():
        return model(ofl.data.normalise(sample.image)[None], "panoptic", trace=True).trace


traces = {masked: looked(crowded_model, street, masked) for masked in (True, False)}

# %% [markdown]
# Which queries are sure of a thing, {query: class}, and where the final masks lie on the map that is read last, bool
# [Q, h, w]:


# %%
def things_of(model, trace):
    probability, classes = trace["prediction6.class_logits"][0].softmax(-1)[:, :-1].max(-1)
    sure = [q for q, k in enumerate(classes.tolist()) if probability[q] > 0.5 and model.config.is_thing[k]]
    size = trace["decoder.layer5.attention_region"].shape[-2:]
    inside = F.interpolate(trace["prediction6.mask_logits"], size=size, mode="bilinear")[0] >= 0
    return {q: model.config.class_names[classes[q]] for q in sure if inside[q].any()}, inside


# %% [markdown]
# The three largest persons:

# %%
things, inside = things_of(crowded_model, traces[True])
persons = [q for q in things if things[q] == "person"]
three = sorted(persons, key=lambda q: -inside[q].sum())[:3]
print("queries", three)

# %% [markdown]
# Where they looked last:

# %%
rows = []
for trace in traces.values():
    weights, regions = (trace[f"decoder.layer5.{part}"][0] for part in ("attention", "attention_region"))
    weights = weights.mean(0)
    rows.append([attention_over(street.image, weights[q].numpy(), regions[q].numpy(), regions[q].shape) for q in three])
picture = ofl.render.contact_sheet(rows, [f"person, query {q}" for q in three], ["masked", "not"])
ofl.render.described(picture, "The last look of three queries. Masked: each on one person, within a white line. Not "
                              "masked: one on another person, two on a parking sign far from their own.")

# %% [markdown]
# With masks, each query reads its own person (the white line is its region). Without, one reads another person and two
# read a parking sign. The persons look alike: nothing tells a query which of them is its own.
# How much of a look falls where?



# %%
def shares(model, sample, masked):
    """For each thing: the share of its query's last look on its own mask, and on the masks of other things."""
    trace = looked(model, sample, masked)
    things, inside = things_of(model, trace)
    weights = trace["decoder.layer5.attention"][0].mean(0)  # [Q, h, w]
    found = []
    for q in things:
        others = inside[[r for r in things if r != q]].any(0) & ~inside[q]
        found.append((float(weights[q][inside[q]].sum()), float(weights[q][others].sum())))
    return found


# %% [markdown]
# Over six scenes of each town:

# %% tags=["nbval-ignore-output"]
towns = {"Toytown": (model, ofl.data.Toytown("val", size=128, length=12)), "crowded": (crowded_model, crowded_town)}
for name, (of_town, scenes) in towns.items():
    for masked in (True, False):
        rows = torch.tensor([row for i in range(6) for row in shares(of_town, scenes[i], masked)])
        own, others = (100 * rows.mean(0)).tolist()
        print(f"{name:<8} {'masked' if masked else 'not':<7} {own:>3.0f} % on its own mask, {others:>3.0f} % on other things")

# %% [markdown]
# A query of the crowd that may look anywhere looks at other things more than at its own. What that costs, on twelve
# scenes:

# %% tags=["nbval-ignore-output"]
for name, (of_town, scenes) in towns.items():
    with_masks = ofl.evaluate(of_town, scenes, tasks="panoptic")
    with patch.object(package, "attention_region", everywhere):
        without = ofl.evaluate(of_town, scenes, tasks="panoptic")
    lower, gone = with_masks["PQ"] - without["PQ"], 100 - 100 * without["RQ_th"] / with_masks["RQ_th"]
    print(f"{name:<8} PQ {lower:>3.0f} points lower; of the things' recognition (RQ) {gone:.0f} % is gone")

# %% [markdown]
# Where things stand apart, a query without masks loses one in five; in the crowd, about every second.
#
# All this is *switched off after training*. What it is worth *to learn with masks* is another question: lesson 19 trains
# small models without, and sees no difference. On COCO, with fifty epochs, Mask2Former's paper (table 4) measured 5.9 points
# of AP and 4.8 of PQ less without.

# %% [markdown]
# ## In the package
#
# * `model.parts.masked_decoder.MaskedDecoder`, queries and maps to predictions, round and round
# * `model.parts.masked_decoder.DecoderLayer`, look, talk, think
# * `model.parts.masked_decoder.attention_region`, where each query may look, with the rescue
# * `model.parts.layers.Attention`, several heads side by side
# * `model.parts.layers.FeedForward`, the small network on each query

# %% [markdown]
# ## Summary
#
# * A mask is a dot product of a query's embedding with every pixel's feature vector.
# * A query looks only inside its last mask; if that is empty, everywhere. The maps come in turn, coarse to fine.
# * Resizing is linear: resize the features once per level, not every mask in every layer.
#
# **Ask yourself**
#
# <details><summary>Why is "at least ½" tested on the logit, as ≥ 0?</summary>
# The sigmoid always grows, and is ½ at 0. The comparison is the same and the sigmoid is saved.</details>
#
# <details><summary>Why does the rescue open the whole map and not just one cell?</summary>
# Which cell would it be? A query without a mask has no idea where its object is. Looking everywhere is plain
# cross-attention, by which it can find one.</details>
#
# <details><summary>Why are positions added to keys but not to values?</summary>
# They should influence the attention weights, not the values. A value that carries its position would mix places
# into what the query knows of the object. (Lesson 06's values are places alone: there a query learns where, not
# what.)</details>
#
# <details><summary>What would change if self-attention were left out?</summary>
# Each query would look alone, and two with similar beginnings would find the same object. Talking lets one of
# them give way.</details>
