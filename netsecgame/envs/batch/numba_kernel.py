"""The rules for one environment after another, compiled to machine code.

Written like the rules in `netsecgame.core.actions`, on words instead of masks. Words are unsigned
and places signed; they are never mixed in arithmetic, because the result would be a float.

`batch` and `scratch` are blocks (`numba_memory`) of the tuples of `numba_backend`, and so are the
members of `batch`: `t` is its tables.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from llvmlite import ir as llvm  # type: ignore[import-untyped]
from numba import njit, types
from numba.extending import intrinsic

from netsecgame.core import rng
from netsecgame.core.logs import MAX_LOG_ENTRIES
from netsecgame.envs.batch import tables
from netsecgame.envs.batch.arrays import AGENT, NOBODY, RANDOM, SCRIPTED
from netsecgame.envs.batch.draws import STREAMS
from netsecgame.envs.batch.positions import DRAW_NEW, SET_ALL

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    _F = TypeVar("_F", bound=Callable[..., Any])

    def entry(function: _F) -> _F:
        """A function in machine code that Python calls; kept for the next process."""

    def compiled(function: _F) -> _F:
        """A function in machine code that only others call."""

    def inlined(function: _F) -> _F:
        """A function that becomes part of those that call it."""

else:
    # Nothing here makes arrays, so nothing needs their reference counts: without them the code is
    # several times faster.
    _OPTIONS = {"nogil": True, "error_model": "numpy", "_nrt": False}
    _INNER = {**_OPTIONS, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    entry = njit(cache=True, **_OPTIONS)
    compiled = njit(**_INNER)
    inlined = njit(forceinline=True, **_INNER)

# As numpy's integers: with Python's, every function is compiled once for each of them.
_BLOCK_IP, _EXFILTRATE_DATA, _EXPLOIT_SERVICE, _FIND_DATA, _FIND_SERVICES, _SCAN_NETWORK = (
    np.int64(kind)
    for kind in (
        tables.BLOCK_IP,
        tables.EXFILTRATE_DATA,
        tables.EXPLOIT_SERVICE,
        tables.FIND_DATA,
        tables.FIND_SERVICES,
        tables.SCAN_NETWORK,
    )
)
_PLAYING, _SUCCESS, _DETECTED, _TIMEOUT = (
    np.int64(status) for status in (tables.PLAYING, tables.SUCCESS, tables.DETECTED, tables.TIMEOUT)
)
_START, _GOAL, _ACTIONS, _DETECTION, _DEFENDER, _CHOICE = (np.int64(stream) for stream in STREAMS)
_YES = np.bool_(True)

_ZERO, _ONE = np.uint64(0), np.uint64(1)
_GAMMA, _MIX_1, _MIX_2 = (np.uint64(n) for n in (rng.GAMMA, rng.MIX_1, rng.MIX_2))
_UNIT = 2.0**-53


# --- words ----------------------------------------------------------------------------------------


@intrinsic
def _count_bits(_context: Any, word: Any) -> Any:
    """How many bits of a word are set."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), generate


@intrinsic
def _lowest_bit(_context: Any, word: Any) -> Any:
    """The place of the lowest bit of a word that is not zero."""

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        is_zero_undefined = context.get_constant(types.boolean, True)
        return builder.cttz(arguments[0], is_zero_undefined)

    return types.uint64(types.uint64), generate


@intrinsic
def _write_flags(_context: Any, flags: Any, first: Any, word: Any) -> Any:
    """Write 64 flags, from `first` on: the bits of a word."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = signature.args[0]
        array = context.make_array(kind)(context, builder, arguments[0])
        octets = llvm.VectorType(llvm.IntType(8), 64)
        bits = builder.bitcast(arguments[2], llvm.VectorType(llvm.IntType(1), 64))
        place = builder.bitcast(builder.gep(array.data, [arguments[1]]), octets.as_pointer())
        builder.store(builder.zext(bits, octets), place, align=1)
        return context.get_dummy_value()

    return types.void(flags, types.int64, types.uint64), generate


@intrinsic
def _write_floats(_context: Any, floats: Any, first: Any, word: Any) -> Any:
    """Write 64 numbers, from `first` on: 1.0 for each bit of a word that is set, else 0.0."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = signature.args[0]
        array = context.make_array(kind)(context, builder, arguments[0])
        numbers = llvm.VectorType(llvm.FloatType(), 64)
        bits = builder.bitcast(arguments[2], llvm.VectorType(llvm.IntType(1), 64))
        place = builder.bitcast(builder.gep(array.data, [arguments[1]]), numbers.as_pointer())
        builder.store(builder.uitofp(bits, numbers), place, align=4)
        return context.get_dummy_value()

    return types.void(floats, types.int64, types.uint64), generate


