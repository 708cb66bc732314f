"""Configurations that well-known systems write, cut down to what others trip over."""

from pathlib import Path

import pytest
from parsers_trees import Scan, make_tree

from bootmenu.model import Arch, Configuration, Platform, Volume
from bootmenu.parsers.context import Context
from bootmenu.parsers.scan import scan

UUID = "7f3bd9a1-08b2-4b43-a7a6-4b9d9f0e2c11"
KERNEL = {"/boot/vmlinuz": "kernel", "/boot/initrd": "initrd"}
MENU = "menuentry System { linux /boot/vmlinuz; initrd /boot/initrd }"

STUBS = {
    "Debian and Ubuntu": f"""
        search.fs_uuid {UUID} root hd0,gpt2
        set prefix=($root)'/boot/grub'
        configfile $prefix/grub.cfg
        """,
    "Fedora": f"""
        search --no-floppy --root-dev-only --fs-uuid --set=dev {UUID}
        set prefix=($dev)/boot/grub
        export $prefix
        configfile $prefix/grub.cfg
        """,
    "RHEL 9": f"""
        if [ -e (md/md-boot) ]; then
          set prefix=md/md-boot
        else
          if [ -f ${{config_directory}}/bootuuid.cfg ]; then
            source ${{config_directory}}/bootuuid.cfg
          fi
          if [ -n "${{BOOT_UUID}}" ]; then
            search --fs-uuid "${{BOOT_UUID}}" --set prefix --no-floppy
          else
            search --fs-uuid {UUID} --set prefix --no-floppy
          fi
        fi
        if [ -d ($prefix)/boot/grub ]; then
          set prefix=($prefix)/boot/grub
          configfile $prefix/grub.cfg
        else
          set prefix=($prefix)/boot/grub2
          configfile $prefix/grub.cfg
        fi
        boot
        """,
    "openSUSE": f"""
        set btrfs_relative_path="yes"
        search --fs-uuid --set=root {UUID}
        set prefix=(${{root}})/boot/grub
        source "${{prefix}}/grub.cfg"
        """,
    "a core image": f"""
        search.fs_uuid {UUID} root hd0,gpt2
        set prefix=($root)'/boot/grub'
        normal
        """,
}


def volumes(tmp_path: Path, trees: dict[str, dict[str, str]]) -> tuple[Volume, ...]:
    """A volume for each tree; the second one has the UUID that the stubs search for."""
    found = []
    for number, (name, files) in enumerate(trees.items()):
        make_tree(tmp_path / name, files)
        uuid = UUID if number else "FEED-0001"
        found.append(Volume(name, str(tmp_path / name), uuid, fstype="" if number else "vfat"))
    return tuple(found)


def scan_all(found: tuple[Volume, ...], platform: Platform = Platform.EFI) -> list[Configuration]:
    context = Context(Arch.X86_64, platform, found)
    return [c for volume in found for c in scan(volume, context)]


@pytest.mark.parametrize("name", STUBS)
def test_stub_on_an_esp_offers_nothing_of_its_own(name: str, tmp_path: Path) -> None:
    root = {"/boot/grub/grub.cfg": MENU, **KERNEL}
    apart = scan_all(volumes(tmp_path, {"vda1": {"/EFI/x/grub.cfg": STUBS[name]}, "vda2": root}))
    mounted = {"/boot/efi/EFI/x/grub.cfg": STUBS[name], **root}
    below = scan_all(volumes(tmp_path / "below", {"sda1": {}, "sda2": mounted}))
    for configurations in (apart, below):
        (configuration,) = configurations
        assert [(e.title, e.resolved) for e in configuration.entries] == [("System", True)]
        assert not configuration.problems


@pytest.mark.parametrize("name", STUBS)
def test_stub_names_the_volume_that_it_waits_for(name: str, tmp_path: Path) -> None:
    (esp,) = volumes(tmp_path, {"vda1": {"/EFI/x/grub.cfg": STUBS[name]}})
    (configuration,) = scan_all((esp,))
    assert not configuration.entries
    assert f"UUID={UUID}" in str(configuration.problems[0])
    assert configuration.problems[0].line > 0


