"""The networks below the pixel decoder. To be read in this order:

``backbone.py`` four maps of a picture, whatever network makes them; ``by_name.py`` which network a name means;
``swin.py`` and ``dinat.py`` (with ``neighborhood_attention.py``) those of the papers; ``imagenet.py`` their ImageNet
weights; ``vit.py`` is the plain vision transformer of EoMT, which has one map.
"""
