"""The texts in which the safety head reads lettering: with a frame around it, with the user's words, and bare.

Serving and training both call this module, so the head sees the same texts in both. Pure text.
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


def list_framed_texts(lettering: str, prompt: str = "") -> tuple[str, ...]:
    """List all texts in which the head reads lettering: framed alone, bare, and framed with the prompt if there is one.

    The bare text is judged as if the user had said it.
    """
    alone = (frame_lettering(lettering), lettering)
    return (*alone, frame_lettering(lettering, prompt)) if prompt else alone
