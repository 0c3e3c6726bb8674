# %% [markdown]
# # 19 · What each part is worth
#
# A paper takes its model apart, trains it without each part, and writes one number a row: "without it, 8.4 points less".
# One run a row, on eight GPUs, for days.
#
# **Would the same number come out again?** And what would come out on your laptop?
#
# You bet first. Then we look at what was measured on Toytown, with error bars; ask what could not be seen, and why; and
# make a study of our own, live.

# %%
import matplotlib.pyplot as plt
import numpy as np
import oneformer_lite as ofl

folder = ofl.data.sample_folder() / "ablations"
study = ofl.Study.attach(folder)

# %% [markdown]
# ## What the paper says
#
# OneFormer's ablations: Cityscapes with Swin-L, and COCO with ResNet-50 (tables of the paper; PQ, AP, mIoU). Each row leaves
# out or exchanges one part:

# %%
CITYSCAPES = {
    "OneFormer": (67.2, 45.6, 83.0), "no task token": (66.5, 43.3, 82.9), "no contrastive loss": (58.8, 42.4, 82.5),
    "classes in place of contrast": (66.4, 44.7, 82.6), "no learned text context": (62.7, 45.0, 82.8),
    "zero query initialisation": (65.8, 44.5, 83.1), "template {CLS}": (66.6, 44.7, 82.5),
    "template ... {CLS} {TYPE}": (65.4, 44.5, 82.8),
}  # fmt: skip
COCO = {"OneFormer": (51.5, 42.5, 61.2), "no contrastive loss": (51.1, 42.1, 60.2), "contrastive weight 1": (50.7, 42.0, 60.5)}
for data, table in (("Cityscapes, Swin-L", CITYSCAPES), ("COCO, ResNet-50", COCO)):
    whole = table["OneFormer"]
    print(f"{data:<29} {'PQ':>5} {'AP':>5} {'mIoU':>5}   PQ against the whole")
    for name, values in table.items():
        print(f"  {name:<27} " + " ".join(f"{v:5.1f}" for v in values) + f"   {values[0] - whole[0]:+.1f}")

# %% [markdown]
# Look at the contrastive loss: worth 8.4 points in one table and 0.4 in the other. The same part of the same model.
#
# ## Your bet
#
# The study below trains a small OneFormer on painted street scenes, with each part and without. How much PQ does it lose
# (or win) without the part? Write numbers in place of `None`, such as `-3.0`. If you do not want to bet, go on.

# %%
bets = {
    "no task token": None,
    "no contrastive loss": None,
    "classes in place of contrast": None,
    "no masked attention": None,
    "no deep supervision": None,
}

# %% [markdown]
# ## The study
#
# `tests/benchmarks/ablations.toml` names the variants, each as a change of a configuration or a recipe, and
#
# ```bash
# oneformer-lite study tests/benchmarks/ablations.toml
# ```
#
# trains each with three seeds, one run after the other; it resumes after a stop. With one seed all variants see the same
# pictures in the same order. What came out lies in `data/sample/ablations`, as the command wrote it.

# %%
c, config = study.definition.reference.train_config, study.definition.reference.config
print(f"{len(study.variants)} variants, seeds {study.seeds}; {len(study.results)} of {len(study.definition.runs)} runs are made")
print(f"a run: {c.steps} steps of {c.batch_size} scenes of {config.image_size} x {config.image_size} pixels, "
      f"judged on {study.definition.judged} others")  # fmt: skip
seconds = [r.seconds for r in study.results]
print(f"{min(seconds):.0f} to {max(seconds):.0f} seconds of training each, on a machine that did much else")

# %% [markdown]
# That is a small budget, and the model a small one, on a backbone that is frozen. We say so now, and not after the
# numbers: what a part is worth **early** in a training can be seen here, what it is worth at its end cannot.
#
# ## The answer
#
# Rows with three seeds. "Difference" is the mean over the seeds of (variant - baseline), each with the same seed; it counts
# as seen if it exceeds twice the range that seeds alone make.

# %%
done = [row for row in study.rows("PQ") if len(row.values) >= 3]
print(f"{'PQ':<34}{'mean':>6}{'range':>7}{'difference':>12}   seed by seed")
for row in done:
    each = " ".join(f"{d:+6.1f}" for d in row.differences.values())
    print(f"{row.variant:<34}{row.mean:6.1f}{row.range:7.1f}{row.difference:+12.1f}   " + each * (not row.is_baseline))

# %% [markdown]
# As a figure: a point a seed, a stroke for their mean; what lies in the grey band, seeds alone can make.

# %%
from oneformer_lite.data.image import image_from_bytes
from oneformer_lite.studies.page import figure_of

figure = image_from_bytes(figure_of(done, dpi=110), "the figure")
ofl.render.described(figure, "Differences to the baseline of each finished variant: a point for each seed, a stroke for "
                     "their mean, over a grey band of twice the range.")  # fmt: skip

# %% [markdown]
# In words, with the paper's difference on Cityscapes where it has one, and your bet:

