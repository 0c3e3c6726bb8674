"""The parts of the models, as a picture passes them. To be read in this order:

``layers.py`` what all parts are made of; ``pixel_decoder.py`` (with ``deformable_attention.py``) or ``fpn.py`` features
to maps, ``encoder.py`` DETR's way of it; ``task.py`` (with ``tokenizer.py``) a task to its token; ``query.py`` the
queries; ``masked_decoder.py`` what they become and where they may look on the way, ``mask_attention.py`` how DETR's
become masks; ``text.py`` the texts of training.

Of the other members: ``boxes.py``, ``selection.py``, ``box_decoder.py`` and ``denoising.py`` (Mask DINO's),
``kernels.py`` (K-Net's), ``multiscale_encoder.py``, ``location_decoder.py`` and ``attention_masks.py`` (Panoptic
SegFormer's), ``class_maps.py`` (of models with a mask for each class).
"""
