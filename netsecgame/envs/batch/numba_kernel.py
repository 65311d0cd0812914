"""The rules for one environment after another, compiled to machine code.

Written like the rules in `netsecgame.core.actions`, on words instead of masks. Only this module
imports numba. Words are unsigned and places signed; they are never mixed in arithmetic, because the
result would be a float.

It is one file because what numba keeps of a function for the next process it throws away only when
the function's own file has changed, not when that of a function it calls has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numba import njit, types
from numba.extending import intrinsic

from netsecgame.core.logs import MAX_LOG_ENTRIES
from netsecgame.envs.batch import draws, tables
from netsecgame.envs.batch.arrays import NOBODY, RANDOM, SCRIPTED
from netsecgame.envs.batch.draws import Stream
from netsecgame.envs.batch.positions import DRAW_NEW, SET_ALL

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from netsecgame.envs.batch.arrays import Envs, Results, Roles, Scratch
    from netsecgame.envs.batch.tables import Tables

    _F = TypeVar("_F", bound=Callable[..., Any])

    def compiled(function: _F) -> _F:
        """A function in machine code."""

    def inlined(function: _F) -> _F:
        """A function that becomes part of the compiled ones that call it."""

else:
    # Nothing here makes arrays, so nothing needs their reference counts: without them the code is
    # several times faster.
    compiled = njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
    # The tables are passed by value, a hundred words and more: not where it happens all the time.
    inlined = njit(cache=True, nogil=True, error_model="numpy", _nrt=False, forceinline=True)

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
_START, _GOAL, _ACTIONS, _DETECTION, _DEFENDER, _CHOICE = (np.int64(stream) for stream in Stream)
_YES = np.bool_(True)

_ZERO, _ONE = np.uint64(0), np.uint64(1)
_GAMMA, _MIX_1, _MIX_2 = (np.uint64(n) for n in (draws.GAMMA, draws.MIX_1, draws.MIX_2))
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
def _apply(t, envs, i, state, kind, source, target, item, writes_logs):
    """Carry out an action of somebody who controls its source."""
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
        if writes_logs:
            _note(t, envs, i, target, source)
        _set(state, t.blocks_bit[target] + item)
        _set(state, t.blocks_bit[item] + target)


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
def _find_cuts(t, state, cuts):
    """By address, whom it is known to be cut off from, either way; whether there is anybody.

    Not to be called without blocks: `cuts` is nothing then.
    """
    for address in range(t.addresses):
        for part in range(t.address_words):
            cuts[address, part] = _ZERO
    is_any = False
    for address in range(t.addresses):
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
def _is_cut(cuts, one, other):
    return (cuts[one, other >> 6] >> np.uint64(other & 63)) & _ONE != _ZERO


@compiled
def _count_services(t, state, target):
    count = _ZERO
    for chunk in range(t.chunk_first[target], t.chunk_first[target + 1]):
        count += _count_bits(state[t.chunk_word[chunk]] & t.chunk_all[chunk])
    return np.int64(count)


@inlined
def _count_data(t, state, address):
    count = _ZERO
    for part in range(t.data_words):
        count += _count_bits(_part(state, t.data_bit[address], part, t.data))
    return np.int64(count)


@inlined
def _count_field(state, first, width, minus):
    """The set bits of a field, without those of a mask."""
    count = _ZERO
    for part in range((width + 63) >> 6):
        count += _count_bits(_part(state, first, part, width) & ~minus[part])
    return np.int64(count)


@inlined
def _nth_of_field(state, first, width, minus, n):
    """The n-th set bit of a field, not counting those of a mask."""
    for part in range((width + 63) >> 6):
        word = _part(state, first, part, width) & ~minus[part]
        count = np.int64(_count_bits(word))
        if n < count:
            return part * 64 + _nth(word, n)
        n -= count
    return -1


@compiled
def _count_row(t, state, kind, source, cuts, nothing):
    """How many actions of a type are legal from a source that is allowed."""
    if kind == _SCAN_NETWORK:
        return _count_field(state, t.networks_bit, t.networks, nothing)
    if kind == _FIND_SERVICES:
        return _count_field(state, t.hosts_bit, t.addresses, cuts[source])
    if kind == _FIND_DATA:
        return 1
    count = 0
    if kind == _EXPLOIT_SERVICE:
        for target in range(t.addresses):
            if not _is_cut(cuts, source, target):
                count += _count_services(t, state, target)
        return count
    if kind == _EXFILTRATE_DATA:
        items = _count_data(t, state, source)
        if items == 0:
            return 0
        targets = _count_field(state, t.controlled_bit, t.addresses, cuts[source])
        if _has(state, t.controlled_bit + source) and not _is_cut(cuts, source, source):
            targets -= 1
        return items * targets
    for target in range(t.addresses):
        if _has(state, t.controlled_bit + target) and not _is_cut(cuts, source, target):
            count += _count_others(t, state, target, cuts)
    return count


@compiled
def _count_others(t, state, target, cuts):
    """How many hosts could be blocked from a target."""
    others = _count_field(state, t.hosts_bit, t.addresses, cuts[target])
    if _has(state, t.hosts_bit + target) and not _is_cut(cuts, target, target):
        others -= 1
    return others


@inlined
def _nth_of_row(t, state, kind, source, has_cuts, cuts, nothing, n):
    """Target and item of the n-th legal action of a type from a source."""
    if kind == _SCAN_NETWORK:
        return -1, _nth_of_field(state, t.networks_bit, t.networks, nothing, n)
    if kind == _FIND_SERVICES:
        return _nth_of_field(state, t.hosts_bit, t.addresses, cuts[source], n), -1
    if kind == _FIND_DATA:
        return source, -1
    if kind == _EXPLOIT_SERVICE and not has_cuts:
        for word in range(len(t.service_bits)):
            known = state[word] & t.service_bits[word]
            count = np.int64(_count_bits(known))
            if n < count:
                place = t.place_of_bit[word * 64 + _nth(known, n)]
                return t.place_target[place], place
            n -= count
    for target in range(t.addresses):
        if has_cuts and _is_cut(cuts, source, target):
            continue
        if kind == _EXPLOIT_SERVICE:
            count = _count_services(t, state, target)
            if n < count:
                for place in range(t.place_first[target], t.place_first[target + 1]):
                    if _has(state, t.place_bit[place]):
                        if n == 0:
                            return target, place
                        n -= 1
            n -= count
            continue
        if not _has(state, t.controlled_bit + target):
            continue
        if kind == _EXFILTRATE_DATA:
            if target == source:
                continue
            count = _count_data(t, state, source)
            if n < count:
                return target, _nth_of_field(state, t.data_bit[source], t.data, nothing, n)
        else:
            count = _count_others(t, state, target, cuts)
            if n < count:
                before = 0
                if _has(state, t.hosts_bit + target) and not _is_cut(cuts, target, target):
                    for part in range((target >> 6) + 1):
                        word = _part(state, t.hosts_bit, part, t.addresses) & ~cuts[target, part]
                        if part == target >> 6:
                            word &= (_ONE << np.uint64(target & 63)) - _ONE
                        before += np.int64(_count_bits(word))
                    if n >= before:
                        n += 1  # the target itself is left out
                return target, _nth_of_field(state, t.hosts_bit, t.addresses, cuts[target], n)
        n -= count
    return -1, -1


@inlined
def _choose_legal(t, state, streams, stream, with_blocks, cuts, nothing):
    """A legal action drawn from all of them: type, source, target and item; type -1 for none."""
    has_cuts = _find_cuts(t, state, cuts) if t.has_blocks else False
    sources = _count_field(state, t.controlled_bit, t.addresses, nothing)
    counts = (0, 0, 0, 0, 0, 0)
    total = 0
    # Without cuts every source has the same choice, but for exfiltration.
    block = exfiltrate = exploit = services = networks = 0
    if has_cuts:
        for address in range(t.addresses):
            exfiltrate += _count_row(t, state, _EXFILTRATE_DATA, address, cuts, nothing)
            if _has(state, t.controlled_bit + address):
                exploit += _count_row(t, state, _EXPLOIT_SERVICE, address, cuts, nothing)
                services += _count_row(t, state, _FIND_SERVICES, address, cuts, nothing)
                if with_blocks:
                    block += _count_row(t, state, _BLOCK_IP, address, cuts, nothing)
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
        hosts = _count_field(state, t.hosts_bit, t.addresses, nothing)
        services = sources * hosts
        if with_blocks:
            block = sources * sources * (hosts - 1)  # whoever is controlled is known too
    networks = sources * _count_field(state, t.networks_bit, t.networks, nothing)
    counts = (block, exfiltrate, exploit, sources, services, networks)
    for kind in range(6):
        total += counts[kind]
    if total == 0:
        return -1, -1, -1, -1
    n = _below(streams, stream, total)
    kind = 0
    while n >= counts[kind]:
        n -= counts[kind]
        kind += 1
    source = -1
    if not has_cuts and kind != _EXFILTRATE_DATA:
        per_source, _ = _divide(counts[kind], sources)
        nth_source, n = _divide(n, per_source)
        source = _nth_of_field(state, t.controlled_bit, t.addresses, nothing, nth_source)
    else:
        while True:
            source += 1
            if not has_cuts:
                others = sources - np.int64(_has(state, t.controlled_bit + source))
                count = _count_data(t, state, source) * others
            elif kind == _EXFILTRATE_DATA or _has(state, t.controlled_bit + source):
                count = _count_row(t, state, kind, source, cuts, nothing)
            else:
                count = 0
            if n < count:
                break
            n -= count
    target, item = _nth_of_row(t, state, kind, source, has_cuts, cuts, nothing, n)
    return kind, source, target, item


@compiled
def _choose(t, states, streams, stream, with_blocks, scratch, first, end, actions):
    """Choose for the environments from `first` to before `end`.

    Writes numbers if there is room for them, else type, source, target and item into `chosen`.
    """
    cuts, nothing, chosen, _ = scratch
    for i in range(first, end):
        kind, source, target, item = _choose_legal(
            t, states[i], streams[i], stream, with_blocks, cuts, nothing
        )
        if len(actions):
            actions[i] = 0 if kind < 0 else _number_of(t, kind, source, target, item)
        else:
            chosen[0], chosen[1], chosen[2], chosen[3] = kind, source, target, item


@inlined
def _number_of(t, kind, source, target, item):
    place = target
    if kind in (_SCAN_NETWORK, _EXPLOIT_SERVICE):
        place = item
    elif kind == _EXFILTRATE_DATA:
        place = target * t.data + item
    elif kind == _BLOCK_IP:
        place = target * t.addresses + item
    return t.section_starts[kind] + source * t.per_source[kind] + place


@inlined
def _divide(number, by):
    """Quotient and rest of numbers from 0 to 2**32 - 1: several times faster than signed words."""
    small, divisor = np.uint32(number), np.uint32(by)
    quotient = small // divisor
    return np.int64(quotient), np.int64(small - quotient * divisor)


@inlined
def _parts_of(t, number):
    """Type, source, target and item of a number."""
    kind = 5
    while number < t.section_starts[kind] or t.per_source[kind] == 0:
        kind -= 1
    source, place = _divide(number - t.section_starts[kind], t.per_source[kind])
    if kind == _SCAN_NETWORK:
        return kind, source, -1, place
    if kind == _EXPLOIT_SERVICE:
        return kind, source, t.place_target[place], place
    if kind == _EXFILTRATE_DATA:
        target, item = _divide(place, t.data)
        return kind, source, target, item
    if kind == _BLOCK_IP:
        target, item = _divide(place, t.addresses)
        return kind, source, target, item
    return kind, source, place, -1


@compiled
def _write_mask(t, state, with_blocks, cuts, nothing, flags):
    """One flag for every number, set if the action is legal."""
    for number in range(t.size):
        flags[number] = False
    has_cuts = _find_cuts(t, state, cuts) if t.has_blocks else False
    for source in range(t.addresses):
        items = _count_data(t, state, source)
        if items:
            first = t.section_starts[_EXFILTRATE_DATA] + source * t.per_source[_EXFILTRATE_DATA]
            for target in range(t.addresses):
                if target == source or not _has(state, t.controlled_bit + target):
                    continue
                if has_cuts and _is_cut(cuts, source, target):
                    continue
                _flag(state, t.data_bit[source], t.data, nothing, flags, first + target * t.data)
        if not _has(state, t.controlled_bit + source):
            continue
        first = t.section_starts[_SCAN_NETWORK] + source * t.per_source[_SCAN_NETWORK]
        _flag(state, t.networks_bit, t.networks, nothing, flags, first)
        first = t.section_starts[_FIND_SERVICES] + source * t.per_source[_FIND_SERVICES]
        _flag(state, t.hosts_bit, t.addresses, cuts[source], flags, first)
        first = t.section_starts[_FIND_DATA] + source * t.per_source[_FIND_DATA]
        flags[first + source] = True
        first = t.section_starts[_EXPLOIT_SERVICE] + source * t.per_source[_EXPLOIT_SERVICE]
        for word in range(len(t.service_bits)):
            known = state[word] & t.service_bits[word]
            while known != _ZERO:
                place = t.place_of_bit[word * 64 + np.int64(_lowest_bit(known))]
                flags[first + place] = not (
                    has_cuts and _is_cut(cuts, source, t.place_target[place])
                )
                known &= known - _ONE
        if not with_blocks:
            continue
        first = t.section_starts[_BLOCK_IP] + source * t.per_source[_BLOCK_IP]
        for target in range(t.addresses):
            if _has(state, t.controlled_bit + target) and not _is_cut(cuts, source, target):
                start = first + target * t.addresses
                _flag(state, t.hosts_bit, t.addresses, cuts[target], flags, start)
                flags[start + target] = False


@inlined
def _flag(state, first, width, minus, flags, start):
    """Set the flags of the set bits of a field, without those of a mask."""
    for part in range((width + 63) >> 6):
        word = _part(state, first, part, width) & ~minus[part]
        while word != _ZERO:
            flags[start + part * 64 + np.int64(_lowest_bit(word))] = True
            word &= word - _ONE


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
def _begin(t, roles, envs, i):
    """Begin a new episode of an environment."""
    attacker, defender, who = roles
    streams = envs.streams[i]
    _draw_start(t, attacker, envs.states[i], streams)
    _draw(
        attacker.goal_base,
        attacker.goal_operations,
        attacker.goal_bits,
        envs.goals[i],
        streams,
        _GOAL,
    )
    for word in range(t.truth_words):
        envs.truth[i, word] = t.truth_start[word]
    envs.steps[i] = 0
    envs.status[i] = _PLAYING
    for word in range(t.repeat_words):
        envs.repeats[i, word] = _ZERO
    if who != NOBODY:
        _draw_start(t, defender, envs.defender_states[i], streams)
        _draw(
            defender.goal_base,
            defender.goal_operations,
            defender.goal_bits,
            envs.defender_goals[i],
            streams,
            _GOAL,
        )
        envs.defender_steps[i] = 0
        envs.defender_plays[i] = True
        envs.searched[i] = -1
        envs.suspects[i] = -1
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
        counter = t.repeat_first[kind] + number - t.section_starts[kind]
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
def _defend(t, roles, envs, i, scratch):
    """The defender's turn."""
    _, role, who = roles
    state = envs.defender_states[i]
    streams = envs.streams[i]
    if who == RANDOM:
        _, _, chosen, no_actions = scratch
        _choose(
            t, envs.defender_states, envs.streams, _DEFENDER, _YES, scratch, i, i + 1, no_actions
        )
        kind, source, target, item = chosen[0], chosen[1], chosen[2], chosen[3]
        if kind < 0:
            return
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
                return
            kind, target, item = _FIND_DATA, source, np.int64(-1)
            envs.searched[i] = source
    envs.defender_steps[i] += 1
    chance = t.chances[kind]
    is_done = chance >= 1.0
    if not is_done:
        is_done = _chance(streams, _ACTIONS) < chance
    if is_done and _has(state, t.controlled_bit + source):
        _apply(t, envs, i, state, kind, source, target, item, who == SCRIPTED)
        if who == SCRIPTED and kind == _FIND_DATA and _connects(t, envs.truth[i], source, target):
            device = t.device_of[target]
            if envs.intruder_ages[i, device] <= MAX_LOG_ENTRIES:
                envs.suspects[i] = envs.intruders[i, device]
    if _is_reached(t, role, envs.defender_goals[i], state, envs.states[i]):
        envs.defender_plays[i] = False
    elif role.max_steps > 0 and envs.defender_steps[i] >= role.max_steps:
        envs.defender_plays[i] = False


