# For containers of the sandbox on hosts with AppArmor. The engine's own profile forbids the mounts
# that a jail is made of; what this one allows is allowed by the container's user namespace only.
#
#   sudo apparmor_parser -r sandbox/images/apparmor.profile
#   RULEGRADE_SANDBOX_APPARMOR=rulegrade-sandbox rulegrade serve
#
# Needs AppArmor 4 (Ubuntu 24.04); before it, take out the line `userns,` and write abi/3.0.

abi <abi/4.0>,
#include <tunables/global>

profile rulegrade-sandbox flags=(attach_disconnected,mediate_deleted) {
  # a jail: namespaces, its own mounts, its own /proc
  userns,
  mount,
  remount,
  umount,
  pivot_root,
  capability,

  file,
  signal (send, receive) peer=rulegrade-sandbox,
  ptrace (read, readby) peer=rulegrade-sandbox,
  signal (receive) peer=unconfined,
  signal (receive) peer=runc,
  signal (receive) peer=crun,

  # there is no network; a socket pair is not one
  network unix,
  unix,

  # what the engine's profile denies, too
  deny @{PROC}/sys/kernel/core_pattern wl,
  deny @{PROC}/sysrq-trigger rwklx,
  deny @{PROC}/kcore rwklx,
  deny @{PROC}/kmem rwklx,
  deny @{PROC}/mem rwklx,
  deny /sys/[^f]*/** wklx,
  deny /sys/firmware/** rwklx,
  deny /sys/kernel/security/** rwklx,
}
