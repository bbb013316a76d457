"""Where things stand in what Python and the handler tell each other, as numbers of eight bytes.

*State*, one for the process: where the table of records is, and addresses of functions.

*Table*: its length less one, then as many places, each 0, 1 (once taken), or a record's address.

*Record*: all about a task on one item that does not depend on weights and scores. Its key says for which item: the
task's token, and for each input of four numbers a dense one (steps, columns, length, dtype), of two a graph (handle,
number of weights that are operands), of none a score.

*Layout*, the attribute of a call: the task's token, the number of inputs (−1: let Python do it), and for each its kind
and its number of operands.
"""

from __future__ import annotations

# Kinds of inputs.
DENSE, SCORE, GRAPH = 0, 1, 2

# State.
TABLE, ACTIVE, PYTHON, ALLOCATE, RELEASE, MOST_WORK, ANSWERED, HANDED_ON, MINOR, ROOM = range(10)
STATE_LENGTH = 10

# Record.
KEY_LENGTH, KEY, FUNCTION, N_DENSE, N_WORDS, WORDS, N_FLOATS, N_NUMBERS = range(8)
N_WEIGHTS, WEIGHTS, N_GRADIENT, WORK, USED, SLOTS, N_PARAMETERS = range(8, 15)
# Which of the words are addresses that each call fills in, and then two for each dense input of the routine.
W_WEIGHTS, W_VALUES, W_GRADIENT, W_WORK, W_NUMBERS, W_STATUS, W_FRAMES = range(15, 22)
RECORD_LENGTH = 21 + 2 * 3

# Row of a record for each input.
LEAF, N_LEAF, ROUTINE_DENSE, RESULT, TIE, PARAMETERS = range(6)
ROW = 6

# Numbers of XLA's for types.
FLOAT, DOUBLE = 11, 12

PRIME = 0x100000001B3


def place_of(key: list[int], mask: int) -> int:
    """Where in a table to look for a key first; as the handler computes it.

    Example:
        >>> place_of([], 7)
        0
    """
    found = 0
    for word in key:
        found = ((found ^ word) * PRIME) & 0xFFFFFFFFFFFFFFFF
    return (found ^ (found >> 29)) & mask