@inlined
def _has(row, bit):
    return (row[bit >> 6] >> np.uint64(bit & 63)) & _ONE != _ZERO


@inlined
def _set(row, bit):
    row[bit >> 6] |= _ONE << np.uint64(bit & 63)


@inlined
def _part(row, first, part, width):
    """The `part`-th word of a field."""
    word = row[(first >> 6) + part] >> np.uint64(first & 63)
    left = width - part * 64
    if left < 64:
        word &= (_ONE << np.uint64(left)) - _ONE
    return word


@inlined
def _add_part(row, first, part, word):
    row[(first >> 6) + part] |= word << np.uint64(first & 63)


@inlined
def _add_bits(row, first, word):
    """Set the bits of a word in a row, from any bit on; a word more than they need is touched."""
    place, shift = first >> 6, np.uint64(first & 63)
    row[place] |= word << shift
    row[place + 1] |= (word >> _ONE) >> (np.uint64(63) - shift)  # no shift by 64: it has no result


@inlined
def _nth(word, n):
    """The place of the n-th set bit of a word."""
    for _ in range(n):
        word &= word - _ONE
    return np.int64(_lowest_bit(word))


@inlined
def _next_word(streams, stream):
    state = streams[stream] + _GAMMA
    streams[stream] = state
    word = (state ^ (state >> np.uint64(30))) * _MIX_1
    word = (word ^ (word >> np.uint64(27))) * _MIX_2
    return word ^ (word >> np.uint64(31))


@inlined
def _below(streams, stream, count):
    return np.int64(
        ((_next_word(streams, stream) >> np.uint64(32)) * np.uint64(count)) >> np.uint64(32)
    )


@inlined
def _chance(streams, stream):
    return np.float64(_next_word(streams, stream) >> np.uint64(11)) * _UNIT


# --- actions --------------------------------------------------------------------------------------


@inlined
def _connects(t, truth, source, target):
    if (t.reach[source, target >> 6] >> np.uint64(target & 63)) & _ONE == _ZERO:
        return False
    return not (t.has_blocks and _has(truth, t.blocked_bit[source] + target))


@compiled
def _note(t, envs, i, address, source):
    """Write into the log of an address' device, as far as a scripted defender looks at it."""
    device = t.device_of[address]
    if t.device_of[source] != device:
        envs.intruders[i, device] = source
        envs.intruder_ages[i, device] = 0
    envs.intruder_ages[i, device] += 1


@inlined
def _apply(t, envs, i, state, kind, source, target, item, writes_logs, own_blocks):
    """Carry out an action of somebody who controls its source.

    `own_blocks` are the truth bits for the blocks that they set, by address.
    """
    truth = envs.truth[i]
    if kind == _SCAN_NETWORK:
        for part in range(t.address_words):
            found = t.reach[source, part] & t.inside[item, part]
            if t.has_blocks:
                found &= ~_part(truth, t.blocked_bit[source], part, t.addresses)
            _add_part(state, t.hosts_bit, part, found)
            if writes_logs:
                while found != _ZERO:
                    _note(t, envs, i, part * 64 + np.int64(_lowest_bit(found)), source)
                    found &= found - _ONE
        return
    if not _connects(t, truth, source, target):
        return
    is_controlled = _has(state, t.controlled_bit + target)
    if kind == _FIND_SERVICES:
        if writes_logs:
            _note(t, envs, i, target, source)
        _find_services(t, state, target, is_controlled)
    elif kind == _FIND_DATA:
        if writes_logs:
            _note(t, envs, i, target, source)
        if is_controlled:
            _find_data(t, state, truth, target)
    elif kind == _EXPLOIT_SERVICE:
        if writes_logs:
            _note(t, envs, i, target, source)
        if not is_controlled and _has(state, t.place_bit[item]):
            _set(state, t.controlled_bit + target)
            _set(state, t.hosts_bit + target)
            _set(state, t.network_of[target])
    elif kind == _EXFILTRATE_DATA:
        if is_controlled and _has(state, t.data_bit[source] + item):
            if writes_logs:
                _note(t, envs, i, target, source)
            if _has(truth, t.held_bit[source] + item):
                _set(state, t.data_bit[target] + item)
                if item != t.log:
                    _set(truth, t.held_bit[target] + item)
    elif is_controlled and target != item:
        _set(truth, t.blocked_bit[target] + item)
        _set(truth, t.blocked_bit[item] + target)
        _set(truth, own_blocks[target] + item)
        _set(truth, own_blocks[item] + target)
        if writes_logs:
            _note(t, envs, i, target, source)
        _set(state, t.blocks_bit[target] + item)
        _set(state, t.blocks_bit[item] + target)


