"""Numbers and how English says them, 0 to 999,999: nine rewrite rules, composed, and read in both directions.

    out[PATH[N ∘ S]]     the words of a number
    in[PATH[S ∘ W]]      the number of some words

Digits and words are symbols of one table. Each rule looks at what stands around the place where it applies:
`<thousand>` goes where three digits are left, `2` is said `<twenty>` before the last digit of its three. So
342019 becomes, rule by rule,

    342019.   342 <thousand> 019.   3 <hundred> 42 <thousand> 019.   3 <hundred> 42 <thousand> 19.   …

S is a graph like any other: that each number has one reading, and each reading one number, is asked of it at the end.

Run: python examples/say_numbers.py [number or words …]
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import arcgrad as ag

UNITS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
TEENS = ["ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]
TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
SYMBOLS = ag.SymbolTable([*"0123456789.", "zero", *UNITS, *TEENS, *TENS, "hundred", "thousand"])


def said(words: Sequence[str], first: int) -> str:
    """The transducer from the numbers that begin with ``first`` to their words, as an expression."""
    return " + ".join(f'"{first + k}" : "<{word}>"' for k, word in enumerate(words))


RULES = f"""
D = re"[0-9]"
E = "." + "<thousand>"                                       # what ends a group of three digits

number   = re"0|[1-9][0-9]{{0,5}}" (ε : ".")
thousand = rewrite[ε : "<thousand>", D, D{{3}} "."]
hundred  = rewrite[ε : "<hundred>", re"[1-9]", D{{2}} E]
skipped  = rewrite["0" : ε, ε, D{{2}} E]                       # no hundreds: 5,019
teens    = rewrite[{said(TEENS, 10)}, ε, E]
tens     = rewrite[{said(TENS, 2)} + "0" : ε, ε, D E]
units    = rewrite[{said(UNITS, 1)}, ε, E + "<hundred>"]
nothing  = rewrite["0" : ε, re".", E]                        # after any other symbol
zero     = rewrite["0" : "<zero>", ε, "."]
end      = rewrite["." : ε, ε, ε]

number ∘ thousand ∘ hundred ∘ skipped ∘ teens ∘ tens ∘ units ∘ nothing ∘ zero ∘ end
"""


def make() -> ag.Graph:
    """The transducer S from digits to words."""
    graph = ag.compile(RULES, symbols=SYMBOLS)()
    assert isinstance(graph, ag.Graph)
    return graph


def say(numbers: ag.Graph, number: int) -> str:
    """The words of a number."""
    digits = ag.linear(str(number), symbols=SYMBOLS)
    return " ".join(symbols(ag.compile("out[PATH[N ∘ S]]")(N=digits, S=numbers)))


def read(numbers: ag.Graph, words: str) -> int:
    """The number of some words."""
    spoken = ag.linear(words.replace("-", " ").split(), symbols=SYMBOLS)
    return int("".join(symbols(ag.compile("in[PATH[S ∘ W]]")(W=spoken, S=numbers))))


def symbols(path: ag.Graph) -> list[str]:
    """The symbols of a linear graph, from its start to its end."""
    return SYMBOLS.decode([label for label in path.ilabel.tolist() if label >= 0])


def main(argv: Sequence[str] | None = None) -> list[str]:
    arguments = list(sys.argv[1:] if argv is None else argv) or ["0", "17", "342019", "nine hundred thousand and one"]
    numbers = make()
    lines = []
    for text in arguments:
        if text.isdecimal():
            lines.append(f"{text}: {say(numbers, int(text))}")
        else:
            lines.append(f"{text}: {read(numbers, text.replace(' and ', ' '))}")
    count = ag.compile("COUNT[S]")(S=numbers)
    ways = [ag.ambiguity(numbers, side=side) for side in ("input", "output")]
    lines.append(f"S: {numbers.n_states:,} states, {numbers.n_arcs:,} arcs, {count:,} numbers")
    lines.append("each number has one reading, and each reading one number" if ways == [None, None] else f"{ways}")
    print("\n".join(lines))
    return lines


if __name__ == "__main__":
    main()
