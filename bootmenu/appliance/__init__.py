"""Kernel, Debian root and overlay in, a bootable image out; and the machine that runs it."""

from bootmenu.appliance.image import BuildResult, build

__all__ = ["BuildResult", "build"]
