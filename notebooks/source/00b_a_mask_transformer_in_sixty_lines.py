# %% [markdown]
# # 00b · A mask transformer in sixty lines
#
# Lesson 00 used a trained model. Now you build the smallest one of its kind: pictures of 8 x 8 pixels, two squares,
# three queries. It trains in seconds, on this page, and its numbers can be added up on paper.
#
# **What is the least that makes a mask transformer?**
#
# *Goals:* say what a query, a mask and a match are; compute attention by hand. *Before:* PyTorch, lesson 00.
# *Minutes:* 50. *Letters:* B pictures, Q queries, G squares, K classes, C channels; in an attention n queries and m keys of d numbers,
# values of c numbers ([glossary](GLOSSARY.md)).

# %% [markdown]
# ## A picture of 64 pixels
#
# Two channels, red and blue. Each picture has two squares, which do not overlap; each square is red or blue.

# %%
import itertools
import math

import matplotlib.pyplot as plt
import numpy as np
import oneformer_lite as ofl
import torch
import torch.nn.functional as F
from oneformer_lite.lessons import proved
from torch import nn

SIDE, Q, K, C = 8, 3, 2, 32
NOTHING = K  # the class after the last: "no object"


def square(row, column, side):
    """bool [64]"""
    mask = torch.zeros(SIDE, SIDE, dtype=torch.bool)
    mask[row : row + side, column : column + side] = True
    return mask.flatten()


# %% [markdown]
# The picture for the sums on paper: a red square of nine pixels, a blue one of four.

# %%
masks = torch.stack([square(1, 1, 3), square(5, 4, 2)]).float()  # [G, 64]
labels = torch.tensor([0, 1])  # red, blue
picture = masks.view(2, SIDE, SIDE)  # [K, 8, 8]: the masks are the channels here
for row in (picture[0] + 2 * picture[1]).int().tolist():
    print(" ".join("·rb"[value] for value in row))

# %% [markdown]
# ## A query is a vector, a mask is a dot product
#
# Describe each pixel by three numbers: red, blue, and a 1 that is always there. A query has three numbers as well.
# Multiply them one by one, and add: that is the **dot product**. Above 0 means *this pixel is mine*. (The 1 lets a
# query set its threshold: what stands at that place, here −3, is added everywhere. In a layer it is called *bias*.)
#
# Three queries, made by hand:

# %%
pixels = torch.cat([picture, torch.ones(1, SIDE, SIDE)]).flatten(1).T  # [64, 3]
queries = torch.tensor([[6.0, 0, -3], [0, 6, -3], [0, 0, -3]])  # [Q, 3]
mask_logits = queries @ pixels.T  # [Q, 64]
for name, place in (("background", 0), ("red", 9), ("blue", 44)):
    print(f"{name:<10} pixel {pixels[place].int().tolist()}: logits {mask_logits[:, place].int().tolist()}")

# %% [markdown]
# Check one on paper: query 0 on a red pixel is 6·1 + 0·0 − 3·1 = 3. Such a score is called a **logit**. The
# **sigmoid**, 1 / (1 + e^−x), makes a probability of it: how sure the query is that the pixel is its own.

# %%
for logit in (-3.0, 3.0):
    print(f"logit {logit:4.0f}: probability {1 / (1 + math.exp(-logit)):.2f}")

# %% [markdown]
# The three masks as pictures, white is *mine*. The third query wants nothing. Real pictures differ in how many segments
# they have, so a model has more queries than it needs; our pictures have two squares each, and one query is spare.


# %%
def shown(mask, scale=14):
    """Probabilities [64] -> uint8 [H, W, 3]"""
    grey = (255 * mask.detach().view(SIDE, SIDE)).byte().numpy().repeat(scale, 0).repeat(scale, 1)
    return np.stack([grey] * 3, -1)


def colored(picture, scale=14):
    """[2, 8, 8] -> the squares in their colours, on grey"""
    painted = np.full((SIDE, SIDE, 3), 232, dtype=np.uint8)
    painted[picture[0].numpy() > 0], painted[picture[1].numpy() > 0] = (213, 94, 0), (0, 114, 178)
    return painted.repeat(scale, 0).repeat(scale, 1)


# %% [markdown]
# From left to right: the picture, and what each query wants.

