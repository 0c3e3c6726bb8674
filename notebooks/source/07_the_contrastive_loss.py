# %% [markdown]
# # 07 · The contrastive loss
#
# Training needs texts, prediction does not. Lesson 05 made *text queries* from sentences such as "a photo with
# a car", lesson 06 made *object queries* from the picture. In prediction the texts are gone.
#
# What, then, can the texts teach, and how does it get into the object queries?
#
# The answer is one loss: **an image's object queries should resemble its own text queries more than those of
# any other image in the batch.** It is the only loss that sees the texts.
#
# *Instead of* (in the sixty lines of lesson 00b): `return class_loss + 2 * mask_loss` (line G), which gets one more
# term.
#
# *Goals:* write the contrastive loss and its gradient; find false negatives. *Before:* lesson 05, lesson 06.
# *Minutes:* 55. *Words and letters:* [glossary](GLOSSARY.md).
#
# Where we are, in the map of the whole model:

# %% tags=["nbval-ignore-output"]
import oneformer_lite as ofl

ofl.drawings.model_map(ofl.from_pretrained("toytown"), ofl.data.Toytown("val", size=128)[13], "07")

# %% [markdown]
# ## A batch of four
#
# The scene of all lessons is number 0. Each picture has its own task, as in training.

# %%
import matplotlib.pyplot as plt
import oneformer_lite as ofl
import torch
import torch.nn.functional as F
from PIL import Image
from oneformer_lite.lessons import proved

SCENES, TASKS = [13, 26, 2, 17], ["panoptic", "panoptic", "instance", "semantic"]
town = ofl.data.Toytown("val", size=128)
samples = [town[i] for i in SCENES]
batch = ofl.data.collate(list(zip(samples, TASKS)))
titles = [f"{i}: {task}" for i, task in enumerate(TASKS)]
picture = ofl.render.contact_sheet([[ofl.render.enlarge(s.image, 2) for s in samples]], titles)
ofl.render.described(picture, "The four pictures of the batch: a street with a blue car, panoptic; one with people "
                              "and a taxi, panoptic; a crowd at night, instance; a bus in the evening, semantic.")

# %% [markdown]
# Each image comes with the sentences of its segments, in the order of the classes (lesson 01). Images 0 and 1 name
# nearly the same classes, images 2 and 3 share a bus and a sign. (The people of image 2 are a crowd, which gives no
# sentence.) We shall need that.

# %%
for i, texts in enumerate(batch.texts):
    print(i, len(texts), "texts:", ", ".join(text.removeprefix("a photo with a ") for text in texts))

# %% [markdown]
# The shipped model gives both sides. A list is padded to 28 sentences, 4 learned context vectors follow: 32
# text queries for 32 object queries. Slot $q$ of the one meets slot $q$ of the other **by position alone**.

# %%
model = ofl.from_pretrained("toytown").eval()
with torch.no_grad():
    output = model(batch.images, batch.tasks, texts=batch.texts)
queries, texts = output.object_queries, output.text_queries  # [B, Q, C] each
print("object queries", list(queries.shape), " text queries", list(texts.shape))

# %% [markdown]
# ## One number for a pair
#
# How much does an image resemble a text list? Lay all slots of each side end to end: one vector of $Q \cdot C$
# numbers. Their *cosine* is the dot product divided by both lengths: 1 for the same direction, 0 for none.
#
# First with loops, so that nothing is hidden.


# %%
def cosine(queries, texts):  # two lists [Q][C] -> a number
    dot = length_q = length_t = 0.0
    for query, text in zip(queries, texts):
        for a, b in zip(query, text):
            dot, length_q, length_t = dot + a * b, length_q + a * a, length_t + b * b
    return dot / (length_q**0.5 * length_t**0.5)


print(f"image 0 with its own texts:      {cosine(queries[0].tolist(), texts[0].tolist()):.2f}")
print(f"image 0 with the texts of image 2: {cosine(queries[0].tolist(), texts[2].tolist()):.2f}")

# %% [markdown]
# All pairs make a table: row $i$ is an image, column $j$ a text list. The diagonal holds the pairs that belong
# together, the *positives*. Everything else is a *negative*.

