# %% [markdown]
# # 00 · Three tasks, one model
#
# One picture, three questions:
#
# * **semantic**: which class is each pixel?
# * **instance**: which things are there, one by one?
# * **panoptic**: both at once, every pixel in exactly one segment.
#
# For years each question had its own network. **OneFormer** (CVPR 2023) answers all three with one set of
# weights, trained once. You tell it the task in words.
#
# In this lesson you use a small OneFormer that was trained on a laptop, flip the task, and read the numbers.
# The lessons that follow build every part of it; lesson 00b begins with the smallest model of its kind.
#
# *Goals:* tell the three tasks apart, say what a query gives, read the map. *Before:* Python and PyTorch's tensors; no
# transformer. *Words and letters:* [glossary](GLOSSARY.md).

# %% [markdown]
# ## A picture to work with
#
# *Toytown* is a street that the project paints itself: eight kinds of things, six kinds of stuff. Nothing is
# downloaded, and everybody sees the same scenes. We carry this one through all lessons.

# %%
import oneformer_lite as ofl
from PIL import Image

SCENE = 13
sample = ofl.data.Toytown("val", size=192)[SCENE]
Image.fromarray(ofl.render.enlarge(sample.image, 2))

# %% [markdown]
# Its annotation lists the segments. *Things* can be counted (two cars are two segments), *stuff* cannot (all
# the sky is one segment).

# %%
for segment in sample.segments:
    category = sample.categories[segment.class_id]
    print(f"segment {segment.id:>2}: {category.name:<9}", "thing" if category.is_thing else "stuff")

# %% [markdown]
# ## One model, three answers
#
# `from_pretrained("toytown")` loads the weights that come with the package. What its *queries* are, we see in a
# minute.

# %%
model = ofl.from_pretrained("toytown")
parameters = sum(p.numel() for p in model.parameters())
print(f"{parameters / 1e6:.1f} million parameters, {model.config.num_queries} queries")

# %% [markdown]
# Same picture, same weights, three task names. The semantic answer does not care how many trees there are, the
# instance answer leaves the stuff grey and says how sure it is of each thing.

# %%
predictions = {task: ofl.predict(model, sample.image, task) for task in ("semantic", "panoptic", "instance")}
pictures = [prediction.render() for prediction in predictions.values()]
Image.fromarray(ofl.render.contact_sheet([pictures], column_titles=list(predictions)))

# %% [markdown]
# The same in words: what each answer lists, and how often.

# %%
from collections import Counter

for task, prediction in predictions.items():
    found = Counter(segment.class_name for segment in prediction.segments)
    print(f"{task:<9}", ", ".join(f"{n} {name}" for name, n in sorted(found.items())))

# %% [markdown]
# A small model errs: the annotation has three trees, and one person only. The instance answer may name the person
# twice, for it is a list, ranked by confidence; in the other two every pixel belongs to one segment.
#
# ## Queries: who answers
#
# OneFormer is a *mask transformer*: it does not name pixels one by one. It has a fixed number of **queries**, here
# 32 vectors of 96 numbers. Each query looks at the picture and ends as one complete answer:
#
# * a **class**, from a linear layer: one score for each class, and one for "no object";
# * a **mask**, from dot products: the query's vector times the features of each pixel. Large means *mine*.

# %%
import torch

image = ofl.data.normalise(ofl.data.Toytown("val", size=128)[SCENE].image)[None]  # [1, 3, 128, 128]
with torch.inference_mode():
    output = model(image, "panoptic")
probability = output.class_logits[0].softmax(-1)  # [Q, K + 1]: 14 classes, then "no object"
masks = output.mask_logits[0].sigmoid()  # [Q, h, w]: how sure the query is of each pixel
print("classes", list(probability.shape), " masks", list(masks.shape))

# %% [markdown]
# Seven of the 32, with their class and its probability; white is *mine*:

# %%
names = [*model.config.class_names, "no object"]
tiles, titles = [], []
for query in (29, 0, 21, 31, 13, 30, 5):
    score, label = probability[query].max(-1)
    tiles.append((255 * masks[query, :, :, None]).byte().expand(-1, -1, 3).repeat_interleave(5, 0))
    titles.append(f"{query}: {names[label]} {score:.2f}")
tiles = [tile.repeat_interleave(5, 1).numpy() for tile in tiles]
Image.fromarray(ofl.render.contact_sheet([tiles], titles, font_size=14))

# %% [markdown]
# Queries 13 and 30 both call out the person: who keeps it is decided afterwards (lesson 11). Query 5 is sure that it
# has no object, like half of the queries.

# %% [markdown]
# ## What changes when the task changes?
#
# Not the weights, not the picture. The task is a sentence; its words become numbers (*ids*), the ids go through a
# small network and become one vector, the *task token* (lesson 04). Every query begins as a copy of that vector
# (lesson 06).

# %%
from oneformer_lite.model.parts.tokenizer import tokenize

for task in predictions:
    print(f"the task is {task:<9}", [i for i in tokenize([f"the task is {task}"])[0].tolist() if i])

# %% [markdown]
# Count the queries that are sure of a class, things and stuff apart, under each token:

# %%
is_thing = torch.tensor(model.config.is_thing)


