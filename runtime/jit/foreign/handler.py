"""What XLA calls: a task on a batch of items, by records that Python prepared; never Python, if all goes well.

Stage: run. For each item it finds the record of its key, fills in weights, and calls the routine; where one is missing,
a batch is worth threads, or anything is unusual (a score that is none, a failed item), Python does the whole call
again, which takes the interpreter's lock. XLA's structs are read by their offsets (xla/ffi/api/c_api.h). No lock is
taken: Python publishes a record by one store of its address, and frees it when no call is active.
"""

from __future__ import annotations

from arcgrad.runtime.jit.declare import helper, kernel
from arcgrad.runtime.jit.foreign import layout as L
from arcgrad.runtime.jit.foreign.memory import (
    CALLS,
    add_at,
    call,
    exchange,
    load_double,
    load_float,
    load_int,
    load_long,
    store_double,
    store_float,
    store_int,
    store_long,
)

__all__ = ["handle"]

# XLA_FFI_CallFrame.
_EXTENSION, _ARGUMENTS, _RESULTS, _ATTRIBUTES = 8, 72, 112, 160
# XLA_FFI_Buffer.
_DTYPE, _DATA, _RANK, _SHAPE = 16, 24, 32, 40
_LARGEST = 1e300
_MOST_KEPT = 1 << 26
_CALL_0, _CALL_1, _CALL_2, _CALL_3 = CALLS


@helper
def _size(buffer, axis_from_end):
    """The extent of an axis, counted from the last one, 1."""
    return load_long(load_long(buffer + _SHAPE, 0), load_long(buffer + _RANK, 0) - axis_from_end)


@helper
def _number(address, dtype, k):
    """A real number of an array."""
    if dtype == L.FLOAT:
        return load_float(address, k)
    return load_double(address, k)


@helper
def _put(address, dtype, k, value):
    if dtype == L.FLOAT:
        store_float(address, k, value)
    else:
        store_double(address, k, value)


@helper
def _write_key(key, layout, arguments, item):
    """Write an item's key; its length, or −1 where a length is out of range."""
    store_long(key, 0, load_long(layout, 0))
    at = 1
    operand = 0
    for slot in range(load_long(layout, 1)):
        kind, count = load_long(layout, 2 + 2 * slot), load_long(layout, 3 + 2 * slot)
        buffer = load_long(arguments, operand)
        if kind == L.DENSE:
            steps = _size(buffer, 2)
            length = steps
            if count == 2:
                length = load_int(load_long(load_long(arguments, operand + 1) + _DATA, 0), item)
                if length < 0 or length > steps:
                    return -1
            store_long(key, at, steps)
            store_long(key, at + 1, _size(buffer, 1))
            store_long(key, at + 2, length)
            store_long(key, at + 3, load_int(buffer + _DTYPE, 0))
            at += 4
        elif kind == L.GRAPH:
            store_long(key, at, load_int(load_long(buffer + _DATA, 0), item))
            weights = 0
            if count == 2:
                weights = _size(load_long(arguments, operand + 1), 1)
            store_long(key, at + 1, weights)
            at += 2
        operand += count
    return at


@helper
def _find(table, key, length):
    """The address of the record with that key, or 0."""
    mask = load_long(table, 0)
    place = 0
    for k in range(length):
        place = (place ^ load_long(key, k)) * L.PRIME
    place = (place ^ (place >> 29)) & mask
    while True:
        record = load_long(table, 1 + place)
        if record == 0:
            return 0
        if record != 1 and load_long(record, L.KEY_LENGTH) == length:
            other = load_long(record, L.KEY)
            same = True
            for k in range(length):
                if load_long(key, k) != load_long(other, k):
                    same = False
            if same:
                return record
        place = (place + 1) & mask


@helper
def _are_legal(address, dtype, count):
    """Whether numbers may weight arcs."""
    legal = 0
    if dtype == L.FLOAT:
        for k in range(count):
            legal += 1 if load_float(address, k) <= _LARGEST else 0
    else:
        for k in range(count):
            legal += 1 if load_double(address, k) <= _LARGEST else 0
    return legal == count


@helper
def _clear(address, dtype, first, end):
    if dtype == L.FLOAT:
        for k in range(first, end):
            store_float(address, k, 0.0)
    else:
        for k in range(first, end):
            store_double(address, k, 0.0)


@helper
def _copy(source, dtype, target, count):
    """Numbers as float64."""
    if dtype == L.FLOAT:
        for k in range(count):
            store_double(target, k, load_float(source, k))
    else:
        for k in range(count):
            store_double(target, k, load_double(source, k))


