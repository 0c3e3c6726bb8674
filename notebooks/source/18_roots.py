# %% [markdown]
# # 18 · Roots: patches, U-Net, and what the Hungarian loss adds
#
# Before OneFormer there was a student's question, in a report of February 2021: **can a plain transformer segment at
# all?** And then: **what happens if a U-Net gets object queries?**
#
# Three experiments answered:
#
# 1. *Seq2Seg*: a picture cut into patches, read by BERT like a sentence, against a U-Net.
# 2. Seq2Seg with *object queries*: handwritten digits, scattered, to be found one by one.
# 3. A U-Net whose output channels are queries, with the Hungarian loss.
#
# We repeat all three, small enough for a minute each: that shows how they work, and is far too short for the report's
# scores. Longer runs, made beforehand, stand at the end. We also look at what the report could not show: why borders of
# patches are visible, and what a query turns into when nothing but its start tells it from the others.
#
# *Goals:* build a model of patches and a U-Net; give each queries; see what makes two queries differ. *Before:*
# lessons 00b and 08. *Minutes:* 50. *Words and letters:* [glossary](GLOSSARY.md).

# %% [markdown]
# ## The report's numbers
#
# Cityscapes at 128 x 256, 34 label ids, pixel accuracy in percent; digits on 64 x 64 pixels, the share of digits that
# are named rightly, and the dice loss of their masks.

# %%
report = {
    "Seq2Seg": "50.8M parameters, pixel accuracy 80.20",
    "Seq2Seg, last hidden state alone": "50.8M parameters, pixel accuracy 78.85",
    "U-Net": "7.8M parameters, pixel accuracy 82.75",
    "Seq2Seg with queries, easy digits": "97 % named rightly, dice loss 0.03, after 11,256 steps of 64 pictures",
    "Seq2Seg with queries, hard digits": "62 % named rightly, dice loss 0.2, after as many",
    "U-Net with queries": "cars apart, but each found two or three times: shown in pictures, not counted",
}
for name, found in report.items():
    print(f"{name:<33} {found}")

# %% [markdown]
# ## A picture as a sentence
#
# The scene of all lessons, in patches of 8 x 8 pixels. Each becomes one long row of numbers: a *word*.

# %%
import json

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn
import oneformer_lite as ofl
from oneformer_lite.lessons import proved


def patches_naive(image, side):
    """[3, H, W] -> [S, 3 * side * side], row by row."""
    words = []
    for top in range(0, image.shape[1], side):
        for left in range(0, image.shape[2], side):
            words.append(image[:, top : top + side, left : left + side].flatten())
    return torch.stack(words)


sample = ofl.data.Toytown("val", size=128)[13]
image = ofl.data.normalise(sample.image)
words = patches_naive(image, 8)
print(list(words.shape))

# %% [markdown]
# Here they are, a little apart, as the transformer sees them: it is not told which ones touch.

# %%
tiles = sample.image.reshape(16, 8, 16, 8, 3).transpose(0, 2, 1, 3, 4)
apart = np.pad(tiles, ((0, 0), (0, 0), (1, 1), (1, 1), (0, 0)), constant_values=255)
picture = ofl.render.enlarge(apart.transpose(0, 2, 1, 3, 4).reshape(160, 160, 3), 3)
ofl.render.described(picture, "Scene 13 cut into 16 x 16 patches with white gaps between them.")

# %% [markdown]
# A linear layer makes a token of each word. The same numbers come from a convolution with a stride as long as its
# kernel, which is how everybody writes it:

# %%
convolution = nn.Conv2d(3, 96, kernel_size=8, stride=8)
with torch.no_grad():
    linear = words @ convolution.weight.flatten(1).T + convolution.bias
    tokens = convolution(image[None])[0].flatten(1).T  # [S, C]
print(list(tokens.shape))
proved("words times a matrix = convolution", linear, tokens, atol=1e-5)

# %% [markdown]
# ## BERT, and 50.8 million
#
# The tokens get positions from a table and go through BERT's layers: attention among all of them, then two linear
# layers. What *all* layers say of a patch is summed, and one transposed convolution writes the patch's pixels. Is that
# what the report built? Its parameter count says so, to the last digit:

# %%
def encoder_layer(d, ffn):
    attention, feed_forward, norms = 4 * (d * d + d), (d * ffn + ffn) + (ffn * d + d), 2 * 2 * d
    return attention + feed_forward + norms


d = 768
parts = {
    "6 layers": 6 * encoder_layer(d, 3072),
    "patches of 16 x 16": 3 * 16 * 16 * d + d,
    "512 positions, 2 token types": (512 + 2) * d,
    "norm": 2 * d,
    "pooler": d * d + d,
    "16 x 16 pixels of 34 classes": d * 34 * 16 * 16 + 34,
}
for name, count in parts.items():
    print(f"{name:<30}{count:>12,}")
print(f"{'all':<30}{sum(parts.values()):>12,}, {sum(parts.values()) / 1e6:.1f} million")

# %% [markdown]
# 50.8 million, with *BERT's pooler*, whose result nobody read. The package's model has no pooler; the rest agrees. And
# a U-Net of 32 channels at the picture's size:

# %%
from oneformer_lite.config import Seq2SegConfig, UNetConfig


def parameters(model):
    return sum(p.numel() for p in model.parameters())


with torch.device("meta"):  # shapes alone: nothing is drawn
    seq2seg, unet = (ofl.model.build(Config(num_classes=34)) for Config in (Seq2SegConfig, UNetConfig))
print(f"U-Net: {parameters(unet) / 1e6:.2f} million")
proved("ours without pooler = package", sum(parts.values()) - parts["pooler"], parameters(seq2seg))

# %% [markdown]
# ## Experiment 1: Seq2Seg against U-Net
#
# One loop for all experiments of this lesson: batches, the loss of the model's configuration, AdamW with a rate that
# rises and falls.

# %%
from oneformer_lite.losses import Criterion


def learn(config, scenes, task, steps, batch_size=8, lr=2e-3):
    torch.manual_seed(0)
    rng, model = np.random.default_rng(0), ofl.model.build(config)
    criterion, optimiser = Criterion(model.config), torch.optim.AdamW(model.parameters(), lr)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, lr, steps)
    for _ in range(steps):
        batch = ofl.data.collate([(scenes[i], task) for i in rng.choice(len(scenes), batch_size)])
        loss = criterion(model.learn(batch), batch.targets)["total"]
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
    return model.eval()

# %% [markdown]
# Toytown at 64 x 64, both models small, the same scenes and the same number of steps, each at a rate that suits it. Both
# have one mask for each class and learn the class of every pixel.

# %%
from dataclasses import replace

streets = [ofl.data.Toytown("train", 64)[i] for i in range(64)]
held_out = [ofl.data.Toytown("val", 64)[i] for i in range(16)]
small = {"image_size": 64, "test_size": 64}
bert = {"hidden_dim": 64, "num_heads": 4, "encoder_ffn": 256, "grid_rows": 8, "grid_columns": 8}
convolutions = {"base_channels": 8, "depth": 3, "norm": "group"}
models = {
    "Seq2Seg": learn(replace(ofl.config.seq2seg_toytown(), **small, **bert), streets, "semantic", 120),
    "U-Net": learn(replace(ofl.config.unet_toytown(), **small, **convolutions), streets, "semantic", 120, lr=5e-3),
}

# %% [markdown]
# After so few steps nobody wins by much, and a plain transformer does segment. (Minutes instead of seconds: at the
# end.)

# %% tags=["nbval-ignore-output"]
for name, model in models.items():
    found = ofl.evaluate(model, held_out, "semantic")
    print(f"{name:<8} pixel accuracy {found['pixel_accuracy']:.0f}, mIoU {found['mIoU']:.0f}, mean dice "
          f"{found['mDice']:.0f}; the report: {report[name].split(', ')[1]}")

# %% [markdown]
# Look at the pictures, though: which of the two is a mosaic?

