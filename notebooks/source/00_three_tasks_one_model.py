# %% [markdown]
# # 00 · Three tasks, one model
#
# One picture, three questions:
#
# * **semantic**: which class is each pixel?
# * **instance**: which things are there, one by one?
# * **panoptic**: both at once, every pixel in exactly one segment.
#
# For years each question had its own network. **OneFormer** (2023) answers all three with one set of weights, trained
# once. You tell it the task in words.
#
# In this lesson you use a small OneFormer that was trained on a laptop, change the task, and read the numbers. The
# lessons that follow build every part of it; lesson 00b begins with the smallest model of its kind. (The weights that
# come with the package were trained for nearly four hours, mostly on one core; the ten minutes of lesson 13 end
# lower.)
#
# *Goals:* tell the three tasks apart, say what a query gives, read the map. *Before:* Python and PyTorch's tensors; no
# transformer. *Minutes:* 25. *Words and letters:* [glossary](GLOSSARY.md); lesson 00b computes by hand what is only named here.

# %% [markdown]
# ## A picture to work with
#
# *Toytown* is a street that the project paints itself: eight kinds of things, six kinds of stuff. Nothing is
# downloaded, and everybody sees the same scenes. We carry this one through all lessons.

# %%
import oneformer_lite as ofl

SCENE = 13
sample = ofl.data.Toytown("val", size=192)[SCENE]  # 192 x 192 pixels; it can be painted at any size
words = (
    "A painted street: houses under a blue sky, grass with two trees and a sign at the left and a tree at the right "
    "edge, a person with a white dog on the sidewalk, a ball, a blue car on the road"
)
ofl.render.described(ofl.render.enlarge(sample.image, 2), words)

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
sheet = ofl.render.contact_sheet([pictures], column_titles=list(predictions))
words = (
    "Coloured regions with names. Semantic: all trees have one colour. Panoptic: the two trees at the left have "
    "a colour each. Instance: things alone are coloured, each with its score; sky, houses, grass and road are grey"
)
ofl.render.described(sheet, words)

# %% [markdown]
# The same in words: what each answer lists, and how often.

# %%
from collections import Counter

for task, prediction in predictions.items():
    found = Counter(segment.class_name for segment in prediction.segments)
    print(f"{task:<9}", ", ".join(f"{n} {name}" for name, n in sorted(found.items())))

# %% [markdown]
# A small model makes mistakes: the annotation has three trees, and one person only. (And at another size it makes
# others: later lessons show the scene at 128 or 160 pixels, where it may find three trees.) The instance answer may
# name the person twice, because it is a list, ranked by confidence; in the other two every pixel belongs to one
# segment.
#
# ## Queries: who answers
#
# OneFormer is a *mask transformer*: it does not name pixels one by one. It has a fixed number of **queries**, here
# 32 vectors of 96 numbers. A *transformer* is a network whose vectors look at other vectors and take from them what
# fits. Each query looks at the picture in this way, and ends as one complete answer:
#
# * a **class**, from a linear layer (a learned matrix): one score for each class, and one for "no object";
# * a **mask**, from dot products: multiply the numbers of the query and of a pixel's features one by one, and add.
#   Large means *mine*.
#
# Such scores are called *logits*. The *softmax* makes probabilities of a query's class logits, which add up to 1; the
# *sigmoid* makes one of each pixel's mask logit. The scene is painted at 128 pixels now, as in training; masks have
# a quarter of that side.

# %%
import torch

image = ofl.data.normalise(ofl.data.Toytown("val", size=128)[SCENE].image)[None]  # [1, 3, 128, 128]
with torch.inference_mode():
    output = model(image, "panoptic")
probability = output.class_logits[0].softmax(-1)  # [Q, K + 1]: 14 classes, then "no object"
masks = output.mask_logits[0].sigmoid()  # [Q, h, w]: how sure the query is of each pixel; h = w = 128 / 4
print("classes [Q, K + 1]:", list(probability.shape), " masks [Q, h, w]:", list(masks.shape))

