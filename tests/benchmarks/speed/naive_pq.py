"""Panoptic quality as its definition reads, one mask after the other: what the counted form is compared with.

Kirillov et al., "Panoptic Segmentation" (CVPR 2019) section 4.1, with void and crowds as panopticapi treats them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np

from oneformer_lite.data.sample import Sample, SegmentInfo

VOID = 0


def naive_panoptic_quality(pictures: Iterable[tuple[np.ndarray, list[SegmentInfo], Sample]], classes: int) -> float:
    """PQ over predicted maps int [H, W], their segments, and the annotated pictures."""
    tp, fp, fn, iou_sum = Counter(), Counter(), Counter(), Counter()
    for predicted, segments, sample in pictures:
        truth, void = sample.segment_map, sample.segment_map == VOID
        matched = set()
        for found in segments:
            mask = predicted == found.id
            best = None
            for real in sample.segments:
                if real.is_crowd or real.class_id != found.class_id:
                    continue
                other = truth == real.id
                union = (mask | other) & ~(mask & void)
                iou = (mask & other).sum() / union.sum()
                if iou > 0.5:
                    best = real.id
                    tp[found.class_id] += 1
                    iou_sum[found.class_id] += iou
            if best is not None:
                matched.add(best)
                continue
            crowd = [real.id for real in sample.segments if real.is_crowd and real.class_id == found.class_id]
            excused = void | np.isin(truth, crowd[-1:])
            if (mask & excused).sum() <= mask.sum() / 2:
                fp[found.class_id] += 1
        for real in sample.segments:
            if not real.is_crowd and real.id not in matched:
                fn[real.class_id] += 1
    seen = [c for c in range(classes) if tp[c] + fp[c] + fn[c]]
    return float(np.mean([iou_sum[c] / (tp[c] + fp[c] / 2 + fn[c] / 2) for c in seen]))
