# %% [markdown]
# # 04 · Task tokenizer and MLP
#
# "The task is panoptic." Four words decide what the model looks for (lesson 00). **How does a sentence get into a
# network that knows nothing but numbers?**
#
# In two steps. (With three tasks the result is a table of three rows, one token for each: at run time nothing else is
# needed.) A **tokenizer** cuts the sentence into pieces and replaces each by its number in a list. A small network,
# an **MLP**, turns the numbers into one vector, the *task token*. You build both here, and see why the second step
# should not work at all, and why it does.
#
# *Instead of* (in the sixty lines of lesson 00b): `self.queries`, which know no task (line C).
#
# *Goals:* write a byte-pair tokenizer; say how a sentence becomes one vector. *Before:* lesson 00. *Minutes:* 50.
# *Words and letters:* [glossary](GLOSSARY.md).
#
# Where we are, in the map of the whole model:

# %% tags=["nbval-ignore-output"]
import oneformer_lite as ofl

ofl.drawings.model_map(ofl.from_pretrained("toytown"), ofl.data.Toytown("val", size=128)[13], "04")

# %% [markdown]
# ## What the model hears
#
# Each sentence becomes 77 numbers. Here they are for the three tasks; everything to the right is zero.

# %%
import matplotlib.pyplot as plt
import oneformer_lite as ofl
import torch
import torch.nn.functional as F
from oneformer_lite.model.parts.tokenizer import tokenize
from oneformer_lite.lessons import proved

_ = torch.set_grad_enabled(False)  # nothing is trained in this lesson
TASKS = ("panoptic", "instance", "semantic")
ids = tokenize([f"the task is {task}" for task in TASKS])  # [3, 77]
for task, row in zip(TASKS, ids.tolist()):
    print(f"{task:<9}", row[:9], "...")

# %% [markdown]
# The same as a picture: the first twelve of the 77 places.

# %%
figure, axes = plt.subplots(3, 1, figsize=(8.5, 4.2), sharex=True, layout="constrained")
for axis, task, row in zip(axes, TASKS, ids.tolist()):
    axis.bar(range(12), row[:12], color="#0072B2")
    for place, number in enumerate(row[:7]):
        axis.text(place, number + 2000, number or "", ha="center")
    axis.set(ylim=(0, 65000), yticks=(0, 49407), ylabel=task)
axes[2].set(xticks=range(12), xlabel="place")
ofl.render.described(figure, "Three rows of bars, the ids of the tokens by place. All begin with 49406, have the same "
                             "three ids in places 1 to 3, then those of the task's name, then 49407; beyond are zeros.")

# %% [markdown]
# The first and the last number, start and end of the sentence, are far larger than the rest. For "instance" the end comes one
# place earlier.
#
# ## Pieces
#
# A list of all words would never end, a list of letters makes long sentences of things without meaning. **Byte-pair
# encoding** (BPE) lies between: begin with single letters, join the most frequent neighbours, again and again. Common
# words become one piece, rare ones a few.
#
# How are the joins found? (If you only want to know what the model gets, skip to the MLP.) Count the pairs of
# neighbours in a list of words. (`</w>` marks a word's end, so that the *at* in "cat" and in "attic" are two
# different pieces.)

# %%
from collections import Counter
from itertools import pairwise


def count_pairs(words):
    """{pieces of a word: how often it occurs} -> how often each pair of neighbours does"""
    counts = Counter()
    for pieces, times in words.items():
        for pair in pairwise(pieces):
            counts[pair] += times
    return counts


# %% [markdown]
# A list of ten words is enough:

# %%
text = "the cat sat on the mat that the cat ate"
words = Counter((*word[:-1], word[-1] + "</w>") for word in text.split())
print(count_pairs(words).most_common(3))

# %% [markdown]
# Join that pair wherever it stands:


# %%
def join(pieces, pair):
    """Every occurrence of ``pair`` becomes one piece, from left to right"""
    joined, i = [], 0
    while i < len(pieces):
        found = tuple(pieces[i : i + 2]) == pair
        joined.append("".join(pair) if found else pieces[i])
        i += 2 if found else 1
    return tuple(joined)


