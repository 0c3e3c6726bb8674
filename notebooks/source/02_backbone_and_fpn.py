# %% [markdown]
# # 02 · Backbone and FPN
#
# To name a thing, a network must look at much of the picture; to draw its outline, it must know single pixels.
# **How can one set of features know both what and where?**
#
# The *backbone* turns the picture into four feature maps. The fine ones know little; the coarse ones know what things
# are. The *feature pyramid network* (FPN) brings this knowledge down to the fine map. We build both. (The package's
# own pixel decoder is that of lesson 03; of the FPN it keeps one step, the last.)
#
# *Instead of* (in the sixty lines of lesson 00b): `features = self.backbone(pictures)` (line A).
#
# *Goals:* say what a stride and a receptive field are; build a feature pyramid. *Before:* lesson 00b, convolutions.
# *Minutes:* 60. *Words and letters:* [glossary](GLOSSARY.md).
#
# Where we are, in the map of the whole model:

# %% tags=["nbval-ignore-output"]
import oneformer_lite as ofl

ofl.drawings.model_map(ofl.from_pretrained("toytown"), ofl.data.Toytown("val", size=128)[13], "02")

# %% [markdown]
# What this lesson needs:

# %%
import copy
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import oneformer_lite as ofl
import timm
import torch
import torch.nn.functional as F
from oneformer_lite.inspectors.features.reading import principal_components
from oneformer_lite.inspectors.features.pictures import paint_components
from PIL import Image
from torch import nn
from oneformer_lite.lessons import proved

# %% [markdown]
# The carried scene, at the size that the model was trained with, goes through the backbone:

# %%
model = ofl.from_pretrained("toytown")
sample = ofl.data.Toytown("val", size=128)[13]
image = ofl.data.normalise(sample.image)[None]  # [1, 3, 128, 128]
with torch.no_grad():
    features = model.backbone(image)  # finest first

# %% [markdown]
# Out come four maps. A map has many channels; the three directions in which it varies most (its principal components)
# become a colour. Equal colours in one map mean: the network finds these places alike. (Each map is painted on its own;
# colours of different maps cannot be compared.)

