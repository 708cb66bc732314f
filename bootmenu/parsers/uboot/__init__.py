"""U-Boot's scripts: ``boot.scr`` and ``boot.cmd``, ``armbianEnv.txt``, ``uEnv.txt``.

Specification: U-Boot's documentation (usage/cmdline, "distro boot") and what U-Boot 2023.01 does;
Armbian's boot scripts, Debian's flash-kernel, BeagleBone's ``uEnv.txt``.

A script is run, not searched for words: variables, conditions, loops, ``load``, ``env import``,
``source``, ``fdt apply``, ``part uuid``, ``booti``, ``bootz`` and ``bootm``, in an environment as
U-Boot's "distro boot" makes it (``devtype devnum distro_bootpart prefix`` and the addresses). What
it would start is the entry. The script is that in ``boot.scr``, which U-Boot runs; where
``boot.cmd`` beside it has the same text, or is alone, it is named instead. Settings without any
script are read as the U-Boot of their boards does.

``fdtfile``, which U-Boot has compiled in, is found by the machine's ``compatible`` when the script
does not say it. What else only the board knows is missing in the cmdline, with a problem that says
so. An initrd in the wrapping of ``mkimage`` (``uInitrd``) is listed as it is. Not supported:
changes to the tree other than overlays (``fdt set``), EFI programs, network, FIT configurations,
``setexpr`` on texts.
"""
