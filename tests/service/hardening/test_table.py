"""Every kind of hostile input or fault that the server is held to has a test that bears its name."""

import importlib
from pathlib import Path

ROWS = (
    "decompression_bomb",
    "body_size",
    "truncated_corrupt",
    "formats",
    "several_frames",
    "exif_orientation",
    "alpha_trns_palette",
    "sixteen_bit_cmyk_icc_la",
    "image_scaling_payload",
    "aspect_ratio_and_crop",
    "tiny_or_odd_sizes",
    "several_images",
    "pgd_typography_jpeg",
    "cache",
    "image_urls",
    "client_tensors",
    "special_tokens_in_text",
    "roles",
    "unicode",
    "long_prompts_n_max_tokens",
    "slow_clients",
    "overload",
    "disconnect",
    "out_of_memory",
    "worker_death",
    "drain",
    "auth",
    "privacy",
    "fingerprinting",
)
"""What each is answered with is a verdict, a typed 4xx, or 429 and 503 under load: never a 5xx that the input caused, a
hang, a dead worker, a jump of memory, or a 200 without a verdict."""


def test_every_row_has_a_test() -> None:
    modules = [
        importlib.import_module(f"{__package__}.{file.stem}")
        for file in sorted(Path(__file__).parent.glob("test_*.py"))
    ]
    tests = [name for module in modules for name in vars(module) if name.startswith("test_")]
    assert [row for row in ROWS if not any(name.startswith(f"test_{row}") for name in tests)] == []
    assert len(set(ROWS)) == len(ROWS)
