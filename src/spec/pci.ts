// virtio-pci (§4.1, virtio 1.4): identifiers, capability structures, register offsets and values.
export const VIRTIO_PCI_VENDOR_ID = 0x1af4;
export const VIRTIO_PCI_DEVICE_ID_MIN = 0x1000; // the lowest transitional device ID
export const VIRTIO_PCI_DEVICE_ID_MAX = 0x107f;
export const VIRTIO_PCI_MODERN_DEVICE_ID = 0x1040; // plus the device ID of §5
export const VIRTIO_PCI_TRANSITIONAL_NET = 0x1000;
export const VIRTIO_PCI_TRANSITIONAL_BLK = 0x1001;
export const VIRTIO_PCI_TRANSITIONAL_BALLOON = 0x1002;
export const VIRTIO_PCI_TRANSITIONAL_CONSOLE = 0x1003;
export const VIRTIO_PCI_TRANSITIONAL_SCSI = 0x1004;
export const VIRTIO_PCI_TRANSITIONAL_ENTROPY = 0x1005;
export const VIRTIO_PCI_TRANSITIONAL_9P = 0x1009;

// struct virtio_pci_cap (§4.1.4), from the start of the capability
export const VIRTIO_PCI_CAP_CAP_VNDR = 0;
export const VIRTIO_PCI_CAP_CAP_NEXT = 1;
export const VIRTIO_PCI_CAP_CAP_LEN = 2;
export const VIRTIO_PCI_CAP_CFG_TYPE = 3;
export const VIRTIO_PCI_CAP_BAR = 4;
export const VIRTIO_PCI_CAP_ID = 5;
export const VIRTIO_PCI_CAP_OFFSET = 8;
export const VIRTIO_PCI_CAP_LENGTH = 12;
export const VIRTIO_PCI_CAP_SIZE = 16;
export const VIRTIO_PCI_CAP64_OFFSET_HI = 16;
export const VIRTIO_PCI_CAP64_LENGTH_HI = 20;
export const VIRTIO_PCI_CAP64_SIZE = 24;
export const VIRTIO_PCI_NOTIFY_CAP_MULT = 16; // notify_off_multiplier
export const VIRTIO_PCI_NOTIFY_CAP_SIZE = 20;
export const VIRTIO_PCI_CFG_CAP_DATA = 16; // pci_cfg_data
export const VIRTIO_PCI_CFG_CAP_SIZE = 20;
// cfg_type
export const VIRTIO_PCI_CAP_COMMON_CFG = 1;
export const VIRTIO_PCI_CAP_NOTIFY_CFG = 2;
export const VIRTIO_PCI_CAP_ISR_CFG = 3;
export const VIRTIO_PCI_CAP_DEVICE_CFG = 4;
export const VIRTIO_PCI_CAP_PCI_CFG = 5;
export const VIRTIO_PCI_CAP_SHARED_MEMORY_CFG = 8;
export const VIRTIO_PCI_CAP_VENDOR_CFG = 9;

// struct virtio_pci_common_cfg (§4.1.4.3)
export const VIRTIO_PCI_COMMON_DFSELECT = 0;
export const VIRTIO_PCI_COMMON_DF = 4;
export const VIRTIO_PCI_COMMON_GFSELECT = 8;
export const VIRTIO_PCI_COMMON_GF = 12;
export const VIRTIO_PCI_COMMON_MSIX = 16;
export const VIRTIO_PCI_COMMON_NUMQ = 18;
export const VIRTIO_PCI_COMMON_STATUS = 20;
export const VIRTIO_PCI_COMMON_CFGGENERATION = 21;
export const VIRTIO_PCI_COMMON_Q_SELECT = 22;
export const VIRTIO_PCI_COMMON_Q_SIZE = 24;
export const VIRTIO_PCI_COMMON_Q_MSIX = 26;
export const VIRTIO_PCI_COMMON_Q_ENABLE = 28;
export const VIRTIO_PCI_COMMON_Q_NOFF = 30;
export const VIRTIO_PCI_COMMON_Q_DESCLO = 32;
export const VIRTIO_PCI_COMMON_Q_DESCHI = 36;
export const VIRTIO_PCI_COMMON_Q_AVAILLO = 40;
export const VIRTIO_PCI_COMMON_Q_AVAILHI = 44;
export const VIRTIO_PCI_COMMON_Q_USEDLO = 48;
export const VIRTIO_PCI_COMMON_Q_USEDHI = 52;
export const VIRTIO_PCI_COMMON_Q_NDATA = 56;
export const VIRTIO_PCI_COMMON_Q_RESET = 58;
export const VIRTIO_PCI_COMMON_ADM_Q_IDX = 60;
export const VIRTIO_PCI_COMMON_ADM_Q_NUM = 62;
export const VIRTIO_PCI_COMMON_SIZE = 64;

// ISR status (§4.1.4.5)
export const VIRTIO_PCI_ISR_QUEUE = 1;
export const VIRTIO_PCI_ISR_CONFIG = 2;

// No vector (§4.1.5.1.2)
export const VIRTIO_MSI_NO_VECTOR = 0xffff;

// The legacy interface's registers in BAR 0 (§4.1.4.10)
export const VIRTIO_PCI_HOST_FEATURES = 0;
export const VIRTIO_PCI_GUEST_FEATURES = 4;
export const VIRTIO_PCI_QUEUE_PFN = 8;
export const VIRTIO_PCI_QUEUE_NUM = 12;
export const VIRTIO_PCI_QUEUE_SEL = 14;
export const VIRTIO_PCI_QUEUE_NOTIFY = 16;
export const VIRTIO_PCI_STATUS = 18;
export const VIRTIO_PCI_ISR = 19;
export const VIRTIO_MSI_CONFIG_VECTOR = 20; // while MSI-X is enabled
export const VIRTIO_MSI_QUEUE_VECTOR = 22; // while MSI-X is enabled
export const VIRTIO_PCI_CONFIG_WITHOUT_MSIX = 20;
export const VIRTIO_PCI_CONFIG_WITH_MSIX = 24;
export const VIRTIO_PCI_QUEUE_ADDR_SHIFT = 12;
export const VIRTIO_PCI_VRING_ALIGN = 4096;
