# %% [markdown]
# # 09 · The class loss
# The model has made 32 guesses. The matcher (lesson 08) has said which guess answers for which mask.
#
# **How wrong are they?** Training needs the answer as one number that can be differentiated.
#
# This lesson asks for the classes: every query should name one, or say "no object". Lesson 09b asks for the masks and
# adds everything up. Here we solve a case as well: a loss that stayed at zero.
#
# *Instead of* (in the sixty lines of lesson 00b): `class_loss` in `return class_loss + 2 * mask_loss` (line G).
#
# *Goals:* write the class loss; find out why a loss stays at zero. *Before:* lesson 08.
# *Minutes:* 40. *Words and letters:* [glossary](GLOSSARY.md).
#
# Where we are, in the map of the whole model:

# %% tags=["nbval-ignore-output"]
import oneformer_lite as ofl

ofl.drawings.model_map(ofl.from_pretrained("toytown"), ofl.data.Toytown("val", size=128)[13], "09")

# %% [markdown]
# ## A picture to work with
#
# Scene 13 again, at the size the shipped model was trained for, with scene 14 beside it.

# %%
import torch
import torch.nn.functional as F
import oneformer_lite as ofl
from oneformer_lite.lessons import proved

scenes = ofl.data.Toytown("val", size=128)
sample, other = scenes[13], scenes[14]
batch = ofl.data.collate([(sample, "panoptic"), (other, "panoptic")])
targets = batch.targets
print("ground-truth masks in the two images:", [len(t) for t in targets])

# %% [markdown]
# The model's answer after the last decoder layer: for each query a score for each of the K classes, and one more for
# "no object".

# %%
model = ofl.from_pretrained("toytown")
with torch.no_grad():
    output = model(batch.images, batch.tasks)
prediction = output.predictions[-1]
print("classes", list(prediction.class_logits.shape))  # [B, Q, K+1]

# %% [markdown]
# The matcher assigns one query to each mask. Its points are random; with one seed for each image they are the same
# every time.

# %%
from oneformer_lite.losses.matching import Matcher
from oneformer_lite.losses.points import PointSource

c = model.config
matcher = Matcher(c)
assigned = matcher([prediction], targets, PointSource(torch.device("cpu"), [(0, 0), (0, 1)]))[0]
print("scene 13: queries", assigned[0].tolist())

# %% [markdown]
# What is asked of the first six of them, and with which probability they say so:

# %%
said = prediction.class_logits[0].softmax(-1)  # [Q, K+1]
for query, label in zip(assigned[0][:6].tolist(), targets[0].labels.tolist()):
    print(f"query {query:2d} should say {c.class_names[label]:<9} and gives it {said[query, label]:.2f}")

# %% [markdown]
# ## The class loss
#
# Every query should name its class: the matched ones that of their mask, the others **no object**, the last
# of the K + 1 classes. First, one column of targets:

# %%
NO_OBJECT = c.num_classes


def target_classes(targets, assigned, num_queries):
    """[B, Q]: the class that each query should name."""
    classes = torch.full((len(targets), num_queries), NO_OBJECT)
    for image, target, queries in zip(classes, targets, assigned):
        image[queries] = target.labels
    return classes


classes = target_classes(targets, assigned, c.num_queries)
print(classes[0].tolist())

# %% [markdown]
# Most queries have nothing to say. If all counted the same, "no object" would be most of the loss. So their
# cross-entropy counts a tenth, and the mean is a *weighted* mean: the sum of the weights divides, not the
# number of queries.
#
# $$ L_{class} = \frac{\sum_q w_q \, (-\log p_q[\mathrm{class}_q])}{\sum_q w_q}, \qquad w_q = 0.1
# \text{ for no object, else } 1 $$

# %%
def class_loss_slowly(class_logits, classes, no_object=0.1):
    """[B, Q, K+1], [B, Q] -> scalar, query by query."""
    total, weights = 0.0, 0.0
    for logits, label in zip(class_logits.flatten(0, 1), classes.flatten()):
        weight = no_object if label == NO_OBJECT else 1.0
        total = total - weight * logits.log_softmax(-1)[label]
        weights += weight
    return total / weights


