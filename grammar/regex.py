"""Regular expressions: what stands between the quotes of ``re"…"`` → nodes of the syntax tree.

Alternatives become unions, sequences concatenations, ``* + ? {m,n}`` the operators of those names, runs of plain
characters strings, and classes CharacterClass nodes; the whole stands for a set of strings, so it is the operand of
``support`` unless it is a string or a class alone, whose graphs are minimal and deterministic as they are. A regular
expression matches whole strings, so it has no anchors, and a set has each string once, so it has no lazy or possessive
variants. The parser keeps its own stack.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from arcgrad.grammar.errors import Span
from arcgrad.grammar.literals import read_symbol, repeat_bounds
from arcgrad.grammar.mistakes import Mistake, describe_character, quoted
from arcgrad.grammar.syntax import Call, CharacterClass, Constant, Expression, Operation, Text, repeated

__all__ = ["parse_regex"]

Ranges = tuple[tuple[str, str], ...]

_DIGITS: Ranges = (("0", "9"),)
_WORD: Ranges = (("0", "9"), ("A", "Z"), ("_", "_"), ("a", "z"))
_SPACE: Ranges = (("\t", "\r"), (" ", " "))
_CLASSES: dict[str, tuple[Ranges, bool]] = {
    "d": (_DIGITS, False),
    "D": (_DIGITS, True),
    "w": (_WORD, False),
    "W": (_WORD, True),
    "s": (_SPACE, False),
    "S": (_SPACE, True),
}
_CONTROLS = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v"}


_NOT_A_CLASS_SYMBOL = "a symbol, an escape or a range"


@dataclass(slots=True)
class _Group:
    """An open group: the alternatives finished so far and the items of the current one."""

    start: int  # offset of its `(` in the content, −1 for the whole expression
    item_start: int  # offset at which the current alternative starts
    alternatives: list[Expression] = field(default_factory=list)
    bars: list[Span] = field(default_factory=list)
    items: list[Expression] = field(default_factory=list)


def parse_regex(content: str, offset: int, span: Span) -> Expression:
    """The tree of a regular expression.

    Args:
        content: what stands between the quotes.
        offset: where that starts in the text of the equation.
        span: of the whole literal, given to the outermost node.
    """
    ways = _Regex(content, offset).parse()
    if isinstance(ways, Operation):
        return Call("support", (ways,), span, span)
    return replace(ways, span=span)


class _Regex:
    def __init__(self, content: str, offset: int) -> None:
        self.content = content
        self.offset = offset
        self.position = 0
        self.groups = [_Group(-1, 0)]
        self.quantified = False  # the last item has a quantifier already

    def span(self, start: int, end: int) -> Span:
        return Span(self.offset + start, self.offset + end)

    def parse(self) -> Expression:
        while self.position < len(self.content):
            self.step()
        if len(self.groups) > 1:
            start = self.groups[-1].start
            raise Mistake(
                "`(` is never closed in this regular expression",
                self.span(start, start + 1),
                hint="the character itself is written `\\(`",
                expected=("`)`",),
                found="the end of the regular expression",
            )
        return self.finish(self.groups[0])

    def step(self) -> None:
        start, character = self.position, self.content[self.position]
        if character in "*+?{":
            self.quantifier(character)
            return
        self.quantified = False
        if character == "|":
            self.position += 1
            group = self.groups[-1]
            group.alternatives.append(self.sequence(group))
            group.bars.append(self.span(start, self.position))
            group.items, group.item_start = [], self.position
        elif character == "(":
            self.open_group()
        elif character == ")":
            self.close_group()
        elif character == "[":
            self.add(self.character_class())
        elif character == ".":
            self.position += 1
            self.add(CharacterClass((), True, self.span(start, self.position)))
        elif character == "\\" and self.content[start + 1 : start + 2] in _CLASSES:
            ranges, negated = _CLASSES[self.content[start + 1]]
            self.position += 2
            self.add(CharacterClass(ranges, negated, self.span(start, self.position)))
        else:
            symbol = self.symbol("^$]}", "in a regular expression")
            self.add(Text((symbol,), self.span(start, self.position)))

    def add(self, item: Expression) -> None:
        self.groups[-1].items.append(item)

    def quantifier(self, character: str) -> None:
        start = self.position
        items = self.groups[-1].items
        end = start + 1
        if character == "{":
            closing = self.content.find("}", start)
            end = closing + 1 if closing >= 0 else len(self.content)
        span = self.span(start, end)
        if not items:
            raise Mistake(
                f"{quoted(character)} repeats nothing in this regular expression",
                span,
                hint=f"the character itself is written `\\{character}`",
                expected=("a symbol, a class or a group",),
                found=quoted(character),
            )
        if self.quantified:
            raise Mistake(
                "a repetition cannot follow a repetition in a regular expression",
                span,
                hint="there are no lazy or possessive forms; for a repetition of a repetition write `(a*){2}`",
                expected=("a symbol, a class or a group",),
                found=quoted(self.content[start:end]),
            )
        bounds: dict[str, tuple[int, int | None]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}
        if character == "{" and (end - start < 2 or self.content[end - 1] != "}"):
            raise Mistake(
                "`{` is never closed in this regular expression",
                self.span(start, start + 1),
                hint="the character itself is written `\\{`",
                expected=("`}`",),
                found="the end of the regular expression",
            )
        low, high = bounds.get(character) or repeat_bounds(self.content[start + 1 : end - 1], span)
        items[-1] = repeated(items[-1], low, high, items[-1].span.join(span), span)
        self.position, self.quantified = end, True

    def open_group(self) -> None:
        start = self.position
        self.position += 3 if self.content.startswith("(?:", start) else 1
        if self.content.startswith("?", self.position):
            raise Mistake(
                f"{quoted(self.content[start : start + 3])} is not part of the language's regular expressions",
                self.span(start, min(start + 3, len(self.content))),
                hint="groups are `( )` or `(?: )`; there are no look-arounds, flags or names",
                expected=("`(`", "`(?:`"),
                found=quoted(self.content[start : start + 3]),
            )
        self.groups.append(_Group(start, self.position))

    def close_group(self) -> None:
        start = self.position
        if len(self.groups) == 1:
            raise Mistake(
                "`)` closes nothing in this regular expression",
                self.span(start, start + 1),
                hint="the character itself is written `\\)`",
                expected=("a symbol, a class or a group",),
                found="`)`",
            )
        group = self.groups.pop()
        expression = self.finish(group)
        self.position += 1
        self.add(replace(expression, span=self.span(group.start, self.position)))

    def finish(self, group: _Group) -> Expression:
        """The tree of a whole group, its last alternative included."""
        expression, *others = [*group.alternatives, self.sequence(group)]
        for bar, other in zip(group.bars, others, strict=True):
            expression = Operation("union", (expression, other), (), expression.span.join(other.span), bar)
        return expression

    def sequence(self, group: _Group) -> Expression:
        """The tree of one alternative: neighbouring characters become one string."""
        if not group.items:
            return Constant("epsilon", self.span(group.item_start, group.item_start))
        merged: list[Expression] = []
        run: list[Text] = []
        for item in group.items:
            if isinstance(item, Text):
                run.append(item)
                continue
            if run:
                merged.append(_joined(run))
                run = []
            merged.append(item)
        if run:
            merged.append(_joined(run))
        expression, *others = merged
        for other in others:
            gap = Span(expression.span.end, other.span.start)
            expression = Operation("concatenate", (expression, other), (), expression.span.join(other.span), gap)
        return expression

    def symbol(self, reserved: str, where: str) -> str:
        """The one symbol at the current position: a character, an escape or ``<name>``."""
        start, character = self.position, self.content[self.position]
        if character == "<":
            symbol, self.position = read_symbol(self.content, start, self.offset)
            return symbol
        if character in reserved:
            hint = f"the character itself is written `\\{character}`"
            if character in "^$":
                hint = f"it matches whole strings, so it has no anchors; {hint}"
            raise Mistake(
                f"{quoted(character)} cannot stand alone {where}",
                self.span(start, start + 1),
                hint=hint,
                expected=("a symbol, a class or a group",),
                found=quoted(character),
            )
        self.position += 1
        if character == "\\":
            character = self.content[self.position : self.position + 1]
            if character in _CONTROLS:
                self.position += 1
                return _CONTROLS[character]
            if not character or character.isalnum() or not character.isprintable() or ord(character) > 126:
                raise Mistake(
                    f"{quoted(chr(92) + character)} is not an escape of a regular expression",
                    self.span(start, start + 1 + len(character)),
                    hint="escapes are `\\d \\D \\w \\W \\s \\S \\n \\t \\r \\f \\v` and a backslash before punctuation",
                    expected=("an escape",),
                    found=quoted(chr(92) + character),
                )
            self.position += 1
        if "\ud800" <= character <= "\udfff":
            raise Mistake(
                f"{describe_character(character)} is half of a surrogate pair and no character",
                self.span(start, self.position),
                expected=("a character",),
            )
        return character

    def character_class(self) -> CharacterClass:
        start = self.position
        self.position += 1
        negated = self.content.startswith("^", self.position)
        self.position += negated
        ranges: list[tuple[str, str]] = []
        while not self.content.startswith("]", self.position):
            if self.position >= len(self.content):
                raise Mistake(
                    "`[` is never closed in this regular expression",
                    self.span(start, start + 1),
                    hint="the character itself is written `\\[`",
                    expected=("`]`",),
                    found="the end of the regular expression",
                )
            self.range(ranges)
        self.position += 1
        span = self.span(start, self.position)
        if not ranges:
            raise Mistake(
                "an empty class matches nothing",
                span,
                hint="any symbol is `.`; the character `]` in a class is written `\\]`",
                expected=(_NOT_A_CLASS_SYMBOL,),
                found="`]`",
            )
        return CharacterClass(tuple(ranges), negated, span)

    def range(self, ranges: list[tuple[str, str]]) -> None:
        """Read one element of a class: a symbol, a range of characters, or an escape such as ``\\d``."""
        start = self.position
        escape = self.content[start + 1 : start + 2] if self.content[start] == "\\" else ""
        if escape in _CLASSES:
            known, negated = _CLASSES[escape]
            if negated:
                raise Mistake(
                    f"`\\{escape}` cannot stand within a class",
                    self.span(start, start + 2),
                    hint=f"negate the whole class, `[^\\{escape.lower()}]`, or write alternatives",
                    expected=(_NOT_A_CLASS_SYMBOL,),
                    found=f"`\\{escape}`",
                )
            self.position += 2
            ranges.extend(known)
            return
        first = last = self.symbol("[", "in a class")
        rest = self.content[self.position : self.position + 2]
        if rest.startswith("-") and len(rest) == 2 and rest != "-]":
            self.position += 1
            last = self.symbol("[", "in a class")
            span = self.span(start, self.position)
            if len(first) > 1 or len(last) > 1:
                raise Mistake("a range goes from a character to a character", span, expected=("a character",))
            if last < first:
                raise Mistake(
                    f"the range {quoted(self.content[start : self.position])} runs backwards",
                    span,
                    hint=f"write `{last}-{first}`; the character `-` itself is written `\\-`",
                    expected=("a later character",),
                    found=describe_character(last),
                )
        ranges.append((first, last))


def _joined(run: list[Text]) -> Text:
    symbols = tuple(symbol for text in run for symbol in text.symbols)
    return Text(symbols, run[0].span.join(run[-1].span))
