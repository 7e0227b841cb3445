"""Pixel operations that turn a decoded image into views: colour modes, size, colour space and padding. Knows Pillow."""

from io import BytesIO

from PIL import Image, ImageChops, ImageCms

from safety_core.inputs.images.limits import ImageLimits

Colour = tuple[int, int, int]
"""Red, green and blue, 0 to 255."""

CLIP_MEAN: Colour = (122, 116, 104)
"""CLIP's mean colour, the padding colour of LLaVA-1.5."""


def convert_to_resizable(image: Image.Image) -> Image.Image:
    """Convert an image to 8-bit L, LA, RGB, RGBA or CMYK: the modes that can be filtered without artefacts."""
    if image.mode.startswith("I;16"):
        return _convert_from_16_bit(image)
    if image.has_transparency_data:
        return image.convert("LA" if image.mode in ("1", "L", "LA") else "RGBA")
    if image.mode in ("L", "RGB", "CMYK"):
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def _convert_from_16_bit(image: Image.Image) -> Image.Image:
    """Convert 16-bit grey to 8 bits by its upper byte (Pillow's own conversion clips everything above 255 to white)."""
    little_endian = image.tobytes("raw", "I;16")
    high = Image.frombytes("L", image.size, little_endian[1::2])
    clear = image.info.get("transparency")
    if clear is None:
        return high
    low = Image.frombytes("L", image.size, little_endian[0::2])
    alpha = ImageChops.lighter(low.point(_build_key_table(clear & 255)), high.point(_build_key_table(clear >> 8)))
    return Image.merge("LA", (high, alpha))


def _build_key_table(value: int) -> list[int]:
    """Build a look-up table that is 0 at ``value`` and 255 elsewhere."""
    return [0 if entry == value else 255 for entry in range(256)]


def resize_to_limits(image: Image.Image, full_size: tuple[int, int], scale: int, limits: ImageLimits) -> Image.Image:
    """Resize an image to the limits on its longest side, with an antialiased bicubic filter.

    Args:
        image: the image, which the decoder may have scaled down.
        whole: size of the image before the decoder scaled it down.
        scale: factor by which the decoder scaled it down; the last row and column may represent less than a pixel.
        limits: the limits.
    """
    longest = max(full_size)
    target = limits.clamp_side(longest)
    if target == longest:
        return image
    size = tuple(max(1, round(side * target / longest)) for side in full_size)
    box = (0.0, 0.0, full_size[0] / scale, full_size[1] / scale)
    return image.resize((size[0], size[1]), Image.Resampling.BICUBIC, box)


def convert_to_srgb(image: Image.Image, profile: object) -> Image.Image:
    """Convert L, RGB or CMYK to RGB through the embedded colour profile, if there is a usable one."""
    if isinstance(profile, bytes) and profile:
        try:
            source = ImageCms.ImageCmsProfile(BytesIO(profile))
            converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            # Broken and mismatched profiles are common and harmless; browsers ignore them as well.
            converted = None
        if converted is not None:
            return converted
    return image.convert("RGB")


def pad_to_square(image: Image.Image, fill: Colour = CLIP_MEAN) -> Image.Image:
    """Centre an RGB image on a square of its longer side, as LLaVA-1.5 did in training."""
    side = max(image.size)
    if image.width == image.height:
        return image
    square = Image.new("RGB", (side, side), fill)
    square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return square