@compiled
def _count_refused(t, truth, state, kind, source, target, item):
    """How many connections of an action are refused because of blocks of the defender."""
    own_blocks = t.defended_bit[source]
    if kind == _SCAN_NETWORK:
        count = _ZERO
        for part in range(t.address_words):
            cut = _part(truth, own_blocks, part, t.addresses)
            count += _count_bits(cut & t.inside[item, part])
        return np.int64(count)
    if kind in (_EXFILTRATE_DATA, _BLOCK_IP) and not _has(state, t.controlled_bit + target):
        return 0
    if kind == _BLOCK_IP and target == item:
        return 0
    return np.int64(_has(truth, own_blocks + target))


@inlined
def _find_services(t, state, target, is_controlled):
    first, end = t.chunk_first[target], t.chunk_first[target + 1]
    visible = t.chunk_all if is_controlled else t.chunk_open
    is_any = False
    for chunk in range(first, end):
        is_any |= visible[chunk] != _ZERO
    if not is_any:
        return
    for chunk in range(first, end):
        word = t.chunk_word[chunk]
        state[word] = (state[word] & ~t.chunk_field[chunk]) | visible[chunk]
    if not _has(state, t.hosts_bit + target):
        _set(state, t.hosts_bit + target)
        _set(state, t.network_of[target])


@inlined
def _find_data(t, state, truth, target):
    for part in range(t.data_words):
        _add_part(state, t.data_bit[target], part, _part(truth, t.held_bit[target], part, t.data))
    if t.has_blocks:
        for part in range(t.address_words):
            blocked = _part(truth, t.blocked_bit[target], part, t.addresses)
            _add_part(state, t.blocks_bit[target], part, blocked)


# --- legal actions --------------------------------------------------------------------------------


@compiled
def _find_cuts(t, cuts, state):
    """By address, whom it is known to be cut off from, either way; whether there is anybody."""
    for address in range(t.addresses):
        for part in range(t.address_words):
            cuts[address, part] = _ZERO
    is_any = False
    for address in range(len(t.blocks_bit)):
        for part in range(t.address_words):
            word = _part(state, t.blocks_bit[address], part, t.addresses)
            cuts[address, part] |= word
            while word != _ZERO:
                is_any = True
                other = part * 64 + np.int64(_lowest_bit(word))
                cuts[other, address >> 6] |= _ONE << np.uint64(address & 63)
                word &= word - _ONE
    return is_any


@inlined
def _count_field(state, first, width):
    count = _ZERO
    for part in range((width + 63) >> 6):
        count += _count_bits(_part(state, first, part, width))
    return np.int64(count)


@inlined
def _count_data(t, state, address):
    return _count_field(state, t.data_bit[address], t.data)


@inlined
def _nth_of(words, n):
    """The n-th set bit."""
    word = 0
    count = np.int64(_count_bits(words[0]))
    while n >= count:
        n -= count
        word += 1
        count = np.int64(_count_bits(words[word]))
    return word * 64 + _nth(words[word], n)


@compiled
def _add_field(state, bit, width, row, first):
    for part in range((width + 63) >> 6):
        _add_bits(row, first + part * 64, _part(state, bit, part, width))


