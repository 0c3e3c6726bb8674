# %% [markdown]
# # 15 · Published weights, your photos, your classes
#
# You have a trained model, yours or the authors'.
#
# **How do you use it on your own pictures, and teach it your own classes?**
#
# Load, predict, fine-tune, export: four calls. As always we first do by hand what is behind them.
#
# Nothing is downloaded here. Two settings make sure of it:
#
# *Goals:* load published weights; fine-tune on your own classes; export. *Before:* lesson 00, lesson 13.
# *Minutes:* 40. *Words and letters:* [glossary](GLOSSARY.md).

# %%
import os
import tempfile
from pathlib import Path

folder = Path(tempfile.mkdtemp())
os.environ["HF_HUB_OFFLINE"] = "1"  # leave these two lines out to fetch published weights
os.environ["HF_HUB_CACHE"] = str(folder / "hub")

# %% [markdown]
# ## What there is
#
# The authors have published checkpoints for four data sets. The package lists them with their scores: PQ, AP and
# mIoU in percent, on the validation sets, the authors' numbers (for the tiny model they give none).

# %%
import oneformer_lite as ofl
from oneformer_lite.lessons import proved
from oneformer_lite.weights.published import PUBLISHED

print(f"{len(PUBLISHED)} checkpoints; on the Hugging Face hub:")
for row in PUBLISHED:
    if row.hub:
        scores = "  ".join(f"{score:.1f}" if score else "   –" for score in (row.pq, row.ap, row.miou))
        print(f"{row.hub:<42}{scores}")

# %% [markdown]
# `ofl.from_pretrained("shi-labs/oneformer_coco_swin_large")` fetches 880 MB, once. Without a network, a sentence says
# so; official `.pth` files are fetched by hand, and the sentence says where from:

# %%
import re
import textwrap

for source in ("shi-labs/oneformer_coco_swin_large", "150_16_swin_l_oneformer_coco_100ep.pth"):
    try:
        ofl.from_pretrained(source)
    except ofl.errors.CheckpointError as error:
        words = re.sub(r"\(\w+: .*\):", "(…):", str(error))
        print(textwrap.fill(words, 100, initial_indent="* ", subsequent_indent="  "))

# %% [markdown]
# ## Loading by hand
#
# What is in such a folder? A configuration as JSON, and named tensors. Nothing in them can be executed: *safetensors*
# holds numbers alone, where a pickled `.pth` could hold a program.

# %%
import json
from dataclasses import replace

import torch
from safetensors.torch import load_file

shipped = Path(ofl.__file__).parent / "checkpoints" / "toytown"
content = json.loads((shipped / "config.json").read_text())
print("model type:", content.pop("model_type"))
by_hand = ofl.OneFormer(replace(ofl.ModelConfig(**content), pretrained=False)).eval()
print(by_hand.load_state_dict(load_file(shipped / "model.safetensors")))

# %% [markdown]
# The package's loader does the same, checks every shape, and explains what does not fit. Is it the same model?

# %%
model = ofl.from_pretrained("toytown")
scene = ofl.data.Toytown("val", size=128)[13]
image = ofl.data.normalise(scene.image)[None]


def logits(model, task="panoptic"):
    with torch.inference_mode():
        output = model(image, task)
    return output.class_logits, output.mask_logits


proved("classes and masks, by hand = loaded", logits(by_hand), logits(model))

# %% [markdown]
# **Other names.** A file of transformers calls the same numbers otherwise, and so does an official file. We write our
# model in transformers' layout and look at one layer of the pixel decoder:

# %%
import warnings

from oneformer_lite.weights import save_huggingface

with warnings.catch_warnings(record=True):  # it says that our small text mapper does not fit into that layout
    warnings.simplefilter("always")
    save_huggingface(model, folder / "huggingface")
theirs = load_file(folder / "huggingface" / "model.safetensors")
for name in sorted(name for name in theirs if "encoder.layers.0" in name and "weight" in name):
    print(name.removeprefix("model."))

# %% [markdown]
# Renaming is a table, read row by row. Ours for these:

# %%
TABLE = [
    ("model.pixel_level_module.decoder.encoder.layers.", "pixel_decoder.layers."),
    (".self_attn_layer_norm.", ".norm."),
    (".self_attn.", ".attention."),
    (".final_layer_norm.", ".feed_forward.norm."),
    (".fc1.", ".feed_forward.linear1."),
    (".fc2.", ".feed_forward.linear2."),
]


def renamed(name):
    for before, after in TABLE:
        name = name.replace(before, after)
    return name