# %%
for row in done:
    if row.is_baseline:
        continue
    print(f"{row.variant}: {row.words}")
    if row.variant in CITYSCAPES:
        print(f"    the paper, Cityscapes: {CITYSCAPES[row.variant][0] - CITYSCAPES['OneFormer'][0]:+.1f}")
    if (bet := bets.get(row.variant)) is not None:
        off = abs(bet - row.difference)
        print(f"    your bet: {bet:+.1f}, " + ("within the noise" if off <= 2 * row.noise else f"off by {off:.1f}"))

# %% [markdown]
# By the other two metrics:

# %%
for metric in ("mIoU", "AP"):
    for row in study.rows(metric):
        if len(row.values) >= 3 and not row.is_baseline:
            print(f"{metric:<5} {row.variant:<30} {row.mean:5.1f}, {row.difference:+5.1f}  {row.verdict}")

# %% [markdown]
# Two things to keep apart. A difference that is **seen** holds for this model, these scenes and this budget, and for
# nothing else: the paper's two data sets already disagree. And one that is **not seen** is not zero.
#
# ## What could not be seen
#
# First what has not been run yet. The same command makes them, as long as it is given time:

# %%
rest = [name for name in study.variants if name not in [row.variant for row in done]]
print(f"{len(rest)} of {len(study.variants)} variants have no three seeds yet:")
import textwrap

print(*textwrap.wrap(", ".join(rest), 110), sep="\n")

# %% [markdown]
# Then what this budget hides:
#
# * **Small things.** AP is near nothing: a ball has two pixels here. A part that serves small things has no chance to show
#   it.
# * **The end of a training.** Deep supervision, masked attention and good starts for queries make the first steps
#   faster. Whether a model without them arrives at the same place later, these runs do not tell.
# * **What large data need.** A text for each picture helps to tell a hundred classes apart more than fourteen.
# * **Whatever is smaller than the noise.** How small is that?
#
# ## How to read a difference smaller than the noise
#
# The baseline's seeds tell what the noise is. Suppose that scores scatter normally with that deviation, and that a change
# does **nothing**. What would papers with one run a row report? We draw ten thousand of them:

# %%
baseline = next(row for row in done if row.is_baseline)
sigma = float(np.std(list(baseline.values.values()), ddof=1))
rng = np.random.default_rng(0)
single = rng.normal(0, sigma, 10_000) - rng.normal(0, sigma, 10_000)
print(f"deviation between seeds, from three of them: {sigma:.1f} points of PQ")
for points in (0.5, 1, 2):
    print(f"one run each, no effect: {np.mean(np.abs(single) > points):.0%} differ by more than {points} points")

# %% [markdown]
# Now with three seeds, and the rule "more than twice the range". The rule of the package by hand:

# %%
def seen(baseline, variant):
    """[..., seeds] twice -> bool [...]: the mean difference exceeds twice the larger range"""
    noise = np.maximum(np.ptp(baseline, axis=-1), np.ptp(variant, axis=-1))
    return np.abs((variant - baseline).mean(-1)) > 2 * noise


for row in done:
    if not row.is_baseline:
        a, b = np.array(list(row.reference.values())[:3]), np.array(list(row.values.values())[:3])
        assert bool(seen(a, b)) == row.seen  # the package's
print("seen = package, for all rows")

# %% [markdown]
# How often does it say "seen" for a true effect of a given size, in deviations between seeds? With two seeds, three, five:

# %%
effects = np.linspace(0, 10, 21)
figure, ax = plt.subplots(figsize=(6.4, 3), layout="constrained")
for seeds, tone in ((2, "#e69f00"), (3, "#0072b2"), (5, "#009e73")):
    a, b = rng.normal(0, 1, (2, 20_000, seeds))
    share = [np.mean(seen(a, b + effect)) for effect in effects]
    ax.plot(effects, share, color=tone, label=f"{seeds} seeds")
    print(f"{seeds} seeds: an effect of nothing is seen in {share[0]:.2%}, one of 4 deviations in {share[8]:.0%}")
ax.set(xlabel="true effect, in deviations between seeds", ylabel="share that is seen", ylim=(0, 1))
ax.legend(frameon=False)
ofl.render.described(figure, "The share of studies that see an effect, over its size. With two, three and five seeds the "
                     "curves rise from nearly zero to one; many deviations are needed.")  # fmt: skip

# %% [markdown]
# The rule is strict: what it calls seen is rarely chance. The price is on the other side: with three seeds, an effect of
# four deviations is missed more often than found. And more seeds make *this* rule stricter, as five values have a larger
# range than three: it is meant for three or four. With more, divide the mean difference by its standard error (a t-test).
# **"Not seen" means: smaller than a size that you can name.** With three seeds that size is four to six deviations:

# %%
print(f"here: effects below {4 * sigma:.0f} to {6 * sigma:.0f} points of PQ may be there and stay unseen")

