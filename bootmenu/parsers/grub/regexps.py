r"""POSIX extended regular expressions, for GRUB's ``regexp``.

Specification: POSIX.1, "Extended Regular Expressions", with GNU's ``\w \W \s \S \b \B \< \>``.
The longest of the leftmost matches counts. All ways to match are followed at the same time, so
the effort is bounded by the sizes of expression and text, whatever stands on the disk. Back
references are not supported.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bootmenu.errors import ParseError

MAX_PROGRAM = 1000
"""Steps of an expression, its repetitions written out."""
MAX_EFFORT = 400_000
"""Steps times characters of one match."""
MAX_DEPTH = 40
MAX_REPEAT = 255

_CLASSES = {
    "alpha": string.ascii_letters, "digit": string.digits, "upper": string.ascii_uppercase,
    "alnum": string.ascii_letters + string.digits, "lower": string.ascii_lowercase,
    "blank": " \t", "space": string.whitespace, "punct": string.punctuation,
    "xdigit": string.hexdigits, "print": string.printable[:95],
    "graph": string.printable[:94], "cntrl": "".join(map(chr, [*range(32), 127])),
}  # fmt: skip
_WORD = frozenset(string.ascii_letters + string.digits + "_")
_BLANK = frozenset(string.whitespace)

Test = Callable[[str], bool]


@dataclass(slots=True)
class Step:
    """One instruction: a character's *test*, a place (*at*), a mark, a jump or the end."""

    kind: str  # char, at, mark, split, end
    test: Test | None = None
    number: int = 0  # of the mark
    ways: tuple[int, ...] = ()  # offsets from this step, the preferred one first
    at: str = ""


Code = list[Step]


def match(expression: str, text: str) -> list[str | None] | None:
    """The text of the match and of its groups, None for a group that took no part.

    None without a match; raises :class:`ParseError` for what is no expression, or too large.
    """
    compiler = _Compiler(expression)
    program = compiler.program()
    if len(program) * (len(text) + 1) > MAX_EFFORT:
        raise ParseError("the expression and its text are too large")
    marks = _Machine(program, text).run(2 * (compiler.groups + 1))
    if marks is None:
        return None
    pairs = zip(marks[::2], marks[1::2], strict=True)
    return [None if a is None or b is None else text[a:b] for a, b in pairs]


class _Compiler:
    """Recursive descent over an expression, to a program that :class:`_Machine` runs."""

    def __init__(self, expression: str) -> None:
        self._text = expression
        self._position = 0
        self._depth = 0
        self.groups = 0

    def program(self) -> Code:
        code = self._alternatives()
        if self._position < len(self._text):
            raise ParseError("unmatched ')'")
        return [Step("mark", number=0), *code, Step("mark", number=1), Step("end")]

    def _peek(self) -> str:
        return self._text[self._position : self._position + 1]

    def _take(self) -> str:
        self._position += 1
        return self._text[self._position - 1 : self._position]

    def _alternatives(self) -> Code:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ParseError("parentheses nested too deeply")
        code = self._sequence()
        while self._peek() == "|":
            self._take()
            other = self._sequence()
            jump = Step("split", ways=(len(other) + 1,))
            code = [Step("split", ways=(1, len(code) + 2)), *code, jump, *other]
        self._depth -= 1
        return code

    def _sequence(self) -> Code:
        code: Code = []
        while self._peek() not in {"", "|"} and not (self._peek() == ")" and self._depth > 1):
            code += self._repeated(self._atom())
            if len(code) > MAX_PROGRAM:
                raise ParseError("the expression is too large")
        return code

    def _repeated(self, atom: Code) -> Code:
        while (sign := self._peek()) and sign in "*+?{":
            low, high = {"*": (0, -1), "+": (1, -1), "?": (0, 1)}.get(sign) or self._bounds()
            if sign != "{":
                self._take()
            copies = high if high >= 0 else low + 1
            if (len(atom) + 2) * copies > MAX_PROGRAM:
                raise ParseError("the expression is too large")
            code = atom * low
            if high < 0:
                loop = Step("split", ways=(1, len(atom) + 2))
                code = [*code, loop, *atom, Step("split", ways=(-len(atom) - 1,))]
            for _ in range(high - low):
                code = [*code, Step("split", ways=(1, len(atom) + 1)), *atom]
            atom = code
        return atom

    def _bounds(self) -> tuple[int, int]:
        """The numbers in the braces here, taken; -1 for no end."""
        end = self._text.find("}", self._position)
        low, comma, high = self._text[self._position + 1 : max(end, 0)].partition(",")
        low = low or ("0" if comma else "")
        if end < 0 or not low.isdecimal() or (high and not high.isdecimal()):
            raise ParseError("invalid content of {}")
        least = int(low[:4])
        most = int(high[:4]) if high else -1 if comma else least
        if least > MAX_REPEAT or most > MAX_REPEAT or -1 < most < least:
            raise ParseError("invalid content of {}")
        self._position = end + 1
        return least, most

    def _atom(self) -> Code:
        sign = self._take()
        if sign == "(":
            self.groups += 1
            number = 2 * self.groups
            inner = self._alternatives()
            if self._take() != ")":
                raise ParseError("unmatched '('")
            return [Step("mark", number=number), *inner, Step("mark", number=number + 1)]
        if sign == "[":
            return [Step("char", test=self._bracket())]
        if sign == ".":
            return [Step("char", test=lambda character: True)]
        if sign in {"^", "$"}:
            return [Step("at", at=sign)]
        if sign == "\\":
            return [self._escape(self._take())]
        return [Step("char", test=sign.__eq__)]

    def _escape(self, sign: str) -> Step:
        if not sign:
            raise ParseError("a backslash at the end")
        if sign.isdecimal() and sign != "0":
            raise ParseError("back references are not supported")
        tests: dict[str, Test] = {
            "w": _WORD.__contains__,
            "W": lambda character: character not in _WORD,
            "s": _BLANK.__contains__,
            "S": lambda character: character not in _BLANK,
        }
        if sign in "bB<>`'":
            return Step("at", at=sign)
        return Step("char", test=tests.get(sign, sign.__eq__))

    def _bracket(self) -> Test:
        inverted = self._peek() == "^"
        if inverted:
            self._take()
        members: set[str] = set()
        ranges: list[tuple[str, str]] = []
        first = True
        while (sign := self._take()) != "]" or first:
            first = False
            if not sign:
                raise ParseError("unmatched '['")
            if sign == "[" and self._peek() == ":":
                end = self._text.find(":]", self._position)
                name = self._text[self._position + 1 : max(end, 0)]
                if name not in _CLASSES:
                    raise ParseError("unknown class of characters")
                members.update(_CLASSES[name])
                self._position = end + 2
            elif self._peek() == "-" and self._text[self._position + 1 :][:1] not in {"", "]"}:
                self._take()
                ranges.append((sign, self._take()))
            else:
                members.add(sign)
        return lambda character: (
            inverted
            != (character in members or any(low <= character <= high for low, high in ranges))
        )