# %%
naive = torch.tensor([[cosine(q, t) for t in texts.tolist()] for q in queries.tolist()])  # [B, B]
for row in naive:
    print("  ".join(f"{value:5.2f}" for value in row))

# %% [markdown]
# The diagonal need not be 1, it only has to be larger than the rest of its row and column: so 0.16 is enough. In row
# 1 the diagonal is not the largest: the texts of image 0 fit as well as its own, because the two lists are nearly the
# same.
#
# Flattened and normalised, the whole table is one matrix product.


# %%
def cosines(queries, texts):
    images = F.normalize(queries.flatten(1), dim=-1)  # [B, Q * C], length 1
    return images @ F.normalize(texts.flatten(1), dim=-1).T  # [B, B]


proved("equal", cosines(queries, texts), naive, atol=1e-5)

# %% [markdown]
# **The image is the unit, not the slot.** Two consequences:
#
# * A slot counts as much as its vectors are long. The mean of the slots' own cosines is another number.
# * The slots have an order. Shuffle the texts of every list, and little of the diagonal is left.

# %%
by_slot = F.cosine_similarity(queries[0], texts[0], dim=-1)  # [Q]
torch.manual_seed(0)
shuffled = cosines(queries, texts[:, torch.randperm(texts.shape[1])])
print(f"whole lists {naive[0, 0]:.2f}, mean over slots {by_slot.mean():.2f}")
print(f"diagonal: in order {naive.diagonal().mean():.2f}, shuffled {shuffled.diagonal().mean():.2f}")

# %% [markdown]
# ## Temperature
#
# A softmax over a row should say: *of these texts, which belong to image $i$?* Cosines lie too close together
# for that, so they are divided by a *temperature* $\tau$. It begins at 0.07 and is learned.
#
# The model stores $\ln(1/\tau)$, so that any number is allowed and the temperature still is positive. The
# factor $1/\tau$, the *scale*, is clamped at 100: else it would grow without end once all is right.


# %%
def scale_of(logit_scale):
    return logit_scale.exp().clamp(max=100)


start, learned = torch.tensor(1 / 0.07).log(), output.logit_scale.detach()
for name, logit_scale in (("start", start), ("learned", learned), ("far off", torch.tensor(9.0))):
    print(f"{name:<8} stored {logit_scale:.2f}  scale {scale_of(logit_scale):5.1f}")

# %% [markdown]
# The row of image 0, as probabilities: without a temperature all texts look alike, with the learned one the right
# list wins.

# %%
for name, scale in (("none", 1.0), ("start", scale_of(start)), ("learned", scale_of(learned))):
    print(f"{name:<8}", "  ".join(f"{p:.2f}" for p in (scale * naive[0]).softmax(0)))

# %% [markdown]
# ## Two questions, one loss
#
# *Image, which text list is yours?* is a softmax over row $i$. *Texts, which image is yours?* is a softmax over
# column $i$. Each costs minus the logarithm of the probability of the right answer (paper, equation 1):
#
# $$L = -\frac1B\sum_i \ln\frac{e^{s_{ii}}}{\sum_j e^{s_{ij}}} \;-\; \frac1B\sum_i
# \ln\frac{e^{s_{ii}}}{\sum_j e^{s_{ji}}}\qquad s_{ij} = \cos(q_i, t_j)\,/\,\tau$$
#
# A sum of both directions, not their mean. Again with loops first.


# %%
import math


def naive_loss(table):  # list [B][B], already divided by the temperature
    total = 0.0
    for i in range(len(table)):
        row = sum(math.exp(table[i][j]) for j in range(len(table)))
        column = sum(math.exp(table[j][i]) for j in range(len(table)))
        total -= math.log(math.exp(table[i][i]) / row) + math.log(math.exp(table[i][i]) / column)
    return total / len(table)


print(f"loss at the start's temperature:   {naive_loss((naive * scale_of(start)).tolist()):.2f}")
print(f"loss at the learned temperature: {naive_loss((naive * scale_of(learned)).tolist()):.2f}")

