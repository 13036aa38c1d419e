// The console device (§5.3, virtio 1.4): queue indices of port 0.
export const VIRTIO_CONSOLE_RECEIVEQ = 0;
export const VIRTIO_CONSOLE_TRANSMITQ = 1;