@inlined
def _play(t, roles, envs, i, number, scratch):
    """One action of the attacker and the defender's answer; returns how the episode stands."""
    attacker, _, who = roles
    state = envs.states[i]
    streams = envs.streams[i]
    kind, source, target, item = _parts_of(t, number)
    chance = t.chances[kind]
    is_done = chance >= 1.0
    if not is_done:
        is_done = _chance(streams, _ACTIONS) < chance
    if is_done and _has(state, t.controlled_bit + source):
        _apply(t, envs, i, state, kind, source, target, item, who == SCRIPTED)
    envs.steps[i] += 1
    status = _PLAYING
    if _is_reached(t, attacker, envs.goals[i], state, state):
        status = _SUCCESS
    elif t.is_watched and _is_detected(t, envs, i, kind, number):
        status = _DETECTED
    elif attacker.max_steps > 0 and envs.steps[i] >= attacker.max_steps:
        status = _TIMEOUT
    elif who != NOBODY and envs.defender_plays[i]:
        _defend(t, roles, envs, i, scratch)
    envs.status[i] = status
    return status


# --- called from Python ---------------------------------------------------------------------------


@compiled
def begin(t: Tables, roles: Roles, envs: Envs, chosen: NDArray[np.int64]) -> None:
    """Begin new episodes in the chosen environments."""
    for place in range(len(chosen)):
        _begin(t, roles, envs, chosen[place])