# %% [markdown]
# The right class of row $i$ is $i$: that is a cross-entropy with the labels 0, 1, 2, ...


# %%
def own_loss(queries, texts, logit_scale):
    table = cosines(queries, texts) * scale_of(logit_scale)  # [B, B]
    labels = torch.arange(len(table))
    return F.cross_entropy(table, labels) + F.cross_entropy(table.T, labels)


own = own_loss(queries, texts, start)
print(f"loss {own:.2f}")
proved("at once = loops", own, naive_loss((naive * scale_of(start)).tolist()), atol=1e-4)

# %% [markdown]
# ## The package's
#
# `similarity` and `contrastive_loss` do the same, in float32 whatever the model computes in. The test
# `tests/losses/test_whole_criterion.py` proves the whole criterion, this loss in it, equal to the published
# model's in `transformers`.

# %%
from oneformer_lite.losses.contrastive import contrastive_loss, similarity

proofs = []
for name, logit_scale in (("start", start), ("learned", learned), ("clamped", torch.tensor(9.0))):
    table = cosines(queries, texts) * scale_of(logit_scale)
    proofs.append(proved(f"{name}: table", table, similarity(queries, texts, logit_scale), atol=1e-4))
    mine, theirs = own_loss(queries, texts, logit_scale), contrastive_loss(queries, texts, logit_scale)
    proofs.append(proved("loss", mine, theirs, atol=1e-4))
sum(proofs[1:], proofs[0])

# %% [markdown]
# ## The gradient by hand
#
# Which cells does the loss pull up, which does it push down? For a cross-entropy the answer is *probability
# minus truth*, here once for the rows and once for the columns:
#
# $$\frac{\partial L}{\partial s} = \frac1B\,(P_\text{rows} - I) + \frac1B\,(P_\text{columns} - I)$$

# %%
table = (cosines(queries, texts) * scale_of(start)).requires_grad_()
labels = torch.arange(4)
(F.cross_entropy(table, labels) + F.cross_entropy(table.T, labels)).backward()

with torch.no_grad():
    pull = (table.softmax(1) + table.softmax(0) - 2 * torch.eye(4)) / 4  # [B, B]
proved("equal", pull, table.grad, atol=1e-6)

# %% [markdown]
# Negative means: the next step makes this cell larger. The strongest push goes to the pairs of images 0 and 1,
# whose lists are nearly the same.

# %%
fig, axis = plt.subplots(figsize=(5, 3.9), dpi=140)
shown = axis.imshow(pull, cmap="RdBu_r", vmin=-0.35, vmax=0.35)
axis.set(xticks=labels, yticks=labels, title="blue is pulled up, red pushed down")
axis.set(xlabel="text list j", ylabel="image i")
for i, j in torch.cartesian_prod(labels, labels).tolist():
    ink = "white" if abs(pull[i, j]) > 0.2 else "black"
    axis.text(j, i, f"{pull[i, j]:.2f}", ha="center", va="center", color=ink)
fig.colorbar(shown, label="dL / ds")
ofl.render.described(fig, "The gradient as a table of four images by four text lists, in colours. On the diagonal all "
                          "numbers are negative; beside it the largest are those between images 0 and 1.")

# %% [markdown]
# From the cell down to the queries, by the chain rule. With $\hat q$, $\hat t$ of length 1, a cosine changes with $q$
# by $(\hat t - \cos(q, t)\,\hat q)\,/\,|q|$: only at a right angle to $q$, because a cosine does not depend on the
# length of $q$.

# %%
flat, unit_t = queries.flatten(1), F.normalize(texts.flatten(1), dim=-1)  # [B, Q * C]
length = flat.norm(dim=-1, keepdim=True)  # [B, 1]
weights = pull * scale_of(start)  # dL / d cosine
by_hand = (weights @ unit_t - (weights * naive).sum(1, keepdim=True) * flat / length) / length

leaf = queries.clone().requires_grad_()
contrastive_loss(leaf, texts, start).backward()
proved("equal", by_hand, leaf.grad.flatten(1), atol=1e-6)

