# %% [markdown]
# # Lab 13 · Training on a laptop
#
# Four exercises with lesson 13. Replace each `...` by your code, run the cell and the check below it. A check never
# fails: it tells what it expected and what yours gives. What follows works with your answer, or with ours.

# %%
import math
from collections import Counter

import matplotlib.pyplot as plt
import oneformer_lite as ofl
import torch
from oneformer_lite import labs

# %% [markdown]
# The names of your answers, so that a slip in one of them stops nothing that follows:

# %%
labs.begin("13", globals())

# %% [markdown]
# ## 13.1 · Who learns how fast, who decays
# ●●●○○ · 15 minutes · you may use: torch
#
# Return a dictionary: name of a parameter -> (its learning rate, its weight decay).
#
# * parameters whose name begins with "backbone" learn at `lr * multiplier`, all others at `lr`;
# * parameters *of* a LayerNorm, GroupNorm, BatchNorm2d or Embedding do not decay (0.0), all others decay;
# * frozen parameters (`requires_grad` is False) are left out.
#
# <details><summary>Hint</summary>Walk through <code>model.named_modules()</code>, and in each through
# <code>module.named_parameters(recurse=False)</code>. The whole name is <code>f"{place}.{name}"</code>, for the model
# itself without the dot.</details>

# %%
def settings(model, lr, decay, multiplier):
    """model -> {"backbone.conv.weight": (lr, decay), ...}"""
    # SOLUTION
    found, nn = {}, torch.nn
    for place, module in model.named_modules():
        exempt = isinstance(module, (nn.LayerNorm, nn.GroupNorm, nn.BatchNorm2d, nn.Embedding))
        for name, parameter in module.named_parameters(recurse=False):
            if parameter.requires_grad:
                rate = lr * multiplier if place.startswith("backbone") else lr
                found[f"{place}.{name}".strip(".")] = (rate, 0.0 if exempt else decay)
    return found
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("13.1", settings)

# %% [markdown]
# The whole Toytown model: (rate, decay) and millions of parameters.

# %%
settings = labs.use("13.1", settings)
model = ofl.from_pretrained("toytown")
sizes, count = dict(model.named_parameters()), Counter()
for name, group in settings(model, 2e-3, 0.05, 0.1).items():
    count[group] += sizes[name].numel()
print({group: round(size / 1e6, 2) for group, size in sorted(count.items())})

# %% [markdown]
# ## 13.2 · The learning rate over time
# ●●○○○ · 10 minutes · you may use: Python, `math`
#
# The share of the peak rate at each of the steps 0, 1, ..., `steps` - 1, as a list. It is a product:
#
# * the warm-up: (step + 1) / `warmup`, at most 1 (and 1 if `warmup` is 0);
# * half a cosine over the whole training: 1 at step 0, and `final` where step would be `steps`.
#
# <details><summary>Hint</summary><code>0.5 * (1 + cos(pi * x))</code> falls from 1 to 0. What must be added so that it
# falls to <code>final</code>?</details>

# %%
def shares(steps, warmup, final):
    """10, 3, 0.01 -> ten numbers"""
    # SOLUTION
    found = []
    for step in range(steps):
        rise = min(1.0, (step + 1) / max(1, warmup))
        fall = 0.5 * (1 + math.cos(math.pi * step / steps))
        found.append(rise * (final + (1 - final) * fall))
    return found
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("13.2", shares)

# %% [markdown]
# Two schedules of 200 steps:

# %%
shares = labs.use("13.2", shares)
plt.figure(figsize=(8, 2.6))
plt.plot(shares(200, 20, 0.01), color="#0072b2", label="warm-up 20, down to 0.01")
plt.plot(shares(200, 80, 0.3), color="#d55e00", label="warm-up 80, down to 0.3")
plt.xlabel("step")
plt.ylabel("share of the peak rate")
plt.legend(frameon=False)
plt.tight_layout()
plt.show()

# %% [markdown]
# ## 13.3 · Averaged weights
# ●●○○○ · 10 minutes · you may use: torch
#
# `start` is a dictionary of tensors, `states` a list of such, the weights after each step. Return the average after all
# of them. At update t = 1, 2, ... of a tensor:
#
# * `average = d * average + (1 - d) * new` with d = min(`decay`, (1 + t) / (10 + t));
# * whole numbers (counters) are copied from the new weights.
#
# <details><summary>Hint</summary><code>tensor.is_floating_point()</code> tells the two apart.</details>

# %%
def average(start, states, decay):
    """{name: tensor}, [{name: tensor}, ...], 0.99 -> {name: tensor}"""
    # SOLUTION
    found = dict(start)
    for t, state in enumerate(states, start=1):
        d = min(decay, (1 + t) / (10 + t))
        for name, new in state.items():
            found[name] = d * found[name] + (1 - d) * new if new.is_floating_point() else new
    return found
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("13.3", average)

# %% [markdown]
# A weight that jitters around a slow rise, and its average:

# %%
average = labs.use("13.3", average)
torch.manual_seed(0)
jitter = [{"w": torch.tensor(step / 200) + 0.3 * torch.randn(())} for step in range(200)]
followed = [average({"w": torch.tensor(0.0)}, jitter[:step], 0.95)["w"].item() for step in range(0, 200, 4)]
plt.figure(figsize=(8, 2.6))
plt.plot([state["w"].item() for state in jitter], color="#999999", lw=0.8, label="weight")
plt.plot(range(0, 200, 4), followed, color="#0072b2", lw=2, label="average, decay 0.95")
plt.xlabel("step")
plt.ylabel("value")
plt.legend(frameon=False)
plt.tight_layout()
plt.show()

# %% [markdown]
# ## 13.4 · The total loss
# ●●○○○ · 10 minutes · you may use: torch
#
# `by_prediction` holds the class, mask and dice loss of every prediction, each a tensor [L]. `contrastive` is one
# number, `weights` has one for each of the four names. Return the total that is differentiated.
#
# <details><summary>Hint</summary>Deep supervision: all predictions count fully. The contrastive loss looks at the
# queries before the decoder.</details>

# %%
def total(by_prediction, contrastive, weights):
    """{"class": [L], "mask": [L], "dice": [L]}, scalar, {"class": 2.0, ...} -> scalar"""
    # SOLUTION
    found = weights["contrastive"] * contrastive
    for name, losses in by_prediction.items():
        found = found + weights[name] * losses.sum()
    return found
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("13.4", total)

# %% [markdown]
# With it, what the criterion says of scenes 13 and 14 and the shipped model:

# %%
total = labs.use("13.4", total)
town, criterion = ofl.data.Toytown("val", size=128), ofl.losses.Criterion(model.config)
batch = ofl.data.collate([(town[13], "panoptic"), (town[14], "instance")])
with torch.no_grad():
    output = model(batch.images, batch.tasks, texts=batch.texts)
    losses = criterion(output, batch.targets, [(0, 0), (0, 1)])
ours = total(criterion.by_prediction, losses["contrastive"], criterion.weights)
print(f"total {ours:.1f}, equal: {torch.allclose(ours, losses['total'])}")

# %% [markdown]
# What you wrote yourself, and what the package lent you:

# %%
labs.tally("13", globals())

# %% [markdown]
# `labs.assemble(".", "13", globals())` shows what your answers do in the whole model, beside those of the labs before.
# Lab 22 puts all of them together: your OneFormer.
