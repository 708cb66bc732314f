"""Boot Loader Specification entries: order, counters, loader.conf, other architectures."""

import pytest
from parsers_images import make_image
from parsers_trees import Scan

from bootmenu.model import BootEntry, Configuration
from bootmenu.parsers.loader_conf import matcher
from bootmenu.parsers.versions import compare_rpm, compare_versions, version_key


def bls(found: list[Configuration]) -> Configuration:
    return next(c for c in found if c.format == "bls")


def snippet(**keys: str) -> str:
    keys = {"linux": "/Image", **keys}
    return "".join(f"{key.replace('_', '-')}\t{value}\n" for key, value in keys.items())


# The examples of the specification, oldest first where they differ.
@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("bar-123", "foo-123"), ("123", "123a"), ("123", "123.a"), ("123.a", "123.b"),
        ("123.a", "123a"), ("A", "a"), ("", "0"), ("0", "0."), ("0", "0.0"), ("~", "0"),
        ("~", ""), ("0_", "1"), ("1", "10"), ("6.9", "6.12"), ("6.12~rc1", "6.12"),
        ("1.2-3", "1.2.3"), ("1.2-3", "1.2^3"), ("1^2", "1.2"), ("122.1", "123~rc1-1"),
        ("123~rc1-1", "123"), ("123-a.1", "123-b"), ("123-3", "123-3.1"), ("007", "8"),
    ],
)  # fmt: skip
def test_versions_compare_as_the_specification_says(older: str, newer: str) -> None:
    assert compare_versions(older, newer) < 0 < compare_versions(newer, older)


def test_equal_versions() -> None:
    for one, other in (("11", "11"), ("11α", "11β"), ("1_", "1"), ("01", "1"), ("", "_")):
        assert compare_versions(one, other) == 0
    assert sorted(["10", "9", "9~1"], key=version_key) == ["9~1", "9", "10"]


def test_versions_compare_as_rpm_does() -> None:
    for older, newer in (
        *(("1", "1.0"), ("1.0~rc1", "1.0"), ("1.a", "1.1"), ("9", "10"), ("1.05", "1.6")),
        *(("a", "b"), ("1", "1+"), ("1.fc9", "1.fc10"), ("~", ""), ("", "a")),
    ):
        assert compare_rpm(older, newer) < 0 < compare_rpm(newer, older), (older, newer)
    for one_, other in (("1.0", "1_0"), ("1", "1."), ("01", "1"), ("", "-")):
        assert compare_rpm(one_, other) == 0


def test_order_of_the_menu(scan_tree: Scan) -> None:
    found = scan_tree(
        {
            "/Image": "kernel",
            "/loader/entries/z-without-key.conf": snippet(title="z"),
            "/loader/entries/zz-without-key.conf": snippet(title="zz"),
            "/loader/entries/bad+0-3.conf": snippet(title="bad", sort_key="a", version="9"),
            "/loader/entries/1.conf": snippet(title="deb 9", sort_key="deb", version="6.9"),
            "/loader/entries/2.conf": snippet(title="deb 12", sort_key="deb", version="6.12"),
            "/loader/entries/3+3.conf": snippet(title="arch", sort_key="arch", version="1"),
            "/loader/entries/4.conf": snippet(title="deb b", sort_key="deb", machine_id="b"),
            "/loader/entries/5.conf": snippet(title="x86", architecture="x64"),
            "/loader/entries/6.conf": snippet(title="mine", architecture="AA64", sort_key="zzz"),
            "/loader/entries/readme.txt": "nothing",
        }
    )
    titles = [entry.title for entry in bls(found).entries]
    assert titles == ["arch", "deb 12", "deb 9", "deb b", "mine", "zz", "z", "bad"]
    assert bls(found).default == "AB-12:bls:3.conf"


def one(scan_tree: Scan, text: str, name: str = "a.conf") -> BootEntry:
    return bls(scan_tree({f"/loader/entries/{name}": text})).entries[0]