state = model.state_dict()
layers = {renamed(name): value for name, value in theirs.items() if name.startswith(TABLE[0][0])}
print(len(layers), "tensors")
proved("renamed by hand = loaded", list(layers.values()), [state[name] for name in layers])

# %% [markdown]
# The whole table is `weights/oneformer/huggingface.py`. That the same numbers give the same predictions in transformers is
# proved in `tests/weights/test_against_transformers.py` (in `weights/README.md`: logits differ by a few millionths
# of the largest at most), and for models written here in `test_huggingface.py`.

# %% [markdown]
# ## Your photo
#
# We have no photograph, so we paint one: scene 13 of wide pictures (another shape is another scene), written as a
# JPEG. To use a picture of yours, put its path in the line with the arrow.

# %%
from PIL import Image

painted = folder / "street.jpg"
Image.fromarray(ofl.data.Toytown("val", size=(300, 480))[13].image).save(painted, quality=92)
photo = painted  # ← your own picture
prediction = ofl.predict(model, photo, "panoptic")
ofl.render.described(prediction.show(), "The photo, with colours and names on it: sky, bus, people, car, balls.")

# %% [markdown]
# The picture is 480 x 300; the model has learned at 128. What does it see? The shorter side becomes `test_size`,
# unless the longer one then exceeds a limit. By hand, and as the package does it (detectron2's rule):

# %%
def size_by_hand(height, width, short=160, longest=320):
    scale = min(short / min(height, width), longest / max(height, width))
    return int(height * scale + 0.5), int(width * scale + 0.5)


sizes = [(300, 480), (480, 300), (1000, 250), (64, 64), (3000, 4000), (427, 640)]
for size in sizes:
    print(size, "->", size_by_hand(*size))
proved("by hand = package", [size_by_hand(*s) for s in sizes], [model.config.inference_size(*s) for s in sizes])

# %% [markdown]
# Masks come back at the size of the picture. A prediction lists its segments, and saves itself:

# %%
for segment in sorted(prediction.segments, key=lambda s: -s.area)[:5]:
    print(f"{segment.class_name:<9} {100 * segment.area / prediction.segment_map.size:3.0f} % of the picture")
print(prediction.save(folder / "segments.png").name, prediction.segment_map.shape, prediction.segment_map.dtype)

# %% [markdown]
# Where there is ground truth, `MaskInspector` says of each segment what became of it. Here for scene 13:

# %%
from oneformer_lite.widgets import MaskInspector

inspector = MaskInspector(model, ofl.data.Toytown("val", size=192)[13])
inspector.set(task="panoptic", colors="verdict")

# %% [markdown]
# Green is right; blue is merged: two trees were predicted as one segment. When it runs, the pointer reads score and
# IoU, and a click holds a place. Without ground truth (`MaskInspector(model, photo)`) it shows the prediction alone.
# Another task:

# %%
inspector.set(task="instance", colors="class", classes=("car", "person", "dog")).state

# %% [markdown]
# ## Your classes
#
# Suppose you need other classes: *vehicle* for cars and buses, *ground* for road and sidewalk, some as before, and
# the rest not at all. A data set of your own is a folder in COCO's layout. We make a small one:

# %%
import numpy as np
from oneformer_lite.data import Category, Sample, SegmentInfo

CLASSES = (
    Category(1, "vehicle", True, (200, 60, 60)), Category(2, "person", True, (232, 88, 170)),
    Category(3, "tree", True, (22, 110, 58)), Category(4, "ground", False, (120, 110, 130)),
    Category(5, "sky", False, (146, 218, 242)), Category(6, "building", False, (188, 154, 108)),
)  # fmt: skip
RENAME = {"car": "vehicle", "bus": "vehicle", "road": "ground", "sidewalk": "ground"}
ids = {category.name: index for index, category in enumerate(CLASSES)}

# %% [markdown]
# Each segment of Toytown gets its new class; those of other classes become void:

# %%
def reclassed(sample, number):
    """The sample with our classes; stuff of one class becomes one segment."""
    segment_map, segments = np.zeros_like(sample.segment_map), {}
    for place, segment in enumerate(sample.segments, start=1):
        name = sample.categories[segment.class_id].name
        class_id = ids.get(RENAME.get(name, name))
        if class_id is not None:
            new = place if CLASSES[class_id].is_thing else 100 + class_id
            segment_map[sample.segment_map == segment.id] = new
            segments[new] = SegmentInfo(new, class_id, segment.is_crowd)
    return Sample(sample.image, segment_map, tuple(segments.values()), CLASSES, number, f"{number}.jpg")


# %% [markdown]
# 32 scenes to train on and eight to test, written to disk:

