r"""Text from containers, made safe for whoever reads it.

A command's name is whatever bytes a container wants it to be. Those that are no UTF-8 arrive as
lone surrogates (PEP 383) and leave as visible text, such as `\xff`.
"""

import re
from json import dumps

_SURROGATES = re.compile("[\ud800-\udfff]")
_BEYOND_BMP = re.compile("[\ud800-\udfff\U00010000-\U0010ffff]")


def json_string(text: str) -> str:
    r"""Quote for JSON, in ASCII; a byte that was no UTF-8 becomes `\xff`, visibly.

    As a lone surrogate it would be JSON that strict readers refuse.
    """
    return dumps(unicode_text(text))


def unicode_text(text: str) -> str:
    r"""Make text that every encoding of Unicode can hold: a byte that was no UTF-8 becomes `\xff`.

    All else stays as it is: whoever shows it must take care of control characters.
    """
    return text if text.isascii() else _SURROGATES.sub(_escape, text)


def viewer_string(text: str) -> str:
    r"""Quote for trace viewers: as `json_string`, but an emoji becomes `\U0001f600`, visibly.

    Perfetto drops events with surrogates, even with the pairs that JSON writes an emoji as.
    """
    return dumps(viewer_text(text))


def viewer_text(text: str) -> str:
    """Make text that trace viewers take, once it is quoted for JSON."""
    return _BEYOND_BMP.sub(_escape, text)


def printable(text: str) -> str:
    r"""Make control characters and bytes that were no UTF-8 visible: `\x1b`, `\n`, `\xff`."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else _escape(one) for one in text)


def _escape(found: str | re.Match[str]) -> str:
    character = found if isinstance(found, str) else found[0]
    if "\udc80" <= character <= "\udcff":
        return f"\\x{ord(character) & 0xFF:02x}"
    return character.encode("unicode_escape").decode("ascii")
