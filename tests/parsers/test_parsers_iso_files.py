"""The files inside an ISO image, as other readers of ISO 9660 see them; and images that lie."""

import os
import shutil
import struct
import subprocess
import time
from itertools import count
from pathlib import Path

import pytest
from parsers_trees import make_tree

from bootmenu.errors import VolumeError
from bootmenu.files import VolumeFiles, open_slice
from bootmenu.files.iso import iso_volume
from bootmenu.model import Volume

LONG = "a-name-" * 35 + "end"
FILES: dict[str, str | bytes] = {
    "/boot/grub/grub.cfg": "menuentry A { }\n",
    "/casper/vmlinuz": bytes(range(256)) * 50,
    "/casper/empty": "",
    f"/names/{LONG}": "long",
    "/names/ümläut ☃": "text",
    "/names/UPPER.Case": "text",
    "/1/2/3/4/5/6/7/8/9/10/deep": "deep",
    **{f"/many/file-{number:04}": str(number) for number in range(500)},
}
LINKS = {
    "/vmlinuz": "casper/vmlinuz",
    "/casper/absolute": "/boot/grub",
    "/casper/up": "../boot/./grub/grub.cfg",
    "/long": "/".join(["component" * 12] * 4),
    "/loop": "loop",
}
XORRISO = ["xorriso", "-as", "mkisofs", "-quiet"]
GENISOIMAGE = ["genisoimage", "-quiet", "-allow-limited-size"]
MODIFIED = "2026021410203000"
TIMES = count(1)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tree")
    make_tree(root, FILES)
    for path, target in LINKS.items():
        (root / path[1:]).symlink_to(target)
    os.mkfifo(root / "fifo")
    return root


def make_iso(where: Path, tool: list[str], tree: Path, *options: str) -> VolumeFiles:
    """The image of *tree* that *tool* makes, as a volume's files."""
    if tool[0] == "bsdtar":
        command: list[str | Path] = [*tool, "-cf", where, *options, "-C", tree, "."]
    else:
        command = [*tool, *options, "-o", where, tree]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return VolumeFiles.of(Volume("iso", str(where), fstype="iso9660"))


@pytest.mark.parametrize(
    ("tool", "options"),
    [
        (XORRISO, ["-R"]),
        (XORRISO, ["-R", "-J", "-joliet-long"]),
        (GENISOIMAGE, ["-R"]),
        (GENISOIMAGE, ["-R", "-J", "-joliet-long"]),
        (["bsdtar", "--format", "iso9660"], []),
    ],
    ids=["xorriso", "xorriso-joliet", "genisoimage", "genisoimage-joliet", "bsdtar"],
)
def test_every_file_is_found_as_the_tool_was_given_it(
    tmp_path: Path, tree: Path, tool: list[str], options: list[str]
) -> None:
    files = make_iso(tmp_path / "x.iso", tool, tree, *options)
    names = {name.lower() for name in files.listdir("/")} - {"rr_moved"}
    assert names == {path.name for path in tree.iterdir()}
    for path, content in FILES.items():
        raw = content.encode() if isinstance(content, str) else content
        assert files.read_bytes(path, 1 << 20) == raw
        assert files.changed(path) == int((tree / path[1:]).stat().st_mtime)
    assert files.path_of("/vmlinuz") == "/casper/vmlinuz"
    assert files.read_text("/casper/absolute/grub.cfg") == FILES["/boot/grub/grub.cfg"]
    assert files.path_of("/casper/up") == "/boot/grub/grub.cfg"
    assert len(files.listdir("/many")) == 500
    assert not files.exists("/casper/VMLINUZ")
    with pytest.raises(VolumeError, match="too many symbolic links"):
        files.size("/loop")
    assert files.exists("/fifo")
    assert not files.is_file("/fifo")
    part = files.slice("/casper/vmlinuz")
    with open_slice(part) as opened:
        assert opened.read() == FILES["/casper/vmlinuz"]