@compiled
def _add_row(t, scratch, state, kind, source, first):
    """Set the bits of the legal actions of a type from a source, from bit `first` of `legal` on."""
    row, cuts = scratch.legal, scratch.cuts
    if kind == _EXFILTRATE_DATA:
        if _count_data(t, state, source) == 0:
            return
        for part in range(t.address_words):
            targets = _part(state, t.controlled_bit, part, t.addresses) & ~cuts[source, part]
            while targets != _ZERO:
                target = part * 64 + np.int64(_lowest_bit(targets))
                targets &= targets - _ONE
                if target != source:
                    _add_field(state, t.data_bit[source], t.data, row, first + target * t.data)
        return
    if not _has(state, t.controlled_bit + source):
        return
    if kind == _EXPLOIT_SERVICE:
        for run in range(len(t.run_word)):
            known = state[t.run_word[run]] & t.run_bits[run]
            _add_bits(row, first + t.run_place[run], known >> _lowest_bit(t.run_bits[run]))
        for part in range(t.address_words):
            others = cuts[source, part]
            while others != _ZERO:
                target = part * 64 + np.int64(_lowest_bit(others))
                others &= others - _ONE
                for place in range(t.place_first[target], t.place_first[target + 1]):
                    row[(first + place) >> 6] &= ~(_ONE << np.uint64((first + place) & 63))
    elif kind == _FIND_DATA:
        _set(row, first + source)
    elif kind == _FIND_SERVICES:
        for part in range(t.address_words):
            hosts = _part(state, t.hosts_bit, part, t.addresses) & ~cuts[source, part]
            _add_bits(row, first + part * 64, hosts)
    elif kind == _SCAN_NETWORK:
        _add_field(state, t.networks_bit, t.networks, row, first)
    else:
        for part in range(t.address_words):
            targets = _part(state, t.controlled_bit, part, t.addresses) & ~cuts[source, part]
            while targets != _ZERO:
                target = part * 64 + np.int64(_lowest_bit(targets))
                targets &= targets - _ONE
                start = first + target * t.addresses
                for other in range(t.address_words):
                    hosts = _part(state, t.hosts_bit, other, t.addresses) & ~cuts[target, other]
                    if other == target >> 6:
                        hosts &= ~(_ONE << np.uint64(target & 63))
                    _add_bits(row, start + other * 64, hosts)


@inlined
def _write_row(t, scratch, state, kind, source):
    """Make `legal` the legal actions of a type from a source; returns how many words those take."""
    width = t.defender_numbering.per_source[kind]
    words = (width + 63) >> 6
    for word in range(words + 1):
        scratch.legal[word] = _ZERO
    _add_row(t, scratch, state, kind, source, 0)
    return words


@compiled
def _count_row(t, scratch, state, kind, source):
    """How many actions of a type are legal from a source; `legal` is those then."""
    count = _ZERO
    for word in range(_write_row(t, scratch, state, kind, source)):
        count += _count_bits(scratch.legal[word])
    return np.int64(count)


@compiled
def _count_exfiltrations(t, scratch, state, source):
    """The same for exfiltration, without writing them."""
    items = _count_data(t, state, source)
    if items == 0:
        return 0
    targets = _ZERO
    for part in range(t.address_words):
        word = _part(state, t.controlled_bit, part, t.addresses) & ~scratch.cuts[source, part]
        if part == source >> 6:
            word &= ~(_ONE << np.uint64(source & 63))
        targets += _count_bits(word)
    return items * np.int64(targets)


@compiled
def _choose(t, scratch, state, streams, stream, with_blocks):
    """A legal action drawn from all of them: type, source, place; type -1 for none."""
    has_cuts = t.has_blocks and _find_cuts(t, scratch.cuts, state)
    sources = _count_field(state, t.controlled_bit, t.addresses)
    # Without cuts every source has the same choice, but for exfiltration.
    block = exfiltrate = exploit = services = 0
    if has_cuts:
        for address in range(t.addresses):
            exfiltrate += _count_exfiltrations(t, scratch, state, address)
            if _has(state, t.controlled_bit + address):
                exploit += _count_row(t, scratch, state, _EXPLOIT_SERVICE, address)
                services += _count_row(t, scratch, state, _FIND_SERVICES, address)
                if with_blocks:
                    block += _count_row(t, scratch, state, _BLOCK_IP, address)
    else:
        known_services = known_data = _ZERO
        for word in range(len(t.service_bits)):
            known_services += _count_bits(state[word] & t.service_bits[word])
            known_data += _count_bits(state[word] & t.data_bits[word])
        exploit = sources * np.int64(known_services)
        exfiltrate = sources * np.int64(known_data)
        if exfiltrate > 0:  # no host sends data to itself
            for part in range(t.address_words):
                word = _part(state, t.controlled_bit, part, t.addresses)
                while word != _ZERO:
                    exfiltrate -= _count_data(t, state, part * 64 + np.int64(_lowest_bit(word)))
                    word &= word - _ONE
        hosts = _count_field(state, t.hosts_bit, t.addresses)
        services = sources * hosts
        if with_blocks:
            block = sources * sources * (hosts - 1)  # whoever is controlled is known too
    networks = sources * _count_field(state, t.networks_bit, t.networks)
    counts = (block, exfiltrate, exploit, sources, services, networks)
    total = block + exfiltrate + exploit + sources + services + networks
    if total == 0:
        return -1, -1, -1
    n = _below(streams, stream, total)
    kind = 0
    while n >= counts[kind]:
        n -= counts[kind]
        kind += 1
    source = -1
    if not has_cuts and kind != _EXFILTRATE_DATA:
        per_source, _ = _divide(counts[kind], sources)
        nth_source, n = _divide(n, per_source)
        for part in range(t.address_words):
            word = _part(state, t.controlled_bit, part, t.addresses)
            count = np.int64(_count_bits(word))
            if nth_source < count:
                source = part * 64 + _nth(word, nth_source)
                break
            nth_source -= count
    else:
        while True:
            source += 1
            if kind == _EXFILTRATE_DATA:
                count = _count_exfiltrations(t, scratch, state, source)
            else:
                count = _count_row(t, scratch, state, kind, source)
            if n < count:
                break
            n -= count
    _write_row(t, scratch, state, kind, source)
    return kind, source, _nth_of(scratch.legal, n)


