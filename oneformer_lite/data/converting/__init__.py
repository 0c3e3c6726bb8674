"""Data sets in the layouts of their authors, once unpacked, as folders that ``data.open`` reads.

To be read in this order: ``convert.py`` is the door; ``kitti.py``, ``kitti_step.py``, ``voc.py``, ``mapillary.py``,
``camvid.py`` and ``image_pairs.py`` know one layout each; ``work.py`` writes what they read, ``layout.py`` finds their
files, and ``colours.py`` turns colours into classes.
"""
