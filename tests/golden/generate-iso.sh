#!/bin/sh
# Writes the ISO images of iso-files: replicas of what distributions' media hold that decides what
# they start, with kernels and initrds of a few bytes. Needs xorriso. Writes the same bytes always.
set -e
here=$(dirname "$(realpath "$0")")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# put TREE PATH: what is on the standard input becomes a file of the tree.
put() {
    mkdir -p "$(dirname "$work/$1/$2")"
    cat > "$work/$1/$2"
}

# file TREE PATH...: files whose content is their path.
file() {
    tree=$1; shift
    for path; do echo "$path" | put "$tree" "$path"; done
}

# image TREE LABEL OUTPUT DATE OPTIONS...
image() {
    mkdir -p "$(dirname "$3")"
    tree=$work/$1 label=$2 output=$3 date=$4; shift 4
    xorriso -report_about FATAL -as mkisofs -R "$@" -no-pad -V "$label" \
        --modification-date="$date" --set_all_file_dates 2026010100000000 -uid 0 -gid 0 -o "$output" "$tree" 2>&1 | sed '/^xorriso 1/d; /^$/d' >&2
}

data=$here/iso-files/data

# --- Ubuntu 24.04 live server: has a loopback.cfg ---
file ubuntu casper/vmlinuz casper/initrd casper/hwe-vmlinuz casper/hwe-initrd boot/memtest86+x64.bin
put ubuntu boot/grub/grub.cfg <<'END'
set timeout=30

loadfont unicode

set menu_color_normal=white/black
set menu_color_highlight=black/light-gray

menuentry "Try or Install Ubuntu Server" {
	set gfxpayload=keep
	linux	/casper/vmlinuz  ---
	initrd	/casper/initrd
}
menuentry "Ubuntu Server with the HWE kernel" {
	set gfxpayload=keep
	linux	/casper/hwe-vmlinuz  ---
	initrd	/casper/hwe-initrd
}
grub_platform
if [ "$grub_platform" = "efi" ]; then
menuentry 'Boot from next volume' {
	exit 1
}
menuentry 'UEFI Firmware Settings' {
	fwsetup
}
else
menuentry 'Test memory' {
	linux16 /boot/memtest86+x64.bin
}
fi
END
put ubuntu boot/grub/loopback.cfg <<'END'
menuentry "Try or Install Ubuntu Server" {
	set gfxpayload=keep
	linux	/casper/vmlinuz  iso-scan/filename=${iso_path} ---
	initrd	/casper/initrd
}
menuentry "Ubuntu Server with the HWE kernel" {
	set gfxpayload=keep
	linux	/casper/hwe-vmlinuz  iso-scan/filename=${iso_path} ---
	initrd	/casper/hwe-initrd
}
END
image ubuntu "Ubuntu-Server 24.04.2 LTS amd64" "$data/isos/ubuntu-24.04.2-live-server-amd64.iso" \
    2025021622491900 -J -joliet-long

# --- Arch Linux: its loopback.cfg looks for the image's volume by itself ---
file arch arch/boot/x86_64/vmlinuz-linux arch/boot/x86_64/initramfs-linux.img boot/2025-11-01-10-06-51-00.uuid
put arch boot/grub/loopback.cfg <<'END'
# https://www.supergrubdisk.org/wiki/Loopback.cfg

# Search for the ISO volume
search --no-floppy --set=archiso_img_dev --file "${iso_path}"
probe --set archiso_img_dev_uuid --fs-uuid "${archiso_img_dev}"

# Get a human readable platform identifier
if [ "${grub_platform}" == 'efi' ]; then
    archiso_platform='UEFI'
    if [ "${grub_cpu}" == 'x86_64' ]; then
        archiso_platform="x64 ${archiso_platform}"
    elif [ "${grub_cpu}" == 'i386' ]; then
        archiso_platform="IA32 ${archiso_platform}"
    else
        archiso_platform="${grub_cpu} ${archiso_platform}"
    fi
elif [ "${grub_platform}" == 'pc' ]; then
    archiso_platform='BIOS'
else
    archiso_platform="${grub_cpu} ${grub_platform}"
fi

# Set default menu entry
default=archlinux
timeout=15
timeout_style=menu

# Menu entries

menuentry "Arch Linux install medium (x86_64, ${archiso_platform})" --class arch --class gnu-linux --class gnu --class os --id 'archlinux' {
    set gfxpayload=keep
    linux /arch/boot/x86_64/vmlinuz-linux archisobasedir=arch img_dev=UUID=${archiso_img_dev_uuid} img_loop="${iso_path}"
    initrd /arch/boot/x86_64/initramfs-linux.img
}

menuentry "Arch Linux install medium with speakup screen reader (x86_64, ${archiso_platform})" --hotkey s --class arch --class gnu-linux --class gnu --class os --id 'archlinux-accessibility' {
    set gfxpayload=keep
    linux /arch/boot/x86_64/vmlinuz-linux archisobasedir=arch img_dev=UUID=${archiso_img_dev_uuid} img_loop="${iso_path}" accessibility=on
    initrd /arch/boot/x86_64/initramfs-linux.img
}
END
image arch ARCH_202511 "$data/isos/archlinux-2025.11.01-x86_64.iso" 2025110110065100

