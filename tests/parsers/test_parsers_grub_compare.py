"""GRUB itself is the judge: what it parses, what its scripts print and what they leave in $?."""

import random
import subprocess

import pytest
from parsers_grub_peer import emulate, interpret

from bootmenu.parsers.grub.parser import parse

SNIPPETS = r'''
echo "a$b"
echo "a$ b"
echo "${a"
echo a\ b
echo [[ a ]]
echo a[[b
! x
function a-b { true; }
function if { true; }
function f { true; } ; echo
function f { true; } echo
function f { true }
function f() { true; }
if true; then function f { true; }; fi
for $a in c; do true; done
for i in ; do true; done
for i in if do; do true; done
for i in a{b}; do true; done
for i in a;; do true; done
menuentry x { } foo
menuentry x { echo } ; echo
menuentry x {}
menuentry "x" { echo a; { true; } }
a { b } { c }
if true; then true; fi echo
if; then true; fi
if true; then; true; fi
if true; then true; elif true; then true; else true; fi
if true; then true; else true; elif true; then true; fi
while true; true; do true; done
until false; do true; done
echo a & echo
echo a|b
echo a;;
echo a; ; echo b
; echo
}
{ echo; }
case
echo case select esac
"if" true
echo $"translated $a"
echo $"translated $ "
echo $"translated
echo "a$"
a=b c
a#b # comment "
echo ${12} $1a $?x
echo ${1a}
echo $$
'a'"b"$c
'a
echo fi }
time x
'''.strip().split("\n")  # fmt: skip

MULTILINE = (
    "if true\nthen\n\n echo\nelse echo; fi\n",
    "if true; then echo a\n;echo b; fi\n",
    "echo\nfunction f\n{\n echo\n}\n",
    "menuentry x\n{\n echo\n}\n",
    "menuentry x {\n echo # }\n}\n",
    "echo \"a\nb\" 'c\nd'\n",
    "echo a \\\n b\n",
    "if true; then\r\n echo\r\nfi\r\n",
    "for i\nin a; do echo; done\n",
    "for i in a;\n\ndo echo; done\n",
    'echo $"a\nb" c\n',
    'echo "a$\nb" c\n',
)


FRAGMENTS = (
    *("if true; then", "elif [ a ]; then", "else", "fi", "for i in a b; do", "done"),
    *("while false; do", 'menuentry "x" {', "}", "function g {", "{", "echo a$b", "x=1"),
    *("true;", "false;", "# comment", "$x", "'q'", '"$y"', "if", "then", "in", "[[", "||", "&"),
)


def is_script(script: str) -> bool:
    """Whether GRUB finds nothing wrong with *script*."""
    command = ["grub-script-check"]
    done = subprocess.run(command, check=False, input=script, text=True, capture_output=True)
    return done.returncode == 0


@pytest.mark.parametrize("script", [*(f"echo\n{s}\n" for s in SNIPPETS), *MULTILINE])
def test_grub_script_check_agrees_about_what_is_a_script(script: str) -> None:
    assert (not parse(script)[1]) == is_script(script)


def test_grub_script_check_agrees_about_random_scripts() -> None:
    chance = random.Random(1)
    for _ in range(300):
        script = "".join(
            chance.choice(FRAGMENTS) + chance.choice(" \n\n;") for _ in range(chance.randint(1, 10))
        )
        script = f"echo\n{script}\n"
        assert (not parse(script)[1]) == is_script(script), script