def test_keys_that_repeat_accumulate(scan_tree: Scan) -> None:
    entry = one(
        scan_tree,
        "title  A  B \r\nlinux /one\nlinux /two\noptions a  b\noptions c\n"
        "initrd /1\ninitrd 2\n# linux /no\nunknown x\ndevicetree-overlay /x /y\n"
        "devicetree-overlay /z\ndevicetree /dtb\n\n",
    )
    assert entry.title == "A B"
    assert entry.cmdline == "a  b c"
    assert [str(r) for r in entry.resources] == [
        *("vda2:/two", "vda2:/dtb", "vda2:/1", "vda2:/2", "vda2:/x", "vda2:/y", "vda2:/z"),
    ]
    assert {o.field: o.line for o in entry.origins} == {
        **{"title": 1, "kernel": 3, "cmdline": 4, "initrd": 6, "overlays": 10, "dtb": 12}
    }


def test_values_are_taken_as_systemd_boot_takes_them(scan_tree: Scan) -> None:
    entry = one(
        scan_tree,
        "title 'No'\ntitle \"Quoted 'title'\"\ntitle ''\nlinux a//b\\Image\ninitrd \\i\n"
        "options 'a b'\noptions c \"d\"\n  #options x\noptions\nversion\n\0options y",
    )
    assert entry.title == "Quoted 'title'"
    assert [r.path for r in entry.resources] == ["/a/b/Image", "/i"]
    assert entry.cmdline == 'a b c "d"'


def test_initrds_of_the_options_are_used_where_there_are_no_others(scan_tree: Scan) -> None:
    options = "options initrd=\\a.img quiet initrd=b.img rd.initrd=no initrd=\n"
    assert [r.path for r in one(scan_tree, f"linux /k\n{options}").initrds] == ["/a.img", "/b.img"]
    both = one(scan_tree, f"linux /k\n{options}initrd /c.img", "b.conf")
    assert [r.path for r in both.initrds] == ["/c.img"]


ARM64_IMAGE = b"MZ".ljust(0x38, b"\0") + b"ARM\x64\0\0\0\0"


@pytest.mark.parametrize(
    ("lines", "kernel", "problem"),
    [
        ("efi /stub", "vda2:/stub", ""),
        ("linux /Image\nefi /stub", "vda2:/stub", ""),
        ("efi /stub\nlinux /Image", "vda2:/Image", ""),
        ("efi /shell.efi", "None", "starts vda2:/shell.efi, which is not a Linux kernel"),
        ("efi /gone.efi", "None", "starts vda2:/gone.efi, which is not a Linux kernel"),
        ("efi /uki.efi", "vda2:/uki.efi#.linux", ""),
        ("linux /uki.efi", "vda2:/uki.efi#.linux", ""),
        ("uki /uki.efi", "vda2:/uki.efi#.linux", ""),
        ("uki /gone.efi", "vda2:/gone.efi#.linux", "no such file: vda2:/gone.efi#.linux"),
        ("uki /stub", "vda2:/stub#.linux", "not a unified kernel image: vda2:/stub"),
        ("uki-url https://x.org/a.efi", "https://x.org/a.efi#.linux",
         "the initrd inside https://x.org/a.efi is not known before it is fetched"),
        ("uki-url a.efi", "None", "a.efi is beside what a network boot started from"),
    ],
)  # fmt: skip
def test_what_an_entry_starts(lines: str, kernel: str, problem: str, scan_tree: Scan) -> None:
    found = scan_tree(
        {
            "/loader/entries/a.conf": lines,
            "/Image": "kernel",
            "/stub": ARM64_IMAGE,
            "/shell.efi": make_image([(".text", b"x")]),
            "/uki.efi": make_image([(".linux", b"k")]),
        }
    )
    (entry,) = bls(found).entries
    assert str(entry.kernel) == kernel
    assert entry.problems == ((problem,) if problem else ())