@helper
def _fill_in(record, layout, arguments, results, item, words, weights):
    """Write an item's weights and where its frames are; whether all of them are legal."""
    rows = load_long(record, L.SLOTS)
    operand = 0
    for slot in range(load_long(layout, 1)):
        kind, count = load_long(layout, 2 + 2 * slot), load_long(layout, 3 + 2 * slot)
        row = rows + 8 * L.ROW * slot
        leaf = load_long(row, L.LEAF)
        if kind == L.DENSE:
            buffer = load_long(arguments, operand)
            dtype, size = load_int(buffer + _DTYPE, 0), _size(buffer, 2) * _size(buffer, 1)
            width = 4 if dtype == L.FLOAT else 8
            scores = load_long(buffer + _DATA, 0) + width * size * item
            used = load_long(row, L.N_LEAF)
            if not _are_legal(scores, dtype, used):
                return False
            if leaf >= 0:
                _copy(scores, dtype, weights + 8 * leaf, used)
            dense = load_long(row, L.ROUTINE_DENSE)
            if dense >= 0:
                store_long(words, load_long(record, L.W_FRAMES + 2 * dense), scores)
                result = load_long(row, L.RESULT)
                if result > 0:
                    gradient = load_long(load_long(results, result) + _DATA, 0) + width * size * item
                    store_long(words, load_long(record, L.W_FRAMES + 2 * dense + 1), gradient)
                    _clear(gradient, dtype, used, size)
        elif kind == L.SCORE:
            buffer = load_long(arguments, operand)
            score = _number(load_long(buffer + _DATA, 0), load_int(buffer + _DTYPE, 0), item)
            if not score <= _LARGEST:
                return False
            if leaf >= 0:
                store_double(weights, leaf, score)
        elif count == 2:
            buffer = load_long(arguments, operand + 1)
            dtype = load_int(buffer + _DTYPE, 0)
            width = 4 if dtype == L.FLOAT else 8
            given = load_long(buffer + _DATA, 0) + width * _size(buffer, 1) * item
            if not _are_legal(given, dtype, load_long(row, L.PARAMETERS)):
                return False
            tie = load_long(row, L.TIE)
            if leaf >= 0 and tie == 0:
                _copy(given, dtype, weights + 8 * leaf, load_long(row, L.N_LEAF))
            elif leaf >= 0:
                for k in range(load_long(row, L.N_LEAF)):
                    store_double(weights, leaf + k, _number(given, dtype, load_int(tie, k)))
        operand += count
    return True


@helper
def _hand_back(record, layout, arguments, results, item, gradient, sums):
    """Write an item's gradients with respect to what is not a frame."""
    rows = load_long(record, L.SLOTS)
    for slot in range(load_long(layout, 1)):
        kind = load_long(layout, 2 + 2 * slot)
        row = rows + 8 * L.ROW * slot
        leaf, n_leaf, tie = load_long(row, L.LEAF), load_long(row, L.N_LEAF), load_long(row, L.TIE)
        result = load_long(row, L.RESULT)
        if result > 0:
            buffer = load_long(results, result)
            dtype = load_int(buffer + _DTYPE, 0)
            width = 4 if dtype == L.FLOAT else 8
            size = 1
            if kind == L.DENSE:
                size = _size(buffer, 2) * _size(buffer, 1)
            elif kind == L.GRAPH:
                size = _size(buffer, 1)
            target = load_long(buffer + _DATA, 0) + width * size * item
            own = gradient + 8 * leaf
            if kind == L.DENSE:
                if load_long(row, L.ROUTINE_DENSE) < 0:
                    _clear(target, dtype, 0, size)
                if leaf >= 0:
                    for k in range(n_leaf):
                        _put(target, dtype, k, _number(target, dtype, k) + load_double(own, k))
            elif leaf < 0:
                _clear(target, dtype, 0, size)
            elif tie == 0:
                for k in range(n_leaf):
                    _put(target, dtype, k, load_double(own, k))
                _clear(target, dtype, n_leaf, size)
            else:
                parameters = load_long(row, L.PARAMETERS)
                _clear(sums, L.DOUBLE, 0, parameters)
                for k in range(n_leaf):
                    place = load_int(tie, k)
                    store_double(sums, place, load_double(sums, place) + load_double(own, k))
                for k in range(parameters):
                    _put(target, dtype, k, load_double(sums, k))
                _clear(target, dtype, parameters, size)