# %% [markdown]
# The temperature learns too: $\partial L / \partial \ln(1/\tau) = \sum_{ij} \partial L/\partial s_{ij} \cdot s_{ij}$,
# and 0 where the scale is clamped.

# %%
for name, logit_scale in (("start", start), ("clamped", torch.tensor(9.0))):
    leaf = logit_scale.clone().requires_grad_()
    contrastive_loss(queries, texts, leaf).backward()
    print(f"{name:<8} {leaf.grad:.2f}")
print("by hand ", f"{(pull * table.detach()).sum():.2f}")

# %% [markdown]
# ## A batch of one
#
# With one image the softmax has one entry, and its probability is 1. The loss is **exactly 0**, for any queries,
# and so is every gradient: the text mapper learns nothing at all.
#
# A curve that lies at zero looks like success. Issue 56 of the official repository reports such a contrastive loss.
# (Lesson 09 is about another zero, that of a class loss.) The package's criterion gives a warning.

# %%
import textwrap
import warnings

alone = torch.randn(1, 32, 96, generator=torch.Generator().manual_seed(0)).requires_grad_()
loss = contrastive_loss(alone, texts[:1], start)
loss.backward()
print("loss", loss.item(), " largest gradient", alone.grad.abs().max().item())

# %% [markdown]
# The warning:

# %%
single = ofl.data.collate([(samples[0], "panoptic")])
with torch.no_grad(), warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    ofl.losses.Criterion(model.config)(model(single.images, single.tasks, texts=single.texts), single.targets)
print(textwrap.fill(str(caught[0].message), 110))

# %% [markdown]
# ## Many processes
#
# Official training runs 16 images on 8 GPUs: 2 on each. Would each image have a single negative then? No: every
# process *gathers* the queries and texts of all others. Its own images are rows, **all** texts are columns, and the
# labels start where its own texts begin. The gradient flows back to the process that owns a text.
#
# Two processes, played by one:


# %%
def one_process(rank, per_process, gathered=True):
    mine = slice(rank * per_process, (rank + 1) * per_process)
    seen = slice(None) if gathered else mine
    labels = torch.arange(per_process) + (rank * per_process if gathered else 0)
    by_image = similarity(queries[mine], texts[seen], start)  # [2, 4]
    by_text = similarity(texts[mine], queries[seen], start)
    return F.cross_entropy(by_image, labels) + F.cross_entropy(by_text, labels)


for words, gathered in (("gathered", True), ("not gathered", False)):
    print(f"{words:<13} {sum(one_process(rank, 2, gathered) for rank in (0, 1)) / 2:.2f}")
print(f"one process   {contrastive_loss(queries, texts, start):.2f}")

# %% [markdown]
# The mean over the processes is the loss of the whole batch, to the last digit. Without gathering the task is
# easier and the loss lower, and with one image on each process it is 0 again. `transformers` does not gather.
#
# `tests/losses/test_distributed.py` proves it with real processes, gradients included.

# %% [markdown]
# ## False negatives
#
# Now the same four pictures, all under "panoptic". Images 2 and 3 then have **equal** text lists. Their text
# queries are the same numbers, and no model can tell which of two equal lists is its own.

# %%
same_task = ofl.data.collate([(sample, "panoptic") for sample in samples])
print("texts that only one of images 2 and 3 has:", len(set(same_task.texts[2]) ^ set(same_task.texts[3])))
with torch.no_grad():
    output = model(same_task.images, same_task.tasks, texts=same_task.texts)
twins = cosines(output.object_queries, output.text_queries)
for row in (scale_of(learned) * twins).softmax(1):
    print("  ".join(f"{p:.2f}" for p in row))

# %% [markdown]
# Rows 2 and 3 must share, at best half and half: each costs at least $\ln 2$. Columns 2 and 3 are one and the same
# column, so together they cost at least $2 \ln 2$. With two of four images, that is a *floor* under the loss:

# %%
floor = 2 * (2 * math.log(2)) / 4
print(f"floor {floor:.2f}, loss {contrastive_loss(output.object_queries, output.text_queries, learned):.2f}")

# %% [markdown]
# The loss lies far above it. Which question costs so much? First *image, which text list is yours?*, for each image:

