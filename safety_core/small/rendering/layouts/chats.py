"""Layouts of chats: bubbles on phones, message lists and group threads."""

from collections.abc import Sequence
from dataclasses import replace

from PIL import Image

from safety_core.small.rendering.colours import ACCENTS, WHITE, mix_colours, pick_ink
from safety_core.small.rendering.drawings import draw_avatar, draw_icon
from safety_core.small.rendering.finishing import mount_sheet
from safety_core.small.rendering.grounds import add_noise, paint_flat, paint_noise, paint_wood
from safety_core.small.rendering.job import Job
from safety_core.small.rendering.layouts.screens import NAMES, TIMES, crop_below, draw_words
from safety_core.small.rendering.placing import Box, fill_box, place_block
from safety_core.small.rendering.typography.symbols import Rgb
from safety_core.small.rendering.typography.typesetting import Block, DoesNotFit, Style

CHAT_THEMES: tuple[tuple[Rgb, Rgb, Rgb, Rgb], ...] = (
    ((236, 229, 221), WHITE, (217, 253, 211), (24, 110, 90)),
    (WHITE, (233, 233, 236), (20, 126, 251), (246, 246, 248)),
    ((14, 22, 33), (24, 37, 51), (43, 82, 120), (23, 33, 43)),
    ((245, 245, 248), WHITE, (122, 92, 220), (122, 92, 220)),
    ((18, 18, 20), (44, 44, 48), (230, 90, 120), (30, 30, 34)),
    ((226, 238, 246), WHITE, (255, 228, 160), (60, 130, 180)),
)
"""Ground, bubble of others, own bubble, bar."""


def list_messages(text: str) -> list[str]:
    """Messages of a text: its lines."""
    return [line.strip() for line in text.split("\n") if line.strip()] or [text]


def _fit_messages(
    job: Job, messages: Sequence[str], style: Style, width: float, height: float, largest: float
) -> tuple[list[Block], float]:
    """Set all messages at one size so that the bubbles fit above each other; returns blocks and gap."""
    smallest = job.find_smallest(style)
    for px in range(max(smallest, round(largest)), smallest - 1, -1):
        try:
            blocks = [job.fit(message, style, width, height, largest=px) for message in messages]
        except DoesNotFit:
            continue
        if any(block.px < px for block in blocks) and px > smallest:
            continue
        if sum(block.height + px * 1.35 for block in blocks) <= height:
            return blocks, px * 0.45
    raise DoesNotFit


def _draw_bubbles(
    job: Job, sheet: Image.Image, box: Box, theme: tuple[Rgb, Rgb, Rgb, Rgb], *, avatars: bool, low: bool = False
) -> float:
    """Draw the messages as bubbles, on the left or right; returns the bottom of the last one."""
    rng = job.rng
    messages = list_messages(job.text)
    style = job.choose_style("sans", "rounded", leading=1.22)
    indent = sheet.width * 0.09 if avatars else 0.0
    blocks, gap = _fit_messages(
        job, messages, style, (box.width - indent) * 0.74, box.height, max(sheet.width * 0.05, sheet.height * 0.042)
    )
    pad = blocks[0].px * 0.45
    y = max(box.top, box.bottom - sum(b.height + 2 * pad + gap for b in blocks)) if low else box.top
    own = rng.random() < 0.5
    for block in blocks:
        colour = theme[2] if own else theme[1]
        wide, high = block.width + 2.6 * pad, block.height + 2 * pad
        left = box.right - wide if own else box.left + indent
        bubble = Box(left, y, left + wide, y + high)
        fill_box(sheet, bubble, colour, min(18, high / 2.2))
        if avatars and not own:
            draw_avatar(sheet, rng, box.left, y + high - indent * 0.8, indent * 0.8)
        shown = replace(block, style=replace(block.style, colour=pick_plain_ink(colour)))
        place_block(sheet, shown, bubble.shrink(1.3 * pad, pad))
        y += high + gap
        own = own if rng.random() < 0.3 else not own
    return y


def pick_plain_ink(ground: Rgb) -> Rgb:
    """Nearly black or white, whatever is legible."""
    return (22, 24, 28) if sum(ground) > 400 else (250, 250, 250)


def _draw_phone(job: Job, size: tuple[int, int], *, avatars: bool) -> Image.Image:
    """Draw a chat that fills a phone's screen."""
    rng = job.rng
    theme = rng.choice(CHAT_THEMES)
    sheet = paint_flat(size, theme[0])
    if rng.random() < 0.3:
        sheet = add_noise(sheet, paint_noise(rng, size, (26, 26)), 2.5)
    px = max(16, round(size[0] * 0.042))
    top = px * 3.6
    fill_box(sheet, Box(0, 0, size[0], top), theme[3])
    ink = pick_plain_ink(theme[3])
    draw_words(job, sheet, rng.choice(TIMES[4:]), px * 0.8, 2, 15, ink)
    draw_avatar(sheet, rng, px * 0.8, px * 1.3, px * 2)
    draw_words(job, sheet, rng.choice(NAMES), px * 3.4, px * 1.6, px, ink)
    draw_icon(sheet, rng, size[0] - px * 2, px * 1.8, px, ink)
    bottom = size[1] - px * 2.8
    fill_box(sheet, Box(0, bottom, size[0], size[1]), mix_colours(theme[0], theme[1], 0.7))
    fill_box(sheet, Box(px, bottom + px * 0.5, size[0] - px * 3, size[1] - px * 0.5), theme[1], px)
    draw_icon(sheet, rng, size[0] - px * 2.2, bottom + px * 0.8, px * 1.2, rng.choice(ACCENTS))
    _draw_bubbles(
        job,
        sheet,
        Box(px * 0.8, top + px * 0.8, size[0] - px * 0.8, bottom - px * 0.5),
        theme,
        avatars=avatars,
        low=rng.random() < 0.4,
    )
    return sheet


