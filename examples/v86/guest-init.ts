/** How the guest's init goes on behind the loading of modules: a network, and a shell on the console of ours for ever. */

/** The line on the first serial port that says that the guest is up. */
export const READY = "guest: up";

/** The guest, and who answers its pings. */
export const ADDRESSES = { guest: "10.0.0.2", neighbour: "10.0.0.1" };

/** busybox's shell script. */
export const INIT = `hostname guest
ifconfig eth0 ${ADDRESSES.guest} up
export HOME=/ PS1='guest # '
echo "${READY}" >/dev/ttyS0
while true; do setsid -c sh </dev/hvc0 >/dev/hvc0 2>&1; done
`;
