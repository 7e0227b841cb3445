"""All kinds of pictures with lettering, and the layouts of each; layouts marked for tests are never trained on."""

from typing import get_args

from safety_core.small.rendering.job import Layout
from safety_core.small.rendering.kinds import Kind
from safety_core.small.rendering.layouts import (
    cards,
    chats,
    forms,
    lists,
    overlays,
    papers,
    posters,
    screens,
    signs,
    slides,
)

LAYOUTS: dict[Kind, tuple[Layout, ...]] = {
    "sign": (
        Layout(signs.draw_metal_sign, "photo"),
        Layout(signs.draw_header_sign, "photo"),
        Layout(signs.draw_shop_sign, "photo"),
        Layout(signs.draw_paper_notice, "photo"),
        Layout(signs.draw_hanging_sign, "photo", test=True),
    ),
    "banner": (
        Layout(signs.draw_cloth_banner, "photo"),
        Layout(signs.draw_protest_board, "photo"),
        Layout(signs.draw_shirt, "photo"),
        Layout(signs.draw_street_banner, "photo", test=True),
    ),
    "label": (
        Layout(signs.draw_product_label, "scan"),
        Layout(signs.draw_price_tag, "photo"),
        Layout(cards.draw_business_card, "photo"),
        Layout(signs.draw_parcel_label, "photo", test=True),
    ),
    "poster": (
        Layout(posters.draw_plain_poster),
        Layout(posters.draw_photo_poster),
        Layout(posters.draw_dark_poster),
        Layout(posters.draw_pasted_poster, "photo"),
        Layout(posters.draw_split_poster, test=True),
    ),
    "meme": (
        Layout(posters.draw_outlined_meme),
        Layout(posters.draw_captioned_meme),
        Layout(posters.draw_motivational_meme),
        Layout(posters.draw_panel_meme, test=True),
    ),
    "slide": (
        Layout(slides.draw_title_slide),
        Layout(slides.draw_band_slide),
        Layout(slides.draw_projected_slide, "photo"),
        Layout(slides.draw_wall_screen, "photo"),
        Layout(slides.draw_number_slide, test=True),
        Layout(slides.draw_blackboard, "photo", test=True),
    ),
    "chart": (
        Layout(slides.draw_axis_chart),
        Layout(slides.draw_pie_chart),
        Layout(slides.draw_bar_list, test=True),
        Layout(slides.draw_dashboard, test=True),
    ),
    "screenshot": (
        Layout(screens.draw_dialog),
        Layout(screens.draw_web_page),
        Layout(screens.draw_post),
        Layout(screens.draw_search),
        Layout(screens.draw_phone_app),
        Layout(screens.draw_settings, test=True),
        Layout(screens.draw_assistant, test=True),
    ),
    "code": (
        Layout(screens.draw_terminal),
        Layout(screens.draw_editor),
        Layout(screens.draw_notebook_cell, test=True),
    ),
    "chat": (
        Layout(chats.draw_phone_chat),
        Layout(chats.draw_cropped_chat),
        Layout(chats.draw_thread),
        Layout(chats.draw_phone_on_table, "photo"),
        Layout(chats.draw_lock_screen, test=True),
        Layout(chats.draw_memo, test=True),
    ),
    "letter": (
        Layout(papers.draw_typed_letter, "scan"),
        Layout(papers.draw_letter_on_table, "photo"),
        Layout(papers.draw_plain_letter, "scan"),
        Layout(papers.draw_envelope, "scan", test=True),
    ),
    "handwriting": (
        Layout(papers.draw_ruled_note, "photo"),
        Layout(papers.draw_sticky_note, "photo"),
        Layout(papers.draw_torn_page, "photo"),
        Layout(papers.draw_post_card, "scan"),
        Layout(papers.draw_whiteboard_note, "photo", test=True),
    ),
    "book": (
        Layout(papers.draw_book_page, "photo"),
        Layout(papers.draw_book_cover, "scan"),
        Layout(papers.draw_open_book, "photo", test=True),
    ),
    "headline": (
        Layout(papers.draw_newspaper, "scan"),
        Layout(papers.draw_news_page),
        Layout(papers.draw_clipping, "photo", test=True),
    ),
    "list": (
        Layout(lists.draw_paper_list, "photo"),
        Layout(lists.draw_typed_list),
        Layout(lists.draw_check_list),
        Layout(lists.draw_pinned_list, "photo"),
        Layout(lists.draw_board_list, "photo", test=True),
        Layout(lists.draw_table_list, test=True),
    ),
    "menu": (
        Layout(lists.draw_restaurant_menu, "scan"),
        Layout(lists.draw_chalk_menu, "photo"),
        Layout(lists.draw_photo_menu, test=True),
    ),
    "receipt": (
        Layout(lists.draw_receipt, "scan"),
        Layout(lists.draw_receipt_on_table, "photo"),
        Layout(lists.draw_ticket, "scan", test=True),
    ),
    "form": (
        Layout(forms.draw_form, "scan"),
        Layout(forms.draw_web_form),
        Layout(forms.draw_clip_form, "photo", test=True),
    ),
    "card": (
        Layout(cards.draw_identity_card, "photo"),
        Layout(cards.draw_bank_card, "photo"),
        Layout(cards.draw_business_card, "photo"),
        Layout(cards.draw_greeting_card, "scan"),
        Layout(cards.draw_badge, "photo", test=True),
        Layout(cards.draw_pass, test=True),
    ),
    "overlay": (
        Layout(overlays.draw_edge_overlay),
        Layout(overlays.draw_band_overlay),
        Layout(overlays.draw_centre_overlay),
        Layout(overlays.draw_faint_overlay),
        Layout(overlays.draw_tilted_overlay),
        Layout(overlays.draw_note_overlay, test=True),
        Layout(overlays.draw_corner_overlay, test=True),
    ),
    "plain": (
        Layout(overlays.draw_black_on_white),
        Layout(overlays.draw_colour_on_plain),
        Layout(overlays.draw_small_on_plain),
        Layout(overlays.draw_framed_plain, test=True),
    ),
}

assert LAYOUTS.keys() == set(get_args(Kind)), "every kind has layouts"


def list_layouts(kind: Kind, *, test: bool) -> tuple[Layout, ...]:
    """List the layouts of a kind for the test split, or for all others."""
    return tuple(layout for layout in LAYOUTS[kind] if layout.test == test)
