"""The setup header of an x86 ``bzImage``.

Layout and meaning: Documentation/arch/x86/boot.rst, protocol 2.12 (Linux 3.8) and later. What
is started is the 64-bit entry point, 0x200 bytes into what follows the setup code; that code
itself, for BIOSes, is not used.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from bootmenu.errors import ImageError
from bootmenu.images.damage import DAMAGED

START = 0x1F1
"""Where the header begins, in the file and in boot_params."""
ENTRY = 0x200
"""Where the 64-bit entry point lies in the kernel."""
MAX_IMAGE_SIZE = 1 << 30
CMDLINE_SIZE = 2047
"""COMMAND_LINE_SIZE of x86 without its NUL."""
INITRD_MAX = 0x7FFFFFFF
"""initrd_addr_max of all kernels that take their initrd below 4 GiB only."""

_MAGIC_AT = 0x202
_MAGIC = b"HdrS"
_PROTOCOL = 0x20C
_HEADER_END = 0x290  # what boot_params has behind it is no kernel's to say
_SECTOR = 512
_LOADED_HIGH = 1 << 0  # of loadflags
XLF_KERNEL_64 = 1 << 0
XLF_CAN_BE_LOADED_ABOVE_4G = 1 << 1
XLF_EFI_KEXEC = 1 << 4
XLF_5LEVEL = 1 << 5


@dataclass(frozen=True, slots=True)
class Header:
    """What the setup header says; sizes in bytes. *raw* is all of it, for boot_params."""

    raw: bytes
    payload_offset: int  # in the file
    payload_size: int
    init_size: int  # memory that it takes until it has unpacked itself
    alignment: int
    pref_address: int
    relocatable: bool
    xloadflags: int
    cmdline_size: int  # the longest cmdline that it takes, without the NUL
    initrd_max: int  # the highest address that its initrd may take, below 4 GiB
    version_at: int  # in the file, the text that begins with its release; 0 for none

    @property
    def text_offset(self) -> int:
        """It lies on its alignment."""
        return 0

    @property
    def image_size(self) -> int:
        """How much memory it takes, until it has unpacked itself."""
        return self.init_size

    @property
    def flags(self) -> int:
        """The header's xloadflags."""
        return self.xloadflags

    @property
    def page_size(self) -> int:
        """All x86 kernels have pages of 4 KiB."""
        return 4096

    @property
    def entry(self) -> int:
        """Where it is entered, from where it is loaded."""
        return ENTRY

    @property
    def anywhere(self) -> bool:
        """Whether it may lie anywhere, from *pref_address* on."""
        return self.relocatable

    @property
    def above_4g(self) -> bool:
        """Whether it, its initrd and what it is told may lie above 4 GiB."""
        return bool(self.xloadflags & XLF_CAN_BE_LOADED_ABOVE_4G)

    @property
    def takes_efi(self) -> bool:
        """Whether it can take over the UEFI of the kernel before it."""
        return bool(self.xloadflags & XLF_EFI_KEXEC)

    @property
    def five_level(self) -> bool | None:
        """Whether it can be entered with page tables of five levels."""
        return bool(self.xloadflags & XLF_5LEVEL)


def parse(head: bytes, path: str) -> Header:
    """The header in *head*, the first 4 KiB of a file, checked; *path* is for messages.

    Raises ImageError for what no x86_64 machine could start by way of its 64-bit entry.
    """
    _require_64_bit_entry(head, path)
    sectors = head[START] or 4
    offset = (sectors + 1) * _SECTOR
    (paragraphs,) = struct.unpack_from("<I", head, 0x1F4)
    alignment, relocatable = struct.unpack_from("<IB", head, 0x230)
    (version,) = struct.unpack_from("<H", head, 0x20E)
    (initrd_max,) = struct.unpack_from("<I", head, 0x22C)
    xloadflags, cmdline_size = struct.unpack_from("<HI", head, 0x236)
    pref_address, init_size = struct.unpack_from("<QI", head, 0x258)
    header = Header(
        raw=head[START : _MAGIC_AT + head[0x201]],
        payload_offset=offset,
        payload_size=paragraphs * 16,
        init_size=init_size,
        alignment=alignment,
        pref_address=pref_address,
        relocatable=bool(relocatable),
        xloadflags=xloadflags,
        cmdline_size=cmdline_size,
        initrd_max=initrd_max,
        version_at=version and version + _SECTOR,
    )
    _require_sense(header, head[0x211], path)
    return header


def _require_64_bit_entry(head: bytes, path: str) -> None:
    if len(head) < 0x268:
        raise ImageError(f"{path}: truncated, the kernel's header is incomplete", hint=DAMAGED)
    if head[_MAGIC_AT : _MAGIC_AT + 4] != _MAGIC or head[0x1FE:0x200] != b"\x55\xaa":
        raise ImageError(
            f"{path}: no x86 kernel, the magic numbers are missing",
            hint="choose a bzImage, e.g. vmlinuz of Debian's linux-image-amd64",
        )
    (protocol,) = struct.unpack_from("<H", head, 0x206)
    if protocol < _PROTOCOL:
        raise ImageError(
            f"{path}: a kernel of boot protocol {protocol >> 8}.{protocol & 0xFF:02}, "
            f"and 2.12 (Linux 3.8) is the oldest that can be started",
            hint="choose a newer kernel",
        )
    if not head[0x236] & XLF_KERNEL_64:
        raise ImageError(
            f"{path}: this is a kernel for i386 (x86 bzImage), and this machine is x86_64",
            hint="choose an entry with a kernel for x86_64",
        )


def _require_sense(header: Header, loadflags: int, path: str) -> None:
    alignment = header.alignment
    if (
        not loadflags & _LOADED_HIGH
        or alignment.bit_count() != 1
        or alignment > MAX_IMAGE_SIZE
        or not header.payload_size <= header.init_size <= MAX_IMAGE_SIZE
        or not 0x264 <= START + len(header.raw) <= _HEADER_END
        or header.payload_size <= ENTRY
    ):
        raise ImageError(
            f"{path}: damaged, its header says what cannot be (init_size {header.init_size:#x}, "
            f"payload {header.payload_size:#x}, alignment {alignment:#x})",
            hint=DAMAGED,
        )


def setup_header() -> bytes:
    """The header of a kernel that lacks one, as what reads boot_params expects it."""
    page = bytearray(0x268)
    struct.pack_into("<H", page, 0x1FE, 0xAA55)
    struct.pack_into("<4sH", page, _MAGIC_AT, _MAGIC, _PROTOCOL)
    page[0x211] = _LOADED_HIGH
    struct.pack_into("<H", page, 0x236, XLF_KERNEL_64 | XLF_CAN_BE_LOADED_ABOVE_4G)
    struct.pack_into("<I", page, 0x238, CMDLINE_SIZE)
    return bytes(page[START:])


def check_size(header: Header, _head: bytes, size: int, path: str) -> None:
    """Raise ImageError when a file of *size* bytes does not have all of the kernel."""
    needed = header.payload_offset + header.payload_size
    if size < needed:
        raise ImageError(f"{path}: truncated, {size:,} bytes of {needed:,} are there", hint=DAMAGED)