@pytest.mark.parametrize(
    ("tool", "options"),
    [(XORRISO, ["--norock"]), (GENISOIMAGE, [])],
    ids=["xorriso", "genisoimage"],
)
def test_without_rock_ridge_names_are_joliets_or_plain_and_have_no_case(
    tmp_path: Path, tool: list[str], options: list[str]
) -> None:
    root = tmp_path / "tree"
    make_tree(root, {"/EFI/Boot/grub.cfg": "x", "/isolinux/vmlinuz": "k", "/A Long Näme.text": "y"})
    joliet = make_iso(tmp_path / "j.iso", tool, root, "-J", *options)
    assert joliet.listdir("/") == ["A Long Näme.text", "EFI", "isolinux"]
    assert joliet.read_text("/efi/BOOT/grub.cfg") == "x"
    plain = make_iso(tmp_path / "p.iso", tool, root, *options)
    assert "isolinux" in plain.listdir("/")
    assert plain.listdir("/isolinux") == ["vmlinuz"]
    assert plain.read_text("/ISOLINUX/VMLINUZ") == "k"


def test_a_listing_is_that_of_isoinfo_and_7z(tmp_path: Path, tree: Path) -> None:
    files = make_iso(tmp_path / "x.iso", XORRISO, tree, "-R")
    listed = subprocess.run(
        ["isoinfo", "-R", "-f", "-i", tmp_path / "x.iso"], check=True, capture_output=True
    ).stdout.decode("utf-8", "surrogateescape")
    assert set(listed.split("\n")) - {""} == set(walk(files))
    shown = subprocess.run(
        ["7zz", "l", "-slt", "-ba", tmp_path / "x.iso"], check=True, capture_output=True, text=True
    ).stdout
    sizes = {}
    for block in shown.split("\n\n"):
        facts = dict(line.split(" = ", 1) for line in block.splitlines() if " = " in line)
        if facts.get("Folder") == "-" and files.is_file(facts["Path"]):
            sizes[facts["Path"]] = int(facts["Size"] or 0)
    assert sizes.pop("vmlinuz", 0) == 0, "7z does not follow links"
    mine = {path[1:]: files.size(path) for path in FILES if LONG not in path}  # 7z cuts it
    assert {path: sizes.get(path) for path in mine} == mine


def walk(files: VolumeFiles, path: str = "") -> list[str]:
    """Every path in *files*, links not followed."""
    found = []
    for name in files.listdir(path):
        inside = f"{path}/{name}"
        found.append(inside)
        if inside not in LINKS and files.is_dir(inside):
            found += walk(files, inside)
    return found


def test_the_image_is_known_as_blkid_knows_it(tmp_path: Path, tree: Path) -> None:
    image = tmp_path / "x.iso"
    make_iso(image, XORRISO, tree, "-R", "-V", "LIVE_1", f"--modification-date={MODIFIED}")
    volume = iso_volume(Volume("vda1", str(tmp_path)), "/x.iso")
    said = subprocess.run(
        ["blkid", "-p", "-o", "export", image], check=True, capture_output=True, text=True
    ).stdout
    facts = dict(line.split("=", 1) for line in said.splitlines())
    assert (volume.name, volume.fstype) == ("vda1:/x.iso", facts["TYPE"])
    assert (volume.uuid, volume.label) == (facts["UUID"], facts["LABEL"])
    assert volume.uuid == "2026-02-14-10-20-30-00"


