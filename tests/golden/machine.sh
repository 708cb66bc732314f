# A machine for the generators of golden trees: a root unpacked by mmdebstrap in which the real
# grub-mkconfig runs. What its scripts ask of the machine (grub-probe, grub-mkrelpath, uname,
# os-prober) is answered by stand-ins from what the generator says, so that a tree comes out the
# same everywhere. To be sourced; needs root, an x86_64 Debian and mmdebstrap.
set -eu
golden=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

unpack() { # SUITE: a root of that Debian in $work/SUITE, once
    [ -d "$work/$1" ] && return
    mmdebstrap --quiet --variant=extract --include=grub-common,grub2-common,os-prober,memtest86+ \
        --include=dash,coreutils,sed,grep,mawk,findutils,debianutils,gettext-base,base-files,libc-bin \
        "$1" "$work/$1"
    for link in bin sbin lib lib64; do # what usrmerge and the maintainer scripts would do
        [ -e "$work/$1/$link" ] || ln -s "usr/$link" "$work/$1/$link"
    done
    ln -sf dash "$work/$1/usr/bin/sh"
    ln -sf mawk "$work/$1/usr/bin/awk"
    mkdir -p "$work/$1/dev/disk/by-uuid" "$work/$1/proc" "$work/$1/sys" "$work/$1/etc/machine"
    mkdir -p "$work/$1/etc/default/grub.d" "$work/$1/boot/grub" "$work/$1/usr/share/grub"
    : > "$work/$1/usr/share/grub/unicode.pf2"
    rm -f "$work/$1"/boot/memtest86+*32* # one of each kind is enough
}

machine() { # NAME SUITE MACHINE(uname -m): begin the tree NAME
    unpack "$2"
    rm -rf "$work/$1" # of a second machine of the same tree
    name=$1 suite=$2 root=$work/$1
    cp -a "$work/$2" "$root"
    echo "$3" > "$root/etc/machine/uname"
    cat > "$root/usr/bin/uname" <<'UNAME'
#!/bin/sh
[ "$1" = -m ] && cat /etc/machine/uname || echo Linux
UNAME
    # A path lies on the device of the longest mount point that it begins with; what a device
    # has no answer to fails, as it does for grub-probe.
    cat > "$root/usr/sbin/grub-probe" <<'PROBE'
#!/bin/sh
device= target=
while [ $# -gt 0 ]; do
    case $1 in
        --target=*) target=${1#*=} ;;
        -t) target=$2; shift ;;
        --device) device=yes ;;
        *) path=$1 ;;
    esac
    shift
done
if [ ! "$device" ]; then
    while read -r point mounted; do
        case $path/ in "${point%/}"/*) device=$mounted ;; esac
    done < /etc/machine/mounts
    [ "$target" = device ] && echo "$device" && exit
    path=$device
fi
facts=/etc/machine/$(echo "$path" | tr / _)
sed -n "s/^$target=//p" "$facts"
grep -q "^$target=" "$facts"
PROBE
    cat > "$root/usr/bin/grub-mkrelpath" <<'MKRELPATH'
#!/bin/sh
while read -r point device; do
    case $1/ in "${point%/}"/*) relative=${1#"${point%/}"} ;; esac
done < /etc/machine/mounts
while read -r point subvolume; do
    case $1/ in "${point%/}"/*) relative=/$subvolume${1#"${point%/}"} ;; esac
done < /etc/machine/subvolumes
echo "${relative%/}"
MKRELPATH
    chmod +x "$root/usr/bin/uname" "$root/usr/sbin/grub-probe" "$root/usr/bin/grub-mkrelpath"
    rm -f "$root/usr/bin/os-prober" "$root/usr/bin/linux-boot-prober"
    rm -f "$root/etc/grub.d/20_memtest86+" "$root"/boot/memtest86+*
    : > "$root/etc/machine/mounts"
    : > "$root/etc/machine/subvolumes"
}

device() { # NODE FACT=VALUE...: a block device, and what grub-probe says of it
    local facts fact uuid
    facts=$root/etc/machine/$(echo "$1" | tr / _)
    shift
    printf '%s\n' "$@" > "$facts"
    for fact in abstraction partmap; do
        case "$*" in *"$fact="*) ;; *) echo "$fact=" >> "$facts" ;; esac
    done
    uuid=$(sed -n 's/^fs_uuid=//p' "$facts")
    : > "$root/dev/disk/by-uuid/$uuid"
}

partition() { # NODE FS UUID DISK PART: a partition of a GPT or an MS-DOS disk, as EFI or BIOS sees it
    hints="--hint-bios=$4,$5 --hint-efi=$4,$5 --hint-baremetal=ahci${4#hd},$5 "
    [ "$(cat "$root/etc/machine/uname")" = x86_64 ] || hints="--hint-efi=$4,$5 "
    device "$1" "fs=$2" "fs_uuid=$3" "partmap=${5%%[0-9]*}" "compatibility_hint=$4,$5" \
        "hints_string=$hints" "drive=(hostdisk/${1%%[0-9]*},$5)"
}

mounted() { # POINT NODE, outer ones first
    echo "$1 $2" >> "$root/etc/machine/mounts"
}

kernels() { # VERSION...: Debian's kernels
    for version; do
        echo "kernel $version" > "$root/boot/vmlinuz-$version"
        echo "initrd $version" > "$root/boot/initrd.img-$version"
        printf 'CONFIG_BLK_DEV_INITRD=y\nCONFIG_XEN_DOM0=y\n' > "$root/boot/config-$version"
    done
}

run() { # COMMAND: a shell's, in the machine
    chroot "$root" /bin/sh -c "export LC_ALL=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin; $1"
}

memtest() { # Debian's memtest86+, with its script
    cp "$work/$suite/etc/grub.d/20_memtest86+" "$root/etc/grub.d/"
    for image in "$work/$suite"/boot/memtest86+*; do
        echo memtest > "$root/boot/${image##*/}"
    done
}

ubuntu() { # Debian's scripts, switched as Ubuntu's build of them is
    sed -i -E 's/^(ubuntu_recovery|quiet_boot|quick_boot|gfxpayload_dynamic|vt_handoff)="0"/\1="1"/' \
        "$root"/etc/grub.d/00_header "$root"/etc/grub.d/10_linux "$root"/etc/grub.d/30_os-prober
    mkdir -p "$root/lib/recovery-mode"
    touch "$root/lib/recovery-mode/recovery-menu"
    chmod +x "$root/lib/recovery-mode/recovery-menu"
}

configure() { # settings for /etc/default/grub on stdin
    cat > "$root/etc/default/grub"
    run 'grub-mkconfig -o /boot/grub/grub.cfg' 2> "$work/log" || { cat "$work/log"; exit 1; } >&2
    [ -e "$root/boot/grub/grubenv" ] || run 'grub-editenv /boot/grub/grubenv create'
}

keep() { # FROM TO: a directory of the machine becomes one of the tree
    rm -rf "${golden:?}/$name/$2"
    mkdir -p "$(dirname "$golden/$name/$2")"
    cp -rL "$root$1" "$golden/$name/$2"
    find "$golden/$name/$2" -name 'config-*' -delete
    chmod -R u+w,a+rX "$golden/$name/$2"
}

stub() { # FILE UUID HINT DIRECTORY: what grub-install leaves on an ESP
    mkdir -p "$(dirname "$golden/$name/$1")"
    printf '%s\n' "search.fs_uuid $2 root $3 " "set prefix=(\$root)'$4'" \
        'configfile $prefix/grub.cfg' > "$golden/$name/$1"
}