Marks = tuple[int | None, ...]


class _Machine:
    """A program on its way through a text."""

    def __init__(self, program: Code, text: str) -> None:
        self._program = program
        self._text = text

    def run(self, size: int) -> Marks | None:
        """The *size* marks of the longest of the leftmost matches."""
        best: Marks | None = None
        waiting: list[tuple[int, Marks]] = []
        for position in range(len(self._text) + 1):
            if best is None:
                waiting.append((0, (None,) * size))
            ready: list[tuple[int, Marks]] = []
            seen: set[int] = set()
            for step, marks in waiting:
                # What begins further right counts only while there is no match.
                if best is not None and _start(marks) > _start(best):
                    continue
                for index, reached in self._follow(step, marks, position, seen):
                    if self._program[index].kind != "end":
                        ready.append((index, reached))
                    elif best is None or _start(reached) <= _start(best):
                        best = reached
            waiting = [] if position == len(self._text) else self._advance(ready, position)
            if not waiting and best is not None:
                break
        return best

    def _advance(self, ready: list[tuple[int, Marks]], position: int) -> list[tuple[int, Marks]]:
        """The steps behind those whose test the character at *position* passes."""
        character = self._text[position]
        return [
            (index + 1, marks)
            for index, marks in ready
            if (test := self._program[index].test) is not None and test(character)
        ]

    def _follow(
        self, start: int, marks: Marks, position: int, seen: set[int]
    ) -> Iterator[tuple[int, Marks]]:
        """The characters' steps, and the end, that *start* leads to without a character."""
        pending = [(start, marks)]
        while pending:
            index, marks = pending.pop()
            if index in seen:
                continue
            seen.add(index)
            step = self._program[index]
            if step.kind in {"char", "end"}:
                yield index, marks
            elif step.kind == "mark":
                changed = (*marks[: step.number], position, *marks[step.number + 1 :])
                pending.append((index + 1, changed))
            elif step.kind == "split":
                pending.extend((index + way, marks) for way in reversed(step.ways))
            elif _holds(step.at, self._text, position):
                pending.append((index + 1, marks))


def _start(marks: Marks) -> int:
    """Where the match begins; behind everything when it has not begun."""
    return MAX_EFFORT if marks[0] is None else marks[0]


def _holds(place: str, text: str, position: int) -> bool:
    if place in {"^", "`"}:
        return position == 0
    if place in {"$", "'"}:
        return position == len(text)
    before = position > 0 and text[position - 1] in _WORD
    after = position < len(text) and text[position] in _WORD
    return {
        "b": before != after,
        "B": before == after,
        "<": after and not before,
        ">": before and not after,
    }[place]
