#!/bin/bash
# A bare host for a test: namespaces of its own over a writable copy of this machine's files (overlay in memory), with systemd as its first process. Called by
# bare-host.ts inside fresh mount, network, pid, UTS, IPC and cgroup namespaces. What it writes is gone with it.
#   bare-host.sh NAME DIRECTORY PRODUCT
set -euo pipefail
name=$1 dir=$2 root=$2/root product=$3

mount --make-rprivate /
mount -t tmpfs -o mode=0755 tmpfs "$dir"
mkdir -p "$dir"/{upper,work,root}
mount -t overlay overlay -o "lowerdir=/,upperdir=$dir/upper,workdir=$dir/work" "$root"
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
  mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
else
  mount -t tmpfs -o mode=0755 tmpfs "$root/sys/fs/cgroup"
  for controller in cpu memory pids; do
    [ -d "/sys/fs/cgroup/$controller" ] || continue
    mkdir "$root/sys/fs/cgroup/$controller"
    mount -t cgroup -o "$controller" cgroup "$root/sys/fs/cgroup/$controller"
  done
  mkdir "$root/sys/fs/cgroup/systemd"
  mount -t cgroup -o none,name=systemd cgroup "$root/sys/fs/cgroup/systemd"
fi
mount -t tmpfs -o mode=0755 tmpfs "$root/run"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mkdir -p "$root/run/lock"
# The product's directory, where it lies below /tmp or on a file system of its own.
if [ ! -e "$root$product/openlpm" ]; then
  mkdir -p "$root$product" "$dir"/{product-upper,product-work}
  mount -t overlay overlay -o "lowerdir=$product,upperdir=$dir/product-upper,workdir=$dir/product-work" "$root$product"
fi

# Bare: nothing of this product, and no service but the message bus and the journal.
rm -rf "$root"/etc/openlpm "$root"/var/lib/openlpm "$root"/usr/lib/openlpm "$root"/usr/bin/openlpm "$root"/usr/lib/systemd/system/openlpm-* "$root"/etc/logrotate.d/openlpm "$root/etc/systemd/system" "$root/var/log/journal"
units=$root/etc/systemd/system
mkdir -p "$units"
printf '[Unit]\nDescription=A bare host\nRequires=dbus.socket systemd-journald.socket\nAfter=dbus.socket\n' > "$units/bare.target"
for target in sysinit basic network-online; do printf '[Unit]\nDescription=%s\nDefaultDependencies=no\n' "$target" > "$units/$target.target"; done
echo "$name" > "$root/etc/hostname"
tr -d - < /proc/sys/kernel/random/uuid > "$root/etc/machine-id"

cd "$root"
mkdir -p .old
pivot_root . .old
umount -l /.old
export container=other PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
exec /lib/systemd/systemd --system --unit=bare.target --log-target=null