@inlined
def _divide(number, by):
    """Quotient and rest of numbers from 0 to 2**32 - 1: several times faster than signed words."""
    small, divisor = np.uint32(number), np.uint32(by)
    quotient = small // divisor
    return np.int64(quotient), np.int64(small - quotient * divisor)


@inlined
def _aim(t, kind, place):
    """Target and item of a place among the numbers of a type and a source."""
    if kind == _SCAN_NETWORK:
        return -1, place
    if kind == _EXPLOIT_SERVICE:
        return t.place_target[place], place
    if kind == _EXFILTRATE_DATA:
        return _divide(place, t.data)
    if kind == _BLOCK_IP:
        return _divide(place, t.addresses)
    return place, -1


@inlined
def _parts_of(t, numbering, number):
    """Type, source, target and item of a number."""
    kind = 5
    while number < numbering.starts[kind] or numbering.per_source[kind] == 0:
        kind -= 1
    source, place = _divide(number - numbering.starts[kind], numbering.per_source[kind])
    target, item = _aim(t, kind, place)
    return kind, source, target, item


@compiled
def _write_mask(t, numbering, scratch, state, flags):
    """One flag for every number, set if the action is legal."""
    legal, size = scratch.legal, numbering.size
    for word in range((size >> 6) + 2):
        legal[word] = _ZERO
    if t.has_blocks:
        _find_cuts(t, scratch.cuts, state)
    for source in range(t.addresses):
        # Whoever is not controlled is a source of exfiltration only.
        for kind in range(_EXPLOIT_SERVICE if not _has(state, t.controlled_bit + source) else 6):
            width = numbering.per_source[kind]
            if width > 0:
                first = numbering.starts[kind] + source * width
                _add_row(t, scratch, state, kind, source, first)
    for first in range(0, size - 63, 64):
        _write_flags(flags, first, legal[first >> 6])
    if size >= 64:
        first = size - 64
        place, shift = first >> 6, np.uint64(first & 63)
        word = legal[place] >> shift | (legal[place + 1] << _ONE) << (np.uint64(63) - shift)
        _write_flags(flags, first, word)
    else:
        for number in range(size):
            flags[number] = _has(legal, number)


# --- observations ---------------------------------------------------------------------------------


@inlined
def _write_observation(t, state, steps, max_steps, row):
    """What `StateLayout.flatten` makes of a state after so many steps."""
    first = 0
    for word in range(len(t.used_bits)):
        bits, used = state[word], t.used_bits[word]
        if first + 64 <= len(row):  # what is too much is written over
            _write_floats(row, first, bits)
        else:
            for bit in range(used):
                row[first + bit] = np.float32(np.int32(bits >> np.uint64(bit)) & 1)
        first += used
    row[first] = steps / max_steps if max_steps > 0 else 0.0


# --- episodes -------------------------------------------------------------------------------------


@compiled
def _draw(base, operations, bits, row, streams, stream):
    """Write a position into a row."""
    for word in range(len(base)):
        row[word] = base[word]
    for operation in range(len(operations)):
        kind, first, end = operations[operation]
        if kind == SET_ALL:
            for place in range(first, end):
                _set(row, bits[place])
            continue
        free = end - first
        if kind == DRAW_NEW:
            for place in range(first, end):
                if _has(row, bits[place]):
                    free -= 1
        if free == end - first or free == 0:  # each may be drawn
            _set(row, bits[first + _below(streams, stream, end - first)])
            continue
        n = _below(streams, stream, free)
        for place in range(first, end):
            if not _has(row, bits[place]):
                if n == 0:
                    _set(row, bits[place])
                    break
                n -= 1