@pytest.mark.parametrize(
    "path",
    [
        "/boot/grub/grub.cfg", "/boot/grub2/grub.cfg", "/grub/grub.cfg", "/grub2/grub.cfg",
        "/EFI/fedora/grub.cfg", "/EFI/BOOT/grub.cfg", "/efi/boot/grub.cfg", "/grub.cfg",
        "/boot/efi/EFI/debian/grub.cfg", "/boot/EFI/arch/grub.cfg", "/efi/EFI/BOOT/grub.cfg",
        "/boot/grub/powerpc-ieee1275/grub.cfg", "/grub/powerpc-ieee1275/grub.cfg",
    ],
)  # fmt: skip
def test_configuration_is_found(path: str, scan_tree: Scan) -> None:
    (found,) = scan_tree({path: MENU, **KERNEL})
    assert (found.path, [e.title for e in found.entries]) == (path, ["System"])


def test_media_have_one_menu_for_all_firmwares(scan_tree: Scan) -> None:
    (found,) = scan_tree(
        {
            "/boot/grub/grub.cfg": f"set timeout=9\n{MENU}",
            "/EFI/BOOT/grub.cfg": f"insmod efi_gop\nset timeout=9\n{MENU}",
            **KERNEL,
        }
    )
    assert len(found.entries) == 1


def test_coreos_takes_the_first_of_its_two_systems(tmp_path: Path) -> None:
    script = r"""
        set default="coreos"
        set linux_root="root=LABEL=ROOT"
        set oem=""
        set suf=""
        if [ "$grub_platform" = "efi" ]; then
            getenv -e SecureBoot -g 8be4df61-93ca-11d2-aa0d-00e098032b8c -b sb
            if [ "$sb" = "01" ]; then set secure_boot="1"; fi
            set suf="efi"
        fi
        search --no-floppy --set oem --part-label OEM --hint "$root"
        if [ -n "$oem" ]; then
            if [ -f "($oem)/grub.cfg" ]; then source "($oem)/grub.cfg"; fi
            set oem="coreos.oem.id=$oem_id"
        fi
        set first_boot=""
        if [ -f "($root)/coreos/first_boot" ]; then set first_boot="coreos.first_boot=1"; fi
        set linux_cmdline="rootflags=rw mount.usrflags=ro $linux_root $first_boot $oem"
        function gptprio {
            gptprio.next -d usr -u usr_uuid
            if [ $? -ne 0 -o -z "$usr" -o -z "$usr_uuid" ]; then
                echo "Reading or updating the GPT failed!"
                abort
            fi
            set gptprio_cmdline="mount.usr=PARTUUID=$usr_uuid"
            set gptprio_kernel="($usr)/boot/vmlinuz"
        }
        menuentry "CoreOS default" --id=coreos --unrestricted {
            gptprio
            linux$suf $gptprio_kernel $gptprio_cmdline $linux_cmdline
        }
        menuentry "CoreOS USR-B" --id=coreos-b --unrestricted {
            search --no-floppy --set root --part-label USR-B --hint "$root"
            linux$suf /boot/vmlinuz mount.usr=PARTLABEL=USR-B $linux_cmdline
        }
    """
    make_tree(tmp_path / "esp", {"/EFI/BOOT/grub.cfg": script, "/coreos/first_boot": ""})
    make_tree(tmp_path / "usr", {"/boot/vmlinuz": "k"})
    esp = Volume("sda1", str(tmp_path / "esp"), uuid="FEED-0001", partlabel="EFI-SYSTEM")
    usr = str(tmp_path / "usr")
    both = [
        Volume(f"sda{n}", usr, partuuid=f"id-{n}", partlabel=f"USR-{x}")
        for n, x in ((3, "A"), (4, "B"))
    ]
    configuration = scan_all((esp, *both))[0]
    first, second = configuration.entries
    assert first.id == configuration.default
    assert str(first.kernel) == "sda3:/boot/vmlinuz"
    options = "rootflags=rw mount.usrflags=ro root=LABEL=ROOT coreos.first_boot=1 "
    assert first.cmdline == f"mount.usr=PARTUUID=id-3 {options}".rstrip()
    assert str(second.kernel) == "sda4:/boot/vmlinuz"


