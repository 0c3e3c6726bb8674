# %% [markdown]
# # 05 · The text mapper
#
# In training every picture brings a list of sentences: "a photo with a car", "a photo with a tree" and so on.
# The contrastive loss (lesson 07) compares them with the *object queries*, the vectors that each look for one segment
# (lesson 00; lesson 06 makes them). So the list must become vectors: as many as there are queries, and as long.
#
# **How does a list of sentences become Q vectors, and why does it cost almost nothing?**
#
# Letters: T texts, L tokens of a text (not the levels of lesson 03), C channels, M heads, Q queries, B pictures of a
# batch.
#
# *Instead of* (in the sixty lines of lesson 00b): none: the sixty lines know no texts. What is made here is used by
# the loss of lesson 07.
#
# *Goals:* build a causal text encoder; say why most texts need not be encoded. *Before:* lesson 00b for attention,
# lesson 04. *Minutes:* 50. *Words and letters:* [glossary](GLOSSARY.md).
#
# Where we are, in the map of the whole model:

# %% tags=["nbval-ignore-output"]
import oneformer_lite as ofl

ofl.drawings.model_map(ofl.from_pretrained("toytown"), ofl.data.Toytown("val", size=128)[13], "05")

# %% [markdown]
# ## The sentences of one picture
#
# Under the task "panoptic" each segment of the annotation gives one sentence, in the order of the classes
# (lesson 01).

# %%
import oneformer_lite as ofl
from PIL import Image
from oneformer_lite.lessons import proved

SCENE = 13
sample = ofl.data.Toytown("val", size=192)[SCENE]
sentences = ofl.data.targets_for(sample, "panoptic").texts
ofl.render.described(ofl.render.render_truth(sample), "The annotated scene, each segment in a colour with its name: "
                                                      "sky, building, three trees, sign, person, dog, ball, grass, "
                                                      "car, road, sidewalk.")

# %% [markdown]
# Three trees give the same sentence three times: the text says what is there, not where.

# %%
for number, sentence in enumerate(sentences):
    print(f"{number:>2}  {sentence}")

# %% [markdown]
# ## A list of fixed length
#
# Lists of different lengths cannot be stacked, so the list is filled up with a sentence that names the task.
# A few slots are left free; they come at the end of this lesson.

# %%
import torch
from collections import Counter

_ = torch.set_grad_enabled(False)  # this lesson looks, it does not train
model = ofl.from_pretrained("toytown")
T = model.config.num_queries - model.config.text_context  # slots for texts


def pad(texts, filling):
    return [*texts, *[filling] * (T - len(texts))][:T]


texts = pad(sentences, "a panoptic photo")
print(f"{model.config.num_queries} queries - {model.config.text_context} free slots = {T} texts")
print(Counter(texts).most_common(2))

# %% [markdown]
# The published models for COCO have 150 queries, 16 of them free: 134 texts. The package pads the same way (lesson 01):

# %%
from oneformer_lite.data.targets import pad_texts

proved("equal", texts, pad_texts(sentences, "panoptic", T))

# %% [markdown]
# ## Words to numbers
#
# The tokenizer of lesson 04 turns each text into 77 token ids: a start mark, the words, an end mark, zeros.

# %%
from oneformer_lite.model.parts.tokenizer import tokenize

ids = tokenize(texts)  # [T, 77]
print(list(ids.shape), "ids;", int((ids > 0).sum()), "of", ids.numel(), "are no padding")
print(texts[0], "->", ids[0, :9].tolist())

# %% [markdown]
# The whole list as a picture, one row for each text:

# %%
import matplotlib.pyplot as plt
from matplotlib.colors import ListedColormap
from matplotlib.patches import Patch

