"""Pictures that tests draw, encoded or decoded."""

from PIL import Image, ImageDraw

from safety_core.inputs.images.decoding import DecodedImage, decode_image
from tests.helpers.images.encoding import encode_image


def create_picture(colour: str = "red", *, size: tuple[int, int] = (40, 30)) -> DecodedImage:
    """A decoded picture of one view."""
    return decode_image(encode_image(draw_ellipse(colour, size)))


def create_transparent_picture(colour: str = "red") -> DecodedImage:
    """A decoded picture of two views: a drawing on transparent ground."""
    image = draw_ellipse(colour, (40, 40)).convert("RGBA")
    image.putalpha(image.getchannel("R").point(lambda value: 255 if value else 0))
    return decode_image(encode_image(image))


def draw_ellipse(colour: str, size: tuple[int, int]) -> Image.Image:
    image = Image.new("RGB", size, (0, 40, 90))
    ImageDraw.Draw(image).ellipse((5, 5, size[0] - 8, size[1] - 10), fill=colour)
    return image


def draw_scene(width: int = 48, height: int = 48) -> Image.Image:
    """An asymmetric picture: no two orientations look alike."""
    image = Image.new("RGB", (width, height), (40, 90, 160))
    draw = ImageDraw.Draw(image)
    draw.rectangle((2, 2, width // 2, height // 3), fill=(220, 60, 20))
    draw.ellipse((width // 2, height // 2, width - 2, height - 2), fill=(250, 240, 90))
    return image
