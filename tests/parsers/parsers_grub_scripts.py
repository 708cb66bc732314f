"""Random GRUB scripts, whole ones and broken ones, for a comparison with GRUB itself.

They end by themselves: a loop counts in a variable that nothing else assigns, and a function only
calls those with smaller numbers. What they print is comparable: no wildcards, no ``exit``. Words
and commands come ready from pools, simple ones first: that is quick to draw, and shrinks well.
"""

# ruff: noqa: E501, SIM905

import json
import random
import re
import sys

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

VARIABLES = ("a", "b", "c", "_d1", "i", "j")
FUNCTIONS = ("f0", "f1", "f2")
PROLOGUE = "\n".join(
    (
        *(f"unset {name}" for name in VARIABLES),
        *(f"function {name} {{\necho stub {name}\n}}" for name in FUNCTIONS),
        "true\n",
    )
)
"""What makes scripts that run one after another independent."""
EPILOGUE = '\necho "status $?"\n' + "\n".join(f'echo "{name}=<${name}>"' for name in VARIABLES)
"""What shows the state that a script leaves."""

USUAL = 2700
"""Scripts that are drawn where nobody asks for more: then they are always the same ones."""
MAX_DEPTH = 3
"""Blocks in blocks."""

_TEXT = tuple(
    "x ab 1 0 - = x=y if do fi in ] . 10 é ! [ / : , % ^ ~ + @ 2 then function v1.2".split(" ")
)
_NAMES = ("a", "b", "c", "_d1", "i", "j", "1", "2", "3", "#", "*", "@", "?", "nothing", "0")
_SINGLE = (*_TEXT, " ", "  ", "\\", '"', "$a", "\n", "; ", "{", "# ")
_DOUBLE = (*_TEXT, *" # \n ' } \\\\ \\\" \\$ \\n \\\n".split(" "), " ", "  ", "\t")
_ESCAPED = ("\\ ", "\\$", "\\\\", "\\'", '\\"', "\\;", "\\{", "\\n", "\\\n", "\\#", "\\é")


def _make_words(count: int) -> tuple[str, ...]:
    """Words in all forms of quoting: whole ones of one part, then of several."""
    chance = random.Random(20)

    def variable() -> str:
        return chance.choice(("$%s", "${%s}")) % chance.choice(_NAMES)

    def single() -> str:
        return f"'{''.join(chance.choices(_SINGLE, k=chance.randint(0, 3)))}'"

    def double() -> str:
        parts = [
            variable() if chance.random() < 0.4 else chance.choice(_DOUBLE)
            for _ in range(chance.randint(0, 4))
        ]
        return f'"{"".join(parts)}"'

    kinds = (
        lambda: chance.choice(_TEXT),
        lambda: chance.choice(_TEXT),
        variable,
        variable,
        single,
        double,
        double,
        lambda: chance.choice(_ESCAPED),
    )
    words = ["x", "$a", '"$a"', "''", '"$@"', "$@", "$*", '"$*"', "$1", "$?", "$#", "${b}", *_TEXT]
    words += ['$"x $a"', '$"\\"$b"', '$"a\nb"$c', 'x$"a$ $?"']
    words += [
        "".join(chance.choice(kinds)() for _ in range(chance.choice((1, 1, 2, 3))))
        for _ in range(count)
    ]
    return tuple(dict.fromkeys(words))


WORDS = _make_words(1500)
_VALUES = ("0", "1", "a", "10", "-1", "0x1F", "010", "abc", "v10", "v9", "''", "$a", '"$b"', "$#")
_OPERATORS = (*"= == != -eq -ne -lt -le -gt -ge -pgt -plt".split(" "), '"<"', '">="', "'>'")
_FILES = ("/etc/passwd", "(host)/etc/passwd", "(nohost)/etc", "/nothing", "''")


