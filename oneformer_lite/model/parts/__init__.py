"""The parts of the models, as a picture passes them. To be read in this order:

``layers.py`` what all parts are made of; ``pixel_decoder.py`` (with ``deformable_attention.py``) or ``fpn.py`` features
to maps, ``encoder.py`` DETR's way of it; ``task.py`` (with ``tokenizer.py``) a task to its token; ``query.py`` the
queries; ``masked_decoder.py`` what they become, ``mask_attention.py`` how DETR's become masks; ``text.py`` the texts of
training.
"""
