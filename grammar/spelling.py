"""How the language is spelled: tables from characters and LaTeX commands to tokens, and answers to common slips.

The scanner reads them; to accept one more spelling of an operator, add one entry here. Look-alikes that could mean two
things are not accepted but answered with a hint.
"""

from __future__ import annotations

__all__ = [
    "ACCENTS",
    "COMMANDS",
    "COMMAND_HINTS",
    "DECORATIONS",
    "DETACHING",
    "FUNCTIONS",
    "GREEK",
    "HINTS",
    "IGNORED",
    "IGNORED_WITH_ARGUMENT",
    "PAIR_HINTS",
    "SIZES",
    "SPACES",
    "SUPERSCRIPT_DIGITS",
    "SYMBOLS",
]


def _words(words: str) -> frozenset[str]:
    return frozenset(words.split())


def _table(rows: dict[str, str]) -> dict[str, str]:
    return {spelling: token for token, spellings in rows.items() for spelling in spellings.split()}


# Characters, by the token they are.
SYMBOLS = _table(
    {
        "LPAR": "(",
        "RPAR": ")",
        "LBRACKET": "[",
        "RBRACKET": "]",
        "RBRACE": "}",
        "LESS": "< ⟨ \u2329 \u3008",
        "GREATER": "> ⟩ \u232a \u3009",
        "COMMA": ",",
        "SEMICOLON": ";",
        "PERIOD": ".",
        "EQUALS": "=",
        "STAR": "* ∗ ⋆",
        "ONE_OR_MORE": "⁺",
        "QUESTION": "?",
        "COLON": ": ∶",
        "DOT": "· ⋅ \u2219 \u0387",
        "TIMES": "× ⨯ ✕",
        "SLASH": "/ ÷ ∕ ⁄",
        "COMPOSE": "∘ ◦ @",
        "INTERSECT": "∩ & ⋂",
        "PLUS": "+ ∪ | ⋃",
        "MINUS": "- − ∖ ⧵",
        "EMPTY": "∅",
    }
)

# LaTeX commands, by the token they are.
COMMANDS = _table(
    {
        "LPAR": "lparen",
        "RPAR": "rparen",
        "LBRACKET": "lbrack",
        "RBRACKET": "rbrack",
        "LBRACE": "{ lbrace",
        "RBRACE": "} rbrace",
        "LESS": "langle lt",
        "GREATER": "rangle gt",
        "NEWLINE": "\\ newline",
        "STAR": "ast star",
        "COLON": "colon",
        "DOT": "cdot cdotp",
        "TIMES": "times",
        "SLASH": "div slash",
        "COMPOSE": "circ",
        "INTERSECT": "cap bigcap &",
        "PLUS": "cup bigcup",
        "MINUS": "setminus smallsetminus backslash",
        "EMPTY": "emptyset varnothing",
    }
)

# Commands whose argument is a name as it stands: the decoration is taken off.
DECORATIONS = _words(
    "mathcal mathbf mathrm mathit mathsf mathtt mathbb mathscr mathfrak mathnormal boldsymbol bm pmb "
    "text textbf textit textrm textsf texttt textnormal operatorname mbox mathop"
)

# Commands that put a mark on a letter; the mark stays part of the name.
ACCENTS = {
    "hat": "\u0302",
    "widehat": "\u0302",
    "tilde": "\u0303",
    "widetilde": "\u0303",
    "bar": "\u0304",
    "dot": "\u0307",
    "ddot": "\u0308",
    "check": "\u030c",
    "vec": "\u20d7",
}

# Commands that are names of their own, such as \log[x].
FUNCTIONS = _words("log exp max min det")

_GREEK_LETTERS = {
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu": "αβγδεζηθικλμ",
    "nu xi omicron pi rho sigma tau upsilon phi chi psi omega": "νξοπρστυφχψω",
    "varepsilon varsigma vartheta varphi varpi varrho varkappa": "εςϑϕϖϱϰ",
    "Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega": "ΓΔΘΛΞΠΣΥΦΨΩ",
    "ell hbar imath jmath": "ℓℏıȷ",
}
GREEK = {
    command: letter
    for commands, letters in _GREEK_LETTERS.items()
    for command, letter in zip(commands.split(), letters, strict=True)
}

# Commands that say nothing about meaning. After those that detach, a final `(4)` is the number of the equation.
DETACHING = _words("quad qquad hfill hfil hspace tag")
IGNORED = _words(
    "quad qquad hfill hfil , ; : ! > ( ) [ ] displaystyle textstyle limits nolimits nonumber notag "
    "thinspace medspace thickspace enspace mathstrut strut allowbreak"
) | {" ", "\n", "\t"}
IGNORED_WITH_ARGUMENT = _words("tag label hspace begin end")
SIZES = _words("left right middle big bigl bigr bigm Big Bigl Bigr Bigm bigg biggl biggr biggm Bigg Biggl Biggr Biggm")

# White space, and characters without width that copying from pages and formula editors leaves behind.
SPACES = frozenset(
    "\t\r \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
    "\u200b\u2060\u2061\u2062\u2063\ufeff\ufe0e\ufe0f"
)

