#!/bin/sh
# Writes the trees ubuntu-*: Ubuntu builds its grub-mkconfig from the sources of Debian's, with
# other switches, which are set here. Usage (as root): tests/golden/generate-ubuntu.sh; then
# `make golden`.
. "$(dirname "$0")/machine.sh"

# 22.04 after a boot that failed: recordfail is in the environment, so the menu waits for 30 s, and
# the graphics mode is not kept.
machine ubuntu-recordfail bookworm x86_64
ubuntu
uuid=a4c1e5f0-9d27-4b3a-8e6f-5c0d1b2a3948
partition /dev/nvme0n1p2 ext2 $uuid hd0 gpt2
mounted / /dev/nvme0n1p2
kernels 5.15.0-139-generic 5.15.0-25-generic
configure <<'SETTINGS'
GRUB_DEFAULT=0
GRUB_TIMEOUT_STYLE=hidden
GRUB_TIMEOUT=0
GRUB_DISTRIBUTOR=`lsb_release -i -s 2> /dev/null || echo Ubuntu`
GRUB_CMDLINE_LINUX_DEFAULT="quiet splash"
GRUB_CMDLINE_LINUX=""
SETTINGS
run 'grub-editenv /boot/grub/grubenv set recordfail=1'
keep /boot tree/boot
stub esp/EFI/ubuntu/grub.cfg $uuid hd0,gpt2 /boot/grub

# 24.04 on LVM, an apostrophe in a title, and a default as an old release wrote it: the
# scripts mean to correct it, but compare with an x too many, so GRUB takes the first entry.
machine ubuntu-lvm trixie x86_64
ubuntu
lvm=kF3m0s-Zc7e-2aUi-XwQp-0Vbn-9RtG-e1LxYd/Hq2w4E-rT6y-U8iO-pA1s-D3fG-h5jK-l7Zx9C
uuid=0f6b7c2d-6a1e-4f0b-9a3c-7e5d4c3b2a19
partition /dev/sda2 ext2 $uuid hd0 gpt2
device /dev/mapper/ubuntu--vg-ubuntu--lv fs=ext2 fs_uuid=d2e4f6a8-1b3c-4d5e-8f70-91a2b3c4d5e6 \
    abstraction=lvm compatibility_hint="lvmid/$lvm" "hints_string=--hint='lvmid/$lvm' "
mkdir "$root/dev/mapper"
: > "$root/dev/mapper/ubuntu--vg-ubuntu--lv"
mounted / /dev/mapper/ubuntu--vg-ubuntu--lv
mounted /boot /dev/sda2
kernels 6.8.0-60-generic 6.8.0-59-generic
configure <<'SETTINGS'
GRUB_DEFAULT="Previous Linux versions>Ubuntu, with Linux 6.8.0-59-generic"
GRUB_TIMEOUT_STYLE=menu
GRUB_TIMEOUT=10
GRUB_DISTRIBUTOR=Ubuntu
GRUB_CMDLINE_LINUX_DEFAULT=""
GRUB_CMDLINE_LINUX="crashkernel=512M-:192M"
GRUB_GFXPAYLOAD_LINUX=text
GRUB_RECOVERY_TITLE="the administrator's mode"
SETTINGS
keep /boot boot
stub esp/EFI/ubuntu/grub.cfg $uuid hd0,gpt2 /grub
