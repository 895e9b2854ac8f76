# SPDX-License-Identifier: MIT
# In the postinst of both DKMS packages. The last byte of this variable is 1 with Secure Boot.
efivars=${LVSD_EFIVARS:-/sys/firmware/efi/efivars}
state=$(cat "$efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c" 2> /dev/null | od -An -t u1 | tr -dc '0-9 ')
if [ "$1" = configure ] && [ "${state##* }" = 1 ]; then
  echo 'Secure Boot is on: the kernel loads the modules once the key of DKMS is enrolled, at the console:'
  echo '  mokutil --import /var/lib/dkms/mok.pub    # asks for a password, to be typed again after the reboot'
  echo '  reboot                                    # "Enroll MOK" in the blue screen'
fi