def confident(task):
    with torch.inference_mode():
        probability = model(image, task).class_logits[0].softmax(-1)[:, :-1]
    score, label = probability.max(-1)
    label = label[score > 0.5]
    return int(is_thing[label].sum()), int((~is_thing[label]).sum())


for task in predictions:
    things, stuff = confident(task)
    print(f"{task:<9} {things} queries for things, {stuff} for stuff")

# %% [markdown]
# Under "semantic" fewer queries ask for things: one takes all the trees. Under "instance" none asks for stuff.
#
# ## Flip it yourself
#
# An *inspector* is a picture with switches: run the notebook, choose the task, point at a segment. (Where no kernel
# runs, as on GitHub, you see its still picture.)

# %%
from oneformer_lite.widgets import MaskInspector

MaskInspector(model, sample).set(task="instance")

# %% [markdown]
# **Break it.** Read the *instance* answer with the post-processing of the *panoptic* task. The stuff is gone:
# no query asks for it under that token, and no post-processing can bring it back.

# %%
from oneformer_lite.inference import raw_predictions, read_prediction

with torch.inference_mode():
    output = model(image, "instance")
raw = raw_predictions(output, [(128, 128)], [(192, 192)])[0]
wrong = read_prediction(raw, "panoptic", sample.image, model.config, sample.categories)
Image.fromarray(ofl.render.contact_sheet(
    [[predictions["panoptic"].render(), wrong.render()]],
    column_titles=["token: panoptic", "token: instance"],
))

# %% [markdown]
# ## How good is it?
#
# Each task has its own measure, in percent (lesson 12 builds them):
#
# * **PQ**, panoptic quality: how many segments are found, times how well they are drawn;
# * **AP**, average precision: instance masks, ranked by confidence;
# * **mIoU**: pixels, class by class.
#
# Judge the model on a few scenes that it was not trained on. (Rounded to tens: with 24 scenes the rest is chance.)

# %%
few = ofl.data.Toytown("val", size=128, length=24)
metrics = ofl.evaluate(model, few)
for name in ("PQ", "AP", "mIoU"):
    print(f"{name:<5} {round(metrics[name], -1):.0f} (to the nearest 10)")

# %% [markdown]
# And with the wrong words? Each row is the same model under another token.

# %%
print(f"{'token':<10}{'PQ':>6}{'PQ stuff':>10}{'AP':>6}{'mIoU':>6}")
for token in predictions:
    m = ofl.evaluate(model, few, token=token)
    values = [round(m[name], -1) for name in ("PQ", "PQ_st", "AP", "mIoU")]
    print(f"{token:<10}{values[0]:>6.0f}{values[1]:>10.0f}{values[2]:>6.0f}{values[3]:>6.0f}")

# %% [markdown]
# No measure gains by a foreign token. Under "instance" the stuff is gone (PQ stuff 0), under "semantic" the things of
# a class melt together (AP 30). The paper reports the same at full size: in its table on ADE20K the PQ of stuff
# is 1.5 under the "instance" token, and 50.2 under the other two.

# %% [markdown]
# ## The map
#
# This is the whole model, drawn from one forward pass of our scene: in each box what the part made of it, and its
# shape; in the circle the lesson that builds it. Dashed parts run in training only: sentences about the picture and
# three more losses (CE, BCE, dice) teach the queries, and are then left out. Each lesson shows this map again, with its
# part lit. (It is a vector drawing: zoom in as far as you like.)

# %% tags=["nbval-ignore-output"]
ofl.drawings.model_map(model, ofl.data.Toytown("val", size=128)[SCENE])

# %% [markdown]
# Every intermediate result is in the *trace*, in the order of the forward pass. The lessons look into it. Here are
# those between the parts:

# %%
with torch.inference_mode():
    output = model(image, "panoptic", texts=[["a photo with a car"]], trace=True)
lines = output.trace.shapes().splitlines()
between = [line for line in lines if "layer" not in line and "prediction" not in line]
print(*between, f"... and {len(lines) - len(between)} more inside the decoders", sep="\n")

# %% [markdown]
# ## What is simplified here?
#
# Nothing in the code: this is the same model class that the COCO presets use. Only the sizes are small. Layers
# are those of the pixel decoder and of the masked decoder:

# %%
for preset in (ofl.config.toytown(), ofl.config.coco_r50()):
    print(
        f"{preset.backbone:<22} {preset.hidden_dim:>3} channels, {preset.num_queries:>3} queries,",
        f"{preset.encoder_layers} + {preset.decoder_layers} layers, {preset.num_classes} classes",
    )

# %% [markdown]
# ## Summary
#
# * One OneFormer answers three tasks; a sentence selects which.
# * The task token steers the queries: under "instance" nobody asks for stuff.
# * Classes come from a linear layer on each query, masks from a dot product of queries and pixels.
#
# **Ask yourself**
#
# <details><summary>Why does the semantic answer show one segment where the panoptic one shows two cars?</summary>
# Semantic targets merge all masks of a class. Under that token the model learned to give one query the whole
# class.</details>
#
# <details><summary>Could you get the semantic answer from the panoptic one?</summary>
# Yes: forget the instances. The other way is impossible, for touching cars have one semantic region.</details>
#
# <details><summary>What would happen if the task sentence were dropped?</summary>
# The model would have to guess which targets are wanted. The paper measures it: PQ, AP and mIoU all fall, AP
# the most.</details>
