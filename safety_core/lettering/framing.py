"""The frames in which the safety head reads lettering: alone, and after the user's words.

Serving and training both call this module, so the head sees the same texts in both. It also reads the bare lettering,
as if the user had said it. Pure text.
"""

from __future__ import annotations

_FRAME = 'Text in the picture: "{lettering}"'


def frame_lettering(lettering: str, prompt: str = "") -> str:
    """Frame lettering as the head reads it, alone or after the user's words.

    Args:
        lettering: text that was read in a picture.
        prompt: the user's words; empty for the lettering alone.
    """
    framed = _FRAME.format(lettering=lettering)
    return f"{prompt}\n{framed}" if prompt else framed
