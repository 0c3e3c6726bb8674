"""The smallest of what came before queries, and of what first had them: for tests."""

from __future__ import annotations

from dataclasses import replace

from oneformer_lite import config
from oneformer_lite.config import BaseConfig

_SIZES = {"image_size": 64, "test_size": 64, "num_points": 64}
_BERT = {"hidden_dim": 32, "num_heads": 2, "encoder_layers": 2, "encoder_ffn": 64, "grid_rows": 8, "grid_columns": 8}
_SHOWS = {"object_mask_threshold": 0.1}


def small_unet(**changes) -> BaseConfig:
    return replace(config.unet_toytown(), **{**_SIZES, "base_channels": 4, "depth": 2, **changes})


def small_seq2seg(**changes) -> BaseConfig:
    return replace(config.seq2seg_toytown(), **{**_SIZES, **_BERT, **changes})


def small_hungarian(**changes) -> BaseConfig:
    sizes = {"base_channels": 8, "depth": 2, "hidden_dim": 32, "num_heads": 2, "transformer_layers": 2, "ffn": 48}
    return replace(config.hungarian_unet_toytown(), **{**_SIZES, **sizes, "num_queries": 12, **_SHOWS, **changes})


def small_query_seq2seg(**changes) -> BaseConfig:
    return replace(config.query_seq2seg_toytown(), **{**_SIZES, **_BERT, "num_queries": 12, **_SHOWS, **changes})
