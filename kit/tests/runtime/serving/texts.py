"""What people and programs write, for hypothesis to draw from.

Not every character of Unicode: a table of all takes hypothesis two seconds, in each build anew. These are those that
parsers trip over, and some that they do not.
"""

from hypothesis import strategies as st

_RANGES = (
    (0x0000, 0x024F),  # ASCII and Latin, with control characters, NUL among them, and no-break spaces
    (0x0300, 0x030F),  # combining marks
    (0x0391, 0x03C9),  # Greek: its final sigma has no upper case of its own
    (0x05D0, 0x05EA),  # written from right to left
    (0x0660, 0x0669),  # digits that int() takes, as the next
    (0x0966, 0x096F),
    (0x1680, 0x1680),  # spaces that strip() takes, as the next
    (0x2000, 0x202F),  # with zero width, line and paragraph separators, marks of direction
    (0x2150, 0x2160),  # fractions and Roman numerals: numeric, no digits
    (0x2212, 0x2212),  # a minus that float() does not take
    (0x3000, 0x3042),
    (0x6771, 0x6771),
    (0xFB00, 0xFB06),  # ligatures: longer in upper case
    (0xFEFF, 0xFEFF),  # the byte order mark
    (0xFF0B, 0xFF19),  # digits and signs of full width
    (0xFFFD, 0xFFFF),
    (0x1F600, 0x1F60F),  # beyond sixteen bits
    (0x10FFFF, 0x10FFFF),
)
CHARACTERS = "".join(chr(code) for first, last in _RANGES for code in range(first, last + 1))


def text(max_size: int) -> st.SearchStrategy[str]:
    return st.text(alphabet=CHARACTERS, max_size=max_size)
