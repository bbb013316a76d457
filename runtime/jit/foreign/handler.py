"""What XLA calls: a task on a batch of items, by records that Python prepared; never Python, if all goes well.

Stage: run. For each item it finds the record of its key, fills in weights, and calls the routine; where one is missing,
the work is worth threads, or anything is unusual (a score that is none, a failed item), Python does the whole call
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
_CALL_0, _CALL_1, _CALL_2, _CALL_3 = CALLS


@helper
def _field(array, k):
    return load_long(array + 8 * k)


@helper
def _size(buffer, axis_from_end):
    """The extent of an axis, counted from the last one, 1."""
    return load_long(load_long(buffer + _SHAPE) + 8 * (load_long(buffer + _RANK) - axis_from_end))


@helper
def _number(address, dtype, k):
    """A real number of an array."""
    if dtype == L.FLOAT:
        return load_float(address + 4 * k)
    return load_double(address + 8 * k)


@helper
def _put(address, dtype, k, value):
    if dtype == L.FLOAT:
        store_float(address + 4 * k, value)
    else:
        store_double(address + 8 * k, value)


@helper
def _write_key(key, layout, arguments, item):
    """Write an item's key; its length, or −1 where a length is out of range."""
    store_long(key, _field(layout, 0))
    at = 1
    operand = 0
    for slot in range(_field(layout, 1)):
        kind, count = _field(layout, 2 + 2 * slot), _field(layout, 3 + 2 * slot)
        buffer = _field(arguments, operand)
        if kind == L.DENSE:
            steps = _size(buffer, 2)
            length = steps
            if count == 2:
                length = load_int(load_long(_field(arguments, operand + 1) + _DATA) + 4 * item)
                if length < 0 or length > steps:
                    return -1
            store_long(key + 8 * at, steps)
            store_long(key + 8 * (at + 1), _size(buffer, 1))
            store_long(key + 8 * (at + 2), length)
            store_long(key + 8 * (at + 3), load_int(buffer + _DTYPE))
            at += 4
        elif kind == L.GRAPH:
            store_long(key + 8 * at, load_int(load_long(buffer + _DATA) + 4 * item))
            weights = 0
            if count == 2:
                weights = _size(_field(arguments, operand + 1), 1)
            store_long(key + 8 * (at + 1), weights)
            at += 2
        operand += count
    return at


@helper
def _find(table, key, length):
    """The address of the record with that key, or 0."""
    mask = load_long(table)
    place = 0
    for k in range(length):
        place = (place ^ _field(key, k)) * L.PRIME
    place = (place ^ (place >> 29)) & mask
    while True:
        record = load_long(table + 8 * (1 + place))
        if record == 0:
            return 0
        if record != 1 and _field(record, L.KEY_LENGTH) == length:
            other = _field(record, L.KEY)
            same = True
            for k in range(length):
                if _field(key, k) != _field(other, k):
                    same = False
            if same:
                return record
        place = (place + 1) & mask


@helper
def _are_legal(address, dtype, count):
    """Whether numbers may weight arcs."""
    bad = 0
    if dtype == L.FLOAT:
        for k in range(count):
            bad |= not (load_float(address + 4 * k) <= _LARGEST)
    else:
        for k in range(count):
            bad |= not (load_double(address + 8 * k) <= _LARGEST)
    return bad == 0


@helper
def _clear(address, dtype, first, end):
    for k in range(first, end):
        _put(address, dtype, k, 0.0)


@helper
def _copy(source, dtype, target, count):
    """Numbers as float64."""
    for k in range(count):
        store_double(target + 8 * k, _number(source, dtype, k))


