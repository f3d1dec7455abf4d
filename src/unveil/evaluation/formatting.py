"""Numbers, shares and intervals as text, for tables that people read."""

from collections.abc import Sequence


def format_number(value: float | None, digits: int = 2) -> str:
    """A number with a typographic minus sign; a dash for None.

    >>> format_number(-1.5), format_number(None)
    ('−1.50', '–')
    """
    return "–" if value is None else f"{value:.{digits}f}".replace("-", "−")


def format_share(value: float | None) -> str:
    """A share in percent; a dash for None.

    >>> format_share(0.254)
    '25 %'
    """
    return "–" if value is None else f"{100 * value:.0f} %"


def format_interval(interval: Sequence[float] | None, *, percent: bool) -> str:
    """An interval in brackets, to be put behind a value; nothing for None.

    >>> format_interval((0.1, 0.25), percent=True)
    ' [10, 25]'
    """
    if interval is None:
        return ""
    low, high = (f"{100 * end:.0f}" if percent else format_number(end) for end in interval)
    return f" [{low}, {high}]".replace("-", "−")
