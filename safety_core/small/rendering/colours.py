"""Colours of rendered lettering: pairs of ground and ink that are legible, and colours of accents."""

from random import Random

from safety_core.small.rendering.typography.symbols import Rgb

WHITE: Rgb = (255, 255, 255)
BLACK: Rgb = (0, 0, 0)

MIN_CONTRAST = 3.0
"""Smallest contrast ratio of lettering and ground (WCAG 2.2, large text)."""

BRIGHT: tuple[Rgb, ...] = (
    (250, 250, 246), (255, 244, 214), (232, 243, 250), (236, 248, 232), (252, 232, 236), (245, 238, 252),
    (255, 221, 87), (255, 196, 60), (157, 214, 199), (176, 208, 240), (247, 178, 160), (226, 226, 226),
)  # fmt: skip
"""Grounds for dark lettering."""

DARK: tuple[Rgb, ...] = (
    (18, 20, 26), (28, 44, 76), (16, 72, 84), (24, 84, 52), (122, 24, 36), (88, 34, 104), (60, 40, 28),
    (196, 40, 40), (0, 92, 170), (38, 38, 44), (12, 108, 92), (150, 62, 10), (70, 76, 140),
)  # fmt: skip
"""Grounds for bright lettering."""

ACCENTS: tuple[Rgb, ...] = (
    (214, 60, 50), (240, 140, 20), (46, 134, 222), (30, 160, 110), (140, 80, 200), (230, 70, 130), (20, 170, 190),
    (110, 120, 135), (250, 200, 30), (90, 60, 40),
)  # fmt: skip

INKS: tuple[Rgb, ...] = ((20, 20, 22), (30, 40, 110), (25, 60, 150), (40, 40, 48), (120, 20, 30), (20, 80, 60))
"""Inks of pens."""

CREAMS: tuple[Rgb, ...] = (
    (253, 252, 248), (250, 246, 234), (244, 236, 216), (238, 240, 238), (252, 250, 240), (235, 226, 204),
)  # fmt: skip
"""Papers."""


def compute_luminance(colour: Rgb) -> float:
    """Relative luminance, 0 to 1 (WCAG 2.2)."""

    def linearize(value: int) -> float:
        share = value / 255
        return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4

    red, green, blue = (linearize(value) for value in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def compute_contrast(first: Rgb, second: Rgb) -> float:
    """Contrast ratio of two colours, 1 to 21 (WCAG 2.2)."""
    low, high = sorted((compute_luminance(first), compute_luminance(second)))
    return (high + 0.05) / (low + 0.05)


def mix_colours(first: Rgb, second: Rgb, share: float) -> Rgb:
    """Mix two colours; ``share`` is that of the second."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def pick_ink(rng: Random, ground: Rgb, *, least: float = 4.5) -> Rgb:
    """Pick a colour of lettering that is legible on a ground: black, white or a colour."""
    choices = [
        colour
        for colour in (*DARK, *BRIGHT, *ACCENTS, BLACK, WHITE)
        if compute_contrast(colour, ground) >= max(least, MIN_CONTRAST)
    ]
    plain = WHITE if compute_luminance(ground) < 0.3 else BLACK
    return plain if not choices or rng.random() < 0.4 else rng.choice(choices)


def pick_ground(rng: Random, *, dark: float = 0.45) -> Rgb:
    """Pick a ground, dark with the given probability, moved a little so that no two are quite the same."""
    colour = rng.choice(DARK if rng.random() < dark else BRIGHT)
    red, green, blue = (min(255, max(0, value + rng.randint(-10, 10))) for value in colour)
    return red, green, blue