FEDORA = """
    if [ -f ${config_directory}/grubenv ]; then
      load_env -f ${config_directory}/grubenv
    elif [ -s $prefix/grubenv ]; then
      load_env
    fi
    if [ "${next_entry}" ] ; then
       set default="${next_entry}"
       set next_entry=
       save_env next_entry
       set boot_once=true
    else
       set default="${saved_entry}"
    fi
    if [ x$feature_timeout_style = xy ] ; then
      set timeout_style=menu
      set timeout=5
    else
      set timeout=5
    fi
    if [ -n "${boot_counter}" -a "${boot_success}" = "0" ]; then
      if  [ "${boot_counter}" = "0" -o "${boot_counter}" = "-1" ]; then
        set default=1
        set boot_counter=-1
      else
        decrement boot_counter
      fi
      save_env boot_counter
    fi
    if [ "${boot_success}" = "1" -o "${boot_indeterminate}" = "1" ]; then
      set menu_hide_ok=1
    else
      set menu_hide_ok=0
    fi
    set boot_success=0
    save_env boot_success boot_indeterminate
    if [ x$feature_timeout_style = xy ] ; then
      if [ "${menu_show_once_timeout}" ]; then
        set timeout="${menu_show_once_timeout}"
        unset menu_show_once_timeout
        save_env menu_show_once_timeout
      elif [ "${menu_auto_hide}" -a "${menu_hide_ok}" = "1" ]; then
        set timeout_style=hidden
        set timeout=1
      fi
    fi
    menuentry A --id a { linux /boot/vmlinuz a }
    menuentry B --id b { linux /boot/vmlinuz b }
    menuentry C --id c { linux /boot/vmlinuz c }
"""


@pytest.mark.parametrize(
    ("variables", "default", "timeout"),
    [
        ({}, "A", 5),
        ({"saved_entry": "c"}, "C", 5),
        ({"saved_entry": "c", "next_entry": "b"}, "B", 5),
        ({"saved_entry": "c", "boot_counter": "3", "boot_success": "0"}, "C", 5),
        ({"saved_entry": "c", "boot_counter": "0", "boot_success": "0"}, "B", 5),
        ({"menu_auto_hide": "1", "boot_success": "1"}, "A", 1),
        ({"menu_auto_hide": "1", "boot_success": "0"}, "A", 5),
        ({"menu_show_once_timeout": "60", "menu_auto_hide": "1", "boot_success": "1"}, "A", 60),
    ],
)
def test_fedora_decides_by_its_environment_block(
    variables: dict[str, str], default: str, timeout: int, scan_tree: Scan
) -> None:
    values = "".join(f"{name}={value}\n" for name, value in variables.items())
    block = f"# GRUB Environment Block\n{values}".ljust(1024, "#")
    (found,) = scan_tree({"/boot/grub2/grub.cfg": FEDORA, "/boot/grub2/grubenv": block, **KERNEL})
    assert [e.title for e in found.entries if e.default] == [default]
    assert found.timeout == timeout


def test_fedora_coreos_adds_ignition_on_its_first_boot(scan_tree: Scan) -> None:
    script = """
        set pager=1
        if [ -d (md/md-boot)/grub2 ]; then
          set prefix=(md/md-boot)/grub2
        else
          if [ -f ${config_directory}/bootuuid.cfg ]; then
            source ${config_directory}/bootuuid.cfg
          fi
          if [ -n "${BOOT_UUID}" ]; then
            search --fs-uuid "${BOOT_UUID}" --set boot --no-floppy
          else
            search --label boot --set boot --no-floppy
          fi
          set root=$boot
        fi
        if [ x$feature_timeout_style = xy ] ; then
          set timeout_style=menu
          set timeout=1
        fi
        set ignition_firstboot=""
        if [ -f "/ignition.firstboot" ]; then
            set ignition_network_kcmdline=''
            source "/ignition.firstboot"
            set ignition_firstboot="ignition.firstboot ${ignition_network_kcmdline}"
        fi
        blscfg
    """
    (found,) = scan_tree(
        {
            "/grub2/grub.cfg": script,
            "/grub2/bootuuid.cfg": 'set BOOT_UUID="ab-12"\n',
            "/ignition.firstboot": "set ignition_network_kcmdline='ip=dhcp rd.neednet=1'\n",
            "/loader/entries/ostree-1.conf": "title Fedora CoreOS 43 (ostree:0)\nversion 1\n"
            "options rw $ignition_firstboot ostree=/ostree/boot.1/x/0 root=UUID=1\n"
            "linux /ostree/x/vmlinuz\ninitrd /ostree/x/initramfs.img\n",
            "/ostree/x/vmlinuz": "k",
            "/ostree/x/initramfs.img": "i",
        }
    )
    (entry,) = found.entries
    assert entry.cmdline == (
        "rw ignition.firstboot ip=dhcp rd.neednet=1 ostree=/ostree/boot.1/x/0 root=UUID=1"
    )
    assert entry.resolved
    assert found.timeout == 1