# %%
sheet = ofl.render.contact_sheet(
    [[colored(picture), *map(shown, mask_logits.sigmoid())]], ["picture", "query 0", "query 1", "query 2"]
)
words = (
    "A red square of 3 x 3 pixels at the upper left, a blue one of 2 x 2 at the lower right; then three masks on "
    "black: query 0 is white on the red square only, query 1 on the blue one only, query 2 nowhere"
)
ofl.render.described(sheet, words)

# %% [markdown]
# A query also says a **class**: red, blue, or *no object*. In lesson 00, a linear layer made these scores; here we
# write the probabilities down.

# %%
class_probabilities = torch.tensor([[0.8, 0.1, 0.1], [0.2, 0.6, 0.2], [0.1, 0.1, 0.8]])  # [Q, K+1]

# %% [markdown]
# That is an answer: three vectors gave three classes and three masks. Two questions are left. Who tells the model
# which query should answer for which square? And where do the vectors come from, for *two red* squares?

# %% [markdown]
# ## Who answers for whom: the match
#
# Each query is compared with each square. The **cost** is low if class and mask fit:
#
# * minus the probability of the right class;
# * **BCE**: −log of the probability of being right, the mean over the pixels;
# * **dice**: 1 − (2 · what both share + 1) / (mask + square + 1): 0 if they cover each other. (The 1 keeps it from
#   being 0 / 0 where both are empty.)
#
# *Mask* has two meanings here: what a query answers, 64 logits, and what is right, the 64 zeros and ones of a square.


# %%
def bce_and_dice(mask_logits, masks):
    """[B, Q, 64], [B, G, 64] -> two costs [B, Q, G], every query with every square"""
    x, y = mask_logits[:, :, None], masks[:, None]  # [B, Q, 1, 64], [B, 1, G, 64]: together every pair
    p = x.sigmoid()
    bce = -(y * F.logsigmoid(x) + (1 - y) * F.logsigmoid(-x)).mean(-1)  # log p on the square, log(1 - p) outside
    return bce, 1 - (2 * (p * y).sum(-1) + 1) / (p.sum(-1) + y.sum(-1) + 1)


# %% [markdown]
# For our three queries and two squares, six costs:

# %%
bce, dice = bce_and_dice(mask_logits[None], masks[None])
costs = -class_probabilities[None][:, :, labels] + bce + dice  # [B, Q, G]
print(costs[0].numpy().round(2))
print("dice of the right pairs:", [round(float(dice[0, i, i]), 2) for i in range(2)])

# %% [markdown]
# Even where mask and square cover each other, dice is above 0: the query is only 0.95 sure of its own pixels, and 0.05
# of each of the others adds up.
#
# Choose a query for square 0 and another for square 1: 3 x 2 = 6 ways. Take the one with the smallest *total*. That
# is all of the matching.

# %%
WAYS = torch.tensor(list(itertools.permutations(range(Q), 2)))  # [6, 2]: who has square 0, who has square 1


def match(costs):
    """[B, Q, 2] -> the query of each square [B, 2]"""
    totals = torch.stack([costs[:, a, 0] + costs[:, b, 1] for a, b in WAYS.tolist()], 1)  # [B, 6]
    return WAYS[totals.argmin(1)]


print("the queries of the red and of the blue square:", match(costs)[0].tolist())

# %% [markdown]
# ## What is paid: the loss
#
# Matched queries should say the class of their square, the other one *no object*: all three pay the **cross-entropy**,
# −log of the probability of what should be said. Matched masks pay BCE and dice, too. The loss is a weighted sum. Its
# weights are a choice; in the cost all were 1. (OneFormer takes 2, 5 and 5 in both.)

# %%
WEIGHTS = {"class": 1, "bce": 2, "dice": 2}
wanted = torch.tensor([0, 1, NOTHING])  # query 0: red, query 1: blue, query 2: nothing
terms = {
    "class": -class_probabilities[range(Q), wanted].log().mean(),
    "bce": bce[0, [0, 1], [0, 1]].mean(),
    "dice": dice[0, [0, 1], [0, 1]].mean(),
}
print({name: round(float(value), 2) for name, value in terms.items()})

# %% [markdown]
# The whole **criterion** in one drawing: cost, match, loss. Its numbers are those of the tensors above:

# %%
ofl.drawings.criterion(costs[0], match(costs)[0], terms, WEIGHTS, masks=["red", "blue"])