@compiled
def _draw_start(t, role, row, streams):
    _draw(role.start_base, role.start_operations, role.start_bits, row, streams, _START)
    for part in range(t.address_words):
        controlled = _part(row, t.controlled_bit, part, t.addresses)
        _add_part(row, t.hosts_bit, part, controlled)
        while controlled != _ZERO:
            address = part * 64 + np.int64(_lowest_bit(controlled))
            for word in range(len(row)):
                row[word] |= t.start_networks[address, word]
            controlled &= controlled - _ONE


@compiled
def _draw_goal(role, row, streams):
    _draw(role.goal_base, role.goal_operations, role.goal_bits, row, streams, _GOAL)


@compiled
def _begin(t, roles, envs, i):
    """Begin a new episode of an environment."""
    streams = envs.streams[i]
    _draw_start(t, roles.attacker, envs.states[i], streams)
    _draw_goal(roles.attacker, envs.goals[i], streams)
    for word in range(t.truth_words):
        envs.truth[i, word] = t.truth_start[word]
    envs.steps[i] = 0
    envs.status[i] = _PLAYING
    for word in range(t.repeat_words):
        envs.repeats[i, word] = _ZERO
    if roles.who != NOBODY:
        _draw_start(t, roles.defender, envs.defender_states[i], streams)
        _draw_goal(roles.defender, envs.defender_goals[i], streams)
        envs.defender_steps[i] = 0
        envs.defender_plays[i] = True
        envs.searched[i] = -1
        envs.suspects[i] = -1
        if roles.who == AGENT:
            envs.false_positives[i] = 0
        for device in range(envs.intruders.shape[1]):
            envs.intruders[i, device] = -1
            envs.intruder_ages[i, device] = 0


@inlined
def _is_reached(t, role, goal, state, attacker):
    is_any = role.has_attackers
    for word in range(len(goal)):
        if goal[word] & ~state[word] != _ZERO:
            return False
        is_any |= goal[word] != _ZERO
    if role.has_attackers:
        for host in range(t.addresses):
            if not role.goal_attackers[host]:
                continue
            others = _ZERO
            for part in range(t.address_words):
                word = _part(attacker, t.controlled_bit, part, t.addresses)
                if part == host >> 6:
                    word &= ~(_ONE << np.uint64(host & 63))
                if word & ~_part(state, t.blocks_bit[host], part, t.addresses) != _ZERO:
                    return False
                others |= word
            if others == _ZERO:
                return False
    return is_any


@compiled
def _is_detected(t, envs, i, kind, number):
    """Note an action, and whether the global defender detects it."""
    recent = envs.recent[i]
    steps = envs.steps[i]
    recent[(steps - 1) % t.window] = kind
    repeats = 0
    if t.repeat_first[kind] >= 0:
        counter = t.repeat_first[kind] + number - t.numbering.starts[kind]
        per_word = 64 // t.repeat_bits
        word, shift = counter // per_word, np.uint64(counter % per_word * t.repeat_bits)
        most = (_ONE << np.uint64(t.repeat_bits)) - _ONE
        count = (envs.repeats[i, word] >> shift) & most
        if count < most:
            envs.repeats[i, word] += _ONE << shift
        repeats = np.int64(count) + 1
    if t.detection[kind, 0] == 0 or steps < t.window:
        return False
    same = run = longest = 0
    for ago in range(t.window):
        if recent[(steps + ago) % t.window] == kind:
            same += 1
            run += 1
            longest = max(longest, run)
        else:
            run = 0
    if (
        repeats >= t.detection[kind, 4]
        or same / t.window >= t.detection[kind, 2]
        or longest >= t.detection[kind, 3]
    ):
        return _chance(envs.streams[i], _DETECTION) < t.detection[kind, 1]
    return False


