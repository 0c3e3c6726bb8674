# %% [markdown]
# # 21 · Real photographs: from a folder of files to the error analysis
#
# Toytown is painted. Your pictures come from a camera or a microscope, and lie in a folder. **What lies between that
# folder and a figure that you can trust?**
#
# Twelve microscope pictures come with the package, in which people have outlined each nucleus, the core of a
# biological cell. (The nuclei shine, *fluorescence*, on a dark ground.) We open them, look at them, let the doctor
# look, train for some seconds, predict, judge, and then ask the question that helps most: *what* goes wrong, and
# *where* can I see it? At the end, the same for a model that was trained longer.
#
# *Goals:* open your own pictures, train, predict in windows, and see where it goes wrong. *Before:* lessons 12, 13
# and 15. *Minutes:* 40. *Words and letters:* [glossary](GLOSSARY.md).

# %% [markdown]
# ## Files
#
# This is how microscopists keep them: a folder of pictures, and a folder of *instance maps* of the same names.

# %%
import numpy as np
from PIL import Image
import oneformer_lite as ofl

folder = ofl.data.sample_folder() / "nuclei"
for kind in ("images", "instances"):
    for split in ("train", "val"):
        files = sorted((folder / kind / split).iterdir())
        print(f"{kind}/{split}: {len(files)} files, such as {files[0].name}")

# %% [markdown]
# A map is a PNG of 16 bits. A pixel of 0 is background, any other number is one nucleus; which number does not matter.

# %%
numbers = np.array(Image.open(folder / "instances" / "val" / "4e1c889de3764694.png"))
print(numbers.dtype, list(numbers.shape), "numbers from", numbers.min(), "to", numbers.max())

# %% [markdown]
# ## A data set in one line
#
# `InstanceMapDataset` reads the two folders. All objects are of one class, to which we give its name.

# %%
train, val = (
    ofl.data.InstanceMapDataset(folder / "images" / split, folder / "instances" / split, "nucleus")
    for split in ("train", "val")
)
print(len(train), "pictures to learn from,", len(val), "to judge by, task:", *val.tasks)

# %% [markdown]
# Judge by other pictures than those that taught. If yours are tiles of a few slides (one glass each), split by slide:
# neighbours on one slide look alike, and a score on them is one of memory.

# %% [markdown]
# ## Look at it
#
# Always, and before anything else. The four held-out pictures as they are stored, brightened for our eyes, and with
# their nuclei, each in a colour of its own:

# %%
colors = dict(enumerate(np.random.default_rng(3).integers(70, 256, (200, 3)).tolist()))


def brightened(image):
    """For the eye: greys from 0 to 255, dark ones raised most."""
    return (255 * (image / image.max()) ** 0.5).astype(np.uint8)


