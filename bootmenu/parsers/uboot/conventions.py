"""Scripts for systems that bring only their settings, the script being in the U-Boot of the board.

Each is what such a U-Boot does, in its own language, so that one interpreter runs them all.
"""

from __future__ import annotations

from collections.abc import Mapping

ARMBIAN = """
setenv rootdev /dev/mmcblk0p1
setenv verbosity 1
setenv console both
setenv rootfstype ext4
setenv docker_optimizations on
setenv bootlogo false
load ${devtype} ${devnum} ${load_addr} ${prefix}armbianEnv.txt
env import -t ${load_addr} ${filesize}
if test "${console}" = "display" || test "${console}" = "both"; then
  setenv consoleargs "console=tty1"
fi
if test "${console}" = "serial" || test "${console}" = "both"; then
  setenv consoleargs "${serialconsole} ${consoleargs}"
fi
if test "${earlycon}" = "on"; then setenv consoleargs "earlycon ${consoleargs}"; fi
if test "${bootlogo}" = "true"; then
  setenv consoleargs "splash plymouth.ignore-serial-consoles ${consoleargs}"
else
  setenv consoleargs "splash=verbose ${consoleargs}"
fi
part uuid ${devtype} ${devnum}:${distro_bootpart} partuuid
setenv bootargs "root=${rootdev} rootwait rootfstype=${rootfstype} ${consoleargs} consoleblank=0"
setenv bootargs "${bootargs} loglevel=${verbosity} ubootpart=${partuuid}"
setenv bootargs "${bootargs} usb-storage.quirks=${usbstoragequirks} ${extraargs} ${extraboardargs}"
if test "${docker_optimizations}" = "on"; then
  setenv bootargs "${bootargs} cgroup_enable=cpuset cgroup_memory=1 cgroup_enable=memory"
fi
load ${devtype} ${devnum} ${ramdisk_addr_r} ${prefix}uInitrd
load ${devtype} ${devnum} ${kernel_addr_r} ${prefix}Image
load ${devtype} ${devnum} ${fdt_addr_r} ${prefix}dtb/${fdtfile}
fdt addr ${fdt_addr_r}
for name in ${overlays}; do
  for file in overlay/${overlay_prefix}-${name} ${vendor}/overlay/${overlay_prefix}-${name}; do
    if load ${devtype} ${devnum} ${load_addr} ${prefix}dtb/${file}.dtbo; then
      fdt apply ${load_addr}
    fi
  done
done
for name in ${user_overlays}; do
  if load ${devtype} ${devnum} ${load_addr} ${prefix}overlay-user/${name}.dtbo; then
    fdt apply ${load_addr}
  fi
done
booti ${kernel_addr_r} ${ramdisk_addr_r} ${fdt_addr_r}
booti ${kernel_addr_r} - ${fdt_addr_r}
"""
"""A system of Armbian's whose boot.cmd is missing: ``/boot/armbianEnv.txt``."""

BEAGLE = """
setenv console ttyS0,115200n8
setenv mmcrootfstype ext4 rootwait
setenv oldroot /dev/mmcblk0p1
load ${devtype} ${devnum} ${loadaddr} ${prefix}uEnv.txt
env import -t ${loadaddr} ${filesize}
if test -n "${uname_r}"; then
  if test -n "${dtb}"; then setenv fdtfile ${dtb}; fi
  setenv root ${oldroot}
  if test -n "${uuid}"; then setenv root UUID=${uuid}; fi
  setenv bootargs console=${console} ${optargs} ${cape_disable} ${cape_enable} root=${root} ro
  setenv bootargs ${bootargs} rootfstype=${mmcrootfstype} ${cmdline}
  for dir in /boot/ /; do
    if load ${devtype} ${devnum} ${loadaddr} ${dir}vmlinuz-${uname_r}; then
      load ${devtype} ${devnum} ${rdaddr} ${dir}initrd.img-${uname_r}
      load ${devtype} ${devnum} ${fdtaddr} ${dir}dtbs/${uname_r}/${fdtfile}
      booti ${loadaddr} ${rdaddr} ${fdtaddr}
    fi
  done
fi
if test -n "${uenvcmd}"; then run uenvcmd; fi
"""
"""``uEnv.txt`` as BeagleBone's U-Boot takes it: ``uname_r``, else ``uenvcmd``."""

_SERIAL = (
    (("rockchip", "rk3", "rk5"), "console=ttyS2,1500000"),
    (("amlogic", "meson"), "console=ttyAML0,115200n8"),
    (("allwinner", "sun"), "console=ttyS0,115200"),
)


def armbian_environment(settings: Mapping[str, str], compatible: tuple[str, ...]) -> dict[str, str]:
    """What a board's family decides; *settings* are armbianEnv.txt's variables."""
    vendor, slash, _ = settings.get("fdtfile", "").rpartition("/")
    names = [settings.get("overlay_prefix", ""), settings.get("fdtfile", ""), *compatible]
    environment = {"vendor": vendor} if slash else {}
    for name in names:
        for prefixes, console in _SERIAL:
            if name.startswith(prefixes):
                return {**environment, "vendor": vendor or prefixes[0], "serialconsole": console}
    return environment