# %% [markdown]
# ## Attention on three vectors
#
# Now the vectors. A query cannot know beforehand where the squares are: it has to look at the picture. It looks by
# **attention**. Each vector that looks has a *query*, which says what it looks for; each that can be looked at has a
# *key*, which says what is there, and a *value*, which is what one gets.
#
# (So *query* has two meanings. The queries above are *object queries*: they end as a class and a mask. In an attention,
# any vector can be the query. In our model the object queries will be the ones that look.)
#
# 1. The *score* is the dot product of query and key, divided by √d, where d is how many numbers each of them has.
#    (Sums of many products are large; without the root the softmax would give nearly everything to one key.)
# 2. The **softmax** makes weights of the scores: e to each score, divided by the sum, so that they add up to 1.
# 3. The *result* is the sum of the values, each times its weight.

# %%
q = torch.tensor([[1.0, 1, 0, 0], [2, 0, 0, 0], [0, 0, 1, 0]])
k = torch.tensor([[2.0, 0, 0, 0], [0, 2, 0, 0], [2, 2, 0, 0]])
v = torch.tensor([[6.0, 0], [0, 6], [9, 6]])
scores = [(1 * 2 + 1 * 0) / 2, (1 * 0 + 1 * 2) / 2, (1 * 2 + 1 * 2) / 2]  # q1 with k1, k2, k3; √4 = 2
print("scores ", scores)

# %% [markdown]
# Scores to weights:

# %%
powers = [math.exp(score) for score in scores]
by_hand = [power / sum(powers) for power in powers]
print("powers ", [round(power, 2) for power in powers], "sum", round(sum(powers), 2))
print("weights", [round(weight, 2) for weight in by_hand])

# %% [markdown]
# For all three queries at once it is two lines, the only ones here that you need to know by heart (`k.mT` swaps the
# last two axes):


# %%
def attend(q, k, v):
    """[..., n, d], [..., m, d], [..., m, c] -> results [..., n, c], weights [..., n, m]"""
    weights = (q @ k.mT / math.sqrt(q.shape[-1])).softmax(-1)
    return weights @ v, weights


# %% [markdown]
# Weights, then results. (Computed with all digits: on paper, with two of each weight, a result may differ by a few
# hundredths.)

# %%
results, weights = attend(q, k, v)
print(weights.numpy().round(2))
print(results.numpy().round(2))

# %% [markdown]
# The same numbers, with the way between them. Look at the third query: it asks for something that nobody has. All
# scores are equal, so it gets the mean of everything.

# %%
ofl.drawings.attention(q, k, v)

# %% [markdown]
# PyTorch has the same in one call, and agrees with the sum on paper:

# %%
theirs = F.scaled_dot_product_attention(q, k, v)
proved("ours = torch", results, theirs, atol=1e-6) + proved("hand = torch", torch.tensor(by_hand) @ v, theirs[0], atol=1e-6)

# %% [markdown]
# One more thing that later lessons use: an **attention mask**, the third meaning of *mask*, says where a query may
# look. Elsewhere the score becomes minus infinity, and e to that is 0. Here each query may look at what stands before
# it, and at its own place (lesson 05). In lesson 10 a query may look only inside its own mask of the layer before.

# %%
ofl.drawings.attention(q, k, v, allowed=torch.ones(3, 3).tril())

# %% [markdown]
# ## The sixty lines
#
# A **transformer** is a stack of layers of such attention. In a layer the queries *look* at the pixels, *talk* to each
# other (attention among the queries, so that two do not claim one square), and each *thinks* for itself (two linear
# layers). Query, key and value come from three linear layers: what a vector looks for, what it shows and what it
# gives are learned apart.


# %%
class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(C, C) for _ in range(3))

    def forward(self, x, memory):
        result, self.weights = attend(self.q(x), self.k(memory), self.v(memory))
        return result


# %% [markdown]
# What each step finds is added to what was there, and *normalised* by a `LayerNorm`: minus the mean of the vector's
# numbers, divided by their standard deviation. So the numbers do not grow from layer to layer.


# %%
class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.look, self.talk = Attention(), Attention()
        self.think = nn.Sequential(nn.Linear(C, 2 * C), nn.ReLU(), nn.Linear(2 * C, C))
        self.norms = nn.ModuleList(nn.LayerNorm(C) for _ in range(3))

    def forward(self, x, pixels):
        x = self.norms[0](x + self.look(x, pixels))
        x = self.norms[1](x + self.talk(x, x))
        return self.norms[2](x + self.think(x))