@compiled
def step(
    t: Tables,
    roles: Roles,
    envs: Envs,
    results: Results,
    scratch: Scratch,
    actions: NDArray[np.int32],
    first: int,
    end: int,
    resets_at_once: bool,
    rewards: NDArray[np.float64],
) -> None:
    """One step of the environments from `first` to before `end`.

    Those whose episode ended in the step before begin a new one instead. With `resets_at_once`,
    those whose episode ends begin a new one in the same step, and their last states are kept.
    """
    cuts, nothing, _, _ = scratch
    with_blocks = t.per_source[_BLOCK_IP] > 0
    for i in range(first, end):
        if envs.status[i] != _PLAYING:
            _begin(t, roles, envs, i)
            results.rewards[i] = 0.0
            results.terminated[i] = False
            results.truncated[i] = False
        else:
            status = _play(t, roles, envs, i, np.int64(actions[i]), scratch)
            results.rewards[i] = rewards[status]
            results.terminated[i] = status in (_SUCCESS, _DETECTED)
            results.truncated[i] = status == _TIMEOUT
            if resets_at_once and status != _PLAYING:
                for word in range(envs.states.shape[1]):
                    results.final_states[i, word] = envs.states[i, word]
                _begin(t, roles, envs, i)
        if len(results.masks):
            _write_mask(t, envs.states[i], with_blocks, cuts, nothing, results.masks[i])


@compiled
def write_masks(
    t: Tables, envs: Envs, scratch: Scratch, masks: NDArray[np.bool_], chosen: NDArray[np.int64]
) -> None:
    """The flags of the legal actions of the chosen environments."""
    cuts, nothing, _, _ = scratch
    with_blocks = t.per_source[_BLOCK_IP] > 0
    for place in range(len(chosen)):
        i = chosen[place]
        _write_mask(t, envs.states[i], with_blocks, cuts, nothing, masks[i])


@compiled
def sample(
    t: Tables, envs: Envs, scratch: Scratch, actions: NDArray[np.int32], first: int, end: int
) -> None:
    """A random legal action for every environment; 0 where there is none."""
    with_blocks = t.per_source[_BLOCK_IP] > 0
    _choose(t, envs.states, envs.streams, _CHOICE, with_blocks, scratch, first, end, actions)
