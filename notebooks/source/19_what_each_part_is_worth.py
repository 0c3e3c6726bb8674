# %% [markdown]
# # 19 · What each part is worth
#
# A paper takes its model apart, trains it without each part, and writes one number per row: "without it, 8.4 points less".
# Such tables rarely say how often each model was trained.
#
# **Would the same number come out again?** And what would come out on your laptop?
#
# The answer in short: with three seeds and this small budget, nothing is certain by PQ, and much is a hint. You bet
# first. Then we look at what was measured on Toytown, with error bars; ask what could not be seen, and why; and make
# a study of our own, live.
#
# *Goals:* read a table of ablations; tell a difference from noise; plan a study. *Before:* lessons 04 to 07, 10 and
# 12. *Minutes:* 40. *Words and letters:* [glossary](GLOSSARY.md).

# %%
import matplotlib.pyplot as plt
import numpy as np
import oneformer_lite as ofl
from oneformer_lite.studies.summary import signed

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
    print(f"{data:<30} {'PQ':>5} {'AP':>5} {'mIoU':>5}   against the whole")
    for name, values in table.items():
        against = " ".join(f"{signed(v - w, 1):>5}" for v, w in zip(values, whole))
        print(f"  {name:<28} " + " ".join(f"{v:5.1f}" for v in values) + f"   {against}")

# %% [markdown]
# Task token: lesson 04. Contrastive loss: lesson 07 (its weight is 0.5 in the whole). Learned text context and template of
# the sentences: lesson 05. Query initialisation: lesson 06.
#
# Look at the contrastive loss: worth 8.4 points of PQ in one table and 0.4 in the other. The same part of the same model. And
# it depends on the metric: the 8.4 are 3.2 by AP and 0.5 by mIoU.
#
# ## Your bet
#
# The study below trains a small OneFormer on painted street scenes, with each part and without. How much PQ does it lose
# (or win) without the part? Write numbers in place of `None`, such as `-3.0`. If you do not want to bet, go on.