def test_nixos_media_keep_their_hidden_entries_hidden(scan_tree: Scan) -> None:
    script = r"""
        search --set=root --file /EFI/nixos-installer-image
        set timeout=10
        if [ "${grub_platform}" == "efi" ]; then set textmode=false; fi
        if [ "${iso_path}" ] ; then set isoboot="findiso=${iso_path}"; fi
        menuentry 'NixOS 25.05 Installer ' --class installer {
          # Fallback to UEFI console for boot, efifb sometimes has difficulties.
          terminal_output console
          linux /boot/vmlinuz ${isoboot} init=/nix/store/x/init  root=LABEL=nixos
          initrd /boot/initrd
        }
        hiddenentry 'Text mode' --hotkey 't' {
          loadfont ($root)/EFI/BOOT/unicode.pf2
          set textmode=true
          terminal_output console
        }
        submenu "Options" --class submenu --class hidpi {
          menuentry 'NixOS (copytoram)' { linux /boot/vmlinuz ${isoboot} copytoram }
        }
        menuentry 'Firmware Setup' --class settings { fwsetup; clear; echo ""; }
        menuentry 'Shutdown' --class shutdown { halt }
    """
    (found,) = scan_tree({"/EFI/BOOT/grub.cfg": script, "/EFI/nixos-installer-image": "", **KERNEL})
    assert [(e.menu, e.title, e.kernel is not None) for e in found.entries] == [
        ((), "NixOS 25.05 Installer", True),
        (("Options",), "NixOS (copytoram)", True),
        ((), "Firmware Setup", False),
        ((), "Shutdown", False),
    ]
    assert found.entries[0].cmdline == "init=/nix/store/x/init root=LABEL=nixos"


def test_suse_offers_the_menus_of_its_snapshots(scan_tree: Scan) -> None:
    snapshot = 'menuentry "SLES" { linux /boot/vmlinuz root=UUID=1 ${extra_cmdline} quiet }'
    (found,) = scan_tree(
        {
            "/boot/grub2/grub.cfg": """
                set btrfs_relative_path="y"
                export btrfs_relative_path
                menuentry "SLES" { linux /boot/vmlinuz root=UUID=1 ${extra_cmdline} quiet }
                if [ -f "/.snapshots/grub-snapshot.cfg" ]; then
                  source "/.snapshots/grub-snapshot.cfg"
                fi
                """,
            "/.snapshots/grub-snapshot.cfg": """
                if [ ! -f "/.snapshots/grub-snapshot.cfg.skip" ]; then
                submenu "Start bootloader from a read-only snapshot" {
                  set snapshot_found=false
                  if [ -f "/.snapshots/3/snapshot/boot/grub2/grub.cfg" ]; then
                    saved_menu=1
                    submenu "*SLES (2026-01-01, single)" "/.snapshots/3/snapshot" {
                      set extra_cmdline="rootflags=subvol=@$2"
                      export extra_cmdline
                      snapshot_found=true
                      configfile "$2/boot/grub2/grub.cfg"
                    }
                  fi
                }
                fi
                """,
            "/.snapshots/3/snapshot/boot/grub2/grub.cfg": snapshot,
            **KERNEL,
        }
    )
    assert [(e.menu, e.cmdline) for e in found.entries] == [
        ((), "root=UUID=1 quiet"),
        (
            ("Start bootloader from a read-only snapshot", "*SLES (2026-01-01, single)"),
            "root=UUID=1 rootflags=subvol=@/.snapshots/3/snapshot quiet",
        ),
    ]


def test_path_of_the_program_is_the_firmwares(tmp_path: Path) -> None:
    script = "menuentry A { linux /boot/vmlinuz $cmdpath }"
    stub = {"/EFI/debian/grub.cfg": STUBS["Debian and Ubuntu"]}
    found = volumes(tmp_path, {"vda1": stub, "vda2": {"/boot/grub/grub.cfg": script, **KERNEL}})
    for platform, cmdpath in (
        (Platform.EFI, "(hd0,gpt1)/EFI/debian"),
        (Platform.PC, "(hd0)"),
        (Platform.IEEE1275, "(hd0,gpt2)/boot/grub"),
    ):
        assert scan_all(found, platform)[-1].entries[0].cmdline == cmdpath


def test_problem_of_a_submenu_names_its_line(scan_tree: Scan) -> None:
    script = "submenu S {\n  frobnicate\n  menuentry A { linux /boot/vmlinuz }\n}\n"
    (found,) = scan_tree({"/boot/grub/grub.cfg": script, **KERNEL})
    assert [str(p) for p in found.problems] == [
        "vda2:/boot/grub/grub.cfg:2: unknown command 'frobnicate'"
    ]
    assert not found.entries[0].problems
