"""What the page on published weights says of the other members: whose files are read, under which terms."""

OTHERS = """\
## Mask2Former

Models that are not told their task, one for each (Cheng et al., CVPR 2022). Read are transformers' folders, so
`ofl.from_pretrained("facebook/mask2former-swin-tiny-coco-panoptic")`, and the authors' files: detectron2's `.pkl`
(numpy arrays and nothing else is read from them) and `.pth`, also with the names of before their second version. What
they are is read from the file. Files do not say for which task they were trained: the name on the hub does, else the
classes; a warning says what was assumed, and `from_pretrained(file, config=...)` says it for an official file. From a
panoptic model all three tasks can be read; a model for instances or for semantics alone refuses the other tasks.

The presets are `ofl.config.mask2former_coco_swin_t()` and its relatives: COCO with ResNet-50 and -101, Swin-T, -S, -B
(from ImageNet-1k, and `_21k`) and -L; ADE20K with the same; Cityscapes; Mapillary Vistas with ResNet-50 and Swin-L;
each for the published tasks, as in `mask2former_ade20k_r50("semantic")`. The authors' weights are under CC BY-NC 4.0:
not for commercial use. Tests compare all predictions with transformers' at random weights; nothing is downloaded, so no
score has been measured with this package yet.

## MaskFormer

What came before it (Cheng et al., NeurIPS 2021). Read are transformers' folders, so
`ofl.from_pretrained("facebook/maskformer-swin-tiny-coco")`, with the names of the hub's older files as well, and the
authors' `.pkl`: the only ones of the panoptic models with a ResNet, as transformers lacks their six encoder layers. The
presets are `ofl.config.maskformer_coco_r50()` and its relatives: panoptic models of COCO (ResNet-50, -101, Swin-T, -S,
-B, -L) and of ADE20K (`maskformer_ade20k_r50("panoptic")`), semantic ones of ADE20K, of its 847 classes, of COCO-Stuff,
Cityscapes and Mapillary Vistas. R101c (`maskformer_cityscapes_r101c()`), DeepLab's ResNet-101, begins with three small
convolutions and has a dilated last stage, which the file does not tell: for other classes than the published, say
`config`. The authors' code and weights are under CC BY-NC 4.0: not for commercial use. The code here is this package's
own; whoever loads those weights is bound by their terms.

COCO's models see pictures without padding (`padding_multiple=1`), and their segments also hold what they win outside
their own masks (`merge_within_masks=False`). Training compares masks on all pixels (`compared_on="pixels"`). COCO's
recipe is DETR's augmentation: pictures of varied sizes. Tests compare all predictions with transformers' at random
weights, and the losses with its own; no score has been measured with this package yet.

## K-Net

Kernels in place of queries that look (Zhang et al., NeurIPS 2021); not told its task. Read are the authors' `.pth` for
COCO, whose weights stand under "state_dict" (ZwwWayne/K-Net, with mmdetection's ResNets and Swin), not the semantic
models of ADE20K, whose heads are other networks, nor those with Swin-L in windows of 12 and PVTv2, of which there are
configurations without a score. In `_dcn` the 3 x 3 convolutions of the last three stages choose where they look (the
first kind of DCN, `backbone_options={"deformable": (0, 1, 1, 1)}`); as ONNX that needs a runtime with DeformConv. A
model for instances has 80 classes and no kernels for stuff. What shapes do not tell comes from the preset of as many
classes; another number needs `from_pretrained(file, config=...)`, for which of them are stuff is not in the file. The
authors' code is under Apache-2.0.

| preset | PQ, or AP of masks |
|---|---|
| `knet_coco_r50()`, `("instance")` | 47.1, 37.8 |
| `knet_coco_r101()`, `("instance")` | 48.4, 39.2 |
| `knet_coco_r101_dcn()`, `("instance")` | 49.6, 40.5 |
| `knet_coco_swin_l()` | 54.6 |

All queries compete for every pixel, and what an unsure thing wins stays void, so `object_mask_threshold=0.3` is not
Mask2Former's. Tests compare kernels, classes and masks of all stages, losses, matching and merges with numbers that the
official modules gave at random weights; no score has been measured with this package yet.

## EoMT

A plain vision transformer among whose last tokens are the queries (Kerssies et al., CVPR 2025); not told its task
either. Read are transformers' folders, `ofl.from_pretrained("tue-mps/coco_panoptic_eomt_large_640")` with DINOv2 and
`("tue-mps/eomt-dinov3-coco-panoptic-small-640")` with DINOv3, and the authors' `.bin`, also as Lightning writes it
(`state_dict`, names that begin with `model.`). Pictures are squares, padded with black; a model for semantics alone
slides a square window along the picture.

**Terms.** The authors' code is under the MIT licence, DINOv2's weights under Apache 2.0. DINOv3's are gated: Meta gives
them to those who accept its licence (facebook/dinov3-vitl16-pretrain-lvd1689m and its relatives on the hub), which also
binds what is made of them. So the authors' DINOv3 files (`coco_panoptic_eomt_large_640_dinov3` ...) hold differences
from Meta's weights, to which these are added here: put Meta's file or folder beside the file, or name it,
`ofl.from_pretrained("pytorch_model.bin", base="dinov3_vitl16_pretrain_lvd1689m.pth")`.

| preset | PQ, AP or mIoU | on the hub (tue-mps/...) |
|---|---|---|
| `eomt_coco_s()`, `_b()` | 46.7, 51.6 | coco_panoptic_eomt_small_640_2x, base_640_2x |
| `eomt_coco_l()`, `(side=1280)` | 56.0, 58.3 | coco_panoptic_eomt_large_640, large_1280 |
| `eomt_coco_l("instance")`, `(..., 1280)` | 45.2, 48.8 | coco_instance_eomt_large_640, large_1280 |
| `eomt_coco_g()`, `(1280)` | 57.0, 59.2 | coco_panoptic_eomt_giant_640, giant_1280 |
| `eomt_ade20k_l()`, `(side=1280)` | 50.6, 51.7 | ade20k_panoptic_eomt_large_640, large_1280 |
| `eomt_ade20k_l("semantic")` | 58.4 | ade20k_semantic_eomt_large_512 |
| `eomt_ade20k_g()`, `(1280)` | 51.3, 52.8 | ade20k_panoptic_eomt_giant_640, giant_1280 |
| `eomt_cityscapes_l()` | 84.2 | cityscapes_semantic_eomt_large_1024 |
| `eomt_dinov3_coco_s()`, `_b()` | 47.2, 53.1 | eomt-dinov3-coco-panoptic-small-640, base-640 |
| `eomt_dinov3_coco_l()`, `(side=1280)` | 56.8, 58.9 | eomt-dinov3-coco-panoptic-large-640, large-1280 |
| `eomt_dinov3_coco_l("instance")`, `(..., 1280)` | 45.9, 49.9 | eomt-dinov3-coco-instance-large-640, large-1280 |
| `eomt_dinov3_ade20k_l()` | 59.5 | eomt-dinov3-ade-semantic-large-512 |

EoMT-7B (tue-mps/coco_panoptic_eomt_7b_640, 58.4) is not read: its transformer is Web-DINO's ViT-7B
(facebook/webssl-dino7b-full8b-518), which timm does not have, and no configuration of the official code says which of
its blocks have queries. Where transformers differs from the
official code, this package follows the latter: once a block has made masks, transformers keeps them in later blocks
whose own have faded out, and it leaves the gated feed-forward blocks of older ViT-g files random. All else is equal:
tests compare all predictions at random weights, masks on, off and mixed.

## Panoptic SegFormer

Things are found as boxes and then seen, stuff has a query for each class (Li et al., CVPR 2022); not told its task.
Read are the authors' `.pth` for COCO (zhiqi-li/Panoptic-SegFormer, weights under "state_dict"), with ResNets, Swin and
PVTv2; what in them nobody asks (`cls_thing_branches`, `reg_branches2`) is left out. In files of other classes than
COCO's things come first, and get numbers for names unless `from_pretrained(file, config=...)` says better. The authors'
code is under Apache-2.0.

| preset | PQ | parameters |
|---|---|---|
| `panoptic_segformer_coco_r50()` | 49.6 | 51.0 million |
| `panoptic_segformer_coco_r101()` | 50.6 | 69.9 million |
| `panoptic_segformer_coco_pvtv2_b5()` | 55.4 | 104.9 million |
| `panoptic_segformer_coco_swin_l()` | 55.8 | 221.4 million |

A mask is a number from 0 on at each cell, not a probability; as logits it is ten times what it has above one half.
Masks are painted one after the other, by class probability times squared quality: `object_mask_threshold` is that
score's. The released code gives each thing one query with a mask in training, where it means three: settings with
`matching_rounds=1` repeat that. Tests compare masks, losses and matching with numbers that the authors' code gave at
random weights, and encoder and boxes with transformers' Deformable DETR; no score has been measured with this package
yet.

## Mask DINO

DINO's detector with Mask2Former's masks (Li et al., CVPR 2023). Read are the authors' `.pth`, of the GitHub release
maskdino-v0.1.0 of IDEA-Research/detrex-storage, such as `maskdino_r50_50ep_300q_hid2048_3sd1_panoptic_pq53.0.pth`.
Presets are `ofl.config.mask_dino_coco_r50()` (52.1 million parameters) and `mask_dino_coco_swin_l()` (223), each also
for `"instance"`, `mask_dino_coco_r50_hid1024()` (43.9, instances), and the semantic `mask_dino_ade20k_r50()` and
`mask_dino_cityscapes_r50()` (43.9 and 43.8). Code and weights are under Apache-2.0.

What shapes do not tell: whether first boxes come from masks (`initial_boxes`), which the file's name does
("maskenhanced"), and the number of chosen queries, which is 300. What they do: `proposal_sizes`. The models with the
wide encoder run their maps from fine to coarse, and the code that gives each place its first box forgets that the
decoder turns them round: fine places propose the largest boxes ("released"); in the others as in DINO they propose the
smallest ("dino"). Weights that were learned with one are useless with the other. To train, take "dino".

Classes have sigmoids and no "no object". For the panoptic merge and for class maps they are sharpened by a softmax at
`score_temperature`, once they are above `object_mask_threshold`. Boxes are shares of the padded picture, in training as
in prediction. A model that is trained from random weights learns faster with `class_prior=0.01`. Tests compare all
predictions, losses, matching, denoising and gradients with recorded numbers of the authors' code at small sizes; no
score has been measured with this package yet.

## DETR

What all of these come from (Carion et al., ECCV 2020): each query has a box, and a mask made of where it looks. Read
are `facebook/detr-resnet-50-panoptic`, `-50-dc5-panoptic` and `-101-panoptic`, in the older and the newer spelling of
transformers' folders, and the authors' panoptic `.pth`; presets are `ofl.config.detr_coco_r50()`,
`detr_coco_r50_dc5()` and `detr_coco_r101()`. Weights do not tell whether the last stage is dilated (DC5): an official
file's name does, or `from_pretrained(file, config=...)`. The authors' code and weights are under Apache-2.0.

Classes are numbered as in COCO's annotation files, 250 of them with gaps ("unused number 12"), which evaluation on
COCO takes for what they are; to train further, `config.for_classes(config, dataset.categories)` makes 133 of them.
A training has two stages, as published, boxes and then the masks of the frozen model; each is resumed like any run:

```python
c = ofl.config.detr_coco_r50("boxes")
ofl.train(c, ofl.training.recipe_for(c, out="runs/boxes", evaluations=0))
c = ofl.config.detr_coco_r50("masks")
ofl.train(c, ofl.training.recipe_for(c, out="runs/masks", start_from="runs/boxes/model"))
```

`detr_coco_r50("joint")` teaches all at once. The panoptic merge is the published one, which loses stuff that two
queries share (`keep_joined_stuff=True` keeps it). In batches of several sizes padding is looked at by nobody, and
masks are cut to the picture before they are resized, where the published code forgets it: evaluate that with one
picture at a time to compare.

"""
