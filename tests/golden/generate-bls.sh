#!/bin/sh
# Writes the trees of tests/golden/bls-* and uki-* that real tools make: kernel-install and ukify of
# Debian trixie, in a root unpacked by mmdebstrap, with the device tree compiler. Kernels and initrds
# are placeholders; so is the images' stub, since systemd's own is 100 KB and may be read there.
# Usage (as root): tests/golden/generate-bls.sh [CACHE]; then `make golden`, and read the difference.
# CACHE is a folder where what was fetched is kept for the next time.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cache=${1:-$work}
root=$work/root

fetch() { # NAME [mmdebstrap's own options]: a tar of a root, unless it is there
    name=$1; shift
    [ -e "$cache/$name.tar" ] || mmdebstrap --quiet "$@" trixie "$cache/$name.tar"
}
fetch tools --variant=minbase --include=systemd,systemd-ukify,device-tree-compiler
mkdir -p "$root"
tar -C "$root" -xf "$cache/tools.tar" --exclude='./dev/*'
printf '#!/bin/sh\necho "$KERNEL_INSTALL_BOOT_ROOT"\n' > "$root/usr/bin/stat" # "is a mount point"
cat > "$root/usr/bin/stub" <<'STUB'
#!/usr/bin/python3
"""stub MACHINE FILE: a PE32+ file with room for 40 sections, and one that does nothing."""
import struct, sys
machine = {"aa64": 0xAA64, "x64": 0x8664}[sys.argv[1]]
coff = struct.pack("<4sHHIIIHH", b"PE\0\0", machine, 1, 0, 0, 0, 240, 0x206)
sizes = (512, 512, 0, 0x1000, 0x1000)  # code, data, bss, entry point, base of code
optional = struct.pack("<HBB5I Q II 6H I III HH 4Q II", 0x20B, 1, 0, *sizes, 0, 0x1000, 512,
                       0, 0, 1, 0, 0, 0, 0, 0x2000, 2048, 0, 10, 0x100, *[0] * 4, 0, 16)
