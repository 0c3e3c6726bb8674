"""The networks below the pixel decoder. To be read in this order:

``backbone.py`` four maps of a picture, whatever network makes them; ``by_name.py`` which network a name means;
``swin.py`` and ``dinat.py`` (with ``neighborhood_attention.py``) those of the papers; ``imagenet.py`` their ImageNet
weights, ``from_scratch.py`` those that none are for; ``deformable_convolution.py`` is for ResNets that choose where
they look; ``vit.py`` is the plain vision transformer of EoMT, which has one
map. ``contracting.py`` is the two halves of a U-Net, ``bert.py`` the layers of Seq2Seg.
"""
