#!/bin/sh
# Writes the trees debian-* with the real grub-mkconfig, grub-editenv, grub-set-default and
# grub-reboot of Debian. Usage (as root): tests/golden/generate-debian.sh; then `make golden`, and
# read the difference.
. "$(dirname "$0")/machine.sh"
main=0b9ba5a0-9d5a-4b6f-8d3c-3c1a6fd2f0a1

machine debian-trixie trixie aarch64
partition /dev/vda2 ext2 $main hd0 gpt2
mounted / /dev/vda2
kernels 6.12.27-arm64 6.12.9-arm64
configure <<'SETTINGS'
GRUB_DEFAULT=0
GRUB_TIMEOUT=5
GRUB_DISTRIBUTOR="Debian"
GRUB_CMDLINE_LINUX_DEFAULT="quiet"
GRUB_CMDLINE_LINUX="console=ttyAMA0"
SETTINGS
run 'grub-set-default 2' # which GRUB_DEFAULT=0 makes ineffective
keep /boot tree/boot

machine debian-bookworm-saved bookworm aarch64
partition /dev/vda2 ext2 $main hd0 gpt2
mounted / /dev/vda2
kernels 6.12.27-arm64 6.12.9-arm64
configure <<'SETTINGS'
GRUB_DEFAULT=saved
GRUB_SAVEDEFAULT=true
GRUB_TIMEOUT=0
GRUB_TIMEOUT_STYLE=hidden
GRUB_RECORDFAIL_TIMEOUT=30
GRUB_DISTRIBUTOR="Debian"
GRUB_CMDLINE_LINUX_DEFAULT="quiet splash"
GRUB_CMDLINE_LINUX='dyndbg="file drivers/usb/* +p"'
SETTINGS
run "grub-set-default 'gnulinux-advanced-$main>gnulinux-6.12.9-arm64-advanced-$main'"
keep /boot tree/boot

# Chosen for the next boot alone, by the place in the menu; a BIOS machine with an MS-DOS table.
machine debian-reboot bookworm x86_64
partition /dev/sda1 ext2 4f8a2b1c-5a70-4d0e-9b52-1e6f0a3c7d11 hd0 msdos1
mounted / /dev/sda1
kernels 6.1.0-37-amd64 6.1.0-9-amd64 5.10.0-35-amd64
configure <<'SETTINGS'
GRUB_DEFAULT=saved
GRUB_TIMEOUT=5
GRUB_DISTRIBUTOR=`lsb_release -i -s 2> /dev/null || echo Debian`
GRUB_CMDLINE_LINUX_DEFAULT="quiet"
GRUB_CMDLINE_LINUX=""
GRUB_TERMINAL="console serial"
GRUB_SERIAL_COMMAND="serial --speed=115200 --unit=0 --word=8 --parity=no --stop=1"
SETTINGS
run 'grub-set-default 0; grub-reboot "1>2"'
keep /boot tree/boot

# /boot on a partition of its own, the root on LVM; the ESP hands over.
lvm=9qVLqG-fzJC-lUQD-VUAT-5Eqn-IgoN-0mJxbF/kXzT5V-vD3u-Tg2J-nZ4k-cPqB-o8Cw-J2n2eK
boot=c9d1e6a4-70f3-4c1b-8c55-2a5f1f0b9e02
machine debian-lvm trixie x86_64
partition /dev/sda2 ext2 $boot hd0 gpt2
device /dev/mapper/debian--vg-root fs=ext2 fs_uuid=7a3d7a57-27f0-4c8e-a1f6-e7f1a7e53b90 \
    abstraction=lvm compatibility_hint="lvmid/$lvm" "hints_string=--hint='lvmid/$lvm' "
mounted / /dev/mapper/debian--vg-root
mounted /boot /dev/sda2
kernels 6.12.38+deb13-amd64 6.12.35+deb13-amd64
mkdir "$root/dev/mapper"
: > "$root/dev/mapper/debian--vg-root"
configure <<'SETTINGS'
GRUB_DEFAULT=0
GRUB_TIMEOUT=5
GRUB_DISTRIBUTOR=`( . /etc/os-release && echo ${NAME} )`
GRUB_CMDLINE_LINUX_DEFAULT="quiet"
GRUB_CMDLINE_LINUX=""
SETTINGS
keep /boot boot
keep /etc/os-release root/etc/os-release
stub esp/EFI/debian/grub.cfg $boot hd0,gpt2 /grub

