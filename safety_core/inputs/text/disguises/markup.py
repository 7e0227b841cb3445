"""Removes markup of HTML, Markdown, BBCode, LaTeX and terminals, which may stand between the letters of a word."""

import re

_BLOCK_TAG = re.compile(
    r"address|article|aside|blockquote|br|center|dd|div|dl|dt|fieldset|figure|footer|form|h[1-6]|header|hr|legend|li"
    r"|main|nav|ol|option|p|pre|section|table|tbody|td|tfoot|th|thead|title|tr|ul",
    re.IGNORECASE,
)
"""Tags that start a new line; any other tag may be in the middle of a word."""

_COMMENT = re.compile(r"<!--(?:(?!<!--).){0,4096}?-->|<!\[CDATA\[|\]\]>", re.DOTALL)
_TAG = re.compile(r"</?([A-Za-z][A-Za-z0-9:-]{0,31})(?:[\s/][^<>]{0,1024})?>")
_BRACKET_TAG = re.compile(r"\[/?(?:b|i|u|s|url|img|color|size|font|code|quote|center|\*)(?:=[^\[\]]{0,128})?\]", re.I)
_ANSI = re.compile(r"\[[0-9;]{1,16}m")
_LINK = re.compile(r"!?\[([^\[\]]{0,1024})\]\([^()\s]{0,1024}(?:\s[^()]{0,256})?\)")
_LATEX = re.compile(r"\\[A-Za-z]{2,24}\*?(?=\{)")
_LIST_MARK = re.compile(r"^[ >]{0,8}(?:[0-9]{1,3}[.)]|[-*+>\u2022]|#{1,6})[ ]+", re.MULTILINE)
_HYPHENATED = re.compile(r"(?<=[^\W\d_])[-\u2010] {0,8}\n[ >]{0,8}(?=[^\W\d_])")


def remove_markup(text: str) -> str:
    """Remove tags, links, list marks and hyphenation; a tag of a block becomes a line break."""
    if "<" in text:
        text = _TAG.sub(lambda match: "\n" if _BLOCK_TAG.fullmatch(match[1]) else "", _COMMENT.sub("", text))
    if "[" in text:
        text = _LINK.sub(r"\1", _ANSI.sub("", text))
        text = _BRACKET_TAG.sub("", text) if "[/" in text else text
    if "\\" in text:
        text = _LATEX.sub("", text)
    return _LIST_MARK.sub("", _HYPHENATED.sub("", text)) if "\n" in text else text