# %% [markdown]
# And the whole model. `places` is a learned vector for each of the 64 places, for a convolution does not tell them
# apart; `mix` joins what is there with where it is. Lines have letters: A to E here, F (the match) and the others
# below. Lessons 01 to 13 replace them, one after the other.


# %%
class MaskTransformer(nn.Module):
    def __init__(self, layers=2):
        super().__init__()
        self.backbone = nn.Conv2d(2, C, kernel_size=3, padding=1)
        self.places = nn.Parameter(torch.randn(SIDE * SIDE, C))
        self.mix = nn.Sequential(nn.Linear(C, C), nn.ReLU(), nn.Linear(C, C))
        self.queries = nn.Parameter(torch.randn(Q, C))
        self.layers = nn.ModuleList(Layer() for _ in range(layers))
        self.class_head, self.mask_head = nn.Linear(C, K + 1), nn.Linear(C, C)

    def forward(self, pictures):
        features = self.backbone(pictures).flatten(2).mT  # line A: [B, 64, C]
        pixels = features + self.places  # line B
        pixels = pixels + self.mix(pixels)
        x = self.queries.expand(len(pictures), -1, -1)  # line C: [B, Q, C]
        for layer in self.layers:
            x = layer(x, pixels)  # line D
        return self.class_head(x), self.mask_head(x) @ pixels.mT  # line E: [B, Q, K+1], [B, Q, 64]


# %% [markdown]
# The loss of a batch, as computed by hand above. With it, model, match and loss are complete, in some sixty lines:


# %%
def loss_of(model, pictures, masks, labels):
    class_logits, mask_logits = model(pictures)
    bce, dice = bce_and_dice(mask_logits, masks)
    rows, squares = torch.arange(len(pictures))[:, None], torch.arange(2)
    # of each picture take the columns of its two labels: [B, G, Q], then turned
    probability = class_logits.softmax(-1)[rows, :, labels].mT  # [B, Q, G]
    best = match((bce + dice - probability).detach())  # line F: [B, G]; a choice has no gradient
    wanted = torch.full((len(pictures), Q), NOTHING)
    wanted[rows, best] = labels
    class_loss = F.cross_entropy(class_logits.mT, wanted)
    mask_loss = bce[rows, best, squares].mean() + dice[rows, best, squares].mean()
    return class_loss + 2 * mask_loss  # line G


# %% [markdown]
# Pictures to learn from. The sides of the squares are two or three pixels, places and colours are random:


# %%
def scenes(count, seed):
    """Pictures [B, 2, 8, 8], masks [B, 2, 64], labels [B, 2]"""
    random = np.random.default_rng(seed)
    pairs = []
    while len(pairs) < count:
        sides = random.integers(2, 4, 2)
        pair = torch.stack([square(*random.integers(0, SIDE - side + 1, 2), side) for side in sides])
        if not pair.all(0).any():
            pairs.append(pair)
    masks, labels = torch.stack(pairs).float(), torch.from_numpy(random.integers(0, K, (count, 2)))
    pictures = F.one_hot(labels, K).float().mT @ masks  # line H: [B, K, G] times [B, G, 64], each into its colour
    return pictures.view(-1, K, SIDE, SIDE), masks, labels


# %% [markdown]
# Training: look at some pictures, compute the loss, take a small step downhill.


# %%
def train(model, steps=300, batch=64):
    pictures, masks, labels = scenes(2048, seed=0)
    optimizer, history = torch.optim.Adam(model.parameters(), lr=4e-3), []
    for step in range(steps):
        some = torch.arange(step * batch, (step + 1) * batch) % len(pictures)
        loss = loss_of(model, pictures[some], masks[some], labels[some])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()  # line I
        history.append(loss.item())
    return history


# %% [markdown]
# ## A run

# %%
torch.manual_seed(0)
model = MaskTransformer()
history = train(model)
print(f"mean loss of the first ten steps: {sum(history[:10]) / 10:.0f}, of the last ten below 1:", sum(history[-10:]) / 10 < 1)

# %% [markdown]
# The curve:

# %%
figure, axes = plt.subplots(figsize=(7, 2.6), layout="constrained")
axes.plot(history, color="#0072b2")
axes.set(xlabel="step", ylabel="loss", ylim=(0, None))
words = "The loss over 300 steps: from above 5 to below 1 within the first 50, then slowly on towards 0.2"
ofl.render.described(figure, words)