# --- Debian live, without a loopback.cfg: GRUB's menu for a medium ---
file debian live/vmlinuz-6.12.48+deb13-amd64 live/initrd.img-6.12.48+deb13-amd64
put debian boot/grub/grub.cfg <<'END'
source /boot/grub/config.cfg

# Live boot
menuentry "Live system (amd64)" --hotkey=l {
	linux	/live/vmlinuz-6.12.48+deb13-amd64 boot=live components quiet splash findiso=${iso_path}
	initrd	/live/initrd.img-6.12.48+deb13-amd64
}
menuentry "Live system (amd64 fail-safe mode)" {
	linux	/live/vmlinuz-6.12.48+deb13-amd64 boot=live components memtest noapic noapm nodma nomce nosmp nosplash vga=788
	initrd	/live/initrd.img-6.12.48+deb13-amd64
}
END
put debian boot/grub/config.cfg <<'END'
set default=0

if [ x$feature_default_font_path = xy ] ; then
   font=unicode
else
   font=$prefix/unicode.pf2
fi
END
put debian isolinux/isolinux.cfg <<'END'
label live-amd64
	menu label ^Live system (amd64)
	linux /live/vmlinuz-6.12.48+deb13-amd64
	initrd /live/initrd.img-6.12.48+deb13-amd64
	append boot=live components quiet splash
END
image debian "d-live 13.1.0 st amd64" "$data/isos/debian-live-13.1.0-amd64-standard.iso" 2025090609550700 -J

# --- Fedora Workstation live, without a loopback.cfg ---
file fedora boot/x86_64/loader/linux boot/x86_64/loader/initrd
put fedora boot/grub2/grub.cfg <<'END'
set default="1"

function load_video {
  insmod all_video
}

load_video
set gfxpayload=keep
insmod gzio
insmod part_gpt
insmod ext2
insmod chain

set timeout=60
search --no-floppy --set=root -l 'Fedora-WS-Live-43'

menuentry 'Start Fedora-Workstation-Live' --class fedora --class gnu-linux --class gnu --class os {
	linux ($root)/boot/x86_64/loader/linux quiet rhgb root=live:CDLABEL=Fedora-WS-Live-43 rd.live.image
	initrd ($root)/boot/x86_64/loader/initrd
}
menuentry 'Test this media & start Fedora-Workstation-Live' --class fedora --class gnu-linux --class gnu --class os {
	linux ($root)/boot/x86_64/loader/linux quiet rhgb root=live:CDLABEL=Fedora-WS-Live-43 rd.live.image rd.live.check
	initrd ($root)/boot/x86_64/loader/initrd
}
submenu 'Troubleshooting -->' {
	menuentry 'Start Fedora-Workstation-Live in basic graphics mode' --class fedora --class gnu-linux --class gnu --class os {
		linux ($root)/boot/x86_64/loader/linux quiet rhgb root=live:CDLABEL=Fedora-WS-Live-43 rd.live.image nomodeset
		initrd ($root)/boot/x86_64/loader/initrd
	}
	menuentry 'Boot from hard drive' {
		exit 1
	}
}
END
image fedora Fedora-WS-Live-43 "$data/isos/Fedora-Workstation-Live-43-1.6.x86_64.iso" 2025102304215800

# --- Debian's network installer: ISOLINUX alone, and how it would find its image is not known ---
file netinst install.amd/vmlinuz install.amd/initrd.gz
put netinst isolinux/isolinux.cfg <<'END'
# D-I config version 2.0
# search path for the c32 support libraries (libcom32, libutil etc.)
path
include menu.cfg
default vesamenu.c32
prompt 0
timeout 0
END
put netinst isolinux/menu.cfg <<'END'
menu hshift 4
menu width 70

menu title Debian GNU/Linux installer menu (BIOS mode)
include txt.cfg
END
put netinst isolinux/txt.cfg <<'END'
label install
	menu label ^Install
	kernel /install.amd/vmlinuz
	append vga=788 initrd=/install.amd/initrd.gz --- quiet
END
image netinst "Debian 13.1.0 amd64 n" "$data/debian-13.1.0-amd64-netinst.iso" 2025090609123800

# --- a download that was broken off ---
head -c 20000 "$data/isos/archlinux-2025.11.01-x86_64.iso" > "$data/isos/broken-off.iso"

# --- a GRUB menu that opens an image by hand ---
mkdir -p "$data/boot/grub"
cat > "$data/boot/grub/grub.cfg" <<'END'
set timeout=10
set imgdevpath="/dev/disk/by-uuid/5f4b7a52-0c1e-4f6b-9a3f-2d2f1f0c7a11"

menuentry '[loopback] Arch Linux' {
	set isofile='/isos/archlinux-2025.11.01-x86_64.iso'
	loopback loop $isofile
	linux (loop)/arch/boot/x86_64/vmlinuz-linux img_dev=$imgdevpath img_loop=$isofile earlymodules=loop
	initrd (loop)/arch/boot/x86_64/initramfs-linux.img
}
menuentry '[loopback] Ubuntu' {
	rmmod tpm
	set iso_path='/isos/ubuntu-24.04.2-live-server-amd64.iso'
	export iso_path
	search --no-floppy --file --set=root $iso_path
	loopback loop $iso_path
	root=(loop)
	configfile /boot/grub/loopback.cfg
	loopback --delete loop
}
menuentry '[loopback] Not here' {
	loopback loop (hd0,gpt2)/isos/none.iso
	linux (loop)/casper/vmlinuz
}
END
