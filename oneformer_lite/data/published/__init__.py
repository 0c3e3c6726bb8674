"""Data sets as they are published: fetched, checked, unpacked and brought into the layout that ``data`` reads.

To be read in this order: ``coco.py``, ``ade20k.py`` and ``cityscapes.py`` one data set each; ``jobs.py`` archives, and
the disk and time that they need; ``download.py`` (with ``remote.py``) gets a file whatever the network does;
``archive.py`` unpacks it.
"""
