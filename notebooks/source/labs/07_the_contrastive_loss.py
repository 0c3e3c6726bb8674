# %% [markdown]
# # Lab 07 · The contrastive loss
#
# Four exercises with lesson 07. Replace each `...` by your code, run the cell and the check below it. A check never
# fails: it tells what it expected and what yours gives. What follows works with your answer, or with ours.

# %%
import matplotlib.pyplot as plt
import oneformer_lite as ofl
import torch
import torch.nn.functional as F
from oneformer_lite import labs

model = ofl.from_pretrained("toytown").eval()
town = ofl.data.Toytown("val", size=128)
tasks = ["panoptic", "panoptic", "instance", "semantic"]
batch = ofl.data.collate([(town[i], task) for i, task in zip([13, 26, 2, 17], tasks)])
with torch.no_grad():
    output = model(batch.images, batch.tasks, texts=batch.texts)

# %% [markdown]
# The names of your answers, so that a slip in one of them stops nothing that follows:

# %%
labs.begin("07", globals())

# %% [markdown]
# ## 07.1 · Similarity of queries and texts
# ●●○○○ · 10 minutes · you may use: torch, no loops
#
# `queries` are B images with Q object queries of C numbers each, `texts` D text lists of the same size. Return the
# table of cosines: row b, column d says how much image b resembles text list d. An image is **one** vector.
# A vector of zeros resembles nothing: its cosines are 0.
#
# <details><summary>Hint</summary><code>flatten(1)</code> lays the slots end to end; <code>F.normalize</code> makes the
# length 1. What is left is a matrix product.</details>

# %%
def similarity(queries, texts):
    """[B, Q, C], [D, Q, C] -> [B, D]"""
    # SOLUTION
    images = F.normalize(queries.flatten(1), dim=-1)
    return images @ F.normalize(texts.flatten(1), dim=-1).T
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("07.1", similarity)

# %% [markdown]
# From here on `similarity` is yours if it passed, and the reference if not. The table of lesson 07's batch:

# %%
similarity = labs.use("07.1", similarity)
table = similarity(output.object_queries, output.text_queries)
for row in table:
    print("  ".join(f"{value:5.2f}" for value in row))

# %% [markdown]
# ## 07.2 · The loss
# ●●○○○ · 10 minutes · you may use: torch, no loops
#
# `table` holds the similarities, divided by the temperature already: rows are images, columns text lists, the diagonal
# belongs together. Return the contrastive loss: the mean over the rows of minus the log-probability of the right text,
# **plus** the same over the columns.
#
# <details><summary>Hint</summary><code>F.cross_entropy(table, labels)</code> is one direction. What are the labels,
# and what is the other direction?</details>

# %%
def contrastive_loss(table):
    """[B, B] -> a number"""
    # SOLUTION
    labels = torch.arange(len(table))
    return F.cross_entropy(table, labels) + F.cross_entropy(table.T, labels)
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("07.2", contrastive_loss)

# %% [markdown]
# The loss of the batch at every temperature. A batch of one lies at 0 everywhere.

# %%
contrastive_loss = labs.use("07.2", contrastive_loss)
temperatures = torch.logspace(-2, 0, 50)
plt.figure(figsize=(6.4, 3.2), dpi=110)
for name, part, color in (("four images", table, "#0072b2"), ("one image", table[:1, :1], "#d55e00")):
    plt.semilogx(temperatures, [contrastive_loss(part / t) for t in temperatures], color=color, label=name)
plt.axvline(0.07, color="#93a1b5", linestyle="--", linewidth=1)
plt.xlabel("temperature (dashed: 0.07, where training starts)")
plt.ylabel("contrastive loss")
plt.legend(frameon=False)
plt.show()

# %% [markdown]
# ## 07.3 · Its gradient by hand
# ●●●○○ · 15 minutes · you may use: torch, but not autograd
#
# Return the derivative of the loss of 07.2 with respect to every cell of the table.
#
# <details><summary>Hint</summary>For one softmax with cross-entropy it is: probability minus truth.</details>
#
# <details><summary>Second hint</summary>Each cell is in one row and in one column, so two terms add up. Both directions
# are means over B.</details>

# %%
def gradient(table):
    """[B, B] -> [B, B]"""
    # SOLUTION
    truth = torch.eye(len(table))
    return (table.softmax(1) - truth + table.softmax(0) - truth) / len(table)
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("07.3", gradient)

# %% [markdown]
# Follow it downhill: 30 steps on the table itself. The loss falls, though nothing but this gradient drives it.

# %%
gradient, moved = labs.use("07.3", gradient), table / 0.07
for step in range(31):
    if step % 10 == 0:
        print(f"step {step:>2}: loss {float(contrastive_loss(moved)):.2f}")
    moved = moved - 2 * gradient(moved)

# %% [markdown]
# ## 07.4 · False negatives
# ●●○○○ · 10 minutes · you may use: Python
#
# Given the text list of each image and its task, mark the pairs that the loss pushes apart although their lists say
# the same. The lists come unpadded, in the order of the classes; padding is the task's own sentence. Return a bool
# tensor [B, B].
#
# <details><summary>Hint</summary>The diagonal holds the positives. And what does the padding mean for equal lists under
# two tasks?</details>

# %%
def false_negatives(texts, tasks):
    """B lists of sentences, B tasks -> bool [B, B]"""
    # SOLUTION
    whole = list(zip(tasks, texts))
    same = [[i != j and a == b for j, b in enumerate(whole)] for i, a in enumerate(whole)]
    return torch.tensor(same, dtype=torch.bool)
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("07.4", false_negatives)

# %% [markdown]
# How often does it happen? The first 30 scenes of the validation set, all under one task:

# %%
false_negatives = labs.use("07.4", false_negatives)
for task in ofl.data.TASKS:
    lists = [ofl.data.targets_for(town[i], task).texts for i in range(30)]
    pairs = false_negatives(lists, [task] * 30).triu().nonzero().tolist()
    print(f"{task:<9} {len(pairs)} of {30 * 29 // 2} pairs:", ", ".join(f"{i} and {j}" for i, j in pairs))

# %% [markdown]
# What you wrote yourself, and what the package lent you:

# %%
labs.tally("07", globals())

# %% [markdown]
# `labs.assemble(".", "07", globals())` shows what your answers do in the whole model, beside those of the labs before.
# Lab 22 puts all of them together: your OneFormer.