# %%
town, validation = ofl.data.Toytown("train", size=96), ofl.data.Toytown("val", size=96)
samples = {"train": [reclassed(town[i], i + 1) for i in range(32)],
           "val": [reclassed(validation[i], i + 1) for i in range(12, 20)]}  # fmt: skip
for split, members in samples.items():
    path = folder / "mine" / "annotations" / f"panoptic_{split}.json"
    ofl.data.write_panoptic(folder / "mine" / split, path, path.with_suffix(""), members)

# %% [markdown]
# The folders of a data set:

# %%
print(sorted(str(path.relative_to(folder)) for path in (folder / "mine").rglob("*") if path.is_dir()))

# %% [markdown]
# Reading it back, scene 13 and its new annotation:

# %%
mine = ofl.data.open(folder / "mine", "val")
picture = ofl.render.contact_sheet([[ofl.render.enlarge(mine[1].image, 4), ofl.render.render_truth(mine[1])]])
ofl.render.described(picture, "Scene 13 and its new annotation: vehicle, person, trees, building, sky and ground in "
                              "colours; what has no class stays grey.")

# %% [markdown]
# ## Start from a trained model, by hand
#
# All weights can stay but the rows of the class head: one per class, one for "no object". Classes that the old model
# knows are found again **by name**; the rows of new ones stay random.

# %%
from oneformer_lite.training.finetune import start_from

config = replace(ofl.config.for_classes(model.config, CLASSES), image_size=96)
torch.manual_seed(0)
start = ofl.OneFormer(config).eval()
head, old_head = start.decoder.class_head.weight.detach().clone(), model.decoder.class_head.weight.detach()
for row, name in enumerate(config.class_names):
    if name in model.config.class_names:
        head[row] = old_head[model.config.class_names.index(name)]
head[-1] = old_head[-1]  # "no object"

# %% [markdown]
# The package's, which also says what is new:

# %%
print("new:", start_from(start, "toytown"))
proved("the same head", start.decoder.class_head.weight, head)

# %% [markdown]
# ## Fine-tune
#
# `start_from` is a field of the recipe. A lower rate than from scratch: most of it is right already. Thirty steps of
# four pictures:

# %%
from IPython.utils.capture import capture_output
from oneformer_lite.training import toytown_training

recipe = toytown_training(data=str(folder / "mine"), out=str(folder / "run"), start_from="toytown", steps=30,
                          batch_size=4, lr=1e-3, warmup_steps=3, ema_decay=None, evaluations=0,
                          log_steps=1, workers=0)  # fmt: skip
with capture_output(), warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    result = ofl.train(config, recipe)
print(str(said[0].message))
losses = [record["class"] for record in result.history]
print("the class loss at the end is less than half of the first:", np.mean(losses[-5:]) < losses[0] / 2)

# %% [markdown]
# Before and after, on scene 13, which was not among the 32:

# %%
large = ofl.data.Toytown("val", size=192)[13].image
pictures = [ofl.predict(m, large, "panoptic").render() for m in (start, result.model)]
picture = ofl.render.contact_sheet([pictures], ["start: new classes are random", "after 30 steps"])
ofl.render.described(picture, "Two predictions. At the start the car and the ground stay grey; after 30 steps the car "
                              "is a vehicle, and the ground still grey.")

# %% [markdown]
# Known classes were there from the start. *Vehicle* is new: its row of the class head began random, so the car has no
# name on the left, and has learned one on the right. *Ground* is new, too, and thirty steps are not enough for it on
# this scene. In numbers, on the eight held-out scenes:

# %%
before, after = (ofl.evaluate(m, mine, tasks=("panoptic",)) for m in (start, result.model))
print("PQ at least 5 higher:", after["PQ"] > before["PQ"] + 5)
print("PQ of stuff at least 15 higher:", after["PQ_st"] > before["PQ_st"] + 15)

# %% [markdown]
# **Other annotations.** Only outlines of objects (COCO's instance files), or only maps of class ids? They open as
# `InstanceDataset` and `SemanticDataset` and train the tasks they can supply; the others stay as good as they
# were, or as bad. Label maps, for instance:

# %%
for kind in ("pictures", "labels"):
    (folder / "maps" / kind).mkdir(parents=True)
for sample in samples["val"]:
    label_map = np.full(sample.size, 255, np.uint8)  # void
    for segment in sample.segments:
        label_map[sample.segment_map == segment.id] = segment.class_id
    Image.fromarray(sample.image).save(folder / "maps" / "pictures" / f"{sample.image_id}.png")
    Image.fromarray(label_map).save(folder / "maps" / "labels" / f"{sample.image_id}.png")