# The whole system in LUKS, which GRUB opens itself.
machine debian-cryptodisk bookworm x86_64
luks=5b1f7ad2c36e4e5e8a2cb0d4f1e96a77
device /dev/mapper/sda2_crypt fs=ext2 fs_uuid=2e5d6b9f-08c6-4d6b-9a3a-57b8d9f3c604 partmap=gpt \
    abstraction=cryptodisk abstraction=luks abstraction=gcry_rijndael abstraction=gcry_sha256 \
    cryptodisk_uuid=$luks compatibility_hint=cryptouuid/$luks "hints_string=--hint='cryptouuid/$luks' "
mounted / /dev/mapper/sda2_crypt
kernels 6.1.0-37-amd64
configure <<'SETTINGS'
GRUB_DEFAULT=0
GRUB_TIMEOUT=5
GRUB_DISTRIBUTOR=`lsb_release -i -s 2> /dev/null || echo Debian`
GRUB_CMDLINE_LINUX_DEFAULT="quiet"
GRUB_CMDLINE_LINUX="cryptdevice=UUID=5b1f7ad2-c36e-4e5e-8a2c-b0d4f1e96a77:sda2_crypt"
GRUB_ENABLE_CRYPTODISK=y
SETTINGS
keep /boot tree/boot

# Shown only when a key is pressed, no submenu, and memtest86+, whose entries are for a PC's BIOS.
machine debian-hidden trixie x86_64
partition /dev/sda1 ext2 9b1c0c7e-3df8-4b57-8f3e-6a1d2c9e0b44 hd0 msdos1
mounted / /dev/sda1
kernels 6.12.38+deb13-amd64 6.12.9+bpo-amd64
memtest
configure <<'SETTINGS'
GRUB_DEFAULT=2
GRUB_TIMEOUT_STYLE=hidden
GRUB_TIMEOUT=3
GRUB_DISABLE_SUBMENU=y
GRUB_DISABLE_RECOVERY="true"
GRUB_DISTRIBUTOR=`( . /etc/os-release && echo ${NAME} )`
GRUB_CMDLINE_LINUX_DEFAULT=""
GRUB_CMDLINE_LINUX="net.ifnames=0 biosdevname=0"
SETTINGS
keep /boot tree/boot

# Entries of the administrator's own, before and behind the others, a default by titles, a password.
machine debian-custom bookworm x86_64
partition /dev/sda2 ext2 61f0a5d2-9f4b-4be3-a7f7-d0c84a0b3e19 hd0 gpt2
mounted / /dev/sda2
kernels 6.1.0-37-amd64 6.1.0-35-amd64
cat > "$root/etc/grub.d/01_users" <<'SCRIPT'
#!/bin/sh
cat <<'USERS'
set superusers="root"
password_pbkdf2 root grub.pbkdf2.sha512.10000.9CA4611006FE96BC77A4.5D2F2A2C5E1D7C
password guest guest
export superusers
USERS
SCRIPT
cat > "$root/etc/grub.d/09_custom" <<'SCRIPT'
#!/bin/sh
exec tail -n +3 $0
# Before all others.
menuentry "Rescue (initramfs only)" --class rescue --unrestricted --hotkey=r {
	search --no-floppy --fs-uuid --set=root 61f0a5d2-9f4b-4be3-a7f7-d0c84a0b3e19
	linux	/boot/vmlinuz-6.1.0-35-amd64 break=top "rescue=yes, please" console='ttyS0,115200n8'
	initrd	/boot/initrd.img-6.1.0-35-amd64
}
SCRIPT
cat >> "$root/etc/grub.d/40_custom" <<'SCRIPT'
menuentry 'Windows 10' --class windows --users "guest" {
	insmod part_gpt
	insmod fat
	search --no-floppy --fs-uuid --set=root 4A21-0C6E
	chainloader /EFI/Microsoft/Boot/bootmgfw.efi
}
menuentry "Shut down > off" --unrestricted { halt; }
SCRIPT
efivars=$root/sys/firmware/efi/efivars
mkdir -p "$efivars"
printf '\007\0\0\0\001\0\0\0\0\0\0\0' \
    > "$efivars/OsIndicationsSupported-8be4df61-93ca-11d2-aa0d-00e098032b8c"
