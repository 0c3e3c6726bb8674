"""Mask2Former's official names beside ours, as far as they are not OneFormer's: detectron2's ``.pkl`` of its zoo.

Source: ``mask2former/modeling/transformer_decoder/mask2former_transformer_decoder.py``.
"""

from __future__ import annotations

from ..names import Table, below

# Mask2Former's learned queries, in its files and in those of before its second version
QUERIES: Table = below("sem_seg_head.predictor.", "", [("query_feat", "queries"), ("static_query", "queries")])