text = struct.pack("<8sIIII12xI", b".text", 512, 0x1000, 512, 2048, 0x60000020)
dos = b"MZ".ljust(0x3C, b"\0") + struct.pack("<I", 0x40)
head = dos + coff + optional + bytes(128) + text
open(sys.argv[2], "wb").write(head.ljust(2048, b"\0") + bytes(512))
STUB
chmod +x "$root/usr/bin/stat" "$root/usr/bin/stub"
rm "$root"/usr/lib/kernel/install.d/*depmod* "$root"/usr/lib/kernel/install.d/*initrd*

# run COMMAND...: in the root, in /w, with a clean environment.
run() { chroot "$root" env -i -C /w PATH=/usr/sbin:/usr/bin SOURCE_DATE_EPOCH=1750000000 "$@"; }
# fresh TREE...: empty folders for what is made, /w/TREE inside and $here/TREE outside.
fresh() { for tree; do rm -rf "$root/w/$tree"; mkdir -p "$root/w/$tree"; done; }
keep() { # TREE GOLDEN/ROOT: what lies in /w/TREE becomes that root
    rm -rf "${here:?}/$2"; mkdir -p "$here/$2"; cp -r "$root/w/$1/." "$here/$2"
}
release() { # TEXT ARCH: a system and its machine, for kernel-install
    printf '%s\n' "$1" > "$root/etc/os-release"
    printf '#!/bin/sh\necho %s\n' "$2" > "$root/usr/bin/uname"
    chmod +x "$root/usr/bin/uname"
}
install_kernel() { # TREE VERSION TOKEN
    tree=$1 version=$2 token=$3
    mkdir -p "$root/w/$tree/$token"
    echo "kernel $version" > "$root/w/linux"; echo "initrd $version" > "$root/w/initrd.img"
    run SYSTEMD_ESP_PATH="/w/$tree" SYSTEMD_XBOOTLDR_PATH="/w/$tree" \
        kernel-install --entry-token="literal:$token" add "$version" linux initrd.img
}
rm -f "$root/etc/machine-id"
mkdir -p "$root/w" "$root/etc/kernel"
echo 'layout=bls' > "$root/etc/kernel/install.conf"

# --- kernel-install on Debian: two kernels, the newer one still counted, a device tree ------------
fresh debian
release 'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"
NAME="Debian GNU/Linux"
VERSION_ID="13"
ID=debian' aarch64
echo 'root=UUID=0b9ba5a0-9d5a-4b6f-8d3c-3c1a6fd2f0a1 ro console=ttyAMA0 quiet' > "$root/etc/kernel/cmdline"
install_kernel debian 6.12.9-arm64 debian
echo 3 > "$root/etc/kernel/tries"
echo board.dtb > "$root/etc/kernel/devicetree"
mkdir -p "$root/usr/lib/linux-image-6.12.27-arm64"
echo tree > "$root/usr/lib/linux-image-6.12.27-arm64/board.dtb"
install_kernel debian 6.12.27-arm64 debian
rm "$root/etc/kernel/tries" "$root/etc/kernel/devicetree"
printf 'timeout 3\nconsole-mode keep\n' > "$root/w/debian/loader/loader.conf"
keep debian bls-debian/esp

# --- Fedora as Anaconda installs it with inst.sdboot: entries named by the machine-id --------------
fresh fedora
id=4098b3f648d74c13b1f04ccfba7798e8
release 'NAME="Fedora Linux"
VERSION="42 (Server Edition)"
ID=fedora
VERSION_ID=42
PRETTY_NAME="Fedora Linux 42 (Server Edition)"' aarch64
echo $id > "$root/etc/machine-id"
echo 'root=UUID=8b7f0c2a-6d3e-4b11-9c55-1a2b3c4d5e6f ro rootflags=subvol=root rhgb quiet' > "$root/etc/kernel/cmdline"
install_kernel fedora 6.14.9-300.fc42.aarch64 $id
install_kernel fedora 6.14.11-300.fc42.aarch64 $id
install_kernel fedora 0-rescue $id
printf '#timeout 3\n#console-mode keep\ntimeout 5\n' > "$root/w/fedora/loader/loader.conf"
mkdir -p "$root/w/fedora/EFI/systemd" "$root/w/fedora/EFI/BOOT"
echo systemd-boot | tee "$root/w/fedora/EFI/systemd/systemd-bootaa64.efi" > "$root/w/fedora/EFI/BOOT/BOOTAA64.EFI"
keep fedora bls-fedora-sdboot/esp

# --- Two systems, the kernels on XBOOTLDR, a unified image on the ESP ------------------------------
fresh split
install_kernel split 6.14.9-300.fc42.aarch64 $id
rm "$root/etc/machine-id"
release 'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"
ID=debian
VERSION_ID="13"' aarch64
echo 'root=LABEL=debian ro' > "$root/etc/kernel/cmdline"
install_kernel split 6.12.9-arm64 debian
install_kernel split 6.12.27-arm64 debian
keep split bls-xbootldr/boot

# uki OUTPUT ARCH [ukify's own options]
uki() { out=$1; run stub "$2" stub.efi; shift 2; run ukify build --stub=stub.efi --output="$out" "$@" > /dev/null; }
echo kernel > "$root/w/linux"; echo initrd > "$root/w/initrd.img"; echo microcode > "$root/w/ucode.img"
mkdir -p "$here/bls-xbootldr/esp/EFI/Linux"
cat > "$root/w/rescue.release" <<'RELEASE'
ID=rescue
IMAGE_ID=rescue-image
IMAGE_VERSION=7
NAME="Rescue"
RELEASE
uki rescue.efi aa64 --linux=linux --initrd=initrd.img --os-release=@rescue.release --cmdline='rescue' \
    --uname=6.12.27
cp "$root/w/rescue.efi" "$here/bls-xbootldr/esp/EFI/Linux/rescue_7.efi"

# --- Unified images on arm64: profiles, counters, trees, addons ------------------------------------
fresh images; linux=$root/w/images/EFI/Linux; mkdir -p "$linux" "$root/w/images/loader/addons"
for board in one two; do
    printf '/dts-v1/; / { model = "%s"; compatible = "acme,board-%s", "acme,soc"; };' $board $board > "$root/w/$board.dts"
    run dtc -q -o $board.dtb $board.dts
done
cat > "$root/w/particle.release" <<'RELEASE'
NAME="ParticleOS"
PRETTY_NAME="ParticleOS 42"
ID=particle
VERSION_ID=42
IMAGE_ID="particle"
IMAGE_VERSION='42.1'
RELEASE
uki main.efi aa64 --profile='ID=main' --cmdline=
uki reset.efi aa64 --profile='ID=factory-reset
TITLE=Factory Reset' --cmdline='rd.systemd.unit=factory-reset.target
quiet '
uki debug.efi aa64 --profile='ID=debug' --cmdline='debug systemd.log_level=debug' --initrd=initrd.img
uki plain.efi aa64 --profile='
' --cmdline='plain'
uki particle.efi aa64 --linux=linux --initrd=initrd.img --microcode=ucode.img --uname=6.14.0 \
    --os-release=@particle.release --devicetree=one.dtb --devicetree-auto=one.dtb --devicetree-auto=two.dtb \
    --cmdline=' root=LABEL=particle  ro
quiet	' --profile='ID=main
TITLE=Standard' --join-profile=reset.efi --join-profile=debug.efi --join-profile=plain.efi
cp "$root/w/particle.efi" "$linux/particle_42.1.efi"
sed -i 's/42/41/' "$root/w/particle.release"
uki old.efi aa64 --linux=linux --uname=6.13.0 --os-release=@particle.release --devicetree=one.dtb
cp "$root/w/old.efi" "$linux/particle_41.1+2-1.efi"
uki bad.efi aa64 --linux=linux --uname=6.15.0 --initrd=initrd.img --os-release='ID=particle
NAME="Particle OS, bad"
VERSION_ID=99' --cmdline=bad
cp "$root/w/bad.efi" "$linux/Bad_99+0-3.efi"
uki foreign.efi x64 --linux=linux --uname=6.14.0 --os-release='ID=particle'
cp "$root/w/foreign.efi" "$linux/foreign.efi"
echo text > "$linux/broken.efi"
extra=$linux/particle_42.1.efi.extra.d; mkdir "$extra" "$linux/particle_41.1.efi.extra.d"
uki a.addon.efi aa64 --cmdline='a=1 b' --uname=6.14.0
uki z.addon.efi aa64 --cmdline='z' --initrd=initrd.img --microcode=ucode.img
uki no.addon.efi aa64 --cmdline='no' --uname=6.13.0
uki x64.addon.efi x64 --cmdline='no'
uki all.addon.efi aa64 --cmdline='everywhere'
cp "$root"/w/[azn]*.addon.efi "$root/w/x64.addon.efi" "$extra/"; rm "$extra/all.addon.efi"
mv "$root/w/no.addon.efi" "$root/w/old.addon.efi"
cp "$root/w/old.addon.efi" "$linux/particle_41.1.efi.extra.d/"
echo credential > "$extra/a.cred"
cp "$root/w/all.addon.efi" "$root/w/images/loader/addons/all.addon.efi"
printf 'timeout 10\ndefault particle_42*@factory-reset\n' > "$root/w/images/loader/loader.conf"
keep images uki-profiles/esp

# --- Arch on x86_64: mkinitcpio's unified images, and type 1 entries beside them -------------------
fresh mixed; linux=$root/w/mixed/EFI/Linux; mkdir -p "$linux" "$root/w/mixed/loader/entries"
cat > "$root/w/arch.release" <<'RELEASE'
NAME="Arch Linux"
PRETTY_NAME="Arch Linux"
ID=arch
BUILD_ID=rolling
RELEASE
for name in arch-linux arch-linux-fallback; do
    echo "initrd of $name" > "$root/w/initrd.img"
    uki $name.efi x64 --linux=linux --initrd=initrd.img --os-release=@arch.release --uname=6.15.2-arch1-1 \
        --cmdline='rd.luks.name=4f1e=root root=/dev/mapper/root rw
'
    cp "$root/w/$name.efi" "$linux/$name.efi"
done
mkdir -p "$root/w/mixed/EFI/systemd" "$root/w/mixed/EFI/tools"
run stub x64 mixed/EFI/tools/shellx64.efi
cat > "$root/w/mixed/loader/entries/shell.conf" <<'CONF'
title   UEFI Shell
efi     /EFI/tools/shellx64.efi
CONF
cat > "$root/w/mixed/loader/entries/uki.conf" <<'CONF'
title   Arch Linux, by its unified image
version 6.15.2
sort-key arch
uki     /EFI/Linux/arch-linux.efi
options root=/dev/sda2 single
CONF
cat > "$root/w/mixed/loader/entries/loader.conf" <<'CONF'
title   systemd-boot itself
efi     \EFI\systemd\systemd-bootx64.efi
CONF
echo loader > "$root/w/mixed/EFI/systemd/systemd-bootx64.efi"
printf 'default  arch-linux.efi\ntimeout  menu-force\neditor   no\n' > "$root/w/mixed/loader/loader.conf"
keep mixed uki-mixed/esp