# %%
table = scale_of(learned) * twins
for i, cost in enumerate(F.cross_entropy(table, labels, reduction="none")):
    print(f"image {i} pays {cost:.1f}")

# %% [markdown]
# Images 2 and 3 are at their floor, ln 2 = 0.7. Now *texts, which image is yours?*, for each text list:

# %%
for j, cost in enumerate(F.cross_entropy(table.T, labels, reduction="none")):
    print(f"text list {j} pays {cost:.1f}")

# %% [markdown]
# Text lists 2 and 3 are equal, so they choose the same image, 3. For one of the two that is wrong: text list 2 pays.
#
# So the loss pushes apart what belongs together. The official authors accept it (their issue 23): mixed tasks and
# COCO's 133 classes make such pairs rare, and telling tasks apart is the aim.

# %% [markdown]
# ## In a crowd
#
# Equal lists are rare, similar ones are not. In the *crowded* Toytown (lesson 10: thirty things a scene, and a checkpoint
# of its own) lists are three times as long. We compare the two towns, each with its own model, on 24 held-out scenes,
# all under "panoptic". First the lists: of the different sentences that two of them have together, how many are in both?

# %%
towns = {"Toytown": (model, ofl.data.Toytown("val", size=128, length=24))}
crowded = ofl.from_pretrained("toytown_crowded").eval()
towns["crowded"] = crowded, ofl.data.Toytown("val", size=256, length=24, crowded=True)
pairs = [(i, j) for i in range(24) for j in range(i)]
for name, (_, scenes) in towns.items():
    lists = [ofl.data.targets_for(scenes[i], "panoptic").texts for i in range(24)]
    sets = [set(texts) for texts in lists]
    common = sum(len(sets[i] & sets[j]) / len(sets[i] | sets[j]) for i, j in pairs) / len(pairs)
    print(f"{name:<8} {sum(map(len, lists)) / 24:.0f} texts a scene; two scenes share {100 * common:.0f} % of the sentences")

# %% [markdown]
# Then the cosines of every image with every list, [24, 24]:


# %%
def all_pairs(of_town, scenes):
    """Cosines of 24 images and 24 text lists, made in batches of eight."""
    queries, texts = [], []
    for first in (0, 8, 16):
        eight = ofl.data.collate([(scenes[i], "panoptic") for i in range(first, first + 8)])
        with torch.no_grad():
            output = of_town(eight.images, eight.tasks, texts=eight.texts)
        queries.append(output.object_queries)
        texts.append(output.text_queries)
    return cosines(torch.cat(queries), torch.cat(texts))


tables = {name: all_pairs(*town_) for name, town_ in towns.items()}
fig, axes = plt.subplots(1, 2, figsize=(8, 3.8), dpi=110, layout="constrained")
for axis, (name, table) in zip(axes, tables.items()):
    shown = axis.imshow(table, cmap="viridis", vmin=-0.2, vmax=0.25)
    axis.set(title=name, xlabel="text list", ylabel="image", xticks=(0, 10, 20), yticks=(0, 10, 20))
fig.colorbar(shown, ax=axes, label="cosine")
ofl.render.described(fig, "Two tables of 24 images by 24 text lists. Toytown: a bright diagonal on dark ground. Crowded: "
                          "the whole table is rather bright, and its diagonal hardly stands out.")

# %% [markdown]
# In Toytown the diagonal stands out. In the crowd everything resembles everything. In numbers:

# %% tags=["nbval-ignore-output"]
def told(table):
    others = table[~torch.eye(24, dtype=torch.bool)].mean()
    right = int((table.argmax(1) == torch.arange(24)).sum())
    return f"own list {table.diagonal().mean():.2f}, another's {others:.2f}; {right} of 24 images find their list"


for name, table in tables.items():
    print(f"{name:<8} {told(table)}")

# %% [markdown]
# Far fewer images of the crowd have their own list before all others. Is it the *pictures*, whose lists have more in
# common, or is it the *model*? Change one of the two: the crowd's model, in the plain town, at the size that it knows.