SUPERSCRIPT_DIGITS = {digit: value for value, digit in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")}

_COMPOSE_HINT = "composition is `∘` (or `@`)"
_INTERSECT_HINT = "intersection is `∩` (or `&`)"
_UNION_HINT = "union, and the sum of scores, is `+` (or `∪`, `|`)"
_MINUS_HINT = "difference is `-`"
_DOT_HINT = "concatenation is `A B` or `A·B`"
_QUOTE_HINT = 'strings are written between straight double quotes, "abc"'
_EQUALS_HINT = "a name is given a value by `name = expression`"
_CROSS_HINT = "the cross product is `A : B`, the product of scores `×`, composition `∘`, intersection `∩`"
_COMPARE_HINT = "the language has no comparisons; `<` and `>` only enclose a weight, as in `A<w>`"
_EPSILON_HINT = "the empty string is `ε` (or `eps`)"
_EMPTY_HINT = "the empty set is `∅` (or `empty`)"
_SUM_HINT = "the language has no big operators over an index; the sum over all paths is `LSE[A]`"
_INVERSE_HINT = "inverse is `A⁻¹` (or `inv[A]`), reversal `rev[A]`"
_POWER_HINT = "a power is a number written out: `A³`, `A^3` or `A{3}`"
_ARROW_HINT = "the language has no arrows; relabelling is `relabel[A, m]`, composition `A ∘ B`"

# Pairs of characters that can only be a slip, looked up before single characters.
PAIR_HINTS = {
    ":=": _EQUALS_HINT,
    "==": _EQUALS_HINT,
    "&&": _INTERSECT_HINT,
    "||": _UNION_HINT,
    "//": "comments start with `#`; a quotient is `a / b`",
    "->": _ARROW_HINT,
    "=>": _ARROW_HINT,
    "/*": "comments start with `#`",
}


def _hints(rows: dict[str, str]) -> dict[str, str]:
    return {spelling: hint for spellings, hint in rows.items() for spelling in spellings.split()}


# Characters that are not of the language, with what was probably meant.
HINTS = _hints(
    {
        "○ ⚬ ° ˚ º ᵒ ⊚ ⨾": _COMPOSE_HINT,
        "∧ ⋀ ⊓": _INTERSECT_HINT,
        "⊗": _CROSS_HINT,
        "∨ ⋁ ⊔ ⊎ ∣ ¦ │ ‖": _UNION_HINT,
        "⊕": "union, and the sum of scores, is `+`",
        "– — ‐ ‑ ‒ ― ﹣ － ⊖ ⁻": _MINUS_HINT,
        "• ‧ ・ ● ⊙ …": _DOT_HINT,
        "“ ” „ ‟ « » ‘ ’ ‚ ` ″ ＂": _QUOTE_HINT,
        "≔ ≡ ← ⟵ ≜ ≝": _EQUALS_HINT,
        "→ ⟶ ↦ ⇒ ↔ ⇔": _ARROW_HINT,
        "≤ ≥ ≠ ≈ ∼ ≃ ≅ ∈ ∉ ∋ ⊂ ⊆ ⊃ ⊇ ∊": _COMPARE_HINT,
        "⌀ ⦰ ⦳": _EMPTY_HINT,
        "∑ ∏ ⨁ ⨂ ∫": _SUM_HINT,
        "✱ ✳ ⁎ ﹡ ⃰ ※ ٭": "closure is `A*`",
        "✖ ╳ ⨉ ⤫": "the product of scores is `×`, concatenation `A B`",
        "† ‡ ᵀ ⊤ ⊺": _INVERSE_HINT,
        "ⁿ ᵏ ᵐ ⁱ": _POWER_HINT,
        "∞": "there is no literal for infinity; give it as an input",
        "¬ !": "the language has no complement; difference is `A - B`",
        "~": "the language has no complement; a space of LaTeX can be left out",
        "⌈ ⌉ ⌊ ⌋ ⟦ ⟧ 【 】 「 」 〔 〕": "expressions are grouped by `( )`; arguments stand in `name[…]`",
        "‹ › ≪ ≫ ⟪ ⟫ 《 》": "a weight is written `A<w>` or `A⟨w⟩`",
        "∂ ∇": "derivatives are not part of an equation; ask the compiled equation for its gradient",
        "√": "write a power or `exp[0.5 × log[x]]`",
        "%": "comments start with `#`",
        "ℇ": _EPSILON_HINT,
    }
)

# The same for LaTeX commands.
COMMAND_HINTS = _hints(
    {
        "bullet": _COMPOSE_HINT,
        "bigcirc": _COMPOSE_HINT,
        "wedge land sqcap bigwedge": _INTERSECT_HINT,
        "vee lor mid vert Vert sqcup uplus bigvee |": _UNION_HINT,
        "oplus": "union, and the sum of scores, is `+`",
        "otimes": _CROSS_HINT,
        "odot ldots cdots dots": _DOT_HINT,
        "coloneqq gets leftarrow equiv triangleq": _EQUALS_HINT,
        "to rightarrow mapsto Rightarrow longrightarrow leftrightarrow implies iff": _ARROW_HINT,
        "leq geq le ge neq ne approx sim in notin subset subseteq supset": _COMPARE_HINT,
        "sum prod bigoplus bigotimes int": _SUM_HINT,
        "frac dfrac tfrac over": "a quotient is written `a / b`",
        "top dagger intercal prime": _INVERSE_HINT,
        "infty": "there is no literal for infinity; give it as an input",
        "neg lnot overline": "the language has no complement; difference is `A - B`",
        "sqrt": "write a power or `exp[0.5 × log[x]]`",
        "partial nabla": "derivatives are not part of an equation; ask the compiled equation for its gradient",
        "ln": "the natural logarithm is `log[x]`",
        "mathord mathbin mathrel": "write the operator itself",
    }
)
