# %% [markdown]
# # Lab 22 · Your OneFormer
#
# The labs before asked for parts. Here they come together: every answer that passed takes the place of ours in the
# model. Three exercises make the optimiser, then your OneFormer is trained with it. Replace each `...` by your code,
# run the cell and the check below it. A check never fails: it tells what it expected and what yours gives. What follows
# works with your answer, or with ours.

# %%
import matplotlib.pyplot as plt
import oneformer_lite as ofl
import torch
from oneformer_lite import labs

# %% [markdown]
# The names of your answers, so that a slip in one of them stops nothing that follows:

# %%
labs.begin("22", globals())

# %% [markdown]
# ## 22.1 · A step that is not too long
# ●●○○○ · 10 minutes · you may use: torch, but not `clip_grad_norm_`
#
# `gradients` is a list of tensors of any shapes. Their common length is the root of the sum of the squares of all their
# numbers. Where it is more than `most`, return all of them shorter by the one factor `most` / (length + 1e-6); where it
# is not, return them as they are.
#
# <details><summary>Hint</summary>First one number for the whole list, then one factor, <code>min(1, ...)</code>.
# </details>

# %%
def clipped(gradients, most):
    """a list of tensors, a number -> a list of tensors"""
    # SOLUTION
    length = sum(g.square().sum() for g in gradients).sqrt()
    factor = min(1.0, most / (float(length) + 1e-6))
    return [g * factor for g in gradients]
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("22.1", clipped)

# %% [markdown]
# The gradient of the class head for one scene, and clipped to a length of 1. The direction stays:

# %%
clipped = labs.use("22.1", clipped)
model = ofl.from_pretrained("toytown")
batch = ofl.data.collate([(ofl.data.Toytown("val", size=64)[i], "panoptic") for i in (13, 14)])
output = model(batch.images, batch.tasks, texts=batch.texts)
loss = ofl.losses.Criterion(model.config)(output, batch.targets, [(0, 0), (0, 1)])["total"]
long = torch.autograd.grad(loss, list(model.decoder.class_head.parameters()))
short = clipped(list(long), 1.0)
one, other = (torch.cat([g.flatten() for g in gradients]) for gradients in (long, short))
print(f"length {one.norm():.1f}, clipped {other.norm():.2f}, cosine {torch.cosine_similarity(one, other, 0):.2f}")

# %% [markdown]
# ## 22.2 · A step of AdamW
# ●●●○○ · 20 minutes · you may use: torch, but not `torch.optim.AdamW`
#
# Of one parameter: its `value`, its `gradient`, what is remembered of the gradients before (`mean`, `square`), the number
# of the `step`, counted from 1, the learning `rate` and the weight `decay`. Return the new value, mean and square:
#
# * mean = 0.9 mean + 0.1 gradient, square = 0.999 square + 0.001 gradient²;
# * both started at 0 and are too small at first: m = mean / (1 − 0.9^step), s = square / (1 − 0.999^step);
# * the value decays by itself, value · (1 − rate · decay), and then takes the step − rate · m / (√s + 1e-8).
#
# Change none of the arguments: the remembered ones are returned as they are, m and s are for this step only.
#
# <details><summary>Hint</summary>Five lines, in the order of the list. <code>mean.mul_</code> would change an argument.
# </details>

# %%
def adamw(value, gradient, mean, square, step, rate, decay):
    """four tensors of one shape, three numbers -> value, mean, square"""
    # SOLUTION
    mean = 0.9 * mean + 0.1 * gradient
    square = 0.999 * square + 0.001 * gradient**2
    m, s = mean / (1 - 0.9**step), square / (1 - 0.999**step)
    value = value * (1 - rate * decay)
    return value - rate * m / (s.sqrt() + 1e-8), mean, square
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("22.2", adamw)

# %% [markdown]
# Down a narrow valley: plain gradient descent (orange) must go slowly, or it jumps from wall to wall; AdamW (blue)
# divides each direction by its own size.

