"""GRUB's configuration: a script, which is run as GRUB runs it.

Specification: GNU GRUB manual, https://www.gnu.org/software/grub/manual/grub/grub.html, and where
it is silent the behaviour of GRUB 2.06, with which the tests compare. Supported is what decides
the menu and what its entries load; what only changes GRUB's looks is accepted.

Not supported: passwords (every entry is offered), ``newc:`` initrds, Multiboot, Xen and BSD, of
which an entry says that it starts them, and menus in other boot loaders' languages. A program that
``chainloader`` starts is one of these too, unless it is a kernel. Commands that ask the firmware
(``smbios``, ``cpuid`` beyond the architecture) find nothing, ``read`` gets an empty line.

Random scripts are compared with GRUB's answers. Differences that stay: in ``$"…"``, ``$1`` and
``$@`` have their values (GRUB has none there), and a backslash before it in the same word is
dropped (GRUB keeps it); an escaped x before two hexadecimal digits keeps its backslash, see the
lexer; recursion ends at a lower depth, and the script with it. ``set`` alone prints nothing.

An unknown command is noted as a problem and counts as true, as for GRUB. ``exit`` ends the script,
and what is on the menu then is offered, where GRUB would leave.
"""
