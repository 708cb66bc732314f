"""The syslinux family: SYSLINUX, EXTLINUX, ISOLINUX, PXELINUX, and U-Boot's reading of it.

Specification: the documentation of Syslinux 6 (doc/syslinux.txt, menu.txt, extlinux.txt,
isolinux.txt, pxelinux.txt; https://wiki.syslinux.org/wiki/index.php?title=Config), and of U-Boot
(https://docs.u-boot.org/en/latest/develop/distro.html, doc/README.pxe); where these are silent or
wrong, what SYSLINUX 6.04 and U-Boot 2023.01 were seen to do.

An ``extlinux.conf`` is read as U-Boot does on ARM and RISC-V, and wherever it names device trees
or has neither DEFAULT nor UI: the default is then DEFAULT's label, whose name may have spaces, or
the first MENU DEFAULT, else the first label. Everything else is read as Syslinux does:

- Where a menu module is run (UI, or DEFAULT menu.c32), its default is counted: with UI that of
  DEFAULT, else the last MENU DEFAULT, else the first entry. ONTIMEOUT goes before it, since that
  is what starts when nobody is there. Without a menu the default is what DEFAULT types; if no
  label starts just that, it is an entry of its own. A label's name is its whole line first, then
  its first word, which is all that Syslinux knows.
- TIMEOUT, in tenths of a second, counts even where PROMPT 0 would start the default at once.
- A label that leads to another configuration (CONFIG, ``menu.c32 FILE``) is a submenu; the modules
  config, linux, whichsys, ifcpu, ifcpu64 and cmd are followed. When a configuration without a menu
  leads to another one by itself, only that other is read.
- The cmdline is what APPEND says, ``initrd=`` included. What the loaders add is not: BOOT_IMAGE=,
  ``initrd=`` of INITRD, and the addresses and identities of IPAPPEND and SYSAPPEND.
- Of several INITRDs Syslinux takes the last and U-Boot the first; commas separate several files.
- In U-Boot's APPEND variables are empty, quotes and backslashes are taken as U-Boot takes them.
- FDTDIR: the tree whose root is compatible with the running one's, instead of U-Boot's file name.
- MENU HIDE and MENU DISABLE are obeyed; separators and labels that only lead back are left out.
  A password does not keep an entry from being shown.

Entries that do not start Linux (LOCALBOOT, boot sectors, COM32 programs, memdisk, multiboot by
mboot.c32) are listed without a kernel. Not supported: the choice that MENU SAVE keeps in
ldlinux.sys, what U-Boot's variables hold, selecting a configuration of a FIT image, ``(hd0,1)``
paths, and PXELINUX's files other than ``default``. Unlike U-Boot, a keyword that it does not know
does not end a label, and a global APPEND counts.

All configurations of a volume are read, in the order of ``DIRECTORIES``. What one of them has
read is no configuration of its own, and the same entry (title, files, cmdline) is offered once.
"""
