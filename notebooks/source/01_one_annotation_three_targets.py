# %% [markdown]
# # 01 · From one annotation to three targets
#
# An *annotation* of a picture says which pixel belongs to which segment: at most one segment for each pixel. People
# draw it; for Toytown the program does that paints the pictures. Lesson 00's model learned three tasks from it. **How
# does one drawing become three different things to learn?**
#
# We read the annotation down to its bytes, turn it into the masks, classes and sentences of each task, and put
# them into a batch. Nothing else ever tells the model what is right.
#
# *Instead of* (in the sixty lines of lesson 00b): `masks`, `labels` of two squares (line H).
#
# *Goals:* read a panoptic annotation, and make masks, classes and texts of it for each task. *Before:* lesson 00b,
# numpy. *Minutes:* 55. *Words and letters:* [glossary](GLOSSARY.md).
#
# Where we are, in the map of the whole model:

# %% tags=["nbval-ignore-output"]
import oneformer_lite as ofl

ofl.drawings.model_map(ofl.from_pretrained("toytown"), ofl.data.Toytown("val", size=128)[13], "01")

# %% [markdown]
# What this lesson needs, and the scene that we carry through all lessons:

# %%
import json
import struct
import zlib

import numpy as np
import oneformer_lite as ofl
import torch
from oneformer_lite.lessons import proved
from oneformer_lite.render import contact_sheet, described
from PIL import Image

sample = ofl.data.Toytown("val", size=192)[13]
truth = [ofl.render.render_truth(sample, task, scale=2) for task in ("panoptic", "instance", "semantic")]
words = (
    "The scene's true segments, in colours with names. Panoptic: all of them, each tree on its own. Instance: the same "
    "things, the rest grey. Semantic: everything is coloured, and the trees are one region with one name"
)
described(contact_sheet([truth], column_titles=["panoptic", "instance", "semantic"]), words)

# %% [markdown]
# One annotation, seen by three tasks. The three trees (one is at the right edge) are three segments under "panoptic"
# and "instance", and one region under "semantic". Under "instance" everything but the things is left out.

# %% [markdown]
# ## What lies on the disk
#
# COCO is the data set that most segmentation models are measured on. Its *panoptic format* is a folder of pictures,
# a JSON file, and for each picture a PNG that says which pixel belongs to which segment. `data/sample` holds twelve
# Toytown scenes in exactly this layout.

# %%
FOLDER = ofl.data.sample_folder()
content = json.loads((FOLDER / "annotations/panoptic_val.json").read_text())
for key in ("images", "annotations", "categories"):
    print(f"{key:<12} {len(content[key])}")

# %% [markdown]
# The annotation of one picture lists its segments. The JSON says *what* each segment is, and not *where*: `area`
# (pixels) and `bbox` (x, y, width, height) are only a summary. (Lists count from 0, the ids of these images from
# 1: place 2 of the list is image 3.)

# %%
annotation = content["annotations"][2]
print(annotation["file_name"])
for s in annotation["segments_info"]:
    print(s)

# %% [markdown]
# ### Down to the bytes
#
# The *where* is in the PNG. A PNG starts with eight fixed bytes; its header says width, height, bits per channel
# and the kind of colour (2 means red, green, blue).

# %%
path = FOLDER / "annotations/panoptic_val" / annotation["file_name"]
png = path.read_bytes()
width, height, bits, kind = struct.unpack(">IIBB", png[16:26])
print(png[:8])
print(f"{width} x {height} pixels, {bits} bits, colour kind {kind}")

# %% [markdown]
# The pixels follow, compressed. Each row has one byte that tells how the row was filtered, then three bytes for
# each pixel: 256 rows of 1 + 3 · 256 bytes. The first pixel comes out as it is: red 1, green 0, blue 0.

# %%
start = png.index(b"IDAT")
length = int.from_bytes(png[start - 4 : start], "big")
rows = zlib.decompress(png[start + 4 : start + 4 + length])
print(len(rows), "bytes =", height, "rows of 1 +", 3 * width, "bytes; first pixel:", list(rows[1:4]))

# %% [markdown]
# That colour is no colour but a number: segment 1, the sky. Let Pillow undo the filters of the other rows. To the
# eye the PNG is black, because the ids of this picture are small. Coloured by segment it is a drawing:

# %%
rgb = np.asarray(Image.open(path))  # uint8 [H, W, 3]
painted = np.asarray(Image.open(FOLDER / "val" / path.with_suffix(".jpg").name))
palette = np.random.default_rng(4).integers(40, 255, (256, 3), dtype=np.uint8)
pictures = [painted, rgb, palette[rgb[..., 0]]]
words = (
    "A street at night with a bus, a sign and a group of people under an umbrella; its PNG, which looks black; and the "
    "PNG with a colour for each id: sky, houses, road, sidewalk, grass, bus, sign, and all the people as one segment"
)
described(contact_sheet([pictures], column_titles=["picture", "PNG", "PNG, ids coloured"]), words)

# %% [markdown]
# ## Colours are ids
#
# One byte counts to 255, and COCO needs more. So the three bytes are the digits of one number, the lowest first:
#
# $$\mathrm{id} = R + 256\,G + 256^2\,B$$
#
# Pixel by pixel, with plain Python numbers:

# %%
def id_of(red, green, blue):
    return red + 256 * green + 256**2 * blue


print(id_of(1, 0, 0), id_of(0, 1, 0), id_of(0, 0, 1), id_of(220, 20, 60))

# %% [markdown]
# The other way: the number's digits to the base of 256. `& 255` keeps the lowest eight bits, `>> 8` drops them.

# %%
def color_of(segment_id):
    return segment_id & 255, segment_id >> 8 & 255, segment_id >> 16


print(color_of(3), color_of(3937500), id_of(*color_of(3937500)))

# %% [markdown]
# A whole picture at once. `<< 8` shifts by eight bits to the left, which is *times 256*. There is a trap: the array
# holds bytes (`uint8`), and this moves all eight bits out of a byte. It silently becomes 0, and every green and blue
# digit is lost. So widen first.

# %%
def rgb2id(rgb):
    """uint8 [H, W, 3] -> int32 [H, W]"""
    red, green, blue = rgb.astype(np.int32).transpose(2, 0, 1)
    return red + (green << 8) + (blue << 16)


byte = np.array([20], np.uint8)
print("byte:", byte << 8, " wide:", byte.astype(np.int32) << 8)

# %% [markdown]
# Fast and naive agree. And the package's `decode_ids` is the same function, here on a picture of random colours:

# %%
from oneformer_lite.data.segment_ids import decode_ids, encode_ids

noise = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
naive = [[id_of(*(int(v) for v in pixel)) for pixel in row] for row in noise]
ours = rgb2id(noise)
(proved("all at once = pixel by pixel", ours, np.array(naive)) + proved("all at once = package", ours, decode_ids(noise))
 + proved("and back again", encode_ids(ours), noise))  # fmt: skip

# %% [markdown]
# ## Category ids are not class ids
#
# `category_id` is a name that COCO gave: it starts at 1 and has gaps. A network counts its outputs from 0 without
# gaps. So a *class id* is the category's **place in the list**.

# %%
class_of = {category["id"]: place for place, category in enumerate(content["categories"])}
for category in content["categories"]:
    kind = "thing" if category["isthing"] else "stuff"
    print(f"category {category['id']:>3} -> class {class_of[category['id']]:>2}  {category['name']:<9} {kind}")

# %% [markdown]
# Now the whole annotation can be read: a map of ids, and for each id its class and whether it is a *crowd*.

# %%
segment_map = rgb2id(rgb)  # int32 [H, W]
segments = [(s["id"], class_of[s["category_id"]], bool(s["iscrowd"])) for s in annotation["segments_info"]]
print(segments)

# %% [markdown]
# The package's `PanopticDataset` reads the same, and hands out a `Sample`: image, segment map, segments, categories.

# %%
dataset = ofl.data.PanopticDataset(
    FOLDER / "val", FOLDER / "annotations/panoptic_val.json", FOLDER / "annotations/panoptic_val"
)
read = dataset[2]
read_segments = [(s.id, s.class_id, s.is_crowd) for s in read.segments]
proved("same map", segment_map, read.segment_map) + proved("same segments", segments, read_segments)

# %% [markdown]
# ## Void and crowd: what is no target
#
# *Void* (id 0) are pixels without a segment: too small, too unclear. A *crowd* is a group of things that were not
# drawn one by one. Neither is a target, and the metrics of lesson 12 do not count what is predicted there as wrong.