@helper
def _fill_in(record, layout, arguments, results, item, words, weights):
    """Write an item's weights and where its frames are; whether all of them are legal."""
    rows = _field(record, L.SLOTS)
    operand = 0
    for slot in range(_field(layout, 1)):
        kind, count = _field(layout, 2 + 2 * slot), _field(layout, 3 + 2 * slot)
        row = rows + 8 * L.ROW * slot
        leaf = _field(row, L.LEAF)
        if kind == L.DENSE:
            buffer = _field(arguments, operand)
            dtype, size = load_int(buffer + _DTYPE), _size(buffer, 2) * _size(buffer, 1)
            width = 4 if dtype == L.FLOAT else 8
            scores = load_long(buffer + _DATA) + width * size * item
            used = _field(row, L.N_LEAF)
            if not _are_legal(scores, dtype, used):
                return False
            if leaf >= 0:
                _copy(scores, dtype, weights + 8 * leaf, used)
            dense = _field(row, L.ROUTINE_DENSE)
            if dense >= 0:
                store_long(words + 8 * _field(record, L.W_FRAMES + 2 * dense), scores)
                result = _field(row, L.RESULT)
                if result > 0:
                    gradient = load_long(_field(results, result) + _DATA) + width * size * item
                    store_long(words + 8 * _field(record, L.W_FRAMES + 2 * dense + 1), gradient)
                    _clear(gradient, dtype, used, size)
        elif kind == L.SCORE:
            buffer = _field(arguments, operand)
            dtype = load_int(buffer + _DTYPE)
            score = _number(load_long(buffer + _DATA), dtype, item)
            if not score <= _LARGEST:
                return False
            if leaf >= 0:
                store_double(weights + 8 * leaf, score)
        elif count == 2:
            buffer = _field(arguments, operand + 1)
            dtype, size = load_int(buffer + _DTYPE), _size(buffer, 1)
            width = 4 if dtype == L.FLOAT else 8
            given = load_long(buffer + _DATA) + width * size * item
            if not _are_legal(given, dtype, _field(row, L.PARAMETERS)):
                return False
            tie = _field(row, L.TIE)
            if leaf >= 0 and tie == 0:
                _copy(given, dtype, weights + 8 * leaf, _field(row, L.N_LEAF))
            elif leaf >= 0:
                for k in range(_field(row, L.N_LEAF)):
                    store_double(weights + 8 * (leaf + k), _number(given, dtype, load_int(tie + 4 * k)))
        operand += count
    return True


@helper
def _hand_back(record, layout, arguments, results, item, gradient, sums):
    """Write an item's gradients with respect to what is not a frame."""
    rows = _field(record, L.SLOTS)
    operand = 0
    for slot in range(_field(layout, 1)):
        kind, count = _field(layout, 2 + 2 * slot), _field(layout, 3 + 2 * slot)
        row = rows + 8 * L.ROW * slot
        leaf, n_leaf = _field(row, L.LEAF), _field(row, L.N_LEAF)
        result = _field(row, L.RESULT)
        if result > 0:
            buffer = _field(results, result)
            dtype = load_int(buffer + _DTYPE)
            width = 4 if dtype == L.FLOAT else 8
            size = 1
            if kind == L.DENSE:
                size = _size(buffer, 2) * _size(buffer, 1)
            elif kind == L.GRAPH:
                size = _size(buffer, 1)
            target = load_long(buffer + _DATA) + width * size * item
            own = gradient + 8 * leaf
            if kind == L.DENSE:
                if _field(row, L.ROUTINE_DENSE) < 0:
                    _clear(target, dtype, 0, size)
                if leaf >= 0:
                    for k in range(n_leaf):
                        _put(target, dtype, k, _number(target, dtype, k) + load_double(own + 8 * k))
            elif leaf < 0:
                _clear(target, dtype, 0, size)
            elif _field(row, L.TIE) == 0:
                for k in range(n_leaf):
                    _put(target, dtype, k, load_double(own + 8 * k))
                _clear(target, dtype, n_leaf, size)
            else:
                parameters = _field(row, L.PARAMETERS)
                tie = _field(row, L.TIE)
                _clear(sums, L.DOUBLE, 0, parameters)
                for k in range(n_leaf):
                    place = sums + 8 * load_int(tie + 4 * k)
                    store_double(place, load_double(place) + load_double(own + 8 * k))
                for k in range(parameters):
                    _put(target, dtype, k, load_double(sums + 8 * k))
                _clear(target, dtype, parameters, size)
        operand += count