chmod +x "$root/etc/grub.d/01_users" "$root/etc/grub.d/09_custom"
cat > "$root/boot/grub/custom.cfg" <<'CUSTOM'
# Read by 41_custom.
set extra="panic=10"
submenu "Kernel tests ->" {
	menuentry "Debug: $extra" --id debug {
		linux /boot/vmlinuz-6.1.0-37-amd64 root=UUID=61f0a5d2-9f4b-4be3-a7f7-d0c84a0b3e19 ro ignore_loglevel $extra
		initrd /boot/initrd.img-6.1.0-37-amd64
	}
}
CUSTOM
configure <<'SETTINGS'
GRUB_DEFAULT="Advanced options for Debian GNU/Linux>Debian GNU/Linux, with Linux 6.1.0-35-amd64"
GRUB_TIMEOUT=-1
GRUB_DISTRIBUTOR=`lsb_release -i -s 2> /dev/null || echo Debian`
GRUB_CMDLINE_LINUX_DEFAULT="quiet"
GRUB_CMDLINE_LINUX=""
SETTINGS
keep /boot tree/boot

# With Xen: its entries start no Linux.
machine debian-xen bookworm x86_64
partition /dev/sda2 ext2 d3a8f2be-5c11-4f1e-b6ed-8d0f4f4f8a70 hd0 gpt2
mounted / /dev/sda2
kernels 6.1.0-37-amd64
printf '\326PR\350\0\0\0\0\030\0\0\0\022\257\255\027\0\0\0\0\010\0\0\0' \
    > "$root/boot/xen-4.17-amd64.gz" # a multiboot2 header
truncate -s 512 "$root/boot/xen-4.17-amd64.gz"
configure <<'SETTINGS'
GRUB_DEFAULT=0
GRUB_TIMEOUT=5
GRUB_DISTRIBUTOR=`lsb_release -i -s 2> /dev/null || echo Debian`
GRUB_CMDLINE_LINUX_DEFAULT="quiet"
GRUB_CMDLINE_LINUX=""
GRUB_CMDLINE_XEN="dom0_mem=2G,max:2G"
SETTINGS
keep /boot tree/boot

# On btrfs as Debian's installer makes it: everything in the subvolume @rootfs.
machine debian-btrfs trixie x86_64
partition /dev/nvme0n1p2 btrfs b7e4a0f8-1d2c-43a5-9e76-5f80c1b2d3e4 hd0 gpt2
mounted / /dev/nvme0n1p2
echo / @rootfs > "$root/etc/machine/subvolumes"
kernels 6.12.38+deb13-amd64
configure <<'SETTINGS'
GRUB_DEFAULT=0
GRUB_TIMEOUT=5
GRUB_DISTRIBUTOR=`( . /etc/os-release && echo ${NAME} )`
GRUB_CMDLINE_LINUX_DEFAULT="quiet"
GRUB_CMDLINE_LINUX=""
SETTINGS
keep /boot top/@rootfs/boot
stub esp/EFI/debian/grub.cfg b7e4a0f8-1d2c-43a5-9e76-5f80c1b2d3e4 hd0,gpt2 /@rootfs/boot/grub