# %% [markdown]
# Now new pictures. There are few different ones in so small a world, so a new one is often one of the training. We
# leave those out.

# %%
known = {picture.numpy().tobytes() for picture in scenes(2048, seed=0)[0]}
drawn = scenes(500, seed=1)
new = torch.tensor([picture.numpy().tobytes() not in known for picture in drawn[0]])
new_pictures, new_masks, new_labels = (part[new] for part in drawn)
same = new_labels[:, 0] == new_labels[:, 1]
print(f"{len(new)} drawn, {new.sum()} of them new, {same.sum()} of these with two squares of one colour")

# %% [markdown]
# Two of them with both colours, two with one colour. Beside each mask: what the query says.

# %%
chosen = [*(~same).nonzero()[:2, 0].tolist(), *same.nonzero()[3:5, 0].tolist()]
NAMES = ["red", "blue", "no object"]


def answers(model, chosen):
    with torch.no_grad():
        class_logits, mask_logits = model(new_pictures[chosen])
    columns = []
    for picture, classes, masks in zip(new_pictures[chosen], class_logits.argmax(-1), mask_logits.sigmoid()):
        titles = ["picture", *(NAMES[label] for label in classes.tolist())]
        tiles = [[colored(picture, 12)], *([shown(mask, 12)] for mask in masks)]
        columns.append(ofl.render.contact_sheet(tiles, row_titles=titles, font_size=12))
    return ofl.render.contact_sheet([columns])


words = (
    "Four pictures, each with its three masks and what the queries say. In all of them two queries say the colours of "
    "the squares, each with the mask of one; the third says no object, and its mask means nothing"
)
ofl.render.described(answers(model, chosen), words)

# %% [markdown]
# The mask of a query that says *no object* does not count: nothing in training told it what to be.
#
# How good is it? The **IoU** of a mask and a square is what both share, divided by what either has. A square is *found*
# if the IoU with its query's mask is above one half and the class is right. The match needs the true squares, so it is
# no part of the answer: it judges. It compares masks alone here; the class is judged after it.


# %%
def found(model):
    """bool [B, 2]: which squares are found"""
    with torch.no_grad():
        class_logits, mask_logits = model(new_pictures)
        bce, dice = bce_and_dice(mask_logits, new_masks)
        best, rows = match(bce + dice), torch.arange(len(new_pictures))[:, None]  # by masks alone
        guess, truth = mask_logits[rows, best] > 0, new_masks.bool()
        iou = (guess & truth).sum(-1) / (guess | truth).sum(-1)
        return (iou > 0.5) & (class_logits[rows, best].argmax(-1) == new_labels)  # line J


def report(name, model):
    """Percent of the squares found, in pictures with two colours and with one"""
    two, one = (100 * float(found(model)[some].float().mean()) for some in (~same, same))
    told = ["more than 80 %" if share > 80 else "less than 40 %" if share < 40 else "between" for share in (two, one)]
    print(f"{name:<15} two colours: {told[0]}, one colour: {told[1]}")
    return two, one


shares = {"as it should be": report("as it should be", model)}

# %% [markdown]
# ## Where do they look?
#
# The weights of line D in the first layer, for the first of these pictures. Each query has 64, whose sum is 1; white is
# its largest.

# %%
with torch.no_grad():
    model(new_pictures[chosen])
looks = model.layers[0].look.weights[0]  # [Q, 64]
tiles = [colored(new_pictures[chosen[0]]), *(shown(weights / weights.max()) for weights in looks)]
sheet = ofl.render.contact_sheet([tiles], ["picture", "query 0", "query 1", "query 2"])
words = "The 64 weights of each query, white on black: a few bright pixels on and beside a square, the rest nearly black"
ofl.render.described(sheet, words)

