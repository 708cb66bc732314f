#!/bin/bash
# Writes what is binary in the trees of boards: boot.scr by mkimage (u-boot-tools), the trees and
# overlays by dtc. The texts beside them are those that the systems' own packages write.
set -e
cd "$(dirname "$0")"
export SOURCE_DATE_EPOCH=1700000000

script() {  # TEXT BOOT.SCR
    mkimage -q -A arm64 -T script -C none -n "boot script" -d "$1" "$2" >/dev/null
}

tree() {  # FILE COMPATIBLE...
    mkdir -p "$(dirname "$1")"
    local names
    names=$(printf '"%s", ' "${@:2}")
    printf '/dts-v1/; / { compatible = %s; };' "${names%, }" | dtc -q -o "$1" -O dtb -
}

overlay() {  # FILE PARAMETER...
    mkdir -p "$(dirname "$1")"
    {
        printf '/dts-v1/; /plugin/; / { fragment@0 { target-path = "/"; x: __overlay__ { a; }; };'
        printf '__overrides__ { '
        [ $# = 1 ] || printf '%s = <&x>,"a?"; ' "${@:2}"
        printf '}; };'
    } | dtc -q -o "$1" -O dtb -
}

dtb=armbian-rockchip64/tree/boot/dtb-6.6.16-current-rockchip64
tree $dtb/rockchip/rk3399-rockpro64.dtb pine64,rockpro64-v2.1 pine64,rockpro64 rockchip,rk3399
tree $dtb/rockchip/rk3399-nanopc-t4.dtb friendlyarm,nanopc-t4 rockchip,rk3399
overlay $dtb/rockchip/overlay/rockchip-i2c7.dtbo
overlay $dtb/rockchip/overlay/rockchip-spi-spidev.dtbo
overlay armbian-rockchip64/tree/boot/overlay-user/fan.dtbo
script armbian-rockchip64/tree/boot/boot.cmd armbian-rockchip64/tree/boot/boot.scr

dtb=armbian-sunxi/boot/dtb
tree $dtb/allwinner/sun50i-h5-orangepi-pc2.dtb xunlong,orangepi-pc2 allwinner,sun50i-h5
overlay $dtb/allwinner/overlay/sun50i-h5-usbhost2.dtbo
printf 'setenv fixed yes\n' >/tmp/fixup.$$
script /tmp/fixup.$$ $dtb/allwinner/overlay/sun50i-h5-fixup.scr
rm /tmp/fixup.$$
script armbian-sunxi/boot.cmd armbian-sunxi/boot/boot.scr # its text is only in the image

dtb=armbian-settings-only/tree/boot/dtb
tree $dtb/amlogic/meson-g12b-odroid-n2.dtb hardkernel,odroid-n2 amlogic,s922x amlogic,g12b
overlay $dtb/amlogic/overlay/meson-uartA.dtbo

dtb=flash-kernel/tree/boot/dtbs/6.1.0-18-arm64
tree $dtb/rockchip/rk3328-rock64.dtb pine64,rock64 rockchip,rk3328
script flash-kernel/boot.cmd flash-kernel/tree/boot/boot.scr

tree beaglebone/tree/boot/dtbs/6.1.38-bone25/am335x-boneblack.dtb ti,am335x-bone-black ti,am33xx

# Raspberry Pi: what overlays are called on each chip, and trees by board
map() {  # FILE
    dtc -q -o "$1" -O dtb - <<'MAP'
/dts-v1/;
/ {
    disable-bt { bcm2835; bcm2711; bcm2712 = "disable-bt-pi5"; };
    dwc2 { bcm2835; bcm2711; bcm2712; };
    pi3-disable-bt { renamed = "disable-bt"; };
    lirc-rpi { deprecated = "use gpio-ir"; };
    vc4-kms-v3d { bcm2835; bcm2711 = "vc4-kms-v3d-pi4"; bcm2712 = "vc4-kms-v3d-pi5"; };
};
MAP
}

for system in raspios raspios-tryboot; do
    boot=$system/boot
    overlay $boot/overlays/vc4-kms-v3d.dtbo
    overlay $boot/overlays/vc4-kms-v3d-pi4.dtbo
    overlay $boot/overlays/vc4-kms-v3d-pi5.dtbo cma-512
    overlay $boot/overlays/disable-bt.dtbo
    overlay $boot/overlays/disable-bt-pi5.dtbo
    overlay $boot/overlays/dwc2.dtbo
    overlay $boot/overlays/i2c-rtc.dtbo ds3231 addr wakeup-source
    map $boot/overlays/overlay_map.dtb
    tree $boot/bcm2711-rpi-4-b.dtb raspberrypi,4-model-b brcm,bcm2711
    tree $boot/bcm2711-rpi-cm4.dtb raspberrypi,4-compute-module brcm,bcm2711
    tree $boot/bcm2712-rpi-5-b.dtb raspberrypi,5-model-b brcm,bcm2712
done
tree raspios-tryboot/boot/new/bcm2712-rpi-5-b.dtb raspberrypi,5-model-b brcm,bcm2712
overlay raspios-tryboot/boot/new/overlays/vc4-kms-v3d-pi5.dtbo
map raspios-tryboot/boot/new/overlays/overlay_map.dtb
boot=raspios-other-board/tree/boot/firmware
tree $boot/bcm2711-rpi-4-b.dtb raspberrypi,4-model-b brcm,bcm2711
overlay $boot/overlays/vc4-kms-v3d.dtbo
overlay $boot/overlays/dwc2.dtbo

tree bare-alpine/boot/dtbs-lts/freescale/imx8mm-evk.dtb fsl,imx8mm-evk fsl,imx8mm
tree bare-alpine/boot/dtbs-lts/rockchip/rk3328-rock64.dtb pine64,rock64 rockchip,rk3328
tree bare-odds/tree/boot/dtb/board.dtb acme,board acme,soc