# %%
crowded = dataset[5]
crowd_ids = [s.id for s in crowded.segments if s.is_crowd]
left_out = crowded.image // 3 + 160
left_out[crowded.segment_map == 0] = (0, 0, 0)
left_out[np.isin(crowded.segment_map, crowd_ids)] = (230, 159, 0)
pictures = [ofl.render.render_truth(crowded, scale=1), left_out]
words = (
    "A street with people. Left, the panoptic targets in colours: a group of people at the left edge and a basket "
    "on the grass have none. Right, the same group in orange, crowd, and the basket in black, void"
)
described(contact_sheet([pictures], ["panoptic targets", "black: void, orange: crowd"]), words)

# %% [markdown]
# On the left both are dark: no target covers them. How much is that, here and in scene 13, which we carry through the
# lessons? In scene 13 every pixel belongs to a segment.

# %%
for name, s in (("this picture", crowded), ("scene 13", sample)):
    crowds = [segment.id for segment in s.segments if segment.is_crowd]
    void, crowd = (s.segment_map == 0).sum(), np.isin(s.segment_map, crowds).sum()
    print(f"{name}: {void} void and {crowd} crowd pixels of {s.segment_map.size}")

# %% [markdown]
# ## Three targets
#
# The target of a picture is a list of G masks and their G classes. Start with the simplest task: **panoptic** asks for
# every segment. Masks come in the order of their classes.

# %%
def panoptic_target(sample):
    """masks, a list of bool [H, W]; labels, a list of class ids"""
    asked = [s for s in sample.segments if not s.is_crowd]
    asked.sort(key=lambda s: s.class_id)  # stable: within a class the annotation's order stays
    return [sample.segment_map == s.id for s in asked], [s.class_id for s in asked]


masks, labels = panoptic_target(sample)
print(len(masks), labels)

# %% [markdown]
# **Instance** asks for things only:

# %%
def instance_target(sample):
    pairs = zip(*panoptic_target(sample))
    kept = [(mask, label) for mask, label in pairs if sample.categories[label].is_thing]
    return [mask for mask, _ in kept], [label for _, label in kept]


print(len(instance_target(sample)[0]), instance_target(sample)[1])

# %% [markdown]
# **Semantic** asks for one region per class: the masks of a class are merged, those of things as well.

# %%
def semantic_target(sample):
    regions = {}
    for mask, label in zip(*panoptic_target(sample)):
        regions[label] = regions.get(label, False) | mask
    return list(regions.values()), list(regions)


print(len(semantic_target(sample)[0]), semantic_target(sample)[1])

# %% [markdown]
# The three lists as pictures, each mask in the colour of its class:

# %%
mine = {"panoptic": panoptic_target, "instance": instance_target, "semantic": semantic_target}
colors = ofl.render.label_colors(sample.categories)


def row(task):
    tiles = [None] * len(labels)
    for mask, label in zip(*mine[task](sample)):
        place = labels.index(label)
        while tiles[place] is not None:
            place += 1
        tiles[place] = np.where(mask[::3, ::3, None], colors[label], 235).astype(np.uint8)
    return tiles


names = [sample.categories[label].name for label in labels]
words = (
    "A grid of masks. Panoptic: 13, from car, person and three trees to sky, building, road, sidewalk and grass. "
    "Instance: the first eight, all things. Semantic: 11, with the three trees in one mask and two places empty"
)
described(contact_sheet([row(task) for task in mine], names, list(mine), font_size=13), words)

# %% [markdown]
# A column for each panoptic mask. Things come first, because Toytown (like COCO) lists things before stuff. The three
# trees of the panoptic list are merged into one region of the semantic list.

# %% [markdown]
# ### Fast, and one case more
#
# One comparison makes all masks at once: `[1, H, W] == [G, 1, 1]`. And one case is missing above: when a picture is
# cropped in training, a segment can lose all its pixels. An empty mask is no target.

# %%
def fast_masks(segment_map, ids):
    """int [H, W], int [G] -> bool [G, H, W], and bool [G]: which ones have pixels"""
    masks = segment_map[None] == ids[:, None, None]
    return masks, masks.any((1, 2))


asked = sorted((s for s in sample.segments if not s.is_crowd), key=lambda s: s.class_id)
ids = np.array([s.id for s in asked])
masks, _ = fast_masks(sample.segment_map, ids)
_, visible = fast_masks(sample.segment_map[:96, :96], ids)  # the upper left quarter
print(f"after the crop {visible.sum()} of {len(ids)} have pixels")
proved("at once = one by one", masks, np.stack(panoptic_target(sample)[0]))

