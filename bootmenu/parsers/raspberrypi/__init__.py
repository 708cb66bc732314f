"""Raspberry Pi: ``config.txt`` and ``cmdline.txt`` on the boot partition.

Specification: Raspberry Pi's documentation, "config.txt" and "Device Trees, overlays, and
parameters". What the firmware would load is the one entry; ``tryboot.txt``, which it reads in place
of config.txt when asked to try, gives a second one. Without config.txt its defaults hold.

Supported: filters (see ``config.py``), ``include``, ``kernel``, ``arm_64bit``, ``os_prefix``,
``overlay_prefix``, ``upstream_kernel``, ``initramfs``, ``ramfsfile``, ``auto_initramfs``,
``cmdline``, ``device_tree``, ``dtoverlay``, ``dtparam``, overlay_map.dtb. ``console=serial0``
becomes the port that the firmware would write. Parameters of the base tree are those of the entry's
DTB, as an overlay's are the overlay's: ``NAME=VALUE``, in their order; a ``dtparam`` that the last
overlay does not know is the base tree's. An overlay that is not there is left out, as the firmware
does it. On another maker's board only what stands outside of the model filters holds, the kernel
is a 64-bit one, and the tree must be ``compatible``.

Not supported: what the firmware adds to the cmdline by itself (memory of the graphics, addresses),
settings of clocks and displays, ``autoboot.txt``, EFI firmware as ``armstub``. A boot loader as the
kernel (``u-boot.bin``) is not listed: its systems have their own configurations.
"""