# %%
bets = {
    "no task token": None,
    "no contrastive loss": None,
    "no masked attention": None,
    "no deep supervision": None,
    "zero query initialisation": None,
    "40 queries": None,  # in place of 20
    "FPN": None,  # in place of deformable attention in the pixel decoder
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
# trains each with three seeds, one run after the other; it resumes after a stop. With the same seed all variants see the same
# pictures in the same order. What came out lies in `data/sample/ablations`, as the command wrote it.

# %%
c, config = study.definition.reference.train_config, study.definition.reference.config
print(f"{len(study.variants)} variants, seeds {study.seeds}; {len(study.results)} of {len(study.definition.runs)} runs are made,")
print(f"those of {len({r.variant for r in study.results})} variants")
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
# Rows with three seeds. **Range**: highest minus lowest value. **Difference**: the mean over the seeds of (variant -
# baseline), each with the same seed.
#
# > **The rule.** A difference is *seen* if it is more than twice the range of the variant or of the baseline, whichever is
# > larger. If it is smaller but has the same sign with every seed, it is a *hint*. Else it is *not seen*.

# %%
done = [row for row in study.rows("PQ") if len(row.values) >= 3]
print(f"{'PQ':<34}{'mean':>6}{'range':>7}{'difference':>12}   seed by seed")
for row in done:
    each = " ".join(f"{signed(d, 1):>6}" for d in row.differences.values())
    print(f"{row.variant:<34}{row.mean:6.1f}{row.range:7.1f}{signed(row.difference, 1):>12}   " + each * (not row.is_baseline))

# %% [markdown]
# Look at the ranges. The baseline's seeds lie close together. Of the rows that lose, some seeds go well and others badly.
# Take "no deep supervision" (lesson 09b): after its first seed one would have written "7.9 points less" into a table, and the
# other two do not agree. Perhaps some parts are worth most by making *every* training go well. A rule that compares with the
# range says least of those. (Of three values each, one range may also be much larger by chance.)
#
# As a picture: a point for each seed, a line for their mean. Differences in the grey band can come from the seeds
# alone.

# %%
from oneformer_lite.data.image import image_from_bytes
from oneformer_lite.studies.page import figure_of

figure = image_from_bytes(figure_of(done, dpi=110), "the figure")
outside = ", ".join(row.variant for row in done if row.seen) or "nothing"
within = ", ".join(row.variant for row in done if not row.seen and not row.is_baseline)
ofl.render.described(figure, "Differences to the baseline: a point for each seed, a stroke for their mean, over a grey band of "
                     f"twice the range. Outside its band lies: {outside}. Within: {within}.")  # fmt: skip

# %% [markdown]
# In words, with the paper's difference on Cityscapes where it has one, and your bet:

# %%
for row in done:
    if row.is_baseline:
        continue
    print(f"{row.variant}: {row.words}")
    if row.variant in CITYSCAPES:
        print(f"    the paper, Cityscapes: {signed(CITYSCAPES[row.variant][0] - CITYSCAPES['OneFormer'][0], 1)}")
    if (bet := bets.get(row.variant)) is not None:
        off = abs(bet - row.difference)
        print(f"    your bet: {signed(bet, 1)}, " + ("within the noise" if off <= 2 * row.noise else f"off by {off:.1f}"))

# %% [markdown]
# By PQ nothing is seen. Without the task token two seeds lose some ten points and the third next to nothing. The
# paper has 0.7. Why may it be more here? These runs do not tell. A guess: a third of the steps belongs to each task,
# and the training is short. A model that is not told its task must answer with a mixture. (In lesson 20 a model that
# was never told scores as well as a healthy one. That is one run, on four pictures that it has learned.)
#
# By the other two metrics, what is seen (better or worse) and what is a hint:

# %%
for metric in ("mIoU", "AP"):
    rows = [row for row in study.rows(metric) if len(row.values) >= 3 and not row.is_baseline]
    told = [row for row in rows if row.verdict != "unseen"]
    for row in told:
        print(f"{metric:<5} {row.variant:<32} {row.mean:5.1f}, {signed(row.difference, 1):>5}  {row.verdict}")
    print(f"{metric:<5} not seen: {len(rows) - len(told)} others")

# %% [markdown]
# One row is seen, by one metric: an FPN in place of deformable attention (lessons 02 and 03). By PQ it loses with every seed as
# well.
#
# A model that learns one task alone is better at it with every seed, by its own metric: all steps are that task's.
# What joint training gives for it is one model in place of three. And masked attention (lesson 10) gives nothing
# here: *trained* without it, every seed is a little better. (Lessons 10 and 13 switch it off *after* training: then
# the model loses much, because it has learned to rely on it.)

# %% [markdown]
# Two things to keep apart. A difference that is **seen** holds for this model, these scenes and this budget, and for
# nothing else: the paper's two data sets already disagree. And one that is **not seen** is not zero.
#
# ## What could not be seen
#
# First what has not been run yet. The command makes it, as long as it is given time:

# %%
import textwrap

made = {result.variant for result in study.results}
rest = [name for name in study.variants if name not in made]
print(f"{len(rest)} of {len(study.variants)} variants:")
print(*textwrap.wrap("; ".join(rest), 110, break_on_hyphens=False), sep="\n")

# %% [markdown]
# Then what this budget hides:
#
# * **Things.** Their score, AP, is 2 to 3 percent in every row. A part that serves things has no chance to show it.
# * **The end of a training.** Deep supervision, masked attention and good starts for queries may only make the first steps
#   faster. Whether a model without them arrives at the same place later, these runs do not tell.
# * **What large data need.** Toytown has fourteen classes. And do not guess: with the 19 of Cityscapes the paper's
#   contrastive loss was worth more than with the 133 of COCO.
# * **Whatever is smaller than the noise.** How small is that?
#
# ## How to read a difference smaller than the noise
#
# The baseline's seeds tell what the noise is. Suppose that scores follow a normal distribution with this standard
# deviation, and that a change does **nothing**. What would papers with one run per row report? We draw ten thousand
# of them:

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
for seeds, tone, dash in ((2, "#e69f00", ":"), (3, "#0072b2", "-"), (5, "#009e73", "--")):
    a, b = rng.normal(0, 1, (2, 50_000, seeds))
    share = [np.mean(seen(a, b + effect)) for effect in effects]
    ax.plot(effects, share, dash, color=tone, label=f"{seeds} seeds")
    print(f"{seeds} seeds: an effect of nothing is seen in {share[0]:.2%}, one of 4 deviations in {share[8]:.0%}, "
          f"one of 6 in {share[12]:.0%}")  # fmt: skip
ax.set(xlabel="true effect, in deviations between seeds", ylabel="share that is seen", ylim=(0, 1))
ax.legend(frameon=False)
ofl.render.described(figure, "The share of studies that see an effect, over its size: three curves from nearly zero to one. "
                     "The fewer seeds, the higher the curve: two are above three, and three above five.")  # fmt: skip

# %% [markdown]
# With three seeds the rule is strict: what it calls seen is rarely chance. (With two it is not: the package gives no verdict
# then.) The price is on the other side: an effect of four deviations is missed more often than found. And more seeds make
# *this* rule stricter, as five values have a larger range than three: it is meant for three or four.
#
# **"Not seen" means: probably smaller than a size that you can name.** With three seeds, one of six deviations is still
# missed one time in five. The deviation is that of the variant or of the baseline, whichever is larger.
#
# With more seeds, divide the mean difference by its standard error (a t-test). A rule of thumb of statistics says how many it
# takes to find an effect four times in five: 16 times the square of (deviation / effect).

# %%
for row in done:
    if not row.is_baseline:
        larger = max(sigma, np.std(list(row.values.values()), ddof=1))
        print(f"{row.variant:<32} deviation {larger:.1f}: effects below {4 * larger:.0f} to {6 * larger:.0f} points are easily "
              f"missed; for one point take {np.ceil(16 * larger**2):.0f} seeds of each")  # fmt: skip

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
# With three seeds this comparison is itself mostly noise. But to take differences with the same seed costs nothing.
#
# ## The same seed elsewhere
#
# Some of these runs had been made before, on another processor, with another build of PyTorch. The seeds, pictures, weights
# at the start and steps were the same. Only sums were rounded otherwise:

# %%
import json

elsewhere = [json.loads(line) for line in (folder / "elsewhere.jsonl").read_text().splitlines()]
here = {(r.variant, r.seed): r.scores.get("PQ") for r in study.results}
twice = [(r["variant"], r["seed"], here[r["variant"], r["seed"]], r["PQ"]) for r in elsewhere]
for name, seed, ours, theirs in twice:
    print(f"{name:<30} seed {seed}: {ours:5.1f} here, {theirs:5.1f} there")
apart = np.array([theirs - ours for _, _, ours, theirs in twice])
print(f"root mean square of the {len(apart)} differences: {np.sqrt(np.mean(apart**2)):.1f} points of PQ")

# %% [markdown]
# Rounding alone moves a run by points, as much as another seed or more. A seed makes a run repeatable on **one** machine; on
# another it is just another draw. So these are more seeds, in a way. The two rows that were whole there:

# %%
from scipy.stats import ttest_1samp

there = {(r["variant"], r["seed"]): r["PQ"] for r in elsewhere}
for name in ("no task token", "no contrastive loss"):
    both = [[scores[name, seed] - scores["OneFormer", seed] for seed in study.seeds] for scores in (here, there)]
    print(f"{name:<20} here {' '.join(signed(d, 1) for d in both[0])}, there {' '.join(signed(d, 1) for d in both[1])}; "
          f"all six {signed(np.mean(both), 1)}, chance of a t-test {ttest_1samp(np.ravel(both), 0).pvalue:.3f}")  # fmt: skip

# %% [markdown]
# There the task token's loss was *seen*: three seeds lay close together. Here it is a hint. All six together hardly
# leave a doubt, and of the contrastive loss they say nothing. But we chose the test after we had seen the data.
# Whoever repeats this until a row is seen will find false effects.

# %% [markdown]
# ## A study of our own
#
# Two variants, three seeds, on four scenes, judged on the same four: a rate of 0.002 against a hundredth of it. Forty steps
# take some seconds and are too few to learn much. (Numbers differ between machines; the verdict should not.)

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
# * The paper's rows are of full trainings of a large model. Ours are of minutes. They are beside each other for the
#   *questions*, not for the numbers.
# * Ranges of three values are rough. Statisticians would take a t-test; the rule here asks for more than that, needs no
#   table, and can be checked by eye.
# * Many rows are as many chances to be wrong. Of 37 comparisons without any effect, each seen with a chance of half a percent,
#   at least one is seen in about every sixth table.

# %% [markdown]
# ## Break it
#
# **Report the best seed.** Everybody has done it: of three runs, take the one that went well, for the new method only. A
# change that does nothing, in ten thousand papers:

# %%
a, b = rng.normal(0, sigma, (2, 10_000, 3))
honest, best = (b - a).mean(1), b.max(1) - a[:, 0]
print(f"mean of three against mean of three: {signed(honest.mean(), 1)} points on average")
print(f"best of three against the first:     {signed(best.mean(), 1)} points on average, above zero in {np.mean(best > 0):.0%}")

# %% [markdown]
# An improvement made of nothing. Some rows of the paper's tables above differ by as much: 0.4, 0.6 and 0.7.

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
# * "Seen" holds for this model, data and budget; "not seen" means probably smaller than a size that you can name.
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
# A hint. Three equal signs come by chance once in four times. Plan a new study: say first how many seeds and which rule (a
# t-test, for many), then run it, and do not count these three.</details>
#
# <details><summary>Would a longer training make the error bars smaller?</summary>
# Often, as runs come closer to where they are going. But differences shrink as well: what only makes the start faster
# vanishes.</details>
#
# <details><summary>Why must a variant with a batch twice as large have half the steps?</summary>
# Else it sees twice as many pictures, and you measure those.</details>