def small(picture, height=150):
    return np.array(Image.fromarray(picture).resize((picture.shape[1] * height // picture.shape[0], height)))


def colored(image, ids):
    return small(ofl.render.overlay(brightened(image), ids, colors))


samples = [val[i] for i in range(len(val))]
stored, bright = ([small(f(s.image)) for s in samples] for f in (lambda image: image, brightened))
nuclei = [colored(s.image, s.segment_map) for s in samples]
sheet = ofl.render.contact_sheet([stored, bright, nuclei], row_titles=["stored", "brightened", "nuclei"])
ofl.render.described(sheet, "Four fluorescence pictures in three rows: nearly black as stored, grey nuclei on black when "
                     "brightened, and every nucleus painted in a colour of its own.")  # fmt: skip

# %% [markdown]
# Two things to note. They are dark, and each in its own way. And the nuclei of one are much smaller than those of the
# others. How many are there, and how wide is one in the middle of the range?

# %%
def diameter(sample):
    """Of the median nucleus, in pixels, as if it were round."""
    areas = np.bincount(sample.segment_map.ravel())[1:]
    return 2 * np.sqrt(np.median(areas[areas > 0]) / np.pi)


for i, sample in enumerate(samples):
    height, width = sample.size
    print(f"picture {i}: {height} x {width} pixels, {len(sample.segments)} nuclei, {diameter(sample):.0f} pixels wide")

# %% [markdown]
# ## The configuration
#
# `ofl.config.nuclei()` has the sizes of the model that comes with the package, so training starts from it. Each query
# finds one nucleus, and the fullest of the 664 pictures of the whole data set has 375. Yet 40 queries are enough: it
# learns from small squares of pictures, and predicts through windows. It also brightens each picture, as we did above
# (`stretch`), and of what several queries draw it keeps the surest (`duplicate_iou`). For a lesson we make it simpler:
# pictures are seen whole and as dark as they are, at 160 pixels, with 100 queries, and all that these draw is kept.

# %%
from dataclasses import replace

config = replace(ofl.config.nuclei(), image_size=160, test_size=160, num_queries=100, stretch=False,
                 objects_across=None, duplicate_iou=None)  # fmt: skip
print("fullest picture:", max(len(data[i].segments) for data in (train, val) for i in range(len(data))), "nuclei")

# %% [markdown]
# Masks have a quarter of the size at which the model sees a picture (lesson 02). Before any training, that tells which
# picture will be hard:

# %%
for i, sample in enumerate(samples):
    height, width = config.inference_size(*sample.size)
    cells = diameter(sample) * height / sample.size[0] / 4
    print(f"picture {i}: seen at {height} x {width}, a nucleus is {cells:.1f} cells of its mask wide")

# %% [markdown]
# A mask of three cells across cannot show where two nuclei touch. And a window of a fixed side would show some pictures'
# nuclei twice as large as others'. The recipe for the whole data set therefore measures them: it learns from
# squares some nuclei wide, and predicts through windows about five nuclei wide (`windows=True`; first looks at the
# picture measure them), both resized to one size, whatever the microscope was:

# %%
size = ofl.config.nuclei().image_size
for i, sample in enumerate(samples):
    print(f"picture {i}: windows of {5 * diameter(sample):.0f} pixels seen at {size}, "
          f"a nucleus is {size / 5 / 4:.1f} cells wide")  # fmt: skip

# %% [markdown]
# ## One task has no use for texts
#
# The contrastive loss (lesson 07) compares the text lists of the pictures of a batch. What are they here?

# %%
lists = [ofl.data.targets_for(sample, "instance").texts for sample in samples]
print({text for texts in lists for text in texts}, "times", [len(texts) for texts in lists])

# %% [markdown]
# One sentence, more or less often, and then the same padding for all. With three tasks the padding differs, and that is
# what the loss learns first. Under one task it stays where a guess would be, at 2 ln B for B pictures. So `nuclei()`
# gives it no weight; with one, `ofl.train` and the doctor warn:

# %%
print("nuclei():", config.contrastive_weight, " toytown():", ofl.config.toytown().contrastive_weight)

# %% [markdown]
# ## Ask the doctor
#
# Before the first step: are pictures and maps of one size, is anything there to learn, do outlines lie on edges?

# %%
ofl.doctor(dataset=train)

# %% [markdown]
# It says what we would say: eight pictures are few. Here they are what fits into a lesson.
#
# **Break it.** A map that lies beside its picture is the commonest fault of all, and no loss shows it. We shift every
# map by a few pixels, and ask again:

# %%
shifted = [train[i].replace(segment_map=np.roll(train[i].segment_map, 12, axis=1)) for i in range(len(train))]
for finding in ofl.doctor(dataset=shifted).findings:
    if finding.check == "place of the segments":
        print(finding.verdict, "|", finding.evidence)

# %% [markdown]
# ## Train, some seconds
#
# As `data/README.md` says, with fewer steps, and pictures mirrored alone. (The recipe as it stands turns, crops and
# recolours them: better, and slower to begin.)

# %%
import tempfile
import warnings
from IPython.utils.capture import capture_output
from oneformer_lite.training import nuclei_training

recipe = nuclei_training(out=tempfile.mkdtemp(), steps=80, batch_size=2, lr=1e-3, augmentation="flip", warmup_steps=10,
                         backbone_lr_multiplier=0.1, ema_decay=0.95, evaluations=0, log_steps=1, workers=0)  # fmt: skip
with capture_output(), warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    result = ofl.train(config, recipe, train)
for warning in said:
    print("*", warning.message)

# %% [markdown]
# Three losses, mean of ten steps:

# %% tags=["nbval-ignore-output"]
for first in (0, 30, 70):
    part = result.history[first : first + 10]
    means = {name: np.mean([record[name] for record in part]) for name in ("class", "mask", "dice")}
    print(f"steps {first + 1:>2} to {first + 10}:", ", ".join(f"{name} {value:.2f}" for name, value in means.items()))

# %% [markdown]
# ## Whole, and in windows
#
# The last picture is the largest. Seen whole, it is shrunk to a third. Through windows, each seen at the model's
# size, no detail is lost, and what lies in two windows is joined. After so little training, though, more is found
# through windows than there is: a nucleus twice, or pieces of one:

# %% tags=["nbval-ignore-output"]
model, large = result.model, samples[3]
found = {"whole": ofl.predict(model, large.image, "instance"),
         "windows of 360": ofl.predict(model, large.image, "instance", windows=360)}  # fmt: skip
print({name: len(prediction.segments) for name, prediction in found.items()}, "of", len(large.segments))

# %% [markdown]
# Masks of instances may overlap. To paint them, or to write an instance map as the microscopist has it, a pixel goes to
# the surest:

# %%
def one_map(prediction):
    """A prediction of instances -> int [H, W]: 0 = background, 1 the surest, 2 the next ..."""
    ids = np.zeros(prediction.image.shape[:2], int)
    for number, segment in reversed(list(enumerate(prediction.segments, start=1))):
        ids[segment.mask] = number
    return ids

# %% [markdown]
# Both, beside the annotation:

# %% tags=["nbval-ignore-output"]
pictures = [colored(large.image, ids) for ids in (*map(one_map, found.values()), large.segment_map)]
sheet = ofl.render.contact_sheet([pictures], [*found, "annotated"])
ofl.render.described(sheet, "The largest picture three times: with what was found in it whole, with what was found "
                     "through windows, and with the annotated nuclei.")  # fmt: skip

# %% [markdown]
# Why 360? In training the model saw pictures of 360 pixels shrunk to 160, and windows of 360 look the same to it.
# `windows=True` takes windows of 160, one to one: nuclei twice as large as any that it has seen.

# %% [markdown]
# ## A second look
#
# A nucleus has no upper side, so its mirror image is as good a picture. `Ensemble` asks the model for both and matches
# the queries (several models, too). What do windows and flips give? AP on the four pictures:

# %% tags=["nbval-ignore-output"]
both = ofl.Ensemble(model, flip=True)
for name, asked, windows in (("whole", model, False), ("with a flip", both, False), ("in windows", model, 360)):
    metrics = ofl.evaluate(asked, samples, "instance", windows=windows)
    sizes = ", ".join(f"{size} {ap:.1f}" for size, ap in metrics.ap_by_size.items() if ap is not None)
    print(f"{name:<12} AP {metrics['AP']:.1f}, AP50 {metrics['AP50']:.1f}; by size: {sizes}")

# %% [markdown]
# The table by class has a single line here; with more classes it shows the worst first:

# %% tags=["nbval-ignore-output"]
print(metrics.table())

# %% [markdown]
# ## Where does it go wrong?
#
# A score tells *how much* is wrong. `ofl.analyse` tells *what*: each error has exactly one kind, the first in this list
# that fits. (IoU: what both cover, divided by what either covers, lesson 12.)

# %%
from oneformer_lite.analysis.errors import KINDS, errors_of

for kind, meaning in KINDS.items():
    print(f"{kind:<21} {meaning}")

# %% [markdown]
# How many of each are there, and in which picture?

# %% tags=["nbval-ignore-output"]
analysis = ofl.analyse(model, val, progress=False)
for kind in analysis.numbers["instance"]["errors"]["kinds"]:
    if kind["count"]:
        worst = kind["pictures"][0]
        print(f"{kind['share']:4.0%} {kind['kind']:<12} {kind['count']:>3}, most in picture {worst['picture']}")

# %% [markdown]
# What do they look like? An error knows the segments that it is about. We paint the annotated ones, and outline the
# predicted ones:

# %%
from oneformer_lite.analysis.scene import instance_scene


def errors_in(sample, kind):
    """A picture with the errors of one kind alone."""
    prediction = ofl.predict(model, sample.image, "instance")
    scene = instance_scene(prediction, sample)
    errors = [error for error in errors_of(scene) if error.kind == kind]
    truths = [sample.segments[scene.annotated_places[g]].id for error in errors for g in error.annotated]
    painted = ofl.render.overlay(brightened(sample.image), np.where(np.isin(sample.segment_map, truths),
                                 sample.segment_map, 0), colors, outline=False)  # fmt: skip
    for p in (p for error in errors for p in error.predicted):
        painted[ofl.render.boundaries(prediction.segments[scene.predicted_places[p]].mask, 2)] = 255
    return small(painted, 260)


# %% [markdown]
# Four of the kinds, in the pictures that have most of them:

# %% tags=["nbval-ignore-output"]
kinds = [k for k in ("merged", "split", "inexact", "missed") if analysis.pictures("errors", "instance", k)]
worst = {kind: analysis.pictures("errors", "instance", kind)[0]["picture"] for kind in kinds}
sheet = ofl.render.contact_sheet([[errors_in(samples[worst[kind]], kind) for kind in kinds]], kinds)
ofl.render.described(sheet, "The picture with the most errors of each kind: the annotated nuclei that they are about in "
                     "colours, and white outlines of what was found: around several, in parts, beside, or none.")  # fmt: skip

# %% [markdown]
# Small ones drawn badly, touching ones merged, as the size of the mask grid predicted. Any of them opens in an
# inspector (`analysis.inspect(1)`), and `analysis.to_html("analysis.html")` writes all of it, with the inspectors of
# the worst pictures, into one file:

# %% tags=["nbval-ignore-output"]
analysis.inspect(worst[kinds[0]])

# %% [markdown]
# Is a score of 0.8 right eight times out of ten? Calibration asks that of all predictions, in bins of scores:

# %% tags=["nbval-ignore-output"]
for row in analysis.numbers["instance"]["calibration"]["bins"]:
    print(f"scores from {row['low']} to {row['high']}: {row['count']:4.0f}, of which {row['right']:.0%} are right")

# %% [markdown]
# ## Longer
#
# The same training, three times as long, has left its log, its scores and what it found beside the pictures
# (`tests/benchmarks/nuclei_sample.py`). The losses, on the way:

# %%
import json

log = [json.loads(line) for line in (folder / "longer.jsonl").read_text().splitlines()]
for record in log[::5]:
    print(f"step {record['step']:>3}:", ", ".join(f"{name} {record[name]:.2f}" for name in ("class", "mask", "dice")))

# %% [markdown]
# And its scores on the same four pictures, which no training saw:

# %%
scores = json.loads((folder / "scores.json").read_text())
for name, found_so in scores.items():
    print(f"{name:<10}", ", ".join(f"{score} {value}" for score, value in found_so.items()))

# %% [markdown]
# Better, and still little: eight pictures teach little. (Further below, the whole data set ends at a lower AP. It is
# judged on other pictures, and on many more of them, so the two numbers cannot be compared.) What it found, as
# instance maps:

# %%
maps = [np.array(Image.open(folder / "predicted" / sample.file_name)) for sample in samples]
rows = [[colored(s.image, ids) for s, ids in zip(samples, maps)], nuclei]
sheet = ofl.render.contact_sheet(rows, row_titles=["found", "annotated"])
ofl.render.described(sheet, "The four held-out pictures: above with the nuclei that the longer trained model found, below "
                     "with the annotated ones.")  # fmt: skip

# %% [markdown]
# Count as microscopists do: a found nucleus is right if its IoU with an annotated one is above 0.5. (Lab 21 has you
# write that.)

# %%
def counted(found, truth):
    """Two instance maps -> TP, FP, FN"""
    pairs = [(n, t) for n in np.unique(found)[1:] for t in np.unique(truth[found == n]) if t]
    iou = [((found == n) & (truth == t)).sum() / ((found == n) | (truth == t)).sum() for n, t in pairs]
    tp = sum(value > 0.5 for value in iou)
    return tp, len(np.unique(found)) - 1 - tp, len(np.unique(truth)) - 1 - tp


for i, (sample, ids) in enumerate(zip(samples, maps)):
    tp, fp, fn = counted(ids, sample.segment_map)
    print(f"picture {i}: {tp} right, {fp} wrong, {fn} not found: {tp / (tp + fp + fn):.2f}")

# %% [markdown]
# ## The whole data set
#
# The recipe itself, on 597 of the 664 pictures, some minutes of one core, has left its log and its scores, too
# (`tests/benchmarks/nuclei.py`). The scores are those of the held-out fluorescence pictures, and there are two others to
# compare with: an earlier recipe for the same model, and a U-Net with the same backbone, which says of each pixel
# whether it is background, inside or rim; a connected inside is a nucleus (`tests/benchmarks/unet_photographs.py`).

# %%
log = [json.loads(line) for line in (folder / "whole_set.jsonl").read_text().splitlines()]
for record in [record for record in log if record["set"] == "nuclei"][::2]:
    print(f"step {record['step']:>3}:", ", ".join(f"{name} {record[name]:.2f}" for name in ("class", "mask", "dice")))

# %% [markdown]
# And the scores:

# %%
longer = json.loads((folder / "whole_set.json").read_text())
for name, row in longer["nuclei"].items():
    print(f"{name:<32} {row['steps']:>4} steps, {row['seconds'] / 60:4.1f} minutes: AP {row['AP']:4.1f}, "
          f"AP50 {row['AP50']:4.1f}, TP / (TP + FP + FN) {row['TP / (TP + FP + FN)']:.2f}")  # fmt: skip

# %% [markdown]
# Published for the last column on fluorescence pictures of this data set are 0.86 for StarDist and 0.83 for Mask R-CNN.
#
# The first row and the third are one model from one start. What differs is how it is shown the pictures, and how fast it
# learns.
# The earlier recipe saw every picture through windows of one side, and as dark as it is: small nuclei were a few cells
# of their masks wide, large ones half a window, and in dark pictures there was next to nothing to see. No
# loss says so. What says so is what this lesson began with: look at the pictures, measure the objects, then ask where it
# goes wrong. Before you train longer, or take another model, ask whether yours sees what you see. Then train longer: the
# second row is the first recipe for five times as many steps, and the share rises from 0.58 to 0.73.
#
# The U-Net was shown pictures as the earlier recipe was, and might gain as well. Each of its pixels learns at every step
# whether it is inside or rim, from what lies around it. Queries have a harder task: all nuclei look alike, so place
# alone tells one query's from another's, and which query answers for which nucleus is settled by matching, at every step
# again (lesson 08). They earn what they cost where objects overlap, have classes, and stuff is asked for as well.
#
# And photographs with eleven classes, from label maps: CamVid's streets, `ofl.config.camvid()`
# (`tests/benchmarks/camvid.py`). Judged are its 233 test pictures, and on the way some validation pictures:

# %%
for name, row in longer["camvid"].items():
    curve = ", ".join(f"{point['mIoU']:.1f} after {point['step']}" for point in row["curve"])
    print(f"{name}: {row['steps']} steps, {row['seconds'] / 60:.1f} minutes, mIoU {row['mIoU']:.1f}; on the way {curve}")

worst = sorted(longer["camvid"]["camvid()"]["by class"].items(), key=lambda item: item[1])
print("IoU by class:", ", ".join(f"{name} {value:.0f}" for name, value in worst))

# %% [markdown]
# Published for these pictures are 51.3 for ENet and 60.1 for SegNet. The curve still rises at its end. And the worst
# classes are thin or rare: fence, bicyclist, pole. What helps there is larger inputs, and more steps. Why is the same
# model so much better on the validation pictures? They are of a drive of which training has pictures, too; most of the
# test pictures are of a drive that it never saw. Split by drive, as by slide.

# %% [markdown]
# ## What we simplified
#
# * Eight pictures of 664, few steps, 160 pixels: each of the three is why the figures are low.
# * All nuclei are fluorescence here. The whole data set has stained tissue besides, in colour, which needs its own
#   examples.
# * One number counts at IoU 0.5. Published figures differ in which pictures they judge; compare only like with like.

# %% [markdown]
# ## In the package
#
# * `data.instance_map.InstanceMapDataset`: pictures and instance maps
# * `config.photographs.nuclei`: the model for nuclei
# * `training.recipes.nuclei_training`: and how it is trained
# * `data.object_squares.ObjectSquare`: squares some nuclei wide, to learn from
# * `inference.large.grid.Grid`: where windows lie
# * `inference.large.sides.fitting_side`: how wide they are, so that they fit the nuclei
# * `inference.ensemble.Ensemble`: several models, or views, as one
# * `analysis.analyse.analyse`: where it goes wrong

# %% [markdown]
# ## Summary
#
# * Look at pictures and maps first, then let the doctor look: most of what goes wrong is there before any training.
# * The size of an object in cells of its mask says which pictures will be hard; windows and larger inputs are the cure.
# * A score says how much is wrong; kinds of errors, and the pictures behind them, say what to do next.
#
# **Ask yourself**
#
# <details><summary>Half of the errors are "merged". What do you change first?</summary>
# The size at which pictures are seen: two nuclei that share a cell of the mask cannot be parted. More steps come
# second.</details>
#
# <details><summary>Half of the errors are "missed", and the missed ones are all dark. What do you do?</summary>
# Look at what training sees: if the dark kind is rare there, show it more often, or vary brightness more.</details>
#
# <details><summary>Windows find more than the whole picture, but AP falls. How can that be?</summary>
# What lies on a border is seen in parts, and pieces that are not joined count as wrong. Or the model sees another scale
# than in training.</details>
#
# <details><summary>A picture has more nuclei than the model has queries. What happens?</summary>
# Each query finds one, so the rest cannot be found, whatever the training; `ofl.train` warns. Windows help here, too: each
# has all queries for its own part.</details>