# %% [markdown]
# (Three times 32, by chance: 32 queries, and masks of 32 rows and 32 columns.) Seven queries, with their class and its
# probability; white is *mine*:

# %%
names = [*model.config.class_names, "no object"]
tiles, titles = [], []
for query in (29, 0, 21, 31, 13, 30, 5):
    score, label = probability[query].max(-1)
    tiles.append((255 * masks[query, :, :, None]).byte().expand(-1, -1, 3).repeat_interleave(5, 0))
    titles.append(f"{query}: {names[label]} {score:.2f}")
tiles = [tile.repeat_interleave(5, 1).numpy() for tile in tiles]
words = (
    "Seven masks, white on black. Query 29, sky: all above the roofs; 0: the road, 21: the car, 31: a tree; 13 and 30: "
    "the same person, twice; 5, no object: black except for single pixels"
)
ofl.render.described(ofl.render.contact_sheet([tiles], titles, font_size=14), words)

# %% [markdown]
# Queries 13 and 30 both have the person. *Post-processing*, which makes the answer of all queries (lesson 11), gives
# each pixel to one query, and drops a query that is left with too few pixels: the panoptic answer has one person.
# Query 5 is sure that it has no object, as are 17 of the 32.

# %% [markdown]
# ## What changes when the task changes?
#
# Not the weights, not the picture. The task is a sentence; its words become numbers (*ids*), the ids go through a
# small network and become one vector, the *task token* (lesson 04). All queries begin as copies of that vector. The
# last one stays the token itself. A small transformer makes the others different: it adds a learned vector to each,
# one of its own, and lets them look at the picture (lesson 06).

# %%
from oneformer_lite.model.parts.tokenizer import tokenize

for task in predictions:
    print(f"the task is {task:<9}", [i for i in tokenize([f"the task is {task}"])[0].tolist() if i])

# %% [markdown]
# 49406 and 49407 mark the start and the end. *Semantic* and *panoptic* are not whole in the vocabulary: they are two
# pieces each. (The zeros that fill up the list are left out.)
#
# Count the queries that are sure of a class, things and stuff apart, under each token:

# %%
is_thing = dict(zip(model.config.class_names, model.config.is_thing))


def confident(task):
    """How many queries are sure of which class, "no object" among them"""
    with torch.inference_mode():
        score, label = model(image, task).class_logits[0].softmax(-1).max(-1)
    return Counter(names[i] for i in label[score > 0.5].tolist())


for task in predictions:
    found = confident(task)
    things, stuff = (sum(n for name, n in found.items() if is_thing.get(name) is kind) for kind in (True, False))
    trees, nothing = found["tree"], found["no object"]
    print(f"{task:<9} {things:>2} for things ({trees} for trees), {stuff} for stuff, {nothing} for no object")

# %% [markdown]
# Under "semantic" one query takes all the trees. Under "instance" none asks for stuff. Under "panoptic" there are more
# queries for things than things in the answer: some have the same thing, and post-processing keeps one of them.
#
# ## Change it yourself
#
# An *inspector* is a picture with switches: run the notebook, choose the task, point at a segment. (Where no kernel
# runs, as on GitHub, you see its still picture.)

# %%
from oneformer_lite.widgets import MaskInspector

MaskInspector(model, sample).set(task="instance", colors="verdict")

# %% [markdown]
# Of the 8 segments of the answer 7 are right, and 1 is *invented*: the second person. *Merged* counts something else,
# an annotated tree that shares its answer with another tree.
#
# **Break it.** Read the *instance* answer with the post-processing of the *panoptic* task. The stuff is gone:
# no query asks for it under that token, and no post-processing can bring it back.

# %%
from oneformer_lite.inference import raw_predictions, read_prediction

with torch.inference_mode():
    output = model(image, "instance")
