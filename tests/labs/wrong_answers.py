# ruff: noqa: E501, a table
"""A hundred wrong answers as people make them up, none of them a canned mistake, and what an apt hint must speak of.

Each is (exercise, the answer as an expression or the body of a function, a pattern of an apt hint). The first half was
looked at while hints were written; the second half was kept out and only measured.
"""

from __future__ import annotations

import inspect
import math
import textwrap
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F

from oneformer_lite.labs.exercise import find

SEEN = (
    ("01.1", "rgb.astype(np.int32) @ np.array([256 * 256, 256, 1]) * 1.0", "kind|whole|blue|red"),
    ("01.1", "(rgb.astype(np.int32) * [1, 256, 65536]).sum(-1).T", "transposed|axes"),
    ("01.1", "rgb.astype(np.int32)[..., 0] + 256 * rgb.astype(np.int32)[..., 1]", "0 everywhere|blue|where|left out|256"),
    ("01.2", "[segment_map == i for i, c, crowd in segments if not crowd], [c for i, c, crowd in segments if not crowd]",
     "merges|order|without a single pixel|too many"),
    ("01.2", "masks, k = find('01.2').reference(segment_map, segments)\nreturn masks[::-1], k[::-1]", "revers|order"),
    ("01.3", "[f'a photo of a {names[i]}' for i in sorted(class_ids)] + [f'a {task} photo'] * (length - len(class_ids))",
     "with|of|differs"),
    ("01.3", "([f'a photo with {names[i]}' for i in sorted(class_ids)] + ['a ' + task + ' photo'] * length)[:length]",
     "with|differs"),
    ("02.1", "out = [side]\nfor k, s, p in layers:\n    out.append((out[-1] + 2 * p - k) // s + 1)\nreturn out",
     "too many .*start|1 too many|first"),
    ("02.1", "for k, s, p in layers:\n    side = (side + 2 * p - k) // s + 1\nreturn side", "results|list|number|asked"),
    ("02.1", "out = []\nfor k, s, p in layers:\n    side = (side + 2 * p - k) / s + 1\n    out.append(side)\nreturn out",
     "decimals|whole|right up to"),
    ("02.2", "lateral * F.interpolate(coarse, size=lateral.shape[-2:], mode='bilinear')", "adds|add|where|coarse|factor"),
    ("02.2", "lateral + F.interpolate(coarse, scale_factor=2, mode='bilinear')", "size|same axis|twice"),
    ("02.2", "lateral - F.interpolate(coarse, size=lateral.shape[-2:], mode='bilinear')", "sign"),
    ("02.3", "m = [top(features[-1])]\nfor s, f in zip(steps, features[:-1]):\n    m.append(s(f, m[-1]))\n"
     "return projection(m[-1]), m[:3]", "reverse|order|coarse"),
    ("03.1", "x, y = x * feature_map.shape[2] - 0.5, y * feature_map.shape[1] - 0.5\n"
     "return feature_map[:, int(y), int(x)]", "nearest|index|border|beyond"),
    ("03.2", "reference + offsets / torch.tensor([(w, h) for h, w in shapes])[:, None]", "line|axis|axes"),
    ("03.2", "reference[:, None, None, None] - offsets / torch.tensor([(w, h) for h, w in shapes])[:, None]", "sign"),
    ("04.1", "min(pairwise(parts), key=lambda p: rank[p])", "no .* in that dictionary|known|None"),
    ("04.1", "''.join(min((p for p in pairwise(parts) if p in rank), key=rank.get, default=''))", "asked for|str|list|pair"),
    ("04.3", "[49406] + encode(text)[: length - 2] + [49407]", "too few .*end|1 too few|few"),
    ("04.4", "F.layer_norm(F.relu(ids.float() @ layers[0][0].T) @ layers[1][0].T, scale.shape, scale, shift)",
     "0: it is left out|bias|layers"),
    ("05.1", "a = torch.ones(q.shape[1], q.shape[1]).bool().tril()\n"
     "return (q @ k.mT / q.shape[1] ** 0.5).masked_fill(~a, -math.inf).softmax(-1) @ v", "√|root|divi"),
    ("05.1", "((q @ k.mT / q.shape[-1]).masked_fill(~torch.ones(q.shape[1], q.shape[1]).bool().tril(), -math.inf))"
     ".softmax(-1) @ v", "√|root"),
    ("05.2", "x.gather(1, ids.argmax(1))", "dimension|axes|axis|index"),
    ("05.2", "x.max(1).values", "never looks at ids"),
    ("05.3", "encode(list(dict.fromkeys(t for l in lists for t in l)))[: len(lists)]", "index|rows|gather|axes|where"),
    ("06.1", "find('06.1').reference(h, w, C).transpose(1, 2)", "transposed|swapped"),
    ("06.2", "n = len(positions) - 1\nreturn look(token[:, None].expand(-1, n, -1), positions[:n])", "1 too few|token|last"),
    ("06.3", "k = features.flatten(2).mT + places.flatten(1).T\nw = ((queries + names) @ k.mT / math.sqrt(k.shape[-1]))"
     ".softmax(-1)\nreturn w @ places.flatten(1).T", "results"),
    ("07.1", "F.cosine_similarity(queries.flatten(1), texts.flatten(1), dim=-1)", "same axis|sizes|pair|diagonal"),
    ("07.1", "1 - F.normalize(queries.flatten(1), dim=-1) @ F.normalize(texts.flatten(1), dim=-1).T", "1 minus"),
    ("07.1", "F.normalize(queries.flatten(1), dim=0) @ F.normalize(texts.flatten(1), dim=0).T", "normalis|axis|length"),
    ("07.2", "labels = torch.arange(len(table))\nreturn -(F.cross_entropy(table, labels) + F.cross_entropy(table.T, labels))",
     "sign"),
    ("07.2", "F.cross_entropy(table, torch.arange(len(table)), reduction='none')", "sum|mean|axis"),
    ("07.3", "t = torch.eye(len(table))\nreturn (table.softmax(1) + table.softmax(0) - 2 * t) / len(table) ** 2", "divided|1 over|mean"),
    ("07.4", "torch.tensor([[a == b for a in texts] for b in texts])", "never looks at tasks|diagonal"),
    ("07.4", "torch.tensor([[i != j and len(texts[i]) == len(texts[j]) and tasks[i] == tasks[j] for i in range(len(texts))]"
     " for j in range(len(texts))])", "True too many|too many"),
    ("08.1", "-class_logits.softmax(-1).T[labels]", "transposed|another order"),
    ("08.1", "0.5 - class_logits.softmax(-1)[:, labels]", "off everywhere"),
    ("08.2", "F.binary_cross_entropy_with_logits(logits, labels)", "size|axis|axes|pair"),
    ("08.3", "p = logits.sigmoid()\nreturn 1 - (2 * p @ labels.T + 1) / (p.sum() + labels.sum() + 1)", "differ|each|axis|row"),
    ("08.4", "return linear_sum_assignment_(table)", "not defined"),
    ("09.1", "(F.cross_entropy(class_logits, classes, reduction='none')).sum()", "never looks at no_object"),
    ("09.2", "p = x.sigmoid()\nreturn (1 - (2 * (p * y).sum(1) + 1) / (p.sum(1) + y.sum(1) + 1)).mean()", "mean"),
    ("10.1", "embeddings @ features", "product|transpose|flatten|sizes|axis"),
    ("10.3", "F.softmax(q @ k.T / math.sqrt(q.shape[1]), -1).masked_fill(~allowed, 0) * 1.0", "asked|v|never|many|axis"),
    ("11.1", "c = class_logits.softmax(-1)[:, :-1]\nreturn torch.einsum('qk,qhw->khw', c, mask_logits.sigmoid()) / len(c)",
     "mean where a sum|divided"),
    ("12.1", "b = np.bincount((guess * truths + truth).ravel(), minlength=guesses * truths).reshape(guesses, truths)\nreturn b",
     "kind|decimals|divide|off|factor|union|where"),
    ("12.4", "o = np.argsort(-scores)\nh = hits[o]\nreturn np.mean(np.cumsum(h) / np.arange(1, len(h) + 1))", "never looks at total"),
    ("13.2", "[final + (1 - final) * 0.5 * (1 + math.cos(math.pi * s / steps)) * min(1, (s + 1) / max(1, warmup)) "
     "for s in range(steps)]", "right up|number|multiplied|off|product|warm"),
)  # fmt: skip