# %% tags=["nbval-ignore-output"]
print(told(all_pairs(crowded, ofl.data.Toytown("val", size=256, length=24))))

# %% [markdown]
# No better, though these lists differ as much as before. So it is not the lists of these pictures that keep it from
# telling them apart: it has not learned to. (Pictures with few things are strange to it, too, which may cost something.)
# One guess is that in its training the lists that met in a batch had more in common, and the loss asks only for what
# tells them apart. To know, one would have to train for it.

# %% [markdown]
# ## Look inside
#
# `ContrastInspector` shows the table and its two softmaxes, the loss at every temperature, and what each slot adds.
# *Lead* is how far a pair lies above the next best. Purple frames are false negatives, equal lists or nearly equal
# ones; the black frame is the pair that is looked at below, the hardest negative at first. (It reads pictures at the
# size of prediction, 160 pixels instead of 128, so its numbers differ a little from those above.)

# %%
from oneformer_lite.widgets import ContrastInspector

inspector = ContrastInspector(model, list(zip(samples, TASKS)))
inspector

# %% [markdown]
# Lower left, the loss against the temperature: the learned one sits near the clamp. Lower middle, what each slot adds
# to the cosine of the pair: sentences (blue) more than padding (grey), context (orange) against it; the black marks are
# the same slots with the image's own texts.
#
# Now all under one task, with the twins of above; then back, at the temperature of the start:

# %%
print(inspector.set(tasks="panoptic", row=2, column=3))
print(inspector.set(tasks="given", temperature=0.07))

# %% [markdown]
# ## Break it
#
# A small training shows what each does. The object queries of eight scenes stay as they are, the texts are free numbers.
# At the start all text lists resemble image 0, as an untrained text mapper makes all texts alike. The *margin* of a
# text: cosine with its own image minus the best other; above 0 the text finds its image.

# %%
eight = ofl.data.collate([(town[i], "panoptic") for i in range(8, 16)])
with torch.no_grad():
    fixed = model(eight.images, eight.tasks, texts=eight.texts).object_queries  # [8, Q, C]


def margin(queries, texts):
    table = cosines(queries, texts).detach()
    others = table.masked_fill(torch.eye(len(table), dtype=torch.bool), -1).max(0).values
    return (table.diagonal() - others).mean().item()


# %% [markdown]
# The training itself, for any loss:


# %%
def train_texts(loss, steps=150):
    torch.manual_seed(0)
    texts = (fixed[:1] + 0.3 * torch.randn_like(fixed)).requires_grad_()
    logit_scale = start.clone().requires_grad_()
    optimizer = torch.optim.Adam([texts, logit_scale], lr=0.01)
    curve = []
    for _ in range(steps):
        value = loss(fixed, texts, logit_scale)
        curve.append((value.item(), margin(fixed, texts)))
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
    return curve, int((cosines(fixed, texts).argmax(0) == torch.arange(8)).sum())


# %% [markdown]
# Three ways to break it: each image alone (a batch of one, eight times), rows without columns, and the stored
# number used as the scale without the exponential.


# %%
def each_alone(queries, texts, logit_scale):
    return sum(contrastive_loss(queries[i : i + 1], texts[i : i + 1], logit_scale) for i in range(8)) / 8


def rows_only(queries, texts, logit_scale):
    return F.cross_entropy(similarity(queries, texts, logit_scale), torch.arange(8))


def no_exponential(queries, texts, logit_scale):
    table = cosines(queries, texts) * logit_scale
    return F.cross_entropy(table, torch.arange(8)) + F.cross_entropy(table.T, torch.arange(8))


LOSSES = {"whole": contrastive_loss, "batch of one": each_alone}
LOSSES |= {"rows only": rows_only, "no exp": no_exponential}
trained = {name: train_texts(loss) for name, loss in LOSSES.items()}
for name, (curve, found) in trained.items():
    print(f"{name:<13} loss {curve[-1][0]:.1f}, {found} of 8 texts find their image")

# %% [markdown]
# Left what the log shows, right what was learned:

