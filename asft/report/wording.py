"""How figures and foreign text are written down, the same in every format.

Text from models and data can hold characters that nobody sees: a right-to-left override makes a wrong
answer read like a right one. They are written out, so that the reader sees what is there.
"""

import unicodedata

# Joiners shape emoji, Persian and Indic words; newlines and tabs are layout.
LEFT_ALONE = {"\n", "\t", "\u200c", "\u200d"}
# Other characters, format characters, lone surrogates; separators of lines and paragraphs.
UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}

UNKNOWN = "unknown"
NONE = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"


def visible(text: str) -> str:
    """The text with every character that cannot be seen written out, as in ⟨U+202E⟩."""
    return "".join(
        f"⟨U+{ord(c):04X}⟩" if c not in LEFT_ALONE and unicodedata.category(c) in UNSEEN else c
        for c in text.replace("\r\n", "\n")
    )


def whole(value: float | None) -> str:
    """1,234; a dash where there is none."""
    return NONE if value is None else f"{value:,.0f}"


def short(value: float) -> str:
    """1,234 and then 12.3k, 4.6M: for axes."""
    steps = ((1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
    for unit, letter in steps:
        if value >= max(unit, 1e4):
            return f"{value / unit:.3g}{letter}"
    return f"{value:,.0f}"


def decimal(value: float | None, digits: int = 3) -> str:
    """1.234; a dash where there is none."""
    return NONE if value is None else signed(f"{value:z.{digits}f}")


def percent(share: float | None) -> str:
    """41.2%; a dash where there is none."""
    return NONE if share is None else f"{100 * share:.1f}%"


def points(share: float) -> str:
    """A difference of shares in percentage points, always with its sign: +17.7."""
    return signed(f"{100 * share:+z.1f}")


def p_value(p: float | None) -> str:
    """0.034, < 0.001; a dash where there is none."""
    if p is None:
        return NONE
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def dollars(cost: float | None) -> str:
    """$1.23, or as many digits as a small cost needs; "unknown" where it is unknown, never $0."""
    if cost is None:
        return UNKNOWN
    if cost == 0 or cost >= 0.995:
        return f"${cost:,.2f}"
    return f"${cost:.4f}" if cost >= 0.0001 else f"${cost:.2g}"


def short_dollars(cost: float) -> str:
    """$0.05, $2.5, $1,200: for axes."""
    return f"${cost:,.0f}" if cost >= 100 else f"${cost:.3g}"


def duration(seconds: float | None) -> str:
    """4.2 s, 3 min 20 s, 2 h 05 min; a dash where there is none."""
    if seconds is None:
        return NONE
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def signed(figure: str) -> str:
    """With a true minus sign in place of the hyphen."""
    return figure.replace("-", MINUS)


def plural(n: int, noun: str) -> str:
    """1 round, 2 rounds."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"