plt.rcParams.update({"figure.dpi": 100, "font.size": 10})
COLORS = {"padding": "#d9dde3", "start": "#0072b2", "word": "#56b4e9", "end": "#d55e00"}
kinds = 2 * (ids > 0).int() - (ids == 49406).int() + (ids == 49407).int()
figure, axes = plt.subplots(figsize=(8.5, 3.2), layout="constrained")
axes.imshow(kinds, cmap=ListedColormap(COLORS.values()), aspect="auto", interpolation="nearest")
axes.set(xlabel="place in the text (token)", ylabel="text")
patches = [Patch(color=color, label=kind) for kind, color in COLORS.items()]
axes.legend(handles=patches, ncols=4, loc="lower right", framealpha=1)
ofl.render.described(figure, "One row for each text: a start mark, four or five words, an end mark, and then padding "
                             "to the right edge: some nine tenths of the picture.")

# %% [markdown]
# Two things to remember from this picture: the right nine tenths of it are padding, and more than half of its
# rows are the same row.
#
# ## Numbers to vectors
#
# Each id picks a row of a table, and each place adds a vector of its own: without it "dog sees man" and "man
# sees dog" would be the same set of words. Both tables are learned.

# %%
mapper = model.text_mapper
encoder = mapper.encoder


def embed(ids):
    words = encoder.token_embedding.weight[ids]  # [T, L, C]
    return words + encoder.positional_embedding[: ids.shape[1]]


print(list(encoder.token_embedding.weight.shape), "->", list(embed(ids).shape))

# %% [markdown]
# ## Attention that looks back only
#
# Now the words must learn of each other. In **attention** each token asks with a query vector $q$, every token
# answers with a key $k$ and a value $v$ of width $d$, and the token takes the mean of the values, weighted by
# how well key and query fit:
#
# $$y_i = \sum_{j \le i} \mathrm{softmax}_j\!\left(\frac{q_i \cdot k_j}{\sqrt d}\right) v_j$$
#
# The sum ends at $i$: a token sees itself and what stands before it. That is what **causal** means. Word for
# word in code:

# %%
import math


def causal_attention_slow(q, k, v):
    """[L, d] each -> [L, d]"""
    rows = []
    for i in range(len(q)):
        scores = k[: i + 1] @ q[i] / math.sqrt(q.shape[-1])  # [i + 1]
        rows.append(scores.softmax(0) @ v[: i + 1])
    return torch.stack(rows)


# %% [markdown]
# Without the loop: compute all L x L scores and set the forbidden ones to minus infinity. The softmax makes
# them 0.

# %%
def causal_mask(length):
    return torch.ones(length, length, dtype=torch.bool).tril()  # True: may look


def attention(q, k, v, allowed):
    """[..., L, d] each -> [..., L, d]"""
    scores = q @ k.mT / math.sqrt(q.shape[-1])  # [..., L, L]
    return scores.masked_fill(~allowed, -math.inf).softmax(-1) @ v


torch.manual_seed(0)
q, k, v = torch.randn(3, 7, 16)
print(causal_mask(4).int())
proved("at once = token by token", attention(q, k, v, causal_mask(7)), causal_attention_slow(q, k, v), atol=1e-5)

# %% [markdown]
# With its numbers, for the first three tokens and two channels of each (without a mask: lesson 00b). A dash is minus
# infinity:

# %%
first = [x[:3, :2] for x in (q, k, v)]
print(attention(*first, causal_mask(3)).numpy().round(2))
ofl.drawings.attention(*first, allowed=causal_mask(3))

# %% [markdown]
# ## A transformer layer
#
# **Several heads**: the channels are cut into M groups, each attends on its own, so one head may watch the
# neighbour and another the start.

# %%
def self_attention(x, weights, allowed):
    q, k, v = (
        linear(x).unflatten(-1, (weights.num_heads, -1)).transpose(-3, -2)  # [T, M, L, C / M]
        for linear in (weights.q_proj, weights.k_proj, weights.v_proj)
    )
    mixed = attention(q, k, v, allowed).transpose(-3, -2).flatten(-2)  # [T, L, C]
    return weights.out_proj(mixed)


# %% [markdown]
# Attention mixes tokens; a small two-layer network then thinks about each one by itself. Both add to what is there,
# and both see a normalised copy (**pre-norm**). Between the two linear layers stands CLIP's *QuickGELU*, a smooth
# function much like ReLU.

# %%
def quick_gelu(x):
    return x * torch.sigmoid(1.702 * x)


