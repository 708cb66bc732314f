# make demo    the boot menu in a virtual machine, in this terminal
# make test    lint, types, unit, golden and virtual-machine tests
# make bench   figures, one JSON line each; BENCH=NAME for one of them
# make check   lint and types only
# make golden  golden lists and plans, anew; make golden-trees: the trees that real tools make
SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help demo test check bench golden golden-trees clean packages-run packages-test

VENV := .venv
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)

# What building and running the image takes, and what its tests compare it with besides.
RUN_PACKAGES := python3-venv mmdebstrap fdisk zstd debian-archive-keyring uidmap kmod e2fsprogs dosfstools \
	mtools libfdt1 libzstd1 liblz4-1 libudev1 qemu-system-arm qemu-system-data qemu-efi-aarch64 ipxe-qemu \
	qemu-system-x86 ovmf qemu-system-misc opensbi
TEST_PACKAGES := cpio busybox-static gcc libc6-dev device-tree-compiler u-boot-tools grub-common grub2-common grub-emu \
	xz-utils zstd lz4 bzip2 file util-linux btrfs-progs xfsprogs xorriso genisoimage libarchive-tools 7zip \
	binutils-aarch64-linux-gnu openssl sbsigntool

help:
	@sed -n 's/^# make/make/p' Makefile

# $(call install,PACKAGES): those that are missing, and only then ask the archive.
define install
	@missing=; for package in $(1); do \
	  dpkg-query -W -f='$${db:Status-Status}' $$package 2>/dev/null | grep -qx installed \
	    || missing="$$missing $$package"; done; \
	if [ -n "$$missing" ]; then \
	  echo "Installing:$$missing"; \
	  $(SUDO) apt-get update -qq && \
	  $(SUDO) env DEBIAN_FRONTEND=noninteractive \
	    apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends $$missing > .apt.log 2>&1 \
	    || { tail -n 20 .apt.log >&2; exit 1; }; \
	  rm -f .apt.log; \
	fi
endef

packages-run:
	$(call install,$(RUN_PACKAGES))

packages-test: packages-run
	$(call install,$(TEST_PACKAGES))

$(VENV)/run: pyproject.toml | packages-run
	@echo "Setting up the virtual environment $(VENV)"
	@python3 -m venv $(VENV)
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(VENV)/test: pyproject.toml | packages-test $(VENV)/run
	@echo "Installing what the tests use"
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

demo: packages-run $(VENV)/run
	@$(VENV)/bin/bootmenu demo

check: $(VENV)/test
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

test: packages-test check
	$(VENV)/bin/pytest

bench: packages-test $(VENV)/test
	@$(VENV)/bin/python -m tests.bench $(BENCH)

golden: $(VENV)/test
	$(VENV)/bin/pytest tests/parsers tests/loader -k golden --regenerate

golden-trees: packages-test
	$(SUDO) tests/golden/generate

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache
