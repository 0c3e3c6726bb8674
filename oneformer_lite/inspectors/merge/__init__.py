"""MergeInspector: how queries become one panoptic map, and what that does to PQ."""