def block(x, layer, allowed):
    x = x + self_attention(layer.norm1(x), layer.attention, allowed)
    return x + layer.linear2(quick_gelu(layer.linear1(layer.norm2(x))))


# %% [markdown]
# One layer, the package's weights, both versions:

# %%
x, allowed = embed(ids), causal_mask(77)
mine, packaged = block(x, encoder.layers[0], allowed), encoder.layers[0](x, allowed[None])
proved("equal", mine, packaged, atol=1e-4)

# %% [markdown]
# What do the four trained heads of this layer look at? Rows ask, columns are looked at. The upper triangle is
# empty: nobody looks ahead. In heads 1, 2 and 3 the end mark has found the word that matters.

# %%
words = ["start", *texts[0].split(), "end"]
layer, allowed = encoder.layers[0], causal_mask(len(words))[None]
y = layer.norm1(embed(ids[:1, : len(words)]))
_, weights = layer.attention(y, y, y, allowed, need_weights=True)  # [1, M, L, L]
for head in (1, 2, 3):
    print(f"head {head}: the end mark looks most at", words[weights[0, head, -1].argmax()])

# %% [markdown]
# All weights of the four heads:

# %%
ofl.drawings.heads(weights[0], words)

# %% [markdown]
# ## One vector for a sentence
#
# The layers give one vector for each token. Which of them stands for the sentence? The only one that has seen
# all words and no padding: the **end mark**. It has the largest id of the vocabulary, so `argmax` finds it.

# %%
def transform(ids, allowed):
    x = embed(ids)
    for layer in encoder.layers:
        x = block(x, layer, allowed)
    return encoder.norm(x)  # [T, L, C]


def encode(ids):
    x = transform(ids, causal_mask(ids.shape[1]))
    return x[torch.arange(len(ids)), ids.argmax(1)]  # [T, C]


print("the end marks stand at", sorted(set(ids.argmax(1).tolist())))
print(list(encode(ids).shape))
proved("ours = package", encode(ids), encoder(ids), atol=1e-4)

# %% [markdown]
# ## From text width to query width
#
# Text vectors have their own width. The **projector**, two linear layers with a ReLU between them, brings them
# to the width of the object queries.

# %%
def project(features):
    wide, out = mapper.projector.layers
    return out(wide(features).relu())


print(list(encode(ids).shape), "->", list(project(encode(ids)).shape))

# %% [markdown]
# ## Learned context
#
# And the free slots? They are filled with learned vectors that belong to no sentence, the same for every
# picture and every task.

# %%
def text_queries(texts):
    return torch.cat([project(encode(tokenize(texts))), mapper.context.weight])  # [Q, C]


mine = text_queries(texts)
packaged = mapper([sentences], ["panoptic"])[0]
proved("equal", mine, packaged, atol=1e-4)

# %% [markdown]
# That is the whole text mapper. How alike are its vectors? The **cosine** of two vectors is 1 if they point the
# same way and 0 if they have nothing in common.

# %%
import torch.nn.functional as F


def cosines(x):
    x = F.normalize(x, dim=-1)
    return x @ x.T


figure, axes = plt.subplots(figsize=(5.6, 4.6), layout="constrained")
shown = axes.imshow(cosines(mine), cmap="RdBu_r", vmin=-1, vmax=1)
figure.colorbar(shown, label="cosine")
for border in (len(sentences), T):
    axes.axhline(border - 0.5, color="black", linewidth=1)
    axes.axvline(border - 0.5, color="black", linewidth=1)
axes.set(xlabel="slot", yticks=(6, 20, 29.5), title=f"text queries of scene {SCENE}")
axes.set_yticklabels(("sentences", "padding", "context"))
ofl.render.described(figure, "A square of cosines between slots. The padding slots form a solid block of 1; the "
                             "sentences show two smaller groups that are alike; the context slots are alike to "
                             "themselves only.")

# %% [markdown]
# The three trees (2 to 4) share one vector, the padding is one vector fifteen times over, and the context
# resembles nothing. But look at the sentences: not every class has a direction of its own.