# %% [markdown]
# A banana has two of them:

# %%
print(join(("b", "a", "n", "a", "n", "a</w>"), ("a", "n")))

# %% [markdown]
# Repeat, and write down which pair was joined in which round: that list, the **merge table**, is all that BPE learns.

# %%
table = []
for _round in range(6):
    pair, times = count_pairs(words).most_common(1)[0]
    words = Counter({join(pieces, pair): n for pieces, n in words.items()})
    table.append(pair)
    print(f"{times} times: {pair[0]} + {pair[1]}")
print([" ".join(pieces) for pieces in words])

# %% [markdown]
# ## CLIP's merge table
#
# OneFormer uses the table that was made for CLIP, a well-known model of pictures and their captions. It comes with
# `open_clip`; one line is one merge, best first.

# %%
import gzip
import importlib.util
from pathlib import Path

folder = importlib.util.find_spec("open_clip").submodule_search_locations[0]
lines = gzip.decompress((Path(folder) / "bpe_simple_vocab_16e6.txt.gz").read_bytes()).decode().split("\n")
merges = [tuple(line.split()) for line in lines[1 : 1 + 49152 - 256 - 2]]  # CLIP uses this many
rank = {pair: i for i, pair in enumerate(merges)}
print(f"{len(merges)} merges; first: {merges[:5]}; last: {merges[-1]}")

# %% [markdown]
# What about é, 日 or 🐶? Every text is bytes in the end (UTF-8), and there are only 256 of them. Each byte gets a
# printable letter: its own if it has one, else one from far up in Unicode. No text is ever unknown.


# %%
def byte_letters():
    own = [*range(33, 127), *range(161, 173), *range(174, 256)]  # bytes that print as something
    others = [byte for byte in range(256) if byte not in own]
    return {byte: chr(byte) for byte in own} | {byte: chr(256 + i) for i, byte in enumerate(others)}


letters = byte_letters()
for text in ("car", "é", "日", "🐶", " "):
    print(f"{text!r:<6} bytes {list(text.encode())} -> {''.join(letters[b] for b in text.encode())}")

# %% [markdown]
# The vocabulary, in order: 256 letters, the same at a word's end, the result of every merge, and two special pieces.
# A piece's place in it is its **id**.

# %%
START, END = "<|startoftext|>", "<|endoftext|>"
single = list(letters.values())
pieces = [*single, *(c + "</w>" for c in single), *("".join(pair) for pair in merges), START, END]
id_of = {piece: i for i, piece in enumerate(pieces)}
print(len(id_of), "pieces;", {piece: id_of[piece] for piece in ("a", "a</w>", "instance</w>", START, END)})

# %% [markdown]
# The package's tables are the same:

# %%
from oneformer_lite.model.parts import tokenizer as package

proved("letters", letters, package.byte_letters()) + proved("vocabulary", (id_of, rank), package.vocabulary())

# %% [markdown]
# ## Cutting a word
#
# Begin with letters. Of all neighbours that are in the table join the pair with the **best rank**, until none is left.
# The merges are replayed in the order in which they were learned.


# %%
def split_word(word, show=False):
    parts = (*word[:-1], word[-1] + "</w>")
    while len(parts) > 1:
        pair = min(pairwise(parts), key=lambda pair: rank.get(pair, len(rank)))
        if pair not in rank:
            break
        parts = join(parts, pair)
        if show:
            print(f"merge {rank[pair]:>5}: {' '.join(parts)}")
    return parts


_ = split_word("panoptic", show=True)

# %% [markdown]
# "panoptic" is rare enough to stay in two pieces; "instance" is one. Remember that for the end of the lesson.

# %%
for word in ("panoptic", "instance", "semantic", "unsegmentable", "banana"):
    print(f"{word:<14}", split_word(word), [id_of[part] for part in split_word(word)])

# %% [markdown]
# ## Cutting a text
#
# First clean it (odd encodings, HTML entities, white space, capitals), then find the words: runs of letters, single
# digits, runs of other signs, English endings such as *'s*.

# %%
import html