def _make_tests(count: int) -> tuple[str, ...]:
    """Calls of ``test``; ``%w`` stands for a word."""
    chance = random.Random(21)

    def operand() -> str:
        return chance.choice(_VALUES) if chance.random() < 0.75 else "%w"

    def term() -> str:
        kind = chance.randint(0, 9)
        if kind < 2:
            return operand()
        if kind < 4:
            return f"{chance.choice(('-n', '-z'))} {operand()}"
        if kind < 5:
            file = chance.choice(_FILES)
            return (
                f"{chance.choice(('-e /etc', '-d /etc', f'-f {file}', f'-s {file}', f'-e {file}'))}"
            )
        if kind < 9:
            return f"{operand()} {chance.choice(_OPERATORS)} {operand()}"
        return f"( {term()} {chance.choice(('-a', '-o'))} {term()} )"

    tests = ["[ a ]", "[ ]", "[ $a = 1 ]", '[ "$a" = 1 ]', "test a", "test"]
    for _ in range(count):
        text = chance.choice(("", "", "", "! ", "! ! ")) + term()
        for _ in range(chance.choice((0, 0, 0, 1, 2))):
            text += chance.choice((" -a ", " -o ", " ")) + chance.choice(("", "", "! ")) + term()
        tests.append(chance.choice(("[ %s ]", "[ %s ]", "test %s", "[ %s")) % text)
    return tuple(dict.fromkeys(tests))


TESTS = _make_tests(500)
SIMPLE = (
    *("echo %w", "echo %w %w", "true", "false", "echo $?", 'echo "$#" "$1" "$@"', "echo  %w\t%w"),
    *("a=%w", "b=%w", "c=$c%w", "_d1=%w", "i=%w", 'set a="$a"%w', "set b=%w", "set x%w %w"),
    *("unset a", "unset b c", "unset %w", "export a", "export b %w", "! true", "! false", "! %w"),
    *("f0 %w", "f1 %w %w", "f2 %w", "f0", "f1", "f2", "nosuch", "nosuch %w", "! f0 %w", "! f1"),
    *("shift", "shift %w", "shift 1", "shift 2", "return", "return %w", "return 1", "return 3"),
    *("break", "continue", "break 2", "continue 2", "break %w", "continue 0", "setparams %w %w"),
    *("setparams", "eval %w", "eval %w %w", "eval 'echo '%w", 'eval "b=%w"', "eval 'f0 %w'"),
    *('eval "$a"', "$a", "$a %w", '"$a"', "%w", "%w %w", "%w=%w", '""', "%w %w %w", "! $nothing"),
    *("echo %w \\\n %w", "echo %w\\\n%w", "echo a#b %w # c", "echo %w; echo $?", "nosuch; echo $?"),
    *("menuentry %w { echo; }", "menuentry %w --id %w { true\n}", "menuentry %w", "submenu %w"),
    *("true %w; echo $?", "false %w; echo $?", "echo %w{ echo; }", "echo %w ; ", "export a=%w"),
    *(
        "a=1; b=v9",
        "a='x  y'; b=",
        "a='echo hi'",
        "a=$#",
        "b=$?",
        'c="$@"',
        "a=$1; b=$2",
        "! ! true",
    ),
    *TESTS[:150],
    *(f"{test}; echo $?" for test in TESTS[150:]),
)
"""Commands without statements in them."""

COMPOUND = (
    *("if %c; then %s; fi", "if %c\nthen\n%s\nfi", "if %c; then %s; else %s; fi", "f1 %w { %s; }"),
    *("if %c\nthen %s\nelse\n%s\nfi", "if %c; then %s; elif %c; then %s; fi", "f0 { %s }"),
    *("if %c; %c; then %s; elif %c; then %s; else %s; fi", "menuentry %w {\n%s\n}", "echo %w { %s; }"),
    *("for i in %w %w; do %s; done", "for j in %w\ndo %s\ndone", "for i in; do %s; done"),
    *("for i in 1 2 3; do\n%s\n%s\ndone", "for j in a %w; do %s; echo $j; done", "submenu %w { %s; }"),
    *("%n=; while [ $%n != xx ]; do %n=x$%n; %s; done", "nosuch { %s; }", "f2 %w {\n%s\n}; echo $?"),
    *("%n=; until [ x$%n = xxx ]\ndo %n=x$%n\n%s\n%s\ndone", "! f0 { %s; }", "while false; do %s; done"),
    *("%n=; while %c; [ $%n != xx ]; do %n=x$%n; %s; done", "if %s; then %s; fi", "if %c; then %s fi"),
)  # fmt: skip
"""Commands with statements in them; the last one lacks a ``;``."""