def test_entry_of_a_unified_image_chooses_profile_cmdline_and_addons(scan_tree: Scan) -> None:
    image = make_image(
        [(".linux", b"k"), (".initrd", b"i"), (".cmdline", b"base"),
         (".profile", b""), (".profile", b""), (".initrd", b"j"), (".cmdline", b"one")]
    )  # fmt: skip
    files = {
        "/a.efi": image,
        "/x.addon.efi": make_image([(".cmdline", b"more")]),
        "/loader/entries/1.conf": "uki /a.efi\nprofile 1\nextra /x.addon.efi\nextra /y.cred",
        "/loader/entries/2.conf": "uki /a.efi\nprofile 1\noptions own\ninitrd /plus",
        "/loader/entries/3.conf": "uki /a.efi\nprofile 2",
    }
    found = bls(scan_tree(files))
    two, one_ = found.entries
    assert (one_.cmdline, two.cmdline) == ("one more", "own")
    assert [str(r) for r in one_.initrds] == ["vda2:/a.efi#.initrd@1"]
    assert [str(r) for r in two.initrds] == ["vda2:/a.efi#.initrd@1", "vda2:/plus"]
    assert [p.path for p in found.problems] == ["/loader/entries/3.conf"]


def test_systemd_boot_itself_and_hidden_files_are_no_entries(scan_tree: Scan) -> None:
    files = {
        "/Image": "kernel",
        "/loader/entries/self.conf": "efi \\EFI\\systemd\\systemd-bootaa64.efi",
        "/loader/entries/auto-x.conf": snippet(),
        "/loader/entries/.x.conf": snippet(),
        "/loader/entries/x.CONF": snippet(),
    }
    assert [e.id for e in bls(scan_tree(files)).entries] == ["AB-12:bls:x.CONF"]


def test_entry_whose_kernel_is_missing_is_shown_but_is_no_default(scan_tree: Scan) -> None:
    files = {"/loader/entries/b.conf": "linux /gone", "/loader/entries/a.conf": "linux /Image"}
    found = bls(scan_tree({"/Image": "kernel", **files}))
    assert [e.title for e in found.entries] == ["b.conf", "a.conf"]
    assert found.default == "AB-12:bls:a.conf"


@pytest.mark.parametrize("name", ["a+3.conf", "a+2-1.conf", "a+0-3.conf", "a.conf"])
def test_id_survives_counting(name: str, scan_tree: Scan) -> None:
    entry = one(scan_tree, snippet(), name)
    assert entry.id == "AB-12:bls:a.conf"
    assert entry.source == f"/loader/entries/{name}"


@pytest.mark.parametrize(
    ("settings", "default", "timeout"),
    [
        ("", "b.conf", None),
        ("default a*\ntimeout 3", "a.conf", 3),
        ("default\tA.conf\ntimeout menu-force", "a.conf", -1),
        ("default nope*\ntimeout menu-hidden", "b.conf", 0),
        ("default @saved\ntimeout soon", "b.conf", None),
        ("# timeout 5\ntimeout 5\ntimeout 6", "b.conf", 6),
        ("timeout 5\ntimeout 99999999999\ntimeout -1\ntimeout 4294967295x", "b.conf", 5),
        ("timeout 4294967295\ntimeout", "b.conf", -1),
        ("default a.conf\ndefault @other", "a.conf", None),
        ("preferred a.conf\ndefault b.conf", "a.conf", None),
        ("default 'A.conf'", "a.conf", None),
    ],
)
def test_loader_conf(settings: str, default: str, timeout: float | None, scan_tree: Scan) -> None:
    found = bls(
        scan_tree(
            {
                "/loader/loader.conf": settings,
                "/loader/entries/a.conf": snippet(),
                "/loader/entries/b.conf": snippet(),
            }
        )
    )
    assert found.default == f"AB-12:bls:{default}"
    assert found.timeout == timeout
    assert [e.id for e in found.entries if e.default] == [found.default]


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("*", ["", "a"], []),
        ("a*c*e", ["ace", "abcde", "a*c*e"], ["abcd", "ce", "aec"]),
        ("a?[b-d]", ["axc", "a?b"], ["axa", "ac", "axcc"]),
        ("[]a]", ["]", "a"], ["[]a]"]),
        ("[-a]x[c-]", ["-xc", "ax-"], ["bxc"]),
        ("a\\*b", ["a*b"], ["axb"]),
        ("a.b", ["a.b"], ["axb"]),
        ("*" * 100 + "b", ["a" * 200 + "b"], ["a" * 200]),
        ("*a" * 100 + "b", [], ["a" * 250]),
        ("[", [], ["a"]),
    ],
)
def test_patterns_of_ids(pattern: str, matching: list[str], others: list[str]) -> None:
    matches = matcher(pattern)
    assert [id_ for id_ in (*matching, *others) if matches(id_)] == matching