@compiled
def _defend(t, roles, envs, i, number, scratch):
    """The defender's turn; returns how its episode stands. The number is its action's, if given."""
    role, who = roles.defender, roles.who
    state = envs.defender_states[i]
    streams = envs.streams[i]
    if who == RANDOM:
        kind, source, place = _choose(t, scratch, state, streams, _DEFENDER, _YES)
        if kind < 0:
            return _PLAYING
        target, item = _aim(t, kind, place)
    elif who == AGENT:
        kind, source, target, item = _parts_of(t, t.defender_numbering, number)
    else:
        host, suspect = np.int64(envs.searched[i]), np.int64(envs.suspects[i])
        envs.suspects[i] = -1
        if suspect >= 0 and not _has(state, t.blocks_bit[host] + suspect):
            kind, source, target, item = _BLOCK_IP, host, host, suspect
        else:
            source = -1
            for ahead in range(1, t.addresses + 1):
                address = (host + ahead) % t.addresses
                if _has(state, t.controlled_bit + address):
                    source = address
                    break
            if source < 0:
                return _PLAYING
            kind, target, item = _FIND_DATA, source, np.int64(-1)
            envs.searched[i] = source
    envs.defender_steps[i] += 1
    chance = t.chances[kind]
    is_done = chance >= 1.0
    if not is_done:
        is_done = _chance(streams, _ACTIONS) < chance
    if is_done and _has(state, t.controlled_bit + source):
        if who == AGENT:
            truth = envs.truth[i]
            refused = _count_refused(t, truth, state, kind, source, target, item)
            envs.false_positives[i] += refused
        is_noted = who == SCRIPTED
        _apply(t, envs, i, state, kind, source, target, item, is_noted, t.defended_bit)
        if who == SCRIPTED and kind == _FIND_DATA and _connects(t, envs.truth[i], source, target):
            device = t.device_of[target]
            if envs.intruder_ages[i, device] <= MAX_LOG_ENTRIES:
                envs.suspects[i] = envs.intruders[i, device]
    if _is_reached(t, role, envs.defender_goals[i], state, envs.states[i]):
        return _SUCCESS
    if role.max_steps > 0 and envs.defender_steps[i] >= role.max_steps:
        return _TIMEOUT
    return _PLAYING


@compiled
def _answer(batch, i, number, status, scratch):
    """The turn of a defender from outside, after the attacker's that ended with `status`."""
    envs, results, rewards = batch.envs, batch.results, batch.rewards
    gained = 0.0
    is_terminated = is_over = False
    if envs.defender_plays[i]:
        gained = rewards.step
        theirs = _defend(batch.tables, batch.roles, envs, i, number, scratch)
        is_terminated = theirs == _SUCCESS or status in (_SUCCESS, _DETECTED)
        is_over = theirs != _PLAYING or status != _PLAYING
        envs.defender_plays[i] = not is_over
    if status != _PLAYING:
        blamed = envs.false_positives[i] * rewards.false_positive
        gained += rewards.defender[status] + blamed
    results.defender_rewards[i] = gained
    results.defender_terminated[i] = is_terminated
    results.defender_truncated[i] = is_over and not is_terminated
    results.defender_done[i] = not envs.defender_plays[i]


@inlined
def _play(t, roles, envs, i, number, scratch):
    """One action of the attacker and its world's answer; returns how the episode stands."""
    attacker, who = roles.attacker, roles.who
    state = envs.states[i]
    streams = envs.streams[i]
    kind, source, target, item = _parts_of(t, t.numbering, number)
    chance = t.chances[kind]
    is_done = chance >= 1.0
    if not is_done:
        is_done = _chance(streams, _ACTIONS) < chance
    if is_done and _has(state, t.controlled_bit + source):
        is_noted = who == SCRIPTED
        _apply(t, envs, i, state, kind, source, target, item, is_noted, t.blocked_bit)
    envs.steps[i] += 1
    status = _PLAYING
    if _is_reached(t, attacker, envs.goals[i], state, state):
        status = _SUCCESS
    elif t.is_watched and _is_detected(t, envs, i, kind, number):
        status = _DETECTED
    elif attacker.max_steps > 0 and envs.steps[i] >= attacker.max_steps:
        status = _TIMEOUT
    elif who in (RANDOM, SCRIPTED) and envs.defender_plays[i]:
        theirs = _defend(t, roles, envs, i, np.int64(0), scratch)
        envs.defender_plays[i] = theirs == _PLAYING
    envs.status[i] = status
    return status


# --- called from Python ---------------------------------------------------------------------------


@inlined
def _observe(batch, i):
    """Write the observations of an environment, if they are wanted."""
    t, roles, envs, results = batch.tables, batch.roles, batch.envs, batch.results
    if len(results.observations):
        steps, row = envs.steps[i], results.observations[i]
        _write_observation(t, envs.states[i], steps, roles.attacker.max_steps, row)
    if len(results.defender_observations):
        steps, row = envs.defender_steps[i], results.defender_observations[i]
        _write_observation(t, envs.defender_states[i], steps, roles.defender.max_steps, row)