# %% [markdown]
# The package's `targets_for` does all this for any task. Compare on our scene and on the twelve of the folder:

# %%
def same(sample, task):
    theirs = ofl.data.targets_for(sample, task)  # masks bool [G, H, W], labels int64 [G]
    masks, labels = mine[task](sample)
    return theirs.labels.tolist() == labels and (theirs.masks.numpy() == masks).all()


for task in mine:
    print(f"{task:<9} equal in", sum(bool(same(s, task)) for s in [sample, *dataset]), "of 13 scenes")

# %% [markdown]
# What each task asks of our scene, by name:

# %%
for task in mine:
    target = ofl.data.targets_for(sample, task)
    names = [sample.categories[c].name for c in target.labels.tolist()]
    print(f"{task:<9} G = {len(target):>2}: {', '.join(names)}")

# %% [markdown]
# ## The text list
#
# In training, each picture also brings sentences: one per target mask, in the order of the classes. Lesson 05 turns
# them into vectors, lesson 07 compares them with the queries.

# %%
def my_texts(names):
    return [f"a photo with a {name}" for name in names]


target = ofl.data.targets_for(sample, "semantic")
texts = my_texts(sample.categories[c].name for c in target.labels.tolist())
print(texts[:3])
proved("texts = package", texts, target.texts)

# %% [markdown]
# The list has a fixed length, because the loss of lesson 07 compares a picture's queries, all together, with as many
# vectors made of texts. Some of these are no texts but learned *context vectors* (lesson 05). So there are as many
# texts as queries less context vectors: here 32 - 4, in the COCO presets 150 - 16. What is missing is filled with one
# sentence that names the task. A list that is too long is cut silently.

# %%
FILLER = {"panoptic": "a panoptic photo", "instance": "an instance photo", "semantic": "a semantic photo"}


def my_padding(texts, task, length):
    return (texts + [FILLER[task]] * length)[:length]


from oneformer_lite.data.targets import pad_texts

for config in (ofl.config.toytown(), ofl.config.coco_r50()):
    print(config.num_queries, "-", config.text_context, "=", config.num_texts)

# %% [markdown]
# The three lists of our scene, counted. Most of the list is the same sentence, again and again; in COCO, with 134
# places, even more so. Lesson 05 makes use of that.

# %%
from collections import Counter

T, proofs = ofl.config.toytown().num_texts, []
for task in mine:
    texts = ofl.data.targets_for(sample, task).texts
    padded = pad_texts(texts, task, T)
    proofs.append(proved(f"{task}: padded = package", my_padding(texts, task, T), padded))
    proofs.append(proved("cut after three", texts[:3], pad_texts(texts, task, 3)))
    short = Counter(text.removeprefix("a photo with a ") for text in padded)
    print(f"{task}:", ", ".join(name if n == 1 else f"{n} x {name}" for name, n in short.items()))
sum(proofs[1:], proofs[0])

# %% [markdown]
# The sentence *a photo with a tree* stands there once for each tree, so the list also counts. Only the semantic
# list has every class once.

# %% [markdown]
# ## A batch
#
# Two things are left before the model can use the samples. First the picture: RGB values of 0 to 255 become numbers
# around 0, with the mean and the standard deviation of ImageNet's pixels, channel by channel.

# %%
mean, std = torch.tensor([123.675, 116.28, 103.53]), torch.tensor([58.395, 57.12, 57.375])


def my_normalise(image):
    """uint8 [H, W, 3] -> float [3, H, W]"""
    return ((torch.tensor(image) - mean) / std).permute(2, 0, 1)


image = ofl.data.normalise(sample.image)
print(list(image.shape), "mean of each channel:", [round(v, 1) for v in image.mean((1, 2)).tolist()])
proved("normalised = package", my_normalise(sample.image), image, atol=1e-5)

# %% [markdown]
# Second the size: pictures of one batch are padded with zeros, at the bottom and at the right, to the next
# multiple of 32 that holds them all (32, because the coarsest feature map has stride 32: lesson 02).