# %%
adamw = labs.use("22.2", adamw)
scale = torch.tensor([1.0, 60.0])  # the valley: x² + 60 y²
paths = {}
for name in ("descent", "adamw"):
    place, mean, square = torch.tensor([-2.0, 1.0]), torch.zeros(2), torch.zeros(2)
    paths[name] = [place]
    for step in range(1, 61):
        gradient = 2 * scale * place
        if name == "adamw":
            place, mean, square = adamw(place, gradient, mean, square, step, 0.1, 0.0)
        else:
            place = place - 0.015 * gradient
        paths[name].append(place)
plt.figure(figsize=(7, 2.6), layout="constrained")
for (name, path), color in zip(paths.items(), ("#D55E00", "#0072B2")):
    plt.plot(*torch.stack(path).T, ".-", color=color, linewidth=1, label=name)
plt.plot(0, 0, "k*", markersize=10)
plt.legend(frameon=False)
plt.show()

# %% [markdown]
# ## 22.3 · A curve to look at
# ●●○○○ · 10 minutes · you may use: Python
#
# The loss of single batches jumps. Return the list of its smoothed values: an average that keeps the `share` of what it
# was and takes 1 − `share` of the new loss. It starts at 0 and is too small at first: divide it by 1 − share^n after n
# losses (but go on with the undivided one).
#
# <details><summary>Hint</summary>The same correction as in 22.2.</details>

# %%
def smoothed(losses, share):
    """n numbers, a number -> n numbers"""
    # SOLUTION
    total, found = 0.0, []
    for n, loss in enumerate(losses, start=1):
        total = share * total + (1 - share) * loss
        found.append(total / (1 - share**n))
    return found
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("22.3", smoothed)

# %% [markdown]
# The total loss of the recorded run of lesson 13, as it was logged, and smoothed:

# %%
smoothed = labs.use("22.3", smoothed)
run = ofl.Run.attach(ofl.data.sample_folder() / "run")
logged = [record["total"] for record in run.history if record["kind"] == "train"]
plt.figure(figsize=(7, 2.6), layout="constrained")
plt.semilogy(logged, color="#bbbbbb", linewidth=0.8, label="logged")
plt.semilogy(smoothed(logged, 0.9), color="#0072B2", label="smoothed, 0.9")
plt.xlabel("record")
plt.legend(frameon=False)
plt.show()

# %% [markdown]
# ## All together
#
# `labs.assemble` reads the lab notebooks in this folder **as they were saved last**, takes the answers that pass their
# checks and puts each into its place in the model: a filled square is yours, an empty one ours. On the way every part
# is compared with ours; one that passed its check but does not fit into the whole is set aside, with the reason.

# %%
mine = labs.assemble(".", "22", globals())
mine

# %% [markdown]
# The weights are those that come with the package; what computes with them is yours, as far as the squares are filled.
# A scene of `data/sample` as your OneFormer segments it:

# %%
mine.picture()

# %% [markdown]
# ## Train it
#
# From the backbone's ImageNet weights, on Toytown, with your matching, your losses, your optimiser. First the gradients
# of your parts are compared with ours; what cuts them off is set aside. Two small steps here, so that the page is made
# quickly; **take `mine.train(steps=250)`**: about five minutes on one core of an AMD EPYC.

# %% tags=["nbval-ignore-output"]
losses = mine.train(steps=2, size=64, batch=2)
print(", ".join(f"{loss:.1f}" for loss in losses))

# %% [markdown]
# The curve, with your smoothing. After two steps there is nothing to see yet; after 250 there is.

# %% tags=["nbval-ignore-output"]
plt.figure(figsize=(7, 2.6), layout="constrained")
plt.plot(losses, color="#bbbbbb", linewidth=0.8)
plt.plot(smoothed(losses, 0.9), color="#0072B2")
plt.xlabel("step")
plt.ylabel("total loss")
plt.show()

# %% [markdown]
# And the scene again, with the new weights (`mine.model.save_pretrained(folder)` keeps them):

# %% tags=["nbval-ignore-output"]
mine.picture()

# %% [markdown]
# What you wrote yourself here, and what the package lent you:

# %%
labs.tally("22", globals())
