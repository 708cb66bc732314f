"""Bytes of a kernel in, a described, decompressed image out. One module per format."""

from bootmenu.images.kernel import KernelImage, open_kernel

__all__ = ["KernelImage", "open_kernel"]