SCRIPTS = {
    "splitting": r"""
        x=" a  b "; e=
        for i in p${x}q $x"q" ""$e $e"" '' $e "$e" "$x"; do echo "<$i>"; done
        newline="a
b"
        for i in $newline; do echo "<$i>"; done
        """,
    "quoting": r"""
        y='$x \n'; echo $y "$y" "\$x \\ \q \"" \q \$x 'a\b' a\
b "a\
b" "a'b"'c"d'e
        """,
    "assignment": """
        set a=1 b=2; c=3; "d"=4; echo $a $b $c $d
        set e = f; echo $?
        1a=5; echo $?; unset a; echo "[$a]"; x=y=z; echo $x
        """,
    "status": """
        false; echo $?; true; echo $?; x=1; echo $?; ! true; echo $?; nosuch; echo $?
        if false; then true; fi; echo $?
        if true; then false; fi; echo $?
        if false; then true; else false; fi; echo $?
        for i in 1; do false; done; echo $?
        while false; do true; done; echo $?; for i in ; do false; done; echo $?
        function r { return 3; }; r; echo $?
        function q { return; }; false; q; echo $?; true; q; echo $?
        return 5; echo $?; break; echo $?
        """.replace("function r", "\nfunction r").replace("function q", "\nfunction q"),
    "branches": """
        if false; then echo 1; elif true; then echo 2; else echo 3; fi
        if ! false; then echo inverted; fi
        if nosuch; then echo yes; else echo no; fi
        if [ a = b ]; then echo 1; elif [ a = c ]; then echo 2; else echo 3; fi
        """,
    "loops": """
        i=x; while [ $i != xxxx ]; do i=x$i; echo $i; if [ $i = xxx ]; then break; fi; done
        until [ $i = xxxxx ]; do i=x$i; echo $i; done
        for j in 1 2 3; do if [ $j = 2 ]; then continue; fi; echo $j; done; echo $j
        for i in a b; do for j in 1 2; do if [ $i$j = a2 ]; then break 2; fi; echo $i$j; done; done
        for i in a b; do for j in 1 2; do if [ $j = 2 ]; then continue 2; fi; echo $i$j; done; done
        """,
    "functions": """
        function f { echo $# $1 $2 "$@" $0; for i in "$@"; do echo "<$i>"; done; shift; echo $1; }
        f "a b" c d
        function g { for i in $@ "$*" $*; do echo "<$i>"; done; }
        g "a b" "" c
        function h { echo x "$@" y; for i in "$@"; do echo "<$i>"; done; }
        h a "" b; h ""; h
        function inner { echo inner $1; return 2; echo no; }
        function outer { inner x$1; echo $1 $?; }
        outer y
        """,
    "recursion": """
        function f { if [ "$1" = xxx ]; then echo end; else echo $1; f x$1; echo back $1; fi; }
        f x
        """,
    "functions are looked up when they run": """
        function a { b; }
        function b { echo one; }
        a
        function b { echo two; }
        a
        """,
    "break does not leave a function": """
        function b { break; echo after; }
        for i in 1 2; do b; echo $i; done
        """,
    "shift and setparams": """
        function f { setparams a "b c" d; echo $# $2; shift 2; echo $1; shift 5; echo $? $1; }
        f x
        setparams a b; echo "[$1] [$#]"
        """,
    "variable as a command": """
        cmd="echo hi"; $cmd there; e=; $e echo x; $e; echo $?; "echo" quoted; "$cmd"; echo end
        """,
    "strings in test": """
        [ a = a ]; echo $?; [ a == b ]; echo $?; [ a != b ]; echo $?; [ "a" "<" "b" ]; echo $?
        [ ]; echo $?; [ a ]; echo $?; [ "" ]; echo $?; [ -n ]; echo $?; [ -z ]; echo $?
        [ -z "" ]; echo $?; [ -n a ]; echo $?; [ -n "" ]; echo $?; test a; echo $?; [ a = ]; echo $?
        """,
    "numbers in test": """
        [ 10 -gt 9 ]; echo $?; [ 1 -lt 2 -a 2 -le 2 -a 3 -ne 4 ]; echo $?; [ 3 -ge 4 ]; echo $?
        [ 0x10 -eq 16 ]; echo $?; [ abc -eq 0 ]; echo $?; [ v10 -pgt v9 ]; echo $?
        [ v10 -plt v9 ]; echo $?; [ -1 -lt 0 ]; echo $?
        """,
    "logic in test": """
        [ a = b -o c = c -a d = e ]; echo $?; [ c = c -o d = e -a d = f ]; echo $?
        [ ! ( a = b -o c = d ) -a e = e ]; echo $?; [ ( "" ) ]; echo $?; [ ! "" ]; echo $?
        [ ! = ! ]; echo $?; [ -a = -a -o x ]; echo $?; [ ! ( ! "" ) -a ( a ) ]; echo $?
        [ a -o ]; echo $?; [ "" -o a ]; echo $?; [ "" -a a ]; echo $?; [ ! a -o b ]; echo $?
        """,
    "files in test": """
        [ -e /etc/passwd ]; echo $?; [ -f /etc ]; echo $?; [ -d (host)/etc ]; echo $?
        [ -s /etc/passwd -a ! -e /nope ]; echo $?; [ -f (host)/etc/passwd ]; echo $?
        """,
    "eval": """
        eval "echo evaluated; z=1"; echo $z; code='if true; then echo in; fi'; eval "$code"
        """,
    "dropped statements": """
        if true; then
          function f {
            echo in f
          }
          echo after
        fi
        echo next; fi; echo dropped
        menuentry "x" {
          echo body
          if true; then
        }
        echo a }
        echo end
        fi
        """,
    "blocks as arguments": """
        echo a {b; c }
        function f { echo $# "$2"; }
        f x { echo y; }
        """,
    "a function is defined before its line runs, and even if that is wrong": """
        function f { echo 1; }; f; function f { echo 2; }; f
        function f { echo 3; } echo
        f
        """.replace("        function", "\nfunction"),
    "what an error takes with it": """
        echo "a$
b" c; echo d
        echo "a$ b"; echo e
        echo $"a$
b" f
        """,
    "no command": """
        false; $e; echo $?; ! $e; echo $?; ! a=1; echo $?; ! nosuch; echo $?
        if false; then true; else $e; fi; echo $?
        """,
    "numbers of return": """
        function f { return x; echo on; }
        f; echo $?
        function f { return 1x; echo on; }
        f; echo $?
        function f { return 1 2; echo on; }
        f; echo $?
        function f { return 4294967297; echo on; }
        f; echo $?
        function f { return 2147483648; echo on; }
        f; echo $?
        """.replace("        function", "\nfunction"),
    "positional parameters outside": 'echo "[$1]" "[$@]" "[$*]" "[$#]" "[$0]"\n',
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_grub_prints_the_same(name: str) -> None:
    assert emulate([SCRIPTS[name]]) == [interpret(SCRIPTS[name])]
