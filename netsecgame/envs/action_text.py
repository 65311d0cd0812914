r"""Actions as text: what language models write.

    action    = type "(" parameter { "," parameter } ")"
    parameter = name "=" word { "/" word }

A word that has a space or one of ``/ , ( ) = " \`` in it, or nothing at all, is written as a JSON
string. Spaces between words do not count, nor does the order of the parameters:

    ScanNetwork(source_host=192.168.2.2, target_network=192.168.1.0/24)
    FindServices(source_host=192.168.2.2, target_host=192.168.1.3)
    FindData(source_host=192.168.2.2, target_host=192.168.2.2)
    ExploitService(source_host=10.0.0.2, target_host=10.0.0.3, target_service=ssh/passive/8.1.0)
    ExfiltrateData(source_host=192.168.1.3, target_host=213.47.23.195, data=User1/DataFromServer1)
    BlockIP(source_host=192.168.1.3, target_host=192.168.1.3, blocked_host=192.168.2.2)

A service is name, type and version, with ``/local`` behind a local one; a datum is owner and id,
and its type if it has one.
"""

from __future__ import annotations

import difflib
import json
import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from netsecgame.errors import ActionTextError, suggest_nearest
from netsecgame.game_components import (
    ACTION_PARAMETERS,
    IP,
    Action,
    ActionType,
    Data,
    Network,
    Service,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

_TYPES: Mapping[str, ActionType] = MappingProxyType({t._name_: t for t in ACTION_PARAMETERS})

_BARE = re.compile(r'[^\s/,()="\\]+')
_TOKEN = re.compile(rf'(?P<string>"(?:[^"\\]|\\.)*")|(?P<word>{_BARE.pattern})|(?P<sign>[/,()=])')

#: Legal values that an error lists.
_MAX_LISTED = 8


class _Token(NamedTuple):
    text: str
    is_sign: bool


def format_action(action: Action) -> str:
    """A game action as text; `parse_action` gives an equal one."""
    given = action.parameters
    told = (f"{name}={format_value(given[name])}" for name in _parameters(action.type))
    return f"{action.type.to_string()}({', '.join(told)})"


def format_value(value: IP | Network | Service | Data) -> str:
    """A parameter of an action as text."""
    if isinstance(value, Service):
        words = [value.name, value.type, value.version, *(["local"] if value.is_local else [])]
    elif isinstance(value, Data):
        words = [value.owner, value.id, *([value.type] if value.type else [])]
    elif isinstance(value, Network):
        words = [value.ip, str(value.mask)]
    else:
        words = [str(value)]
    return "/".join(map(_quote, words))


def parse_action(text: str) -> Action:
    """The game action that a text stands for; whether it is legal is not looked at.

    Raises:
        ActionTextError: If it stands for none.
    """
    return _Parser(text).parse()


def explain_illegal(action: Action, legal: Iterable[Action]) -> ActionTextError:
    """Why an action is not among the legal ones: the first parameter that does not go together.

    It tells nothing that the legal actions do not.
    """
    text = format_action(action)
    legal = list(legal)
    nearest = _find_nearest(action, legal)
    fitting = [other for other in legal if other.type is action.type]
    if not fitting:
        return ActionTextError(text, f"no {action.type.to_string()} is legal now", nearest)
    before = ""
    for name in _parameters(action.type):
        value = action.parameters[name]
        choices = _sort_out(fitting, name)
        fitting = choices.get(format_value(value), [])
        if not fitting:
            told = f"{name}={format_value(value)} is not legal{before}; legal is {_list(choices)}"
            return ActionTextError(text, told, nearest)
        before = f"{before or ' with'} {name}={format_value(value)}"
    raise ValueError(f"{text} is legal")


def _find_nearest(action: Action, legal: list[Action]) -> str | None:
    """The legal action that has most in common with another: parameter by parameter.

    To compare all texts takes seconds in a large network.
    """
    if not legal:
        return None
    types = {other.type.to_string() for other in legal}
    kind = _TYPES[_nearest(action.type.to_string(), types)]
    fitting = [other for other in legal if other.type is kind]
    for name in _parameters(kind):
        choices = _sort_out(fitting, name)
        value = action.parameters.get(name)
        fitting = choices[_nearest("" if value is None else format_value(value), choices)]
    return format_action(fitting[0])


def _sort_out(actions: Iterable[Action], name: str) -> dict[str, list[Action]]:
    """Actions by the text of one of their parameters."""
    found: dict[str, list[Action]] = {}
    for action in actions:
        found.setdefault(format_value(action.parameters[name]), []).append(action)
    return found


def _nearest(word: str, known: Iterable[str]) -> str:
    """The most similar one of some words, of which there is at least one."""
    return difflib.get_close_matches(word, sorted(known), n=1, cutoff=0)[0]


def _parameters(kind: ActionType) -> list[str]:
    """The names of the parameters of a type: the source first."""
    return sorted(ACTION_PARAMETERS[kind], key=lambda name: name != "source_host")


def _quote(word: str) -> str:
    return word if _BARE.fullmatch(word) else json.dumps(word, ensure_ascii=False)


def _list(choices: Iterable[str]) -> str:
    ordered = sorted(choices)
    more = len(ordered) - _MAX_LISTED
    return ", ".join(ordered[:_MAX_LISTED]) + (f" and {more} more" if more > 0 else "")


class _Parser:
    """Reads one text from left to right."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.form = ""  # how what is read should look, once that is known
        self.tokens = iter(list(self._cut()))

    def parse(self) -> Action:
        name = self._word("an action")
        kind = _TYPES.get(name)
        if kind is None:
            hint = suggest_nearest(name, _TYPES)
            raise self._error(f"unknown action {name!r}{hint}; expected one of {', '.join(_TYPES)}")
        self.form = _form(kind)
        self._sign("(")
        given: dict[str, Any] = {}
        while self._parameter(ACTION_PARAMETERS[kind], given) == ",":
            pass
        if (rest := next(self.tokens, None)) is not None:
            raise self._error(f"expected nothing behind the ')', got {rest.text!r}")
        missing = [name for name in _parameters(kind) if name not in given]
        if missing:
            raise self._error(f"{' and '.join(missing)} missing")
        return Action(kind, {name: given[name] for name in _parameters(kind)})

    def _parameter(self, needed: Mapping[str, type], given: dict[str, Any]) -> str:
        """Read one parameter; gives the sign behind it, a comma or a closing parenthesis."""
        name = self._word("a parameter")
        if name not in needed or name in given:
            problem = "given twice" if name in given else "unknown"
            hint = suggest_nearest(name, needed.keys() - given.keys())
            raise self._error(f"parameter {name!r}: {problem}{hint}")
        self._sign("=")
        words = [self._word(f"a value of {name}")]
        while (sign := self._sign("/", ",", ")")) == "/":
            words.append(self._word(f"a value of {name}"))
        try:
            given[name] = _READERS[needed[name]](words)
        except ValueError as error:
            raise self._error(f"parameter {name!r}: {error}") from None
        return sign

    def _word(self, what: str) -> str:
        token = next(self.tokens, None)
        if token is None or token.is_sign:
            raise self._error(f"expected {what}, got {_tell(token)}")
        return token.text

    def _sign(self, *expected: str) -> str:
        token = next(self.tokens, None)
        if token is None or not token.is_sign or token.text not in expected:
            told = " or ".join(map(repr, expected))
            raise self._error(f"expected {told}, got {_tell(token)}")
        return token.text

    def _cut(self) -> Iterator[_Token]:
        text = self.text
        place = 0
        while place < len(text):
            if text[place].isspace():
                place += 1
                continue
            found = _TOKEN.match(text, place)
            if found is None:
                raise self._error(f"cannot read {text[place:]!r}")
            place = found.end()
            if found["string"] is None:
                yield _Token(found[0], found["sign"] is not None)
                continue
            try:
                yield _Token(json.loads(found["string"]), is_sign=False)
            except ValueError as error:
                raise self._error(f"cannot read the string {found[0]}: {error}") from None

    def _error(self, reason: str) -> ActionTextError:
        form = f"; expected {self.form}" if self.form else ""
        return ActionTextError(self.text, f"{reason}{form}")


def _tell(token: _Token | None) -> str:
    return "the end" if token is None else repr(token.text)


def _read_ip(words: Sequence[str]) -> IP:
    return IP("/".join(words))


def _read_network(words: Sequence[str]) -> Network:
    if len(words) != 2 or not words[1].isdecimal() or not 0 <= int(words[1]) <= 32:
        raise ValueError(f"expected an address, a '/' and a number to 32, got {'/'.join(words)!r}")
    return Network(IP(words[0]).ip, int(words[1]))


def _read_service(words: Sequence[str]) -> Service:
    if not 3 <= len(words) <= 4 or words[3:] not in ([], ["local"]):
        raise ValueError(
            f"expected name/type/version, and /local if it is local, got {'/'.join(words)!r}"
        )
    name, kind, version = words[:3]
    return Service(name, kind, version, is_local=len(words) == 4)


def _read_data(words: Sequence[str]) -> Data:
    if not 2 <= len(words) <= 3:
        raise ValueError(f"expected owner/id, or owner/id/type, got {'/'.join(words)!r}")
    return Data(owner=words[0], id=words[1], type="".join(words[2:]))


_READERS: Mapping[type, Callable[[Sequence[str]], Any]] = MappingProxyType(
    {IP: _read_ip, Network: _read_network, Service: _read_service, Data: _read_data}
)
_FORMS: Mapping[type, str] = MappingProxyType(
    {
        IP: "<address>",
        Network: "<address>/<number>",
        Service: "<name>/<type>/<version>[/local]",
        Data: "<owner>/<id>[/<type>]",
    }
)


def _form(kind: ActionType) -> str:
    """How an action of a type is written."""
    needed = ACTION_PARAMETERS[kind]
    told = (f"{name}={_FORMS[needed[name]]}" for name in _parameters(kind))
    return f"{kind.to_string()}({', '.join(told)})"