@helper
def _run(record, layout, arguments, results, item, room):
    """Evaluate an item; whether that went well."""
    n_weights, n_gradient = load_long(record, L.N_WEIGHTS), load_long(record, L.N_GRADIENT)
    n_numbers, n_words = load_long(record, L.N_NUMBERS), load_long(record, L.N_WORDS)
    weights = room
    gradient = weights + 8 * n_weights
    sums = gradient + 8 * n_gradient
    numbers = sums + 8 * load_long(record, L.N_PARAMETERS)
    value = numbers + 8 * ((n_numbers + 1) // 2)
    status, returned, raised = value + 8, value + 16, value + 24
    words = value + 32
    work = (words + 8 * n_words + 63) // 64 * 64
    _copy(load_long(record, L.WORDS), L.DOUBLE, words, n_words)
    _copy(load_long(record, L.WEIGHTS), L.DOUBLE, weights, n_weights)
    _clear(gradient, L.DOUBLE, 0, n_gradient)
    for k in range(n_numbers):
        store_int(numbers, k, 0)
    store_double(value, 0, 0.0)
    store_long(status, 0, 0)
    store_long(words, 0, returned)
    store_long(words, 1, raised)
    store_long(words, load_long(record, L.W_WEIGHTS), weights)
    store_long(words, load_long(record, L.W_GRADIENT), gradient)
    store_long(words, load_long(record, L.W_NUMBERS), numbers)
    store_long(words, load_long(record, L.W_VALUES), value)
    store_long(words, load_long(record, L.W_STATUS), status)
    store_long(words, load_long(record, L.W_WORK), work)
    if not _fill_in(record, layout, arguments, results, item, words, weights):
        return False
    function, n_dense = load_long(record, L.FUNCTION), load_long(record, L.N_DENSE)
    if n_dense == 0:
        failed = _CALL_0(function, words)
    elif n_dense == 1:
        failed = _CALL_1(function, words)
    elif n_dense == 2:
        failed = _CALL_2(function, words)
    else:
        failed = _CALL_3(function, words)
    if failed != 0 or load_long(status, 0) != 0:
        return False
    first = load_long(results, 0)
    _put(load_long(first + _DATA, 0), load_int(first + _DTYPE, 0), item, load_double(value, 0))
    _hand_back(record, layout, arguments, results, item, gradient, sums)
    return True


@helper
def _room_for(record):
    """Bytes that `_run` needs."""
    longs = load_long(record, L.N_WEIGHTS) + load_long(record, L.N_GRADIENT) + load_long(record, L.N_PARAMETERS)
    longs += load_long(record, L.N_NUMBERS) // 2 + 1 + 4 + load_long(record, L.N_WORDS) + 8
    return 8 * (longs + load_long(record, L.N_FLOATS))


@helper
def _take_room(state, size):
    """Memory of that many bytes, of which its length stands before it; that of an earlier call if it is enough.

    Memory fresh from the system costs a page fault every 4 kB.
    """
    room = exchange(state + 8 * L.ROOM, 0)
    if room != 0 and load_long(room, 0) < size:
        call(load_long(state, L.RELEASE), room)
        room = 0
    if room == 0:
        room = call(load_long(state, L.ALLOCATE), size + 8)
        if room == 0:
            return 0
        store_long(room, 0, size)
    return room + 8


@helper
def _leave_room(state, room):
    """Keep memory for the next call, if it is not much."""
    kept = room - 8
    if load_long(kept, 0) <= _MOST_KEPT:
        kept = exchange(state + 8 * L.ROOM, kept)
    if kept != 0:
        call(load_long(state, L.RELEASE), kept)


@helper
def _evaluate(frame, state):
    """Do what is asked; whether that went well."""
    arguments, results = load_long(frame + _ARGUMENTS, 0), load_long(frame + _RESULTS, 0)
    layout = load_long(load_long(load_long(frame + _ATTRIBUTES, 0), 0), 2)
    n_slots = load_long(layout, 1)
    if n_slots < 0:
        return False
    value = load_long(results, 0)
    n_items = 1
    for axis in range(load_long(value + _RANK, 0)):
        n_items *= load_long(load_long(value + _SHAPE, 0), axis)
    allocate, release = load_long(state, L.ALLOCATE), load_long(state, L.RELEASE)
    records = call(allocate, 8 * (n_items + 1 + 4 * n_slots + 1))
    if records == 0:
        return False
    key = records + 8 * n_items
    table = load_long(state, L.TABLE)
    work = needed = 0
    well = True
    for item in range(n_items):
        length = _write_key(key, layout, arguments, item)
        record = 0
        if length > 0:
            record = _find(table, key, length)
        if record == 0:
            well = False
            break
        store_long(record, L.USED, 1)
        store_long(records, item, record)
        work += load_long(record, L.WORK)
        needed = max(needed, _room_for(record))
    if well and (n_items <= 1 or work <= load_long(state, L.MOST_WORK)):
        room = _take_room(state, needed)
        well = room != 0
        for item in range(n_items):
            if well:
                well = _run(load_long(records, item), layout, arguments, results, item, room)
        if room != 0:
            _leave_room(state, room)
    else:
        well = False
    call(release, records)
    return well


@kernel("int64(int64, int64)")
def handle(frame, state):
    """An XLA_FFI_CallFrame → the address of an XLA_FFI_Error, or 0."""
    extension = load_long(frame + _EXTENSION, 0)
    while extension != 0:
        if load_int(extension + 8, 0) == 1:  # XLA asks for which version of its structs this is
            metadata = load_long(extension + 24, 0)
            store_int(metadata + 24, 0, 0)
            store_int(metadata + 24, 1, load_long(state, L.MINOR))
            store_int(metadata + 24, 2, 0)
            return 0
        extension = load_long(extension + 16, 0)
    add_at(state + 8 * L.ACTIVE, 1)
    found = 0
    if _evaluate(frame, state):
        add_at(state + 8 * L.ANSWERED, 1)
    else:
        add_at(state + 8 * L.HANDED_ON, 1)
        found = call(load_long(state, L.PYTHON), frame)
    add_at(state + 8 * L.ACTIVE, -1)
    return found
