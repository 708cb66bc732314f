#!/bin/sh
# Writes the trees of distributions whose grub-mkconfig is upstream's, or nearly: Arch, Gentoo and
# Alpine. Its scripts are taken from the source that Debian carries (GRUB 2.12, without Debian's
# patches). Usage (as root): tests/golden/generate-upstream.sh; then `make golden`.
. "$(dirname "$0")/machine.sh"

fetch() { # upstream's source of the package grub2 into $work/source
    mkdir -p "$work/apt/lists/partial" "$work/apt/archives/partial" "$work/source"
    keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    echo "deb-src [signed-by=$keyring] http://deb.debian.org/debian trixie main" > "$work/apt/list"
    set -- -qq -o APT::Sandbox::User=root -o Dir::Etc::SourceList="$work/apt/list" \
        -o Dir::Etc::SourceParts=- -o Dir::State::Lists="$work/apt/lists" -o Dir::Cache="$work/apt"
    apt-get "$@" update
    (cd "$work/source" && apt-get "$@" source --download-only grub2)
    tar -C "$work/source" --strip-components=1 -xf "$work"/source/grub2_*.orig.tar.xz
}

install_upstream() { # in place of Debian's scripts
    rm -f "$root"/etc/grub.d/*
    for script in 00_header 10_linux 25_bli 30_os-prober 30_uefi-firmware 40_custom 41_custom; do
        substitute "grub.d/$script" "etc/grub.d/$script"
        chmod +x "$root/etc/grub.d/$script"
    done
    substitute grub-mkconfig usr/sbin/grub-mkconfig
    substitute grub-mkconfig_lib usr/share/grub/grub-mkconfig_lib
}

substitute() { # FROM TO: what configure does
    sed -e 's,@prefix@,/usr,g; s,@exec_prefix@,/usr,g; s,@datarootdir@,/usr/share,g' \
        -e 's,@datadir@,/usr/share,g; s,@bindir@,/usr/bin,g; s,@sbindir@,/usr/sbin,g' \
        -e 's,@sysconfdir@,/etc,g; s,@localedir@,/usr/share/locale,g; s,@PACKAGE@,grub,g' \
        -e 's,@PACKAGE_NAME@,GRUB,g; s,@PACKAGE_VERSION@,2.12,g; s,@bootdirname@,boot,g' \
        -e 's,@grubdirname@,grub,g; s,@host_os@,linux-gnu,g' \
        -e 's,@grub_\([a-z_]*\)@,grub-\1,g; s,grub-script_check,grub-script-check,g' \
        "$work/source/util/$1.in" > "$root/$2"
}

fetch

# Arch: kernels without versions in their names, the ESP mounted at /boot, microcode, an initramfs
# for emergencies. The edits are those of Arch's package.
machine arch trixie x86_64
install_upstream
sed -i -e 's|GNU/Linux|Linux|; s| ro | rw |; s|s,^\[^0-9\]\*-,,g|s,vmlinuz-,,|' \
    -e '/^\t *recovery)$/i\      fallback)\n\t  title="$(gettext_printf "%s, with Linux %s (fallback initramfs)" "${os}" "${version}")" ;;' \
    -e '/"x${GRUB_DISABLE_RECOVERY}" != "xtrue"/i\  if test -e "${dirname}/initramfs-${version}-fallback.img"; then\n    initrd="${initrd_early} initramfs-${version}-fallback.img"\n    linux_entry "${OS}" "${version}" fallback "${GRUB_CMDLINE_LINUX} ${GRUB_CMDLINE_LINUX_DEFAULT}"\n  fi' \
    "$root/etc/grub.d/10_linux"
partition /dev/nvme0n1p1 fat A1B2-C3D4 hd0 gpt1
partition /dev/nvme0n1p2 btrfs 6d0f8a6e-3c55-4f6f-94b7-0d5f4d1f2b9a hd0 gpt2
mounted / /dev/nvme0n1p2
mounted /boot /dev/nvme0n1p1
echo / @ > "$root/etc/machine/subvolumes"
echo /boot >> "$root/etc/machine/subvolumes"
for kernel in linux linux-lts; do
    echo "$kernel" > "$root/boot/vmlinuz-$kernel"
    echo "$kernel" > "$root/boot/initramfs-$kernel.img"
done
echo fallback > "$root/boot/initramfs-linux-fallback.img"
echo microcode > "$root/boot/amd-ucode.img"
configure <<'SETTINGS'
GRUB_DEFAULT=0
GRUB_TIMEOUT=5
GRUB_DISTRIBUTOR="Arch"
GRUB_CMDLINE_LINUX_DEFAULT="loglevel=3 quiet"
GRUB_CMDLINE_LINUX=""
GRUB_PRELOAD_MODULES="part_gpt part_msdos"
GRUB_TIMEOUT_STYLE=menu
GRUB_TERMINAL_INPUT=console
GRUB_GFXMODE=auto
GRUB_GFXPAYLOAD_LINUX=keep
GRUB_DISABLE_RECOVERY=true
SETTINGS
keep /boot esp

# Gentoo: one kernel without an initramfs, whose root= must be a device; one by genkernel; one .old.
machine gentoo trixie x86_64
install_upstream
partition /dev/sda1 ext2 3f0a7b5c-88d1-4f7e-b1f4-6c5d2e9a8b70 hd0 gpt1
partition /dev/sda3 xfs 8e1b2c3d-4a5f-4e6d-9c7b-0a1b2c3d4e5f hd0 gpt3
mounted / /dev/sda3
mounted /boot /dev/sda1
for version in 6.6.30-gentoo-dist 6.6.21-gentoo-dist.old; do
    echo "$version" > "$root/boot/vmlinuz-$version"
    echo "$version" > "$root/boot/initramfs-${version%.old}.img"
done
echo plain > "$root/boot/vmlinuz-6.12.21-gentoo"
echo genkernel > "$root/boot/kernel-6.1.90-gentoo-x86_64"
echo genkernel > "$root/boot/initramfs-genkernel-x86_64-6.1.90-gentoo-x86_64"
cat > "$root/etc/grub.d/40_custom" <<'SCRIPT'
#!/bin/sh
exec tail -n +3 $0
menuentry "SystemRescue" {
	insmod loopback
	set isofile="/systemrescue.iso"
	loopback loop $isofile
	linux (loop)/sysresccd/boot/x86_64/vmlinuz archisobasedir=sysresccd img_loop=$isofile
	initrd (loop)/sysresccd/boot/x86_64/sysresccd.img
}
SCRIPT
configure <<'SETTINGS'
GRUB_DISTRIBUTOR="Gentoo"
GRUB_DEFAULT="Advanced options for Gentoo GNU/Linux>Gentoo GNU/Linux, with Linux 6.6.30-gentoo-dist"
GRUB_CMDLINE_LINUX="init=/usr/lib/systemd/systemd dolvm"
GRUB_CMDLINE_LINUX_DEFAULT="quiet"
GRUB_TERMINAL=console
GRUB_SAVEDEFAULT=true
SETTINGS
keep /boot boot

# Alpine on arm64: its kernels are called by their flavour.
machine alpine trixie aarch64
install_upstream
sed -i -e 's| GNU/Linux"|"|; s|"initramfs-${version}.img"|"initramfs-${version}" &|' \
    "$root/etc/grub.d/10_linux"
partition /dev/vda2 ext2 0d9c1b7e-6f1d-4a40-a3c2-4d5e6f708192 hd0 gpt2
partition /dev/vda3 ext2 5e4d3c2b-1a09-4f8e-9d7c-6b5a49382716 hd0 gpt3
mounted / /dev/vda3
mounted /boot /dev/vda2
for flavour in lts virt; do
    echo "$flavour" > "$root/boot/vmlinuz-$flavour"
    echo "$flavour" > "$root/boot/initramfs-$flavour"
done
configure <<'SETTINGS'
GRUB_TIMEOUT=2
GRUB_DISABLE_SUBMENU=y
GRUB_DISABLE_RECOVERY=true
GRUB_DISTRIBUTOR="Alpine"
GRUB_CMDLINE_LINUX_DEFAULT="modules=sd-mod,usb-storage,ext4 rootfstype=ext4 console=ttyAMA0,115200"
SETTINGS
keep /boot boot