def draw_phone_chat(job: Job) -> Image.Image:
    """Draw a screenshot of a chat on a phone."""
    return _draw_phone(job, job.choose_size(0.56, 0.65, 0.8, low=560, high=960), avatars=job.rng.random() < 0.3)


def draw_cropped_chat(job: Job) -> Image.Image:
    """Draw only the bubbles, as people cut them out."""
    rng = job.rng
    size = job.choose_size(1.4, 1.0, 1.9, low=420, high=780)
    theme = rng.choice(CHAT_THEMES)
    sheet = paint_flat(size, theme[0])
    bottom = _draw_bubbles(job, sheet, Box(0, 0, *size).shrink(size[0] * 0.04), theme, avatars=rng.random() < 0.4)
    return crop_below(job, sheet, bottom)


def draw_phone_on_table(job: Job) -> Image.Image:
    """Draw a photograph of a phone with a chat, lying on a table or before the photograph."""
    rng = job.rng
    size = job.choose_size(0.6, 0.7, low=640, high=900, mounted=True)
    screen = _draw_phone(job, size, avatars=False)
    edge = round(size[0] * 0.035)
    phone = paint_flat((size[0] + 2 * edge, size[1] + 2 * edge), (18, 18, 20))
    phone.paste(screen, (edge, edge))
    around = job.surround(phone.size, least=0.1, most=0.5)
    behind = job.paint_photograph(around) if job.photograph else paint_wood(rng, around)
    return mount_sheet(rng, phone, behind, tilt=5, bend=0.015)


def draw_thread(job: Job) -> Image.Image:
    """Draw a group's thread: picture, name and message under each other."""
    rng = job.rng
    size = job.choose_size(1.2, 0.85, low=480, high=860)
    page, ink = rng.choice(((WHITE, (28, 30, 34)), ((49, 51, 56), (222, 224, 228)), ((250, 248, 244), (40, 36, 32))))
    sheet = paint_flat(size, page)
    messages = list_messages(job.text)
    px = max(15, round(size[1] * 0.026))
    style = job.choose_style("sans", "rounded", colour=ink)
    margin = size[0] * 0.05
    left = margin + px * 3.2
    room = size[1] - 2 * margin - len(messages) * px * 2.2
    if room <= 0:
        raise DoesNotFit
    blocks, _ = _fit_messages(job, messages, style, size[0] - left - margin, room, size[1] * 0.045)
    y = margin
    for block in blocks:
        draw_avatar(sheet, rng, margin, y, px * 2.4)
        end = draw_words(job, sheet, rng.choice(NAMES), left, y, px, mix_colours(rng.choice(ACCENTS), ink, 0.4))
        draw_words(job, sheet, rng.choice(TIMES), end + px, y + 1, 15, mix_colours(ink, page, 0.45))
        y += px * 1.45
        place_block(sheet, block, Box(left, y, size[0] - margin, y + block.height))
        y += block.height + px * 0.75
    return crop_below(job, sheet, y)


def draw_lock_screen(job: Job) -> Image.Image:
    """Draw notifications on a locked phone; reserved for tests."""
    rng = job.rng
    size = job.choose_size(0.6, 0.75, low=600, high=940)
    sheet = job.paint_photograph(size)
    clock = job.choose_style("sans", colour=WHITE, align="centre")
    clock = replace(clock, outline=0.02)
    high = round(size[1] * 0.11)
    place_block(
        sheet, job.fit(rng.choice(TIMES[4:]), clock, size[0], high * 2, largest=high), Box(0, size[1] * 0.05, *size)
    )
    messages = list_messages(job.text)
    top, margin = size[1] * 0.22, size[0] * 0.05
    style = job.choose_style("sans", "rounded", colour=(24, 26, 30))
    height = size[1] * 0.96 - top - len(messages) * 30
    if height <= 0:
        raise DoesNotFit
    blocks, _ = _fit_messages(job, messages, style, size[0] - 2 * margin - 90, height, size[1] * 0.036)
    for block in blocks:
        card = Box(margin, top, size[0] - margin, top + block.height + 26)
        fill_box(sheet, card, (240, 240, 244), 16)
        fill_box(sheet, Box(card.left + 14, card.top + 13, card.left + 50, card.top + 49), rng.choice(ACCENTS), 9)
        place_block(sheet, block, Box(card.left + 64, card.top + 12, card.right - 14, card.bottom))
        top = card.bottom + 10
    return sheet


def draw_memo(job: Job) -> Image.Image:
    """Draw one large outlined bubble with a tail; reserved for tests."""
    rng = job.rng
    size = job.choose_size(1.3, 1.0, low=420, high=800)
    ground = rng.choice(ACCENTS)
    sheet = paint_flat(size, mix_colours(ground, WHITE, 0.6))
    bubble = Box(size[0] * 0.07, size[1] * 0.07, size[0] * 0.93, size[1] * 0.8)
    fill_box(sheet, bubble, WHITE, 28, pick_ink(rng, WHITE))
    draw_avatar(sheet, rng, size[0] * 0.08, size[1] * 0.83, size[1] * 0.13)
    style = job.choose_style("rounded", "sans", "hand", colour=(24, 26, 30))
    block = job.fit(job.text, style, bubble.width * 0.88, bubble.height * 0.88, largest=size[1] * 0.1)
    place_block(sheet, block, bubble.shrink(bubble.width * 0.06), "middle")
    return sheet
