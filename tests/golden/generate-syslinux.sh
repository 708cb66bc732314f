#!/bin/sh
# Writes the trees syslinux-debian-installer (the files of Debian's network installer),
# isolinux-debian-live (live-build's menus, filled in as lb_binary_syslinux does) and
# extlinux-debian-board (by the real u-boot-update). Usage (as root, on Debian bookworm):
# tests/golden/generate-syslinux.sh; then `make golden`, and read the difference.
set -eu
golden=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

package() { # NAME: Debian's package, unpacked in $work/NAME
    (cd "$work" && apt-get -qq -o APT::Sandbox::User=root download "$1")
    dpkg-deb -x "$work/$1"_*.deb "$work/$1"
}

placeholders() { # FILE...: in the tree
    for file; do
        mkdir -p "$(dirname "$tree/$file")"
        echo "$file" > "$tree/$file"
    done
}

# The TFTP directory of the graphical installer. Without the menu of the graphical one, which
# these packages leave out: its includes are missing, as on the real medium.
package debian-installer-12-netboot-amd64
tree=$golden/syslinux-debian-installer/tree
rm -rf "$tree"
mkdir -p "$tree/debian-installer/amd64"
cd "$work"/debian-installer-12-netboot-amd64/usr/lib/debian-installer/images/12/amd64/gtk
cp -d pxelinux.cfg "$tree/"
cp -a debian-installer/amd64/pxelinux.cfg "$tree/debian-installer/amd64/"
mkdir "$tree/debian-installer/amd64/boot-screens"
cp debian-installer/amd64/boot-screens/*.cfg "$tree/debian-installer/amd64/boot-screens/"
placeholders debian-installer/amd64/linux debian-installer/amd64/initrd.gz

# A live image with two kernels, the installer and memtest86+.
package live-build
tree=$golden/isolinux-debian-live/tree
rm -rf "$tree"
mkdir -p "$tree/isolinux"
cd "$work"/live-build/usr/share/live/build/bootloaders
cp isolinux/isolinux.cfg syslinux_common/menu.cfg syslinux_common/stdmenu.cfg \
    syslinux_common/utilities.cfg syslinux_common/memtest.cfg "$tree/isolinux/"
cp syslinux_common/install_text.cfg "$tree/isolinux/install.cfg"
flavour() { # NUMBER NAME
    sed -e "s,@FLAVOUR@,$2,; s,@LINUX@,/live/vmlinuz$1,; s,@INITRD@,/live/initrd$1.img," \
        syslinux_common/live.cfg.in
    placeholders "live/vmlinuz$1" "live/initrd$1.img"
}
flavour 1 amd64 > "$tree/isolinux/live.cfg"
{ echo; flavour 2 rt-amd64 | grep -v 'menu default'; } >> "$tree/isolinux/live.cfg"
sed -i -e 's,@APPEND_LIVE@,boot=live components quiet splash,' \
    -e 's,@APPEND_LIVE_FAILSAFE@,boot=live components memtest noapic noapm nodma nomce nosmp,' \
    -e 's,@APPEND_INSTALL@,,; s,@KERNEL_DI@,/install/vmlinuz,; s,@INITRD_DI@,/install/initrd.gz,' \
    -e 's,@MEMTEST_VERSION@,memtest86+,; s,@MEMTEST@,/live/memtest.bin,' \
    -e 's,@OPTIONAL_INSTALLER_INCLUDE@,include install.cfg,' \
    -e 's,@OPTIONAL_MEMTEST_INCLUDE@,include memtest.cfg,' "$tree"/isolinux/*.cfg
placeholders install/vmlinuz install/initrd.gz live/memtest.bin

# A board with /boot in its root, trees of all boards, an overlay, and two kernels.
mmdebstrap --quiet --variant=extract --include=u-boot-menu,linux-base,perl-base,dash,coreutils,grep \
    --include=sed,diffutils,libc-bin bookworm "$work/board"
for link in bin sbin lib lib64; do
    [ -e "$work/board/$link" ] || ln -s "usr/$link" "$work/board/$link"
done
ln -sf dash "$work/board/usr/bin/sh"
tree=$work/board
echo 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"' > "$tree/etc/os-release"
echo 'UUID=2c1b5c6e-6c0e-4a55-9f2b-0d7c8f4f3a10 / ext4 defaults 0 1' > "$tree/etc/fstab"
placeholders boot/dtbo/spi.dtbo boot/dtbo/uart2.dtbo
for version in 6.1.0-37-arm64 6.1.0-9-arm64; do
    placeholders "boot/vmlinuz-$version" "boot/initrd.img-$version"
    for board in rockchip/rk3399-rock-pi-4b rockchip/rk3399-rockpro64 broadcom/bcm2711-rpi-4-b; do
        name=radxa,rockpi4b soc=rockchip,rk3399
        [ "$board" = rockchip/rk3399-rock-pi-4b ] || name=pine64,rockpro64
        [ "${board%%/*}" = rockchip ] || name=raspberrypi,4-model-b soc=brcm,bcm2711
        mkdir -p "$tree/usr/lib/linux-image-$version/${board%/*}"
        echo "/dts-v1/; / { compatible = \"$name\", \"$soc\"; };" |
            dtc -q -o "$tree/usr/lib/linux-image-$version/$board.dtb"
    done
done
chroot "$tree" /usr/bin/env PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 u-boot-update
rm -rf "$golden/extlinux-debian-board/tree"
mkdir -p "$golden/extlinux-debian-board/tree/usr/lib"
cp -rL "$tree/boot" "$golden/extlinux-debian-board/tree/"
cp -r "$tree"/usr/lib/linux-image-* "$golden/extlinux-debian-board/tree/usr/lib/"