# %% tags=["nbval-ignore-output"]
rows = [[ofl.predict(model, scene.image, "semantic").render() for scene in held_out[:4]] for model in models.values()]
side = rows[0][0].shape[0]
scenes = [ofl.render.enlarge(scene.image, side // 64) for scene in held_out[:4]]
picture = ofl.render.contact_sheet([scenes, *rows], row_titles=["scene", *models])
ofl.render.described(picture, "Four scenes, and what both models make of them. Seq2Seg's segments have steps like "
                              "stairs; the U-Net's follow the outlines.")

# %% [markdown]
# ## Why patches stay visible
#
# A transposed convolution whose stride is its kernel writes each patch from **one** token. Change one token, and see
# which pixels notice:

# %%
head = models["Seq2Seg"].class_head
cells = torch.randn(1, 64, 8, 8)
changed = cells.clone()
changed[0, :, 3, 4] += 1.0
with torch.no_grad():
    noticed = (head(changed) != head(cells)).any(1)[0]
rows, columns = torch.nonzero(noticed, as_tuple=True)
print(int(noticed.sum()), "pixels: rows", int(rows.min()), "to", int(rows.max()), "and columns", int(columns.min()),
      "to", int(columns.max()))

# %% [markdown]
# Its own patch, and nothing else. Two pixels beside each other on either side of a border are written by two tokens
# that agree only as far as attention made them. So probabilities jump there:

# %% tags=["nbval-ignore-output"]
pictures = torch.stack([ofl.data.normalise(scene.image) for scene in held_out])
for name, model in models.items():
    with torch.no_grad():
        masks = model(pictures, "semantic").mask_logits.sigmoid()
    jumps = (masks[..., 1:] - masks[..., :-1]).abs().sum(1).mean((0, 1))  # between column x and the next
    borders = torch.arange(63) % 8 == 7
    print(f"{name:<8} jumps at patch borders are {float(jumps[borders].mean() / jumps[~borders].mean()):.1f} times those within")

# %% [markdown]
# ## Why the U-Net's boundaries are a little better
#
# On its way up a U-Net joins the maps of its way down, up to the picture's own size: the last convolution still sees
# the pixels. Seq2Seg's pixels went through a token of 64 numbers each. How many pixels are right beside a boundary
# between classes, how many elsewhere?

# %% tags=["nbval-ignore-output"]
from oneformer_lite.metrics import semantic_labels

truth = torch.from_numpy(np.stack([semantic_labels(s.segment_map, s.segments) for s in held_out]))
spread = F.max_pool2d(truth[:, None].float(), 3, 1, 1) != -F.max_pool2d(-truth[:, None].float(), 3, 1, 1)
near, known = spread[:, 0], truth >= 0
for name, model in models.items():
    with torch.no_grad():
        right = model(pictures, "semantic").mask_logits.argmax(1) == truth
    print(f"{name:<8} right beside boundaries {100 * right[known & near].float().mean():.0f} %, "
          f"elsewhere {100 * right[known & ~near].float().mean():.0f} %")

# %% [markdown]
# ## What attention costs
#
# Every token looks at every other: S tokens, S x S scores. A picture of twice the side has four times the tokens and 16
# times the scores: the cost grows with the **fourth power** of the side. How much of a layer is that? Multiplications
# of BERT's layer in millions, patches of 16 x 16:

# %%
print(f"{'picture':>12} {'tokens':>7} {'scores':>8} {'the rest':>9}")
for height in (128, 256, 512, 1024):
    s = (height // 16) * (2 * height // 16)
    print(f"{height:>5} x {2 * height:<4} {s:>7} {2 * s * s * d / 1e6:>8,.0f} {12 * s * d * d / 1e6:>9,.0f}")

# %% [markdown]
# At the report's size the quadratic part is small; at Cityscapes' own, it is most of the cost. Measured, of attention
# alone:

# %% tags=["nbval-ignore-output"]
import time

for count in (512, 1024, 2048):
    q = torch.randn(1, 4, count, 24)
    times = []
    for _ in range(5):
        begun = time.perf_counter()
        (q @ q.mT).softmax(-1) @ q
        times.append(time.perf_counter() - begun)
    print(f"{count:>5} tokens: {1000 * min(times):.1f} ms")

# %% [markdown]
# ## Scattered digits
#
# To find *objects*, the report scattered handwritten digits: apart (easy), or one over the other (hard), where each mask
# stays whole. Digits are split before scenes are made, so none of those below was ever trained on.

# %%
digits = {level: ofl.data.Digits("val", level) for level in ("easy", "hard")}
rows = [[ofl.render.enlarge(data[i].image, 2) for i in range(6)] for data in digits.values()]
picture = ofl.render.contact_sheet(rows, row_titles=list(digits))
ofl.render.described(picture, "Six easy scenes, white digits on black, apart; and six hard ones, in which some lie "
                              "over each other.")

# %% [markdown]
# Black pixels are void here, and overlapping masks fit into no map: hard scenes can be asked for instances alone.

# %%
for level, data in digits.items():
    sample = data[0]
    names = [data.categories[segment.class_id].name for segment in sample.segments]
    print(level, names, data.tasks, "pixels of more than one:", int((sample.segment_masks().sum(0) > 1).sum()))

# %% [markdown]
# ## Dice, with and without squares
#
# Masks are learned by dice. V-Net, which the report cites, has squares in the denominator; DETR and its children have
# none. By hand, on an edge pixel that is half ink and a pixel that is all ink, predicted perfectly:

# %%
y = torch.tensor([0.5, 1.0])
p = y.clone()
plain = 1 - 2 * (p * y).sum() / (p.sum() + y.sum())
squared = 1 - 2 * (p * y).sum() / ((p * p).sum() + (y * y).sum())
print(f"plain {plain:.3f}, squared {squared:.3f}")

# %% [markdown]
# Perfect costs nothing only with squares. With masks of whole pixels both are 0 there, and they differ on the way:
# plain dice still pushes a pixel that is nearly right; with squares hardly anything pushes it.

# %%
for value in (0.1, 0.5, 0.9):
    p = torch.tensor([value, 1.0], requires_grad=True)
    y = torch.ones(2)
    losses = (1 - 2 * (p * y).sum() / (p.sum() + y.sum()), 1 - 2 * (p * y).sum() / ((p * p).sum() + (y * y).sum()))
    slopes = [float(torch.autograd.grad(loss, p)[0][0]) for loss in losses]
    print(f"p = {value}: slope of plain {slopes[0]:.2f}, of squared {slopes[1]:.2f}")

# %% [markdown]
# ## Experiment 2: queries before the patches
#
# Six learned tokens are put before the patches. They go through the same layers; then a linear layer turns the last
# state of each into a class, and another into its *whole mask*, 16 x 16 cells at once. Matching by Hungarian, dice, and
# cross-entropy with less weight: the report's recipe, small.

# %%
easy = ofl.data.Digits("train", "easy", length=1500)
config = replace(ofl.config.query_seq2seg_digits(), hidden_dim=96, num_heads=4, encoder_layers=3, encoder_ffn=384,
                 encoder_dropout=0.0, mask_size=16)  # fmt: skip
finder = learn(config, easy, "instance", 250, batch_size=12, lr=1e-3)

# %% [markdown]
# Queries have no order: nothing but their start tells them apart. Swap the starts, and the answers swap:

# %%
picture, order = ofl.data.normalise(digits["easy"][0].image)[None], torch.tensor([5, 3, 1, 0, 2, 4])
with torch.no_grad():
    before = finder(picture, "instance").mask_logits[0]
    start = finder.queries.weight.clone()
    finder.queries.weight.copy_(start[order])
    after = finder(picture, "instance").mask_logits[0]
    finder.queries.weight.copy_(start)
proved("answers swap with the starts", after, before[order], atol=1e-4)

# %% [markdown]
# **Break it.** Give all queries the same start: they say the same, and always will, for their gradients are the same
# too.

# %%
with torch.no_grad():
    finder.queries.weight.copy_(start[:1].expand_as(start))
    same = finder(picture, "instance").mask_logits[0]
    finder.queries.weight.copy_(start)
proved("all six masks are one", same, same[:1].expand_as(same), atol=1e-4)

# %% [markdown]
# ## What a query stands for
#
# So what have the six starts become? For 150 held-out scenes: each digit is marked with the number of the query whose
# mask is nearest to it.

# %%
from scipy.optimize import linear_sum_assignment
from oneformer_lite.metrics.matched_masks import dice_losses, shrunk

places = [[] for _ in range(6)]
for scene in (digits["easy"][i] for i in range(150)):
    with torch.no_grad():
        masks = finder(ofl.data.normalise(scene.image)[None], "instance").mask_logits[0].sigmoid().numpy()
    truth = scene.segment_masks()
    for query, digit in zip(*linear_sum_assignment(dice_losses(masks, shrunk(truth, (16, 16))))):
        places[query].append([axis.mean() for axis in np.nonzero(truth[digit])])

# %% [markdown]
# The map:

# %% tags=["nbval-ignore-output"]
import matplotlib.pyplot as plt

figure, axis = plt.subplots(figsize=(4.5, 4.5))
for query, points in enumerate(places):
    rows, columns = zip(*points) if points else ((), ())
    axis.scatter(columns, rows, s=26, linewidths=0.3, marker=f"${query}$", label=f"query {query}: {len(points)}")
axis.set(xlim=(0, 64), ylim=(64, 0), title="which query takes a digit where")
axis.legend(fontsize=7, loc="upper center", ncols=3)
ofl.render.described(figure, "The places of digits, each marked with the number of its query: equal numbers lie together, "
                             "every query's in a region of its own.")

# %% [markdown]
# Each query has taken a **place**: "upper left", "right". Nobody asked for it. At the start all masks are alike; the one
# that happens to be a little more to the left is matched with digits on the left, learns from those alone, and moves
# further. Matching breaks the symmetry, and then never lets go.
#
# ## Who is right, judged by masks alone
#
# A mask's query is found by its mask, and then asked for the class. (Matched by class as well, as in training, a model
# that guesses would be right about half of the time: there is nearly always a query that happens to say it.)

# %% tags=["nbval-ignore-output"]
from oneformer_lite.evaluation import evaluate_masks

judged = ofl.data.Digits("val", "easy", length=100)
found = evaluate_masks(finder, judged)
print(f"{found.accuracy:.0f} % named rightly, dice loss {found.dice_loss:.2f}, the right number of digits in "
      f"{found.counted:.0f} % of pictures, after 250 steps of 12")
print("the report:", report["Seq2Seg with queries, easy digits"])

# %% [markdown]
# Masks are blurred blobs still, and classes hardly begun: they wait for masks that tell digits apart. The report took
# 11,256 steps of 64 pictures. What such models reach in minutes stands at the end.
#
# ## Experiment 3: a U-Net with queries
#
# The last convolution gets one channel for each query; classes are read from the pooled coarsest map; the loss is the
# same. No parameter is shared between queries, and no query ever hears of another:

# %%
unet = replace(ofl.config.hungarian_unet_digits(), num_queries=6, masks="channels", transformer_layers=0, base_channels=16)
channels = learn(unet, easy, "instance", 150)
print(f"{parameters(channels) / 1e6:.1f} million parameters, first map at half of the picture's size")

# %% [markdown]
# Nothing lets two channels agree on who takes a digit. A detection is *redundant* where another one covers the same
# digit:

# %% tags=["nbval-ignore-output"]
for name, model in {"tokens in Seq2Seg": finder, "channels of a U-Net": channels}.items():
    found = evaluate_masks(model, judged)
    print(f"{name:<20} {found.redundant:.2f} redundant detections a picture, dice of cut masks {found.dice:.0f}")

# %% [markdown]
# The report saw cars that were found two or three times. At its end it proposes a transformer between the two halves,
# with queries among its tokens: `ofl.config.hungarian_unet_digits()` as it stands, whose masks are products of a
# query with each pixel. Add masked attention, deformable attention, a task token and texts to that, and you have read
# lessons 03 to 10 again.

# %% [markdown]
# ## Trained longer
#
# The models above learned for seconds. `tests/benchmarks/roots.py` trains each some ten minutes on one core; what
# came out lies in `data/sample/roots.jsonl`. Experiment 1 was made on Toytown and on the street photographs of CamVid
# (test pictures); the report's numbers are those of Cityscapes:

# %%
lines = [json.loads(line) for line in (ofl.data.sample_folder() / "roots.jsonl").read_text().splitlines()]


def of(experiment, data):
    return {line["model"]: line for line in lines if (line["experiment"], line["data"]) == (experiment, data)}


# %% [markdown]
# The first experiment:

# %%
cityscapes = {"Seq2Seg": "80.2", "Seq2Seg, last state": "78.9", "U-Net": "82.8"}
print(f"{'pixel accuracy, mIoU':<22} {'Toytown':>12} {'CamVid':>12} {'report':>8}")
for name, theirs in cityscapes.items():
    ours = [of("semantic", data).get(name) for data in ("toytown", "camvid")]
    columns = [f"{row['pixel_accuracy']:.1f}, {row['mIoU']:.1f}" if row else "" for row in ours]
    print(f"{name:<22} {columns[0]:>12} {columns[1]:>12} {theirs:>8}")

# %% [markdown]
# On Toytown the order of the report is turned round: Seq2Seg is ahead. Its steps are twice as fast, so it made twice
# as many, and a painted town is made of flat areas that fit patches. On photographs the U-Net leads, by more than in
# the report, whose models saw more than ten times as many pictures. The sum of all hidden states is
# worth much on Toytown, and nothing on CamVid after so few steps.
#
# Experiment 2, digits that lie apart (easy) and over each other (hard), 1000 held-out scenes:

# %%
for level in ("easy", "hard"):
    for name, row in of("digits", level).items():
        print(f"{level} digits, {name}, {row['steps']} steps of {row['batch']}: "
              f"{row['accuracy']:.0f} % named rightly, dice loss {row['dice_loss']:.2f}")

# %% [markdown]
# Experiment 3, on Toytown:

# %%
for name, row in of("panoptic", "toytown").items():
    print(f"{name:<38} PQ {row['PQ']:.0f} (things {row['PQ_th']:.0f}), {row['redundant']:.2f} redundant a picture")

# %% [markdown]
# Longer training brings what seconds could not: masks of digits that lie apart are better than the report's after a
# fifteenth of its pictures, and most digits that lie over each other are found and named. The last row's queries read all
# maps of the way up where their masks are (lesson 10), and those that answer for nothing learn to draw nothing: without
# that, several draw one digit, and the one that draws it best may not be the one that names it. Transformer
# layers between the U-Net's halves let queries hear of each other: PQ grows, and fewer objects are found twice. The
# third row's masks are products of a query with each pixel; its steps take twice as long, so it made half as many.

# %% [markdown]
# ## What we simplified
#
# * Toytown and digits instead of Cityscapes, and seconds instead of hours. `tests/benchmarks/roots.py` has the long runs,
#   with the report's own sizes, losses and rates among them.
# * The report's binary cross-entropy for classes of pixels: `mask_loss="bce"`; here one softmax over all classes.
# * Which of transformers' seven hidden states the report summed, it does not say: `sum_embeddings` is the switch.
# * Its cost of a side twice as long, 8 times, is a slip: two sides double, and each score has two tokens, so 16.

# %% [markdown]
# ## In the package
#
# * `model.seq2seg.Seq2Seg`: patches through BERT, and back to pixels
# * `model.unet.UNet`: down, up, and a mask for each class
# * `model.query_seq2seg.QuerySeq2Seg`: queries before the patches
# * `model.hungarian_unet.HungarianUNet`: queries as channels, or as tokens between the halves
# * `losses.masks.squared_dice_loss`: V-Net's dice
# * `data.digits.dataset.Digits`: scattered digits
# * `metrics.matched_masks.MatchedMasksMetric`: objects and the queries whose masks are nearest

# %% [markdown]
# ## Summary
#
# * A plain transformer over patches segments; its patches stay visible because of a head that writes each patch from
#   one token alone.
# * Skips carry pixels past the bottleneck: that is what a U-Net's boundaries are made of.
# * The Hungarian loss makes objects of queries; nothing but their start tells them apart, so each takes a place.
#
# **Ask yourself**
#
# <details><summary>Would finer patches be invisible?</summary>
# It makes them smaller and more. Each pixel would still be written by one token; and half the side costs four times the
# tokens, 16 times the scores.</details>
#
# <details><summary>Why is dice with squares 0 for a soft target that is predicted exactly, and plain dice not?</summary>
# Twice the overlap is then twice the sum of squares, and so is the denominator. The plain denominator has the values
# themselves, which are larger than their squares between 0 and 1.</details>
#
# <details><summary>Two channels of a Hungarian U-Net drew the same car. The matcher took one. What does the other
# learn?</summary>
# To say "no object", which weighs little, and nothing about its mask: only matched masks have a loss. So it keeps
# drawing.</details>
#
# <details><summary>Why must digits be split before scenes are made of them?</summary>
# Scenes are all different in any case. If digits were not split, each held-out scene would be made of digits seen a
# hundred times, and the score would be one of memory.</details>