# %%
for a, b in ((0, 1), (5, 7), (10, 12)):
    names = " and ".join(texts[i].removeprefix("a photo with a ") for i in (a, b))
    print(f"{names:<14} {cosines(mine)[a, b]:.1f}")

# %% [markdown]
# Nothing forces them apart: the contrastive loss wants whole *lists* to differ, not words (lesson 07). Classes
# are told apart by the class head (lesson 09).
#
# ## Most texts are the same text
#
# So why encode the padding fifteen times? Encode each distinct text of the *batch* once, then **gather**: copy
# the rows to where they belong.

# %%
def encode_once(lists):
    """B lists of T texts -> [B, T, C]"""
    distinct = sorted({text for texts in lists for text in texts})
    row = {text: number for number, text in enumerate(distinct)}
    index = torch.tensor([[row[text] for text in texts] for texts in lists])  # [B, T]
    return project(encode(cut(tokenize(distinct))))[index]


# %% [markdown]
# And why carry 77 tokens? Nothing looks ahead, so what stands behind the end mark changes nothing before it.
# Cut behind the last end mark of the batch.

# %%
def cut(ids):
    return ids[:, : int(ids.argmax(1).max()) + 1]


print(list(ids.shape), "->", list(cut(ids).shape))
proved("cut = whole", encode(cut(ids)), encode(ids), atol=1e-4)

# %% [markdown]
# Proved on a batch of 16 pictures, the size the published models train with; their tasks take turns:

# %%
scenes = ofl.data.Toytown("val", size=128)
tasks = ("panoptic", "instance", "semantic")
batch = [(scenes[SCENE + i], tasks[i % 3]) for i in range(16)]
lists = [pad_texts(ofl.data.targets_for(*pair).texts, pair[1], T) for pair in batch]

slow = torch.stack([project(encode(tokenize(texts))) for texts in lists])  # [B, T, C]
proved("equal", slow, encode_once(lists), atol=1e-4)

# %% [markdown]
# Training asks for the gradient too. A row that was gathered 15 times collects 15 gradients, so it is equal as
# well:

# %%
def gradient(make):
    encoder.zero_grad()
    with torch.enable_grad():
        make().square().mean().backward()
    return encoder.token_embedding.weight.grad.clone()


a, b = gradient(lambda: project(encode(tokenize(texts)))), gradient(lambda: encode_once([texts])[0])
proved("equal", a, b, atol=1e-4 * float(a.abs().max()), rtol=1e-3)

# %% [markdown]
# How much is saved? The distinct texts of each picture, and of the batch:

# %%
print("per picture:", [len(set(texts)) for texts in lists])
print("in the batch:", len({text for texts in lists for text in texts}), "of", sum(map(len, lists)))

# %% [markdown]
# Toytown has 14 classes and three padding sentences, so there never are more than 17. Counted in tokens that
# pass the encoder, for our 28 texts a picture and for the 134 of the published models:

# %%
def tokens(num_texts):
    lists = [pad_texts(ofl.data.targets_for(*pair).texts, pair[1], num_texts) for pair in batch]
    distinct = {text for texts in lists for text in texts}
    length = cut(tokenize(sorted(distinct))).shape[1]
    return len(batch) * num_texts * 77, len(distinct) * 77, len(distinct) * length


counts = {num_texts: tokens(num_texts) for num_texts in (T, 134)}
for num_texts, (every, once, short) in counts.items():
    print(f"{num_texts:>3} texts: {every:>6} tokens, each text once {once}, cut {short}: {every // short} times fewer")

# %% [markdown]
# On a logarithmic axis, for 134 texts a picture:

# %%
figure, axes = plt.subplots(figsize=(8, 2.1), layout="constrained")
names = ["all texts, 77 tokens", "distinct texts, 77 tokens", "distinct texts, cut"]
bars = axes.barh(names, counts[134], color=["#d55e00", "#e69f00", "#0072b2"])
axes.bar_label(bars, [f"{count:,}" for count in counts[134]], padding=4)
axes.set(xscale="log", xlim=(50, 1e6), xlabel="tokens through the text encoder, batch of 16")
axes.invert_yaxis()
ofl.render.described(figure, "Three bars on a logarithmic axis, tokens through the text encoder: 165,088 for all "
                             "texts, 1,309 for distinct texts, 119 for distinct texts that are cut.")