DEFINITIONS = (
    *("function f0 { %s; }\nf0 %w %w", "function f1 {\n%s\n%s\n}\nf1 %w", "function f2 { %s; %s; }\nf2"),
    *('function f1 { %s; f0 "$@"; }\nf1 %w %w', "function f2 { f1 %w; echo $?; %s; }\nf2 %w %w %w"),
    *("function f0 { echo $# $1 $2; %s; }", "function f2\n{\n%s\n}", "function f-0 { %s; }", "function 1 { %s; }"),
    *("function f0 { for i in \"$@\"; do %s; done; }\nf0 %w %w", "function f0 { %s }"),
    *("function f1 { if %c; then return %w; fi; %s; }\nf1 %w; echo $?", "if true; then function f0 { %s; }; fi"),
)  # fmt: skip
"""Definitions of functions."""

_ODD = tuple(
    "' \" $ ${ } { ; ;; | & < > \\ # if fi then else elif do done for in [[ ! }".split(" ")
)
_HOLE = re.compile("%[wscn]")
_COUNTING = re.compile(r"(?:\bdo )?n\d+=.*\n?")
_COUNTERS = st.integers(0, 99999).map("n{}".format)
_WORDS = st.sampled_from(WORDS)


def scripts() -> SearchStrategy[str]:
    """A script of some statements; every fourth has something broken in it."""
    whole = st.lists(_statement(MAX_DEPTH, top=True), min_size=1, max_size=4).map("\n".join)
    broken = st.builds(
        _broken,
        whole,
        st.integers(0, 300),
        st.integers(0, 4),
        st.sampled_from(("", "\n", " ", *_ODD)),
    )
    return st.one_of(whole, whole, whole, broken)


def _broken(script: str, place: int, cut: int, odd: str) -> str:
    """*script* with *odd* for *cut* characters at about *place*, yet counting as before."""
    place %= len(script) + 1
    counting = (found.span() for found in _COUNTING.finditer(script))
    if any(start <= place + cut and place <= end for start, end in counting):
        return script
    return script[:place] + odd + script[place + cut :]


def _statement(depth: int, *, top: bool = False) -> SearchStrategy[str]:
    """A statement with at most *depth* blocks in it; functions stand at the *top*."""
    simple = st.sampled_from(SIMPLE).flatmap(lambda text: _filled(text, 0))
    if not depth:
        return simple
    compound = st.sampled_from(COMPOUND).flatmap(lambda text: _filled(text, depth))
    if not top:
        return st.one_of(simple, simple, compound)
    definition = st.sampled_from(DEFINITIONS).flatmap(lambda text: _filled(text, depth))
    return st.one_of(simple, compound, definition, simple, compound)


def _filled(template: str, depth: int) -> SearchStrategy[str]:
    """*template* with its holes filled; a counter has one name in all of them."""
    holes = {
        "%w": _WORDS,
        "%s": _STATEMENTS[max(depth - 1, 0)],
        "%c": _CONDITIONS,
    }
    found = [hole for hole in _HOLE.findall(template) if hole != "%n"]
    if not found and "%n" not in template:
        return st.just(template)
    values = st.tuples(_COUNTERS, *(holes[hole] for hole in found))
    return values.map(lambda filling: _fill(template, *filling))


def _fill(template: str, counter: str, *filling: str) -> str:
    values = iter(filling)
    return _HOLE.sub(lambda hole: counter if hole.group() == "%n" else next(values), template)


_CONDITIONS = st.sampled_from(("true", "false", "! true", "nosuch", *TESTS)).flatmap(
    lambda text: _filled(text, 0)
)


def _nested(depth: int) -> st.SearchStrategy[str]:
    return st.deferred(lambda: _statement(depth))


_STATEMENTS = [_nested(depth) for depth in range(MAX_DEPTH)]


def drawn(count: int) -> list[str]:
    """*count* scripts, without those that came before."""
    found: dict[str, None] = {}

    @settings(
        max_examples=count,
        phases=[Phase.generate],
        derandomize=count == USUAL,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(scripts())
    def draw(script: str) -> None:
        found.setdefault(script)

    draw()
    return list(found)


if __name__ == "__main__":
    json.dump(drawn(int(sys.argv[1])), sys.stdout)