maps = ofl.data.SemanticDataset(folder / "maps" / "pictures", folder / "maps" / "labels", config.class_names)
print(len(maps), "pictures, tasks:", maps.tasks, " as large as the others:", maps[1].size == mine[1].size)

# %% [markdown]
# ## Export
#
# Our folder, our folder at half the size, and transformers' layout. Each is loaded again and compared:

# %%
tuned = result.model
tuned.save_pretrained(folder / "ours")
tuned.save_pretrained(folder / "half", dtype=torch.float16)
with warnings.catch_warnings(record=True):
    warnings.simplefilter("always")
    save_huggingface(tuned, folder / "theirs")
    copies = {name: ofl.from_pretrained(folder / name) for name in ("ours", "half", "theirs")}
TOLERANCE = {"ours": 0, "half": 1, "theirs": 1e-3}  # of any logit
for name, copy in copies.items():
    megabytes = (folder / name / "model.safetensors").stat().st_size / 1e6
    apart = max((a - b).abs().max().item() for a, b in zip(logits(tuned), logits(copy)))
    print(f"{name:<7}{megabytes:5.0f} MB  apart by at most {TOLERANCE[name]}:", apart <= TOLERANCE[name])

# %% [markdown]
# On the command line, for any two layouts: `oneformer-lite convert runs/mine/model FOLDER --to huggingface`, and
# `--half`. transformers runs that folder; what it cannot hold (our small text mapper, needed in training only) is
# left out with a warning. `--onnx` writes one file that onnxruntime runs without PyTorch, with the task as an input
# (README).

# %% [markdown]
# ## What is simplified here, and where the official code differs
#
# * Thirty steps on 32 small pictures show the way, not a result. Take thousands of pictures and steps.
# * The official `train_net.py` starts from a checkpoint through detectron2's loader, which skips what does not fit by
#   shape. With as many classes as before, in another order, it loads wrong rows without a word.
# * The published hub folders hold no text mapper (lesson 05): fine-tuning adds a new one, with random weights.
# * The published scores are the authors'. They have not been measured with this package: its tests download nothing.

# %% [markdown]
# ## Break it
#
# A common fault with classes of your own: a list of names in another order. Here it is shifted by one.

# %%
names = model.config.class_names
shifted = ofl.from_pretrained("toytown")
shifted.config = replace(model.config, class_names=names[1:] + names[:1])
pictures = [ofl.predict(m, large, "panoptic").render() for m in (model, shifted)]
picture = ofl.render.contact_sheet([pictures], ["names in order", "off by one"])
ofl.render.described(picture, "The same segments twice. Off by one, car is called bus, tree dog, sky building.")

# %% [markdown]
# The masks are as good as before, no error was raised, every name is wrong. Segments and colours look fine at
# first sight: read the names of a few before you believe a score.

# %%
for m in (model, shifted):
    largest = max(ofl.predict(m, large, "panoptic").segments, key=lambda s: s.area)
    print(largest.class_name)

# %% [markdown]
# What this lesson has written can go:

# %%
import shutil

shutil.rmtree(folder)

# %% [markdown]
# ## In the package
#
# * `weights.hub.from_pretrained`: a name, a folder, a file or a hub id to a model
# * `weights.folder.from_folder`: configuration and tensors to a model
# * `weights.folder.save_pretrained`: and back
# * `weights.names.rename`: a table of names
# * `weights.oneformer.huggingface.save_huggingface`: transformers' layout
# * `config.base.BaseConfig.inference_size`: what the model sees of a picture
# * `inference.Prediction`: segments that show and save themselves
# * `training.finetune.start_from`: fine-tuning: weights by name, classes by name

# %% [markdown]
# ## Summary
#
# * `from_pretrained` reads names, folders, hub ids and official files; `predict` reads any picture.
# * Fine-tuning keeps all weights but the class head's rows of new classes; known classes are found by name.
# * A model travels as configuration and named tensors; a layout is a table of names.
#
# **Ask yourself**
#
# <details><summary>Why is a pickled .pth file of a stranger dangerous, and safetensors not?</summary>
# Unpickling can call any function. A safetensors file is a header with names, types and places, and then numbers.
# </details>
#
# <details><summary>Your fine-tuned model finds no new class at all. What do you look at?</summary>
# Whether the data hold it (ofl.doctor), whether the names of the model are those of the data in the same order, and
# whether training was long enough for random rows.</details>
#
# <details><summary>Why may the published hub files leave out the text mapper?</summary>
# It teaches the queries in training and takes no part in prediction.</details>
#
# <details><summary>Should a picture of 4000 x 3000 be cut into tiles?</summary>
# It is resized to what the model was trained for. Small things then vanish; tiles keep them, but segments that cross
# a border are cut.</details>