# %%
def my_size(sizes):
    return tuple(-(-max(side) // 32) * 32 for side in zip(*sizes))  # -(-a // b) rounds up


wide = ofl.data.Toytown("val", size=(100, 150))[5]
batch = ofl.data.collate([(sample, "panoptic"), (wide, "semantic")])
print("mine:", my_size([sample.size, wide.size]), " batch.images:", list(batch.images.shape))

# %% [markdown]
# `collate` takes (sample, task) pairs. Each picture has **its own task**: one batch mixes all three. The masks are
# padded like the pictures; the texts are padded later, inside the model.

# %%
for task, size, target, texts in zip(batch.tasks, batch.sizes, batch.targets, batch.texts):
    print(f"{task:<9} {size}  masks {list(target.masks.shape)}  labels {list(target.labels.shape)}  {len(texts)} texts")
rest = int((batch.images[1] != 0).any(0).sum()), 192 * 192
print(f"of the second picture {rest[0]:,} of {rest[1]:,} pixels are not zero: 100 rows of 150")

# %% [markdown]
# What the model sees, colours brought back. The padding of the second picture is grey: zero is the *mean* colour.

# %%
seen = (batch.images.permute(0, 2, 3, 1) * std + mean).clamp(0, 255).byte().numpy()
words = "Both pictures of the batch: our scene fills its square, the smaller one has grey below it and at its right"
described(contact_sheet([list(seen)], column_titles=["192 x 192, panoptic", "100 x 150, semantic"]), words)

# %% [markdown]
# ## Where is this proved?
#
# * `tests/data/test_targets.py`: `targets_for` against a plain definition, and on every COCO picture at hand;
# * `tests/data/test_panoptic.py`: COCO's own files read and written again give the official areas and boxes;
# * `tests/weights/test_against_transformers.py`: fed with these pictures and tasks, the model computes what the
#   published one computes.

# %% [markdown]
# ## Look at it
#
# `MaskInspector` shows the targets of a task beside what the trained model answers; hover for names. Here the
# panoptic ones, coloured by the result: right, merged, missed:

# %%
from oneformer_lite.widgets import MaskInspector, TaskInspector

model = ofl.from_pretrained("toytown")
MaskInspector(model, sample).set(task="panoptic", colors="verdict")

# %% [markdown]
# Green is right; blue is *merged*: one answer covers two trees, the one behind the sign and the one at the right edge.
# The annotation has them apart.
#
# `TaskInspector` shows targets *and* texts of each task, and what the model answers to a *blend*: a token between those
# of two tasks.
#
# * Above: the answers to the three tasks.
# * Below, left: the answer to the blend. Here it is halfway from semantic to panoptic.
# * Below, middle: a row for each query, with its class at each step of the blend (white, *silent*: no object).
# * Below, right: the masks of the framed query, number 16, under both tasks. (The cosines are explained in lesson 04.)

# %%
inspector = TaskInspector(model, sample)
inspector.set(task="semantic", other="panoptic", blend=0.5, query=16)

# %% [markdown]
# What is query 16 at each step, from the semantic token to the panoptic one? In the second half of the way it says
# tree; before, another query had all the trees:

# %%
classes = [step.classes[16] for step in inspector.pair("semantic", "panoptic").steps]
print([[*model.config.class_names, "no object"][label] for label in classes])

# %% [markdown]
# ## Where the official code differs
#
# Nothing is simplified here. The official `oneformer_unified_dataset_mapper.py`
#
# * decides the task inside the data loader, with a random number for each picture; here the caller pairs sample and
#   task, and training draws them (lesson 13);
# * leaves the masks in the file's order and sorts only the texts. Matching (lesson 08) does not care about the order;
# * takes class names from detectron2, with additions such as `wall-brick`. Our COCO presets carry the same names.
#
# The copy in the `transformers` library counts classes once per batch, so the texts of the second picture also
# name the first one's classes, and it writes *an panoptic photo*.

# %% [markdown]
# ## Break it: the channels swapped
#
# OpenCV reads pictures as blue, green, red. If an annotation is read in this order, id 1 becomes 65536. The package's
# reader refuses such a map, but a reader of your own would pass it on. We make one:

# %%
class Broken:
    """A data set whose samples have gone through a faulty reader."""

    def __init__(self, dataset, change):
        self.dataset, self.change, self.categories = dataset, change, dataset.categories

    def __len__(self):
        return len(self.dataset)

    def __getitem__(self, index):
        return self.change(self.dataset[index])


def swap(sample):
    return sample.replace(segment_map=decode_ids(encode_ids(sample.segment_map)[..., ::-1]))

# %% [markdown]
# What it does: not one target is left. The model would be told that *no object* is always right (lesson 09 tells what
# its losses say then).

# %%
swapped = Broken(dataset, swap)
print("ids:", np.unique(swapped[2].segment_map)[:4], "...")
for task in mine:
    print(f"{task:<9} G = {len(ofl.data.targets_for(swapped[2], task))}")

# %% [markdown]
# Two guards name it: `ofl.doctor` examines any data set, and the package's reader compares the ids that are drawn
# with those that are listed:

# %%
import textwrap

from oneformer_lite.data.segment_ids import check_ids

try:
    check_ids(swapped[2].segment_map, [s.id for s in swapped[2].segments], "image 3")
except ofl.errors.DataError as error:
    print(textwrap.fill(str(error), 110))

# %% [markdown]
# And the doctor, with its cure. It names the first image that is wrong, image 1, which is `swapped[0]`:

# %%
def tell(diagnosis):
    for fault in diagnosis.faults:
        print(f"{fault.check}: {fault.evidence}\n-> {fault.cure}")


tell(ofl.doctor(dataset=swapped))

# %% [markdown]
# ## Break it: classes off by one
#
# COCO's category ids start at 1, so somebody forgets to count from 0. The masks stay perfect. Every name is wrong:

# %%
from dataclasses import replace


def shift(sample):
    return sample.replace(segments=tuple(replace(s, class_id=s.class_id + 1) for s in sample.segments))


small = ofl.data.Toytown("val", size=128)[13]
pictures = [ofl.render.render_truth(s, scale=2) for s in (small, shift(small))]
words = (
    "The same masks twice. Annotated: car, person, tree, dog, sky, road. Read with +1, each has the name of the next "
    "class: the car is a bus, the person a tree, the trees are dogs, the dog is a lamp, the sky is a building"
)
described(contact_sheet([pictures], column_titles=["annotated", "read with +1"]), words)

# %% [markdown]
# A model trained on this learns to call a tree a dog, as easily as it would learn the right names. The doctor sees a
# class that does not exist:

# %%
tell(ofl.doctor(dataset=Broken(dataset, shift)))

# %% [markdown]
# If no picture shows the last class, the numbers alone look right. Then only a trained model can tell. Here it looks at
# scenes without water. (It says -1: the model's class id minus the annotation's, which is one too high.)

# %%
town = ofl.data.Toytown("val", size=128, length=60)
dry = [s for s in town if all(segment.class_id != 13 for segment in s.segments)][:12]


class Dry(list):
    categories = town.categories


print("data alone:", ofl.doctor(dataset=Broken(Dry(dry), shift)).summary())
tell(ofl.doctor(model, Broken(Dry(dry), shift)))

# %% [markdown]
# ## In the package
#
# * `data.segment_ids.decode_ids`: colours to ids
# * `data.segment_ids.encode_ids`: ids to colours
# * `data.panoptic.PanopticDataset`: JSON and PNGs to samples
# * `data.targets.targets_for`: masks, labels and texts of a task
# * `data.targets.pad_texts`: the text list of fixed length
# * `data.batch.normalise`: pixels to numbers around 0
# * `data.batch.padded_size`: the size that holds a batch
# * `data.batch.collate`: (sample, task) pairs to a batch

# %% [markdown]
# ## Summary
#
# * A panoptic PNG holds ids, R + 256 G + 256² B; the JSON says what each id is. Void and crowd are no targets.
# * Panoptic asks for every segment, instance for the things, semantic for one region per class. Nothing but the
#   panoptic annotation is needed.
# * The text list names the targets in class order and is filled up with the task's own sentence.
#
# **Ask yourself**
#
# <details><summary>A colour (0, 1, 0) in the PNG: which id, and which if the channels are swapped?</summary>
# 256 both times: green is in the middle. A picture whose ids use only green survives the swap.</details>
#
# <details><summary>Why is a crowd no target, although its pixels are known?</summary>
# A mask stands for one thing. Nobody drew the single things of a crowd, so every mask would be wrong: all of them
# as one, or each one alone.</details>
#
# <details><summary>How many texts name a class in the instance list of a picture without things?</summary>
# None: G is 0, and all T places say "an instance photo".</details>
#
# <details><summary>Could the semantic targets be made from the instance targets?</summary>
# Only those of things. Stuff is not among the instance targets.</details>
#
# <details><summary>Why pad at the bottom and right, and not on all sides?</summary>
# Then pixel (row, column) of the picture is pixel (row, column) of the batch: cutting the padding off is a slice.
# </details>