@compiled
def _keep_final(batch, i):
    """Keep the last states of an episode, and the last observations if they are wanted."""
    t, roles, envs, results = batch.tables, batch.roles, batch.envs, batch.results
    for word in range(envs.states.shape[1]):
        results.final_states[i, word] = envs.states[i, word]
    for word in range(results.final_defender_states.shape[1] if roles.who == AGENT else 0):
        results.final_defender_states[i, word] = envs.defender_states[i, word]
    if len(results.final_observations):
        steps, row = envs.steps[i], results.final_observations[i]
        _write_observation(t, envs.states[i], steps, roles.attacker.max_steps, row)
    if len(results.final_defender_observations):
        steps, row = envs.defender_steps[i], results.final_defender_observations[i]
        _write_observation(t, envs.defender_states[i], steps, roles.defender.max_steps, row)


@entry
def begin(batch: Any, chosen: NDArray[np.int64]) -> None:
    """Begin new episodes in the chosen environments."""
    for place in range(len(chosen)):
        i = chosen[place]
        _begin(batch.tables, batch.roles, batch.envs, i)
        _observe(batch, i)


@entry
def step(
    batch: Any,
    scratch: Any,
    actions: NDArray[np.int32],
    defender_actions: NDArray[np.int32],
    first: int,
    end: int,
    resets_at_once: bool,
) -> None:
    """One step of the environments from `first` to before `end`.

    Those whose episode ended in the step before begin a new one instead. With `resets_at_once`,
    those whose episode ends begin a new one in the same step, and their last states are kept.
    Without a defender from outside there are no actions of it.
    """
    t, roles, envs, results = batch.tables, batch.roles, batch.envs, batch.results
    has_agent = roles.who == AGENT
    for i in range(first, end):
        if envs.status[i] != _PLAYING:
            _begin(t, roles, envs, i)
            results.rewards[i] = 0.0
            results.terminated[i] = False
            results.truncated[i] = False
            results.succeeded[i] = False
            if has_agent:
                results.defender_rewards[i] = 0.0
                results.defender_terminated[i] = False
                results.defender_truncated[i] = False
                results.defender_done[i] = False
        else:
            status = _play(t, roles, envs, i, np.int64(actions[i]), scratch)
            results.rewards[i] = batch.rewards.attacker[status]
            results.terminated[i] = status in (_SUCCESS, _DETECTED)
            results.truncated[i] = status == _TIMEOUT
            results.succeeded[i] = status == _SUCCESS
            if has_agent:
                _answer(batch, i, np.int64(defender_actions[i]), status, scratch)
            if resets_at_once and status != _PLAYING:
                _keep_final(batch, i)
                _begin(t, roles, envs, i)
        if len(results.masks):
            _write_mask(t, t.numbering, scratch, envs.states[i], results.masks[i])
        if len(results.defender_masks):
            flags = results.defender_masks[i]
            _write_mask(t, t.defender_numbering, scratch, envs.defender_states[i], flags)
        _observe(batch, i)


@entry
def write_masks(
    batch: Any,
    scratch: Any,
    masks: NDArray[np.bool_],
    chosen: NDArray[np.int64],
    for_defenders: bool,
) -> None:
    """The flags of the legal actions of the chosen environments."""
    t = batch.tables
    numbering = t.defender_numbering if for_defenders else t.numbering
    states = batch.envs.defender_states if for_defenders else batch.envs.states
    for place in range(len(chosen)):
        i = chosen[place]
        _write_mask(t, numbering, scratch, states[i], masks[i])


@entry
def sample(
    batch: Any,
    scratch: Any,
    actions: NDArray[np.int32],
    first: int,
    end: int,
    for_defenders: bool,
) -> None:
    """A random legal action for every environment; 0 where there is none."""
    t, envs = batch.tables, batch.envs
    numbering = t.defender_numbering if for_defenders else t.numbering
    states = envs.defender_states if for_defenders else envs.states
    stream = _DEFENDER if for_defenders else _CHOICE
    with_blocks = numbering.per_source[_BLOCK_IP] > 0
    for i in range(first, end):
        kind, source, place = _choose(t, scratch, states[i], envs.streams[i], stream, with_blocks)
        if kind < 0:
            actions[i] = 0
        else:
            actions[i] = numbering.starts[kind] + source * numbering.per_source[kind] + place