import ftfy
import regex

WORDS = regex.compile(r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+", regex.IGNORECASE)


def clean(text):
    text = html.unescape(html.unescape(ftfy.fix_text(text)))
    return " ".join(text.split()).lower()


for text in ("The Task  is\nPANOPTIC", "dog's &amp; cat's", "3.14 door-stuff"):
    print(WORDS.findall(clean(text)))

# %% [markdown]
# Then spell each word in byte letters, cut it, and look the pieces up:


# %%
def encode(text):
    words = ["".join(letters[byte] for byte in word.encode()) for word in WORDS.findall(clean(text))]
    return [id_of[part] for word in words for part in split_word(word)]


print(encode("The task is panoptic"))

# %% [markdown]
# Against the package, with sentences that try to break it:

# %%
odd = [
    "the task is panoptic", "A photo\twith  a CAR", "", "don't you're it's", "sky-other-merged",
    "3.14 1e-3 100%", "naïve café straße", "日本語の写真", "🐶🐱", "&amp;lt; â€œquotesâ€", "x" * 60,
    "!!!???...", "½ ² Ⅷ", "<|endoftext|>",
]  # fmt: skip
for text in odd:
    print(f"{len(encode(text)):>3} pieces  {text[:24]!r}")
proved("ours = package, every text", [encode(text) for text in odd], [package.encode(text) for text in odd])

# %% [markdown]
# Every word is cut again each time it occurs, and texts repeat themselves. Remember the answers: same result, and most
# of the work is gone. (The package does the same.)

# %%
from functools import lru_cache

texts = [f"a photo with a {name}" for name in ofl.from_pretrained("toytown").config.class_names]
before = [encode(text) for text in texts]
split_word = lru_cache(maxsize=4096)(split_word)
after = [encode(text) for text in texts]
print(f"{split_word.cache_info().misses} words cut, {split_word.cache_info().hits} remembered")
proved("the same tokens", after, before)

# %% [markdown]
# ## 77 places
#
# The network wants a fixed length: the start piece, the ids, the end piece, then zeros. What is too long is cut, and
# closed with the end piece. (0 is also the id of "!". That does no harm.)


# %%
def pad(ids, length=77):
    ids = [id_of[START], *ids, id_of[END]]
    if len(ids) > length:
        ids = [*ids[: length - 1], id_of[END]]
    return ids + [0] * (length - len(ids))


long = "a very " * 50 + "long train"
ours = torch.tensor([pad(encode(text)) for text in [*odd, long]])
theirs = package.tokenize([*odd, long])
print(list(ours.shape), "last id:", ours[-1, -1].item())
proved("ours = package", ours, theirs)

# %% [markdown]
# And the package with others: `tests/model/parts/test_tokenizer.py` compares its ids with `open_clip`'s own tokenizer on
# hundreds of texts (all of COCO's class sentences among them) and with the published ids of the three tasks.

# %% [markdown]
# ## From ids to a vector, the strange way
#
# A text encoder (lesson 05) would look each id up in a table of learned vectors. OneFormer's task branch does not. It
# takes the 77 ids *as they are*, as numbers, and feeds them to an MLP: linear layer, ReLU, linear layer.


# %%
def mlp(x, layers):
    first, second = layers
    return F.relu(x @ first.weight.T + first.bias) @ second.weight.T + second.bias


model = ofl.from_pretrained("toytown")
layers = model.task_encoder.mlp.layers
raw = mlp(ids.float(), layers)  # [3, C]
print([list(layer.weight.shape) for layer in layers], "->", list(raw.shape))

# %% [markdown]
# The package's, with the same weights. (`tests/model/parts/test_task.py` compares it with transformers'
# `OneFormerTaskModel` in double precision.)

# %%
proved("equal", raw, model.task_encoder(TASKS), atol=0.1, rtol=1e-4)

# %% [markdown]
# Why ought that to be terrible?
#
# * An id is a name, not a quantity: "instance" (34572) is not more than "the" (518).
# * Neighbours in the list have nothing in common:

# %%
print([piece.removesuffix("</w>") for piece in pieces[24755:24759]])

# %% [markdown]
# * The numbers are huge. Networks like numbers around 1; a network that starts as published (two `nn.Linear` as
#   PyTorch starts them, 256 channels) makes tokens of thousands:


# %%
def short(number):
    return f"{float(f'{number:.2g}'):g}"  # two digits


torch.manual_seed(0)
fresh = [torch.nn.Linear(77, 256), torch.nn.Linear(256, 256)]
for name, values in (("ids", ids.float()), ("fresh MLP", mlp(ids.float(), fresh)), ("trained MLP", raw)):
    print(f"{name:<12} largest {short(values.abs().max())}, standard deviation {short(values.std())}")

# %% [markdown]
# ## What saves it
#
# A **LayerNorm**: subtract a vector's mean, divide by its standard deviation, then multiply and add what was learned
# for each channel.
#
# $$\text{LN}(t) = \frac{t - \text{mean}(t)}{\sqrt{\text{var}(t) + \epsilon}} \odot \gamma + \beta$$


# %%
def layer_norm(t, scale, shift, eps=1e-5):
    centred = t - t.mean(-1, keepdim=True)
    return centred / (centred.square().mean(-1, keepdim=True) + eps).sqrt() * scale + shift


norm = model.decoder.norm
tokens = layer_norm(raw, norm.weight, norm.bias)  # [3, C]
print("standard deviation:", short(raw.std()), "before,", short(tokens.std()), "after")
proved("tokens = package", tokens, model.task_token(TASKS), atol=1e-4)

# %% [markdown]
# Why is that enough? Without biases an MLP with ReLU keeps proportions: ids twice as large give a token twice as
# large, $f(c\,x) = c\,f(x)$. The LayerNorm divides $c$ out again. Beside ids of thousands the biases are nothing. So
# **the size of the ids never mattered**, only their proportions. If the ids were no larger than 1, the biases would
# matter, and they are the same for every task:

# %%
print(f"largest bias {max(layer.bias.abs().max() for layer in fresh):.2f}")
for c in (1, 0.01, 1 / 49407):
    values = mlp(ids.float() * c, fresh)
    normed = F.layer_norm(values, (256,), eps=0)
    cosine = F.cosine_similarity(normed, F.layer_norm(mlp(ids.float(), fresh), (256,), eps=0)).min()
    print(f"ids x {c:<7.1g} standard deviation {short(values.std()):>5}, cosine with the raw ids' token {cosine:.3f}")

# %% [markdown]
# What is left is a direction for each sentence. Cosines between the three directions, before training and after:

# %%
normed = F.layer_norm(mlp(ids.float(), fresh), (256,))
print(f"{'cosine of':<14}panoptic-instance  panoptic-semantic  instance-semantic")
for name, (a, b, c) in (("ids", ids.float()), ("fresh token", normed), ("trained token", tokens)):
    cosines = [F.cosine_similarity(*pair, dim=0) for pair in ((a, b), (a, c), (b, c))]
    print(f"{name:<14}" + "  ".join(f"{cosine:^17.2f}" for cosine in cosines))

# %% [markdown]
# Training has turned them apart, "semantic" most. Each token in full, channel by channel:

# %%
figure, axes = plt.subplots(3, 1, figsize=(9, 3.6), sharex=True, layout="constrained")
for axis, task, token in zip(axes, TASKS, tokens):
    shown = axis.imshow(token[None], aspect="auto", cmap="PuOr", vmin=-3, vmax=3)
    axis.set(yticks=(), ylabel=task)
axes[2].set_xlabel("channel")
_ = figure.colorbar(shown, ax=axes, label="value")
ofl.render.described(figure, "Three rows of 96 narrow stripes, one row for each task's token, orange below zero and "
                             "violet above. The patterns differ in many places, that of semantic most.")

# %% [markdown]
# Three sentences, three vectors, always the same: at run time the whole branch is a table of three rows.
#
# ## What the token does
#
# The picture is encoded once; then each token asks its question. Count the queries that are sure of a class (these are
# lesson 00's numbers):

# %%
sample = ofl.data.Toytown("val", size=128)[13]
encoded = model.encode(ofl.data.normalise(sample.image)[None])
is_thing = torch.tensor(model.config.is_thing)


def confident(token):
    """Token [C] -> how many queries are sure of a thing, and of stuff"""
    predictions = model.read(encoded, token[None])
    score, label = predictions[-1].class_logits[0].softmax(-1)[:, :-1].max(-1)
    label = label[score > 0.5]
    return int(is_thing[label].sum()), int((~is_thing[label]).sum())


# %% [markdown]
# The same picture under the three tokens:

# %%
for task, token in zip(TASKS, tokens):
    print(f"{task:<9}", "{} things, {} stuff".format(*confident(token)))

# %% [markdown]
# ## Between two tasks
#
# Tokens are vectors, so there is something between them: (1 − s) · panoptic + s · instance. `TaskInspector` shows
# what the model says along the way; move the blend. Above are the answers of the three tasks, below left that of the
# blend (framed), in the middle a row for each query with the class that it calls out at each step, at the right the
# mask of the framed query. The numbers are cosines: how alike the query ends under both tasks. (Live, the ids and
# cosines of this lesson stand below. The picture is read at 128 pixels here, at 160 in lesson 01: so it finds other
# segments there.)

# %%
from dataclasses import replace

from oneformer_lite.widgets import TaskInspector

model.config = replace(model.config, test_size=128)  # else it enlarges pictures to 160
inspector = TaskInspector(model, sample)
inspector.set(task="panoptic", other="instance", blend=0.5)
inspector

# %% [markdown]
# Our own blends and the inspector's, in steps of a fifth. Ours counts queries, the inspector the segments that are left
# after merging (lesson 11). Halfway to "instance" the stuff falls silent:

# %%
steps = inspector.pair("panoptic", "instance").steps
for k in range(0, 11, 2):
    s = k / 10
    ours = confident((1 - s) * tokens[0] + s * tokens[1])
    print(f"s = {s:.1f}: {ours[0]:>2} + {ours[1]} queries, {steps[k].things} + {steps[k].stuff} segments")

# %% [markdown]
# From panoptic to semantic the trees become one tree, that of the last query (31), the token itself:

# %%
inspector.set(other="semantic", blend=1.0, query=31)

# %% [markdown]
# ## What is simplified here, and where the official code differs
#
# * Nothing is simplified: `oneformer/data/tokenizer.py` has the tokenizer, `oneformer_model.py` the `task_mlp`. The
#   official sentence begins with a capital ("The task is"), which is lower-cased.
# * The paper's appendix says *one* linear layer; the code, and so every published model, has two.
# * There is no LayerNorm of its own: the token borrows `decoder_norm`, the one before every prediction (lesson 10).
# * In half precision the start and the end piece become the same number:

# %%
print(torch.tensor([49406.0, 49407.0]).half().tolist())

# %% [markdown]
# ## Break it: no LayerNorm
#
# Hand the raw token to the rest of the network. How large are the object queries that come out of it (lesson 06)?

# %%
street = ofl.data.Toytown("val", size=128)
scenes = [model.encode(ofl.data.normalise(street[i].image)[None]) for i in (13, 14)]
queries = {  # [Q, C] for each of two scenes
    name: [model.object_queries(scene, token[None])[0] for scene in scenes]
    for name, token in (("with", tokens[0]), ("without", raw[0]))
}
for name, (ours, _other) in queries.items():
    others, last = ours[:-1].std(), ours[-1].std()
    print(f"{name:<8} standard deviation: first 31 queries {short(others)}, the last, the token, {short(last)}")

# %% [markdown]
# The first 31 survive: the LayerNorms inside the query transformer repair them. The last query *is* the token, and it
# explodes. Training compares pictures by all their queries laid end to end (the contrastive loss, lesson 07). With an
# exploded token all pictures of a task are the same picture:

# %%
for name, (one, other) in queries.items():
    cosine = F.cosine_similarity(one.flatten(), other.flatten(), dim=0)
    share = one[-1].square().sum() / one.square().sum()
    print(f"{name:<8} cosine of two different scenes {cosine:.2f}; share of the token in it {share:4.0%}")

# %% [markdown]
# And the answers?

# %%
for task, with_norm, without in zip(TASKS, tokens, raw):
    print(f"{task:<9} with: {confident(with_norm)}, without: {confident(without)}")

# %% [markdown]
# Almost the same: the masked decoder of lesson 10 normalises its queries again. The harm is in the training, where
# the texts could no longer teach anything, and the scores would hardly tell you.
#
# ## Break it: unknown tasks
#
# The package refuses tasks that it does not know:

# %%
try:
    model.task_token(["banana"])
except ofl.errors.ConfigError as error:
    print(error)

# %% [markdown]
# Ask anyway, past the check. Every sentence has a token, and every token is answered as if nothing were wrong:

# %%
strange = ["the task is banana", "the task is crocodile", "the task is", "please find every object", ""]
asked = layer_norm(mlp(tokenize(strange).float(), layers), norm.weight, norm.bias)
for text, token in zip(strange, asked):
    nearest = F.cosine_similarity(token, tokens)
    words = f"{nearest.max():.2f} like {TASKS[nearest.argmax()]}"
    print(f"{text!r:<27} {len(encode(text))} pieces, {words}: {confident(token)}")

# %% [markdown]
# A banana is an instance! Not because of its meaning: "banana" is *one* piece, so the end piece stands where it
# stands after "instance"; the same holds for "please find every object". The model listens to where the huge numbers
# are. Write ids by hand:


# %%
def ask(ids):
    token = layer_norm(mlp(torch.tensor(ids + [0] * (77 - len(ids))).float(), layers), norm.weight, norm.bias)
    words = " ".join(pieces[i].removesuffix("</w>") for i in ids[1:-1])
    print(f"{words:<25} {confident(token)}")


# %% [markdown]
# Move the id of the task's word through the list, and nothing changes. Let the sentence end one place later, and the
# stuff is back:

# %%
for number in (34572, 34573, 30000, 20000):
    ask([49406, 518, 10549, 533, number, 49407])
ask([49406, 518, 10549, 533, 1072, 34572, 49407])

# %% [markdown]
# ## In the package
#
# * `model.parts.tokenizer.byte_letters`: a letter for each byte
# * `model.parts.tokenizer.vocabulary`: pieces and merges
# * `model.parts.tokenizer.split_word`: replays the merges
# * `model.parts.tokenizer.encode`: text to ids
# * `model.parts.tokenizer.tokenize`: texts to 77 ids each
# * `model.parts.task.task_ids`: the ids of a task's sentence
# * `model.parts.task.TaskEncoder`: ids to tokens, before the LayerNorm
# * `model.parts.layers.MLP`: linear layers with ReLU between them

# %% [markdown]
# ## Summary
#
# * Byte-pair encoding replays a ranked list of merges on letters that stand for bytes: no text is unknown.
# * The task branch takes 77 raw ids as numbers. They are much too large, but a LayerNorm divides that out; directions remain.
# * Only three sentences were ever trained. The model does not understand the others, but it gives an answer to them,
#   too.
#
# **Ask yourself**
#
# <details><summary>Why does the order of the merges matter, and not just which pairs are in the table?</summary>
# Neighbouring pairs compete for letters: in "that" both t+h and h+a may be known. The rank decides, as it did when the
# table was learned; otherwise the same word would be cut in two ways.</details>
#
# <details><summary>What would change if the three tasks were a learned table of three vectors?</summary>
# At run time nothing: there are three tokens either way. In training the rows would not share weights, and there
# would be no answer at all to a fourth sentence.</details>
#
# <details><summary>The biases are why the proportion rule holds only nearly in a trained model. Do they matter here?</summary>
# Hardly: next to products with ids of up to 49407 a bias is nothing. Only if the ids were scaled down to around 1 would
# the biases come into play.</details>
#
# <details><summary>Does BPE need the end mark of a word?</summary>
# To come back from pieces to text, yes: without it "car pet" and "carpet" could be the same pieces. It also tells
# prefixes from whole words: "pan" in "panoptic" is not the word "pan".</details>