# %% [markdown]
# COCO has 133 classes: a batch has at most 136 distinct texts, still few compared with the 2144 of the lists.

# %%
print(133 + 3, "distinct texts at most,", 16 * 134, "in the lists")

# %% [markdown]
# ## The package's text mapper
#
# `TextMapper` does all of this: it pads, encodes distinct texts once, cuts, gathers, adds the context.

# %%
raw = [ofl.data.targets_for(*pair).texts for pair in batch]
packaged = mapper(raw, [task for _, task in batch])  # [B, Q, C]
mine = torch.cat([encode_once(lists), mapper.context.weight.expand(16, -1, -1)], dim=1)
print(type(mapper).__name__, list(packaged.shape))
proved("equal", mine, packaged, atol=1e-4)

# %% [markdown]
# Is the package equal to the published model? `tests/model/parts/test_text.py` gives its weights to the text mapper
# of `transformers` and compares, also at the published size, to 12 digits. With one repair: `transformers`
# builds the causal mask but never hands it to its layers, so the test hands it over.
#
# ## In training only
#
# The texts teach the queries; at inference there are none. Throw the mapper away, and the answer stays:

# %%
import copy

picture = ofl.data.normalise(scenes[SCENE].image)[None]
light = copy.deepcopy(model)
light.text_mapper = None
proved("same masks", light(picture, "panoptic").mask_logits, model(picture, "panoptic").mask_logits)

# %% [markdown]
# That makes the model a good deal smaller, for most of the mapper is the table of 49408 tokens. (The `meta`
# device builds the published model without filling its weights.)

# %%
from dataclasses import replace

with torch.device("meta"):
    published = ofl.OneFormer(replace(ofl.config.coco_r50(), pretrained=False))


def millions(module):
    return sum(p.numel() for p in module.parameters()) / 1e6


for name, m in (("Toytown", model), ("COCO, ResNet-50", published)):
    whole, text, table = map(millions, (m, m.text_mapper, m.text_mapper.encoder.token_embedding))
    print(f"{name}: {whole:.2f} million, text mapper {text:.2f} (table {table:.2f}), without it {whole - text:.2f}")

# %% [markdown]
# The paper reports 47 million parameters for the ResNet-50 model: it counts what is left at inference.
#
# ## Look into it
#
# The inspector of the contrastive loss shows every text slot beside every query. Lesson 07 is about its numbers; here
# look at the slots. Lower left, the bars: blue a slot with a sentence, grey padding, orange learned context. Lower
# right: columns are text slots, rows are queries; the columns of the padding are all the same. ("lead" is by how much
# a pair is ahead of the next best.)

# %%
from oneformer_lite.widgets import ContrastInspector

inspector = ContrastInspector(model, [(scenes[SCENE + i], "panoptic") for i in range(3)])
inspector.set(row=0, column=0, slot=0)

# %% [markdown]
# A slot of the padding, and one of the context:

# %%
for slot in (20, 30):
    print(inspector.set(slot=slot))
    print("slot", slot, "holds:", inspector.batches["given"][0].text(slot))

# %% [markdown]
# ## What is simplified here, and where the official code differs
#
# * **Size.** Toytown has 2 layers of width 64 and 4 context vectors, the published models 6 of width 256 and 16.
# * **Work.** The official `modeling/transformer_decoder/text_transformer.py` encodes every text of every
#   picture, padding and all, 77 tokens long.
# * **Place.** Projector and context stand in the official `oneformer_model.py`; the temperature of the
#   contrastive loss, which our mapper carries, in its `modeling/criterion.py`.
# * **Weights.** The encoder looks like CLIP's but is trained from scratch.
# * **Too many segments.** A list longer than T is cut, here as there: no slot is left for the rest.

