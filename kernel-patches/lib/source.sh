# SPDX-License-Identifier: GPL-2.0-only
# Finds, or downloads from Debian's archive into the cache, the headers and the source of one kernel.
# Nothing is installed: packages are unpacked in the cache.
# shellcheck shell=bash

# versions_of PACKAGE...: lines "VERSION PACKAGE" of the versions in the archive, oldest first.
versions_of() { apt-cache madison "$@" | awk -F' *\\| *' '{ gsub(/ /, "", $1); print $2, $1 }' | sort -uV; }

offered() { versions_of "$1" | grep -qxF "$2 $1"; }

# Package lists may be missing (in a new container) or old: root updates them, at most once per run.
refresh_lists() {
  [[ $(id -u) == 0 && -z ${apt_updated-} ]] || return 0
  apt_updated=1
  say 'apt-get update'
  quietly apt-get -q update || true
}

# fetch_deb PACKAGE VERSION FOLDER: downloads one package file into FOLDER; 1 if the archive does not have it.
fetch_deb() {
  mkdir -p "$3"
  if ! offered "$1" "$2"; then
    refresh_lists
    offered "$1" "$2" || return 1
  fi
  say "downloading $1 $2"
  (cd "$3" && quietly apt-get -q -o APT::Sandbox::User=root download "$1=$2")
}

# Packages of headers that Debian offers for kernel line $1: lines "VERSION PACKAGE", oldest first.
offered_headers() {
  local arch names
  arch=$(dpkg --print-architecture)
  names=$(apt-cache search --names-only "^linux-headers-${1//./\\.}\.[0-9].*-cloud-$arch\$" | cut -d' ' -f1)
  # shellcheck disable=SC2086 # one word a package
  [[ -z $names ]] || versions_of $names
}

