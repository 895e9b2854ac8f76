# SPDX-License-Identifier: GPL-2.0-only
# Versions of built modules.
# shellcheck shell=bash

# set_versions DIR BUILD_ID: gives the modules in DIR the build id as version: dkms does not install a module that has the
# same version as the kernel's own, and both would have none.
set_versions() {
  local module info
  info=$(mktemp)
  for module in "$1"/*.ko; do
    objcopy -O binary --only-section=.modinfo "$module" "$info"
    printf 'version=%s\0' "$2" >>"$info"
    objcopy --update-section .modinfo="$info" "$module"
  done
  rm "$info"
}