# Two disks with a system each, and Windows; os-prober's probes of the other's menu are the real
# ones, and take over Ubuntu's $vt_handoff, which is nothing in Debian's menu.
one=2c6f9a51-7be0-46a3-8f0d-93c15d7e8a26 two=e81d3f07-42c9-4a6b-bd58-0a97f6c4e135
machine debian-dual trixie x86_64
ubuntu
partition /dev/sda2 ext2 $two hd1 gpt2
mounted / /dev/sda2
kernels 6.8.0-60-generic 6.8.0-31-generic
configure <<'SETTINGS'
GRUB_DEFAULT=0
GRUB_TIMEOUT_STYLE=hidden
GRUB_TIMEOUT=0
GRUB_DISTRIBUTOR=Ubuntu
GRUB_CMDLINE_LINUX_DEFAULT="quiet splash"
GRUB_CMDLINE_LINUX=""
SETTINGS
keep /boot two/boot
machine debian-dual trixie x86_64
partition /dev/nvme0n1p2 ext2 $one hd0 gpt2
partition /dev/nvme0n1p1 fat 7E2C-91B4 hd0 gpt1
partition /dev/sda2 ext2 $two hd1 gpt2
mounted / /dev/nvme0n1p2
kernels 6.12.38+deb13-amd64
mkdir -p "$root/mnt/usr/lib" "$root/mnt/lib" "$root/mnt/etc"
cp -r "$golden/debian-dual/two/boot" "$root/mnt/boot"
touch "$root/mnt/lib/ld-linux-x86-64.so.2"
printf 'DISTRIB_ID=Ubuntu\nDISTRIB_DESCRIPTION="Ubuntu 24.04.2 LTS"\n' > "$root/mnt/etc/lsb-release"
ln -sf /bin/true "$root/usr/bin/logger"
cat > "$root/usr/bin/os-prober" <<'PROBER'
#!/bin/sh
echo '/dev/nvme0n1p1@/EFI/Microsoft/Boot/bootmgfw.efi:Windows Boot Manager:Windows:efi'
/usr/lib/os-probes/mounted/40lsb /dev/sda2 /mnt ext4
PROBER
cat > "$root/usr/bin/linux-boot-prober" <<'PROBER'
#!/bin/sh
exec /usr/lib/linux-boot-probes/mounted/40grub2 "$1" "$1" /mnt ext4
PROBER
chmod +x "$root/usr/bin/os-prober" "$root/usr/bin/linux-boot-prober"
configure <<'SETTINGS'
GRUB_DEFAULT="osprober-gnulinux-simple-e81d3f07-42c9-4a6b-bd58-0a97f6c4e135"
GRUB_TIMEOUT=5
GRUB_DISTRIBUTOR=`( . /etc/os-release && echo ${NAME} )`
GRUB_CMDLINE_LINUX_DEFAULT="quiet"
GRUB_CMDLINE_LINUX=""
GRUB_DISABLE_OS_PROBER=false
SETTINGS
keep /boot one/boot
stub esp/EFI/debian/grub.cfg $one hd0,gpt2 /boot/grub
stub esp/EFI/ubuntu/grub.cfg $two hd1,gpt2 /boot/grub
mkdir -p "$golden/debian-dual/esp/EFI/Microsoft/Boot"
echo windows > "$golden/debian-dual/esp/EFI/Microsoft/Boot/bootmgfw.efi"

# On arm64 with a tree of one's own: 10_linux edited as Debian's wiki says for the ThinkPad X13s.
machine debian-devicetree trixie aarch64
partition /dev/nvme0n1p3 ext2 5d7e9b1c-0f2a-4c3e-8b6d-1a2f3e4d5c6b hd0 gpt3
mounted / /dev/nvme0n1p3
sed -i 's|^  if test -n "${initrd}" ; then$|  echo "	devicetree	${rel_dirname}/dtb-${version}" \| sed "s/^/$submenu_indentation/"\n&|' \
    "$root/etc/grub.d/10_linux"
kernels 6.12.38+deb13-arm64 6.12.35+deb13-arm64
echo tree > "$root/boot/dtb-6.12.38+deb13-arm64" # the older kernel's is not there
configure <<'SETTINGS'
GRUB_DEFAULT=0
GRUB_TIMEOUT=5
GRUB_DISTRIBUTOR=`( . /etc/os-release && echo ${NAME} )`
GRUB_CMDLINE_LINUX_DEFAULT="efi=noruntime clk_ignore_unused pd_ignore_unused arm64.nopauth"
GRUB_CMDLINE_LINUX=""
GRUB_DISABLE_RECOVERY=true
SETTINGS
keep /boot tree/boot

# Proxmox VE on ZFS: its tool mounts each ESP at /boot while grub-mkconfig runs, so the menu and the
# kernels are on the ESP.
machine proxmox bookworm x86_64
partition /dev/sda2 fat D0C4-6B1E hd0 gpt2
device /dev/sda3 fs=zfs fs_uuid=5a1c3e7f90b2d4e6 fs_label=rpool partmap=gpt \
    compatibility_hint=hd0,gpt3 "hints_string=--hint-bios=hd0,gpt3 --hint-efi=hd0,gpt3 "
mounted / /dev/sda3
mounted /boot /dev/sda2
echo / ROOT/pve-1@ > "$root/etc/machine/subvolumes"
echo /boot >> "$root/etc/machine/subvolumes"
kernels 6.8.12-4-pve 6.8.4-2-pve
configure <<'SETTINGS'
GRUB_DEFAULT=0
GRUB_TIMEOUT=5
GRUB_DISTRIBUTOR="Proxmox VE"
GRUB_CMDLINE_LINUX_DEFAULT="quiet"
GRUB_CMDLINE_LINUX="root=ZFS=rpool/ROOT/pve-1 boot=zfs"
SETTINGS
keep /boot esp
stub esp/EFI/proxmox/grub.cfg D0C4-6B1E hd0,gpt2 /grub