# choose_kver LINE: the kernel to build for by default: the one of the series' base version while Debian has it (or it is
# installed), else the newest.
choose_kver() {
  local line=$1 wanted offered chosen
  wanted=$(series_base_version "$line")
  if [[ -n $wanted && -z ${newest-} ]]; then
    chosen=$(dpkg-query -W -f '${Version} ${Package} ${db:Status-Abbrev}\n' 'linux-headers-*-cloud-*' 2>/dev/null |
      awk -v v="$wanted" '$1 == v && $3 ~ /^ii/ && $2 ~ /-headers-[0-9]/ { print $2 }' | sort -V | tail -n 1)
    [[ -z $chosen ]] || { echo "${chosen#linux-headers-}"; return; }
    # Headers in the cache are used if the archive no longer has them.
    chosen=$(find "$cache" -maxdepth 1 -name "headers-*_$wanted" -printf '%f\n' 2>/dev/null | sort -V | tail -n 1)
    [[ -z $chosen ]] || { chosen=${chosen#headers-}; echo "${chosen%%_*}"; return; }
  fi
  offered=$(offered_headers "$line")
  if [[ -z $offered ]]; then
    refresh_lists
    offered=$(offered_headers "$line")
  fi
  [[ -n $offered ]] || die "Debian's package lists name no kernel headers for $line: run apt-get update, or name a kernel with --kver"
  chosen=
  [[ -n ${newest-} ]] || chosen=$(awk -v v="$wanted" '$1 == v { print $2 }' <<<"$offered" | tail -n 1)
  [[ -n $chosen ]] || chosen=$(tail -n 1 <<<"$offered" | cut -d' ' -f2)
  echo "${chosen#linux-headers-}"
}

# The stable release ("6.1.192") of a header folder or of a source: their Makefiles have the same form.
release_of() { awk -F' *= *' '/^(VERSION|PATCHLEVEL|SUBLEVEL) =/ { v = v d $2; d = "." } /^EXTRAVERSION/ { print v; exit }' "$1"; }

headers_makefile() { awk '$1 == "include" { print $2; exit }' "$1/Makefile"; }

# find_headers KVER: sets headers (build folder), headers_version (Debian's, may be empty), headers_release.
find_headers() {
  headers_config=''
  local kver=$1 package="linux-headers-$1" build dir
  build="/lib/modules/$kver/build"
  if [[ -f $build/Module.symvers ]]; then
    headers=$(readlink -f "$build")
    headers_version=$(dpkg-query -W -f '${Version}' "$package" 2>/dev/null || true)
  else
    headers_version=$(versions_of "$package" | tail -n 1 | cut -d' ' -f1)
    dir=$(find "$cache" -maxdepth 1 -name "headers-${kver}_*" 2>/dev/null | sort -V | tail -n 1)
    if [[ -n $dir ]]; then
      headers_version=${dir##*_}
    else
      if [[ -z $headers_version ]]; then
        refresh_lists
        headers_version=$(versions_of "$package" | tail -n 1 | cut -d' ' -f1)
      fi
      [[ -n $headers_version ]] || die "no headers for kernel $kver: neither in /lib/modules/$kver/build nor as package $package in Debian's lists"
      dir="$cache/headers-${kver}_$headers_version"
      unpack_headers "$package" "$headers_version" "$dir"
    fi
    headers="$dir/usr/src/$package"
  fi
  local makefile
  makefile=$(headers_makefile "$headers")
  headers_release=$(release_of "${makefile:-$headers/Makefile}")
  [[ -n $headers_release ]] || die "cannot read the kernel release of the headers in $headers"
}

# own_headers DIR: the same for a build folder that is not Debian's; its file source-version has the source's version.
own_headers() {
  headers=$(cd "$1" && pwd)
  headers_version=$(cat "$headers/source-version" 2>/dev/null || true)
  headers_release=$(release_of "$headers/Makefile")
  headers_config=" $(hash_of <"$headers/.config")"
}

# The package names absolute paths in one place, the Makefile; everything else in it is relative.
unpack_headers() {
  local package=$1 version=$2 dir=$3 tmp="$cache/fresh-$$" deb name wanted depends
  mkdir -p "$tmp"
  depends=$(apt-cache show "$package=$version" | awk -F': ' '$1 == "Depends" { print $2; exit }' | tr ',|' '\n\n' |
    awk '$1 ~ /^linux-(headers-.*-common|kbuild-)/ { print $1 }')
  for name in "$package" $depends; do
    wanted=$version
    # The archive keeps one linux-kbuild of a line; its programs serve every release of the line.
    [[ $name != linux-kbuild-* ]] || offered "$name" "$wanted" || wanted=$(versions_of "$name" | tail -n 1 | cut -d' ' -f1)
    fetch_deb "$name" "$wanted" "$tmp/debs" || die "Debian's archive has no $name $wanted"
  done
  for deb in "$tmp"/debs/*.deb; do dpkg-deb -x "$deb" "$tmp"; done
  rm -rf "$tmp/debs"
  sed -i "s|^include /usr/src/|include $dir/usr/src/|" "$tmp/usr/src/$package/Makefile"
  mv -T "$tmp" "$dir" 2>/dev/null || rm -rf "$tmp"
}

# find_source LINE VERSION: sets source_dir to the unpacked parts of linux-source-LINE VERSION; 1 if not found.
find_source() {
  local line=$1 version=$2 package="linux-source-$1" tarball=
  source_dir="$cache/source-${line}_$version"
  [[ ! -f $source_dir/Makefile ]] || return 0
  local tmp="$cache/fresh-$$"
  mkdir -p "$tmp"
  if [[ $(dpkg-query -W -f '${Version}' "$package" 2>/dev/null) == "$version" && -f /usr/src/$package.tar.xz ]]; then
    tarball="/usr/src/$package.tar.xz"
  else
    fetch_deb "$package" "$version" "$tmp/debs" || { rm -rf "$tmp"; return 1; }
    dpkg-deb -x "$tmp"/debs/*.deb "$tmp/deb"
    tarball="$tmp/deb/usr/src/$package.tar.xz"
  fi
  unpack_source "$tarball" "$tmp" "$package"
  rm -rf "$tmp/debs" "$tmp/deb"
  mv -T "$tmp" "$source_dir" 2>/dev/null || rm -rf "$tmp"
}

unpack_source() {
  local member members=()
  for member in "${parts[@]}" Makefile scripts/checkpatch.pl scripts/spelling.txt scripts/const_structs.checkpatch \
    tools/testing/selftests/kselftest tools/testing/selftests/lib.mk; do
    members+=("$3/$member")
  done
  say "unpacking the IPVS parts of $(basename "$1")"
  # tar reports the folder that this line does not have; the required files are checked below.
  tar -xJf "$1" -C "$2" --strip-components=1 "${members[@]}" 2>/dev/null || true
  for member in Makefile net/netfilter/ipvs/Makefile net/netfilter/xt_ipvs.c include/net/ip_vs.h include/uapi/linux/ip_vs.h \
    Documentation/networking/ipvs-sysctl.rst scripts/checkpatch.pl; do
    [[ -s $2/$member ]] || die "$1 lacks $member"
  done
}