# %% [markdown]
# By hand: three queries. The first should say "class 2" and gives it probability ½; the other two should say
# "no object" and are undecided between four classes.

# %%
import math

NO_OBJECT = 3
logits = torch.zeros(1, 3, 4)
logits[0, 0, 2] = math.log(3)  # 3 / (3 + 1 + 1 + 1) = 1/2
toy_classes = torch.tensor([[2, 3, 3]])
print(f"by hand {(math.log(2) + 2 * 0.1 * math.log(4)) / (1 + 2 * 0.1):.4f}")
print(f"loop    {class_loss_slowly(logits, toy_classes):.4f}")

# %% [markdown]
# PyTorch's `cross_entropy` with `weight` is this very mean. It wants the classes on axis 1.

# %%
def class_loss(class_logits, classes, no_object=0.1):
    """The same in one call."""
    weights = torch.ones(class_logits.shape[-1])
    weights[-1] = no_object
    return F.cross_entropy(class_logits.transpose(1, 2), classes, weights)


# %% [markdown]
# The third way to the same number:

# %%
print(f"fast    {class_loss(logits, toy_classes):.4f}")

# %% [markdown]
# On the real queries, and against the package:

# %%
from oneformer_lite.losses.classes import class_loss as package_class_loss

NO_OBJECT = c.num_classes
slow, fast = class_loss_slowly(prediction.class_logits, classes), class_loss(prediction.class_logits, classes)
package = package_class_loss(prediction, targets, assigned, c)
print(f"class loss of the last prediction {fast:.2f}")
proved("loop = call", slow, fast, atol=1e-5) + proved("call = package", fast, package, atol=1e-6)

# %% [markdown]
# Who pays? Each bar is what one query of scene 13 adds. The orange ones answer for a mask.

# %%
import matplotlib.pyplot as plt

entropy = F.cross_entropy(prediction.class_logits[0], classes[0], reduction="none")
weight = torch.where(classes[0] == NO_OBJECT, 0.1, 1.0)
share = weight * entropy / weight.sum()
order = share.argsort(descending=True).tolist()
bar_colors = ["#999999" if classes[0, q] == NO_OBJECT else "#E69F00" for q in order]
figure, axes = plt.subplots(figsize=(9, 2.6))
axes.bar([str(q) for q in order], share[order], color=bar_colors)
axes.set(xlabel="query (most expensive first; grey: should say no object)", ylabel="adds to the class loss")
ofl.render.described(figure, "Bars of what each query adds to the class loss, the most expensive first. A few queries "
                             "pay nearly all; grey ones, which should say no object, are among them.")

# %% [markdown]
# A few queries carry nearly all of it: names that are not sure yet, and queries that speak though nobody asked.

# %% [markdown]
# `LossInspector` shows the same in the picture: left the batch, right the chosen picture, each segment in the colour of
# what it costs, from pale yellow (cheap) to dark (expensive). Lesson 09b uses it for all losses.

# %%
from oneformer_lite.widgets import LossInspector

LossInspector(model, [(sample, "panoptic"), (other, "panoptic")]).set(loss="class")

# %% [markdown]
# ## The case of the loss that stayed at zero
#
# An earlier student project rebuilt OneFormer and trained it. This is how it ended:

# %%
reported = {"cross-entropy": 0.0, "mIoU": 0.0012}
print(reported)

# %% [markdown]
# The first number says that every query is certain and right. The second, a share of 1, says that hardly a
# pixel is. We take the part of the detective.
#
# **Clue 1: zero is not where one starts.** A model that knows nothing spreads its probability over all
# classes. That costs the logarithm of their number. Even our trained model has a loss above zero:

# %%
print(f"knows nothing: ln({c.num_classes + 1}) = {math.log(c.num_classes + 1):.2f} per prediction")
print(f"trained:       {fast:.2f}")
print(f"suspicious:    {reported['cross-entropy']:.2f}")

