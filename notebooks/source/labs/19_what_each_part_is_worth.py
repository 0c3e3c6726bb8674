# %% [markdown]
# # Lab 19 · What each part is worth
#
# Three exercises with lesson 19: plan a study, read one, and find the mistake in one. Replace each `...` by your code, run
# the cell and the check below it. A check never fails: it tells what it expected and what yours gives. What follows works
# with your answer, or with ours.

# %%
from statistics import mean

import matplotlib.pyplot as plt
import numpy as np
import oneformer_lite as ofl
from oneformer_lite import labs

study = ofl.Study.attach(ofl.data.sample_folder() / "ablations")

# %% [markdown]
# The names of your answers, so that a slip in one of them stops nothing that follows:

# %%
labs.begin("19", globals())

# %% [markdown]
# ## 19.1 · Plan a study
# ●●○○○ · 10 minutes · you may use: Python
#
# You have `hours` of one machine. A run trains `steps` steps of `step` seconds each, and is judged for `judging` seconds.
# `variants` are to be compared with a baseline. How many seeds can you afford, for all of them? Whole seeds, and 0 if it
# is fewer than three: such a study would say nothing of the noise.
#
# <details><summary>Hint</summary>A seed costs a run of each variant <b>and</b> of the baseline. Round down.</details>

# %%
def seeds(hours, step, steps, judging, variants):
    """8.0, 0.5, 1000, 60.0, 4 -> 10"""
    # SOLUTION
    count = int(3600 * hours // ((step * steps + judging) * (variants + 1)))
    return count if count >= 3 else 0
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("19.1", seeds)

# %% [markdown]
# With two hours and eight variants: seeds, over the steps of a run (0.15 seconds each, 10 for judging). What a longer training shows
# better, fewer seeds show worse.

# %%
seeds = labs.use("19.1", seeds)
steps = np.arange(100, 1001, 50)
figure, ax = plt.subplots(figsize=(6, 2.6), layout="constrained")
ax.step(steps, [seeds(2.0, 0.15, int(s), 10.0, 8) for s in steps], where="mid", color="#0072b2")
ax.set(xlabel="steps of a run", ylabel="seeds")
ofl.render.described(figure, "The number of seeds that two hours afford falls in steps as runs get longer, and drops to zero "
                     "where it would be fewer than three.")  # fmt: skip

# %% [markdown]
# ## 19.2 · Read a study
# ●●●○○ · 15 minutes · you may use: Python
#
# `baseline` and `variant` are scores by seed, as `{0: 31.2, 1: 30.4, 2: 30.9}`. Return two things, of the seeds that **both**
# have:
#
# * the mean difference, variant minus baseline;
# * whether it is seen: there are at least three such seeds, and the size of the difference exceeds twice the range (highest
#   minus lowest) of the variant or of the baseline, whichever is larger.
#
# <details><summary>Hint</summary><code>common = [s for s in variant if s in baseline]</code>, and two lists of
# these.</details>

# %%
def read(baseline, variant):
    """two dicts of seed and score -> float, bool"""
    # SOLUTION
    common = [seed for seed in variant if seed in baseline]
    ours, theirs = [variant[s] for s in common], [baseline[s] for s in common]
    difference = mean(ours) - mean(theirs)
    noise = max(max(ours) - min(ours), max(theirs) - min(theirs))
    return difference, len(common) >= 3 and abs(difference) > 2 * noise
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("19.2", read)

# %% [markdown]
# The lesson's study, read by you, beside what the package says:

# %%
read = labs.use("19.2", read)
for row in study.rows("mIoU"):
    if len(row.values) >= 3 and not row.is_baseline:
        difference, is_seen = read(row.reference, row.values)
        print(f"{row.variant:<34}{difference:+6.1f}  {'seen' if is_seen else 'not seen':<9} equal: {is_seen == row.seen}")

# %% [markdown]
# ## 19.3 · Find the mistake
# ●●●○○ · 15 minutes · you may use: Python
#
# Somebody sends you a study as a list of runs `(variant, seed, steps, pictures a step, pictures judged)`; the first variant is
# the baseline. One variant may have been made otherwise, so that its numbers cannot be compared:
#
# * its seeds are not those of the baseline;
# * it has seen more or fewer pictures (steps times pictures a step);
# * it was judged on more or fewer pictures.
#
# Return its name, or `""`. (Half the steps of twice as many pictures are the same budget.)
#
# <details><summary>Hint</summary>Make of each variant what must be equal, such as <code>(sorted seeds, set of budgets, set of
# judged)</code>, and compare with the first.</details>

# %%
def odd(runs):
    """a list of (name, seed, steps, pictures a step, pictures judged) -> a name, or nothing"""
    # SOLUTION
    kinds = {}
    for name, seed, steps, pictures, judged in runs:
        kinds.setdefault(name, []).append((seed, steps * pictures, judged))
    first, *others = kinds
    return next((name for name in others if sorted(kinds[name]) != sorted(kinds[first])), "")
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("19.3", odd)

# %% [markdown]
# A study in which "no masked attention" wins by far. Should you believe it?

# %%
odd = labs.use("19.3", odd)
sent = [("as it is", seed, 360, 4, 100) for seed in range(3)] + [("FPN", seed, 360, 4, 100) for seed in range(3)]
sent += [("no masked attention", seed, 720, 4, 100) for seed in range(3)]
print("cannot be compared:", odd(sent) or "none")
print("of the lesson's study:", odd([(r.variant, r.seed, r.steps, study.definition.named(r.variant).train_config.batch_size, 100)
                                     for r in study.results if len(study.row(r.variant).values) >= 3]) or "none")  # fmt: skip

# %% [markdown]
# What you wrote yourself, and what the package lent you:

# %%
labs.tally("19", globals())