@helper
def _run(record, layout, arguments, results, item, room):
    """Evaluate an item; whether that went well."""
    weights = room
    gradient = weights + 8 * _field(record, L.N_WEIGHTS)
    sums = gradient + 8 * _field(record, L.N_GRADIENT)
    numbers = sums + 8 * _field(record, L.N_PARAMETERS)
    value = numbers + 8 * ((_field(record, L.N_NUMBERS) + 1) // 2)
    status, returned, raised = value + 8, value + 16, value + 24
    words = value + 32
    work = (words + 8 * _field(record, L.N_WORDS) + 63) // 64 * 64
    source = _field(record, L.WORDS)
    for k in range(_field(record, L.N_WORDS)):
        store_long(words + 8 * k, _field(source, k))
    source = _field(record, L.WEIGHTS)
    for k in range(_field(record, L.N_WEIGHTS)):
        store_long(weights + 8 * k, _field(source, k))
    for k in range(_field(record, L.N_GRADIENT)):
        store_long(gradient + 8 * k, 0)
    for k in range(_field(record, L.N_NUMBERS)):
        store_int(numbers + 4 * k, 0)
    store_double(value, 0.0)
    store_long(status, 0)
    store_long(words, returned)
    store_long(words + 8, raised)
    store_long(words + 8 * _field(record, L.W_WEIGHTS), weights)
    store_long(words + 8 * _field(record, L.W_GRADIENT), gradient)
    store_long(words + 8 * _field(record, L.W_NUMBERS), numbers)
    store_long(words + 8 * _field(record, L.W_VALUES), value)
    store_long(words + 8 * _field(record, L.W_STATUS), status)
    store_long(words + 8 * _field(record, L.W_WORK), work)
    if not _fill_in(record, layout, arguments, results, item, words, weights):
        return False
    function, n_dense = _field(record, L.FUNCTION), _field(record, L.N_DENSE)
    if n_dense == 0:
        failed = _CALL_0(function, words)
    elif n_dense == 1:
        failed = _CALL_1(function, words)
    elif n_dense == 2:
        failed = _CALL_2(function, words)
    else:
        failed = _CALL_3(function, words)
    if failed != 0 or load_long(status) != 0:
        return False
    first = load_long(results)
    _put(load_long(first + _DATA), load_int(first + _DTYPE), item, load_double(value))
    _hand_back(record, layout, arguments, results, item, gradient, sums)
    return True


@helper
def _room_for(record):
    """Bytes that `_run` needs."""
    longs = _field(record, L.N_WEIGHTS) + _field(record, L.N_GRADIENT) + _field(record, L.N_PARAMETERS)
    longs += _field(record, L.N_NUMBERS) // 2 + 1 + 4 + _field(record, L.N_WORDS) + 8 + _field(record, L.N_FLOATS)
    return 8 * longs


@helper
def _evaluate(frame, state):
    """Do what is asked; whether that went well."""
    arguments, results = load_long(frame + _ARGUMENTS), load_long(frame + _RESULTS)
    layout = load_long(load_long(load_long(frame + _ATTRIBUTES)) + 16)
    n_slots = _field(layout, 1)
    if n_slots < 0:
        return False
    value = load_long(results)
    n_items = 1
    for axis in range(load_long(value + _RANK)):
        n_items *= load_long(load_long(value + _SHAPE) + 8 * axis)
    allocate, release = _field(state, L.ALLOCATE), _field(state, L.RELEASE)
    records = call(allocate, 8 * (n_items + 1 + 4 * n_slots + 1))
    if records == 0:
        return False
    key = records + 8 * n_items
    table = _field(state, L.TABLE)
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
        store_long(record + 8 * L.USED, 1)
        store_long(records + 8 * item, record)
        work += _field(record, L.WORK)
        needed = max(needed, _room_for(record))
    if well and work <= _field(state, L.MOST_WORK):
        room = call(allocate, needed)
        well = room != 0
        for item in range(n_items):
            if well:
                well = _run(_field(records, item), layout, arguments, results, item, room)
        if room != 0:
            call(release, room)
    else:
        well = False
    call(release, records)
    return well


@kernel("int64(int64, int64)")
def handle(frame, state):
    """An XLA_FFI_CallFrame → the address of an XLA_FFI_Error, or 0."""
    extension = load_long(frame + _EXTENSION)
    while extension != 0:
        if load_int(extension + 8) == 1:  # XLA asks for which version of its structs this is
            metadata = load_long(extension + 24)
            store_int(metadata + 24, 0)
            store_int(metadata + 28, _field(state, L.MINOR))
            store_int(metadata + 32, 0)
            return 0
        extension = load_long(extension + 16)
    add_at(state + 8 * L.ACTIVE, 1)
    found = 0
    if _evaluate(frame, state):
        add_at(state + 8 * L.ANSWERED, 1)
    else:
        add_at(state + 8 * L.HANDED_ON, 1)
        found = call(_field(state, L.PYTHON), frame)
    add_at(state + 8 * L.ACTIVE, -1)
    return found