# %% [markdown]
# ## Break it
#
# Two mistakes that raise no error. First, **forget the causal mask**. Then the end mark sees the padding, and
# the vector of a sentence depends on how many zeros happen to follow. Compare each text at 77 tokens with
# itself, cut:

# %%
every = [f"a photo with a {name}" for name in model.config.class_names]
every += ["a semantic photo", "an instance photo", "a panoptic photo"]
ids = tokenize(every)


def read_end(ids, allowed):
    return transform(ids, allowed)[torch.arange(len(ids)), ids.argmax(1)]


for name, mask in (("causal", causal_mask), ("no mask", lambda n: torch.ones(n, n, dtype=torch.bool))):
    long, short = read_end(ids, mask(77)), read_end(cut(ids), mask(cut(ids).shape[1]))
    print(f"{name:<8} cosine of long and cut: {F.cosine_similarity(long, short).mean():.2f}")

# %% [markdown]
# Second, **read at the last place** instead of the end mark. It has seen the sentence and then 70 times
# nothing.

# %%
versions = {
    "as it should be": encode(ids),
    "no causal mask": read_end(ids, torch.ones(77, 77, dtype=torch.bool)),
    "read at the last place": transform(ids, causal_mask(77))[:, -1],
}
figure, all_axes = plt.subplots(1, 3, figsize=(10.5, 4.1), sharey=True, layout="constrained")
for axes, (name, features) in zip(all_axes, versions.items()):
    shown = axes.imshow(cosines(project(features)), cmap="RdBu_r", vmin=-1, vmax=1)
    axes.set(title=name, xticks=(), yticks=range(len(every)))
    axes.set_yticklabels([text.removeprefix("a photo with a ") for text in every])
figure.colorbar(shown, ax=all_axes, label="cosine", shrink=0.8)
ofl.render.described(figure, "Three squares of cosines between texts. As it should be: a bright diagonal and two "
                             "small groups. No causal mask: more is alike. Read at the last place: nearly all texts "
                             "are one.")

# %% [markdown]
# Red off the diagonal means that two sentences have become one. Left: a few classes that are
# alike. Middle: the padding, equal for all, is mixed into every sentence. Right: of most sentences little else is left.
# In numbers, the mean cosine of
# two different sentences:

# %%
for name, features in versions.items():
    table = cosines(project(features))
    others = ~torch.eye(len(every), dtype=torch.bool)
    print(f"{name:<24}{table[others].mean():.2f}")

# %% [markdown]
# ## In the package
#
# * `model.parts.text.TextLayer`: one pre-norm layer
# * `model.parts.text.TextEncoder`: ids to one vector for each text, read at the end mark
# * `model.parts.text.TextMapper`: padding, distinct texts, projector, context
# * `model.parts.layers.Attention`: attention with several heads and a mask

# %% [markdown]
# ## Summary
#
# * A list of sentences becomes Q vectors: T encoded texts, then learned context.
# * The encoder is causal and read at the end mark, so padding can neither help nor harm.
# * Encoding distinct texts once and cutting the padding is exact and saves a factor of hundreds.
#
# **Ask yourself**
#
# <details><summary>Why may the padding be cut behind the end mark, but not the start mark before the words?</summary>
# Every later token looks at the start mark; the end mark looks at nothing behind it.</details>
#
# <details><summary>Two pictures show the same classes under the same task. What do their text queries look
# like?</summary>
# They are identical. The contrastive loss will still call them a negative pair: lesson 07.</details>
#
# <details><summary>Without the causal mask, would training not simply get used to the padding?</summary>
# It would, to exactly this much padding. Cut it, or write a longer sentence, and every vector changes.</details>
#
# <details><summary>Why is the distinct text sought in the batch and not in each picture?</summary>
# Pictures of a batch share classes and padding: one picture has up to 12 distinct texts here, all 16 together
# only 17.</details>
#
# <details><summary>The context is the same for all pictures. Can it tell two pictures apart in the contrastive
# loss?</summary>
# No, it adds the same to every list. It gives the queries of those slots something to resemble that comes from
# no sentence. The paper measures (Cityscapes, Swin-L): without text context PQ falls from 67.2 to 62.7.</details>