def test_a_file_in_several_extents_that_follow_each_other_is_one_piece(tmp_path: Path) -> None:
    root, image = tmp_path / "tree", tmp_path / "x.iso"
    make_tree(root, {"/big": "one", "/more": "two"})
    files = make_iso(image, XORRISO, root, "-R")
    first, second = files.slice("/big").offset, files.slice("/more").offset
    assert second - first == 2048
    data = bytearray(image.read_bytes())
    # In both orders: a date in a record may have the bytes of one.
    at = data.index(struct.pack("<I", first // 2048) + struct.pack(">I", first // 2048)) - 2
    other = data.index(struct.pack("<I", second // 2048) + struct.pack(">I", second // 2048)) - 2
    data[at + 10 : at + 18] = struct.pack("<I", 2048) + struct.pack(">I", 2048)
    data[at + 25] |= 0x80
    data[other + 33 : other + 33 + data[other + 32]] = b"BIG.;1"[: data[other + 32]]
    data[data.index(b"NM", other) + 5 : data.index(b"NM", other) + 9] = b"big\0"
    image.write_bytes(data)
    files = VolumeFiles.of(Volume("iso", str(image), fstype="iso9660"))
    assert files.size("/big") == 2048 + 3
    assert files.slice("/big").offset == first


def test_compressed_files_are_refused_with_the_reason(tmp_path: Path) -> None:
    root = tmp_path / "tree"
    make_tree(
        root,
        {
            "/vmlinuz": b"\x37\xe4\x53\x96\xc9\xdb\xd6\x07"
            + struct.pack("<IBBxx", 9999, 4, 15)
            + b"z" * 99
        },
    )
    files = make_iso(tmp_path / "x.iso", GENISOIMAGE, root, "-R", "-z")
    with pytest.raises(VolumeError, match="zisofs"):
        files.slice("/vmlinuz")


# --- images that lie ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("sound")
    make_tree(folder / "tree", {"/dir/sub/file": "content", "/vmlinuz": "k" * 5000})
    (folder / "tree" / "link").symlink_to("dir/sub/file")
    make_iso(folder / "x.iso", XORRISO, folder / "tree", "-R", "-J")
    return (folder / "x.iso").read_bytes()


def opened(tmp_path: Path, data: bytes) -> VolumeFiles:
    image = tmp_path / "x.iso"
    image.write_bytes(data)
    # Writes may come faster than the clock of a filesystem ticks; an image is read once.
    os.utime(image, ns=(0, next(TIMES)))
    return VolumeFiles.of(Volume("iso", str(tmp_path / "x.iso"), fstype="iso9660"))


def test_what_is_no_image_is_an_error(tmp_path: Path, sound: bytes) -> None:
    for data in (b"", b"x" * 100, bytes(64 << 10), sound[:0x8100]):
        with pytest.raises(VolumeError, match="not an ISO 9660 image"):
            opened(tmp_path, data)


def test_a_download_that_was_cut_off_says_so(tmp_path: Path, sound: bytes) -> None:
    whole = opened(tmp_path, sound)
    place = whole.slice("/vmlinuz").offset
    cut = opened(tmp_path, sound[: place + 100])
    assert cut.is_file("/vmlinuz")
    with pytest.raises(VolumeError, match=r"/vmlinuz lies behind the end of the image"):
        cut.slice("/vmlinuz")


def test_a_directory_that_holds_itself_ends_with_the_path(tmp_path: Path, sound: bytes) -> None:
    data = bytearray(sound)
    root = struct.unpack_from("<I", data, 0x8000 + 156 + 2)[0]
    directory = data.index(b"\x03DIR", root * 2048) - 32
    data[directory + 2 : directory + 6] = struct.pack("<I", root)
    files = opened(tmp_path, bytes(data))
    assert files.is_dir("/dir/dir/dir/dir")
    started = time.thread_time()
    with pytest.raises(VolumeError, match="path too long"):
        files.listdir("dir/" * 1100)
    assert files.is_dir("dir/" * 1000)
    assert time.thread_time() - started < 5


def test_damage_anywhere_is_an_error_or_another_name_and_never_a_crash(
    tmp_path: Path, sound: bytes
) -> None:
    """Every byte of the descriptor's root and of the directories, with the worst values."""
    root = struct.unpack_from("<I", sound, 0x8000 + 156 + 2)[0] * 2048
    places = [*range(0x8000 + 128, 0x8000 + 190), *range(root, root + 400)]
    for place in places:
        for value in (0, 0xFF):
            data = bytearray(sound)
            data[place] = value
            try:
                files = opened(tmp_path, bytes(data))
                files.listdir("/")
                files.read_bytes("/link", 100)
                files.read_bytes("/vmlinuz", 1 << 20)
            except VolumeError:
                pass


def test_an_endless_symbolic_link_ends(tmp_path: Path, sound: bytes) -> None:
    place = sound.index(b"SL")
    data = bytearray(sound)
    data[place + 4] = 1  # continues, in an area that is itself
    sector = place // 2048
    continued = b"CE\x1c\1" + b"".join(
        struct.pack("<I", n) + struct.pack(">I", n) for n in (sector, place % 2048, 2048)
    )
    data[place + data[place + 2] : place + data[place + 2] + 28] = continued
    started = time.thread_time()
    opened(tmp_path, bytes(data)).exists("/link")
    assert time.thread_time() - started < 2


def test_tools_that_are_compared_with_are_here() -> None:
    for tool in ("xorriso", "genisoimage", "bsdtar", "isoinfo", "7zz", "blkid"):
        assert shutil.which(tool), tool
