# %% [markdown]
# # Lab 02 · Backbone and FPN
#
# Three exercises with lesson 02. Replace each `...` by your code, run the cell and the check below it. A check never
# fails: it tells what it expected and what yours gives. What follows works with your answer, or with ours.

# %%
import numpy as np
import oneformer_lite as ofl
import torch
import torch.nn.functional as F
from oneformer_lite import labs
from oneformer_lite.inspectors.features.reading import principal_components
from oneformer_lite.model.parts.fpn import FPNPixelDecoder
from oneformer_lite.inspectors.features.pictures import paint_components
from PIL import Image

model = ofl.from_pretrained("toytown")
sample = ofl.data.Toytown("val", size=128)[13]
with torch.inference_mode():
    features = model.backbone(ofl.data.normalise(sample.image)[None])  # strides 4, 8, 16, 32

# %% [markdown]
# The names of your answers, so that a slip in one of them stops nothing that follows:

# %%
labs.begin("02", globals())

# %% [markdown]
# ## 02.1 · Sizes
# ●○○○○ · 10 minutes · you may use: Python
#
# A picture of `side` x `side` pixels goes through convolutions, one after the other, each given as (kernel, stride,
# padding). Return the list of the sides after each.
#
# <details><summary>Hint</summary>The first value needs <i>kernel</i> pixels, each further <i>stride</i> pixels give one
# more. How many pixels are there, with the padding on both sides?</details>

# %%
def sizes(side, layers):
    """128, [(3, 2, 1), (3, 2, 1)] -> [64, 32]"""
    # SOLUTION
    found = []
    for kernel, stride, padding in layers:
        side = (side + 2 * padding - kernel) // stride + 1
        found.append(side)
    return found
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("02.1", sizes)

# %% [markdown]
# The stem of a ResNet (7x7 and a pooling, both of stride 2) and three more strides, for four pictures:

# %%
sizes = labs.use("02.1", sizes)
for side in (128, 224, 500, 800):
    print(side, sizes(side, [(7, 2, 3), (3, 2, 1), (3, 2, 1), (3, 2, 1), (3, 2, 1)]))

# %% [markdown]
# ## 02.2 · One step down
# ●●○○○ · 10 minutes · you may use: torch, `F.interpolate`
#
# The heart of an FPN: enlarge the coarse map bilinearly to the size of the lateral one, and add. Pixels are areas,
# so corners are not aligned. The sides need not be exactly twice as long.
#
# <details><summary>Hint</summary><code>F.interpolate</code> takes a <code>size</code>; its default mode is
# nearest.</details>

# %%
def top_down(lateral, coarse):
    """[B, C, H, W], [B, C, h, w] -> [B, C, H, W]"""
    # SOLUTION
    enlarged = F.interpolate(coarse, size=lateral.shape[-2:], mode="bilinear", align_corners=False)
    return lateral + enlarged
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("02.2", top_down)

# %% [markdown]
# With it, the last step of the trained model: its lateral map at stride 4, its pixel decoder's at stride 8, the sum.

# %%
top_down = labs.use("02.2", top_down)


def painted(feature, side=256):
    """[1, C, h, w] -> uint8 [side, side, 3]"""
    scores, _ = principal_components(feature[0].detach().permute(1, 2, 0).numpy())
    pixels = paint_components(scores)
    return pixels.repeat(side // len(pixels), 0).repeat(side // len(pixels), 1)


with torch.inference_mode():
    _, (_, _, eighth) = model.pixel_decoder(features)
    lateral = model.pixel_decoder.fpn.lateral(features[0])
    total = top_down(lateral, eighth)
print([list(t.shape) for t in (lateral, eighth, total)])
pictures = [painted(t) for t in (lateral, eighth, total)]
Image.fromarray(ofl.render.contact_sheet([pictures], ["lateral", "coarse", "sum"]))

# %% [markdown]
# ## 02.3 · The whole pyramid
# ●●●○○ · 15 minutes · you may use: torch
#
# Given the backbone's four maps, **finest first**, and four kinds of parts:
#
# * `top(map)` makes the first finished map out of the coarsest one (stride 32);
# * `steps`, a list, from coarse to fine: `step(fine, coarse)` finishes a backbone's map with the finished coarser one;
# * `projection(map)` makes the mask features out of the finest finished map.
#
# Return the mask features, and the list of the finished maps at strides 32, 16 and 8, **coarsest first**.
#
# <details><summary>Hint</summary>Start a list with <code>top(features[-1])</code>; walk through the other maps in
# reverse.</details>

# %%
def pyramid(features, top, steps, projection):
    """four maps [B, C_l, h, w], parts -> [B, C, H/4, W/4], three maps"""
    # SOLUTION
    maps = [top(features[-1])]
    for step, fine in zip(steps, reversed(features[:-1])):
        maps.append(step(fine, maps[-1]))
    return projection(maps[-1]), maps[:3]
    # END SOLUTION

# %% [markdown]
# Check it.

# %%
labs.check("02.3", pyramid)

# %% [markdown]
# A whole FPN on our scene, with random weights: even so, its finest map shows the outlines of the scene. (Each map is
# painted on its own; colours of different maps cannot be compared.)

# %%
pyramid = labs.use("02.3", pyramid)
torch.manual_seed(0)
parts = FPNPixelDecoder(model.backbone.channels, 96)
with torch.inference_mode():
    mask_features, maps = pyramid(features, parts.top, list(parts.steps), parts.mask_projection)
print("mask features", list(mask_features.shape), "maps", [list(m.shape[-2:]) for m in maps])
pictures = [np.asarray(ofl.render.enlarge(sample.image, 2)), *[painted(m) for m in (*maps, mask_features)]]
Image.fromarray(ofl.render.contact_sheet([pictures], ["picture", "stride 32", "stride 16", "stride 8", "mask features"]))

# %% [markdown]
# What you wrote yourself, and what the package lent you:

# %%
labs.tally("02", globals())

# %% [markdown]
# `labs.assemble(".", "02", globals())` shows what your answers do in the whole model, beside those of the labs before.
# Lab 22 puts all of them together: your OneFormer.