# %%
fig, axes = plt.subplots(1, 2, figsize=(9, 3.4), dpi=110)
for (name, (curve, _)), color in zip(trained.items(), ("#0072b2", "#d55e00", "#009e73", "#b0609a")):
    for axis, values in zip(axes, zip(*curve)):
        axis.plot(values, label=name, color=color, linewidth=2)
axes[1].axhline(0, color="#1f2430", linewidth=0.8, linestyle="--")
axes[0].set(xlabel="step", ylabel="contrastive loss", title="the loss that is reported")
axes[1].set(xlabel="step", ylabel="margin (cosine)", title="do texts find their image? (above 0)")
axes[0].legend(frameon=False)
fig.tight_layout()
ofl.render.described(fig, "Two plots over 150 steps, four lines each. Left, the loss: it falls for whole, rows only "
                          "and no exp, and is 0 throughout for a batch of one. Right, the margin: it rises above 0 "
                          "for whole and no exp alone.")

# %% [markdown]
# * **Batch of one** (orange): the best-looking loss, and nothing is learned.
# * **Rows only** (green): the loss goes to zero, yet every text still prefers image 0. A softmax over a row compares
#   texts for one image, never two images. So what all texts have in common is not removed.
# * **No exponential** (purple): a scale of 2.7 in place of 14. Texts find their images, but the loss stays high.
#
# The last one has a floor of its own. The best that eight directions can do is 1 on the diagonal and -1/7 beside it,
# and even that makes a flat softmax:

# %%
perfect = (8 * torch.eye(8) - 1) / 7  # [8, 8]
for name, scale in (("with exp", scale_of(start)), ("no exp", start)):
    lowest = 2 * F.cross_entropy(scale * perfect, torch.arange(8))
    print(f"{name:<9} scale {scale:4.1f}  lowest loss {lowest:.2f}")

# %% [markdown]
# A loss that cannot be satisfied never stops pulling at the object queries, right or not.

# %% [markdown]
# ## What is simplified here, and where the official code differs
#
# * Nothing is simplified. The official code is `oneformer/modeling/criterion.py`, `loss_contrastive`.
# * The paper writes equation 1 over *object-text query pairs*; the code flattens all queries of an image to one
#   vector, as here.
# * The object queries are those of lesson 06, *before* the masked decoder; the loss is counted once, while the
#   others are counted for every prediction (lesson 09b). Its weight is 0.5.
# * We keep $\ln(1/\tau)$ in the text mapper, the official code in the criterion.

# %% [markdown]
# ## In the package
#
# * `losses.contrastive.similarity`: the scaled cosines of images and text lists
# * `losses.contrastive.contrastive_loss`: cross-entropy over rows plus cross-entropy over columns
# * `losses.contrastive.gather`: queries and texts of all processes, with gradient
# * `inspectors.contrast.reading.lowest_loss`: the floor that equal text lists set
#
# ## Summary
#
# * Each image is one vector, each text list is one vector; the loss is a cross-entropy in both directions.
# * The temperature is stored as a logarithm, exponentiated, clamped at a scale of 100.
# * The negatives are the other images of the batch: with one image there are none, and the loss is exactly 0.
#
# **Ask yourself**
#
# <details><summary>Why are the vectors normalised before the product?</summary>
# Else the model could lower the loss by making vectors longer instead of more alike, and long text lists would win
# every row.</details>
#
# <details><summary>The contrastive loss of your run is 0.0000 from the first step on. What do you look at?</summary>
# At the number of images that are compared: batch size per process, times processes if they gather. If it is one,
# the loss is 0 by construction.</details>
#
# <details><summary>All images of a batch have the same task and the same classes. What is the best possible
# loss?</summary>
# All B lists are equal, so each probability is 1/B at best: 2 ln B.</details>
#
# <details><summary>Why does the text of slot 3 teach object query 3, though nobody matched them?</summary>
# The flattened vectors are compared place by place. Slots follow the class order, so query 3 sees different classes
# in different images; what is stable is how many sentences there are, which classes come early, and the task's
# padding.</details>
#
# <details><summary>Why may prediction drop the text mapper?</summary>
# Object queries never read the text queries. The texts act through the gradient alone.</details>