# %% [markdown]
# ## Which lesson replaces which line
#
# | line | here | lesson | there |
# |---|---|---|---|
# | H | two squares, masks and labels | lesson 01 | one annotation, three kinds of targets |
# | A | one convolution | lesson 02 | a trained backbone, four maps |
# | B | a learned vector for each place | lesson 03 | the pixel decoder: the maps talk to each other |
# | C | three learned queries | lesson 04, lesson 06 | queries that know the task and have seen the picture |
# | F | six ways, the cheapest | lesson 08 | the Hungarian algorithm |
# | G | class, BCE, dice | lesson 09, lesson 09b, lesson 07 | on points, after every layer; and a loss on sentences, made in lesson 05 |
# | D, E | look anywhere | lesson 10 | look only inside the own mask, layer by layer |
# | J | above one half | lesson 11, lesson 12 | from queries to pictures, PQ, AP and mIoU |
# | I | a step of Adam | lesson 13 | recipes, curves, checkpoints |
#
# ## What is simplified here
#
# * No task: one kind of answer. No text. No stuff: the background belongs to nobody.
# * One head in the attention, one map, a vector for each of 64 places. At full size that would be a table for each
#   size of picture; the published models have sine waves (lesson 06).
# * Six ways can be tried one by one. With 150 queries nobody could.

# %% [markdown]
# ## Break it
#
# **No layers**: the queries never look at the picture; they are the same three vectors for every picture. **No
# places**: a pixel's vector tells its colour and, from the 3 x 3 convolution, that of its neighbours, but not where it
# is.

# %%
torch.manual_seed(0)
blind = MaskTransformer(layers=0)
torch.manual_seed(0)
lost = MaskTransformer()
lost.places = nn.Parameter(torch.zeros(SIDE * SIDE, C), requires_grad=False)
for broken in (blind, lost):
    train(broken)

# %% [markdown]
# How many squares do they find?

# %%
for name, broken in (("no layers", blind), ("no places", lost)):
    shares[name] = report(name, broken)

# %% [markdown]
# As bars. (The exact numbers differ a little from machine to machine.)

# %%
figure, axes = plt.subplots(figsize=(7, 2.2), layout="constrained")
for shift, (kind, color) in enumerate((("two colours", "#56b4e9"), ("one colour", "#d55e00"))):
    bars = axes.barh(np.arange(3) + 0.36 * shift, [share[shift] for share in shares.values()], 0.34, color=color)
    axes.bar_label(bars, fmt=f" %.0f, {kind}", fontsize=9)
axes.set(yticks=np.arange(3) + 0.18, xlim=(0, 128), xlabel="squares found, percent", xticks=(0, 50, 100))
axes.set_yticklabels(shares)
axes.invert_yaxis()
words = "Squares found, percent. Two colours: most, in all three models. One colour: most as it should be, else few"
ofl.render.described(figure, words)

# %% [markdown]
# Both can still tell colours apart, as the vectors that we made by hand do. But look at two squares of one colour:

# %%
models = {"as it should be": model, "no layers": blind, "no places": lost}
sheet = ofl.render.contact_sheet([[answers(m, chosen[3:]) for m in models.values()]], list(models))
words = (
    "Two red squares apart from each other, for three models. As it should be: two queries say red, each with one "
    "square. No layers: the query that says red has both squares in its mask. No places: two queries say red, both with both"
)
ofl.render.described(sheet, words)

# %% [markdown]
# Without layers one query has both squares; without places two queries have both, each of them. To tell two things of
# one class apart, a query must look, and must know where.

# %% [markdown]
# ## In the package
#
# * `model.base.MaskModel`, pictures in, queries with a class and a mask out: what all models of the package are
# * `drawings.attention.attention`, the drawing, for up to four vectors of yours

# %% [markdown]
# ## Summary
#
# * A query is a vector; its mask is a dot product with every pixel, its class comes from a linear layer.
# * Attention: scores, softmax, a weighted sum of values. Through it queries receive what is in the picture.
# * The match gives each square a query, such that the total cost is least; then all queries pay for their class, and
#   the matched ones for their mask.
#
# **Ask yourself**
#
# <details><summary>What would the third query of the drawing get if k3 did not exist?</summary>
# Two equal scores, so the mean of two values: (3, 3).</details>
#
# <details><summary>Why is the softmax not needed for the masks, but needed for the weights?</summary>
# Weights share out one whole: more for one pixel is less for the others. A mask may have any number of pixels, each is
# asked alone.</details>
#
# <details><summary>Why must the queries of line C be different vectors?</summary>
# Everything after line C is the same for all three. Equal starts stay equal, in every layer: they would give one
# answer three times. (OneFormer's queries begin as copies of one vector, but a learned position is added to each before
# it looks: lesson 06.)</details>
#
# <details><summary>A picture with one square: what would match have to change?</summary>
# One column of costs instead of two, and so three ways instead of six. Two queries should then say "no object".</details>