# %%
def painted(feature, side=256):
    """[1, C, h, w] -> uint8 [side, side, 3]"""
    scores, _ = principal_components(feature[0].detach().permute(1, 2, 0).numpy())
    pixels = paint_components(scores)
    return pixels.repeat(side // len(pixels), 0).repeat(side // len(pixels), 1)


pictures = [ofl.render.enlarge(sample.image, 2), *[painted(f) for f in features]]
picture = ofl.render.contact_sheet([pictures], ["picture", *[f"stride {s}" for s in (4, 8, 16, 32)]])
ofl.render.described(picture, "The picture and its four maps as coloured squares: at stride 4 small ones that follow "
                              "houses and car, at stride 32 sixteen large ones that follow nothing.")

# %% [markdown]
# *Stride 4* means: from one position of the map to the next it is 4 pixels in the picture. The finest map still
# shows edges; the coarsest has 16 positions in all.

# %% [markdown]
# ## How a map shrinks
#
# A convolution with kernel size $k$, stride $s$ and padding $p$ turns $n$ pixels into
#
# $$\left\lfloor \frac{n + 2p - k}{s} \right\rfloor + 1$$
#
# The kernel needs $k$ pixels for its first value, and every further $s$ pixels give one more.

# %%
def out_size(n, k, s, p):
    return (n + 2 * p - k) // s + 1


for n, k, s, p in ((128, 3, 2, 1), (128, 7, 2, 3), (100, 3, 2, 1), (101, 3, 2, 1), (128, 4, 4, 0)):
    measured = nn.Conv2d(1, 1, k, s, p)(torch.zeros(1, 1, n, n)).shape[-1]
    print(f"n {n}, kernel {k}, stride {s}, padding {p}: {out_size(n, k, s, p)} = {measured}")

# %% [markdown]
# Five convolutions of stride 2 divide by 32. So the smallest backbone that has what a OneFormer needs is five
# convolutions deep. It keeps the last four maps:

# %%
class TinyBackbone(nn.Module):
    def __init__(self, channels=(16, 24, 40, 112, 320)):
        super().__init__()
        pairs = zip((3, *channels), channels)
        self.stages = nn.ModuleList(nn.Conv2d(a, b, kernel_size=3, stride=2, padding=1) for a, b in pairs)

    def forward(self, x):
        maps = []
        for stage in self.stages:
            maps.append(x := F.relu(stage(x)))
        return maps[1:]  # strides 4, 8, 16, 32


torch.manual_seed(0)
tiny = TinyBackbone()
for mine, theirs in zip(tiny(image), features):
    print(f"mine {list(mine.shape)!s:<18} package {list(theirs.shape)}")

# %% [markdown]
# Same strides, same channels, and a usual rule: the coarser the map, the more channels. But the package's network
# is deep and has seen a million photographs of ImageNet. It is `tf_efficientnet_lite0` of *timm*, a library of
# backbones; we call timm ourselves and put the weights of our model in:

# %%
network = timm.create_model("tf_efficientnet_lite0", features_only=True, out_indices=(1, 2, 3, 4)).eval()
network.load_state_dict(model.backbone.network.state_dict())
convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
print(len(convolutions), "convolutions,", sum(m.stride[0] == 2 for m in convolutions), "of them with stride 2")

# %% [markdown]
# ## Each backbone has its own normalisation
#
# The pixels must look as they did when the network was trained. This package normalises every picture with
# ImageNet's mean $m$ and deviation $s$ (lesson 01). Networks differ:

# %%
for name in ("resnet50", "convnext_large", "tf_efficientnet_lite0"):
    cfg = timm.get_pretrained_cfg(name)
    print(f"{name:<22} mean {cfg.mean}  deviation {cfg.std}")

# %% [markdown]
# Ours was trained with 0.5 and 0.5 (for pixels from 0 to 1). With $x = (p - m)/s$ at hand, it wants
# $(p - m')/s'$. Put $p = x s + m$ in: that is $x \cdot \frac{s}{s'} + \frac{m - m'}{s'}$, a scale and a shift.

# %%
mean, std = torch.tensor([123.675, 116.28, 103.53]), torch.tensor([58.395, 57.12, 57.375])
scale, shift = std / 127.5, (mean - 127.5) / 127.5
print("scale", [round(v, 3) for v in scale.tolist()], "shift", [round(v, 3) for v in shift.tolist()])
theirs = model.backbone.scale.flatten(), model.backbone.shift.flatten()
proved("scale", scale, theirs[0], atol=1e-5) + proved("shift", shift, theirs[1], atol=1e-5)

# %% [markdown]
# Now our own backbone is complete, and the same as the package's:

# %%
@torch.no_grad()
def my_backbone(x):
    return network(x * scale.view(3, 1, 1) + shift.view(3, 1, 1))


mine = my_backbone(image)
for one in mine:
    print(list(one.shape))
proved("four maps = package", mine, features, atol=1e-4)

# %% [markdown]
# One more kind of normalisation sits inside: *BatchNorm* remembers mean and deviation of what it saw on ImageNet.
# Batches of a few pictures would spoil these, so they stay fixed, even in training:

# %%
batch_norms = [m for m in model.backbone.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
model.train()
in_training = sum(m.training for m in batch_norms)
print(f"in training: the model {model.training}, of its {len(batch_norms)} batch norms {in_training}")
model.eval()
print(model.config.backbone_norm, "|", ofl.config.coco_r50().backbone_norm)

# %% [markdown]
# "affine": scale and shift of each BatchNorm learn, the statistics do not. "frozen", as in the official ResNet-50
# recipes for COCO and ADE20K: mean, deviation, scale and shift are all fixed. Swin, ConvNeXt and DiNAT have no
# BatchNorm; there a LayerNorm closes each stage.

# %% [markdown]
# ## What one position sees
#
# Each layer with kernel $k$ adds $k - 1$ positions to the field of view, and each such position is as many pixels
# wide as the product of all strides before it. The result is the *receptive field*.

# %%
def receptive_field(layers):
    """(kernel, stride) of each layer, first to last -> pixels that one output depends on"""
    size, step = 1, 1
    for kernel, stride in layers:
        size += (kernel - 1) * step
        step *= stride
    return size


print([receptive_field([(3, 2)] * n) for n in (2, 3, 4, 5)])

# %% [markdown]
# The same can be *measured*, for any network: take one position of a map, go back to the pixels, and see which of
# them have a gradient.

# %%
def seen_by(network, image, level, place):
    """float [H, W]: how strongly each pixel moves the position that lies over `place` (row, column)"""
    image = image.clone().requires_grad_()
    feature = network(image)[level]  # [1, C, h, w]
    row, column = (p * side // 128 for p, side in zip(place, feature.shape[-2:]))
    feature[0, :, row, column].abs().sum().backward()
    return image.grad[0].abs().sum(0)

# %% [markdown]
# First our tiny backbone, in the middle of the picture:

# %%
for level, stride in enumerate((4, 8, 16, 32)):
    gradient = seen_by(tiny, image, level, (64, 64))
    print(f"stride {stride:>2}: {int((gradient > 0).any(1).sum())} rows of pixels")

# %% [markdown]
# As computed. Now the real backbone, at a position on the car of our scene:

# %%
car = next(s for s in sample.segments if sample.categories[s.class_id].name == "car")
rows, columns = np.nonzero(sample.segment_map == car.id)
place = int(rows.mean()), int(columns.mean())
gradients = [seen_by(model.backbone, image, level, place) for level in range(4)]

# %% [markdown]
# Each picture, lit where there is gradient:

# %%
figure, axes = plt.subplots(1, 4, figsize=(10, 3), layout="constrained")
for axis, gradient, stride in zip(axes, gradients, (4, 8, 16, 32)):
    smooth = F.avg_pool2d(gradient[None, None], 7, stride=1, padding=3)[0, 0]
    light = (smooth / smooth.quantile(0.98)).clamp(max=1).sqrt()[..., None].numpy()
    axis.imshow((sample.image * (0.2 + 0.8 * light)).astype(np.uint8))
    corner = [p // stride * stride - 0.5 for p in place]
    axis.add_patch(plt.Rectangle(corner[::-1], stride, stride, fill=False, edgecolor="#e69f00"))
    axis.set(title=f"stride {stride}", xticks=(0, 64, 127), yticks=(0, 64, 127), xlabel="pixels")
ofl.render.described(figure, "The scene four times, dark but where the gradient is: at stride 4 a spot around the "
                             "car, at stride 8 and 16 a wider one, at stride 32 nearly the whole picture.")

# %% [markdown]
# Light: what one position (orange) sees, by the strength of its gradient (smoothed, square root). At stride 4 it sees
# a small piece of the car; at stride 32 the whole street. How far must one go from the middle to have half of the
# gradient?

# %%
def reach(gradient, place):
    """Pixels to each side that hold half of the gradient."""
    row, column = place
    for r in range(128):
        part = gradient[max(row - r, 0) : row + r + 1, max(column - r, 0) : column + r + 1].sum()
        if part >= gradient.sum() / 2:
            return r

# %% [markdown]
# That, and how many rows of pixels have any gradient at all:

# %%
for gradient, stride in zip(gradients, (4, 8, 16, 32)):
    touched = int((gradient > 0).any(1).sum())
    print(f"stride {stride:>2}: {touched:>3} of 128 rows touched, half within {reach(gradient, place)} pixels")

# %% [markdown]
# The field that *can* be seen is far larger than the one that counts. Still, only the coarse maps know that the
# grey stripe belongs to a street. And only the fine ones know where it ends.

# %% [markdown]
# ## The FPN: lateral, top-down, smooth
#
# One step takes a fine map and the next coarser one, already finished:
#
# 1. **lateral**: bring the fine map to C channels, with a 1x1 convolution;
# 2. **top-down**: make the coarser map twice as large and add it;
# 3. **smooth**: a 3x3 convolution over the sum.
#
# A 1x1 convolution is a matrix that is applied to each position alone:

# %%
step = model.pixel_decoder.fpn  # trained; C = 96
fine = features[0]  # [1, 24, 32, 32]
matrix = step.lateral[0].weight[:, :, 0, 0]  # [96, 24]
by_hand = torch.einsum("oi,bihw->bohw", matrix, fine)
print(list(by_hand.shape))
proved("equal", by_hand, step.lateral[0](fine), atol=1e-4)

# %% [markdown]
# Enlarging *bilinearly*: the middle of fine pixel $i$ lies at $(i + 0.5)/2 - 0.5$ on the coarse grid. The value there
# is mixed from the neighbours, the nearer one counts more. With loops:

# %%
def enlarge_twice(coarse):
    """[C, h, w] -> [C, 2h, 2w]"""
    _, h, w = coarse.shape
    fine = torch.empty(len(coarse), 2 * h, 2 * w)
    for i in range(2 * h):
        for j in range(2 * w):
            y, x = max((i + 0.5) / 2 - 0.5, 0), max((j + 0.5) / 2 - 0.5, 0)
            y0, x0 = int(y), int(x)
            y1, x1 = min(y0 + 1, h - 1), min(x0 + 1, w - 1)
            upper = (1 - (x - x0)) * coarse[:, y0, x0] + (x - x0) * coarse[:, y0, x1]
            lower = (1 - (x - x0)) * coarse[:, y1, x0] + (x - x0) * coarse[:, y1, x1]
            fine[:, i, j] = (1 - (y - y0)) * upper + (y - y0) * lower
    return fine

# %% [markdown]
# PyTorch does the same at once:

# %%
coarse = features[2]  # [1, 112, 8, 8]
fast = F.interpolate(coarse, scale_factor=2, mode="bilinear", align_corners=False)
proved("equal", enlarge_twice(coarse[0]), fast[0], atol=1e-4)

# %% [markdown]
# The simpler mode is *nearest*. Here is the length of the feature vector at each position, before and after:

# %%
modes = {"8 x 8": coarse, "nearest": F.interpolate(coarse, scale_factor=2), "bilinear": fast}
figure, axes = plt.subplots(1, 3, figsize=(8, 3), layout="constrained")
for axis, (name, values) in zip(axes, modes.items()):
    axis.imshow(values[0].norm(dim=0), cmap="viridis")
    axis.set(title=name, xlabel="positions")
ofl.render.described(figure, "A map of 8 x 8; at 16 x 16 by nearest it looks the same, by bilinear it has soft steps.")

# %% [markdown]
# *Nearest* copies blocks, *bilinear* goes smoothly from one position to the next.
#
# After each convolution comes a **GroupNorm**: the channels of one picture are split into 32 groups, and each group
# is brought to mean 0 and deviation 1. It needs no batch.

# %%
def group_norm(x, weight, bias, groups=32):
    """[B, C, h, w] -> the same"""
    grouped = x.unflatten(1, (groups, -1))  # [B, groups, C / groups, h, w]
    centred = grouped - grouped.mean((2, 3, 4), keepdim=True)
    unit = centred / (centred.square().mean((2, 3, 4), keepdim=True) + 1e-5).sqrt()
    return unit.flatten(1, 2) * weight.view(-1, 1, 1) + bias.view(-1, 1, 1)


norm = step.lateral[1]
proved("equal", group_norm(by_hand, norm.weight, norm.bias), step.lateral(fine), atol=1e-4)

# %% [markdown]
# The whole step as a module. No ReLU after the lateral convolution, so that its values can be negative; one after the
# 3x3.

# %%
class MyStep(nn.Module):
    def __init__(self, in_dim, dim):
        super().__init__()
        self.lateral = nn.Conv2d(in_dim, dim, 1, bias=False)
        self.lateral_norm = nn.GroupNorm(32, dim)
        self.smooth = nn.Conv2d(dim, dim, 3, padding=1, bias=False)
        self.smooth_norm = nn.GroupNorm(32, dim)

    def forward(self, fine, coarse):
        enlarged = F.interpolate(coarse, size=fine.shape[-2:], mode="bilinear")
        x = self.lateral_norm(self.lateral(fine)) + enlarged  # [B, C, H, W]
        return F.relu(self.smooth_norm(self.smooth(x)))

# %% [markdown]
# Put the trained weights of the package's `FPNStep` in, and give both what the model gives it: the backbone's map at
# stride 4, and the map at stride 8 as the pixel decoder leaves it (lesson 03).

# %%
def share(mine, theirs):
    """Copy the weights in order."""
    mine.load_state_dict(dict(zip(mine.state_dict(), theirs.state_dict().values(), strict=True)))
    return mine


with torch.no_grad():
    trace = model(image, "panoptic", trace=True).trace
    eighth = trace["pixel_decoder.stride8"]  # [1, 96, 16, 16]
    mine, theirs = share(MyStep(24, 96), step)(fine, eighth), step(fine, eighth)
    finished = model.pixel_decoder.mask_projection(mine)
proved("step equal", mine, theirs, atol=1e-4) + proved(
    "mask features equal", finished, trace["pixel_decoder.mask_features"], atol=1e-4
)

# %% [markdown]
# ## The whole pyramid
#
# Start at the coarsest map and take three steps. The last map becomes the *mask features* (with which queries are
# multiplied to give masks: lesson 10); those at strides 32, 16 and 8 are what the decoder looks at.

# %%
class MyFPN(nn.Module):
    def __init__(self, channels, dim):
        super().__init__()
        *finer, coarsest = channels
        self.top, self.top_norm = nn.Conv2d(coarsest, dim, 3, padding=1, bias=False), nn.GroupNorm(32, dim)
        self.steps = nn.ModuleList(MyStep(c, dim) for c in reversed(finer))
        self.mask_projection = nn.Conv2d(dim, dim, 3, padding=1)

    def forward(self, features):
        maps = [F.relu(self.top_norm(self.top(features[-1])))]  # stride 32
        for step, fine in zip(self.steps, reversed(features[:-1])):
            maps.append(step(fine, maps[-1]))  # 16, 8, 4
        return self.mask_projection(maps[-1]), maps[:3]

# %% [markdown]
# The package's is `FPNPixelDecoder`. With the same weights both compute the same:

# %%
from oneformer_lite.model.parts.fpn import FPNPixelDecoder

torch.manual_seed(0)
package = FPNPixelDecoder(model.backbone.channels, 96)
pyramid = share(MyFPN(model.backbone.channels, 96), package)
with torch.no_grad():
    (mine, my_maps), (theirs, their_maps) = pyramid(features), package(features)
print("mask features", list(mine.shape))
for one, stride in zip(my_maps, (32, 16, 8)):
    print(f"stride {stride:<2}", list(one.shape))
proved("mask features = package", mine, theirs, atol=1e-4) + proved("three maps", my_maps, their_maps, atol=1e-4)

# %% [markdown]
# OneFormer takes *this* decoder with `pixel_decoder="fpn"` in its configuration. By default deformable attention
# makes the maps at strides 32, 16 and 8 (lesson 03), and one FPN step the finest:

# %%
for preset in (ofl.config.toytown(), ofl.config.coco_r50()):
    print(preset.backbone, "|", preset.pixel_decoder)
print(type(model.pixel_decoder).__name__, "with one", type(step).__name__)

# %% [markdown]
# ## Sizes that do not divide
#
# A picture of 100 x 150 gives maps whose sizes are rounded up at each stride. Twice the coarse map is then not the
# fine one, so the model pads to a multiple of 32 first.

# %%
odd = torch.zeros(1, 3, 100, 150)
for padded in (odd, F.pad(odd, (0, 160 - 150, 0, 128 - 100))):
    with torch.no_grad():
        print(list(padded.shape[-2:]), "->", [list(f.shape[-2:]) for f in model.backbone(padded)])

# %% [markdown]
# ## What the top-down path brings
#
# The trained step, taken apart: the lateral part knows edges and colours, the enlarged map knows things. The mask
# features have both. One question to each of the maps: how much is every position like *this* one on the car (orange)?
# White is alike, a cosine of 1; black is a cosine of 0 or less.

# %%
with torch.no_grad():
    enlarged = F.interpolate(eighth, scale_factor=2, mode="bilinear")
    parts = {"backbone, stride 4": fine, "lateral": step.lateral(fine), "top-down": enlarged,
             "mask features": trace["pixel_decoder.mask_features"]}  # fmt: skip


def likeness(part):
    """[1, C, 32, 32] -> the cosine of every position with the one on the car, [32, 32]"""
    unit = F.normalize(part[0].detach(), dim=0)
    return torch.einsum("c,chw->hw", unit[:, place[0] // 4, place[1] // 4], unit)


figure, axes = plt.subplots(1, 5, figsize=(11, 2.5), layout="constrained")
axes[0].imshow(sample.image)
for axis, part in zip(axes[1:], parts.values()):
    axis.imshow(likeness(part), cmap="gray", vmin=0, vmax=1)
for axis, name, scale in zip(axes, ["picture", *parts], (1, 4, 4, 4, 4)):
    axis.plot(place[1] // scale, place[0] // scale, "o", color="#e69f00", markeredgecolor="white")
    axis.set(title=name, xticks=[], yticks=[])
ofl.render.described(figure, "The picture and four grey maps. Backbone and lateral: white specks all over, the car among "
                             "them. Top-down: one white blob where the car is. Mask features: the car, with its outline.")

# %% [markdown]
# In numbers, the mean over the car and over the rest. The wider the gap, the easier it is for a query to cut out the
# car. The top-down map has the gap already; what the mask features add is the outline.

# %%
inside = torch.tensor(sample.segment_map[2::4, 2::4] == car.id)  # at stride 4: [32, 32]
for name, part in parts.items():
    print(f"{name:<19} car {likeness(part)[inside].mean():.1f}   rest {likeness(part)[~inside].mean():.1f}")

# %% [markdown]
# ## Look at it
#
# `FeatureInspector` shows all maps of backbone and pixel decoder, and asks the same question of each: click a place to
# compare all others with it (bright: alike). Here it is the car, in the backbone's finest map. (The model enlarges pictures to 160 pixels before it
# predicts, and the inspector shows what it sees then: 40 x 40 positions.)

# %%
from oneformer_lite.widgets import FeatureInspector

inspector = FeatureInspector(model, sample)
inspector.set(source="backbone", level=4, view="similarity", point=place)

# %% [markdown]
# The same place in the mask features:

# %%
inspector.set(source="pixel decoder", level=4)

# %% [markdown]
# ## What it costs
#
# A convolution makes one multiplication and one addition for each weight, at each output position. Count them with a
# hook on every convolution, sorted by the stride of the map that it writes.

# %%
from collections import Counter


@torch.no_grad()
def multiply_adds(network, image, *inputs):
    """stride of the output -> multiply-adds of the convolutions"""
    counts = Counter()

    def count(module, _, output):
        counts[image.shape[-1] // output.shape[-1]] += output.numel() * module.weight[0].numel()

    hooks = [m.register_forward_hook(count) for m in network.modules() if isinstance(m, nn.Conv2d)]
    network(*(inputs or (image,)))
    for hook in hooks:
        hook.remove()
    return counts

# %% [markdown]
# Backbone and pure FPN (C = 96) for our picture:

# %%
of_backbone, of_fpn = multiply_adds(model.backbone, image), multiply_adds(package, image, features)
for stride in (2, 4, 8, 16, 32):
    print(f"stride {stride:>2}: backbone {of_backbone[stride] / 1e6:>5.1f} million, FPN {of_fpn[stride] / 1e6:>6.1f}")

# %% [markdown]
# PyTorch's own counter agrees (it counts multiplication and addition as two):

# %%
from torch.utils.flop_counter import FlopCounterMode

with FlopCounterMode(display=False) as counter, torch.no_grad():
    package(model.backbone(image))
proved("equal", counter.get_total_flops(), 2 * (of_backbone.total() + of_fpn.total()))

# %% [markdown]
# As a picture. The backbone spreads its work; the FPN spends nearly all on the finest map: there are four times as
# many positions as on the next, and a second 3x3 convolution, the mask projection.

# %%
figure, axis = plt.subplots(figsize=(7, 3), layout="constrained")
strides = (2, 4, 8, 16, 32)
for shift_, counts, name, color in ((0, of_backbone, "backbone", "#0072b2"), (0.4, of_fpn, "FPN", "#d55e00")):
    axis.bar(np.arange(5) + shift_, [counts[s] / 1e6 for s in strides], 0.38, label=name, color=color)
axis.set(xticks=np.arange(5) + 0.2, xticklabels=strides, xlabel="stride", ylabel="million multiply-adds")
axis.legend(frameon=False)
ofl.render.described(figure, "Bars of multiply-adds by stride. The backbone's five bars are alike; the FPN's bar at "
                             "stride 4 towers over all others.")

# %% [markdown]
# Twice the side means four times the work, everywhere. What does it buy? The same model reads twelve scenes at
# three sizes (PQ, panoptic quality, is lesson 12's):

# %%
few = ofl.data.Toytown("val", size=192, length=12)
resized = copy.copy(model)
for side in (64, 96, 160):
    resized.config = replace(model.config, test_size=side)
    cost = multiply_adds(model.backbone, torch.zeros(1, 3, side, side)).total() / 1e6
    quality = ofl.evaluate(resized, few, tasks=("panoptic",))["PQ"]
    print(f"{side:>3} pixels: backbone {cost:>4.0f} million, PQ {round(quality, -1):.0f} (to the nearest 10)")

# %% [markdown]
# The first step is worth twenty points, the second, slower one, ten: large things are found on coarse maps already,
# small ones need fine maps.

# %% [markdown]
# ## Where is this proved?
#
# * `tests/model/networks/test_backbone_parity.py`: Swin, ConvNeXt and ResNet give the four maps of `transformers`' networks;
# * `tests/model/parts/test_pixel_decoder.py`: the FPN step, by its definition;
# * `tests/weights/test_against_transformers.py`: the whole model with its pixel decoder against `transformers`'.

# %% [markdown]
# ## What is simplified here, and where the official code differs
#
# * The published models use larger backbones (ResNet-50, Swin, ConvNeXt, DiNAT) and C = 256. The code is the same.
# * The one FPN step of the official `msdeformattn.py` enlarges bilinearly, though its comment says *nearest*. The
#   pure FPN of the official `fpn.py` enlarges with *nearest*. Ours is bilinear in both; no published model uses the
#   pure FPN.
# * The original FPN (Lin et al., 2017) has no norms and no ReLU, and 3x3 convolutions only at the exits: the
#   unsmoothed map goes down. Here, as in MaskFormer, the smoothed one does.

# %% [markdown]
# ## Break it
#
# Take the trained model and break one thing at a time. The step loses its top-down half, or its lateral half, or
# enlarges by copying. The pixels are divided by the mean instead of the deviation, or come as blue, green, red.

# %%
def without_top_down(m):
    step = m.pixel_decoder.fpn
    step.forward = lambda fine, coarse: step.output(step.lateral(fine))


def without_lateral(m):
    step = m.pixel_decoder.fpn
    step.forward = lambda fine, coarse: step.output(F.interpolate(coarse, size=fine.shape[-2:], mode="bilinear"))


def nearest(m):
    step = m.pixel_decoder.fpn
    step.forward = lambda fine, coarse: step.output(step.lateral(fine) + F.interpolate(coarse, size=fine.shape[-2:]))


def mean_and_deviation_swapped(m):
    m_, s_ = mean.view(3, 1, 1), std.view(3, 1, 1)
    right = m.backbone.rescale
    m.backbone.rescale = lambda x: right((x * s_ + m_ - s_) / m_)


def blue_green_red(m):
    right = m.backbone.rescale
    m.backbone.rescale = lambda x: right(x.flip(1))

# %% [markdown]
# What remains, on the twelve scenes and in the carried one:

# %%
versions = (without_top_down, without_lateral, nearest, mean_and_deviation_swapped, blue_green_red)
pictures, titles = [], []
for version in (None, *versions):
    broken = copy.deepcopy(model)
    if version:
        version(broken)
    quality = ofl.evaluate(broken, few, tasks=("panoptic",))["PQ"] // 10 * 10
    titles.append(version.__name__.replace("_", " ") if version else "intact")
    pictures.append(ofl.predict(broken, sample.image, "panoptic").render())
    print(f"{titles[-1]:<28} PQ {quality:.0f} to {quality + 10:.0f}")

# %% [markdown]
# As pictures (grey: no segment):

# %%
sheets = [ofl.render.contact_sheet([pictures[i : i + 3]], titles[i : i + 3]) for i in (0, 3)]
picture = ofl.render.contact_sheet([[sheet] for sheet in sheets], gap=0)
ofl.render.described(picture, "Six predictions of the scene. Intact: all is named. Without top-down most of the "
                              "picture stays grey. The four others keep the large things and lose or misname small "
                              "ones.")

# %% [markdown]
# * Without the **top-down** path the finest map knows no classes: the queries find nothing that fits them.
# * Without the **lateral** path outlines become round and vague, and small things are lost in what is around them.
# * **Nearest** instead of bilinear: almost no change. The 3x3 convolution smooths the blocks away. No score would tell
#   you; only a comparison of numbers, as above, does.
# * Wrong **normalisation** does not crash anything. Some objects are lost, and it looks like a model that needs more
#   training.

# %% [markdown]
# ## In the package
#
# * `model.networks.backbone.Backbone`: picture to four maps, each network with its own normalisation
# * `model.parts.fpn.FPNStep`: lateral, top-down, smooth
# * `model.parts.fpn.FPNPixelDecoder`: the whole pyramid
# * `model.parts.layers.ConvNorm`: convolution, GroupNorm, ReLU

# %% [markdown]
# ## Summary
#
# * The backbone gives four maps, at strides 4, 8, 16 and 32: the coarser, the more a position sees, and the less it
#   knows where.
# * An FPN step adds the enlarged coarse map to the fine one, so that a fine position knows what it belongs to.
# * Every network wants the normalisation it was trained with; twice the side costs four times the work.
#
# **Ask yourself**
#
# <details><summary>A picture of 800 x 1216: how many positions has the map at stride 32? And at stride 4?</summary>
# 25 x 38 = 950, and 200 x 304 = 60 800: 64 times as many.</details>
#
# <details><summary>Why add the two maps, when one could also stack their channels?</summary>
# Stacking works too, but doubles the channels that the 3x3 convolution must read. After a 1x1 convolution a sum can
# do the same job: the network learns which channels each side fills.</details>
#
# <details><summary>Every position at stride 32 sees the whole picture. Why is one such map not enough?</summary>
# It has 16 positions here. A ball of ten pixels shares its position with everything around it.</details>
#
# <details><summary>Why is the lateral convolution 1x1 and not 3x3?</summary>
# It only has to change the number of channels. Neighbours are looked at after the sum, once, by the 3x3.</details>
#
# <details><summary>Your pictures are medical, with other colours than ImageNet's. Change mean and deviation?</summary>
# Not while the BatchNorm statistics of ImageNet stay fixed: they expect ImageNet's normalisation. Train the norms
# first, or start from other weights.</details>
