# flash-kernel: bootscr.uboot-generic

# Bootscript using the new unified bootcmd handling
# introduced with u-boot v2014.10

if test -n "${boot_targets}"; then
  echo "Mainline u-boot / new-style environment detected."
fi

setenv rk_uart ttyS2

if test -z "${fdtfile}"; then
  setenv fdtpath dtb-6.1.0-18-arm64
else
  setenv fdtpath dtbs/${fk_kvers}/${fdtfile}
fi

if test -z "${distro_bootpart}"; then
  setenv partition ${bootpart}
else
  setenv partition ${distro_bootpart}
fi

setenv bootargs  ${bootargs} console=${rk_uart},1500000 root=UUID=3f8e5b0e-91d3-4a27-8c1d-7a5f1c9e2b30 quiet

if test -z "${fk_kvers}"; then
   setenv fk_kvers '6.1.0-18-arm64'
fi

# These two blocks should be the same apart from the use of
# ${fk_kvers} in the first, the syntax supported by u-boot does not
# lend itself to removing this duplication.

if test -n "${fdtfile}"; then
   setenv fdtpath dtbs/${fk_kvers}/${fdtfile}
else
   setenv fdtpath dtb-${fk_kvers}
fi

load ${devtype} ${devnum}:${partition} ${kernel_addr_r} ${prefix}vmlinuz-${fk_kvers} \
&& load ${devtype} ${devnum}:${partition} ${fdt_addr_r} ${prefix}${fdtpath} \
&& load ${devtype} ${devnum}:${partition} ${ramdisk_addr_r} ${prefix}initrd.img-${fk_kvers} \
&& echo "Booting Debian ${fk_kvers} from ${devtype} ${devnum}:${partition}..." \
&& booti ${kernel_addr_r} ${ramdisk_addr_r}:${filesize} ${fdt_addr_r}

load ${devtype} ${devnum}:${partition} ${kernel_addr_r} ${prefix}vmlinuz \
&& load ${devtype} ${devnum}:${partition} ${fdt_addr_r} ${prefix}dtb \
&& load ${devtype} ${devnum}:${partition} ${ramdisk_addr_r} ${prefix}initrd.img \
&& echo "Booting Debian from ${devtype} ${devnum}:${partition}..." \
&& booti ${kernel_addr_r} ${ramdisk_addr_r}:${filesize} ${fdt_addr_r}
