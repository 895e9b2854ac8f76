# SPDX-License-Identifier: GPL-2.0-only
# Builds the modules out of tree against kernel headers, our ip_vs.h found before the packaged one.
# shellcheck shell=bash

# stage SOURCE WORK: copies what a build reads; an unchanged file keeps its time, so that make does only what is new.
stage() {
  local source=$1 work=$2 file
  mkdir -p "$work"
  (cd "$source" && find net/netfilter/ipvs net/netfilter/xt_ipvs.c include/net/ip_vs.h include/uapi/linux/ip_vs.h \
    -type f \( -name '*.[ch]' -o -name Makefile \)) | sort >"$work/files"
  while read -r file; do
    cmp -s "$source/$file" "$work/$file" || install -D -m 644 "$source/$file" "$work/$file"
  done <"$work/files"
  (cd "$work" && find net include -type f -name '*.[ch]' ! -name '*.mod.c') | sort | comm -23 - "$work/files" |
    while read -r file; do rm -f "$work/$file"; done
}

write_if_changed() {
  local text
  text=$(cat)
  [[ -f $1 && $(<"$1") == "$text" ]] || printf '%s\n' "$text" >"$1"
}

# Kbuild reads Kbuild before Makefile, so the kernel's own Makefile stays as it is and is included.
write_kbuild() {
  local work=$1 id=$2 file
  {
    echo "LINUXINCLUDE := -I$work/include -I$work/include/uapi \$(LINUXINCLUDE)"
    echo "include $work/net/netfilter/ipvs/Makefile"
    # Only the files that show the build id are compiled again when it alone changes.
    grep -lw IP_VS_BUILD_ID "$work"/net/netfilter/ipvs/*.c | while read -r file; do
      echo "CFLAGS_$(basename "${file%.c}").o += -DIP_VS_BUILD_ID='\"$id\"'"
    done || true
  } | write_if_changed "$work/net/netfilter/ipvs/Kbuild"
  {
    echo "LINUXINCLUDE := -I$work/include -I$work/include/uapi \$(LINUXINCLUDE)"
    echo 'obj-$(CONFIG_IP_VS) += ipvs/'
    echo 'obj-$(CONFIG_NETFILTER_XT_MATCH_IPVS) += xt_ipvs.o'
  } | write_if_changed "$work/net/netfilter/Kbuild"
}

# compile WORK BUILD_ID LOG [make argument...]: 0 if it built; LOG is what make said.
compile() {
  local work=$1 id=$2 log=$3 args=()
  shift 3
  write_kbuild "$work" "$id"
  command -v pahole >/dev/null && [[ -f $headers/vmlinux ]] || args+=(CONFIG_DEBUG_INFO_BTF_MODULES=)
  ! grep -qx CONFIG_UML=y "$headers/.config" || args+=(ARCH=um SUBARCH=x86_64)
  make -C "$headers" M="$work/net/netfilter" "-j$(nproc)" "${args[@]}" "$@" modules >"$log" 2>&1
}

# collect WORK OUT: the modules, without debug sections, in OUT/updates.
collect() {
  local module
  mkdir -p "$2/updates"
  find "$1/net/netfilter" -maxdepth 2 -name '*.ko' | while read -r module; do
    objcopy --strip-debug "$module" "$2/updates/$(basename "$module")"
  done
}

# Prints what went wrong in a log of make.
show_errors() { grep -E 'error|warning|Error|ERROR' "$1" >&2 || tail -n 30 "$1" >&2; }