KEPT_OUT = (
    ("01.1", "rgb.astype(np.int32).sum(-1)", "256|base|lowest|factor|weigh"),
    ("01.1", "rgb[..., 0] * 256**2 + rgb[..., 1] * 256 + rgb[..., 2]", "byte|uint8|red|blue|too large|OverflowError|kind"),
    ("01.2", "c = sorted({c for i, c, w in segments if not w})\n"
     "return np.stack([np.isin(segment_map, [i for i, k, w in segments if k == n and not w]) for n in c]), c",
     "pixel|nothing"),
    ("01.3", "[f'a photo with a {names[i]}' for i in sorted(class_ids, reverse=True)] + ['x'] * 0", "few|order|reverse|length"),
    ("01.3", "t = [f'a photo with a {names[i]}' for i in sorted(class_ids)]\n"
     "return (t + [('an' if task == 'instance' else 'a') + f' {task} photo'] * length)[:length][::-1]", "order|revers"),
    ("02.1", "out = []\nfor k, s, p in layers:\n    side = (side + 2 * p - k) // s + 2\n    out.append(side)\nreturn out",
     "off|number|right up"),
    ("02.1", "out = []\nfor k, s, p in layers:\n    side = math.ceil(side / s)\n    out.append(side)\nreturn out",
     "kernel|number|right up|padding"),
    ("02.2", "F.interpolate(lateral, size=coarse.shape[-2:], mode='bilinear') + coarse", "is asked for|size|shape"),
    ("02.2", "lateral + F.interpolate(coarse, size=lateral.shape[-2:], mode='bicubic')", "bilinear|mode|interpol"),
    ("02.3", "m = [top(features[-1])]\nfor s, f in zip(steps, features[-2::-1]):\n    m.append(s(f, m[-1]))\n"
     "return m[:3], projection(m[-1])", "order|results|swap|asked"),
    ("03.1", "find('03.1').reference(feature_map, x, 1 - y)", "1 minus y"),
    ("03.2", "reference[:, None, None, None] + 2 * offsets / torch.tensor([(w, h) for h, w in shapes])[:, None]",
     "twice"),
    ("03.2", "find('03.2').reference(1 - reference, offsets, shapes)", "1 minus reference"),
    ("03.3", "find('03.3').reference(value, shapes, locations, weights).mean(0)", "mean over axis 0|axis 0"),
    ("03.3", "find('03.3').reference(value, shapes, locations.flip(-1), weights)", "reversed|x and y|swapped"),
    ("04.1", "sorted((p for p in pairwise(parts) if p in rank), key=rank.get)", "asked|first|list|2 results|many"),
    ("04.2", "list(find('04.2').reference(word))[::-1]", "reversed"),
    ("04.3", "[49406] + encode(text) + [49407] * (length - 1 - len(encode(text)))", "0|end|places|number"),
    ("04.3", "([49406] + encode(text) + [49407] + [0] * length)[:length - 1]", "few"),
    ("04.4", "find('04.4').reference(ids, layers, scale, shift).T", "transposed"),
    ("04.4", "(first, a), (second, b) = layers\nr = F.relu(ids.float() @ first.T + a) @ second.T + b\n"
     "return (r - r.mean(-1, keepdim=True)) / (r.var(-1, keepdim=True, correction=0) + 1e-5) * scale + shift", "root|sqrt|factor|divide"),
    ("05.1", "find('05.1').reference(k, q, v)", "swapped"),
    ("05.1", "a = torch.ones(q.shape[1], q.shape[1]).tril().bool()\n"
     "return (q @ k.mT / math.sqrt(q.shape[-1])).masked_fill(~a, -math.inf).softmax(1) @ v", "axis|NaN|sum"),
    ("05.2", "x.mean(1)", "never looks at ids"),
    ("05.2", "x[torch.arange(len(ids)), (ids == 49407).nonzero()[:, 1] - 1]", "one|too short|before|end"),
    ("05.3", "torch.stack([encode(sorted(set(texts))) for texts in lists])", "list|picture|encode|sizes|stack|same size"),
    ("06.1", "find('06.1').reference(w, h, C)", "swapped|transposed"),
    ("06.1", "find('06.1').reference(h, w, C).flatten(1)", "shape|flatten|reshape"),
    ("06.2", "n = positions[:-1]\nreturn torch.cat([look(token[:, None].expand(-1, len(n), -1), n), token], dim=1)",
     "axes|dimension|\\[:, None\\]|same number"),
    ("06.3", "u, w = find('06.3').reference(queries, names, features, places)\nreturn w, u", "order|swap|asked"),
    ("07.1", "q, t = (x.flatten(1) / x.flatten(1).norm() for x in (queries, texts))\nreturn q @ t.T", "normalis|factor|axis|each"),
    ("07.1", "[[float(F.cosine_similarity(a.flatten(), b.flatten(), 0)) for b in texts] for a in queries]", "gradient|tensor"),
    ("07.2", "l = torch.arange(len(table))\nreturn 2 * (F.cross_entropy(table, l) + F.cross_entropy(table.T, l))", "twice"),
    ("07.2", "l = torch.arange(len(table))\nreturn F.cross_entropy(table, l).item() + F.cross_entropy(table.T, l).item()", "tensor"),
    ("07.2", "p = table.softmax(1).diag() * table.softmax(0).diag()\nreturn p.log().mean()", "sign"),
    ("07.3", "t = torch.eye(len(table))\nreturn (table.softmax(1) - t + table.softmax(0) - t).mean()", "mean|axis"),
    ("07.3", "t = torch.ones(len(table))\nreturn (table.softmax(1) - t + table.softmax(0) - t) / len(table)", "off everywhere|diagonal"),
    ("08.1", "class_logits.softmax(-1)[labels]", "asked|axes|index|columns|beyond"),
    ("08.1", "-class_logits.softmax(-1)[:, labels] / len(labels)", "divided|mean|times"),
    ("08.2", "find('08.2').reference(logits, labels).T", "transposed|order"),
    ("08.3", "p = logits.sigmoid()\nreturn 1 - (p @ labels.T + 1) / (p.sum(1)[:, None] + labels.sum(1) - p @ labels.T + 2)",
     "IoU|twice|1 stands|add 1"),
    ("08.4", "[int(q) + 1 for q in find('08.4').reference(table)]", "off|counted from 1"),
    ("09.1", "w = torch.ones(class_logits.shape[1])\nw[-1] = no_object\n"
     "return F.cross_entropy(class_logits, classes, w, reduction='sum')", "divide|sum|mean|weights"),
    ("09.2", "p = x.sigmoid()\nreturn 1 - (2 * (p * y).sum(0) + 1) / (p.sum(0) + y.sum(0) + 1)", "axis"),
    ("09.3", "find('09.3').reference(mask_logits, candidates, others, 1 - importance)", "1 minus importance"),
    ("10.2", "find('10.2').reference(mask_logits, size).float()", "kind|bool"),
    ("10.3", "(q @ k.T / math.sqrt(q.shape[1])).masked_fill(~allowed, -100.0).softmax(-1) @ v", "infinity|below|minus|fill"),
    ("11.1", "find('11.1').reference(class_logits, mask_logits).permute(1, 2, 0)", "transposed|order"),
    ("12.3", "find('12.3').reference(pairs[:1], classes)", "first entry"),
    ("13.4", "sum(weights[k] * v.sum() for k, v in by_prediction.items())", "never looks at contrastive"),
)  # fmt: skip


def answer(exercise: str, text: str) -> Callable:
    """The answer with the names of the exercise's own arguments; ``find(...).reference`` stands for code like ours."""
    # the signature of what is wrapped, in the right order whatever the hashes: tests wrap the package to check shapes
    arguments = ", ".join(ARGUMENTS.get(exercise) or inspect.signature(find(exercise).reference).parameters)
    body = text if "\n" in text or text.startswith("return") else f"return {text}"
    from oneformer_lite.model.parts.tokenizer import encode

    names = {"np": np, "torch": torch, "F": F, "math": math, "pairwise": pairwise, "find": find, "encode_text": encode}
    names |= {"encode": encode}
    exec(compile(f"def answer({arguments}):\n{textwrap.indent(body, '    ')}\n", f"<{exercise}>", "exec"), names)
    return names["answer"]


ARGUMENTS = {"01.1": ("rgb",), "08.1": ("class_logits", "labels"), "09.2": ("x", "y")}