raw = raw_predictions(output, [(128, 128)], [(192, 192)])[0]  # what the model saw, and the size that we want
wrong = read_prediction(raw, "panoptic", sample.image, model.config, sample.categories)
sheet = ofl.render.contact_sheet(
    [[predictions["panoptic"].render(), wrong.render()]],
    column_titles=["token: panoptic", "token: instance"],
)
words = (
    "Both read as panoptic. Token panoptic: the whole picture is coloured and named. Token instance: things alone; "
    "sky, houses, grass, sidewalk and road stay grey, and the person is there twice"
)
ofl.render.described(sheet, words)

# %% [markdown]
# ## How good is it?
#
# Each task has its own measure, in percent (lesson 12 builds them):
#
# * **PQ**, panoptic quality: how many segments are found, times how well they are drawn;
# * **AP**, average precision: instance masks, ranked by confidence;
# * **mIoU**: pixels, class by class.
#
# Judge the model on a few scenes that it was not trained on. (Rounded to tens: with 24 scenes, smaller differences mean
# little.)

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
# Each measure is highest under the token of its own task (to the nearest 10, and sometimes equal), and some are far
# lower under another. Under "instance" the stuff is gone (PQ stuff 0), under "semantic" the things of a class become
# one segment (AP 30). The authors report the same for photographs: the PQ of stuff is 1.5 under the
# "instance" token, and 50.2 under the other two.

# %% [markdown]
# ## The map
#
# This is the whole model, drawn from one *forward pass* (one run, from picture to answer) of our scene: in each box
# what the part made of it, and its shape; in the circle the lesson that builds it. The *backbone* makes features of the
# picture, the *pixel decoder* joins them to maps, in the *masked decoder* the queries look at these maps.
#
# Dashed parts run in training only. There the queries are compared with sentences about the picture (the contrastive
# loss) and with the true segments, their classes (the loss CE) and masks (BCE and dice). Lessons 01 to 13 show this map
# again, with their part lit. (It is a vector drawing: zoom in as far as you like.)

# %% tags=["nbval-ignore-output"]
ofl.drawings.model_map(model, ofl.data.Toytown("val", size=128)[SCENE])

# %% [markdown]
# Every intermediate result is in the *trace*, in the order of the forward pass. The lessons look into it. Here are
# those between the parts. (*Stride* 4: one step in the map is 4 pixels in the picture.)

# %%
with torch.inference_mode():
    output = model(image, "panoptic", texts=[["a photo with a car"]], trace=True)
lines = output.trace.shapes().splitlines()
between = [line for line in lines if "layer" not in line and "prediction" not in line]
print(*between, f"... and {len(lines) - len(between)} more inside the decoders", sep="\n")

# %% [markdown]
# ## What is simplified here?
#
# Nothing in the code: the same class makes the large models for photographs. Only the sizes are small. First the toy,
# then one for COCO, a large collection of annotated photographs. In front is the backbone; layers are those
# of the pixel decoder and of the masked decoder:

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
# * The task token decides what the queries look for: under "instance" none asks for stuff.
# * Classes come from a linear layer on each query, masks from a dot product of queries and pixels.
#
# **Ask yourself**
#
# <details><summary>Why does the semantic answer show one segment where the panoptic one shows two trees?</summary>
# Semantic targets merge all masks of a class. Under that token the model learned to give one query the whole
# class.</details>
#
# <details><summary>Could you get the semantic answer from the panoptic one?</summary>
# Yes: forget the instances. The other way is impossible: trees that touch have one semantic region. Why then train
# three tasks? Because each has its own measure, and the authors found that a model trained on all three tasks is at
# least as good in each as a model trained on that task only.</details>
#
# <details><summary>Why is mIoU so low under the "instance" token, although mIoU does not count instances?</summary>
# It is the mean over all classes, things and stuff. Under that token no query asks for stuff, so these classes
# lose.</details>
