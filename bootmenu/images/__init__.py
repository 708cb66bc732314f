"""Bytes of a kernel in, a described, decompressed image out. One module per format."""

from bootmenu.images.contents import Contents, open_contents
from bootmenu.images.kernel import KernelImage, open_kernel

__all__ = ["Contents", "KernelImage", "open_contents", "open_kernel"]
