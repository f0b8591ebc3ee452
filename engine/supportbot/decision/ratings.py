"""How satisfied somebody was, from 1 to 5: as SalesIQ's faces, stars, thumbs or a number."""

from __future__ import annotations

MOST = 5
_FACES = {":rating-angry:": 1, ":rating-sad:": 2, ":rating-neutral:": 3, ":rating-happy:": 4, ":rating-excited:": 5}
_THUMBS = {"\U0001f44d": 5, "\U0001f44e": 1, "like": 5, "dislike": 1}
_WORDS = 5  # of an answer that is a rating and nothing more


def rating(text: str, asked: bool) -> int | None:
    """``asked``: a bare number counts."""
    words = text.lower().split()
    for word in words:
        face = _FACES.get(word.strip(".,!"))
        if face is not None:
            return face
    if not asked or not words or len(words) > _WORDS:
        return None
    if (thumb := _THUMBS.get(words[0].strip(".,!").rstrip("\ufe0f"))) is not None:
        return thumb
    stars = text.count("\u2b50") or text.count("\u2605")
    if stars:
        return min(stars, MOST)
    first = words[0].partition("/")[0].strip(".,!")
    return int(first) if len(first) == 1 and first.isdecimal() and 1 <= int(first) <= MOST else None