# %% [markdown]
# **Clue 2: cross-entropy compares with what is asked.** It is zero if the answer is what is asked, however
# silly the question. So we look not at the model but at the targets. Three suspects:
#
# 1. *Nothing was matched.* No mask survives (a crop, ids that do not fit the map): every query is asked to say
#    "no object".
# 2. *The labels are ignored.* Class ids equal the `ignore_index` of the cross-entropy: nothing is asked.
# 3. *The weights are wrong.* The matched queries weigh nothing.

# %%
def nothing_matched(logits, classes):
    return class_loss(logits, torch.full_like(classes, NO_OBJECT))


def labels_ignored(logits, classes):
    ignored = torch.full_like(classes, 255)  # "255 = void", read where class ids were expected
    cost = F.cross_entropy(logits.transpose(1, 2), ignored, ignore_index=255, reduction="sum")
    return cost / max(1, int((ignored != 255).sum()))


def weights_wrong(logits, classes):
    weights = torch.zeros(logits.shape[-1])
    weights[-1] = 0.1  # set for "no object", forgotten for the others
    return F.cross_entropy(logits.transpose(1, 2), classes, weights)


SUSPECTS = {"honest": class_loss} | {f.__name__: f for f in (nothing_matched, labels_ignored, weights_wrong)}

# %% [markdown]
# To see where each leads, we train a new class head, a single linear layer, on the queries that our model has
# for 24 scenes. All else stays as it is, so a hundred steps take a moment.

# %%
def queries_and_classes(scenes):
    """Normed queries after the last layer [N, Q, C], and the classes that they should name [N, Q]."""
    batch = ofl.data.collate([(scene, "panoptic") for scene in scenes])
    with torch.no_grad():
        output = model(batch.images, batch.tasks, trace=True)
        queries = model.decoder.norm(output.trace["decoder.layer5.queries"])
    found = matcher([output.predictions[-1]], batch.targets, PointSource(torch.device("cpu"), [(0, 0)] * len(scenes)))
    return queries, target_classes(batch.targets, found[0], c.num_queries)


queries, wanted = queries_and_classes([ofl.data.Toytown("train", size=128)[i] for i in range(24)])
print("queries", list(queries.shape), "of which matched:", int((wanted != NO_OBJECT).sum()))

# %% [markdown]
# The training loop, for any class loss:

# %%
def learn(loss_function, steps=100):
    """A fresh class head, and its loss after every step."""
    torch.manual_seed(0)
    head = torch.nn.Linear(c.hidden_dim, c.num_classes + 1)
    optimizer, history = torch.optim.Adam(head.parameters(), lr=0.02), []
    for _ in range(steps):
        loss = loss_function(head(queries), wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        history.append(loss.item())
    return head, history


trained = {name: learn(loss_function) for name, loss_function in SUSPECTS.items()}

# %% [markdown]
# What they lead to: the loss at the first step and at the last, and how many of the matched queries then say
# their name.

# %%
print(f"{'':<17}{'first':>6}{'last':>7}   names right")
for name, (head, history) in trained.items():
    right = (head(queries).argmax(-1) == wanted)[wanted != NO_OBJECT].float().mean()
    print(f"{name:<17}{history[0]:6.1f}{history[-1]:7.1f}   {100 * right:.0f} %")

# %% [markdown]
# All four end at zero! On queries that are trained already, the honest head gets there too. That is what makes
# the case hard: **a zero alone does not tell a task that is solved from a question that was never asked.** The
# names tell.
#
# The curves hardly help. Only ignored labels give themselves away: they are at zero from the very first step.

# %%
figure, axes = plt.subplots(figsize=(7, 3))
styles = zip(trained.items(), ("#009E73", "#0072B2", "#D55E00", "#E69F00"), ("-", "-", "-", "--"))
for (name, (_, history)), color, line in styles:
    axes.plot(history[:15], line, label=name.replace("_", " "), color=color, linewidth=2)
axes.set(xlabel="step", ylabel="class loss")
axes.legend()
ofl.render.described(figure, "The class loss of four heads over 15 steps. Three fall from about 3 to nearly 0 within "
                             "five steps; labels ignored lies at 0 from the first.")

# %% [markdown]
# **Clue 3: the other number.** Put the heads into the model and measure mIoU on held-out scenes, in percent to
# the nearest 10:

# %%
import copy

few = ofl.data.Toytown("val", size=128, length=12)
for name in ("honest", "nothing_matched"):
    suspect = copy.deepcopy(model)
    suspect.decoder.class_head = trained[name][0]
    print(f"{name:<17} mIoU {round(ofl.evaluate(suspect, few, tasks='semantic')['mIoU'], -1):3.0f}")

# %% [markdown]
# A model with a loss of zero that knows nothing: both numbers of the report are reproduced.
#
# ### Caught in the act
#
# Which of them it was in that project, its log does not tell. So here is a case with all traces left: a data set that
# looks correct. Pictures, maps, segments with names. With it the class loss falls to zero. Find out why before you
# read on.

# %%
class Scenes:
    """Four scenes, as somebody's own loader reads them."""

    categories, tasks = scenes.categories, scenes.tasks

    def __init__(self, start=13, stop=17):
        self.scenes = [scenes[i] for i in range(start, stop)]

    def __len__(self):
        return len(self.scenes)

    def __getitem__(self, index):
        return self.scenes[index]


# %% [markdown]
# The suspect reads the segments' ids in a way of its own:

# %%
from dataclasses import replace


class Suspicious(Scenes):
    def __getitem__(self, index):
        scene = self.scenes[index]
        return scene.replace(segments=tuple(replace(s, id=s.id + 256 * (s.class_id + 1)) for s in scene.segments))


dataset = Suspicious()

# %% [markdown]
# *First look: the inspector.* It paints the batch in the colours of its segments, as above. Here no segment is
# painted. All that remains of the loss is for "no object", and for our model, which does see a car, that is much.

# %%
LossInspector(model, [dataset[0], dataset[1]]).set(loss="class")

# %% [markdown]
# So no mask arrives. *Second look: where are they lost?* The sample lists segments, the targets are empty:

# %%
scene = dataset[0]
print("segments listed:", len(scene.segments), " targets:", len(ofl.data.targets_for(scene, "panoptic")))

# %% [markdown]
# A target is the pixels whose id is the segment's. *Third look: the ids.*

# %%
import numpy as np

print("listed:    ", [s.id for s in scene.segments][:5])
print("in the map:", np.unique(scene.segment_map).tolist()[:6])

# %% [markdown]
# None of the listed ids is in the map. A panoptic PNG holds R + 256 G + 256² B (lesson 01). A loader that reads
# the red channel alone gets ids below 256, and every mask is empty. Empty masks are left out without a word: they could
# have been cropped away.
#
# **The doctor** makes these looks in one call, and would have ended the case in a second:

# %%
diagnosis = ofl.doctor(model, dataset, images=4)
for fault in diagnosis.faults:
    print(f"{fault.check}: {fault.evidence}\n  -> {fault.cure}")

# %% [markdown]
# With the ids in order again, it finds no fault:

# %%
print(ofl.doctor(model, Scenes(), images=4).summary())

# %% [markdown]
# And the suspect who hides in the loss? The doctor takes a *criterion* as well: all losses, by name (lesson 09b). In this
# one the term "class" forgets the labels, as `labels_ignored` did:

# %%
from oneformer_lite.losses import Criterion


def forgetful(output, pairs, config):
    """The term "class", summed over all predictions"""
    classes = [target_classes(pairs.targets, assigned, config.num_queries) for assigned in pairs.assigned]
    return sum(labels_ignored(p.class_logits, truth) for p, truth in zip(pairs.predictions, classes))


suspect = Criterion(c)
suspect.terms["class"] = forgetful
for fault in ofl.doctor(model, Scenes(), images=4, criterion=suspect).faults:
    print(f"{fault.check}: {fault.evidence}\n  -> {fault.cure}")

# %% [markdown]
# There is one cross-entropy that is *honestly* zero: the contrastive loss of a batch of one (lesson 07). With one
# candidate the softmax is 1 and its logarithm 0. The package warns; the doctor says so.

# %%
for fault in ofl.doctor(model, Scenes(13, 14)).faults:
    print(f"{fault.check}: {fault.evidence}\n  -> {fault.cure}")

# %% [markdown]
# ## What is simplified here, and where the official code differs
#
# * Nothing is simplified; the sizes are small.
# * Official `oneformer/modeling/criterion.py` lets each process divide its class loss by its own weights. The
#   package divides such that the mean over the processes is what one process would have.
# * There, targets of all predictions are read one by one; here in one go. Same numbers.

# %% [markdown]
# ## Break it
#
# **The no-object weight.** At 0.1, who is heard? The length of the gradient on the class logits, split between
# matched queries and the others, for a fresh head:

# %%
def gradient_share(no_object):
    """Share of the gradient that comes from the queries without a mask."""
    torch.manual_seed(0)
    logits = torch.nn.Linear(c.hidden_dim, c.num_classes + 1)(queries).detach().requires_grad_()
    class_loss(logits, wanted, no_object).backward()
    lengths = logits.grad.norm(dim=-1)
    return float(lengths[wanted == NO_OBJECT].sum() / lengths.sum())


# %% [markdown]
# At 0 none of it, at 1 most of it:

# %%
for no_object in (0.0, 0.1, 1.0):
    print(f"weight {no_object}: {100 * gradient_share(no_object):.0f} % of the gradient says 'no object'")

# %% [markdown]
# And what comes of it. After a few steps and after many: how many matched queries say their name, and how many
# of the others keep silent, to the nearest 10 %.

# %%
from functools import partial

print(f"{'weight':<8}{'steps':>6}{'named':>8}{'silent':>8}")
for no_object in (0.0, 0.1, 1.0):
    for steps in (5, 100):
        head, _ = learn(partial(class_loss, no_object=no_object), steps)
        right = head(queries).argmax(-1) == wanted
        named, silent = (right[mine].float().mean() for mine in (wanted != NO_OBJECT, wanted == NO_OBJECT))
        print(f"{no_object:<8}{steps:>6}{10 * round(10 * float(named)):>6} %{10 * round(10 * float(silent)):>6} %")

# %% [markdown]
# At 0 nobody ever learns to be silent: every empty query claims a segment. At 1 silence comes first and the
# names wait.

# %% [markdown]
# ## In the package
#
# * `losses.classes.wanted_classes`, the class that each query should name
# * `losses.classes.class_loss`, the weighted mean of one prediction
# * `losses.terms.class_term`, that of all predictions (lesson 09b)

# %% [markdown]
# ## Summary
#
# * All queries owe a class: the matched ones that of their mask, the others "no object".
# * "No object" counts a tenth, in a weighted mean: the sum of the weights divides, not the number of queries.
# * A loss of zero is a message about the targets. Look at what is asked before you look at the model.
#
# **Ask yourself**
#
# <details><summary>Why does dividing by the sum of the weights matter, and not by the number of queries?</summary>
# With 150 queries and 10 masks, a plain mean would shrink the part of the matched ones as queries are added. The
# weighted mean keeps the loss on one scale, whatever Q is.</details>
#
# <details><summary>A query without a mask says "car" and leaves nothing for "no object". Is that expensive?</summary>
# Yes: minus the logarithm of nearly nothing is large, and a tenth of it is still large. It is what a query pays that
# claims a segment which is not there.</details>
#
# <details><summary>Your class loss falls to 0.001 in the first hundred steps. What do you look at first?</summary>
# The number of masks in the batch, then their labels. If there are none, look at the loader; if all labels are
# equal, at the class ids. Or ask `ofl.doctor(model, dataset)`.</details>