# %% [markdown]
# ## Same seed, same pictures
#
# Why is each difference taken seed by seed? Because a seed decides the pictures' order and the first weights. What both
# share, their difference does not have. Does it help here? Compare the deviation of differences with the same seed to that
# of all pairs of seeds:

# %%
for row in done:
    if row.is_baseline:
        continue
    ours, theirs = np.array(list(row.values.values())), np.array([row.reference[s] for s in row.values])
    pairs = (ours[:, None] - theirs[None]).ravel()
    print(f"{row.variant:<30} same seed {np.std(ours - theirs):4.1f}, all pairs {np.std(pairs):4.1f}")

# %% [markdown]
# With three seeds such a comparison is itself mostly noise. It costs nothing, though.
#
# ## A study of our own
#
# Two variants, three seeds, on four scenes that are learned by heart: a rate of 0.002 against a hundredth of it. Some
# seconds. (Numbers differ between machines; the verdict should not.)

# %%
import tempfile
from dataclasses import replace

from IPython.utils.capture import capture_output
from oneformer_lite.training import toytown_training

work = tempfile.mkdtemp()
tiny = replace(ofl.config.toytown(), image_size=64, test_size=64, hidden_dim=32, num_queries=16, num_points=64,
               backbone="test_resnet", pretrained=False, encoder_layers=1, decoder_layers=1, text_layers=1)  # fmt: skip
recipe = toytown_training(out=work, steps=40, batch_size=2, warmup_steps=5, ema_decay=None, evaluations=0, workers=0,
                          look_first=False, start_from=None)  # fmt: skip
scenes = ofl.data.Toytown("val", size=64, length=4)
with capture_output():
    ours = ofl.study({"as it is": {}, "a hundredth of the rate": {"lr": 2e-5}}, 3, recipe, tiny, metrics="mIoU",
                     title="The learning rate", train_data=scenes, val_data=scenes)  # fmt: skip
before = ours.results
print(ours.status, "-", len(before), "runs")

# %% [markdown]
# What it found:

# %% tags=["nbval-ignore-output"]
print(ours.table())
print()
print(ours.row("a hundredth of the rate").words)

# %% [markdown]
# `ours` alone at the end of a cell shows the figure and all words; `ours.to_html()` writes a page. Called again with more
# seeds, it makes those that are missing:

# %%
with capture_output():
    more = ofl.study({"as it is": {}, "a hundredth of the rate": {"lr": 2e-5}}, 4, recipe, tiny, metrics="mIoU",
                     title="The learning rate", train_data=scenes, val_data=scenes)  # fmt: skip
print(len(more.results), "runs; the first six are as they were:", more.results[:6] == before)

# %% [markdown]
# ## What is simplified here
#
# * The paper's rows are of full trainings of a large model. Ours are of a minute. They are beside each other for the
#   *questions*, not for the numbers.
# * Ranges of three values are rough. Statisticians would take a t-test; the rule here asks for more than that, needs no
#   table, and can be checked by eye.
# * Many rows are as many chances to be wrong. A rule that errs once in 190 times errs once in five tables of 38 rows.

# %% [markdown]
# ## Break it
#
# **Report the best seed.** Everybody has done it: of three runs, take the one that went well, for the new method only. A
# change that does nothing, in ten thousand papers:

# %%
a, b = rng.normal(0, sigma, (2, 10_000, 3))
honest, best = (b - a).mean(1), b.max(1) - a[:, 0]
print(f"mean of three against mean of three: {honest.mean():+.1f} points on average")
print(f"best of three against the first:     {best.mean():+.1f} points on average, above zero in {np.mean(best > 0):.0%}")

# %% [markdown]
# An improvement made of nothing, and it has the size of many that are published.

# %%
import shutil

shutil.rmtree(work)

# %% [markdown]
# ## In the package
#
# * `studies.running.study`, variants x seeds
# * `studies.study.Study`, what a study has found so far
# * `studies.summary.Row`, one variant, with what is seen and what is not

# %% [markdown]
# ## Summary
#
# * A difference without the noise beside it says nothing: train the same thing three times first.
# * "Seen" holds for this model, data and budget; "not seen" means smaller than a size that you can name.
# * Say what you compare, with which budget and which rule, before you look. And report all seeds.
#
# **Ask yourself**
#
# <details><summary>The paper's contrastive loss is worth 8.4 points on Cityscapes and 0.4 on COCO. Which is right?</summary>
# Perhaps both: other data, another backbone, other steps. Without a second seed nobody can say how much of either is
# noise.</details>
#
# <details><summary>Your change wins by 0.5 with every one of three seeds, and seeds alone make 2 points. Is that
# something?</summary>
# A hint. Three equal signs come by chance once in four times. Run five more seeds before you tell anybody.</details>
#
# <details><summary>Would a longer training make the error bars smaller?</summary>
# Often, as runs come closer to where they are going. But differences shrink as well: what only makes the start faster
# vanishes.</details>
#
# <details><summary>Why must a variant with a batch twice as large have half the steps?</summary>
# Else it sees twice as many pictures, and you measure those.</details>