def test_preferred_entry_that_is_bad_is_passed_over(scan_tree: Scan) -> None:
    files = {f"/loader/entries/{n}.conf": snippet() for n in ("a+0-3", "b", "c")}
    settings = {"/loader/loader.conf": "preferred a.conf\ndefault b.conf"}
    assert bls(scan_tree({"/Image": "k", **files, **settings})).default == "AB-12:bls:b.conf"
    settings = {"/loader/loader.conf": "default a.conf"}
    assert bls(scan_tree({"/Image": "k", **files, **settings})).default == "AB-12:bls:a.conf"


def test_entry_that_ran_out_of_tries_is_no_default(scan_tree: Scan) -> None:
    found = bls(
        scan_tree(
            {
                "/loader/entries/a+0.conf": snippet(sort_key="a"),
                "/loader/entries/b+0.conf": snippet(sort_key="b"),
            }
        )
    )
    assert found.default == "AB-12:bls:a.conf"  # nothing better is there


def test_equal_titles_are_told_apart(scan_tree: Scan) -> None:
    found = bls(
        scan_tree(
            {
                "/loader/entries/a.conf": snippet(title="T", version="1"),
                "/loader/entries/b.conf": snippet(title="T", version="2"),
                "/loader/entries/c.conf": snippet(title="U"),
                "/loader/entries/d.conf": snippet(title="U"),
            }
        )
    )
    assert sorted(e.title for e in found.entries) == ["T (1)", "T (2)", "U (c.conf)", "U (d.conf)"]


def test_paths_of_a_root_that_holds_its_own_boot(scan_tree: Scan) -> None:
    found = scan_tree(
        {
            "/boot/loader/entries/a.conf": snippet(linux="/vmlinuz-1", initrd="/boot/initrd-1"),
            "/boot/vmlinuz-1": "kernel",
            "/boot/initrd-1": "initrd",
        }
    )
    entry = bls(found).entries[0]
    assert [str(r) for r in entry.resources] == ["vda2:/boot/vmlinuz-1", "vda2:/boot/initrd-1"]
    assert not any(c.format == "bare" for c in found)


def test_entries_that_grub_took_are_not_offered_twice(scan_tree: Scan) -> None:
    found = scan_tree(
        {
            "/boot/grub2/grub.cfg": "set default_kernelopts='a b'\nearly_initrd=/early\nblscfg\n",
            "/loader/entries/one.conf": "title One\nlinux /k\ninitrd /i",
            "/loader/entries/two.conf": "title Two\nlinux /k\noptions x y\nefi /e",
        }
    )
    assert [(c.format, [e.title for e in c.entries]) for c in found] == [("grub", ["Two", "One"])]
    two, one_ = found[0].entries
    assert (two.cmdline, one_.cmdline) == ("x y", "a b")
    assert [r.path for r in one_.initrds] == ["/early", "/i"]
    assert {o.path for o in one_.origins} == {"/loader/entries/one.conf"}
